//! The lines of one isolate on their way to the bucket: an open batch, and closed ones that wait or are being stored.
//!
//! # Invariants
//! The numbers add up after every call ([`EdgeCounts::is_balanced`]). Beside the open batch at most [`EDGE_WAITING_BYTES`] are
//! held, and what is being stored. A batch leaves when it is stored, or as the oldest when there is no more memory: then its
//! lines count as dropped.

use std::collections::VecDeque;
use std::rc::Rc;

use super::batch::{BatchLabel, EdgeBatch};
use super::counts::{DropReason, EdgeCounts};
use crate::limits::{
    EDGE_FLUSH_BYTES, EDGE_IN_FLIGHT, EDGE_RETRY_MS, EDGE_STORE_MS, EDGE_WAITING_BATCHES, EDGE_WAITING_BYTES,
};

/// When a batch is closed: after a number of lines, or a time after its first one, or after [`EDGE_FLUSH_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushBounds {
    /// Number of lines.
    pub lines: usize,
    /// Milliseconds.
    pub age_ms: i64,
}

/// The result of an attempt to store a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreResult {
    /// The object is there and announced.
    Stored,
    /// The object is there; to announce it failed.
    Unannounced,
    /// Whether the object is there is not known.
    Failed,
}

/// Lines that are being collected.
#[derive(Debug, Default)]
struct CollectedLines {
    text: Vec<u8>,
    lines: u64,
    opened_ms: i64,
}

/// Where a closed batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchPhase {
    /// It waits until this instant in Unix milliseconds.
    Waits(i64),
    /// It is being stored since this instant.
    InFlight(i64),
}

/// A closed batch.
#[derive(Debug)]
struct WaitingBatch {
    batch: Rc<EdgeBatch>,
    phase: BatchPhase,
    attempts: u32,
    /// Whether its object is in the bucket.
    is_stored: bool,
}

impl WaitingBatch {
    /// Returns the instant from which it can be stored; the one that began to may be gone.
    const fn due_ms(&self) -> i64 {
        match self.phase {
            BatchPhase::Waits(until_ms) => until_ms,
            BatchPhase::InFlight(since_ms) => since_ms + EDGE_STORE_MS,
        }
    }

    fn is_in_flight(&self, now_ms: i64) -> bool {
        matches!(self.phase, BatchPhase::InFlight(_)) && now_ms < self.due_ms()
    }
}

/// The lines and numbers of an isolate.
#[derive(Debug)]
pub struct EdgeBuffer {
    isolate: String,
    folder: String,
    bounds: FlushBounds,
    counts: EdgeCounts,
    /// The numbers that closed batches carry which were not dropped.
    carried: EdgeCounts,
    open: CollectedLines,
    waiting: VecDeque<WaitingBatch>,
    closed: u64,
    timer_until_ms: Option<i64>,
}

impl EdgeBuffer {
    /// Creates the buffer of an isolate, whose batches go to this folder.
    #[must_use]
    pub fn new(isolate: String, folder: String, bounds: FlushBounds) -> Self {
        Self {
            isolate,
            folder,
            bounds,
            counts: EdgeCounts::default(),
            carried: EdgeCounts::default(),
            open: CollectedLines::default(),
            waiting: VecDeque::new(),
            closed: 0,
            timer_until_ms: None,
        }
    }

    /// Returns the isolate's ID.
    #[must_use]
    pub fn isolate(&self) -> &str {
        &self.isolate
    }

    /// Returns the numbers of the isolate.
    #[must_use]
    pub const fn counts(&self) -> EdgeCounts {
        self.counts
    }

    /// Returns the number of lines that are not in the bucket yet, as far as is known.
    #[must_use]
    pub fn lines_held(&self) -> u64 {
        let waiting = self.waiting.iter().filter(|waiting| !waiting.is_stored);
        self.open.lines + waiting.map(|waiting| waiting.batch.label.lines).sum::<u64>()
    }

    /// Returns the number of bytes of closed batches.
    #[must_use]
    pub fn bytes_waiting(&self) -> usize {
        self.waiting.iter().filter(|waiting| !waiting.is_stored).map(|waiting| waiting.batch.body.len()).sum()
    }

    /// Counts a request that the sample leaves out.
    pub const fn sample_out(&mut self) {
        self.counts.seen += 1;
        self.counts.sampled_out += 1;
    }

    /// Counts a request that has no record for this reason.
    pub const fn drop(&mut self, reason: DropReason) {
        self.counts.seen += 1;
        self.counts.drop(reason, 1);
    }

    /// Counts reports that a record stands for beside the first one.
    pub const fn merge(&mut self, reports: u64) {
        self.counts.seen += reports;
        self.counts.merged += reports;
    }

    /// Adds the record of a request. What was collected before is closed first if it is too old or would become too large.
    pub fn record(&mut self, line: &[u8], now_ms: i64) {
        if self.open.lines > 0 && self.open.text.len() + line.len() >= EDGE_FLUSH_BYTES {
            self.close(now_ms);
        }
        self.close_due(now_ms);
        if self.open.lines == 0 {
            self.open.opened_ms = now_ms;
        }
        self.counts.seen += 1;
        self.counts.recorded += 1;
        self.open.text.extend_from_slice(line);
        self.open.text.push(b'\n');
        self.open.lines += 1;
        self.close_due(now_ms);
    }

