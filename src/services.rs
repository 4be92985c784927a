//! The dependencies of the core for answering a request or a message, as one trait.
//!
//! `platform` implements it over the Worker's bindings; the tests over memory and SQLite; the simulator over its own
//! platform.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;

use crate::access::{
    AccessRules, AuthFailure, Caller, Credentials, CursorKeys, IsolateCosts, IsolateRefusals, SpentDailyBudget,
    TokenCache, UnknownCallers,
};
use crate::audit::chains::KnownChains;
use crate::audit::waiting::{GroupHost, WaitingEvents};
use crate::backend::{BackendError, BatchStore, Bucket, DurableObjects, Queue, Turns};
use crate::bucket_keys::LogPrefixes;
use crate::erasure::KnownErasures;
use crate::ledger::known::KnownFacts;
use crate::ledger::occupancy::KnownMarks;
use crate::ledger::partitions::KnownPartitions;
use crate::ledger::{BatchId, DeliveryGroup, LedgerHour, SourceId};
use crate::limits::{GROUP_PAYLOADS, LEDGERS_KNOWN, PACK_BYTES};
use crate::memory::{MemoryBudget, ReadPermits, ScanPermits};
use crate::r2_event::R2Event;
use crate::rpc::{Bell, local_bell};

/// What an isolate remembers between requests, to ask less; its clones are the same one. All of it may be lost.
#[derive(Debug, Clone, Default)]
pub struct IsolateMemory {
    /// The requests that the isolate refused by itself.
    pub refusals: IsolateRefusals,
    /// What requests cost that the isolate answered.
    pub costs: IsolateCosts,
    /// The tokens that the isolate looked up in the registry.
    pub tokens: TokenCache,
    /// The ledgers that the registry knows.
    pub ledgers: KnownLedgers,
    /// The keys of cursors.
    pub cursor_keys: CursorKeys,
    /// Unix milliseconds of the first start, once it is known.
    pub first_start_ms: Rc<Cell<Option<i64>>>,
    /// When the registry last said so, in Unix milliseconds.
    pub first_start_asked_ms: Rc<Cell<Option<i64>>>,
    /// Whether that follows the loss of a registry.
    pub is_after_loss: Rc<Cell<bool>>,
    /// The partner's last answer.
    pub partner_pulse: PartnerPulse,
    /// The events that wait for the audit log.
    pub waiting_events: WaitingEvents,
    /// How many chains the audit log is known to have.
    pub known_chains: KnownChains,
    /// How many partitions hours are known to have.
    pub partitions: KnownPartitions,
    /// The prefixes that are known to be marked as occupied.
    pub marks: KnownMarks,
    /// The lines that are erased.
    pub erasures: KnownErasures,
}

/// When the partner last answered for a payload: took it, or refused it as such.
#[derive(Debug, Clone, Default)]
pub struct PartnerPulse(Rc<Cell<Option<i64>>>);

impl PartnerPulse {
    /// Notes an answer at this instant in Unix milliseconds.
    pub fn note(&self, now_ms: i64) {
        self.0.set(Some(now_ms));
    }

    /// Whether an answer came at this instant or later.
    #[must_use]
    pub fn has_beaten_since(&self, since_ms: i64) -> bool {
        self.0.get().is_some_and(|at_ms| at_ms >= since_ms)
    }
}

/// Names of ledgers that the registry knows; none is ever removed from it.
#[derive(Debug, Clone, Default)]
pub struct KnownLedgers(KnownFacts<String, ()>);

impl KnownLedgers {
    /// Whether the ledger is known to be registered.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// Notes that the ledger is registered.
    pub fn insert(&self, name: &str) {
        self.0.insert(name.to_owned(), (), LEDGERS_KNOWN);
    }
}

/// The storage, queues, clock and memory of one isolate.
pub trait Services {
    /// The log bucket and the data bucket.
    type Bucket: Bucket;
    /// The Durable Objects that hold the index.
    type Shards: DurableObjects;
    /// The Durable Objects that keep the accounts of batches.
    type Ledgers: DurableObjects;
    /// The Durable Objects of the audit log.
    type AuditLog: DurableObjects + Clone + 'static;
    /// The queue of objects to parse.
    type ParseQueue: Queue<R2Event>;
    /// The queue of payloads to send.
    type SendQueue: Queue<DeliveryGroup>;

