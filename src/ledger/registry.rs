//! The registry: the one ledger that belongs to no hour. It knows the names of all others, and stores what belongs to
//! none.
//!
//! Its tables: `ledger_v1`, a row for each ledger in use; `dead_letter_v1`, the dead letters; `ignored_v1`, the number
//! of events that required no work, by reason; `backfill_v1` and `backfill_object_v1`, the jobs of [`super::backfills`]
//! and their objects; `backfill_ledger_v1`, the ledgers that count their lines; `swept_v1`, the time up to which the sweep has looked for objects without an
//! event; `sweep_round_v1`, the round of [`super::sweep_round`]; `first_start_v1`, the instant of
//! [`super::first_start`]; and those of [`super::occupancy`], [`super::erasures`],
//! [`super::unknown_folders`], [`super::layout_doubts`], [`super::self_check`], [`super::tokens`] and [`super::cursor_keys`].
//!
//! # Invariants
//! A ledger is registered before it holds a sealed source. A dead letter counts until a person redrives or dismisses it.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::backfill_ledgers;
use super::backfills;
use super::calls::CallAck;
use super::cursor_keys;
use super::erasures;
use super::first_start;
use super::hours::{HOUR_CHARS, OTHER};
use super::ids::REGISTRY;
use super::layout_doubts::{self, LayoutDoubt};
use super::occupancy;
use super::self_check::{self, SelfCheckReport};
use super::sweep_round;
use super::tables::{LedgerRow, maybe};
use super::tokens;
use super::unknown_folders;
use crate::backend::{BackendError, DurableObjects, SqlDatabase, SqlValue};
use crate::record::Dataset;
use crate::rpc::{self, CallReply, Dispatcher, ObjectDatabase, ObjectSchema, calls};

/// The statements that create the tables if they do not exist.
const SCHEMA: [&str; 14] = [
    backfills::SCHEMA,
    backfills::OBJECTS,
    backfill_ledgers::SCHEMA,
    first_start::SCHEMA,
    sweep_round::SCHEMA,
    unknown_folders::SCHEMA,
    layout_doubts::SCHEMA,
    tokens::SCHEMA,
    cursor_keys::SCHEMA,
    self_check::SCHEMA,
    "CREATE TABLE IF NOT EXISTS swept_v1 (one INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, finished_ms INTEGER)",
    "CREATE TABLE IF NOT EXISTS ledger_v1 (
        name TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, first_ms INTEGER, last_ms INTEGER) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dead_letter_v1 (
        id INTEGER PRIMARY KEY,
        queue TEXT NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL,
        code TEXT NOT NULL, at_ms INTEGER NOT NULL, redriven_ms INTEGER, dismissed_ms INTEGER, reason TEXT,
        UNIQUE (queue, message))",
    "CREATE TABLE IF NOT EXISTS ignored_v1 (code TEXT PRIMARY KEY, events INTEGER NOT NULL) WITHOUT ROWID",
];

/// What the registry stores.
pub const OBJECT: ObjectSchema = ObjectSchema {
    kind: "registry",
    version: 1,
    readable_from: 1,
    first_table: "ledger_v1",
    statements: &[&SCHEMA, &occupancy::SCHEMA, &erasures::SCHEMA],
    migrations: &[],
};

calls! {
    "v1/register": RegisterLedger => LedgerRegistered,
    "v1/ledgers": ListLedgers => LedgerList,
    "v1/find-ledgers": FindLedgers => LedgerNames,
    "v1/dead-letter": DeadLetter => CallAck,
    "v1/dead-letters": ListDeadLetters => DeadLetterList,
    "v1/mark-redriven": MarkRedriven => RedriveAnswer,
    "v1/dismiss-dead-letter": DismissDeadLetter => DismissAnswer,
    "v1/count-ignored": CountIgnoredEvents => CallAck,
    "v1/advance-sweep": AdvanceSweep => SweepMark,
}

/// A request to register a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterLedger {
    /// The name of the ledger.
    pub name: String,
    /// Times of its batches that its name does not imply, in Unix milliseconds.
    pub times: Option<(i64, i64)>,
}

/// The registry's answer to [`RegisterLedger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRegistered {
    /// Unix milliseconds since which the registry knows the ledger; `None` from a version that did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since_ms: Option<i64>,
}

