//! The entries, each with a hash over itself and the hash before it.
//!
//! A hash is the SHA-256 of the hash before it in hexadecimal digits, a line feed and the entry's text; before the
//! first one are 64 zeroes. A kept hash proves later that no entry up to it was changed, removed or inserted.
//!
//! # Invariants
//! Numbers have no gap. An entry and its hash are one row, written by one statement. The first entry of a table follows
//! the last one of the table before, so the chain continues from table to table.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::calls::{AuditEvent, ChainEntry, ChainHead, EntryPage, ReadEntries};
use super::tables::{self, BEFORE_ALL, EntryTable, TableEnd, broken};
use crate::backend::{BackendError, SqlDatabase, to_json};
use crate::limits::{AUDIT_PAGE, AUDIT_SEGMENT, AUDIT_SEGMENT_BYTES};
use crate::time::rfc3339;

/// How much one table, and so one segment, may hold. It is full with the entry that reaches one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableBounds {
    /// Number of entries that make a table full.
    pub entries: u64,
    /// Bytes of text that make a table full.
    pub bytes: u64,
}

impl Default for TableBounds {
    fn default() -> Self {
        Self { entries: AUDIT_SEGMENT, bytes: AUDIT_SEGMENT_BYTES }
    }
}

impl TableBounds {
    /// Whether these counts reach the bounds.
    pub(super) const fn are_reached(self, entries: u64, bytes: u64) -> bool {
        entries >= self.entries || bytes >= self.bytes
    }
}

/// An entry as it is hashed. A change of this form gets another `v`.
#[derive(Serialize)]
struct HashedEntry<'a> {
    v: u8,
    seq: u64,
    time: String,
    actor: &'a str,
    #[serde(flatten)]
    event: &'a AuditEvent,
}

/// The hash of an entry that follows the one with the hash `before`.
#[must_use]
pub fn hash(before: &str, entry: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(b"\n");
    hasher.update(entry);
    hex::encode(hasher.finalize())
}

/// Whether each of these entries, which follow the hash `before`, has the right hash.
#[must_use]
pub fn is_chain_valid(before: &str, entries: &[ChainEntry]) -> bool {
    let mut last = before;
    entries.iter().all(|kept| {
        let fits = hash(last, &kept.entry) == kept.hash;
        last = &kept.hash;
        fits
    })
}

/// An entry that was appended.
pub(super) struct AppendedEntry {
    /// The number of the entry.
    pub(super) seq: u64,
    /// A table before the last one waits to be brought to the bucket.
    pub(super) waits: bool,
}

/// Appends an entry. For inside of a transaction.
pub(super) fn append(
    sql: &impl SqlDatabase,
    bounds: TableBounds,
    actor: &str,
    event: &AuditEvent,
    now_ms: i64,
) -> Result<AppendedEntry, BackendError> {
    let newest = EntryTable::newest(sql)?;
    let open = newest.first();
    let TableEnd { seq: last, hash: before, size } = end(sql, open)?;
    let seq = last + 1;
    let entry = String::from_utf8(to_json(&HashedEntry { v: 1, seq, time: rfc3339(now_ms), actor, event }))
        .map_err(|_| broken())?;
    let kept = ChainEntry { seq, hash: hash(&before, &entry), entry };
    let bytes = kept.entry.len() as u64;
    let waits = if let Some(open) = open.filter(|open| !bounds.are_reached(seq.saturating_sub(open.first), size)) {
        open.insert(sql, &kept, size + bytes)?;
        newest.len() > 1
    } else {
        begin(sql, &kept, before)?;
        open.is_some()
    };
    Ok(AppendedEntry { seq, waits })
}

/// Begins a table with this entry.
fn begin(sql: &impl SqlDatabase, kept: &ChainEntry, before: String) -> Result<(), BackendError> {
    let table = EntryTable { first: kept.seq, before };
    table.begin(sql)?;
    table.insert(sql, kept, kept.entry.len() as u64)
}

/// The last entry of a table; without a table, the state of an empty log.
fn end(sql: &impl SqlDatabase, table: Option<&EntryTable>) -> Result<TableEnd, BackendError> {
    table.map_or_else(|| Ok(TableEnd { seq: 0, hash: BEFORE_ALL.into(), size: 0 }), |table| table.end(sql))
}

/// A page of entries, or the segment that has them.
pub(super) fn read(sql: &impl SqlDatabase, ask: &ReadEntries) -> Result<EntryPage, BackendError> {
    let TableEnd { seq, hash, .. } = end(sql, EntryTable::newest(sql)?.first())?;
    let (head, after) = (ChainHead { seq, hash }, ask.after.min(seq));
    let kept_from = tables::last_segment(sql)?.map_or(1, |segment| segment.last + 1);
    if let Some(segment) = tables::segment_of(sql, after + 1)? {
        return Ok(EntryPage {
            entries: vec![],
            before: segment.before.clone(),
            head,
            segment: Some(segment),
            kept_from,
        });
    }
    let mut table = EntryTable::holding(sql, after + 1)?;
    let before = table.as_ref().map_or_else(|| Ok(BEFORE_ALL.into()), |table| table.hash_at(sql, after))?;
    let (mut entries, limit) = (Vec::new(), ask.limit.min(AUDIT_PAGE));
    while let Some(found) = table {
        entries.extend(found.rows(sql, after, limit - entries.len() as u64)?);
        table = if entries.len() as u64 == limit { None } else { found.next(sql)? };
    }
    Ok(EntryPage { entries, before, head, segment: None, kept_from })
}
