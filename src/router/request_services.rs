//! The services of one request: what it reserves counts against the share of its caller.
//!
//! # Invariants
//! Every request in flight holds its base amount, from before it is authenticated until nothing of it is left.

use std::rc::Rc;

use crate::access::{AccessRules, AuthFailure, Caller, Credentials, UnknownCallers};
use crate::bucket_keys::LogPrefixes;
use crate::http::HttpRequest;
use crate::limits::{REQUEST_BYTES, REQUEST_COPIES};
use crate::memory::{MemoryBudget, OutOfMemory, ReadPermits, Reservation, ScanPermits};
use crate::services::{IsolateMemory, Services};

/// The services of the deployment with the memory of one request.
#[derive(Debug)]
pub(super) struct RequestServices<D> {
    services: Rc<D>,
    memory: MemoryBudget,
    /// The base amount, and the body of the request.
    base: Reservation,
}

/// Reserves the base amount of a request: its head, what is made of it, and its futures.
pub(super) fn reserve_base<B>(memory: &MemoryBudget, request: &HttpRequest<B>) -> Result<Reservation, OutOfMemory> {
    let headers = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let head = request.path.len() + request.query.len() + headers.sum::<usize>();
    memory.reserve(REQUEST_BYTES + REQUEST_COPIES * head)
}

impl<D: Services> RequestServices<D> {
    /// Moves the base amount into the share of the caller.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the share is used up.
    pub(super) fn new(services: &Rc<D>, caller: &Caller, base: Reservation) -> Result<Self, OutOfMemory> {
        let memory = services.memory().for_request_of(&caller.name);
        let bytes = base.bytes();
        drop(base);
        let base = memory.reserve(bytes)?;
        Ok(Self { services: Rc::clone(services), memory, base })
    }

    /// The reservation of the base amount, which lasts as long as the request.
    pub(super) const fn base(&self) -> &Reservation {
        &self.base
    }
}

impl<D: Services> Services for RequestServices<D> {
    type Bucket = D::Bucket;
    type Shards = D::Shards;
    type Ledgers = D::Ledgers;
    type AuditLog = D::AuditLog;
    type ParseQueue = D::ParseQueue;
    type SendQueue = D::SendQueue;

    fn bucket(&self) -> &D::Bucket {
        self.services.bucket()
    }

    fn data_bucket(&self) -> &D::Bucket {
        self.services.data_bucket()
    }

    fn bucket_name(&self) -> &str {
        self.services.bucket_name()
    }

    fn log_prefixes(&self) -> &LogPrefixes {
        self.services.log_prefixes()
    }

    fn shards(&self) -> &D::Shards {
        self.services.shards()
    }

    fn ledgers(&self) -> &D::Ledgers {
        self.services.ledgers()
    }

    fn audit_log(&self) -> &D::AuditLog {
        self.services.audit_log()
    }

    fn parse_queue(&self) -> &D::ParseQueue {
        self.services.parse_queue()
    }

    fn send_queue(&self) -> &D::SendQueue {
        self.services.send_queue()
    }

    async fn authenticate(&self, rules: &AccessRules, presented: Credentials<'_>) -> Result<Caller, AuthFailure> {
        self.services.authenticate(rules, presented).await
    }

    fn unknown_callers(&self) -> &UnknownCallers {
        self.services.unknown_callers()
    }

    fn isolate(&self) -> &IsolateMemory {
        self.services.isolate()
    }

    fn now_ms(&self) -> i64 {
        self.services.now_ms()
    }

    async fn sleep(&self, ms: i64) {
        self.services.sleep(ms).await;
    }

    fn random_bits(&self) -> u32 {
        self.services.random_bits()
    }

    fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    fn read_permits(&self) -> &ReadPermits {
        self.services.read_permits()
    }

    fn scan_permits(&self) -> &ScanPermits {
        self.services.scan_permits()
    }

    fn pack_bytes(&self) -> usize {
        self.services.pack_bytes()
    }
}
