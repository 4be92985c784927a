//! `GET /v1/rays/{ray}/neighbours` over the fakes: the records that a naive search finds, whoever asks.

mod cuts;
mod model;
mod refusals;

use std::collections::BTreeMap;

use raydex::config::Config;
use raydex::record::{Dataset, RayId};
use raydex::time::rfc3339_ns;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::counts::CALLERS;
use super::generate::{PREFIX_MS, Store, record, start_ms};
use super::random::Random;
use super::support::records::ndjson;
use super::{Ask, Reply, check_against_openapi, header};
use model::{Expected, Found, Question, expected};

/// The fields that are shown where a request names none.
const SHOWN: [&str; 6] = [
    "ClientRequestMethod",
    "ClientRequestHost",
    "ClientRequestPath",
    "EdgeResponseStatus",
    "ClientIP",
    "CacheCacheStatus",
];

/// Callers with one search at a time: a lookup must have returned its permit when the search begins.
fn config() -> Config {
    let rules = CALLERS.map(|(id, role, zone)| {
        let mut more = json!({ "role": role.name(), "scans": 1 });
        if let Some(zone) = zone {
            more["zones"] = json!([zone]);
        }
        rule(id, &more)
    });
    let waf = rule("waf", &json!({ "role": "support", "datasets": ["firewall_events"] }));
    deployment(&[&rules[..], &[waf]].concat())
}

/// The reply to a caller, whose clock goes on by so much whenever someone looks.
fn ask(store: &Store, token: &str, path: &str, tick_ms: i64) -> Reply {
    let ask = Ask { authorization: Some(format!("Bearer {token}")), ..Ask::get(path) };
    let before = store.fakes.clock_ms.get();
    store.fakes.tick_ms.set(tick_ms);
    let reply = Reply::of(ask.begin(&store.fakes, &Ok(config())));
    store.fakes.tick_ms.set(0);
    store.fakes.clock_ms.set(before);
    assert_eq!(check_against_openapi("GET", path.split('?').next().unwrap(), &reply), Ok(()), "{path}");
    reply
}

/// A whole answer, as a document or as lines.
struct Answer {
    moment: Value,
    neighbours: Vec<Value>,
    summary: Value,
    trailer: Value,
}

impl Answer {
    fn of(reply: &Reply) -> Self {
        let text = String::from_utf8(reply.body.clone()).unwrap();
        assert_eq!((reply.status, reply.is_broken), (200, false), "{text}");
        let mut document = if header(reply, "content-type") == Some("application/json") {
            serde_json::from_str::<Value>(&text).unwrap()
        } else {
            let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let (mut end, mut summary) = (lines.pop().unwrap(), lines.pop().unwrap());
            let mut start = lines.remove(0);
            let [start, summary, end] = [start["moment"].take(), summary["summary"].take(), end["raydex"].take()];
            json!({ "moment": start, "neighbours": lines, "summary": summary, "raydex": end })
        };
        let [moment, summary, trailer] = ["moment", "summary", "raydex"].map(|name| document[name].take());
        let neighbours = document["neighbours"].as_array().unwrap().clone();
        assert_eq!(summary["listed"], neighbours.len());
        assert_eq!(trailer["stats"]["records_returned"], neighbours.len());
        Self { moment, neighbours, summary, trailer }
    }

    /// The neighbours as the model has them.
    fn rows(&self) -> Vec<Value> {
        let row = |neighbour: &Value| {
            let mut row = neighbour.clone();
            let distance = row.as_object_mut().unwrap().remove("distance_ms").unwrap();
            row["distance_ns"] = (nanoseconds(distance.as_f64().unwrap())).into();
            row
        };
        self.neighbours.iter().map(row).collect()
    }

    /// The numbers as the model has them.
    fn counts(&self) -> Value {
        let mut counts = self.summary.clone();
        for name in ["listed", "searched_until"] {
            counts.as_object_mut().unwrap().remove(name);
        }
        counts
    }

