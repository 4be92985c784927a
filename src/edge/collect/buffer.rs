//! The windows of one isolate on their way to the origin: an open one, and closed ones that wait or are on their way.
//!
//! # Invariants
//! The numbers add up after every call ([`EdgeCounts::is_balanced`]), where a report is the unit. Beside the open window at most
//! [`COLLECT_WAITING_BYTES`] are held, and what is on its way. A window leaves when the origin took or refused it, or as the
//! oldest when there is no more memory: then its reports count as dropped. While the origin fails, one window at a time tries it.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::report::ReportDigest;
use super::stored::{StoredReport, write_stored};
use super::window::{OpenWindow, ReportOrigin, ReportPlace, ReportWindow, WindowForm};
use crate::edge::batch::BatchLabel;
use crate::edge::counts::{DropReason, EdgeCounts};
use crate::limits::{
    COLLECT_IN_FLIGHT, COLLECT_PAUSE_MAX_MS, COLLECT_RETRY_MS, COLLECT_WAITING_BYTES, COLLECT_WAITING_WINDOWS,
    EDGE_STORE_MS,
};

/// The result of a POST of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardResult {
    /// The origin has it.
    Taken,
    /// The origin does not want it.
    Refused,
    /// Whether the origin has it is not known; the next POST waits at least this many milliseconds.
    Failed(i64),
}

/// A closed window.
#[derive(Debug)]
struct WaitingWindow {
    window: Rc<ReportWindow>,
    /// Since when it is on its way, in Unix milliseconds.
    sent_ms: Option<i64>,
    attempts: u32,
}

impl WaitingWindow {
    /// Returns whether it is on its way: the request that sent it may be gone.
    fn is_in_flight(&self, now_ms: i64) -> bool {
        self.sent_ms.is_some_and(|sent_ms| now_ms < sent_ms + EDGE_STORE_MS)
    }
}

/// The reports and numbers of an isolate.
#[derive(Debug)]
pub struct WindowBuffer {
    isolate: String,
    form: WindowForm,
    age_ms: i64,
    counts: EdgeCounts,
    /// The numbers that windows carry which were not dropped.
    carried: EdgeCounts,
    open: OpenWindow,
    waiting: VecDeque<WaitingWindow>,
    closed: u64,
    /// Number of POSTs that failed since one was answered.
    failures: u32,
    /// Until when the origin is left alone, in Unix milliseconds.
    pause_until_ms: i64,
    timer_until_ms: Option<i64>,
    stored: Vec<StoredReport>,
}

impl WindowBuffer {
    /// Creates the buffer of an isolate, whose windows have this form and close after `age_ms`.
    #[must_use]
    pub fn new(isolate: String, form: WindowForm, age_ms: i64) -> Self {
        Self {
            isolate,
            form,
            age_ms,
            counts: EdgeCounts::default(),
            carried: EdgeCounts::default(),
            open: OpenWindow::default(),
            waiting: VecDeque::new(),
            closed: 0,
            failures: 0,
            pause_until_ms: 0,
            timer_until_ms: None,
            stored: Vec::new(),
        }
    }

    /// Returns the numbers of the isolate.
    #[must_use]
    pub const fn counts(&self) -> EdgeCounts {
        self.counts
    }

    /// Returns the number of reports that the origin does not have yet, as far as is known.
    #[must_use]
    pub fn reports_held(&self) -> u64 {
        self.open.total + self.waiting.iter().map(|waiting| waiting.window.reports).sum::<u64>()
    }

