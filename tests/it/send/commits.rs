//! Ledgers that fail: an answer of the partner's is committed again and again, and what the ledger never hears is in
//! doubt.

use raydex::ledger::DeliveryState;
use raydex::limits::COMMIT_PAUSES_MS;

use super::Scene;
use super::support::{Fault, Kind, LEASE_MS, Reply};

const TRIES: usize = COMMIT_PAUSES_MS.len() + 1;

/// The commits of the first message fail so often.
fn failing(scene: &Scene, fault: Fault, times: usize) -> raydex::pipeline::SendVerdict {
    scene.consumers.fakes.faults.plan_row(Some(Kind::Ledger), 1, fault, times);
    let said = scene.send();
    assert!(scene.consumers.fakes.faults.clear());
    said
}

#[test]
fn a_commit_is_tried_until_it_is_heard() {
    for times in 1..TRIES {
        let scene = Scene::one(&[], Reply::Status(200));
        let said = failing(&scene, Fault::Fails, times);
        assert_eq!(
            (said.verdict.name(), said.counted, scene.state()),
            ("delivered", Some(true), DeliveryState::Delivered)
        );
    }
    // The first one happened: the second one is no news, and the verdict is the same.
    let scene = Scene::one(&[], Reply::Status(200));
    let said = failing(&scene, Fault::FailsButHappened, 1);
    assert_eq!(
        (said.verdict.name(), said.counted, scene.state()),
        ("delivered", Some(false), DeliveryState::Delivered)
    );
    assert_eq!(scene.posts(), 1);
}

#[test]
fn unheard_commit_leaves_the_payload_in_doubt() {
    let scene = Scene::script(&[], &[Reply::Status(200)]);
    let said = failing(&scene, Fault::Fails, TRIES);
    assert_eq!((said.verdict.name(), said.code.as_deref()), ("failed", Some("backend_failed")));
    assert!(said.retry_s.is_some());
    // The message comes again, to a payload that is still someone's: acked, since the ledger sees to it.
    let again = scene.send();
    assert_eq!((again.verdict.name(), again.code.as_deref(), again.retry_s), ("waits", Some("busy"), None));
    scene.consumers.settle(LEASE_MS + 60_000);
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Delivered, 2));
    assert_eq!(scene.payload().unknown_outcomes, 1, "the second copy is counted");
}

#[test]
fn parked_doubt_sends_nothing_twice() {
    let scene = Scene::one(&[("PARTNER_ON_UNKNOWN", "park")], Reply::Status(200));
    failing(&scene, Fault::Fails, TRIES);
    scene.consumers.settle(24 * 3_600_000);
    let payload = scene.payload();
    assert_eq!((payload.state, payload.code.as_deref()), (DeliveryState::Parked, Some("lease_ended")));
    assert_eq!((scene.posts(), payload.unknown_outcomes), (1, 1));
}

#[test]
fn a_commit_that_happened_unheard_is_found_done() {
    let scene = Scene::one(&[("PARTNER_ON_UNKNOWN", "park")], Reply::Status(200));
    assert_eq!(failing(&scene, Fault::FailsButHappened, TRIES).verdict.name(), "failed");
    let again = scene.send();
    assert_eq!((again.verdict.name(), again.code.as_deref()), ("settled", Some("delivered")));
    assert_eq!((scene.posts(), scene.payload().unknown_outcomes), (1, 0));
}

#[test]
fn claim_with_lost_answer_holds_until_lease_end() {
    let scene = Scene::one(&[], Reply::Status(200));
    scene.consumers.fakes.faults.plan(Some(Kind::Ledger), 0, Fault::FailsButHappened);
    assert_eq!((scene.send().verdict.name(), scene.posts()), ("failed", 0));
    assert_eq!(scene.send().code.as_deref(), Some("busy"));
    scene.consumers.settle(LEASE_MS + 60_000);
    assert_eq!((scene.state(), scene.posts()), (DeliveryState::Delivered, 1));
}

#[test]
fn unreachable_ledger_makes_the_message_return_later() {
    for (attempt, delay) in [(0, 8), (1, 8), (2, 45), (3, 120), (4, 240), (5, 480), (6, 480), (u32::MAX, 480)] {
        let scene = Scene::one(&[], Reply::Status(200));
        scene.consumers.fakes.faults.plan(Some(Kind::Ledger), 0, Fault::Fails);
        let said = scene.consumers.send(&scene.messages[0], attempt);
        assert_eq!((said.verdict.name(), said.code.as_deref()), ("failed", Some("backend_failed")));
        assert_eq!((said.payload, scene.posts()), (Some(scene.id().handle()), 0));
        let retry_s = said.retry_s.unwrap();
        assert!((delay..=delay + delay / 4).contains(&retry_s), "attempt {attempt}: {retry_s}");
        // The same message in the same attempt always waits as long.
        scene.consumers.fakes.faults.plan(Some(Kind::Ledger), 0, Fault::Fails);
        assert_eq!(scene.consumers.send(&scene.messages[0], attempt).retry_s, Some(retry_s));
    }
}

#[test]
fn after_any_failing_call_it_comes_right() {
    for settings in [&[][..], &[("PARTNER_ON_UNKNOWN", "park")]] {
        let clean = Scene::one(settings, Reply::Status(200));
        let before = clean.consumers.fakes.faults.calls();
        clean.send();
        for nth in 0..clean.consumers.fakes.faults.calls() - before {
            for fault in Fault::BOTH {
                let scene = Scene::one(settings, Reply::Status(200));
                scene.consumers.fakes.faults.plan(None, nth, fault);
                scene.send();
                assert!(scene.consumers.fakes.faults.clear());
                scene.send();
                scene.consumers.settle(24 * 3_600_000);
                let payload = scene.payload();
                let place = format!("{settings:?} call {nth} {fault:?}: {payload:?}");
                // One call alone: a claim may be lost in it, but no answer of the partner's.
                let expected =
                    if payload.unknown_outcomes == 0 { DeliveryState::Delivered } else { DeliveryState::Parked };
                assert!(
                    payload.state == DeliveryState::Delivered || payload.state == expected && !settings.is_empty(),
                    "{place}"
                );
                assert_eq!(scene.posts(), usize::from(payload.state == DeliveryState::Delivered), "{place}");
                scene.totals();
            }
        }
    }
}
