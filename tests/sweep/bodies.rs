//! Bodies: kept as long as someone may need them, and then removed.

use raydex::ledger::calls::{Decide, Decision};
use raydex::ledger::{DeliveryId, State};
use raydex::limits::BODIES_KEPT_MS;
use raydex::pipeline::Swept;

use super::support::partner::delivering;
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Reply};
use super::{DAY, HOUR, Scene};

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";

/// A batch of so many payloads of one line, sealed; the partner answers so. With the payloads' messages.
fn scene(payloads: u64, reply: Reply) -> (Scene, Vec<String>) {
    let scene = Scene(Consumers::new(delivering(&[("BATCH_SIZE", "1")]), move |_, _| reply));
    scene.write_text(KEY, &ndjson((0..payloads).map(|number| http(&ray(number).to_string(), 0))));
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep_and_read(), 1);
    let messages = scene.0.fakes.sends.take();
    (scene, messages)
}

/// How many bodies there are.
fn bodies(scene: &Scene) -> usize {
    scene.0.fakes.bucket.contents().keys().filter(|key| key.starts_with("processed/")).count()
}

fn swept(scene: &Scene) -> usize {
    let Swept { bodies, more, .. } = scene.try_sweep().unwrap();
    assert!(!more);
    bodies
}

fn decide(scene: &Scene, message: &str, decision: Decision) {
    let id: DeliveryId = serde_json::from_str(message).unwrap();
    let ledger = id.ledger.clone();
    scene.0.fakes.ledgers.ask(&ledger, &Decide { id, decision, reason: "by_hand".into() });
}

#[test]
fn bodies_of_what_came_to_rest_go_days_later_and_not_before() {
    let (scene, messages) = scene(3, Reply::Status(200));
    for message in &messages {
        assert_eq!(scene.0.send(message, 1).verdict, "delivered");
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
    for (reply, state) in [(Reply::Status(400), State::Parked), (Reply::Status(503), State::Prepared)] {
        let (scene, messages) = scene(2, reply);
        scene.0.send(&messages[0], 1);
        assert_eq!(scene.0.fakes.kept(KEY).payloads[0].state, state);
        scene.0.pass(100 * DAY);
        assert_eq!((swept(&scene), bodies(&scene)), (0, 2), "{reply:?}");
    }
    let (scene, messages) = scene(1, Reply::Status(200));
    scene.0.fakes.faults.plan_row(Some(super::support::Kind::Ledger), 1, super::support::Fault::Fails, 5);
    scene.0.send(&messages[0], 1);
    assert_eq!(scene.0.fakes.kept(KEY).payloads[0].state, State::Sending);
    scene.0.pass(100 * DAY);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
}

#[test]
fn the_body_of_what_a_person_resends_stays_until_it_comes_to_rest_again() {
    let (scene, messages) = scene(1, Reply::Status(200));
    scene.0.send(&messages[0], 1);
    scene.0.pass(BODIES_KEPT_MS + 1);
    decide(&scene, &messages[0], Decision::Resend);
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
    assert_eq!(scene.0.send(&messages[0], 1).verdict, "delivered");
    assert_eq!((swept(&scene), bodies(&scene)), (0, 1));
    scene.0.pass(BODIES_KEPT_MS + 1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));
}

#[test]
fn what_has_no_body_any_more_is_not_resent() {
    let (scene, messages) = scene(1, Reply::Status(200));
    scene.0.send(&messages[0], 1);
    scene.0.pass(BODIES_KEPT_MS + 1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));
    decide(&scene, &messages[0], Decision::Resend);
    assert_eq!(scene.0.fakes.kept(KEY).payloads[0].state, State::Delivered, "it stays what it is");
}

#[test]
fn bodies_of_what_was_dropped_or_split_go_too() {
    let (scene, messages) = scene(1, Reply::Status(400));
    scene.0.send(&messages[0], 1);
    decide(&scene, &messages[0], Decision::Drop);
    scene.0.pass(BODIES_KEPT_MS + 1);
    assert_eq!((swept(&scene), bodies(&scene)), (1, 0));

    let scene =
        Scene(Consumers::new(delivering(&[]), |seen, _| Reply::Status(if seen.lines.len() > 1 { 413 } else { 200 })));
    scene.write_text(KEY, &ndjson((0..2).map(|number| http(&ray(number).to_string(), 0))));
    scene.0.pass(HOUR);
    scene.sweep_and_read();
    scene.0.settle(HOUR);
    assert_eq!(bodies(&scene), 3);
    scene.0.pass(BODIES_KEPT_MS + HOUR);
    assert_eq!((swept(&scene), bodies(&scene)), (3, 0));
}

#[test]
fn more_bodies_than_go_in_one_removal_go_in_several() {
    let (scene, messages) = scene(1003, Reply::Status(200));
    for message in &messages {
        assert_eq!(scene.0.send(message, 1).verdict, "delivered");
    }
    scene.0.pass(BODIES_KEPT_MS + 1);
    let before = scene.0.fakes.faults.count(super::support::Kind::Delete);
    assert_eq!((swept(&scene), bodies(&scene)), (1003, 0));
    assert_eq!(scene.0.fakes.faults.count(super::support::Kind::Delete) - before, 2);
}