/// A request for the names of ledgers, latest hours first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListLedgers {
    /// Maximum number of hours whose ledgers are in the answer.
    pub limit: u64,
}

/// A request for the ledgers whose batches may belong to a range of hours: those of its hours, those of no hour, and those
/// with batches of other times than their hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindLedgers {
    /// The name of the first ledger of the first hour.
    pub first: String,
    /// The name of the first ledger of the last hour, or the name of a ledger.
    pub last: String,
    /// Start of the range in Unix milliseconds, inclusive.
    pub start_ms: i64,
    /// End of the range in Unix milliseconds, exclusive.
    pub end_ms: i64,
    /// Maximum number of hours whose ledgers are in the answer.
    pub limit: u64,
    /// The dataset of a ray whose bits say `start_ms`; `None` if the question is not about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ray_of: Option<Dataset>,
}

/// The registry's answer to [`FindLedgers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerNames {
    /// The names, those without an hour last.
    pub names: Vec<String>,
    /// Unix milliseconds up to which the sweep has looked for objects; `None` before the first sweep.
    pub swept_ms: Option<i64>,
    /// Unix milliseconds until which every object was written that the last sweep found finished; `None` before the first
    /// sweep.
    pub finished_ms: Option<i64>,
    /// Why what the ray's bits say is in doubt, if it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub doubt: Option<LayoutDoubt>,
}

/// The registry's answer to [`ListLedgers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerList {
    /// The names, those without an hour last.
    pub names: Vec<String>,
    /// Number of all registered ledgers.
    pub total: u64,
    /// Number of dead letters that were neither redriven nor dismissed.
    pub dead_letters: u64,
    /// Number of events that required no work since the first deployment, by code of the reason.
    pub ignored_events: BTreeMap<String, u64>,
    /// Unix milliseconds of the first start; `None` if nothing was ever to be delivered.
    pub first_start_ms: Option<i64>,
    /// The datasets whose rays have other times than their records at present.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub doubts: Vec<LayoutDoubt>,
    /// What the deployment found when it last checked itself; `None` before the first time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub self_check: Option<SelfCheckReport>,
}

/// A request to count events that required no work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountIgnoredEvents {
    /// Number of events to add, by code of the reason.
    pub counts: BTreeMap<String, u64>,
}

/// A message that raydex gave up on or did not understand. As a call, it is recorded once per queue and message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The name of its original queue.
    pub queue: String,
    /// The identifier that the queue assigned to the message.
    pub message: String,
    /// Its body as text, usually JSON; a body that is not UTF-8 as `base64:…`.
    pub body: String,
    /// Number of times that it was attempted.
    pub attempts: u32,
    /// Code of the reason, if known.
    pub code: String,
}

/// A request for dead letters, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListDeadLetters {
    /// The number of the only dead letter to return; `None` for all.
    pub id: Option<i64>,
    /// Whether to include redriven ones.
    pub redriven: bool,
    /// Whether to include dismissed ones.
    pub dismissed: bool,
    /// Maximum number of dead letters in the answer.
    pub limit: u64,
    /// The last dead letter of the page before.
    pub before: Option<i64>,
}

/// The registry's answer to [`ListDeadLetters`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterList {
    /// The matching dead letters, newest first.
    pub dead_letters: Vec<StoredDeadLetter>,
}

/// A dead letter in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDeadLetter {
    /// The number that identifies it in the API.
    pub id: i64,
    /// The message that was given up on.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// Unix milliseconds of its arrival.
    pub at_ms: i64,
    /// Unix milliseconds at which it was redriven.
    pub redriven_ms: Option<i64>,
    /// Unix milliseconds at which it was dismissed.
    pub dismissed_ms: Option<i64>,
    /// The reason that the person gave for the last of these.
    pub reason: Option<String>,
}

/// A request to record that a dead letter was redriven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRedriven {
    /// The number of the dead letter.
    pub id: i64,
    /// The reason that the person gave.
    pub reason: String,
}

/// The registry's answer to [`MarkRedriven`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveAnswer {
    /// Whether the registry has this dead letter.
    pub known: bool,
}

/// A request to record that a dead letter calls for nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DismissDeadLetter {
    /// The number of the dead letter.
    pub id: i64,
    /// The reason that the person gave.
    pub reason: String,
}

