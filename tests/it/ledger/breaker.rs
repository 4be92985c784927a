//! What a ledger makes of the partner's standing, which claims and calls bring: when it holds payloads, and that it lets
//! them go.

use raydex::ledger::breaker::{BreakerState, PartnerStanding};
use raydex::ledger::calls::{ClaimAnswer, ClaimPayload, CommitAttempt};
use raydex::ledger::delivery::WaitReason;
use raydex::ledger::outage::LearnPartner;
use raydex::ledger::{AttemptFacts, AttemptOutcome};
use raydex::limits::{BREAKER_MIN_MS, RETRY_MIN_MS, UNANSWERED_MAX};

use super::{Ledger, claim, closed, delivered, endpoint, id, not_stored, open, refused, unknown};

fn claim_under(number: usize, standing: &PartnerStanding) -> ClaimPayload {
    ClaimPayload { standing: standing.clone(), ..claim(number, "someone") }
}

/// Until when the payload waits for the breaker, whose claimant heard this of it.
fn held(ledger: &Ledger, number: usize, standing: &PartnerStanding) -> Option<i64> {
    match ledger.ask(&claim_under(number, standing)) {
        ClaimAnswer::Wait { until_ms, why: WaitReason::BreakerOpen } => Some(until_ms),
        ClaimAnswer::Wait { why, .. } => panic!("it waits, and not for the breaker: {why:?}"),
        _ => None,
    }
}

/// An attempt as the probe ends so.
fn probe(ledger: &Ledger, number: usize, outcome: AttemptOutcome) {
    let standing = PartnerStanding { state: BreakerState::Probing, ..open(ledger) };
    let ClaimAnswer::Granted { token, .. } = ledger.ask(&claim_under(number, &standing)) else { panic!("not granted") };
    let facts = AttemptFacts { is_probe: true, ..AttemptFacts::default() };
    assert!(ledger.ask(&CommitAttempt { id: id(number), token, outcome, refusal: None, facts }).counted);
}

#[test]
fn open_standing_holds_what_is_due() {
    let ledger = Ledger::sealed(2);
    let standing = open(&ledger);
    let (_, wake_ms) = ledger.answer(&claim_under(0, &standing)).unwrap();
    assert_eq!(wake_ms, Some(ledger.now() + BREAKER_MIN_MS));
    let rows = ledger.sql.rows();
    ledger.pass(1000).again_is_the_same(&claim_under(0, &standing), &rows);
    assert_eq!(held(&ledger, 1, &standing), standing.until_ms);
    assert_eq!(ledger.number(0, "attempts"), Some(0));
}

#[test]
fn probe_is_granted_whatever_the_ledger_knows() {
    let ledger = Ledger::sealed(2);
    let probe = PartnerStanding { state: BreakerState::Probing, ..open(&ledger) };
    ledger.pass(10);
    assert!(held(&ledger, 0, &open(&ledger)).is_some());
    assert_eq!(held(&ledger, 1, &probe), None);
}

#[test]
fn later_standing_counts_whoever_brings_it() {
    let ledger = Ledger::sealed(3);
    let (early_open, early_closed) = (open(&ledger), closed(&ledger));
    ledger.pass(10);
    assert!(held(&ledger, 0, &open(&ledger)).is_some());
    assert!(held(&ledger, 1, &early_closed).is_some(), "it knows better");
    ledger.pass(10);
    assert_eq!(held(&ledger, 0, &closed(&ledger)), None);
    assert_eq!(held(&ledger, 1, &early_open), None, "it knows better");
}

