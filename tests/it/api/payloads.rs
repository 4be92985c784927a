//! Payloads of all hours: listed by a filter, and decided about together.

use raydex::ledger::calls::CommitAttempt;
use raydex::ledger::{AttemptFacts, AttemptOutcome, DeliveryId};
use serde_json::{Value, json};

use super::story::{KEYS, batch, claimed, deliver, park, records, wish};
use super::support::Fakes;
use super::support::world::config_with;
use super::{Ask, Reply, json as body, problem};

/// Three payloads of each of four batches; of each batch the second and third are parked.
fn world() -> (Fakes, Vec<DeliveryId>) {
    let fakes = Fakes::new();
    let mut ids = Vec::new();
    for (number, key) in (0..).zip(KEYS) {
        let payloads = batch(&fakes, key, &records(6 * number..6 * number + 6), Some(wish()));
        deliver(&fakes, &payloads[0]);
        payloads[1..].iter().for_each(|id| park(&fakes, id));
        ids.extend(payloads);
    }
    (fakes, ids)
}

fn list(fakes: &Fakes, query: &str) -> Value {
    let reply = Ask::get(&format!("/v1/payloads{query}")).of(fakes);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    body(&reply)
}

fn handles(list: &Value) -> Vec<String> {
    list["payloads"].as_array().unwrap().iter().map(|payload| payload["id"].as_str().unwrap().to_owned()).collect()
}

fn decide(fakes: &Fakes, sent: &Value) -> Reply {
    Ask { body: sent.to_string().into_bytes(), ..Ask::new("POST", "/v1/payloads/decide") }.of(fakes)
}

/// Counts what a decision would apply to, and returns the body that makes it.
fn counted(fakes: &Fakes, mut sent: Value, count: u64) -> Value {
    sent["dry_run"] = true.into();
    let before = (fakes.everything(), fakes.sends.sent());
    let counted = body(&decide(fakes, &sent));
    assert_eq!((&counted["count"], &counted["lines"]), (&count.into(), &(2 * count).into()), "{counted}");
    assert_eq!((fakes.everything(), fakes.sends.sent()), before, "a dry run changes nothing");
    sent.as_object_mut().unwrap().remove("dry_run");
    sent["expected"] = counted["expected"].clone();
    sent["reason"] = "the partner asked for it".into();
    sent
}

#[test]
fn payloads_are_listed_across_hours_by_filter() {
    let (fakes, ids) = world();
    let hours =
        |list: &Value| handles(list).iter().map(|id| id.split('.').next().unwrap().to_owned()).collect::<Vec<_>>();
    let all = list(&fakes, "");
    assert_eq!((handles(&all).len(), &all["truncated"], &all["next"]), (12, &false.into(), &Value::Null));
    let found = hours(&all);
    assert!(
        found[..6].iter().all(|hour| hour == "20260328T08") && found[6..9].iter().all(|hour| hour == "20260328T07")
    );
    for (query, count) in [
        ("?state=parked", 8),
        ("?state=delivered", 4),
        ("?state=sending", 0),
        ("?code=permanent", 8),
        ("?code=auth", 0),
        ("?state=delivered&code=permanent", 0),
        ("?older_than=0s", 0),
        ("?older_than=2026-03-28T08:42:26Z", 12),
        ("?older_than=2026-03-28T08:42:25Z", 0),
    ] {
        assert_eq!(handles(&list(&fakes, query)).len(), count, "{query}");
    }
    fakes.clock_ms.set(fakes.clock_ms.get() + 60_000);
    assert_eq!(handles(&list(&fakes, "?older_than=59s&state=parked")).len(), 8);
    assert_eq!(handles(&list(&fakes, "?older_than=2m")).len(), 0);
    for query in ["?state=lost", "?older_than=old", "?older_than=", "?limit=0", "?limit=1001", "?after=x", "?after=7"] {
        assert_eq!(
            problem(&Ask::get(&format!("/v1/payloads{query}")).of(&fakes)),
            (400, "bad_parameter".into()),
            "{query}"
        );
    }
    let stranger = DeliveryId { ledger: "v1/20250101T00".into(), ..ids[0].clone() }.handle();
    assert_eq!(problem(&Ask::get(&format!("/v1/payloads?after={stranger}")).of(&fakes)).0, 400);
}

