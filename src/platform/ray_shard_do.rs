//! `RayShard`: a shard of the forward index.
//!
//! *Stored*: `entry_v1`, a row for each object of the bucket that has rays or records of this time, with its summary;
//! `part_v1`, the packed rays (`index/shard.rs` has the tables, `index/entry.rs` and `summary/` the bytes).
//! *Called by*: ingest, lookups and queries, by `POST /{call}` with the bodies of `index/calls.rs`; answers are JSON
//! with 200, or a plain message with 500, in which case nothing has changed. By the platform: `alarm`, which drops what has
//! expired, and in the end the whole object.
//!
//! # Invariants
//!
//! Every call runs without an `await`, so no other call comes between its statements, and each write is one
//! `transactionSync`, so a call that fails midway leaves nothing behind. An object that was only read has no table.

use std::cell::Cell;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::alarm::ObjectAlarm;
use super::objects::{answer_call, read_call};
use super::sql::ObjectSql;
use super::{env, failed, log};
use crate::backend::BackendError;
use crate::index::{expiry, shard};
use crate::ledger::Alarm;
use crate::limits::{ALARM_AGAIN_MS, EXPIRY_FIRST_MS};

/// The Durable Object of one prefix of Ray IDs.
#[durable_object(alarm)]
pub struct RayShard {
    sql: ObjectSql,
    alarm: ObjectAlarm,
    env: Env,
    /// Whether the tables are known to exist.
    open: Cell<bool>,
}

impl DurableObject for RayShard {
    fn new(state: State, env: Env) -> Self {
        let (sql, alarm) = (ObjectSql::new(state.storage()), ObjectAlarm::new(state.storage()));
        Self { sql, alarm, env, open: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (call, _) = read_call(&request.url()?);
        let body = request.bytes().await?;
        answer_call(self.answer(&call, &body).await)
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        if let Err(error) = self.expire().await {
            log::error("shard_alarm", &serde_json::json!({ "reason": error.to_string() }));
        }
        Response::empty()
    }
}

impl RayShard {
    async fn answer(&self, call: &str, body: &[u8]) -> std::result::Result<Vec<u8>, BackendError> {
        if !shard::may_store(call) {
            return shard::serve(&self.sql, &self.open, call, body);
        }
        self.alarm.look().await?;
        let answer = shard::serve(&self.sql, &self.open, call, body)?;
        self.alarm.set_earlier(Some(log::now_ms() + EXPIRY_FIRST_MS)).await?;
        Ok(answer)
    }

    async fn expire(&self) -> std::result::Result<(), BackendError> {
        self.alarm.set(Some(log::now_ms() + ALARM_AGAIN_MS)).await?;
        // Without its settings, a deployment forgets nothing.
        let config = env::config(&self.env).ok();
        let kept = |key: &str| config.as_ref().and_then(|config| config.kept.batch_ms(&config.log_prefix, key));
        let bucket = config.as_ref().map_or("", |config| &config.bucket_name);
        let data = env::data_bucket(&self.env).map_err(failed("expiring entries"))?;
        let expired = expiry::expire((&self.sql, &self.open), (bucket, &data), kept, log::now_ms()).await?;
        self.alarm.set(expired.next_ms).await?;
        if expired.next_ms.is_none() {
            self.open.set(false);
            self.sql.delete_all().await?;
        }
        Ok(())
    }
}
