//! The expiry of accounts: a ledger forgets the batches whose time has passed, and keeps their sums.
//!
//! # Invariants
//! Nothing expires that still waits for something: for its object to be read, for an attempt or a decision, for the removal of a body.
//! What expired is never delivered again by live traffic, whatever object turns up. The sums of a ledger never become less.

use super::calls::{ListExpiredPacks, MarkRemoved, QuarantineBatch, SealBatch};
use super::deliveries::{expired_packs, mark_removed};
use super::ids::PackId;
use super::tables::{LedgerRow, keep_note};
use super::views::{EXPIRED, books, expired_totals};
use crate::backend::{BackendError, Bucket, SqlDatabase, SqlValue};
use crate::limits::{
    BODIES_KEPT_MS, EXPIRED_SOURCES_AT_ONCE, EXPIRY_AGAIN_MS, EXPIRY_LOOK_MS, EXPIRY_MARGIN_MS, EXPIRY_UNSETTLED_MS,
    SWEEP_STEPS,
};
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
const SETTLED: &str = "(state = 'quarantined' AND gone = 1 OR state = 'sealed' AND replay % 2 = 0
        AND NOT EXISTS (SELECT 1 FROM plan_v1 WHERE plan_v1.source = id AND sealed_ms IS NULL AND abandoned_ms IS NULL))
    AND NOT EXISTS (SELECT 1 FROM payload_v1 WHERE payload_v1.source = id AND payload_v1.state IN ('prepared', 'sending', 'parked'))
    AND NOT EXISTS (SELECT 1 FROM pack_v1 WHERE pack_v1.source = id AND removed = 0)";

/// The instant from which a source is kept.
const NEWEST: &str = "max(written_ms, first_seen_ms, coalesce(sealed_ms, 0))";

/// What expired in a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerExpiry {
    /// Number of batches.
    pub batches: usize,
    /// Unix milliseconds at which to look again; `None` of a ledger without batches.
    pub next_ms: Option<i64>,
}

/// Returns whether a call may leave a batch that expires some day: after it, the ledger's alarm has to be set.
#[must_use]
pub fn may_store(call: &str) -> bool {
    call == SealBatch::NAME || call == QuarantineBatch::NAME
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
        let batches = until_ms.map_or(Ok(0), |until_ms| forget(sql, until_ms, now_ms))?;
        expiry = LedgerExpiry { batches, next_ms: next_look(sql, batches, until_ms, now_ms)? };
        Ok(())
    })?;
    Ok(expiry)
}

/// Removes the bodies of payloads that came to their end days ago; returns how many packs they were. The sweep does so for the newest
/// ledgers, each hour.
///
/// # Errors
/// [`BackendError`] if the bucket or the database failed; what was removed before is removed.
pub async fn remove_bodies(sql: &impl SqlDatabase, data: &impl Bucket, now_ms: i64) -> Result<usize, BackendError> {
    let mut removed = 0;
    for _ in 0..SWEEP_STEPS {
        let packs = expired_packs(sql, ListExpiredPacks { before_ms: now_ms - BODIES_KEPT_MS })?.packs;
        if packs.is_empty() {
            break;
        }
        let keys: Vec<String> = packs.iter().map(PackId::key).collect();
        data.delete(&keys).await?;
        removed += keys.len();
        let mut mark = || mark_removed(sql, &MarkRemoved { packs: packs.clone() }).map(drop);
        sql.transaction(&mut mark)?;
    }
    Ok(removed)
}

/// Forgets the settled batches that are kept from this instant on or earlier; returns how many.
fn forget(sql: &impl SqlDatabase, until_ms: i64, now_ms: i64) -> Result<usize, BackendError> {
    let over = format!("SELECT id FROM source_v1 WHERE {NEWEST} <= ? AND {SETTLED} ORDER BY uploaded_ms LIMIT ?");
    let rows = sql.run(&over, &[SqlValue::Integer(until_ms), SqlValue::number(EXPIRED_SOURCES_AT_ONCE)])?.rows;
    for row in rows.iter().map(LedgerRow) {
        let source = [SqlValue::text(row.text(0)?)];
        let mut totals = expired_totals(sql)?;
        totals.add(books(sql, "id = ?", &source)?);
        keep_note(sql, EXPIRED, &totals)?;
        for (table, column) in TABLES {
            sql.run(&format!("DELETE FROM {table} WHERE {column} = ?"), &source)?;
        }
        let known = "INSERT OR IGNORE INTO forgotten_v1 (source, at_ms) VALUES (substr(?, 1, 32), ?)";
        sql.run(known, &[&source[..], &[SqlValue::Integer(now_ms)]].concat())?;
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
    let has_bodies = !sql.run("SELECT 1 FROM pack_v1 WHERE removed = 0 LIMIT 1", &[])?.rows.is_empty();
    if has_bodies {
        return Ok(Some(now_ms.saturating_add(EXPIRY_UNSETTLED_MS)));
    }
    let left_ms = until_ms.map_or(EXPIRY_LOOK_MS, |until_ms| first_ms.saturating_sub(until_ms));
    Ok(Some(now_ms.saturating_add(left_ms.clamp(EXPIRY_UNSETTLED_MS, EXPIRY_LOOK_MS))))
}
