//! The first start: the instant since which the deployment delivers. What lay in the log bucket before is indexed only.
//!
//! Stored in the registry, so it survives redeploys. It is made when something first depends on it: an event, a cron or
//! an upload while delivery is configured.
//!
//! # Invariants
//! Once made, the instant never changes.

use serde::{Deserialize, Serialize};

use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::rpc::{Dispatcher, calls};

/// The table: one row at most.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS first_start_v1 (one INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL)";

calls! {
    "v1/first-start": MakeFirstStart => FirstStart,
}

/// A request for the instant of the first start, which is now unless it was made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeFirstStart {}

/// The registry's answer to [`MakeFirstStart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstStart {
    /// Unix milliseconds of the first start, by the registry's clock.
    pub at_ms: i64,
    /// Whether this call made it.
    pub new: bool,
}

/// Registers the call.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls.on(|_: &MakeFirstStart| make(sql, now_ms))
}

fn make(sql: &impl SqlDatabase, now_ms: i64) -> Result<FirstStart, BackendError> {
    if let Some(at_ms) = made(sql)? {
        return Ok(FirstStart { at_ms, new: false });
    }
    sql.run("INSERT INTO first_start_v1 (one, at_ms) VALUES (1, ?)", &[SqlValue::Integer(now_ms)])?;
    Ok(FirstStart { at_ms: now_ms, new: true })
}

/// Returns Unix milliseconds of the first start; `None` if nothing has depended on it yet.
pub(super) fn made(sql: &impl SqlDatabase) -> Result<Option<i64>, BackendError> {
    let rows = sql.run("SELECT at_ms FROM first_start_v1", &[])?.rows;
    rows.first().map(|row| LedgerRow(row).integer(0)).transpose()
}
