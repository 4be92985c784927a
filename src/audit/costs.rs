//! What each caller cost today, and whether its daily budget is spent.
//!
//! The costs of the day are in memory, and in a column of the rows that entries are appended by: each row has what changed since
//! the row before, and one in [`COST_ROWS`], as well as the first of each table, has all of it. So costs are as durable as
//! entries, and add no row. Where none is appended for long, the last row is written again.
//!
//! *Stored*: the column `costs` of `audit_frame_v1_{first}`, JSON: `day`, `is_whole`, and `callers` with their costs of that day so
//! far. It is null where nothing changed, and absent in tables that are older than it.
//!
//! # Invariants
//! A day never becomes an earlier one, so that a clock that goes back gives no budget twice. A caller whose budget is spent stays
//! refused until the day ends, whatever is started anew. The memory is bounded: beyond [`COSTS_KEPT`] callers the one who cost
//! least gives way. A transaction that failed leaves nothing of its costs: they are read again from the rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calls::{CallerCost, CostPage, OtherCosts};
use super::tables::EntryTable;
use crate::access::CostReport;
use crate::backend::{BackendError, SqlDatabase, to_json};
use crate::limits::{BUDGET_SAVES, COST_NAME_BYTES, COST_ROWS, COSTS_KEPT, COSTS_UNSAVED_NANOS};
use crate::time::{DAY_MS, day_number};

/// The costs of a day.
#[derive(Debug, Default)]
pub(super) struct CostTable {
    /// Whether the rows were read.
    is_restored: bool,
    /// Whether the table that is appended to has a column of costs.
    has_column: bool,
    day: i64,
    callers: BTreeMap<String, DayCost>,
    /// Rows since the last one that has all costs; `None` if there is none.
    rows_since_whole: Option<u64>,
}

/// What one caller cost.
#[derive(Debug, Clone, Default)]
struct DayCost {
    requests: u64,
    nanos: u64,
    /// The budget that its last request had.
    budget: Option<u64>,
    /// Nano-dollars that no row has.
    unsaved: u64,
    /// Whether a row lacks something of it.
    is_changed: bool,
}

/// The costs of a row, as they are stored.
#[derive(Debug, Serialize, Deserialize)]
struct StoredCosts {
    day: i64,
    is_whole: bool,
    callers: Vec<CallerCost>,
}

/// A budget that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpentBudget {
    /// Nano-dollars that the caller has cost today.
    pub(super) spent: u64,
    /// Milliseconds until the day ends.
    pub(super) wait_ms: i64,
}

impl CostTable {
    /// Reads the rows, unless that was done, and makes the table that is appended to have costs. For inside of a transaction.
    pub(super) fn open(&mut self, sql: &impl SqlDatabase, now_ms: i64) -> Result<(), BackendError> {
        if !self.has_column {
            EntryTable::newest(sql)?.first().map_or(Ok(()), |table| table.ensure_costs(sql))?;
            self.has_column = true;
        }
        self.restore(sql, now_ms)
    }

    /// Reads the rows, unless that was done.
    pub(super) fn restore(&mut self, sql: &impl SqlDatabase, now_ms: i64) -> Result<(), BackendError> {
        if !self.is_restored {
            let rows = EntryTable::newest(sql)?.first().map_or_else(|| Ok(Vec::new()), |table| table.cost_rows(sql))?;
            for (number, row) in (1..).zip(rows) {
                // A row that cannot be read has costs of a form that is not known here.
                let Ok(stored) = serde_json::from_str::<StoredCosts>(&row) else { continue };
                let is_whole = stored.is_whole;
                self.take_stored(stored);
                if is_whole {
                    self.rows_since_whole = Some(number);
                    break;
                }
            }
            self.is_restored = true;
        }
        self.begin_day(now_ms);
        Ok(())
    }

    /// Takes what a row has, unless a later one has more of it.
    fn take_stored(&mut self, stored: StoredCosts) {
        self.day = self.day.max(stored.day);
        if stored.day < self.day {
            return;
        }
        for CallerCost { actor, requests, cost, budget } in stored.callers {
            let known = DayCost { requests, nanos: cost, budget, ..DayCost::default() };
            self.callers.entry(actor).or_insert(known);
        }
    }

