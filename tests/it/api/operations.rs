//! What a person can do about payloads: each for a reason, each with the books in balance.

use raydex::ledger::erased_lines::{ErasePayload, PayloadRest};
use raydex::ledger::{AttemptOutcome, BatchId, DeliveryId, DeliveryState};
use raydex::limits::{OPERATION_BODY_MAX, REASON_CHARS};
use serde_json::json;

use super::story::{KEYS, attempt, batch, batch_of, claimed, deliver, park, records, split, wish};
use super::support::{Fakes, Fault, Kind};
use super::{Ask, json as body, problem};

fn path(id: &DeliveryId, what: &str) -> String {
    format!("/v1/payloads/{}/{what}", id.handle())
}

/// A world with one payload of two lines.
fn world() -> (Fakes, DeliveryId) {
    let fakes = Fakes::new();
    let id = batch(&fakes, KEYS[0], &records(0..2), Some(wish())).remove(0);
    (fakes, id)
}

#[test]
fn a_parked_payload_is_resent_released_or_dropped() {
    for (what, state, messages) in [("resend", "prepared", 1), ("release", "prepared", 1), ("drop", "dropped", 0)] {
        let (fakes, id) = world();
        park(&fakes, &id);
        let reply = Ask::post(&path(&id, what), "the partner asked for it").of(&fakes);
        let expected = json!({"payload": id.handle(), "before": "parked", "state": state});
        assert_eq!((reply.status, body(&reply)), (200, expected), "{what}");
        let sent: Vec<DeliveryId> =
            fakes.sends.take().iter().map(|message| serde_json::from_str(message).unwrap()).collect();
        assert_eq!(sent, vec![id; messages], "{what}");
    }
}

#[test]
fn only_a_delivered_payload_can_be_resent() {
    let (fakes, id) = world();
    deliver(&fakes, &id);
    for what in ["release", "drop"] {
        assert_eq!(problem(&Ask::post(&path(&id, what), "why not").of(&fakes)), (409, "not_parked".into()));
    }
    let reply = Ask::post(&path(&id, "resend"), "the partner lost it").of(&fakes);
    assert_eq!(body(&reply), json!({"payload": id.handle(), "before": "delivered", "state": "prepared"}));
}

/// Brings a payload to a state.
type Bring = fn(&Fakes, &DeliveryId);

#[test]
fn payload_not_parked_is_left_alone() {
    let states: [(&str, Bring); 5] = [
        ("prepared", |_, _| {}),
        ("sending", |fakes, id| drop(claimed(fakes, id))),
        ("split", |fakes, id| drop(split(fakes, id))),
        ("prepared", |fakes, id| attempt(fakes, id, AttemptOutcome::Released { pause_ms: None, place_ms: None })),
        ("dropped", |fakes, id| {
            park(fakes, id);
            assert_eq!(Ask::post(&path(id, "drop"), "enough").of(fakes).status, 200);
        }),
    ];
    for (state, bring) in states {
        for what in ["resend", "release", "drop"] {
            let (fakes, id) = world();
            bring(&fakes, &id);
            fakes.sends.take();
            let before = fakes.everything();
            let reply = Ask::post(&path(&id, what), "why not").of(&fakes);
            assert_eq!(problem(&reply), (409, "not_parked".into()), "{state} {what}");
            assert!(body(&reply)["detail"].as_str().unwrap().contains(state), "{state} {what}");
            assert_eq!(fakes.everything(), before, "{state} {what}");
            assert!(fakes.sends.sent().is_empty());
        }
    }
}

