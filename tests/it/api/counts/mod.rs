//! `GET /v1/counts` over the fakes: rows that add up to naive counts, however the answers are cut.

mod cuts;
pub(super) mod model;
mod refusals;

use std::collections::HashMap;
use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::config::Config;
use raydex::mask::Role;
use raydex::time::{rfc3339, rfc3339_ns};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::generate::{PREFIX_MS, Store, ray, record, start_ms};
use super::random::Random;
use super::support::NOW_MS;
use super::support::records::ndjson;
use super::{Ask, Reply, check_against_openapi, header};
use model::{Question, Sums, counts, folded, spelled};

/// The callers, each with the name of its token.
pub(super) const CALLERS: [(&str, Role, Option<&str>); 5] = [
    ("forensics", Role::Forensics, None),
    ("support", Role::Support, None),
    ("viewer", Role::Viewer, None),
    ("a-forensics", Role::Forensics, Some("a.example")),
    ("a-viewer", Role::Viewer, Some("a.example")),
];

fn config() -> Config {
    let rules = CALLERS.map(|(id, role, zone)| {
        let zones = zone.map_or_else(|| json!({}), |zone| json!({ "zones": [zone] }));
        let mut more = json!({ "role": role.name() });
        more.as_object_mut().unwrap().extend(zones.as_object().unwrap().clone());
        rule(id, &more)
    });
    deployment(&rules)
}

/// An answer: its rows, and its trailer.
struct Answer {
    rows: Vec<String>,
    trailer: Value,
}

impl Answer {
    fn of(reply: &Reply) -> Self {
        let text = String::from_utf8(reply.body.clone()).unwrap();
        assert_eq!((reply.status, reply.is_broken), (200, false), "{text}");
        if header(reply, "content-type") == Some("application/json") {
            let document: HashMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap();
            let rows: Vec<Box<RawValue>> = serde_json::from_str(document["counts"].get()).unwrap();
            let trailer = serde_json::from_str(document["raydex"].get()).unwrap();
            return Self { rows: rows.into_iter().map(|row| row.get().to_owned()).collect(), trailer };
        }
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        let trailer: Value = serde_json::from_str(&rows.pop().unwrap()).unwrap();
        Self { rows, trailer: trailer["raydex"].clone() }
    }

    fn cursor(&self) -> Option<&str> {
        self.trailer["cursor"].as_str()
    }
}

/// Adds rows up, as a client does.
fn add_up(sums: &mut Sums, rows: &[String]) -> u64 {
    let mut all = 0;
    for text in rows {
        let row: HashMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"));
        let time = row.get("time").map(|time| serde_json::from_str::<String>(time.get()).unwrap());
        let values = row.get("values").map(|values| {
            let values: HashMap<String, Box<RawValue>> = serde_json::from_str(values.get()).unwrap();
            let mut values: Vec<(String, String)> =
                values.into_iter().map(|(name, raw)| (name, spelled(raw.get()))).collect();
            values.sort_by_key(|(name, _)| text.find(&format!("\"{name}\":")));
            values
        });
        let count: u64 = serde_json::from_str(row["count"].get()).unwrap();
        *sums.entry((time, values, row.contains_key("other"))).or_default() += count;
        all += count;
    }
    all
}

/// The reply to a caller, whose clock goes on by so much whenever someone looks.
fn ask(store: &Store, token: &str, query: &str, tick_ms: i64) -> Reply {
    let path = format!("/v1/counts?{query}");
    let ask = Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get(&path) };
    let before = store.fakes.clock_ms.get();
    store.fakes.tick_ms.set(tick_ms);
    let reply = Reply::of(ask.begin(&store.fakes, &Ok(config())));
    store.fakes.tick_ms.set(0);
    store.fakes.clock_ms.set(before);
    assert_eq!(check_against_openapi("GET", "/v1/counts", &reply), Ok(()), "{query}");
    reply
}

