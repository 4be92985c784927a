//! What the requests of an isolate cost, by caller, until the audit log knows of it.
//!
//! The audit log counts what a request costs in any case when it admits it. What its work costs beyond that is counted here,
//! step by step, and reported with a later call: of the same caller, or of another one with the same chain. A search that goes
//! on reports it by a call of its own from time to time. What an isolate has not reported is lost with it.
//!
//! # Invariants
//! The memory is bounded: beyond [`COSTS_PENDING`] callers the one with least to report gives way. No cost counts for another
//! caller than the one who caused it. Counting reads no clock, so that it takes no time that a caller could measure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::limits::{COST_REPORT_PAUSE_MS, COSTS_PENDING, COSTS_REPORTED};
use crate::time::day_number;

/// What one caller cost beyond what the audit log counted. It counts for the day on which it is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostReport {
    /// The caller's name.
    pub actor: String,
    /// Nano-dollars.
    pub nanos: u64,
}

/// The costs that an isolate counts; its clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct IsolateCosts(Rc<RefCell<PendingCosts>>);

#[derive(Debug, Default)]
struct PendingCosts {
    callers: BTreeMap<String, CallerPending>,
    /// Before this instant no search reports by a call of its own.
    report_after_ms: i64,
}

/// The costs of one caller.
#[derive(Debug, Clone, Copy, Default)]
struct CallerPending {
    /// Nano-dollars that are not reported.
    nanos: u64,
    /// The day for which the audit log last said what it counted, and the nano-dollars that it said.
    known: (i64, u64),
}

impl IsolateCosts {
    /// Counts nano-dollars of a caller.
    pub fn charge(&self, actor: &str, nanos: u64) {
        self.change(actor, |pending| pending.nanos = pending.nanos.saturating_add(nanos));
    }

    /// Notes what the audit log counted of a caller today. Of two answers the later one may come first.
    pub fn note(&self, actor: &str, known: u64, now_ms: i64) {
        self.change(actor, |pending| pending.known = pending.known.max((day_number(now_ms), known)));
    }

    /// What the caller has cost today, as far as this isolate knows.
    #[must_use]
    pub fn spent(&self, actor: &str, now_ms: i64) -> u64 {
        let costs = self.0.borrow();
        let Some(CallerPending { nanos, known: (day, known) }) = costs.callers.get(actor) else { return 0 };
        let of_today = if *day == day_number(now_ms) { *known } else { 0 };
        of_today.saturating_add(*nanos)
    }

    /// What the caller has cost today; `None` if the audit log did not say it to this isolate.
    #[must_use]
    pub fn known(&self, actor: &str, now_ms: i64) -> Option<u64> {
        let (day, known) = self.0.borrow().callers.get(actor)?.known;
        (day == day_number(now_ms) && known > 0).then(|| self.spent(actor, now_ms))
    }

    /// Whether a search is to report what this caller cost: as much as `nanos`.
    #[must_use]
    pub fn is_due(&self, actor: &str, nanos: u64, clock: impl Fn() -> i64) -> bool {
        let costs = self.0.borrow();
        costs.callers.get(actor).is_some_and(|pending| pending.nanos >= nanos) && clock() >= costs.report_after_ms
    }

    /// Takes what is to be reported with a call of this caller: its own costs first, and those of others with the same chain.
    #[must_use]
    pub fn take(&self, actor: &str, has_same_chain: impl Fn(&str) -> bool) -> Vec<CostReport> {
        let callers = &mut self.0.borrow_mut().callers;
        let mut taken: Vec<CostReport> = Vec::new();
        let mut take = |actor: &str, pending: &mut CallerPending| {
            let nanos = std::mem::take(&mut pending.nanos);
            taken.extend((nanos > 0).then(|| CostReport { actor: actor.to_owned(), nanos }));
        };
        if let Some(pending) = callers.get_mut(actor) {
            take(actor, pending);
        }
        let others = callers.iter_mut().filter(|(name, pending)| pending.nanos > 0 && has_same_chain(name));
        others.take(COSTS_REPORTED - 1).for_each(|(name, pending)| take(name, pending));
        taken
    }

    /// Takes back what did not reach the audit log: the next call has it.
    pub fn restore(&self, reports: Vec<CostReport>) {
        for CostReport { actor, nanos } in reports {
            self.charge(&actor, nanos);
        }
    }

    /// Has searches wait before they report again by a call of their own.
    pub fn pause_reports(&self, now_ms: i64) {
        self.0.borrow_mut().report_after_ms = now_ms.saturating_add(COST_REPORT_PAUSE_MS);
    }

    fn change(&self, actor: &str, change: impl FnOnce(&mut CallerPending)) {
        let callers = &mut self.0.borrow_mut().callers;
        if let Some(pending) = callers.get_mut(actor) {
            return change(pending);
        }
        if callers.len() >= COSTS_PENDING {
            let least = callers.iter().min_by_key(|(_, pending)| pending.nanos).map(|(name, _)| name.clone());
            least.and_then(|name| callers.remove(&name));
        }
        change(callers.entry(actor.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::{CostReport, IsolateCosts};
    use crate::limits::{COST_REPORT_PAUSE_MS, COSTS_PENDING, COSTS_REPORTED};
    use crate::time::DAY_MS;

    fn report(actor: &str, nanos: u64) -> CostReport {
        CostReport { actor: actor.to_owned(), nanos }
    }

    #[test]
    fn costs_are_reported_once_and_restored() {
        let costs = IsolateCosts::default();
        costs.charge("eye", 100);
        costs.charge("eye", 20);
        costs.charge("ear", 7);
        costs.note("eye", 1_000, 6);
        costs.note("eye", 900, 7);
        assert_eq!((costs.spent("eye", 7), costs.spent("ear", 7), costs.spent("nose", 7)), (1_120, 7, 0));
        assert_eq!(costs.spent("eye", DAY_MS), 120, "the next day knows what is to be reported alone");
        assert_eq!(
            (costs.known("eye", 7), costs.known("eye", DAY_MS), costs.known("ear", 7)),
            (Some(1_120), None, None)
        );
        assert_eq!(costs.take("nose", |name| name == "ear"), [report("ear", 7)]);
        let taken = costs.take("eye", |_| false);
        assert_eq!(taken, [report("eye", 120)]);
        assert_eq!(costs.take("eye", |_| true), []);
        costs.restore(taken);
        assert_eq!(costs.take("nose", |_| true), [report("eye", 120)]);
    }

    #[test]
    fn table_of_costs_is_bounded() {
        let costs = IsolateCosts::default();
        costs.charge("large", 1_000_000);
        for number in 0..3 * COSTS_PENDING {
            costs.charge(&format!("caller-{number}"), 1);
        }
        assert_eq!(costs.0.borrow().callers.len(), COSTS_PENDING);
        let taken = costs.take("large", |_| true);
        assert_eq!((taken.len(), &taken[0]), (COSTS_REPORTED, &report("large", 1_000_000)));
    }

    #[test]
    fn reports_of_searches_pause_after_a_failure() {
        let costs = IsolateCosts::default();
        costs.charge("eye", 100);
        let is_due = |actor: &str, nanos, now_ms| costs.is_due(actor, nanos, || now_ms);
        assert!(is_due("eye", 100, 0) && !is_due("eye", 101, 0) && !is_due("ear", 0, 0));
        costs.pause_reports(0);
        assert!(!is_due("eye", 100, COST_REPORT_PAUSE_MS - 1) && is_due("eye", 100, COST_REPORT_PAUSE_MS));
    }
}
