//! The audit log, and how often a caller may ask.

use raydex::audit::chain::{hash, is_chain_valid};
use raydex::backend::{SqlDatabase, SqlValue};
use serde_json::{Value, json};

use super::story::{KEYS, batch, records};
use super::support::records::ray;
use super::support::world::config_with;
use super::support::{Fakes, Fault, Kind};
use super::{Ask, header, json as body, problem};

const BEFORE_ALL: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub(super) fn entries(fakes: &Fakes) -> Vec<Value> {
    fakes.audits.entries().iter().map(|kept| serde_json::from_str(&kept.entry).unwrap()).collect()
}

#[test]
fn lookups_and_changes_are_recorded_with_their_actor() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..2), None);
    let lookup = Ask::get(&format!("/v1/rays/CF-RAY%3A%20{}-SJC?format=native", ray(1)));
    lookup.with_header("raydex-reason", " INC-4711 ").at_address("2001:DB8::7").of(&fakes);
    let payload = format!("20260328T08.{}.1.000000", "5a".repeat(32));
    Ask::post(&format!("/v1/payloads/{payload}/drop"), "enough of it").of(&fakes);
    Ask { body: br#"{"rays":["x"]}"#.to_vec(), ..Ask::new("POST", "/v1/rays?dataset=http_requests") }.of(&fakes);
    Ask::get("/v1/stats").of(&fakes);
    let found = entries(&fakes);
    let expected = json!({
        "v": 1, "seq": 1, "time": "2026-03-28T08:42:25.000Z", "actor": "main", "auth_method": "token", "role": "forensics",
        "address": "2001:db8::7", "action": "GET /v1/rays/{ray}", "resource": ray(1).to_string(),
        "request": { "format": "native" }, "reason": "INC-4711", "outcome": "admitted",
    });
    assert_eq!(found[0], expected);
    let did = |at: usize| (found[at]["action"].as_str().unwrap(), found[at]["resource"].as_str().unwrap());
    assert_eq!(did(1), ("POST /v1/payloads/{payload}/drop", payload.as_str()));
    assert_eq!(found[1]["request"], json!({ "reason": "enough of it" }));
    assert_eq!(
        (did(2), &found[2]["status"], &found[2]["refers_to"]),
        (did(1), &404.into(), &2.into()),
        "there is none"
    );
    assert_eq!(did(3), ("POST /v1/rays", ""));
    assert_eq!(found[3]["request"], json!({ "dataset": "http_requests", "rays": ["x"] }));
    assert_eq!(found.len(), 4, "figures leave no entry");
}

#[test]
fn entry_and_hash_format_never_changes() {
    let fakes = Fakes::new();
    Ask::get("/v1/rays/764660d8ec5c2ab1").of(&fakes);
    let kept = fakes.audits.entries();
    let entry = r#"{"v":1,"seq":1,"time":"2026-03-28T08:42:25.000Z","actor":"main","auth_method":"token","role":"forensics","address":"","action":"GET /v1/rays/{ray}","resource":"764660d8ec5c2ab1","request":{},"outcome":"admitted"}"#;
    assert_eq!(kept[0].entry, entry);
    // printf '%064d\n%s' 0 "$entry" | sha256sum
    assert_eq!(kept[0].hash, "c5c49b6b565b6db3ee189e87e96fcd6beb7da788cc6b3a8ae6d374f55064153b");
}

#[test]
fn nothing_is_served_that_was_not_logged() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..2), None);
    for fault in Fault::BOTH {
        let before = fakes.faults.calls();
        fakes.faults.plan(Some(Kind::Audit), 0, fault);
        let reply = Ask::get(&format!("/v1/rays/{}", ray(1))).of(&fakes);
        assert!(fakes.faults.clear());
        assert_eq!(problem(&reply), (503, "not_audited".into()));
        assert_eq!(header(&reply, "retry-after"), Some("30"));
        assert_eq!(fakes.faults.calls(), before, "nothing of the world was asked");
    }
}

