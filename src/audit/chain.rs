//! The entries, each with a hash over itself and the hash before it.
//!
//! The table: `audit_v1`, a row for each entry. A hash is the SHA-256 of the hash before it in hexadecimal digits, a
//! line feed and the entry's text; before the first one stand 64 zeroes. Whoever keeps a hash can tell later that
//! nothing up to it was changed, left out or put in.
//!
//! What always holds: numbers have no gap; an entry and its hash are one row, written by one statement.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::calls::{Deed, Head, Kept, Page, Read};
use crate::backend::{BackendError, Sql, SqlRow, SqlValue, to_json};
use crate::limits::AUDIT_PAGE;
use crate::time::rfc3339;

/// The table.
const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS audit_v1 (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL)";

/// Stands for the hash before the first entry.
const BEFORE_ALL: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An entry as it is hashed. Its form is frozen: a later one has another `v`.
#[derive(Serialize)]
struct Entry<'a> {
    v: u8,
    seq: u64,
    at: String,
    who: &'a str,
    #[serde(flatten)]
    deed: &'a Deed,
}

/// Makes the table where there is none.
///
/// # Errors
/// [`BackendError`] where the database failed.
pub fn open(sql: &impl Sql) -> Result<(), BackendError> {
    sql.run(SCHEMA, &[]).map(drop)
}

/// The hash of an entry that stands behind the one with the hash `before`.
#[must_use]
pub fn hash(before: &str, entry: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(b"\n");
    hasher.update(entry);
    hex::encode(hasher.finalize())
}

/// Whether each of these entries, which stand behind the hash `before`, has the hash it must have.
#[must_use]
pub fn is_whole(before: &str, entries: &[Kept]) -> bool {
    let mut last = before;
    entries.iter().all(|kept| {
        let fits = hash(last, &kept.entry) == kept.hash;
        last = &kept.hash;
        fits
    })
}

/// The end of the chain.
pub(super) fn head(sql: &impl Sql) -> Result<Head, BackendError> {
    let answer = sql.run("SELECT seq, hash FROM audit_v1 ORDER BY seq DESC LIMIT 1", &[])?;
    let Some(row) = answer.rows.first() else { return Ok(Head { seq: 0, hash: BEFORE_ALL.into() }) };
    Ok(Head { seq: number(row, 0)?, hash: text(row, 1)? })
}

/// Appends an entry and says its number.
pub(super) fn append(sql: &impl Sql, who: &str, deed: &Deed, now_ms: i64) -> Result<u64, BackendError> {
    let Head { seq, hash: before } = head(sql)?;
    let seq = seq + 1;
    let entry = to_json(&Entry { v: 1, seq, at: rfc3339(now_ms), who, deed });
    let entry = String::from_utf8(entry).map_err(|_| broken())?;
    let hash = hash(&before, &entry);
    let values = [SqlValue::number(seq), SqlValue::Text(entry), SqlValue::Text(hash)];
    sql.run("INSERT INTO audit_v1 (seq, entry, hash) VALUES (?, ?, ?)", &values)?;
    Ok(seq)
}

/// A page of entries.
pub(super) fn read(sql: &impl Sql, ask: &Read) -> Result<Page, BackendError> {
    let statement = "SELECT seq, entry, hash FROM audit_v1 WHERE seq > ? ORDER BY seq LIMIT ?";
    let rows = sql.run(statement, &[SqlValue::number(ask.after), SqlValue::number(ask.limit.min(AUDIT_PAGE))])?.rows;
    let kept = |row: &SqlRow| Ok(Kept { seq: number(row, 0)?, entry: text(row, 1)?, hash: text(row, 2)? });
    let entries = rows.iter().map(kept).collect::<Result<_, BackendError>>()?;
    let before =
        sql.run("SELECT hash FROM audit_v1 WHERE seq <= ? ORDER BY seq DESC LIMIT 1", &[SqlValue::number(ask.after)])?;
    let before = before.rows.first().map_or_else(|| Ok(BEFORE_ALL.into()), |row| text(row, 0))?;
    Ok(Page { entries, before, head: head(sql)? })
}

fn number(row: &SqlRow, column: usize) -> Result<u64, BackendError> {
    let number = row.get(column).and_then(SqlValue::as_integer).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(broken)
}

fn text(row: &SqlRow, column: usize) -> Result<String, BackendError> {
    row.get(column).and_then(SqlValue::as_text).map(Into::into).ok_or_else(broken)
}

fn broken() -> BackendError {
    BackendError::new("reading the audit log", "a row is not as it was written")
}
