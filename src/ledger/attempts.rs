//! Attempts to send payloads: claimed before anything is sent, committed once the partner has answered; several payloads of a
//! plan in one call, so that all of them take one row.
//!
//! A refused claim or commit is part of the answer; an error always means that the database failed.
//!
//! # Invariants
//! What a call says of several payloads is what calls for each of them would say, one after the other at the same instant. Under the
//! probe of an open breaker one payload is claimed, and no other.

use serde::{Deserialize, Serialize};

use super::breaker::{BreakerState, PartnerRefusal, PartnerStanding};
use super::delivery::{
    AttemptFacts, AttemptOutcome, ClaimVerdict, Delivery, DeliveryState, NO_ANSWER, Payload, WaitReason,
};
use super::delivery_rows::{find, save_all};
use super::ids::DeliveryId;
use super::plan::{DeliveryPlan, PlanBackfill};
use super::tables::{LedgerRow, json_note, keep_note};
use super::{outage, packs, wake};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::partner::OnUnknown;
use crate::rpc::calls;

calls! {
    "v1/claim": ClaimPayload => ClaimAnswer,
    "v1/claim-several": ClaimPayloads => Vec<ClaimAnswer>,
    "v1/commit": CommitAttempt => CommitAnswer,
    "v1/commit-several": CommitAttempts => Vec<CommitAnswer>,
}

/// A request to claim a payload for sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimPayload {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// A name for the attempt: repeating the call with it returns the same answer.
    pub claimant: String,
    /// What the partner's breaker said to the claimant.
    pub standing: PartnerStanding,
    /// Duration of the claim in milliseconds.
    pub lease_ms: i64,
    /// The policy for an unknown outcome.
    pub on_unknown: OnUnknown,
}

/// A request to claim several payloads of one plan, which are sent together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimPayloads {
    /// The claim of the first one.
    pub first: ClaimPayload,
    /// The indexes of the others.
    pub others: Vec<String>,
}

/// A ledger's answer to [`ClaimPayload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
pub enum ClaimAnswer {
    /// The claimant holds the payload until its lease ends.
    Granted {
        /// The token that a commit must carry.
        token: u32,
        /// The payload with the location of its body.
        payload: Payload,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// Whether the attempt before got no answer: the connection is tried before the body goes out.
        unanswered: bool,
        /// The backfill that its plan belongs to, whose rate holds for it; `None` for live traffic.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        backfill: Option<PlanBackfill>,
        /// Its place in line at the pacer, if it has one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        place_ms: Option<i64>,
    },
    /// The payload must wait: the ledger sends another message when it is due.
    Wait {
        /// The earliest instant, in Unix milliseconds.
        until_ms: i64,
        /// The reason for the wait.
        why: WaitReason,
    },
    /// The payload is in a terminal state.
    Terminal {
        /// The terminal state, or `Parked`.
        state: DeliveryState,
    },
    /// The ledger has no such payload.
    Unknown,
}

/// A request to record the outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitAttempt {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// The token of the claim.
    pub token: u32,
    /// The outcome, derived from the partner's answer.
    pub outcome: AttemptOutcome,
    /// The partner's words, cleaned, if it refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<String>,
    /// What the sender knows of the attempt beside its outcome.
    #[serde(flatten)]
    pub facts: AttemptFacts,
}

/// A request to record the outcomes of several attempts, which ended together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitAttempts {
    /// The attempts.
    pub attempts: Vec<CommitAttempt>,
}

/// A ledger's answer to [`CommitAttempt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitAnswer {
    /// Whether the commit was accepted: it carries the latest token, and is the first to do so.
    pub counted: bool,
    /// The current state of the payload; `None` if the ledger does not have it.
    pub state: Option<DeliveryState>,
}

/// The name of the note that holds the partner's last refusal.
pub(super) const LAST_REFUSAL: &str = "last_refusal";

/// Returns the partner's last refusal.
pub(super) fn last_refusal(sql: &impl SqlDatabase) -> Result<Option<PartnerRefusal>, BackendError> {
    json_note(sql, LAST_REFUSAL)
}

/// Grants a claim, or returns the reason why not.
pub(super) fn claim(
    sql: &impl SqlDatabase,
    call: &ClaimPayload,
    now_ms: i64,
) -> Result<(ClaimAnswer, Option<i64>), BackendError> {
    let (answers, wake_ms) = claim_each(sql, call, std::slice::from_ref(&call.id), now_ms)?;
    Ok((answers.into_iter().next().unwrap_or(ClaimAnswer::Unknown), wake_ms))
}