#[test]
fn erased_body_is_why_nothing_is_resent() {
    let (fakes, id) = world();
    deliver(&fakes, &id);
    let known =
        fakes.ledgers.batch(&BatchId { ledger: id.ledger.clone(), source: id.source.clone() }).payloads.remove(0);
    let (sha256, state, rest) = (known.payload.sha256, known.state, PayloadRest::Stays);
    let call = ErasePayload { id: id.clone(), sha256, state, lines: [0].into_iter().collect(), rest };
    assert!(fakes.ledgers.ask(&id.ledger, &call).erased);
    for (what, words) in [("resend", "was erased"), ("release", "was erased"), ("drop", "does not apply")] {
        let reply = Ask::post(&path(&id, what), "why not").of(&fakes);
        assert_eq!(problem(&reply), (409, "not_parked".into()), "{what}");
        assert!(body(&reply)["detail"].as_str().unwrap().contains(words), "{what}");
    }
}

#[test]
fn malformed_and_unknown_handles_are_404() {
    let (fakes, id) = world();
    let others = [
        DeliveryId { index: "000001".into(), ..id.clone() },
        DeliveryId { plan: 2, ..id.clone() },
        DeliveryId { ledger: "v1/20250101T00".into(), ..id.clone() },
    ];
    let known = id.handle();
    let mut handles: Vec<String> = others.iter().map(DeliveryId::handle).collect();
    handles.extend([
        "x".into(),
        known.replace("000000", ""),
        known.to_uppercase(),
        format!("{known}'"),
        format!("{known}.x"),
    ]);
    for handle in handles {
        for what in ["resend", "release", "drop"] {
            let reply = Ask::post(&format!("/v1/payloads/{handle}/{what}"), "why not").of(&fakes);
            assert_eq!(problem(&reply), (404, "no_such_payload".into()), "{handle}");
        }
    }
}

/// Every operation, on things that there are.
fn operations(fakes: &Fakes) -> Vec<String> {
    let id = batch(fakes, KEYS[0], &records(0..2), Some(wish())).remove(0);
    park(fakes, &id);
    let batch = batch_of(&id);
    let mut paths = ["resend", "release", "drop"].map(|what| path(&id, what)).to_vec();
    paths.extend([format!("/v1/batches/{batch}/replay")]);
    paths.extend(["redrive", "dismiss"].map(|what| format!("/v1/dead-letters/1/{what}")));
    paths
}

#[test]
fn nothing_is_done_without_a_reason() {
    let fakes = Fakes::new();
    let long = "é".repeat(REASON_CHARS + 1);
    for path in operations(&fakes) {
        for sent in [
            String::new(),
            "null".into(),
            "\"reason\"".into(),
            "{}".into(),
            "reason=x".into(),
            r#"{"reason":null}"#.into(),
            r#"{"reason":7}"#.into(),
            r#"{"reason":""}"#.into(),
            r#"{"reason":" \n\t "}"#.into(),
            r#"{"reason":"x"} {"#.into(),
            r#"{"reason":"\ud800"}"#.into(),
            json!({ "reason": long }).to_string(),
        ] {
            let before = (fakes.everything(), fakes.sends.sent());
            let reply = Ask { body: sent.clone().into_bytes(), ..Ask::new("POST", &path) }.of(&fakes);
            assert_eq!(problem(&reply), (400, "reason_missing".into()), "{path} {sent}");
            assert_eq!((fakes.everything(), fakes.sends.sent()), before, "{path} {sent}");
        }
    }
}

