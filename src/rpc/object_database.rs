//! The database of a Durable Object that may hold nothing yet: reading it writes nothing.
//!
//! An object comes to be with the first call under its name, and names can be made up. So its tables are made by the first
//! call that inserts something; until then, statements that read find no rows.
//!
//! # Invariants
//! An object that was only read has no table. A call whose tables are missing is answered as if they were empty.

use std::cell::Cell;

use super::ObjectSchema;
use crate::backend::{BackendError, SqlAnswer, SqlDatabase, SqlValue};

/// The database of an object, while it is unknown whether the call needs tables.
#[derive(Debug)]
pub struct ObjectDatabase<'a, S> {
    sql: &'a S,
    /// Whether the object has its tables.
    has_tables: bool,
    /// Whether a statement failed for want of tables.
    lacks_tables: Cell<bool>,
}

impl<'a, S: SqlDatabase> ObjectDatabase<'a, S> {
    const fn new(sql: &'a S, has_tables: bool) -> Self {
        Self { sql, has_tables, lacks_tables: Cell::new(false) }
    }

    /// Runs `answer` over the database, which is brought up to `schema` first. Where the object lacks its tables and `answer` inserts
    /// something, makes them with `open`, and runs it again. `is_open` keeps what is known.
    ///
    /// # Errors
    /// [`BackendError`] of the schema, of `open` or of `answer`.
    pub fn serve<T>(
        sql: &'a S,
        is_open: &Cell<bool>,
        schema: &ObjectSchema,
        open: impl Fn() -> Result<(), BackendError>,
        answer: impl Fn(&Self) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        if !schema.ensure(sql, is_open)? {
            let without = Self::new(sql, false);
            let answered = answer(&without);
            if !without.lacks_tables.get() {
                return answered;
            }
            sql.transaction(&mut || open())?;
            is_open.set(true);
        }
        answer(&Self::new(sql, true))
    }
}

impl<S: SqlDatabase> SqlDatabase for ObjectDatabase<'_, S> {
    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<SqlAnswer, BackendError> {
        if self.has_tables {
            return self.sql.run(statement, parameters);
        }
        // What is not there is neither found, changed nor removed.
        if ["SELECT", "UPDATE", "DELETE"].iter().any(|verb| statement.trim_start().starts_with(verb)) {
            return Ok(SqlAnswer::default());
        }
        self.lacks_tables.set(true);
        Err(BackendError::new("running SQL", "the object has no tables"))
    }

    fn transaction(&self, work: &mut dyn FnMut() -> Result<(), BackendError>) -> Result<(), BackendError> {
        if self.has_tables { self.sql.transaction(work) } else { work() }
    }
}