/// Follows cursors to the end: what all rows add up to, and how many answers there were.
fn follow(store: &Store, token: &str, query: &str, tick_ms: i64) -> (Sums, usize) {
    let (mut sums, mut answers, mut cursor) = (Sums::new(), 0, None);
    loop {
        let at = cursor.map_or_else(String::new, |cursor: String| format!("&cursor={cursor}"));
        let answer = Answer::of(&ask(store, token, &format!("{query}{at}"), tick_ms));
        let added = add_up(&mut sums, &answer.rows);
        assert_eq!(answer.trailer["stats"]["records_returned"], added, "{query}");
        assert!(answer.trailer.get("error").is_none(), "{}", answer.trailer);
        answers += 1;
        assert!(answers < 1_000, "{query}: cursors do not end");
        cursor = answer.cursor().map(str::to_owned);
        if cursor.is_none() {
            return (sums, answers);
        }
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Batches of records of two zones, late ones and ones without a time among them, with secrets in some.
fn world(random: &mut Random) -> Store {
    let mut store = Store::new();
    for batch in 0..3 + random.below(5) {
        let at = start_ms() + random.between(0, 3 * PREFIX_MS);
        let key = format!("logs/http_requests/20260328/{}_{batch}.log.gz", raydex::time::stamp(at));
        let mut lines: Vec<String> = (0..=random.below(60)).map(|_| line(random, at)).collect();
        lines.push(record(&format!("\"{}\"", ray(at, 1)), None, &[]));
        store.put(&key, &ndjson(&lines), random.chance(700));
    }
    store
}

fn line(random: &mut Random, at: i64) -> String {
    let ms = at + random.between(-60_000, 60_000) * i64::from(1 + 9 * u8::from(random.chance(60)));
    let ns = ms * 1_000_000 + random.between(0, 1_000_000);
    let bits = u32::try_from(random.below(1 << 28)).unwrap();
    let id = if random.chance(50) { "\"test\"".to_owned() } else { format!("\"{}\"", ray(ms, bits)) };
    let start = match random.below(8) {
        0 => None,
        1 => Some(format!("\"{}\"", rfc3339(ms))),
        _ => Some(ns.to_string()),
    };
    let host = format!("\"h{}.{}.example\"", random.below(3), random.of(&["a", "b"]));
    let ip = match random.below(4) {
        0 => format!("\"2001:db8:{:x}::{:x}\"", random.below(3), random.below(9)),
        1 => format!("\"::FFFF:192.0.{}.{}\"", random.below(3), random.below(9)),
        _ => format!("\"192.0.{}.{}\"", random.below(3), random.below(9)),
    };
    let uri = format!("\"/p{}?token=s{}\"", random.below(3), random.below(100));
    let status = random.of(&["200", "200", "200", "404", "\"200\"", "200.0", "null", "[500, 5]", "\"hunter2\""]);
    let mut more = vec![("EdgeResponseStatus", (*status).to_owned()), ("ClientRequestHost", host), ("ClientIP", ip)];
    if random.chance(700) {
        more.push(("ZoneName", format!("\"{}.example\"", random.of(&["a", "A", "b"]))));
    }
    if random.chance(600) {
        more.push(("ClientRequestURI", uri));
        more.push(("ClientRequestMethod", (*random.of(&["\"GET\"", "\"POST\"", "\"\\u0047ET\"", "true"])).to_owned()));
    }
    if random.chance(100) {
        more.push(("ClientRequestMethod", "\"PUT\"".to_owned()));
    }
    if random.chance(500) {
        more.push(("Novel", (*random.of(&["1", "\"\\ud800\"", "{\"a\": [1]}"])).to_owned()));
    }
    let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    record(&id, start.as_deref(), &more)
}

fn filter(random: &mut Random) -> String {
    let (key, operator, value) = *random.of(&[
        ("ClientIP", "eq", r#""192.0.1.0/24""#),
        ("ClientIP", "!in", r#""192.0.0.0/23,2001:db8:1::/48""#),
        ("ClientIP", "eq", r#""192.0.2.0""#),
        ("EdgeResponseStatus", "eq", "200"),
        ("EdgeResponseStatus", "!eq", r#""hunter2""#),
        ("ClientRequestURI", "contains", r#""p1""#),
        ("ClientRequestHost", "endsWith", r#"".a.example""#),
        ("ClientRequestMethod", "in", r#"["GET","PUT"]"#),
        ("ZoneName", "eq", r#""b.example""#),
    ]);
    format!(r#"{{"where":{{"key":"{key}","operator":"{operator}","value":{value}}}}}"#)
}

/// A random question, with its query.
fn question(random: &mut Random) -> (&'static str, Question, String) {
    let (token, role, zone) = *random.of(&CALLERS);
    let at = |random: &mut Random| {
        let ms = random.between(start_ms() - PREFIX_MS, NOW_MS);
        ms * 1_000_000 + random.between(0, 1_000_000)
    };
    let (a, b) = (at(random), at(random));
    let (start_ns, end_ns) = if random.chance(500) { (a.min(b), a.max(b) + 1) } else { (start_ms() * 900_000, a) };
    let lengths =
        [(None, ""), (Some(1), "1"), (Some(7), "7s"), (Some(60), "60s"), (Some(300), "5m"), (Some(3_600), "1h")];
    // A long range has few steps.
    let (step_s, text) = *random.of(if end_ns - start_ns > 4_000_000_000_000 { &lengths[..1] } else { &lengths });
    let seen =
        ["EdgeResponseStatus", "ClientRequestHost", "ClientIP", "ClientRequestMethod", "ZoneName", "ClientRequestURI"];
    let all = [&seen[..], &["Novel", "Nowhere", "RayID"]].concat();
    let names: &[&str] = if role == Role::Forensics { &all } else { &seen };
    let mut by: Vec<String> = (0..random.below(3)).map(|_| (*random.of(names)).to_owned()).collect();
    by.dedup();
    let filter = random.chance(500).then(|| filter(random));
    let mut query = format!("start={}&end={}", rfc3339_ns(start_ns), rfc3339_ns(end_ns));
    if step_s.is_some() {
        write!(query, "&step={text}").unwrap();
    }
    if !by.is_empty() {
        write!(query, "&by={}", by.join(",")).unwrap();
    }
    if let Some(filter) = &filter {
        write!(query, "&filter={}", escaped(filter)).unwrap();
    }
    (token, Question { start_ns, end_ns, role, zone, filter, step_s, by }, query)
}

#[test]
fn counts_equal_naive_ones_of_random_questions() {
    let (mut asked, mut counted, mut cut, mut with_top) = (0, 0, 0, 0);
    for seed in 0..25 {
        let mut random = Random::new(9_000 + seed);
        let store = world(&mut random);
        for _ in 0..8 {
            let (token, question, query) = question(&mut random);
            let expected = counts(&store, &question);
            let what = format!("seed {seed}, {token}: {query} {question:?}");
            let (whole, answers) = follow(&store, token, &query, 7);
            assert_eq!((&whole, answers), (&expected, 1), "{what}");
            let (sum, answers) = follow(&store, token, &query, *random.of(&[50_000, 300_000]));
            assert_eq!(sum, expected, "{what}");
            cut += usize::from(answers > 1);
            let document = Answer::of(&ask(&store, token, &format!("{query}&format=json"), 7));
            let mut from_document = Sums::new();
            add_up(&mut from_document, &document.rows);
            assert_eq!(from_document, expected, "{what}");
            let top = 1 + random.below(3);
            if let Some(folded) = folded(&expected, top).filter(|_| !question.by.is_empty()) {
                assert_eq!(follow(&store, token, &format!("{query}&top={top}"), 7).0, folded, "{what}");
                let (sum, answers) = follow(&store, token, &format!("{query}&top={top}"), 300_000);
                assert_eq!(sum, if answers > 1 { expected.clone() } else { folded }, "{what}");
                with_top += 1;
            }
            asked += 1;
            counted += expected.values().sum::<u64>();
        }
    }
    println!("{asked} asked, {counted} counted, {cut} cut, {with_top} with top");
    assert!(asked == 200 && counted > 5_000 && cut > 60 && with_top > 40, "{asked} {counted} {cut} {with_top}");
}

#[test]
fn rows_come_by_step_and_count() {
    let mut store = Store::new();
    let at = start_ms().div_euclid(60_000) * 60_000 + 60_000;
    let line = |number: u32, status: &str| {
        record(
            &format!("\"{}\"", ray(at + i64::from(number) * 20_000, number)),
            None,
            &[("EdgeResponseStatus", status)],
        )
    };
    let lines = [line(0, "404"), line(1, "200"), line(2, "200"), line(3, "404"), line(4, "200"), line(5, "null")];
    store.put("logs/a.log.gz", &ndjson(&lines), true);
    let range = format!("start={}&end={}", rfc3339(at - 1), rfc3339(at + 120_000));
    let rows = |query: &str| Answer::of(&ask(&store, "forensics", &format!("{range}{query}"), 7)).rows;
    let [first, second] = [at, at + 60_000].map(|ms| raydex::time::rfc3339_s(ms / 1_000));
    assert_eq!(rows(""), [r#"{"count":6}"#]);
    let time = |time: &str, rest: &str| format!(r#"{{"time":"{time}",{rest}}}"#);
    let status = |time_text: &str, value: &str, count: u32| {
        time(time_text, &format!(r#""values":{{"EdgeResponseStatus":{value}}},"count":{count}"#))
    };
    let by = "&step=1m&by=EdgeResponseStatus,%20EdgeResponseStatus";
    let whole = [
        status(&first, "200", 2),
        status(&first, "404", 1),
        status(&second, "200", 1),
        status(&second, "404", 1),
        status(&second, "null", 1),
    ];
    assert_eq!(rows(by), whole);
    let other = |time_text: &str, count: u32| time(time_text, &format!(r#""other":true,"count":{count}"#));
    let folded = [status(&first, "200", 2), other(&first, 1), status(&second, "200", 1), other(&second, 2)];
    assert_eq!(rows(&format!("{by}&top=1")), folded);
    let document = ask(&store, "forensics", &format!("{range}{by}&top=1&format=json"), 7);
    assert_eq!(Answer::of(&document).rows, folded);
    assert!(Answer::of(&document).trailer.get("warnings").is_none());
    let empty = ask(&store, "forensics", "start=2026-03-01T00:00:00Z&end=2026-03-01T00:00:01Z&format=json", 7);
    assert!(String::from_utf8_lossy(&empty.body).starts_with("{\"counts\":[\n],\"raydex\":{"));
}
