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

/// What travels with a batch, in the metadata of its object: whose it is, and the numbers of its isolate at its close.
///
/// The numbers are those since the isolate began, so that they are known although earlier batches were lost; what is missing
/// between two sequences is a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLabel {
    /// The isolate's ID.
    pub isolate: String,
    /// The number of the batch among those of the isolate, from 1.
    pub sequence: u64,
    /// Number of lines of the batch.
    pub lines: u64,
    /// The numbers of the isolate.
    #[serde(flatten)]
    pub counts: EdgeCounts,
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
