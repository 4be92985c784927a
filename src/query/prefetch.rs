//! Finds the batches, prefix by prefix: a few shards are asked at a time, ahead of the batch being read.
//!
//! # Invariants
//!
//! Batches come by prefix, then by their number in its shard. After an error the same call is repeated. No prefix is
//! skipped unless the directory rules it out.

use std::collections::VecDeque;
use std::iter;
use std::ops::RangeInclusive;

use futures_util::future::try_join_all;

use super::ShardDirectory;
use super::cursor::QueryPosition;
use crate::backend::{BackendError, CallError, DurableObjects};
use crate::index::calls::{BatchPage, ListShardBatches, ShardBatch};
use crate::index::{OccupancyMap, ShardName};
use crate::limits::{CONCURRENT_CALLS, OCCUPANCY_MARGIN, SHARD_PAGE};
use crate::memory::{MemoryBudget, Reservation};
use crate::record::{Dataset, RayId};
use crate::rpc;

/// The next result of the prefetcher.
#[derive(Debug)]
pub(super) enum NextBatch {
    /// A batch of this prefix.
    Batch(u32, ShardBatch),
    /// The end of this prefix's batches.
    PrefixEnd(u32),
    /// The end of the range.
    RangeEnd,
}

/// Finds the batches in a range of prefixes.
#[derive(Debug)]
pub(super) struct ShardPrefetcher {
    dataset: Dataset,
    /// The first prefix whose shard was not asked yet.
    next: u32,
    /// The start of the range: a prefix, and a batch number in its shard.
    from: QueryPosition,
    /// The last prefix of the range. The range is empty if it precedes the first.
    last: u32,
    /// The directory's latest answer; `None` before the first.
    occupancy: Option<DatedOccupancy>,
    pages: VecDeque<ShardPage>,
}

/// An answer of the directory, with the prefixes that were present when it was given.
#[derive(Debug)]
struct DatedOccupancy {
    map: OccupancyMap,
    /// The prefixes of the present at the time of the call. The first batch of each may arrive at any time, so they are
    /// searched whatever the map says.
    present: RangeInclusive<u32>,
}

/// A page of batches named by a shard.
#[derive(Debug)]
struct ShardPage {
    prefix: u32,
    batches: VecDeque<ShardBatch>,
    /// The number at which the next page starts, if there is one.
    next_number: Option<i64>,
    /// The memory of the batches, and how much of it each takes.
    held: Reservation,
    batch_bytes: usize,
}

impl ShardPrefetcher {
    /// Creates a prefetcher of the batches from a position up to the last prefix.
    pub(super) const fn new(dataset: Dataset, from: QueryPosition, last: u32) -> Self {
        Self { dataset, next: from.prefix, from, last, occupancy: None, pages: VecDeque::new() }
    }

    /// Returns whether no batch can follow, as far as the directory has answered.
    pub(super) fn is_exhausted(&self) -> bool {
        self.pages.is_empty() && self.skip_to(self.next) > self.last
    }

    /// Drops what was asked ahead, which is asked again later. Returns whether there was something.
    pub(super) fn drop_ahead(&mut self) -> bool {
        let Some(ahead) = self.pages.get(1) else { return false };
        self.next = ahead.prefix;
        self.pages.truncate(1);
        true
    }

    /// Returns the first prefix from this one on that is not ruled out.
    fn skip_to(&self, from: u32) -> u32 {
        let Some(DatedOccupancy { map, present }) = &self.occupancy else { return from };
        let occupied = map.next_occupied(from);
        if from > *present.end() { occupied } else { occupied.min(from.max(*present.start())) }
    }

    /// Returns whether the directory must be asked before this prefix's shard.
    fn is_unknown(&self, prefix: u32) -> bool {
        let Some(DatedOccupancy { map, present }) = &self.occupancy else { return true };
        prefix >= map.until && !present.contains(&prefix)
    }

