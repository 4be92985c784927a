//! When most rays of a dataset had other times than their records, stored in the registry: what is derived from a ray's time is
//! in doubt then, and in the windows around it.
//!
//! Table `layout_doubt_v1` has one row for each dataset and ledger with a skewed batch. `source` is the one that opened the
//! row, so that exactly that batch is reported. Only skewed batches cost a call; questions travel with calls that are made
//! anyway.
//!
//! # Invariants
//! A row is written before its batch is sealed. What was in doubt once stays so: rows are joined where there are more than
//! [`LAYOUT_DOUBTS`], and none is dropped.

use serde::{Deserialize, Serialize};

use super::ids::REGISTRY;
use super::source_id::SourceId;
use super::tables::LedgerRow;
use crate::backend::{BackendError, DurableObjects, SqlDatabase, SqlRow, SqlValue};
use crate::index::RaySkew;
use crate::limits::{LAYOUT_DOUBTS, LAYOUT_MARGIN_MS, LAYOUT_RECENT_MS};
use crate::record::Dataset;
use crate::rpc::{self, Dispatcher, calls};

/// The table: one row per dataset and ledger.
pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS layout_doubt_v1 (
        dataset TEXT NOT NULL, ledger TEXT NOT NULL, source TEXT NOT NULL,
        since_ms INTEGER NOT NULL, uploaded_ms INTEGER NOT NULL,
        first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, ahead_ms INTEGER NOT NULL, behind_ms INTEGER NOT NULL,
        PRIMARY KEY (dataset, ledger)) WITHOUT ROWID";

calls! {
    "v1/note-skew": NoteSkew => NoteSkewAnswer,
}

/// A request to note that most rays of a batch have other times than their records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteSkew {
    /// The dataset that the batch is read as.
    pub dataset: Dataset,
    /// The name of its ledger.
    pub ledger: String,
    /// Its source.
    pub source: SourceId,
    /// Unix milliseconds of its upload.
    pub uploaded_ms: i64,
    /// Where its rays and records are that differ.
    pub skew: RaySkew,
}

/// The answer to [`NoteSkew`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteSkewAnswer {
    /// Whether the batch is the first of its dataset and ledger.
    pub is_new: bool,
}

/// A time in which the layout of a dataset's rays is in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutDoubt {
    /// The dataset of the rays.
    pub dataset: Dataset,
    /// Unix milliseconds of the first upload of a skewed batch.
    pub since_ms: i64,
    /// Unix milliseconds of the last one.
    pub uploaded_ms: i64,
    /// Where the rays and records of these batches are that differ.
    pub skew: RaySkew,
}

/// Notes a skewed batch in the registry; returns whether it is the first of its dataset and ledger.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn note_skew(ledgers: &impl DurableObjects, call: &NoteSkew) -> Result<bool, BackendError> {
    Ok(rpc::call(ledgers, REGISTRY, call).await?.is_new)
}

/// Registers the call about skewed batches.
pub(super) fn dispatch<'a, S: SqlDatabase>(sql: &S, calls: Dispatcher<'a, S>) -> Dispatcher<'a, S> {
    calls.on(|call| note(sql, call))
}

fn note(sql: &impl SqlDatabase, call: &NoteSkew) -> Result<NoteSkewAnswer, BackendError> {
    let row_key = [SqlValue::text(call.dataset.name()), SqlValue::text(&*call.ledger)];
    let opener = "SELECT source FROM layout_doubt_v1 WHERE dataset = ? AND ledger = ?";
    let known = sql.run(opener, &row_key)?.rows;
    let Some(row) = known.first().map(LedgerRow) else {
        insert(sql, call)?;
        join_oldest(sql, call.dataset)?;
        return Ok(NoteSkewAnswer { is_new: true });
    };
    let is_new = row.source(0)? == call.source;
    widen(sql, row_key, (call.uploaded_ms, call.uploaded_ms), call.skew)?;
    Ok(NoteSkewAnswer { is_new })
}

fn insert(sql: &impl SqlDatabase, call: &NoteSkew) -> Result<(), BackendError> {
    let NoteSkew { dataset, ledger, source, uploaded_ms, skew } = call;
    let row = [
        SqlValue::text(dataset.name()),
        SqlValue::text(&**ledger),
        SqlValue::text(source.as_str()),
        SqlValue::Integer(*uploaded_ms),
        SqlValue::Integer(*uploaded_ms),
    ];
    let row: Vec<SqlValue> = row.into_iter().chain(figures(*skew)).collect();
    sql.run("INSERT INTO layout_doubt_v1 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", &row).map(drop)
}

