//! What is refused, whom neighbours are hidden from, and what the audit log keeps.

use raydex::limits::{LOOKUP_STEP_MS, NEIGHBOUR_VALUE_BYTES};
use serde_json::Value;

use super::super::audit::entries;
use super::super::{json as body, problem};
use super::{Answer, Store, ask, at, header, ndjson, numbers, path_of, ray};

fn text(value: &str) -> String {
    format!("\"{value}\"")
}

#[test]
fn what_is_not_understood_is_refused() {
    let mut store = Store::new();
    store.put("logs/a.log.gz", &ndjson([at(1, 0, &[])]), true);
    let own = ray(1).to_string();
    for (query, code) in [
        ("", "missing_parameter"),
        ("within=5s", "missing_parameter"),
        ("by=", "bad_parameter"),
        ("by=Client", "bad_parameter"),
        ("by=client,path", "bad_parameter"),
        ("by=client&within=0s", "bad_parameter"),
        ("by=client&within=3601s", "bad_parameter"),
        ("by=client&within=1h", "bad_parameter"),
        ("by=client&within=", "bad_parameter"),
        ("by=client&limit=0", "bad_parameter"),
        ("by=client&limit=501", "bad_parameter"),
        ("by=client&format=csv", "bad_parameter"),
        ("by=client&fields=", "bad_parameter"),
        ("by=client&dataset=dns_logs", "bad_parameter"),
        ("by=client&dataset=workers_trace_events", "bad_parameter"),
        ("by=client&cursor=x", "bad_cursor"),
        ("by=client&filter=x", "unknown_parameter"),
        ("by=client&by=path", "repeated_parameter"),
    ] {
        let reply = ask(&store, "forensics", &path_of(&own, query), 7);
        assert_eq!(problem(&reply), (400, code.to_owned()), "{query}");
    }
    assert_eq!(problem(&ask(&store, "forensics", &path_of("!", "by=client"), 7)), (400, "not_a_ray".into()));
    assert_eq!(problem(&ask(&store, "waf", &path_of(&own, "by=client"), 7)), (403, "other_dataset".into()));
}

#[test]
fn record_without_the_value_is_not_comparable() {
    let mut store = Store::new();
    let long = text(&format!("/{}", "x".repeat(NEIGHBOUR_VALUE_BYTES)));
    let fits = text(&format!("/{}", "x".repeat(NEIGHBOUR_VALUE_BYTES - 1)));
    let host = ("ClientRequestHost", "\"a.example\"");
    let lines = [
        at(1, 0, &[]),
        at(2, 1, &[host]),
        at(3, 2, &[host, ("ClientRequestPath", "null")]),
        at(4, 3, &[host, ("ClientRequestPath", "\"\"")]),
        at(5, 4, &[host, ("ClientRequestPath", "[\"/\"]")]),
        at(6, 5, &[host, ("ClientRequestPath", &long)]),
        at(7, 6, &[host, ("ClientRequestPath", &fits)]),
        at(8, 7, &[host, ("ClientRequestPath", &fits)]),
    ];
    store.put("logs/a.log.gz", &ndjson(lines), true);
    for number in 1..=6 {
        let reply = ask(&store, "forensics", &path_of(&ray(number).to_string(), "by=path"), 7);
        assert_eq!(problem(&reply), (422, "not_comparable".into()), "{number}");
        let field = if number == 1 { "ClientRequestHost" } else { "ClientRequestPath" };
        assert!(body(&reply)["detail"].as_str().unwrap().contains(field), "{number}");
    }
    let answer = Answer::of(&ask(&store, "forensics", &path_of(&ray(7).to_string(), "by=path"), 7));
    assert_eq!(numbers(&answer), [8], "longer than a filter may be");
}

