//! The calendar: which prefixes of each dataset have entries. Kept in the registry; [`crate::index::calendar`] says how
//! its rows are read.
//!
//! Its tables: `calendar_v1`, the rows; `earliest_v1`, the lowest prefix of each dataset, which is all that the version
//! before knew; `untold_v1`, the prefixes under which that version may have had something indexed; `calendar_state_v1`,
//! whether these are known.
//!
//! The version before may come back, and go again. It notes nothing of what it does, but for the one statement by which
//! it opens the database: it puts the row of all datasets into `earliest_v1` once more, in vain. A trigger, which stays
//! whatever version runs, sees that, and the next call here counts everything from the lowest prefix on as untold. For
//! the same reason there is one call for old and new: [`CalendarAsk`] says what each leaves out.
//!
//! What always holds: no shard holds an entry whose prefix the calendar does not know or count as untold; what is told
//! here later is known to the prefix, and a bit that is set stays.

use serde::{Deserialize, Serialize};

use super::ids::REGISTRY;
use super::tables::LedgerRow;
use crate::backend::{BackendError, Objects, Sql, SqlRow, SqlValue};
use crate::index::{Calendar, CalendarRow};
use crate::limits::{CALENDAR_AHEAD, CALENDAR_ROW, CALENDAR_ROWS};
use crate::record::{Dataset, RayId};
use crate::rpc::{self, Dispatcher, calls};

/// The tables.
pub(super) const SCHEMA: [&str; 7] = [
    "CREATE TABLE IF NOT EXISTS earliest_v1 (dataset TEXT PRIMARY KEY, prefix INTEGER) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS calendar_v1 (
        dataset TEXT NOT NULL, number INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (dataset, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS untold_v1 (
        dataset TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS calendar_state_v1 (one INTEGER PRIMARY KEY, is_whole INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO calendar_state_v1 (one, is_whole) VALUES (1, 0)",
    // What the version before does when it opens the database fires it, although no row comes of it.
    "CREATE TRIGGER IF NOT EXISTS calendar_opened_before_v1 BEFORE INSERT ON earliest_v1 WHEN NEW.dataset = '*'
        BEGIN UPDATE calendar_state_v1 SET is_whole = 0 WHERE is_whole = 1; END",
    // The row of all datasets, made with the table: where ledgers are known by then, batches were indexed whose
    // prefixes nobody told, so anything may be there.
    "INSERT INTO earliest_v1 (dataset, prefix)
        SELECT '*', CASE WHEN EXISTS (SELECT 1 FROM ledger_v1) THEN 0 END
        WHERE NOT EXISTS (SELECT 1 FROM earliest_v1 WHERE dataset = '*')",
];

calls! {
    "v1/earliest": CalendarAsk => CalendarAnswer,
}

/// Entries of a dataset are about to be written, or somebody wants to know which prefixes have some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarAsk {
    /// The dataset.
    pub dataset: String,
    /// The lowest prefix of the entries.
    pub prefix: Option<u32>,
    /// All of their prefixes; a Worker of the version before tells the lowest alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Vec<u32>>,
    /// What is asked for: from the first of these prefixes to the second. A Worker of the version before asks for the
    /// lowest of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<(u32, u32)>,
}

/// What is known of a dataset's prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarAnswer {
    /// Below this prefix no shard holds anything; `None` where nothing was ever indexed.
    pub prefix: Option<u32>,
    /// The calendar of what was asked for; a registry of the version before has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
}

/// Has the registry know that entries are about to be written under these prefixes.
///
/// # Errors
/// [`BackendError`] where the registry cannot be reached; asking again changes nothing.
pub async fn tell(ledgers: &impl Objects, dataset: Dataset, prefixes: &[u32]) -> Result<(), BackendError> {
    let Some(prefix) = prefixes.iter().min().copied() else { return Ok(()) };
    let dataset = dataset.name().to_owned();
    let ask = CalendarAsk { dataset, prefix: Some(prefix), prefixes: Some(prefixes.to_vec()), within: None };
    rpc::call(ledgers, REGISTRY, &ask).await.map(drop)
}

/// What is known of a dataset's prefixes, from the first of these to the second, or a part of it.
///
/// # Errors
/// [`BackendError`] where the registry cannot be reached.
pub async fn look(ledgers: &impl Objects, dataset: Dataset, within: (u32, u32)) -> Result<Calendar, BackendError> {
    let dataset = dataset.name().to_owned();
    let ask = CalendarAsk { dataset, prefix: None, prefixes: None, within: Some(within) };
    let CalendarAnswer { prefix, calendar } = rpc::call(ledgers, REGISTRY, &ask).await?;
    Ok(calendar.unwrap_or_else(|| Calendar::any_from(prefix)))
}

/// Offers the call.
pub(super) fn dispatch<'a, S: Sql>(sql: &S, calls: Dispatcher<'a, S>, now_ms: i64) -> Dispatcher<'a, S> {
    calls.on(|ask| told_and_asked(sql, ask, now_ms))
}

