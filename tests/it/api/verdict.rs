//! The verdict on a ray without records: each from the situation that it is for.

use raydex::backend::SqlDatabase;
use raydex::bucket_keys::batch_key;
use raydex::config::Config;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::{AdvanceSweep, register};
use raydex::record::{Dataset, RayId};
use raydex::time::rfc3339;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::support::records::ndjson;
use super::support::world::{config, config_with};
use super::support::{Fakes, Fault, Kind, NOW_MS, run};
use super::{Ask, Reply, problem};
use crate::support::ledgers::only_ledger;

/// The time of the ray that is looked for: two hours ago.
const AT: i64 = NOW_MS - 7_200_000;
/// Time that a batch covers.
const BATCH_MS: i64 = 30_000;
/// Batches from half a minute before the ray until six minutes after it.
const BATCHES: std::ops::Range<i64> = -1..12;

fn ray(at_ms: i64, suffix: u32) -> RayId {
    RayId::at(at_ms, suffix).unwrap()
}

fn key(nth: i64) -> String {
    let [start_ms, end_ms] = [nth, nth + 1].map(|nth| AT + nth * BATCH_MS);
    batch_key("logs/", Dataset::HttpRequests, start_ms, end_ms, 7)
}

fn record(ray: RayId, start_ms: i64) -> String {
    format!(r#"{{"RayID":"{ray}","ZoneName":"b.example","EdgeStartTimestamp":"{}"}}"#, rfc3339(start_ms))
}

/// The lines of a batch: twelve requests.
fn lines(nth: i64) -> Vec<u8> {
    ndjson((0..12).map(|number| {
        let at_ms = AT + nth * BATCH_MS + number * 2_000;
        record(ray(at_ms, 0x77), at_ms)
    }))
}

/// Writes and indexes an object, whose ledger the registry knows.
fn put(fakes: &Fakes, key: &str, dataset: Dataset, text: &[u8]) {
    run(register(&fakes.ledgers, &only_ledger(key), None)).unwrap();
    fakes.index(key, dataset, text);
}

/// A bucket with all batches of the time but some; the sweep has searched it since.
fn world(but: &[i64]) -> Fakes {
    let fakes = Fakes::new();
    for nth in BATCHES.filter(|nth| !but.contains(nth)) {
        put(&fakes, &key(nth), Dataset::HttpRequests, &lines(nth));
    }
    fakes.ledgers.ask(REGISTRY, &AdvanceSweep { at_ms: Some(NOW_MS), finished_ms: Some(NOW_MS) });
    fakes
}

fn reply(fakes: &Fakes, config: &Config, ask: Ask) -> Reply {
    ask.of_deployment(fakes, &Ok(config.clone()))
}

/// The verdict on the ray, and the hint.
fn judged(fakes: &Fakes, query: &str) -> (Value, String) {
    verdict_of(&reply(fakes, &config(), Ask::get(&format!("/v1/rays/{}{query}", ray(AT, 1)))))
}

fn verdict_of(reply: &Reply) -> (Value, String) {
    assert_eq!(problem(reply), (404, "ray_not_found".into()));
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    (body["verdict"].clone(), body["hint"].as_str().unwrap().to_owned())
}

fn handle_of(fakes: &Fakes, key: &str) -> Value {
    let batches = Ask::get("/v1/batches?limit=100").of(fakes);
    let batches: Value = serde_json::from_slice(&batches.body).unwrap();
    let batches = batches["batches"].as_array().unwrap();
    let batch = batches.iter().find(|batch| batch["object"]["key"] == key);
    json!([batch.unwrap_or_else(|| panic!("{batches:?}"))["id"]])
}

#[test]
fn read_batches_without_gap_mean_not_logged() {
    let (verdict, hint) = judged(&world(&[]), "");
    let evidence = json!({
        "sealed_batches": 11, "open_batches": 0, "quarantined_batches": 0, "rejected_lines": 0, "gone_batches": 0,
        "records": 132, "clock_skewed": 0, "gaps": [], "searched_until": rfc3339(NOW_MS), "complete": true,
        "landed_within_s": verdict["evidence"]["landed_within_s"],
    });
    assert_eq!(verdict, json!({ "code": "not_logged", "evidence": evidence }), "{hint}");
    assert_eq!(verdict["evidence"]["landed_within_s"], json!({ "p50": 7_200, "p99": 21_600 }));
    assert!(hint.ends_with("the request was not logged."));
}

#[test]
fn missing_batch_leaves_a_gap_and_doubt() {
    let (verdict, hint) = judged(&world(&[3]), "");
    let gap = json!([{ "start": rfc3339(AT + 3 * BATCH_MS), "end": rfc3339(AT + 4 * BATCH_MS) }]);
    assert_eq!((&verdict["code"], &verdict["evidence"]["gaps"]), (&"maybe_not_logged".into(), &gap), "{hint}");
}

#[test]
fn unread_and_damaged_batches_are_named() {
    for (text, code, member, words) in [
        (&b"a,b\n1,2\n"[..], "maybe_not_logged", "quarantined_batches", "Quarantined batches of its time"),
        (&[&lines(3)[..], b"no record\n"].concat(), "maybe_not_logged", "rejected_lines", "not records (1)"),
        (&lines(3), "not_yet", "open_batches", "still being indexed (1)"),
    ] {
        let fakes = world(&[3]);
        put(&fakes, &key(3), Dataset::HttpRequests, text);
        if code == "not_yet" {
            let ledger = fakes.ledgers.ledger(&only_ledger(&key(3)));
            let open = format!("UPDATE source_v1 SET state = 'open' WHERE object_key = '{}'", key(3));
            ledger.sql.run(&open, &[]).unwrap();
        }
        let (verdict, hint) = judged(&fakes, "");
        assert_eq!((&verdict["code"], &verdict["evidence"][member]), (&code.into(), &1.into()), "{verdict}");
        assert_eq!(verdict["evidence"]["uncertain"], handle_of(&fakes, &key(3)));
        assert!(hint.contains(words), "{hint}");
    }
}

#[test]
fn unsearched_bucket_leaves_doubt() {
    let fakes = Fakes::new();
    for nth in BATCHES {
        put(&fakes, &key(nth), Dataset::HttpRequests, &lines(nth));
    }
    let (verdict, hint) = judged(&fakes, "");
    assert_eq!(
        (&verdict["code"], &verdict["evidence"]["searched_until"]),
        (&"maybe_not_logged".into(), &Value::Null),
        "{hint}"
    );
}

#[test]
fn fresh_ray_says_when_to_ask_again() {
    let fakes = world(&[]);
    let fresh = ray(NOW_MS - 100_000, 1);
    let reply = Ask::get(&format!("/v1/rays/{fresh}")).of(&fakes);
    let (verdict, _) = verdict_of(&reply);
    // By what the batches of its hour took: none of them has landed.
    assert_eq!((&verdict["code"], &verdict["retry_after_s"]), (&"not_yet".into(), &200.into()), "{verdict}");
    assert_eq!(super::header(&reply, "retry-after"), Some("200"));
}

#[test]
fn other_dataset_is_named() {
    let fakes = world(&[]);
    let event = format!(r#"{{"RayID":"{}","MatchIndex":0,"Action":"block"}}"#, ray(AT, 1));
    put(&fakes, "logs/firewall_events/c", Dataset::FirewallEvents, event.as_bytes());
    let (verdict, hint) = judged(&fakes, "?dataset=http_requests");
    assert_eq!(
        (&verdict["code"], &verdict["datasets"]),
        (&"in_another_dataset".into(), &json!(["firewall_events"])),
        "{hint}"
    );
}

#[test]
fn ray_before_what_is_kept_is_old() {
    let fakes = world(&[]);
    let ask = |at_ms| Ask::get(&format!("/v1/rays/{}", ray(at_ms, 1)));
    let days_ago = |days: i64| NOW_MS - days * 86_400_000;
    let kept = config_with(&[("LOG_RETENTION_DAYS", "30")]);
    let (verdict, hint) = verdict_of(&reply(&fakes, &kept, ask(days_ago(31))));
    assert_eq!(verdict["code"], "older_than_kept", "{hint}");
    assert!(verdict["kept_since"].as_str().unwrap().starts_with("2026-02-26T08:42:2"));
    // Nothing was indexed before the first batch.
    let (verdict, _) = verdict_of(&reply(&fakes, &config(), ask(days_ago(31))));
    assert_eq!(verdict["code"], "older_than_kept");
    assert!(verdict["kept_since"].as_str().unwrap().starts_with("2026-03-28T06:"), "{verdict}");
    // A lifecycle rule has removed its batches.
    for nth in BATCHES {
        let ledger = fakes.ledgers.ledger(&only_ledger(&key(nth)));
        ledger.sql.run("UPDATE source_v1 SET gone = 1", &[]).unwrap();
    }
    let (verdict, hint) = judged(&fakes, "");
    assert_eq!(
        (&verdict["code"], &verdict["evidence"]["gone_batches"]),
        (&"older_than_kept".into(), &11.into()),
        "{hint}"
    );
}

#[test]
fn rays_that_lost_their_time_are_told() {
    let fakes = world(&[3]);
    let moved = |number: i64| record(ray(AT + number, 0x78), AT + 3 * BATCH_MS + number);
    put(&fakes, &key(3), Dataset::HttpRequests, &ndjson((0..400).map(moved)));
    let (verdict, hint) = judged(&fakes, "");
    assert_eq!(
        (&verdict["code"], &verdict["evidence"]["clock_skewed"]),
        (&"of_unknown_layout".into(), &400.into()),
        "{hint}"
    );
}

#[test]
fn verdict_for_a_zone_ignores_batches() {
    let config = deployment(&[rule("zone", &json!({ "zones": ["a.example"] }))]);
    let ask =
        |at_ms| Ask { authorization: Some("Bearer zone".into()), ..Ask::get(&format!("/v1/rays/{}", ray(at_ms, 1))) };
    let worlds = [Fakes::new(), world(&[]), world(&[3])];
    // In the last one, the ray is there, and another zone's.
    put(&worlds[2], &key(3), Dataset::HttpRequests, record(ray(AT, 1), AT).as_bytes());
    for (at_ms, code) in [(AT, "maybe_not_logged"), (NOW_MS - 60_000, "not_yet"), (NOW_MS + 60_000, "ahead_of_clock")] {
        let [nothing, logged, hidden] = worlds.each_ref().map(|fakes| reply(fakes, &config, ask(at_ms)));
        assert_eq!((&nothing, &nothing), (&logged, &hidden));
        let (verdict, _) = verdict_of(&nothing);
        assert_eq!((&verdict["code"], &verdict["evidence"]), (&code.into(), &Value::Null));
    }
}

#[test]
fn verdict_for_a_dataset_ignores_others() {
    let config = deployment(&[rule("waf", &json!({ "datasets": ["firewall_events"] }))]);
    let ask = || Ask { authorization: Some("Bearer waf".into()), ..Ask::get(&format!("/v1/rays/{}", ray(AT, 1))) };
    let (logged, damaged) = (world(&[3]), world(&[3]));
    put(&damaged, &key(3), Dataset::HttpRequests, &[&lines(3)[..], record(ray(AT, 1), AT).as_bytes(), b"\nx"].concat());
    let [one, other] = [&logged, &damaged].map(|fakes| verdict_of(&reply(fakes, &config, ask())));
    assert_eq!((&one.0["code"], &one), (&"maybe_not_logged".into(), &other));
}

#[test]
fn silent_ledger_leaves_the_verdict_open() {
    let fakes = world(&[]);
    let before = fakes.faults.count(Kind::Ledger);
    judged(&fakes, "");
    let calls = fakes.faults.count(Kind::Ledger) - before;
    for nth in 0..calls {
        fakes.faults.plan(Some(Kind::Ledger), nth, Fault::Fails);
        let (verdict, hint) = judged(&fakes, "");
        assert_eq!(verdict, json!({ "code": "maybe_not_logged" }), "{hint}");
        fakes.faults.clear();
    }
}
