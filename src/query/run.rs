//! An answer under way.
//!
//! Whoever streams it asks for one step after the other, and holds the run between them; nothing goes on by itself. The
//! run's place is all that it knows of what was told, so that it goes on behind an error as it does from a cursor.
//!
//! What always holds: one batch is open at a time; a budget is looked at between steps only, and ends nothing before the
//! place has moved by a batch, a prefix or [`QUERY_STEP`] bytes of text.

use std::collections::VecDeque;
use std::rc::Rc;

use super::cursor::{Cursor, CursorError, Place};
use super::open::{Open, plan_of, version_of};
use super::plan::Read;
use super::prune::{Window, batch_may};
use super::read::{self, Begun, ReadError, Went};
use super::shards::{Ahead, Next};
use super::take::Taker;
use super::{Ask, Ended, LogLine, QueryError, Step, Told};
use crate::backend::{BackendError, BatchStore, Bucket, Bytes, Objects};
use crate::batch::BatchError;
use crate::index::calls::ShardBatch;
use crate::index::{Calendar, ObjectVersion, Summary};
use crate::limits::{CALENDAR_MARGIN, QUERY_STEP};
use crate::record::{RayId, Scanner};

/// An answer under way; `Y` is the bucket's body.
#[derive(Debug)]
pub struct Run<Y> {
    ask: Ask,
    question: u64,
    place: Place,
    ahead: Ahead,
    scanner: Scanner,
    open: Option<Open<Y>>,
    told: Told,
    /// Lines that may still be told: by the limit and by the budget.
    left: (u64, u64),
    started_ms: Option<i64>,
    /// The place has moved so far that the budget may end the answer.
    has_moved: bool,
    ended: Option<Ended>,
}

impl<Y: Bytes> Run<Y> {
    /// An answer to `ask`, which nothing was read for yet. A range is cut off behind the prefix that follows `now_ms`.
    ///
    /// # Errors
    /// [`CursorError`] where the question's cursor is another question's.
    pub fn new(ask: Ask, now_ms: i64) -> Result<Self, CursorError> {
        let question = ask.question();
        let first = RayId::prefix_at(ask.start_ns);
        let last = RayId::prefix_at(ask.end_ns.saturating_sub(1));
        let place = match ask.from {
            Some(cursor) if cursor.question != question => return Err(CursorError::OtherQuestion),
            Some(Cursor { place, .. }) if !(first..=last).contains(&place.prefix) => {
                return Err(CursorError::OtherQuestion);
            }
            Some(cursor) => cursor.place,
            None => Place::start_of(first),
        };
        let now = RayId::prefix_at(now_ms.saturating_mul(1_000_000)).saturating_add(1);
        let is_empty = ask.start_ns >= ask.end_ns;
        Ok(Self {
            question,
            place,
            ahead: Ahead::new(ask.dataset, place, last.min(now)),
            scanner: Scanner::new(ask.dataset),
            open: None,
            told: Told::default(),
            left: (ask.limit.unwrap_or(u64::MAX), ask.budget.lines.max(1)),
            started_ms: None,
            has_moved: false,
            ended: is_empty.then_some(Ended::Complete),
            ask,
        })
    }

    /// What the calendar said at this instant of the prefixes that are still to come ([`Run::to_come`]): those that it
    /// rules out are passed over without a call. Cursors stay as good as they were.
    ///
    /// Until then every prefix is asked.
    pub fn learn(&mut self, calendar: Calendar, now_ms: i64) {
        let now = RayId::prefix_at(now_ms.saturating_mul(1_000_000));
        self.ahead.learn(calendar, now.saturating_sub(CALENDAR_MARGIN));
    }

    /// The prefixes that no shard was asked of yet, from the first to the last.
    #[must_use]
    pub const fn to_come(&self) -> (u32, u32) {
        self.ahead.rest()
    }

    /// What was done so far.
    #[must_use]
    pub const fn told(&self) -> &Told {
        &self.told
    }

