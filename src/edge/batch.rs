//! A closed batch: a gzip of lines under its key, with the numbers of its isolate.
//!
//! # Invariants
//! A batch never changes once it is closed: to store it again stores the same object under the same key.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::counts::{EdgeCounts, SinkCounts};
use crate::bucket_keys::edge_batch_key;
use crate::limits::EDGE_TEXT_MAX;

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
    /// The numbers of each sink by its name, where there are others than the bucket.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sinks: BTreeMap<String, SinkCounts>,
}

/// A batch that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeBatch {
    /// The key of its object.
    pub key: String,
    /// The object: lines in gzip.
    pub body: Vec<u8>,
    /// Number of bytes of its lines.
    pub text_bytes: usize,
    /// When its first line was recorded and when it was closed, in Unix milliseconds.
    pub times: (i64, i64),
    /// What travels with it.
    pub label: BatchLabel,
}

impl BatchLabel {
    /// Parses the metadata of an object; `None` if they are not those of a batch.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let label: Self = serde_json::from_str(text).ok()?;
        let is_named =
            label.isolate.len() == ISOLATE_DIGITS && label.isolate.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (Self { sequence, lines, counts, since, .. }, most) = (&label, LARGEST_COUNT);
        let is_bounded = [*sequence, *lines, counts.seen, since.seen].iter().all(|number| *number <= most);
        let is_valid = is_named && is_bounded && *sequence > 0 && counts.is_balanced() && since.is_balanced();
        is_valid.then_some(label)
    }
}

impl EdgeBatch {
    /// Closes a batch whose lines were collected between two instants; `None` if they cannot be compressed.
    #[must_use]
    pub fn close(folder: &str, lines: &[u8], times: (i64, i64), label: BatchLabel) -> Option<Self> {
        let body = compressed(lines)?;
        let key = edge_batch_key(folder, times.0, times.1, &label.isolate, label.sequence);
        Some(Self { key, body, text_bytes: lines.len(), times, label })
    }

    /// Returns the lines; `None` if the gzip is damaged or longer than it was.
    #[must_use]
    pub fn lines(&self) -> Option<Vec<u8>> {
        inflated(&self.body, self.text_bytes)
    }

    /// Returns the label as the metadata has it.
    #[must_use]
    pub fn label_text(&self) -> String {
        serde_json::to_string(&self.label).unwrap_or_default()
    }
}

/// Compresses a body as batches are.
pub(super) fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Returns the content of a gzip; `None` if it is damaged or does not have this size.
#[must_use]
pub fn inflated(body: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size.min(EDGE_TEXT_MAX));
    let most = u64::try_from(size).ok()?.checked_add(1)?;
    GzDecoder::new(body).take(most).read_to_end(&mut bytes).ok()?;
    (bytes.len() == size).then_some(bytes)
}
