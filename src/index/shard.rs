//! A shard's logic over its SQLite database: store an entry, find a ray, list the batches, forget an object.
//!
//! Three tables, with their version in their names. `entry_v1` has a row for each object, by its dataset and a number
//! within it: rows are small, since every put scans them all, and every lookup those of its datasets (a secondary index
//! would double the rows written, each of which costs a thousand times a row read). An entry of a batch that has no ray
//! here, but records of this time, has no parts. `part_v1` holds the packed rays of its entries, `link_v1` the packed links
//! to parents of this shard ([`super::family`] walks them).
//!
//! A *time slot* is one of 256 equal pieces of the shard's 655 s, 2.56 s each (the two digits below the prefix); an
//! entry's row lists the time slots that have rays and those that have parents, so that a lookup opens only BLOBs of
//! batches near the ray's instant.
//!
//! # Invariants
//!
//! There is one entry per object key, regardless of the dataset: that of the newest version offered. Every call is one
//! transaction, and repeating it changes nothing. An answer depends only on the requested datasets.

use std::cell::Cell;

use super::calls::{
    BatchPage, Candidate, FindRay, ForgetAnswer, ForgetEntry, ListShardBatches, ObjectVersion, PutAnswer, PutEntry,
    PutOutcome, RayCandidates, ShardBatch,
};
use super::entry::PartView;
use super::links::{self, KIND_LINKS};
use super::nonstandard::{self, KIND_NONSTANDARD};
use super::part;
use super::rows::{VERSION, VERSION_COLUMNS, candidates_in, integer, object_of, row_integer, text};
use super::time_slot::{HOLDS_PARENTS, HOLDS_RAYS, TIME_SLOTS, time_slot_of};
use super::{claims, family};
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::limits::{SHARD_PAGE, SQL_BLOB_MAX, SUMMARY_MAX};
use crate::record::{Dataset, RayKey};
use crate::rpc::{Call, Dispatcher, ObjectDatabase, ObjectSchema};