#[test]
fn following_next_lists_each_payload_once() {
    let (fakes, _) = world();
    for query in ["", "&state=parked"] {
        let whole = handles(&list(&fakes, &format!("?limit=1000{query}")));
        for limit in 1..=13 {
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let page = list(&fakes, &format!("?limit={limit}{query}{after}"));
                assert_eq!(page["truncated"], !page["next"].is_null());
                found.extend(handles(&page));
                let Some(next) = page["next"].as_str() else { break };
                assert_eq!(handles(&page).len(), limit);
                after = format!("&after={next}");
            }
            assert_eq!(found, whole, "{limit} at a time");
        }
    }
}

#[test]
fn partner_words_are_shown_to_operators_alone() {
    let (fakes, ids) = world();
    assert_eq!(
        body(&Ask::post(&format!("/v1/payloads/{}/release", ids[1].handle()), "again").of(&fakes))["before"],
        "parked"
    );
    let (token, _) = claimed(&fakes, &ids[1]);
    let outcome = AttemptOutcome::Refused { status: Some(422), code: "permanent".into() };
    let refusal = Some("column 45 is no country".into());
    fakes.ledgers.ask(
        &ids[1].ledger,
        &CommitAttempt { id: ids[1].clone(), token, outcome, refusal, facts: AttemptFacts::default() },
    );
    let tokens = r#"[{"id":"desk","sha256":"HASH","scopes":["read"],"role":"support"},
        {"id":"ops","sha256":"OTHER","scopes":["deliver"],"role":"viewer"}]"#;
    let hash = |text: &str| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(text));
    let tokens = tokens.replace("HASH", &hash("desk")).replace("OTHER", &hash("ops"));
    let config = Ok(config_with(&[("API_TOKENS", &tokens)]));
    let shown = |token: &str| {
        let ask = Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get("/v1/payloads?state=parked") };
        let reply = ask.of_deployment(&fakes, &config);
        assert_eq!((reply.status, handles(&body(&reply)).len()), (200, 8));
        body(&reply)["payloads"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|payload| payload.get("refusal").cloned())
            .collect::<Vec<_>>()
    };
    assert_eq!((shown("ops"), shown("desk")), (vec![json!("column 45 is no country")], vec![]));
    deliver_again(&fakes, &ids[1]);
    assert_eq!(shown_anywhere(&fakes), 0, "an answer that takes it ends the refusal");
}

fn deliver_again(fakes: &Fakes, id: &DeliveryId) {
    assert_eq!(Ask::post(&format!("/v1/payloads/{}/release", id.handle()), "again").of(fakes).status, 200);
    deliver(fakes, id);
}

fn shown_anywhere(fakes: &Fakes) -> usize {
    list(fakes, "")["payloads"].as_array().unwrap().iter().filter(|payload| payload.get("refusal").is_some()).count()
}