    /// Returns the next batch. Asks at most `calls` shards at once, but at least one; `shards_asked` counts them.
    pub(super) async fn next(
        &mut self,
        memory: &MemoryBudget,
        shards: &impl DurableObjects,
        directory: &impl ShardDirectory,
        clock: &impl Fn() -> i64,
        calls: u64,
        shards_asked: &mut u64,
    ) -> Result<NextBatch, CallError> {
        loop {
            let Some(page) = self.pages.front_mut() else {
                self.next = self.skip_to(self.next);
                if self.next > self.last {
                    return Ok(NextBatch::RangeEnd);
                }
                if self.is_unknown(self.next) {
                    self.ask_directory(directory, clock()).await?;
                } else {
                    self.ask_shards(memory, shards, calls, shards_asked).await?;
                }
                continue;
            };
            let prefix = page.prefix;
            if let Some(batch) = page.batches.pop_front() {
                page.held.release(page.batch_bytes);
                return Ok(NextBatch::Batch(prefix, batch));
            }
            let Some(from) = page.next_number else {
                self.pages.pop_front();
                return Ok(NextBatch::PrefixEnd(prefix));
            };
            *shards_asked += 1;
            *page = ask_shard(memory, shards, self.dataset, prefix, from).await?;
        }
    }

    /// Asks which prefixes from the next one on may hold entries. The clock is read before the call: anything indexed
    /// while the directory answers thus belongs to the present.
    async fn ask_directory(&mut self, directory: &impl ShardDirectory, now_ms: i64) -> Result<(), BackendError> {
        let map = directory.occupancy(self.dataset, self.next..=self.last).await?;
        if map.until <= self.next {
            return Err(BackendError::new(
                "asking which shards hold entries",
                "the answer does not cover the question",
            ));
        }
        let now = RayId::prefix_at(now_ms.saturating_mul(1_000_000));
        let present = now.saturating_sub(OCCUPANCY_MARGIN)..=now.saturating_add(1);
        self.occupancy = Some(DatedOccupancy { map, present });
        Ok(())
    }

    /// Asks the shards of the next prefixes, at least that of the first.
    async fn ask_shards(
        &mut self,
        memory: &MemoryBudget,
        shards: &impl DurableObjects,
        calls: u64,
        shards_asked: &mut u64,
    ) -> Result<(), CallError> {
        let most = usize::try_from(calls).unwrap_or(usize::MAX).clamp(1, CONCURRENT_CALLS);
        let following = |prefix: &u32| Some(self.skip_to(prefix.saturating_add(1)));
        let is_known = |prefix: &u32| *prefix <= self.last && !self.is_unknown(*prefix);
        let prefixes: Vec<u32> = iter::successors(Some(self.next), following).take_while(is_known).take(most).collect();
        let answers = prefixes.iter().map(|&prefix| {
            let from = if prefix == self.from.prefix { self.from.batch } else { 0 };
            ask_shard(memory, shards, self.dataset, prefix, from)
        });
        *shards_asked += prefixes.len() as u64;
        self.pages.extend(try_join_all(answers).await?);
        self.next = prefixes.last().map_or(self.next, |last| last + 1);
        Ok(())
    }
}

async fn ask_shard(
    memory: &MemoryBudget,
    shards: &impl DurableObjects,
    dataset: Dataset,
    prefix: u32,
    from: i64,
) -> Result<ShardPage, CallError> {
    let name = ShardName::for_prefix(prefix).to_string();
    let page = ListShardBatches { dataset, from, limit: SHARD_PAGE as u64 };
    let (BatchPage { batches, more }, held) = rpc::call_held(shards, memory, &name, &page).await?.into_parts();
    let batch_bytes = held.bytes() / batches.len().max(1);
    let next_number = batches.last().map(|last| last.number.saturating_add(1));
    Ok(ShardPage { prefix, batches: batches.into(), next_number: next_number.filter(|_| more), held, batch_bytes })
}
