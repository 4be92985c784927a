//! `Ledger`: the accounts of one hour of batches, or, under a name of its own each, the registry of all ledgers and the
//! object for the partner.
//!
//! *Stored*: `ledger/tables.rs` has the tables of a ledger, `ledger/registry.rs` those of the registry,
//! `ledger/partner.rs` that of the object for the partner; and one alarm,
//! at the latest instant at which something must be done.
//! *Called by*: the queue consumers, the sweep and the API, by `POST /{call}?{name}` with the bodies of
//! `ledger/calls.rs`, `ledger/registry.rs` and `ledger/partner.rs`; answers are JSON with 200, or a plain message with 500, in which case
//! nothing has changed. By the platform: `alarm`, which sends the messages that are overdue.
//!
//! # Invariants
//!
//! A call is one `transactionSync`, and there is no `await` between it and setting the alarm, so the platform writes
//! both or neither. No call makes an alarm later. An object that was only read has no table and no alarm. `alarm` never throws: the platform would retry it six times and then
//! never again.

use std::cell::Cell;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::alarm::ObjectAlarm;
use super::log::{self, EventLog};
use super::objects::{answer_call, read_call};
use super::sql::ObjectSql;
use super::{env, failed};
use crate::backend::BackendError;
use crate::config::LogLevel;
use crate::ledger::ids::{PARTNER, REGISTRY};
use crate::ledger::{self, expiry, partner, registry};
use crate::limits::{ALARM_AGAIN_MS, EXPIRY_FIRST_MS};
use crate::rpc::CallReply;

/// The Durable Object of one hour of batches, or of the registry.
#[durable_object(alarm)]
pub struct Ledger {
    sql: ObjectSql,
    alarm: ObjectAlarm,
    env: Env,
    /// Whether the tables are known to exist.
    open: Cell<bool>,
}

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Self {
        let (sql, alarm) = (ObjectSql::new(state.storage()), ObjectAlarm::new(state.storage()));
        Self { sql, alarm, env, open: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let (call, name) = read_call(&request.url()?);
        let body = request.bytes().await?;
        let answered = async {
            self.alarm.look().await?;
            let CallReply { body, wake_ms } = self.answer(&name, &call, &body)?;
            let expiry_ms = expiry::may_store(&call).then(|| log::now_ms() + EXPIRY_FIRST_MS);
            self.alarm.set_earlier(wake_ms.into_iter().chain(expiry_ms).min()).await?;
            Ok::<_, BackendError>(body)
        };
        answer_call(answered.await)
    }

    async fn alarm(&self) -> Result<Response> {
        self.alarm.went_off();
        if let Err(error) = self.wake().await {
            log::error("alarm", &serde_json::json!({ "reason": error.to_string() }));
        }
        Response::empty()
    }
}

impl Ledger {
    fn answer(&self, name: &str, call: &str, body: &[u8]) -> std::result::Result<CallReply, BackendError> {
        let (sql, open, call) = (&self.sql, &self.open, (call, body));
        if name == REGISTRY {
            registry::serve(sql, open, call, log::now_ms())
        } else if name == PARTNER {
            partner::serve(sql, open, call, log::now_ms())
        } else {
            ledger::serve(sql, open, name, call, log::now_ms())
        }
    }

    /// Removes the bodies and forgets the batches whose time has passed. Without its settings, a deployment forgets nothing.
    async fn expire(&self, kept_ms: Option<i64>) -> std::result::Result<expiry::LedgerExpiry, BackendError> {
        let data = env::data_bucket(&self.env).map_err(failed("removing bodies"))?;
        expiry::remove_bodies(&self.sql, &data, log::now_ms()).await?;
        expiry::expire(&self.sql, kept_ms, log::now_ms())
    }

    async fn wake(&self) -> std::result::Result<(), BackendError> {
        ledger::open_woken(&self.sql, &self.open, &self.alarm, log::now_ms).await?;
        let name = ledger::name_of(&self.sql)?;
        let sends = env::send_queue(&self.env).map_err(failed("waking a ledger"))?;
        let woken = ledger::alarm(&self.sql, &name, &sends, &self.alarm, log::now_ms).await?;
        let config = env::config(&self.env);
        let kept_ms = config.as_ref().ok().and_then(|config| config.kept.accounts_ms());
        let expired = match self.expire(kept_ms).await {
            Ok(expired) => expired,
            Err(error) => {
                self.alarm.set_earlier(Some(log::now_ms() + ALARM_AGAIN_MS)).await?;
                return Err(error);
            }
        };
        self.alarm.set_earlier(expired.next_ms).await?;
        let is_idle = woken == ledger::AlarmReport::default() && expired.batches == 0;
        let level = if is_idle { LogLevel::Debug } else { LogLevel::Info };
        let what = serde_json::json!({
            "ledger": name, "leases_ended": woken.leases_ended, "messages": woken.messages, "expired": expired.batches,
        });
        EventLog::for_config(&config).write(level, "alarm", &what);
        Ok(())
    }
}
