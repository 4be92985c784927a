//! Who may ask, how often, and what is written down of it, under the real runtime.

use std::path::Path;

use raydex::audit::calls::ChainEntry;
use raydex::audit::chain::{hash, is_chain_valid};
use raydex::limits::{AUDIT_REQUEST, AUDIT_SEGMENT_BYTES};
use raydex::record::Dataset;
use raydex::sample::{FieldSet, SamplePlan};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN};
use super::reply::Reply;

/// An entry of `API_TOKENS`; the token is its id.
pub(crate) fn rule(id: &str, scopes: &[&str], role: &str) -> Value {
    json!({ "id": id, "sha256": hex::encode(Sha256::digest(id)), "scopes": scopes, "role": role })
}

/// The settings of a deployment with those tokens and that of the tests.
pub(crate) fn settings(rules: &[Value], per_minute: u32) -> Value {
    json!({
        "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "API_TOKENS": Value::from(rules).to_string(),
        "API_RATE_PER_MINUTE": per_minute.to_string(),
    })
}

fn ask(harness: &Harness, token: &str, path: &str) -> Reply {
    harness.get_with(path, &[("authorization", &format!("Bearer {token}"))])
}

#[test]
fn each_token_does_and_sees_what_it_may() {
    let rules =
        [rule("eye", &["read"], "viewer"), rule("desk", &["read"], "support"), rule("ops", &["deliver"], "viewer")];
    let harness = Harness::with(json!({ "settings": settings(&rules, 0) }));
    let plan =
        SamplePlan { batches: 1, window_ms: 30_000, records: 60, fields: FieldSet::All, ..SamplePlan::default() };
    let batch = plan.batch(Dataset::HttpRequests, 0);
    assert_eq!(harness.index(&batch.key, &batch.gzip)["verdict"], "sealed");
    let path =
        format!("/v1/logs?start={}&end={}", plan.start_ms - 3_600_000, plan.start_ms + 3_600_000) + "&summary=false";
    let lines = |token| -> Vec<Value> {
        let reply = ask(&harness, token, &path);
        assert_eq!(reply.status, 200, "{token}: {}", reply.text());
        reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (raw, eye, desk) = (lines(TOKEN), lines("eye"), lines("desk"));
    assert_eq!((raw.len(), eye.len(), desk.len()), (batch.lines.len(), raw.len(), raw.len()));
    for (number, line) in raw.iter().enumerate() {
        for (role, seen) in [(raydex::mask::Role::Viewer, &eye[number]), (raydex::mask::Role::Support, &desk[number])] {
            let mut out = Vec::new();
            raydex::mask::mask_line(role, Dataset::HttpRequests, line.to_string().as_bytes(), &mut out).unwrap();
            assert_eq!(*seen, serde_json::from_slice::<Value>(&out).unwrap(), "{role}");
        }
    }
    assert!(eye.iter().zip(&raw).any(|(seen, line)| seen["Cookies"] != line["Cookies"]));
    assert!(desk.iter().zip(&raw).all(|(seen, line)| seen["ClientIP"] == line["ClientIP"]));
    let ray = batch.lines[0].ray;
    for (token, path, status) in [
        ("ops", format!("/v1/rays/{ray}"), 403),
        ("ops", "/v1/batches".into(), 200),
        ("eye", "/v1/audit".into(), 403),
        ("eye", "/v1/dead-letters".into(), 403),
        ("eye", format!("/v1/rays/{ray}"), 200),
        ("eyes", format!("/v1/rays/{ray}"), 401),
    ] {
        assert_eq!(ask(&harness, token, &path).status, status, "{token} {path}");
    }
}

/// The entries of the audit log, whose reading is the last one, checked for their chain.
fn entries(harness: &Harness) -> Vec<Value> {
    let page = harness.read("/v1/audit?limit=200");
    assert_eq!(page["chain_valid"], true);
    let entries = page["entries"].as_array().unwrap().clone();
    // The very texts that were hashed: a reading that keeps the order of members is not needed where none is changed.
    let mut last = "0".repeat(64);
    assert_eq!(page["before"], last.as_str());
    let text = harness.get("/v1/audit?limit=200").text().to_owned();
    for kept in &entries {
        let (_, from) =
            text.split_once(&format!("\"hash\":\"{}\",\"entry\":", kept["hash"].as_str().unwrap())).unwrap();
        let mut texts = serde_json::Deserializer::from_str(from).into_iter::<Box<RawValue>>();
        last = hash(&last, texts.next().unwrap().unwrap().get());
        assert_eq!(kept["hash"], last.as_str());
    }
    entries
}

#[test]
fn audit_chain_continues_after_a_restart() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit");
    let _none = std::fs::remove_dir_all(&state);
    let mut harness = Harness::with(json!({ "state": state }));
    for number in 0..3 {
        harness.get(&format!("/v1/rays/a5e33aff2428000{number}"));
    }
    let before = entries(&harness);
    assert_eq!(before.len(), 4, "three lookups, and the reading");
    harness.restart();
    harness.get("/v1/rays/a5e33aff24280009");
    harness.kill();
    let after = entries(&harness);
    assert_eq!(after[..4], before[..]);
    let did: Vec<&str> = after.iter().map(|kept| kept["entry"]["resource"].as_str().unwrap()).collect();
    assert_eq!(did[5..], ["a5e33aff24280009", ""]);
    assert_eq!(after.last().unwrap()["seq"], 7);
}

