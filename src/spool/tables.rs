//! The tables of an object of the durable buffer.
//!
//! *Stored*: `spool_meta_v1`, one row with the object's ID, the number of the last row, the bytes that are held and the sums of
//! all isolates' numbers. `spool_isolate_v1`, a row for each isolate: the greatest number that it has handed over, those below it
//! that may still come, its numbers. `spool_row_v1`, a row for each batch that is held. `spool_sink_v1`, a row for each sink: the
//! number of the row up to which rows are chosen, its numbers, and the batch that is being brought to it.
//!
//! A batch that is handed over costs three written rows, its removal one.

use serde::de::DeserializeOwned;

use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue, to_json};
use crate::edge::{EdgeCounts, SinkCounts};
use crate::rpc::ObjectSchema;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS spool_meta_v1 (id INTEGER PRIMARY KEY, spool TEXT NOT NULL, last_row INTEGER NOT NULL,
     bytes INTEGER NOT NULL, pending INTEGER NOT NULL, counts TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS spool_isolate_v1 (isolate TEXT PRIMARY KEY, upto INTEGER NOT NULL, missing TEXT NOT NULL,
     counts TEXT NOT NULL, seen_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS spool_row_v1 (id INTEGER PRIMARY KEY, lines INTEGER NOT NULL, text_bytes INTEGER NOT NULL,
     size INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, taken_ms INTEGER NOT NULL, since TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS spool_sink_v1 (sink TEXT PRIMARY KEY, done INTEGER NOT NULL, shipped INTEGER NOT NULL,
     counts TEXT NOT NULL, owed TEXT NOT NULL, shipment TEXT, attempts INTEGER NOT NULL, due_ms INTEGER NOT NULL) WITHOUT ROWID",
];

/// What an object of the durable buffer stores.
pub const OBJECT: ObjectSchema = ObjectSchema {
    kind: "object of the durable buffer",
    version: 1,
    readable_from: 1,
    first_table: "spool_meta_v1",
    statements: &[&SCHEMA],
    migrations: &[],
};

/// Creates the tables that do not exist yet. `id` is the object's ID if it has none.
///
/// # Errors
/// [`BackendError`] where the database failed.
pub fn open(sql: &impl SqlDatabase, id: &str) -> Result<(), BackendError> {
    OBJECT.make(sql)?;
    let counts = json(&EdgeCounts::default());
    sql.run("INSERT OR IGNORE INTO spool_meta_v1 VALUES (1, ?, 0, 0, 0, ?)", &[SqlValue::text(id), counts]).map(drop)
}

/// What the object knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpoolMeta {
    /// Its ID, the isolate of its batches.
    pub(super) id: String,
    /// The number of the last row.
    pub(super) last_row: u64,
    /// Number of bytes of all rows.
    pub(super) bytes: u64,
    /// Number of bytes of lines that came since a batch was closed.
    pub(super) pending: u64,
    /// The sums of the numbers of all isolates.
    pub(super) counts: EdgeCounts,
}

impl SpoolMeta {
    pub(super) fn read(sql: &impl SqlDatabase) -> Result<Self, BackendError> {
        let answer = sql.run("SELECT spool, last_row, bytes, pending, counts FROM spool_meta_v1 WHERE id = 1", &[])?;
        let row = answer.rows.first().ok_or_else(broken)?;
        Ok(Self {
            id: text(row, 0)?,
            last_row: number(row, 1)?,
            bytes: number(row, 2)?,
            pending: number(row, 3)?,
            counts: value(row, 4)?,
        })
    }

    pub(super) fn write(&self, sql: &impl SqlDatabase) -> Result<(), BackendError> {
        let statement = "UPDATE spool_meta_v1 SET last_row = ?, bytes = ?, pending = ?, counts = ? WHERE id = 1";
        let numbers = [self.last_row, self.bytes, self.pending].map(SqlValue::number);
        sql.run(statement, &[&numbers[..], &[json(&self.counts)]].concat()).map(drop)
    }
}

/// What the object knows of an isolate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KnownIsolate {
    /// The greatest number of its batches that came.
    pub(super) upto: u64,
    /// The numbers below it that have not come, and may.
    pub(super) missing: Vec<u64>,
    /// Its numbers in the batch with the greatest number.
    pub(super) counts: EdgeCounts,
}

impl KnownIsolate {
    pub(super) fn read(sql: &impl SqlDatabase, isolate: &str) -> Result<Self, BackendError> {
        let statement = "SELECT upto, missing, counts FROM spool_isolate_v1 WHERE isolate = ?";
        let answer = sql.run(statement, &[SqlValue::text(isolate)])?;
        let Some(row) = answer.rows.first() else { return Ok(Self::default()) };
        Ok(Self { upto: number(row, 0)?, missing: value(row, 1)?, counts: value(row, 2)? })
    }

