//! `GET /v1/logs` over the fakes, against an oracle that reads everything.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::filter::Filter;
use raydex::mask::{Role, mask_line};
use raydex::record::Dataset;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::deployment;
use super::generate::{self, Store, ray, record, start_ms};
use super::random::Random;
use super::support::records::ndjson;
use super::support::{Fault, Kind, NOW_MS};
use super::{Ask, Reply, header, oracle, problem};

/// A range that holds everything.
fn range() -> (i64, i64) {
    (start_ms() - 2 * generate::PREFIX_MS, NOW_MS)
}

fn path(query: &str) -> String {
    let (start, end) = range();
    format!("/v1/logs?start={start}&end={end}{query}")
}

fn ask(store: &Store, query: &str) -> Reply {
    Ask::get(&path(query)).of(&store.fakes)
}

fn text(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    std::str::from_utf8(&reply.body).unwrap()
}

/// The lines of a reply, and what stands behind them.
fn lines(reply: &Reply) -> (Vec<String>, Option<Value>) {
    let mut lines: Vec<String> = text(reply).lines().map(str::to_owned).collect();
    let said = lines.pop_if(|last| last.starts_with("{\"raydex\":"));
    (lines, said.map(|said| serde_json::from_str::<Value>(&said).unwrap()["raydex"].clone()))
}

fn escaped(filter: &str) -> String {
    format!("&filter={}", utf8_percent_encode(filter, NON_ALPHANUMERIC))
}

fn expected(store: &Store, filter: Option<&Filter>) -> Vec<String> {
    let (start, end) = range();
    oracle::lines(store, start * 1_000_000, end * 1_000_000, filter)
}

/// Follows cursors to the end; says how many answers it took.
fn follow(store: &Store, query: &str, first: Option<&str>) -> (Vec<String>, usize) {
    let (mut all, mut cursor, mut answers) = (Vec::new(), first.map(str::to_owned), 0);
    loop {
        let at = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let (more, said) = lines(&ask(store, &format!("{query}{at}")));
        all.extend(more);
        answers += 1;
        let said = said.unwrap();
        assert!(said["error"].is_null(), "{said}");
        cursor = said["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return (all, answers);
        }
    }
}

#[test]
fn every_form_tells_the_lines_of_the_oracle() {
    let mut random = Random::new(71);
    let store = Store::random(&mut random, 8, 40);
    let all = expected(&store, None);
    assert!(all.len() > 60);
    let native = ask(&store, "");
    assert_eq!(header(&native, "content-type"), Some("application/x-ndjson"));
    assert_eq!(lines(&native).0, all, "byte for byte, in the order of the query");
    // Half a sign is JSON by its grammar, and none that serde reads: a document has U+FFFD.
    let read = |text: &str| serde_json::from_str::<Value>(&text.replace("\\ud800", "\\ufffd")).unwrap();
    assert!(text(&native).contains("\\ud800") && !text(&ask(&store, "&format=json")).contains("\\ud800"));
    let document = read(text(&ask(&store, "&format=json")));
    let values: Vec<Value> = all.iter().map(|line| read(line)).collect();
    assert_eq!(document["records"], Value::from(values.clone()));
    let said = &document["raydex"];
    assert_eq!((&said["cursor"], &said["stats"]["records_returned"]), (&Value::Null, &all.len().into()));
    let csv = ask(&store, "&format=csv&fields=RayID,ClientIP");
    assert!(text(&csv).starts_with("RayID,ClientIP\r\n") && text(&csv).lines().count() == all.len() + 2);
    let partner = ask(&store, "&format=partner");
    assert!(text(&partner).lines().rev().skip(1).all(|line| line.matches('\u{1}').count() == 144));
    let (picked, _) = lines(&ask(&store, "&fields=ClientIP"));
    for (line, value) in picked.iter().zip(&values) {
        assert_eq!(read(line)["ClientIP"], value["ClientIP"]);
    }
    assert_eq!(picked.len(), all.len());
    for times in ["unix", "unixnano", "rfc3339", "rfc3339ms", "rfc3339ns"] {
        assert_eq!(lines(&ask(&store, &format!("&timestamps={times}"))).0.len(), all.len());
    }
}

