//! The stored form of a batch's summary.
//!
//! ```text
//! 0   u8      version = 1
//! 1   i64 LE  first instant of its records, in Unix nanoseconds
//! 9   i64 LE  last instant
//! 17  number of spans, number of fields, each in LEB128
//! …   for each field, in the order of the indexed fields: u8 kind
//!       0 anything
//!       1 one of these: their number, then for each its length and its bytes
//!       2 texts of a filter: its length and its bytes
//! ```
//!
//! # Invariants
//!
//! A summary has at most [`SUMMARY_MAX`] bytes; a field that does not fit admits any value. No input bytes make reading
//! it panic. Tests freeze the form; any other form gets a new version.

use super::filter::TextFilter;
use super::tokens::with_tokens;
use super::{FieldSummary, PruningSummary, TimeBounds};
use crate::batch::{read_leb128, write_leb128};
use crate::limits::SUMMARY_MAX;

/// The version of this stored form.
const VERSION: u8 = 1;

/// Returns the stored form; the largest fields are reduced until it fits.
pub(super) fn to_bytes(summary: PruningSummary) -> Vec<u8> {
    let PruningSummary { spans, times, mut fields } = summary;
    let mut parts: Vec<Vec<u8>> = fields.iter().map(field_bytes).collect();
    let mut head = vec![VERSION];
    head.extend_from_slice(&times.first_ns.to_le_bytes());
    head.extend_from_slice(&times.last_ns.to_le_bytes());
    write_leb128(&mut head, u64::from(spans));
    write_leb128(&mut head, fields.len() as u64);
    while head.len() + parts.iter().map(Vec::len).sum::<usize>() > SUMMARY_MAX {
        let largest = parts.iter().zip(fields.iter_mut()).enumerate().max_by_key(|(_, (part, _))| part.len());
        let Some((position, (_, field))) = largest else { break };
        *field = smaller(field);
        let bytes = field_bytes(field);
        if let Some(part) = parts.get_mut(position) {
            *part = bytes;
        }
    }
    parts.into_iter().fold(head, |mut bytes, part| {
        bytes.extend_from_slice(&part);
        bytes
    })
}

/// Reduces a field: its texts become a filter if that is smaller, or it admits any value.
fn smaller(field: &FieldSummary) -> FieldSummary {
    let FieldSummary::OneOf(tokens) = field else { return FieldSummary::Any };
    let texts = with_tokens(Vec::new(), tokens.iter().map(Box::as_ref));
    let texts = texts.map_or(FieldSummary::Any, |texts| FieldSummary::Texts(TextFilter::from_hashes(&texts)));
    if field_bytes(&texts).len() < field_bytes(field).len() { texts } else { FieldSummary::Any }
}

fn field_bytes(field: &FieldSummary) -> Vec<u8> {
    match field {
        FieldSummary::Any => vec![0],
        FieldSummary::OneOf(tokens) => {
            let mut bytes = vec![1];
            write_leb128(&mut bytes, tokens.len() as u64);
            for token in tokens {
                write_bytes(&mut bytes, token);
            }
            bytes
        }
        FieldSummary::Texts(texts) => {
            let mut bytes = vec![2];
            write_bytes(&mut bytes, texts.bytes());
            bytes
        }
    }
}

/// Writes bytes, preceded by their length.
pub(super) fn write_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    write_leb128(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

/// Reads bytes written by [`write_bytes`].
pub(super) fn read_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(read_leb128(from)?).ok()?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

impl PruningSummary {
    /// Parses a stored summary; `None` if this version does not know its form.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, rest) = bytes.split_first()? else { return None };
        let (first, rest) = rest.split_first_chunk()?;
        let (last, mut rest) = rest.split_first_chunk()?;
        let times = TimeBounds { first_ns: i64::from_le_bytes(*first), last_ns: i64::from_le_bytes(*last) };
        let spans = u32::try_from(read_leb128(&mut rest)?).ok()?;
        let count = read_leb128(&mut rest)?;
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push(read_field(&mut rest)?);
        }
        rest.is_empty().then_some(Self { spans, times, fields })
    }
}

fn read_field(from: &mut &[u8]) -> Option<FieldSummary> {
    let (&kind, rest) = from.split_first()?;
    *from = rest;
    match kind {
        0 => Some(FieldSummary::Any),
        1 => {
            let count = read_leb128(from)?;
            let mut tokens = Vec::new();
            for _ in 0..count {
                tokens.push(read_bytes(from)?.into());
            }
            Some(FieldSummary::OneOf(tokens))
        }
        2 => TextFilter::from_bytes(read_bytes(from)?).map(FieldSummary::Texts),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::{FieldSummary, PruningSummary, TextFilter, TimeBounds, smaller, to_bytes};
    use crate::limits::SUMMARY_MAX;

    fn one_of(tokens: &[&str]) -> FieldSummary {
        FieldSummary::OneOf(tokens.iter().map(|token| token.as_bytes().into()).collect())
    }

    fn summary(fields: Vec<FieldSummary>) -> PruningSummary {
        let times = TimeBounds { first_ns: 1_774_687_345_000_000_001, last_ns: 1_774_687_345_000_000_777 };
        PruningSummary { spans: 152, times, fields }
    }

    #[test]
    fn the_stored_form_is_unchanged() {
        let fields = vec![
            one_of(&["", "200", "\"GET\""]),
            FieldSummary::Any,
            FieldSummary::Texts(TextFilter::from_hashes(&[1, 2])),
        ];
        let bytes = to_bytes(summary(fields.clone()));
        assert_eq!(
            hex::encode(&bytes),
            "01012a1bd2bcf4a018092d1bd2bcf4a01898010301030003323030052247455422000208fe01000000000000"
        );
        assert_eq!(PruningSummary::from_bytes(&bytes), Some(summary(fields)));
        for cut in 0..bytes.len() {
            assert_eq!(PruningSummary::from_bytes(&bytes[..cut]), None);
        }
        assert_eq!(PruningSummary::from_bytes(&[&[2][..], &bytes[1..]].concat()), None);
        assert_eq!(PruningSummary::from_bytes(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn excess_is_reduced_and_the_rest_stays() {
        let many: Vec<String> = (0..200).map(|number| format!("\"host-{number}.example.com\"")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let numbers: Vec<String> = (0..800).map(|number| number.to_string()).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let fields = vec![one_of(&["200"]), one_of(&many), one_of(&numbers)];
        let bytes = to_bytes(summary(fields));
        assert!(bytes.len() <= SUMMARY_MAX, "{}", bytes.len());
        let read = PruningSummary::from_bytes(&bytes).unwrap().fields;
        assert_eq!((&read[0], &read[2]), (&one_of(&["200"]), &FieldSummary::Any));
        let FieldSummary::Texts(texts) = &read[1] else { panic!("{read:?}") };
        assert!(texts.may_hold("host-7.example.com") && !texts.may_hold("host-200.example.com"));
        assert_eq!(smaller(&read[1]), FieldSummary::Any);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _summary = PruningSummary::from_bytes(&bytes);
            let _summary = PruningSummary::from_bytes(&[&[1; 17], bytes.as_slice()].concat());
        }
    }
}