    fn cursor(&self) -> Option<&str> {
        self.trailer["cursor"].as_str()
    }
}

/// A number of milliseconds as nanoseconds.
fn nanoseconds(ms: f64) -> i64 {
    format!("{ms:.6}").replace('.', "").parse().unwrap()
}

/// Adds the numbers of an answer to those of others.
fn add(sums: &mut Value, counts: &Value) {
    match counts {
        Value::Object(members) => members.iter().for_each(|(name, count)| add(&mut sums[name], count)),
        count => *sums = (sums.as_u64().unwrap_or_default() + count.as_u64().unwrap()).into(),
    }
}

/// An answer with those that its cursors continue.
struct Followed {
    rows: Vec<Value>,
    /// The sum of the counts.
    sums: Value,
    answers: usize,
    /// Until when each answer that is cut has searched, and how many neighbours it and those before it have.
    searched: Vec<(String, u64)>,
}

/// Follows cursors to the end.
fn follow(store: &Store, token: &str, path: &str, tick_ms: i64) -> Followed {
    let (mut rows, mut sums, mut searched) = (Vec::new(), json!({}), Vec::new());
    let (mut answers, mut cursor) = (0, None);
    loop {
        let at = cursor.map_or_else(String::new, |cursor: String| format!("&cursor={cursor}"));
        let answer = Answer::of(&ask(store, token, &format!("{path}{at}"), tick_ms));
        assert!(answer.trailer.get("error").is_none(), "{}", answer.trailer);
        rows.extend(answer.rows());
        add(&mut sums, &answer.counts());
        answers += 1;
        assert!(answers < 1_000, "{path}: cursors do not end");
        cursor = answer.cursor().map(str::to_owned);
        assert_eq!(answer.trailer["complete"] == true || answer.trailer.get("missing").is_some(), cursor.is_none());
        let until = answer.summary.get("searched_until").map(|until| until.as_str().unwrap().to_owned());
        searched.extend(until.map(|until| (until, sums["matched"].as_u64().unwrap())));
        if cursor.is_none() {
            assert_eq!(answer.summary.get("searched_until"), None);
            return Followed { rows, sums, answers, searched };
        }
    }
}

fn path_of(ray: &str, query: &str) -> String {
    format!("/v1/rays/{ray}/neighbours?{query}")
}

/// Batches that overlap, of records of two zones and few clients, paths and statuses, some of which caused each other, and some
/// of which are stored twice. Returns the rays too.
fn world(random: &mut Random) -> (Store, Vec<String>) {
    let (mut store, mut rays) = (Store::new(), Vec::new());
    let mut lines: Vec<String> = Vec::new();
    let around = start_ms() + random.between(0, 2 * PREFIX_MS);
    for batch in 0..3 + random.below(5) {
        let at = around + random.between(-600_000, 600_000);
        let mut batch_lines: Vec<String> = (0..10 + random.below(60)).map(|_| line(random, at, &mut rays)).collect();
        // Some records are in two batches.
        batch_lines.extend((0..random.below(4)).filter(|_| !lines.is_empty()).map(|_| random.of(&lines).clone()));
        lines.extend(batch_lines.iter().cloned());
        let key = format!("logs/http_requests/20260328/{}_{batch}.log.gz", raydex::time::stamp(at));
        store.put(&key, &ndjson(batch_lines), random.chance(700));
    }
    (store, rays)
}

