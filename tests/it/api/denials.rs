//! Who was denied what, and how often, in the audit log.

use raydex::limits::{DENIAL_WINDOW_MS, REFUSALS_WATCHED};
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::audit::entries;
use super::story::{KEYS, batch, records};
use super::support::records::ray;
use super::support::world::config_with;
use super::support::{Fakes, Kind};
use super::{Ask, header, problem};

fn with(token: &str, ask: Ask) -> Ask {
    Ask { authorization: Some(format!("Bearer {token}")), ..ask }
}

/// The members of an entry that say what became of it.
fn outcome(entry: &Value) -> Value {
    let members = ["actor", "role", "address", "action", "outcome", "status", "code", "count", "refers_to"];
    members.iter().map(|name| entry[name].clone()).collect()
}

#[test]
fn denied_caller_leaves_an_entry_with_code() {
    let fakes = Fakes::new();
    let rules = [
        rule("eye", &json!({ "role": "viewer" })),
        rule("old", &json!({ "expires": "2026-03-28T08:42:24Z" })),
        rule("waf", &json!({ "datasets": ["firewall_events"] })),
    ];
    let config = Ok(deployment(&rules));
    let ask = |token, path: &str| with(token, Ask::get(path)).at_address("192.0.2.7").of_deployment(&fakes, &config);
    assert_eq!(ask("eye", "/v1/audit").status, 403);
    assert_eq!(ask("old", "/v1/stats").status, 401);
    assert_eq!(problem(&ask("waf", "/v1/logs?start=0")), (403, "other_dataset".into()));
    assert_eq!(problem(&ask("eye", "/v1/stats?novel=1")), (400, "unknown_parameter".into()));
    let logs = "GET /v1/logs";
    let expected = [
        json!(["eye", "viewer", "192.0.2.7", "GET /v1/audit", "denied", 403, "forbidden", 1, null]),
        json!(["old", "", "192.0.2.7", "GET /v1/stats", "denied", 401, "token_expired", 1, null]),
        json!(["waf", "forensics", "192.0.2.7", logs, "admitted", null, null, null, null]),
        json!(["waf", "forensics", "192.0.2.7", logs, "denied", 403, "other_dataset", 1, 3]),
        json!(["eye", "viewer", "192.0.2.7", "GET /v1/stats", "denied", 400, "unknown_parameter", 1, null]),
    ];
    assert_eq!(entries(&fakes).iter().map(outcome).collect::<Vec<_>>(), expected);
}

