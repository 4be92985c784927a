//! The tables of a ledger.
//!
//! Table names carry the version of their layout. There is no secondary index: a row read costs a thousandth of a row
//! written, and a ledger holds a single hour.
//!
//! # Invariants
//! An unreadable row is an error, never a default.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::delivery::DeliveryState;
use super::source_id::SourceId;
use super::state::BatchState;
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::index::ObjectOrigin;

/// The statements that create the tables if they do not exist. A source's `replay` is odd while it waits for its
/// replay. Its `etag`, `size`, `origin` and `revision` are those of the version that the index has; its `lines` and `counts` those that it had
/// when it was first sealed. A source's `rejected` lines are those of the last reading, a plan's those of its own seal.
pub(super) const SCHEMA: [&str; 9] = [
    "CREATE TABLE IF NOT EXISTS source_v1 (
        id TEXT PRIMARY KEY,
        object_key TEXT NOT NULL, etag TEXT NOT NULL, uploaded_ms INTEGER NOT NULL, size INTEGER NOT NULL,
        dataset TEXT NOT NULL, possible_datasets TEXT NOT NULL,
        state TEXT NOT NULL, code TEXT, reason TEXT,
        indexed INTEGER NOT NULL, shards TEXT NOT NULL, gone INTEGER NOT NULL,
        lines INTEGER NOT NULL, counts TEXT NOT NULL, rejected TEXT NOT NULL, inflated INTEGER NOT NULL,
        first_ms INTEGER, last_ms INTEGER, replay INTEGER NOT NULL, before_start INTEGER NOT NULL,
        first_seen_ms INTEGER NOT NULL, sealed_ms INTEGER,
        origin TEXT, revision INTEGER NOT NULL, written_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS plan_v1 (
        source TEXT NOT NULL, number INTEGER NOT NULL,
        plan TEXT NOT NULL, sealed_ms INTEGER, abandoned_ms INTEGER,
        in_window INTEGER NOT NULL, filtered TEXT NOT NULL, changed TEXT NOT NULL, duplicates TEXT,
        rejected TEXT NOT NULL, backfill INTEGER, again INTEGER NOT NULL,
        PRIMARY KEY (source, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS delivery_v1 (
        source TEXT NOT NULL, plan INTEGER NOT NULL, number TEXT NOT NULL,
        sha256 TEXT NOT NULL, lines INTEGER NOT NULL, bytes INTEGER NOT NULL,
        first_offset INTEGER NOT NULL, last_offset INTEGER NOT NULL,
        state TEXT NOT NULL, next_attempt_ms INTEGER NOT NULL, wake_ms INTEGER,
        token INTEGER NOT NULL, claimant TEXT NOT NULL, uncommitted INTEGER NOT NULL, claimed_ms INTEGER NOT NULL, lease_ms INTEGER NOT NULL,
        park INTEGER NOT NULL, attempts INTEGER NOT NULL, unknown_outcomes INTEGER NOT NULL,
        unanswered INTEGER NOT NULL, not_sent INTEGER NOT NULL, released INTEGER NOT NULL, took_ms INTEGER,
        status INTEGER, code TEXT, completed_ms INTEGER, refusal TEXT, place_ms INTEGER, held INTEGER NOT NULL,
        PRIMARY KEY (source, plan, number)) WITHOUT ROWID",
    // What the payloads of a group have in common; `members` has what they have not, in the order of `MEMBER`.
    "CREATE TABLE IF NOT EXISTS delivery_group_v1 (
        source TEXT NOT NULL, plan INTEGER NOT NULL, first TEXT NOT NULL, members TEXT NOT NULL,
        state TEXT NOT NULL, next_attempt_ms INTEGER NOT NULL, wake_ms INTEGER,
        token INTEGER NOT NULL, claimant TEXT NOT NULL, uncommitted INTEGER NOT NULL, claimed_ms INTEGER NOT NULL, lease_ms INTEGER NOT NULL,
        park INTEGER NOT NULL, attempts INTEGER NOT NULL, unknown_outcomes INTEGER NOT NULL,
        unanswered INTEGER NOT NULL, not_sent INTEGER NOT NULL, released INTEGER NOT NULL,
        status INTEGER, code TEXT, completed_ms INTEGER, refusal TEXT, place_ms INTEGER, held INTEGER NOT NULL,
        PRIMARY KEY (source, plan, first)) WITHOUT ROWID",
    // All payloads, wherever they are stored; `together` names the group of one that has no row of its own.
    "CREATE VIEW IF NOT EXISTS payload_v1 AS
    SELECT source, plan, number, sha256, lines, bytes, first_offset, last_offset, state, next_attempt_ms, wake_ms,
        token, claimant, uncommitted, claimed_ms, lease_ms, park, attempts, unknown_outcomes, unanswered, not_sent,
        released, took_ms, status, code, completed_ms, refusal, place_ms, held, NULL AS together
    FROM delivery_v1
    UNION ALL
    SELECT source, plan, member.value ->> 0, member.value ->> 1, member.value ->> 2, member.value ->> 3, member.value ->> 4,
        member.value ->> 5, state, next_attempt_ms, wake_ms, token, claimant, uncommitted, claimed_ms, lease_ms, park, attempts,
        unknown_outcomes, unanswered, not_sent, released, member.value ->> 6, status, code, completed_ms, refusal, place_ms,
        held, first
    FROM delivery_group_v1 AS whole, json_each(whole.members) AS member
    WHERE NOT EXISTS (SELECT 1 FROM delivery_v1 AS alone
        WHERE alone.source = whole.source AND alone.plan = whole.plan AND alone.number = member.value ->> 0)",
    // Sources that expired, by the first half of their digits: none is delivered again.
    "CREATE TABLE IF NOT EXISTS forgotten_v1 (source TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS note_v1 (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    // `ats` has the offset of each body, in the order of the payloads; of one that is erased, the complement of that.
    "CREATE TABLE IF NOT EXISTS pack_v1 (
        source TEXT NOT NULL, plan INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
        digest TEXT NOT NULL, ats TEXT NOT NULL, removed INTEGER NOT NULL,
        PRIMARY KEY (source, plan, first)) WITHOUT ROWID",
    // `first` and `last` are sequences of batches; `counts` is the sum of what they carry.
    "CREATE TABLE IF NOT EXISTS edge_isolate_v1 (
        isolate TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, batches INTEGER NOT NULL,
        counts TEXT NOT NULL) WITHOUT ROWID",
];