    /// Returns the number of bytes of closed windows.
    #[must_use]
    pub fn bytes_waiting(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.window.body.len()).sum()
    }

    /// Counts reports that the sample leaves out.
    pub const fn sample_out(&mut self, reports: u64) {
        self.counts.seen += reports;
        self.counts.sampled_out += reports;
    }

    /// Counts reports that are dropped for this reason.
    pub const fn drop(&mut self, reason: DropReason, reports: u64) {
        self.counts.seen += reports;
        self.counts.drop(reason, reports);
    }

    /// Adds a report by its canonical JSON. What was collected before is closed first if it is too old or would become too large.
    pub(super) fn add(&mut self, json: String, origin: Option<ReportOrigin>, now_ms: i64) {
        self.close_due(now_ms);
        let digest = ReportDigest::new(&json);
        if !self.open.fits(digest, &json) {
            self.close(now_ms);
        }
        match self.open.add((digest, json), origin, now_ms) {
            ReportPlace::First => self.counts.recorded += 1,
            ReportPlace::Merged => self.counts.merged += 1,
            ReportPlace::Forged => self.counts.drop(DropReason::Invalid, 1),
        }
        self.counts.seen += 1;
    }

    /// Closes the open window if it has its age.
    pub fn close_due(&mut self, now_ms: i64) {
        if !self.open.is_empty() && now_ms - self.open.opened_ms >= self.age_ms {
            self.close(now_ms);
        }
    }

    /// Closes the open window, if it has reports.
    pub fn close(&mut self, now_ms: i64) {
        let open = std::mem::take(&mut self.open);
        if open.is_empty() {
            return;
        }
        self.closed += 1;
        let lines = u64::try_from(open.reports.len()).unwrap_or(u64::MAX);
        let (isolate, since) = (self.isolate.clone(), self.counts.less(&self.carried));
        self.carried.add(since);
        let label =
            BatchLabel { isolate, sequence: self.closed, lines, counts: self.counts, since, sinks: BTreeMap::new() };
        let window = Rc::new(ReportWindow { body: open.body(self.form), label, reports: open.total });
        self.stored
            .extend(open.reports.iter().filter_map(|(digest, report)| write_stored(&self.isolate, *digest, report)));
        self.waiting.push_back(WaitingWindow { window, sent_ms: None, attempts: 0 });
        self.make_room(now_ms);
    }

    /// Returns the records of the reports in windows that were closed since the last call.
    pub fn take_stored(&mut self) -> Vec<StoredReport> {
        std::mem::take(&mut self.stored)
    }

    /// Counts the reports of a window as dropped.
    fn lose(&mut self, reason: DropReason, window: &ReportWindow) {
        self.counts.recorded -= window.label.lines;
        self.counts.merged -= window.reports - window.label.lines;
        self.counts.drop(reason, window.reports);
        // The next window carries them instead.
        self.carried = self.carried.less(&window.label.since);
    }

    /// Drops the oldest windows that are not on their way, until what waits fits its bounds.
    fn make_room(&mut self, now_ms: i64) {
        while self.bytes_waiting() > COLLECT_WAITING_BYTES || self.waiting.len() > COLLECT_WAITING_WINDOWS {
            let Some(oldest) = self.waiting.iter().position(|waiting| !waiting.is_in_flight(now_ms)) else { return };
            let Some(dropped) = self.waiting.remove(oldest) else { return };
            let reason = if dropped.attempts > 0 { DropReason::Unconfirmed } else { DropReason::Overflow };
            self.lose(reason, &dropped.window);
        }
    }

    /// Takes the oldest window that is due. Its caller says what came of it ([`Self::settle`]); if it does not, the window is due
    /// again after [`EDGE_STORE_MS`].
    pub fn take_due(&mut self, now_ms: i64) -> Option<Rc<ReportWindow>> {
        let most = if self.failures > 0 { 1 } else { COLLECT_IN_FLIGHT };
        let in_flight = self.waiting.iter().filter(|waiting| waiting.is_in_flight(now_ms)).count();
        if in_flight >= most || now_ms < self.pause_until_ms {
            return None;
        }
        let due = self.waiting.iter_mut().find(|waiting| !waiting.is_in_flight(now_ms))?;
        due.sent_ms = Some(now_ms);
        due.attempts += 1;
        Some(Rc::clone(&due.window))
    }

    /// Notes the result of the POST of a window. One that was dropped meanwhile stays dropped.
    pub fn settle(&mut self, sequence: u64, result: ForwardResult, now_ms: i64) {
        match result {
            ForwardResult::Taken | ForwardResult::Refused => (self.failures, self.pause_until_ms) = (0, 0),
            ForwardResult::Failed(least_ms) => {
                let (least, most) = COLLECT_RETRY_MS;
                let doubled = least.checked_shl(self.failures).filter(|pause| (least..most).contains(pause));
                let pause = doubled.unwrap_or(most).max(least_ms.min(COLLECT_PAUSE_MAX_MS));
                self.failures = self.failures.saturating_add(1);
                self.pause_until_ms = now_ms + pause;
            }
        }
        let is_it = |waiting: &WaitingWindow| waiting.window.label.sequence == sequence;
        let Some(place) = self.waiting.iter().position(is_it) else { return };
        if let ForwardResult::Failed(_) = result {
            if let Some(waiting) = self.waiting.get_mut(place) {
                waiting.sent_ms = None;
            }
            self.make_room(now_ms);
        } else if let Some(done) = self.waiting.remove(place)
            && result == ForwardResult::Refused
        {
            self.lose(DropReason::Refused, &done.window);
        }
    }

    /// Returns when something will be due that is not on its way, in Unix milliseconds; `None` if nothing is held.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        let due = |waiting: &WaitingWindow| match waiting.sent_ms {
            Some(sent_ms) => sent_ms + EDGE_STORE_MS,
            None => self.pause_until_ms,
        };
        let open = (!self.open.is_empty()).then_some(self.open.opened_ms + self.age_ms);
        self.waiting.iter().map(due).chain(open).min()
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
