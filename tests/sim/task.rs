//! The world as one task takes it.

use raydex::access::{AccessRules, AuthFailure, Caller, Credentials, UnknownCallers};
use raydex::backend::{BackendError, DurableObjects};
use raydex::bucket_keys::LogPrefixes;
use raydex::config::DEFAULT_BUCKET_NAME;
use raydex::limits;
use raydex::memory::{MemoryBudget, ReadPermits, ScanPermits};
use raydex::services::{IsolateMemory, Services};

use super::world::{Isolate, Ledgers, Shards};

/// Most bytes of a pack: of a batch's one to eight bodies of some 200 bytes, some lie together and some alone.
const PACK_BYTES: usize = 700;

/// The world as the stages take it.
#[derive(Debug, Clone)]
pub(crate) struct TaskWorld {
    pub(crate) isolate: Isolate,
    data: Isolate,
    shards: Shards,
    ledgers: Ledgers,
    memory: MemoryBudget,
    log_prefixes: LogPrefixes,
    /// Each task's own, as if it ran in an isolate of its own: so that all orders of their steps come about.
    read_permits: ReadPermits,
    scan_permits: ScanPermits,
    unknown_callers: UnknownCallers,
    remembered: IsolateMemory,
}

impl TaskWorld {
    pub(crate) fn new(isolate: Isolate) -> Self {
        // A task's own, as if it ran in an isolate of its own, but for the first start; under load, its isolate's.
        let shared = isolate.platform.loaded.as_ref().map(|parts| parts.memory(isolate.number));
        let first_start_ms = isolate.platform.first_start_ms.clone();
        let remembered = IsolateMemory { first_start_ms, ..shared.unwrap_or_default() };
        Self {
            data: isolate.with_data_bucket(),
            shards: Shards(isolate.clone()),
            ledgers: Ledgers(isolate.clone()),
            memory: MemoryBudget::default(),
            log_prefixes: LogPrefixes::one("logs/"),
            read_permits: ReadPermits::default(),
            scan_permits: ScanPermits::default(),
            unknown_callers: UnknownCallers::default(),
            remembered,
            isolate,
        }
    }
}

/// The simulated requests are messages, which leave no entry in the audit log.
#[derive(Debug, Clone)]
pub(crate) struct NoAuditLog;

impl DurableObjects for NoAuditLog {
    async fn call(&self, _: &str, _: &str, _: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        Err(BackendError::new("calling the audit log", "the simulator has none"))
    }
}

impl Services for TaskWorld {
    type Bucket = Isolate;
    type Shards = Shards;
    type Ledgers = Ledgers;
    type AuditLog = NoAuditLog;
    type ParseQueue = Isolate;
    type SendQueue = Isolate;

    fn bucket(&self) -> &Isolate {
        &self.isolate
    }

    fn data_bucket(&self) -> &Isolate {
        &self.data
    }

    fn bucket_name(&self) -> &str {
        DEFAULT_BUCKET_NAME
    }

    fn log_prefixes(&self) -> &LogPrefixes {
        &self.log_prefixes
    }

    fn shards(&self) -> &Shards {
        &self.shards
    }

    fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    fn audit_log(&self) -> &NoAuditLog {
        &NoAuditLog
    }

    fn parse_queue(&self) -> &Isolate {
        &self.isolate
    }

    fn send_queue(&self) -> &Isolate {
        &self.isolate
    }

    async fn authenticate(&self, _: &AccessRules, _: Credentials<'_>) -> Result<Caller, AuthFailure> {
        Err(AuthFailure::NoKeys)
    }

    fn unknown_callers(&self) -> &UnknownCallers {
        &self.unknown_callers
    }

    fn isolate(&self) -> &IsolateMemory {
        &self.remembered
    }

    fn now_ms(&self) -> i64 {
        self.isolate.clock_ms()
    }

    fn random_bits(&self) -> u32 {
        7
    }

    fn pack_bytes(&self) -> usize {
        // One pack for all payloads of a file, where there are as many as in real ones.
        if self.isolate.platform.loaded.is_some() { limits::PACK_BYTES } else { PACK_BYTES }
    }

    fn partitions(&self) -> u8 {
        self.isolate.platform.partitions.of_isolate(self.isolate.number)
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

    async fn sleep(&self, ms: i64) {
        self.isolate.platform.time.sleep(ms).await;
    }
}