/// A row with typed access to its columns.
pub(super) struct LedgerRow<'a>(pub(super) &'a SqlRow);

impl LedgerRow<'_> {
    /// Returns the text in a column.
    pub(super) fn text(&self, column: usize) -> Result<String, BackendError> {
        self.maybe_text(column).ok_or_else(|| unreadable(column))
    }

    /// Returns the text in a nullable column.
    pub(super) fn maybe_text(&self, column: usize) -> Option<String> {
        self.0.get(column).and_then(SqlValue::as_text).map(str::to_owned)
    }

    /// Returns the integer in a column.
    pub(super) fn integer(&self, column: usize) -> Result<i64, BackendError> {
        self.maybe_integer(column).ok_or_else(|| unreadable(column))
    }

    /// Returns the integer in a nullable column.
    pub(super) fn maybe_integer(&self, column: usize) -> Option<i64> {
        self.0.get(column).and_then(SqlValue::as_integer)
    }

    /// Returns the integer in a column, converted to a type that can hold it.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: usize) -> Result<T, BackendError> {
        T::try_from(self.integer(column)?).map_err(|_| unreadable(column))
    }

    /// Parses the JSON in a column.
    pub(super) fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, BackendError> {
        serde_json::from_str(&self.text(column)?).map_err(|_| unreadable(column))
    }

    /// Parses the state of a source in a column.
    pub(super) fn batch_state(&self, column: usize) -> Result<BatchState, BackendError> {
        BatchState::from_name(&self.text(column)?).ok_or_else(|| unreadable(column))
    }

    /// Parses the state of a payload in a column.
    pub(super) fn delivery_state(&self, column: usize) -> Result<DeliveryState, BackendError> {
        DeliveryState::from_name(&self.text(column)?).ok_or_else(|| unreadable(column))
    }

    /// Reads what an object was rewritten from, from the columns `origin` (this one), `revision` and `written_ms` (the next).
    pub(super) fn object_origin(&self, column: usize) -> Result<Option<ObjectOrigin>, BackendError> {
        let Some(etag) = self.maybe_text(column) else { return Ok(None) };
        Ok(Some(ObjectOrigin { etag, revision: self.number(column + 1)?, rewritten_ms: self.integer(column + 2)? }))
    }

    /// Parses the identity of a source in a column.
    pub(super) fn source(&self, column: usize) -> Result<SourceId, BackendError> {
        SourceId::from_digits(&self.text(column)?).ok_or_else(|| unreadable(column))
    }
}

fn unreadable(column: usize) -> BackendError {
    BackendError::new("reading a row of the ledger", format!("column {column} has a value that was never written"))
}

/// Serialises a plain value to JSON, as a parameter.
pub(super) fn json(value: &impl Serialize) -> SqlValue {
    SqlValue::Text(serde_json::to_string(value).unwrap_or_default())
}

/// Converts an optional number to a parameter.
pub(super) fn maybe<T: TryInto<i64>>(value: Option<T>) -> SqlValue {
    value.map_or(SqlValue::Null, SqlValue::number)
}

/// Returns the ledger's note of a name.
pub(super) fn note(sql: &impl SqlDatabase, name: &str) -> Result<Option<String>, BackendError> {
    let kept = sql.run("SELECT value FROM note_v1 WHERE name = ?", &[SqlValue::text(name)])?;
    kept.rows.first().map(|row| LedgerRow(row).text(0)).transpose()
}

/// Returns the JSON value of a note, if there is one.
pub(super) fn json_note<T: DeserializeOwned>(sql: &impl SqlDatabase, name: &str) -> Result<Option<T>, BackendError> {
    let kept = sql.run("SELECT value FROM note_v1 WHERE name = ?", &[SqlValue::text(name)])?;
    kept.rows.first().map(|row| LedgerRow(row).json(0)).transpose()
}

/// Writes the JSON value of a note.
pub(super) fn keep_note(sql: &impl SqlDatabase, name: &str, value: &impl Serialize) -> Result<(), BackendError> {
    let parameters = [SqlValue::text(name), json(value)];
    sql.run("INSERT OR REPLACE INTO note_v1 (name, value) VALUES (?, ?)", &parameters).map(drop)
}
