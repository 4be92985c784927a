//! Fields that a request names and that exist nowhere, and those that only records have.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::story::{KEYS, batch};
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::{Ask, Reply, header, json as body, problem};

const LOGS: &str = "/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";

fn record(number: u64, zone: &str, more: &str) -> String {
    format!(r#"{{"RayID":"{}","ZoneName":"{zone}","ClientIP":"192.0.2.7"{more}}}"#, ray(number))
}

/// Three records of one zone, one with a field that no list has, and one of another zone with another.
fn world() -> Fakes {
    let fakes = Fakes::new();
    let lines = [
        record(1, "a.example", ""),
        record(2, "a.example", r#","my_field":"x""#),
        record(3, "a.example", ""),
        record(4, "b.example", r#","other_field":"x""#),
    ];
    batch(&fakes, KEYS[0], &ndjson(&lines), None);
    fakes
}

/// The deployment with a caller of each kind.
fn ask_as(fakes: &Fakes, token: &str, path: &str) -> Reply {
    let rules = [
        rule("all", &json!({})),
        rule("zone", &json!({ "zones": ["a.example"] })),
        rule("viewer", &json!({ "role": "viewer" })),
    ];
    let ask = Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get(path) };
    ask.of_deployment(fakes, &Ok(deployment(&rules)))
}

fn filter(key: &str, value: &str) -> String {
    let filter = json!({ "where": { "and": [{ "key": key, "operator": "eq", "value": value }] } }).to_string();
    format!("filter={}", utf8_percent_encode(&filter, NON_ALPHANUMERIC))
}

/// The lines of a stream, and its trailer.
fn lines(reply: &Reply) -> (usize, Option<Value>) {
    let text = std::str::from_utf8(&reply.body).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let trailer = lines.pop_if(|last| last.starts_with("{\"raydex\"") || last.starts_with("# raydex "));
    let json = |trailer: &str| serde_json::from_str::<Value>(trailer.trim_start_matches("# raydex ")).unwrap();
    (lines.len(), trailer.map(json).map(|trailer| trailer.get("raydex").unwrap_or(&trailer).clone()))
}

/// The places of the warnings, each with its hint.
fn places(answer: &Value) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let warnings = answer["warnings"].as_array().into_iter().flatten();
    warnings.map(|warning| (text(&warning["at"]).unwrap(), text(&warning["hint"]))).collect()
}

#[test]
fn unknown_field_of_a_stream_is_warned_of() {
    let fakes = world();
    let warned = |query: &str| {
        let reply = ask_as(&fakes, "all", &format!("{LOGS}&{query}"));
        assert_eq!(reply.status, 200, "{query}");
        let (told, trailer) = lines(&reply);
        assert!(!trailer.as_ref().unwrap().to_string().contains("hunter2"), "{query}");
        (told, trailer.unwrap())
    };
    for (query, count, expected) in [
        ("fields=RayID,clientip".to_owned(), 4, ("fields[1]", Some("Did you mean ClientIP?"))),
        ("fields=hunter2&format=csv".to_owned(), 5, ("fields[0]", None)),
        (filter("clientIP", "192.0.2.7"), 0, ("where.and[0]", Some("Did you mean ClientIP?"))),
        (filter("hunter2", "hunter2"), 0, ("where.and[0]", None)),
        (filter("Action", "block"), 0, ("where.and[0]", None)),
    ] {
        let (told, trailer) = warned(&query);
        let (at, hint) = expected;
        assert_eq!((told, &trailer["truncated"]), (count, &false.into()), "{query}");
        assert_eq!(places(&trailer), [(at.to_owned(), hint.map(str::to_owned))], "{query}");
    }
    let document = body(&ask_as(&fakes, "all", &format!("{LOGS}&format=json&fields=Rayid,RayID")));
    assert_eq!(places(&document["raydex"]), [("fields[0]".into(), Some("Did you mean RayID?".into()))]);
}

#[test]
fn field_that_records_have_is_not_warned_of() {
    let fakes = world();
    for (query, count) in [
        ("fields=my_field".to_owned(), 4),
        ("fields=my_field,other_field&sample=0.0001".to_owned(), 0),
        (filter("my_field", "x"), 1),
        (filter("my_field", "y"), 0),
        ("fields=RayID,Subrequests,CacheResponseStatus".to_owned(), 4),
        (filter("Cookies", "x"), 0),
    ] {
        let reply = ask_as(&fakes, "all", &format!("{LOGS}&{query}"));
        let (told, trailer) = lines(&reply);
        assert_eq!((told, places(&trailer.unwrap())), (count, Vec::new()), "{query}");
    }
}

#[test]
fn other_zones_do_not_decide_what_exists() {
    let (fakes, alone) = (world(), Fakes::new());
    let lines =
        [1, 2, 3].map(|number| record(number, "a.example", if number == 2 { r#","my_field":"x""# } else { "" }));
    batch(&alone, KEYS[0], &ndjson(lines), None);
    for query in [format!("{LOGS}&fields=other_field"), format!("{LOGS}&{}", filter("other_field", "x"))] {
        let [with, without] =
            [&fakes, &alone].map(|fakes| places(&self::lines(&ask_as(fakes, "zone", &query)).1.unwrap()));
        assert_eq!((with.len(), &with), (1, &without), "{query}");
        assert_eq!(places(&self::lines(&ask_as(&fakes, "all", &query)).1.unwrap()), [], "{query}");
    }
}

#[test]
fn lookup_warns_in_every_form() {
    let fakes = world();
    let get = |number: u64, query: &str| ask_as(&fakes, "all", &format!("/v1/rays/{}?{query}", ray(number)));
    let reply = get(1, "fields=RayID,my_field,client_ip");
    let expected = [("fields[1]".into(), None), ("fields[2]".into(), Some("Did you mean ClientIP?".into()))];
    assert_eq!(places(&body(&reply)), expected);
    for format in ["json", "native", "csv"] {
        let reply = get(1, &format!("fields=RayID,my_field,client_ip&format={format}"));
        let words = "unknown_field at fields[1], unknown_field at fields[2]";
        assert_eq!((reply.status, header(&reply, "raydex-warnings")), (200, Some(words)), "{format}");
    }
    let reply = get(2, &filter("my_fields", "x"));
    assert_eq!((&body(&reply)["records"], places(&body(&reply)).len()), (&json!([]), 1));
    for query in ["fields=my_field".to_owned(), filter("my_field", "y"), "fields=ClientIP".to_owned()] {
        let reply = get(2, &query);
        assert_eq!((places(&body(&reply)), header(&reply, "raydex-warnings")), (vec![], None), "{query}");
    }
}

#[test]
fn every_line_of_many_warns_for_itself() {
    let sent = json!({ "rays": [ray(1).to_string(), ray(2).to_string(), ray(9).to_string()] }).to_string();
    let reply = Ask { body: sent.into(), ..Ask::new("POST", "/v1/rays?fields=my_field") }.of(&world());
    let text = String::from_utf8(reply.body).unwrap();
    let mut warned: Vec<(u64, usize)> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line.get("raydex").is_none())
        .map(|line| (line["index"].as_u64().unwrap(), places(&line).len()))
        .collect();
    warned.sort_unstable();
    assert_eq!(warned, [(0, 1), (1, 0), (2, 0)]);
}

#[test]
fn masked_role_is_led_to_the_listed_field() {
    let fakes = world();
    for path in [format!("/v1/rays/{}?", ray(1)), format!("{LOGS}&")] {
        for (key, hint) in
            [("client_ip", "Did you mean ClientIP?"), ("my_field", "Name a field of which your role sees values")]
        {
            let reply = ask_as(&fakes, "viewer", &format!("{path}{}", filter(key, "x")));
            assert_eq!(problem(&reply), (403, "field_masked".into()), "{path} {key}");
            assert!(body(&reply)["hint"].as_str().unwrap().contains(hint), "{path} {key}");
        }
    }
    // Its records have the member, masked.
    let reply = ask_as(&fakes, "viewer", &format!("{LOGS}&fields=my_field,hunter2"));
    assert_eq!(places(&lines(&reply).1.unwrap()), [("fields[1]".to_owned(), None)]);
}

#[test]
fn field_named_twice_counts_once() {
    let fakes = world();
    let get = |path: &str| String::from_utf8(ask_as(&fakes, "all", path).body).unwrap();
    let line = format!("{{\"RayID\":\"{}\",\"ClientIP\":\"192.0.2.7\"}}\n", ray(1));
    let twice = "fields=RayID,ClientIP,RayID,%20ClientIP,";
    assert_eq!(get(&format!("/v1/rays/{}?format=native&{twice}", ray(1))), line);
    assert!(get(&format!("{LOGS}&{twice}")).starts_with(&line));
    assert!(get(&format!("{LOGS}&format=csv&{twice}")).starts_with("RayID,ClientIP\r\n"));
    let zone = "/client/v4/zones/z/logs";
    assert_eq!(get(&format!("{zone}/rayids/{}?{twice}", ray(1))), line);
    // Logpull leaves out what exists nowhere.
    assert_eq!(
        get(&format!("{zone}/rayids/{}?fields=RayID,clientip,Novel", ray(1))),
        format!("{{\"RayID\":\"{}\"}}\n", ray(1))
    );
}
