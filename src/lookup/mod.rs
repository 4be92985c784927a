//! Finds the records of a ray: asks the one shard that can know it, reads the spans that the shard names, checks every
//! line.
//!
//! Reading order: `batch_lookup` reads one batch, `sink` picks the lines, `target` recognises them. `read_each` is what
//! [`crate::story`] reads the records of a family by.
//!
//! # Invariants
//!
//! A record that is stored more than once is returned once. A line is returned only if it carries the ray at the
//! record's top level; of a line with the record of the ray inside of it, that record alone is returned. Lines come in the order of the datasets, then in the order in which their batches were indexed,
//! then in the order of the batch. A lookup of a ray alone calls exactly one shard, regardless of the datasets.

mod batch_lookup;
mod copies;
mod record_room;
mod selection;
mod sink;
mod target;

use std::collections::BTreeSet;
use std::future::ready;
use std::rc::Rc;

use futures_util::{StreamExt, TryStreamExt, stream};

pub(crate) use self::copies::{CopyKey, copy_key, merge_copies};
pub use self::record_room::RecordCut;
pub(crate) use self::record_room::RecordRoom;
pub use self::selection::RecordSelection;
use self::target::LookupTarget;
use crate::access::{Caller, sender_zone_of};
use crate::backend::{BackendError, BatchStore, Bucket, CallError, DurableObjects, Turns};
use crate::index::ShardName;
use crate::index::calls::{Candidate, FindRay, ObjectVersion};
use crate::limits::{CONCURRENT_CALLS, FOUND_BYTES, LOOKUP_BATCHES, LOOKUP_BATCHES_UNSEEN};
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
    /// Offset of its line in the object's text, in bytes: of the line that it is inside of, if it has none of its own.
    pub offset: u64,
    /// The record, byte for byte, without a newline. A caller who is limited to zones gets it without the records inside of it
    /// that they do not see.
    pub line: Vec<u8>,
    /// The other locations of the same record.
    pub copies: Vec<RecordCopy>,
    /// The zone of the batch's records that do not name it themselves.
    pub zone: Option<String>,
    /// The line that the record is inside of; `None` if it is a line of its own.
    pub merged: Option<MergedOrigin>,
}

/// The line that a record is inside of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedOrigin {
    /// The ray of the line; `None` if it has none, or the caller does not see the line.
    pub ray: Option<RayKey>,
    /// The zone of the records inside of it that do not name it themselves.
    pub zone: Option<String>,
}

impl FoundRecord {
    /// Returns the zone that the record is of if it does not say so itself.
    #[must_use]
    pub fn unsaid_zone(&self) -> Option<&str> {
        self.merged.as_ref().map_or(&self.zone, |origin| &origin.zone).as_deref()
    }

    /// Returns the zone of the sender of a span, if it says one.
    #[must_use]
    pub fn sender_zone(&self) -> Option<String> {
        if self.dataset == Dataset::Traces { sender_zone_of(&self.line) } else { None }
    }

    /// The memory that it takes, in bytes, as the lookup reserved it.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.line.len() + FOUND_BYTES
    }
}

/// The location of a copy of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordCopy {
    /// The object, in the version that was read.
    pub object: Rc<ObjectVersion>,
    /// Offset of the line in the object's text, in bytes.
    pub offset: u64,
    /// The line that this copy is inside of; `None` if it is a line of its own.
    pub merged: Option<MergedOrigin>,
}

/// The outcome of a lookup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LookupResult {
    /// The records, at most as many as the selection says and [`LOOKUP_BYTES`](crate::limits::LOOKUP_BYTES), and those of senders
    /// with zones, which are bounded apart.
    pub records: Vec<FoundRecord>,
    /// What more there is than these.
    pub cut: RecordCut,
    /// The work, with the batches that should hold the ray but are gone or unreadable.
    pub stats: ReadStats,
}

/// The results of batches, one after the other, as far as the limits allow.
struct JoinedResults<'r> {
    sum: LookupResult,
    room: RecordRoom,
    reservation: &'r Reservation,
}

impl JoinedResults<'_> {
    /// Appends the result of one batch.
    fn append(&mut self, one: LookupResult) {
        for record in one.records {
            if self.room.take(record.sender_zone().as_deref(), record.line.len()) {
                self.sum.records.push(record);
            } else {
                self.reservation.release(record.held_bytes());
            }
        }
        self.sum.cut.add(&one.cut);
        self.sum.stats += one.stats;
    }

    fn finish(self) -> LookupResult {
        let Self { mut sum, room, .. } = self;
        sum.cut.add(&room.cut);
        sum
    }
}

/// Removes records, and returns their memory.
pub(crate) fn release_records(
    records: &mut Vec<FoundRecord>,
    mut is_gone: impl FnMut(&FoundRecord) -> bool,
    reservation: &Reservation,
) {
    records.retain(|record| {
        let is_gone = is_gone(record);
        if is_gone {
            reservation.release(record.held_bytes());
        }
        !is_gone
    });
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

impl From<CallError> for LookupError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::OutOfMemory(error) => Self::OutOfMemory(error),
            CallError::Backend(error) => Self::Backend(error),
        }
    }
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
    find((store, &()), shards, (datasets, RecordSelection::for_list(None)), key, reservation).await
}

