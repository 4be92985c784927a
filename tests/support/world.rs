//! All fakes together, and the questions that tests ask of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use raydex::access::{AccessRules, AuthFailure, Caller, Credentials, JwksCache, UnknownCallers, admit_any};
use raydex::backend::{BackendError, ObjectHead};
use raydex::batch::BatchError;
use raydex::bucket_keys::LogPrefixes;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::config::{Config, ConfigFault};
use raydex::ledger::SourceId;
use raydex::ledger::books::PayloadView;
use raydex::ledger::calls::BatchDetails;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::ListDeadLetters;
use raydex::limits::PACK_BYTES;
use raydex::lookup::{LookupError, LookupResult, lookup};
use raydex::memory::{MemoryBudget, ReadPermits, ScanPermits};
use raydex::pipeline::{BatchOutcome, BatchRequest, ParseVerdict, parse_message, process_batch};
use raydex::record::{Dataset, RayKey};
use raydex::services::{IsolateMemory, Services};
use sha2::{Digest, Sha256};

use super::issuer::FakeIssuer;
use super::queue::message;
use super::{Faults, Kind, MemoryAudits, MemoryBucket, MemoryLedgers, MemoryQueue, MemoryShards, NOW_MS, run};

/// The token that the tests' deployment takes.
pub const TOKEN: &str = "t0ken-of-the-tests";

/// The settings of the tests' deployment.
pub fn config() -> Config {
    config_with(&[])
}

/// The same, with more.
pub fn config_with(set: &[(&str, &str)]) -> Config {
    let hash = hex::encode(Sha256::digest(TOKEN));
    let config = Config::read(|name| {
        let found = set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        found.or_else(|| (name == "API_TOKEN_SHA256").then(|| hash.clone()))
    });
    config.unwrap_or_else(|faults| panic!("{}", ConfigFault::words(&faults)))
}

/// A world in memory.
#[derive(Debug, Clone)]
pub struct Fakes {
    pub faults: Faults,
    pub bucket: MemoryBucket,
    /// The data bucket: the log bucket itself, unless the world is told to [`Fakes::separate`] them.
    pub data: MemoryBucket,
    pub shards: MemoryShards,
    pub ledgers: MemoryLedgers,
    pub audits: MemoryAudits,
    pub queue: MemoryQueue,
    pub sends: MemoryQueue,
    pub memory: MemoryBudget,
    pub read_permits: ReadPermits,
    pub scan_permits: ScanPermits,
    /// Who issues assertions; down until it publishes keys.
    pub issuer: Rc<FakeIssuer>,
    pub jwks: Rc<RefCell<JwksCache>>,
    pub unknown_callers: UnknownCallers,
    pub isolate: IsolateMemory,
    pub clock_ms: Rc<Cell<i64>>,
    /// How long someone has paused, in all.
    pub paused_ms: Rc<Cell<i64>>,
    /// Whether timers wait for the clock, instead of moving it.
    pub holds_timers: Rc<Cell<bool>>,
    /// How often the others of the isolate had their turn.
    pub turns: Rc<Cell<u32>>,
    /// How far the clock goes on whenever someone looks.
    pub tick_ms: Cell<i64>,
    /// What nobody can foretell.
    pub bits: Cell<u32>,
    /// Most bytes of a pack.
    pub pack_bytes: Cell<usize>,
    /// Most payloads that are sent together.
    pub group_payloads: Cell<usize>,
    /// Partitions that an hour gets.
    pub partitions: Cell<u8>,
    /// Where Logpush writes, and what is said of the batches there.
    pub log_prefixes: LogPrefixes,
}

impl Services for Fakes {
    type Bucket = MemoryBucket;
    type Shards = MemoryShards;
    type Ledgers = MemoryLedgers;
    type AuditLog = MemoryAudits;
    type ParseQueue = MemoryQueue;
    type SendQueue = MemoryQueue;

    fn bucket(&self) -> &MemoryBucket {
        &self.bucket
    }

    fn data_bucket(&self) -> &MemoryBucket {
        &self.data
    }

    fn bucket_name(&self) -> &str {
        BUCKET_NAME
    }

    fn log_prefixes(&self) -> &LogPrefixes {
        &self.log_prefixes
    }

    fn shards(&self) -> &MemoryShards {
        &self.shards
    }

    fn ledgers(&self) -> &MemoryLedgers {
        &self.ledgers
    }

    fn audit_log(&self) -> &MemoryAudits {
        &self.audits
    }

    fn parse_queue(&self) -> &MemoryQueue {
        &self.queue
    }

    fn send_queue(&self) -> &MemoryQueue {
        &self.sends
    }

    async fn authenticate(&self, rules: &AccessRules, presented: Credentials<'_>) -> Result<Caller, AuthFailure> {
        admit_any(rules, presented, self.issuer.as_ref(), &self.jwks, self.clock_ms.get()).await
    }

    fn unknown_callers(&self) -> &UnknownCallers {
        &self.unknown_callers
    }

    fn isolate(&self) -> &IsolateMemory {
        &self.isolate
    }

    fn now_ms(&self) -> i64 {
        self.clock_ms.replace(self.clock_ms.get() + self.tick_ms.get())
    }