#[test]
fn operation_refuses_what_it_does_not_read() {
    let fakes = Fakes::new();
    for path in operations(&fakes) {
        for (sent, code) in [
            (r#"{"reason":"x","reason":"y"}"#, "repeated_member"),
            (r#"{"reason":"x","dry_run":true}"#, "unknown_member"),
            (r#"{"Reason":"x"}"#, "unknown_member"),
        ] {
            let before = (fakes.everything(), fakes.sends.sent());
            let reply = Ask { body: sent.into(), ..Ask::new("POST", &path) }.of(&fakes);
            assert_eq!(problem(&reply), (400, code.into()), "{path} {sent}");
            assert_eq!((fakes.everything(), fakes.sends.sent()), before, "{path} {sent}");
        }
    }
}

#[test]
fn reason_may_be_long_and_in_any_pieces() {
    for pieces in [vec![1], vec![7, 100], vec![100_000]] {
        let (fakes, id) = world();
        park(&fakes, &id);
        let reason = "é".repeat(REASON_CHARS);
        let ask = Ask { pieces, ..Ask::post(&path(&id, "drop"), &format!("  {reason}\n")) };
        assert_eq!(ask.of(&fakes).status, 200);
        let shown = body(&Ask::get(&format!("/v1/batches/{}", batch_of(&id))).of(&fakes));
        assert_eq!((&shown["payloads"][0]["reason"], &shown["payloads"][0]["code"]), (&reason.into(), &json!(null)));
    }
}

#[test]
fn oversized_operation_body_is_refused_before_reading() {
    let fakes = Fakes::new();
    for path in operations(&fakes) {
        let most = json!({ "reason": "x", "more": "x".repeat(OPERATION_BODY_MAX) }).to_string().into_bytes();
        for pieces in [vec![1000], vec![100_000]] {
            let reply = Ask { body: most.clone(), pieces, ..Ask::new("POST", &path) }.of(&fakes);
            assert_eq!(problem(&reply), (413, "too_large".into()), "{path}");
        }
        let before = fakes.faults.calls();
        let content_length = Some(OPERATION_BODY_MAX as u64 + 1);
        let reply = Ask { content_length, ..Ask::post(&path, "why not") }.of(&fakes);
        assert_eq!((problem(&reply).0, fakes.faults.calls()), (413, before), "{path}");
        fakes.faults.plan(Some(Kind::Body), 0, Fault::Fails);
        assert_eq!(problem(&Ask::post(&path, "why not").of(&fakes)), (400, "body_broken".into()), "{path}");
    }
}

#[test]
fn decision_holds_although_its_message_is_lost() {
    let (fakes, id) = world();
    park(&fakes, &id);
    fakes.faults.plan(Some(Kind::SendPayload), 0, Fault::Fails);
    assert_eq!(Ask::post(&path(&id, "release"), "go on").of(&fakes).status, 200);
    assert!(fakes.faults.clear());
    assert!(fakes.ledgers.ledger(&id.ledger).alarm_ms.get().is_some(), "the ledger sends it itself");
}

#[test]
fn books_balance_from_parked_to_dropped() {
    let fakes = Fakes::new();
    let ids = batch(&fakes, KEYS[0], &records(0..6), Some(wish()));
    let lines = || {
        let stats = body(&Ask::get("/v1/stats").of(&fakes));
        assert_eq!((&stats["lines"]["in"], &stats["lines"]["unaccounted"]), (&6.into(), &0.into()));
        assert_eq!(stats.get("alarm"), None);
        let count = |name: &str| stats["lines"][name].as_u64().unwrap();
        (count("pending"), count("delivered"), count("parked"), stats["lines"]["filtered"]["dropped"].as_u64())
    };
    assert_eq!(lines(), (6, 0, 0, None));
    deliver(&fakes, &ids[0]);
    park(&fakes, &ids[1]);
    attempt(&fakes, &ids[2], AttemptOutcome::Unknown { code: "timeout".into() });
    assert_eq!(lines(), (0, 2, 4, None));
    assert_eq!(Ask::post(&path(&ids[1], "drop"), "the partner does not want it").of(&fakes).status, 200);
    assert_eq!(lines(), (0, 2, 2, Some(2)));
    assert_eq!(Ask::post(&path(&ids[2], "release"), "the partner does not have it").of(&fakes).status, 200);
    assert_eq!(lines(), (2, 2, 0, Some(2)));
    deliver(&fakes, &ids[2]);
    assert_eq!(lines(), (0, 4, 0, Some(2)));
    let batch = body(&Ask::get(&format!("/v1/batches/{}", batch_of(&ids[0]))).of(&fakes));
    let states: Vec<_> = batch["payloads"].as_array().unwrap().iter().map(|payload| payload["state"].clone()).collect();
    assert_eq!(
        states,
        [DeliveryState::Delivered, DeliveryState::Dropped, DeliveryState::Delivered].map(DeliveryState::name)
    );
}
