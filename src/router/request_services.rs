//! The services of one request: what it reserves counts against the share of its caller.
//!
//! # Invariants
//! Every request in flight holds its base amount, from before it is authenticated until nothing of it is left. Until it is
//! admitted it can call the shards of the index and the audit log, and nothing else.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use super::admission_gate::{AdmissionGate, Gated};
use crate::access::{AccessRules, AuthFailure, Caller, Credentials, UnknownCallers};
use crate::bucket_keys::LogPrefixes;
use crate::http::HttpRequest;
use crate::limits::{REQUEST_BYTES, REQUEST_COPIES};
use crate::memory::{MemoryBudget, OutOfMemory, ReadPermits, Reservation, ScanPermits};
use crate::rpc::Bell;
use crate::services::{IsolateMemory, Services};

/// The services of the deployment with the memory of one request, behind its gate.
#[derive(Debug)]
pub(super) struct RequestServices<D: Services> {
    services: Rc<D>,
    gate: Rc<AdmissionGate>,
    logs: Gated<D, D::Bucket>,
    data: Gated<D, D::Bucket>,
    ledgers: Gated<D, D::Ledgers>,
    parse_queue: Gated<D, D::ParseQueue>,
    send_queue: Gated<D, D::SendQueue>,
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
        let gate = Rc::default();
        Ok(Self {
            services: Rc::clone(services),
            logs: Gated::new(services, &gate, D::bucket),
            data: Gated::new(services, &gate, D::data_bucket),
            ledgers: Gated::new(services, &gate, D::ledgers),
            parse_queue: Gated::new(services, &gate, D::parse_queue),
            send_queue: Gated::new(services, &gate, D::send_queue),
            gate,
            memory,
            base,
        })
    }

    /// The services that admit the request itself, which wait behind no gate.
    pub(super) fn of_deployment(&self) -> &D {
        &self.services
    }

    /// Opens the gate: the request is admitted.
    pub(super) fn admit(&self) {
        self.gate.open();
    }

    /// The reservation of the base amount, which lasts as long as the request.
    pub(super) const fn base(&self) -> &Reservation {
        &self.base
    }
}

impl<D: Services> Services for RequestServices<D> {
    type Bucket = Gated<D, D::Bucket>;
    type Shards = D::Shards;
    type Ledgers = Gated<D, D::Ledgers>;
    type AuditLog = D::AuditLog;
    type ParseQueue = Gated<D, D::ParseQueue>;
    type SendQueue = Gated<D, D::SendQueue>;

    fn bucket(&self) -> &Self::Bucket {
        &self.logs
    }

    fn data_bucket(&self) -> &Self::Bucket {
        &self.data
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

    fn ledgers(&self) -> &Self::Ledgers {
        &self.ledgers
    }

    fn audit_log(&self) -> &D::AuditLog {
        self.services.audit_log()
    }

    fn parse_queue(&self) -> &Self::ParseQueue {
        &self.parse_queue
    }

    fn send_queue(&self) -> &Self::SendQueue {
        &self.send_queue
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

    fn bell(&self) -> (Bell, LocalBoxFuture<'static, ()>) {
        self.services.bell()
    }

    fn carry_on(&self, work: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        self.services.carry_on(work)
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

    fn group_payloads(&self) -> usize {
        self.services.group_payloads()
    }
}
