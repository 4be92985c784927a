//! `Audit`: the Durable Object that each request passes that its chain has; it records requests and limits their rate.
//!
//! *Stored*: the latest entries, in tables; a row for each segment of the earlier ones, which are in the bucket
//! (`audit/tables.rs`, `audit/segment.rs`); and an alarm while a table waits to be moved there.
//! *Called by*: the API, by `POST /{call}` with the bodies of `audit/calls.rs`; answers are JSON with 200, or a plain
//! message with 500, in which case nothing was appended. By the platform: `alarm`, which moves one segment to the
//! bucket.
//! *In memory only*: each caller's rate, and whether an alarm is set; a later entry replaces a lost alarm.
//!
//! # Invariants
//!
//! A commit runs without an `await`, so no other comes between reading the end of the chain and appending to it. Calls that
//! arrive before it is durable share the next one.
//! Entries are never changed, and removed only once the bucket has them. `alarm` never throws: the platform would retry
//! it six times and then never again.

use std::cell::{Cell, RefCell};

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::alarm::ObjectAlarm;
use super::log::{self, EventLog};
use super::objects::{answer_call, read_call};
use super::sql::ObjectSql;
use super::{env, failed};
use crate::audit::chains::chain_of_object;
use crate::audit::object::AuditObject;
use crate::audit::{self, AuditMemory, calls::AuditSegment};
use crate::backend::BackendError;

type Outcome<T> = std::result::Result<T, BackendError>;

/// The Durable Object of the audit log.
#[durable_object(alarm)]
pub struct Audit {
    sql: ObjectSql,
    alarm: ObjectAlarm,
    env: Env,
    held: RefCell<AuditMemory>,
    /// Whether the tables are known to exist.
    open: Cell<bool>,
}

impl DurableObject for Audit {
    fn new(state: State, env: Env) -> Self {
        let (sql, alarm) = (ObjectSql::new(state.storage()), ObjectAlarm::new(state.storage()));
        Self { sql, alarm, env, held: RefCell::default(), open: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (call, name) = read_call(&request.url()?);
        let body = request.bytes().await?;
        let Some(chain) = chain_of_object(&name) else { return Response::error("no chain has this name", 500) };
        let object = AuditObject { chain, sql: &self.sql, alarm: &self.alarm, is_open: &self.open, held: &self.held };
        answer_call(object.serve((&call, &body), log::now_ms).await)
    }

    async fn alarm(&self) -> Result<Response> {
        if let Some(Some(segment)) = said(self.archive().await) {
            EventLog::for_config(&env::config(&self.env)).info("audit_segment", &segment);
        }
        Response::empty()
    }
}

impl Audit {
    async fn archive(&self) -> Outcome<Option<AuditSegment>> {
        let bucket = env::data_bucket(&self.env).map_err(failed("archiving the audit log"))?;
        audit::alarm(&self.sql, &self.held, &bucket, &self.alarm, log::now_ms).await
    }
}

/// Returns the value of an outcome, and logs a failure.
fn said<T>(outcome: Outcome<T>) -> Option<T> {
    outcome.inspect_err(|error| log::error("audit_alarm", &serde_json::json!({ "reason": error.to_string() }))).ok()
}
