//! One call to a ledger: its name to its function, in one transaction, and when the ledger must wake because of it.
//!
//! What always holds: a call that fails has changed nothing; whatever a call sets in motion, the alarm is told of.

use serde::de::DeserializeOwned;

use super::calls::{
    BatchAsk, BatchesAsk, Begin, Bodies, Call, Claim, Commit, Decide, Entries, Gone, Missing, Nudge, Registered,
    Removed, Seal, SetAside, Split, TotalsAsk,
};
use super::tables::note;
use super::{deliveries, sources, tables, views, wake};
use crate::backend::{BackendError, Sql, SqlValue, from_json, to_json};
use crate::mistakes::{Mistake, made};

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The answer's bytes.
    pub body: Vec<u8>,
    /// The ledger must wake at this instant at the latest.
    pub wake_ms: Option<i64>,
}

/// The name of the note that holds the ledger's own name.
const NAME: &str = "name";

/// Prepares the database of the ledger `name`, which an alarm must know. Costs no written row if it was done before.
///
/// # Errors
/// [`BackendError`] where the database refuses.
pub fn open(sql: &impl Sql, name: &str) -> Result<(), BackendError> {
    tables::SCHEMA.iter().try_for_each(|statement| sql.run(statement, &[]).map(drop))?;
    let parameters = [SqlValue::text(NAME), SqlValue::text(name)];
    sql.run("INSERT OR IGNORE INTO note_v1 (name, value) VALUES (?, ?)", &parameters).map(drop)
}

/// The name under which the database was opened first.
///
/// # Errors
/// [`BackendError`] where it never was.
pub fn name_of(sql: &impl Sql) -> Result<String, BackendError> {
    note(sql, NAME)?.ok_or_else(|| BackendError::new("waking a ledger", "it has no name"))
}

/// Answers the call `name` to the ledger `ledger` by its own clock.
///
/// # Errors
/// [`BackendError`] for an unknown call, a body that is none, or a database that refuses; nothing has changed then.
pub fn answer(sql: &impl Sql, ledger: &str, name: &str, body: &[u8], now_ms: i64) -> Result<Answered, BackendError> {
    match name {
        Begin::NAME => change(sql, body, |ask: &Begin| sources::begin(sql, ask, now_ms)),
        Entries::NAME => change(sql, body, |ask: &Entries| sources::entries(sql, ask)),
        Seal::NAME => change(sql, body, |ask: &Seal| sources::seal(sql, ledger, ask, now_ms)),
        SetAside::NAME => change(sql, body, |ask: &SetAside| sources::set_aside(sql, ask)),
        Gone::NAME => change(sql, body, |ask: &Gone| sources::gone(sql, ask)),
        Missing::NAME => change(sql, body, |ask: &Missing| sources::missing(sql, ask)),
        Registered::NAME => change(sql, body, |ask: &Registered| sources::registered(sql, *ask)),
        Claim::NAME => move_one(sql, body, |ask: &Claim| deliveries::claim(sql, ask, now_ms)),
        Commit::NAME => move_one(sql, body, |ask: &Commit| deliveries::commit(sql, ask, now_ms)),
        Split::NAME => change(sql, body, |ask: &Split| deliveries::split(sql, ask, now_ms)),
        Decide::NAME => change(sql, body, |ask: &Decide| deliveries::decide(sql, ask, now_ms)),
        Bodies::NAME => change(sql, body, |ask: &Bodies| deliveries::bodies(sql, ledger, *ask)),
        Removed::NAME => change(sql, body, |ask: &Removed| deliveries::removed(sql, ask)),
        Nudge::NAME => change(sql, body, |ask: &Nudge| Ok(wake::nudge(*ask))),
        TotalsAsk::NAME => change(sql, body, |ask: &TotalsAsk| views::totals(sql, *ask)),
        BatchesAsk::NAME => change(sql, body, |ask: &BatchesAsk| views::batches(sql, ledger, ask)),
        BatchAsk::NAME => change(sql, body, |ask: &BatchAsk| views::batch(sql, ledger, ask)),
        _ => Err(BackendError::new("answering a call to a ledger", "there is no such call")),
    }
}

/// Runs a call in one transaction; if it can set something in motion, the whole ledger is asked what comes next.
pub(super) fn change<C: Call + DeserializeOwned>(
    sql: &impl Sql,
    body: &[u8],
    work: impl Fn(&C) -> Result<C::Answer, BackendError>,
) -> Result<Answered, BackendError> {
    move_one(sql, body, |ask: &C| {
        let answer = work(ask)?;
        Ok((answer, if C::WAKES { wake::next(sql)? } else { None }))
    })
}

/// Runs a call in one transaction that knows itself when the ledger must wake because of it.
fn move_one<C: Call + DeserializeOwned>(
    sql: &impl Sql,
    body: &[u8],
    work: impl Fn(&C) -> Result<(C::Answer, Option<i64>), BackendError>,
) -> Result<Answered, BackendError> {
    let ask: C = from_json(body)?;
    let mut done = None;
    let mut in_transaction = || {
        done = Some(work(&ask)?);
        Ok(())
    };
    if made(Mistake::TornTransaction) {
        in_transaction()?;
    } else {
        sql.transaction(&mut in_transaction)?;
    }
    let (answer, wake_ms) = done.ok_or_else(|| BackendError::new("answering a call to a ledger", "it was not run"))?;
    Ok(Answered { body: to_json(&answer), wake_ms })
}