/// All entries from the first on, page by page; the last one is the reading of the last page.
fn all_entries(harness: &Harness) -> Vec<ChainEntry> {
    let (mut found, mut after) = (Vec::<ChainEntry>::new(), Some(0));
    while let Some(from) = after {
        let reply = harness.get(&format!("/v1/audit?limit=200&after={from}"));
        let page: Value = reply.json();
        let last = found.last().map_or("0".repeat(64), |kept| kept.hash.clone());
        assert_eq!((&page["chain_valid"], &page["before"]), (&true.into(), &last.into()), "{from}");
        let told: PageTold = serde_json::from_slice(&reply.body).unwrap();
        let kept = |EntryTold { seq, hash, entry }: EntryTold| ChainEntry { seq, hash, entry: entry.get().to_owned() };
        found.extend(told.entries.into_iter().map(kept));
        after = told.after;
    }
    assert!((1..).zip(&found).all(|(seq, kept)| kept.seq == seq));
    assert!(is_chain_valid(&"0".repeat(64), &found));
    found
}

#[derive(Deserialize)]
struct PageTold {
    entries: Vec<EntryTold>,
    after: Option<u64>,
}

#[derive(Deserialize)]
struct EntryTold {
    seq: u64,
    hash: String,
    entry: Box<RawValue>,
}

#[test]
fn audit_log_continues_in_the_bucket() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-segments");
    let _none = std::fs::remove_dir_all(&state);
    let options = json!({ "state": state });
    let harness = Harness::with(options.clone());
    for number in 0..3 {
        harness.get(&format!("/v1/rays/a5e33aff2428000{number}"));
    }
    let before = all_entries(&harness);
    drop(harness);
    let mut harness = Harness::with(options);
    // The largest entries that are kept whole: each character takes six bytes of JSON.
    let each = AUDIT_REQUEST - 100;
    let body = json!({ "reason": "\u{1}".repeat(each / 6) }).to_string();
    for _ in 0..2 * usize::try_from(AUDIT_SEGMENT_BYTES).unwrap() / each + 10 {
        harness.post("/v1/payloads/none/drop", body.as_bytes()).assert_problem(404, "no_such_payload");
    }
    let segments = harness.wait_for("two segments", || {
        let said = harness.said("audit_segment");
        (said.len() == 2).then_some(said)
    });
    println!("{segments:#?}");
    assert_eq!((&segments[0]["first"], &segments[0]["before"]), (&1.into(), &"0".repeat(64).into()));
    assert_eq!(segments[1]["before"], segments[0]["hash"]);
    let after = all_entries(&harness);
    assert_eq!(after[..4], before[..]);
    for segment in &segments {
        let object = harness.object(segment["key"].as_str().unwrap()).unwrap();
        let (mut text, mut gzip) = (Vec::new(), flate2::bufread::MultiGzDecoder::new(&object[..]));
        std::io::Read::read_to_end(&mut gzip, &mut text).unwrap();
        let lines: Vec<ChainEntry> =
            serde_json::Deserializer::from_slice(&text).into_iter().collect::<Result<_, _>>().unwrap();
        let at = |name: &str| usize::try_from(segment[name].as_u64().unwrap()).unwrap();
        assert_eq!(lines, after[at("first") - 1..at("last")]);
    }
    harness.kill();
    let again = all_entries(&harness);
    assert_eq!(again[..after.len()], after[..]);
    harness.remove(segments[0]["key"].as_str().unwrap());
    let gone = harness.get("/v1/audit");
    gone.assert_problem(404, "audit_gone");
    assert!(gone.json()["hint"].as_str().unwrap().contains(&format!("after={},", segments[0]["last"])));
}

