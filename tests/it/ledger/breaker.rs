//! The breaker over the payloads of one ledger: when it holds them, and that it lets them go.

use raydex::ledger::AttemptOutcome;
use raydex::ledger::calls::{ClaimAnswer, ClaimPayload, DecideDelivery, DeliveryDecision, SplitPayload};
use raydex::ledger::delivery::WaitReason;
use raydex::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MIN_MS, LEASE_MS};

use super::{Ledger, claim, delivered, endpoint, halves, id, not_stored, refused, unknown};

const FAILURES: usize = BREAKER_FAILURES as usize;

/// A ledger whose first payloads have failed until the breaker opened, and some more.
fn open(more: usize) -> Ledger {
    let ledger = Ledger::sealed(FAILURES + more);
    (0..FAILURES).for_each(|number| ledger.attempt(number, not_stored()));
    ledger
}

/// Until when the payload waits for the breaker.
fn held(ledger: &Ledger, number: usize) -> Option<i64> {
    match ledger.ask(&claim(number, "someone")) {
        ClaimAnswer::Wait { until_ms, why: WaitReason::BreakerOpen } => Some(until_ms),
        ClaimAnswer::Wait { why, .. } => panic!("it waits, and not for the breaker: {why:?}"),
        _ => None,
    }
}

#[test]
fn failures_of_any_payloads_in_a_row_open() {
    for outcome in [not_stored(), unknown()] {
        let ledger = Ledger::sealed(FAILURES + 2);
        for number in 0..FAILURES {
            assert!(held(&ledger, number).is_none());
            ledger.commit(number, 1, outcome.clone());
        }
        assert_eq!(held(&ledger, FAILURES), Some(ledger.now() + BREAKER_MIN_MS));
    }
}

#[test]
fn wrong_address_or_key_opens_at_once() {
    for park in [false, true] {
        let ledger = Ledger::sealed(2);
        ledger.attempt(0, endpoint(park));
        assert_eq!(held(&ledger, 1), Some(ledger.now() + BREAKER_MIN_MS));
    }
}

#[test]
fn a_success_between_failures_begins_the_count_anew() {
    let ledger = Ledger::sealed(4 * FAILURES);
    for number in 0..4 * FAILURES {
        let outcome = if number % FAILURES == 0 { delivered() } else { not_stored() };
        ledger.attempt(number, outcome);
    }
}

#[test]
fn poisoned_payload_opens_nothing_and_proves_partner_answers() {
    let ledger = Ledger::sealed(4 * FAILURES + 1);
    for number in 0..4 * FAILURES {
        let outcome = if number % FAILURES == 0 { refused() } else { not_stored() };
        ledger.attempt(number, outcome);
    }
    assert!(held(&ledger, 4 * FAILURES).is_none());
}

#[test]
fn payload_never_posted_says_nothing_of_the_partner() {
    let ledger = open(3);
    ledger.pass(BREAKER_MIN_MS);
    // The one that tries has no body: the next one tries at once, and no more than that one.
    ledger.attempt(FAILURES, AttemptOutcome::Refused { status: None, code: "payload_missing".into() });
    assert!(held(&ledger, FAILURES + 1).is_none());
    assert_eq!(held(&ledger, FAILURES + 2), Some(ledger.now() + LEASE_MS));
}

#[test]
fn one_payload_probes_while_the_others_wait() {
    let ledger = open(3);
    let until = held(&ledger, FAILURES).unwrap();
    ledger.pass(until - ledger.now() - 1);
    assert_eq!(held(&ledger, FAILURES), Some(until));
    ledger.pass(1);
    assert!(held(&ledger, FAILURES).is_none());
    assert_eq!(held(&ledger, FAILURES + 1), Some(ledger.now() + LEASE_MS));
    // It sent nothing after all: another one tries.
    ledger.commit(FAILURES, 1, AttemptOutcome::Released);
    assert!(held(&ledger, FAILURES + 1).is_none());
    // It is never heard of again: when its lease is over, another one tries.
    assert_eq!(held(&ledger, FAILURES + 2), Some(ledger.now() + LEASE_MS));
    ledger.pass(LEASE_MS);
    assert!(held(&ledger, FAILURES + 2).is_none());
}

