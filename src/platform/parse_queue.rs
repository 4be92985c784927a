//! The producer of `parse-queue`.
//!
//! What always holds: a message has the form of R2's own events, so that one consumer reads both.

use worker::Queue;

use super::failed;
use crate::backend::{BackendError, ParseQueue};
use crate::batch::R2Event;

/// A queue binding.
#[derive(Debug)]
pub(super) struct ParseQueueProducer(Queue);

impl ParseQueueProducer {
    pub(super) const fn new(queue: Queue) -> Self {
        Self(queue)
    }
}

impl ParseQueue for ParseQueueProducer {
    async fn send(&self, event: &R2Event) -> Result<(), BackendError> {
        // A struct, not a `serde_json::Value`: that would arrive as `{}`.
        self.0.send(event.clone()).await.map_err(failed("sending to parse-queue"))
    }
}
