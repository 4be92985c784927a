//! A batch that is handed over to the durable buffer: to one of its objects by a call, or to `edge-queue` as a message.
//!
//! # Invariants
//! What is handed over twice is the same batch: its isolate and its number there say which.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::batch::{BatchLabel, EdgeBatch};
use crate::rpc::calls;

calls! {
    "v1/hand-over": HandOver => HandOverAnswer,
}

/// The names of the objects of the durable buffer, apart from their numbers.
const SPOOL: &str = "edge-spool-";

/// Returns the name of the object that takes what an isolate hands over, among this number of objects.
#[must_use]
pub fn spool_of(isolate: &str, objects: u32) -> String {
    let digits = isolate.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
    format!("{SPOOL}{}", digits.checked_rem(objects).unwrap_or_default())
}

/// A closed batch with all that its sinks need of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedBatch {
    /// Whose it is, with the numbers of its isolate.
    pub label: BatchLabel,
    /// When its first line was recorded, in Unix milliseconds.
    pub start_ms: i64,
    /// When it was closed, in Unix milliseconds.
    pub end_ms: i64,
    /// Number of bytes of its lines.
    pub text_bytes: usize,
    /// Its lines in gzip, in base64.
    pub body: String,
}

impl HandedBatch {
    /// Creates the form of a batch.
    #[must_use]
    pub fn new(batch: &EdgeBatch) -> Self {
        let (start_ms, end_ms) = batch.times;
        let body = STANDARD.encode(&batch.body);
        Self { label: batch.label.clone(), start_ms, end_ms, text_bytes: batch.text_bytes, body }
    }

    /// Returns the lines in gzip; `None` if they are not in base64.
    #[must_use]
    pub fn gzip(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.body).ok()
    }
}

/// Hands a batch over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// The batch.
    pub batch: HandedBatch,
    /// The number of the oldest batch that the isolate still has: those before it never come.
    pub oldest: u64,
    /// The names of the sinks that it is for.
    pub sinks: Vec<String>,
}

/// The answer to [`HandOver`]: the batch is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOverAnswer {
    /// Whether it came for the first time.
    pub is_new: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{HandedBatch, spool_of};
    use crate::edge::{BatchLabel, EdgeBatch, EdgeCounts, inflated};

    #[test]
    fn handed_batch_has_all_of_it() {
        let label = BatchLabel {
            isolate: "00c0ffee00c0ffee".into(),
            sequence: 7,
            lines: 2,
            counts: EdgeCounts::default(),
            since: EdgeCounts::default(),
            sinks: [].into(),
        };
        let batch = EdgeBatch::close("logs/", b"{}\n{}\n", (1, 2), label).unwrap();
        let handed = HandedBatch::new(&batch);
        assert_eq!((handed.start_ms, handed.end_ms, &handed.label), (1, 2, &batch.label));
        assert_eq!(inflated(&handed.gzip().unwrap(), handed.text_bytes).unwrap(), b"{}\n{}\n");
        assert_eq!(HandedBatch { body: "!".into(), ..handed }.gzip(), None);
    }

    #[test]
    fn isolates_spread_over_the_objects() {
        let names = |objects| (0..100_u32).map(|id| spool_of(&format!("{id:08x}00c0ffee"), objects)).collect();
        let (one, four): (BTreeSet<String>, BTreeSet<String>) = (names(1), names(4));
        assert_eq!((one.len(), four.len(), one.first().unwrap().as_str()), (1, 4, "edge-spool-0"));
        assert_eq!(spool_of("odd", 0), "edge-spool-0");
    }
}
