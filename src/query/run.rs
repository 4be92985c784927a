//! The execution of a query.
//!
//! The caller requests one step after another and holds the run in between; nothing happens on its own. The position is
//! all that the run remembers of what it has returned, so it continues after an error just as it does from a cursor.
//!
//! # Invariants
//!
//! One batch is open at a time. The budget is checked only between steps, and ends nothing before the position has
//! moved by a batch, a prefix or [`QUERY_STEP`] bytes of text.

use std::collections::VecDeque;
use std::rc::Rc;

use super::collect::LineCollector;
use super::cursor::{CursorError, QueryCursor, QueryPosition};
use super::open_batch::{OpenBatch, version_hash};
use super::prefetch::{NextBatch, ShardPrefetcher};
use super::pruning::{PrefixWindow, batch_may_match};
use super::read_plan::PlannedRead;
use super::{QueryEnd, QueryError, QueryLine, QueryStep, RangeQuery, RecordSink, ShardDirectory};
use crate::backend::{BatchStore, Bucket, ByteStream, CallError, DurableObjects};
use crate::batch::BatchError;
use crate::index::ObjectVersion;
use crate::index::calls::ShardBatch;
use crate::limits::{QUERY_STEP, WORK_SLICE_NS};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{LineScanner, RayId};
use crate::span_reader::{ReadError, ReadProgress, ReadStart, ReadStats, SpanReader};
use crate::summary::PruningSummary;

/// A query in progress; `Y` is the bucket's body.
#[derive(Debug)]
pub struct QueryRun<Y> {
    query: RangeQuery,
    /// The hash of the query, included in its cursors.
    fingerprint: u64,
    position: QueryPosition,
    prefetcher: ShardPrefetcher,
    scanner: LineScanner,
    open: Option<OpenBatch<Y>>,
    stats: ReadStats,
    /// Number of lines that may still be returned: by the limit, and by the budget.
    lines_left: (u64, u64),
    started_ms: Option<i64>,
    /// The work done at the last pause, in nanoseconds.
    paused_at_ns: u64,
    /// Whether the position has moved far enough for the budget to end the answer.
    has_moved: bool,
    end: Option<QueryEnd>,
    /// The memory of the lines of the last step.
    held: Reservation,
}

impl<Y: ByteStream> QueryRun<Y> {
    /// Creates a run that has read nothing yet.
    ///
    /// # Errors
    /// [`CursorError`] if the query's cursor belongs to another query.
    pub fn new(query: RangeQuery) -> Result<Self, CursorError> {
        let fingerprint = query.fingerprint();
        let first = RayId::prefix_at(query.start_ns);
        let last = RayId::prefix_at(query.end_ns.saturating_sub(1));
        let position = match query.cursor {
            Some(cursor) if cursor.query != fingerprint => return Err(CursorError::OtherQuery),
            Some(QueryCursor { position, .. }) if !(first..=last).contains(&position.prefix) => {
                return Err(CursorError::OtherQuery);
            }
            Some(cursor) => cursor.position,
            None => QueryPosition::start_of(first),
        };
        let is_empty = query.start_ns >= query.end_ns;
        Ok(Self {
            fingerprint,
            position,
            prefetcher: ShardPrefetcher::new(query.dataset, position, last),
            scanner: LineScanner::new(query.dataset),
            open: None,
            stats: ReadStats::default(),
            lines_left: (query.limit.unwrap_or(u64::MAX), query.budget.lines.max(1)),
            started_ms: None,
            paused_at_ns: 0,
            has_moved: false,
            end: is_empty.then_some(QueryEnd::Complete),
            held: query.memory.reservation(),
            query,
        })
    }

    /// Returns the work done so far.
    #[must_use]
    pub const fn stats(&self) -> &ReadStats {
        &self.stats
    }

    /// Returns the cursor of an answer that ends here.
    #[must_use]
    pub const fn cursor(&self) -> QueryCursor {
        QueryCursor { query: self.fingerprint, position: self.position }
    }

