//! `GET /v1/rays/{a}/diff/{b}`: what differs between two requests, for each caller what they see.

use raydex::config::Config;
use raydex::limits::{CALLER_SHARES, LOOKUP_STEP_MS};
use raydex::memory::MemoryBudget;
use raydex::record::Dataset;
use raydex::router::{Route, find_route};
use raydex::story::{TIMINGS, TimingUnit};
use serde_json::{Map, Value, json};

use super::access::{deployment, rule};
use super::audit::entries;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::{Ask, Reply, header, json as body, problem};

/// A deployment with a caller for each role, and one of a zone and one of a dataset; each token is its name.
fn callers() -> Config {
    let roles = ["viewer", "support", "forensics"].map(|role| rule(role, &json!({ "role": role })));
    let narrow =
        [rule("zone", &json!({ "zones": ["a.example"] })), rule("waf", &json!({ "datasets": ["firewall_events"] }))];
    deployment(&[&roles[..], &narrow[..]].concat())
}

fn get(fakes: &Fakes, token: &str, path: &str) -> Reply {
    Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get(path) }.of_deployment(fakes, &Ok(callers()))
}

fn path(a: u64, b: u64) -> String {
    format!("/v1/rays/{}/diff/{}", ray(a), ray(b))
}

/// The record of a ray with these members more.
fn record(number: u64, more: &Value) -> String {
    let mut record = Map::from_iter([("RayID".to_owned(), ray(number).to_string().into())]);
    record.extend(more.as_object().unwrap().clone());
    Value::Object(record).to_string()
}

/// A world with two requests of one zone (the second of them twice), one of another zone, and events.
fn world() -> Fakes {
    let fakes = Fakes::new();
    let first = record(
        1,
        &json!({
            "ZoneName": "a.example", "ClientIP": "192.0.2.7", "EdgeResponseStatus": 200, "Cookies": { "a": "x" },
            "EdgeStartTimestamp": "2026-03-28T08:42:00.5Z", "EdgeTimeToFirstByteMs": 149, "OriginResponseDurationMs": -1,
            "WorkerCPUTime": 1500, "ClientRequestURI": "/a", "OnlyHere": 1,
        }),
    );
    let second = json!({
        "ZoneName": "a.example", "ClientIP": "192.0.2.9", "EdgeResponseStatus": 404, "Cookies": { "a": "y" },
        "EdgeStartTimestamp": 1_774_687_321_000_000_001_i64, "EdgeTimeToFirstByteMs": "100.5",
        "OriginResponseDurationMs": 20, "ClientRequestURI": "\u{2f}a", "ClientRequestMethod": "GET",
    });
    let hidden = record(3, &json!({ "ZoneName": "b.example" }));
    let again = json!({ "ZoneName": "a.example", "EdgeResponseStatus": 500 });
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([first, hidden, record(2, &second), record(2, &again)]));
    let event = |number, action: &str| record(number, &json!({ "Action": action, "Datetime": "2026-03-28T08:42:00Z" }));
    let events = ndjson([event(1, "block"), event(2, "log"), event(4, "log")]);
    fakes.index("logs/firewall_events/b", Dataset::FirewallEvents, &events);
    fakes
}

