//! The expiry of a shard: it forgets the batches that the bucket keeps no longer, and in the end itself.
//!
//! Each removal of an object is announced, and its entry dropped then; what is found here was announced in vain.
//!
//! # Invariants
//! An entry outlives its batch, and a claim its entry. A shard that holds something has an alarm.

use std::cell::Cell;

use super::shard::{self, EntryId};
use super::{claims, rows::row_integer};
use crate::backend::{BackendError, Bucket, SqlDatabase, SqlRow, SqlValue};
use crate::bucket_keys::{sidecar_keys, version_digest};
use crate::limits::{CLAIMS_KEPT_MS, EXPIRED_AT_ONCE, EXPIRY_AGAIN_MS, EXPIRY_LOOK_MS, EXPIRY_MARGIN_MS, LIST_PAGE};
use crate::record::Dataset;

/// What expired in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardExpiry {
    /// Number of entries.
    pub entries: usize,
    /// Number of claims.
    pub claims: usize,
    /// Unix milliseconds at which to look again; `None` of a shard that holds nothing.
    pub next_ms: Option<i64>,
}

/// Drops what has expired at this instant, at most [`EXPIRED_AT_ONCE`] entries and claims, with the windows and summaries of the
/// batches. `kept` returns how long the log bucket, whose name is `bucket`, keeps the batch with a key, in milliseconds; `None` for ever.
///
/// # Errors
/// [`BackendError`] if the shard is too new for this code, or the database or the data bucket fails; no entry is dropped then.
pub async fn expire(
    (sql, is_open): (&impl SqlDatabase, &Cell<bool>),
    (bucket, data): (&str, &impl Bucket),
    kept: impl Fn(&str) -> Option<i64>,
    now_ms: i64,
) -> Result<ShardExpiry, BackendError> {
    if !shard::OBJECT.ensure(sql, is_open)? {
        return Ok(ShardExpiry::default());
    }
    let found = ExpiredRows::find(sql, &kept, now_ms)?;
    let digests = found.entries.iter().map(|entry| version_digest(bucket, &entry.key, &entry.etag));
    let sidecars: Vec<String> = digests.flat_map(|digest| sidecar_keys(&digest)).collect();
    for keys in sidecars.chunks(LIST_PAGE) {
        data.delete(keys).await?;
    }
    let mut expiry = ShardExpiry::default();
    sql.transaction(&mut || {
        // Some of them may have been written anew meanwhile.
        let still = ExpiredRows::find(sql, &kept, now_ms)?;
        let entries: Vec<_> = still.entries.iter().filter(|entry| found.entries.contains(entry)).collect();
        entries.iter().try_for_each(|entry| shard::drop_entry(sql, entry.id).map(drop))?;
        still.claims.iter().try_for_each(|number| claims::drop_claim(sql, *number))?;
        expiry = ShardExpiry { entries: entries.len(), claims: still.claims.len(), next_ms: still.next_ms };
        Ok(())
    })?;
    Ok(expiry)
}

/// An entry that expired.
#[derive(Debug, PartialEq, Eq)]
struct ExpiredEntry {
    id: EntryId,
    key: String,
    etag: String,
}

/// What expired, as far as it is dropped at once, and when to look again.
#[derive(Debug, Default)]
struct ExpiredRows {
    entries: Vec<ExpiredEntry>,
    claims: Vec<i64>,
    next_ms: Option<i64>,
}

impl ExpiredRows {
    fn find(sql: &impl SqlDatabase, kept: &impl Fn(&str) -> Option<i64>, now_ms: i64) -> Result<Self, BackendError> {
        let mut due = DueTimes { now_ms, next_ms: None, left: EXPIRED_AT_ONCE };
        let entries = expired_entries(sql, kept, &mut due)?;
        let claims = expired_claims(sql, kept, &mut due)?;
        Ok(Self { entries, claims, next_ms: due.next_ms })
    }
}

/// The instants at which things expire, while they are looked through.
struct DueTimes {
    now_ms: i64,
    next_ms: Option<i64>,
    /// How many may still be dropped.
    left: usize,
}

impl DueTimes {
    /// Returns whether something that is kept for this time from an instant on is to be dropped; if not, it is looked at again.
    fn is_over(&mut self, from_ms: i64, kept_ms: Option<i64>) -> bool {
        let due_ms = kept_ms.map(|kept_ms| from_ms.saturating_add(kept_ms).saturating_add(EXPIRY_MARGIN_MS));
        let is_over = due_ms.is_some_and(|due_ms| due_ms <= self.now_ms);
        if is_over && self.left > 0 {
            self.left -= 1;
            return true;
        }
        let latest_ms = self.now_ms.saturating_add(EXPIRY_LOOK_MS);
        let again_ms = self.now_ms.saturating_add(EXPIRY_AGAIN_MS);
        let at_ms = if is_over { again_ms } else { due_ms.map_or(latest_ms, |due_ms| due_ms.min(latest_ms)) };
        self.next_ms = Some(self.next_ms.map_or(at_ms, |next_ms| next_ms.min(at_ms)));
        false
    }
}

fn expired_entries(
    sql: &impl SqlDatabase,
    kept: &impl Fn(&str) -> Option<i64>,
    due: &mut DueTimes,
) -> Result<Vec<ExpiredEntry>, BackendError> {
    let rows = sql.run("SELECT object_key, written_ms, number, dataset, etag FROM entry_v1", &[])?.rows;
    let mut over = Vec::new();
    for row in &rows {
        let (key, written_ms, number) = written(row)?;
        let dataset = row.get(3).and_then(SqlValue::as_text).and_then(Dataset::from_name).ok_or_else(unreadable)?;
        let etag = row.get(4).and_then(SqlValue::as_text).ok_or_else(unreadable)?.to_owned();
        if due.is_over(written_ms, kept(key)) {
            over.push(ExpiredEntry { id: EntryId { dataset, number }, key: key.to_owned(), etag });
        }
    }
    Ok(over)
}

fn expired_claims(
    sql: &impl SqlDatabase,
    kept: &impl Fn(&str) -> Option<i64>,
    due: &mut DueTimes,
) -> Result<Vec<i64>, BackendError> {
    let rows = sql.run("SELECT object_key, written_ms, number FROM claim_v1", &[])?.rows;
    let mut over = Vec::new();
    for row in &rows {
        let (key, written_ms, number) = written(row)?;
        if due.is_over(written_ms, kept(key).map(|kept_ms| kept_ms.max(CLAIMS_KEPT_MS))) {
            over.push(number);
        }
    }
    Ok(over)
}

/// Reads a key, the instant from which the bucket counts its days, and a number.
fn written(row: &SqlRow) -> Result<(&str, i64, i64), BackendError> {
    let key = row.first().and_then(SqlValue::as_text).ok_or_else(unreadable)?;
    let numbers = row_integer(row, 1).zip(row_integer(row, 2)).ok_or_else(unreadable)?;
    Ok((key, numbers.0, numbers.1))
}

fn unreadable() -> BackendError {
    BackendError::new("expiring entries", "a row has a value that was never written")
}
