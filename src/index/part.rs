//! The beginning of every part of an entry: its version and kind, and the ranges of the spans that it names.
//!
//! ```text
//! 0  u8      version = 2
//! 1  u8      kind: 0 rays (`entry`), 1 nonstandard ids (`nonstandard`)
//! 2  u16     0
//! 4  u32 LE  bytes of the table
//! 8  the table: a row for each span that the part names, ascending, of nine numbers in LEB128:
//!    number above the former row's, form (0 start, 1 block, 2 plain), first bit above the former row's, stored bytes,
//!    offset of its text above the former row's, head, bytes of its text plus one (0 for the last span), where its
//!    window begins above the end of the former row's, bytes of the window
//! …  the body
//! ```
//!
//! # Invariants
//!
//! A part contains all that is needed to read the spans it names. No bytes make reading it panic. Tests freeze the
//! form; another form has another version.

use crate::batch::{ObjectSpans, PointForm, SpanPlace};

/// The version of this stored form.
pub const VERSION: u8 = 2;
/// The forms of points by their number.
const FORMS: [PointForm; 3] = [PointForm::Start, PointForm::Block, PointForm::Plain];

/// Why stored bytes are not a part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A version or kind that this code does not know.
    #[error("an index entry has version {version} and kind {kind}, which this version of raydex does not read")]
    Unknown {
        /// Its version.
        version: u8,
        /// Its kind.
        kind: u8,
    },
    /// Bytes that contradict themselves.
    #[error("an index entry is damaged")]
    Damaged,
}

/// The beginning of a part of this kind that names these spans, ascending.
pub(super) fn head(kind: u8, numbers: impl Iterator<Item = u32>, spans: &ObjectSpans) -> Vec<u8> {
    let table = table_of(numbers.filter_map(|number| spans.place(number)));
    let length = u32::try_from(table.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![VERSION, kind, 0, 0];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&table);
    bytes
}

/// The table of these spans, ascending.
pub(super) fn table_of<'a>(places: impl Iterator<Item = &'a SpanPlace>) -> Vec<u8> {
    let mut table = Vec::new();
    places.fold(SpanTableRow::default(), |before, place| before.write(&mut table, place));
    table
}

/// A part that was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenPart<'a> {
    pub(super) version: u8,
    pub(super) kind: u8,
    table: &'a [u8],
    pub(super) body: &'a [u8],
}

/// Looks at a part's beginning.
pub(super) fn open(bytes: &[u8]) -> Result<OpenPart<'_>, EntryError> {
    let (&[version, kind, _, _], rest) = bytes.split_first_chunk::<4>().ok_or(EntryError::Damaged)?;
    if version != VERSION {
        return Err(EntryError::Unknown { version, kind });
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(EntryError::Damaged)?;
    let split = rest.split_at_checked(u32::from_le_bytes(*length) as usize);
    let (table, body) = split.ok_or(EntryError::Damaged)?;
    Ok(OpenPart { version, kind, table, body })
}

/// The places of the spans that the part with these bytes names, ascending.
///
/// # Errors
/// [`EntryError`] where the bytes do not have this form.
pub fn places(bytes: &[u8]) -> Result<Vec<SpanPlace>, EntryError> {
    places_in(open(bytes)?.table)
}

/// The places of the spans in a table.
pub(super) fn places_in(mut table: &[u8]) -> Result<Vec<SpanPlace>, EntryError> {
    let mut places = Vec::new();
    let mut before = SpanTableRow::default();
    while !table.is_empty() {
        let (place, after) = before.read(&mut table).ok_or(EntryError::Damaged)?;
        places.push(place);
        before = after;
    }
    Ok(places)
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
    fn of(place: &SpanPlace) -> Self {
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
            write_number(table, number);
        }
        Self::of(place)
    }

    /// Reads the row after this one.
    fn read(self, table: &mut &[u8]) -> Option<(SpanPlace, Self)> {
        let mut next = || read_number(table);
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
        let row = Self::of(&place);
        Some((place, row))
    }
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
pub(super) fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

pub(super) fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{EntryError, FORMS, head, places};
    use crate::batch::{ObjectSpans, SpanPlace};

    fn place(number: u32, form: usize, parts: [u64; 5]) -> SpanPlace {
        let [bit, bytes, offset, head, window] = parts;
        let text = (head % 3 > 0).then_some(head);
        SpanPlace { number, form: FORMS[form], bit, bytes, offset, head, text, window: window..window + head % 5000 }
    }

    #[test]
    fn the_stored_form_is_unchanged() {
        let windows = Vec::new();
        let spans = ObjectSpans {
            places: vec![place(0, 0, [0, 98_765, 0, 0, 0]), place(1, 1, [790_123, 98_765, 1_241_593, 700, 0])],
            windows,
        };
        let bytes = head(1, [0, 1].into_iter(), &spans);
        assert_eq!(hex::encode(bytes), "020100001d000000000000cd830600000000000101eb9c30cd8306f9e34bbc05bd0500bc05");
    }

    #[test]
    fn a_form_that_is_not_known_is_refused() {
        assert_eq!(places(&[3, 0, 0, 0, 0, 0, 0, 0]), Err(EntryError::Unknown { version: 3, kind: 0 }));
        assert_eq!(places(&[1, 0, 0, 0]), Err(EntryError::Unknown { version: 1, kind: 0 }));
        for bytes in [&[2][..], &[2, 0, 0, 0, 1, 0, 0, 0], &[2, 0, 0, 0, 1, 0, 0, 0, 0x80]] {
            assert_eq!(places(bytes), Err(EntryError::Damaged));
        }
    }

    proptest! {
        #[test]
        fn places_come_back_as_they_were(
            rows in prop::collection::vec((0_usize..3, prop::array::uniform5(0_u64..1 << 40)), 1..20),
            step in 1_usize..4,
        ) {
            let mut sorted: Vec<[u64; 5]> = rows.iter().map(|(_, parts)| *parts).collect();
            for column in [0, 2, 4] {
                let mut values: Vec<u64> = sorted.iter().map(|parts| parts[column]).collect();
                values.sort_unstable();
                sorted.iter_mut().zip(values).for_each(|(parts, value)| parts[column] = value + 5000);
            }
            let all: Vec<SpanPlace> =
                (0..).zip(&rows).zip(&sorted).map(|((number, (form, _)), parts)| place(number, *form, *parts)).collect();
            // Windows are contiguous.
            let mut end = 0;
            let all: Vec<SpanPlace> = all.into_iter().map(|mut place| {
                let length = place.window.end - place.window.start;
                place.window = end..end + length;
                end += length;
                place
            }).collect();
            let spans = ObjectSpans { places: all.clone(), windows: Vec::new() };
            let used = (0..u32::try_from(all.len()).unwrap()).step_by(step);
            let expected: Vec<SpanPlace> = used.clone().map(|number| all[number as usize].clone()).collect();
            prop_assert_eq!(places(&head(0, used, &spans)), Ok(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _places = places(&[&[2, 0, 0, 0, 60, 0, 0, 0], bytes.as_slice()].concat());
        }
    }
}
