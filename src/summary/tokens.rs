//! Converts JSON tokens to texts and their hashes, for filters of texts.

use super::filter::hash;
use crate::record::FieldValue;

/// Sorts hashes, and removes duplicates.
pub(super) fn sort(texts: &mut Vec<u64>) {
    texts.sort_unstable();
    texts.dedup();
}

/// Adds the hashes of texts in `tokens` to these; `None` if a token is not a text.
pub(super) fn with_tokens<'a>(mut texts: Vec<u64>, tokens: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u64>> {
    for token in tokens {
        texts.push(text_of(token)?);
    }
    sort(&mut texts);
    Some(texts)
}

/// Returns the bytes in the quotes of a string.
#[inline]
pub(super) fn inside(token: &[u8]) -> Option<&[u8]> {
    match token {
        [b'"', text @ .., b'"'] => Some(text),
        _ => None,
    }
}

/// Returns whether the bytes in the quotes are the text itself.
pub(super) fn is_plain(text: &[u8]) -> bool {
    // A sum without an early exit, so that many bytes are examined at once.
    let odd: u32 = text.iter().map(|byte| u32::from(!byte.is_ascii()) + u32::from(*byte == b'\\')).sum();
    odd == 0
}

/// Returns the hash of a token's text, which is empty for a token that means absence; `None` if it is another value, or
/// not UTF-8.
pub(super) fn text_of(token: &[u8]) -> Option<u64> {
    let token = std::str::from_utf8(token).ok()?;
    match FieldValue::from_json(token) {
        FieldValue::Text(text) => Some(hash(text.as_bytes())),
        FieldValue::Absent => Some(hash(b"")),
        FieldValue::Number(_) | FieldValue::Bool(_) | FieldValue::Nested(_) => None,
    }
}
