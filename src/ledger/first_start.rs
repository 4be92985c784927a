//! The first start: the instant since which the deployment delivers. What lay in the log bucket before is indexed only.
//!
//! Stored in the registry, so it survives redeploys. It is made when something first depends on it: an event, a cron or
//! an upload while delivery is configured. If the registry was lost, a second one is made, which is known to follow a loss.
//!
//! # Invariants
//! Once made, the instant never changes.

use serde::{Deserialize, Serialize};

use super::tables::LedgerRow;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::rpc::{Dispatcher, calls};

/// The table: the row 1 has the instant; a row 2 beside it says that it follows a loss.
pub(super) const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS first_start_v1 (one INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL)";

calls! {
    "v1/first-start": MakeFirstStart => FirstStart,
}

/// A request for the instant of the first start, which is now unless it was made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeFirstStart {
    /// Whether a deployment over the same data bucket has made one before: this one follows the loss of a registry.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub after_loss: bool,
}

/// The registry's answer to [`MakeFirstStart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstStart {
    /// Unix milliseconds of the first start, by the registry's clock.
    pub at_ms: i64,
    /// Whether this call made it.
    pub new: bool,
    /// Whether it follows the loss of a registry.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub after_loss: bool,
}

/// Registers the call.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls.on(|call: &MakeFirstStart| make(sql, *call, now_ms))
}

fn make(sql: &impl SqlDatabase, call: MakeFirstStart, now_ms: i64) -> Result<FirstStart, BackendError> {
    if let Some(at_ms) = made(sql)? {
        let after_loss = !sql.run("SELECT 1 FROM first_start_v1 WHERE one = 2", &[])?.rows.is_empty();
        return Ok(FirstStart { at_ms, new: false, after_loss });
    }
    for row in if call.after_loss { 1..=2 } else { 1..=1 } {
        let row = [SqlValue::Integer(row), SqlValue::Integer(now_ms)];
        sql.run("INSERT INTO first_start_v1 (one, at_ms) VALUES (?, ?)", &row)?;
    }
    Ok(FirstStart { at_ms: now_ms, new: true, after_loss: call.after_loss })
}

/// Returns Unix milliseconds of the first start; `None` if nothing has depended on it yet.
pub(super) fn made(sql: &impl SqlDatabase) -> Result<Option<i64>, BackendError> {
    let rows = sql.run("SELECT at_ms FROM first_start_v1 WHERE one = 1", &[])?.rows;
    rows.first().map(|row| LedgerRow(row).integer(0)).transpose()
}
