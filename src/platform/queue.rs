//! The entry point of the queue consumers: dispatches a batch to the consumer of its queue.
//!
//! Each message's verdict decides whether it is acknowledged or retried. Messages of an unknown queue are never
//! acknowledged.

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use worker::{Context, Env};

use super::messages::{MessageBatchSummary, QueueBatch};
use super::{dead_letters, edge_queue, env, log, parse_queue, send_queue};
use crate::limits::{PARSE_RETRY_S, SEND_RETRY_S};

/// Consumes a batch of messages of any queue.
#[wasm_bindgen(js_name = queue)]
#[expect(unreachable_pub, reason = "called from JavaScript alone")]
pub async fn consume(batch: QueueBatch, env: Env, context: worker::worker_sys::Context) -> Result<(), JsValue> {
    let queue = batch.queue();
    let names = env::queue_names(&env);
    match queue.as_str() {
        name if name == names.parse => parse_queue::consume(&batch, &env).await,
        name if name == names.send => send_queue::consume(&batch, &env, &Context::new(context)).await,
        name if name == names.edge => edge_queue::consume(&batch, &env).await,
        name if name == names.parse_dlq => {
            dead_letters::consume(&batch, &env, env::PARSE_QUEUE_NAME, PARSE_RETRY_S.len()).await
        }
        name if name == names.send_dlq => {
            dead_letters::consume(&batch, &env, env::SEND_QUEUE_NAME, SEND_RETRY_S.len()).await
        }
        _ => {
            log::error("unknown_queue", &MessageBatchSummary::new(queue));
            batch.retry_all()
        }
    }
}