/// The registry's answer to [`DismissDeadLetter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DismissAnswer {
    /// Unix milliseconds at which it was first dismissed; `None` if the registry does not have it.
    pub dismissed_ms: Option<i64>,
}

/// A request to record the instant up to which the sweep has found every object, or to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvanceSweep {
    /// Unix milliseconds to record; `None` only reads. An instant earlier than the recorded one is ignored.
    pub at_ms: Option<i64>,
    /// Unix milliseconds before which every object was written that was found finished; `None` leaves it as it is.
    pub finished_ms: Option<i64>,
}

/// The registry's answer to [`AdvanceSweep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepMark {
    /// The latest recorded instant in Unix milliseconds; `None` before the first sweep.
    pub at_ms: Option<i64>,
    /// Unix milliseconds before which every object was written that the last sweep found finished.
    pub finished_ms: Option<i64>,
}

/// Registers a ledger, and records times of its batches that its name does not imply; says since when it is registered. Repeating the
/// call changes nothing.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn register(
    ledgers: &impl DurableObjects,
    name: &str,
    times: Option<(i64, i64)>,
) -> Result<LedgerRegistered, BackendError> {
    rpc::call(ledgers, REGISTRY, &RegisterLedger { name: name.to_owned(), times }).await
}

/// Answers a call to the registry, whose tables may not exist yet; `is_open` keeps whether they are known to.
///
/// # Errors
/// [`BackendError`] for an unknown call, a malformed body, or a failing database; nothing has changed in that case.
pub fn serve(
    sql: &impl SqlDatabase,
    is_open: &Cell<bool>,
    (name, body): (&str, &[u8]),
    now_ms: i64,
) -> Result<CallReply, BackendError> {
    let answer = |sql: &ObjectDatabase<'_, _>| answer(sql, name, body, now_ms);
    ObjectDatabase::serve(sql, is_open, &OBJECT, || open(sql), answer)
}

/// Prepares the database. Writes no row if this was done before.
///
/// # Errors
/// [`BackendError`] if the database fails; some tables may exist in that case, which is harmless.
pub fn open(sql: &impl SqlDatabase) -> Result<(), BackendError> {
    OBJECT.make(sql)
}

/// Answers a call to the registry by the registry's own clock.
///
/// # Errors
/// [`BackendError`] for an unknown call, a malformed body, or a failing database; nothing has changed in that case.
pub fn answer(sql: &impl SqlDatabase, name: &str, body: &[u8], now_ms: i64) -> Result<CallReply, BackendError> {
    let calls = Dispatcher::new(sql, name, body)
        .on(|ledger| keep_ledger(sql, ledger, now_ms))
        .on(|call| ledgers(sql, call, now_ms))
        .on(|call| find_ledgers(sql, call, now_ms))
        .on(|letter| keep_letter(sql, letter, now_ms))
        .on(|call| letters(sql, call))
        .on(|ignored| count_ignored(sql, ignored))
        .on(|call| swept(sql, *call))
        .on(|call| redriven(sql, call, now_ms))
        .on(|call| dismissed(sql, call, now_ms));
    let calls = sweep_round::dispatch(sql, backfills::dispatch(sql, calls, now_ms));
    let calls = tokens::dispatch(sql, unknown_folders::dispatch(sql, calls, now_ms), now_ms);
    let calls = first_start::dispatch(sql, cursor_keys::dispatch(sql, calls, now_ms), now_ms);
    let calls = erasures::dispatch(sql, calls, now_ms);
    occupancy::dispatch(sql, self_check::dispatch(sql, layout_doubts::dispatch(sql, calls))).finish()
}

fn keep_ledger(sql: &impl SqlDatabase, call: &RegisterLedger, now_ms: i64) -> Result<LedgerRegistered, BackendError> {
    let parameters = [SqlValue::text(&*call.name), SqlValue::Integer(now_ms)];
    sql.run("INSERT OR IGNORE INTO ledger_v1 (name, since_ms) VALUES (?, ?)", &parameters)?;
    if let Some((first_ms, last_ms)) = call.times {
        // The widest times bound the row: they may include hours without a batch.
        sql.run(
            "UPDATE ledger_v1 SET first_ms = min(coalesce(first_ms, ?1), ?1), last_ms = max(coalesce(last_ms, ?2), ?2)
             WHERE name = ?3 AND (first_ms IS NULL OR first_ms > ?1 OR last_ms < ?2)",
            &[SqlValue::Integer(first_ms), SqlValue::Integer(last_ms), SqlValue::text(&*call.name)],
        )?;
    }
    let known = sql.run("SELECT since_ms FROM ledger_v1 WHERE name = ?", &[SqlValue::text(&*call.name)])?;
    Ok(LedgerRegistered { since_ms: known.rows.first().and_then(|row| LedgerRow(row).maybe_integer(0)) })
}

