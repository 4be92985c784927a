//! The calls about one payload, over its row and what the ledger knows of the partner.
//!
//! A refused call is part of its answer; an error always means that the database failed, or that a split does not fit
//! its payload.

use super::breaker::{BreakerState, PartnerRefusal, PartnerStanding};
use super::calls::{
    CallAck, ClaimAnswer, ClaimPayload, CommitAnswer, CommitAttempt, DecideDelivery, DecisionAnswer, DeliveryDecision,
    ExpiredPacks, ListExpiredPacks, MarkRemoved, SplitAnswer, SplitPayload,
};
use super::delivery::{
    AttemptFacts, AttemptOutcome, ClaimVerdict, Delivery, DeliveryState, NO_ANSWER, TOO_LARGE, WaitReason,
};
use super::ids::DeliveryId;
use super::plan::{DeliveryPlan, PlanBackfill};
use super::sources::id_of;
use super::tables::{LedgerRow, deliveries, find, json_note, keep_note, save};
use super::{outage, packs, wake};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::OUTBOX_FIRST_MS;

/// Grants a claim, or returns the reason why not.
pub(super) fn claim(
    sql: &impl SqlDatabase,
    call: &ClaimPayload,
    now_ms: i64,
) -> Result<(ClaimAnswer, Option<i64>), BackendError> {
    if find(sql, &call.id)?.is_none() {
        return Ok((ClaimAnswer::Unknown, None));
    }
    let recovered = outage::learn(sql, &call.standing, now_ms)?;
    let held = held_by(sql, &call.standing)?;
    let Some(mut delivery) = packs::find(sql, &call.id)? else { return Ok((ClaimAnswer::Unknown, None)) };
    let before = delivery.clone();
    let mut held_ms = None;
    let answer = match delivery.may_be_claimed(&call.claimant, now_ms) {
        ClaimVerdict::Terminal(state) => ClaimAnswer::Terminal { state },
        ClaimVerdict::Wait(until_ms, why) => ClaimAnswer::Wait { until_ms, why },
        ClaimVerdict::Granted(_) if delivery.state == DeliveryState::Sending => yes(sql, &delivery, delivery.token)?,
        ClaimVerdict::Granted(_) => {
            if let Some(until_ms) = held {
                // It stays due: the alarm sends its message as soon as the breaker closes.
                delivery.wake_ms = Some(delivery.next_attempt_ms);
                held_ms = Some(until_ms);
                ClaimAnswer::Wait { until_ms, why: WaitReason::BreakerOpen }
            } else {
                let token = delivery.claim(&call.claimant, call.on_unknown, call.lease_ms, now_ms);
                yes(sql, &delivery, token)?
            }
        }
    };
    if delivery != before {
        save(sql, &delivery)?;
    }
    // The others that waited for the partner are due, too.
    let wake_ms = if recovered { wake::next(sql)? } else { held_ms.or(delivery.wake_ms) };
    Ok((answer, wake_ms))
}

/// Returns until when the breaker holds a claim that heard this of it; `None` if it holds none.
fn held_by(sql: &impl SqlDatabase, heard: &PartnerStanding) -> Result<Option<i64>, BackendError> {
    let known = outage::standing(sql)?;
    let latest = if known.as_of_ms > heard.as_of_ms { &known } else { heard };
    let is_held = heard.state != BreakerState::Probing && latest.is_open();
    Ok(is_held.then(|| latest.until_ms.unwrap_or(latest.as_of_ms)))
}

/// Returns the claim with what its sender needs.
fn yes(sql: &impl SqlDatabase, delivery: &Delivery, token: u32) -> Result<ClaimAnswer, BackendError> {
    Ok(ClaimAnswer::Granted {
        token,
        payload: delivery.payload.clone(),
        attempt: delivery.attempts,
        unanswered: delivery.code.as_deref() == Some(NO_ANSWER),
        backfill: backfill_of(sql, delivery)?,
        place_ms: delivery.place_ms,
    })
}

/// Returns the backfill that a payload's plan belongs to.
fn backfill_of(sql: &impl SqlDatabase, delivery: &Delivery) -> Result<Option<PlanBackfill>, BackendError> {
    let plan = [SqlValue::text(delivery.source.as_str()), SqlValue::number(delivery.plan)];
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
    let Some(mut delivery) = find(sql, &call.id)? else {
        return Ok((CommitAnswer { counted: false, state: None }, None));
    };
    let is_silent = matches!(&call.outcome, AttemptOutcome::Unknown { code } if code == NO_ANSWER);
    let others_answered = call.facts.others_answered || is_silent && has_answer_since(sql, &delivery)?;
    let facts = AttemptFacts { others_answered, ..call.facts };
    let counted = delivery.commit(call.token, &call.outcome, facts, now_ms);
    if counted {
        if !call.outcome.is_returned() {
            delivery.refusal.clone_from(&call.refusal);
        }
        save(sql, &delivery)?;
        if let Some(refusal) = PartnerRefusal::from_outcome(&call.outcome, now_ms) {
            keep_note(sql, LAST_REFUSAL, &refusal)?;
        }
    }
    Ok((CommitAnswer { counted, state: Some(delivery.state) }, delivery.wake_ms.filter(|_| counted)))
}

/// The name of the note that holds the partner's last refusal.
const LAST_REFUSAL: &str = "last_refusal";

