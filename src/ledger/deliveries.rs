//! The calls about one payload, over its row and the ledger's breaker.
//!
//! A refused call is part of its answer; an error always means that the database failed, or that a split does not fit
//! its payload.

use super::breaker::Breaker;
use super::calls::{
    CallAck, ClaimAnswer, ClaimPayload, CommitAnswer, CommitAttempt, DecideDelivery, DecisionAnswer, DeliveryDecision,
    ExpiredPacks, ListExpiredPacks, MarkRemoved, SplitAnswer, SplitPayload,
};
use super::delivery::{AttemptOutcome, ClaimVerdict, Delivery, DeliveryState, TOO_LARGE, WaitReason};
use super::ids::DeliveryId;
use super::sources::id_of;
use super::tables::{BREAKER, breaker, deliveries, find, json, save};
use super::{packs, wake};
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::OUTBOX_FIRST_MS;

/// Grants a claim, or returns the reason why not.
pub(super) fn claim(
    sql: &impl SqlDatabase,
    call: &ClaimPayload,
    now_ms: i64,
) -> Result<(ClaimAnswer, Option<i64>), BackendError> {
    let Some(mut delivery) = packs::find(sql, &call.id)? else { return Ok((ClaimAnswer::Unknown, None)) };
    let before = delivery.clone();
    let mut held_ms = None;
    let answer = match delivery.may_be_claimed(&call.claimant, now_ms) {
        ClaimVerdict::Terminal(state) => ClaimAnswer::Terminal { state },
        ClaimVerdict::Wait(until_ms, why) => ClaimAnswer::Wait { until_ms, why },
        ClaimVerdict::Granted(_) if delivery.state == DeliveryState::Sending => yes(&delivery, delivery.token),
        ClaimVerdict::Granted(_) => {
            if let Err(until_ms) = change_breaker(sql, |breaker| breaker.admit(&call.endpoint, now_ms))? {
                // It stays due: the alarm sends its message as soon as the breaker closes.
                delivery.wake_ms = Some(delivery.next_attempt_ms);
                held_ms = Some(until_ms);
                ClaimAnswer::Wait { until_ms, why: WaitReason::BreakerOpen }
            } else {
                let token = delivery.claim(&call.claimant, call.on_unknown, now_ms);
                yes(&delivery, token)
            }
        }
    };
    if delivery != before {
        save(sql, &delivery)?;
    }
    Ok((answer, held_ms.or(delivery.wake_ms)))
}

fn yes(delivery: &Delivery, token: u32) -> ClaimAnswer {
    ClaimAnswer::Granted { token, payload: delivery.payload.clone(), attempt: delivery.attempts }
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
    let mut wake_ms = None;
    let counted = delivery.commit(call.token, &call.outcome, now_ms);
    if counted {
        save(sql, &delivery)?;
        // A commit that closes the breaker lets the other payloads continue.
        let closed = learn(sql, &call.outcome, now_ms)?;
        wake_ms = if closed { wake::next(sql)? } else { delivery.wake_ms };
    }
    Ok((CommitAnswer { counted, state: Some(delivery.state) }, wake_ms))
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
    // The partner did answer.
    learn(sql, &AttemptOutcome::Refused { status: Some(413), code: TOO_LARGE.into() }, now_ms)?;
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
    // A payload whose body was removed cannot be sent again.
    let decision = delivery.payload.pack.as_ref().map(|_| call.decision);
    let mut send = Vec::new();
    match (decision, before) {
        (Some(DeliveryDecision::Drop), DeliveryState::Parked) => delivery.drop_for(&call.reason, now_ms),
        (Some(DeliveryDecision::Release), DeliveryState::Parked)
        | (Some(DeliveryDecision::Resend), DeliveryState::Parked | DeliveryState::Delivered) => {
            delivery.release(now_ms);
            send.push(id_of(&call.id.ledger, &delivery));
            if call.decision == DeliveryDecision::Resend {
                change_breaker(sql, Breaker::close)?;
            }
        }
        _ => {}
    }
    if delivery.state != before {
        save(sql, &delivery)?;
    }
    Ok(DecisionAnswer { before: Some(before), state: Some(delivery.state), send })
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

/// Changes the breaker, and writes it back if it differs.
fn change_breaker<T>(sql: &impl SqlDatabase, change: impl FnOnce(&mut Breaker) -> T) -> Result<T, BackendError> {
    let before = breaker(sql)?;
    let mut now = before.clone();
    let answer = change(&mut now);
    if now != before {
        let parameters = [SqlValue::text(BREAKER), json(&now)];
        sql.run("INSERT OR REPLACE INTO note_v1 (name, value) VALUES (?, ?)", &parameters)?;
    }
    Ok(answer)
}

/// Updates the breaker with the outcome of an attempt; returns whether that closed it.
fn learn(sql: &impl SqlDatabase, outcome: &AttemptOutcome, now_ms: i64) -> Result<bool, BackendError> {
    change_breaker(sql, |breaker| {
        let was_open = breaker.is_open();
        breaker.learn(outcome, now_ms);
        was_open && !breaker.is_open()
    })
}
