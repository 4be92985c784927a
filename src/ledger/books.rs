//! The accounts of a batch, of a ledger, or of all ledgers together.
//!
//! # Invariants
//! Lines in = delivered + pending + parked + rejected + filtered + unaccounted, and `unaccounted` is 0. These types are
//! shown to users; fields are only added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::delivery::{DeliveryState, Payload};
use super::state::BatchState;
use super::waiting::PayloadWait;
use crate::index::{LineCounts, ObjectVersion};
use crate::record::Dataset;

/// The accounts of a batch, of a ledger, or of all ledgers together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LedgerTotals {
    /// Lines of sealed batches, by outcome.
    pub lines: LineTotals,
    /// Number of batches by state.
    pub batches: BTreeMap<String, u64>,
    /// Number of payloads by state.
    pub payloads: BTreeMap<String, u64>,
    /// Attempts to send payloads to the partner.
    pub posts: PostTotals,
}

/// Lines of sealed batches, by outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineTotals {
    /// Number of all lines.
    #[serde(rename = "in")]
    pub lines_in: u64,
    /// Lines that the partner confirmed.
    pub delivered: u64,
    /// Lines of payloads that are waiting or being sent.
    pub pending: u64,
    /// Lines of payloads that wait for a person's decision.
    pub parked: u64,
    /// Lines that are not valid records, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Records that are not delivered, by reason.
    pub filtered: BTreeMap<String, u64>,
    /// Lines that no other count includes; nonzero only if raydex lost one.
    pub unaccounted: i64,
}

/// Attempts to send payloads to the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PostTotals {
    /// Number of granted claims.
    pub attempts: u64,
    /// Attempts with an unknown outcome.
    pub unknown_outcomes: u64,
}

/// A batch as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchSummary {
    /// The handle of the batch.
    pub id: String,
    /// The version of the object in the bucket.
    pub object: ObjectVersion,
    /// The dataset that its lines are read as.
    pub dataset: String,
    /// The datasets that its records may belong to; empty if they do not say.
    pub possible_datasets: Vec<Dataset>,
    /// The state of its processing.
    pub state: BatchState,
    /// Code of the reason why it was quarantined or reopened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<String>,
    /// The same reason as text for a person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Whether the index currently has its rays.
    pub indexed: bool,
    /// Whether raydex was notified that the object was deleted.
    pub gone: bool,
    /// Whether it is sealed and waits for a replay.
    pub replaying: bool,
    /// Unix milliseconds of the first [`super::calls::BeginBatch`].
    pub first_seen_ms: i64,
    /// Unix milliseconds of the seal.
    pub sealed_ms: Option<i64>,
    /// Number of its lines, by kind.
    pub counts: LineCounts,
    /// Size of its inflated text in bytes.
    pub inflated: u64,
    /// The times of its earliest and latest record, in Unix milliseconds.
    pub times: Option<(i64, i64)>,
}

/// A payload as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadView {
    /// The handle of the payload.
    pub id: String,
    /// The value of the header `X-Batch-Id` in every attempt.
    pub partner_batch_id: String,
    /// The number of its plan.
    pub plan: u32,
    /// The payload as the seal recorded it.
    #[serde(flatten)]
    pub payload: Payload,
    /// The state of its delivery.
    pub state: DeliveryState,
    /// Attempts since it was sealed or released.
    pub attempts: u32,
    /// Attempts with an unknown outcome.
    pub unknown_outcomes: u32,
    /// HTTP status of the partner's last answer.
    pub status: Option<u16>,
    /// Code of the last failure, or the reason that a person gave for dropping it.
    pub code: Option<String>,
    /// Unix milliseconds of the last claim.
    pub last_attempt_ms: Option<i64>,
    /// Unix milliseconds of the next attempt, if one is scheduled.
    pub next_attempt_ms: Option<i64>,
    /// The cause of its wait; `None` in a terminal state.
    pub wait: Option<PayloadWait>,
    /// Unix milliseconds at which it became terminal.
    pub completed_ms: Option<i64>,
}

impl LedgerTotals {
    /// Adds the accounts of another ledger.
    pub fn add(&mut self, other: Self) {
        let Self { lines, batches, payloads, posts } = other;
        add_all(&mut self.batches, batches);
        add_all(&mut self.payloads, payloads);
        self.posts.attempts += posts.attempts;
        self.posts.unknown_outcomes += posts.unknown_outcomes;
        let LineTotals { lines_in, delivered, pending, parked, rejected, filtered, unaccounted } = lines;
        self.lines.lines_in += lines_in;
        self.lines.delivered += delivered;
        self.lines.pending += pending;
        self.lines.parked += parked;
        add_all(&mut self.lines.rejected, rejected);
        add_all(&mut self.lines.filtered, filtered);
        self.lines.unaccounted += unaccounted;
    }
}

/// Adds counts by reason to `to`.
pub(super) fn add_all(to: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (reason, count) in counts {
        *to.entry(reason).or_default() += count;
    }
}
