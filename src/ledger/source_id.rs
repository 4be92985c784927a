//! The identity of a source, computed from its object.

use serde::{Deserialize, Serialize};

use crate::bucket_keys::version_digest;

/// The identity of one version of one object: the SHA-256 of bucket, key and eTag, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(String);

impl SourceId {
    /// Returns the identity of this version of an object.
    #[must_use]
    pub fn for_object(bucket: &str, key: &str, etag: &str) -> Self {
        Self(version_digest(bucket, key, etag))
    }

    /// Parses an identity; `None` if the digits are malformed.
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        let fits = digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self(digits.to_owned()))
    }

    /// Returns the 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
