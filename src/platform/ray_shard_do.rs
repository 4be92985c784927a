//! `RayShard`: a shard of the forward index.
//!
//! *Stored*: `entry_v1`, a row for each object of the bucket that has rays or records of this time, with its summary;
//! `part_v1`, the packed rays (`index/shard.rs` has the tables, `index/entry.rs` and `summary/` the bytes).
//! *Called by*: ingest, lookups and queries, by `POST /{call}` with the bodies of `index/calls.rs`; answers are JSON
//! with 200, or a plain message with 500, in which case nothing has changed.
//!
//! # Invariants
//!
//! Every call runs without an `await`, so no other call comes between its statements, and each write is one
//! `transactionSync`, so a call that fails midway leaves nothing behind. An object that was only read has no table.

use std::cell::Cell;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::objects::{answer_call, read_call};
use super::sql::ObjectSql;
use crate::backend::BackendError;
use crate::index::shard;

/// The Durable Object of one prefix of Ray IDs.
#[durable_object(fetch)]
pub struct RayShard {
    sql: ObjectSql,
    /// Whether the tables are known to exist.
    open: Cell<bool>,
}

impl DurableObject for RayShard {
    fn new(state: State, _env: Env) -> Self {
        Self { sql: ObjectSql::new(state.storage()), open: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (call, _) = read_call(&request.url()?);
        let body = request.bytes().await?;
        answer_call(self.answer(&call, &body))
    }
}

impl RayShard {
    fn answer(&self, call: &str, body: &[u8]) -> std::result::Result<Vec<u8>, BackendError> {
        shard::serve(&self.sql, &self.open, call, body)
    }
}