/// Finds those of the records that the caller sees: only these count against the limits. Passes the turn after each slice
/// of work.
///
/// # Errors
/// [`LookupError`] if the shard or the bucket failed, or the memory is used up.
pub async fn lookup_for(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    shards: &impl DurableObjects,
    (datasets, selection): (&[Dataset], RecordSelection<'_>),
    key: &RayKey,
    reservation: &Reservation,
) -> Result<LookupResult, LookupError> {
    find((store, turns), shards, (datasets, selection), key, reservation).await
}

async fn find(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    shards: &impl DurableObjects,
    (datasets, selection): (&[Dataset], RecordSelection<'_>),
    key: &RayKey,
    reservation: &Reservation,
) -> Result<LookupResult, LookupError> {
    let shard = ShardName::for_key(key).to_string();
    let found = rpc::call_held(shards, reservation.budget(), &shard, &FindRay::new(key, datasets)).await?;
    if !found.candidates.is_empty() {
        // What is erased is known only of a request that is admitted.
        store.logs.admitted().await;
    }
    let is_erased = store.erasures.lines().has_ray(key);
    let candidates = if is_erased { &[] } else { found.candidates.as_slice() };
    let (most, counts_batches) = batches_read(selection.caller);
    let asked = LookupResult {
        cut: RecordCut { truncated: counts_batches && candidates.len() > most, ..RecordCut::default() },
        stats: ReadStats { shards_asked: 1, ..ReadStats::default() },
        ..LookupResult::default()
    };
    let keys = BTreeSet::from([key.clone()]);
    let candidates = candidates.iter().take(most).map(|candidate| (&keys, candidate));
    let result = read_candidates((store, turns), candidates, selection, reservation, asked).await?;
    Ok(LookupResult { records: merge_copies(result.records), ..result })
}

/// Returns how many batches of a ray are read for a caller, and whether their number may show: batches may hold hidden
/// records alone.
pub(crate) fn batches_read(caller: Option<&Caller>) -> (usize, bool) {
    let counts_batches = caller.is_none_or(|caller| caller.visibility().has_batches());
    (if counts_batches { LOOKUP_BATCHES } else { LOOKUP_BATCHES_UNSEEN }, counts_batches)
}

/// Reads the records of these rays in each of these batches, and appends them to a result.
pub(crate) async fn read_candidates<'c>(
    reads: (BatchStore<'_, impl Bucket>, &impl Turns),
    candidates: impl Iterator<Item = (&'c BTreeSet<RayKey>, &'c Candidate)>,
    selection: RecordSelection<'_>,
    reservation: &Reservation,
    before: LookupResult,
) -> Result<LookupResult, LookupError> {
    let mut joined = JoinedResults { sum: before, room: RecordRoom::new(selection.most), reservation };
    read_each(reads, candidates, selection, reservation, |one| joined.append(one)).await?;
    let found = joined.finish();
    // Nothing of what there is must not look like nothing.
    if found.records.is_empty() && found.cut.lacks_memory {
        return Err(OutOfMemory::TooLarge.into());
    }
    Ok(found)
}

/// Reads the records of these rays in each of these batches; passes what was found in each to `take`, in their order. What is too
/// large to be read beside the rest is read after it, and what memory has no room for even then is left out.
pub(crate) async fn read_each<'c>(
    reads: (BatchStore<'_, impl Bucket>, &impl Turns),
    candidates: impl Iterator<Item = (&'c BTreeSet<RayKey>, &'c Candidate)>,
    selection: RecordSelection<'_>,
    reservation: &Reservation,
    mut take: impl FnMut(LookupResult),
) -> Result<(), LookupError> {
    let candidates: Vec<_> = candidates.collect();
    let mut taken = 0;
    let take_next = |one| {
        taken += 1;
        take(one);
    };
    let all = ReadManner { at_once: CONCURRENT_CALLS, cuts: false };
    match read_in(reads, (&candidates, all), selection, reservation, take_next).await {
        Err(LookupError::OutOfMemory(OutOfMemory::TooLarge)) => {}
        outcome => return outcome,
    }
    let one_by_one = ReadManner { at_once: 1, cuts: true };
    let rest = candidates.get(taken..).unwrap_or_default();
    read_in(reads, (rest, one_by_one), selection, reservation, take).await
}

/// How batches are read: how many at once, and whether what memory has no room for is left out.
#[derive(Debug, Clone, Copy)]
struct ReadManner {
    at_once: usize,
    cuts: bool,
}

async fn read_in(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    (candidates, manner): (&[(&BTreeSet<RayKey>, &Candidate)], ReadManner),
    selection: RecordSelection<'_>,
    reservation: &Reservation,
    mut take: impl FnMut(LookupResult),
) -> Result<(), LookupError> {
    stream::iter(candidates)
        .map(async |(keys, candidate)| {
            let object = &candidate.object.key;
            let names = store.prefixes.key_names(object, candidate.dataset);
            let zone = store.prefixes.zone(object);
            let room = (reservation.budget().reservation(), manner.cuts);
            let target = LookupTarget::new((names, zone), (keys, selection), room, store.erasures.lines());
            let found = batch_lookup::find_in_batch((store, turns), &target, candidate).await?;
            let held = target.into_reservation();
            held.shrink_to(found.records.iter().map(FoundRecord::held_bytes).sum());
            Ok((found, held))
        })
        .buffered(manner.at_once)
        .try_for_each(|(one, held)| {
            reservation.take_over(&held);
            take(one);
            ready(Ok(()))
        })
        .await
}
