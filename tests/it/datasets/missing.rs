//! What answers say of batches that may hold records of other datasets than the one that they were read as.

use raydex::ledger::registry::register;
use raydex::record::Dataset::{self, DnsLogs, FirewallEvents, HttpRequests};
use serde_json::{Value, json};

use super::arrive;
use crate::api::{Ask, json as body};
use crate::support::ledgers::only_ledger;
use crate::support::partner::delivering;
use crate::support::records::{ndjson, ray};
use crate::support::{Fakes, run};

const NAME: &str = "20260328T083200Z_20260328T083230Z_a.log.gz";
const RANGE: &str = "start=2026-03-28T08:30:00Z&end=2026-03-28T08:42:24Z";

fn request(number: u64) -> String {
    format!(r#"{{"RayID":"{}","EdgeStartTimestamp":"2026-03-28T08:32:10Z","EdgeResponseStatus":200}}"#, ray(number))
}

fn event(number: u64) -> String {
    format!(r#"{{"RayID":"{}","Datetime":"2026-03-28T08:32:10Z","Action":"block"}}"#, ray(number))
}

/// A world with a batch of these lines in a folder.
fn world(folder: &str, text: &[u8]) -> Fakes {
    let (mut fakes, key) = (Fakes::new(), format!("logs/{folder}/{NAME}"));
    run(register(&fakes.ledgers, &only_ledger(&key), None)).unwrap();
    arrive(&mut fakes, &delivering(&[]), &key, text);
    fakes
}

/// Why a search of the dataset is not complete: its codes and counts.
fn missing(fakes: &Fakes, dataset: Dataset) -> Vec<(String, u64)> {
    let reply = Ask::get(&format!("/v1/logs?{RANGE}&dataset={dataset}")).of(fakes);
    let text = String::from_utf8(reply.body).unwrap();
    let trailer: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let reasons = trailer["raydex"]["missing"].as_array().cloned().unwrap_or_default();
    let known = |reason: &Value| {
        let code = reason["code"].as_str().unwrap().to_owned();
        Some((code, reason["count"].as_u64().unwrap_or_default())).filter(|(code, _)| code != "not_swept")
    };
    assert_eq!(trailer["raydex"]["complete"], reasons.is_empty(), "{trailer}");
    reasons.iter().filter_map(known).collect()
}

/// The windows of a kind in the coverage of the dataset.
fn windows(fakes: &Fakes, dataset: Dataset, kind: &str) -> usize {
    let reply = Ask::get(&format!("/v1/coverage?{RANGE}&dataset={dataset}")).of(fakes);
    body(&reply)[kind].as_array().unwrap().len()
}

#[test]
fn contradicting_batch_is_missing_in_both_datasets() {
    let fakes = world("http_requests", &ndjson((0..30).map(event)));
    let quarantined = vec![("quarantined_batches".to_owned(), 1)];
    for (dataset, expected) in
        [(HttpRequests, quarantined.clone()), (FirewallEvents, quarantined), (DnsLogs, Vec::new())]
    {
        assert_eq!(missing(&fakes, dataset), expected, "{dataset}");
        assert_eq!(windows(&fakes, dataset, "quarantined"), expected.len(), "{dataset}");
    }
}

#[test]
fn stray_lines_are_missing_elsewhere_alone() {
    for (folder, own, other) in [("http_requests", HttpRequests, FirewallEvents), ("waf", FirewallEvents, HttpRequests)]
    {
        let lines: Vec<String> = match own {
            HttpRequests => (0..21).map(request).chain((21..30).map(event)).collect(),
            _ => (0..21).map(event).chain((21..30).map(request)).collect(),
        };
        let fakes = world(folder, &ndjson(lines));
        assert_eq!(missing(&fakes, own), [], "{folder}");
        assert_eq!(missing(&fakes, other), [("rejected_lines".to_owned(), 9)], "{folder}");
        assert_eq!((windows(&fakes, own, "complete"), windows(&fakes, own, "damaged")), (1, 0), "{folder}");
        assert_eq!(windows(&fakes, other, "damaged"), 1, "{folder}");
    }
}

#[test]
fn batch_of_no_known_dataset_is_missing_everywhere() {
    let array = json!((0..30).map(|n| serde_json::from_str(&event(n)).unwrap()).collect::<Vec<Value>>()).to_string();
    let fakes = world("20260328", array.as_bytes());
    for dataset in [HttpRequests, FirewallEvents, DnsLogs] {
        assert_eq!(missing(&fakes, dataset), [("quarantined_batches".to_owned(), 1)], "{dataset}");
    }
    let fakes = world("http_requests", array.as_bytes());
    assert_eq!(missing(&fakes, FirewallEvents), [], "its folder names it");
    assert_eq!(missing(&fakes, HttpRequests).len(), 1);
}
