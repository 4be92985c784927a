//! The object for the partner: one for all ledgers, under the name [`PARTNER`](super::ids::PARTNER).
//!
//! Its tables: `breaker_v1`, a row for each address and key of the partner that ever failed, under their fingerprint; `lane_v1`,
//! a row for each lane of the pacer; `held_lane_v1`, a row for each backfill that was ever
//! stopped.
//!
//! # Invariants
//! Another address or key begins with a closed breaker. Asking a closed breaker writes nothing.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, BreakerState, PartnerNews, PartnerStanding};
use super::calls::CallAck;
use super::pacer::{self, HoldBackfills, TakeTurn, TurnAnswer};
use super::tables::{LedgerRow, json};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::BREAKERS_KEPT;
use crate::rpc::{CallReply, Dispatcher, ObjectDatabase, ObjectSchema, calls};

/// The statements that create the tables if they do not exist.
const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS breaker_v1 (
        fingerprint TEXT PRIMARY KEY, breaker TEXT NOT NULL, changed_ms INTEGER NOT NULL) WITHOUT ROWID",
    pacer::SCHEMA,
    pacer::HELD,
];

/// What the object stores.
pub const OBJECT: ObjectSchema = ObjectSchema {
    kind: "object for the partner",
    version: 1,
    readable_from: 1,
    first_table: "breaker_v1",
    statements: &[&SCHEMA],
    migrations: &[],
};

calls! {
    "v1/ask-partner": AskPartner => PartnerStanding,
    "v1/get-partner": GetPartner => PartnerStanding,
    "v1/report-attempt": ReportAttempt => AttemptReportAnswer,
    "v1/try-partner": TryPartner => PartnerStanding,
    "v1/take-turn": TakeTurn => TurnAnswer,
    "v1/hold-backfills": HoldBackfills => CallAck,
}

/// A sender's request for leave to send a batch of messages; it may be granted a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskPartner {
    /// A fingerprint of the partner's address and key.
    pub fingerprint: String,
}

/// A request for what the breaker says, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPartner {
    /// A fingerprint of the partner's address and key.
    pub fingerprint: String,
}

/// A report of how an attempt went, as far as it tells something new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAttempt {
    /// A fingerprint of the partner's address and key.
    pub fingerprint: String,
    /// The instant of the standing that the attempt was claimed under.
    pub as_of_ms: i64,
    /// What the attempt tells.
    #[serde(flatten)]
    pub news: PartnerNews,
}

/// The answer to [`ReportAttempt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReportAnswer {
    /// What the breaker says now; it grants no probe.
    pub standing: PartnerStanding,
    /// Whether the report closed it: what waits in the ledgers is due.
    pub closed: bool,
}

/// A person's request to probe now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TryPartner {
    /// A fingerprint of the partner's address and key.
    pub fingerprint: String,
}

/// Answers a call to the object, whose tables may not exist yet; `is_open` keeps whether it is known to.
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
/// [`BackendError`] if the database fails.
pub fn open(sql: &impl SqlDatabase) -> Result<(), BackendError> {
    OBJECT.make(sql)
}

/// Answers a call by the object's own clock.
///
/// # Errors
/// [`BackendError`] for an unknown call, a malformed body, or a failing database; nothing has changed in that case.
pub fn answer(sql: &impl SqlDatabase, name: &str, body: &[u8], now_ms: i64) -> Result<CallReply, BackendError> {
    Dispatcher::new(sql, name, body)
        .on(|ask: &AskPartner| change(sql, &ask.fingerprint, now_ms, |breaker| breaker.admit(now_ms)))
        .on(|get: &GetPartner| Ok(breaker(sql, &get.fingerprint)?.unwrap_or_default().standing(now_ms)))
        .on(|report| report_attempt(sql, report, now_ms))
        .on(|call: &TryPartner| {
            change(sql, &call.fingerprint, now_ms, |breaker| {
                breaker.try_now(now_ms);
                breaker.standing(now_ms)
            })
        })
        .on(|call| pacer::take_turn(sql, call, now_ms))
        .on(|call| pacer::hold_backfills(sql, call))
        .finish()
}

fn report_attempt(
    sql: &impl SqlDatabase,
    report: &ReportAttempt,
    now_ms: i64,
) -> Result<AttemptReportAnswer, BackendError> {
    change(sql, &report.fingerprint, now_ms, |breaker| {
        let closed = breaker.learn(&report.news, report.as_of_ms, now_ms);
        let mut standing = breaker.standing(now_ms);
        if standing.state == BreakerState::Probing {
            standing.state = BreakerState::Open;
        }
        AttemptReportAnswer { standing, closed }
    })
}

/// Returns the stored breaker of an address and key.
fn breaker(sql: &impl SqlDatabase, fingerprint: &str) -> Result<Option<Breaker>, BackendError> {
    let statement = "SELECT breaker FROM breaker_v1 WHERE fingerprint = ?";
    let rows = sql.run(statement, &[SqlValue::text(fingerprint)])?.rows;
    rows.first().map(|row| LedgerRow(row).json(0)).transpose()
}

/// Changes a breaker, and writes it back if it differs; the oldest of too many are removed.
fn change<T>(
    sql: &impl SqlDatabase,
    fingerprint: &str,
    now_ms: i64,
    change: impl FnOnce(&mut Breaker) -> T,
) -> Result<T, BackendError> {
    let before = breaker(sql, fingerprint)?;
    let mut now = before.clone().unwrap_or_default();
    let answer = change(&mut now);
    if now != before.clone().unwrap_or_default() {
        let parameters = [SqlValue::text(fingerprint), json(&now), SqlValue::Integer(now_ms)];
        let statement = "INSERT OR REPLACE INTO breaker_v1 (fingerprint, breaker, changed_ms) VALUES (?, ?, ?)";
        sql.run(statement, &parameters)?;
        if before.is_none() {
            let oldest = "DELETE FROM breaker_v1 WHERE fingerprint NOT IN
                (SELECT fingerprint FROM breaker_v1 ORDER BY changed_ms DESC, fingerprint LIMIT ?)";
            sql.run(oldest, &[SqlValue::number(BREAKERS_KEPT)])?;
        }
    }
    Ok(answer)
}
