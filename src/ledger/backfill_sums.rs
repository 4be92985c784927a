//! The lines of a backfill in one ledger, counted from its rows.
//!
//! # Invariants
//! Lines in = delivered + confirmed + pending + parked + rejected + filtered, each from rows of its own. Lines in
//! payloads of other plans are counted apart, and by whole payloads: a payload's row does not say how many of its lines
//! are in the range.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::books::{DROPPED, add_all};
use super::delivery::DeliveryState;
use super::delivery_rows::change_all;
use super::plan::DeliveryWindow;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::index::LineCounts;
use crate::rpc::calls;

calls! {
    "v1/sum-backfill": SumBackfill => BackfillSums,
}

/// A request for the lines of a backfill, which also brings the ledger its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SumBackfill {
    /// The number of the backfill.
    pub id: i64,
    /// Its range.
    pub window: DeliveryWindow,
    /// Whether it is not stopped: what was held is due.
    pub runs: bool,
}

/// The lines of a backfill, in one ledger or in all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackfillSums {
    /// Lines of its own plans, by outcome.
    pub lines: BackfillLines,
    /// Lines of other plans for times of its range.
    pub earlier: EarlierLines,
}

/// Lines of a backfill's own plans, by outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BackfillLines {
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
    /// Lines of its batches that are not valid records, by reason; they have no time.
    pub rejected: BTreeMap<String, u64>,
    /// Records that are not delivered, by reason.
    pub filtered: BTreeMap<String, u64>,
}

/// Lines in payloads of other plans for times of a backfill's range, by whole payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EarlierLines {
    /// Number of all lines.
    pub lines: u64,
    /// Those that are waiting or being sent.
    pub pending: u64,
    /// Those that wait for a person's decision.
    pub parked: u64,
}

impl BackfillSums {
    /// Returns the number of lines that wait or are being sent.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.lines.pending + self.earlier.pending
    }

    /// Returns the number of lines that wait for a person's decision.
    #[must_use]
    pub const fn parked(&self) -> u64 {
        self.lines.parked + self.earlier.parked
    }

    /// Returns whether some lines may still change their outcome.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.pending() > 0 || self.parked() > 0
    }

    /// Adds the lines of another ledger.
    pub fn add(&mut self, other: Self) {
        let Self { lines, earlier } = other;
        let BackfillLines { lines_in, delivered, confirmed, pending, parked, rejected, filtered } = lines;
        self.lines.lines_in += lines_in;
        self.lines.delivered += delivered;
        self.lines.confirmed += confirmed;
        self.lines.pending += pending;
        self.lines.parked += parked;
        add_all(&mut self.lines.rejected, rejected);
        add_all(&mut self.lines.filtered, filtered);
        self.earlier.lines += earlier.lines;
        self.earlier.pending += earlier.pending;
        self.earlier.parked += earlier.parked;
    }
}

/// The payloads of plans that meet a condition, by state.
const PAYLOADS: &str = "SELECT state, sum(lines) FROM payload_v1 WHERE (source, plan) IN";

/// Counts the lines of a backfill. If it runs, what was held while it was stopped is due, and the ledger must wake.
pub(super) fn sum(
    sql: &impl SqlDatabase,
    call: SumBackfill,
    now_ms: i64,
) -> Result<(BackfillSums, Option<i64>), BackendError> {
    let is_due = call.runs && release_held(sql, call.id, now_ms)?;
    Ok((BackfillSums { lines: own(sql, call.id)?, earlier: earlier(sql, call)? }, is_due.then_some(now_ms)))
}

/// Makes due what was held while a backfill was stopped; returns whether anything was. Otherwise it writes nothing.
fn release_held(sql: &impl SqlDatabase, id: i64, now_ms: i64) -> Result<bool, BackendError> {
    let held = "held = 1 AND state = ?1 AND (source, plan) IN (SELECT source, number FROM plan_v1 WHERE backfill = ?2)";
    let of_backfill = [SqlValue::text(DeliveryState::Prepared.name()), SqlValue::Integer(id)];
    if sql.run(&format!("SELECT 1 FROM payload_v1 WHERE {held} LIMIT 1"), &of_backfill)?.rows.is_empty() {
        return Ok(false);
    }
    let change = format!("held = 0, next_attempt_ms = ?3, wake_ms = ?3 WHERE {held}");
    change_all(sql, &change, &[of_backfill.as_slice(), &[SqlValue::Integer(now_ms)]].concat()).map(|()| true)
}

fn own(sql: &impl SqlDatabase, id: i64) -> Result<BackfillLines, BackendError> {
    let id = [SqlValue::Integer(id)];
    let mut lines = BackfillLines::default();
    let sealed = "FROM plan_v1 WHERE backfill = ? AND sealed_ms IS NOT NULL";
    for row in sql.run(&format!("SELECT in_window, filtered {sealed}"), &id)?.rows.iter().map(LedgerRow) {
        lines.lines_in += row.number::<u64>(0)?;
        add_all(&mut lines.filtered, row.json(1)?);
    }
    let statement = format!("SELECT counts FROM source_v1 WHERE id IN (SELECT source {sealed})");
    for row in &sql.run(&statement, &id)?.rows {
        let counts: LineCounts = LedgerRow(row).json(0)?;
        lines.lines_in += counts.rejected_lines();
        add_all(&mut lines.rejected, counts.rejected);
    }
    let statement = format!("{PAYLOADS} (SELECT source, number {sealed}) GROUP BY state");
    for row in &sql.run(&statement, &id)?.rows {
        let (state, count) = state_of(row)?;
        match state {
            DeliveryState::Prepared | DeliveryState::Sending => lines.pending += count,
            DeliveryState::Delivered => lines.delivered += count,
            DeliveryState::Confirmed => lines.confirmed += count,
            DeliveryState::Parked => lines.parked += count,
            DeliveryState::Dropped => *lines.filtered.entry(DROPPED.into()).or_default() += count,
            // Counted by the payloads that replace it, and as filtered.
            DeliveryState::Split => {}
        }
    }
    Ok(lines)
}

/// Counts lines in payloads of other plans with times of the range, of batches with such times.
fn earlier(sql: &impl SqlDatabase, call: SumBackfill) -> Result<EarlierLines, BackendError> {
    let DeliveryWindow { start_ms, end_ms } = call.window;
    let statement = format!(
        "{PAYLOADS} (SELECT source, number FROM plan_v1 JOIN source_v1 ON id = source
            WHERE backfill IS NOT ?1 AND again = 0 AND coalesce(first_ms, ?2) < ?3 AND coalesce(last_ms, ?2) >= ?2
                AND EXISTS (SELECT 1 FROM json_each(plan, '$.windows')
                    WHERE json_extract(value, '$.start_ms') < ?3 AND json_extract(value, '$.end_ms') > ?2))
         GROUP BY state"
    );
    let parameters = [call.id, start_ms, end_ms].map(SqlValue::Integer);
    let mut lines = EarlierLines::default();
    for row in &sql.run(&statement, &parameters)?.rows {
        let (state, count) = state_of(row)?;
        match state {
            DeliveryState::Prepared | DeliveryState::Sending => lines.pending += count,
            DeliveryState::Parked => lines.parked += count,
            DeliveryState::Delivered | DeliveryState::Confirmed => {}
            DeliveryState::Dropped | DeliveryState::Split => continue,
        }
        lines.lines += count;
    }
    Ok(lines)
}

fn state_of(row: &SqlRow) -> Result<(DeliveryState, u64), BackendError> {
    Ok((LedgerRow(row).delivery_state(0)?, LedgerRow(row).number(1)?))
}
