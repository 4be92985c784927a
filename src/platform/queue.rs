//! The queue consumer: each message on its own, one after the other (their memory must not add up).
//!
//! It binds the platform's message itself: `worker` 0.8.7 does not show how often one was tried, and traps where
//! a handler returns an error.
//!
//! What always holds: a message is acked or given a delay as its verdict says; a message of a queue that is not
//! known is never acked.

use std::collections::BTreeMap;

use js_sys::{Array, JSON, Object, Reflect};
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use worker::Env;

use super::{env, log};
use crate::config::{Config, ConfigFault};
use crate::limits::PARSE_RETRY_S;
use crate::pipeline::{ParseVerdict, parse_message};

#[wasm_bindgen]
extern "C" {
    /// A batch of queue messages.
    pub type QueueBatch;
    #[wasm_bindgen(method, getter)]
    fn queue(this: &QueueBatch) -> String;
    #[wasm_bindgen(method, getter)]
    fn messages(this: &QueueBatch) -> Array;
    #[wasm_bindgen(method, catch, js_name = retryAll)]
    fn retry_all(this: &QueueBatch) -> Result<(), JsValue>;

    /// One queue message.
    type QueueMessage;
    #[wasm_bindgen(method, getter)]
    fn body(this: &QueueMessage) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn attempts(this: &QueueMessage) -> Option<u32>;
    #[wasm_bindgen(method, catch)]
    fn ack(this: &QueueMessage) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn retry(this: &QueueMessage, options: &JsValue) -> Result<(), JsValue>;
}

/// What became of a batch of messages.
#[derive(Serialize, Default)]
struct Summary {
    queue: String,
    messages: usize,
    /// Messages by verdict and reason.
    verdicts: BTreeMap<String, u64>,
}

/// The entry point of the queue consumer.
#[wasm_bindgen(js_name = queue)]
#[expect(unreachable_pub, reason = "called from JavaScript alone")]
pub async fn consume(batch: QueueBatch, env: Env) -> Result<(), JsValue> {
    let mut summary = Summary { queue: batch.queue(), ..Summary::default() };
    if summary.queue != env::PARSE_QUEUE_NAME {
        log::error("unknown_queue", &summary);
        return batch.retry_all();
    }
    let config = env::config(&env);
    for message in batch.messages() {
        let message: QueueMessage = message.unchecked_into();
        let verdict = parse(&env, config.as_ref(), &message).await;
        let reason = verdict.code.map(|code| format!(":{code}")).unwrap_or_default();
        *summary.verdicts.entry(format!("{}{reason}", verdict.verdict)).or_default() += 1;
        summary.messages += 1;
        settle(&message, &verdict)?;
        log::info("parse_message", &verdict);
    }
    log::info("parse_batch", &summary);
    Ok(())
}

/// Does what one message asks for.
async fn parse(env: &Env, config: Result<&Config, &Vec<ConfigFault>>, message: &QueueMessage) -> ParseVerdict {
    let [delay, ..] = PARSE_RETRY_S;
    let later = |reason: String| ParseVerdict::not_now("not_configured", reason, delay);
    let config = match config {
        Ok(config) => config,
        Err(faults) => return later(ConfigFault::words(faults)),
    };
    let (bucket, shards) = match (env::bucket(env), env::shards(env)) {
        (Ok(bucket), Ok(shards)) => (bucket, shards),
        (Err(error), _) | (_, Err(error)) => return later(error.to_string()),
    };
    let body = JSON::stringify(&message.body()).map(String::from).unwrap_or_default();
    parse_message(&bucket, &shards, config, &body, message.attempts().unwrap_or(1), log::now_ms()).await
}

/// Acks the message, or has it come again.
fn settle(message: &QueueMessage, verdict: &ParseVerdict) -> Result<(), JsValue> {
    let Some(delay) = verdict.retry_s else { return message.ack() };
    let options = Object::new();
    Reflect::set(&options, &"delaySeconds".into(), &delay.into())?;
    message.retry(&options)
}
