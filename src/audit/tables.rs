//! Where the entries lie inside the object: in tables, each with a run of them; and what was cut from these into the
//! bucket.
//!
//! *Stored*: `audit_v2_{first}`, a row for each entry from that number on: its text, its hash, and `size`, the bytes of
//! all texts of the table up to it. `audit_table_v1`, a row for each of these tables: its first number and the hash
//! before it. `audit_segment_v1`, a row for each segment that lies in the bucket.
//!
//! Why tables: a row that is deleted is billed as one that is written, with or without a WHERE (measured under workerd:
//! 9,999 for `DELETE … WHERE seq <= 9999`, 10,000 for `DELETE FROM t`), and `DROP TABLE` as none. A table of 10,000
//! entries costs 2 rows to make, 3 for what stands under the old name, 1 to note, 1 for the alarm, 1 for its segment and
//! 1 to forget: 0.0009 an entry.
//!
//! Before there were segments, all entries lay in one table `audit_v1`. It goes on under the name `audit_v2_1`, and the
//! old name stands for the last table, as a view that can be appended to: should the version before come back, it goes
//! on with the chain where it ends, and shows what is in that table.
//!
//! What always holds: the tables follow one another without a gap, and the last one is appended to, under its own name
//! and the old one; a table has an entry from its first moment on; a table is dropped in the transaction that notes the
//! last of its segments.

use super::calls::{Kept, Segment};
use super::chain::BEFORE_ALL;
use crate::backend::{BackendError, Sql, SqlRow, SqlValue};
use crate::mistakes::{Mistake, made};

/// What an object without entries has.
const SCHEMA: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS audit_table_v1 (first INTEGER PRIMARY KEY, before TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS audit_segment_v1 (first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
     before TEXT NOT NULL, hash TEXT NOT NULL, key TEXT NOT NULL)",
];

/// A table of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// The number of its first entry.
    pub(super) first: u64,
    /// The hash before that.
    pub(super) before: String,
}

/// The last entry of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Its number.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: String,
    /// The bytes of all texts of the table.
    pub(super) size: u64,
}

/// Makes what there is not yet, and takes over the table of before. Costs no written row if it was done.
///
/// # Errors
/// [`BackendError`] where the database failed; nothing has changed then.
pub fn open(sql: &impl Sql) -> Result<(), BackendError> {
    sql.transaction(&mut || {
        SCHEMA.iter().try_for_each(|statement| sql.run(statement, &[]).map(drop))?;
        let old = sql.run("SELECT 1 FROM sqlite_master WHERE name = 'audit_v1' AND type = 'table'", &[])?;
        if old.rows.is_empty() { Ok(()) } else { take_over(sql) }
    })
}

/// Makes the table of before the first one.
fn take_over(sql: &impl Sql) -> Result<(), BackendError> {
    if sql.run("SELECT 1 FROM audit_v1 LIMIT 1", &[])?.rows.is_empty() {
        return sql.run("DROP TABLE audit_v1", &[]).map(drop);
    }
    let table = Table { first: 1, before: BEFORE_ALL.into() };
    sql.run(&format!("ALTER TABLE audit_v1 RENAME TO {}", table.name()), &[])?;
    sql.run(&format!("ALTER TABLE {} ADD COLUMN size INTEGER NOT NULL DEFAULT 0", table.name()), &[])?;
    table.take_old_name(sql)?;
    table.note(sql)
}

impl Table {
    fn name(&self) -> String {
        format!("audit_v2_{}", self.first)
    }

    fn of(row: &SqlRow) -> Result<Self, BackendError> {
        Ok(Self { first: number(row, 0)?, before: text(row, 1)? })
    }

    fn note(&self, sql: &impl Sql) -> Result<(), BackendError> {
        let values = [SqlValue::number(self.first), SqlValue::text(&self.before)];
        sql.run("INSERT INTO audit_table_v1 (first, before) VALUES (?, ?)", &values).map(drop)
    }

    /// The last two, the last one first.
    pub(super) fn newest(sql: &impl Sql) -> Result<Vec<Self>, BackendError> {
        Self::list(sql, "ORDER BY first DESC LIMIT 2", &[])
    }

    /// The first two. Where there are two, the first one is appended to no more.
    pub(super) fn oldest(sql: &impl Sql) -> Result<Vec<Self>, BackendError> {
        Self::list(sql, "ORDER BY first LIMIT 2", &[])
    }

    /// The one that has this entry, or would have it.
    pub(super) fn holding(sql: &impl Sql, seq: u64) -> Result<Option<Self>, BackendError> {
        Ok(Self::list(sql, "WHERE first <= ? ORDER BY first DESC LIMIT 1", &[SqlValue::number(seq)])?.pop())
    }

    /// The next one.
    pub(super) fn next(&self, sql: &impl Sql) -> Result<Option<Self>, BackendError> {
        Ok(Self::list(sql, "WHERE first > ? ORDER BY first LIMIT 1", &[SqlValue::number(self.first)])?.pop())
    }

    fn list(sql: &impl Sql, which: &str, values: &[SqlValue]) -> Result<Vec<Self>, BackendError> {
        let answer = sql.run(&format!("SELECT first, before FROM audit_table_v1 {which}"), values)?;
        answer.rows.iter().map(Self::of).collect()
    }

    /// Makes it, for entries from its first number on. For inside of a transaction.
    pub(super) fn begin(&self, sql: &impl Sql) -> Result<(), BackendError> {
        let columns = "seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL, size INTEGER NOT NULL";
        sql.run(&format!("CREATE TABLE {} ({columns})", self.name()), &[])?;
        self.take_old_name(sql)?;
        self.note(sql)
    }