/// Grants the claims of several payloads, or returns the reason why not, in their order.
pub(super) fn claim_several(
    sql: &impl SqlDatabase,
    call: &ClaimPayloads,
    now_ms: i64,
) -> Result<(Vec<ClaimAnswer>, Option<i64>), BackendError> {
    let ClaimPayloads { first, others } = call;
    let others = others.iter().map(|index| DeliveryId { index: index.clone(), ..first.id.clone() });
    let ids: Vec<DeliveryId> = std::iter::once(first.id.clone()).chain(others).collect();
    claim_each(sql, first, &ids, now_ms)
}

fn claim_each(
    sql: &impl SqlDatabase,
    call: &ClaimPayload,
    ids: &[DeliveryId],
    now_ms: i64,
) -> Result<(Vec<ClaimAnswer>, Option<i64>), BackendError> {
    let find_all = || ids.iter().map(|id| packs::find(sql, id)).collect::<Result<Vec<_>, _>>();
    let mut found = find_all()?;
    if found.iter().all(Option::is_none) {
        return Ok((vec![ClaimAnswer::Unknown; ids.len()], None));
    }
    let recovered = outage::learn(sql, &call.standing, now_ms)?;
    if recovered {
        // What waited for the partner is due now.
        found = find_all()?;
    }
    let (mut held, backfill) = (held_by(sql, &call.standing)?, backfill_of(sql, &call.id)?);
    let (mut answers, mut changed, mut wakes) = (Vec::new(), Vec::new(), Vec::new());
    for (id, known) in ids.iter().zip(found) {
        let earlier = take_from(&mut changed, id);
        let is_changed = earlier.is_some();
        let Some(mut delivery) = earlier.or(known) else {
            answers.push(ClaimAnswer::Unknown);
            continue;
        };
        let before = delivery.clone();
        let answer = judge(call, (&mut delivery, held), backfill, now_ms);
        let is_granted = matches!(answer, ClaimAnswer::Granted { .. });
        let is_held = matches!(answer, ClaimAnswer::Wait { why: WaitReason::BreakerOpen, .. });
        wakes.extend(held.filter(|_| is_held).or(delivery.wake_ms));
        if is_granted && call.standing.state == BreakerState::Probing {
            // One payload is the probe; the breaker holds the others until it has heard how that went.
            held = Some(call.standing.until_ms.unwrap_or(call.standing.as_of_ms));
        }
        answers.push(answer);
        if is_changed || delivery != before {
            changed.push(delivery);
        }
    }
    save_all(sql, &changed)?;
    // The others that waited for the partner are due, too.
    let wake_ms = if recovered { wake::next(sql)? } else { wakes.into_iter().min() };
    Ok((answers, wake_ms))
}

/// Takes a payload out of those that the same call has changed before.
fn take_from(changed: &mut Vec<Delivery>, id: &DeliveryId) -> Option<Delivery> {
    let is_it = |one: &Delivery| (&one.source, one.plan, &one.payload.index) == (&id.source, id.plan, &id.index);
    changed.iter().position(is_it).map(|at| changed.remove(at))
}

/// Judges the claim of one payload, which the breaker may hold until an instant, and changes the payload accordingly.
fn judge(
    call: &ClaimPayload,
    (delivery, held): (&mut Delivery, Option<i64>),
    backfill: Option<PlanBackfill>,
    now_ms: i64,
) -> ClaimAnswer {
    match delivery.may_be_claimed(&call.claimant, now_ms) {
        ClaimVerdict::Terminal(state) => ClaimAnswer::Terminal { state },
        ClaimVerdict::Wait(until_ms, why) => ClaimAnswer::Wait { until_ms, why },
        ClaimVerdict::Granted(token) if delivery.state == DeliveryState::Sending => yes(delivery, token, backfill),
        ClaimVerdict::Granted(_) => {
            if let Some(until_ms) = held {
                // It stays due: the alarm sends its message as soon as the breaker closes.
                delivery.wake_ms = Some(delivery.next_attempt_ms);
                return ClaimAnswer::Wait { until_ms, why: WaitReason::BreakerOpen };
            }
            let token = delivery.claim(&call.claimant, call.on_unknown, call.lease_ms, now_ms);
            yes(delivery, token, backfill)
        }
    }
}

/// Returns until when the breaker holds a claim that heard this of it; `None` if it holds none.
fn held_by(sql: &impl SqlDatabase, heard: &PartnerStanding) -> Result<Option<i64>, BackendError> {
    let known = outage::standing(sql)?;
    let latest = if known.as_of_ms > heard.as_of_ms { &known } else { heard };
    let is_held = heard.state != BreakerState::Probing && latest.is_open();
    Ok(is_held.then(|| latest.until_ms.unwrap_or(latest.as_of_ms)))
}