#[test]
fn recovery_wakes_all_that_waits_for_the_partner() {
    let failures = [not_stored(), unknown(), endpoint()];
    let own = AttemptOutcome::NotStored { status: Some(413), code: "too_large".into(), wait_ms: None };
    let world = || {
        let ledger = Ledger::sealed(6);
        (0..).zip(&failures).for_each(|(number, outcome)| ledger.attempt(number, outcome.clone()));
        ledger.attempt(3, own.clone());
        ledger.attempt(4, refused());
        assert!(held(&ledger, 5, &open(&ledger)).is_some());
        ledger.pass(1_000);
        assert!(ledger.number(0, "wake_ms").unwrap() > ledger.now() + 5_000);
        ledger
    };
    let by_claim = world();
    let (_, claim_wake_ms) = by_claim.answer(&claim_under(5, &closed(&by_claim))).unwrap();
    let by_call = world();
    let standing = Some(closed(&by_call));
    let (answer, call_wake_ms) = by_call.answer(&LearnPartner { standing }).unwrap();
    assert_eq!(answer.waiting, 5);
    for (ledger, wake_ms) in [(by_claim, claim_wake_ms), (by_call, call_wake_ms)] {
        assert!(wake_ms.is_some_and(|at| at <= ledger.now()), "the alarm is to ring now");
        for number in 0..3 {
            assert_eq!(ledger.number(number, "wake_ms"), Some(ledger.now()), "payload {number}");
            assert!(ledger.number(number, "next_attempt_ms").unwrap() <= ledger.now());
        }
        assert!(ledger.number(3, "wake_ms").unwrap() > ledger.now(), "it fails for itself");
        assert_eq!(ledger.state(4), "parked");
    }
}

#[test]
fn ledger_that_held_nothing_writes_no_news() {
    let ledger = Ledger::sealed(2);
    ledger.attempt(0, not_stored());
    let rows = ledger.sql.rows();
    let standing = Some(closed(&ledger));
    ledger.again_is_the_same(&LearnPartner { standing }, &rows);
}

#[test]
fn failed_probes_lengthen_no_pause_and_park_nothing() {
    for outcome in [not_stored(), unknown(), endpoint()] {
        let ledger = Ledger::sealed(1);
        ledger.attempt(0, outcome.clone());
        for _ in 0..300 {
            ledger.pass(RETRY_MIN_MS * 2);
            probe(&ledger, 0, outcome.clone());
            assert_eq!((ledger.state(0).as_str(), ledger.number(0, "attempts")), ("prepared", Some(1)));
            assert_eq!(ledger.number(0, "next_attempt_ms"), Some(ledger.now()));
        }
    }
}

#[test]
fn silence_parks_only_while_others_are_answered() {
    let silent = |ledger: &Ledger, others_answered| {
        let token = ledger.claim(0, "an attempt");
        let facts = AttemptFacts { others_answered, ..AttemptFacts::default() };
        ledger.ask(&CommitAttempt { id: id(0), token, outcome: unknown(), refusal: None, facts });
        ledger.pass(3_600_000 * 2);
    };
    // An outage: nobody is answered.
    let ledger = Ledger::sealed(2);
    (0..20).for_each(|_| silent(&ledger, false));
    assert_eq!(ledger.state(0), "prepared");
    // The sender knows of others that were answered.
    for nth in 1..=UNANSWERED_MAX {
        assert_eq!(ledger.state(0), "prepared", "{nth}");
        silent(&ledger, true);
    }
    assert_eq!(ledger.state(0), "parked");
    assert_eq!(ledger.row("000000", "code")[0].as_text(), Some("no_answer"));
    // The ledger knows of others itself.
    let ledger = Ledger::sealed(2 + UNANSWERED_MAX as usize);
    for nth in 1..=UNANSWERED_MAX as usize {
        let token = ledger.claim(0, "an attempt");
        ledger.pass(1_000).attempt(nth, delivered());
        let counted = ledger.commit(0, token, unknown()).counted;
        assert!(counted && (ledger.state(0) == "parked") == (nth == UNANSWERED_MAX as usize), "{nth}");
        ledger.pass(3_600_000);
    }
}

#[test]
fn person_has_one_payload_tried_or_all() {
    let ledger = Ledger::sealed(3);
    assert!(held(&ledger, 0, &open(&ledger)).is_some());
    let (answer, wake_ms) = ledger.pass(1_000).answer(&LearnPartner { standing: None }).unwrap();
    assert_eq!((answer.waiting, wake_ms), (3, Some(ledger.now())), "one of those that are held");
    // The breaker is closed: whatever failed because of the partner.
    let ledger = Ledger::sealed(2);
    ledger.attempt(0, not_stored());
    let (_, wake_ms) = ledger.pass(1_000).answer(&LearnPartner { standing: None }).unwrap();
    assert_eq!((wake_ms, ledger.number(0, "wake_ms")), (Some(ledger.now()), Some(ledger.now())));
}
