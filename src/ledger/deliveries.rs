//! What becomes of one payload beside attempts to send it: it is split, a person decides, its body goes.
//!
//! A refused call is part of its answer; an error always means that the database failed, or that a split does not fit
//! its payload.

use super::attempts::LAST_REFUSAL;
use super::breaker::PartnerRefusal;
use super::calls::{
    CallAck, DecideDelivery, DecisionAnswer, DeliveryDecision, ExpiredPacks, ListExpiredPacks, MarkRemoved,
    SplitAnswer, SplitPayload,
};
use super::delivery::{Delivery, DeliveryState, TOO_LARGE};
use super::delivery_rows::{deliveries, find, save};
use super::ids::DeliveryId;
use super::packs;
use super::sources::id_of;
use super::tables::keep_note;
use crate::backend::{BackendError, SqlDatabase, SqlValue};
use crate::limits::OUTBOX_FIRST_MS;

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
        return Ok(DecisionAnswer { before: None, state: None, send: Vec::new(), erased: false });
    };
    let before = delivery.state;
    let mut send = Vec::new();
    if apply(&mut delivery, call.decision, &call.reason, now_ms) {
        save(sql, &delivery)?;
        if delivery.state == DeliveryState::Prepared {
            send.push(id_of(&call.id.ledger, &delivery));
        }
    }
    let erased = delivery.payload.pack.as_ref().is_some_and(|place| place.erased);
    Ok(DecisionAnswer { before: Some(before), state: Some(delivery.state), send, erased })
}

/// Applies a person's decision to a payload with the location of its body; returns whether its state allows it.
pub(super) fn apply(delivery: &mut Delivery, decision: DeliveryDecision, reason: &str, now_ms: i64) -> bool {
    // A payload whose body was removed cannot be sent again.
    let Some(place) = &delivery.payload.pack else { return false };
    match (decision, delivery.state) {
        (DeliveryDecision::Release | DeliveryDecision::Resend, _) if place.erased => return false,
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
