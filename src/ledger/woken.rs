//! A ledger whose alarm went off: it is opened before anything of it is read.

use std::cell::Cell;

use super::answer::OBJECT;
use super::wake::Alarm;
use crate::backend::{BackendError, SqlDatabase};
use crate::limits::ALARM_AGAIN_MS;

/// Brings the ledger up to this version of its schema. Where that fails, the alarm goes off again: what the ledger holds waits
/// for a code that can read it.
///
/// # Errors
/// [`BackendError`] where the ledger is too new for this code, or the database or the alarm failed.
pub async fn open_woken(
    sql: &impl SqlDatabase,
    is_open: &Cell<bool>,
    alarm: &impl Alarm,
    clock: impl Fn() -> i64,
) -> Result<(), BackendError> {
    let opened = OBJECT.ensure(sql, is_open);
    if opened.is_err() {
        alarm.set(Some(clock() + ALARM_AGAIN_MS)).await?;
    }
    opened.map(drop)
}