    /// Has the version before find this table under the name that it knows.
    fn take_old_name(&self, sql: &impl Sql) -> Result<(), BackendError> {
        let name = self.name();
        // The trigger goes with its view.
        sql.run("DROP VIEW IF EXISTS audit_v1", &[])?;
        sql.run(&format!("CREATE VIEW audit_v1 AS SELECT seq, entry, hash FROM {name}"), &[])?;
        let size = format!("coalesce((SELECT size FROM {name} ORDER BY seq DESC LIMIT 1), 0)");
        let statement = format!(
            "CREATE TRIGGER audit_append_v1 INSTEAD OF INSERT ON audit_v1 BEGIN
                INSERT INTO {name} (seq, entry, hash, size)
                    VALUES (NEW.seq, NEW.entry, NEW.hash, {size} + length(CAST(NEW.entry AS BLOB)));
            END"
        );
        sql.run(&statement, &[]).map(drop)
    }

    /// Its last entry.
    pub(super) fn end(&self, sql: &impl Sql) -> Result<End, BackendError> {
        let answer = sql.run(&format!("SELECT seq, hash, size FROM {} ORDER BY seq DESC LIMIT 1", self.name()), &[])?;
        let row = answer.rows.first().ok_or_else(broken)?;
        Ok(End { seq: number(row, 0)?, hash: text(row, 1)?, size: number(row, 2)? })
    }

    /// Appends an entry.
    pub(super) fn insert(&self, sql: &impl Sql, kept: &Kept, size: u64) -> Result<(), BackendError> {
        let Kept { seq, entry, hash } = kept;
        let values = [SqlValue::number(*seq), SqlValue::text(entry), SqlValue::text(hash), SqlValue::number(size)];
        let statement = format!("INSERT INTO {} (seq, entry, hash, size) VALUES (?, ?, ?, ?)", self.name());
        sql.run(&statement, &values).map(drop)
    }

    /// Its entries behind this one, at most so many.
    pub(super) fn rows(&self, sql: &impl Sql, after: u64, limit: u64) -> Result<Vec<Kept>, BackendError> {
        let statement = format!("SELECT seq, entry, hash FROM {} WHERE seq > ? ORDER BY seq LIMIT ?", self.name());
        let answer = sql.run(&statement, &[SqlValue::number(after), SqlValue::number(limit)])?;
        let kept = |row: &SqlRow| Ok(Kept { seq: number(row, 0)?, entry: text(row, 1)?, hash: text(row, 2)? });
        answer.rows.iter().map(kept).collect()
    }

    /// The hash of its last entry up to this number; that before the table where it has none.
    pub(super) fn hash_at(&self, sql: &impl Sql, seq: u64) -> Result<String, BackendError> {
        let statement = format!("SELECT hash FROM {} WHERE seq <= ? ORDER BY seq DESC LIMIT 1", self.name());
        let answer = sql.run(&statement, &[SqlValue::number(seq)])?;
        answer.rows.first().map_or_else(|| Ok(self.before.clone()), |row| text(row, 0))
    }

    /// Removes it with all of its entries. For inside of a transaction.
    pub(super) fn remove(&self, sql: &impl Sql) -> Result<(), BackendError> {
        sql.run(&format!("DROP TABLE {}", self.name()), &[])?;
        sql.run("DELETE FROM audit_table_v1 WHERE first = ?", &[SqlValue::number(self.first)]).map(drop)
    }
}

/// The last segment.
pub(super) fn last_segment(sql: &impl Sql) -> Result<Option<Segment>, BackendError> {
    segment(sql, "ORDER BY first DESC LIMIT 1", &[])
}

/// The segment that has this entry, if any has.
pub(super) fn segment_of(sql: &impl Sql, seq: u64) -> Result<Option<Segment>, BackendError> {
    let found = segment(sql, "WHERE first <= ? ORDER BY first DESC LIMIT 1", &[SqlValue::number(seq)])?;
    Ok(found.filter(|segment| seq <= segment.last))
}

fn segment(sql: &impl Sql, which: &str, values: &[SqlValue]) -> Result<Option<Segment>, BackendError> {
    let answer = sql.run(&format!("SELECT first, last, before, hash, key FROM audit_segment_v1 {which}"), values)?;
    let read = |row: &SqlRow| {
        let (first, last) = (number(row, 0)?, number(row, 1)?);
        Ok(Segment { first, last, before: text(row, 2)?, hash: text(row, 3)?, key: text(row, 4)? })
    };
    answer.rows.first().map(read).transpose()
}

/// Notes a segment that lies in the bucket. For inside of a transaction.
pub(super) fn note_segment(sql: &impl Sql, segment: &Segment) -> Result<(), BackendError> {
    if made(Mistake::DropSegmentRow) {
        return Ok(());
    }
    let Segment { first, last, before, hash, key } = segment;
    let values = [
        SqlValue::number(*first),
        SqlValue::number(*last),
        SqlValue::text(before),
        SqlValue::text(hash),
        SqlValue::text(key),
    ];
    sql.run("INSERT INTO audit_segment_v1 (first, last, before, hash, key) VALUES (?, ?, ?, ?, ?)", &values).map(drop)
}

fn number(row: &SqlRow, column: usize) -> Result<u64, BackendError> {
    let number = row.get(column).and_then(SqlValue::as_integer).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(broken)
}

fn text(row: &SqlRow, column: usize) -> Result<String, BackendError> {
    row.get(column).and_then(SqlValue::as_text).map(Into::into).ok_or_else(broken)
}

/// What the database holds is not what was written.
pub(super) fn broken() -> BackendError {
    BackendError::new("reading the audit log", "a row is damaged")
}
