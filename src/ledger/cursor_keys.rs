//! The keys that seal cursors, made and kept by the registry: no person ever knows one.
//!
//! Table `cursor_key_v1` has one row per key.
//!
//! # Invariants
//! The first candidate for a version becomes its key, and stays it. Asking for the keys makes none.

use serde::{Deserialize, Serialize};

use super::tables::LedgerRow;
use crate::access::{CursorKey, VersionedKey};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::rpc::{Dispatcher, calls};

/// The table: one row per key.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS cursor_key_v1 (
        version INTEGER PRIMARY KEY, secret TEXT NOT NULL, made_ms INTEGER NOT NULL)";

/// The version of the first key.
const FIRST: u8 = 1;

calls! {
    "v1/cursor-keys": GetCursorKeys => CursorKeyList,
    "v1/make-cursor-key": MakeCursorKey => CursorKeyList,
}

/// A request for the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetCursorKeys {}

/// A request for the keys, which makes the first one if there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeCursorKey {
    /// Random bits of the one who asks, which become the key if there is none.
    pub candidate: CursorKey,
}

/// The answer to both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorKeyList {
    /// The keys, oldest first.
    pub keys: Vec<VersionedKey>,
}

/// Registers the calls about the keys.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls.on(|_: &GetCursorKeys| list(sql)).on(|call| make(sql, call, now_ms))
}

fn make(sql: &impl SqlDatabase, call: &MakeCursorKey, now_ms: i64) -> Result<CursorKeyList, BackendError> {
    let secret = String::from(call.candidate.clone());
    let row = [SqlValue::number(FIRST), SqlValue::text(secret), SqlValue::Integer(now_ms)];
    sql.run("INSERT OR IGNORE INTO cursor_key_v1 (version, secret, made_ms) VALUES (?, ?, ?)", &row)?;
    list(sql)
}

fn list(sql: &impl SqlDatabase) -> Result<CursorKeyList, BackendError> {
    let rows = sql.run("SELECT version, secret FROM cursor_key_v1 ORDER BY version", &[])?.rows;
    let keys = rows.iter().map(LedgerRow).map(|row| {
        let key = CursorKey::try_from(row.text(1)?);
        let key = key.map_err(|words| BackendError::new("reading a key of cursors", words))?;
        Ok(VersionedKey { version: row.number(0)?, key })
    });
    Ok(CursorKeyList { keys: keys.collect::<Result<_, BackendError>>()? })
}