fn line(random: &mut Random, at_ms: i64, rays: &mut Vec<String>) -> String {
    let ms = at_ms + random.between(-40_000, 40_000) * i64::from(1 + 9 * u8::from(random.chance(60)));
    let ray = RayId::at(ms, u32::try_from(random.below(1 << 28)).unwrap()).unwrap().to_string();
    let parent = random.chance(200).then(|| match random.below(6) {
        0 => RayId::at(ms - 20, u32::try_from(random.below(1 << 28)).unwrap()).unwrap().to_string(),
        _ if rays.is_empty() => ray.clone(),
        _ => random.of(rays).clone(),
    });
    let mut more: Vec<(&str, String)> = Vec::new();
    if let Some(parent) = parent.filter(|parent| *parent != ray) {
        more.push(("ParentRayID", format!("\"{parent}\"")));
    }
    if random.chance(950) {
        more.push(("ClientIP", format!("\"192.0.{}.{}\"", random.below(2), random.below(3))));
    }
    if random.chance(950) {
        let host = random.of(&["www.a.example", "www.b.example", "x.a.example", "\\u0077ww.a.example"]);
        more.push(("ClientRequestHost", format!("\"{host}\"")));
    }
    if random.chance(900) {
        let path = random.of(&["/", "/cart", "/cart", "/\\u0063art", "/reset/hunter2hunter2hunter2a1b2c3", ""]);
        more.push(("ClientRequestPath", format!("\"{path}\"")));
    }
    let status = random.of(&["200", "200", "\"200\"", "200.0", "304", "404", "502", "0", "null", "[500]"]);
    more.push(("EdgeResponseStatus", (*status).to_owned()));
    if random.chance(500) {
        more.push(("ZoneName", format!("\"{}.example\"", random.of(&["a", "A", "b"]))));
    }
    if random.chance(500) {
        more.push(("ClientRequestMethod", (*random.of(&["\"GET\"", "\"POST\""])).to_owned()));
        more.push(("Novel", (*random.of(&["1", "{\"a\": [1]}"])).to_owned()));
    }
    let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // Without a start, the time is that of the ray. Distances differ, so that it is clear which neighbours are nearest.
    let ns = ms * 1_000_000 + random.between(1, 1_000_000);
    let start = random.chance(930).then(|| ns.to_string());
    rays.push(ray.clone());
    record(&format!("\"{ray}\""), start.as_deref(), &more)
}

/// A random question, with the token and the path of its request.
fn question(random: &mut Random, rays: &[String]) -> (&'static str, Question, String) {
    let (token, role, zone) = *random.of(&CALLERS);
    let ray = random.of(rays).clone();
    let by = *random.of(&["client", "path", "status"]);
    let (within, within_s) = *random.of(&[("", 300), ("&within=7s", 7), ("&within=2m", 120), ("&within=3600", 3_600)]);
    let (limit, most) = *random.of(&[("", 50), ("&limit=1", 1), ("&limit=3", 3), ("&limit=500", 500)]);
    let (fields, names) = *random.of(&[
        ("", &SHOWN[..]),
        ("", &SHOWN),
        ("&fields=EdgeResponseStatus,RayID,Novel", &["EdgeResponseStatus", "RayID", "Novel"]),
        ("&fields=ClientIP,ClientIP", &["ClientIP"]),
    ]);
    let question = Question { ray: ray.clone(), by, within_s, role, zone, limit: most, fields: names.to_vec() };
    (token, question, path_of(&ray, &format!("by={by}{within}{limit}{fields}")))
}

/// Rows in an order that does not depend on how they came.
fn sorted(mut rows: Vec<Value>) -> Vec<String> {
    rows.sort_by_key(|row| (row["distance_ns"].as_i64(), row.to_string()));
    rows.into_iter().map(|row| row.to_string()).collect()
}

/// Checks an answer that has all of the window.
fn check(answer: &Answer, question: &Question, expected: &Found, what: &str) {
    assert_eq!(answer.counts(), expected.counts, "{what}");
    assert_eq!(sorted(answer.rows()), sorted(expected.listed.clone()), "{what}");
    assert!(answer.rows().is_sorted_by_key(|row| row["distance_ns"].as_i64()), "{what}");
    assert_eq!(answer.moment["same"], Value::Object(expected.same.clone()), "{what}");
    assert_eq!(answer.moment["time"], rfc3339_ns(expected.moment_ns), "{what}");
    assert_eq!(answer.moment["within_s"], question.within_s);
    assert_eq!(answer.moment.get("cost").is_some(), question.zone.is_none(), "{what}");
    assert_eq!(answer.cursor(), None);
}

