//! What a ledger knows of the partner as a whole: its copy of the breaker's latest standing, which claims bring.
//!
//! The alarm needs it to hold messages back, people to see why payloads wait.
//!
//! # Invariants
//! A later standing is never replaced by an earlier one. When a ledger learns that the partner has recovered, everything
//! that waits because of the partner is due at once, and its own pause is forgotten.

use serde::{Deserialize, Serialize};

use super::breaker::{BreakerState, PartnerStanding};
use super::delivery::{DeliveryState, PARTNER_FAILURES};
use super::delivery_rows::change_all;
use super::tables::{LedgerRow, json_note, keep_note};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::BREAKER_MIN_MS;
use crate::rpc::calls;

/// The name of the note that holds the copy.
const PARTNER: &str = "partner";

calls! {
    "v1/learn-partner": LearnPartner => WaitingPayloads,
}

/// News of the partner for a ledger whose payloads may wait because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnPartner {
    /// What the partner's breaker says now; `None` if a person wants everything tried now.
    pub standing: Option<PartnerStanding>,
}

/// A ledger's answer to [`LearnPartner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingPayloads {
    /// Number of payloads that wait.
    pub waiting: u64,
}

/// Takes note of what the breaker says, or makes what waits due; returns how much waits.
pub(super) fn learn_partner(
    sql: &impl SqlDatabase,
    call: &LearnPartner,
    now_ms: i64,
) -> Result<WaitingPayloads, BackendError> {
    match &call.standing {
        Some(standing) => {
            learn(sql, standing, now_ms)?;
        }
        None => try_now(sql, now_ms)?,
    }
    let state = SqlValue::text(DeliveryState::Prepared.name());
    let counted = sql.run("SELECT count(*) FROM payload_v1 WHERE state = ?", &[state])?;
    let waiting = counted.rows.first().map_or(Ok(0), |row| LedgerRow(row).number(0))?;
    Ok(WaitingPayloads { waiting })
}

/// Returns the latest standing that the ledger knows of; closed if it never heard of another one.
pub(super) fn standing(sql: &impl SqlDatabase) -> Result<PartnerStanding, BackendError> {
    Ok(json_note(sql, PARTNER)?.unwrap_or_default())
}

/// Takes note of a standing; returns whether the ledger learns from it that the partner has recovered.
pub(super) fn learn(sql: &impl SqlDatabase, heard: &PartnerStanding, now_ms: i64) -> Result<bool, BackendError> {
    let known = standing(sql)?;
    let is_old = heard.as_of_ms < known.as_of_ms;
    if is_old || !known.is_open() && !heard.is_open() {
        return Ok(false);
    }
    let recovered = !heard.is_open();
    let state = if recovered { BreakerState::Closed } else { BreakerState::Open };
    let copy = PartnerStanding { state, ..heard.clone() };
    // A copy that differs in nothing but its instant is not worth a row.
    if copy != (PartnerStanding { as_of_ms: copy.as_of_ms, ..known }) {
        keep_note(sql, PARTNER, &copy)?;
    }
    if recovered {
        make_due(sql, now_ms)?;
    }
    Ok(recovered)
}

/// Holds further messages back until the one that was sent has had time to bring news.
pub(super) fn hold_after_probe(
    sql: &impl SqlDatabase,
    known: &PartnerStanding,
    now_ms: i64,
) -> Result<(), BackendError> {
    keep_note(sql, PARTNER, &PartnerStanding { until_ms: Some(now_ms + BREAKER_MIN_MS), ..known.clone() })
}

/// Makes the ledger's next message due, if it holds payloads back.
pub(super) fn try_now(sql: &impl SqlDatabase, now_ms: i64) -> Result<(), BackendError> {
    let known = standing(sql)?;
    if known.is_open() {
        keep_note(sql, PARTNER, &PartnerStanding { until_ms: Some(now_ms), ..known })?;
    }
    make_due(sql, now_ms)
}

/// Makes everything due that waits because of the partner. What has a place in line comes back for it, not before.
fn make_due(sql: &impl SqlDatabase, now_ms: i64) -> Result<(), BackendError> {
    let codes = PARTNER_FAILURES.map(|code| format!("'{code}'")).join(", ");
    let change = format!(
        "next_attempt_ms = min(next_attempt_ms, ?1), wake_ms = ?1
         WHERE state = ?2 AND wake_ms > ?1 AND (next_attempt_ms <= ?1 OR place_ms IS NULL AND code IN ({codes}))"
    );
    let parameters = [SqlValue::Integer(now_ms), SqlValue::text(DeliveryState::Prepared.name())];
    change_all(sql, &change, &parameters)
}
