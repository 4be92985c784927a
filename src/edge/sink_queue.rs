//! The closed batches of one sink: those that wait, those that are on their way, and what became of their lines.
//!
//! # Invariants
//! Every line that came in is handed, waiting or dropped ([`SinkCounts::lines`]). At most [`EDGE_WAITING_BYTES`] are held, and what
//! is on its way. What is dropped is the oldest.

use std::collections::VecDeque;
use std::rc::Rc;

use super::batch::{BatchLabel, EdgeBatch};
use super::counts::{DropReason, EdgeCounts, SinkCounts};
use crate::limits::{EDGE_IN_FLIGHT, EDGE_RETRY_MS, EDGE_STORE_MS, EDGE_WAITING_BATCHES, EDGE_WAITING_BYTES};

/// The result of an attempt to bring a batch to its sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreResult {
    /// The sink has it; in the bucket, its object is announced.
    Stored,
    /// The object is there; to announce it failed.
    Unannounced,
    /// Whether the sink has it is not known.
    Failed,
    /// The sink asks to come again after this many milliseconds.
    Later(i64),
    /// The sink refused this many of its lines and has the others.
    Refused(u64),
}

/// Where a closed batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchPhase {
    /// It waits until this instant in Unix milliseconds.
    Waits(i64),
    /// It is on its way since this instant.
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

/// Lines that were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DroppedLines {
    /// Why.
    pub(super) reason: DropReason,
    /// Number of lines.
    pub(super) lines: u64,
    /// The numbers that no batch carries any more, because theirs was dropped.
    pub(super) carried: EdgeCounts,
}

/// The batches of one sink.
#[derive(Debug, Default)]
pub(super) struct SinkQueue {
    waiting: VecDeque<WaitingBatch>,
    counts: SinkCounts,
    /// Until then the sink wants nothing.
    paused_until_ms: i64,
    timer_until_ms: Option<i64>,
}

impl SinkQueue {
    /// Adds a closed batch; returns what was dropped to make room for it.
    pub(super) fn push(&mut self, batch: Rc<EdgeBatch>, now_ms: i64) -> Vec<DroppedLines> {
        let phase = BatchPhase::Waits(now_ms);
        self.waiting.push_back(WaitingBatch { batch, phase, attempts: 0, is_stored: false });
        self.make_room(now_ms)
    }

    /// Counts lines as dropped that never came to be a batch.
    pub(super) const fn drop(&mut self, reason: DropReason, lines: u64) {
        self.counts.drop(reason, lines);
    }

    /// Returns the numbers of the sink.
    pub(super) fn counts(&self) -> SinkCounts {
        SinkCounts { waiting: self.lines(), ..self.counts }
    }

    /// Returns the number of lines that the sink does not have yet, as far as is known.
    pub(super) fn lines(&self) -> u64 {
        self.unstored().map(|waiting| waiting.batch.label.lines).sum()
    }

    /// Returns the number of bytes of batches that the sink does not have.
    pub(super) fn bytes(&self) -> usize {
        self.unstored().map(|waiting| waiting.batch.body.len()).sum()
    }

    fn unstored(&self) -> impl Iterator<Item = &WaitingBatch> {
        self.waiting.iter().filter(|waiting| !waiting.is_stored)
    }

    /// Returns the labels of all that are held.
    #[cfg(test)]
    pub(super) fn labels(&self) -> impl Iterator<Item = &BatchLabel> {
        self.waiting.iter().map(|waiting| &waiting.batch.label)
    }

