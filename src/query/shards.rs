//! Which batches there are, prefix by prefix: shards are asked a few at a time, ahead of what is worked through.
//!
//! The calendar says which prefixes are passed over. It is as it was when it was asked, so it is not held against the
//! prefixes of the present, whose first batch may come while the answer is under way.
//!
//! What always holds: batches come by prefix, then by their place in its shard; after an error the same is asked again;
//! no prefix is passed over that the calendar does not rule out.

use std::collections::VecDeque;
use std::iter;

use futures_util::future::try_join_all;

use super::cursor::Place;
use crate::backend::{BackendError, Objects};
use crate::index::calls::{Batches, ShardBatch, Within};
use crate::index::{Calendar, ShardName};
use crate::limits::{CONCURRENT_CALLS, WITHIN_PAGE};
use crate::record::Dataset;
use crate::rpc;

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// A batch of this prefix.
    Batch(u32, ShardBatch),
    /// There is nothing more of this prefix.
    Behind(u32),
    /// From this prefix on the calendar must be told first.
    Unknown(u32),
    /// There is nothing more.
    End,
}

/// Names the batches.
#[derive(Debug)]
pub(super) struct Ahead {
    dataset: Dataset,
    /// The first prefix that was not asked for.
    next: u32,
    /// Where it begins: the first place in the prefix that has the place.
    from: Place,
    /// The last prefix; the first one is behind it where there is none.
    last: u32,
    calendar: Calendar,
    /// The first prefix that is asked whatever the calendar says.
    present: u32,
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
    /// The batches from a place on, up to the last prefix; each of these is asked, as long as no calendar is known.
    pub(super) const fn new(dataset: Dataset, from: Place, last: u32) -> Self {
        Self {
            dataset,
            next: from.prefix,
            from,
            last,
            calendar: Calendar::any_from(Some(0)),
            present: 0,
            pages: VecDeque::new(),
        }
    }

    /// From now on this calendar holds, for the prefixes before the present.
    pub(super) fn learn(&mut self, calendar: Calendar, present: u32) {
        (self.calendar, self.present) = (calendar, present);
    }

    /// The prefixes that were not asked for.
    pub(super) const fn rest(&self) -> (u32, u32) {
        (self.next, self.last)
    }

    /// Whether there is nothing more to ask for, as far as the calendar tells.
    pub(super) fn is_through(&self) -> bool {
        self.pages.is_empty() && self.sought(self.next) > self.last
    }

    /// The first prefix from this one on that is not ruled out.
    fn sought(&self, from: u32) -> u32 {
        self.calendar.next(from).min(self.present.max(from))
    }

    /// Whether the calendar must tell more before this prefix is asked.
    const fn is_unknown(&self, prefix: u32) -> bool {
        prefix >= self.calendar.until && prefix < self.present
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
                self.next = self.sought(self.next);
                if self.next > self.last {
                    return Ok(Next::End);
                }
                if self.is_unknown(self.next) {
                    return Ok(Next::Unknown(self.next));
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

    /// Asks the next shards, the first one at least.
    async fn ask(&mut self, shards: &impl Objects, calls: u64, asked: &mut u64) -> Result<(), BackendError> {
        let most = usize::try_from(calls).unwrap_or(usize::MAX).clamp(1, CONCURRENT_CALLS);
        let following = |prefix: &u32| Some(self.sought(prefix.saturating_add(1)));
        let known = |prefix: &u32| *prefix <= self.last && !self.is_unknown(*prefix);
        let prefixes: Vec<u32> = iter::successors(Some(self.next), following).take_while(known).take(most).collect();
        let each = prefixes.iter().map(|&prefix| {
            let from = if prefix == self.from.prefix { self.from.batch } else { 0 };
            ask_one(shards, self.dataset, prefix, from)
        });
        *asked += prefixes.len() as u64;
        self.pages.extend(try_join_all(each).await?);
        self.next = prefixes.last().map_or(self.next, |last| last + 1);
        Ok(())
    }
}

async fn ask_one(shards: &impl Objects, dataset: Dataset, prefix: u32, from: i64) -> Result<Page, BackendError> {
    let name = ShardName::for_prefix(prefix).to_string();
    let within = Within { dataset, from, limit: WITHIN_PAGE as u64 };
    let Batches { batches, more } = rpc::call(shards, &name, &within).await?;
    let behind = batches.last().map(|last| last.place.saturating_add(1));
    Ok(Page { prefix, batches: batches.into(), more: behind.filter(|_| more) })
}
