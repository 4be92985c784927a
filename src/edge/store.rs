//! Brings closed batches to the bucket and announces them, at once or by a timer.
//!
//! # Invariants
//! No borrow of the logger is held while something is awaited. A timer leaves nothing open: the request that keeps it may be the
//! last one of its isolate.

use std::cell::RefCell;
use std::future::Future;

use super::batch::EdgeBatch;
use super::buffer::StoreResult;
use super::logger::EdgeLogger;
use crate::backend::{BackendError, ObjectHead};
use crate::limits::{EDGE_TIMER_MS, EDGE_TIMER_STEP_MS};
use crate::r2_event::R2Event;

/// What an attempt to store a batch came to, for the log.
#[derive(Debug, Clone, Copy)]
pub struct StoreReport<'a> {
    /// The batch.
    pub batch: &'a EdgeBatch,
    /// The result.
    pub result: StoreResult,
}

/// What the edge logger asks of the platform.
pub trait EdgeHost {
    /// Writes the object of a batch with its label; the same batch may be written again.
    fn put_batch(&self, batch: &EdgeBatch) -> impl Future<Output = Result<ObjectHead, BackendError>>;
    /// Returns the object of a batch that was written before; `None` if it is not there.
    fn head_batch(&self, batch: &EdgeBatch) -> impl Future<Output = Result<Option<ObjectHead>, BackendError>>;
    /// Sends the event of a written object to `parse-queue`.
    fn announce(&self, event: R2Event) -> impl Future<Output = Result<(), BackendError>>;
    /// The clock, in Unix milliseconds.
    fn now_ms(&self) -> i64;
    /// Completes after this many milliseconds.
    fn sleep(&self, ms: i64) -> impl Future<Output = ()>;
    /// Logs what an attempt came to.
    fn report(&self, report: StoreReport<'_>);
}

/// Stores all batches that are due.
pub async fn store_due(logger: &RefCell<EdgeLogger>, host: &impl EdgeHost) {
    loop {
        let now_ms = host.now_ms();
        let due = {
            let buffer = &mut logger.borrow_mut().buffer;
            buffer.close_due(now_ms);
            buffer.take_due(now_ms)
        };
        let Some((batch, is_stored)) = due else { return };
        let bucket_name = logger.borrow().settings.bucket_name.clone();
        let result = store(host, &bucket_name, &batch, is_stored).await;
        host.report(StoreReport { batch: &batch, result });
        logger.borrow_mut().buffer.settle(batch.label.sequence, result, host.now_ms());
    }
}

/// Stores and announces one batch.
async fn store(host: &impl EdgeHost, bucket_name: &str, batch: &EdgeBatch, is_stored: bool) -> StoreResult {
    let known = if is_stored { host.head_batch(batch).await.ok().flatten() } else { None };
    let object = match known {
        Some(object) => Ok(object),
        None => host.put_batch(batch).await,
    };
    let Ok(ObjectHead { etag, size, .. }) = object else {
        return if is_stored { StoreResult::Unannounced } else { StoreResult::Failed };
    };
    let event = R2Event::put_object(bucket_name, &batch.key, size, &etag, host.now_ms());
    if host.announce(event).await.is_ok() { StoreResult::Stored } else { StoreResult::Unannounced }
}

/// Keeps the timer of the isolate, unless one runs: stores what becomes due, and before it ends whatever is there.
pub async fn keep_timer(logger: &RefCell<EdgeLogger>, host: &impl EdgeHost) {
    let end_ms = host.now_ms() + EDGE_TIMER_MS;
    if !logger.borrow_mut().buffer.start_timer(host.now_ms(), end_ms) {
        return;
    }
    loop {
        let next_ms = logger.borrow().buffer.next_due_ms();
        let Some(next_ms) = next_ms.filter(|next_ms| *next_ms <= end_ms) else { break };
        host.sleep((next_ms - host.now_ms()).max(EDGE_TIMER_STEP_MS)).await;
        store_due(logger, host).await;
    }
    {
        let buffer = &mut logger.borrow_mut().buffer;
        buffer.close(host.now_ms());
        buffer.end_timer();
    }
    store_due(logger, host).await;
}

#[cfg(test)]
mod tests;
