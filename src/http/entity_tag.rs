//! Entity tags (RFC 9110, 8.8.3), which save sending a client what it already has.

use sha2::{Digest, Sha256};

/// Makes the tag of a resource from its parts, one after the other.
#[derive(Debug, Default)]
pub(crate) struct EntityTagHasher(Sha256);

impl EntityTagHasher {
    /// The hasher after this part.
    pub(crate) fn with(mut self, part: &[u8]) -> Self {
        self.add(part);
        self
    }

    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update(part.len().to_le_bytes());
        self.0.update(part);
    }

    /// Returns the tag. It is weak, since one answer can be encoded in several ways.
    pub(crate) fn finish(self) -> String {
        let hash: [u8; 32] = self.0.finalize().into();
        format!("W/\"{}\"", hex::encode(hash.first_chunk::<12>().unwrap_or(&[0; 12])))
    }
}

/// Returns whether the value of `If-None-Match` contains the tag, by weak comparison.
pub(super) fn matches_entity_tag(if_none_match: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.trim() == "*" || if_none_match.split(',').any(|one| opaque(one) == opaque(tag))
}
