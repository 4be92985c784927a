//! The one ledger that is of no hour: it knows the names of all others, and keeps what belongs to none.
//!
//! Its tables: `ledger_v1`, a row for each ledger that holds something; `letter_v1`, the messages that became dead
//! letters; `backfill_v1`, the jobs of [`super::backfills`]; `swept_v1`, up to when objects were looked for that no event announced;
//! those of [`super::calendar`].
//!
//! What always holds: a ledger is known here before it holds a sealed source; a dead letter stays until a person has
//! it put back.

use serde::{Deserialize, Serialize};

use super::backfills;
use super::calendar;
use super::calls::Done;
use super::ids::{OTHER, REGISTRY};
use super::tables::Row;
use crate::backend::{BackendError, Objects, Sql, SqlValue};
use crate::rpc::{self, CallReply, Dispatcher, calls};

/// The tables.
const SCHEMA: [&str; 4] = [
    backfills::SCHEMA,
    "CREATE TABLE IF NOT EXISTS swept_v1 (one INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS ledger_v1 (name TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS letter_v1 (
        id INTEGER PRIMARY KEY,
        queue TEXT NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL,
        code TEXT NOT NULL, at_ms INTEGER NOT NULL, redriven_ms INTEGER, reason TEXT,
        UNIQUE (queue, message))",
];

calls! {
    "v1/register": Register => Done,
    "v1/ledgers": LedgersAsk => Ledgers,
    "v1/letter": Letter => Done,
    "v1/letters": LettersAsk => Letters,
    "v1/redriven": Redriven => RedrivenAnswer,
    "v1/swept": Swept => LastSwept,
}

/// There is a ledger of this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// Its name.
    pub name: String,
}

/// Asks for the ledgers, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgersAsk {
    /// At most so many.
    pub limit: u64,
}

/// The ledgers there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledgers {
    /// Their names.
    pub names: Vec<String>,
    /// How many there are in all.
    pub total: u64,
    /// Dead letters that nobody has put back.
    #[serde(default)]
    pub letters: u64,
}

/// A message that its queue gave up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The queue that it was on first.
    pub queue: String,
    /// The queue's own name of the message: the same letter twice is one.
    pub message: String,
    /// Its body, as JSON.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why, as far as is known.
    pub code: String,
}

/// Asks for dead letters, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LettersAsk {
    /// This one alone.
    pub id: Option<i64>,
    /// Those that were put back, too.
    pub redriven: bool,
    /// At most so many.
    pub limit: u64,
}

/// Dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letters {
    /// They.
    pub letters: Vec<KeptLetter>,
}

/// A dead letter that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLetter {
    /// Its number.
    pub id: i64,
    /// The letter.
    #[serde(flatten)]
    pub letter: Letter,
    /// When it came, in Unix milliseconds.
    pub at_ms: i64,
    /// When it was put back.
    pub redriven_ms: Option<i64>,
    /// Why it was put back.
    pub reason: Option<String>,
}

/// A dead letter was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// Its number.
    pub id: i64,
    /// Why.
    pub reason: String,
}

/// Whether there is such a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrivenAnswer {
    /// Whether there is.
    pub known: bool,
}

/// Every object up to an instant was looked for; or, without one, asks up to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// The instant, in Unix milliseconds.
    pub at_ms: Option<i64>,
}

/// Up to when every object was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSwept {
    /// The instant; `None` where nobody ever looked.
    pub at_ms: Option<i64>,
}

/// Makes a ledger known.
///
/// # Errors
/// [`BackendError`] where the registry cannot be reached; asking again changes nothing.
pub async fn register(ledgers: &impl Objects, name: &str) -> Result<(), BackendError> {
    rpc::call(ledgers, REGISTRY, &Register { name: name.to_owned() }).await.map(drop)
}

/// Prepares the database. Costs no written row if it was done before.
///
/// # Errors
/// [`BackendError`] where the database refuses; it may be prepared in part then, and is no less right for it.
pub fn open(sql: &impl Sql) -> Result<(), BackendError> {
    SCHEMA.iter().chain(&calendar::SCHEMA).try_for_each(|statement| sql.run(statement, &[]).map(drop))
}

/// Answers a call to the registry by its own clock.
///
/// # Errors
/// [`BackendError`] for an unknown call, a body that is none, or a database that refuses; nothing has changed then.
pub fn answer(sql: &impl Sql, name: &str, body: &[u8], now_ms: i64) -> Result<CallReply, BackendError> {
    let calls = Dispatcher::new(sql, name, body)
        .on(|ledger| keep_ledger(sql, ledger, now_ms))
        .on(|ask| ledgers(sql, ask))
        .on(|letter| keep_letter(sql, letter, now_ms))
        .on(|ask| letters(sql, ask))
        .on(|ask| swept(sql, *ask))
        .on(|ask| redriven(sql, ask, now_ms));
    calendar::dispatch(sql, backfills::dispatch(sql, calls, now_ms), now_ms).finish()
}