#[test]
fn differences_are_listed_field_by_field() {
    let fakes = world();
    let reply = get(&fakes, "forensics", &path(1, 2));
    assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("application/json")));
    let found = body(&reply);
    assert_eq!(found["equal"], 2, "{found}");
    let different = json!([
        { "field": "ClientIP", "a": "192.0.2.7", "b": "192.0.2.9" },
        { "field": "Cookies", "a": { "a": "x" }, "b": { "a": "y" } },
        { "field": "EdgeResponseStatus", "a": 200, "b": 404 },
        { "field": "EdgeStartTimestamp", "a": "2026-03-28T08:42:00.5Z", "b": 1_774_687_321_000_000_001_i64 },
        { "field": "EdgeTimeToFirstByteMs", "a": 149, "b": "100.5" },
        { "field": "OriginResponseDurationMs", "a": -1, "b": 20 },
        { "field": "RayID", "a": ray(1).to_string(), "b": ray(2).to_string() },
    ]);
    assert_eq!(found["different"], different);
    assert_eq!(found["only_a"], json!([{ "field": "OnlyHere", "a": 1 }, { "field": "WorkerCPUTime", "a": 1500 }]));
    assert_eq!(found["only_b"], json!([{ "field": "ClientRequestMethod", "b": "GET" }]));
    for (side, number, records) in [("a", 1, 1), ("b", 2, 2)] {
        let side = &found[side];
        assert_eq!((side["ray"].as_str(), &side["records"]), (Some(&*ray(number).to_string()), &records.into()));
        assert_eq!((&side["truncated"], &side["dataset"]), (&false.into(), &"http_requests".into()));
        assert_eq!((&side["batch"]["key"], &side["batches_gone"]), (&"logs/a".into(), &0.into()));
    }
    assert_eq!((&found["cost"]["shards_asked"], &found["cost"]["objects_read"]), (&2.into(), &2.into()));
    assert!(header(&reply, "raydex-cost").is_some_and(|cost| cost.starts_with("shards_asked=2, objects_read=2")));
}

