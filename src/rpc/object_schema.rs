//! The version of a Durable Object's database: what a kind of object stores, and how older objects are brought up to it.
//!
//! The mark of a version is a view, `schema_version`, in the database itself. A view is one row of SQLite's list of tables: it needs
//! no page of its own, and the statement that asks whether there are tables reads it.
//!
//! # Invariants
//! The mark's own form never changes. What is made or migrated is so in one transaction, the mark included. An object that only a
//! newer code can read is refused, and nothing in it changes. An object without tables has no mark.

use std::cell::Cell;

use crate::backend::{BackendError, SqlAnswer, SqlDatabase, SqlValue};

/// The view that has the version, in its text.
const MARK: &str = "schema_version";
/// The version of the first form of each kind of object. Tables without a mark were made before marks were, and are of it.
const FIRST: u32 = 1;
/// The code of an object that this code must not touch, at the start of the error's text.
pub const OBJECT_TOO_NEW: &str = "object_too_new";

/// What a kind of Durable Object stores.
#[derive(Debug, Clone, Copy)]
pub struct ObjectSchema {
    /// The kind of object, for people.
    pub kind: &'static str,
    /// The version that this code writes.
    pub version: u32,
    /// The oldest version whose code can read an object of `version`, and write to it without harm.
    pub readable_from: u32,
    /// A table of the first version, by which an object without a mark is known.
    pub first_table: &'static str,
    /// The statements that make an object of `version`. Each does nothing where it was done.
    pub statements: &'static [&'static [&'static str]],
    /// The way from each earlier version to the next one, in their order.
    pub migrations: &'static [Migration],
}

/// The way from a version to the next one.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version that it begins with.
    pub from: u32,
    /// What it does, in one transaction with all others that an object needs.
    pub steps: &'static [MigrationStep],
}

/// Runs a statement in the object that is migrated.
pub type RunStatement<'a> = dyn Fn(&str, &[SqlValue]) -> Result<SqlAnswer, BackendError> + 'a;

/// A part of a migration.
#[derive(Debug, Clone, Copy)]
pub enum MigrationStep {
    /// A statement of SQL.
    Statement(&'static str),
    /// What no statement alone can do.
    Function(fn(&RunStatement<'_>) -> Result<(), BackendError>),
}

/// Why an object cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SchemaError {
    #[error(
        "{OBJECT_TOO_NEW}: a newer raydex wrote this {kind}; its schema has version {stored}, which code from version \
         {readable_from} on can read, and this code has version {known}. Nothing was changed: deploy the newer raydex again"
    )]
    TooNew { kind: &'static str, stored: u32, readable_from: u32, known: u32 },
    #[error("object_version_unreadable: the schema version of this {kind} cannot be read. Nothing was changed")]
    Unreadable { kind: &'static str },
    #[error("no_migration: nothing brings this {kind} from version {from} of its schema to the next one")]
    NoMigration { kind: &'static str, from: u32 },
}

impl SchemaError {
    fn failed(self) -> BackendError {
        BackendError::new("opening an object", self.to_string())
    }
}

/// The mark of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SchemaMark {
    version: u32,
    readable_from: u32,
}

/// What an object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoredSchema {
    NoTables,
    NoMark,
    Marked(SchemaMark),
}

impl ObjectSchema {
    /// Makes the tables that do not exist, and the mark. Writes nothing where all do. For an object of this version, or one
    /// without tables; in a transaction, unless the object is new and nothing else sees it.
    ///
    /// # Errors
    /// [`BackendError`] if the database fails.
    pub fn make(&self, sql: &impl SqlDatabase) -> Result<(), BackendError> {
        self.statements.iter().copied().flatten().try_for_each(|statement| sql.run(statement, &[]).map(drop))?;
        self.mark(sql)
    }