#[test]
fn filters_samples_limits_and_cursors_agree() {
    let mut random = Random::new(72);
    for _ in 0..12 {
        let store = Store::random(&mut random, 6, 30);
        let filter = generate::filter(&mut random);
        let parsed = Filter::parse(&filter).unwrap();
        let query = escaped(&filter);
        let all = expected(&store, Some(&parsed));
        assert_eq!(lines(&ask(&store, &query)).0, all, "{filter}");
        let (followed, answers) = follow(&store, &format!("{query}&limit=7"), None);
        assert_eq!((followed, answers >= all.len().div_ceil(7)), (all, true), "{filter}");
        let sampled = lines(&ask(&store, "&sample=0.5")).0;
        assert_eq!(lines(&ask(&store, "&sample=0.5")).0, sampled, "the same ones each time");
        let whole = expected(&store, None);
        assert!(sampled.iter().all(|line| whole.contains(line)) && sampled.len() <= whole.len());
        assert_eq!(follow(&store, "&sample=0.5&limit=3", None).0, sampled);
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let store = Store::random(&mut Random::new(73), 2, 10);
    let (_, said) = lines(&ask(&store, "&limit=2"));
    let cursor = said.unwrap()["cursor"].as_str().unwrap().to_owned();
    for (query, code) in [
        (format!("&cursor={cursor}&sample=0.5"), "bad_cursor"),
        (format!("&cursor={cursor}&dataset=firewall_events"), "bad_cursor"),
        ("&cursor=x".into(), "bad_cursor"),
        ("&format=xml".into(), "bad_parameter"),
        ("&format=partner&fields=RayID".into(), "bad_parameter"),
        ("&sample=0".into(), "bad_parameter"),
        ("&sample=1.1".into(), "bad_parameter"),
        ("&limit=0".into(), "bad_parameter"),
        ("&summary=yes".into(), "bad_parameter"),
        ("&timestamps=iso".into(), "bad_parameter"),
        ("&fields=,".into(), "bad_parameter"),
        ("&filter=%7B".into(), "bad_filter"),
        ("&novel=1".into(), "unknown_parameter"),
    ] {
        assert_eq!(problem(&ask(&store, &query)), (400, code.into()), "{query}");
    }
    assert_eq!(problem(&Ask::get("/v1/logs").of(&store.fakes)), (400, "missing_parameter".into()));
}

#[test]
fn failure_mid_stream_loses_and_repeats_nothing() {
    let store = Store::random(&mut Random::new(74), 5, 30);
    let all = expected(&store, None);
    let before = store.fakes.faults.calls();
    assert_eq!(lines(&ask(&store, "")).0, all);
    let calls = store.fakes.faults.calls() - before;
    assert!(calls > 10, "{calls}");
    // The first call is the audit log's.
    for nth in 1..calls {
        store.fakes.faults.plan(None, nth, Fault::Fails);
        let (mut told, said) = lines(&ask(&store, ""));
        assert!(store.fakes.faults.clear(), "call {nth}");
        let said = said.unwrap_or_else(|| panic!("call {nth}: it breaks off in silence"));
        assert_eq!(said["error"]["code"], "unavailable", "call {nth}");
        told.extend(follow(&store, "", said["cursor"].as_str()).0);
        assert_eq!(told, all, "call {nth}");
    }
}

#[test]
fn what_is_gone_or_damaged_is_said() {
    let mut store = Store::new();
    let batch = |first: u32| -> Vec<String> {
        let id = |number: u32| format!("\"{}\"", ray(start_ms() + i64::from(number), number));
        (first..first + 4).map(|number| record(&id(number), None, &[])).collect()
    };
    for (key, first) in [("logs/a.log.gz", 0), ("logs/b.log.gz", 10), ("logs/c.log.gz", 20)] {
        store.put(key, &ndjson(batch(first)), true);
    }
    store.fakes.bucket.store("logs/b.log.gz", b"\x1f\x8b\x08\0no gzip at all");
    let (mut told, said) = lines(&ask(&store, ""));
    let said = said.unwrap();
    assert_eq!((&told, &said["complete"]), (&batch(0), &false.into()), "{said}");
    assert_eq!(said["error"]["code"], "batch_unreadable", "{said}");
    told.extend(follow(&store, "", said["cursor"].as_str()).0);
    assert_eq!(told, [batch(0), batch(20)].concat());
    assert!(store.fakes.bucket.delete("logs/b.log.gz"));
    let (told, said) = lines(&ask(&store, ""));
    let said = said.unwrap();
    assert_eq!((told, &said["complete"]), ([batch(0), batch(20)].concat(), &false.into()));
    assert_eq!(said["stats"]["batches_gone"], 1, "{said}");
}

/// A deployment with a viewer, and one who sees one zone alone.
fn roles() -> raydex::config::Config {
    let rule = |id: &str, role: &str| json!({ "id": id, "sha256": hex::encode(Sha256::digest(id)), "scopes": ["read"], "role": role });
    let mut zone = rule("zone", "forensics");
    zone["zones"] = json!(["a.example"]);
    deployment(&[rule("viewer", "viewer"), rule("support", "support"), zone])
}

fn ask_as(store: &Store, token: &str, query: &str) -> Reply {
    Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get(&path(query)) }
        .of_deployment(&store.fakes, &Ok(roles()))
}