    /// Where an answer would go on that ended here.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        Cursor { question: self.question, place: self.place }
    }

    /// Where an answer would go on that ended with this line.
    #[must_use]
    pub const fn cursor_behind(&self, line: &LogLine) -> Cursor {
        Cursor { question: self.question, place: line.behind }
    }

    /// The next lines, the end, or that the calendar is to be learnt first. `keep` decides at last which are told: it is
    /// asked of each line in the range, in the sample and past the filter, and limits count what it keeps.
    ///
    /// # Errors
    /// [`QueryError`] says why, and where it goes on; the next call does go on there.
    pub async fn next<B: Bucket<Body = Y>, K: FnMut(&[u8]) -> bool>(
        &mut self,
        store: BatchStore<'_, B>,
        shards: &impl Objects,
        clock: &impl Fn() -> i64,
        keep: &mut K,
    ) -> Result<Step, QueryError> {
        let started = *self.started_ms.get_or_insert_with(clock);
        loop {
            if let Some(ended) = self.end(clock() - started) {
                return Ok(Step::End(ended));
            }
            if self.open.is_none() {
                if !self.find(shards).await? {
                    return Ok(Step::Unknown);
                }
                continue;
            }
            let lines = self.read_on(store, keep).await?;
            if !lines.is_empty() {
                return Ok(Step::Lines(lines));
            }
        }
    }

    /// How the answer has ended, if it has.
    fn end(&mut self, elapsed_ms: i64) -> Option<Ended> {
        let cursor = self.cursor();
        let (by_limit, by_budget) = self.left;
        if self.ended.is_none() {
            let budget = &self.ask.budget;
            let is_over = self.told.operations() >= budget.operations
                || self.told.bytes_inflated >= budget.inflated
                || elapsed_ms >= budget.ms;
            if by_limit == 0 {
                self.ended = Some(Ended::Limit(cursor));
            } else if by_budget == 0 || (is_over && self.has_moved) {
                self.ended = Some(Ended::Budget(cursor));
            }
        }
        self.ended.clone()
    }

    /// The place moves behind what was worked through.
    fn move_to(&mut self, place: Place) {
        self.place = place;
        self.has_moved = true;
    }

    fn move_behind(&mut self, batch: i64) {
        self.open = None;
        self.move_to(Place { batch: batch.saturating_add(1), ..Place::start_of(self.place.prefix) });
    }

    fn failed(&self, error: BackendError) -> QueryError {
        QueryError::Backend { error, cursor: self.cursor() }
    }

    /// Finds the next batch; `false` where the calendar must be learnt first.
    async fn find(&mut self, shards: &impl Objects) -> Result<bool, QueryError> {
        let left = self.ask.budget.operations.saturating_sub(self.told.operations());
        let next = self.ahead.next(shards, left, &mut self.told.shards_asked).await;
        match next.map_err(|error| self.failed(error))? {
            Next::Batch(prefix, batch) => self.consider(prefix, batch),
            Next::Unknown(prefix) => {
                self.place = if prefix == self.place.prefix { self.place } else { Place::start_of(prefix) };
                return Ok(false);
            }
            Next::Behind(prefix) if !self.ahead.is_through() => self.move_to(Place::start_of(prefix + 1)),
            Next::Behind(_) | Next::End => self.ended = Some(Ended::Complete),
        }
        Ok(true)
    }

    /// Opens a batch, unless it is ruled out.
    fn consider(&mut self, prefix: u32, batch: ShardBatch) {
        let ShardBatch { place, object, summary } = batch;
        self.told.batches_considered += 1;
        let summary = summary.and_then(|summary| Summary::from_bytes(&summary));
        let window = Window::of(&self.ask, prefix);
        if summary.as_ref().is_some_and(|summary| !batch_may(&self.ask, window, summary)) {
            self.told.batches_skipped += 1;
            return self.move_behind(place);
        }
        let version = version_of(&object);
        if (self.place.prefix, self.place.batch, self.place.version) != (prefix, place, version) {
            self.place = Place { prefix, batch: place, version, offset: 0 };
        }
        self.open = Some(Open::new(place, object, window, summary, self.place.offset));
    }

    /// Reads on in the open batch.
    async fn read_on<B: Bucket<Body = Y>, K: FnMut(&[u8]) -> bool>(
        &mut self,
        store: BatchStore<'_, B>,
        keep: &mut K,
    ) -> Result<Vec<LogLine>, QueryError> {
        if self.open.as_ref().is_some_and(|open| open.reading.is_none()) {
            self.begin(store).await.map_err(|error| self.failed(error))?;
        }
        let left = self.left.0.min(self.left.1);
        let Some(Open { reading: Some(reading), window, .. }) = &mut self.open else { return Ok(Vec::new()) };
        let object = Rc::clone(&reading.object);
        let mut taker = Taker {
            ask: &self.ask,
            window: *window,
            keep,
            scanner: &mut self.scanner,
            object: &object,
            place: &mut self.place,
            told: &mut self.told,
            left,
            text_end: reading.text_end,
            lines: Vec::new(),
            bytes: 0,
            stop: None,
        };
        let went = reading.on(&mut taker).await;
        let lines = taker.lines;
        let count = lines.len() as u64;
        self.left = (self.left.0 - count, self.left.1 - count);
        match went {
            Ok(went) => self.went(went),
            Err(error) => self.broke(error, !lines.is_empty())?,
        }
        Ok(lines)
    }

    /// Reading went on.
    fn went(&mut self, went: Went) {
        let Some(open) = &mut self.open else { return };
        if went == Went::Through {
            // What is left of a row's last span is no part of it.
            let text_end = open.reading.take().map_or(0, |reading| reading.text_end);
            self.place.offset = self.place.offset.max(text_end);
            if open.reads.as_ref().is_none_or(VecDeque::is_empty) {
                // At once, so that a cursor never points at the end of a batch, which would be read again to see that.
                let batch = open.place;
                return self.move_behind(batch);
            }
        }
        self.has_moved |= self.place.offset.saturating_sub(open.from) >= QUERY_STEP;
    }

    /// Reading broke off. Where there are lines to be told first, the same error comes again when it is tried again.
    fn broke(&mut self, error: ReadError, has_lines: bool) -> Result<(), QueryError> {
        let cursor = self.cursor();
        let Some(open) = &mut self.open else { return Ok(()) };
        let was_whole = open.reading.take().is_some_and(|reading| reading.is_whole);
        open.reads = None;
        match error {
            ReadError::Backend(_) if has_lines => Ok(()),
            ReadError::Backend(error) => Err(QueryError::Backend { error, cursor }),
            ReadError::Batch(_) if !was_whole => {
                open.in_full = true;
                self.told.full_scans += 1;
                Ok(())
            }
            ReadError::Batch(_) if has_lines => Ok(()),
            ReadError::Batch(why) => {
                let object = Rc::clone(&open.object);
                Err(self.unreadable(object, why))
            }
        }
    }

    /// The open batch cannot be read: it is passed over.
    fn unreadable(&mut self, object: Rc<ObjectVersion>, why: BatchError) -> QueryError {
        let offset = self.place.offset;
        self.told.objects_unreadable += 1;
        self.move_behind(self.place.batch);
        QueryError::Unreadable { object, why, offset, cursor: self.cursor() }
    }

    /// Begins the next read of the open batch, or closes it where there is none.
    async fn begin<B: Bucket<Body = Y>>(&mut self, store: BatchStore<'_, B>) -> Result<(), BackendError> {
        let Self { ask, told, open: Some(open), place, .. } = self else { return Ok(()) };
        if open.reads.is_none() {
            let plan = plan_of(ask, open, store, place.offset, told).await?;
            told.spans_skipped += if open.was_counted { 0 } else { plan.skipped };
            told.batches_skipped += u64::from(plan.reads.is_empty() && !open.was_counted);
            open.was_counted = true;
            open.reads = Some(plan.reads);
        }
        let (next, batch) = (open.reads.as_mut().and_then(VecDeque::pop_front), open.place);
        let begun = match next {
            None => {
                self.move_behind(batch);
                return Ok(());
            }
            Some(Read::Whole) => read::whole(store.logs, &open.object, open.in_full, told).await,
            Some(Read::Spans(row)) => read::spans(store, &open.object, &row, told).await,
        };
        if begun.is_err() {
            open.reads = None;
        }
        match begun? {
            Begun::Reading(reading) => {
                open.reading = Some(reading);
                told.batches_read += u64::from(!std::mem::replace(&mut open.was_read, true));
            }
            Begun::Useless => {
                told.full_scans += 1;
                (open.in_full, open.reads) = (true, None);
            }
            Begun::Gone => {
                told.objects_gone += 1;
                self.move_behind(batch);
            }
        }
        Ok(())
    }
}