#[test]
fn chain_shows_what_was_changed_removed_or_inserted() {
    let fakes = Fakes::new();
    for number in 0..20 {
        Ask::get(&format!("/v1/rays/{}", ray(number))).of(&fakes);
    }
    let kept = fakes.audits.entries();
    assert_eq!(kept.len(), 20);
    assert!(is_chain_valid(BEFORE_ALL, &kept) && is_chain_valid(&kept[6].hash, &kept[7..]));
    let mut last = BEFORE_ALL.to_owned();
    for entry in &kept {
        last = hash(&last, &entry.entry);
        assert_eq!(entry.hash, last);
    }
    for at in 0..20 {
        let mut changed = kept.clone();
        changed[at].entry = changed[at].entry.replace("forensics", "support");
        assert!(!is_chain_valid(BEFORE_ALL, &changed), "{at}");
        let mut less = kept.clone();
        less.remove(at);
        assert_eq!(is_chain_valid(BEFORE_ALL, &less), at == 19, "only the end can be cut unseen: the head tells of it");
        let mut more = kept.clone();
        more.insert(at, kept[at].clone());
        assert!(!is_chain_valid(BEFORE_ALL, &more), "{at}");
    }
}

#[test]
fn log_is_paged_and_reading_is_an_entry() {
    let fakes = Fakes::new();
    for number in 0..5 {
        Ask::get(&format!("/v1/rays/{}", ray(number))).of(&fakes);
    }
    let first = body(&Ask::get("/v1/audit?limit=4").of(&fakes));
    assert_eq!(
        (first["entries"].as_array().unwrap().len(), &first["chain_valid"], &first["after"]),
        (4, &true.into(), &4.into())
    );
    assert_eq!((&first["before"], &first["head"]["seq"]), (&BEFORE_ALL.into(), &6.into()));
    let second = body(&Ask::get("/v1/audit?limit=4&after=4").of(&fakes));
    assert_eq!(second["before"], first["entries"][3]["hash"]);
    let seqs: Vec<_> = second["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].clone()).collect();
    assert_eq!((seqs, &second["after"]), (vec![5.into(), 6.into(), 7.into()], &Value::Null));
    assert_eq!(second["entries"][1]["entry"]["action"], "GET /v1/audit");
    for query in ["after=x", "limit=0", "limit=201", "page=1"] {
        assert_eq!(problem(&Ask::get(&format!("/v1/audit?{query}")).of(&fakes)).0, 400, "{query}");
    }
    fakes
        .audits
        .sql
        .run("UPDATE audit_frame_v1_1 SET lines = replace(lines, 'main', 'nobody') WHERE last = 3", &[])
        .unwrap();
    assert_eq!(body(&Ask::get("/v1/audit").of(&fakes))["chain_valid"], false);
    fakes.audits.sql.run("DELETE FROM audit_frame_v1_1 WHERE last = ?", &[SqlValue::Integer(3)]).unwrap();
    assert_eq!(body(&Ask::get("/v1/audit").of(&fakes))["chain_valid"], false);
}

#[test]
fn rate_limited_caller_gets_retry_after() {
    let fakes = Fakes::new();
    let config = Ok(config_with(&[("API_RATE_PER_MINUTE", "3")]));
    for _ in 0..3 {
        assert_eq!(Ask::get("/v1/stats").of_deployment(&fakes, &config).status, 200);
    }
    let reply = Ask::get(&format!("/v1/rays/{}", ray(1))).of_deployment(&fakes, &config);
    assert_eq!(problem(&reply), (429, "too_many_requests".into()));
    let wait: i64 = header(&reply, "retry-after").unwrap().parse().unwrap();
    assert!((20..=21).contains(&wait), "{wait}");
    let denied = entries(&fakes);
    let (code, outcome) = (&denied[0]["code"], &denied[0]["outcome"]);
    assert_eq!((denied.len(), code, outcome), (1, &"too_many_requests".into(), &"denied".into()));
    fakes.clock_ms.set(fakes.clock_ms.get() + wait * 1_000);
    assert_eq!(Ask::get("/v1/stats").of_deployment(&fakes, &config).status, 200);
    assert_eq!(Ask::get("/healthz").of_deployment(&fakes, &config).status, 200, "health is never refused");
}
