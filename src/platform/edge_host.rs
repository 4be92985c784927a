//! What the edge logger needs of the platform, over the bindings of its deployment.

use serde_json::json;
use worker::Env;

use super::{collector, env, failed, log, sleep};
use crate::backend::{BackendError, ObjectHead, Queue};
use crate::config::LogLevel;
use crate::edge::{
    CollectorAnswer, CollectorClient, CollectorPost, DurableBuffer, EdgeBatch, EdgeHost, HandOver, HandOverAnswer,
    HandedBatch, SinkPath, StoreReport, StoreResult,
};
use crate::r2_event::R2Event;
use crate::rpc;

/// The bindings of the deployment. One that is missing is an error of the call that needs it.
pub(super) struct WorkerHost {
    pub(super) env: Env,
}

impl EdgeHost for WorkerHost {
    async fn put_batch(&self, batch: &EdgeBatch) -> Result<ObjectHead, BackendError> {
        let bucket = env::bucket(&self.env).map_err(failed("storing a batch"))?;
        bucket.put_labelled(&batch.key, batch.body.clone(), batch.label_text()).await
    }

    async fn head_batch(&self, batch: &EdgeBatch) -> Result<Option<ObjectHead>, BackendError> {
        env::bucket(&self.env).map_err(failed("finding a batch"))?.head(&batch.key).await
    }

    async fn announce(&self, event: R2Event) -> Result<(), BackendError> {
        env::parse_queue(&self.env).map_err(failed("announcing a batch"))?.send(&[event]).await
    }

    fn now_ms(&self) -> i64 {
        log::now_ms()
    }

    async fn sleep(&self, ms: i64) {
        sleep::sleep(ms).await;
    }

    fn report(&self, StoreReport { sink, batch, result, counts }: StoreReport<'_>) {
        let (level, verdict) = match result {
            StoreResult::Stored => (LogLevel::Info, "stored"),
            StoreResult::Unannounced => (LogLevel::Warn, "unannounced"),
            StoreResult::Failed => (LogLevel::Error, "failed"),
            StoreResult::Later(_) => (LogLevel::Warn, "later"),
            StoreResult::Refused(_) => (LogLevel::Error, "refused"),
        };
        let label = &batch.label;
        if sink == SinkPath::Object.name() && result == StoreResult::Stored {
            let what = json!({ "isolate": label.isolate, "sequence": label.sequence, "lines": label.lines });
            return log::edge_handed_over(&what);
        }
        let what = json!({ "sink": sink, "verdict": verdict, "key": batch.key, "label": label, "counts": counts });
        log::edge_batch(level, &what);
    }
}

impl CollectorClient for WorkerHost {
    async fn post(&self, post: CollectorPost) -> Option<CollectorAnswer> {
        collector::post(post).await
    }
}

impl DurableBuffer for WorkerHost {
    async fn hand_over(&self, object: &str, call: &HandOver) -> Result<HandOverAnswer, BackendError> {
        let spools = env::edge_spools(&self.env).map_err(failed("handing a batch over"))?;
        rpc::call(&spools, object, call).await
    }

    async fn enqueue(&self, batch: HandedBatch) -> Result<(), BackendError> {
        let queue = env::edge_queue(&self.env).map_err(failed("sending to edge-queue"))?;
        // A text: the platform would make a map of a member that is flattened.
        let text = serde_json::to_string(&batch).unwrap_or_default();
        queue.send(&[text]).await
    }
}
