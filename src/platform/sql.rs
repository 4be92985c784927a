//! The SQLite database of a Durable Object.
//!
//! A cursor is read to its end at once, with the one iterator that returns errors (the others throw through Rust and
//! hang). The platform rolls back a transaction that fails.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen::{JsCast, JsError};
use worker::{SqlStorageValue, Storage};

use super::failed;
use crate::backend::{BackendError, SqlAnswer, SqlDatabase, SqlValue};

#[wasm_bindgen]
extern "C" {
    /// The synchronous part of a Durable Object's storage, which `worker` does not bind.
    type SyncStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        work: &mut dyn FnMut() -> Result<JsValue, JsValue>,
    ) -> Result<JsValue, JsValue>;
}

/// A Durable Object's database.
pub(super) struct ObjectSql(Storage);

impl ObjectSql {
    pub(super) const fn new(storage: Storage) -> Self {
        Self(storage)
    }
}

impl ObjectSql {
    /// Deletes the database, after which the object takes no space.
    pub(super) async fn delete_all(&self) -> Result<(), BackendError> {
        self.0.delete_all().await.map_err(failed("deleting a database"))
    }
}

impl SqlDatabase for ObjectSql {
    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<SqlAnswer, BackendError> {
        let running = failed("running SQL");
        let parameters: Vec<SqlStorageValue> = parameters.iter().map(to_platform).collect();
        let cursor = self.0.sql().exec(statement, parameters).map_err(&running)?;
        let rows: worker::Result<Vec<_>> = cursor.raw().collect();
        let rows = rows.map_err(&running)?;
        let rows = rows.into_iter().map(|row| row.into_iter().map(from_platform).collect()).collect();
        Ok(SqlAnswer { rows, rows_written: cursor.rows_written() as u64 })
    }

    fn transaction(&self, work: &mut dyn FnMut() -> Result<(), BackendError>) -> Result<(), BackendError> {
        let storage: &SyncStorage = self.0.as_raw().unchecked_ref();
        let mut refused = None;
        let mut in_transaction = || match work() {
            Ok(()) => Ok(JsValue::UNDEFINED),
            Err(error) => {
                let thrown = JsError::new(&error.to_string()).into();
                refused = Some(error);
                Err(thrown)
            }
        };
        let done = storage.transaction_sync(&mut in_transaction);
        match (done, refused) {
            (Ok(_), None) => Ok(()),
            (_, Some(error)) => Err(error),
            (Err(thrown), None) => Err(BackendError::new("a transaction", format!("{thrown:?}"))),
        }
    }

    async fn flushed(&self) -> Result<(), BackendError> {
        self.0.sync().await.map_err(failed("flushing the database"))
    }
}

fn to_platform(value: &SqlValue) -> SqlStorageValue {
    match value {
        SqlValue::Integer(value) => SqlStorageValue::Integer(*value),
        SqlValue::Text(text) => SqlStorageValue::String(text.clone()),
        SqlValue::Blob(bytes) => SqlStorageValue::Blob(bytes.clone()),
        SqlValue::Null => SqlStorageValue::Null,
    }
}

fn from_platform(value: SqlStorageValue) -> SqlValue {
    match value {
        SqlStorageValue::Integer(value) => SqlValue::Integer(value),
        SqlStorageValue::String(text) => SqlValue::Text(text),
        SqlStorageValue::Blob(bytes) => SqlValue::Blob(bytes),
        SqlStorageValue::Boolean(value) => SqlValue::Integer(value.into()),
        // No statement of raydex stores a fraction.
        SqlStorageValue::Float(_) | SqlStorageValue::Null => SqlValue::Null,
    }
}
