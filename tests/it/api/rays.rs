//! What a lookup answers: forms, parameters, cost, and what is not found.

use raydex::record::{Dataset, RayId};
use raydex::render::{PartnerOptions, write_partner_line};

use super::support::records::{http, ndjson, ray};
use super::support::{Fakes, Kind, NOW_MS};
use super::{Ask, header, json, problem};

/// A line with bytes that are no UTF-8, odd spaces, a member twice.
const ROUGH: &[u8] = b" {\"RayID\" :\"9e35500000000001\",\"n\":1.50e3,\"n\":2, \"ClientRequestUserAgent\":\"\xff\"} ";

/// A firewall event of ray 1.
const EVENT: &str = r#"{"RayID":"9e35500000000001","MatchIndex":0}"#;

/// A world with a ray of two lines in two datasets, one of them in two batches.
fn world() -> Fakes {
    let fakes = Fakes::new();
    let (line, other) = (http(&ray(1).to_string(), 0), http(&ray(2).to_string(), 0));
    fakes.index(
        "logs/a",
        Dataset::HttpRequests,
        [line.as_bytes(), b"\n", other.as_bytes(), b"\r\n", ROUGH].concat().as_slice(),
    );
    fakes.index("logs/b", Dataset::HttpRequests, line.as_bytes());
    fakes.index("logs/firewall_events/c", Dataset::FirewallEvents, EVENT.as_bytes());
    fakes
}

fn path(suffix: u64) -> String {
    format!("/v1/rays/{}", ray(suffix))
}

#[test]
fn native_form_is_the_stored_lines_unchanged() {
    let line = http(&ray(1).to_string(), 0);
    let expected = [line.as_bytes(), b"\n", ROUGH, b"\n"].concat();
    let all = [&expected[..], EVENT.as_bytes(), b"\n"].concat();
    for (ask, expected) in [
        (Ask::get(&(path(1) + "?format=native")), &all),
        (Ask::get(&path(1)).accept("application/x-ndjson"), &all),
        (Ask::get(&path(1)).accept("text/html;q=0.1, application/x-ndjson;q=0.9"), &all),
        (Ask::get(&(path(1) + "?format=native&dataset=http_requests")).accept("application/json"), &expected),
    ] {
        let reply = ask.of(&world());
        assert_eq!((reply.status, reply.body.as_slice()), (200, expected.as_slice()));
        assert_eq!(header(&reply, "content-type"), Some("application/x-ndjson"));
        assert_eq!(header(&reply, "raydex-truncated"), None);
    }
}

#[test]
fn the_partner_form_is_the_partners_lines() {
    let reply = Ask::get(&(path(1) + "?format=partner")).accept("application/x-ndjson").of(&world());
    let line = http(&ray(1).to_string(), 0);
    let mut expected = Vec::new();
    for line in [line.as_bytes(), ROUGH] {
        write_partner_line(&mut expected, line, &PartnerOptions::default()).unwrap();
    }
    assert_eq!((reply.status, &reply.body), (200, &expected));
    assert_eq!(header(&reply, "content-type"), Some("text/plain; charset=utf-8"));
    for dataset in ["firewall_events", "workers_trace_events"] {
        let reply = Ask::get(&format!("{}?format=partner&dataset={dataset}", path(1))).of(&world());
        assert_eq!(problem(&reply), (400, "bad_parameter".into()));
    }
}

