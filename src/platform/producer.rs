//! The producers of the queues. A message is JSON, as its consumer expects. A call sends at most the number of messages
//! that the platform accepts.

use serde::Serialize;
use worker::Queue as PlatformQueue;

use super::failed;
use crate::backend::{BackendError, Queue};
use crate::limits::QUEUE_BATCH;

/// A queue binding.
#[derive(Debug)]
pub(super) struct QueueProducer {
    queue: PlatformQueue,
    /// The description of its calls in log lines.
    what: &'static str,
}

impl QueueProducer {
    pub(super) const fn new(queue: PlatformQueue, what: &'static str) -> Self {
        Self { queue, what }
    }
}

impl<M: Serialize + Clone> Queue<M> for QueueProducer {
    async fn send(&self, messages: &[M]) -> Result<(), BackendError> {
        for some in messages.chunks(QUEUE_BATCH) {
            // Structs, not `serde_json::Value`, which would arrive as `{}`.
            self.queue.send_batch(some.to_vec()).await.map_err(failed(self.what))?;
        }
        Ok(())
    }
}