#[test]
fn further_failures_double_the_pause_to_its_bound() {
    let ledger = open(20);
    let mut expected = BREAKER_MIN_MS;
    for number in FAILURES..FAILURES + 19 {
        let until = held(&ledger, FAILURES + 19).unwrap();
        assert_eq!(until - ledger.now(), expected);
        ledger.pass(expected).attempt(number, not_stored());
        expected = (expected * 2).min(BREAKER_MAX_MS);
    }
    assert_eq!(expected, BREAKER_MAX_MS);
}

#[test]
fn closing_wakes_held_payloads_at_once() {
    let ledger = open(4);
    let until = held(&ledger, FAILURES).unwrap();
    assert!(held(&ledger, FAILURES + 1).is_some());
    ledger.pass(until - ledger.now());
    let token = ledger.claim(FAILURES, "the one that tries");
    // This one asks while that one tries.
    assert!(held(&ledger, FAILURES + 2).is_some());
    let commit = raydex::ledger::calls::CommitAttempt { id: id(FAILURES), token, outcome: delivered() };
    let (_, wake_ms) = ledger.pass(500).answer(&commit).unwrap();
    assert!(wake_ms.is_some_and(|at| at <= ledger.now()), "the alarm is to ring now");
    for number in [FAILURES + 1, FAILURES + 2] {
        let due = ledger.number(number, "wake_ms").unwrap();
        assert!(due <= ledger.now(), "payload {number} is woken in {} ms", due - ledger.now());
    }
}

#[test]
fn held_payload_wakes_when_one_may_try() {
    let ledger = open(1);
    let (_, wake_ms) = ledger.answer(&claim(FAILURES, "someone")).unwrap();
    assert_eq!(wake_ms, Some(ledger.now() + BREAKER_MIN_MS));
    let rows = ledger.sql.rows();
    ledger.pass(1000).again_is_the_same(&claim(FAILURES, "someone"), &rows);
}

#[test]
fn another_address_of_the_partner_is_not_held() {
    let ledger = open(2);
    assert!(held(&ledger, FAILURES).is_some());
    let moved = ClaimPayload { endpoint: "another".into(), ..claim(FAILURES, "someone") };
    assert!(matches!(ledger.ask(&moved), ClaimAnswer::Granted { .. }));
    assert!(matches!(ledger.ask(&ClaimPayload { id: id(FAILURES + 1), ..moved }), ClaimAnswer::Granted { .. }));
}

#[test]
fn a_person_who_resends_is_not_held() {
    let ledger = Ledger::sealed(FAILURES + 1);
    ledger.attempt(FAILURES, refused());
    (0..FAILURES).for_each(|number| ledger.attempt(number, not_stored()));
    let decide = |decision| DecideDelivery { id: id(FAILURES), decision, reason: "now".into() };
    ledger.ask(&decide(DeliveryDecision::Release));
    assert!(held(&ledger, FAILURES).is_some(), "who releases lets it go on by itself");
    let ledger = Ledger::sealed(FAILURES + 1);
    ledger.attempt(FAILURES, delivered());
    (0..FAILURES).for_each(|number| ledger.attempt(number, not_stored()));
    ledger.ask(&decide(DeliveryDecision::Resend));
    assert!(held(&ledger, FAILURES).is_none());
}

#[test]
fn payload_too_large_does_not_count_as_failure() {
    let ledger = open(3);
    ledger.pass(BREAKER_MIN_MS);
    let token = ledger.claim(FAILURES, "the one that tries");
    ledger.ask(&SplitPayload { id: id(FAILURES), token, split_into: halves(FAILURES, [5, 5]) });
    assert!(held(&ledger, FAILURES + 1).is_none() && held(&ledger, FAILURES + 2).is_none());
}