    fn begin_day(&mut self, now_ms: i64) {
        let day = day_number(now_ms);
        if day > self.day {
            (self.day, self.callers) = (day, BTreeMap::new());
        }
    }

    /// Returns what the caller has cost today. One without costs so far may have none of its budget left, too.
    ///
    /// # Errors
    /// [`SpentBudget`] of a caller who has cost as much as its budget.
    pub(super) fn check(&mut self, actor: &str, budget: u64, now_ms: i64) -> Result<u64, SpentBudget> {
        let day_end_ms = self.day.saturating_add(1).saturating_mul(DAY_MS);
        let known = self.entry(actor);
        if known.budget != Some(budget) {
            (known.budget, known.is_changed) = (Some(budget), true);
        }
        let spent = known.nanos;
        let wait_ms = day_end_ms.saturating_sub(now_ms).max(1);
        if spent >= budget { Err(SpentBudget { spent, wait_ms }) } else { Ok(spent) }
    }

    /// Counts a request of a caller that costs so much in any case; returns what the caller has cost today.
    pub(super) fn add_request(&mut self, actor: &str, nanos: u64) -> u64 {
        let known = self.entry(actor);
        known.requests += 1;
        known.add(nanos)
    }

    /// Counts what isolates reported.
    pub(super) fn add_reports(&mut self, reports: &[CostReport]) {
        for CostReport { actor, nanos } in reports {
            self.entry(actor).add(*nanos);
        }
    }

    /// What the caller has cost today.
    pub(super) fn spent(&self, actor: &str) -> u64 {
        self.callers.get(&*kept_name(actor)).map_or(0, |known| known.nanos)
    }

    fn entry(&mut self, actor: &str) -> &mut DayCost {
        let name = kept_name(actor);
        if self.callers.len() >= COSTS_KEPT && !self.callers.contains_key(&*name) {
            let least = self.callers.iter().min_by_key(|(_, known)| known.nanos).map(|(name, _)| name.clone());
            least.and_then(|name| self.callers.remove(&name));
        }
        self.callers.entry(name).or_default()
    }

    /// Whether the costs are to be written, although no entry is appended.
    pub(super) fn is_overdue(&self) -> bool {
        let unsaved = self.callers.values().map(|known| known.unsaved).sum::<u64>();
        unsaved >= COSTS_UNSAVED_NANOS || self.callers.values().any(DayCost::is_overdue)
    }

    /// Returns the costs for the next row, if it needs any: all of them if it is the first of its table, or if it is due.
    pub(super) fn take_row(&mut self, is_first: bool) -> Option<String> {
        let is_whole = is_first || self.rows_since_whole.is_none_or(|rows| rows >= COST_ROWS);
        let is_changed = self.callers.values().any(|known| known.is_changed);
        if !is_changed && (!is_first || self.callers.is_empty()) {
            return None;
        }
        let written = self.callers.iter_mut().filter(|(_, known)| is_whole || known.is_changed);
        let callers = written.map(|(actor, known)| {
            (known.unsaved, known.is_changed) = (0, false);
            known.to_cost(actor)
        });
        let stored = StoredCosts { day: self.day, is_whole, callers: callers.collect() };
        self.rows_since_whole = Some(if is_whole { 1 } else { self.rows_since_whole.unwrap_or_default() + 1 });
        String::from_utf8(to_json(&stored)).ok()
    }

    /// The callers who cost most, and the sum of the others.
    pub(super) fn page(&self, limit: usize) -> CostPage {
        let mut callers: Vec<_> = self.callers.iter().map(|(actor, known)| known.to_cost(actor)).collect();
        callers.sort_by(|one, other| (other.cost, &one.actor).cmp(&(one.cost, &other.actor)));
        let rest = callers.split_off(limit.min(callers.len()));
        let (requests, cost) = (rest.iter().map(|one| one.requests).sum(), rest.iter().map(|one| one.cost).sum());
        CostPage { day: self.day, callers, others: OtherCosts { callers: rest.len() as u64, requests, cost } }
    }
}

impl DayCost {
    const fn add(&mut self, nanos: u64) -> u64 {
        self.nanos = self.nanos.saturating_add(nanos);
        self.unsaved = self.unsaved.saturating_add(nanos);
        self.is_changed = true;
        self.nanos
    }

