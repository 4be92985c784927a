//! Requests that an isolate refuses by itself: of callers over their rate or their budget, and repeats of what was denied a moment
//! ago.
//!
//! The audit log says for how long a caller is to wait. Until then, or for a minute, the isolate answers 429 without a call, and counts;
//! so it does with the repeats of a denial that the audit log has. The counts go to the audit log with a later call, of that
//! caller or of another one with the same chain. What an isolate counted since is lost with it: the log's counts are lower bounds.
//!
//! # Invariants
//! No caller is refused longer than the audit log said. The memory is bounded; beyond [`REFUSALS_WATCHED`] different
//! refusals at a time, the others of a caller count as equal, and then not at all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::Dollars;
use crate::limits::{DENIAL_WINDOW_MS, RATED_CALLERS, REFUSALS_REPORTED, REFUSALS_WATCHED};

/// Equal requests that were refused: who sent them, what they asked for, and the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRequests {
    /// The caller's name.
    pub actor: String,
    /// The name of the caller's role; empty for one without rights.
    pub role: String,
    /// How the caller authenticated.
    pub auth_method: String,
    /// The method and the route; empty for several.
    pub action: String,
    /// The address that the requests came from; empty for several.
    pub address: String,
    /// The HTTP status of the answers.
    pub status: u16,
    /// The code of the problem.
    pub code: String,
    /// Number of requests.
    pub count: u64,
}

/// The requests that an isolate refused; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct IsolateRefusals(Rc<RefCell<RefusalTable>>);

#[derive(Debug, Default)]
struct RefusalTable {
    /// Until when each caller is refused, and why.
    limited: BTreeMap<String, (i64, RefusalReason)>,
    counted: BTreeMap<RefusalKey, RefusalCount>,
}

/// Why an isolate refuses a caller by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// It is over its rate.
    OverRate,
    /// Its daily budget is spent.
    BudgetSpent(SpentDailyBudget),
}

/// A daily budget that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentDailyBudget {
    /// The budget.
    pub budget: Dollars,
    /// What the caller has cost on the day; `None` if it may not know, since that depends on records that it does not see.
    pub spent: Option<Dollars>,
    /// Unix milliseconds at which the day ends.
    pub ends_ms: i64,
}

/// What makes two refusals equal: actor, action, address, status and code.
type RefusalKey = (String, String, String, u16, String);

#[derive(Debug)]
struct RefusalCount {
    refused: RefusedRequests,
    until_ms: i64,
}

impl IsolateRefusals {
    /// Whether there is nothing to refuse or to report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let table = self.0.borrow();
        table.limited.is_empty() && table.counted.is_empty()
    }

    /// How long the caller is still refused, in milliseconds, and why.
    #[must_use]
    pub fn find(&self, actor: &str, now_ms: i64) -> Option<(i64, RefusalReason)> {
        let table = self.0.borrow();
        let (until_ms, reason) = table.limited.get(actor)?;
        Some((until_ms - now_ms, *reason)).filter(|(wait_ms, _)| (1..=DENIAL_WINDOW_MS).contains(wait_ms))
    }

    /// Notes that a caller is to be refused for so long.
    pub fn limit(&self, actor: &str, wait_ms: i64, reason: RefusalReason, now_ms: i64) {
        let limited = &mut self.0.borrow_mut().limited;
        if limited.len() >= RATED_CALLERS {
            limited.retain(|_, (until_ms, _)| *until_ms > now_ms);
        }
        if limited.len() < RATED_CALLERS {
            limited.insert(actor.to_owned(), (now_ms.saturating_add(wait_ms), reason));
        }
    }

    /// Counts refused requests, to be reported from the end of their window on.
    pub fn count(&self, refused: RefusedRequests, until_ms: i64) {
        let counted = &mut self.0.borrow_mut().counted;
        let mut key = key(&refused);
        if counted.len() >= REFUSALS_WATCHED && !counted.contains_key(&key) {
            (key.1, key.2) = (String::new(), String::new());
        }
        if let Some(known) = counted.get_mut(&key) {
            known.refused.count += refused.count;
        } else if counted.len() < 2 * REFUSALS_WATCHED {
            let (action, address) = (key.1.clone(), key.2.clone());
            counted.insert(key, RefusalCount { refused: RefusedRequests { action, address, ..refused }, until_ms });
        }
    }

    /// Notes that the audit log has an entry for this denial: its repeats within a minute need no call.
    pub fn watch(&self, refused: RefusedRequests, now_ms: i64) {
        self.count(RefusedRequests { count: 0, ..refused }, now_ms.saturating_add(DENIAL_WINDOW_MS));
    }

    /// Counts the requests if they repeat a denial that the audit log has, or if too many others are counted; says whether
    /// they are.
    #[must_use]
    pub fn is_repeat(&self, refused: &RefusedRequests, now_ms: i64) -> bool {
        let mut table = self.0.borrow_mut();
        if let Some(known) = table.counted.get_mut(&key(refused)).filter(|known| now_ms < known.until_ms) {
            known.refused.count += refused.count;
            return true;
        }
        let is_full = table.counted.len() >= REFUSALS_WATCHED && !table.counted.contains_key(&key(refused));
        drop(table);
        if is_full {
            self.count(refused.clone(), now_ms.saturating_add(DENIAL_WINDOW_MS));
        }
        is_full
    }

    /// Takes what is to be reported with a call of this caller: what was counted of it because of its rate, and what was
    /// counted in a window that has ended of any caller with the same chain of the audit log.
    #[must_use]
    pub fn take(&self, actor: &str, has_same_chain: impl Fn(&str) -> bool, now_ms: i64) -> Vec<RefusedRequests> {
        let mut taken = Vec::new();
        self.0.borrow_mut().counted.retain(|_, known| {
            let is_over = known.until_ms <= now_ms;
            let is_due = |refused: &RefusedRequests| {
                refused.count > 0 && (refused.actor == actor || is_over && has_same_chain(&refused.actor))
            };
            if taken.len() < REFUSALS_REPORTED && is_due(&known.refused) {
                taken.push(known.refused.clone());
                known.refused.count = 0;
            }
            // Until its window ends, further repeats are counted.
            !(is_over && known.refused.count == 0)
        });
        taken
    }

    /// Takes back what did not reach the audit log: the next call has it.
    pub fn restore(&self, refused: Vec<RefusedRequests>) {
        for one in refused {
            self.count(one, i64::MIN);
        }
    }
}

