//! Bodies: kept as long as someone may need them, and then removed.

use raydex::ledger::calls::{DecideDelivery, DeliveryDecision};
use raydex::ledger::{DeliveryId, DeliveryState};
use raydex::limits::{BODIES_KEPT_MS, MIB};
use raydex::pipeline::SweepReport;

use super::support::partner::{Seen, delivering};
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Fault, Kind, Reply};
use super::{DAY, HOUR, Scene};

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";

/// A batch of so many payloads of one line, sealed, each body a pack of its own; the partner answers so. With the payloads'
/// messages.
fn scene(payloads: u64, reply: Reply) -> (Scene, Vec<String>) {
    packed(payloads, 0, move |_| reply)
}

/// The same in packs of so many bytes at most, where the partner answers by what it sees.
fn packed(payloads: u64, pack_bytes: usize, mind: impl Fn(&Seen) -> Reply + 'static) -> (Scene, Vec<String>) {
    let scene = Scene(Consumers::new(delivering(&[("BATCH_SIZE", "1")]), move |seen, _| mind(seen)));
    scene.0.fakes.pack_bytes.set(pack_bytes);
    scene.write_text(KEY, &ndjson((0..payloads).map(|number| http(&ray(number).to_string(), 0))));
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep_and_read(), 1);
    let messages = scene.0.fakes.sends.take();
    (scene, messages)
}

/// How many bodies there are.
fn bodies(scene: &Scene) -> usize {
    scene.0.fakes.bucket.contents().keys().filter(|key| key.starts_with("raydex/payloads/")).count()
}

fn swept(scene: &Scene) -> usize {
    let SweepReport { packs_removed, incomplete, .. } = scene.try_sweep().unwrap();
    assert!(!incomplete);
    packs_removed
}

fn decide(scene: &Scene, message: &str, decision: DeliveryDecision) {
    let id: DeliveryId = serde_json::from_str(message).unwrap();
    let ledger = id.ledger.clone();
    scene.0.fakes.ledgers.ask(&ledger, &DecideDelivery { id, decision, reason: "by_hand".into() });
}

#[test]
fn bodies_of_terminal_payloads_go_days_later() {
    let (scene, messages) = scene(3, Reply::Status(200));
    for message in &messages {
        assert_eq!(scene.0.send(message, 1).verdict.name(), "delivered");
    }
    scene.0.pass(BODIES_KEPT_MS);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 3), "to the millisecond");
    scene.0.pass(1);
    assert_eq!((swept(&scene), bodies(&scene)), (3, 0));
    assert_eq!(swept(&scene), 0, "once");
    assert_eq!(scene.0.fakes.ledgers.totals().lines.delivered, 3);
    assert!(scene.0.fakes.bucket.object(KEY).is_some(), "raw objects are not ours to remove");
}

#[test]
fn bodies_of_what_is_pending_or_parked_stay() {
    // Parked, waiting for its next attempt, being sent, never claimed.
    for (reply, state) in [(Reply::Status(400), DeliveryState::Parked), (Reply::Status(503), DeliveryState::Prepared)] {
        let (scene, messages) = scene(2, reply);
        scene.0.send(&messages[0], 1);
        assert_eq!(scene.0.fakes.kept(KEY).payloads[0].state, state);
        scene.0.pass(100 * DAY);
        assert_eq!((swept(&scene), bodies(&scene)), (0, 2), "{reply:?}");
    }
    let (scene, messages) = scene(1, Reply::Status(200));
    scene.0.fakes.faults.plan_row(Some(Kind::Ledger), 1, Fault::Fails, 5);
    scene.0.send(&messages[0], 1);
    assert_eq!(scene.0.fakes.kept(KEY).payloads[0].state, DeliveryState::Sending);
    scene.0.pass(100 * DAY);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
}

#[test]
fn resent_payloads_body_stays_until_terminal_again() {
    let (scene, messages) = scene(1, Reply::Status(200));
    scene.0.send(&messages[0], 1);
    scene.0.pass(BODIES_KEPT_MS + 1);
    decide(&scene, &messages[0], DeliveryDecision::Resend);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
    assert_eq!(scene.0.send(&messages[0], 1).verdict.name(), "delivered");
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
    scene.0.pass(BODIES_KEPT_MS + 1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));
}

#[test]
fn payload_without_a_body_is_not_resent() {
    let (scene, messages) = scene(1, Reply::Status(200));
    scene.0.send(&messages[0], 1);
    scene.0.pass(BODIES_KEPT_MS + 1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));
    decide(&scene, &messages[0], DeliveryDecision::Resend);
    assert_eq!(scene.0.fakes.kept(KEY).payloads[0].state, DeliveryState::Delivered, "it stays what it is");
}

