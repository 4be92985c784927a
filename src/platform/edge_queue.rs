//! The consumer of `edge-queue`: writes the batch of each message to the bucket and announces it.

use wasm_bindgen::prelude::JsValue;
use worker::Env;

use super::edge_host::WorkerHost;
use super::messages::QueueBatch;
use super::{env, log};
use crate::edge::{EdgeHost, SinkCounts, SinkPath, StoreReport, store_message};
use crate::limits::EDGE_QUEUE_RETRY_S;
use crate::pipeline::MessageBody;

/// Consumes a batch of messages, one after another.
pub(super) async fn consume(batch: &QueueBatch, env: &Env) -> Result<(), JsValue> {
    let settings = env::edge_settings(env);
    let host = WorkerHost { env: env.clone() };
    if let Err(faults) = &settings {
        log::not_configured(faults);
    }
    for message in batch.messages() {
        let received = message.received(env::EDGE_QUEUE_NAME);
        let (Ok(settings), MessageBody::Text(text)) = (&settings, &received.body) else {
            message.settle(Some(EDGE_QUEUE_RETRY_S.1))?;
            continue;
        };
        let verdict = store_message(&host, settings, text, received.attempts).await;
        if let Some(batch) = &verdict.batch {
            let (sink, result) = (SinkPath::Queue.name(), verdict.result);
            host.report(StoreReport { sink, batch, result, counts: SinkCounts::default() });
        } else {
            log::error("edge_message_damaged", &serde_json::json!({ "id": received.id }));
        }
        message.settle(verdict.retry_s)?;
    }
    Ok(())
}