fn told_and_asked(sql: &impl Sql, ask: &CalendarAsk, now_ms: i64) -> Result<CalendarAnswer, BackendError> {
    let ahead = RayId::prefix_at(now_ms.saturating_mul(1_000_000)).saturating_add(CALENDAR_AHEAD);
    settle(sql, ahead)?;
    match (&ask.prefixes, ask.prefix) {
        (Some(prefixes), _) => keep(sql, &ask.dataset, prefixes)?,
        (None, Some(prefix)) => leave_untold(sql, &ask.dataset, prefix, ahead)?,
        (None, None) => {}
    }
    let prefix = lowest(sql, ask)?;
    let calendar = ask.within.map(|within| known(sql, &ask.dataset, within)).transpose()?;
    Ok(CalendarAnswer { prefix, calendar })
}

/// Where the version before was at work, anything may be from the lowest prefix up to this one.
fn settle(sql: &impl Sql, ahead: u32) -> Result<(), BackendError> {
    let is_whole = sql.run("SELECT 1 FROM calendar_state_v1 WHERE is_whole = 1", &[])?;
    if !is_whole.rows.is_empty() {
        return Ok(());
    }
    sql.run(
        "INSERT INTO untold_v1 (dataset, first, last)
            SELECT dataset, prefix, max(prefix, ?) FROM earliest_v1 WHERE prefix IS NOT NULL
            ON CONFLICT (dataset) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)",
        &[SqlValue::number(ahead)],
    )?;
    sql.run("UPDATE calendar_state_v1 SET is_whole = 1", &[]).map(drop)
}

/// A Worker of the version before is about to write entries, of which it told the lowest prefix.
fn leave_untold(sql: &impl Sql, dataset: &str, prefix: u32, ahead: u32) -> Result<(), BackendError> {
    let last = ahead.max(prefix);
    sql.run(
        "INSERT INTO untold_v1 (dataset, first, last) VALUES (?1, ?2, ?3)
            ON CONFLICT (dataset) DO UPDATE SET first = min(first, ?2), last = max(last, ?3)
            WHERE first > ?2 OR last < ?3",
        &[SqlValue::text(dataset), SqlValue::number(prefix), SqlValue::number(last)],
    )
    .map(drop)
}

/// Takes in prefixes; writes the rows in which one of them is new.
fn keep(sql: &impl Sql, dataset: &str, prefixes: &[u32]) -> Result<(), BackendError> {
    let mut prefixes = prefixes.to_vec();
    prefixes.sort_unstable();
    for told in prefixes.chunk_by(|a, b| CalendarRow::number_of(*a) == CalendarRow::number_of(*b)) {
        let Some(number) = told.first().map(|prefix| CalendarRow::number_of(*prefix)) else { continue };
        let place = [SqlValue::text(dataset), SqlValue::number(number)];
        let kept = sql.run("SELECT bits FROM calendar_v1 WHERE dataset = ? AND number = ?", &place)?;
        let mut row = kept.rows.first().map_or_else(|| Ok(CalendarRow::default()), |row| bits(row, 0))?;
        // Each of them, although one that is new is enough to know.
        if told.iter().fold(false, |is_new, prefix| row.insert(*prefix) | is_new) {
            let [dataset, number] = place;
            sql.run(
                "INSERT INTO calendar_v1 (dataset, number, bits) VALUES (?1, ?2, ?3)
                    ON CONFLICT (dataset, number) DO UPDATE SET bits = ?3",
                &[dataset, number, SqlValue::Blob(row.as_bytes().to_vec())],
            )?;
        }
    }
    Ok(())
}

