//! What the edge logger needs of the platform, over the bindings of its deployment.

use serde_json::json;
use worker::Env;

use super::{env, failed, log, sleep};
use crate::backend::{BackendError, ObjectHead, Queue};
use crate::config::LogLevel;
use crate::edge::{EdgeBatch, EdgeHost, StoreReport, StoreResult};
use crate::r2_event::R2Event;

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

    fn report(&self, StoreReport { batch, result }: StoreReport<'_>) {
        let (level, verdict) = match result {
            StoreResult::Stored => (LogLevel::Info, "stored"),
            StoreResult::Unannounced => (LogLevel::Warn, "unannounced"),
            StoreResult::Failed => (LogLevel::Error, "failed"),
        };
        log::edge_batch(level, &json!({ "verdict": verdict, "key": batch.key, "label": batch.label }));
    }
}