#[test]
fn value_unseen_by_the_role_is_refused() {
    let mut store = Store::new();
    let secret = text("203.0.113.9, token: hunter2");
    let lines = [at(1, 0, &[("ClientIP", &secret)]), at(2, 1, &[("ClientIP", "\"password=x\"")]), at(3, 2, &[])];
    store.put("logs/a.log.gz", &ndjson(lines), true);
    let path = path_of(&ray(1).to_string(), "by=client");
    for token in ["viewer", "support"] {
        let reply = ask(&store, token, &path, 7);
        assert_eq!(problem(&reply), (403, "field_masked".into()), "{token}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("hunter2"));
    }
    assert!(numbers(&Answer::of(&ask(&store, "forensics", &path, 7))).is_empty());
}

#[test]
fn path_that_looks_the_same_is_the_same() {
    let mut store = Store::new();
    let line = |number: u32, secret: &str| {
        let path = text(&format!("/orders/{secret}"));
        at(number, i64::from(number), &[("ClientRequestHost", "\"a.example\""), ("ClientRequestPath", &path)])
    };
    let secrets = ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.dozjgNryP4J3jVmNHl0w5N", "4111111111111111"];
    store.put("logs/a.log.gz", &ndjson([line(1, secrets[0]), line(2, secrets[1]), line(3, "about")]), true);
    let asked = |token: &str| Answer::of(&ask(&store, token, &path_of(&ray(1).to_string(), "by=path"), 7));
    let support = asked("support");
    assert_eq!((numbers(&support), &support.moment["masked"]), (vec![2], &Value::from(vec!["ClientRequestPath"])));
    assert!(support.moment["same"]["ClientRequestPath"].as_str().unwrap().contains("[masked]"));
    assert!(numbers(&asked("forensics")).is_empty());
}

#[test]
fn hidden_ray_looks_like_an_absent_one() {
    let mut store = Store::new();
    let zone = |number: u32, name: &str| at(number, i64::from(number), &[("ZoneName", &text(name))]);
    store.put("logs/a.log.gz", &ndjson([zone(1, "a.example"), zone(2, "b.example"), zone(3, "a.example")]), true);
    let mut answers = Vec::new();
    for number in [2, 9] {
        let before = store.fakes.paused_ms.get();
        let reply = ask(&store, "a-forensics", &path_of(&ray(number).to_string(), "by=client"), 7);
        let steps = (store.fakes.paused_ms.get() - before + 42) / LOOKUP_STEP_MS;
        let shown = String::from_utf8(reply.body.clone()).unwrap().replace(&ray(number).to_string(), "RAY");
        assert_eq!(header(&reply, "raydex-cost"), None);
        answers.push((reply.status, reply.headers, shown, steps));
    }
    assert_eq!((answers[0].0, answers[0].3), (404, 1));
    assert_eq!(answers[0], answers[1]);
    let own = Answer::of(&ask(&store, "a-forensics", &path_of(&ray(1).to_string(), "by=client"), 7));
    assert_eq!((numbers(&own), &own.summary["matched"]), (vec![3], &1.into()));
    assert_eq!((own.moment.get("cost"), own.moment.get("batches_gone")), (None, None));
    let everyone = Answer::of(&ask(&store, "forensics", &path_of(&ray(1).to_string(), "by=client"), 7));
    assert_eq!(numbers(&everyone), [2, 3]);
}

#[test]
fn absent_ray_has_the_verdict_of_its_lookup() {
    let mut store = Store::new();
    store.put("logs/a.log.gz", &ndjson([at(1, 0, &[])]), true);
    let mut answers = [path_of(&ray(9).to_string(), "by=client"), format!("/v1/rays/{}?dataset=http_requests", ray(9))]
        .map(|path| body(&ask(&store, "forensics", &path, 7)));
    for answer in &mut answers {
        assert_eq!((&answer["status"], &answer["code"]), (&404.into(), &"ray_not_found".into()));
        assert!(answer["verdict"]["code"].is_string());
        answer.as_object_mut().unwrap().remove("cost");
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn entry_names_the_ray_and_what_was_asked() {
    let mut store = Store::new();
    store.put("logs/a.log.gz", &ndjson([at(1, 0, &[])]), true);
    let pasted = format!("CF-RAY%3A%20{}-SJC", ray(1));
    ask(&store, "support", &path_of(&pasted, "by=client&within=2m&limit=7"), 7);
    let entry = entries(&store.fakes)[0].clone();
    assert_eq!(
        (&entry["resource"], &entry["action"]),
        (&ray(1).to_string().into(), &"GET /v1/rays/{ray}/neighbours".into())
    );
    let request = serde_json::json!({ "by": ["client"], "within": 120, "limit": 7 });
    assert_eq!(entry["request"], request);
}

#[test]
fn field_that_exists_nowhere_is_warned_of() {
    let mut store = Store::new();
    store.put("logs/a.log.gz", &ndjson([at(1, 0, &[]), at(2, 1, &[("Odd", "7")])]), true);
    let path = path_of(&ray(1).to_string(), "by=client&fields=Odd,clientip,ClientIP");
    let answer = Answer::of(&ask(&store, "forensics", &path, 7));
    let warnings = answer.trailer["warnings"].as_array().unwrap();
    assert_eq!((warnings.len(), &warnings[0]["at"]), (1, &"fields[1]".into()));
    assert_eq!(answer.neighbours[0]["record"], serde_json::json!({ "Odd": 7, "ClientIP": "192.0.2.7" }));
}
