//! How long a payload waits for its next attempt, and how many there are.

use std::collections::BTreeSet;

use raydex::ledger::AttemptOutcome;
use raydex::ledger::calls::{ClaimAnswer, DecideDelivery, DeliveryDecision};
use raydex::ledger::outage::LearnPartner;
use raydex::limits::{MAX_ATTEMPTS, RELEASED_MAX_MS, RETRY_MAX_MS, RETRY_MIN_MS};

use super::support::LEASE_MS;
use super::{Ledger, claim, closed, id, not_stored, open, unknown};

/// How long the payload has to wait.
fn pause(ledger: &Ledger, number: usize) -> i64 {
    let due = ledger.number(number, "next_attempt_ms").unwrap();
    assert_eq!(ledger.number(number, "wake_ms"), Some(due), "the ledger sees to it then");
    due - ledger.now()
}

/// Waits until the payload may be claimed.
fn wait(ledger: &Ledger, number: usize) {
    ledger.pass(pause(ledger, number));
}

#[test]
fn pause_doubles_to_its_bound_within_a_quarter() {
    let ledger = Ledger::sealed(1);
    let mut expected = RETRY_MIN_MS;
    for attempt in 1..30 {
        ledger.attempt(0, not_stored());
        let pause = pause(&ledger, 0);
        assert!((expected * 3 / 4..=expected * 5 / 4).contains(&pause), "attempt {attempt}: {pause}");
        expected = (expected * 2).min(RETRY_MAX_MS);
        wait(&ledger, 0);
    }
    assert_eq!(expected, RETRY_MAX_MS);
}

#[test]
fn payloads_failed_together_do_not_return_together() {
    let ledger = Ledger::sealed(4);
    let pauses: BTreeSet<i64> = (0..4)
        .map(|number| {
            ledger.attempt(number, not_stored());
            pause(&ledger, number)
        })
        .collect();
    assert_eq!(pauses.len(), 4);
    assert!(pauses.last().unwrap() - pauses.first().unwrap() > RETRY_MIN_MS / 20, "{pauses:?}");
}

#[test]
fn payload_is_claimable_only_once_due() {
    let ledger = Ledger::sealed(1);
    ledger.attempt(0, not_stored());
    let due = ledger.now() + pause(&ledger, 0);
    ledger.pass(due - ledger.now() - 1);
    for claimant in ["an attempt", "another"] {
        let answer = ledger.ask(&claim(0, claimant));
        assert!(matches!(answer, ClaimAnswer::Wait { until_ms, .. } if until_ms == due), "{answer:?}");
    }
    ledger.pass(1);
    assert_eq!(ledger.claim(0, "another"), 2);
}

#[test]
fn longer_retry_after_is_kept_shorter_is_not() {
    for (asked, least, most) in [
        (None, RETRY_MIN_MS * 3 / 4, RETRY_MIN_MS * 5 / 4),
        (Some(1_000), RETRY_MIN_MS * 3 / 4, RETRY_MIN_MS * 5 / 4),
        (Some(90_000), 90_000, 90_000),
        (Some(86_400_000), 86_400_000, 86_400_000),
        (Some(u64::MAX), RETRY_MAX_MS, RETRY_MAX_MS),
    ] {
        let ledger = Ledger::sealed(1);
        ledger.attempt(0, AttemptOutcome::NotStored { status: Some(503), code: "busy".into(), wait_ms: asked });
        assert!((least..=most).contains(&pause(&ledger, 0)), "{asked:?}: {}", pause(&ledger, 0));
    }
}

#[test]
fn an_attempt_that_sent_nothing_is_none() {
    let ledger = Ledger::sealed(1);
    for nth in 0..2 * MAX_ATTEMPTS {
        ledger.attempt(0, AttemptOutcome::Released { pause_ms: None, place_ms: None });
        let (pause, attempts) = (pause(&ledger, 0), ledger.number(0, "attempts"));
        assert_eq!(attempts, Some(0));
        // A hiccup is soon over; an outage is not looked at every few seconds.
        let (least, most) = if nth == 0 { (5_000, 10_000) } else { (5_000, RELEASED_MAX_MS * 5 / 4) };
        assert!((least..=most).contains(&pause), "{nth}: {pause}");
        assert!(nth < 6 || pause >= RELEASED_MAX_MS * 3 / 4, "{nth}: {pause}");
        ledger.pass(pause);
    }
    ledger.attempt(0, AttemptOutcome::Released { pause_ms: Some(1_234), place_ms: None });
    assert_eq!(pause(&ledger, 0), 1_234, "what the sender asks for");
}

