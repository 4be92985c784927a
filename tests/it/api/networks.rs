//! Filters by networks as each role asks them: pruned where the role sees addresses, and by nothing that it does not see.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::config::Config;
use raydex::mask::{Role, mask_line};
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::random::Random;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::{Ask, Reply, problem};

const RANGE: &str = "start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";

fn config() -> Config {
    let role = |role: &str| rule(role, &json!({ "role": role }));
    deployment(&[role("viewer"), role("support"), role("forensics")])
}

fn ask(fakes: &Fakes, role: &str, operator: &str, value: &str) -> Reply {
    let filter = json!({ "where": { "key": "ClientIP", "operator": operator, "value": value } }).to_string();
    let filter = utf8_percent_encode(&filter, NON_ALPHANUMERIC);
    Ask { authorization: Some(format!("Bearer {role}")), ..Ask::get(&format!("/v1/logs?{RANGE}&filter={filter}")) }
        .of_deployment(fakes, &Ok(config()))
}

/// The records of a reply, and its trailer.
fn records(reply: &Reply) -> (Vec<String>, Value) {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let mut lines: Vec<String> = String::from_utf8_lossy(&reply.body).lines().map(str::to_owned).collect();
    let trailer: Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
    (lines, trailer["raydex"].clone())
}

/// Batches of records with these last numbers of their addresses, which are two to a network.
fn world(last: impl Fn(usize) -> usize) -> (Fakes, Vec<String>) {
    let (fakes, mut all) = (Fakes::new(), Vec::new());
    for batch in 0..10 {
        let line = |number: usize| {
            let id = ray((batch * 10 + number).try_into().unwrap());
            format!(r#"{{"RayID":"{id}","ClientIP":"203.0.{}.{}"}}"#, batch / 2, last(batch * 10 + number))
        };
        let lines: Vec<String> = (0..5).map(line).collect();
        fakes.index(&format!("logs/http_requests/{batch}.log"), Dataset::HttpRequests, &ndjson(&lines));
        all.extend(lines);
    }
    (fakes, all)
}

#[test]
fn every_role_finds_what_it_sees() {
    let (fakes, all) = world(|number| 100 + number);
    for (role, of) in [("viewer", Role::Viewer), ("support", Role::Support), ("forensics", Role::Forensics)] {
        let shown: Vec<String> = all.iter().map(|line| masked(of, line)).collect();
        for (operator, value) in [
            ("eq", "203.0.3.0/24"),
            ("eq", "::ffff:203.0.3.0/120"),
            ("!eq", "203.0.3.0/24"),
            ("in", "203.0.3.128/25, 203.0.0.0/23"),
            ("!in", "203.0.0.0/16"),
            ("in", "203.0.4.190/32,2001:db8::/32"),
            ("eq", "0.0.0.0/0"),
            ("eq", "::/0"),
        ] {
            let (found, trailer) = records(&ask(&fakes, role, operator, value));
            let expected: Vec<&String> = shown.iter().filter(|line| naive(line, operator, value)).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{role} {operator} {value}");
            let skipped = trailer["stats"]["batches_skipped"].as_u64().unwrap();
            if role == "viewer" {
                assert_eq!(skipped, 0, "{operator} {value}: nothing is ruled out by what is masked");
            } else if operator == "eq" && value.ends_with("/24") {
                assert_eq!(skipped, 8, "{role}");
            }
        }
    }
}

fn masked(role: Role, line: &str) -> String {
    let mut out = Vec::new();
    mask_line(role, Dataset::HttpRequests, line.as_bytes(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Whether the record passes, by the digits of its address.
fn naive(line: &str, operator: &str, value: &str) -> bool {
    let record: Value = serde_json::from_str(line).unwrap();
    let digits = |text: &str| -> Option<Vec<char>> {
        let parts: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.filter(|parts| parts.len() == 4)?;
        Some(parts.iter().flat_map(|part| format!("{part:08b}").chars().collect::<Vec<_>>()).collect())
    };
    let ip = digits(record["ClientIP"].as_str().unwrap()).unwrap();
    let is_in = |network: &str| {
        let (first, length) = network.trim().trim_start_matches("::ffff:").split_once('/').unwrap();
        let length: usize = length.parse().unwrap();
        let length = if network.starts_with("::ffff:") { length - 96 } else { length };
        digits(first).is_some_and(|first| first[..length] == ip[..length])
    };
    value.split(',').any(is_in) != operator.starts_with('!')
}

#[test]
fn viewers_networks_tell_no_hidden_bits() {
    let mut random = Random::new(0x1e7);
    let draw = |random: &mut Random| -> Vec<usize> { (0..100).map(|_| 100 + random.below(150)).collect() };
    for _ in 0..10 {
        // The same networks, with other clients in them.
        let (one, other) = (draw(&mut random), draw(&mut random));
        let (mine, other) = (world(|number| one[number]).0, world(|number| other[number]).0);
        for length in [8, 16, 22, 24, 25, 26, 28, 31, 32] {
            let host = if length > 24 { 128 } else { 0 };
            let third = if length > 22 { 3 } else { 0 };
            let first = if length == 8 { "203.0.0.0".to_owned() } else { format!("203.0.{third}.{host}") };
            for operator in ["eq", "!eq", "in", "!in", "contains"] {
                let [a, b] =
                    [&mine, &other].map(|fakes| ask(fakes, "viewer", operator, &format!("{first}/{length}")).body);
                assert_eq!(String::from_utf8_lossy(&a), String::from_utf8_lossy(&b), "{operator} {length}");
            }
        }
    }
}

#[test]
fn wrong_network_is_refused_with_its_fault() {
    let (fakes, _) = world(|number| number);
    for (value, words) in [
        ("203.0.113.7/24", "203.0.113.0/24, not 203.0.113.7/24"),
        ("198.51.100.0/33", "0 to 32, or 0 to 128 for IPv6"),
        ("hunter2.example/24", "such as 203.0.113.0/24 or 2001:db8::/32"),
    ] {
        let reply = ask(&fakes, "support", "eq", value);
        assert_eq!(problem(&reply), (400, "bad_filter".into()));
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(text.contains(words) && !text.contains("hunter2") && !text.contains("198.51.100.0"), "{text}");
    }
}
