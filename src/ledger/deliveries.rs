//! The calls about one payload, over its row and the breaker's.
//!
//! What always holds: the row is read, changed and written in one transaction; what a call cannot do it says in
//! its answer, so that an error is always the database's.

use super::breaker::Breaker;
use super::calls::{
    Bodies, BodiesAnswer, Claim, ClaimAnswer, Commit, CommitAnswer, Decide, DecideAnswer, Decision, Done, Removed,
    Split, SplitAnswer,
};
use super::delivery::{Claimed, Delivery, Outcome, State, Why};
use super::ids::DeliveryId;
use super::sources::id_of;
use super::tables::{AT_REST, deliveries, find, json, note, place, save};
use super::{packs, wake};
use crate::backend::{BackendError, Sql, SqlValue};
use crate::limits::{OUTBOX_FIRST_MS, SWEEP_BODIES};
use crate::mistakes::{Mistake, made};

/// The name of the note that holds the breaker.
const BREAKER: &str = "breaker";

/// Hands a payload to whoever wants to send it, or says why not.
pub(super) fn claim(sql: &impl Sql, ask: &Claim, now_ms: i64) -> Result<(ClaimAnswer, Option<i64>), BackendError> {
    let Some(mut delivery) = packs::find(sql, &ask.id)? else { return Ok((ClaimAnswer::NoSuch, None)) };
    if delivery.payload.pack.is_some() && !ask.packs {
        // It would take the body for lost; the alarm wakes another one.
        let until_ms = delivery.wake_ms.unwrap_or(now_ms);
        return Ok((ClaimAnswer::Wait { until_ms, why: Why::NotDue }, delivery.wake_ms));
    }
    let before = delivery.clone();
    let mut held_ms = None;
    let answer = match delivery.may_be_claimed(&ask.claimant, now_ms) {
        Claimed::Settled(state) => ClaimAnswer::Settled { state },
        Claimed::Wait(until_ms, why) => ClaimAnswer::Wait { until_ms, why },
        Claimed::Yes(_) if delivery.state == State::Sending => yes(&delivery, delivery.token),
        Claimed::Yes(_) => {
            if let Err(until_ms) = change_breaker(sql, |breaker| breaker.admit(&ask.endpoint, now_ms))? {
                // It stays due: once the breaker closes, the alarm rings for it at once.
                delivery.wake_ms = Some(delivery.due_ms);
                held_ms = Some(until_ms);
                ClaimAnswer::Wait { until_ms, why: Why::BreakerOpen }
            } else {
                let token = delivery.claim(&ask.claimant, ask.on_unknown, now_ms);
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
    ClaimAnswer::Yes { token, payload: delivery.payload.clone(), attempt: delivery.attempts }
}

/// Keeps how an attempt ended.
pub(super) fn commit(sql: &impl Sql, ask: &Commit, now_ms: i64) -> Result<(CommitAnswer, Option<i64>), BackendError> {
    let Some(mut delivery) = find(sql, &ask.id)? else {
        return Ok((CommitAnswer { counted: false, state: None }, None));
    };
    let mut wake_ms = None;
    let counted = delivery.commit(ask.token, &ask.outcome, now_ms);
    if counted {
        save(sql, &delivery)?;
        // One that closes the breaker lets the others go on.
        let closed = learn(sql, &ask.outcome, now_ms)?;
        wake_ms = if closed { wake::next(sql)? } else { delivery.wake_ms };
    }
    Ok((CommitAnswer { counted, state: Some(delivery.state) }, wake_ms))
}

/// Puts the halves of a payload in its place.
pub(super) fn split(sql: &impl Sql, ask: &Split, now_ms: i64) -> Result<SplitAnswer, BackendError> {
    let refuse = |why: &str| Err(BackendError::new("splitting a payload", why));
    let Some(mut whole) = find(sql, &ask.id)? else { return refuse("there is none") };
    let indexes = ask.id.halves();
    if whole.state == State::Split {
        return Ok(SplitAnswer { send: halves(sql, ask)? });
    }
    if whole.token != ask.token || whole.state != State::Sending {
        return Ok(SplitAnswer { send: Vec::new() });
    }
    let lines: u64 = ask.halves.iter().map(|half| half.lines).sum();
    if lines != whole.payload.lines || !ask.halves.iter().map(|half| &half.index).eq(&indexes) {
        return refuse("its halves are not the whole");
    }
    if ask.halves.iter().any(|half| half.pack.is_some()) {
        return refuse("a half lies alone");
    }
    if !made(Mistake::SplitKeepsWhole) {
        whole.split(now_ms);
        save(sql, &whole)?;
    }
    for half in &ask.halves {
        let half = Delivery::new(whole.source.clone(), whole.plan, half.clone(), now_ms, now_ms + OUTBOX_FIRST_MS);
        save(sql, &half)?;
    }
    // The partner did answer.
    learn(sql, &Outcome::Refused { status: Some(413), code: String::new() }, now_ms)?;
    Ok(SplitAnswer { send: halves(sql, ask)? })
}

/// The halves of a payload that wait to be sent.
fn halves(sql: &impl Sql, ask: &Split) -> Result<Vec<DeliveryId>, BackendError> {
    let [first, second] = ask.id.halves();
    let place = [SqlValue::text(ask.id.source.as_str()), SqlValue::number(ask.id.plan)];
    let parameters = [place.as_slice(), &[SqlValue::text(first), SqlValue::text(second)]].concat();
    let halves = deliveries(sql, "source = ? AND plan = ? AND number IN (?, ?)", &parameters)?;
    let waiting = halves.iter().filter(|half| half.state == State::Prepared);
    Ok(waiting.map(|half| id_of(&ask.id.ledger, half)).collect())
}

/// Does what a person decided.
pub(super) fn decide(sql: &impl Sql, ask: &Decide, now_ms: i64) -> Result<DecideAnswer, BackendError> {
    let Some(mut delivery) = packs::find(sql, &ask.id)? else {
        return Ok(DecideAnswer { before: None, state: None, send: Vec::new() });
    };
    let before = delivery.state;
    // What has no body any more cannot go out again.
    let decision = delivery.has_body().then_some(ask.decision);
    let mut send = Vec::new();
    match (decision, before) {
        (Some(Decision::Drop), State::Parked) => delivery.drop_for(&ask.reason, now_ms),
        (Some(Decision::Release), State::Parked) | (Some(Decision::Resend), State::Parked | State::Delivered) => {
            delivery.release(now_ms);
            send.push(id_of(&ask.id.ledger, &delivery));
            if ask.decision == Decision::Resend {
                change_breaker(sql, |breaker| *breaker = Breaker::default())?;
            }
        }
        _ => {}
    }
    if delivery.state != before {
        save(sql, &delivery)?;
    }
    Ok(DecideAnswer { before: Some(before), state: Some(delivery.state), send })
}

/// The bodies that nobody needs any more.
pub(super) fn bodies(sql: &impl Sql, ledger: &str, ask: Bodies) -> Result<BodiesAnswer, BackendError> {
    let parameters = [SqlValue::number(ask.before_ms), SqlValue::number(SWEEP_BODIES)];
    let condition = format!("{AT_REST} AND removed = 0 ORDER BY settled_ms LIMIT ?");
    let bodies = deliveries(sql, &condition, &parameters)?;
    let packs = packs::idle(sql, ask.before_ms, SWEEP_BODIES.saturating_sub(bodies.len()))?;
    let bodies = bodies.iter().map(|delivery| (id_of(ledger, delivery), delivery.payload.sha256.clone())).collect();
    Ok(BodiesAnswer { bodies, packs })
}

/// Keeps that bodies were removed.
pub(super) fn removed(sql: &impl Sql, ask: &Removed) -> Result<Done, BackendError> {
    for id in &ask.ids {
        sql.run("UPDATE delivery_v1 SET removed = 1 WHERE source = ? AND plan = ? AND number = ?", &place(id))?;
    }
    ask.packs.iter().try_for_each(|pack| packs::removed(sql, pack))?;
    Ok(Done {})
}

/// The breaker, as it was kept.
pub(super) fn breaker(sql: &impl Sql) -> Result<Breaker, BackendError> {
    let Some(kept) = note(sql, BREAKER)? else { return Ok(Breaker::default()) };
    serde_json::from_str(&kept).map_err(|error| BackendError::new("reading the breaker", error.to_string()))
}

/// Changes the breaker, and keeps it if it is not as it was.
fn change_breaker<T>(sql: &impl Sql, change: impl FnOnce(&mut Breaker) -> T) -> Result<T, BackendError> {
    let before = breaker(sql)?;
    let mut now = before.clone();
    let answer = change(&mut now);
    if now != before {
        let parameters = [SqlValue::text(BREAKER), json(&now)];
        sql.run("INSERT OR REPLACE INTO note_v1 (name, value) VALUES (?, ?)", &parameters)?;
    }
    Ok(answer)
}

/// Tells the breaker how an attempt ended; says whether that closed it.
fn learn(sql: &impl Sql, outcome: &Outcome, now_ms: i64) -> Result<bool, BackendError> {
    change_breaker(sql, |breaker| {
        let was_open = breaker.is_open();
        breaker.learn(outcome, now_ms);
        was_open && !breaker.is_open()
    })
}
