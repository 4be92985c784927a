//! Brings closed batches to their sinks, at once or by a timer, and announces those in the bucket.
//!
//! # Invariants
//! No borrow of the logger is held while something is awaited. No sink waits for another one. A timer leaves nothing open: the
//! request that keeps it may be the last one of its isolate.

use std::cell::RefCell;
use std::future::Future;

use futures_util::future::join_all;

use super::batch::EdgeBatch;
use super::buffer::{OutletTarget, StoreResult};
use super::collector::{CollectorClient, post_batch};
use super::counts::SinkCounts;
use super::handover::{HandOver, HandOverAnswer, HandedBatch, spool_of};
use super::logger::EdgeLogger;
use crate::backend::{BackendError, ObjectHead};
use crate::limits::{COLLECTOR_POST_MS, EDGE_TIMER_LATE_MS, EDGE_TIMER_MS, EDGE_TIMER_STEP_MS};
use crate::r2_event::R2Event;

/// What an attempt to store a batch came to, for the log.
#[derive(Debug, Clone, Copy)]
pub struct StoreReport<'a> {
    /// The name of the sink.
    pub sink: &'a str,
    /// The batch.
    pub batch: &'a EdgeBatch,
    /// The result.
    pub result: StoreResult,
    /// The numbers of the sink after it.
    pub counts: SinkCounts,
}

/// What the edge logger asks of the platform for sinks that it reaches itself.
pub trait EdgeHost: CollectorClient {
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

/// The durable buffer.
pub trait DurableBuffer {
    /// Hands a batch over to the object of this name; it is stored once there is an answer.
    fn hand_over(&self, object: &str, call: &HandOver) -> impl Future<Output = Result<HandOverAnswer, BackendError>>;
    /// Sends a batch to `edge-queue`.
    fn enqueue(&self, batch: HandedBatch) -> impl Future<Output = Result<(), BackendError>>;
}

/// Stores all batches that are due, and keeps the timers of the isolate that do not run. Each sink is on its own: one that hangs
/// delays no other.
pub async fn bring_batches(logger: &RefCell<EdgeLogger>, host: &(impl EdgeHost + DurableBuffer)) {
    let (outlets, end_ms) = (logger.borrow().buffer.outlet_count(), host.now_ms() + EDGE_TIMER_MS);
    let bring = |outlet| async move {
        store_outlet(logger, host, outlet, end_ms).await;
        keep_outlet_timer(logger, host, outlet, end_ms).await;
    };
    join_all((0..outlets).map(bring)).await;
}

/// Stores all batches that are due.
pub async fn store_due(logger: &RefCell<EdgeLogger>, host: &(impl EdgeHost + DurableBuffer)) {
    let (outlets, end_ms) = (logger.borrow().buffer.outlet_count(), host.now_ms() + EDGE_TIMER_MS);
    join_all((0..outlets).map(|outlet| store_outlet(logger, host, outlet, end_ms))).await;
}

/// Stores all batches of an outlet that are due, as long as the request lasts.
async fn store_outlet(
    logger: &RefCell<EdgeLogger>,
    host: &(impl EdgeHost + DurableBuffer),
    outlet: usize,
    end_ms: i64,
) {
    while host.now_ms() <= end_ms + EDGE_TIMER_LATE_MS {
        let now_ms = host.now_ms();
        let due = {
            let buffer = &mut logger.borrow_mut().buffer;
            buffer.close_due(now_ms);
            let oldest = buffer.oldest(outlet).unwrap_or_default();
            let named = buffer.outlet(outlet).map(|(name, target)| (name.to_owned(), target));
            buffer.take_due(outlet, now_ms).zip(named).map(|(due, named)| (due, named, oldest))
        };
        let Some(((batch, is_stored), (sink, target), oldest)) = due else { return };
        let result = match target {
            OutletTarget::Bucket => {
                let bucket_name = logger.borrow().settings.bucket_name.clone();
                store(host, &bucket_name, &batch, is_stored).await
            }
            OutletTarget::Collector(collector) => {
                post_batch(host, &collector, &batch, COLLECTOR_POST_MS, host.now_ms()).await
            }
            OutletTarget::Object(sinks) => {
                let objects = logger.borrow().settings.sinks.objects;
                let call = HandOver { batch: HandedBatch::new(&batch), oldest, sinks: sinks.to_vec() };
                handed(host.hand_over(&spool_of(&batch.label.isolate, objects), &call).await.is_ok())
            }
            OutletTarget::Queue => handed(host.enqueue(HandedBatch::new(&batch)).await.is_ok()),
        };
        let counts = {
            let buffer = &mut logger.borrow_mut().buffer;
            buffer.settle(outlet, batch.label.sequence, result, host.now_ms());
            buffer.sink_counts().get(&sink).copied().unwrap_or_default()
        };
        host.report(StoreReport { sink: &sink, batch: &batch, result, counts });
    }
}

/// Returns the result of handing a batch over.
const fn handed(is_answered: bool) -> StoreResult {
    if is_answered { StoreResult::Stored } else { StoreResult::Failed }
}

/// Stores one batch in the bucket, and announces it.
pub async fn store(host: &impl EdgeHost, bucket_name: &str, batch: &EdgeBatch, is_stored: bool) -> StoreResult {
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

/// Keeps the timer of an outlet, unless one runs: stores what becomes due, and before it ends whatever is there.
async fn keep_outlet_timer(
    logger: &RefCell<EdgeLogger>,
    host: &(impl EdgeHost + DurableBuffer),
    outlet: usize,
    end_ms: i64,
) {
    if host.now_ms() > end_ms || !logger.borrow_mut().buffer.start_timer(outlet, host.now_ms(), end_ms) {
        return;
    }
    while host.now_ms() <= end_ms {
        let next_ms = logger.borrow().buffer.next_due_ms(outlet);
        let Some(next_ms) = next_ms.filter(|next_ms| *next_ms <= end_ms) else { break };
        host.sleep((next_ms - host.now_ms()).max(EDGE_TIMER_STEP_MS)).await;
        store_outlet(logger, host, outlet, end_ms).await;
    }
    {
        let buffer = &mut logger.borrow_mut().buffer;
        buffer.close_outlet(outlet, host.now_ms());
        buffer.end_timer(outlet);
    }
    store_outlet(logger, host, outlet, end_ms).await;
}

#[cfg(test)]
mod tests;