/// The tables of one shard, made by the first call that stores something.
const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS entry_v1 (
        dataset TEXT NOT NULL,
        number INTEGER NOT NULL,
        object_key TEXT NOT NULL,
        etag TEXT NOT NULL,
        uploaded_ms INTEGER NOT NULL,
        size INTEGER NOT NULL,
        origin TEXT,
        revision INTEGER NOT NULL,
        written_ms INTEGER NOT NULL,
        time_slots BLOB NOT NULL,
        summary BLOB NOT NULL,
        PRIMARY KEY (dataset, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS part_v1 (
        dataset TEXT NOT NULL,
        entry INTEGER NOT NULL,
        number INTEGER NOT NULL,
        first_suffix INTEGER NOT NULL,
        last_suffix INTEGER NOT NULL,
        rays BLOB NOT NULL,
        PRIMARY KEY (dataset, entry, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS link_v1 (
        dataset TEXT NOT NULL,
        entry INTEGER NOT NULL,
        number INTEGER NOT NULL,
        first_suffix INTEGER NOT NULL,
        last_suffix INTEGER NOT NULL,
        links BLOB NOT NULL,
        PRIMARY KEY (dataset, entry, number)) WITHOUT ROWID",
];

/// What a shard stores.
pub const OBJECT: ObjectSchema = ObjectSchema {
    kind: "shard",
    version: 1,
    readable_from: 1,
    first_table: "entry_v1",
    statements: &[&SCHEMA, &claims::SCHEMA],
    migrations: &[],
};

/// Answers one call to the shard, whose tables may not exist yet; `is_open` keeps whether they are known to.
///
/// # Errors
/// [`BackendError`] for an unknown call, a malformed body, or a failing database; nothing has changed in that case.
pub fn serve(sql: &impl SqlDatabase, is_open: &Cell<bool>, call: &str, body: &[u8]) -> Result<Vec<u8>, BackendError> {
    ObjectDatabase::serve(sql, is_open, &OBJECT, || open(sql), |sql| answer(sql, call, body))
}

/// Returns whether a call may store what has to expire some day.
#[must_use]
pub fn may_store(call: &str) -> bool {
    call == PutEntry::NAME || call == claims::ClaimLines::NAME
}

/// Makes the tables that do not exist. Writes no row if all do.
///
/// # Errors
/// [`BackendError`] if the database fails.
pub fn open(sql: &impl SqlDatabase) -> Result<(), BackendError> {
    OBJECT.make(sql)
}

/// Answers one call to the shard.
///
/// # Errors
/// [`BackendError`] for an unknown call, a malformed body, or a failing database; nothing has changed in that case.
pub fn answer(sql: &impl SqlDatabase, call: &str, body: &[u8]) -> Result<Vec<u8>, BackendError> {
    let reply = Dispatcher::new(sql, call, body)
        .on(|call| put_entry(sql, call))
        .on(|call| find_ray(sql, call))
        .on(|call| family::find_family(sql, call))
        .on(|call| forget_entry(sql, call))
        .on(|call| list_batches(sql, *call))
        .on(|call| claims::claim(sql, call))
        .on(|call| claims::remove(sql, call))
        .finish()?;
    Ok(reply.body)
}

/// Stores an entry, unless the shard already has this version of the object or a newer one.
fn put_entry(sql: &impl SqlDatabase, put: &PutEntry) -> Result<PutAnswer, BackendError> {
    for part in put.parts.iter().chain(&put.links) {
        check(&part.bytes).map_err(|why| BackendError::new("keeping an entry", why))?;
    }
    if put.summary.len() > SUMMARY_MAX {
        return Err(BackendError::new("keeping an entry", "its summary is too long"));
    }
    let (mut rows_written, mut number) = (0, None);
    if let Some((id, there)) = entry_of(sql, &put.object.key)? {
        let is_dataset = id.dataset == put.dataset;
        let is_renewed = there.written_ms() < put.object.written_ms();
        if is_dataset && there.etag == put.object.etag && !put.rewrites && !is_renewed {
            return Ok(PutAnswer { outcome: PutOutcome::Unchanged, rows_written });
        }
        if is_dataset && there.batch_etag() == put.object.batch_etag() {
            // Its position among the batches stays the same, so that no page lists it twice.
            number = Some(id.number);
        }
        if there.age() > put.object.age() {
            return Ok(PutAnswer { outcome: PutOutcome::Superseded, rows_written });
        }
        rows_written += drop_entry(sql, id)?;
    }
    rows_written += insert(sql, put, number)?;
    Ok(PutAnswer { outcome: PutOutcome::Stored, rows_written })
}

/// Checks that a part is readable: an unreadable one would fail every lookup near it.
fn check(part: &[u8]) -> Result<(), String> {
    if part.len() > SQL_BLOB_MAX {
        return Err("a part is larger than a row can be".into());
    }
    let read = match part.get(1) {
        Some(&KIND_NONSTANDARD) => nonstandard::spans_of(part, "").map(drop),
        Some(&KIND_LINKS) => links::check(part),
        _ => PartView::open(part).map(drop),
    };
    read.and_then(|()| part::extents(part)).map(drop).map_err(|error| error.to_string())
}

/// Inserts the rows of an entry, under this number or a new one; returns the number of rows written.
fn insert(sql: &impl SqlDatabase, put: &PutEntry, number: Option<i64>) -> Result<u64, BackendError> {
    let mut time_slots = vec![0; TIME_SLOTS];
    for (holds, of) in [(HOLDS_RAYS, &put.time_slots), (HOLDS_PARENTS, &put.link_slots)] {
        for &time_slot in of {
            if let Some(slot) = time_slots.get_mut(usize::from(time_slot)) {
                *slot |= holds;
            }
        }
    }
    let ObjectVersion { key, etag, uploaded_ms, size, origin } = &put.object;
    let written = SqlValue::Integer(put.object.written_ms());
    let dataset = text(put.dataset.name());
    let version = [text(key), text(etag), SqlValue::Integer(*uploaded_ms), integer(*size)];
    let number = number.map_or(SqlValue::Null, SqlValue::Integer);
    let revision = SqlValue::Integer(put.object.age().revision.into());
    let origin = origin.as_ref().map_or(SqlValue::Null, |origin| text(&origin.etag));
    let packed = [SqlValue::Blob(time_slots), SqlValue::Blob(put.summary.clone()), number, origin, revision, written];
    // Numbers count within a dataset, so that no answer reveals the size of another one.
    let inserted = sql.run(
        "INSERT INTO entry_v1 (dataset, number, object_key, etag, uploaded_ms, size, time_slots, summary, origin, revision, written_ms)
         SELECT ?1, coalesce(?8, max(number) + 1, 1), ?2, ?3, ?4, ?5, ?6, ?7, ?9, ?10, ?11 FROM entry_v1 WHERE dataset = ?1
         RETURNING number",
        &[std::slice::from_ref(&dataset), &version, &packed].concat(),
    )?;
    let entry = inserted.rows.first().and_then(|row| row_integer(row, 0));
    let entry = entry.ok_or_else(|| BackendError::new("keeping an entry", "the database named no row"))?;
    let mut written = inserted.rows_written;
    for (statement, parts) in [
        (
            "INSERT INTO part_v1 (dataset, entry, number, first_suffix, last_suffix, rays) VALUES (?, ?, ?, ?, ?, ?)",
            &put.parts,
        ),
        (
            "INSERT INTO link_v1 (dataset, entry, number, first_suffix, last_suffix, links) VALUES (?, ?, ?, ?, ?, ?)",
            &put.links,
        ),
    ] {
        for (number, part) in parts.iter().enumerate() {
            let number = [SqlValue::Integer(entry), integer(number as u64)];
            let bounds = [integer(part.first_suffix), integer(part.last_suffix)];
            let bytes = [SqlValue::Blob(part.bytes.clone())];
            let row = [std::slice::from_ref(&dataset), &number, &bounds, &bytes].concat();
            written += sql.run(statement, &row)?.rows_written;
        }
    }
    Ok(written)
}

/// Finds the batches that hold a ray, dataset by dataset. Entries of other datasets are not read.
fn find_ray(sql: &impl SqlDatabase, find: &FindRay) -> Result<RayCandidates, BackendError> {
    let key = RayKey::from_logged(&find.id);
    let key = key.ok_or_else(|| BackendError::new("finding a ray", "the call names no ray"))?;
    let mut candidates = Vec::new();
    for dataset in Dataset::WITH_RAY.into_iter().filter(|dataset| find.datasets.contains(dataset)) {
        candidates.extend(find_ray_in(sql, &key, dataset)?);
    }
    Ok(RayCandidates { candidates })
}

/// Returns the batches of one dataset that hold a ray.
fn find_ray_in(sql: &impl SqlDatabase, key: &RayKey, dataset: Dataset) -> Result<Vec<Candidate>, BackendError> {
    let (time_slot, suffix) = match key {
        RayKey::Ray(ray) => (time_slot_of(ray.suffix()), ray.suffix()),
        RayKey::Nonstandard(id) => (nonstandard::time_slot_of(id), 0),
    };
    // SQL counts the bytes of a BLOB from 1.
    let rows = sql.run(
        "SELECT e.object_key, e.etag, e.uploaded_ms, e.size, e.origin, e.revision, e.written_ms, p.rays
         FROM entry_v1 AS e JOIN part_v1 AS p ON p.dataset = e.dataset AND p.entry = e.number
         WHERE e.dataset = ?1 AND substr(e.time_slots, ?2, 1) IN (x'01', x'03') AND p.first_suffix <= ?3 AND p.last_suffix >= ?3
         ORDER BY e.number, p.number",
        &[text(dataset.name()), SqlValue::Integer(i64::from(time_slot) + 1), integer(suffix)],
    )?;
    candidates_in(&rows.rows, key, dataset)
}

/// Lists the batches of a dataset by number; later puts have higher numbers.
fn list_batches(sql: &impl SqlDatabase, call: ListShardBatches) -> Result<BatchPage, BackendError> {
    let limit = call.limit.clamp(1, SHARD_PAGE as u64);
    // One extra row shows whether there are more.
    let mut rows = sql
        .run(
            &format!(
                "SELECT {VERSION}, number, summary FROM entry_v1 WHERE dataset = ? AND number >= ? ORDER BY number LIMIT ?"
            ),
            &[text(call.dataset.name()), SqlValue::Integer(call.from), integer(limit + 1)],
        )?
        .rows;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(SHARD_PAGE));
    Ok(BatchPage { batches: rows.into_iter().filter_map(batch_of).collect(), more })
}

/// Returns the batch in a row of [`list_batches`].
fn batch_of(mut row: SqlRow) -> Option<ShardBatch> {
    let (number, object) = (row_integer(&row, VERSION_COLUMNS)?, object_of(&row)?);
    let Some(SqlValue::Blob(summary)) = row.pop() else { return None };
    Some(ShardBatch { number, object, summary })
}

/// Drops the entry of an object, unless its version is newer than the given age.
fn forget_entry(sql: &impl SqlDatabase, forget: &ForgetEntry) -> Result<ForgetAnswer, BackendError> {
    if let Some((id, there)) = entry_of(sql, &forget.key)?
        && there.age() <= forget.until
    {
        drop_entry(sql, id)?;
        return Ok(ForgetAnswer { entries: 1 });
    }
    Ok(ForgetAnswer { entries: 0 })
}

/// The identity of an entry in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryId {
    pub(super) dataset: Dataset,
    pub(super) number: i64,
}

/// Returns the entry of the object at `key`, regardless of its dataset.
fn entry_of(sql: &impl SqlDatabase, key: &str) -> Result<Option<(EntryId, ObjectVersion)>, BackendError> {
    let rows =
        sql.run(&format!("SELECT {VERSION}, dataset, number FROM entry_v1 WHERE object_key = ?"), &[text(key)])?;
    Ok(rows.rows.first().and_then(|row| {
        let dataset = Dataset::from_name(row.get(VERSION_COLUMNS)?.as_text()?)?;
        Some((EntryId { dataset, number: row_integer(row, VERSION_COLUMNS + 1)? }, object_of(row)?))
    }))
}

/// Removes an entry and its parts; returns the number of rows written.
pub(super) fn drop_entry(sql: &impl SqlDatabase, EntryId { dataset, number }: EntryId) -> Result<u64, BackendError> {
    let id = [text(dataset.name()), SqlValue::Integer(number)];
    let mut written = 0;
    for statement in [
        "DELETE FROM part_v1 WHERE dataset = ? AND entry = ?",
        "DELETE FROM link_v1 WHERE dataset = ? AND entry = ?",
        "DELETE FROM entry_v1 WHERE dataset = ? AND number = ?",
    ] {
        written += sql.run(statement, &id)?.rows_written;
    }
    Ok(written)
}