#[test]
fn neighbours_equal_naive_ones_of_random_questions() {
    let (mut tally, mut cut) = (BTreeMap::<&str, u64>::new(), 0);
    for seed in 0..30 {
        let mut random = Random::new(31_000 + seed);
        let (store, rays) = world(&mut random);
        for _ in 0..10 {
            let (token, question, path) = question(&mut random, &rays);
            let what = format!("seed {seed}, {token}: {path} {question:?}");
            let reply = ask(&store, token, &path, 7);
            let found = match expected(&store, &question) {
                Expected::NotFound => {
                    assert_eq!(reply.status, 404, "{what}");
                    *tally.entry("not found").or_default() += 1;
                    continue;
                }
                Expected::NotComparable => {
                    assert_eq!(reply.status, 422, "{what}");
                    *tally.entry("not comparable").or_default() += 1;
                    continue;
                }
                Expected::Found(found) => found,
            };
            check(&Answer::of(&reply), &question, &found, &what);
            check(&Answer::of(&ask(&store, token, &format!("{path}&format=ndjson"), 7)), &question, &found, &what);
            let Followed { rows, sums, answers, searched } =
                follow(&store, token, &path, *random.of(&[50_000, 300_000]));
            assert_eq!(searched.len(), if question.zone.is_some() { 0 } else { answers - 1 }, "{what}");
            for (until, matched) in searched {
                let before = found.all.iter().filter(|(_, row)| row["time"].as_str() < Some(&*until)).count() as u64;
                assert!(before <= matched, "{what}: {matched} until {until}");
                *tally.entry("known to be searched").or_default() += before;
            }
            assert_eq!(sums, found.counts, "{what}");
            if question.limit >= found.all.len() {
                let all = found.all.iter().map(|(_, row)| row.clone()).collect();
                assert_eq!(sorted(rows), sorted(all), "{what}");
            }
            cut += usize::from(answers > 1);
            *tally.entry("neighbours").or_default() += found.counts["matched"].as_u64().unwrap();
            *tally.entry("own").or_default() += found.counts["own"].as_u64().unwrap() - 1;
            *tally.entry("listed in part").or_default() += u64::from(found.listed.len() < found.all.len());
            *tally.entry(question.by).or_default() += 1;
        }
    }
    println!("{tally:?}, {cut} cut");
    for (name, least) in [
        ("not found", 10),
        ("not comparable", 10),
        ("neighbours", 3_000),
        ("own", 20),
        ("listed in part", 50),
        ("known to be searched", 50),
        ("client", 50),
        ("path", 30),
        ("status", 30),
    ] {
        assert!(tally.get(name).is_some_and(|count| *count >= least), "{name}: {tally:?}");
    }
    assert!(cut > 50, "{cut}");
}

/// A record of this ray, so many nanoseconds after the first instant, with a client.
fn at(number: u32, ns: i64, more: &[(&str, &str)]) -> String {
    let start_ns = start_ms() * 1_000_000 + ns;
    let more = [&[("ClientIP", "\"192.0.2.7\"")], more].concat();
    record(&format!("\"{}\"", ray(number)), Some(&start_ns.to_string()), &more)
}

fn ray(number: u32) -> RayId {
    RayId::at(start_ms(), number).unwrap()
}

/// The rays of an answer by their numbers.
fn numbers(answer: &Answer) -> Vec<u64> {
    let first = ray(0).bits();
    let number = |row: &Value| u64::from_str_radix(row["ray"].as_str().unwrap(), 16).unwrap() - first;
    answer.neighbours.iter().map(number).collect()
}