    /// Returns the instant, in Unix nanoseconds, before which each record of the range was considered: the beginning of the
    /// prefix that is being searched. Within a prefix, records come in no order.
    #[must_use]
    pub fn searched_until_ns(&self) -> i64 {
        match self.end {
            Some(QueryEnd::Complete) => self.query.end_ns,
            _ if self.position.prefix <= RayId::prefix_at(self.query.start_ns) => self.query.start_ns,
            _ => RayId::prefix_start_ns(self.position.prefix),
        }
    }

    /// Returns the cursor of an answer that ends with this line.
    #[must_use]
    pub const fn cursor_after(&self, line: &QueryLine) -> QueryCursor {
        QueryCursor { query: self.fingerprint, position: line.next }
    }

    /// Returns the next lines, or the end; in between a pause, after every few milliseconds of work and while the sink is
    /// full. The lines of the previous step are dropped by then. The sink sees each line of the range that is in the sample and matches the
    /// predicate; limits count the lines that it shows.
    ///
    /// # Errors
    /// [`QueryError`] has the reason and the position at which the next call continues.
    pub async fn next<B: Bucket<Body = Y>>(
        &mut self,
        store: BatchStore<'_, B>,
        shards: &impl DurableObjects,
        directory: &impl ShardDirectory,
        clock: &impl Fn() -> i64,
        sink: &mut impl RecordSink,
    ) -> Result<QueryStep, QueryError> {
        let started_ms = *self.started_ms.get_or_insert_with(clock);
        self.held.release_all();
        loop {
            if let Some(end) = self.check_end(clock() - started_ms) {
                return Ok(QueryStep::End(end));
            }
            if sink.is_full() || self.stats.work_ns() - self.paused_at_ns >= WORK_SLICE_NS {
                self.paused_at_ns = self.stats.work_ns();
                return Ok(QueryStep::Pause);
            }
            if self.open.is_none() {
                self.find_batch(shards, directory, clock).await?;
                continue;
            }
            let lines = self.read_lines(store, sink).await?;
            if !lines.is_empty() {
                return Ok(QueryStep::Lines(lines));
            }
        }
    }

    /// Returns the end of the answer, once reached.
    fn check_end(&mut self, elapsed_ms: i64) -> Option<QueryEnd> {
        let cursor = self.cursor();
        let (by_limit, by_budget) = self.lines_left;
        if self.end.is_none() {
            let budget = &self.query.budget;
            let is_over = self.stats.operations() >= budget.operations
                || self.stats.bytes_inflated >= budget.inflated_bytes
                || elapsed_ms >= budget.elapsed_ms
                || self.stats.work_ns() >= budget.work_ns;
            if by_limit == 0 {
                self.end = Some(QueryEnd::Limit(cursor));
            } else if by_budget == 0 || (is_over && self.has_moved) {
                self.end = Some(QueryEnd::Budget(cursor));
            }
        }
        self.end.clone()
    }

    /// Moves the position past completed work.
    fn move_to(&mut self, position: QueryPosition) {
        self.position = position;
        self.has_moved = true;
    }

    /// Closes the open batch, if any, and moves the position past the batch with this number in the shard.
    fn move_past(&mut self, number: i64) {
        self.open = None;
        self.move_to(QueryPosition {
            batch: number.saturating_add(1),
            ..QueryPosition::start_of(self.position.prefix)
        });
    }

    fn call_error(&self, error: CallError) -> QueryError {
        let cursor = self.cursor();
        match error {
            CallError::OutOfMemory(error) => QueryError::OutOfMemory { error, cursor },
            CallError::Backend(error) => QueryError::Backend { error, cursor },
        }
    }

    /// Finds the next batch and opens it, unless it is ruled out.
    async fn find_batch(
        &mut self,
        shards: &impl DurableObjects,
        directory: &impl ShardDirectory,
        clock: &impl Fn() -> i64,
    ) -> Result<(), QueryError> {
        let calls = self.query.budget.operations.saturating_sub(self.stats.operations());
        let (memory, asked) = (&self.query.memory, &mut self.stats.shards_asked);
        let next = self.prefetcher.next(memory, shards, directory, clock, calls, asked).await;
        match next.map_err(|error| self.call_error(error))? {
            NextBatch::Batch(prefix, batch) => self.consider_batch(prefix, batch),
            NextBatch::PrefixEnd(prefix) if !self.prefetcher.is_exhausted() => {
                self.move_to(QueryPosition::start_of(prefix + 1));
            }
            NextBatch::PrefixEnd(_) | NextBatch::RangeEnd => self.end = Some(QueryEnd::Complete),
        }
        Ok(())
    }

