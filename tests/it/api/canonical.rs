//! What the audit log keeps of a request is what the request was read as, however it was written.

use raydex::limits::{AUDIT_REQUEST, OPERATION_BODY_MAX};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::every_route::ZONE;
use super::story::{KEYS, batch, records};
use super::support::Fakes;
use super::support::random::Random;
use super::support::records::ray;
use super::{Ask, Reply, json as body};

/// Requests of the property.
const REQUESTS: usize = 1_000;

/// A request that is written in the plainest way, and what it reads.
struct Plain {
    method: &'static str,
    path: String,
    parameters: Vec<(&'static str, String)>,
    members: Vec<(&'static str, String)>,
    resource: String,
    reads: Value,
}

/// One of several requests, with values drawn from `random`.
fn plain(random: &mut Random) -> Plain {
    let (number, limit) = (random.next() % 6, random.between(1, 90));
    let ray = ray(number).to_string();
    let (start, end) = ("2026-03-28T08:00:00Z".to_owned(), "1774688400".to_owned());
    let range = || vec![("start", start.clone()), ("end", end.clone())];
    let read_range = json!({ "start": "2026-03-28T08:00:00.000000000Z", "end": "2026-03-28T09:00:00.000000000Z" });
    let with = |mut range: Value, more: Value| {
        range.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        range
    };
    match random.below(6) {
        0 => {
            let filter = format!(r#"{{"where":{{"key":"RayID","operator":"eq","value":"{ray}"}}}}"#);
            let mut parameters = range();
            parameters.extend([
                ("limit", format!("{limit:03}")),
                ("fields", "RayID,ClientIP".into()),
                ("filter", filter.clone()),
            ]);
            let more = json!({ "limit": limit, "fields": ["RayID", "ClientIP"], "filter": filter });
            let members = Vec::new();
            let reads = with(read_range, more);
            Plain { method: "GET", path: "/v1/logs".into(), parameters, members, resource: String::new(), reads }
        }
        1 => {
            let members = vec![("rays", format!(r#"["CF-RAY: {ray}-SJC","!"]"#))];
            let reads = json!({ "rays": [ray, "invalid"], "dataset": "http_requests" });
            let parameters = vec![("dataset", "http_requests".into())];
            Plain { method: "POST", path: "/v1/rays".into(), parameters, members, resource: String::new(), reads }
        }
        2 => {
            let resource = format!("20260328T08.{}.1.00000{number}", "5a".repeat(32));
            let members = vec![("reason", r#""why not""#.into())];
            let path = format!("/v1/payloads/{resource}/drop");
            let reads = json!({ "reason": "why not" });
            Plain { method: "POST", path, parameters: Vec::new(), members, resource, reads }
        }
        3 => {
            let mut parameters = range();
            parameters.push(("count", limit.to_string()));
            let reads = with(read_range, json!({ "count": limit }));
            let members = Vec::new();
            Plain { method: "GET", path: format!("{ZONE}/received"), parameters, members, resource: "z".into(), reads }
        }
        4 => {
            let path = format!("/v1/rays/{ray}");
            let members = Vec::new();
            let parameters = vec![("format", "native".into())];
            Plain { method: "GET", path, parameters, members, resource: ray, reads: json!({ "format": "native" }) }
        }
        _ => {
            let members = vec![("flag", "true".into())];
            let path = format!("{ZONE}/control/retention/flag");
            let reads = json!({ "flag": true });
            Plain { method: "POST", path, parameters: Vec::new(), members, resource: "z".into(), reads }
        }
    }
}

/// The request, padded or malformed in ways drawn from `random`.
fn padded(plain: &Plain, random: &mut Random) -> Ask {
    let escaped =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut pieces: Vec<String> =
        plain.parameters.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    let mut members: Vec<String> = plain.members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let space = |random: &mut Random| " ".repeat(random.below(2_500));
    let blank = space(random);
    for _ in 0..random.below(3) {
        let at = random.below(pieces.len() + 1);
        match random.below(6) {
            0 => pieces.splice(at..at, vec!["limit=1000".to_owned(); 182]).for_each(drop),
            1 => pieces.splice(at..at, vec![String::new(); 1 + random.below(900)]).for_each(drop),
            2 => pieces.insert(at, format!("pad={}", "x".repeat(random.below(3_000)))),
            3 => pieces.splice(at..at, (0..100).map(|number| format!("pad{number}=1"))).for_each(drop),
            4 => members.insert(0, format!("\"pad\":\"{}\"", "x".repeat(random.below(3_000)))),
            _ => members.extend(plain.members.iter().map(|(name, value)| format!("\"{name}\":{value}"))),
        }
    }
    let is_post = plain.method == "POST";
    let text = if is_post { format!("{blank}{{{blank}{}}}{blank}", members.join(&format!(",{blank}"))) } else { blank };
    Ask { body: text.into_bytes(), ..Ask::new(plain.method, &format!("{}?{}", plain.path, pieces.join("&"))) }
}

fn last(fakes: &Fakes) -> Value {
    serde_json::from_str(&fakes.audits.last_entry().unwrap().entry).unwrap()
}

/// The entries after the first so many.
fn entries_since(fakes: &Fakes, before: u64) -> Vec<Value> {
    fakes.audits.entries_after(before).iter().map(|kept| serde_json::from_str(&kept.entry).unwrap()).collect()
}

#[test]
fn padded_requests_are_recorded_as_they_were_read() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..6), None);
    let (mut random, mut admitted, mut denied) = (Random::new(16), 0, 0);
    for number in 0..REQUESTS {
        // The minute of an equal denial is over.
        fakes.clock_ms.set(fakes.clock_ms.get() + 61_000);
        let plain = plain(&mut random);
        let ask = padded(&plain, &mut random);
        let (what, entries) = (format!("{number} {}?{}", ask.path, ask.query), fakes.audits.count());
        let before = (fakes.everything(), fakes.faults.count(super::support::Kind::Shard));
        let is_large = ask.body.len() > OPERATION_BODY_MAX;
        let reply = ask.of(&fakes);
        // A change that was admitted and refused leaves a second entry.
        let mut added = entries_since(&fakes, entries);
        let is_refused = added.len() == 2 && plain.method == "POST" && (400..500).contains(&reply.status);
        assert!(added.len() == 1 || is_refused && added[1]["refers_to"] == added[0]["seq"], "{what}: {added:?}");
        let mut entry = added.swap_remove(0);
        assert_eq!(entry["resource"], plain.resource.as_str(), "{what}");
        let mut kept = entry["request"].take();
        kept.as_object_mut().unwrap().remove("ignored");
        if entry["outcome"] == "admitted" {
            assert_eq!(kept, plain.reads, "{what}");
            admitted += 1;
        } else {
            let expected = if is_large { 413 } else { 400 };
            assert_eq!((reply.status, &entry["status"]), (expected, &expected.into()), "{what}");
            assert_eq!((fakes.everything(), fakes.faults.count(super::support::Kind::Shard)), before, "{what}");
            denied += 1;
        }
    }
    assert!(admitted > 400 && denied > 200, "{admitted} {denied}");
}

#[test]
fn ignored_parameters_of_clients_are_counted() {
    let fakes = Fakes::new();
    let pads: Vec<String> = (0..200).map(|number| format!("pad{number}={}", "x".repeat(50))).collect();
    let path = format!("{ZONE}/received?{}&start=0&end=1774687000&api_token=hunter2hunter2", pads.join("&"));
    assert_eq!(Ask::get(&path).of(&fakes).status, 200);
    let request = last(&fakes)["request"].clone();
    assert_eq!((&request["ignored"]["count"], &request["ignored"]["names"][0]), (&201.into(), &"pad0".into()));
    assert_eq!(request["start"], "1970-01-01T00:00:00.000000000Z");
    assert!(!request.to_string().contains("hunter2"), "{request}");
}

#[test]
fn long_values_are_cut_with_their_hash() {
    let fakes = Fakes::new();
    let words: String = "word ".repeat(2_400).trim().to_owned();
    assert!(words.len() > AUDIT_REQUEST);
    Ask::post("/v1/payloads/none/drop", &words).of(&fakes);
    let entry = last(&fakes);
    let reason = &entry["request"]["reason"];
    assert_eq!((&reason["bytes"], reason["start"].as_str().unwrap().len()), (&words.len().into(), 256));
    assert_eq!(reason["sha256"], hex::encode(Sha256::digest(&words)));
    assert_eq!((&entry["resource"], &entry["request"]["payload"]), (&"invalid".into(), &"none".into()));
}

#[test]
fn every_value_is_kept_as_it_was_read() {
    let fakes = Fakes::new();
    let asked = |ask: Ask| {
        let _refused_or_not: Reply = ask.of(&fakes);
        last(&fakes)["request"].clone()
    };
    let post = |path: &str, body: &str| Ask { body: body.into(), ..Ask::new("POST", path) };
    for (ask, kept) in [
        (
            Ask::get("/v1/logs?start=1774684800000&sample=0.50&summary=true&cursor=x&fields=RayID,%20Novel"),
            json!({ "start": "2026-03-28T08:00:00.000000000Z", "sample": 0.5, "summary": "true", "cursor": "x",
                    "fields": ["RayID", "Novel"] }),
        ),
        (
            Ask::get(
                "/v1/counts?start=1774684800&step=5m&by=ClientIP,%20Novel&top=07&filter=%7B%22where%22:%7B%22key%22:%22ClientIP%22,%22operator%22:%22eq%22,%22value%22:%22203.0.113.0/24%22%7D%7D",
            ),
            json!({ "start": "2026-03-28T08:00:00.000000000Z", "step": 300, "by": ["ClientIP", "Novel"], "top": 7,
                    "filter": r#"{"where":{"key":"ClientIP","operator":"eq","value":"203.0.113.0/24"}}"# }),
        ),
        (
            Ask::get("/v1/rays/9e35500000000001/neighbours?by=path&within=05m&limit=007&fields=RayID&format=ndjson"),
            json!({ "by": ["path"], "within": 300, "limit": 7, "fields": ["RayID"], "format": "ndjson" }),
        ),
        (Ask::get("/v1/logs?start=yesterday&limit=many"), json!({ "start": "yesterday", "limit": "many" })),
        (
            post("/v1/backfills", r#"{"start":1774684800,"end":"2026-03-28T08:30:00Z","deliver":false}"#),
            json!({ "start": "2026-03-28T08:00:00.000000000Z", "end": "2026-03-28T08:30:00.000000000Z",
                    "deliver": false }),
        ),
        (post("/v1/batches", &format!(r#"{{"key":"{}"}}"#, KEYS[0])), json!({ "key": KEYS[0] })),
        (
            Ask::get("/client/v4/zones/023e105f4ecef8ad9ca31a8372d0c353/logs/rayids/9e35500000000001?fields=RayID"),
            json!({ "zone": "023e105f4ecef8ad9ca31a8372d0c353", "fields": ["RayID"] }),
        ),
        (
            Ask::get("/v1/audit?actor=ann@a.example&address=2001:DB8::1&resource=CF-RAY:9E35500000000001"),
            json!({ "actor": "ann@a.example", "address": "2001:db8::1", "resource": "9e35500000000001" }),
        ),
    ] {
        assert_eq!(asked(ask), kept);
    }
}

#[test]
fn pasted_secrets_are_not_kept() {
    const SECRETS: [&str; 5] = [
        "api_token=hunter2",
        "Bearer hunter2",
        "password: hunter2",
        "https://e.example/?token=hunter2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.dozjgNryP4J3jVmNHl0w5Nhunter2",
    ];
    let fakes = Fakes::new();
    let escaped =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let post = |path: &str, body: Value| Ask { body: body.to_string().into(), ..Ask::new("POST", path) };
    for secret in SECRETS {
        let (url, filter) = (escaped(secret), |key: &str| {
            escaped(&json!({ "where": { "key": key, "operator": "contains", "value": secret } }).to_string())
        });
        let range = "start=2026-03-28T08:00:00Z";
        for ask in [
            Ask::get(&format!("/v1/rays/{url}")),
            Ask::get(&format!("/v1/rays/{url}/deliveries")),
            Ask::get(&format!("/v1/batches/{url}")).with_header("raydex-reason", secret),
            post(&format!("/v1/batches/{url}/replay"), json!({ "reason": secret })),
            post("/v1/rays", json!({ "rays": [secret, format!("9e35500000000001 {secret}")] })),
            post("/v1/batches", json!({ "key": secret })),
            post("/v1/backfills", json!({ "start": secret, "end": [secret] })),
            Ask::get(&format!("/v1/logs?{range}&filter={}", filter("ClientRequestURI"))),
            Ask::get(&format!("/v1/logs?{range}&filter={}", filter("Cookies"))),
            Ask::get(&format!("/v1/logs?{range}&filter={}", filter(secret))),
            Ask::get(&format!("/v1/logs?{range}&filter={url}&fields={url}&dataset={url}&cursor={url}")),
            Ask::get(&format!("/v1/logs?{range}")).with_header("raydex-reason", secret),
            Ask::get(&format!("/v1/counts?{range}&by={url}&step={url}&top={url}&cursor={url}")),
            Ask::get(&format!("/v1/rays/{url}/neighbours?by={url}&within={url}&limit={url}&fields={url}")),
            Ask::get(&format!("{ZONE}/received?start={url}&end={url}&{url}=1&pad={url}")),
            Ask::get(&format!("/client/v4/zones/{url}/logs/received?start=0&end=1")),
            Ask::get(&format!("/v1/audit?actor={url}&resource={url}&address={url}&outcome={url}")),
        ] {
            fakes.clock_ms.set(fakes.clock_ms.get() + 61_000);
            let (what, entries) = (format!("{} {}?{}", ask.method, ask.path, ask.query), fakes.audits.count());
            ask.of(&fakes);
            if fakes.audits.count() > entries {
                let entry = last(&fakes).to_string();
                assert!(!entry.contains("hunter2"), "{what}: {entry}");
            }
        }
    }
    assert!(fakes.audits.count() > 60, "{}", fakes.audits.count());
}

#[test]
fn answer_is_made_of_what_was_recorded() {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..6), None);
    let ray = ray(3).to_string();
    let text = format!("https%3A%2F%2Fe.example%2F%3Fray%3D{}%26x", ray.to_uppercase());
    let reply = Ask::get(&format!("/v1/rays/{text}")).of(&fakes);
    assert_eq!((body(&reply)["ray"].as_str(), &last(&fakes)["resource"]), (Some(ray.as_str()), &ray.clone().into()));
}
