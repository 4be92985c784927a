//! The expiry of accounts: a ledger forgets the batches whose time has passed, and keeps their sums.
//!
//! # Invariants
//! Nothing expires that still waits for something: for its object to be read, for an attempt or a decision, for the removal of a body.
//! What expired is never delivered again by live traffic, whatever object turns up. The sums of a ledger never become less.

use serde::Serialize;

use super::calls::SealBatch;
use super::loss;
use super::tables::{LedgerRow, keep_note};
use super::views::{EXPIRED, books, expired_totals};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::{EXPIRED_SOURCES_AT_ONCE, EXPIRY_AGAIN_MS, EXPIRY_LOOK_MS, EXPIRY_MARGIN_MS, EXPIRY_UNSETTLED_MS};
use crate::rpc::Call;

/// The tables with rows of a source, and their column with its name.
const TABLES: [(&str, &str); 5] = [
    ("delivery_v1", "source"),
    ("delivery_group_v1", "source"),
    ("pack_v1", "source"),
    ("plan_v1", "source"),
    ("source_v1", "id"),
];

/// What must be so of a source that expires.
const SETTLED: &str = "(state = 'sealed' OR state = 'quarantined' AND gone = 1) AND replay % 2 = 0
    AND NOT EXISTS (SELECT 1 FROM plan_v1 WHERE plan_v1.source = id AND sealed_ms IS NULL AND abandoned_ms IS NULL)
    AND NOT EXISTS (SELECT 1 FROM payload_v1 WHERE payload_v1.source = id AND payload_v1.state IN ('prepared', 'sending', 'parked'))
    AND NOT EXISTS (SELECT 1 FROM pack_v1 WHERE pack_v1.source = id AND removed = 0)";

/// The instant from which a source is kept.
const NEWEST: &str = "max(uploaded_ms, first_seen_ms, coalesce(sealed_ms, 0))";

/// What expired in a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LedgerExpiry {
    /// Number of batches.
    pub batches: usize,
    /// Unix milliseconds at which to look again; `None` of a ledger without batches.
    pub next_ms: Option<i64>,
}

/// Returns whether a call may leave a batch that expires some day: after it, the ledger's alarm has to be set.
#[must_use]
pub fn may_store(call: &str) -> bool {
    call == SealBatch::NAME
}

/// Forgets at most [`EXPIRED_SOURCES_AT_ONCE`] batches whose time has passed at this instant. `kept_ms`: how long batches are kept;
/// `None` for ever.
///
/// # Errors
/// [`BackendError`] if the database fails; nothing has changed then.
pub fn expire(sql: &impl SqlDatabase, kept_ms: Option<i64>, now_ms: i64) -> Result<LedgerExpiry, BackendError> {
    let mut expiry = LedgerExpiry::default();
    sql.transaction(&mut || {
        let until_ms = kept_ms.map(|kept_ms| now_ms.saturating_sub(kept_ms).saturating_sub(EXPIRY_MARGIN_MS));
        let batches = until_ms.map_or(Ok(0), |until_ms| forget(sql, until_ms))?;
        expiry = LedgerExpiry { batches, next_ms: next_look(sql, batches, until_ms, now_ms)? };
        Ok(())
    })?;
    Ok(expiry)
}

/// Forgets the settled batches that are kept from this instant on or earlier; returns how many.
fn forget(sql: &impl SqlDatabase, until_ms: i64) -> Result<usize, BackendError> {
    let over =
        format!("SELECT id, uploaded_ms FROM source_v1 WHERE {NEWEST} <= ? AND {SETTLED} ORDER BY uploaded_ms LIMIT ?");
    let rows = sql.run(&over, &[SqlValue::Integer(until_ms), SqlValue::number(EXPIRED_SOURCES_AT_ONCE)])?.rows;
    let mut latest_ms = None;
    for row in rows.iter().map(LedgerRow) {
        let source = [SqlValue::text(row.text(0)?)];
        let mut totals = expired_totals(sql)?;
        totals.add(books(sql, "id = ?", &source)?);
        keep_note(sql, EXPIRED, &totals)?;
        for (table, column) in TABLES {
            sql.run(&format!("DELETE FROM {table} WHERE {column} = ?"), &source)?;
        }
        latest_ms = latest_ms.max(Some(row.integer(1)?));
    }
    if let Some(latest_ms) = latest_ms {
        loss::hold_until(sql, latest_ms.saturating_add(1))?;
    }
    Ok(rows.len())
}

/// Returns when to look again; `None` if no batch is left.
fn next_look(
    sql: &impl SqlDatabase,
    forgotten: usize,
    until_ms: Option<i64>,
    now_ms: i64,
) -> Result<Option<i64>, BackendError> {
    if forgotten == EXPIRED_SOURCES_AT_ONCE {
        return Ok(Some(now_ms.saturating_add(EXPIRY_AGAIN_MS)));
    }
    let rows = sql.run(&format!("SELECT min({NEWEST}) FROM source_v1"), &[])?.rows;
    let Some(first_ms) = rows.first().and_then(|row| LedgerRow(row).maybe_integer(0)) else { return Ok(None) };
    let left_ms = until_ms.map_or(EXPIRY_LOOK_MS, |until_ms| first_ms.saturating_sub(until_ms));
    Ok(Some(now_ms.saturating_add(left_ms.clamp(EXPIRY_UNSETTLED_MS, EXPIRY_LOOK_MS))))
}
