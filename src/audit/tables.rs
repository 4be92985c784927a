//! The tables of the audit log's object: its newest entries, a table for each run of them, and the list of the segments
//! that were moved to the bucket.
//!
//! *Stored*: `audit_frame_v1_{first}`, a row for each frame (`frame.rs`) of entries from that number on: the number, the hash
//! and the time of its last entry, `size`, the bytes of all texts of the table up to it, and its lines.
//! `costs` has what callers cost (`costs.rs`); tables that are older than it lack the column until they are appended to.
//! `audit_frame_table_v1`, a row for each of these tables: its first number and the hash before it. `audit_segment_v1`, a row
//! for each segment in the bucket.
//!
//! *Read, and no longer written*: `audit_entry_v1_{first}`, a row for each entry: its text, its hash and `size`; and
//! `audit_table_v1`, the list of these tables. The first entry after such a table begins one of frames.
//!
//! Why tables: a deleted row is billed as a written one, with or without a WHERE (measured under workerd: 9,999 for
//! `DELETE … WHERE seq <= 9999`, 10,000 for `DELETE FROM t`), and `DROP TABLE` as none. A table of 10,000 entries costs
//! 2 rows to create, 1 to list, 1 for the alarm, 1 for its segment and 1 to remove: 0.0006 an entry.
//!
//! # Invariants
//! The tables follow one another without a gap, and only the last one is appended to. A table has an entry from its
//! first moment on. A table is dropped in the transaction that records the last of its segments. Where a table ends depends
//! on its entries, and not on how they were joined to frames.

use super::calls::AuditSegment;
use super::entry::{ChainEntry, broken};
use super::frame::{EntryFrame, entries_of};
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::limits::{AUDIT_FRAMES_READ, AUDIT_SEGMENT, COST_ROWS};
use crate::rpc::ObjectSchema;

/// The tables of an object without entries.
const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS audit_table_v1 (first INTEGER PRIMARY KEY, before TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS audit_frame_table_v1 (first INTEGER PRIMARY KEY, before TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS audit_segment_v1 (first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
     before TEXT NOT NULL, hash TEXT NOT NULL, last_time TEXT NOT NULL, key TEXT NOT NULL)",
];

/// What the object of a chain stores. `audit_fact_v1` and the tables of entries are made where they are written first.
pub const OBJECT: ObjectSchema = ObjectSchema {
    kind: "audit log",
    version: 1,
    readable_from: 1,
    // An object of the former form has this one, and not yet those of frames.
    first_table: "audit_segment_v1",
    statements: &[&SCHEMA],
    migrations: &[],
};

/// All tables with entries, those of both forms.
const LISTED: &str = "SELECT first, before, 0 AS has_frames FROM audit_table_v1
    UNION ALL SELECT first, before, 1 AS has_frames FROM audit_frame_table_v1";

/// A table with a run of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryTable {
    /// The number of its first entry.
    pub(super) first: u64,
    /// The hash before its first entry.
    pub(super) before: String,
    /// Whether a row is a frame, and not an entry.
    pub(super) has_frames: bool,
}

/// The last entry of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableEnd {
    /// The number of the entry.
    pub(super) seq: u64,
    /// The hash of the entry.
    pub(super) hash: String,
    /// The bytes of all texts of the table.
    pub(super) size: u64,
    /// The time of the entry, as its text says it.
    pub(super) time: String,
}

/// Creates the tables that do not exist yet; costs no written row where all do.
///
/// # Errors
/// [`BackendError`] where the database failed.
pub fn open(sql: &impl SqlDatabase) -> Result<(), BackendError> {
    OBJECT.make(sql)
}

impl EntryTable {
    fn name(&self) -> String {
        let form = if self.has_frames { "audit_frame_v1" } else { "audit_entry_v1" };
        format!("{form}_{}", self.first)
    }