    pub(super) fn write(&self, sql: &impl SqlDatabase, isolate: &str, now_ms: i64) -> Result<(), BackendError> {
        let values = [
            SqlValue::text(isolate),
            SqlValue::number(self.upto),
            json(&self.missing),
            json(&self.counts),
            SqlValue::Integer(now_ms),
        ];
        sql.run("INSERT OR REPLACE INTO spool_isolate_v1 VALUES (?, ?, ?, ?, ?)", &values).map(drop)
    }

    /// Forgets the isolates that have handed nothing over since an instant.
    pub(super) fn forget_before(sql: &impl SqlDatabase, seen_ms: i64) -> Result<(), BackendError> {
        sql.run("DELETE FROM spool_isolate_v1 WHERE seen_ms < ?", &[SqlValue::Integer(seen_ms)]).map(drop)
    }
}

/// A batch that is held, without its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldRow {
    pub(super) id: u64,
    pub(super) lines: u64,
    pub(super) text_bytes: u64,
    pub(super) size: u64,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) taken_ms: i64,
    /// The numbers of its isolate that it adds to those before it.
    pub(super) since: EdgeCounts,
}

impl HeldRow {
    pub(super) fn insert(&self, sql: &impl SqlDatabase, body: Vec<u8>) -> Result<(), BackendError> {
        let Self { id, lines, text_bytes, size, start_ms, end_ms, taken_ms, since } = *self;
        let numbers = [id, lines, text_bytes, size].map(SqlValue::number);
        let times = [start_ms, end_ms, taken_ms].map(SqlValue::Integer);
        let values = [&numbers[..], &times[..], &[json(&since), SqlValue::Blob(body)]].concat();
        sql.run("INSERT INTO spool_row_v1 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", &values).map(drop)
    }

    /// Returns at most `limit` rows after this number, in their order.
    pub(super) fn after(sql: &impl SqlDatabase, id: u64, limit: u64) -> Result<Vec<Self>, BackendError> {
        let statement =
            "SELECT id, lines, text_bytes, size, start_ms, end_ms, taken_ms, since FROM spool_row_v1 WHERE id > ?
             ORDER BY id LIMIT ?";
        let answer = sql.run(statement, &[SqlValue::number(id), SqlValue::number(limit)])?;
        let read = |row: &SqlRow| {
            Ok(Self {
                id: number(row, 0)?,
                lines: number(row, 1)?,
                text_bytes: number(row, 2)?,
                size: number(row, 3)?,
                start_ms: integer(row, 4)?,
                end_ms: integer(row, 5)?,
                taken_ms: integer(row, 6)?,
                since: value(row, 7)?,
            })
        };
        answer.rows.iter().map(read).collect()
    }

    /// Returns the number of lines in the rows after this number.
    pub(super) fn lines_after(sql: &impl SqlDatabase, id: u64) -> Result<u64, BackendError> {
        let statement = "SELECT ifnull(sum(lines), 0) FROM spool_row_v1 WHERE id > ?";
        let answer = sql.run(statement, &[SqlValue::number(id)])?;
        number(answer.rows.first().ok_or_else(broken)?, 0)
    }

    /// Returns the lines of the rows with these numbers in gzip, each with the number of its bytes.
    pub(super) fn bodies(sql: &impl SqlDatabase, first: u64, last: u64) -> Result<Vec<(usize, Vec<u8>)>, BackendError> {
        let statement = "SELECT text_bytes, body FROM spool_row_v1 WHERE id BETWEEN ? AND ? ORDER BY id";
        let answer = sql.run(statement, &[SqlValue::number(first), SqlValue::number(last)])?;
        let read = |row: SqlRow| {
            let size = usize::try_from(number(&row, 0)?).map_err(|_| broken())?;
            match row.into_iter().nth(1) {
                Some(SqlValue::Blob(body)) => Ok((size, body)),
                _ => Err(broken()),
            }
        };
        answer.rows.into_iter().map(read).collect()
    }

    /// Removes a range of rows; returns the number of their bytes.
    pub(super) fn remove(sql: &impl SqlDatabase, first: u64, last: u64) -> Result<u64, BackendError> {
        let values = [SqlValue::number(first), SqlValue::number(last)];
        let answer = sql.run("SELECT ifnull(sum(size), 0) FROM spool_row_v1 WHERE id BETWEEN ? AND ?", &values)?;
        let bytes = number(answer.rows.first().ok_or_else(broken)?, 0)?;
        if bytes > 0 {
            sql.run("DELETE FROM spool_row_v1 WHERE id BETWEEN ? AND ?", &values)?;
        }
        Ok(bytes)
    }
}

