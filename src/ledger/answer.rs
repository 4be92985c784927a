//! The server side of the ledger's calls: maps each call to its function, and sets the alarm if a call changes it.

use std::cell::Cell;

use super::tables::note;
use super::{
    absence, attempts, backfill_sums, completeness, deliveries, erased_lines, erasure_scope, loss, newest_batches,
    outage, partitions, payloads, plans, replays, sources, tables, views, wake,
};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::rpc::{CallReply, Dispatcher, ObjectDatabase, ObjectSchema};

/// The name of the note that holds the ledger's name.
const NAME: &str = "name";

/// What a ledger stores.
pub const OBJECT: ObjectSchema = ObjectSchema {
    kind: "ledger",
    version: 1,
    readable_from: 1,
    first_table: "source_v1",
    statements: &[&tables::SCHEMA],
    migrations: &[],
};

/// Answers the call `name` to the ledger `ledger`, whose tables may not exist yet; `is_open` keeps whether they are known
/// to.
///
/// # Errors
/// [`BackendError`] for an unknown call, a malformed body, or a failing database; nothing has changed in that case.
pub fn serve(
    sql: &impl SqlDatabase,
    is_open: &Cell<bool>,
    ledger: &str,
    (name, body): (&str, &[u8]),
    now_ms: i64,
) -> Result<CallReply, BackendError> {
    let answer = |sql: &ObjectDatabase<'_, _>| answer(sql, ledger, name, body, now_ms);
    ObjectDatabase::serve(sql, is_open, &OBJECT, || open(sql, ledger), answer)
}

/// Prepares the database of the ledger `name`; its alarm needs the name. Writes no row if this was done before.
///
/// # Errors
/// [`BackendError`] if the database fails.
pub fn open(sql: &impl SqlDatabase, name: &str) -> Result<(), BackendError> {
    OBJECT.make(sql)?;
    let parameters = [SqlValue::text(NAME), SqlValue::text(name)];
    sql.run("INSERT OR IGNORE INTO note_v1 (name, value) VALUES (?, ?)", &parameters).map(drop)
}

/// Returns the name under which the database was first opened.
///
/// # Errors
/// [`BackendError`] if it was never opened.
pub fn name_of(sql: &impl SqlDatabase) -> Result<String, BackendError> {
    note(sql, NAME)?.ok_or_else(|| BackendError::new("waking a ledger", "it has no name"))
}

/// Answers the call `name` to the ledger `ledger`, by the ledger's own clock.
///
/// # Errors
/// [`BackendError`] for an unknown call, a malformed body, or a failing database; nothing has changed in that case.
pub fn answer(
    sql: &impl SqlDatabase,
    ledger: &str,
    name: &str,
    body: &[u8],
    now_ms: i64,
) -> Result<CallReply, BackendError> {
    Dispatcher::new(sql, name, body)
        .on(|fix| partitions::fix(sql, *fix))
        .on(|begin| sources::begin(sql, ledger, begin, now_ms))
        .on(|shards| sources::record_shards(sql, shards))
        .on(|plan| plans::check_plan(sql, plan, now_ms))
        .on_timed(|seal| with_next(sql, sources::seal(sql, ledger, seal, now_ms)?))
        .on(|quarantined| sources::quarantine(sql, quarantined))
        .on(|replay| replays::replay(sql, replay))
        .on(|forget| sources::forget_object(sql, forget))
        .on(|find| sources::find_unfinished(sql, find))
        .on(|find| erasure_scope::find_in_scope(sql, find))
        .on(|call| completeness::find_missing(sql, *call))
        .on(|call| newest_batches::newest_batches(sql, *call))
        .on(|call| absence::find_absence(sql, ledger, call))
        .on(|registered| loss::mark_registered(sql, *registered))
        .on_timed(|claim| attempts::claim(sql, claim, now_ms))
        .on_timed(|claims| attempts::claim_several(sql, claims, now_ms))
        .on_timed(|commit| attempts::commit(sql, commit, now_ms))
        .on_timed(|commits| attempts::commit_several(sql, commits, now_ms))
        .on_timed(|split| with_next(sql, deliveries::split(sql, split, now_ms)?))
        .on_timed(|erase| with_next(sql, erased_lines::erase(sql, erase, now_ms)?))
        .on_timed(|decide| with_next(sql, deliveries::decide(sql, decide, now_ms)?))
        .on(|list| payloads::list(sql, ledger, list, now_ms))
        .on(|count| payloads::count(sql, count))
        .on_timed(|decide| with_next(sql, payloads::decide_all(sql, decide, now_ms)?))
        .on(|list| deliveries::expired_packs(sql, *list))
        .on(|removed| deliveries::mark_removed(sql, removed))
        .on_timed(|rearm| with_next(sql, wake::rearm(*rearm)))
        .on_timed(|heard| with_next(sql, outage::learn_partner(sql, heard, now_ms)?))
        .on_timed(|call| backfill_sums::sum(sql, *call, now_ms))
        .on(|totals| views::totals(sql, ledger, *totals, now_ms))
        .on(|batches| views::batches(sql, ledger, batches))
        .on(|batch| views::batch(sql, ledger, batch, now_ms))
        .finish()
}

/// Pairs an answer with the next instant at which one of the ledger's payloads is due, for calls that may affect
/// several payloads.
fn with_next<A>(sql: &impl SqlDatabase, answer: A) -> Result<(A, Option<i64>), BackendError> {
    Ok((answer, wake::next(sql)?))
}
