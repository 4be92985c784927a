//! The header of every part of an entry: its version and kind, and the extents of the spans that it names.
//!
//! ```text
//! 0  u8      version = 1
//! 1  u8      kind: 0 rays (`entry`), 1 nonstandard ids (`nonstandard`), 2 parent links (`links`)
//! 2  u16     0
//! 4  u32 LE  bytes of the table
//! 8  the table of the spans that the part names (`batch::span_table`)
//! …  the body
//! ```
//!
//! # Invariants
//!
//! A part contains all that is needed to read the spans it names. No input bytes make reading it panic. Tests freeze
//! the form; any other form gets a new version.

use crate::batch::{ObjectSpans, SpanExtent, read_span_table, write_span_table};

/// The version of this stored form.
pub const VERSION: u8 = 1;

/// The reason why stored bytes are not a part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The version or kind is not known to this code.
    #[error("an index entry has version {version} and kind {kind}, which this version of raydex does not read")]
    Unknown {
        /// Its version.
        version: u8,
        /// Its kind.
        kind: u8,
    },
    /// The bytes contradict themselves.
    #[error("an index entry is damaged")]
    Damaged,
}

/// Writes the header of a part of this kind that names these spans, ascending.
pub(super) fn head(kind: u8, numbers: impl Iterator<Item = u32>, spans: &ObjectSpans) -> Vec<u8> {
    let table = write_span_table(numbers.filter_map(|number| spans.extent(number)));
    let length = u32::try_from(table.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![VERSION, kind, 0, 0];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&table);
    bytes
}

/// A part with its header parsed.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenPart<'a> {
    pub(super) version: u8,
    pub(super) kind: u8,
    table: &'a [u8],
    pub(super) body: &'a [u8],
}

/// Parses the header of a part.
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

/// Returns the extents of the spans that a part names, ascending.
///
/// # Errors
/// [`EntryError`] if the bytes do not have this form.
pub fn extents(bytes: &[u8]) -> Result<Vec<SpanExtent>, EntryError> {
    read_span_table(open(bytes)?.table).ok_or(EntryError::Damaged)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{EntryError, extents, head};
    use crate::batch::{ObjectSpans, PointForm, SpanExtent};

    const FORMS: [PointForm; 3] = [PointForm::Start, PointForm::Block, PointForm::Plain];

    fn extent(number: u32, form: usize, parts: [u64; 5]) -> SpanExtent {
        let [bit, bytes, offset, head, window] = parts;
        let text = (head % 3 > 0).then_some(head);
        SpanExtent { number, form: FORMS[form], bit, bytes, offset, head, text, window: window..window + head % 5000 }
    }

    #[test]
    fn the_stored_form_is_unchanged() {
        let windows = Vec::new();
        let spans = ObjectSpans {
            extents: vec![extent(0, 0, [0, 98_765, 0, 0, 0]), extent(1, 1, [790_123, 98_765, 1_241_593, 700, 0])],
            windows,
        };
        let bytes = head(1, [0, 1].into_iter(), &spans);
        assert_eq!(hex::encode(bytes), "010100001d000000000000cd830600000000000101eb9c30cd8306f9e34bbc05bd0500bc05");
    }

    #[test]
    fn a_form_that_is_not_known_is_refused() {
        assert_eq!(extents(&[3, 0, 0, 0, 0, 0, 0, 0]), Err(EntryError::Unknown { version: 3, kind: 0 }));
        assert_eq!(extents(&[2, 0, 0, 0]), Err(EntryError::Unknown { version: 2, kind: 0 }));
        for bytes in [&[1][..], &[1, 0, 0, 0, 1, 0, 0, 0], &[1, 0, 0, 0, 1, 0, 0, 0, 0x80]] {
            assert_eq!(extents(bytes), Err(EntryError::Damaged));
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
            let all: Vec<SpanExtent> =
                (0..).zip(&rows).zip(&sorted).map(|((number, (form, _)), parts)| extent(number, *form, *parts)).collect();
            // Windows are contiguous, and those of blocks share groups of four.
            let (mut group, mut end) = (0, 0);
            let all: Vec<SpanExtent> = all.into_iter().map(|mut extent| {
                let length = extent.window.end - extent.window.start;
                if extent.number % 4 == 0 || extent.form != PointForm::Block || length == 0 {
                    group = end;
                }
                end += length;
                extent.window = group..end;
                extent
            }).collect();
            let spans = ObjectSpans { extents: all.clone(), windows: Vec::new() };
            let used = (0..u32::try_from(all.len()).unwrap()).step_by(step);
            let expected: Vec<SpanExtent> = used.clone().map(|number| all[number as usize].clone()).collect();
            prop_assert_eq!(extents(&head(0, used, &spans)), Ok(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _extents = extents(&[&[1, 0, 0, 0, 60, 0, 0, 0], bytes.as_slice()].concat());
        }
    }
}
