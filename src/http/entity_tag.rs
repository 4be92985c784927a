//! Entity tags (RFC 9110, 8.8.3), which save sending a client what it already has.

use sha2::{Digest, Sha256};

/// Returns the tag of a resource made up of these parts. It is weak, since one answer can be encoded in several ways.
pub(crate) fn entity_tag<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    let hash: [u8; 32] = hasher.finalize().into();
    format!("W/\"{}\"", hex::encode(hash.first_chunk::<12>().unwrap_or(&[0; 12])))
}

/// Returns whether the value of `If-None-Match` contains the tag, by weak comparison.
pub(super) fn matches_entity_tag(if_none_match: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.trim() == "*" || if_none_match.split(',').any(|one| opaque(one) == opaque(tag))
}