    /// Whether the caller has spent its budget, or a good part of it, and no row says so.
    fn is_overdue(&self) -> bool {
        self.budget.is_some_and(|budget| {
            self.unsaved > 0 && (self.unsaved >= budget.div_euclid(BUDGET_SAVES) || self.nanos >= budget)
        })
    }

    fn to_cost(&self, actor: &str) -> CallerCost {
        CallerCost { actor: actor.to_owned(), requests: self.requests, cost: self.nanos, budget: self.budget }
    }
}

/// The name by which the costs of a caller are kept: its own, if it is short and JSON writes it as it is.
fn kept_name(actor: &str) -> String {
    let is_plain =
        actor.len() <= COST_NAME_BYTES && !actor.contains(|sign: char| sign.is_control() || "\"\\".contains(sign));
    if is_plain { actor.to_owned() } else { hex::encode(Sha256::digest(actor)) }
}

#[cfg(test)]
mod tests {
    use super::{COST_ROWS, COSTS_KEPT, CostTable, DAY_MS, SpentBudget, kept_name};

    fn of_day(now_ms: i64) -> CostTable {
        let mut costs = CostTable { is_restored: true, ..CostTable::default() };
        costs.begin_day(now_ms);
        costs
    }

    #[test]
    fn budget_is_spent_once_its_cost_is_reached() {
        let (mut costs, now_ms) = (of_day(DAY_MS + 10), DAY_MS + 10);
        assert_eq!(costs.check("eye", 100, now_ms), Ok(0));
        assert_eq!((costs.add_request("eye", 99), costs.check("eye", 100, now_ms)), (99, Ok(99)));
        costs.add_request("eye", 5);
        let spent = SpentBudget { spent: 104, wait_ms: DAY_MS - 10 };
        assert_eq!(costs.check("eye", 100, now_ms), Err(spent));
        assert_eq!(costs.check("eye", 105, now_ms), Ok(104), "a greater budget has something left");
        assert_eq!(costs.check("eye", 50, now_ms), Err(spent), "and a smaller one has not");
        assert_eq!(costs.check("ear", 100, now_ms), Ok(0), "that of another caller is its own");
        assert!(costs.check("nose", 0, now_ms).is_err(), "a budget of 0 is spent");
    }

    #[test]
    fn day_begins_anew_and_clock_setback_gives_nothing() {
        let mut costs = of_day(5 * DAY_MS);
        costs.add_request("eye", 100);
        costs.begin_day(5 * DAY_MS - 1);
        assert_eq!(costs.check("eye", 100, 5 * DAY_MS - 1), Err(SpentBudget { spent: 100, wait_ms: DAY_MS + 1 }));
        costs.begin_day(6 * DAY_MS);
        assert_eq!(costs.check("eye", 100, 6 * DAY_MS), Ok(0));
    }

    #[test]
    fn caller_with_least_cost_gives_way() {
        let mut costs = of_day(0);
        costs.add_request("large", 1_000);
        for number in 0..3 * COSTS_KEPT {
            costs.add_request(&format!("made-up-{number}"), 1);
        }
        assert_eq!((costs.callers.len(), costs.spent("large")), (COSTS_KEPT, 1_000));
        let page = costs.page(2);
        assert_eq!((page.callers[0].cost, page.callers.len(), page.others.callers), (1_000, 2, COSTS_KEPT as u64 - 2));
    }

    #[test]
    fn rows_have_changes_and_at_times_everything() {
        let mut costs = of_day(0);
        assert_eq!(costs.take_row(true), None);
        for number in 0..9 {
            costs.add_request(&format!("caller-{number}"), 10);
        }
        let callers = |row: Option<String>| row.unwrap().matches("actor").count();
        assert_eq!((callers(costs.take_row(false)), costs.take_row(false)), (9, None));
        let mut whole = 0;
        for _ in 0..3 * COST_ROWS {
            costs.add_request("caller-3", 10);
            whole += usize::from(callers(costs.take_row(false)) == 9);
        }
        assert_eq!((whole, callers(costs.take_row(true))), (3, 9));
    }

    #[test]
    fn names_that_json_escapes_are_hashed() {
        assert_eq!(kept_name("é@example.com"), "é@example.com");
        for name in ["a\"b", "a\\b", "a\nb", "a\u{7f}", &"x".repeat(321)] {
            assert_eq!(kept_name(name).len(), 64);
        }
    }
}
