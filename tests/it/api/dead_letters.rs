//! The messages that their queues gave up, and their way back.

use raydex::ledger::DeliveryId;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::DeadLetter;
use raydex::r2_event::R2Event;
use serde_json::{Value, json};

use super::story::{KEYS, batch, records, wish};
use super::support::{Fakes, Fault, Kind, NOW_MS};
use super::{Ask, Reply, json as body, problem};

fn keep(fakes: &Fakes, queue: &str, message: &str, body: &str) {
    let (queue, message, body) = (queue.into(), message.into(), body.into());
    fakes.ledgers.ask(REGISTRY, &DeadLetter { queue, message, body, attempts: 3, code: "gave_up".into() });
}

fn event() -> R2Event {
    R2Event::put_object("cdn-logs-raw", KEYS[0], 7, "e", NOW_MS)
}

/// Letters 1 (to parse), 2 (to send), 3 (nothing of ours); and what the second one is of.
fn world() -> (Fakes, DeliveryId) {
    let fakes = Fakes::new();
    let id = batch(&fakes, KEYS[0], &records(0..2), Some(wish())).remove(0);
    keep(&fakes, "parse-queue", "m1", &serde_json::to_string(&event()).unwrap());
    keep(&fakes, "send-queue", "m2", &serde_json::to_string(&id).unwrap());
    keep(&fakes, "parse-queue", "m3", r#"{"s3cret":"words"}"#);
    (fakes, id)
}

fn list(fakes: &Fakes, query: &str) -> Value {
    let reply = Ask::get(&format!("/v1/dead-letters{query}")).of(fakes);
    assert_eq!(reply.status, 200);
    assert!(!String::from_utf8_lossy(&reply.body).contains("s3cret"));
    body(&reply)
}

fn ids(list: &Value) -> Vec<i64> {
    list["dead_letters"].as_array().unwrap().iter().map(|letter| letter["id"].as_i64().unwrap()).collect()
}

fn redrive(fakes: &Fakes, id: &str) -> Reply {
    Ask::post(&format!("/v1/dead-letters/{id}/redrive"), "the ledger is back").of(fakes)
}

fn dismiss(fakes: &Fakes, id: &str) -> Reply {
    Ask::post(&format!("/v1/dead-letters/{id}/dismiss"), "a test of another team").of(fakes)
}

#[test]
fn dead_letters_are_listed_newest_first_with_purpose() {
    let (fakes, id) = world();
    let common = json!({"attempts": 3, "code": "gave_up", "given_up_at": "2026-03-28T08:42:25.000Z", "redriven_at": null,
            "dismissed_at": null});
    let letter = |own: Value| {
        let mut letter = common.clone();
        letter.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        letter
    };
    let (first, second) = (serde_json::to_string(&event()).unwrap(), serde_json::to_string(&id).unwrap());
    let expected = json!({"truncated": false, "dead_letters": [
        letter(json!({"id": 3, "queue": "parse-queue", "message": "m3", "body_bytes": 18})),
        letter(json!({"id": 2, "queue": "send-queue", "message": "m2", "body_bytes": second.len(),
            "payload": id.handle()})),
        letter(json!({"id": 1, "queue": "parse-queue", "message": "m1", "body_bytes": first.len(), "event": event()})),
    ]});
    assert_eq!(list(&fakes, ""), expected);
    assert_eq!(list(&Fakes::new(), ""), json!({"dead_letters": [], "truncated": false}));
}

#[test]
fn key_of_the_predecessors_body_is_shown() {
    let fakes = Fakes::new();
    keep(&fakes, "send-queue", "m1", r#"{"key":"processed/logs_a_log_gz-0.txt","s3cret":1}"#);
    let letter = &list(&fakes, "")["dead_letters"][0];
    assert_eq!(letter["predecessor_key"], "processed/logs_a_log_gz-0.txt");
    assert_eq!(problem(&redrive(&fakes, "1")), (422, "not_redrivable".into()));
}

#[test]
fn list_has_an_end_and_reports_more() {
    let (fakes, _) = world();
    for (query, expected, truncated) in
        [("?limit=1", vec![3], true), ("?limit=2", vec![3, 2], true), ("?limit=3", vec![3, 2, 1], false)]
    {
        let list = list(&fakes, query);
        assert_eq!((ids(&list), &list["truncated"]), (expected, &truncated.into()), "{query}");
    }
    for (query, code) in [
        ("limit=0", "bad_parameter"),
        ("limit=101", "bad_parameter"),
        ("redriven=", "bad_parameter"),
        ("redriven=yes", "bad_parameter"),
        ("dismissed=1", "bad_parameter"),
        ("queue=parse-queue", "unknown_parameter"),
    ] {
        assert_eq!(problem(&Ask::get(&format!("/v1/dead-letters?{query}")).of(&fakes)), (400, code.into()), "{query}");
    }
}

#[test]
fn dead_letter_is_redriven_and_kept_with_reason() {
    let (fakes, id) = world();
    let reply = redrive(&fakes, "1");
    assert_eq!((reply.status, body(&reply)), (200, json!({"dead_letter": 1, "redriven": true, "to": "parse-queue"})));
    assert_eq!(fakes.queue.take(), [serde_json::to_string(&event()).unwrap()]);
    let reply = redrive(&fakes, "2");
    assert_eq!(body(&reply), json!({"dead_letter": 2, "redriven": true, "to": "send-queue"}));
    assert_eq!(fakes.sends.take(), [serde_json::to_string(&id).unwrap()]);
    assert_eq!(ids(&list(&fakes, "")), [3]);
    assert_eq!(ids(&list(&fakes, "?redriven=false")), [3]);
    let all = list(&fakes, "?redriven=true");
    assert_eq!(ids(&all), [3, 2, 1]);
    let first = &all["dead_letters"][2];
    assert_eq!(
        (&first["redriven_at"], &first["reason"]),
        (&"2026-03-28T08:42:25.000Z".into(), &"the ledger is back".into())
    );
}

#[test]
fn foreign_dead_letter_cannot_be_redriven() {
    let (fakes, id) = world();
    let odd = |change: fn(&mut DeliveryId)| {
        let mut id = id.clone();
        change(&mut id);
        serde_json::to_string(&id).unwrap()
    };
    keep(&fakes, "send-queue", "m4", &odd(|id| id.ledger = "v1/registry".into()));
    keep(&fakes, "send-queue", "m5", &odd(|id| id.index = "../x".into()));
    keep(&fakes, "send-queue", "m6", &odd(|id| id.ledger = "s3cret".into()));
    keep(&fakes, "send-queue", "m7", "");
    for id in ["3", "4", "5", "6", "7"] {
        assert_eq!(problem(&redrive(&fakes, id)), (422, "not_redrivable".into()), "{id}");
    }
    assert!(fakes.queue.sent().is_empty() && fakes.sends.sent().is_empty());
    assert_eq!(ids(&list(&fakes, "")).len(), 7);
}

#[test]
fn dismissed_dead_letter_is_kept_with_reason() {
    let (fakes, _) = world();
    let at = "2026-03-28T08:42:25.000Z";
    for _ in 0..2 {
        assert_eq!(body(&dismiss(&fakes, "3")), json!({"dead_letter": 3, "dismissed_at": at}));
        fakes.clock_ms.set(fakes.clock_ms.get() + 1000);
    }
    assert_eq!((ids(&list(&fakes, "")), ids(&list(&fakes, "?redriven=true"))), (vec![2, 1], vec![2, 1]));
    let all = list(&fakes, "?dismissed=true");
    assert_eq!(ids(&all), [3, 2, 1]);
    let letter = &all["dead_letters"][0];
    assert_eq!((&letter["dismissed_at"], &letter["reason"]), (&at.into(), &"a test of another team".into()));
    assert_eq!(problem(&Ask::new("POST", "/v1/dead-letters/3/dismiss").of(&fakes)).0, 400, "without a reason");
    // It may still be redriven, once raydex understands it.
    assert_eq!(problem(&redrive(&fakes, "3")), (422, "not_redrivable".into()));
    assert_eq!(body(&dismiss(&fakes, "1"))["dead_letter"], 1);
    assert_eq!(body(&redrive(&fakes, "1"))["redriven"], true);
}

#[test]
fn a_letter_that_there_is_not_is_404() {
    let (fakes, _) = world();
    for id in ["0", "-1", "4", "x", "1.0", "99999999999999999999", "9007199254740993"] {
        assert_eq!(problem(&redrive(&fakes, id)), (404, "no_such_dead_letter".into()), "{id}");
        assert_eq!(problem(&dismiss(&fakes, id)), (404, "no_such_dead_letter".into()), "{id}");
    }
}

#[test]
fn dead_letter_is_marked_redriven_only_after_sending() {
    for fault in Fault::BOTH {
        let (fakes, _) = world();
        fakes.faults.plan(Some(Kind::Send), 0, fault);
        assert_eq!(problem(&redrive(&fakes, "1")), (503, "unavailable".into()));
        assert_eq!(ids(&list(&fakes, "")), [3, 2, 1]);
        // Its message went out, and the answer of the registry was lost: it can be put back again.
        fakes.faults.plan(Some(Kind::Ledger), 1, fault);
        assert_eq!(problem(&redrive(&fakes, "1")), (503, "unavailable".into()));
        assert_eq!(redrive(&fakes, "1").status, 200);
        assert_eq!(ids(&list(&fakes, "")), [3, 2]);
    }
}
