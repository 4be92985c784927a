//! The SQLite database of one object, as the platform has it.
//!
//! It accuses as the platform would: integers are bound as REAL, those of more than 53 bits, BLOBs and texts of
//! more than 2 MB and more than 100 parameters are refused.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use raydex::backend::{BackendError, SqlAnswer, SqlDatabase, SqlRow, SqlValue};
use raydex::limits::SQL_BLOB_MAX;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::{Faults, Kind};

/// The largest integer that a JavaScript number holds exactly.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A database in memory; its clones are the same one.
#[derive(Debug, Clone)]
pub struct SqliteSql {
    connection: Rc<Connection>,
    in_transaction: Rc<Cell<bool>>,
    /// How often a flush is looked at before it has ended.
    pub flush_waits: Rc<Cell<u32>>,
    faults: Faults,
}

impl SqliteSql {
    pub fn new(faults: &Faults) -> Self {
        let connection = Rc::new(Connection::open_in_memory().unwrap());
        // All the statements of an object, so that none is prepared twice.
        connection.set_prepared_statement_cache_capacity(128);
        Self { connection, in_transaction: Rc::default(), flush_waits: Rc::default(), faults: faults.clone() }
    }

    /// Every row of every table, with its table's name in front and the types as they are stored.
    pub fn rows(&self) -> Vec<String> {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
        let mut tables = self.connection.prepare(tables).unwrap();
        let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
        tables.flat_map(|table| self.rows_of(&table.unwrap())).collect()
    }

    /// Whether the database has a table.
    pub fn has_tables(&self) -> bool {
        let count = "SELECT count(*) FROM sqlite_master WHERE type = 'table'";
        self.connection.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap() > 0
    }

    /// Rows written since the database was made.
    pub fn rows_written(&self) -> u64 {
        self.connection.total_changes()
    }

    fn rows_of(&self, table: &str) -> Vec<String> {
        let mut statement = self.connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Value> = (0..columns).map(|column| row.get_unwrap(column)).collect();
            found.push(format!("{table} {values:?}"));
        }
        found
    }

    fn execute(&self, statement: &str, parameters: &[SqlValue]) -> rusqlite::Result<SqlAnswer> {
        let before = self.connection.total_changes();
        let mut statement = self.connection.prepare_cached(statement)?;
        let mut stepping = statement.query(params_from_iter(parameters.iter().map(bound)))?;
        let mut rows = Vec::new();
        while let Some(row) = stepping.next()? {
            // Known now: a statement that was prepared before its table changed is prepared anew with its first step.
            let columns = row.as_ref().column_count();
            rows.push((0..columns).map(|column| from_sqlite(row.get_ref_unwrap(column))).collect::<SqlRow>());
        }
        Ok(SqlAnswer { rows, rows_written: self.connection.total_changes() - before })
    }

    fn plainly(&self, statement: &str) {
        self.connection.execute_batch(statement).unwrap();
    }
}

impl SqlDatabase for SqliteSql {
    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<SqlAnswer, BackendError> {
        let refused = |why: String| BackendError::new("running SQL", why);
        if parameters.len() > 100 || statement.len() > 100_000 {
            return Err(refused("too many parameters, or too long a statement".into()));
        }
        if let Some(value) = parameters.iter().find(|value| !fits(value)) {
            return Err(refused(format!("too large a value: {:.40}", format!("{value:?}"))));
        }
        self.faults.call(Kind::Sql, || self.execute(statement, parameters).map_err(|error| refused(error.to_string())))
    }

    fn transaction(&self, work: &mut dyn FnMut() -> Result<(), BackendError>) -> Result<(), BackendError> {
        assert!(!self.in_transaction.replace(true), "transactions do not nest");
        self.plainly("BEGIN");
        let commit = || {
            self.plainly("COMMIT");
            Ok(())
        };
        let outcome = match work() {
            Ok(()) if self.faults.is_planned(Kind::Commit) => self.faults.call(Kind::Commit, commit),
            Ok(()) => commit(),
            Err(error) => Err(error),
        };
        if !self.connection.is_autocommit() {
            self.plainly("ROLLBACK");
        }
        self.in_transaction.set(false);
        outcome
    }

    async fn flushed(&self) -> Result<(), BackendError> {
        wait_for(self.flush_waits.get()).await;
        Ok(())
    }
}

/// Completes when it is looked at after so many times.
pub async fn wait_for(mut looks: u32) {
    poll_fn(|context| {
        context.waker().wake_by_ref();
        looks = looks.saturating_sub(1);
        if looks == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Whether the platform takes the value.
fn fits(value: &SqlValue) -> bool {
    match value {
        SqlValue::Integer(value) => value.unsigned_abs() <= SAFE_INTEGER,
        SqlValue::Text(text) => text.len() <= SQL_BLOB_MAX,
        SqlValue::Blob(bytes) => bytes.len() <= SQL_BLOB_MAX,
        SqlValue::Null => true,
    }
}

/// A parameter as it arrives: JavaScript has one kind of number.
#[expect(clippy::cast_precision_loss, reason = "this loss is the platform's, and `fits` rules it out")]
fn bound(value: &SqlValue) -> Value {
    match value {
        SqlValue::Integer(value) => Value::Real(*value as f64),
        SqlValue::Text(text) => Value::Text(text.clone()),
        SqlValue::Blob(bytes) => Value::Blob(bytes.clone()),
        SqlValue::Null => Value::Null,
    }
}

/// A column as it comes back: a number without a fraction is an integer, whatever SQLite keeps it as.
#[expect(clippy::cast_possible_truncation, reason = "JavaScript's own rule")]
fn from_sqlite(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Integer(value) => SqlValue::Integer(value),
        ValueRef::Real(value) if value.fract() == 0.0 => SqlValue::Integer(value as i64),
        ValueRef::Text(text) => SqlValue::Text(String::from_utf8(text.to_vec()).unwrap()),
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
        ValueRef::Real(_) | ValueRef::Null => SqlValue::Null,
    }
}
