//! A closed batch: a gzip of lines under its key, with the numbers of its isolate.
//!
//! # Invariants
//! A batch never changes once it is closed: to store it again stores the same object under the same key.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::counts::EdgeCounts;
use crate::bucket_keys::edge_batch_key;

/// The level of a batch: a third of the time of level 6, for objects that are a tenth larger.
const LEVEL: Compression = Compression::new(3);

/// Number of digits of an isolate's ID.
pub const ISOLATE_DIGITS: usize = 16;

/// The largest number of a label: those of many can be added up.
const LARGEST_COUNT: u64 = 1 << 48;

/// What travels with a batch, in the metadata of its object: whose it is, and the numbers of its isolate at its close.
///
/// `counts` are those since the isolate began. `since` are those that no earlier batch carries, apart from batches that were
/// dropped: the sum over all stored batches of an isolate is its `counts`, whichever of them were lost on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLabel {
    /// The isolate's ID.
    pub isolate: String,
    /// The number of the batch among those of the isolate, from 1.
    pub sequence: u64,
    /// Number of lines of the batch.
    pub lines: u64,
    /// The numbers of the isolate since it began.
    #[serde(flatten)]
    pub counts: EdgeCounts,
    /// The part of them that the batch adds.
    #[serde(default)]
    pub since: EdgeCounts,
}

/// A batch that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeBatch {
    /// The key of its object.
    pub key: String,
    /// The object: lines in gzip.
    pub body: Vec<u8>,
    /// What travels with it.
    pub label: BatchLabel,
}

impl BatchLabel {
    /// Parses the metadata of an object; `None` if they are not those of a batch.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let label: Self = serde_json::from_str(text).ok()?;
        let is_named = label.isolate.len() == ISOLATE_DIGITS && label.isolate.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (Self { sequence, lines, counts, since, .. }, most) = (&label, LARGEST_COUNT);
        let is_bounded = [*sequence, *lines, counts.seen, since.seen].iter().all(|number| *number <= most);
        let is_valid = is_named && is_bounded && *sequence > 0 && counts.is_balanced() && since.is_balanced();
        is_valid.then_some(label)
    }
}

impl EdgeBatch {
    /// Closes a batch whose lines were collected between two instants; `None` if they cannot be compressed.
    pub(super) fn close(folder: &str, lines: &[u8], (start_ms, end_ms): (i64, i64), label: BatchLabel) -> Option<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
        encoder.write_all(lines).ok()?;
        let body = encoder.finish().ok()?;
        let key = edge_batch_key(folder, start_ms, end_ms, &label.isolate, label.sequence);
        Some(Self { key, body, label })
    }

    /// Returns the label as the metadata has it.
    #[must_use]
    pub fn label_text(&self) -> String {
        serde_json::to_string(&self.label).unwrap_or_default()
    }
}