fn key(refused: &RefusedRequests) -> RefusalKey {
    let RefusedRequests { actor, action, address, status, code, .. } = refused.clone();
    (actor, action, address, status, code)
}

#[cfg(test)]
mod tests {
    use super::{
        DENIAL_WINDOW_MS, IsolateRefusals, REFUSALS_REPORTED, REFUSALS_WATCHED, RefusalReason, RefusedRequests,
    };

    fn refused(actor: &str, address: usize) -> RefusedRequests {
        RefusedRequests {
            actor: actor.to_owned(),
            role: "viewer".to_owned(),
            auth_method: "token".to_owned(),
            action: "GET /v1/stats".to_owned(),
            address: address.to_string(),
            status: 429,
            code: "too_many_requests".to_owned(),
            count: 1,
        }
    }

    #[test]
    fn caller_is_refused_until_its_wait_ends() {
        let refusals = IsolateRefusals::default();
        let wait_ms = |actor: &str, now_ms| refusals.find(actor, now_ms).map(|(wait_ms, _)| wait_ms);
        assert_eq!(wait_ms("eye", 0), None);
        refusals.limit("eye", 100, RefusalReason::OverRate, 1_000);
        assert_eq!((wait_ms("eye", 1_000), wait_ms("eye", 1_099)), (Some(100), Some(1)));
        assert_eq!((wait_ms("eye", 1_100), wait_ms("other", 1_000)), (None, None));
        assert_eq!(wait_ms("eye", i64::MIN / 2), None, "a clock that went back refuses none");
    }

    #[test]
    fn counts_are_reported_with_the_next_call() {
        let refusals = IsolateRefusals::default();
        for _ in 0..7 {
            refusals.count(refused("eye", 1), 100);
        }
        refusals.count(refused("ear", 1), 500);
        assert_eq!(refusals.take("other", |_| true, 99), [], "their windows go on");
        assert_eq!(refusals.take("other", |_| true, 100), [RefusedRequests { count: 7, ..refused("eye", 1) }]);
        let of_ear = refusals.take("ear", |_| true, 101);
        assert_eq!(of_ear, [refused("ear", 1)]);
        assert_eq!(refusals.take("ear", |_| true, 1_000), []);
        refusals.restore(of_ear);
        assert_eq!(refusals.take("other", |_| true, 1_000), [refused("ear", 1)]);
    }

    #[test]
    fn repeats_of_a_watched_denial_are_counted() {
        let refusals = IsolateRefusals::default();
        assert!(!refusals.is_repeat(&refused("eye", 1), 0));
        refusals.watch(refused("eye", 1), 0);
        assert!(refusals.is_repeat(&refused("eye", 1), 1) && !refusals.is_repeat(&refused("eye", 2), 1));
        assert_eq!(refusals.take("eye", |_| true, 2), [refused("eye", 1)]);
        assert!(refusals.is_repeat(&refused("eye", 1), DENIAL_WINDOW_MS - 1), "the minute goes on");
        assert!(!refusals.is_repeat(&refused("eye", 1), DENIAL_WINDOW_MS));
        assert_eq!(refusals.take("other", |_| true, DENIAL_WINDOW_MS), [refused("eye", 1)]);
    }

    #[test]
    fn table_of_refusals_is_bounded() {
        let refusals = IsolateRefusals::default();
        for address in 0..5 * REFUSALS_WATCHED {
            refusals.count(refused("eye", address), 10);
        }
        let (mut calls, mut reported) = (0, 0);
        loop {
            let taken = refusals.take("eye", |_| true, 10);
            if taken.is_empty() {
                break;
            }
            assert!(taken.len() <= REFUSALS_REPORTED);
            reported += taken.iter().map(|refused| refused.count).sum::<u64>();
            calls += 1;
        }
        assert_eq!(reported, 5 * REFUSALS_WATCHED as u64);
        assert!(calls <= REFUSALS_WATCHED.div_ceil(REFUSALS_REPORTED) + 1, "{calls}");
    }
}
