//! Everything outside the core that answering a request or a message needs, as one trait.
//!
//! `platform` implements it over the Worker's bindings; the tests over memory and SQLite; the simulator over its own
//! platform.

use std::future::Future;

use crate::access::{AccessRules, AuthFailure, Caller, Credentials, UnknownCallers};
use crate::backend::{BatchStore, Bucket, DurableObjects, Queue};
use crate::bucket_keys::LogPrefixes;
use crate::ledger::DeliveryId;
use crate::limits::PACK_BYTES;
use crate::memory::{MemoryBudget, ReadPermits};
use crate::r2_event::R2Event;

/// The storage, queues, clock and memory of one isolate.
pub trait Services {
    /// The log bucket and the data bucket.
    type Bucket: Bucket;
    /// The Durable Objects that hold the index.
    type Shards: DurableObjects;
    /// The Durable Objects that keep the books of batches.
    type Ledgers: DurableObjects;
    /// The Durable Object of the audit log.
    type AuditLog: DurableObjects;
    /// The queue of objects to parse.
    type ParseQueue: Queue<R2Event>;
    /// The queue of payloads to send.
    type SendQueue: Queue<DeliveryId>;

    /// The log bucket: batches. Nothing but uploads is written to it.
    fn bucket(&self) -> &Self::Bucket;
    /// The data bucket: everything that raydex writes for itself. It may be the log bucket.
    fn data_bucket(&self) -> &Self::Bucket;
    /// The log bucket's name, which is part of every batch's identity.
    fn bucket_name(&self) -> &str;
    /// The folders that Logpush writes to, with what the settings say of the batches in them.
    fn log_prefixes(&self) -> &LogPrefixes;
    /// The buckets that indexed batches are read from.
    fn batch_store(&self) -> BatchStore<'_, Self::Bucket> {
        BatchStore {
            logs: self.bucket(),
            data: self.data_bucket(),
            bucket_name: self.bucket_name(),
            prefixes: self.log_prefixes(),
        }
    }
    /// The shards of the index, by name.
    fn shards(&self) -> &Self::Shards;
    /// The ledgers, by name.
    fn ledgers(&self) -> &Self::Ledgers;
    /// The audit log, by its one name, [`crate::audit::AUDIT`].
    fn audit_log(&self) -> &Self::AuditLog;
    /// The queue of objects to parse.
    fn parse_queue(&self) -> &Self::ParseQueue;
    /// The queue of payloads to send.
    fn send_queue(&self) -> &Self::SendQueue;

    /// The caller that a request's credentials name.
    fn authenticate(
        &self,
        rules: &AccessRules,
        presented: Credentials<'_>,
    ) -> impl Future<Output = Result<Caller, AuthFailure>>;

    /// The requests of unknown callers that this isolate counted.
    fn unknown_callers(&self) -> &UnknownCallers;

    /// The clock, in Unix milliseconds.
    fn now_ms(&self) -> i64;
    /// Completes after this many milliseconds.
    fn sleep(&self, ms: i64) -> impl Future<Output = ()>;
    /// 32 unpredictable bits.
    fn random_bits(&self) -> u32;

    /// The memory that the requests of this isolate share.
    fn memory(&self) -> &MemoryBudget;
    /// The permit to read a batch, which the messages of an isolate share.
    fn read_permits(&self) -> &ReadPermits;
    /// The largest pack of payloads, in bytes; the simulator makes smaller ones.
    fn pack_bytes(&self) -> usize {
        PACK_BYTES
    }
}