#[test]
fn filter_decision_applies_to_what_was_counted() {
    for (decision, state, pending) in
        [("release", "prepared", 16), ("resend", "prepared", 16), ("drop", "dropped", 0), ("confirm", "confirmed", 0)]
    {
        let (fakes, _) = world();
        let sent = counted(&fakes, json!({"decision": decision, "code": "permanent"}), 8);
        let reply = decide(&fakes, &sent);
        assert_eq!((reply.status, body(&reply)), (200, json!({"decided": 8, "lines": 16, "left": 0})), "{decision}");
        assert_eq!(handles(&list(&fakes, &format!("?state={state}"))).len(), 8, "{decision}");
        let stats = body(&Ask::get("/v1/stats").of(&fakes));
        assert_eq!((&stats["lines"]["pending"], &stats["lines"]["unaccounted"]), (&pending.into(), &0.into()));
        for name in ["v1/20260328T08", "v1/20260328T07"] {
            let rings = fakes.ledgers.ledger(name).alarm_ms.get();
            assert_eq!(
                rings.is_some_and(|at| at < fakes.clock_ms.get() + 1_000),
                state == "prepared",
                "{decision}: the alarm sends them"
            );
        }
        assert_eq!(problem(&decide(&fakes, &sent)), (409, "payloads_changed".into()), "{decision}, once more");
    }
}

#[test]
fn decision_beyond_its_count_is_refused() {
    let (fakes, ids) = world();
    let sent = counted(&fakes, json!({"decision": "drop"}), 8);
    // One more, one fewer, one that was tried in between: none is what was counted.
    let more = batch(&fakes, "logs/http_requests/20260328/20260328T084400Z_dd.log.gz", &records(40..42), Some(wish()));
    park(&fakes, &more[0]);
    let refused = |sent: &Value| {
        let before = (fakes.everything(), fakes.sends.sent());
        assert_eq!(problem(&decide(&fakes, sent)), (409, "payloads_changed".into()));
        assert_eq!((fakes.everything(), fakes.sends.sent()), before);
    };
    refused(&sent);
    let sent = counted(&fakes, json!({"decision": "drop"}), 9);
    assert_eq!(Ask::post(&format!("/v1/payloads/{}/drop", more[0].handle()), "this one").of(&fakes).status, 200);
    refused(&sent);
    let sent = counted(&fakes, json!({"decision": "drop"}), 8);
    assert_eq!(Ask::post(&format!("/v1/payloads/{}/release", ids[1].handle()), "try it").of(&fakes).status, 200);
    park(&fakes, &ids[1]);
    refused(&sent);
}

#[test]
fn resent_payloads_may_be_delivered_ones() {
    let (fakes, ids) = world();
    let sent = counted(&fakes, json!({"decision": "resend", "state": "delivered"}), 4);
    assert_eq!(body(&decide(&fakes, &sent))["decided"], 4);
    assert_eq!(Ask::post(&format!("/v1/payloads/{}/confirm", ids[1].handle()), "they have it").of(&fakes).status, 200);
    let sent = counted(&fakes, json!({"decision": "resend", "state": "confirmed"}), 1);
    assert_eq!(body(&decide(&fakes, &sent))["decided"], 1);
}

#[test]
fn confirmed_payload_counts_apart_with_reason() {
    let (fakes, ids) = world();
    let path = format!("/v1/payloads/{}/confirm", ids[1].handle());
    let reply = Ask::post(&path, "it is in their log of 9:14").of(&fakes);
    assert_eq!(body(&reply), json!({"payload": ids[1].handle(), "before": "parked", "state": "confirmed"}));
    assert!(fakes.sends.sent().is_empty(), "nothing is sent");
    let stats = body(&Ask::get("/v1/stats").of(&fakes));
    let (lines, payloads) = (&stats["lines"], &stats["payloads"]);
    assert_eq!((&lines["delivered"], &lines["confirmed"], &lines["unaccounted"]), (&8.into(), &2.into(), &0.into()));
    assert_eq!((&payloads["delivered"], &payloads["confirmed"]), (&4.into(), &1.into()));
    let shown = &list(&fakes, "?state=confirmed")["payloads"][0];
    assert_eq!((&shown["reason"], &shown["code"]), (&"it is in their log of 9:14".into(), &Value::Null));
    assert_eq!((&shown["waits_for"], shown["completed_at"].is_string()), (&Value::Null, true));
    let reason = Ask::get("/v1/payloads?code=it+is+in+their+log+of+9:14").of(&fakes);
    assert_eq!(problem(&reason), (400, "bad_parameter".into()), "a reason is no code");
    assert_eq!(problem(&Ask::post(&path, "once more").of(&fakes)), (409, "not_parked".into()));
    assert_eq!(problem(&Ask::post(&format!("/v1/payloads/{}/confirm", ids[0].handle()), "x").of(&fakes)).0, 409);
}