    /// The table that lists this one.
    const fn list_name(&self) -> &'static str {
        if self.has_frames { "audit_frame_table_v1" } else { "audit_table_v1" }
    }

    fn from_row(row: &SqlRow) -> Result<Self, BackendError> {
        Ok(Self { first: number(row, 0)?, before: text(row, 1)?, has_frames: number(row, 2)? == 1 })
    }

    /// The last two, the last one first.
    pub(super) fn newest(sql: &impl SqlDatabase) -> Result<Vec<Self>, BackendError> {
        Self::list(sql, "ORDER BY first DESC LIMIT 2", &[])
    }

    /// The first two. Where there are two, the first one is appended to no more.
    pub(super) fn oldest(sql: &impl SqlDatabase) -> Result<Vec<Self>, BackendError> {
        Self::list(sql, "ORDER BY first LIMIT 2", &[])
    }

    /// The one that has this entry, or would have it.
    pub(super) fn holding(sql: &impl SqlDatabase, seq: u64) -> Result<Option<Self>, BackendError> {
        Ok(Self::list(sql, "WHERE first <= ? ORDER BY first DESC LIMIT 1", &[SqlValue::number(seq)])?.pop())
    }

    /// The table that follows this one.
    pub(super) fn next(&self, sql: &impl SqlDatabase) -> Result<Option<Self>, BackendError> {
        Ok(Self::list(sql, "WHERE first > ? ORDER BY first LIMIT 1", &[SqlValue::number(self.first)])?.pop())
    }

    fn list(sql: &impl SqlDatabase, which: &str, values: &[SqlValue]) -> Result<Vec<Self>, BackendError> {
        let answer = sql.run(&format!("SELECT first, before, has_frames FROM ({LISTED}) {which}"), values)?;
        answer.rows.iter().map(Self::from_row).collect()
    }

    /// Makes a table of frames, for entries from this number on; returns the rows that this wrote, too. For inside of a
    /// transaction.
    pub(super) fn begin(sql: &impl SqlDatabase, first: u64, before: &str) -> Result<(Self, u64), BackendError> {
        let table = Self { first, before: before.to_owned(), has_frames: true };
        let columns = "last INTEGER PRIMARY KEY, hash TEXT NOT NULL, time TEXT NOT NULL, size INTEGER NOT NULL,
            costs TEXT, lines TEXT NOT NULL";
        let made = sql.run(&format!("CREATE TABLE {} ({columns})", table.name()), &[])?;
        let values = [SqlValue::number(first), SqlValue::text(before)];
        let listed = sql.run(&format!("INSERT INTO {} (first, before) VALUES (?, ?)", table.list_name()), &values)?;
        Ok((table, made.rows_written + listed.rows_written))
    }

    /// The last entry of this table.
    pub(super) fn end(&self, sql: &impl SqlDatabase) -> Result<TableEnd, BackendError> {
        let columns = if self.has_frames {
            "last, hash, size, time"
        } else {
            // The time is the first text of an entry, so that no other member is found in its place.
            "seq AS last, hash, size, substr(entry, instr(entry, '\"time\":\"') + 8, 24)"
        };
        let answer = sql.run(&format!("SELECT {columns} FROM {} ORDER BY last DESC LIMIT 1", self.name()), &[])?;
        let row = answer.rows.first().ok_or_else(broken)?;
        Ok(TableEnd { seq: number(row, 0)?, hash: text(row, 1)?, size: number(row, 2)?, time: text(row, 3)? })
    }

    /// Whether its rows have costs. Those of tables that are older than costs have none.
    fn has_costs(&self, sql: &impl SqlDatabase) -> Result<bool, BackendError> {
        let columns = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?";
        let found = sql.run(columns, &[SqlValue::text(self.name())])?;
        let text = found.rows.first().map(|row| text(row, 0)).transpose()?;
        Ok(self.has_frames && text.is_some_and(|text| text.contains("costs TEXT")))
    }

    /// Gives its rows costs, if they have none yet. For a table that is appended to.
    pub(super) fn ensure_costs(&self, sql: &impl SqlDatabase) -> Result<(), BackendError> {
        if self.has_frames && !self.has_costs(sql)? {
            sql.run(&format!("ALTER TABLE {} ADD COLUMN costs TEXT", self.name()), &[])?;
        }
        Ok(())
    }

    /// The costs of its last rows, the last one first.
    pub(super) fn cost_rows(&self, sql: &impl SqlDatabase) -> Result<Vec<String>, BackendError> {
        if !self.has_costs(sql)? {
            return Ok(Vec::new());
        }
        let which = "WHERE costs IS NOT NULL ORDER BY last DESC LIMIT ?";
        let statement = format!("SELECT costs FROM {} {which}", self.name());
        let answer = sql.run(&statement, &[SqlValue::number(COST_ROWS + 1)])?;
        answer.rows.iter().map(|row| text(row, 0)).collect()
    }

    /// Writes the costs of its last row anew.
    pub(super) fn set_costs(&self, sql: &impl SqlDatabase, end: &TableEnd, costs: &str) -> Result<u64, BackendError> {
        let statement = format!("UPDATE {} SET costs = ? WHERE last = ?", self.name());
        sql.run(&statement, &[SqlValue::text(costs), SqlValue::number(end.seq)]).map(|answer| answer.rows_written)
    }

    /// Appends a frame, with the end of the table that it makes and what callers cost; returns the rows that this wrote.
    pub(super) fn insert(
        &self,
        sql: &impl SqlDatabase,
        frame: EntryFrame,
        end: &TableEnd,
        costs: Option<String>,
    ) -> Result<u64, BackendError> {
        let TableEnd { seq, hash, size, time } = end;
        let (seq, size) = (SqlValue::number(*seq), SqlValue::number(*size));
        let costs = costs.map_or(SqlValue::Null, SqlValue::Text);
        let lines = SqlValue::Text(frame.into_lines()?);
        let values = [seq, SqlValue::text(hash), SqlValue::text(time), size, costs, lines];
        let columns = "last, hash, time, size, costs, lines";
        let statement = format!("INSERT INTO {} ({columns}) VALUES (?, ?, ?, ?, ?, ?)", self.name());
        sql.run(&statement, &values).map(|answer| answer.rows_written)
    }

    /// Some of its entries after the number `after`: none only if there are none. A table without frames has at most `limit`
    /// of them.
    pub(super) fn rows(&self, sql: &impl SqlDatabase, after: u64, limit: u64) -> Result<Vec<ChainEntry>, BackendError> {
        if self.has_frames {
            return self.entries_of_frames(sql, after, AUDIT_FRAMES_READ);
        }
        let statement = format!("SELECT seq, entry, hash FROM {} WHERE seq > ? ORDER BY seq LIMIT ?", self.name());
        let answer = sql.run(&statement, &[SqlValue::number(after), SqlValue::number(limit)])?;
        let kept = |row: &SqlRow| Ok(ChainEntry { seq: number(row, 0)?, entry: text(row, 1)?, hash: text(row, 2)? });
        answer.rows.iter().map(kept).collect()
    }

    /// The entries after the number `after` of this number of frames.
    fn entries_of_frames(
        &self,
        sql: &impl SqlDatabase,
        after: u64,
        frames: u64,
    ) -> Result<Vec<ChainEntry>, BackendError> {
        let statement = format!("SELECT lines FROM {} WHERE last > ? ORDER BY last LIMIT ?", self.name());
        let answer = sql.run(&statement, &[SqlValue::number(after), SqlValue::number(frames)])?;
        let mut found = Vec::new();
        for row in &answer.rows {
            for kept in entries_of(&text(row, 0)?) {
                found.extend(Some(kept?).filter(|kept| kept.seq > after));
            }
        }
        Ok(found)
    }

    /// The hash of its last entry up to this number; that before the table where it has none.
    pub(super) fn hash_at(&self, sql: &impl SqlDatabase, seq: u64) -> Result<String, BackendError> {
        if seq < self.first {
            return Ok(self.before.clone());
        }
        if self.has_frames
            && let Some(kept) = self.entries_of_frames(sql, seq - 1, 1)?.into_iter().next()
        {
            return Ok(kept.hash);
        }
        let number = if self.has_frames { "last" } else { "seq" };
        let statement = format!("SELECT hash FROM {} WHERE {number} <= ? ORDER BY {number} DESC LIMIT 1", self.name());
        let answer = sql.run(&statement, &[SqlValue::number(seq)])?;
        answer.rows.first().map_or_else(|| Ok(self.before.clone()), |row| text(row, 0))
    }

    /// Removes it with all of its entries. For inside of a transaction.
    pub(super) fn remove(&self, sql: &impl SqlDatabase) -> Result<(), BackendError> {
        sql.run(&format!("DROP TABLE {}", self.name()), &[])?;
        let statement = format!("DELETE FROM {} WHERE first = ?", self.list_name());
        sql.run(&statement, &[SqlValue::number(self.first)]).map(drop)
    }
}

