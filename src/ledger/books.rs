//! The accounts of a batch, of a ledger, or of all ledgers together.
//!
//! # Invariants
//! Lines in = delivered + confirmed + pending + parked + rejected + filtered + unaccounted, and `unaccounted` is 0. These types are
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
    /// What lay in the bucket before the first start, and is not delivered.
    pub before_start: BeforeStartTotals,
    /// Delivered lines that differ from their records.
    pub changed: ChangedLines,
    /// Lines that a backfill delivers once more; no other count of lines has them.
    pub again: AgainTotals,
    /// How the rays of sealed batches agree with their records, by dataset.
    #[serde(default)]
    pub ray_times: BTreeMap<String, RayTimeTotals>,
}

/// How rays agree with their records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RayTimeTotals {
    /// Records with a ray and a start time.
    pub compared: u64,
    /// Those of them whose ray and start time differ by more than 5 s.
    pub clock_skewed: u64,
}

/// Lines that a backfill delivers once more, by outcome: lines in = delivered + confirmed + pending + parked + filtered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgainTotals {
    /// Number of all lines.
    #[serde(rename = "in")]
    pub lines_in: u64,
    /// Lines that the partner confirmed.
    pub delivered: u64,
    /// Lines of payloads of which a person said that the partner has them.
    pub confirmed: u64,
    /// Lines of payloads that are waiting or being sent.
    pub pending: u64,
    /// Lines of payloads that wait for a person's decision.
    pub parked: u64,
    /// Records that are not delivered once more, by reason.
    pub filtered: BTreeMap<String, u64>,
}

impl AgainTotals {
    /// Adds the lines of another ledger.
    fn add(&mut self, other: Self) {
        let Self { lines_in, delivered, confirmed, pending, parked, filtered } = other;
        self.lines_in += lines_in;
        self.delivered += delivered;
        self.confirmed += confirmed;
        self.pending += pending;
        self.parked += parked;
        add_all(&mut self.filtered, filtered);
    }
}

/// What lay in the bucket before the first start, and is not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BeforeStartTotals {
    /// Number of batches with such records.
    pub batches: u64,
    /// Number of their records that no backfill has asked for; `lines.filtered` counts them, too.
    pub lines: u64,
}

/// Lines for the partner that differ from their records; a line may be in several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangedLines {
    /// Lines in which a character was replaced: a control character, another line end, or what no text can represent.
    pub sanitised: u64,
    /// Lines with a value that was longer than its column allows.
    pub cut: u64,
    /// Lines with a default for a value that the record lacks, such as the country of an unknown data centre.
    pub defaulted: u64,
}

impl ChangedLines {
    /// Adds other counts.
    pub(super) const fn add(&mut self, other: Self) {
        self.sanitised += other.sanitised;
        self.cut += other.cut;
        self.defaulted += other.defaulted;
    }
}

/// Lines of sealed batches, by outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineTotals {
    /// Number of all lines.
    #[serde(rename = "in")]
    pub lines_in: u64,
    /// Lines that the partner confirmed.
    pub delivered: u64,
    /// Lines of payloads of which a person said that the partner has them.
    pub confirmed: u64,
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
    /// Attempts whose body never left: nothing is in doubt.
    pub not_sent: u64,
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
    /// The times of its earliest and latest record in Unix milliseconds; until it is sealed, of its first records.
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
    /// Code of the last failure, or the reason that a person gave for dropping or confirming it.
    pub code: Option<String>,
    /// The partner's words with its last refusal, cleaned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<String>,
    /// Unix milliseconds of the last claim.
    pub last_attempt_ms: Option<i64>,
    /// Time that the last POST took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_post_ms: Option<i64>,
    /// Attempts whose body never left.
    pub not_sent: u32,
    /// Unix milliseconds of the next attempt, if one is scheduled.
    pub next_attempt_ms: Option<i64>,
    /// The cause of its wait; `None` in a terminal state.
    pub wait: Option<PayloadWait>,
    /// Unix milliseconds at which it became terminal.
    pub completed_ms: Option<i64>,
}

impl LedgerTotals {
    /// Adds rays of a dataset, if any could be compared.
    pub(super) fn count_ray_times(&mut self, dataset: &str, compared: u64, clock_skewed: u64) {
        if compared > 0 {
            let totals = self.ray_times.entry(dataset.to_owned()).or_default();
            totals.compared += compared;
            totals.clock_skewed += clock_skewed;
        }
    }

    /// Adds the accounts of another ledger.
    pub fn add(&mut self, other: Self) {
        let Self { lines, batches, payloads, posts, before_start, changed, again, ray_times } = other;
        self.again.add(again);
        for (dataset, RayTimeTotals { compared, clock_skewed }) in ray_times {
            self.count_ray_times(&dataset, compared, clock_skewed);
        }
        self.changed.add(changed);
        add_all(&mut self.batches, batches);
        add_all(&mut self.payloads, payloads);
        self.posts.attempts += posts.attempts;
        self.posts.unknown_outcomes += posts.unknown_outcomes;
        self.before_start.batches += before_start.batches;
        self.before_start.lines += before_start.lines;
        self.posts.not_sent += posts.not_sent;
        let LineTotals { lines_in, delivered, confirmed, pending, parked, rejected, filtered, unaccounted } = lines;
        self.lines.lines_in += lines_in;
        self.lines.delivered += delivered;
        self.lines.confirmed += confirmed;
        self.lines.pending += pending;
        self.lines.parked += parked;
        add_all(&mut self.lines.rejected, rejected);
        add_all(&mut self.lines.filtered, filtered);
        self.lines.unaccounted += unaccounted;
    }
}

/// The reason for records of payloads dropped by a person.
pub(super) const DROPPED: &str = "dropped";

/// Adds counts by step to `to`.
pub(super) fn add_each(to: &mut [u64], counts: &[u64]) {
    to.iter_mut().zip(counts).for_each(|(count, more)| *count += more);
}

/// Adds counts by reason to `to`.
pub(super) fn add_all(to: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (reason, count) in counts {
        *to.entry(reason).or_default() += count;
    }
}
