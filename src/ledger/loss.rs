//! The loss of a ledger: it begins anew while the registry still knows it, and whatever it had delivered looks new to it.
//!
//! The registry says since when it knows a ledger, which is after the ledger's first source was begun. So a ledger whose first
//! source is younger than that has lost all before it. What was written before that source was begun may have been delivered.
//!
//! # Invariants
//! Of what may have been delivered by a ledger that was lost, live traffic delivers nothing, whatever the settings say; a
//! backfill that delivers does, since a person asks for it.

use super::calls::{BeginBatch, MarkRegistered, MarkedRegistered};
use super::plan::delivers;
use super::tables::{LedgerRow, json_note, keep_note, note};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::LEDGER_CLOCKS_MS;
use crate::partner::EdgeRecords;
use crate::record::Dataset;

/// The value of `before_start` of a source that is held back because of a loss.
pub(super) const HELD_AFTER_LOSS: i64 = 2;

/// The name of the note that records that the registry knows this ledger.
const REGISTERED: &str = "registered";

/// The name of the note with the instant of the ledger's second beginning.
const LOST_UNTIL: &str = "lost_until";

/// Records that the registry knows this ledger, and whether it was lost since.
pub(super) fn mark_registered(sql: &impl SqlDatabase, call: MarkRegistered) -> Result<MarkedRegistered, BackendError> {
    if let Some(since_ms) = call.since_ms
        && !is_registered(sql)?
    {
        find_loss(sql, since_ms)?;
    }
    sql.run("INSERT OR IGNORE INTO note_v1 (name, value) VALUES (?, '')", &[SqlValue::text(REGISTERED)])?;
    Ok(MarkedRegistered { lost: lost_until(sql)?.is_some() })
}

pub(super) fn is_registered(sql: &impl SqlDatabase) -> Result<bool, BackendError> {
    Ok(note(sql, REGISTERED)?.is_some())
}

/// Holds back what was written before the first source was begun, if the registry knew the ledger long before that.
fn find_loss(sql: &impl SqlDatabase, since_ms: i64) -> Result<(), BackendError> {
    let first = sql.run("SELECT min(first_seen_ms) FROM source_v1", &[])?.rows;
    let first_ms = first.first().and_then(|row| LedgerRow(row).maybe_integer(0));
    let Some(first_ms) = first_ms.filter(|first_ms| first_ms - since_ms > LEDGER_CLOCKS_MS) else { return Ok(()) };
    keep_note(sql, LOST_UNTIL, &first_ms)?;
    // What live traffic planned before the loss was known; none of it is sealed, since that comes after this call.
    let until = [SqlValue::Integer(first_ms)];
    let statement = "DELETE FROM plan_v1 WHERE backfill IS NULL AND sealed_ms IS NULL
        AND source IN (SELECT id FROM source_v1 WHERE uploaded_ms < ?)";
    sql.run(statement, &until).map(drop)
}

/// Returns Unix milliseconds before which an object was written that the ledger may have delivered before its loss; `None` if it was
/// not lost.
fn lost_until(sql: &impl SqlDatabase) -> Result<Option<i64>, BackendError> {
    json_note(sql, LOST_UNTIL)
}

/// Returns whether a loss, or the expiry of its accounts, holds back an object that live traffic or a rebuild brings. `is_known`: whether the ledger knew the source
/// before this call.
pub(super) fn holds(sql: &impl SqlDatabase, call: &BeginBatch, is_known: bool) -> Result<bool, BackendError> {
    if !may_be_delivered(&call.dataset) {
        return Ok(false);
    }
    if is_forgotten(sql, call)? {
        return Ok(true);
    }
    let rebuilt_from_ms = call.rebuild.filter(|_| !is_known).and_then(|rebuild| rebuild.written_from_ms);
    let from_ms = lost_until(sql)?.max(rebuilt_from_ms);
    Ok(from_ms.is_some_and(|from_ms| call.object.uploaded_ms < from_ms))
}

/// Returns whether the accounts of this batch expired.
fn is_forgotten(sql: &impl SqlDatabase, call: &BeginBatch) -> Result<bool, BackendError> {
    let source = [SqlValue::text(call.source.as_str())];
    let known = sql.run("SELECT 1 FROM forgotten_v1 WHERE source = substr(?, 1, 32)", &source)?;
    Ok(!known.rows.is_empty())
}

fn may_be_delivered(dataset: &str) -> bool {
    Dataset::from_name(dataset).is_some_and(|dataset| delivers(dataset, EdgeRecords::Include))
}