/// Widens a row to another batch or row, by its first and last upload. Writes nothing where it is as wide already.
fn widen(
    sql: &impl SqlDatabase,
    [dataset, ledger]: [SqlValue; 2],
    (since_ms, uploaded_ms): (i64, i64),
    skew: RaySkew,
) -> Result<(), BackendError> {
    let uploads = [dataset, ledger, SqlValue::Integer(since_ms), SqlValue::Integer(uploaded_ms)];
    let parameters: Vec<SqlValue> = uploads.into_iter().chain(figures(skew)).collect();
    sql.run(
        "UPDATE layout_doubt_v1 SET since_ms = min(since_ms, ?3), uploaded_ms = max(uploaded_ms, ?4),
            first_ms = min(first_ms, ?5), last_ms = max(last_ms, ?6), ahead_ms = max(ahead_ms, ?7),
            behind_ms = max(behind_ms, ?8)
         WHERE dataset = ?1 AND ledger = ?2 AND (since_ms > ?3 OR uploaded_ms < ?4 OR first_ms > ?5 OR last_ms < ?6
            OR ahead_ms < ?7 OR behind_ms < ?8)",
        &parameters,
    )
    .map(drop)
}

/// Joins the two oldest rows of the dataset where there are too many.
fn join_oldest(sql: &impl SqlDatabase, dataset: Dataset) -> Result<(), BackendError> {
    let name = SqlValue::text(dataset.name());
    let oldest = "SELECT ledger, since_ms, uploaded_ms, first_ms, last_ms, ahead_ms, behind_ms FROM layout_doubt_v1
         WHERE dataset = ?1 AND (SELECT count(*) FROM layout_doubt_v1 WHERE dataset = ?1) > ?2
         ORDER BY uploaded_ms, ledger LIMIT 2";
    let rows = sql.run(oldest, &[name.clone(), SqlValue::number(LAYOUT_DOUBTS)])?.rows;
    let [first, second] = rows.as_slice() else { return Ok(()) };
    let (ledger, next) = (LedgerRow(first).text(0)?, LedgerRow(second).text(0)?);
    let Some(LayoutDoubt { since_ms, uploaded_ms, skew, .. }) = doubt_of(dataset, first)? else { return Ok(()) };
    widen(sql, [name.clone(), SqlValue::text(next)], (since_ms, uploaded_ms), skew)?;
    sql.run("DELETE FROM layout_doubt_v1 WHERE dataset = ? AND ledger = ?", &[name, SqlValue::text(ledger)]).map(drop)
}

fn figures(RaySkew { first_ms, last_ms, ahead_ms, behind_ms }: RaySkew) -> [SqlValue; 4] {
    [first_ms, last_ms, ahead_ms, behind_ms].map(SqlValue::Integer)
}

/// Returns the doubt about what the bits of a ray of this time say: a skewed batch has rays or records around it, or is of late
/// and others like it may follow, up to the present and as far ahead of it as its rays were.
pub(super) fn find(
    sql: &impl SqlDatabase,
    dataset: Dataset,
    at_ms: i64,
    now_ms: i64,
) -> Result<Option<LayoutDoubt>, BackendError> {
    let around = "first_ms - ?2 <= ?1 AND (last_ms + ?2 >= ?1 OR uploaded_ms >= ?3 AND ?4 + ahead_ms + ?2 >= ?1)";
    let instants = [at_ms, LAYOUT_MARGIN_MS, now_ms.saturating_sub(LAYOUT_RECENT_MS), now_ms].map(SqlValue::Integer);
    joined(sql, dataset, around, &instants)
}

/// Returns the doubts at present, one for each dataset that has any.
pub(super) fn recent(sql: &impl SqlDatabase, now_ms: i64) -> Result<Vec<LayoutDoubt>, BackendError> {
    let since = [SqlValue::Integer(now_ms.saturating_sub(LAYOUT_RECENT_MS))];
    let doubts = Dataset::WITH_RAY.into_iter().map(|dataset| joined(sql, dataset, "uploaded_ms >= ?1", &since));
    doubts.filter_map(Result::transpose).collect()
}

/// Joins the rows of a dataset that meet the condition.
fn joined(
    sql: &impl SqlDatabase,
    dataset: Dataset,
    condition: &str,
    parameters: &[SqlValue],
) -> Result<Option<LayoutDoubt>, BackendError> {
    let name = parameters.len() + 1;
    let statement = format!(
        "SELECT min(ledger), min(since_ms), max(uploaded_ms), min(first_ms), max(last_ms), max(ahead_ms), max(behind_ms)
         FROM layout_doubt_v1 WHERE dataset = ?{name} AND ({condition})"
    );
    let parameters: Vec<SqlValue> = parameters.iter().cloned().chain([SqlValue::text(dataset.name())]).collect();
    sql.run(&statement, &parameters)?.rows.first().map_or(Ok(None), |row| doubt_of(dataset, row))
}

/// Returns the doubt of a row, whose first column is a ledger; `None` if it is of no rows.
fn doubt_of(dataset: Dataset, row: &SqlRow) -> Result<Option<LayoutDoubt>, BackendError> {
    let row = LedgerRow(row);
    if row.maybe_text(0).is_none() {
        return Ok(None);
    }
    let skew = RaySkew {
        first_ms: row.integer(3)?,
        last_ms: row.integer(4)?,
        ahead_ms: row.integer(5)?,
        behind_ms: row.integer(6)?,
    };
    Ok(Some(LayoutDoubt { dataset, since_ms: row.integer(1)?, uploaded_ms: row.integer(2)?, skew }))
}