/// The segment that was archived last.
pub(super) fn last_segment(sql: &impl SqlDatabase) -> Result<Option<AuditSegment>, BackendError> {
    segment(sql, "ORDER BY first DESC LIMIT 1", &[])
}

/// The first segment with an entry after this number and not before this time, if any has one.
pub(super) fn segment_after(
    sql: &impl SqlDatabase,
    after: u64,
    start: &str,
) -> Result<Option<AuditSegment>, BackendError> {
    // No segment is longer, so that the rows before need not be read.
    let first = SqlValue::number(after.saturating_sub(AUDIT_SEGMENT));
    let values = [first, SqlValue::number(after), SqlValue::text(start)];
    segment(sql, "WHERE first > ? AND last > ? AND last_time >= ? ORDER BY first LIMIT 1", &values)
}

fn segment(sql: &impl SqlDatabase, which: &str, values: &[SqlValue]) -> Result<Option<AuditSegment>, BackendError> {
    let statement = format!("SELECT first, last, before, hash, last_time, key FROM audit_segment_v1 {which}");
    let read = |row: &SqlRow| {
        let (first, last, before) = (number(row, 0)?, number(row, 1)?, text(row, 2)?);
        Ok(AuditSegment { first, last, before, hash: text(row, 3)?, last_time: text(row, 4)?, key: text(row, 5)? })
    };
    sql.run(&statement, values)?.rows.first().map(read).transpose()
}

/// Records a segment that the bucket has. Must run inside a transaction.
pub(super) fn note_segment(sql: &impl SqlDatabase, segment: &AuditSegment) -> Result<(), BackendError> {
    let AuditSegment { first, last, before, hash, last_time, key } = segment;
    let values = [
        SqlValue::number(*first),
        SqlValue::number(*last),
        SqlValue::text(before),
        SqlValue::text(hash),
        SqlValue::text(last_time),
        SqlValue::text(key),
    ];
    let columns = "first, last, before, hash, last_time, key";
    sql.run(&format!("INSERT INTO audit_segment_v1 ({columns}) VALUES (?, ?, ?, ?, ?, ?)"), &values).map(drop)
}

fn number(row: &SqlRow, column: usize) -> Result<u64, BackendError> {
    let number = row.get(column).and_then(SqlValue::as_integer).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(broken)
}

fn text(row: &SqlRow, column: usize) -> Result<String, BackendError> {
    row.get(column).and_then(SqlValue::as_text).map(Into::into).ok_or_else(broken)
}
