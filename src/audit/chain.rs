//! The entries, each with a hash over itself and the hash before it.
//!
//! A hash is the SHA-256 of the hash before it in hexadecimal digits, a line feed and the entry's text; before the
//! first one is the number of the chain in 64 digits, so that no chain passes for another. A kept hash proves later that no entry up to it was changed, removed or inserted.
//!
//! # Invariants
//! Numbers have no gap, and times never go back. An entry and its hash are in one row, written by one statement; entries that
//! are appended together share it. The first entry of a table follows the last one of the table before, so the chain
//! continues from table to table.

use serde::Serialize;

use super::calls::{AuditEvent, Denial, EntryPage, ReadEntries};
use super::costs::CostTable;
use super::entry::{ChainEntry, ChainHead, before_all, broken};
use super::facts::stored_chains;
use super::frame::EntryFrame;
use super::search::{EntryFilter, EntryScan};
use super::tables::{self, EntryTable, TableEnd};
use crate::access::ChainNumber;
use crate::backend::{BackendError, SqlDatabase, to_json};
use crate::limits::{AUDIT_PAGE, AUDIT_SCAN, AUDIT_SEGMENT, AUDIT_SEGMENT_BYTES};
use crate::time::rfc3339;

pub use super::entry::hash;

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
    /// `admitted` or `denied`.
    outcome: &'static str,
    #[serde(flatten)]
    denial: Option<&'a Denial>,
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

/// An entry to append: who did something, and why it was denied, if it was.
#[derive(Clone, Copy)]
pub(super) struct NewEntry<'a> {
    pub(super) actor: &'a str,
    pub(super) event: &'a AuditEvent,
    pub(super) denial: Option<&'a Denial>,
}

/// The end of the chain, while entries are appended. For inside of a transaction.
pub(super) struct ChainAppender<'a, S> {
    sql: &'a S,
    bounds: TableBounds,
    now_ms: i64,
    /// The table that is appended to; `None` in an empty log.
    table: Option<EntryTable>,
    /// Whether another table is before it.
    has_older: bool,
    /// Whether the table was made by this appender.
    has_begun: bool,
    /// The last entry of that table, those of `frame` included.
    end: TableEnd,
    /// Entries that are no row yet.
    frame: EntryFrame,
    /// Number of entries.
    entries: u64,
    /// Rows that are billed as written.
    rows: u64,
}

/// What was appended.
pub(super) struct AppendedEntries {
    /// A table before the last one waits to be brought to the bucket.
    pub(super) waits: bool,
    /// Number of entries.
    pub(super) entries: u64,
    /// Rows that are billed as written.
    pub(super) rows: u64,
}

impl<'a, S: SqlDatabase> ChainAppender<'a, S> {
    pub(super) fn open(sql: &'a S, chain: ChainNumber, bounds: TableBounds, now_ms: i64) -> Result<Self, BackendError> {
        let mut newest = EntryTable::newest(sql)?.into_iter();
        let (table, has_older) = (newest.next(), newest.next().is_some());
        let end = end(sql, chain, table.as_ref())?;
        let frame = EntryFrame::default();
        Ok(Self { sql, bounds, now_ms, table, has_older, has_begun: false, end, frame, entries: 0, rows: 0 })
    }

    /// Appends an entry, and returns its number. It is a row once the appender is closed.
    pub(super) fn push(&mut self, NewEntry { actor, event, denial }: NewEntry<'_>) -> Result<u64, BackendError> {
        let (seq, time) = (self.end.seq + 1, rfc3339(self.now_ms).max(self.end.time.clone()));
        let outcome = if denial.is_some() { "denied" } else { "admitted" };
        let hashed = HashedEntry { v: 1, seq, time: time.clone(), actor, event, outcome, denial };
        let entry = String::from_utf8(to_json(&hashed)).map_err(|_| broken())?;
        if self.begins_table(seq) {
            self.write_frame(None)?;
            (self.has_older, self.has_begun) = (self.table.is_some(), true);
            let (table, rows) = EntryTable::begin(self.sql, seq, &self.end.hash)?;
            (self.table, self.rows) = (Some(table), self.rows + rows);
            self.end.size = 0;
        } else if self.frame.is_full() {
            self.write_frame(None)?;
        }
        let kept = ChainEntry { seq, hash: hash(&self.end.hash, &entry), entry };
        self.frame.push(&kept);
        self.entries += 1;
        self.end = TableEnd { seq, hash: kept.hash, size: self.end.size + kept.entry.len() as u64, time };
        Ok(seq)
    }

