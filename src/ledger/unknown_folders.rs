//! Folders of the log bucket without a known dataset, stored in the registry so that each is reported once.
//!
//! Table `unknown_folder_v1` has one row per folder.
//!
//! # Invariants
//! There are at most [`UNKNOWN_FOLDERS`] rows: further folders are not reported.

use serde::{Deserialize, Serialize};

use super::ids::REGISTRY;
use super::tables::LedgerRow;
use crate::backend::{BackendError, DurableObjects, SqlDatabase, SqlValue};
use crate::limits::UNKNOWN_FOLDERS;
use crate::rpc::{self, Dispatcher, calls};

/// The table: one row per folder.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS unknown_folder_v1 (
        folder TEXT PRIMARY KEY, first_ms INTEGER NOT NULL) WITHOUT ROWID";

calls! {
    "v1/unknown-folder": KeepUnknownFolder => UnknownFolderAnswer,
}

/// A request to record a folder without a known dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepUnknownFolder {
    /// Its key prefix.
    pub folder: String,
}

/// The answer to [`KeepUnknownFolder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownFolderAnswer {
    /// Whether this call recorded the folder first.
    pub is_new: bool,
}

/// Records a folder in the registry; returns whether it was new.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn keep_unknown_folder(ledgers: &impl DurableObjects, folder: &str) -> Result<bool, BackendError> {
    let call = KeepUnknownFolder { folder: folder.into() };
    Ok(rpc::call(ledgers, REGISTRY, &call).await?.is_new)
}

/// Registers the call about unknown folders.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls.on(|call| keep(sql, call, now_ms))
}

fn keep(sql: &impl SqlDatabase, call: &KeepUnknownFolder, now_ms: i64) -> Result<UnknownFolderAnswer, BackendError> {
    let folder = SqlValue::text(&*call.folder);
    let known = sql.run("SELECT 1 FROM unknown_folder_v1 WHERE folder = ?", std::slice::from_ref(&folder))?;
    let rows = sql.run("SELECT count(*) FROM unknown_folder_v1", &[])?;
    let count = rows.rows.first().map_or(Ok(0), |row| LedgerRow(row).number::<usize>(0))?;
    if !known.rows.is_empty() || count >= UNKNOWN_FOLDERS {
        return Ok(UnknownFolderAnswer { is_new: false });
    }
    let row = [folder, SqlValue::Integer(now_ms)];
    sql.run("INSERT INTO unknown_folder_v1 (folder, first_ms) VALUES (?, ?)", &row)?;
    Ok(UnknownFolderAnswer { is_new: true })
}