/// Returns the partner's last refusal.
pub(super) fn last_refusal(sql: &impl SqlDatabase) -> Result<Option<PartnerRefusal>, BackendError> {
    json_note(sql, LAST_REFUSAL)
}

/// Returns whether the partner took another payload of this ledger since this one was claimed.
fn has_answer_since(sql: &impl SqlDatabase, delivery: &Delivery) -> Result<bool, BackendError> {
    let statement = "SELECT 1 FROM delivery_v1 WHERE state = ? AND completed_ms >= ? LIMIT 1";
    let parameters = [SqlValue::text(DeliveryState::Delivered.name()), SqlValue::Integer(delivery.claimed_ms)];
    Ok(!sql.run(statement, &parameters)?.rows.is_empty())
}

/// Replaces a payload with two smaller ones.
pub(super) fn split(sql: &impl SqlDatabase, call: &SplitPayload, now_ms: i64) -> Result<SplitAnswer, BackendError> {
    let refuse = |why: &str| Err(BackendError::new("splitting a payload", why));
    let Some(mut whole) = find(sql, &call.id)? else { return refuse("the ledger has no such payload") };
    let indexes = call.id.split_indexes();
    if whole.state == DeliveryState::Split {
        return Ok(SplitAnswer { send: split_payloads(sql, call)? });
    }
    if whole.token != call.token || whole.state != DeliveryState::Sending {
        return Ok(SplitAnswer { send: Vec::new() });
    }
    let lines: u64 = call.split_into.iter().map(|half| half.lines).sum();
    if lines != whole.payload.lines || !call.split_into.iter().map(|half| &half.index).eq(&indexes) {
        return refuse("its halves are not the whole");
    }
    let [first, _] = &indexes;
    if !call.split_into.iter().all(|half| half.pack.as_ref().is_some_and(|place| place.first == *first)) {
        return refuse("its halves are not in one pack");
    }
    packs::keep(sql, &whole.source, whole.plan, &call.split_into)?;
    whole.split(now_ms);
    save(sql, &whole)?;
    for half in &call.split_into {
        let half = Delivery::new(whole.source.clone(), whole.plan, half.clone(), now_ms, now_ms + OUTBOX_FIRST_MS);
        save(sql, &half)?;
    }
    let refusal = PartnerRefusal { status: Some(413), code: TOO_LARGE.into(), at_ms: now_ms };
    keep_note(sql, LAST_REFUSAL, &refusal)?;
    Ok(SplitAnswer { send: split_payloads(sql, call)? })
}

/// Returns those of the two smaller payloads that were never claimed.
fn split_payloads(sql: &impl SqlDatabase, call: &SplitPayload) -> Result<Vec<DeliveryId>, BackendError> {
    let [first, second] = call.id.split_indexes();
    let place = [SqlValue::text(call.id.source.as_str()), SqlValue::number(call.id.plan)];
    let parameters = [place.as_slice(), &[SqlValue::text(first), SqlValue::text(second)]].concat();
    let halves = deliveries(sql, "source = ? AND plan = ? AND number IN (?, ?)", &parameters)?;
    let waiting = halves.iter().filter(|half| half.state == DeliveryState::Prepared);
    Ok(waiting.map(|half| id_of(&call.id.ledger, half)).collect())
}

/// Applies a person's decision to a payload.
pub(super) fn decide(
    sql: &impl SqlDatabase,
    call: &DecideDelivery,
    now_ms: i64,
) -> Result<DecisionAnswer, BackendError> {
    let Some(mut delivery) = packs::find(sql, &call.id)? else {
        return Ok(DecisionAnswer { before: None, state: None, send: Vec::new() });
    };
    let before = delivery.state;
    let mut send = Vec::new();
    if apply(&mut delivery, call.decision, &call.reason, now_ms) {
        save(sql, &delivery)?;
        if delivery.state == DeliveryState::Prepared {
            send.push(id_of(&call.id.ledger, &delivery));
        }
    }
    Ok(DecisionAnswer { before: Some(before), state: Some(delivery.state), send })
}

/// Applies a person's decision to a payload with the location of its body; returns whether its state allows it.
pub(super) fn apply(delivery: &mut Delivery, decision: DeliveryDecision, reason: &str, now_ms: i64) -> bool {
    // A payload whose body was removed cannot be sent again.
    if delivery.payload.pack.is_none() {
        return false;
    }
    match (decision, delivery.state) {
        (DeliveryDecision::Drop, DeliveryState::Parked) => delivery.drop_for(reason, now_ms),
        (DeliveryDecision::Confirm, DeliveryState::Parked) => delivery.confirm_for(reason, now_ms),
        (DeliveryDecision::Release, DeliveryState::Parked)
        | (DeliveryDecision::Resend, DeliveryState::Parked | DeliveryState::Delivered | DeliveryState::Confirmed) => {
            delivery.release(now_ms);
        }
        _ => return false,
    }
    true
}

/// Returns the packs that can be removed.
pub(super) fn expired_packs(sql: &impl SqlDatabase, call: ListExpiredPacks) -> Result<ExpiredPacks, BackendError> {
    Ok(ExpiredPacks { packs: packs::idle(sql, call.before_ms)? })
}

/// Records that packs were removed.
pub(super) fn mark_removed(sql: &impl SqlDatabase, call: &MarkRemoved) -> Result<CallAck, BackendError> {
    call.packs.iter().try_for_each(|pack| packs::removed(sql, pack))?;
    Ok(CallAck {})
}
