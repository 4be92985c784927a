//! The stored form of the ranges of spans: a table, in the parts of index entries and in span summaries.
//!
//! A row for each span, ascending, of nine numbers in LEB128: number above the former row's, form (0 start, 1 block,
//! 2 plain), first bit above the former row's, stored bytes, offset of its text above the former row's, head, bytes of
//! its text plus one (0 for the last span), where its window begins above the end of the former row's, bytes of the
//! window.
//!
//! # Invariants
//!
//! No bytes make reading it panic. What contains a table has a version, which changes with this form.

use super::leb128::{read_leb128, write_leb128};
use super::points::PointForm;
use super::spans::SpanPlace;

/// The forms of points by their number.
const FORMS: [PointForm; 3] = [PointForm::Start, PointForm::Block, PointForm::Plain];

/// The table of these spans, ascending.
pub(crate) fn write_span_table<'a>(places: impl Iterator<Item = &'a SpanPlace>) -> Vec<u8> {
    let mut table = Vec::new();
    places.fold(SpanTableRow::default(), |before, place| before.write(&mut table, place));
    table
}

/// The spans in a table; `None` where the bytes are not a table.
pub(crate) fn read_span_table(mut table: &[u8]) -> Option<Vec<SpanPlace>> {
    let mut places = Vec::new();
    let mut before = SpanTableRow::default();
    while !table.is_empty() {
        let (place, after) = before.read(&mut table)?;
        places.push(place);
        before = after;
    }
    Some(places)
}

/// What a row is counted from: the row before it.
#[derive(Debug, Clone, Copy, Default)]
struct SpanTableRow {
    number: u64,
    bit: u64,
    offset: u64,
    window_end: u64,
}

impl SpanTableRow {
    fn from_place(place: &SpanPlace) -> Self {
        let SpanPlace { number, bit, offset, window, .. } = place;
        Self { number: u64::from(*number), bit: *bit, offset: *offset, window_end: window.end }
    }

    /// Writes the row after this one.
    fn write(self, table: &mut Vec<u8>, place: &SpanPlace) -> Self {
        let form = FORMS.iter().position(|form| *form == place.form).unwrap_or_default();
        let numbers = [
            u64::from(place.number).wrapping_sub(self.number),
            form as u64,
            place.bit.wrapping_sub(self.bit),
            place.bytes,
            place.offset.wrapping_sub(self.offset),
            place.head,
            place.text.map_or(0, |text| text + 1),
            place.window.start.wrapping_sub(self.window_end),
            place.window.end - place.window.start,
        ];
        for number in numbers {
            write_leb128(table, number);
        }
        Self::from_place(place)
    }

    /// Reads the row after this one.
    fn read(self, table: &mut &[u8]) -> Option<(SpanPlace, Self)> {
        let mut next = || read_leb128(table);
        let number = u32::try_from(self.number.checked_add(next()?)?).ok()?;
        let form = *FORMS.get(usize::try_from(next()?).ok()?)?;
        let bit = self.bit.checked_add(next()?)?;
        let bytes = next()?;
        let offset = self.offset.checked_add(next()?)?;
        let head = next()?;
        let text = next()?.checked_sub(1);
        let start = self.window_end.checked_add(next()?)?;
        let window = start..start.checked_add(next()?)?;
        let place = SpanPlace { number, form, bit, bytes, offset, head, text, window };
        let row = Self::from_place(&place);
        Some((place, row))
    }
}