/// What the object knows of a sink. `S` is the batch that is being brought to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownSink<S> {
    pub(super) name: String,
    /// Rows up to this number are in a batch of the sink, or were dropped.
    pub(super) done: u64,
    /// Number of its batches.
    pub(super) shipped: u64,
    /// Its numbers; what waits is not counted here.
    pub(super) counts: SinkCounts,
    /// The numbers of dropped lines that none of its batches carries; the next one does.
    pub(super) owed: EdgeCounts,
    /// The batch that is being brought to it.
    pub(super) shipment: Option<S>,
    /// Number of attempts to bring it that failed.
    pub(super) attempts: u32,
    /// When it is due.
    pub(super) due_ms: i64,
}

impl<S: DeserializeOwned + serde::Serialize> KnownSink<S> {
    /// Makes a sink known that gets rows after this number.
    pub(super) fn insert_new(sql: &impl SqlDatabase, name: &str, done: u64) -> Result<(), BackendError> {
        let [counts, owed] = [json(&SinkCounts::default()), json(&EdgeCounts::default())];
        let values = [SqlValue::text(name), SqlValue::number(done), counts, owed];
        sql.run("INSERT OR IGNORE INTO spool_sink_v1 VALUES (?, ?, 0, ?, ?, NULL, 0, 0)", &values).map(drop)
    }

    /// Returns the known ones among these.
    pub(super) fn list(sql: &impl SqlDatabase, names: &[&str]) -> Result<Vec<Self>, BackendError> {
        let statement =
            "SELECT sink, done, shipped, counts, owed, shipment, attempts, due_ms FROM spool_sink_v1 ORDER BY sink";
        let rows = sql.run(statement, &[])?.rows;
        let sinks: Result<Vec<Self>, BackendError> = rows.iter().map(Self::from_row).collect();
        Ok(sinks?.into_iter().filter(|sink| names.contains(&sink.name.as_str())).collect())
    }

    fn from_row(row: &SqlRow) -> Result<Self, BackendError> {
        let shipment = match row.get(5) {
            Some(SqlValue::Null) => None,
            _ => Some(value(row, 5)?),
        };
        Ok(Self {
            name: text(row, 0)?,
            done: number(row, 1)?,
            shipped: number(row, 2)?,
            counts: value(row, 3)?,
            owed: value(row, 4)?,
            shipment,
            attempts: u32::try_from(number(row, 6)?).unwrap_or(u32::MAX),
            due_ms: integer(row, 7)?,
        })
    }

    pub(super) fn write(&self, sql: &impl SqlDatabase) -> Result<(), BackendError> {
        let statement =
            "UPDATE spool_sink_v1 SET done = ?, shipped = ?, counts = ?, owed = ?, shipment = ?, attempts = ?, due_ms = ?
             WHERE sink = ?";
        let values = [
            SqlValue::number(self.done),
            SqlValue::number(self.shipped),
            json(&self.counts),
            json(&self.owed),
            self.shipment.as_ref().map_or(SqlValue::Null, json),
            SqlValue::number(self.attempts),
            SqlValue::Integer(self.due_ms),
            SqlValue::text(&self.name),
        ];
        sql.run(statement, &values).map(drop)
    }
}

fn json(value: &impl serde::Serialize) -> SqlValue {
    SqlValue::text(String::from_utf8_lossy(&to_json(value)))
}

fn integer(row: &SqlRow, column: usize) -> Result<i64, BackendError> {
    row.get(column).and_then(SqlValue::as_integer).ok_or_else(broken)
}

fn number(row: &SqlRow, column: usize) -> Result<u64, BackendError> {
    u64::try_from(integer(row, column)?).map_err(|_| broken())
}

fn text(row: &SqlRow, column: usize) -> Result<String, BackendError> {
    row.get(column).and_then(SqlValue::as_text).map(str::to_owned).ok_or_else(broken)
}

fn value<T: DeserializeOwned>(row: &SqlRow, column: usize) -> Result<T, BackendError> {
    let text = row.get(column).and_then(SqlValue::as_text).ok_or_else(broken)?;
    serde_json::from_str(text).map_err(|_| broken())
}

/// The error of rows that are not in the form of this file.
pub(super) fn broken() -> BackendError {
    BackendError::new("reading the durable buffer", "a row is damaged")
}
