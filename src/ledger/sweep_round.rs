//! The round of the sweep: a listing of the complete log bucket, spread over many sweeps. Stored in the registry,
//! driven by the cron ([`crate::pipeline::sweep`]).
//!
//! # Invariants
//! A round continues from its last recorded step, and two sweeps cannot both record the same step.

use serde::{Deserialize, Serialize};

use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase};
use crate::limits::SWEEP_BEHIND_MS;
use crate::rpc::{Dispatcher, calls};

/// The table: one row, read and written as a whole.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS sweep_round_v1 (one INTEGER PRIMARY KEY, round TEXT NOT NULL)";

/// The progress of the round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SweepRound {
    /// Number of steps over all rounds; it fences two sweeps from each other.
    pub steps: u64,
    /// Unix milliseconds of the round's first step.
    pub began_ms: i64,
    /// Unix milliseconds: objects written before are not considered.
    pub since_ms: i64,
    /// The last listed key; the listing continues after it.
    pub after: Option<String>,
    /// Unix milliseconds at which the earliest object announced by this round was written; the next round looks for it
    /// again.
    pub unfinished_ms: Option<i64>,
    /// Whether the listing is complete; the next round begins later.
    pub done: bool,
    /// Unix milliseconds up to which completed rounds have looked for every object; `None` before the first one.
    pub listed_until_ms: Option<i64>,
}

impl SweepRound {
    /// Returns whether the listing takes longer than it should, or no sweep continues it.
    #[must_use]
    pub const fn is_behind(&self, now_ms: i64) -> bool {
        now_ms - self.began_ms > SWEEP_BEHIND_MS
    }
}

calls! {
    "v1/sweep-round": GetSweepRound => SweepRoundAnswer,
    "v1/sweep-step": RecordSweepStep => SweepStepAnswer,
}

/// A request for the progress of the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetSweepRound {}

/// The registry's answer to [`GetSweepRound`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRoundAnswer {
    /// The round; `None` before the first step.
    pub round: Option<SweepRound>,
}

/// A request to record one step of the round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSweepStep {
    /// The number of steps that the sweep read; a different number means that another sweep was faster.
    pub after_steps: u64,
    /// The round after the step.
    pub round: SweepRound,
}

/// Whether a step of the round was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepStepAnswer {
    /// `false` if another sweep recorded a step in the meantime.
    pub kept: bool,
}

/// Registers the calls about the round.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>) -> Dispatcher<'a, S> {
    calls.on(|_: &GetSweepRound| Ok(SweepRoundAnswer { round: round(sql)? })).on(|step| record(sql, step))
}

fn round(sql: &impl SqlDatabase) -> Result<Option<SweepRound>, BackendError> {
    let rows = sql.run("SELECT round FROM sweep_round_v1", &[])?.rows;
    rows.first().map(|row| LedgerRow(row).json(0)).transpose()
}

fn record(sql: &impl SqlDatabase, step: &RecordSweepStep) -> Result<SweepStepAnswer, BackendError> {
    let kept = round(sql)?.map_or(0, |round| round.steps) == step.after_steps;
    if kept {
        let round = SweepRound { steps: step.after_steps + 1, ..step.round.clone() };
        sql.run("INSERT OR REPLACE INTO sweep_round_v1 (one, round) VALUES (1, ?)", &[json(&round)])?;
    }
    Ok(SweepStepAnswer { kept })
}