    /// Opens a batch, unless it is ruled out.
    fn consider_batch(&mut self, prefix: u32, batch: ShardBatch) {
        let ShardBatch { number, object, summary } = batch;
        self.stats.batches_considered += 1;
        let summary = PruningSummary::from_bytes(&summary).filter(|_| !self.query.hides_omitted);
        let window = PrefixWindow::new(&self.query, prefix);
        if summary.as_ref().is_some_and(|summary| !batch_may_match(&self.query, window, summary)) {
            self.stats.batches_skipped += 1;
            // The prefixes before it may have been passed over without an answer of theirs.
            self.position.prefix = prefix;
            return self.move_past(number);
        }
        let version = version_hash(&object);
        if (self.position.prefix, self.position.batch, self.position.version) != (prefix, number, version) {
            self.position = QueryPosition { prefix, batch: number, version, offset: 0 };
        }
        self.open = Some(OpenBatch::new(number, object, window, summary, self.position.offset));
    }

    /// Continues reading the open batch, and returns the lines of one step.
    async fn read_lines<B: Bucket<Body = Y>>(
        &mut self,
        store: BatchStore<'_, B>,
        sink: &mut impl RecordSink,
    ) -> Result<Vec<QueryLine>, QueryError> {
        if self.open.as_ref().is_some_and(|open| open.reader.is_none()) {
            self.start_read(store).await.map_err(|error| self.call_error(error))?;
        }
        let Some(OpenBatch { reader: Some(reader), window, zone, .. }) = &mut self.open else { return Ok(Vec::new()) };
        let masked_before = sink.masked_bytes();
        let mut collector = LineCollector {
            query: &self.query,
            window: *window,
            sink,
            scanner: &mut self.scanner,
            zone: zone.as_deref(),
            erased: store.erasures.lines(),
            object: Rc::clone(reader.version()),
            position: &mut self.position,
            limit: self.lines_left.0.min(self.lines_left.1),
            lines: Vec::new(),
            bytes: 0,
            scanned: 0,
            held: &self.held,
            out_of_memory: None,
            passed: 0,
            masked_before,
        };
        let progress = reader.advance(&mut collector, &mut self.stats).await;
        let LineCollector { lines, scanned, sink, out_of_memory, .. } = collector;
        self.stats.bytes_masked += sink.masked_bytes() - masked_before;
        let count = lines.len() as u64;
        self.stats.records_scanned += scanned;
        self.stats.records_returned += count;
        self.lines_left = (self.lines_left.0 - count, self.lines_left.1 - count);
        match (progress, out_of_memory) {
            (Ok(_), Some(error)) | (Err(ReadError::OutOfMemory(error)), _) => {
                self.on_out_of_memory(error, !lines.is_empty())?;
            }
            (Ok(progress), None) => self.on_progress(progress),
            (Err(error), _) => self.on_error(error, !lines.is_empty())?,
        }
        Ok(lines)
    }

    /// Closes the reader, which has passed the line that did not fit, and drops what was asked ahead. If there are lines to
    /// return first, the next attempt may fail with the same error.
    fn on_out_of_memory(&mut self, error: OutOfMemory, has_lines: bool) -> Result<(), QueryError> {
        let error = if self.prefetcher.drop_ahead() { OutOfMemory::Busy } else { error };
        if let Some(open) = &mut self.open {
            (open.reader, open.reads) = (None, None);
        }
        if has_lines { Ok(()) } else { Err(QueryError::OutOfMemory { error, cursor: self.cursor() }) }
    }