#[test]
fn the_json_form_says_where_each_record_stands() {
    let fakes = world();
    for ask in [Ask::get(&path(1)), Ask::get(&(path(1) + "?format=json")).accept("application/x-ndjson")] {
        let reply = ask.of(&fakes);
        let body = json(&reply);
        assert_eq!(header(&reply, "content-type"), Some("application/json"));
        assert_eq!(body["ray"], ray(1).to_string());
        assert_eq!(body["ray_time"], "2026-03-28T08:37:22.560Z");
        assert_eq!((&body["truncated"], &body["batches_gone"]), (&false.into(), &0.into()));
        let places: Vec<_> = body["records"].as_array().unwrap().iter().map(|record| &record["batch"]).collect();
        let etag = |key| fakes.bucket.object(key).unwrap().head.etag;
        let second = 2 * http(&ray(1).to_string(), 0).len() + 3;
        assert_eq!(places[0], &serde_json::json!({"key": "logs/a", "etag": etag("logs/a"), "offset": 0}));
        assert_eq!(places[1], &serde_json::json!({"key": "logs/a", "etag": etag("logs/a"), "offset": second}));
        let copy = serde_json::json!({"key": "logs/b", "etag": etag("logs/b"), "offset": 0});
        assert_eq!(body["records"][0]["copies"], serde_json::json!([copy]));
        assert!(body["records"][1].get("copies").is_none());
        // The record as the line spells it, but for bytes that JSON cannot hold.
        let text = String::from_utf8(reply.body).unwrap();
        assert!(text.contains(r#""n":1.50e3,"n":2, "ClientRequestUserAgent":"�"}"#), "{text}");
        assert!(text.ends_with("}\n") && text.matches('\n').count() == 1);
    }
}

#[test]
fn named_dataset_is_looked_up_alone() {
    let fakes = world();
    let count = |query: &str| json(&Ask::get(&(path(1) + query)).of(&fakes))["records"].as_array().map(Vec::len);
    assert_eq!(count("?dataset=http_requests"), Some(2));
    assert_eq!(count("?dataset=firewall_events"), Some(1));
    assert_eq!(count(""), Some(3));
    let traces = Ask::get(&(path(1) + "?dataset=workers_trace_events")).of(&fakes);
    assert_eq!(problem(&traces), (404, "ray_not_found".into()));
    let unknown = Ask::get(&(path(1) + "?dataset=no_such_logs")).of(&fakes);
    assert_eq!(problem(&unknown), (400, "bad_parameter".into()));
    assert!(json(&unknown)["detail"].as_str().unwrap().contains("workers_trace_events"));
}

#[test]
fn impossible_parameters_are_refused_before_any_call() {
    for (query, code) in [
        ("?format=xml", "bad_parameter"),
        ("?format=", "bad_parameter"),
        ("?format=xml&format=json", "repeated_parameter"),
        ("?filter=", "bad_filter"),
        ("?dataset=", "bad_parameter"),
        ("?deep=3", "unknown_parameter"),
        ("?Format=json", "unknown_parameter"),
        ("?format=json&x", "unknown_parameter"),
        ("?format=json&", "empty_parameter"),
        ("?&format=json", "empty_parameter"),
        ("?&&&", "empty_parameter"),
    ] {
        let fakes = world();
        let before = fakes.faults.calls();
        assert_eq!(problem(&Ask::get(&(path(1) + query)).of(&fakes)).1, code, "{query}");
        assert_eq!(fakes.faults.calls(), before, "{query}");
    }
    assert_eq!(Ask::get(&(path(1) + "?format=%6ason")).of(&world()).status, 200);
}

#[test]
fn every_answer_says_what_it_cost() {
    let fakes = world();
    let found = fakes.find(Dataset::HttpRequests, &ray(1).to_string()).stats;
    for format in ["native", "partner", "json"] {
        let reply = Ask::get(&format!("{}?format={format}&dataset=http_requests", path(1))).of(&fakes);
        let words = format!(
            "shards_asked=1, objects_read=2, bytes_read={}, bytes_inflated={}, full_scans=0, elapsed_ms=7",
            found.bytes_read, found.bytes_inflated
        );
        assert_eq!(header(&reply, "raydex-cost"), Some(words.as_str()));
    }
    let cost = serde_json::json!({
        "shards_asked": 1, "objects_read": 2, "bytes_read": found.bytes_read, "bytes_inflated": found.bytes_inflated,
        "full_scans": 0, "elapsed_ms": 7,
    });
    let nothing = Ask::get(&path(77)).of(&fakes);
    assert_eq!(json(&nothing)["cost"]["shards_asked"], 1);
    assert_eq!(json(&nothing)["cost"]["elapsed_ms"], 7);
    assert!(header(&nothing, "raydex-cost").is_some_and(|cost| cost.starts_with("shards_asked=1, objects_read=0")));
    assert_eq!(json(&Ask::get(&(path(1) + "?dataset=http_requests")).of(&fakes))["cost"], cost);
}

#[test]
fn head_is_get() {
    let fakes = world();
    for path in [path(1), path(77), path(1) + "?format=xml", "/healthz".into()] {
        assert_eq!(Ask::new("HEAD", &path).of(&fakes), Ask::get(&path).of(&fakes));
    }
}

#[test]
fn missing_ray_reports_its_time_and_likely_reason() {
    let fakes = world();
    for (age_ms, code, words) in [
        (-60_000, "ahead_of_clock", "in the future"),
        (60_000, "not_yet", "may not have landed"),
        (3_600_000, "maybe_not_logged", "nothing was logged then"),
    ] {
        let ray = RayId::at(NOW_MS - age_ms, 7).unwrap();
        let reply = Ask::get(&format!("/v1/rays/{}-SJC", ray.to_string().to_uppercase())).of(&fakes);
        assert_eq!(problem(&reply), (404, "ray_not_found".into()));
        let body = json(&reply);
        assert_eq!(
            (&body["ray"], &body["ray_time"]),
            (&ray.to_string().into(), &raydex::time::rfc3339(ray.unix_ms()).into())
        );
        assert!(body["hint"].as_str().unwrap().contains(words), "{body}");
        assert_eq!(body["verdict"]["code"], code);
        assert_eq!(header(&reply, "retry-after").is_some(), code == "not_yet");
    }
}

#[test]
fn ray_in_unreadable_batches_is_not_called_unknown() {
    let fakes = world();
    fakes.bucket.delete("logs/b");
    let some = Ask::get(&path(1)).of(&fakes);
    assert_eq!((some.status, &json(&some)["batches_gone"]), (200, &1.into()));
    fakes.bucket.store("logs/a", b"\x1f\x8b\x08damaged");
    let none = Ask::get(&(path(1) + "?dataset=http_requests")).of(&fakes);
    assert_eq!(problem(&none), (502, "batch_unreadable".into()));
    assert_eq!(json(&none)["cost"]["objects_read"], 1);
}

#[test]
fn answer_beyond_its_bound_is_cut_and_reported() {
    let fakes = Fakes::new();
    let lines = ndjson((0..1001).map(|number| http(&ray(1).to_string(), number)));
    fakes.index("logs/a", Dataset::HttpRequests, &lines);
    for format in ["native", "partner", "json"] {
        let reply = Ask::get(&format!("{}?format={format}", path(1))).of(&fakes);
        assert_eq!((reply.status, header(&reply, "raydex-truncated")), (200, Some("true")));
    }
    let body = json(&Ask::get(&path(1)).of(&fakes));
    assert_eq!((&body["truncated"], body["records"].as_array().unwrap().len()), (&true.into(), 1000));
}

#[test]
fn lookup_asks_one_shard_and_reads_batches_once() {
    let fakes = world();
    let before = (fakes.faults.count(Kind::Shard), fakes.faults.count(Kind::GetRange));
    Ask::get(&path(1)).of(&fakes);
    assert_eq!((fakes.faults.count(Kind::Shard) - before.0, fakes.faults.count(Kind::GetRange) - before.1), (1, 3));
}