fn ledgers(sql: &impl SqlDatabase, call: &ListLedgers, now_ms: i64) -> Result<LedgerList, BackendError> {
    // Latest hours first, names without an hour last.
    let rows = sql.run(
        "SELECT name FROM ledger_v1
         WHERE substr(name, 1, ?3) IN (SELECT DISTINCT substr(name, 1, ?3) AS hour FROM ledger_v1
            ORDER BY hour LIKE ?1 || '%', hour DESC LIMIT ?2)
         ORDER BY name LIKE ?1 || '%', name DESC",
        &[SqlValue::text(OTHER), SqlValue::number(call.limit), SqlValue::number(HOUR_CHARS)],
    )?;
    let names = rows.rows.iter().map(|row| LedgerRow(row).text(0)).collect::<Result<_, _>>()?;
    let count = |what: &str| {
        let counted = sql.run(&format!("SELECT count(*) FROM {what}"), &[])?;
        counted.rows.first().map_or(Ok(0), |row| LedgerRow(row).number(0))
    };
    Ok(LedgerList {
        names,
        total: count("ledger_v1")?,
        dead_letters: count("dead_letter_v1 WHERE redriven_ms IS NULL AND dismissed_ms IS NULL")?,
        ignored_events: ignored(sql)?,
        first_start_ms: first_start::made(sql)?,
        doubts: layout_doubts::recent(sql, now_ms)?,
        self_check: self_check::last(sql)?,
    })
}

fn find_ledgers(sql: &impl SqlDatabase, call: &FindLedgers, now_ms: i64) -> Result<LedgerNames, BackendError> {
    let rows = sql.run(
        // A hyphen, which the name of a partition has after that of its hour, precedes a dot.
        "SELECT name FROM (SELECT name, dense_rank() OVER (ORDER BY substr(name, 1, ?7)) AS nth FROM ledger_v1
            WHERE name >= ?1 AND name < ?2 || '.' OR name LIKE ?3 || '%' OR first_ms < ?4 AND last_ms >= ?5)
         WHERE nth <= ?6 ORDER BY name",
        &[
            SqlValue::text(&*call.first),
            SqlValue::text(&*call.last),
            SqlValue::text(OTHER),
            SqlValue::Integer(call.end_ms),
            SqlValue::Integer(call.start_ms),
            SqlValue::number(call.limit),
            SqlValue::number(HOUR_CHARS),
        ],
    )?;
    let names = rows.rows.iter().map(|row| LedgerRow(row).text(0)).collect::<Result<_, _>>()?;
    let SweepMark { at_ms: swept_ms, finished_ms } = swept(sql, AdvanceSweep { at_ms: None, finished_ms: None })?;
    let doubt = call.ray_of.map(|dataset| layout_doubts::find(sql, dataset, call.start_ms, now_ms)).transpose()?;
    Ok(LedgerNames { names, swept_ms, finished_ms, doubt: doubt.flatten() })
}

fn ignored(sql: &impl SqlDatabase) -> Result<BTreeMap<String, u64>, BackendError> {
    let rows = sql.run("SELECT code, events FROM ignored_v1", &[])?.rows;
    rows.iter().map(LedgerRow).map(|row| Ok((row.text(0)?, row.number(1)?))).collect()
}

fn count_ignored(sql: &impl SqlDatabase, call: &CountIgnoredEvents) -> Result<CallAck, BackendError> {
    let statement = "INSERT INTO ignored_v1 (code, events) VALUES (?1, ?2)
        ON CONFLICT (code) DO UPDATE SET events = events + ?2";
    for (code, events) in &call.counts {
        sql.run(statement, &[SqlValue::text(&**code), SqlValue::number(*events)])?;
    }
    Ok(CallAck {})
}

