//! Which batches there are, prefix by prefix: shards are asked a few at a time, ahead of what is worked through.
//!
//! What always holds: batches come by prefix, then by their place in its shard; after an error the same is asked again.

use std::collections::VecDeque;

use futures_util::future::try_join_all;

use super::cursor::Place;
use crate::backend::{BackendError, Objects, to_json};
use crate::index::ShardName;
use crate::index::calls::{self, Batches, ShardBatch, ShardCall, Within};
use crate::limits::{CONCURRENT_CALLS, WITHIN_PAGE};
use crate::record::Dataset;

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// A batch of this prefix.
    Batch(u32, ShardBatch),
    /// There is nothing more of this prefix.
    Behind(u32),
    /// There is nothing more.
    End,
}

/// Names the batches.
#[derive(Debug)]
pub(super) struct Ahead {
    dataset: Dataset,
    /// The first prefix that was not asked for, and the first place in it.
    next: u32,
    from: i64,
    /// The last prefix; the first one is behind it where there is none.
    last: u32,
    pages: VecDeque<Page>,
}

/// What a shard named.
#[derive(Debug)]
struct Page {
    prefix: u32,
    batches: VecDeque<ShardBatch>,
    /// Where the shard goes on, if it does.
    more: Option<i64>,
}

impl Ahead {
    /// The batches from a place on, up to the last prefix.
    pub(super) const fn new(dataset: Dataset, from: Place, last: u32) -> Self {
        Self { dataset, next: from.prefix, from: from.batch, last, pages: VecDeque::new() }
    }

    /// The last prefix.
    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    /// What comes next; at most `calls` shards are asked, and one at least. Each is counted in `asked`.
    pub(super) async fn next(
        &mut self,
        shards: &impl Objects,
        calls: u64,
        asked: &mut u64,
    ) -> Result<Next, BackendError> {
        loop {
            let Some(page) = self.pages.front_mut() else {
                if self.next > self.last {
                    return Ok(Next::End);
                }
                self.ask(shards, calls, asked).await?;
                continue;
            };
            let prefix = page.prefix;
            if let Some(batch) = page.batches.pop_front() {
                return Ok(Next::Batch(prefix, batch));
            }
            let Some(from) = page.more else {
                self.pages.pop_front();
                return Ok(Next::Behind(prefix));
            };
            *asked += 1;
            *page = ask_one(shards, self.dataset, prefix, from).await?;
        }
    }

    /// Asks the next shards.
    async fn ask(&mut self, shards: &impl Objects, calls: u64, asked: &mut u64) -> Result<(), BackendError> {
        let calls = u32::try_from(calls.clamp(1, CONCURRENT_CALLS as u64)).unwrap_or(1);
        let end = self.next.saturating_add(calls - 1).min(self.last);
        let (dataset, first, from) = (self.dataset, self.next, self.from);
        let each = (first..=end).map(|prefix| {
            let from = if prefix == first { from } else { 0 };
            ask_one(shards, dataset, prefix, from)
        });
        *asked += u64::from(end - first) + 1;
        self.pages.extend(try_join_all(each).await?);
        (self.next, self.from) = (end + 1, 0);
        Ok(())
    }
}

async fn ask_one(shards: &impl Objects, dataset: Dataset, prefix: u32, from: i64) -> Result<Page, BackendError> {
    let name = ShardName::of_prefix(dataset, prefix).to_string();
    let within = to_json(&Within { from, limit: WITHIN_PAGE as u64 });
    let Batches { batches, more } = calls::call(shards, &name, ShardCall::Within, within).await?;
    let behind = batches.last().map(|last| last.place.saturating_add(1));
    Ok(Page { prefix, batches: batches.into(), more: behind.filter(|_| more) })
}