#[test]
fn window_has_both_of_its_ends() {
    let mut store = Store::new();
    let s = 1_000_000_000;
    let lines = [
        at(1, 0, &[]),
        at(2, -5 * s, &[]),
        at(3, 5 * s, &[("EdgeResponseStatus", "503")]),
        at(4, -5 * s - 1, &[]),
        at(5, 5 * s + 1, &[]),
        at(6, 0, &[("EdgeResponseStatus", "\"404\"")]),
    ];
    store.put("logs/a.log.gz", &ndjson(lines), true);
    let answer = Answer::of(&ask(&store, "forensics", &path_of(&ray(1).to_string(), "by=client&within=5s"), 7));
    assert_eq!(numbers(&answer), [2, 6, 3]);
    let distances: Vec<&Value> = answer.neighbours.iter().map(|row| &row["distance_ms"]).collect();
    assert_eq!(distances, [&json!(-5000), &json!(0), &json!(5000)]);
    let counts = json!({
        "matched": 3, "own": 1,
        "before": { "total": 1, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, "other": 1 },
        "after": { "total": 2, "2xx": 0, "3xx": 0, "4xx": 1, "5xx": 1, "other": 0 },
    });
    assert_eq!(answer.counts(), counts);
    assert_eq!((&answer.trailer["complete"], answer.cursor()), (&true.into(), None));
    let wider = Answer::of(&ask(&store, "forensics", &path_of(&ray(1).to_string(), "by=client&within=6s"), 7));
    assert_eq!(numbers(&wider), [4, 2, 6, 3, 5]);
    let other = Answer::of(&ask(&store, "forensics", &path_of(&ray(4).to_string(), "by=client&within=1s"), 7));
    assert_eq!(numbers(&other), [2], "another ray is another moment");
}

#[test]
fn nearest_are_listed_where_not_all_fit() {
    let mut store = Store::new();
    let long = format!("\"{}\"", "x".repeat(300_000));
    let s = 1_000_000_000;
    let lines: Vec<String> =
        (1..=12).map(|number| at(number, (i64::from(number) - 6) * s, &[("ClientRequestUserAgent", &long)])).collect();
    store.put("logs/a.log.gz", &ndjson(lines), true);
    let listed = |query: &str| {
        let path = path_of(&ray(6).to_string(), &format!("by=client{query}"));
        let answer = Answer::of(&ask(&store, "forensics", &path, 7));
        assert_eq!((&answer.summary["matched"], &answer.trailer["complete"]), (&11.into(), &true.into()));
        numbers(&answer)
    };
    assert_eq!(listed(""), [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12]);
    assert_eq!(listed("&limit=5"), [3, 4, 5, 7, 8]);
    // Of two that are as far, the earlier one.
    assert_eq!(listed("&limit=1"), [5]);
    assert_eq!(listed("&limit=11").len(), 11);
    assert_eq!(listed("&fields=ClientRequestUserAgent"), [4, 5, 7], "as many as fit into a mebibyte");
    assert_eq!(listed("&fields=ClientRequestUserAgent&limit=2"), [5, 7]);
}

#[test]
fn viewers_client_is_a_network_and_says_so() {
    let mut store = Store::new();
    let ip = |address: &'static str| [("ClientIP", address)];
    let lines = [
        at(1, 0, &ip("\"192.0.2.7\"")),
        at(2, 1, &ip("\"192.0.2.9\"")),
        at(3, 2, &ip("\"192.0.3.7\"")),
        at(4, 3, &ip("\"192.0.2.7\"")),
        at(5, 4, &ip("\"192.0.2.0\"")),
    ];
    store.put("logs/a.log.gz", &ndjson(lines), true);
    let asked = |token: &str| Answer::of(&ask(&store, token, &path_of(&ray(1).to_string(), "by=client"), 7));
    let viewer = asked("viewer");
    assert_eq!((numbers(&viewer), &viewer.moment["same"]), (vec![2, 4, 5], &json!({ "ClientIP": "192.0.2.0" })));
    assert_eq!(viewer.moment["masked"], json!(["ClientIP"]));
    assert!(viewer.neighbours.iter().all(|row| row["record"]["ClientIP"] == "192.0.2.0"));
    for token in ["support", "forensics"] {
        let exact = asked(token);
        assert_eq!((numbers(&exact), &exact.moment["same"]), (vec![4], &json!({ "ClientIP": "192.0.2.7" })));
        assert_eq!(exact.moment.get("masked"), None, "{token}");
    }
}