#[test]
fn rare_host_costs_three_reads_for_every_role() {
    let mut store = Store::new();
    for batch in 0..200_u32 {
        let host = if batch % 70 == 7 { "\"rare.example.com\"" } else { "\"www.example.com\"" };
        let id = format!("\"{}\"", ray(start_ms() + i64::from(batch), batch));
        store.put(&format!("logs/{batch}.log.gz"), &ndjson([record(&id, None, &[("ClientRequestHost", host)])]), true);
    }
    let filter = r#"{"where":{"key":"ClientRequestHost","operator":"eq","value":"rare.example.com"}}"#;
    let query = escaped(filter);
    for token in ["main", "viewer", "support"] {
        let reads = store.fakes.faults.count(Kind::Get);
        let reply = if token == "main" { ask(&store, &query) } else { ask_as(&store, token, &query) };
        let (told, said) = lines(&reply);
        let figures = &said.unwrap()["stats"];
        assert_eq!((told.len(), store.fakes.faults.count(Kind::Get) - reads), (3, 3), "{token}");
        assert_eq!((&figures["batches_skipped"], &figures["batches_read"]), (&197.into(), &3.into()), "{token}");
    }
}

#[test]
fn roles_and_zones_match_a_naive_model() {
    let mut random = Random::new(75);
    for _ in 0..10 {
        let store = Store::random(&mut random, 5, 30);
        let filter = generate::filter(&mut random);
        let parsed = Filter::parse(&filter).unwrap();
        for (token, role) in [("viewer", Role::Viewer), ("support", Role::Support)] {
            let reply = ask_as(&store, token, &escaped(&filter));
            let masked = expected(&store, None).into_iter().map(|line| {
                let mut out = Vec::new();
                mask_line(role, Dataset::HttpRequests, line.as_bytes(), &mut out).unwrap();
                String::from_utf8(out).unwrap()
            });
            let model: Vec<String> = masked.filter(|line| parsed.accepts(line.as_bytes()) == Ok(true)).collect();
            assert_eq!(lines(&reply).0, model, "{token} {filter}");
        }
        assert!(lines(&ask_as(&store, "zone", "")).0.is_empty(), "none of these is of its zone");
    }
    let mut store = Store::new();
    let of = |number: u32, zone: &str| {
        record(&format!("\"{}\"", ray(start_ms(), number)), None, &[("ZoneName", &format!("\"{zone}\""))])
    };
    let all = [of(1, "a.example"), of(2, "b.example"), of(3, "A.example"), of(4, "")];
    store.put("logs/zones.log.gz", &ndjson(&all), true);
    let told = lines(&ask_as(&store, "zone", "")).0;
    assert!(told.contains(&all[0]) && !told.contains(&all[1]) && !told.contains(&all[3]), "{told:?}");
}
