//! The consumer of the dead-letter queues: the registry keeps messages that a queue gave up on, until a person redrives
//! them.
//!
//! # Invariants
//!
//! A dead letter is acknowledged only once the registry has it, and is stored once however often it is delivered.

use serde::Serialize;
use wasm_bindgen::prelude::JsValue;
use worker::Env;

use super::log::EventLog;
use super::messages::{QueueBatch, QueueMessage};
use super::{env, failed};
use crate::backend::BackendError;
use crate::config::LogLevel;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::DeadLetter;
use crate::limits::DEAD_LETTER_RETRY_S;
use crate::pipeline::ReceivedMessage;
use crate::rpc;

/// The code of every reason: only the log has the verdicts.
const CODE: &str = "retries_used_up";

/// The outcome of a dead letter, as its line in the log.
#[derive(Serialize)]
struct DeadLetterOutcome<'a> {
    verdict: &'static str,
    code: &'static str,
    queue: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_s: Option<u32>,
}

/// Consumes a batch of messages that `queue` gave up on after `retries` retries.
pub(super) async fn consume(batch: &QueueBatch, env: &Env, queue: &str, retries: usize) -> Result<(), JsValue> {
    let log = EventLog::for_config(&env::config(env));
    for message in batch.messages() {
        let letter = letter(&message, queue, retries);
        let said = match keep(env, &letter).await {
            Ok(()) => DeadLetterOutcome {
                verdict: "kept",
                code: CODE,
                queue,
                message: &letter.message,
                reason: None,
                retry_s: None,
            },
            Err(error) => {
                let (reason, retry_s) = (Some(error.to_string()), Some(DEAD_LETTER_RETRY_S));
                DeadLetterOutcome {
                    verdict: "failed",
                    code: "backend_failed",
                    queue,
                    message: &letter.message,
                    reason,
                    retry_s,
                }
            }
        };
        message.settle(said.retry_s)?;
        log.write(LogLevel::Error, "dead_letter", &said);
    }
    Ok(())
}

/// Creates the dead letter of a message, whose number of attempts is one more than its retries.
fn letter(message: &QueueMessage, queue: &str, retries: usize) -> DeadLetter {
    let attempts = u32::try_from(retries + 1).unwrap_or(u32::MAX);
    ReceivedMessage { attempts, ..message.received(queue) }.into_dead_letter(CODE)
}

/// Records a dead letter in the registry.
async fn keep(env: &Env, letter: &DeadLetter) -> Result<(), BackendError> {
    let ledgers = env::ledgers(env).map_err(failed("storing a dead letter"))?;
    rpc::call(&ledgers, REGISTRY, letter).await.map(drop)
}
