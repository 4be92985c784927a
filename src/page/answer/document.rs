//! The JSON of a lookup, as the page reads it.
//!
//! # Invariants
//! Records stay the texts that the API wrote, so that the page shows what the API shows, in the same order. A member that is
//! absent is empty, since what an answer has depends on its caller.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::record::Dataset;

/// What [`AnswerDocument::read`] cannot read.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The document is not the JSON of a lookup.
    #[error("the document is not the answer to a lookup: {0}")]
    Json(#[from] serde_json::Error),
}

/// The answer to a lookup, read from the JSON that `GET /v1/rays/{ray}` gives the same caller.
#[derive(Debug, Default, Deserialize)]
pub struct AnswerDocument {
    /// The ray, in its canonical digits.
    pub ray: String,
    /// The time in the ray, in RFC 3339.
    pub ray_time: Option<String>,
    /// Whether there are more records than these.
    #[serde(default)]
    pub truncated: bool,
    /// Number of batches with the ray that are no longer in the bucket.
    #[serde(default)]
    pub batches_gone: u64,
    /// Number of batches with the ray that are damaged.
    #[serde(default)]
    pub batches_unreadable: u64,
    /// The records: those of the ray, then those below it.
    #[serde(default)]
    pub records: Vec<AnswerRecord>,
    /// Where the records go on; `None` on their last page.
    pub next_cursor: Option<String>,
    /// The tree of requests; `None` if it was not asked for, or the ray is nonstandard.
    pub tree: Option<AnswerTree>,
    /// The deliveries of the records; `None` if they were not asked for.
    pub deliveries: Option<Vec<AnswerDelivery>>,
    /// What of the request finds nothing.
    #[serde(default)]
    pub warnings: Vec<AnswerWarning>,
}

impl AnswerDocument {
    /// Reads the JSON of a lookup.
    ///
    /// # Errors
    /// [`AnswerError::Json`] if the bytes are another document.
    pub fn read(json: &[u8]) -> Result<Self, AnswerError> {
        Ok(serde_json::from_slice(json)?)
    }
}

/// A line of the answer to `POST /v1/rays`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RayLineDocument {
    /// The index of the ray among those that were asked for.
    pub index: Option<usize>,
    /// The ray, in its canonical digits.
    pub ray: Option<String>,
    /// Whether there are records.
    pub found: bool,
    /// The records.
    pub records: Vec<AnswerRecord>,
    /// Why there are none.
    pub problem: Option<LineProblem>,
}

/// Why a line has no records.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LineProblem {
    /// The HTTP status.
    pub status: u16,
    /// The same in a sentence.
    pub detail: String,
}

/// A record, and where it was found.
#[derive(Debug, Default, Deserialize)]
pub struct AnswerRecord {
    /// The name of the dataset.
    pub dataset: String,
    /// Its batch.
    pub batch: AnswerBatch,
    /// The ray of the record that it came merged in.
    pub merged_in: Option<String>,
    /// The other places of the same record.
    #[serde(default)]
    pub copies: Vec<AnswerBatch>,
    /// The record; `None` if its line is damaged.
    pub record: Option<Box<RawValue>>,
}

impl AnswerRecord {
    /// Returns the JSON of the record; an empty text if its line is damaged.
    #[must_use]
    pub fn text(&self) -> &str {
        self.record.as_ref().map_or("", |record| record.get())
    }

    /// Returns the dataset.
    #[must_use]
    pub fn dataset(&self) -> Option<Dataset> {
        Dataset::from_name(&self.dataset)
    }
}

/// A place of a record, as far as the caller may know it.
#[derive(Debug, Default, Deserialize)]
pub struct AnswerBatch {
    /// The handle of the batch.
    pub id: Option<String>,
    /// The key of the object.
    #[serde(default)]
    pub key: String,
    /// The version of the object.
    pub etag: Option<String>,
    /// The offset of the line in the uncompressed object.
    pub offset: Option<u64>,
    /// The ray of the record that a copy came merged in.
    pub merged_in: Option<String>,
}

