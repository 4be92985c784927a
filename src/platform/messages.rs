//! The platform's messages, bound here: `worker` 0.8.7 does not show how often one was tried, and traps where a
//! handler returns an error.
//!
//! Of several instructions for one message the platform follows the first.

use std::collections::BTreeMap;

use js_sys::{Array, JSON, Object, Reflect};
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    /// A batch of queue messages.
    pub type QueueBatch;
    #[wasm_bindgen(method, getter)]
    pub(super) fn queue(this: &QueueBatch) -> String;
    #[wasm_bindgen(method, getter, js_name = messages)]
    fn raw_messages(this: &QueueBatch) -> Array;
    #[wasm_bindgen(method, catch, js_name = retryAll)]
    pub(super) fn retry_all(this: &QueueBatch) -> Result<(), JsValue>;

    /// One queue message.
    pub(super) type QueueMessage;
    #[wasm_bindgen(method, getter)]
    pub(super) fn id(this: &QueueMessage) -> String;
    #[wasm_bindgen(method, getter)]
    fn body(this: &QueueMessage) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = attempts)]
    fn raw_attempts(this: &QueueMessage) -> Option<u32>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn ack(this: &QueueMessage) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn retry(this: &QueueMessage, options: &JsValue) -> Result<(), JsValue>;
}

impl QueueBatch {
    /// Its messages.
    pub(super) fn messages(&self) -> Vec<QueueMessage> {
        self.raw_messages().iter().map(JsCast::unchecked_into).collect()
    }
}

impl QueueMessage {
    /// Its body as JSON; no text at all where it has none.
    pub(super) fn json(&self) -> String {
        JSON::stringify(&self.body()).map(String::from).unwrap_or_default()
    }

    /// How often it was tried, this time counted.
    pub(super) fn attempts(&self) -> u32 {
        self.raw_attempts().unwrap_or(1)
    }

    /// Acknowledges it, or retries it after `retry_s` seconds.
    pub(super) fn settle(&self, retry_s: Option<u32>) -> Result<(), JsValue> {
        let Some(delay) = retry_s else { return self.ack() };
        let options = Object::new();
        Reflect::set(&options, &"delaySeconds".into(), &delay.into())?;
        self.retry(&options)
    }
}

/// What became of a batch of messages, as its one line in the log.
#[derive(Serialize, Default)]
pub(super) struct MessageBatchSummary {
    queue: String,
    messages: usize,
    /// Messages by verdict and reason.
    verdicts: BTreeMap<String, u64>,
}

impl MessageBatchSummary {
    /// That of a batch of this queue.
    pub(super) fn new(queue: String) -> Self {
        Self { queue, ..Self::default() }
    }

    /// Counts a message.
    pub(super) fn count(&mut self, verdict: &str, code: Option<&str>) {
        let reason = code.map(|code| format!(":{code}")).unwrap_or_default();
        *self.verdicts.entry(format!("{verdict}{reason}")).or_default() += 1;
        self.messages += 1;
    }
}
