//! The audit log: a chain of entries that cannot be changed unnoticed, and a rate limit for each caller.
//!
//! Reading order: [`calls`] has the wire forms, [`redact`] takes secrets out of what people paste, `entry` and [`chain`]
//! have the entries and their hashes, `tables` their storage, [`search`] what a reader asks for, [`segment`] the form in which they
//! move to the bucket, [`archive`] what moves them, [`rate`] the limiter, `denials` what repeats; [`answer`] combines them
//! inside the one object that keeps the log. [`verify`] holds exported entries against the chain, without the object.
//!
//! # Invariants
//! Entries are only appended, and the hash of each covers the hash of the one before it. The object keeps the newest
//! entries, and of all others the hashes at the borders of their segments. A request that is audited has its entry before
//! anything is served. A caller over its rate leaves an entry for the first request of each minute that is denied.

pub mod archive;
pub mod calls;
pub mod chain;
mod denials;
mod entry;
pub mod rate;
pub mod redact;
pub mod search;
pub mod segment;
mod tables;
pub mod verify;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use self::archive::AlarmWatch;
use self::calls::{
    AppendAnswer, AppendEvent, AuditEvent, AuditMode, Denial, ForgetTokens, ReadEntries, TokenGeneration,
};
use self::chain::{NewEntry, TableBounds};
use self::denials::{DenialChanges, DenialWindows};
use self::rate::RateLimiter;
use crate::access::RefusedRequests;
use crate::backend::{BackendError, SqlDatabase};
use crate::rpc::{Call, CallReply, Dispatcher, ObjectDatabase};

pub use archive::{alarm, set_alarm};
pub use tables::open;

/// The one object that keeps the chain.
pub const AUDIT: &str = "audit";

/// The code of a caller over its rate, which [`crate::http::problems::too_many`] answers with.
const OVER_RATE: &str = "too_many_requests";

/// The state that the object keeps only in memory.
#[derive(Debug, Default)]
pub struct AuditMemory {
    rates: RateLimiter,
    denials: DenialWindows,
    watch: AlarmWatch,
    bounds: TableBounds,
    /// The generation of the registry's tokens; `None` until the object is asked for it.
    tokens: Option<u64>,
}

