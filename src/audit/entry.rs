//! An entry of the chain, and its hash.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::ChainNumber;
use crate::backend::BackendError;

/// An entry of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEntry {
    /// The number of the entry, from 1.
    pub seq: u64,
    /// Its text: the JSON that was hashed.
    pub entry: String,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// The number of the last entry; 0 in an empty log.
    pub seq: u64,
    /// The hash of that entry.
    pub hash: String,
}

/// The hash of an entry that follows the one with the hash `before`.
#[must_use]
pub fn hash(before: &str, entry: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(b"\n");
    hasher.update(entry);
    hex::encode(hasher.finalize())
}

/// Takes the place of the hash before the first entry of a chain: its number, in 64 digits.
#[must_use]
pub fn before_all(chain: ChainNumber) -> String {
    format!("{:064}", chain.number())
}

/// The time that an entry's text says.
pub(crate) fn time_of(entry: &str) -> Result<String, BackendError> {
    #[derive(Deserialize)]
    struct TimedEntry {
        time: String,
    }
    serde_json::from_str(entry).map(|TimedEntry { time }| time).map_err(|_| broken())
}

/// The error of a stored row that does not have its expected form.
pub(super) fn broken() -> BackendError {
    BackendError::new("reading the audit log", "a row is damaged")
}