#[test]
fn place_in_line_lasts_until_an_attempt() {
    let place = |ledger: &Ledger| match ledger.ask(&claim(0, "an attempt")) {
        ClaimAnswer::Granted { place_ms, .. } => place_ms,
        other => panic!("{other:?}"),
    };
    let deferred = AttemptOutcome::Released { pause_ms: Some(5_000), place_ms: Some(77) };
    let hiccup = AttemptOutcome::Released { pause_ms: None, place_ms: None };
    for outcome in [unknown(), not_stored(), super::endpoint()] {
        let ledger = Ledger::sealed(1);
        assert_eq!(place(&ledger), None);
        ledger.attempt(0, deferred.clone());
        assert_eq!((ledger.number(0, "attempts"), pause(&ledger, 0)), (Some(0), 5_000));
        wait(&ledger, 0);
        assert_eq!(place(&ledger), Some(77));
        ledger.attempt(0, hiccup.clone());
        wait(&ledger, 0);
        assert_eq!(place(&ledger), Some(77), "a hiccup does not lose it");
        ledger.attempt(0, outcome);
        wait(&ledger, 0);
        assert_eq!(place(&ledger), None, "its turn has come");
    }
    // Nor does a sender keep it that was never heard of again, or a payload that a person releases.
    let ledger = Ledger::sealed(1);
    ledger.attempt(0, deferred.clone());
    wait(&ledger, 0);
    ledger.claim(0, "an attempt");
    ledger.pass(LEASE_MS);
    ledger.ask(&claim(0, "another"));
    wait(&ledger, 0);
    assert_eq!(place(&ledger), None);
    ledger.attempt(0, deferred);
    assert_eq!(ledger.number(0, "place_ms"), Some(77));
}

#[test]
fn recovery_makes_due_what_waits_for_the_partner() {
    const DAY_MS: i64 = 86_400_000;
    let ledger = Ledger::sealed(3);
    ledger.attempt(0, AttemptOutcome::NotStored { status: Some(503), code: "busy".into(), wait_ms: Some(86_400_000) });
    ledger.attempt(1, AttemptOutcome::Released { pause_ms: Some(DAY_MS), place_ms: Some(77) });
    ledger.attempt(2, AttemptOutcome::Released { pause_ms: Some(DAY_MS), place_ms: None });
    ledger.ask(&LearnPartner { standing: Some(open(&ledger)) });
    assert_eq!([0, 1, 2].map(|number| pause(&ledger, number)), [DAY_MS; 3], "an outage makes nothing due");
    ledger.pass(1_000);
    ledger.ask(&LearnPartner { standing: Some(closed(&ledger)) });
    let left_ms = DAY_MS - 1_000;
    // One has a place in line, the other waits for something else.
    assert_eq!([0, 1, 2].map(|number| pause(&ledger, number)), [0, left_ms, left_ms]);
}

#[test]
fn after_the_last_attempt_a_person_decides() {
    for outcome in [not_stored(), unknown(), super::endpoint()] {
        let ledger = Ledger::sealed(1);
        for attempt in 1..=MAX_ATTEMPTS {
            assert_eq!(ledger.state(0), "prepared", "attempt {attempt}");
            ledger.attempt(0, outcome.clone());
            if attempt < MAX_ATTEMPTS {
                wait(&ledger, 0);
            }
        }
        assert_eq!((ledger.state(0).as_str(), ledger.number(0, "wake_ms")), ("parked", None));
        let code = ledger.row("000000", "code")[0].clone();
        assert_eq!(code.as_text(), Some("too_many_attempts"));
        // Who releases it grants as many again.
        ledger.ask(&DecideDelivery { id: id(0), decision: DeliveryDecision::Release, reason: "they are back".into() });
        ledger.attempt(0, outcome);
        assert_eq!((ledger.state(0).as_str(), ledger.number(0, "attempts")), ("prepared", Some(1)));
    }
}
