//! Bodies and clocks: nothing is posted that is not the sealed body, nor so late that the claim could end before the
//! answer.

use raydex::ledger::DeliveryState;
use raydex::limits::{BREAKER_FAILURES, COMMIT_MS, RELEASED_MIN_MS};

use raydex::pipeline::PartnerWatch;

use super::Scene;
use super::support::{Fault, Kind, LEASE_MS, POST_MS, Reply};

/// The most that may go by between the claim and the POST.
const MOST: i64 = LEASE_MS - POST_MS - COMMIT_MS;

#[test]
fn old_claim_is_returned_and_nothing_sent() {
    for (late_ms, verdict) in
        [(0, "delivered"), (MOST, "delivered"), (MOST + 1, "released"), (3 * LEASE_MS, "released")]
    {
        let scene = Scene::one(&[], Reply::Status(200));
        // The clock goes on between any two looks at it.
        scene.consumers.fakes.tick_ms.set(late_ms);
        let said = scene.send();
        scene.consumers.fakes.tick_ms.set(0);
        assert_eq!((said.verdict.name(), said.counted), (verdict, Some(true)), "{late_ms}");
        let payload = scene.payload();
        if verdict == "released" {
            assert_eq!((payload.state, payload.attempts, scene.posts()), (DeliveryState::Prepared, 0, 0), "{late_ms}");
            let pause_ms = payload.next_attempt_ms.unwrap() - scene.consumers.now();
            assert!((RELEASED_MIN_MS * 3 / 4..=RELEASED_MIN_MS * 5 / 4).contains(&pause_ms), "{late_ms}: {pause_ms}");
        }
        // One whose lease is over is in doubt no more, once its sender says that nothing went out.
        assert_eq!(payload.unknown_outcomes, 0, "{late_ms}");
        scene.consumers.settle(3_600_000);
        assert_eq!((scene.state(), scene.posts()), (DeliveryState::Delivered, 1), "{late_ms}");
    }
}

#[test]
fn a_clock_that_goes_back_sends_in_time() {
    let scene = Scene::one(&[], Reply::Status(200));
    scene.consumers.pass(600_000);
    scene.consumers.fakes.tick_ms.set(-300_000);
    assert_eq!(scene.send().verdict.name(), "delivered");
}

#[test]
fn damaged_body_is_parked_unsent() {
    for damage in [&b""[..], b"no gzip", b"\x1f\x8b\x08\0"] {
        let scene = Scene::one(&[], Reply::Status(200));
        let key = scene.body_key();
        assert!(scene.consumers.fakes.bucket.delete(&key));
        scene.consumers.fakes.bucket.store(&key, damage);
        let said = scene.send();
        assert_eq!(
            (said.verdict.name(), said.code.as_deref(), said.status),
            ("refused", Some("payload_damaged"), None)
        );
        assert_eq!((scene.state(), scene.posts(), scene.totals().lines.parked), (DeliveryState::Parked, 0, 1));
    }
}

#[test]
fn flipped_bit_anywhere_in_a_body_is_seen() {
    let whole = Scene::one(&[], Reply::Status(200));
    let body = whole.consumers.fakes.bucket.object(&whole.body_key()).unwrap().bytes;
    for at in (0..body.len()).step_by(7) {
        let scene = Scene::one(&[], Reply::Status(200));
        let mut damaged = body.to_vec();
        damaged[at] ^= 1;
        scene.consumers.fakes.bucket.store(&scene.body_key(), &damaged);
        assert_eq!((scene.send().code.as_deref(), scene.posts()), (Some("payload_damaged"), 0), "byte {at}");
    }
}

#[test]
fn a_bucket_that_fails_gives_the_claim_back() {
    for kind in [Kind::GetRange, Kind::Body] {
        let scene = Scene::one(&[], Reply::Status(200));
        scene.consumers.fakes.faults.plan(Some(kind), 0, Fault::Fails);
        assert_eq!(
            (scene.send().verdict.name(), scene.posts(), scene.payload().attempts),
            ("released", 0, 0),
            "{kind:?}"
        );
        scene.consumers.settle(60_000);
        assert_eq!((scene.state(), scene.posts()), (DeliveryState::Delivered, 1));
    }
    // A body that breaks off is no damaged one.
    let scene = Scene::one(&[], Reply::Status(200));
    scene.consumers.fakes.bucket.cut_after(Some(20));
    assert_eq!((scene.send().verdict.name(), scene.posts()), ("released", 0));
    scene.consumers.fakes.bucket.cut_after(None);
    scene.consumers.settle(60_000);
    assert_eq!(scene.state(), DeliveryState::Delivered);
}

#[test]
fn damaged_body_does_not_end_an_outage() {
    let most = BREAKER_FAILURES as usize + 3;
    let scene = Scene::of(most as u64, 1, &[], |_, _| Reply::NotSent);
    let key = scene.body_key();
    let mut pack = scene.consumers.fakes.bucket.object(&key).unwrap().bytes.to_vec();
    pack[20] ^= 1;
    scene.consumers.fakes.bucket.store(&key, &pack);
    for nth in 1..=BREAKER_FAILURES as usize {
        assert_eq!(scene.send_nth(nth).verdict.name(), "not_stored");
    }
    scene.consumers.pass(60_000);
    let watch = PartnerWatch::default();
    let send = |nth: usize| scene.consumers.send_in(&watch, &scene.messages[nth], 1);
    assert_eq!(send(0).code.as_deref(), Some("payload_damaged"), "the one that was to try");
    let rest = [send(most - 2).verdict.name(), send(most - 1).verdict.name()];
    assert_eq!(rest, ["not_stored", "waits"], "one more tries, and no more than that");
}