    /// Brings an object up to this version, if it has tables, and returns whether it has. `is_open` keeps that it is done.
    ///
    /// # Errors
    /// [`BackendError`] where the object is too new for this code, or the database fails. Nothing has changed then.
    pub fn ensure(&self, sql: &impl SqlDatabase, is_open: &Cell<bool>) -> Result<bool, BackendError> {
        if is_open.get() {
            return Ok(true);
        }
        match self.stored(sql)? {
            StoredSchema::NoTables => return Ok(false),
            // Of the first version some tables may be missing, too.
            StoredSchema::NoMark if self.version == FIRST => sql.transaction(&mut || self.make(sql))?,
            StoredSchema::NoMark => sql.transaction(&mut || self.migrate(sql, FIRST))?,
            StoredSchema::Marked(mark) if mark.version < self.version => {
                sql.transaction(&mut || self.migrate(sql, mark.version))?;
            }
            StoredSchema::Marked(SchemaMark { version: stored, readable_from }) => {
                if stored > self.version && readable_from > self.version {
                    let Self { kind, version: known, .. } = *self;
                    return Err(SchemaError::TooNew { kind, stored, readable_from, known }.failed());
                }
            }
        }
        is_open.set(true);
        Ok(true)
    }

    /// Reads what the object has, with one statement.
    fn stored(&self, sql: &impl SqlDatabase) -> Result<StoredSchema, BackendError> {
        let statement = "SELECT name, sql FROM sqlite_master WHERE name = ? OR (type = 'table' AND name = ?)";
        let found = sql.run(statement, &[SqlValue::text(MARK), SqlValue::text(self.first_table)])?;
        let is_mark = |row: &&Vec<SqlValue>| row.first().and_then(SqlValue::as_text) == Some(MARK);
        match found.rows.iter().find(is_mark) {
            Some(row) => {
                let mark = row.get(1).and_then(SqlValue::as_text).and_then(SchemaMark::parse);
                mark.map(StoredSchema::Marked).ok_or_else(|| SchemaError::Unreadable { kind: self.kind }.failed())
            }
            None if found.rows.is_empty() => Ok(StoredSchema::NoTables),
            None => Ok(StoredSchema::NoMark),
        }
    }

    /// Runs all migrations from this version on. For inside of a transaction.
    fn migrate(&self, sql: &impl SqlDatabase, stored: u32) -> Result<(), BackendError> {
        let run = |statement: &str, values: &[SqlValue]| sql.run(statement, values);
        for from in stored..self.version {
            let migration = self.migrations.iter().find(|migration| migration.from == from);
            let migration = migration.ok_or_else(|| SchemaError::NoMigration { kind: self.kind, from }.failed())?;
            for step in migration.steps {
                match step {
                    MigrationStep::Statement(statement) => run(statement, &[]).map(drop)?,
                    MigrationStep::Function(work) => work(&run)?,
                }
            }
        }
        sql.run(&format!("DROP VIEW IF EXISTS {MARK}"), &[])?;
        self.mark(sql)
    }

    fn mark(&self, sql: &impl SqlDatabase) -> Result<(), BackendError> {
        let Self { version, readable_from, .. } = self;
        let columns = format!("{version} AS version, {readable_from} AS readable_from");
        sql.run(&format!("CREATE VIEW IF NOT EXISTS {MARK} AS SELECT {columns}"), &[]).map(drop)
    }
}

impl SchemaMark {
    /// Reads the text of the view.
    fn parse(text: &str) -> Option<Self> {
        let (_, columns) = text.split_once(" AS SELECT ")?;
        let (version, readable_from) = columns.split_once(" AS version, ")?;
        let readable_from = readable_from.split_once(" AS readable_from")?.0;
        Some(Self { version: version.parse().ok()?, readable_from: readable_from.parse().ok()? })
    }
}

/// Returns whether this is the text of an error of an object that a newer code wrote.
#[must_use]
pub fn is_object_too_new(error: &str) -> bool {
    error.contains(OBJECT_TOO_NEW)
}