    /// Whether the entry of this number is the first of another table.
    fn begins_table(&self, seq: u64) -> bool {
        let continues = |table: &EntryTable| {
            table.has_frames && !self.bounds.are_reached(seq.saturating_sub(table.first), self.end.size)
        };
        !self.table.as_ref().is_some_and(continues)
    }

    fn write_frame(&mut self, costs: Option<String>) -> Result<(), BackendError> {
        let frame = std::mem::take(&mut self.frame);
        if let Some(table) = self.table.as_ref().filter(|_| !frame.is_empty()) {
            self.rows += table.insert(self.sql, frame, &self.end, costs)?;
        }
        Ok(())
    }

    /// Writes what is no row yet, and what callers cost: with the last row, or in the one before it where this is overdue.
    pub(super) fn close(mut self, costs: &mut CostTable) -> Result<AppendedEntries, BackendError> {
        if !self.frame.is_empty() {
            self.write_frame(costs.take_row(self.has_begun))?;
        } else if let Some(table) = self.table.as_ref().filter(|table| table.has_frames && costs.is_overdue())
            && let Some(row) = costs.take_row(true)
        {
            self.rows += table.set_costs(self.sql, &self.end, &row)?;
        }
        Ok(AppendedEntries { waits: self.has_older, entries: self.entries, rows: self.rows })
    }
}

/// The last entry of a table; without a table, the state of an empty log.
fn end(sql: &impl SqlDatabase, chain: ChainNumber, table: Option<&EntryTable>) -> Result<TableEnd, BackendError> {
    let empty = || TableEnd { seq: 0, hash: before_all(chain), size: 0, time: String::new() };
    table.map_or_else(|| Ok(empty()), |table| table.end(sql))
}

/// A page of entries, or the segment that has them.
pub(super) fn read(sql: &impl SqlDatabase, chain: ChainNumber, ask: &ReadEntries) -> Result<EntryPage, BackendError> {
    let TableEnd { seq, hash, .. } = end(sql, chain, EntryTable::newest(sql)?.first())?;
    let (head, after) = (ChainHead { seq, hash }, ask.after.min(seq));
    let kept_from = tables::last_segment(sql)?.map_or(1, |segment| segment.last + 1);
    let segment = tables::segment_after(sql, after, ask.filter.start.as_deref().unwrap_or_default())?;
    let scan = match &segment {
        Some(segment) => EntryScan::after(segment.first - 1, &segment.before),
        None => scan_tables(sql, chain, ask, after.max(kept_from - 1))?,
    };
    Ok(EntryPage { scan, head, segment, kept_from, chains: stored_chains(sql)? })
}

/// Looks at the entries of the tables after this number, until a page is full or [`AUDIT_SCAN`] entries were looked at.
fn scan_tables(
    sql: &impl SqlDatabase,
    chain: ChainNumber,
    ask: &ReadEntries,
    after: u64,
) -> Result<EntryScan, BackendError> {
    let mut table = EntryTable::holding(sql, after + 1)?;
    let before = table.as_ref().map_or_else(|| Ok(before_all(chain)), |table| table.hash_at(sql, after))?;
    let (mut scan, limit) = (EntryScan::after(after, &before), ask.limit.min(AUDIT_PAGE));
    let is_done = |scan: &EntryScan| scan.is_full(limit) || scan.last.seq.saturating_sub(after) >= AUDIT_SCAN;
    while let Some(found) = &table {
        if is_done(&scan) {
            break;
        }
        let has_filter = ask.filter != EntryFilter::default();
        let most = if has_filter { AUDIT_PAGE } else { limit.saturating_sub(scan.entries.len() as u64) };
        let rows = found.rows(sql, scan.last.seq, most)?;
        table = if rows.is_empty() { found.next(sql)? } else { table };
        for kept in rows {
            if is_done(&scan) {
                break;
            }
            scan.take(&ask.filter, kept);
        }
    }
    Ok(scan)
}