impl AuditMemory {
    /// With tables of another size than the usual one.
    #[must_use]
    pub fn with_bounds(bounds: TableBounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// How much one table may hold.
    #[must_use]
    pub const fn bounds(&self) -> TableBounds {
        self.bounds
    }

    /// The generation of the registry's tokens. It begins with the clock, so that none of an earlier life of the object is
    /// met again, and grows by one with each [`ForgetTokens`].
    fn token_generation(&mut self, now_ms: i64) -> u64 {
        *self.tokens.get_or_insert_with(|| u64::try_from(now_ms).unwrap_or_default().saturating_mul(1_000))
    }

    /// Begins another generation of tokens.
    fn forget_tokens(&mut self, now_ms: i64) -> TokenGeneration {
        let generation = self.token_generation(now_ms).saturating_add(1);
        self.tokens = Some(generation);
        TokenGeneration { generation }
    }

    /// Appends the entries of the denials whose minute is over.
    fn append_due(&mut self, sql: &impl SqlDatabase, now_ms: i64) -> Result<(), BackendError> {
        let mut changes = DenialChanges::default();
        sql.transaction(&mut || {
            changes = append_ended(sql, self, &mut false, now_ms)?;
            Ok(())
        })?;
        self.denials.apply(changes);
        Ok(())
    }
}

/// Answers one call like [`answer`]; the tables may not exist yet, and reading them makes none. `is_open` keeps whether
/// they are known to exist.
///
/// # Errors
/// [`BackendError`] where the call is unknown or the database failed; nothing was appended then.
pub fn serve(
    sql: &impl SqlDatabase,
    is_open: &Cell<bool>,
    held: &RefCell<AuditMemory>,
    (name, body): (&str, &[u8]),
    now_ms: i64,
) -> Result<CallReply, BackendError> {
    if name == ReadEntries::NAME {
        let read = |sql: &ObjectDatabase<'_, _>| answer(sql, &mut held.borrow_mut(), name, body, now_ms);
        return ObjectDatabase::serve(sql, is_open, "audit_table_v1", || open(sql), read);
    }
    if !is_open.get() {
        open(sql)?;
        is_open.set(true);
    }
    answer(sql, &mut held.borrow_mut(), name, body, now_ms)
}

/// Answers one call, in the object that keeps the chain, and says when to set the alarm to.
///
/// # Errors
/// [`BackendError`] where the call is unknown or the database failed; nothing was appended then.
pub fn answer(
    sql: &impl SqlDatabase,
    held: &mut AuditMemory,
    name: &str,
    body: &[u8],
    now_ms: i64,
) -> Result<CallReply, BackendError> {
    let (mut waits, mut changes) = (false, DenialChanges::default());
    let reply = Dispatcher::new(sql, name, body)
        .on(|ask: &AppendEvent| {
            if ask.token_generation.is_some_and(|known| known != held.token_generation(now_ms)) {
                return Ok(AppendAnswer::Stale { generation: held.token_generation(now_ms) });
            }
            changes = append_ended(sql, held, &mut waits, now_ms)?;
            append_refused(sql, held, &ask.refused, &mut changes, &mut waits, now_ms)?;
            append(sql, held, ask, &mut changes, &mut waits, now_ms)
        })
        .on(|ask| chain::read(sql, ask))
        .on(|_: &ForgetTokens| {
            let begun = held.forget_tokens(now_ms);
            Ok(begun)
        })
        .finish()?;
    // Not before the transaction has ended: an entry that was not written sets no alarm.
    held.denials.apply(changes);
    let due_ms = held.denials.due_ms();
    Ok(CallReply { wake_ms: held.watch.wake_ms(waits, due_ms, now_ms), ..reply })
}

/// Appends the repeats of the denials whose minute is over.
fn append_ended(
    sql: &impl SqlDatabase,
    held: &AuditMemory,
    waits: &mut bool,
    now_ms: i64,
) -> Result<DenialChanges, BackendError> {
    let (ended, changes) = held.denials.ended(now_ms);
    for (actor, event, denial) in &ended {
        let entry = NewEntry { actor, event, denial: Some(denial) };
        *waits = chain::append(sql, held.bounds, entry, now_ms)?.waits;
    }
    Ok(changes)
}

/// Lets the caller in, and writes down what it is about to do; learns whether a table `waits` to be archived.
fn append(
    sql: &impl SqlDatabase,
    held: &mut AuditMemory,
    ask: &AppendEvent,
    changes: &mut DenialChanges,
    waits: &mut bool,
    now_ms: i64,
) -> Result<AppendAnswer, BackendError> {
    let (denial, answer) = match (held.rates.take(&ask.actor, ask.per_minute, now_ms), &ask.mode) {
        (Err(wait_ms), _) => {
            let denial = Denial { status: 429, code: OVER_RATE.into(), count: 1, refers_to: None };
            (Some(denial), Some(AppendAnswer::Limited { wait_ms }))
        }
        (Ok(()), AuditMode::Deny(denial)) => (Some(denial.clone()), None),
        (Ok(()), AuditMode::Count) => return Ok(AppendAnswer::Passed {}),
        (Ok(()), AuditMode::Admit) => (None, None),
    };
    let key = denial.as_ref().map(|denial| held.denials.key(&ask.actor, &ask.event, denial));
    if let (Some(denial), Some(key)) = (&denial, &key)
        && (held.denials.is_repeat(key, now_ms) || changes.has(key))
    {
        changes.deny(key.clone(), &ask.event, denial.count, None, now_ms);
        return Ok(answer.unwrap_or(AppendAnswer::Passed {}));
    }
    let entry = NewEntry { actor: &ask.actor, event: &ask.event, denial: denial.as_ref() };
    let written = chain::append(sql, held.bounds, entry, now_ms)?;
    *waits = written.waits;
    if let Some(key) = key {
        changes.deny(key, &ask.event, 1, Some(written.seq), now_ms);
    }
    Ok(answer.unwrap_or(AppendAnswer::Written { seq: written.seq }))
}

/// Counts the requests that isolates refused without a call as repeats of equal denials, or appends an entry with their
/// number.
fn append_refused(
    sql: &impl SqlDatabase,
    held: &AuditMemory,
    refused: &[RefusedRequests],
    changes: &mut DenialChanges,
    waits: &mut bool,
    now_ms: i64,
) -> Result<(), BackendError> {
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
        let key = held.denials.key(actor, &event, &denial);
        if held.denials.is_repeat(&key, now_ms) || changes.has(&key) {
            changes.deny(key, &event, *count, None, now_ms);
            continue;
        }
        let written =
            chain::append(sql, held.bounds, NewEntry { actor, event: &event, denial: Some(&denial) }, now_ms)?;
        *waits = written.waits;
        changes.deny(key, &event, *count, Some(written.seq), now_ms);
    }
    Ok(())
}
