//! The consumer of `parse-queue`: handles messages one after another, so that their memory does not add up.
//!
//! No message waits for another one's verdict to be acknowledged, only for its turn. Messages that require no work wait
//! for the end of the batch, when one call counts them.

use std::collections::BTreeMap;

use wasm_bindgen::prelude::JsValue;
use worker::Env;

use super::bindings::Bindings;
use super::env;
use super::log::EventLog;
use super::messages::{MessageBatchSummary, QueueBatch, QueueMessage};
use crate::config::{Config, ConfigFault};
use crate::limits::PARSE_RETRY_S;
use crate::pipeline::{ParseOutcome, ParseVerdict, count_ignored, parse_message};

/// Consumes a batch of messages.
pub(super) async fn consume(batch: &QueueBatch, env: &Env) -> Result<(), JsValue> {
    let config = env::config(env);
    let bindings = Bindings::new(env, config.as_ref().ok());
    let (log, mut summary) = (EventLog::for_config(&config), MessageBatchSummary::new(batch.queue()));
    let mut end = |message: &QueueMessage, verdict: &ParseVerdict| {
        message.settle(verdict.retry_s)?;
        summary.count(verdict.verdict.name(), verdict.code);
        log.write(verdict.level(), "parse_message", verdict);
        Ok::<(), JsValue>(())
    };
    let mut ignored = Vec::new();
    for message in batch.messages() {
        let verdict = parse(config.as_ref(), bindings.as_ref(), &message).await;
        if verdict.verdict == ParseOutcome::Ignored {
            ignored.push((message, verdict));
        } else {
            end(&message, &verdict)?;
        }
    }
    count(bindings.as_ref(), &mut ignored).await;
    ignored.iter().try_for_each(|(message, verdict)| end(message, verdict))?;
    log.info("parse_batch", &summary);
    Ok(())
}

/// Counts the events that required no work. If they cannot be counted, their messages are retried.
async fn count(bindings: Result<&Bindings, &worker::Error>, ignored: &mut [(QueueMessage, ParseVerdict)]) {
    let Ok(bindings) = bindings else { return };
    let mut counts = BTreeMap::new();
    for (_, verdict) in &*ignored {
        *counts.entry(verdict.code.unwrap_or_default().to_owned()).or_default() += 1;
    }
    if let Err(error) = count_ignored(bindings, counts).await {
        let [delay, ..] = PARSE_RETRY_S;
        for (_, verdict) in ignored {
            let key = verdict.key.take();
            *verdict = ParseVerdict { key, ..ParseVerdict::not_now("backend_failed", error.to_string(), delay) };
        }
    }
}

/// Handles one message of the batch.
async fn parse(
    config: Result<&Config, &Vec<ConfigFault>>,
    bindings: Result<&Bindings, &worker::Error>,
    message: &QueueMessage,
) -> ParseVerdict {
    let [_, delay, ..] = PARSE_RETRY_S;
    let later = |reason| ParseVerdict::not_now("not_configured", reason, delay);
    match (config, bindings) {
        (Ok(config), Ok(bindings)) => parse_message(bindings, config, &message.received(env::PARSE_QUEUE_NAME)).await,
        (Err(faults), _) => later(ConfigFault::words(faults)),
        (_, Err(error)) => later(error.to_string()),
    }
}
