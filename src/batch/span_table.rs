//! The stored form of the ranges of spans: a table, in the parts of index entries and in span summaries.
//!
//! A row for each span, ascending, of nine numbers in LEB128: number above the former row's, form (0 start, 1 block,
//! 2 plain, 3 block in the group of the former row's window), first bit above the former row's, stored bytes, offset of
//! its text above the former row's, head, bytes of its text plus one (0 for the last span), where its window begins
//! above the end of the former row's (with form 3: above its beginning, so 0), bytes of the window.
//!
//! # Invariants
//!
//! No bytes make reading it panic. What contains a table has a version, which changes with this form.

use super::leb128::{read_leb128, write_leb128};
use super::points::PointForm;
use super::spans::SpanExtent;

/// The forms of points by their number.
const FORMS: [PointForm; 3] = [PointForm::Start, PointForm::Block, PointForm::Plain];
/// The form of a block whose window begins where the former row's does.
const SAME_GROUP: u64 = 3;

/// The table of these spans, ascending.
pub(crate) fn write_span_table<'a>(extents: impl Iterator<Item = &'a SpanExtent>) -> Vec<u8> {
    let mut table = Vec::new();
    extents.fold(SpanTableRow::default(), |before, extent| before.write(&mut table, extent));
    table
}

/// The spans in a table; `None` where the bytes are not a table.
pub(crate) fn read_span_table(mut table: &[u8]) -> Option<Vec<SpanExtent>> {
    let mut extents = Vec::new();
    let mut before = SpanTableRow::default();
    while !table.is_empty() {
        let (extent, after) = before.read(&mut table)?;
        extents.push(extent);
        before = after;
    }
    Some(extents)
}

/// The row that the next row's numbers are relative to.
#[derive(Debug, Clone, Copy, Default)]
struct SpanTableRow {
    number: u64,
    bit: u64,
    offset: u64,
    window_start: u64,
    window_end: u64,
}

impl SpanTableRow {
    fn from_extent(extent: &SpanExtent) -> Self {
        let SpanExtent { number, bit, offset, window, .. } = extent;
        let (window_start, window_end) = (window.start, window.end);
        Self { number: u64::from(*number), bit: *bit, offset: *offset, window_start, window_end }
    }

    /// Writes the row after this one.
    fn write(self, table: &mut Vec<u8>, extent: &SpanExtent) -> Self {
        let is_same_group = extent.window.start < self.window_end;
        let form = FORMS.iter().position(|form| *form == extent.form).unwrap_or_default() as u64;
        let numbers = [
            u64::from(extent.number).wrapping_sub(self.number),
            if is_same_group { SAME_GROUP } else { form },
            extent.bit.wrapping_sub(self.bit),
            extent.bytes,
            extent.offset.wrapping_sub(self.offset),
            extent.head,
            extent.text.map_or(0, |text| text + 1),
            extent.window.start.wrapping_sub(if is_same_group { self.window_start } else { self.window_end }),
            extent.window.end - extent.window.start,
        ];
        for number in numbers {
            write_leb128(table, number);
        }
        Self::from_extent(extent)
    }

    /// Reads the row after this one.
    fn read(self, table: &mut &[u8]) -> Option<(SpanExtent, Self)> {
        let mut next = || read_leb128(table);
        let number = u32::try_from(self.number.checked_add(next()?)?).ok()?;
        let (form, window_base) = match next()? {
            SAME_GROUP => (PointForm::Block, self.window_start),
            form => (*FORMS.get(usize::try_from(form).ok()?)?, self.window_end),
        };
        let bit = self.bit.checked_add(next()?)?;
        let bytes = next()?;
        let offset = self.offset.checked_add(next()?)?;
        let head = next()?;
        let text = next()?.checked_sub(1);
        let start = window_base.checked_add(next()?)?;
        let window = start..start.checked_add(next()?)?;
        let extent = SpanExtent { number, form, bit, bytes, offset, head, text, window };
        let row = Self::from_extent(&extent);
        Some((extent, row))
    }
}

#[cfg(test)]
mod tests {
    use super::{read_span_table, write_span_table};
    use crate::batch::{PointForm, SpanExtent};

    /// A span whose window is this range.
    fn extent(number: u32, window: std::ops::Range<u64>) -> SpanExtent {
        let form = if window.is_empty() { PointForm::Plain } else { PointForm::Block };
        let at = u64::from(number) * 1000;
        SpanExtent { number, form, bit: at, bytes: 9, offset: at, head: 0, text: Some(1000), window }
    }

    #[test]
    fn windows_of_groups_come_back_from_any_rows() {
        let windows = [0..0, 0..10, 0..15, 0..400, 400..400, 400..405, 400..409, 409..500];
        let all: Vec<SpanExtent> = (0..).zip(windows).map(|(number, window)| extent(number, window)).collect();
        for rows in 0_u32..1 << all.len() {
            let some: Vec<SpanExtent> = all.iter().filter(|extent| rows >> extent.number & 1 == 1).cloned().collect();
            let table = write_span_table(some.iter());
            assert!(table.len() <= some.len() * 14, "{} bytes for {} rows", table.len(), some.len());
            assert_eq!(read_span_table(&table), Some(some));
        }
    }

    #[test]
    fn unknown_form_of_a_point_is_refused() {
        let mut table = write_span_table([extent(0, 0..10)].iter());
        assert!(read_span_table(&table).is_some());
        table[1] = 4;
        assert_eq!(read_span_table(&table), None);
    }
}