fn keep_ledger(sql: &impl Sql, ask: &Register, now_ms: i64) -> Result<Done, BackendError> {
    let parameters = [SqlValue::text(&*ask.name), SqlValue::Integer(now_ms)];
    sql.run("INSERT OR IGNORE INTO ledger_v1 (name, since_ms) VALUES (?, ?)", &parameters)?;
    Ok(Done {})
}

fn ledgers(sql: &impl Sql, ask: &LedgersAsk) -> Result<Ledgers, BackendError> {
    // Those of the latest hours first, those of no hour last.
    let rows = sql.run(
        "SELECT name FROM ledger_v1 ORDER BY name LIKE ? || '%', name DESC LIMIT ?",
        &[SqlValue::text(OTHER), SqlValue::number(ask.limit)],
    )?;
    let names = rows.rows.iter().map(|row| Row(row).text(0)).collect::<Result<_, _>>()?;
    let count = |what: &str| {
        let counted = sql.run(&format!("SELECT count(*) FROM {what}"), &[])?;
        counted.rows.first().map_or(Ok(0), |row| Row(row).number(0))
    };
    Ok(Ledgers { names, total: count("ledger_v1")?, letters: count("letter_v1 WHERE redriven_ms IS NULL")? })
}

fn keep_letter(sql: &impl Sql, letter: &Letter, now_ms: i64) -> Result<Done, BackendError> {
    sql.run(
        "INSERT OR IGNORE INTO letter_v1 (queue, message, body, attempts, code, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        &[
            SqlValue::text(&*letter.queue),
            SqlValue::text(&*letter.message),
            SqlValue::text(&*letter.body),
            SqlValue::number(letter.attempts),
            SqlValue::text(&*letter.code),
            SqlValue::Integer(now_ms),
        ],
    )?;
    Ok(Done {})
}

fn letters(sql: &impl Sql, ask: &LettersAsk) -> Result<Letters, BackendError> {
    let one = ask.id.map_or(SqlValue::Null, SqlValue::Integer);
    let rows = sql.run(
        "SELECT id, queue, message, body, attempts, code, at_ms, redriven_ms, reason FROM letter_v1
         WHERE (?1 IS NULL OR id = ?1) AND (?2 = 1 OR redriven_ms IS NULL) ORDER BY id DESC LIMIT ?3",
        &[one, SqlValue::Integer(ask.redriven.into()), SqlValue::number(ask.limit)],
    )?;
    let letters = rows.rows.iter().map(|row| {
        let row = Row(row);
        let letter = Letter {
            queue: row.text(1)?,
            message: row.text(2)?,
            body: row.text(3)?,
            attempts: row.number(4)?,
            code: row.text(5)?,
        };
        let (redriven_ms, reason) = (row.maybe_integer(7), row.maybe_text(8));
        Ok(KeptLetter { id: row.integer(0)?, letter, at_ms: row.integer(6)?, redriven_ms, reason })
    });
    Ok(Letters { letters: letters.collect::<Result<_, BackendError>>()? })
}

fn swept(sql: &impl Sql, ask: Swept) -> Result<LastSwept, BackendError> {
    if let Some(at_ms) = ask.at_ms {
        let statement = "INSERT INTO swept_v1 (one, at_ms) VALUES (1, ?1)
            ON CONFLICT (one) DO UPDATE SET at_ms = max(at_ms, ?1)";
        sql.run(statement, &[SqlValue::Integer(at_ms)])?;
    }
    let rows = sql.run("SELECT at_ms FROM swept_v1", &[])?.rows;
    Ok(LastSwept { at_ms: rows.first().and_then(|row| Row(row).maybe_integer(0)) })
}

fn redriven(sql: &impl Sql, ask: &Redriven, now_ms: i64) -> Result<RedrivenAnswer, BackendError> {
    let parameters = [SqlValue::Integer(now_ms), SqlValue::text(&*ask.reason), SqlValue::Integer(ask.id)];
    let done = sql.run("UPDATE letter_v1 SET redriven_ms = ?, reason = ? WHERE id = ? RETURNING id", &parameters)?;
    Ok(RedrivenAnswer { known: !done.rows.is_empty() })
}