#[test]
fn named_payloads_are_decided_one_by_one() {
    let (fakes, ids) = world();
    let unknown = DeliveryId { index: "000009".into(), ..ids[0].clone() };
    let named = [&ids[1], &ids[0], &ids[8], &unknown].map(DeliveryId::handle);
    let reply = decide(&fakes, &json!({"decision": "release", "payloads": named, "reason": "they are back"}));
    let outcome =
        |at: usize, before: Value, state: Value| json!({"payload": named[at], "before": before, "state": state});
    let expected = json!({"decided": 2, "left": 2, "payloads": [
        outcome(0, json!("parked"), json!("prepared")),
        outcome(1, json!("delivered"), json!("delivered")),
        outcome(2, json!("parked"), json!("prepared")),
        outcome(3, Value::Null, Value::Null),
    ]});
    assert_eq!((reply.status, body(&reply)), (200, expected));
    let sent: Vec<DeliveryId> = fakes.sends.take().iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(sent, [ids[1].clone(), ids[8].clone()]);
    for handles in [json!(["x"]), json!([DeliveryId { ledger: "v1/20250101T00".into(), ..ids[0].clone() }.handle()])] {
        let reply = decide(&fakes, &json!({"decision": "drop", "payloads": handles, "reason": "x"}));
        assert_eq!(problem(&reply), (404, "no_such_payload".into()));
    }
}

#[test]
fn malformed_decisions_do_nothing() {
    let (fakes, ids) = world();
    let handle = ids[1].handle();
    let many: Vec<&String> = std::iter::repeat_n(&handle, 101).collect();
    for (sent, code) in [
        (json!({}), "not_a_decision"),
        (json!({"decision": "forget", "dry_run": true}), "not_a_decision"),
        (json!({"decision": "drop", "state": "prepared", "dry_run": true}), "not_a_decision"),
        (json!({"decision": "drop", "state": "delivered", "dry_run": true}), "not_a_decision"),
        (json!({"decision": "drop", "state": "x", "dry_run": true}), "bad_parameter"),
        (json!({"decision": "drop", "older_than": "x", "dry_run": true}), "bad_parameter"),
        (json!({"decision": "drop", "code": "it failed", "dry_run": true}), "bad_parameter"),
        (json!({"decision": "drop", "dry_run": "yes"}), "not_a_decision"),
        (json!({"decision": "drop", "reason": "x"}), "expected_missing"),
        (json!({"decision": "drop", "expected": "8-0"}), "reason_missing"),
        (json!({"decision": "drop", "expected": "8-0", "reason": " "}), "reason_missing"),
        (json!({"decision": "drop", "payloads": [handle]}), "reason_missing"),
        (json!({"decision": "drop", "payloads": [], "reason": "x"}), "not_a_decision"),
        (json!({"decision": "drop", "payloads": many, "reason": "x"}), "not_a_decision"),
        (json!({"decision": "drop", "payloads": [handle], "state": "parked", "reason": "x"}), "not_a_decision"),
        (json!({"decision": "drop", "payloads": [handle], "dry_run": true, "reason": "x"}), "not_a_decision"),
        (json!({"decision": "drop", "all": true, "reason": "x"}), "unknown_member"),
    ] {
        let before = (fakes.everything(), fakes.sends.sent());
        assert_eq!(problem(&decide(&fakes, &sent)), (400, code.into()), "{sent}");
        assert_eq!((fakes.everything(), fakes.sends.sent()), before, "{sent}");
    }
}