/// The tree of requests.
#[derive(Debug, Default, Deserialize)]
pub struct AnswerTree {
    /// The ray at the top.
    pub root: String,
    /// Whether there may be more rays.
    #[serde(default)]
    pub truncated: bool,
    /// Whether rays name each other in a circle.
    #[serde(default)]
    pub cyclic: bool,
    /// The rays: each before those that it caused.
    #[serde(default)]
    pub nodes: Vec<AnswerNode>,
    /// Where the tree goes on; `None` on its last page.
    pub next_cursor: Option<String>,
}

/// A ray of the tree.
#[derive(Debug, Default, Deserialize)]
pub struct AnswerNode {
    /// The ray.
    pub ray: String,
    /// The ray above it.
    pub parent: Option<String>,
    /// How it came from its parent: `subrequest` or `challenge`.
    pub link: Option<String>,
    /// The number of rays above it.
    #[serde(default)]
    pub depth: usize,
    /// Number of its records, by dataset.
    #[serde(default)]
    pub records: BTreeMap<String, u64>,
}

/// The delivery of a record.
#[derive(Debug, Default, Deserialize)]
pub struct AnswerDelivery {
    /// The place of the record.
    #[serde(default)]
    pub batch: AnswerBatch,
    /// The ray of the record that it came merged in.
    pub merged_in: Option<String>,
    /// Whether a payload carries it.
    #[serde(default)]
    pub delivery_status: String,
    /// Why none does.
    pub reason: Option<String>,
    /// The number of its plan.
    pub plan: Option<u64>,
    /// Whether it is known which payload carries it.
    #[serde(default)]
    pub exact: bool,
    /// The payloads that carry it, or may.
    #[serde(default)]
    pub payloads: Vec<AnswerPayload>,
    /// Its deliveries once more, in order.
    #[serde(default)]
    pub again: Vec<AnswerRepetition>,
}

/// The delivery of a record once more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnswerRepetition {
    /// The backfill that asked for it, as far as the caller may know it.
    pub backfill: Option<AnswerBackfill>,
    /// Whether a payload carries it.
    pub delivery_status: String,
    /// Why none does.
    pub reason: Option<String>,
    /// Whether it is known which payload carries it.
    pub exact: bool,
    /// The payloads that carry it, or may.
    pub payloads: Vec<AnswerPayload>,
}

/// A backfill that delivers records once more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnswerBackfill {
    /// Its number.
    pub id: i64,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Option<String>,
}

/// A payload, as far as the caller may know it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnswerPayload {
    /// Its handle.
    pub id: Option<String>,
    /// Its identifier at the partner.
    pub partner_batch_id: Option<String>,
    /// SHA-256 of its body.
    pub sha256: Option<String>,
    /// Number of its lines.
    pub lines: Option<u64>,
    /// The size of its compressed body.
    pub bytes: Option<u64>,
    /// What became of it.
    pub state: String,
    /// Number of attempts.
    pub attempts: u64,
    /// Attempts with an unknown outcome.
    pub unknown_outcomes: u64,
    /// Attempts whose body never left.
    pub not_sent: u64,
    /// The status of the partner's last answer.
    pub status: Option<u64>,
    /// The code of the last failure.
    pub code: Option<String>,
    /// The operator's reason for a decision.
    pub reason: Option<String>,
    /// When the last attempt began.
    pub last_attempt_at: Option<String>,
    /// How long the last POST took, in milliseconds.
    pub last_post_ms: Option<i64>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<String>,
    /// What it waits for.
    pub waits_for: Option<String>,
    /// Until when.
    pub waits_until: Option<String>,
    /// The code of the failure that it waits for the end of.
    pub waits_reason: Option<String>,
    /// When it was delivered, parked or decided.
    pub completed_at: Option<String>,
    /// The payloads that replace it.
    pub split_into: Option<Vec<String>>,
}

/// What of a request finds nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnswerWarning {
    /// The parameter.
    pub parameter: String,
    /// The position in it.
    pub at: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub hint: Option<String>,
}