    async fn sleep(&self, ms: i64) {
        if self.holds_timers.get() {
            let until_ms = self.clock_ms.get() + ms;
            return poll_fn(|context| {
                context.waker().wake_by_ref();
                if self.clock_ms.get() >= until_ms { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        self.clock_ms.set(self.clock_ms.get() + ms);
        self.paused_ms.set(self.paused_ms.get() + ms);
        self.turns.set(self.turns.get() + u32::from(ms == 0));
    }

    fn random_bits(&self) -> u32 {
        self.bits.get()
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

    fn pack_bytes(&self) -> usize {
        self.pack_bytes.get()
    }

    fn partitions(&self) -> u8 {
        self.partitions.get()
    }

    fn group_payloads(&self) -> usize {
        self.group_payloads.get()
    }
}

/// All that a world holds: objects of the bucket, rows of the shards and of the ledgers, messages.
pub type Everything =
    (BTreeMap<String, Vec<u8>>, BTreeMap<String, Vec<String>>, BTreeMap<String, Vec<String>>, Vec<String>);

impl Fakes {
    pub fn new() -> Self {
        let faults = Faults::default();
        let clock_ms = Rc::new(Cell::new(NOW_MS));
        let bucket = MemoryBucket::new(&faults);
        let isolate = IsolateMemory::default();
        // The deployment has delivered for long; what is before that is a matter of the tests of the first start.
        isolate.first_start_ms.set(Some(0));
        Self {
            data: bucket.clone(),
            bucket,
            shards: MemoryShards::new(&faults),
            ledgers: MemoryLedgers::new(&clock_ms, &faults),
            audits: MemoryAudits::new(&clock_ms, &faults),
            queue: MemoryQueue::new(Kind::Send, &faults),
            sends: MemoryQueue::new(Kind::SendPayload, &faults),
            memory: MemoryBudget::default(),
            read_permits: ReadPermits::default(),
            scan_permits: ScanPermits::default(),
            issuer: Rc::default(),
            jwks: Rc::default(),
            unknown_callers: UnknownCallers::default(),
            isolate,
            paused_ms: Rc::default(),
            holds_timers: Rc::default(),
            turns: Rc::default(),
            clock_ms,
            tick_ms: Cell::default(),
            bits: Cell::new(0x5a3c),
            pack_bytes: Cell::new(PACK_BYTES),
            group_payloads: Cell::new(1),
            partitions: Cell::new(1),
            log_prefixes: LogPrefixes::one("logs/"),
            faults,
        }
    }

    /// Gives the world a data bucket of its own.
    pub fn separate(&mut self) {
        self.data = MemoryBucket::new(&self.faults);
    }

    /// A world with one object.
    pub fn with(key: &str, stored: &[u8]) -> Self {
        let fakes = Self::new();
        fakes.bucket.store(key, stored);
        fakes
    }

    /// Writes the object and indexes it.
    pub fn index(&self, key: &str, dataset: Dataset, stored: &[u8]) -> (ObjectHead, BatchOutcome) {
        let head = self.bucket.store(key, stored);
        (head, self.ingest(key, dataset).unwrap())
    }

    /// Indexes the object at `key`.
    pub fn ingest(&self, key: &str, dataset: Dataset) -> Result<BatchOutcome, BackendError> {
        run(process_batch(
            self,
            key,
            &BatchRequest { claim: dataset.into(), rule: None, index: true, deliver: None, rebuild: None },
        ))
    }

    /// Looks for an id as a log line spells it.
    pub fn find(&self, dataset: Dataset, id: &str) -> LookupResult {
        self.try_find(&[dataset], id).unwrap()
    }

    /// Looks for an id in several datasets; the world may fail.
    pub fn try_find(&self, datasets: &[Dataset], id: &str) -> Result<LookupResult, LookupError> {
        run(lookup(
            self.batch_store(),
            &self.shards,
            datasets,
            &RayKey::from_logged(id).unwrap(),
            &self.memory.reservation(),
        ))
    }

    /// The lines found for an id in `http_requests`.
    pub fn lines(&self, id: &str) -> Vec<String> {
        let records = self.find(Dataset::HttpRequests, id).records;
        records.into_iter().map(|record| String::from_utf8(record.line).unwrap()).collect()
    }

    /// What a queue message with this body comes to.
    pub fn parse(&self, body: &str, attempt: u32) -> ParseVerdict {
        run(parse_message(self, &config(), &message("parse-queue", body, attempt)))
    }

    /// The dead letters that still count, the oldest first: queue, code and body of each.
    pub fn dead_letters(&self) -> Vec<(String, String, String)> {
        let ask = ListDeadLetters { id: None, redriven: false, dismissed: false, limit: 10_000, before: None };
        let letters = self.ledgers.ask(REGISTRY, &ask).dead_letters.into_iter().rev().map(|kept| kept.letter);
        letters.map(|letter| (letter.queue, letter.code, letter.body)).collect()
    }

    /// What the ledger keeps of the object at `key`, as it is now.
    pub fn kept(&self, key: &str) -> BatchDetails {
        let etag = self.bucket.object(key).unwrap().head.etag;
        self.ledgers.batch(&run(self.batch_id(key, &etag)).unwrap())
    }

    /// The body of a payload of the object at `key`, as it lies in the bucket.
    pub fn body(&self, key: &str, view: &PayloadView) -> Option<Vec<u8>> {
        let source = SourceId::for_object(BUCKET_NAME, key, &self.bucket.object(key)?.head.etag);
        let place = view.payload.pack.as_ref()?;
        let object = self.data.object(&place.key(&source, view.plan))?.bytes;
        let at = usize::try_from(place.offset).unwrap();
        object.get(at..at + usize::try_from(view.payload.bytes).unwrap()).map(<[u8]>::to_vec)
    }

    /// All there is.
    pub fn everything(&self) -> Everything {
        (self.bucket.contents(), self.shards.rows(), self.ledgers.rows(), self.queue.sent())
    }
}

/// Why the object was quarantined.
pub fn quarantined(outcome: BatchOutcome) -> BatchError {
    match outcome {
        BatchOutcome::Quarantined(why) => why,
        other => panic!("not quarantined: {other:?}"),
    }
}
