//! The stored form of a batch's nonstandard ids: ids other than 16 hexadecimal digits, found by exact match.
//!
//! ```text
//! the beginning of every part, of kind 1 (`part`)
//! 0  u32 LE  number of (id, span) pairs, one for each line
//! 4  pairs, sorted: length of the id (u8), its bytes, span (u32 LE)
//! ```
//!
//! These ids are rare (tests, very old lines), so the form is simple. Tests freeze the form.

use std::collections::BTreeSet;

use super::part::{self, EntryError, OpenPart};
use crate::batch::ObjectSpans;

/// The kind of a part that holds nonstandard ids.
pub const KIND_NONSTANDARD: u8 = 1;
/// Size of the body before the pairs, in bytes.
const HEADER: usize = 4;

/// Packs ids with the spans of their lines; `spans` has the extent of each span. An id longer than 255 bytes is
/// omitted: the limit [`crate::limits::MAX_NONSTANDARD_ID`] excludes it.
#[must_use]
pub fn pack<'a>(pairs: impl IntoIterator<Item = (&'a str, u32)>, spans: &ObjectSpans) -> Vec<u8> {
    let with_length = pairs.into_iter().filter_map(|(id, span)| Some((id, span, u8::try_from(id.len()).ok()?)));
    let mut pairs: Vec<(&str, u32, u8)> = with_length.collect();
    pairs.sort_unstable();
    let named: BTreeSet<u32> = pairs.iter().map(|(_, span, _)| *span).collect();
    let mut bytes = part::head(KIND_NONSTANDARD, named.into_iter(), spans);
    bytes.extend_from_slice(&u32::try_from(pairs.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (id, span, length) in pairs {
        bytes.push(length);
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&span.to_le_bytes());
    }
    bytes
}

/// Returns the span of each line of the id, ascending.
///
/// # Errors
/// [`EntryError`] if the bytes do not have this form.
pub fn spans_of(bytes: &[u8], id: &str) -> Result<Vec<u32>, EntryError> {
    let OpenPart { version, kind, body, .. } = part::open(bytes)?;
    if kind != KIND_NONSTANDARD {
        return Err(EntryError::Unknown { version, kind });
    }
    let (_, mut rest) = body.split_first_chunk::<HEADER>().ok_or(EntryError::Damaged)?;
    let mut spans = Vec::new();
    while let Some((&length, after)) = rest.split_first() {
        let (found, after) = after.split_at_checked(usize::from(length)).ok_or(EntryError::Damaged)?;
        let (span, after) = after.split_first_chunk::<4>().ok_or(EntryError::Damaged)?;
        if found == id.as_bytes() {
            spans.push(u32::from_le_bytes(*span));
        }
        rest = after;
    }
    Ok(spans)
}

/// Returns the time slot of a nonstandard id: an arbitrary byte derived from the id alone (see [`super::shard`]).
#[must_use]
pub fn time_slot_of(id: &str) -> u8 {
    id.bytes().fold(0, |time_slot: u8, byte| time_slot.rotate_left(3) ^ byte)
}

#[cfg(test)]
mod tests {
    use super::{pack, spans_of, time_slot_of};
    use crate::batch::ObjectSpans;
    use crate::index::part::EntryError;

    #[test]
    fn the_stored_form_is_unchanged() {
        let bytes = pack([("test-ray-001", 3), ("00", 70_000)], &ObjectSpans::default());
        assert_eq!(hex::encode(&bytes), "010100000000000002000000023030701101000c746573742d7261792d30303103000000");
        assert_eq!(time_slot_of("test-ray-001"), time_slot_of("test-ray-001"));
        assert_eq!(time_slot_of("00"), 177);
    }

    #[test]
    fn id_is_found_in_exactly_its_spans() {
        let bytes = pack([("b", 2), ("a", 1), ("b", 1), ("b", 2)], &ObjectSpans::default());
        assert_eq!(spans_of(&bytes, "b"), Ok(vec![1, 2, 2]));
        assert_eq!(spans_of(&bytes, "B"), Ok(vec![]));
    }

    #[test]
    fn cut_or_unknown_version_bytes_are_refused() {
        let bytes = pack([("abc", 2)], &ObjectSpans::default());
        for end in 0..bytes.len() {
            let cut = spans_of(&bytes[..end], "abc");
            assert!(cut == Err(EntryError::Damaged) || (end == 12 && cut == Ok(vec![])), "{end}");
        }
        assert_eq!(spans_of(&[3, 1, 0, 0, 0, 0, 0, 0], "a"), Err(EntryError::Unknown { version: 3, kind: 1 }));
    }
}
