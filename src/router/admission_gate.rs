//! Holds what a request may not do before it is admitted, so that a lookup may ask the index while the audit log is asked
//! whether to let it in; and counts what it does then, at the platform's prices.
//!
//! # Invariants
//! Behind a closed gate no bucket is read or written, no ledger is called, and no message is sent.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::cost_meter::CostMeter;
use crate::backend::{
    BackendError, Bucket, CallError, DurableObjects, ListPage, ListRequest, ObjectHead, Queue, RangedRead, RewriteNote,
};
use crate::limits::{MESSAGE_NANOS, OBJECT_CALL_NANOS, R2_READ_NANOS, R2_WRITE_NANOS, STORED_KILOBYTE_NANOS};
use crate::memory::Reservation;

/// Closed until the request is admitted, then open for as long as it lasts.
#[derive(Debug, Default)]
pub(super) struct AdmissionGate {
    is_open: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl AdmissionGate {
    /// Lets everything pass that waits, and all that comes.
    pub(super) fn open(&self) {
        self.is_open.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    /// Completes once the gate is open.
    async fn pass(&self) {
        poll_fn(|context| {
            if self.is_open.get() {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A service of the deployment `D`, behind the gate of a request, and the meter of what its use costs.
pub(super) struct Gated<D, T> {
    deployment: Rc<D>,
    service: fn(&D) -> &T,
    gate: Rc<AdmissionGate>,
    meter: Rc<CostMeter>,
}

impl<D, T> Gated<D, T> {
    pub(super) fn new(
        deployment: &Rc<D>,
        (gate, meter): (&Rc<AdmissionGate>, &Rc<CostMeter>),
        service: fn(&D) -> &T,
    ) -> Self {
        Self { deployment: Rc::clone(deployment), service, gate: Rc::clone(gate), meter: Rc::clone(meter) }
    }

    /// The service, once the gate is open, for a use of this price.
    async fn pass(&self, nanos: u64) -> &T {
        self.gate.pass().await;
        self.meter.charge(nanos);
        (self.service)(&self.deployment)
    }
}

/// The price of the CPU that stored bytes take.
const fn byte_price(bytes: u64) -> u64 {
    bytes.saturating_mul(STORED_KILOBYTE_NANOS).div_ceil(1_000)
}

impl<D, T> fmt::Debug for Gated<D, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gated").field("gate", &self.gate).finish_non_exhaustive()
    }
}

impl<D, B: Bucket> Bucket for Gated<D, B> {
    type Body = B::Body;
    type Upload = B::Upload;

    async fn get(&self, key: &str) -> Result<Option<(ObjectHead, Self::Body)>, BackendError> {
        let found = self.pass(R2_READ_NANOS).await.get(key).await?;
        if let Some((head, _)) = &found {
            self.meter.charge(byte_price(head.size));
        }
        Ok(found)
    }

    async fn get_range(
        &self,
        key: &str,
        etag: Option<&str>,
        bytes: Range<u64>,
    ) -> Result<RangedRead<Self::Body>, BackendError> {
        let price = R2_READ_NANOS + byte_price(bytes.end.saturating_sub(bytes.start));
        self.pass(price).await.get_range(key, etag, bytes).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<ObjectHead, BackendError> {
        self.pass(R2_WRITE_NANOS).await.put(key, bytes).await
    }

    async fn put_new(&self, key: &str, bytes: Vec<u8>) -> Result<bool, BackendError> {
        self.pass(R2_WRITE_NANOS).await.put_new(key, bytes).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BackendError> {
        self.pass(0).await.delete(keys).await
    }

    async fn list(&self, ask: &ListRequest) -> Result<ListPage, BackendError> {
        self.pass(R2_WRITE_NANOS).await.list(ask).await
    }

    async fn upload(&self, key: &str, uploader: &str) -> Result<Self::Upload, BackendError> {
        self.pass(R2_WRITE_NANOS).await.upload(key, uploader).await
    }

    async fn put_upload(&self, key: &str, bytes: Vec<u8>, uploader: &str) -> Result<ObjectHead, BackendError> {
        self.pass(R2_WRITE_NANOS).await.put_upload(key, bytes, uploader).await
    }

    async fn uploader(&self, key: &str, etag: &str) -> Result<Option<String>, BackendError> {
        self.pass(R2_READ_NANOS).await.uploader(key, etag).await
    }

    async fn edge_label(&self, key: &str, etag: &str) -> Result<Option<String>, BackendError> {
        self.pass(R2_READ_NANOS).await.edge_label(key, etag).await
    }

    async fn replace(&self, key: &str, etag: &str, bytes: Vec<u8>, note: &RewriteNote) -> Result<bool, BackendError> {
        self.pass(R2_READ_NANOS + R2_WRITE_NANOS).await.replace(key, etag, bytes, note).await
    }

    async fn rewrite(&self, key: &str, etag: &str, note: &RewriteNote) -> Result<Self::Upload, BackendError> {
        self.pass(R2_READ_NANOS + R2_WRITE_NANOS).await.rewrite(key, etag, note).await
    }

    async fn admitted(&self) {
        self.gate.pass().await;
    }
}

impl<D, O: DurableObjects> DurableObjects for Gated<D, O> {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        self.pass(OBJECT_CALL_NANOS).await.call(name, call, body).await
    }

    async fn call_reserving(
        &self,
        name: &str,
        call: &str,
        body: Vec<u8>,
        reservation: &Reservation,
    ) -> Result<Vec<u8>, CallError> {
        self.pass(OBJECT_CALL_NANOS).await.call_reserving(name, call, body, reservation).await
    }
}

impl<D, M, Q: Queue<M>> Queue<M> for Gated<D, Q> {
    async fn send(&self, messages: &[M]) -> Result<(), BackendError> {
        self.pass(MESSAGE_NANOS.saturating_mul(messages.len() as u64)).await.send(messages).await
    }
}