#[test]
fn refused_change_leaves_what_became_of_it() {
    let fakes = Fakes::new();
    let token = json!({ "id": "desk", "scopes": ["read"], "role": "viewer" });
    let create = || Ask { body: token.to_string().into(), ..Ask::new("POST", "/v1/tokens") }.of(&fakes);
    assert_eq!(create().status, 201);
    assert_eq!(problem(&create()), (409, "token_exists".into()));
    assert_eq!(problem(&Ask::post("/v1/tokens/desk/revoke", "").of(&fakes)), (400, "reason_missing".into()));
    assert_eq!(problem(&Ask::post("/v1/tokens/nope/revoke", "lost").of(&fakes)), (404, "no_such_token".into()));
    assert_eq!(Ask::post("/v1/tokens/desk/revoke", "lost").of(&fakes).status, 200);
    // A lookup that finds nothing is none.
    assert_eq!(Ask::get(&format!("/v1/rays/{}", ray(1))).of(&fakes).status, 404);
    let found: Vec<Value> = entries(&fakes)
        .iter()
        .map(|entry| json!([entry["resource"], entry["outcome"], entry["status"], entry["code"], entry["refers_to"]]))
        .collect();
    let expected = [
        json!(["desk", "admitted", null, null, null]),
        json!(["desk", "admitted", null, null, null]),
        json!(["desk", "denied", 409, "token_exists", 2]),
        json!(["desk", "admitted", null, null, null]),
        json!(["desk", "denied", 400, "reason_missing", 4]),
        json!(["nope", "admitted", null, null, null]),
        json!(["nope", "denied", 404, "no_such_token", 6]),
        json!(["desk", "admitted", null, null, null]),
        json!([ray(1).to_string(), "admitted", null, null, null]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn equal_denials_of_a_minute_are_two_entries() {
    let fakes = Fakes::new();
    let config = Ok(deployment(&[rule("eye", &json!({}))]));
    let ask = |address: &str| {
        let reply = with("eye", Ask::get("/v1/audit")).at_address(address).of_deployment(&fakes, &config);
        assert_eq!(reply.status, 403);
    };
    (0..100).for_each(|_| ask("192.0.2.7"));
    (0..10).for_each(|_| ask("192.0.2.8"));
    assert_eq!(entries(&fakes).len(), 2, "one for each address");
    let alarm_ms = fakes.audits.alarm_ms.get().unwrap();
    assert_eq!(alarm_ms - fakes.clock_ms.get() - DENIAL_WINDOW_MS, 0, "the alarm brings the counts");
    fakes.audits.settle(&fakes.bucket);
    let found = entries(&fakes);
    let counts: Vec<_> = found.iter().map(|entry| (&entry["address"], &entry["count"], &entry["refers_to"])).collect();
    let text = |text: &str| Value::from(text);
    let (seven, eight) = (text("192.0.2.7"), text("192.0.2.8"));
    assert_eq!(counts[2..], [(&seven, &99.into(), &1.into()), (&eight, &9.into(), &2.into())]);
    assert_eq!(found.len(), 4);
    ask("192.0.2.7");
    assert_eq!(entries(&fakes).len(), 5, "the next minute begins with an entry of its own");
}

#[test]
fn counts_are_written_by_a_later_call_too() {
    let fakes = Fakes::new();
    let config = Ok(deployment(&[rule("eye", &json!({}))]));
    let ask = || with("eye", Ask::get("/v1/audit")).of_deployment(&fakes, &config);
    for _ in 0..3 {
        ask();
    }
    fakes.audits.alarm_ms.set(None);
    fakes.clock_ms.set(fakes.clock_ms.get() + DENIAL_WINDOW_MS);
    Ask::get("/v1/stats").of(&fakes);
    let found = entries(&fakes);
    assert_eq!((found.len(), &found[1]["count"]), (2, &2.into()));
}

#[test]
fn callers_over_their_rate_are_counted() {
    let fakes = Fakes::new();
    let config = Ok(config_with(&[("API_RATE_PER_MINUTE", "3")]));
    let ask = || Ask::get(&format!("/v1/rays/{}", ray(1))).at_address("192.0.2.7").of_deployment(&fakes, &config);
    let statuses: Vec<u16> = (0..50).map(|_| ask().status).collect();
    assert_eq!((&statuses[..3], &statuses[3..]), (&[404; 3][..], &[429; 47][..]));
    let found = entries(&fakes);
    assert_eq!(found.len(), 4);
    let expected =
        json!(["main", "forensics", "192.0.2.7", "GET /v1/rays/{ray}", "denied", 429, "too_many_requests", 1, null]);
    assert_eq!(outcome(&found[3]), expected);
    // The isolate has counted the others, and reports them with the next call.
    Ask::get("/v1/stats").of(&fakes);
    fakes.clock_ms.set(fakes.clock_ms.get() + 30_000);
    ask();
    fakes.audits.settle(&fakes.bucket);
    let found = entries(&fakes);
    let repeats = found.iter().find(|entry| entry["refers_to"] == 4).unwrap();
    assert_eq!(repeats["count"], 46, "{found:?}");
}

#[test]
fn limited_caller_costs_no_call_until_its_time() {
    let fakes = Fakes::new();
    let config = Ok(config_with(&[("API_RATE_PER_MINUTE", "60")]));
    let rays = || Ask::get(&format!("/v1/rays/{}", ray(1)));
    while rays().of_deployment(&fakes, &config).status == 404 {}
    let calls = fakes.faults.count(Kind::Audit);
    let mut health = 0;
    for _ in 0..500 {
        let reply = rays().of_deployment(&fakes, &config);
        assert_eq!(problem(&reply), (429, "too_many_requests".into()));
        assert_eq!(header(&reply, "retry-after"), Some("2"));
        health += u32::from(Ask::get("/healthz").of_deployment(&fakes, &config).status == 200);
    }
    assert_eq!((fakes.faults.count(Kind::Audit), health), (calls, 500));
    // Another caller is not refused with it, and its call brings the counts once their window has ended.
    fakes.clock_ms.set(fakes.clock_ms.get() + 1_001);
    assert_eq!(rays().of_deployment(&fakes, &config).status, 404, "its time has come");
    fakes.audits.settle(&fakes.bucket);
    let counts: u64 = entries(&fakes)
        .iter()
        .filter(|entry| entry["status"] == 429)
        .map(|entry| entry["count"].as_u64().unwrap())
        .sum();
    assert_eq!(counts, 1 + 500 + 500, "each refusal is in the log");
}

#[test]
fn ended_tokens_cost_one_call_a_minute() {
    let fakes = Fakes::new();
    let config = Ok(deployment(&[rule("old", &json!({ "expires": "2026-03-28T08:42:24Z" }))]));
    let ask = |address: &str| {
        let reply = with("old", Ask::get("/v1/stats")).at_address(address).of_deployment(&fakes, &config);
        assert_eq!(problem(&reply), (401, "unauthorized".into()));
    };
    (0..500).for_each(|_| ask("192.0.2.7"));
    assert_eq!(fakes.faults.count(Kind::Audit), 1);
    fakes.clock_ms.set(fakes.clock_ms.get() + DENIAL_WINDOW_MS + 1);
    Ask::get("/v1/stats").of(&fakes);
    let found = entries(&fakes);
    assert_eq!((found.len(), &found[1]["code"], &found[1]["count"]), (2, &"token_expired".into(), &499.into()));
    // Of many addresses, too, there are no more calls than the isolate can watch.
    for number in 0..5_000 {
        ask(&format!("2001:db8::{number:x}"));
    }
    assert!(fakes.faults.count(Kind::Audit) <= 2 + REFUSALS_WATCHED, "{}", fakes.faults.count(Kind::Audit));
}

#[test]
fn unknown_callers_are_counted_and_sampled() {
    let fakes = Fakes::new();
    for number in 0..50 {
        let ask = with(&format!("wrong-{number}"), Ask::get("/v1/stats?token=hunter2"));
        assert_eq!(ask.at_address(&format!("192.0.2.{number}")).of(&fakes).status, 401);
    }
    let found = entries(&fakes);
    assert_eq!(found.len(), 1, "the first one at once");
    let sample = |number: u32| json!({ "action": "GET /v1/stats", "address": format!("192.0.2.{number}"), "reason": "the token is unknown" });
    assert_eq!(found[0]["request"], json!({ "samples": [sample(0)] }));
    let expected = json!(["", "", "", "unauthenticated", "denied", 401, "unauthorized", 1, null]);
    assert_eq!(outcome(&found[0]), expected);
    fakes.clock_ms.set(fakes.clock_ms.get() + DENIAL_WINDOW_MS);
    with("wrong", Ask::get("/v1/stats")).of(&fakes);
    let found = entries(&fakes);
    assert_eq!((found.len(), &found[1]["count"]), (2, &50.into()), "with those that were counted meanwhile");
    fakes.audits.settle(&fakes.bucket);
    assert!(entries(&fakes).iter().all(|entry| !entry.to_string().contains("hunter2")));
}

#[test]
fn upload_leaves_an_entry_with_its_hash() {
    let fakes = Fakes::new();
    let body = records(0..6);
    let reply = Ask::upload(&body).at_address("192.0.2.7").of(&fakes);
    assert_eq!(reply.status, 200);
    let key = super::json(&reply)["key"].clone();
    let found = entries(&fakes);
    let expected = json!({
        "bytes": body.len(), "dataset": "http_requests", "sha256": hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&body)),
    });
    assert_eq!((found.len(), &found[0]["resource"], &found[0]["request"]), (1, &key, &expected));
    assert_eq!((&found[0]["actor"], &found[0]["address"]), (&"main".into(), &"192.0.2.7".into()));
    Ask::upload(br#"{"content":"tests"}"#).of(&fakes);
    assert_eq!(entries(&fakes).len(), 1, "a test upload is not kept, and neither is an entry");
}

#[test]
fn upload_that_is_not_audited_is_not_stored() {
    use super::support::Fault;
    for fault in Fault::BOTH {
        let fakes = Fakes::new();
        fakes.faults.plan(Some(Kind::Audit), 0, fault);
        let reply = Ask::upload(&records(0..6)).of(&fakes);
        assert!(fakes.faults.clear());
        assert_eq!(problem(&reply), (503, "not_audited".into()));
        assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty());
    }
    // An ingest token that has another scope leaves its trace, too.
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..2), None);
    let config = Ok(deployment(&[rule("up", &json!({ "scopes": ["ingest"] }))]));
    assert_eq!(with("up", Ask::get("/v1/stats")).of_deployment(&fakes, &config).status, 403);
    assert_eq!(entries(&fakes).len(), 1);
}