#[test]
fn bodies_of_dropped_and_split_payloads_go_too() {
    let (scene, messages) = scene(1, Reply::Status(400));
    scene.0.send(&messages[0], 1);
    decide(&scene, &messages[0], DeliveryDecision::Drop);
    scene.0.pass(BODIES_KEPT_MS + 1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));

    let scene =
        Scene(Consumers::new(delivering(&[]), |seen, _| Reply::Status(if seen.lines.len() > 1 { 413 } else { 200 })));
    scene.write_text(KEY, &ndjson((0..2).map(|number| http(&ray(number).to_string(), 0))));
    scene.0.pass(HOUR);
    scene.sweep_and_read();
    scene.0.settle(HOUR);
    assert_eq!(bodies(&scene), 2, "the whole, and its halves in one pack");
    scene.0.pass(BODIES_KEPT_MS + HOUR);
    assert_eq!((swept(&scene), bodies(&scene)), (2, 0));
}

#[test]
fn bodies_beyond_one_removal_go_in_several() {
    let (scene, messages) = scene(1003, Reply::Status(200));
    for message in &messages {
        assert_eq!(scene.0.send(message, 1).verdict.name(), "delivered");
    }
    scene.0.pass(BODIES_KEPT_MS + 1);
    let before = scene.0.fakes.faults.count(Kind::Delete);
    assert_eq!((swept(&scene), bodies(&scene)), (1003, 0));
    assert_eq!(scene.0.fakes.faults.count(Kind::Delete) - before, 2);
}

#[test]
fn pack_goes_days_after_its_last_payload_ended() {
    let (scene, messages) = packed(3, MIB, |_| Reply::Status(200));
    assert_eq!(bodies(&scene), 1);
    for message in &messages {
        assert_eq!(scene.0.send(message, 1).verdict.name(), "delivered");
        scene.0.pass(DAY);
    }
    // The last one a day ago.
    scene.0.pass(BODIES_KEPT_MS - DAY);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1), "to the millisecond");
    scene.0.pass(1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));
    assert_eq!(swept(&scene), 0, "once");
}

#[test]
fn parked_payload_keeps_its_pack_for_later_sending() {
    let bad = ray(1).to_string();
    let (scene, messages) =
        packed(3, MIB, move |seen| Reply::Status(if seen.rays().contains(&bad) { 400 } else { 200 }));
    let verdicts: Vec<&str> = messages.iter().map(|message| scene.0.send(message, 1).verdict.name()).collect();
    assert_eq!(verdicts, ["delivered", "refused", "delivered"]);
    scene.0.pass(100 * DAY);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
    // One that was delivered is still there to be resent; then it is the later one that counts.
    decide(&scene, &messages[0], DeliveryDecision::Resend);
    assert_eq!(scene.0.send(&messages[0], 1).verdict.name(), "delivered");
    decide(&scene, &messages[1], DeliveryDecision::Release);
    assert_eq!(scene.0.send(&messages[1], 1).verdict.name(), "refused", "it was read, and posted");
    decide(&scene, &messages[1], DeliveryDecision::Drop);
    scene.0.pass(BODIES_KEPT_MS);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
    scene.0.pass(1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));
    for (message, state) in
        messages.iter().zip([DeliveryState::Delivered, DeliveryState::Dropped, DeliveryState::Delivered])
    {
        decide(&scene, message, DeliveryDecision::Resend);
        let id: DeliveryId = serde_json::from_str(message).unwrap();
        let payloads = scene.0.fakes.kept(KEY).payloads;
        let kept = payloads.iter().find(|view| view.payload.index == id.index).unwrap();
        assert_eq!((kept.state, &kept.payload.pack), (state, &None), "what has no body any more is not resent");
    }
}

#[test]
fn failed_removal_is_done_by_the_next_sweep() {
    let rested = || {
        let (scene, messages) = packed(5, 250, |_| Reply::Status(200));
        assert!((2..5).contains(&bodies(&scene)), "some together, and more than one: {}", bodies(&scene));
        for message in &messages {
            assert_eq!(scene.0.send(message, 1).verdict.name(), "delivered");
        }
        scene.0.pass(BODIES_KEPT_MS + 1);
        scene
    };
    let clean = rested();
    let before = clean.0.fakes.faults.calls();
    let objects = swept(&clean);
    let calls = clean.0.fakes.faults.calls() - before;
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let scene = rested();
            scene.0.fakes.faults.plan(None, nth, fault);
            assert!(scene.try_sweep().is_err(), "call {nth} {fault:?}");
            assert!(scene.0.fakes.faults.clear());
            assert!(swept(&scene) <= objects);
            assert_eq!((bodies(&scene), swept(&scene)), (0, 0), "call {nth} {fault:?}");
            assert_eq!(scene.0.fakes.ledgers.totals().lines.delivered, 5);
        }
    }
    assert!(clean.0.fakes.faults.count(Kind::Delete) > 0);
}
