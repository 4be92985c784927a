//! The entries, each with a hash over itself and the hash before it.
//!
//! A hash is the SHA-256 of the hash before it in hexadecimal digits, a line feed and the entry's text; before the
//! first one stand 64 zeroes. Whoever keeps a hash can tell later that nothing up to it was changed, left out or put in.
//! `tables.rs` says where they lie.
//!
//! What always holds: numbers have no gap; an entry and its hash are one row, written by one statement; the first entry
//! of a table stands behind the last one of the table before, so that the chain goes on from table to table.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::calls::{Deed, Head, Kept, Page, Read};
use super::tables::{self, End, Table, broken};
use crate::backend::{BackendError, Sql, to_json};
use crate::limits::{AUDIT_PAGE, AUDIT_SEGMENT, AUDIT_SEGMENT_BYTES};
use crate::mistakes::{Mistake, made};
use crate::time::rfc3339;

/// Stands for the hash before the first entry.
pub(super) const BEFORE_ALL: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How much one table, and so one segment, may hold. It is full with the entry that reaches one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Entries.
    pub entries: u64,
    /// Bytes of their texts.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: AUDIT_SEGMENT, bytes: AUDIT_SEGMENT_BYTES }
    }
}

impl Bounds {
    /// Whether so much is full.
    pub(super) const fn are_reached(self, entries: u64, bytes: u64) -> bool {
        entries >= self.entries || bytes >= self.bytes
    }
}

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

/// An entry that was appended.
pub(super) struct Written {
    /// Its number.
    pub(super) seq: u64,
    /// A table before the last one waits to be brought to the bucket.
    pub(super) waits: bool,
}

/// Appends an entry. For inside of a transaction.
pub(super) fn append(
    sql: &impl Sql,
    bounds: Bounds,
    who: &str,
    deed: &Deed,
    now_ms: i64,
) -> Result<Written, BackendError> {
    let newest = Table::newest(sql)?;
    let open = newest.first();
    let End { seq: last, hash: before, size } = end(sql, open)?;
    let seq = last + 1;
    let entry =
        String::from_utf8(to_json(&Entry { v: 1, seq, at: rfc3339(now_ms), who, deed })).map_err(|_| broken())?;
    let kept = Kept { seq, hash: hash(&before, &entry), entry };
    let bytes = kept.entry.len() as u64;
    let waits = if let Some(open) = open.filter(|open| !bounds.are_reached(seq.saturating_sub(open.first), size)) {
        open.insert(sql, &kept, size + bytes)?;
        newest.len() > 1
    } else {
        begin(sql, &kept, before)?;
        open.is_some()
    };
    Ok(Written { seq, waits })
}

/// Begins a table with this entry.
fn begin(sql: &impl Sql, kept: &Kept, before: String) -> Result<(), BackendError> {
    let table = Table { first: kept.seq, before };
    table.begin(sql)?;
    if made(Mistake::BreakChainAtBorder) {
        let hash = hash(BEFORE_ALL, &kept.entry);
        return table.insert(sql, &Kept { hash, ..kept.clone() }, kept.entry.len() as u64);
    }
    table.insert(sql, kept, kept.entry.len() as u64)
}

/// The last entry of a table; what stands before the first entry where there is no table.
fn end(sql: &impl Sql, table: Option<&Table>) -> Result<End, BackendError> {
    table.map_or_else(|| Ok(End { seq: 0, hash: BEFORE_ALL.into(), size: 0 }), |table| table.end(sql))
}

/// A page of entries, or the segment that has them.
pub(super) fn read(sql: &impl Sql, ask: &Read) -> Result<Page, BackendError> {
    let End { seq, hash, .. } = end(sql, Table::newest(sql)?.first())?;
    let (head, after) = (Head { seq, hash }, ask.after.min(seq));
    let kept_from = Some(tables::last_segment(sql)?.map_or(1, |segment| segment.last + 1));
    if let Some(segment) = tables::segment_of(sql, after + 1)? {
        return Ok(Page { entries: vec![], before: segment.before.clone(), head, segment: Some(segment), kept_from });
    }
    let mut table = Table::holding(sql, after + 1)?;
    let before = table.as_ref().map_or_else(|| Ok(BEFORE_ALL.into()), |table| table.hash_at(sql, after))?;
    let (mut entries, limit) = (Vec::new(), ask.limit.min(AUDIT_PAGE));
    while let Some(found) = table {
        entries.extend(found.rows(sql, after, limit - entries.len() as u64)?);
        table = if entries.len() as u64 == limit { None } else { found.next(sql)? };
    }
    Ok(Page { entries, before, head, segment: None, kept_from })
}
