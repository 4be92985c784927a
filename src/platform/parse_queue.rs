//! The consumer of `parse-queue`: each message on its own, one after the other (their memory must not add up).
//!
//! No message waits for another one's verdict to be acknowledged, only for its turn.

use wasm_bindgen::prelude::JsValue;
use worker::Env;

use super::env;
use super::log::EventLog;
use super::messages::{MessageBatchSummary, QueueBatch, QueueMessage};
use super::world::Bindings;
use crate::config::{Config, ConfigFault};
use crate::limits::PARSE_RETRY_S;
use crate::pipeline::{ParseVerdict, parse_message};

/// Consumes a batch of messages.
pub(super) async fn consume(batch: &QueueBatch, env: &Env) -> Result<(), JsValue> {
    let config = env::config(env);
    let world = Bindings::new(env, config.as_ref().ok());
    let (log, mut summary) = (EventLog::for_config(&config), MessageBatchSummary::new(batch.queue()));
    for message in batch.messages() {
        let verdict = parse(config.as_ref(), world.as_ref(), &message).await;
        message.settle(verdict.retry_s)?;
        summary.count(verdict.verdict.name(), verdict.code);
        log.write(verdict.level(), "parse_message", &verdict);
    }
    log.info("parse_batch", &summary);
    Ok(())
}

/// Does what one message asks for.
async fn parse(
    config: Result<&Config, &Vec<ConfigFault>>,
    world: Result<&Bindings, &worker::Error>,
    message: &QueueMessage,
) -> ParseVerdict {
    let [delay, ..] = PARSE_RETRY_S;
    let later = |reason| ParseVerdict::not_now("not_configured", reason, delay);
    match (config, world) {
        (Ok(config), Ok(world)) => parse_message(world, config, &message.json(), message.attempts()).await,
        (Err(faults), _) => later(ConfigFault::words(faults)),
        (_, Err(error)) => later(error.to_string()),
    }
}