#[test]
fn requests_of_the_own_tree_are_no_neighbours() {
    let mut store = Store::new();
    let parent = |number: u32| format!("\"{}\"", ray(number));
    let of = |number: u32, ns: i64, of: u32| at(number, ns, &[("ParentRayID", &parent(of))]);
    // 1 caused 2 and 3, and 3 caused 4; 5 and 6 are of another tree.
    let first = [at(1, 0, &[]), of(4, 300, 3), at(5, 400, &[])];
    let second = [of(2, 100, 1), of(3, 200, 1), of(6, 500, 5), at(7, 600, &[])];
    store.put("logs/a.log.gz", &ndjson(first), true);
    store.put("logs/b.log.gz", &ndjson(second), true);
    for number in 1..=4 {
        let answer = Answer::of(&ask(&store, "forensics", &path_of(&ray(number).to_string(), "by=client"), 7));
        assert_eq!((numbers(&answer), &answer.summary["own"]), (vec![5, 6, 7], &4.into()), "{number}");
        assert_eq!(answer.moment.get("tree_truncated"), None);
    }
    let answer = Answer::of(&ask(&store, "forensics", &path_of(&ray(7).to_string(), "by=client"), 7));
    assert_eq!((numbers(&answer), &answer.summary["own"]), (vec![1, 2, 3, 4, 5, 6], &1.into()));
}

#[test]
fn moment_without_start_is_that_of_the_ray() {
    let mut store = Store::new();
    let ip = [("ClientIP", "\"192.0.2.7\"")];
    let own = RayId::at(start_ms() + 1_500, 1).unwrap();
    let odd = record("\"test-ray\"", Some(&format!("{}", (start_ms() + 2_000) * 1_000_000)), &ip);
    let lines = [record(&format!("\"{own}\""), None, &ip), at(2, 0, &[]), odd];
    store.put("logs/a.log.gz", &ndjson(lines), true);
    let answer = Answer::of(&ask(&store, "forensics", &path_of(&own.to_string(), "by=client"), 7));
    assert_eq!(answer.moment["time"], rfc3339_ns(own.unix_ms() * 1_000_000));
    assert_eq!(
        answer.neighbours.iter().map(|row| row["ray"].clone()).collect::<Vec<_>>(),
        [json!(ray(2).to_string()), json!("test-ray")]
    );
    let of_odd = Answer::of(&ask(&store, "forensics", &path_of("test-ray", "by=client"), 7));
    assert_eq!((of_odd.neighbours.len(), &of_odd.summary["own"]), (2, &1.into()));
    assert_eq!((&of_odd.moment["ray"], of_odd.moment.get("ray_time")), (&"test-ray".into(), None));
}

#[test]
fn events_have_neighbours_of_their_own() {
    let store = Store::new();
    let event = |number: u32, ip: &str, action: &str| {
        json!({ "RayID": ray(number).to_string(), "Datetime": rfc3339_ns((start_ms() + i64::from(number)) * 1_000_000),
                "ClientIP": ip, "Action": action, "Source": "waf" })
        .to_string()
    };
    let lines = [event(1, "192.0.2.7", "block"), event(2, "192.0.2.7", "log"), event(3, "192.0.2.8", "log")];
    store.fakes.index("logs/firewall_events/a.log", Dataset::FirewallEvents, &ndjson(lines));
    let path = path_of(&ray(1).to_string(), "by=client&dataset=firewall_events");
    let answer = Answer::of(&ask(&store, "waf", &path, 7));
    assert_eq!((numbers(&answer), &answer.moment["dataset"]), (vec![2], &"firewall_events".into()));
    assert_eq!(answer.neighbours[0]["record"], json!({ "Action": "log", "Source": "waf", "ClientIP": "192.0.2.7" }));
    assert_eq!(answer.summary["after"]["other"], 1);
}
