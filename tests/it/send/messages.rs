//! Messages: bad ones, old ones, the same one again and again.

use raydex::ledger::calls::{DecideDelivery, DeliveryDecision};
use raydex::ledger::{DeliveryId, DeliveryState};
use serde_json::json;

use super::Scene;
use super::support::{Fault, Kind, Reply};

#[test]
fn message_without_a_payload_becomes_a_dead_letter() {
    let scene = Scene::one(&[], Reply::Status(200));
    let good = scene.messages[0].clone();
    let deep = "[".repeat(100_000);
    let bad = [
        "",
        "null",
        "7",
        "[]",
        "{}",
        "\"x\"",
        "{",
        &deep,
        good.split_at(good.len() - 1).0,
        &good.replace("\"plan\":1", "\"plan\":-1"),
        &good.replace("\"plan\":1", "\"plan\":\"1\""),
        &good.replace("\"index\"", "\"number\""),
        &good.replace("v1/20260328T08", "v1/registry"),
        &good.replace("000000", "../x"),
    ];
    let fakes = &scene.consumers.fakes;
    for (number, body) in bad.into_iter().enumerate() {
        let calls = fakes.faults.calls();
        for attempt in [1, 6] {
            let said = serde_json::to_value(scene.consumers.send(body, attempt)).unwrap();
            assert_eq!(said, json!({"verdict": "bad_message", "code": "not_a_payload"}), "{body:.50}");
        }
        assert_eq!(fakes.faults.calls(), calls + 2, "{body:.50}: a call for each");
        let letters = fakes.dead_letters();
        assert_eq!(letters.len(), number + 1, "{body:.50}");
        assert_eq!(letters[number], ("send-queue".into(), "not_a_payload".into(), body.into()), "{body:.50}");
    }
    assert_eq!(scene.posts(), 0);
}

#[test]
fn predecessors_message_is_kept_under_its_code() {
    let scene = Scene::one(&[], Reply::Status(200));
    let body = r#"{"key":"processed/logs_20260328_20260328T084200Z_20260328T084225Z_ab_log_gz-3.txt","__redrive":2}"#;
    let said = serde_json::to_value(scene.consumers.send(body, 1)).unwrap();
    assert_eq!(said, json!({"verdict": "bad_message", "code": "predecessor_payload"}));
    let letters = scene.consumers.fakes.dead_letters();
    assert_eq!(letters, [("send-queue".into(), "predecessor_payload".into(), body.into())]);
    assert_eq!(scene.posts(), 0);
}

#[test]
fn message_without_a_payload_returns_until_kept() {
    let scene = Scene::one(&[], Reply::Status(200));
    let fakes = &scene.consumers.fakes;
    for fault in Fault::BOTH {
        fakes.faults.plan(Some(Kind::Ledger), 0, fault);
        let said = scene.consumers.send("{}", 2);
        assert_eq!((said.verdict.name(), said.code.as_deref()), ("failed", Some("backend_failed")));
        assert!(said.retry_s.is_some_and(|retry_s| (45..=56).contains(&retry_s)), "{said:?}");
    }
    assert_eq!(scene.consumers.send("{}", 3).verdict.name(), "bad_message");
    assert_eq!(fakes.dead_letters().len(), 1);
}

#[test]
fn a_payload_that_there_is_not_is_acked() {
    let scene = Scene::one(&[], Reply::Status(200));
    for id in [
        DeliveryId { index: "000009".into(), ..scene.id() },
        DeliveryId { plan: 2, ..scene.id() },
        DeliveryId { ledger: "v1/20260328T09".into(), ..scene.id() },
    ] {
        let said = scene.consumers.send(&serde_json::to_string(&id).unwrap(), 1);
        assert_eq!((said.verdict.name(), said.payload, said.retry_s), ("no_such_payload", Some(id.handle()), None));
    }
    assert_eq!(scene.posts(), 0);
}

#[test]
fn one_message_a_thousand_times_is_one_delivery() {
    let scene = Scene::one(&[], Reply::Status(200));
    assert_eq!(scene.send().verdict.name(), "delivered");
    let rows = scene.consumers.fakes.ledgers.rows();
    for _ in 0..1000 {
        let said = scene.send();
        assert_eq!((said.verdict.name(), said.code.as_deref(), said.retry_s), ("settled", Some("delivered"), None));
    }
    // Five days late, too.
    scene.consumers.pass(5 * 24 * 3_600_000);
    assert_eq!(scene.send().verdict.name(), "settled");
    assert_eq!((scene.posts(), scene.consumers.fakes.ledgers.rows()), (1, rows));
}

#[test]
fn message_not_due_is_acked_for_the_ledger() {
    let scene = Scene::script(&[], &[Reply::Status(500), Reply::Status(200)]);
    scene.send();
    for _ in 0..50 {
        let said = scene.send();
        assert_eq!((said.verdict.name(), said.code.as_deref(), said.retry_s), ("waits", Some("not_due"), None));
    }
    assert_eq!((scene.posts(), scene.payload().attempts), (1, 1));
    scene.consumers.settle(60_000);
    assert_eq!((scene.posts(), scene.state()), (2, DeliveryState::Delivered));
}

#[test]
fn every_attempt_sends_the_same_bytes_and_name() {
    let replies = [Reply::Status(500), Reply::Silence, Reply::Status(429), Reply::NotSent, Reply::Status(401)];
    let scene = Scene::script(&[], &[&replies[..], &[Reply::Status(200)]].concat());
    scene.send();
    scene.consumers.settle(24 * 3_600_000);
    let seen = scene.consumers.partner.seen();
    assert_eq!((seen.len(), scene.state()), (6, DeliveryState::Delivered));
    let stored = scene.consumers.fakes.bucket.object(&scene.body_key()).unwrap().bytes;
    assert!(seen.iter().all(|seen| seen.post.body == *stored));
    assert!(seen.iter().all(|seen| seen.post.batch_id == scene.id().batch_header()));
    // And one more by a person's word, after another deployment took over.
    let id = scene.id();
    let decide = DecideDelivery { id: id.clone(), decision: DeliveryDecision::Resend, reason: "they lost it".into() };
    let message = serde_json::to_string(&scene.consumers.fakes.ledgers.ask(&id.ledger, &decide).send[0]).unwrap();
    assert_eq!(message, scene.messages[0]);
    assert_eq!(scene.consumers.send(&message, 1).verdict.name(), "delivered");
    assert_eq!(scene.consumers.partner.seen()[6].post.batch_id, seen[0].post.batch_id);
    assert_eq!(scene.totals().lines.delivered, 1);
}

#[test]
fn payloads_of_one_batch_have_own_names() {
    let scene = Scene::of(10, 3, &[], |_, _| Reply::Status(200));
    (0..scene.messages.len()).for_each(|nth| assert_eq!(scene.send_nth(nth).verdict.name(), "delivered"));
    let mut names: Vec<String> = scene.consumers.partner.seen().into_iter().map(|seen| seen.post.batch_id).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 4);
    assert_eq!(scene.consumers.partner.stored().len(), 10);
}
