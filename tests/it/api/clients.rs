//! Logpull and the Logs Engine over the fakes, as Cloudflare's own clients ask.

use raydex::config::{Config, ConfigFault};
use serde_json::{Value, json};

use super::access::rule;
use super::story::batch;
use super::support::gzip::gzip;
use super::support::records::{ndjson, ray};
use super::support::world::{TOKEN, config_with};
use super::support::{Fakes, Fault, NOW_MS};
use super::{Ask, Reply, header, json as body};

const KEYS: [&str; 2] = [
    "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_aa.log.gz",
    "logs/http_requests/20260327/20260327T084200Z_20260327T084225Z_bb.log.gz",
];
const RANGE: &str = "start=2026-03-28T08:30:00Z&end=2026-03-28T09:00:00Z";

fn line(number: u64, zone: &str) -> String {
    let start = (NOW_MS - 20_000 + i64::try_from(number).unwrap()) * 1_000_000;
    format!(r#"{{"RayID":"{}","ZoneName":"{zone}","ClientIP":"192.0.2.7","EdgeStartTimestamp":{start}}}"#, ray(number))
}

/// Six records of two zones, the second ray twice.
fn store() -> (Fakes, Vec<String>) {
    let fakes = Fakes::new();
    let lines: Vec<String> =
        [(1, "a.example"), (2, "a.example"), (2, "b.example"), (3, "b.example"), (4, "a.example"), (5, "a.example")]
            .map(|(number, zone)| line(number, zone))
            .to_vec();
    batch(&fakes, KEYS[0], &ndjson(&lines), None);
    batch(&fakes, KEYS[1], &ndjson([r#"{"RayID":"test-ray"}"#]), None);
    (fakes, lines)
}

fn zone(fakes: &Fakes, path: &str) -> Reply {
    Ask::get(&format!("/client/v4/zones/z/logs/{path}")).of(fakes)
}

fn engine(fakes: &Fakes, path: &str) -> Reply {
    Ask::get(&format!("/client/v4/accounts/a/logs/{path}")).of(fakes)
}

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

/// The status of an envelope that says what is wrong, and the code.
fn failure(reply: &Reply) -> (u16, u64) {
    let envelope = body(reply);
    assert_eq!(header(reply, "content-type"), Some("application/json"));
    assert_eq!(
        (&envelope["success"], &envelope["result"], &envelope["messages"]),
        (&false.into(), &Value::Null, &json!([]))
    );
    assert!(envelope["errors"][0]["message"].as_str().is_some_and(|words| !words.is_empty()));
    (reply.status, envelope["errors"][0]["code"].as_u64().unwrap())
}

#[test]
fn received_returns_a_range_in_the_fields_asked() {
    let (fakes, lines) = store();
    let all = zone(&fakes, &format!("received?{RANGE}"));
    assert_eq!(all.status, 200);
    let first = text(&all).lines().next().unwrap();
    let start = (NOW_MS - 20_000 + 1) * 1_000_000;
    assert_eq!(
        serde_json::from_str::<Value>(first).unwrap(),
        json!({ "ClientIP": "192.0.2.7", "EdgeStartTimestamp": start, "RayID": ray(1).to_string() })
    );
    assert_eq!(text(&all).lines().count(), lines.len());
    let picked = zone(&fakes, &format!("received?{RANGE}&fields=RayID,Novel,OldName&count=2"));
    assert_eq!(text(&picked), format!("{{\"RayID\":\"{}\"}}\n{{\"RayID\":\"{}\"}}\n", ray(1), ray(2)));
    let sampled = |sample: &str| text(&zone(&fakes, &format!("received?{RANGE}&sample={sample}"))).lines().count();
    assert!(sampled("1") == lines.len() && sampled("0.5") < lines.len() + 1);
    for (times, value) in [
        ("unix", json!(start / 1_000_000_000)),
        ("unixnano", json!(start)),
        ("rfc3339", json!("2026-03-28T08:42:05Z")),
        ("rfc3339ms", json!("2026-03-28T08:42:05.001Z")),
        ("rfc3339ns", json!("2026-03-28T08:42:05.001000000Z")),
    ] {
        let reply = zone(&fakes, &format!("received?{RANGE}&timestamps={times}&fields=EdgeStartTimestamp&count=1"));
        assert_eq!(body(&reply)["EdgeStartTimestamp"], value, "{times}");
    }
    // The first instant counts, the last one does not.
    let (from, to) = (start / 1_000_000_000, start + 1_000_000);
    let exact = zone(&fakes, &format!("received?start={from}&end={to}&fields=RayID"));
    assert_eq!(text(&exact), format!("{{\"RayID\":\"{}\"}}\n", ray(1)));
}

#[test]
fn invalid_query_is_answered_in_logpulls_words() {
    let (fakes, _) = store();
    for (query, words) in [
        ("", "bad query: error parsing start time: must be unix timestamp or rfc3339 string"),
        ("start=x&end=2", "bad query: error parsing start time: must be unix timestamp or rfc3339 string"),
        ("start=2026-03-28T08:00:00Z", "bad query: error parsing end time: must be unix timestamp or rfc3339 string"),
        (
            "start=2026-03-28T09:00:00Z&end=2026-03-28T08:00:00Z",
            "bad query: error parsing time: invalid time range: start not before end",
        ),
        (
            "start=2026-03-28T08:00:00Z&end=2026-03-28T08:00:00Z",
            "bad query: error parsing time: invalid time range: start not before end",
        ),
    ] {
        let reply = zone(&fakes, &format!("received?{query}"));
        assert_eq!((reply.status, text(&reply).trim_end()), (400, words), "{query}");
        assert!(header(&reply, "content-type").unwrap().starts_with("text/plain"));
    }
    for query in ["&count=0", "&count=x", "&sample=0", "&sample=2", "&timestamps=iso", "&fields=,"] {
        let reply = zone(&fakes, &format!("received?{RANGE}{query}"));
        assert!(reply.status == 400 && text(&reply).starts_with("bad query: error parsing "), "{query}");
    }
}

#[test]
fn broken_stream_ends_like_logpulls() {
    let (fakes, lines) = store();
    let before = fakes.faults.calls();
    let whole = zone(&fakes, &format!("received?{RANGE}"));
    let calls = fakes.faults.calls() - before;
    for nth in 1..=calls {
        fakes.faults.plan(None, nth, Fault::Fails);
        let reply = zone(&fakes, &format!("received?{RANGE}"));
        assert!(fakes.faults.clear());
        assert!(reply.status == 200 && text(&reply).ends_with("Error streaming data.\n"), "call {nth}");
        assert!(
            text(&reply).lines().count() <= lines.len() + 1
                && text(&whole).starts_with(text(&reply).trim_end_matches("Error streaming data.\n"))
        );
    }
}

#[test]
fn ray_has_one_line_for_each_record() {
    let (fakes, _) = store();
    for (id, count) in
        [(ray(1).to_string(), 1), (ray(2).to_string(), 2), (ray(9).to_string(), 0), (format!("{}-SJC", ray(1)), 1)]
    {
        let reply = zone(&fakes, &format!("rayids/{id}?fields=RayID"));
        assert_eq!((reply.status, text(&reply).lines().count()), (200, count), "{id}");
        let reply = engine(&fakes, &format!("rayids/{id}?bucket=cdn-logs-raw&prefix=logs/http_requests/{{DATE}}"));
        assert_eq!((reply.status, text(&reply).lines().count()), (200, count), "{id}: {}", text(&reply));
    }
}

#[test]
fn the_fields_are_those_of_the_dataset() {
    let (fakes, _) = store();
    let told = body(&zone(&fakes, "received/fields"));
    let datasets: toml::Table = include_str!("../../../schemas/datasets.toml").parse().unwrap();
    let http = &datasets["http_requests"];
    let rows = ["fields", "newer", "older"]
        .iter()
        .filter_map(|list| http.get(*list)?.as_array())
        .flatten()
        .chain(http.get("merged"));
    let known: std::collections::BTreeMap<&str, &str> =
        rows.map(|row| (row[0].as_str().unwrap(), row[1].as_str().unwrap())).collect();
    let told = told.as_object().unwrap();
    assert!(known.len() > 100 && told.keys().all(|name| known.contains_key(name.as_str())));
    for (name, kind) in known {
        assert!(told[name].as_str().unwrap().ends_with(&format!("({kind})")), "{name}");
    }
}

#[test]
fn fields_of_the_newest_batch_are_listed() {
    let stored = include_bytes!("../../fixtures/cases/18-response-fields/batch.log.gz");
    let novel = gzip(&ndjson([r#"{"RayID":"9e35500000000002","NovelField":"made-up","NovelCount":1}"#]));
    let stored = [&stored[..], &novel].concat();
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &stored, None);
    batch(&fakes, KEYS[1], &ndjson([r#"{"RayID":"9e35500000000001","OlderField":1}"#]), None);
    let before = fakes.bucket.ranged();
    let found = body(&zone(&fakes, "received/fields"));
    assert_eq!(fakes.bucket.ranged() - before, stored.len(), "one read, of the newest batch");
    for (name, description) in [
        ("NovelField", "Not documented; the newest batch has it (string)"),
        ("NovelCount", "Not documented; the newest batch has it (int)"),
    ] {
        assert_eq!(found[name], description);
    }
    for name in ["ResponseFields", "WAFFlags", "WAFMatchedVar"] {
        assert!(!found[name].as_str().unwrap().starts_with("Not documented"), "{name}");
    }
    assert!(found["RayID"].as_str().unwrap().starts_with("Identifier of the request"));
    assert!(found.get("OlderField").is_none() && !found.to_string().contains("made-up"));
}

#[test]
fn fields_are_seen_in_visible_records_only() {
    let fakes = Fakes::new();
    let lines = [
        r#"{"RayID":"9e35500000000001","ZoneName":"a.example","OfZoneA":{"x":1},"4111111111111111":1}"#,
        r#"{"RayID":"9e35500000000002","ZoneName":"b.example","OfZoneB":1}"#,
    ];
    batch(&fakes, KEYS[0], &ndjson(lines), None);
    let caller = |more: &Value| Ok(super::access::deployment(&[rule("caller", more)]));
    let seen = |config: &Result<_, _>| {
        let ask = Ask::get("/client/v4/zones/z/logs/received/fields");
        let found = body(&Ask { authorization: Some("Bearer caller".into()), ..ask }.of_deployment(&fakes, config));
        let found = found.as_object().unwrap().clone();
        found.into_iter().filter(|(_, words)| words.as_str().unwrap().starts_with("Not documented")).collect::<Vec<_>>()
    };
    let words =
        |name: &str, kind: &str| (name.to_owned(), format!("Not documented; the newest batch has it{kind}").into());
    let all = seen(&caller(&json!({})));
    assert_eq!(all, [words("4111111111111111", " (int)"), words("OfZoneA", " (object)"), words("OfZoneB", " (int)")]);
    let viewer = seen(&caller(&json!({ "role": "viewer" })));
    assert_eq!(viewer, [words("OfZoneA", ""), words("OfZoneB", "")], "the name that looks like a card is masked");
    // Which batch is the newest may depend on batches that do not exist for them.
    for narrow in [json!({"zones": ["a.example"]}), json!({"datasets": ["http_requests"]})] {
        assert_eq!(seen(&caller(&narrow)), []);
    }
    fakes.bucket.delete(KEYS[0]);
    assert_eq!(seen(&caller(&json!({}))), []);
}

#[test]
fn logs_are_kept_and_cannot_be_turned_off() {
    let (fakes, _) = store();
    let kept = json!({ "success": true, "errors": [], "messages": [], "result": { "flag": true } });
    assert_eq!(body(&zone(&fakes, "control/retention/flag")), kept);
    let set = |flag: &str| {
        let path = "/client/v4/zones/z/logs/control/retention/flag";
        Ask { body: flag.as_bytes().to_vec(), ..Ask::new("POST", path) }.of(&fakes)
    };
    assert_eq!(body(&set(r#"{"flag":true}"#)), kept);
    assert_eq!((failure(&set(r#"{"flag":false}"#)).0, failure(&set("x")).0), (400, 400));
}

#[test]
fn engine_lists_and_retrieves_its_own_bucket_only() {
    let (fakes, lines) = store();
    let ours = format!("{RANGE}&bucket=cdn-logs-raw&prefix=logs/http_requests/{{DATE}}");
    let listed = body(&engine(&fakes, &format!("list?{ours}")));
    assert_eq!(listed["result"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["result"][0]["key"], KEYS[0]);
    assert_eq!(text(&engine(&fakes, &format!("retrieve?{ours}"))), lines.join("\n") + "\n");
    let index = |bucket: &str| {
        let wanted = json!({ "start": "2026-03-28T08:00:00Z", "end": "2026-03-28T09:00:00Z", "bucket": bucket, "prefix": "logs/" });
        let path = "/client/v4/accounts/a/logs/rayids/index";
        Ask { body: wanted.to_string().into_bytes(), ..Ask::new("POST", path) }.of(&fakes)
    };
    assert_eq!(body(&index("cdn-logs-raw"))["success"], true);
    assert_eq!(failure(&index("other")).0, 404);
    for route in ["list", "retrieve"] {
        for (place, status) in [
            (format!("{RANGE}&bucket=other&prefix=logs/"), 404),
            (format!("{RANGE}&bucket=cdn-logs-raw&prefix=other/"), 404),
            (format!("{RANGE}&prefix=logs/"), 404),
            ("start=x&end=y&bucket=cdn-logs-raw".into(), 400),
            ("start=2026-03-28T09:00:00Z&end=2026-03-28T08:00:00Z&bucket=cdn-logs-raw".into(), 400),
        ] {
            assert_eq!(failure(&engine(&fakes, &format!("{route}?{place}"))).0, status, "{route} {place}");
        }
    }
    let days = "start=2026-03-27T00:00:00Z&end=2026-03-29T00:00:00Z&bucket=cdn-logs-raw&prefix=logs/";
    assert_eq!(body(&engine(&fakes, &format!("list?{days}")))["result"].as_array().unwrap().len(), 2);
    assert_eq!(body(&engine(&fakes, &format!("list?{days}&limit=1")))["result"].as_array().unwrap().len(), 1);
}

#[test]
fn more_days_than_are_listed_are_too_many() {
    let (fakes, _) = store();
    let list = |start: &str, prefix: &str| {
        engine(&fakes, &format!("list?start={start}&end=2026-03-28T09:00:00Z&bucket=cdn-logs-raw&prefix={prefix}"))
    };
    let dated = "logs/http_requests/{DATE}";
    assert_eq!(body(&list("2025-03-28T00:00:00Z", dated))["result"].as_array().unwrap().len(), 2);
    for start in ["2025-03-27T23:59:59Z", "0"] {
        assert_eq!(failure(&list(start, dated)), (422, 1_002), "{start}");
    }
    assert_eq!(body(&list("0", "logs/"))["result"].as_array().unwrap().len(), 2);
}

#[test]
fn more_objects_than_are_listed_are_too_many() {
    let fakes = Fakes::new();
    for number in 0..=raydex::limits::ENGINE_LISTED {
        fakes
            .bucket
            .store(&format!("logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_{number}.log.gz"), b"");
    }
    let reply = engine(&fakes, &format!("list?{RANGE}&bucket=cdn-logs-raw&prefix=logs/http_requests/{{DATE}}"));
    assert_eq!(failure(&reply), (422, 1_002));
    let words = "Time range returned too many results. Try reducing the time range and try again.";
    assert_eq!(body(&reply)["errors"][0]["message"], words);
}

#[test]
fn zone_of_the_path_narrows_the_answer() {
    let (fakes, lines) = store();
    let config: Result<Config, Vec<ConfigFault>> =
        Ok(config_with(&[("API_ZONES", r#"{"023e105f":"a.example","9a7806061c88":"b.example"}"#)]));
    let get = |zone: &str, path: &str| {
        Ask::get(&format!("/client/v4/zones/{zone}/logs/{path}")).of_deployment(&fakes, &config)
    };
    let fields = format!("received?{RANGE}&fields=RayID,ZoneName,ClientIP,EdgeStartTimestamp");
    for (id, name) in [("023e105f", "a.example"), ("9a7806061c88", "b.example"), ("a.example", "a.example")] {
        let of: Vec<&String> = lines.iter().filter(|line| line.contains(name)).collect();
        let reply = get(id, &fields);
        assert!(
            text(&reply).lines().count() == of.len() && text(&reply).lines().all(|line| line.contains(name)),
            "{id}"
        );
        assert_eq!(text(&get(id, &format!("rayids/{}", ray(2)))).lines().count(), 1);
    }
    for path in [&fields, "received/fields", "control/retention/flag", "rayids/764660d8ec5c2ab1"] {
        assert_eq!(failure(&get("other", path)), (403, 10_000), "{path}");
    }
}

#[test]
fn zone_matches_the_callers_in_any_case() {
    let (fakes, _) = store();
    let zones = r#"{"023e105f":"a.example","9a7806061c88":"b.example"}"#;
    let tokens = json!([rule("narrow", &json!({ "zones": ["A.Example"] }))]).to_string();
    let config = Ok(config_with(&[("API_ZONES", zones), ("API_TOKENS", &tokens)]));
    let get = |zone: &str| {
        let ask = Ask::get(&format!("/client/v4/zones/{zone}/logs/received?{RANGE}"));
        Ask { authorization: Some("Bearer narrow".into()), ..ask }.of_deployment(&fakes, &config)
    };
    for zone in ["023e105f", "a.example", "A.EXAMPLE"] {
        assert_eq!(text(&get(zone)).lines().count(), 4, "{zone}");
    }
    assert_eq!(failure(&get("9a7806061c88")), (403, 10_000));
}

#[test]
fn key_of_an_older_client_is_a_token() {
    let (fakes, _) = store();
    let path = format!("/client/v4/zones/z/logs/rayids/{}", ray(1));
    let status = |path: &str, authorization: Option<&str>, headers: &[(&'static str, &str)]| {
        let authorization = authorization.map(str::to_owned);
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Ask { authorization, headers, ..Ask::get(path) }.of(&fakes).status
    };
    let (email, key, wrong) = (("x-auth-email", "a@b.example"), ("x-auth-key", TOKEN), ("x-auth-key", "wrong"));
    for (authorization, headers, expected) in [
        (None, vec![email, key], 200),
        (None, vec![key], 200),
        (None, vec![email], 401),
        (None, vec![email, wrong], 401),
        (None, vec![email, ("x-auth-key", "")], 401),
        (Some("Bearer wrong"), vec![email, key], 401),
        (Some(format!("Bearer {TOKEN}").as_str()), vec![email, wrong], 200),
        (None, vec![wrong, ("cookie", "__Host-raydex=x")], 401),
    ] {
        assert_eq!(status(&path, authorization, &headers), expected, "{authorization:?} {headers:?}");
    }
    for path in ["/v1/rays/9e35512345678abc", "/v1/stats", "/metrics"] {
        assert_eq!(status(path, None, &[email, key]), 401, "{path}");
    }
}

#[test]
fn what_goes_wrong_comes_in_cloudflares_envelope() {
    let (fakes, _) = store();
    let path = format!("/client/v4/zones/z/logs/rayids/{}", ray(1));
    let of = |ask: Ask| failure(&ask.of(&fakes));
    assert_eq!(of(Ask { authorization: None, ..Ask::get(&path) }), (401, 10_000));
    assert_eq!(of(Ask::get("/client/v4/zones/z/nothing")), (404, 7_003));
    assert_eq!(of(Ask::new("DELETE", &path)), (405, 7_001));
    fakes.faults.plan(None, 1, Fault::Fails);
    assert_eq!(of(Ask::get(&path)).0, 503);
    fakes.faults.clear();
    let config = Ok(config_with(&[("API_RATE_PER_MINUTE", "1")]));
    let replies: Vec<Reply> = (0..3).map(|_| Ask::get(&path).of_deployment(&fakes, &config)).collect();
    let limited = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!((failure(limited), header(limited, "retry-after").is_some()), ((429, 971), true));
}
