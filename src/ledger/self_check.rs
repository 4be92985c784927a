//! What the deployment found when it last checked itself: stored in the registry, written by the cron
//! ([`crate::self_check`]).
//!
//! # Invariants
//! The report is one row, written and read as a whole. It names datasets and times, and no key, ray or field.

use serde::{Deserialize, Serialize};

use super::calls::CallAck;
use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase};
use crate::record::Dataset;
use crate::rpc::{Dispatcher, calls};

/// The table: one row.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS self_check_v1 (one INTEGER PRIMARY KEY, report TEXT NOT NULL)";

calls! {
    "v1/record-self-check": RecordSelfCheck => CallAck,
}

/// A request to record a report in place of the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSelfCheck {
    /// The report.
    pub report: SelfCheckReport,
}

/// What the deployment found when it last checked itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SelfCheckReport {
    /// Unix milliseconds of the check.
    pub at_ms: i64,
    /// Objects of the bucket that the queue should have brought, and the sweep found; `None` if it failed.
    pub swept: Option<SweepFindings>,
    /// By how much the partner's clock is ahead of ours, in milliseconds; `None` if it did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partner_clock_ms: Option<i64>,
    /// The canary of each dataset that has had a batch lately.
    pub canaries: Vec<CanaryResult>,
    /// The alerts that the webhook has heard of.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub heard: Vec<String>,
}

/// Objects of the bucket that had no outcome ten minutes after they were written, and were announced again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SweepFindings {
    /// The number of objects.
    pub announced: u64,
    /// Unix milliseconds at which the oldest of them was written.
    pub oldest_ms: Option<i64>,
}

/// How lookups of rays in the newest batch of a dataset went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryResult {
    /// The dataset.
    pub dataset: Dataset,
    /// What was found, the worst of all lookups.
    pub outcome: CanaryOutcome,
    /// Number of rays that were looked up.
    pub rays: u64,
    /// The time of the slowest lookup, in milliseconds.
    pub slowest_ms: i64,
    /// Unix milliseconds at which the batch was written.
    pub uploaded_ms: i64,
    /// Unix milliseconds at which all of it was in the index.
    pub sealed_ms: i64,
}

/// What a canary found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryOutcome {
    /// No record whose lookup must find it: the batch has none, or none that can be compared.
    NothingToTry,
    /// Each record, byte for byte.
    Found,
    /// No answer, since a backend failed or was busy.
    Failed,
    /// A record, but only after the batch was read in full: its access points are damaged or gone.
    ReadInFull,
    /// A record of other bytes than the batch has.
    Differs,
    /// No record, although the batch has it: the index lost it.
    NotFound,
    /// A batch that cannot be read to its end.
    BatchUnreadable,
    /// No batch: its object was deleted or overwritten.
    BatchGone,
}

impl CanaryOutcome {
    /// All outcomes, best first.
    pub const ALL: [Self; 8] = [
        Self::NothingToTry,
        Self::Found,
        Self::Failed,
        Self::ReadInFull,
        Self::Differs,
        Self::NotFound,
        Self::BatchUnreadable,
        Self::BatchGone,
    ];

    /// Whether a lookup would not find what is there, as far as is known.
    #[must_use]
    pub const fn is_failing(self) -> bool {
        !matches!(self, Self::NothingToTry | Self::Found | Self::Failed)
    }

    /// Returns the word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NothingToTry => "nothing_to_try",
            Self::Found => "found",
            Self::ReadInFull => "read_in_full",
            Self::Failed => "failed",
            Self::Differs => "differs",
            Self::NotFound => "not_found",
            Self::BatchUnreadable => "batch_unreadable",
            Self::BatchGone => "batch_gone",
        }
    }
}

/// Registers the call that records a report.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>) -> Dispatcher<'a, S> {
    calls.on(|call: &RecordSelfCheck| {
        sql.run("INSERT OR REPLACE INTO self_check_v1 (one, report) VALUES (1, ?)", &[json(&call.report)])?;
        Ok(CallAck {})
    })
}

/// Returns the last report; `None` before the first one.
pub(super) fn last(sql: &impl SqlDatabase) -> Result<Option<SelfCheckReport>, BackendError> {
    let rows = sql.run("SELECT report FROM self_check_v1", &[])?.rows;
    rows.first().map(|row| LedgerRow(row).json(0)).transpose()
}