    /// Closes the open batch if it has its lines or its age.
    pub fn close_due(&mut self, now_ms: i64) {
        let is_full = usize::try_from(self.open.lines).is_ok_and(|lines| lines >= self.bounds.lines);
        let is_old = now_ms - self.open.opened_ms >= self.bounds.age_ms;
        if self.open.lines > 0 && (is_full || is_old) {
            self.close(now_ms);
        }
    }

    /// Closes the open batch, if it has lines.
    pub fn close(&mut self, now_ms: i64) {
        let open = std::mem::take(&mut self.open);
        if open.lines == 0 {
            return;
        }
        let (isolate, sequence) = (self.isolate.clone(), self.closed + 1);
        let since = self.counts.less(&self.carried);
        let label = BatchLabel { isolate, sequence, lines: open.lines, counts: self.counts, since };
        let Some(batch) = EdgeBatch::close(&self.folder, &open.text, (open.opened_ms, now_ms), label) else {
            self.lose(DropReason::Unwritable, open.lines);
            return;
        };
        self.closed = sequence;
        self.carried.add(since);
        let (batch, phase) = (Rc::new(batch), BatchPhase::Waits(now_ms));
        self.waiting.push_back(WaitingBatch { batch, phase, attempts: 0, is_stored: false });
        self.make_room(now_ms);
    }

    /// Counts recorded requests as dropped.
    const fn lose(&mut self, reason: DropReason, lines: u64) {
        self.counts.recorded -= lines;
        self.counts.drop(reason, lines);
    }

    /// Drops the oldest batches that are not being stored, until what waits fits its bounds.
    fn make_room(&mut self, now_ms: i64) {
        while self.bytes_waiting() > EDGE_WAITING_BYTES || self.waiting.len() > EDGE_WAITING_BATCHES {
            let Some(oldest) = self.waiting.iter().position(|waiting| !waiting.is_in_flight(now_ms)) else { return };
            let Some(dropped) = self.waiting.remove(oldest) else { return };
            let reason = if dropped.attempts > 0 { DropReason::Unconfirmed } else { DropReason::Overflow };
            if !dropped.is_stored {
                self.lose(reason, dropped.batch.label.lines);
                // The next batch carries them instead.
                self.carried = self.carried.less(&dropped.batch.label.since);
            }
        }
    }

    /// Takes the oldest batch that is due to be stored, with whether its object is in the bucket already. Its caller says what
    /// came of it ([`Self::settle`]); if it does not, the batch is due again after [`EDGE_STORE_MS`].
    pub fn take_due(&mut self, now_ms: i64) -> Option<(Rc<EdgeBatch>, bool)> {
        let in_flight = self.waiting.iter().filter(|waiting| waiting.is_in_flight(now_ms)).count();
        if in_flight >= EDGE_IN_FLIGHT {
            return None;
        }
        let due = self.waiting.iter_mut().find(|waiting| waiting.due_ms() <= now_ms)?;
        due.phase = BatchPhase::InFlight(now_ms);
        due.attempts += 1;
        Some((Rc::clone(&due.batch), due.is_stored))
    }

    /// Notes the result of an attempt to store a batch. One that was dropped meanwhile stays dropped.
    pub fn settle(&mut self, sequence: u64, result: StoreResult, now_ms: i64) {
        let Some(place) = self.waiting.iter().position(|waiting| waiting.batch.label.sequence == sequence) else {
            return;
        };
        if result == StoreResult::Stored {
            self.waiting.remove(place);
            return;
        }
        if let Some(waiting) = self.waiting.get_mut(place) {
            let (least, most) = EDGE_RETRY_MS;
            let wait =
                least.checked_shl(waiting.attempts.saturating_sub(1)).filter(|wait| (least..most).contains(wait));
            waiting.phase = BatchPhase::Waits(now_ms + wait.unwrap_or(most));
            waiting.is_stored |= result == StoreResult::Unannounced;
        }
        self.make_room(now_ms);
    }

    /// Returns when something will be due that is not being stored, in Unix milliseconds; `None` if nothing is held.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        let open = (self.open.lines > 0).then_some(self.open.opened_ms + self.bounds.age_ms);
        self.waiting.iter().map(WaitingBatch::due_ms).chain(open).min()
    }

    /// Starts a timer that keeps until an instant, unless one runs; returns whether it does. One that ran beyond its instant was
    /// lost with its request.
    pub fn start_timer(&mut self, now_ms: i64, until_ms: i64) -> bool {
        let is_running = self.timer_until_ms.is_some_and(|until_ms| now_ms <= until_ms);
        let starts = !is_running && self.next_due_ms().is_some();
        if starts {
            self.timer_until_ms = Some(until_ms);
        }
        starts
    }

    /// Notes that the timer has ended.
    pub const fn end_timer(&mut self) {
        self.timer_until_ms = None;
    }
}

#[cfg(test)]
mod tests;
