//! What the isolates of the edge logger counted, as their batches carry it, added up by the ledger of the batches' hour.
//!
//! # Invariants
//! A batch counts once, with its first seal. What an isolate saw after its last batch is in no sum.

use serde::{Deserialize, Serialize};

use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::edge::{BatchLabel, EdgeCounts};

/// The sums over the batches of the edge logger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EdgeTotals {
    /// Number of batches with counts of their isolate.
    pub batches: u64,
    /// Number of batches that are missing between others of their isolate and hour: lost, or not indexed yet.
    pub missing_batches: u64,
    /// What the isolates counted.
    #[serde(flatten)]
    pub counts: EdgeCounts,
}

impl EdgeTotals {
    /// Adds the sums of another ledger.
    pub fn add(&mut self, other: Self) {
        self.batches += other.batches;
        self.missing_batches += other.missing_batches;
        self.counts.add(other.counts);
    }
}

/// Adds what a batch carries to the sums of its isolate.
pub(super) fn add_label(sql: &impl SqlDatabase, label: &BatchLabel) -> Result<(), BackendError> {
    let isolate = SqlValue::text(&*label.isolate);
    let statement = "SELECT first, last, batches, counts FROM edge_isolate_v1 WHERE isolate = ?";
    let known = sql.run(statement, std::slice::from_ref(&isolate))?.rows;
    let BatchLabel { sequence, mut since, .. } = *label;
    let (mut first, mut last, mut batches) = (sequence, sequence, 1);
    if let Some(row) = known.first().map(LedgerRow) {
        first = first.min(row.number(0)?);
        last = last.max(row.number(1)?);
        batches += row.number::<u64>(2)?;
        since.add(row.json(3)?);
    }
    let row = [isolate, SqlValue::number(first), SqlValue::number(last), SqlValue::number(batches), json(&since)];
    let statement =
        "INSERT OR REPLACE INTO edge_isolate_v1 (isolate, first, last, batches, counts) VALUES (?, ?, ?, ?, ?)";
    sql.run(statement, &row).map(drop)
}

/// Returns the sums of all isolates.
pub(super) fn edge_totals(sql: &impl SqlDatabase) -> Result<EdgeTotals, BackendError> {
    let rows = sql.run("SELECT first, last, batches, counts FROM edge_isolate_v1", &[])?.rows;
    let mut totals = EdgeTotals::default();
    for row in rows.iter().map(LedgerRow) {
        let (first, last, batches) = (row.number::<u64>(0)?, row.number::<u64>(1)?, row.number::<u64>(2)?);
        let missing_batches = (last + 1).saturating_sub(first + batches);
        totals.add(EdgeTotals { batches, missing_batches, counts: row.json(3)? });
    }
    Ok(totals)
}
