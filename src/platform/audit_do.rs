//! `Audit`: the one object that every request passes, which writes down what is asked and counts how often.
//!
//! *Stored*: `audit_v1`, a row for each entry (`audit/chain.rs` has the table and the hashes).
//! *Called by*: the API, by `POST /{call}` with the bodies of `audit/calls.rs`; answers are JSON with 200, or plain
//! words with 500, and nothing was appended then.
//! *What always holds*: a call runs without an `await`, so that no other one comes between reading the end of the
//! chain and appending to it; rows are never changed or removed. How often each caller asked is kept in memory alone.

use std::cell::{Cell, RefCell};

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::log;
use super::objects::{answer_call, read_call};
use super::sql::ObjectSql;
use crate::audit::rate::Rates;
use crate::audit::{self, chain};
use crate::backend::BackendError;

/// The Durable Object.
#[durable_object(fetch)]
pub struct Audit {
    sql: ObjectSql,
    rates: RefCell<Rates>,
    /// The table is known to be there.
    open: Cell<bool>,
}

impl DurableObject for Audit {
    fn new(state: State, _env: Env) -> Self {
        Self { sql: ObjectSql::new(state.storage()), rates: RefCell::default(), open: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (call, _) = read_call(&request.url()?);
        let body = request.bytes().await?;
        answer_call(self.answer(&call, &body))
    }
}

impl Audit {
    fn answer(&self, call: &str, body: &[u8]) -> std::result::Result<Vec<u8>, BackendError> {
        if !self.open.get() {
            chain::open(&self.sql)?;
            self.open.set(true);
        }
        audit::answer(&self.sql, &mut self.rates.borrow_mut(), call, body, log::now_ms())
    }
}
