//! One commit of the audit log: the events of all calls that wait, in one transaction and few rows.
//!
//! # Invariants
//! Each event has its own answer: one that is over its rate, stale or a repeat changes nothing of the others. Where the
//! transaction fails, no event was appended, and each of them fails.

use std::collections::BTreeMap;

use super::AuditMemory;
use super::calls::{AppendAnswer, AppendEvent, AuditEvent, AuditMode, Denial, KnownCost, ReportCosts};
use super::chain::{AppendedEntries, ChainAppender, NewEntry};
use super::costs::SpentBudget;
use super::denials::DenialChanges;
use super::facts::{stored_chain, stored_erasures};
use crate::access::{ChainNumber, RefusedRequests};
use crate::backend::{BackendError, SqlDatabase};
use crate::limits::{AUDIT_COMMIT_BYTES, AUDIT_COMMIT_EVENTS, AUDIT_COMMITS_WAITING};
use crate::rpc::{CommitGroup, GroupBounds, ItemSize};

/// The code of a caller over its rate, which [`crate::http::problems::too_many`] answers with.
const OVER_RATE: &str = "too_many_requests";

/// The code of a caller whose daily budget is spent, which [`crate::http::problems::budget_spent`] answers with.
const BUDGET_SPENT: &str = "daily_budget_spent";

/// The calls that wait for a commit: the events of each, and their answers.
#[derive(Debug, Clone)]
pub(super) struct AppendGroup(pub(super) CommitGroup<Vec<AppendEvent>, Vec<AppendAnswer>>);

impl Default for AppendGroup {
    fn default() -> Self {
        let run = ItemSize { entries: AUDIT_COMMIT_EVENTS, bytes: AUDIT_COMMIT_BYTES };
        Self(CommitGroup::new(GroupBounds { run, waiting_bytes: AUDIT_COMMITS_WAITING }))
    }
}

/// What a commit came to.
pub(super) struct CommittedCalls {
    /// The answers to the events of each call.
    pub(super) answers: Vec<Vec<AppendAnswer>>,
    /// When to set the alarm to, if it is to be set.
    pub(super) wake_ms: Option<i64>,
}

/// Appends the events of these calls.
///
/// # Errors
/// [`BackendError`] where the database failed; nothing was appended then.
pub(super) fn commit(
    sql: &impl SqlDatabase,
    held: &mut AuditMemory,
    chain: ChainNumber,
    calls: &[Vec<AppendEvent>],
    now_ms: i64,
) -> Result<CommittedCalls, BackendError> {
    let (mut answers, mut changes) = (Vec::new(), DenialChanges::default());
    let mut appended = AppendedEntries { waits: false, entries: 0, rows: 0 };
    transaction(sql, held, &mut |held| {
        let mut commit = Commit::open(sql, held, chain, now_ms)?;
        answers = calls.iter().map(|events| commit.take_call(events)).collect::<Result<_, _>>()?;
        (changes, appended) = commit.close()?;
        Ok(())
    })?;
    // Not before the transaction has ended: an entry that was not written sets no alarm.
    held.denials.apply(changes);
    let AppendedEntries { waits, entries, rows } = appended;
    let written = &mut held.written;
    (written.calls, written.commits) = (written.calls + calls.len() as u64, written.commits + 1);
    (written.rows, written.entries) = (written.rows + rows, written.entries + entries);
    let due_ms = held.denials.due_ms();
    Ok(CommittedCalls { answers, wake_ms: held.watch.wake_ms(waits, due_ms, now_ms) })
}

/// Appends the entries of the denials whose minute is over.
pub(super) fn append_due(sql: &impl SqlDatabase, held: &mut AuditMemory, now_ms: i64) -> Result<(), BackendError> {
    let (mut changes, chain) = (DenialChanges::default(), stored_chain(sql)?);
    transaction(sql, held, &mut |held| {
        let mut commit = Commit::open(sql, held, chain, now_ms)?;
        commit.append_ended()?;
        (changes, _) = commit.close()?;
        Ok(())
    })?;
    held.denials.apply(changes);
    Ok(())
}

/// Counts what isolates report, and writes it if it is overdue. Returns what this caller has cost today. For inside of a transaction.
pub(super) fn report_costs(
    sql: &impl SqlDatabase,
    held: &mut AuditMemory,
    ask: &ReportCosts,
    now_ms: i64,
) -> Result<KnownCost, BackendError> {
    let commit = Commit::open(sql, held, stored_chain(sql)?, now_ms)?;
    commit.held.costs.add_reports(&ask.costs);
    commit.close()?;
    Ok(KnownCost { spent: held.costs.spent(&ask.actor) })
}

/// Runs a transaction. Where it fails, the costs in memory are of no use: they are read again.
fn transaction<S: SqlDatabase>(
    sql: &S,
    held: &mut AuditMemory,
    work: &mut dyn FnMut(&mut AuditMemory) -> Result<(), BackendError>,
) -> Result<(), BackendError> {
    let done = sql.transaction(&mut || work(held));
    if done.is_err() {
        held.forget_costs();
    }
    done
}

/// A transaction that appends entries.
struct Commit<'a, S> {
    held: &'a mut AuditMemory,
    chain: ChainAppender<'a, S>,
    changes: DenialChanges,
    /// Whether the repeats of the denials whose minute is over are appended.
    has_ended: bool,
    now_ms: i64,
}

