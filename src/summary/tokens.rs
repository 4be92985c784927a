//! Tokens of JSON as texts, and the hashes of these: what a filter of texts is made of.

use super::filter::hash;
use crate::record::FieldValue;

/// Sorts hashes and keeps each once.
pub(super) fn sort(texts: &mut Vec<u64>) {
    texts.sort_unstable();
    texts.dedup();
}

/// The hashes of these texts and of those that tokens spell; `None` where a token is something else.
pub(super) fn with_tokens<'a>(mut texts: Vec<u64>, tokens: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u64>> {
    for token in tokens {
        texts.push(text_of(token)?);
    }
    sort(&mut texts);
    Some(texts)
}

/// The bytes in the quotes of a string.
#[inline]
pub(super) fn inside(token: &[u8]) -> Option<&[u8]> {
    match token {
        [b'"', text @ .., b'"'] => Some(text),
        _ => None,
    }
}

/// Whether the bytes in the quotes are the text itself.
pub(super) fn is_plain(text: &[u8]) -> bool {
    // Added up without a way out in the middle, so that the bytes are looked at many at a time.
    let odd: u32 = text.iter().map(|byte| u32::from(!byte.is_ascii()) + u32::from(*byte == b'\\')).sum();
    odd == 0
}

/// The hash of the text that a token spells, where one that says that there is nothing spells the empty one; `None`
/// where it is another value, or no UTF-8.
pub(super) fn text_of(token: &[u8]) -> Option<u64> {
    let token = std::str::from_utf8(token).ok()?;
    match FieldValue::from_json(token) {
        FieldValue::Text(text) => Some(hash(text.as_bytes())),
        FieldValue::Absent => Some(hash(b"")),
        FieldValue::Number(_) | FieldValue::Bool(_) | FieldValue::Nested(_) => None,
    }
}
