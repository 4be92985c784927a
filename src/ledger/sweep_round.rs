//! The round of the sweep: a listing of the complete log bucket, spread over many sweeps. Kept in the registry, driven by
//! the cron ([`crate::pipeline::sweep`]).
//!
//! # Invariants
//! A round continues from its last recorded step, and two sweeps cannot both record the same step.

use serde::{Deserialize, Serialize};

use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase};
use crate::limits::SWEEP_BEHIND_MS;
use crate::rpc::{Dispatcher, calls};

/// The table: one row, read and written whole.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS sweep_round_v1 (one INTEGER PRIMARY KEY, round TEXT NOT NULL)";

/// How far the round is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SweepRound {
    /// Number of steps of all rounds, which fences two sweeps from each other.
    pub steps: u64,
    /// Unix milliseconds of its first step.
    pub began_ms: i64,
    /// Unix milliseconds: it looks for objects written since then.
    pub since_ms: i64,
    /// The last key that was listed.
    pub after: Option<String>,
    /// Unix milliseconds: when the first object was written that the round announced; the next round looks for it again.
    pub unfinished_ms: Option<i64>,
    /// Whether the listing came to its end; the next round begins later.
    pub done: bool,
    /// Unix milliseconds up to which completed rounds looked for every object; `None` before the first one.
    pub listed_until_ms: Option<i64>,
}

impl SweepRound {
    /// Whether the listing takes longer than it should, or no sweep goes on with it.
    #[must_use]
    pub const fn is_behind(&self, now_ms: i64) -> bool {
        now_ms - self.began_ms > SWEEP_BEHIND_MS
    }
}

calls! {
    "v1/sweep-round": GetSweepRound => SweepRoundAnswer,
    "v1/sweep-step": RecordSweepStep => SweepStepAnswer,
}

/// Asks how far the round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetSweepRound {}

/// What the registry answers to [`GetSweepRound`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRoundAnswer {
    /// The round; `None` before the first step.
    pub round: Option<SweepRound>,
}

/// Records one step of the round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSweepStep {
    /// The number of steps that the sweep read; another number means that a different sweep was faster.
    pub after_steps: u64,
    /// The round after the step.
    pub round: SweepRound,
}

/// Whether a step of the round was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepStepAnswer {
    /// `false` where another sweep recorded a step meanwhile.
    pub kept: bool,
}

/// Offers the calls about the round.
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