impl<'a, S: SqlDatabase> Commit<'a, S> {
    fn open(sql: &'a S, held: &'a mut AuditMemory, chain: ChainNumber, now_ms: i64) -> Result<Self, BackendError> {
        let chain = ChainAppender::open(sql, chain, held.bounds, now_ms)?;
        held.costs.open(sql, now_ms)?;
        if held.erasures.is_none() {
            held.erasures = Some(stored_erasures(sql)?);
        }
        Ok(Self { held, chain, changes: DenialChanges::default(), has_ended: false, now_ms })
    }

    /// Writes what was appended. Returns what is to be noted once the transaction has ended, too.
    fn close(self) -> Result<(DenialChanges, AppendedEntries), BackendError> {
        Ok((self.changes, self.chain.close(&mut self.held.costs)?))
    }

    fn take_call(&mut self, events: &[AppendEvent]) -> Result<Vec<AppendAnswer>, BackendError> {
        events.iter().map(|event| self.take_event(event)).collect()
    }

    fn take_event(&mut self, ask: &AppendEvent) -> Result<AppendAnswer, BackendError> {
        let generation = self.held.token_generation(self.now_ms);
        if ask.token_generation.is_some_and(|known| known != generation) {
            return Ok(AppendAnswer::Stale { generation });
        }
        if !self.has_ended {
            self.append_ended()?;
        }
        self.append_refused(&ask.refused)?;
        self.held.costs.add_reports(&ask.costs);
        let answer = self.append(ask)?;
        let generation = self.held.erasures.unwrap_or_default();
        Ok(match ask.erasures {
            Some(known) if known < generation => AppendAnswer::Erased { generation, answer: Box::new(answer) },
            _ => answer,
        })
    }

    /// Appends the repeats of the denials whose minute is over.
    fn append_ended(&mut self) -> Result<(), BackendError> {
        self.has_ended = true;
        let (ended, changes) = self.held.denials.ended(self.now_ms);
        for (actor, event, denial) in &ended {
            self.chain.push(NewEntry { actor, event, denial: Some(denial) })?;
        }
        self.changes = changes;
        Ok(())
    }

    /// Lets the caller in, and writes down what it is about to do.
    fn append(&mut self, ask: &AppendEvent) -> Result<AppendAnswer, BackendError> {
        let AppendEvent { actor, per_minute, event, mode, .. } = ask;
        let refusal = |code: &str| Denial { status: 429, code: code.into(), count: 1, refers_to: None };
        if let Err(wait_ms) = self.held.rates.take(actor, *per_minute, self.now_ms) {
            self.deny(actor, event, &refusal(OVER_RATE))?;
            return Ok(AppendAnswer::Limited { wait_ms });
        }
        if let AuditMode::Deny(denial) = mode {
            let seq = self.deny(actor, event, denial)?;
            return Ok(seq.map_or(AppendAnswer::Passed {}, |seq| AppendAnswer::Written { seq }));
        }
        if let Some(budget) = ask.budget
            && let Err(SpentBudget { spent, wait_ms }) = self.held.costs.check(actor, budget, self.now_ms)
            && !ask.over_budget
        {
            self.deny(actor, event, &refusal(BUDGET_SPENT))?;
            return Ok(AppendAnswer::Spent { wait_ms, spent });
        }
        let is_entry = *mode == AuditMode::Admit;
        let entry = is_entry.then(|| self.chain.push(NewEntry { actor, event, denial: None }));
        let (seq, spent) = (entry.transpose()?, self.charge(ask));
        Ok(match (seq, spent) {
            (seq, Some(spent)) => AppendAnswer::Budgeted { seq, spent },
            (Some(seq), None) => AppendAnswer::Written { seq },
            (None, None) => AppendAnswer::Passed {},
        })
    }

    /// Counts what an admitted request costs; returns what its caller has cost today, if that has a budget.
    fn charge(&mut self, AppendEvent { actor, cost, budget, .. }: &AppendEvent) -> Option<u64> {
        let spent = (*cost > 0).then(|| self.held.costs.add_request(actor, *cost));
        budget.map(|_| spent.unwrap_or_else(|| self.held.costs.spent(actor)))
    }

    /// Counts the requests that isolates refused without a call as repeats of equal denials, or appends an entry with their
    /// number.
    fn append_refused(&mut self, refused: &[RefusedRequests]) -> Result<(), BackendError> {
        for RefusedRequests { actor, role, auth_method, action, address, status, code, count } in refused {
            let event = AuditEvent {
                auth_method: auth_method.clone(),
                role: role.clone(),
                address: address.clone(),
                action: action.clone(),
                resource: String::new(),
                request: BTreeMap::new(),
                reason: None,
            };
            let denial = Denial { status: *status, code: code.clone(), count: *count, refers_to: None };
            self.deny(actor, &event, &denial)?;
        }
        Ok(())
    }

    /// Appends a denial, or counts it as a repeat; returns the number of its entry, if it has one.
    fn deny(&mut self, actor: &str, event: &AuditEvent, denial: &Denial) -> Result<Option<u64>, BackendError> {
        let key = self.held.denials.key(actor, event, denial, &self.changes);
        let is_repeat = self.held.denials.is_repeat(&key, self.now_ms) || self.changes.has(&key);
        let seq =
            if is_repeat { None } else { Some(self.chain.push(NewEntry { actor, event, denial: Some(denial) })?) };
        self.changes.deny(key, event, denial.count, seq, self.now_ms);
        Ok(seq)
    }
}