#[test]
fn denied_caller_and_upload_leave_entries() {
    let old = json!({ "expires": "2026-01-01T00:00:00Z" });
    let mut expired = rule("old", &["read"], "viewer");
    expired.as_object_mut().unwrap().extend(old.as_object().unwrap().clone());
    let rules = [rule("eye", &["read"], "viewer"), expired];
    let harness = Harness::with(json!({ "settings": settings(&rules, 0) }));
    let ask = |token: &str| {
        let authorization = format!("Bearer {token}");
        harness.get_with("/v1/audit", &[("authorization", &authorization), ("cf-connecting-ip", "192.0.2.7")]).status
    };
    assert_eq!((ask("eye"), ask("eye"), ask("old"), ask("wrong")), (403, 403, 401, 401));
    let body = b"{\"RayID\":\"9e35500000000001\",\"EdgeStartTimestamp\":1774687345000000000}\n";
    let stored = harness.post("/v1/ingest/http_requests", body);
    assert_eq!(stored.status, 200, "{}", stored.text());
    let entries = entries(&harness);
    let outcome = |at: usize| {
        let entry = &entries[at]["entry"];
        ["actor", "outcome", "code", "count", "address"].map(|name| entry[name].clone())
    };
    assert_eq!(outcome(0), [json!("eye"), json!("denied"), json!("forbidden"), json!(1), json!("192.0.2.7")]);
    assert_eq!(outcome(1), [json!("old"), json!("denied"), json!("token_expired"), json!(1), json!("192.0.2.7")]);
    assert_eq!(outcome(2), [json!(""), json!("denied"), json!("unauthorized"), json!(1), json!("")]);
    let upload = &entries[3]["entry"];
    assert_eq!((&upload["actor"], &upload["resource"]), (&json!("main"), &stored.json()["key"]));
    let expected = json!({
        "bytes": body.len(), "dataset": "http_requests", "sha256": hex::encode(Sha256::digest(body)),
    });
    assert_eq!(upload["request"], expected);
    let found = harness.read("/v1/audit?actor=eye&outcome=denied");
    assert_eq!((found["entries"].as_array().unwrap().len(), &found["chain_valid"]), (1, &json!(true)));
}

#[test]
fn rate_limited_caller_gets_retry_after() {
    let rules = [rule("eager", &["read"], "viewer"), rule("calm", &["read"], "viewer")];
    let harness = Harness::with(json!({ "settings": settings(&rules, 5) }));
    let ask = |token| ask(&harness, token, "/v1/rays/a5e33aff24280fa2");
    let statuses: Vec<u16> = (0..12).map(|_| ask("eager").status).collect();
    assert_eq!(statuses[..5], [404; 5]);
    let limited = ask("eager");
    limited.assert_problem(429, "too_many_requests");
    assert!((1..=13).contains(&limited.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(ask("calm").status, 404, "another token has its own");
    let bearer = "Bearer eager";
    let client = harness.get_with("/client/v4/zones/z/logs/rayids/a5e33aff24280fa2", &[("authorization", bearer)]);
    assert_eq!((client.status, client.header("retry-after").is_empty()), (429, false));
    assert_eq!((&client.json()["success"], &client.json()["errors"][0]["code"]), (&false.into(), &971.into()));
}