fn keep_letter(sql: &impl SqlDatabase, letter: &DeadLetter, now_ms: i64) -> Result<CallAck, BackendError> {
    sql.run(
        "INSERT OR IGNORE INTO dead_letter_v1 (queue, message, body, attempts, code, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        &[
            SqlValue::text(&*letter.queue),
            SqlValue::text(&*letter.message),
            SqlValue::text(&*letter.body),
            SqlValue::number(letter.attempts),
            SqlValue::text(&*letter.code),
            SqlValue::Integer(now_ms),
        ],
    )?;
    Ok(CallAck {})
}

fn letters(sql: &impl SqlDatabase, call: &ListDeadLetters) -> Result<DeadLetterList, BackendError> {
    let one = call.id.map_or(SqlValue::Null, SqlValue::Integer);
    let before = call.before.map_or(SqlValue::Null, SqlValue::Integer);
    let rows = sql.run(
        "SELECT id, queue, message, body, attempts, code, at_ms, redriven_ms, dismissed_ms, reason
         FROM dead_letter_v1
         WHERE (?1 IS NULL OR id = ?1) AND (?2 = 1 OR redriven_ms IS NULL) AND (?3 = 1 OR dismissed_ms IS NULL)
            AND (?5 IS NULL OR id < ?5)
         ORDER BY id DESC LIMIT ?4",
        &[
            one,
            SqlValue::Integer(call.redriven.into()),
            SqlValue::Integer(call.dismissed.into()),
            SqlValue::number(call.limit),
            before,
        ],
    )?;
    let letters = rows.rows.iter().map(|row| {
        let row = LedgerRow(row);
        let letter = DeadLetter {
            queue: row.text(1)?,
            message: row.text(2)?,
            body: row.text(3)?,
            attempts: row.number(4)?,
            code: row.text(5)?,
        };
        let (redriven_ms, dismissed_ms) = (row.maybe_integer(7), row.maybe_integer(8));
        let (at_ms, reason) = (row.integer(6)?, row.maybe_text(9));
        Ok(StoredDeadLetter { id: row.integer(0)?, letter, at_ms, redriven_ms, dismissed_ms, reason })
    });
    Ok(DeadLetterList { dead_letters: letters.collect::<Result<_, BackendError>>()? })
}

fn swept(sql: &impl SqlDatabase, call: AdvanceSweep) -> Result<SweepMark, BackendError> {
    if let Some(at_ms) = call.at_ms {
        let statement = "INSERT INTO swept_v1 (one, at_ms, finished_ms) VALUES (1, ?1, ?2)
            ON CONFLICT (one) DO UPDATE SET at_ms = max(at_ms, ?1), finished_ms = coalesce(?2, finished_ms)";
        sql.run(statement, &[SqlValue::Integer(at_ms), maybe(call.finished_ms)])?;
    }
    let rows = sql.run("SELECT at_ms, finished_ms FROM swept_v1", &[])?.rows;
    let instant = |column| rows.first().and_then(|row| LedgerRow(row).maybe_integer(column));
    Ok(SweepMark { at_ms: instant(0), finished_ms: instant(1) })
}

fn redriven(sql: &impl SqlDatabase, call: &MarkRedriven, now_ms: i64) -> Result<RedriveAnswer, BackendError> {
    let parameters = [SqlValue::Integer(now_ms), SqlValue::text(&*call.reason), SqlValue::Integer(call.id)];
    let done =
        sql.run("UPDATE dead_letter_v1 SET redriven_ms = ?, reason = ? WHERE id = ? RETURNING id", &parameters)?;
    Ok(RedriveAnswer { known: !done.rows.is_empty() })
}

fn dismissed(sql: &impl SqlDatabase, call: &DismissDeadLetter, now_ms: i64) -> Result<DismissAnswer, BackendError> {
    let parameters = [SqlValue::Integer(now_ms), SqlValue::text(&*call.reason), SqlValue::Integer(call.id)];
    let done = sql.run(
        "UPDATE dead_letter_v1 SET dismissed_ms = coalesce(dismissed_ms, ?), reason = ? WHERE id = ?
         RETURNING dismissed_ms",
        &parameters,
    )?;
    Ok(DismissAnswer { dismissed_ms: done.rows.first().and_then(|row| LedgerRow(row).maybe_integer(0)) })
}