    /// Returns the log bucket, which holds the batches. Only uploads are written to it.
    fn bucket(&self) -> &Self::Bucket;
    /// Returns the data bucket, which holds raydex's own objects. It may be the log bucket.
    fn data_bucket(&self) -> &Self::Bucket;
    /// Returns the log bucket's name, which is part of every batch's identity.
    fn bucket_name(&self) -> &str;
    /// Returns the folders that Logpush writes to, with the settings for the batches in them.
    fn log_prefixes(&self) -> &LogPrefixes;
    /// Returns the buckets that indexed batches are read from.
    fn batch_store(&self) -> BatchStore<'_, Self::Bucket> {
        BatchStore {
            logs: self.bucket(),
            data: self.data_bucket(),
            bucket_name: self.bucket_name(),
            prefixes: self.log_prefixes(),
            erasures: &self.isolate().erasures,
        }
    }
    /// Returns the shards of the index, by name.
    fn shards(&self) -> &Self::Shards;
    /// Returns the ledgers, by name.
    fn ledgers(&self) -> &Self::Ledgers;
    /// Returns the objects of the audit log's chains, by name ([`crate::audit::chains::chain_object`]).
    fn audit_log(&self) -> &Self::AuditLog;
    /// Returns the queue of objects to parse.
    fn parse_queue(&self) -> &Self::ParseQueue;
    /// Returns the queue of payloads to send.
    fn send_queue(&self) -> &Self::SendQueue;

    /// Returns the caller with a request's credentials.
    fn authenticate(
        &self,
        rules: &AccessRules,
        presented: Credentials<'_>,
    ) -> impl Future<Output = Result<Caller, AuthFailure>>;

    /// The requests of unknown callers that this isolate counted.
    fn unknown_callers(&self) -> &UnknownCallers;

    /// What this isolate remembers between requests.
    fn isolate(&self) -> &IsolateMemory;

    /// The clock, in Unix milliseconds.
    fn now_ms(&self) -> i64;
    /// Completes after this many milliseconds; after 0 too, others of the isolate had their turn.
    fn sleep(&self, ms: i64) -> impl Future<Output = ()>;
    /// Returns a bell, and a future that completes in this request once any request of the isolate has rung the bell.
    fn bell(&self) -> (Bell, LocalBoxFuture<'static, ()>) {
        let (bell, rung) = local_bell();
        (bell, Box::pin(rung))
    }
    /// Does the work although the client of this request hangs up. The future completes once it is done.
    fn carry_on(&self, work: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        work
    }
    /// Returns 32 unpredictable bits.
    fn random_bits(&self) -> u32;

    /// Returns the caller's daily budget, if it is spent; a search asks before each of its steps, and ends then. What the request
    /// cost so far may be reported on the way.
    fn check_daily_budget(&self) -> impl Future<Output = Result<(), SpentDailyBudget>> {
        async { Ok(()) }
    }

    /// Returns the memory budget that the requests of this isolate share.
    fn memory(&self) -> &MemoryBudget;
    /// Returns the permit to read a batch, which the messages of an isolate share.
    fn read_permits(&self) -> &ReadPermits;
    /// Returns the permits to search, which the callers of an isolate share.
    fn scan_permits(&self) -> &ScanPermits;
    /// Returns the maximum size of a pack of payloads in bytes; the simulator makes smaller ones.
    fn pack_bytes(&self) -> usize {
        PACK_BYTES
    }
    /// Returns the maximum number of payloads that are sent together.
    fn group_payloads(&self) -> usize {
        GROUP_PAYLOADS
    }

    /// Returns the number of partitions that an hour gets from now on.
    fn partitions(&self) -> u8;

    /// Returns the number of partitions that an hour has; 1 before its first batch.
    fn known_partitions(&self, hour: &LedgerHour) -> impl Future<Output = Result<u8, BackendError>> {
        self.isolate().partitions.of_hour(self.ledgers(), hour, None)
    }

    /// Returns the name of the ledger of the batch at `key`. From then on the number of its hour's partitions stays.
    fn ledger_of(&self, key: &str) -> impl Future<Output = Result<String, BackendError>> {
        async move {
            let hour = LedgerHour::of_key(key);
            let wanted = Some(self.partitions());
            let partitions = self.isolate().partitions.of_hour(self.ledgers(), &hour, wanted).await?;
            Ok(hour.ledger_of(key, partitions))
        }
    }

    /// Returns the identity of the log bucket's batch at `key` that was written with this entity tag
    /// ([`ObjectVersion::batch_etag`](crate::index::ObjectVersion::batch_etag)).
    fn batch_id(&self, key: &str, etag: &str) -> impl Future<Output = Result<BatchId, BackendError>> {
        async move {
            let ledger = self.ledger_of(key).await?;
            Ok(BatchId { ledger, source: SourceId::for_object(self.bucket_name(), key, etag) })
        }
    }
}

impl<S: Services> Turns for S {
    async fn pass(&self) {
        self.sleep(0).await;
    }
}

impl<S: Services> GroupHost for S {
    fn bell(&self) -> (Bell, LocalBoxFuture<'static, ()>) {
        Services::bell(self)
    }

    fn carry_on(&self, work: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        Services::carry_on(self, work)
    }

    async fn pause(&self, ms: i64) {
        self.sleep(ms).await;
    }

    fn clock_ms(&self) -> i64 {
        self.now_ms()
    }
}
