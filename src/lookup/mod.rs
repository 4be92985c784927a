//! A ray to its records: ask the one shard that can know, read the spans that it names, check every line.
//!
//! Reading order: `read` does it for one batch, `span` for one span of it, `gather` picks the lines.
//!
//! What always holds: a line is returned only if it carries the ray at the record's top level; lines come in the
//! order of the datasets, then in that in which their batches were indexed, then as they stand; a lookup asks exactly one
//! shard, whatever the datasets.

mod gather;
mod read;
mod span;

use futures_util::{StreamExt, TryStreamExt, stream};

use self::gather::Wanted;
use crate::backend::{BackendError, BatchStore, Bucket, Objects};
use crate::index::ShardName;
use crate::index::calls::{Find, ObjectVersion};
use crate::limits::{CONCURRENT_CALLS, LOOKUP_BATCHES, LOOKUP_BYTES, LOOKUP_RECORDS};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{Dataset, RayKey};
use crate::rpc;

/// One record, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRecord {
    /// Its dataset.
    pub dataset: Dataset,
    /// The object that holds it.
    pub object: ObjectVersion,
    /// Where its line begins, in inflated bytes.
    pub offset: u64,
    /// The line, byte for byte, without its newline.
    pub line: Vec<u8>,
}

/// What a lookup cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Cost {
    /// Durable Objects asked.
    pub shards_asked: u64,
    /// Objects of the bucket read, or ranges of one: a batch's, and its windows'.
    pub objects_read: u64,
    /// Stored bytes read.
    pub bytes_read: u64,
    /// Bytes inflated.
    pub bytes_inflated: u64,
    /// Objects read in full because they have changed since they were indexed, or did not hold what they should.
    pub full_scans: u64,
}

impl Cost {
    /// Both together.
    fn add(self, other: Self) -> Self {
        Self {
            shards_asked: self.shards_asked + other.shards_asked,
            objects_read: self.objects_read + other.objects_read,
            bytes_read: self.bytes_read + other.bytes_read,
            bytes_inflated: self.bytes_inflated + other.bytes_inflated,
            full_scans: self.full_scans + other.full_scans,
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookup {
    /// The records, at most [`LOOKUP_RECORDS`] and [`LOOKUP_BYTES`].
    pub records: Vec<FoundRecord>,
    /// There are more than were returned.
    pub truncated: bool,
    /// Batches that should hold the ray but are gone from the bucket.
    pub objects_gone: u64,
    /// Batches that should hold the ray but cannot be read any more.
    pub objects_unreadable: u64,
    /// What it cost.
    pub cost: Cost,
}

impl Lookup {
    /// Takes in what one batch gave, as far as the limits allow.
    fn absorb(mut self, other: Self) -> Self {
        let mut bytes: usize = self.records.iter().map(|record| record.line.len()).sum();
        for record in other.records {
            bytes += record.line.len();
            if self.records.len() >= LOOKUP_RECORDS || bytes > LOOKUP_BYTES {
                self.truncated = true;
                break;
            }
            self.records.push(record);
        }
        self.truncated |= other.truncated;
        self.objects_gone += other.objects_gone;
        self.objects_unreadable += other.objects_unreadable;
        self.cost = self.cost.add(other.cost);
        self
    }
}

/// Why a lookup failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Other requests hold the memory that reading takes.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The shard or the bucket failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Finds the records of `key` in these datasets. The memory of what it finds is reserved in `reservation`.
///
/// # Errors
/// [`LookupError`] where the shard or the bucket failed, or the memory is used up.
pub async fn lookup(
    store: BatchStore<'_, impl Bucket>,
    shards: &impl Objects,
    datasets: &[Dataset],
    key: &RayKey,
    reservation: &Reservation,
) -> Result<Lookup, LookupError> {
    let shard = ShardName::for_key(key).to_string();
    let found = rpc::call(shards, &shard, &Find::new(key, datasets)).await?;
    let asked = Lookup {
        truncated: found.candidates.len() > LOOKUP_BATCHES,
        cost: Cost { shards_asked: 1, ..Cost::default() },
        ..Lookup::default()
    };
    stream::iter(found.candidates.iter().take(LOOKUP_BATCHES))
        .map(async |candidate| read::read(store, &Wanted::new(candidate.dataset, key, reservation), candidate).await)
        .buffered(CONCURRENT_CALLS)
        .try_fold(asked, async |sum, one| Ok(sum.absorb(one)))
        .await
}
