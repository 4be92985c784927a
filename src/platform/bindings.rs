//! The [`Services`] over the bindings of the deployment.
//!
//! A missing binding is an error of the entry point, before any work begins.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use worker::{Context, Env, Result};

use super::bucket::R2Bucket;
use super::objects::NamedObjects;
use super::producer::QueueProducer;
use super::{access, bell, env, log, random, sleep};
use crate::access::{AccessRules, AuthFailure, Caller, Credentials, UnknownCallers};
use crate::bucket_keys::LogPrefixes;
use crate::config::Config;
use crate::memory::{MemoryBudget, ReadPermits, ScanPermits};
use crate::rpc::{Bell, local_bell};
use crate::services::{IsolateMemory, Services};

thread_local! {
    /// The memory budget of this isolate.
    static MEMORY: MemoryBudget = MemoryBudget::default();
    /// The requests of unknown callers that this isolate counted.
    static UNKNOWN_CALLERS: UnknownCallers = UnknownCallers::default();
    /// What this isolate remembers between requests.
    static ISOLATE: IsolateMemory = IsolateMemory::default();
    /// The permit of this isolate to read a batch.
    static READ_PERMITS: ReadPermits = ReadPermits::default();
    /// The permits of this isolate's callers to search.
    static SCAN_PERMITS: ScanPermits = ScanPermits::default();
}

/// The bindings of the deployment.
#[derive(Debug)]
pub(super) struct Bindings {
    bucket: R2Bucket,
    data_bucket: R2Bucket,
    bucket_name: String,
    log_prefixes: LogPrefixes,
    partitions: u8,
    shards: NamedObjects,
    ledgers: NamedObjects,
    audit_log: NamedObjects,
    memory: MemoryBudget,
    read_permits: ReadPermits,
    scan_permits: ScanPermits,
    unknown_callers: UnknownCallers,
    isolate: IsolateMemory,
    parse_queue: QueueProducer,
    send_queue: QueueProducer,
    /// The context of the request, where there is one.
    context: Option<Rc<Context>>,
}

impl Bindings {
    /// Creates the bindings of a deployment with these settings. A missing binding is an error.
    ///
    /// If the settings are faulty, nothing is served, so the bucket's name is left empty.
    pub(super) fn new(env: &Env, config: Option<&Config>) -> Result<Self> {
        Ok(Self {
            bucket: env::bucket(env)?,
            data_bucket: env::data_bucket(env)?,
            bucket_name: config.map(|config| config.bucket_name.clone()).unwrap_or_default(),
            log_prefixes: config.map(|config| config.log_prefix.clone()).unwrap_or_default(),
            partitions: config.map_or(1, |config| config.partitions),
            shards: env::shards(env)?,
            ledgers: env::ledgers(env)?,
            audit_log: env::audit_log(env)?,
            memory: MEMORY.with(MemoryBudget::clone),
            read_permits: READ_PERMITS.with(ReadPermits::clone),
            scan_permits: SCAN_PERMITS.with(ScanPermits::clone),
            unknown_callers: UNKNOWN_CALLERS.with(UnknownCallers::clone),
            isolate: ISOLATE.with(IsolateMemory::clone),
            parse_queue: env::parse_queue(env)?,
            send_queue: env::send_queue(env)?,
            context: None,
        })
    }

    /// Has what outlasts a client go on in this context of its request.
    pub(super) fn in_context(self, context: &Rc<Context>) -> Self {
        Self { context: Some(Rc::clone(context)), ..self }
    }
}

impl Services for Bindings {
    type Bucket = R2Bucket;
    type Shards = NamedObjects;
    type Ledgers = NamedObjects;
    type AuditLog = NamedObjects;
    type ParseQueue = QueueProducer;
    type SendQueue = QueueProducer;

    fn bucket(&self) -> &R2Bucket {
        &self.bucket
    }

    fn data_bucket(&self) -> &R2Bucket {
        &self.data_bucket
    }

    fn bucket_name(&self) -> &str {
        &self.bucket_name
    }

    fn log_prefixes(&self) -> &LogPrefixes {
        &self.log_prefixes
    }

    fn partitions(&self) -> u8 {
        self.partitions
    }

    fn shards(&self) -> &NamedObjects {
        &self.shards
    }

    fn ledgers(&self) -> &NamedObjects {
        &self.ledgers
    }

    fn audit_log(&self) -> &NamedObjects {
        &self.audit_log
    }

    fn parse_queue(&self) -> &QueueProducer {
        &self.parse_queue
    }

    fn send_queue(&self) -> &QueueProducer {
        &self.send_queue
    }

    async fn authenticate(
        &self,
        rules: &AccessRules,
        presented: Credentials<'_>,
    ) -> std::result::Result<Caller, AuthFailure> {
        access::admit(rules, presented, log::now_ms()).await
    }

    fn unknown_callers(&self) -> &UnknownCallers {
        &self.unknown_callers
    }

    fn isolate(&self) -> &IsolateMemory {
        &self.isolate
    }

    fn now_ms(&self) -> i64 {
        log::now_ms()
    }

    async fn sleep(&self, ms: i64) {
        sleep::sleep(ms).await;
    }

    fn bell(&self) -> (Bell, LocalBoxFuture<'static, ()>) {
        bell::bell()
    }

    fn carry_on(&self, work: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        let Some(context) = &self.context else { return work };
        let (done, is_done) = local_bell();
        context.wait_until(async move {
            work.await;
            done();
        });
        Box::pin(is_done)
    }

    fn random_bits(&self) -> u32 {
        random::word()
    }

    fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    fn read_permits(&self) -> &ReadPermits {
        &self.read_permits
    }

    fn scan_permits(&self) -> &ScanPermits {
        &self.scan_permits
    }
}