/// Returns the claim with what its sender needs.
fn yes(delivery: &Delivery, token: u32, backfill: Option<PlanBackfill>) -> ClaimAnswer {
    ClaimAnswer::Granted {
        token,
        payload: delivery.payload.clone(),
        attempt: delivery.attempts,
        unanswered: delivery.code.as_deref() == Some(NO_ANSWER),
        backfill,
        place_ms: delivery.place_ms,
    }
}

/// Returns the backfill that a payload's plan belongs to.
fn backfill_of(sql: &impl SqlDatabase, id: &DeliveryId) -> Result<Option<PlanBackfill>, BackendError> {
    let plan = [SqlValue::text(id.source.as_str()), SqlValue::number(id.plan)];
    let rows = sql.run("SELECT plan FROM plan_v1 WHERE source = ? AND number = ?", &plan)?.rows;
    let plan: Option<DeliveryPlan> = rows.first().map(|row| LedgerRow(row).json(0)).transpose()?;
    Ok(plan.and_then(|plan| plan.backfill))
}

/// Records the outcome of an attempt.
pub(super) fn commit(
    sql: &impl SqlDatabase,
    call: &CommitAttempt,
    now_ms: i64,
) -> Result<(CommitAnswer, Option<i64>), BackendError> {
    let (answers, wake_ms) = commit_each(sql, std::slice::from_ref(call), now_ms)?;
    Ok((answers.into_iter().next().unwrap_or(CommitAnswer { counted: false, state: None }), wake_ms))
}

/// Records the outcomes of several attempts, in their order.
pub(super) fn commit_several(
    sql: &impl SqlDatabase,
    call: &CommitAttempts,
    now_ms: i64,
) -> Result<(Vec<CommitAnswer>, Option<i64>), BackendError> {
    commit_each(sql, &call.attempts, now_ms)
}

fn commit_each(
    sql: &impl SqlDatabase,
    attempts: &[CommitAttempt],
    now_ms: i64,
) -> Result<(Vec<CommitAnswer>, Option<i64>), BackendError> {
    let (mut answers, mut changed, mut refusal) = (Vec::new(), Vec::new(), None);
    for call in attempts {
        let earlier = take_from(&mut changed, &call.id);
        let is_changed = earlier.is_some();
        let Some(mut delivery) = earlier.map_or_else(|| find(sql, &call.id), |earlier| Ok(Some(earlier)))? else {
            answers.push(CommitAnswer { counted: false, state: None });
            continue;
        };
        let is_silent = matches!(&call.outcome, AttemptOutcome::Unknown { code } if code == NO_ANSWER);
        let has_answer = is_silent && (has_delivered(attempts) || has_answer_since(sql, &delivery)?);
        let facts = AttemptFacts { others_answered: call.facts.others_answered || has_answer, ..call.facts };
        let counted = delivery.commit(call.token, &call.outcome, facts, now_ms);
        answers.push(CommitAnswer { counted, state: Some(delivery.state) });
        if counted {
            if !call.outcome.is_returned() {
                delivery.refusal.clone_from(&call.refusal);
            }
            refusal = PartnerRefusal::from_outcome(&call.outcome, now_ms).or(refusal);
        }
        if is_changed || counted {
            changed.push(delivery);
        }
    }
    save_all(sql, &changed)?;
    if let Some(refusal) = refusal {
        keep_note(sql, LAST_REFUSAL, &refusal)?;
    }
    Ok((answers, changed.iter().filter_map(|delivery| delivery.wake_ms).min()))
}

/// Returns whether one of these attempts ended with the partner's word that it has the payload.
fn has_delivered(attempts: &[CommitAttempt]) -> bool {
    attempts.iter().any(|attempt| matches!(attempt.outcome, AttemptOutcome::Delivered { .. }))
}

/// Returns whether the partner took another payload of this ledger since this one was claimed.
fn has_answer_since(sql: &impl SqlDatabase, delivery: &Delivery) -> Result<bool, BackendError> {
    let statement = "SELECT 1 FROM payload_v1 WHERE state = ? AND completed_ms >= ? LIMIT 1";
    let parameters = [SqlValue::text(DeliveryState::Delivered.name()), SqlValue::Integer(delivery.claimed_ms)];
    Ok(!sql.run(statement, &parameters)?.rows.is_empty())
}
