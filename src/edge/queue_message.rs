//! A batch that comes from `edge-queue`: its object is written under the key that its isolate and its number make, and announced.
//!
//! # Invariants
//! A message is acknowledged only once its object is stored and announced. One that comes twice writes the same object again.

use super::batch::{EdgeBatch, inflated};
use super::buffer::StoreResult;
use super::handover::HandedBatch;
use super::settings::EdgeSettings;
use super::store::{EdgeHost, store};
use crate::bucket_keys::edge_batch_key;
use crate::limits::EDGE_QUEUE_RETRY_S;

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageVerdict {
    /// Number of seconds after which it comes again; `None` if it is acknowledged.
    pub retry_s: Option<u32>,
    /// The batch; `None` if the message has none.
    pub batch: Option<EdgeBatch>,
    /// What the attempt to store the batch came to.
    pub result: StoreResult,
}

/// Stores the batch of a message that has come this many times.
pub async fn store_message(host: &impl EdgeHost, settings: &EdgeSettings, text: &str, attempts: u32) -> MessageVerdict {
    let (least, most) = EDGE_QUEUE_RETRY_S;
    let wait =
        least.checked_shl(attempts.saturating_sub(1)).filter(|wait| (least..most).contains(wait)).unwrap_or(most);
    let batch = batch_of(&settings.folder, text);
    let result = match &batch {
        Some(batch) => store(host, &settings.bucket_name, batch, attempts > 1).await,
        None => StoreResult::Failed,
    };
    MessageVerdict { retry_s: (result != StoreResult::Stored).then_some(wait), batch, result }
}

/// Reads the batch of a message.
fn batch_of(folder: &str, text: &str) -> Option<EdgeBatch> {
    let handed: HandedBatch = serde_json::from_str(text).ok()?;
    let body = handed.gzip()?;
    inflated(&body, handed.text_bytes)?;
    let HandedBatch { label, start_ms, end_ms, text_bytes, .. } = handed;
    let key = edge_batch_key(folder, start_ms, end_ms, &label.isolate, label.sequence);
    Some(EdgeBatch { key, body, text_bytes, times: (start_ms, end_ms), label })
}
