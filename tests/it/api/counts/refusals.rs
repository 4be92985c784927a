//! What counts refuse, what they warn of, and what a caller's groups show.

use raydex::limits::{COUNT_STEPS, COUNT_TOP};
use raydex::mask::Role;
use raydex::time::rfc3339;
use serde_json::{Value, json};

use super::super::problem;
use super::model::{masked, members};
use super::{Answer, Ask, Store, ask, config, escaped, ndjson, ray, record, start_ms};

const RANGE: &str = "start=2026-03-28T08:00:00Z&end=2026-03-28T08:30:00Z";

fn store() -> Store {
    let mut store = Store::new();
    let line = |number: u32| {
        let ip = format!("\"192.0.2.{number}\"");
        let cookies = format!(r#"{{"session":"secret-{number}"}}"#);
        let uri = format!("\"/p?token=secret-{number}\"");
        let id = format!("\"{}\"", ray(start_ms(), number));
        record(&id, None, &[("ClientIP", &ip), ("Cookies", &cookies), ("ClientRequestURI", &uri), ("Odd", "7")])
    };
    store.put("logs/a.log.gz", &ndjson((0..40).map(line)), true);
    store
}

#[test]
fn what_is_not_understood_is_refused() {
    let store = store();
    for (query, code) in [
        ("&step=0", "bad_parameter"),
        ("&step=1w", "bad_parameter"),
        ("&step=367d", "bad_parameter"),
        ("&step=", "bad_parameter"),
        ("&by=", "bad_parameter"),
        ("&by=A,B,C", "bad_parameter"),
        ("&top=5", "bad_parameter"),
        ("&by=RayID&top=0", "bad_parameter"),
        ("&by=RayID&top=1001", "bad_parameter"),
        ("&format=csv", "bad_parameter"),
        ("&cursor=x", "bad_cursor"),
        ("&filter=%7B", "bad_filter"),
        ("&dataset=nothing", "bad_parameter"),
        ("&fields=RayID", "unknown_parameter"),
        ("&limit=1", "unknown_parameter"),
        ("&step=60&step=60", "repeated_parameter"),
    ] {
        let reply = ask(&store, "forensics", &format!("{RANGE}{query}"), 7);
        assert_eq!(problem(&reply), (400, code.to_owned()), "{query}");
    }
    assert_eq!(COUNT_TOP, 1_000);
    assert_eq!(problem(&ask(&store, "forensics", "step=60", 7)), (400, "missing_parameter".into()));
}

#[test]
fn too_many_steps_name_one_that_fits() {
    let store = store();
    let end_ms = start_ms() + 1_000 * (i64::from(COUNT_STEPS) - 1) + 1;
    let range = |start_ms: i64| format!("start={}&end={}", rfc3339(start_ms), rfc3339(end_ms));
    let whole_s = start_ms().div_euclid(1_000) * 1_000;
    let fits = ask(&store, "forensics", &format!("{}&step=1s", range(whole_s)), 7);
    assert_eq!(fits.status, 200, "{}", String::from_utf8_lossy(&fits.body));
    for start_ms in [whole_s - 1_001, whole_s - 10_000_000, 0] {
        let refused = ask(&store, "forensics", &format!("{}&step=1s", range(start_ms)), 7);
        assert_eq!(problem(&refused), (400, "too_many_steps".into()));
        let hint: Value = serde_json::from_slice::<Value>(&refused.body).unwrap()["hint"].clone();
        let step = hint.as_str().unwrap().rsplit_once("at least ").unwrap().1.trim_end_matches('.');
        let again = ask(&store, "forensics", &format!("{}&step={step}", range(start_ms)), 7);
        assert_eq!(again.status, 200, "{step}");
    }
}

#[test]
fn cursor_is_good_for_its_question_alone() {
    let store = store();
    let query = format!("start=0&end={}&step=30d&by=RayID&top=3", rfc3339(start_ms() + 1_000));
    let cut = Answer::of(&ask(&store, "forensics", &query, 300_000));
    let cursor = format!("&cursor={}", cut.cursor().unwrap());
    assert_eq!(ask(&store, "forensics", &format!("{query}{cursor}"), 7).status, 200);
    for other in [
        query.replace("30d", "29d"),
        query.replace("&step=30d", ""),
        query.replace("by=RayID", "by=ClientIP"),
        query.replace("&by=RayID&top=3", ""),
        query.replace("top=3", "top=4"),
        query.replace("&top=3", ""),
        format!("{query}&dataset=firewall_events"),
    ] {
        let refused = problem(&ask(&store, "forensics", &format!("{other}{cursor}"), 7));
        assert_eq!(refused, (400, "bad_cursor".into()), "{other}");
    }
    assert_eq!(problem(&ask(&store, "support", &format!("{query}{cursor}"), 7)), (400, "bad_cursor".into()));
    let range = format!("start=0&end={}", rfc3339(start_ms() + 1_000));
    let logs = Ask { authorization: Some("Bearer forensics".into()), ..Ask::get(&format!("/v1/logs?{range}{cursor}")) };
    assert_eq!(problem(&logs.of_deployment(&store.fakes, &Ok(config()))), (400, "bad_cursor".into()));
}

#[test]
fn hidden_fields_are_refused_as_in_filters() {
    let store = store();
    for (token, by, is_hidden) in [
        ("viewer", "Cookies", true),
        ("viewer", "Odd", true),
        ("support", "Odd", true),
        ("a-viewer", "RayID,Cookies", true),
        ("viewer", "client_ip", true),
        ("viewer", "ClientIP", false),
        ("support", "ClientRequestURI", false),
        ("forensics", "Cookies,Odd", false),
    ] {
        let reply = ask(&store, token, &format!("{RANGE}&by={by}"), 7);
        let expected = if is_hidden { 403 } else { 200 };
        assert_eq!(reply.status, expected, "{token} {by}");
        if is_hidden {
            assert_eq!(problem(&reply).1, "field_masked");
        }
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(token == "forensics" || !text.contains("secret-"), "{text}");
        assert_eq!(text.contains("Did you mean ClientIP?"), by == "client_ip");
    }
}

#[test]
fn groups_are_of_what_roles_see() {
    let store = store();
    let range = format!("start={}&end={}", rfc3339(start_ms() - 1), rfc3339(start_ms() + 1_000));
    let rows = |token: &str, query: &str| Answer::of(&ask(&store, token, &format!("{range}{query}"), 7)).rows;
    let viewer = rows("viewer", "&by=ClientIP,ClientRequestURI");
    let seen = r#"{"ClientIP":"192.0.2.0","ClientRequestURI":"/p?token=[masked]"}"#;
    assert_eq!(viewer, [format!(r#"{{"values":{seen},"count":40}}"#)]);
    assert_eq!(rows("forensics", "&by=ClientIP,ClientRequestURI").len(), 40);
    // A role that sees the addresses has as many groups as there are.
    assert_eq!(rows("support", "&by=ClientIP,ClientRequestURI").len(), 40);
    let is = |value: &str| {
        let filter = json!({ "where": { "key": "ClientIP", "operator": "eq", "value": value } }).to_string();
        format!("&by=ClientIP&filter={}", escaped(&filter))
    };
    let cut = r#"{"values":{"ClientIP":"192.0.2.0"},"count":40}"#;
    for (value, expected) in [("192.0.2.0/24", &[cut][..]), ("192.0.2.0/30", &[cut]), ("192.0.2.32/27", &[])] {
        assert_eq!(rows("viewer", &is(value)), expected, "{value}");
    }
    assert_eq!((rows("support", &is("192.0.2.0/30")).len(), rows("support", &is("192.0.2.32/27")).len()), (4, 8));
    let line = record("\"x\"", None, &[("ClientIP", "\"192.0.2.7\"")]);
    assert_eq!(members(&masked(Role::Viewer, &line))["ClientIP"], "\"192.0.2.0\"");
}

#[test]
fn unknown_field_is_warned_of_and_null() {
    let store = store();
    let range = format!("start={}&end={}", rfc3339(start_ms() - 1), rfc3339(start_ms() + 1_000));
    let answer = Answer::of(&ask(&store, "forensics", &format!("{range}&by=Odd,clientip"), 7));
    assert_eq!(answer.rows, [r#"{"values":{"Odd":7,"clientip":null},"count":40}"#]);
    let warnings = answer.trailer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning =
        json!({ "code": "unknown_field", "parameter": "by", "at": "by[1]", "hint": "Did you mean ClientIP?" });
    for (name, value) in warning.as_object().unwrap() {
        assert_eq!(&warnings[0][name], value);
    }
}
