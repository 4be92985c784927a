//! The platform's messages, bound here because `worker` 0.8.7 does not expose the number of attempts, and traps if a
//! handler returns an error.
//!
//! Of several instructions for one message the platform follows the first.

use std::collections::BTreeMap;

use js_sys::{Array, ArrayBuffer, JSON, Map, Object, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::limits::EVENT_LAYERS;
use crate::pipeline::{MessageBody, ReceivedMessage};

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
    /// Returns the messages of the batch.
    pub(super) fn messages(&self) -> Vec<QueueMessage> {
        self.raw_messages().iter().map(JsCast::unchecked_into).collect()
    }
}

impl QueueMessage {
    /// Converts a message received on `queue`.
    pub(super) fn received(&self, queue: &str) -> ReceivedMessage {
        let attempts = self.raw_attempts().unwrap_or(1);
        ReceivedMessage { queue: queue.to_owned(), id: self.id(), body: content(&self.body()), attempts }
    }

    /// Acknowledges the message, or retries it after `retry_s` seconds.
    pub(super) fn settle(&self, retry_s: Option<u32>) -> Result<(), JsValue> {
        let Some(delay) = retry_s else { return self.ack() };
        let options = Object::new();
        Reflect::set(&options, &"delaySeconds".into(), &delay.into())?;
        self.retry(&options)
    }
}

/// Converts a body of any of the queue's types: text, bytes, JSON, or a JavaScript value.
fn content(body: &JsValue) -> MessageBody {
    if let Some(text) = body.as_string() {
        return MessageBody::Text(text);
    }
    if body.is_instance_of::<ArrayBuffer>() || body.is_instance_of::<Uint8Array>() {
        return MessageBody::from_bytes(Uint8Array::new(body).to_vec());
    }
    // A value without JSON (a circular object, a function) is converted as far as possible.
    let json = JSON::stringify(&without_maps(body, EVENT_LAYERS)).ok().and_then(|json| json.as_string());
    MessageBody::Text(json.unwrap_or_else(|| format!("{body:?}")))
}

/// Replaces maps in the value by objects, since maps have no JSON: a producer in Rust sends maps.
fn without_maps(value: &JsValue, layers: usize) -> JsValue {
    let Some(map) = value.dyn_ref::<Map>().filter(|_| layers > 0) else { return value.clone() };
    let object = Object::new();
    map.for_each(&mut |member, name| {
        // Members whose name cannot be a property are dropped.
        let _set = Reflect::set(&object, &name, &without_maps(&member, layers - 1));
    });
    object.into()
}

/// The outcome of a batch of messages, as its line in the log.
#[derive(Serialize, Default)]
pub(super) struct MessageBatchSummary {
    queue: String,
    messages: usize,
    /// Number of messages by verdict and reason; of payloads, where a message has several.
    verdicts: BTreeMap<String, u64>,
}

impl MessageBatchSummary {
    /// Creates an empty summary for a batch of this queue.
    pub(super) fn new(queue: String) -> Self {
        Self { queue, ..Self::default() }
    }

    /// Counts a message.
    pub(super) fn count(&mut self, verdict: &str, code: Option<&str>) {
        self.count_each([(verdict, code)]);
    }

    /// Counts a message that has several verdicts.
    pub(super) fn count_each<'a>(&mut self, verdicts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) {
        for (verdict, code) in verdicts {
            let reason = code.map(|code| format!(":{code}")).unwrap_or_default();
            *self.verdicts.entry(format!("{verdict}{reason}")).or_default() += 1;
        }
        self.messages += 1;
    }
}