/// Writes a row only where the prefix is lower than what is known: of all batches, few begin earlier than every one
/// before them.
fn lowest(sql: &impl Sql, ask: &CalendarAsk) -> Result<Option<u32>, BackendError> {
    let dataset = SqlValue::text(&*ask.dataset);
    let known = sql.run(
        "SELECT prefix FROM earliest_v1 WHERE dataset IN (?, '*') AND prefix IS NOT NULL ORDER BY prefix LIMIT 1",
        std::slice::from_ref(&dataset),
    )?;
    let known = known.rows.first().map(|row| LedgerRow(row).number::<u32>(0)).transpose()?;
    let Some(lower) = ask.prefix.filter(|prefix| known.is_none_or(|known| *prefix < known)) else {
        return Ok(known);
    };
    let statement = "INSERT INTO earliest_v1 (dataset, prefix) VALUES (?1, ?2)
        ON CONFLICT (dataset) DO UPDATE SET prefix = ?2";
    sql.run(statement, &[dataset, SqlValue::number(lower)])?;
    Ok(Some(lower))
}

/// The calendar of a dataset, from the first of these prefixes to the second or as far as one answer goes.
fn known(sql: &impl Sql, dataset: &str, (first, last): (u32, u32)) -> Result<Calendar, BackendError> {
    let found = sql.run(
        "SELECT number, bits FROM calendar_v1 WHERE dataset = ? AND number BETWEEN ? AND ? ORDER BY number LIMIT ?",
        &[
            SqlValue::text(dataset),
            SqlValue::number(CalendarRow::number_of(first)),
            SqlValue::number(CalendarRow::number_of(last)),
            SqlValue::number(CALENDAR_ROWS + 1),
        ],
    )?;
    let read = |row: &SqlRow| Ok((LedgerRow(row).number(0)?, bits(row, 1)?));
    let rows = found.rows.iter().take(CALENDAR_ROWS).map(read).collect::<Result<_, BackendError>>()?;
    // Between two rows there is nothing, so all is known up to the first one that is left out.
    let left_out = found.rows.get(CALENDAR_ROWS).map(|row| LedgerRow(row).number::<u32>(0)).transpose()?;
    let until = left_out.map_or(last.saturating_add(1), |number| number.saturating_mul(CALENDAR_ROW));
    let any = untold(sql, dataset)?;
    Ok(Calendar { rows, any, until })
}

/// The prefixes between which anything may be.
fn untold(sql: &impl Sql, dataset: &str) -> Result<Option<(u32, u32)>, BackendError> {
    let found = sql.run("SELECT first, last FROM untold_v1 WHERE dataset IN (?, '*')", &[SqlValue::text(dataset)])?;
    let mut all = None;
    for row in &found.rows {
        let (first, last) = (LedgerRow(row).number::<u32>(0)?, LedgerRow(row).number::<u32>(1)?);
        all = Some(all.map_or((first, last), |(lowest, highest): (u32, u32)| (lowest.min(first), highest.max(last))));
    }
    Ok(all)
}

/// A row of the calendar as it is kept.
fn bits(row: &SqlRow, column: usize) -> Result<CalendarRow, BackendError> {
    let blob = match row.get(column) {
        Some(SqlValue::Blob(blob)) => CalendarRow::from_bytes(blob),
        _ => None,
    };
    blob.ok_or_else(|| BackendError::new("reading the calendar", "a row of it has another length"))
}
