//! A world with another zone's records, and one without.

use raydex::config::Config;
use raydex::ledger::occupancy::mark_occupied;
use raydex::limits::LOOKUP_STEP_MS;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::questions::question;
use super::world::START_MS;
use super::{Deployment, Random, Tally, Twins, World, cursor, random_ray, without_cursors};
use crate::api::access::rule;
use crate::api::{Ask, Reply, header};
use crate::support::records::{PREFIX, ndjson};
use crate::support::world::config_with;
use crate::support::{Fakes, Kind, run};

/// The callers, each with the name of its token.
const CALLERS: [&str; 4] = ["a-forensics", "a-support", "a-viewer", "a-waf"];

fn config() -> Config {
    let rights = json!(["read", "deliver", "admin", "ingest"]);
    let zone = |id: &str, role: &str| rule(id, &json!({ "zones": ["a.example"], "role": role, "scopes": rights }));
    let rules = [
        zone("a-forensics", "forensics"),
        zone("a-support", "support"),
        zone("a-viewer", "viewer"),
        rule("a-waf", &json!({ "zones": ["a.example"], "datasets": ["firewall_events"], "scopes": rights })),
        rule("all", &json!({ "scopes": rights })),
    ];
    config_with(&[
        ("API_TOKENS", &serde_json::to_string(&rules).unwrap()),
        ("API_RATE_PER_MINUTE", "0"),
        ("API_ZONES", r#"{"023e105f":"a.example","9a7806061c88":"b.example"}"#),
    ])
}

/// Asks so many questions about the twins of each of these seeds.
fn compare(seeds: std::ops::Range<u64>, questions: usize) -> Tally {
    let (mut tally, config) = (Tally::default(), Ok(config()));
    for seed in seeds {
        let mut random = Random::new(seed);
        let world = World::random(&mut random);
        let (whole, narrow) = (world.build(|_, _| true), world.build_ours());
        let twins = Twins { whole, narrow, config: config.clone() };
        for _ in 0..questions {
            let ask = question(&mut random, &world);
            let caller = *random.of(&CALLERS);
            twins.follow(&mut tally, caller, &ask, without_cursors);
            let all = |fakes: &Fakes| get(fakes, &twins.config, "all", ask.clone());
            tally.telling += usize::from(all(&twins.whole).body != all(&twins.narrow).body);
        }
    }
    tally
}

fn get(fakes: &Fakes, config: &Deployment, token: &str, ask: Ask) -> Reply {
    Ask { authorization: Some(format!("Bearer {token}")), ..ask }.of_deployment(fakes, config)
}

fn check(tally: &Tally, questions: usize) {
    println!("{tally:?}");
    assert_eq!(tally.questions, questions);
    let parts = [tally.successes * 3, tally.with_records * 6, tally.pages * 12, tally.refused * 20, tally.telling * 3];
    assert!(parts.iter().all(|part| *part > questions), "too little is asked: {tally:?}");
}

#[test]
fn other_zone_changes_no_byte_of_answers() {
    check(&compare(0..25, 40), 1_000);
}

#[test]
#[ignore = "takes minutes: scripts/test runs a tenth of it"]
fn other_zone_changes_no_byte_of_many_answers() {
    check(&compare(1_000..1_250, 40), 10_000);
}

/// A world with a record of each zone.
fn two_zones() -> (Fakes, String, String) {
    let mut random = Random::new(1);
    let [ours, hidden] = [(), ()].map(|()| random_ray(&mut random, START_MS));
    let line = |ray: &str, zone: &str| format!(r#"{{"RayID":"{ray}","ZoneName":"{zone}"}}"#);
    let fakes = Fakes::new();
    let text = ndjson([line(&ours, "a.example"), line(&hidden, "b.example")]);
    fakes.index("logs/http_requests/a.log", Dataset::HttpRequests, &text);
    (fakes, ours, hidden)
}

#[test]
fn hidden_and_absent_rays_take_the_same_time() {
    let (fakes, ours, hidden) = two_zones();
    let (config, absent) = (Ok(config()), random_ray(&mut Random::new(2), START_MS));
    let mut passed = Vec::new();
    for ray in [&hidden, &absent, &hidden, &absent, &ours] {
        let before = fakes.paused_ms.get();
        let reply = get(&fakes, &config, "a-forensics", Ask::get(&format!("/v1/rays/{ray}")));
        assert_eq!((reply.status, header(&reply, "raydex-cost")), (if *ray == ours { 200 } else { 404 }, None));
        // The clock goes on by 7 ms whenever someone looks.
        passed.push((fakes.paused_ms.get() - before + 21) / LOOKUP_STEP_MS);
    }
    assert_eq!(passed, [1; 5]);
}

#[test]
fn rays_are_answered_in_the_order_asked() {
    let (fakes, ours, hidden) = two_zones();
    let mut random = Random::new(3);
    let absent: Vec<String> = (0..5).map(|_| random_ray(&mut random, START_MS)).collect();
    let rays: Vec<&str> = absent.iter().flat_map(|absent| [hidden.as_str(), absent, &ours]).collect();
    let body = json!({ "rays": rays }).to_string().into_bytes();
    let reply = get(&fakes, &Ok(config()), "a-viewer", Ask { body, ..Ask::new("POST", "/v1/rays") });
    let lines = String::from_utf8(reply.body).unwrap();
    // The last line is the trailer.
    let lines: Vec<Value> = lines.lines().take(15).map(|line| serde_json::from_str(line).unwrap()).collect();
    for (index, line) in lines.iter().enumerate() {
        assert_eq!((&line["index"], &line["found"]), (&index.into(), &(index % 3 == 2).into()));
        assert_eq!((line.get("cost"), line.get("problem").is_some()), (None, index % 3 != 2), "{line}");
    }
    assert_eq!(lines.len(), 15);
}

#[test]
fn hidden_lines_take_no_place_of_visible_ones() {
    let fakes = Fakes::new();
    let ray = random_ray(&mut Random::new(4), START_MS);
    let line = |zone: &str, number: usize| format!(r#"{{"RayID":"{ray}","ZoneName":"{zone}","number":{number}}}"#);
    // More than the lines and the batches of a lookup.
    let hidden = ndjson((0..1_100).map(|number| line("b.example", number)));
    fakes.index("logs/http_requests/many.log", Dataset::HttpRequests, &hidden);
    for number in 0..120 {
        let text = ndjson([line("b.example", number)]);
        fakes.index(&format!("logs/http_requests/{number}.log"), Dataset::HttpRequests, &text);
    }
    fakes.index("logs/http_requests/z.log", Dataset::HttpRequests, &ndjson([line("a.example", 7)]));
    let reply = get(&fakes, &Ok(config()), "a-forensics", Ask::get(&format!("/v1/rays/{ray}")));
    let found: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((&found["truncated"], found["records"].as_array().unwrap().len()), (&false.into(), 1));
    assert_eq!(found["records"][0]["batch"], json!({ "key": "logs/http_requests/z.log" }));
    for absent in ["cost", "batches_gone", "batches_unreadable"] {
        assert_eq!(found.get(absent), None, "{absent}");
    }
}

#[test]
fn batches_that_are_gone_or_damaged_stay_hidden() {
    let config = Ok(config());
    let range = "start=2026-03-28T08:00:00Z&end=2026-03-28T08:40:00Z";
    let asks = [format!("/v1/logs?{range}"), format!("/v1/logs?{range}&format=json")];
    for ask in asks {
        let (sound, ours, hidden) = two_zones();
        let (lost, ..) = two_zones();
        let others = ndjson([format!(r#"{{"RayID":"{hidden}","ZoneName":"b.example"}}"#)]);
        for (number, key) in ["logs/http_requests/b.log", "logs/http_requests/c.log"].iter().enumerate() {
            lost.index(key, Dataset::HttpRequests, &others);
            if number == 0 {
                assert!(lost.bucket.delete(key));
            } else {
                lost.bucket.replace_bytes(key, &vec![0; others.len()]);
            }
        }
        let told = |fakes: &Fakes| get(fakes, &config, "a-forensics", Ask::get(&ask)).body;
        assert_eq!(String::from_utf8_lossy(&told(&lost)), String::from_utf8_lossy(&told(&sound)), "{ask}");
        assert!(String::from_utf8_lossy(&told(&lost)).contains(&ours));
        assert_ne!(get(&lost, &config, "all", Ask::get(&ask)).body, get(&sound, &config, "all", Ask::get(&ask)).body);
    }
}

#[test]
fn nothing_is_ruled_out_for_callers_with_zones() {
    let config = Ok(config());
    let filter = |value: &str| {
        let filter = format!(r#"{{"where":{{"key":"ClientRequestHost","operator":"eq","value":"{value}"}}}}"#);
        let filter = percent_encoding::utf8_percent_encode(&filter, percent_encoding::NON_ALPHANUMERIC).to_string();
        format!("/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T08:40:00Z&filter={filter}")
    };
    let fakes = Fakes::new();
    let ray = random_ray(&mut Random::new(5), START_MS);
    let line = |host: &str| format!(r#"{{"RayID":"{ray}","ClientRequestHost":"{host}"}}"#);
    let text = ndjson([line("secret.b.example"), line("a.example")]);
    fakes.index("logs/http_requests/a.log", Dataset::HttpRequests, &text);
    let reads = |token: &str, host: &str| {
        let before = fakes.faults.count(Kind::Get) + fakes.faults.count(Kind::GetRange);
        let reply = get(&fakes, &config, token, Ask::get(&filter(host)));
        (fakes.faults.count(Kind::Get) + fakes.faults.count(Kind::GetRange) - before, reply.body)
    };
    assert_ne!(reads("all", "secret.b.example").0, reads("all", "no.b.example").0, "others' searches are pruned");
    assert_eq!(reads("a-forensics", "secret.b.example"), reads("a-forensics", "no.b.example"));
}

#[test]
fn cursor_at_a_budget_shows_no_place() {
    let config = Ok(config());
    let (fakes, ours, _) = two_zones();
    // More shards than an answer asks, with nothing in them.
    let prefixes: Vec<u32> = (0..5_000).map(|number| PREFIX - 6_000 + number).collect();
    run(mark_occupied(&fakes.ledgers, Dataset::HttpRequests, &prefixes)).unwrap();
    let ask = |cursor: &str| Ask::get(&format!("/v1/logs?start=2026-01-01T00:00:00Z&end=2026-03-28T08:40:00Z{cursor}"));
    let first = get(&fakes, &config, "a-forensics", ask(""));
    fakes.bits.set(0x1234);
    let again = get(&fakes, &config, "a-forensics", ask(""));
    let [one, other] = [&first, &again].map(|reply| cursor(reply).unwrap());
    let text = String::from_utf8_lossy(&first.body).into_owned();
    assert!(text.contains(r#""truncated":true"#) && text.contains(r#""stats":{"records_returned":0}}"#), "{text}");
    // Of two cursors for one place, no more than version and length are the same.
    assert_eq!(one.len(), other.len());
    let alike = one.bytes().zip(other.bytes()).filter(|(a, b)| a == b).count();
    assert!(alike < one.len() / 5, "{one} {other}");
    let rest = get(&fakes, &config, "a-forensics", ask(&format!("&cursor={other}")));
    assert!(String::from_utf8_lossy(&rest.body).contains(&ours));
}

#[test]
fn cursors_are_for_one_caller_and_question() {
    let (config, range) = (Ok(config()), "start=2026-03-28T08:00:00Z&end=2026-03-28T08:40:00Z");
    let (fakes, ..) = two_zones();
    let ask = |more: &str| Ask::get(&format!("/v1/logs?{range}{more}"));
    let given = cursor(&get(&fakes, &config, "all", ask("&limit=1"))).unwrap();
    let status = |token: &str, more: &str| {
        let reply = get(&fakes, &config, token, ask(more));
        (reply.status, if reply.status == 200 { Vec::new() } else { reply.body })
    };
    let good = format!("&cursor={given}");
    assert_eq!(status("all", &good).0, 200);
    let refused = status("all", "&cursor=x");
    assert_eq!(refused.0, 400);
    let changed = format!("&cursor={}A", given.strip_suffix(|_: char| true).unwrap());
    let elsewhere = Fakes::new();
    assert_eq!(status("a-forensics", &good), refused);
    for more in [changed, format!("{good}&sample=0.5"), format!("{good}&dataset=firewall_events")] {
        assert_eq!(status("all", &more), refused, "{more}");
    }
    let reply = get(&elsewhere, &config, "all", ask(&good));
    assert_eq!((reply.status, reply.body), refused, "a deployment without a key");
    let keys =
        elsewhere.ledgers.ask(raydex::ledger::ids::REGISTRY, &raydex::ledger::cursor_keys::GetCursorKeys {}).keys;
    assert!(keys.is_empty(), "and reading makes none");
}

#[test]
fn hidden_parent_moves_no_record() {
    let line = |ray: &str, zone: &str, more: &str| format!(r#"{{"RayID":"{ray}","ZoneName":"{zone}"{more}}}"#);
    let (parent, ours) = (crate::support::records::ray(1 << 30), crate::support::records::ray(2 << 30));
    let (parent, ours) = (parent.to_string(), ours.to_string());
    let names = |note: &str| line(&ours, "a.example", &format!(r#","ParentRayID":"{parent}","Note":"{note}""#));
    let world = |has_parent: bool| {
        let fakes = Fakes::new();
        fakes.index("logs/http_requests/x.log", Dataset::HttpRequests, names("first").as_bytes());
        let hidden = has_parent.then(|| line(&parent, "b.example", ""));
        let text = ndjson(hidden.into_iter().chain([names("first"), names("second")]));
        fakes.index("logs/http_requests/y.log", Dataset::HttpRequests, &text);
        fakes
    };
    let (whole, narrow) = (world(true), world(false));
    for query in ["", "?subrequests=list", "?subrequests=merge", "?format=native", "?parts=tree"] {
        let ask = || Ask::get(&format!("/v1/rays/{ours}{query}"));
        let [with, without] = [&whole, &narrow].map(|fakes| get(fakes, &Ok(config()), "a-forensics", ask()));
        assert_eq!((with.status, &with.headers, &with.body), (200, &without.headers, &without.body), "{query}");
    }
}
