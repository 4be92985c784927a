//! Finds the records of a ray: asks the one shard that can know it, reads the spans that the shard names, checks every
//! line.
//!
//! Reading order: `batch_lookup` reads one batch, `sink` picks the lines, `target` recognises them.
//!
//! # Invariants
//!
//! A record that is stored more than once is returned once. A line is returned only if it carries the ray at the
//! record's top level. Lines come in the order of the datasets, then in the order in which their batches were indexed,
//! then in the order of the batch. A lookup calls exactly one shard, regardless of the datasets.

mod batch_lookup;
mod copies;
mod sink;
mod target;

use std::rc::Rc;

use futures_util::{StreamExt, TryStreamExt, stream};

use self::target::LookupTarget;
use crate::backend::{BackendError, BatchStore, Bucket, DurableObjects};
use crate::index::ShardName;
use crate::index::calls::{FindRay, ObjectVersion};
use crate::limits::{CONCURRENT_CALLS, LOOKUP_BATCHES, LOOKUP_BYTES, LOOKUP_RECORDS};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{Dataset, RayKey};
use crate::rpc;
use crate::span_reader::ReadStats;

/// A record as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRecord {
    /// The dataset of the batch.
    pub dataset: Dataset,
    /// The object that holds it.
    pub object: Rc<ObjectVersion>,
    /// Offset of its line in the object's text, in bytes.
    pub offset: u64,
    /// The line, byte for byte, without its newline.
    pub line: Vec<u8>,
    /// The other locations of the same record.
    pub copies: Vec<RecordCopy>,
    /// The zone of the batch's records that do not name it themselves.
    pub zone: Option<String>,
}

/// The location of a copy of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordCopy {
    /// The object, in the version that was read.
    pub object: Rc<ObjectVersion>,
    /// Offset of the line in the object's text, in bytes.
    pub offset: u64,
}

/// The outcome of a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookupResult {
    /// The records, at most [`LOOKUP_RECORDS`] and [`LOOKUP_BYTES`].
    pub records: Vec<FoundRecord>,
    /// Whether there are more records than these.
    pub truncated: bool,
    /// The work, with the batches that should hold the ray but are gone or unreadable.
    pub stats: ReadStats,
}

impl LookupResult {
    /// Appends the result of one batch, as far as the limits allow.
    fn append(mut self, other: Self) -> Self {
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
        self.stats += other.stats;
        self
    }
}

/// The reason why a lookup failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Other requests hold the memory that the lookup needs.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The shard or the bucket failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Finds the records of `key` in these datasets. The memory of the results is reserved in `reservation`.
///
/// # Errors
/// [`LookupError`] if the shard or the bucket failed, or the memory is used up.
pub async fn lookup(
    store: BatchStore<'_, impl Bucket>,
    shards: &impl DurableObjects,
    datasets: &[Dataset],
    key: &RayKey,
    reservation: &Reservation,
) -> Result<LookupResult, LookupError> {
    let shard = ShardName::for_key(key).to_string();
    let found = rpc::call(shards, &shard, &FindRay::new(key, datasets)).await?;
    let asked = LookupResult {
        truncated: found.candidates.len() > LOOKUP_BATCHES,
        stats: ReadStats { shards_asked: 1, ..ReadStats::default() },
        ..LookupResult::default()
    };
    stream::iter(found.candidates.iter().take(LOOKUP_BATCHES))
        .map(async |candidate| {
            let object = &candidate.object.key;
            let names = store.prefixes.key_names(object, candidate.dataset);
            let zone = store.prefixes.zone(object);
            let target = LookupTarget::new((names, zone), key, reservation);
            batch_lookup::find_in_batch(store, &target, candidate).await
        })
        .buffered(CONCURRENT_CALLS)
        .try_fold(asked, async |sum, one| Ok(sum.append(one)))
        .await
        .map(|result| LookupResult { records: copies::merge_copies(result.records), ..result })
}