#[test]
fn timings_stand_side_by_side_as_numbers() {
    let text = String::from_utf8(get(&world(), "forensics", &path(1, 2)).body).unwrap();
    for expected in [
        r#"{"field":"EdgeStartTimestamp","a_ms":1774687320500,"b_ms":1774687321000.000001,"difference_ms":500.000001}"#,
        r#"{"field":"EdgeTimeToFirstByteMs","a_ms":149,"b_ms":100.5,"difference_ms":-48.5}"#,
        r#"{"field":"OriginResponseDurationMs","a_ms":null,"b_ms":20,"difference_ms":null}"#,
        r#"{"field":"WorkerCPUTime","a_ms":1.5,"b_ms":null,"difference_ms":null}"#,
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let timings = body(&get(&world(), "viewer", &path(2, 1)))["timings"].take();
    let names: Vec<&str> = timings.as_array().unwrap().iter().map(|timing| timing["field"].as_str().unwrap()).collect();
    assert_eq!(names, ["EdgeStartTimestamp", "EdgeTimeToFirstByteMs", "OriginResponseDurationMs", "WorkerCPUTime"]);
    assert_eq!(timings[1]["difference_ms"], 48.5);
}

#[test]
fn every_listed_time_is_among_timings() {
    let fields: Map<String, Value> =
        serde_json::from_str(include_str!("../../../schemas/http_requests_fields.json")).unwrap();
    let mut timed = Vec::new();
    for (name, description) in &fields {
        let description = description.as_str().unwrap();
        let unit = [
            (" (time)", TimingUnit::Instant),
            ("in milliseconds", TimingUnit::Milliseconds),
            ("in microseconds", TimingUnit::Microseconds),
            ("in nanoseconds", TimingUnit::Nanoseconds),
        ];
        timed
            .extend(unit.iter().find(|(words, _)| description.contains(words)).map(|(_, unit)| (name.as_str(), *unit)));
    }
    let mut known = TIMINGS.to_vec();
    known.sort_by_key(|(name, _)| *name);
    assert_eq!(known, timed);
}

#[test]
fn masked_fields_are_compared_as_they_are_seen() {
    let fakes = world();
    let found = body(&get(&fakes, "viewer", &path(1, 2)));
    let different = found["different"].to_string();
    assert!(!different.contains("ClientIP") && !different.contains("Cookies"), "{different}");
    assert_eq!(found["only_a"][0], json!({ "field": "OnlyHere", "a": null }));
    assert_eq!(found["equal"], 4, "{found}");
    let support = body(&get(&fakes, "support", &path(1, 2)))["different"].to_string();
    assert!(support.contains("192.0.2.7") && !support.contains("Cookies"), "{support}");
}

#[test]
fn another_dataset_is_compared_where_named() {
    let fakes = world();
    let reply = get(&fakes, "waf", &(path(1, 2) + "?dataset=firewall_events"));
    let found = body(&reply);
    assert_eq!(found["different"][0], json!({ "field": "Action", "a": "block", "b": "log" }), "{found}");
    assert_eq!((&found["timings"], &found["a"]["dataset"]), (&json!([]), &"firewall_events".into()));
    assert_eq!(problem(&get(&fakes, "waf", &path(1, 2))), (403, "other_dataset".into()));
    for (query, code) in [
        ("?dataset=dns_logs", "dataset_without_ray"),
        ("?dataset=x", "bad_parameter"),
        ("?format=json", "unknown_parameter"),
        ("?fields=RayID", "unknown_parameter"),
    ] {
        assert_eq!(problem(&get(&fakes, "forensics", &(path(1, 2) + query))), (400, code.into()), "{query}");
    }
}

#[test]
fn missing_ray_is_named_by_its_argument() {
    let fakes = world();
    for (a, b, argument, number) in [(7, 1, "a", 7), (1, 7, "b", 7), (7, 8, "a", 7)] {
        let reply = get(&fakes, "forensics", &path(a, b));
        assert_eq!(problem(&reply), (404, "ray_not_found".into()));
        let found = body(&reply);
        assert_eq!((&found["argument"], &found["ray"]), (&argument.into(), &ray(number).to_string().into()));
        let mut alone = body(&get(&fakes, "forensics", &format!("/v1/rays/{}?dataset=http_requests", ray(7))));
        alone["argument"] = argument.into();
        for member in ["type", "title", "status", "code", "detail", "hint", "ray", "ray_time", "argument"] {
            assert_eq!(found[member], alone[member], "{member}");
        }
    }
    let event = body(&get(&fakes, "forensics", &path(1, 4)));
    assert!(event["hint"].as_str().unwrap().contains("firewall_events"), "{event}");
    for (path, argument) in [("/v1/rays/!/diff/x", "a"), (&*format!("/v1/rays/{}/diff/!", ray(1)), "b")] {
        let reply = get(&fakes, "forensics", path);
        assert_eq!((problem(&reply), &body(&reply)["argument"]), ((400, "not_a_ray".into()), &argument.into()));
    }
    fakes.bucket.delete("logs/a");
    let gone = get(&fakes, "forensics", &path(7, 1));
    assert_eq!((problem(&gone).0, &body(&gone)["argument"]), (404, &"a".into()));
    let gone = get(&fakes, "forensics", &path(1, 2));
    assert_eq!((problem(&gone), &body(&gone)["argument"]), ((502, "batch_unreadable".into()), &"a".into()));
}

#[test]
fn hidden_ray_looks_like_an_absent_one() {
    let fakes = world();
    let mut answers = Vec::new();
    for (a, b) in [(3, 1), (7, 1), (1, 3), (1, 7), (3, 7), (7, 3)] {
        let before = fakes.paused_ms.get();
        let reply = get(&fakes, "zone", &path(a, b));
        // The clock goes on by 7 ms whenever someone looks.
        let steps = (fakes.paused_ms.get() - before + 42) / LOOKUP_STEP_MS;
        let text = String::from_utf8(reply.body.clone()).unwrap();
        let text = text.replace(&ray(3).to_string(), "RAY").replace(&ray(7).to_string(), "RAY");
        assert_eq!(header(&reply, "raydex-cost"), None);
        answers.push((reply.status, reply.headers, text, steps));
    }
    assert_eq!((answers[0].0, answers[0].3, answers[2].3), (404, 1, 2));
    assert_eq!((&answers[0], &answers[2], &answers[4]), (&answers[1], &answers[3], &answers[5]));
    let both = get(&fakes, "zone", &path(1, 2));
    let found = body(&both);
    assert_eq!((both.status, header(&both, "raydex-cost"), &found["b"]["records"]), (200, None, &2.into()));
    assert_eq!((found.get("cost"), &found["a"]["batch"]), (None, &json!({ "key": "logs/a" })));
    assert_eq!((found["a"].get("batches_gone"), found["a"].get("batches_unreadable")), (None, None));
}

#[test]
fn entry_names_both_rays() {
    let fakes = world();
    let pasted =
        format!("/v1/rays/CF-RAY%3A%20{}-SJC/diff/https%3A%2F%2Fe.example%2Fdiff%2F%3Fray%3D{}", ray(1), ray(2));
    assert_eq!(body(&get(&fakes, "forensics", &pasted))["b"]["ray"], ray(2).to_string());
    let entry = entries(&fakes)[0].clone();
    assert_eq!((&entry["resource"], &entry["request"]["a"]), (&ray(2).to_string().into(), &ray(1).to_string().into()));
    assert_eq!(entry["action"], "GET /v1/rays/{a}/diff/{b}");
    for number in [1, 2, 3] {
        let found = body(&Ask::get(&format!("/v1/audit?resource={}", ray(number))).of(&fakes));
        let mut named: Vec<&Value> = found["entries"].as_array().unwrap().iter().map(|kept| &kept["entry"]).collect();
        named.retain(|entry| entry["action"] == "GET /v1/rays/{a}/diff/{b}");
        assert_eq!(named.len(), usize::from(number < 3), "{number}: {found}");
    }
}

#[test]
fn two_rays_may_be_pasted_urls() {
    let url = "https%3A%2F%2Fe.com%2Fdiff%2Fx%3Fray%3Da";
    for (path, expected) in [
        ("/v1/rays/a/diff/b".to_owned(), ["a", "b"]),
        (format!("/v1/rays/{url}/diff/CF-RAY%3A%20b"), ["https://e.com/diff/x?ray=a", "CF-RAY: b"]),
        (format!("/v1/rays/a/diff/{url}"), ["a", "https://e.com/diff/x?ray=a"]),
        ("/v1/rays/a/diff/https://e.com/?ray=b".to_owned(), ["a", "https://e.com/?ray=b"]),
        ("/v1/rays/deliveries/diff/deliveries".to_owned(), ["deliveries", "deliveries"]),
    ] {
        let (spec, arguments) = find_route("GET", &path).unwrap();
        assert_eq!((spec.route, &*arguments), (Route::DiffRays, &expected.map(str::to_owned)[..]), "{path}");
    }
    let (pasted, arguments) = find_route("GET", "/v1/rays/https://e.com/diff/x").unwrap();
    assert_eq!((pasted.route, arguments), (Route::GetRay, vec!["https://e.com/diff/x".to_owned()]));
}

#[test]
fn unchanged_differences_are_not_sent_again() {
    let fakes = world();
    let ask =
        |tag: Option<&str>, path: String| Ask { if_none_match: tag.map(str::to_owned), ..Ask::get(&path) }.of(&fakes);
    let tag = header(&ask(None, path(1, 2)), "etag").unwrap().to_owned();
    let again = ask(Some(&tag), path(1, 2));
    assert_eq!((again.status, again.body.len()), (304, 0));
    for other in [path(2, 1), path(1, 1), path(1, 2) + "?dataset=firewall_events"] {
        assert_eq!(ask(Some(&tag), other).status, 200);
    }
}

#[test]
fn ray_beside_itself_differs_in_nothing() {
    let found = body(&get(&world(), "forensics", &path(1, 1)));
    assert_eq!((&found["different"], &found["only_a"], &found["only_b"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!((&found["equal"], &found["timings"][0]["difference_ms"]), (&11.into(), &0.into()));
}

#[test]
fn records_of_many_members_take_reserved_memory_alone() {
    let line = |number: u64| {
        let members: Vec<String> = (0..24_000).map(|name| format!("\"{name}\":{}", name % (number + 2))).collect();
        format!("{{\"RayID\":\"{}\",{}}}", ray(number), members.join(","))
    };
    let mut fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([line(1), line(2)]));
    let (mut answered, mut refused) = (0, 0);
    for megabytes in (1..20).step_by(3) {
        let bytes = CALLER_SHARES * (megabytes << 20);
        fakes.memory = MemoryBudget::new(bytes);
        let reply = Ask::get(&path(1, 2)).of(&fakes);
        assert!(matches!(reply.status, 200 | 413 | 503), "{megabytes}: {}", reply.status);
        assert_eq!(fakes.memory.available(), bytes, "{megabytes}");
        *(if reply.status == 200 { &mut answered } else { &mut refused }) += 1;
        if reply.status == 200 {
            let found = body(&reply);
            assert_eq!((&found["equal"], found["different"].as_array().unwrap().len()), (&6_000.into(), 18_001));
        }
    }
    assert!(answered > 1 && refused > 1, "{answered} answered, {refused} refused");
}