    /// Returns the number of the oldest batch.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.batch.label.sequence).min()
    }

    /// Drops the oldest batches that are not on their way, until what waits fits its bounds.
    fn make_room(&mut self, now_ms: i64) -> Vec<DroppedLines> {
        let mut lost = Vec::new();
        while self.bytes() > EDGE_WAITING_BYTES || self.waiting.len() > EDGE_WAITING_BATCHES {
            let Some(oldest) = self.waiting.iter().position(|waiting| !waiting.is_in_flight(now_ms)) else { break };
            let Some(dropped) = self.waiting.remove(oldest) else { break };
            let reason = if dropped.attempts > 0 { DropReason::Unconfirmed } else { DropReason::Overflow };
            if !dropped.is_stored {
                let BatchLabel { lines, since: carried, .. } = dropped.batch.label;
                self.counts.drop(reason, lines);
                lost.push(DroppedLines { reason, lines, carried });
            }
        }
        lost
    }

    /// Takes the oldest batch that is due, with whether its object is in the bucket already. If nothing is said of it later
    /// ([`Self::settle`]), it is due again after [`EDGE_STORE_MS`].
    pub(super) fn take_due(&mut self, now_ms: i64) -> Option<(Rc<EdgeBatch>, bool)> {
        let in_flight = self.waiting.iter().filter(|waiting| waiting.is_in_flight(now_ms)).count();
        if in_flight >= EDGE_IN_FLIGHT || now_ms < self.paused_until_ms {
            return None;
        }
        let due = self.waiting.iter_mut().find(|waiting| waiting.due_ms() <= now_ms)?;
        due.phase = BatchPhase::InFlight(now_ms);
        due.attempts += 1;
        Some((Rc::clone(&due.batch), due.is_stored))
    }

    /// Notes the result of an attempt; returns what was dropped. A batch that was dropped meanwhile stays dropped.
    pub(super) fn settle(&mut self, sequence: u64, result: StoreResult, now_ms: i64) -> Vec<DroppedLines> {
        let Some(place) = self.waiting.iter().position(|waiting| waiting.batch.label.sequence == sequence) else {
            return Vec::new();
        };
        let refused = match result {
            StoreResult::Stored => 0,
            StoreResult::Refused(refused) => refused,
            _ => {
                self.keep(place, result, now_ms);
                return self.make_room(now_ms);
            }
        };
        let Some(settled) = self.waiting.remove(place) else { return Vec::new() };
        let refused = refused.min(settled.batch.label.lines);
        if settled.is_stored || refused == 0 {
            self.counts.handed += if settled.is_stored { 0 } else { settled.batch.label.lines };
            return Vec::new();
        }
        self.counts.handed += settled.batch.label.lines - refused;
        self.counts.drop(DropReason::Refused, refused);
        vec![DroppedLines { reason: DropReason::Refused, lines: refused, carried: EdgeCounts::of_recorded(refused) }]
    }

    /// Keeps a batch that the sink may not have, until its next attempt.
    fn keep(&mut self, place: usize, result: StoreResult, now_ms: i64) {
        let Some(waiting) = self.waiting.get_mut(place) else { return };
        if let StoreResult::Later(ms) = result {
            self.paused_until_ms = now_ms + ms;
        }
        let (least, most) = EDGE_RETRY_MS;
        let wait = least.checked_shl(waiting.attempts.saturating_sub(1)).filter(|wait| (least..most).contains(wait));
        waiting.phase = BatchPhase::Waits(now_ms + wait.unwrap_or(most));
        if result == StoreResult::Unannounced && !waiting.is_stored {
            waiting.is_stored = true;
            self.counts.handed += waiting.batch.label.lines;
        }
    }

    /// Returns when a batch will be due, in Unix milliseconds; `None` if there is none.
    pub(super) fn due_ms(&self) -> Option<i64> {
        let due_ms = self.waiting.iter().map(WaitingBatch::due_ms).min()?;
        Some(due_ms.max(self.paused_until_ms))
    }

    /// Returns whether a timer runs. One that ran beyond its instant was lost with its request.
    pub(super) fn has_timer(&self, now_ms: i64) -> bool {
        self.timer_until_ms.is_some_and(|until_ms| now_ms <= until_ms)
    }

    /// Notes a timer that runs until an instant, or that none does.
    pub(super) const fn set_timer(&mut self, until_ms: Option<i64>) {
        self.timer_until_ms = until_ms;
    }
}
