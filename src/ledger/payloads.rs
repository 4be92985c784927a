//! The payloads of a ledger that a filter selects: listed, counted, and decided about together.
//!
//! # Invariants
//! A decision about many applies to the payloads that were counted, in the states in which they were counted, or to none.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::books::PayloadView;
use super::decisions::DeliveryDecision;
use super::deliveries::apply;
use super::delivery::{Delivery, DeliveryState};
use super::delivery_rows::{deliveries, save};
use super::outage;
use super::packs;
use super::source_id::SourceId;
use super::views::view_of;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::rpc::calls;

calls! {
    "v1/payloads": ListPayloads => PayloadList,
    "v1/count-payloads": CountPayloads => PayloadSet,
    "v1/decide-payloads": DecidePayloads => SetDecision,
}

/// Which payloads are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PayloadFilter {
    /// Their state; `None` for any.
    pub state: Option<DeliveryState>,
    /// The code of their last failure; `None` for any.
    pub code: Option<String>,
    /// Unix milliseconds before which they came to rest, or were sealed if they did not yet.
    pub before_ms: Option<i64>,
}

/// A request for the payloads that a filter selects, by source, plan and index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPayloads {
    /// Which payloads.
    pub filter: PayloadFilter,
    /// Maximum number of payloads in the answer.
    pub limit: u64,
    /// The last payload of the page before: its source, plan and index.
    pub after: Option<(SourceId, u32, String)>,
}

/// A ledger's answer to [`ListPayloads`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadList {
    /// The payloads, by source, plan and index.
    pub payloads: Vec<PayloadView>,
}

/// A request to count the payloads that a filter selects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountPayloads {
    /// Which payloads.
    pub filter: PayloadFilter,
    /// Maximum number of payloads to count, the first ones.
    pub limit: u64,
}

/// Some payloads of a ledger, as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadSet {
    /// Number of payloads.
    pub payloads: u64,
    /// Number of their lines.
    pub lines: u64,
    /// A hash of their names and states, in hexadecimal digits.
    pub digest: String,
}

/// A request to apply a decision to the payloads that were counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidePayloads {
    /// What was counted.
    pub count: CountPayloads,
    /// What the count came to.
    pub expected: PayloadSet,
    /// The person's decision.
    pub decision: DeliveryDecision,
    /// The reason that the person gave.
    pub reason: String,
}

/// A ledger's answer to [`DecidePayloads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetDecision {
    /// Whether the payloads were those that had been counted; if not, nothing was done.
    pub applied: bool,
    /// Number of payloads whose state changed.
    pub decided: u64,
    /// Number of their lines.
    pub lines: u64,
}

impl PayloadSet {
    fn of(payloads: &[Delivery]) -> Self {
        let mut digest = Sha256::new();
        for Delivery { source, plan, payload, state, token, .. } in payloads {
            digest.update(format!("{}.{plan}.{} {} {token}\n", source.as_str(), payload.index, state.name()));
        }
        Self {
            payloads: payloads.len() as u64,
            lines: payloads.iter().map(|delivery| delivery.payload.lines).sum(),
            digest: hex::encode(digest.finalize()),
        }
    }
}

/// Lists payloads.
pub(super) fn list(
    sql: &impl SqlDatabase,
    ledger: &str,
    call: &ListPayloads,
    now_ms: i64,
) -> Result<PayloadList, BackendError> {
    let mut found = select(sql, &call.filter, call.after.as_ref(), call.limit)?;
    locate(sql, &mut found)?;
    let known = outage::standing(sql)?;
    let payloads = found.iter().map(|delivery| view_of(ledger, delivery, &known, now_ms)).collect();
    Ok(PayloadList { payloads })
}

/// Counts payloads.
pub(super) fn count(sql: &impl SqlDatabase, call: &CountPayloads) -> Result<PayloadSet, BackendError> {
    Ok(PayloadSet::of(&select(sql, &call.filter, None, call.limit)?))
}

/// Applies a decision to payloads that were counted. The alarm sends the messages of those that are to be sent.
pub(super) fn decide_all(
    sql: &impl SqlDatabase,
    call: &DecidePayloads,
    now_ms: i64,
) -> Result<SetDecision, BackendError> {
    let mut found = select(sql, &call.count.filter, None, call.count.limit)?;
    if PayloadSet::of(&found) != call.expected {
        return Ok(SetDecision { applied: false, decided: 0, lines: 0 });
    }
    locate(sql, &mut found)?;
    let mut answer = SetDecision { applied: true, decided: 0, lines: 0 };
    for delivery in &mut found {
        if apply(delivery, call.decision, &call.reason, now_ms) {
            save(sql, delivery)?;
            answer.decided += 1;
            answer.lines += delivery.payload.lines;
        }
    }
    Ok(answer)
}

/// Returns the payloads that a filter selects after this one. The code of those that a person decided about is that
/// person's reason, which no filter reads.
fn select(
    sql: &impl SqlDatabase,
    filter: &PayloadFilter,
    after: Option<&(SourceId, u32, String)>,
    limit: u64,
) -> Result<Vec<Delivery>, BackendError> {
    let condition = "(?1 IS NULL OR state = ?1)
        AND (?2 IS NULL OR (code = ?2 AND state NOT IN ('dropped', 'confirmed')))
        AND (?3 IS NULL OR ?3 > coalesce(completed_ms, (SELECT sealed_ms FROM plan_v1
            WHERE plan_v1.source = payload_v1.source AND plan_v1.number = payload_v1.plan)))
        AND (source, plan, number) > (?4, ?5, ?6)
        ORDER BY source, plan, number LIMIT ?7";
    let (source, plan, index) =
        after.map_or(("", 0, ""), |(source, plan, index)| (source.as_str(), *plan, index.as_str()));
    let parameters = [
        filter.state.map_or(SqlValue::Null, |state| SqlValue::text(state.name())),
        filter.code.as_deref().map_or(SqlValue::Null, SqlValue::text),
        filter.before_ms.map_or(SqlValue::Null, SqlValue::Integer),
        SqlValue::text(source),
        SqlValue::number(plan),
        SqlValue::text(index),
        SqlValue::number(limit),
    ];
    deliveries(sql, condition, &parameters)
}

/// Adds the locations of their bodies to payloads that are ordered by source.
fn locate(sql: &impl SqlDatabase, found: &mut [Delivery]) -> Result<(), BackendError> {
    for of_source in found.chunk_by_mut(|one, next| one.source == next.source) {
        if let Some(source) = of_source.first().map(|delivery| delivery.source.clone()) {
            packs::locate(sql, &source, of_source)?;
        }
    }
    Ok(())
}
