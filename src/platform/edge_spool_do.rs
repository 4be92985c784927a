//! `EdgeSpool`: the durable buffer of the edge logger; isolates spread over its objects.
//!
//! *Stored*: `spool/tables.rs` has the tables; and one alarm while a batch waits.
//! *Called by*: the edge logger, by `POST /v1/hand-over` with a body of `edge/handover.rs`; the answer is JSON with 200, or a
//! plain message with 500, in which case nothing was taken. By the platform: `alarm`, which brings batches to their sinks.
//!
//! # Invariants
//!
//! A call is one `transactionSync`, and there is no `await` between it and setting the alarm, so the platform writes both or
//! neither, and answers only once they are stored. `alarm` never throws: the platform would retry it six times and then never
//! again.

use std::cell::Cell;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::alarm::ObjectAlarm;
use super::edge_host::WorkerHost;
use super::objects::{answer_call, read_call};
use super::sql::ObjectSql;
use super::{env, log, random};
use crate::backend::BackendError;
use crate::config::ConfigFault;
use crate::edge::EdgeSettings;
use crate::ledger::Alarm;
use crate::limits::SPOOL_RETRY_MS;
use crate::rpc::CallReply;
use crate::spool::{self, SpoolBounds};

/// The Durable Object of a part of the durable buffer.
#[durable_object(alarm)]
pub struct EdgeSpool {
    sql: ObjectSql,
    alarm: ObjectAlarm,
    env: Env,
    /// Whether the tables are known to exist.
    open: Cell<bool>,
}

impl DurableObject for EdgeSpool {
    fn new(state: State, env: Env) -> Self {
        let (sql, alarm) = (ObjectSql::new(state.storage()), ObjectAlarm::new(state.storage()));
        Self { sql, alarm, env, open: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (call, _) = read_call(&request.url()?);
        let body = request.bytes().await?;
        let answered = async {
            self.alarm.look().await?;
            let CallReply { body, wake_ms } = self.answer(&call, &body)?;
            self.alarm.set_earlier(wake_ms).await?;
            Ok::<_, BackendError>(body)
        };
        answer_call(answered.await)
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        if let Err(error) = self.wake().await {
            log::error("edge_spool_alarm", &serde_json::json!({ "reason": error.to_string() }));
            // Where that fails too, the next batch sets it.
            drop(self.alarm.set(Some(log::now_ms() + SPOOL_RETRY_MS.1)).await);
        }
        Response::empty()
    }
}

impl EdgeSpool {
    fn answer(&self, call: &str, body: &[u8]) -> std::result::Result<CallReply, BackendError> {
        let settings = self.settings()?;
        let id: String = random::name().chars().take(16).collect();
        spool::serve(&self.sql, &self.open, (call, body), (&settings, SpoolBounds::default()), &id, log::now_ms())
    }

    async fn wake(&self) -> std::result::Result<(), BackendError> {
        let settings = self.settings()?;
        let host = WorkerHost { env: self.env.clone() };
        spool::alarm(&self.sql, &self.alarm, &host, &settings, SpoolBounds::default()).await
    }

    fn settings(&self) -> std::result::Result<EdgeSettings, BackendError> {
        env::edge_settings(&self.env)
            .map_err(|faults| BackendError::new("reading the settings", ConfigFault::words(&faults)))
    }
}
