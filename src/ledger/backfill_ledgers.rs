//! The ledgers of a backfill, in the registry: those of the objects that it announced, each with the lines that it last
//! counted.
//!
//! # Invariants
//! A count is final only if the ledger was asked after every announced object was processed: none of the lines of the
//! backfill is missing from it then.

use serde::{Deserialize, Serialize};

use super::backfill_sums::BackfillSums;
use super::calls::CallAck;
use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::BACKFILL_RECOUNT_MS;
use crate::rpc::calls;

/// The table: a row for each backfill and ledger.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS backfill_ledger_v1 (
        backfill INTEGER NOT NULL, ledger TEXT NOT NULL,
        asked_ms INTEGER NOT NULL, is_final INTEGER NOT NULL, pending INTEGER NOT NULL, parked INTEGER NOT NULL,
        sums TEXT NOT NULL, PRIMARY KEY (backfill, ledger)) WITHOUT ROWID";

calls! {
    "v1/backfill-ledgers": ListBackfillLedgers => BackfillLedgers,
    "v1/backfill-sums": RecordBackfillSums => CallAck,
}

/// A request for the ledgers of a backfill that should be asked for its lines, the longest not asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBackfillLedgers {
    /// The number of the backfill.
    pub id: i64,
    /// Maximum number of ledgers in the answer.
    pub limit: u64,
}

/// The registry's answer to [`ListBackfillLedgers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillLedgers {
    /// The names of the ledgers.
    pub names: Vec<String>,
    /// Whether every object of the backfill is processed: what they count from now on is final.
    pub all_processed: bool,
}

/// A request to record what ledgers counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordBackfillSums {
    /// The number of the backfill.
    pub id: i64,
    /// What [`BackfillLedgers`] said before the ledgers were asked.
    pub all_processed: bool,
    /// Pairs of ledger and counts.
    pub sums: Vec<(String, BackfillSums)>,
}

/// Adds a ledger to a backfill, unless it is there.
pub(super) fn add(sql: &impl SqlDatabase, id: i64, ledger: &str) -> Result<(), BackendError> {
    let statement = "INSERT OR IGNORE INTO backfill_ledger_v1
            (backfill, ledger, asked_ms, is_final, pending, parked, sums) VALUES (?, ?, 0, 0, 0, 0, ?)";
    let parameters = [SqlValue::Integer(id), SqlValue::text(ledger), json(&BackfillSums::default())];
    sql.run(statement, &parameters).map(drop)
}

/// Returns whether a ledger still has to count, or has lines that wait.
pub(super) fn wait(sql: &impl SqlDatabase, id: i64) -> Result<bool, BackendError> {
    let statement = "SELECT 1 FROM backfill_ledger_v1 WHERE backfill = ? AND (is_final = 0 OR pending > 0) LIMIT 1";
    Ok(!sql.run(statement, &[SqlValue::Integer(id)])?.rows.is_empty())
}

/// Returns the ledgers of a backfill that should be asked.
pub(super) fn due(sql: &impl SqlDatabase, call: ListBackfillLedgers, now_ms: i64) -> Result<Vec<String>, BackendError> {
    let rows = sql.run(
        "SELECT ledger FROM backfill_ledger_v1
         WHERE backfill = ?1 AND (is_final = 0 OR pending > 0 OR parked > 0 AND asked_ms <= ?2)
         ORDER BY asked_ms, ledger LIMIT ?3",
        &[
            SqlValue::Integer(call.id),
            SqlValue::Integer(now_ms.saturating_sub(BACKFILL_RECOUNT_MS)),
            SqlValue::number(call.limit),
        ],
    )?;
    rows.rows.iter().map(|row| LedgerRow(row).text(0)).collect()
}

/// Records what ledgers counted. A count that began before the last object was processed is not final, however late it comes.
pub(super) fn record(sql: &impl SqlDatabase, call: &RecordBackfillSums, now_ms: i64) -> Result<(), BackendError> {
    let statement = "UPDATE backfill_ledger_v1
         SET asked_ms = ?, is_final = ?, pending = ?, parked = ?, sums = ?
         WHERE backfill = ? AND ledger = ?";
    for (ledger, sums) in &call.sums {
        let parameters = [
            SqlValue::Integer(now_ms),
            SqlValue::Integer(call.all_processed.into()),
            SqlValue::number(sums.pending()),
            SqlValue::number(sums.parked()),
            json(sums),
            SqlValue::Integer(call.id),
            SqlValue::text(&**ledger),
        ];
        sql.run(statement, &parameters)?;
    }
    Ok(())
}

/// Returns what all ledgers of a backfill last counted.
pub(super) fn total(sql: &impl SqlDatabase, id: i64) -> Result<BackfillSums, BackendError> {
    let rows = sql.run("SELECT sums FROM backfill_ledger_v1 WHERE backfill = ?", &[SqlValue::Integer(id)])?.rows;
    let mut total = BackfillSums::default();
    for row in &rows {
        total.add(LedgerRow(row).json(0)?);
    }
    Ok(total)
}