    /// Updates the run after a successful read.
    fn on_progress(&mut self, progress: ReadProgress) {
        let Some(open) = &mut self.open else { return };
        if progress == ReadProgress::Complete {
            // The rest of the last span belongs to the span that follows.
            let text_end = open.reader.take().map_or(0, |reader| reader.text_end());
            self.position.offset = self.position.offset.max(text_end);
            if open.reads.as_ref().is_none_or(VecDeque::is_empty) {
                // Move on at once: a cursor at the end of a batch would make the next run read it again just to find
                // its end.
                let number = open.number;
                return self.move_past(number);
            }
        }
        self.has_moved |= self.position.offset.saturating_sub(open.from) >= QUERY_STEP;
    }

    /// Updates the run after a failed read. If there are lines to return first, the next attempt fails with the same
    /// error.
    fn on_error(&mut self, error: ReadError, has_lines: bool) -> Result<(), QueryError> {
        let cursor = self.cursor();
        let Some(open) = &mut self.open else { return Ok(()) };
        let was_whole = open.reader.take().is_some_and(|reader| reader.is_whole());
        open.reads = None;
        match error {
            ReadError::Backend(_) if has_lines => Ok(()),
            ReadError::Backend(error) => Err(QueryError::Backend { error, cursor }),
            ReadError::Batch(_) if !was_whole => {
                open.in_full = true;
                self.stats.full_scans += 1;
                Ok(())
            }
            ReadError::OutOfMemory(error) => Err(QueryError::OutOfMemory { error, cursor }),
            ReadError::Batch(_) if has_lines => Ok(()),
            ReadError::Batch(why) => {
                let object = Rc::clone(&open.object);
                Err(self.skip_unreadable(object, why))
            }
        }
    }

    /// Skips the open batch, which cannot be read.
    fn skip_unreadable(&mut self, object: Rc<ObjectVersion>, why: BatchError) -> QueryError {
        let offset = self.position.offset;
        self.stats.batches_unreadable += 1;
        self.move_past(self.position.batch);
        QueryError::Unreadable { object, why, offset, cursor: self.cursor() }
    }

    /// Starts the next read of the open batch, or closes the batch if none is left.
    async fn start_read<B: Bucket<Body = Y>>(&mut self, store: BatchStore<'_, B>) -> Result<(), CallError> {
        let Self { query, stats, open: Some(open), position, scanner, .. } = self else { return Ok(()) };
        let names = store.prefixes.key_names(&open.object.key, query.dataset);
        if *scanner.key_names() != names {
            *scanner = LineScanner::by_names(names);
        }
        open.zone = store.prefixes.zone(&open.object.key).map(str::to_owned);
        if open.reads.is_none() {
            let plan = open.plan(query, store, position.offset, stats).await?;
            stats.spans_skipped += if open.was_counted { 0 } else { plan.spans_skipped };
            stats.batches_skipped += u64::from(plan.reads.is_empty() && !open.was_counted);
            open.was_counted = true;
            open.reads = Some(plan.reads);
        }
        let start = match open.reads.as_mut().and_then(VecDeque::pop_front) {
            None => {
                let number = open.number;
                self.move_past(number);
                return Ok(());
            }
            Some(PlannedRead::Object) => SpanReader::open_object(store.logs, &open.object, &query.memory, stats).await,
            Some(PlannedRead::Spans(spans)) => {
                SpanReader::open_spans(store, &open.object, &spans, &query.memory, stats).await
            }
        };
        if start.is_err() {
            open.reads = None;
        }
        match start? {
            ReadStart::Reading(reader) => {
                let is_other_version = reader.version().etag != open.object.etag;
                stats.full_scans += u64::from(is_other_version && !open.in_full);
                stats.batches_read += u64::from(!std::mem::replace(&mut open.was_read, true));
                open.reader = Some(reader);
            }
            ReadStart::SpanUnusable => {
                stats.full_scans += 1;
                (open.in_full, open.reads) = (true, None);
            }
            ReadStart::ObjectGone => {
                stats.batches_gone += 1;
                let number = open.number;
                self.move_past(number);
            }
        }
        Ok(())
    }
}
