//! Versions of an object that raydex wrote itself: a batch without the lines that were erased.
//!
//! Such a version has the text of the one before at the same offsets, with blanks where the lines were. So the plans and payloads
//! of that one are those of its lines, too: it gets none of its own.
//!
//! # Invariants
//! Of the versions of a batch that continue one another, one counts in the accounts: that with the plans, or else the newest.

use super::calls::{BeginBatch, VersionOrigin};
use super::source_id::SourceId;
use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlValue};

/// Records which version a new source continues, and which of them counts.
pub(super) fn link(sql: &impl SqlDatabase, call: &BeginBatch) -> Result<(), BackendError> {
    let Some(VersionOrigin::Rewritten(origin)) = &call.origin else { return Ok(()) };
    let (origin, own) = (SqlValue::text(origin.as_str()), SqlValue::text(call.source.as_str()));
    let known = sql.run("SELECT 1 FROM source_v1 WHERE id = ?", std::slice::from_ref(&origin))?;
    if known.rows.is_empty() {
        return Ok(());
    }
    sql.run("UPDATE source_v1 SET continues = ?1 WHERE id = ?2", &[origin.clone(), own.clone()])?;
    let statement = if is_planned(sql, &origin)? {
        "UPDATE source_v1 SET counted = 0 WHERE id = ?2 OR continues = ?1"
    } else {
        "UPDATE source_v1 SET counted = 0 WHERE (id = ?1 OR continues = ?1) AND id <> ?2"
    };
    sql.run(statement, &[origin, own]).map(drop)
}

/// Notes that a sealed source took the place of those that it continues.
pub(super) fn note_sealed(sql: &impl SqlDatabase, source: &SourceId) -> Result<(), BackendError> {
    let Some(origin) = origin_of(sql, source)? else { return Ok(()) };
    sql.run(
        "UPDATE source_v1 SET rewritten = 1 WHERE (id = ?1 OR continues = ?1) AND id <> ?2 AND rewritten = 0
            AND uploaded_ms <= (SELECT uploaded_ms FROM source_v1 WHERE id = ?2)",
        &[SqlValue::text(origin), SqlValue::text(source.as_str())],
    )
    .map(drop)
}

/// Returns whether the lines of a source are in plans of the version that it continues.
pub(super) fn is_planned_elsewhere(sql: &impl SqlDatabase, source: &SourceId) -> Result<bool, BackendError> {
    match origin_of(sql, source)? {
        Some(origin) => is_planned(sql, &SqlValue::text(origin)),
        None => Ok(false),
    }
}

/// Returns whether a source continues another version.
pub(super) fn is_rewritten(sql: &impl SqlDatabase, source: &SourceId) -> Result<bool, BackendError> {
    Ok(origin_of(sql, source)?.is_some())
}

fn origin_of(sql: &impl SqlDatabase, source: &SourceId) -> Result<Option<String>, BackendError> {
    let statement = "SELECT continues FROM source_v1 WHERE id = ? AND continues IS NOT NULL";
    let known = sql.run(statement, &[SqlValue::text(source.as_str())])?;
    known.rows.first().map(|row| LedgerRow(row).text(0)).transpose()
}

fn is_planned(sql: &impl SqlDatabase, origin: &SqlValue) -> Result<bool, BackendError> {
    let statement = "SELECT 1 FROM plan_v1 WHERE source = ? AND abandoned_ms IS NULL LIMIT 1";
    Ok(!sql.run(statement, std::slice::from_ref(origin))?.rows.is_empty())
}
