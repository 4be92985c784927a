//! Batches as people have them: firewall events in folders of other names, datasets beyond requests, files that are no
//! logs.

use raydex::record::Dataset;

use super::{announce, arrive, delivered, searched};
use crate::support::gzip::gunzip;
use crate::support::partner::delivering;
use crate::support::records::ndjson;
use crate::support::{Fakes, world};

const FIREWALL: &[u8] = include_bytes!("../../fixtures/cases/04-firewall-in-another-folder/batch.log.gz");
const FIREWALL_EVENTS: &str = include_str!("../../fixtures/cases/04-firewall-in-another-folder/events.json");
const FIREWALL_RAYS: &str = include_str!("../../fixtures/cases/04-firewall-in-another-folder/rays.txt");
const ACCESS: &[u8] = include_bytes!("../../fixtures/cases/05-access-requests/batch.log.gz");
const ACCESS_RAYS: &str = include_str!("../../fixtures/cases/05-access-requests/rays.txt");
const DNS: &[u8] = include_bytes!("../../fixtures/cases/05-access-requests/dns.log.gz");
const FOREIGN_EVENTS: &str = include_str!("../../fixtures/cases/16-empty-and-foreign-objects/events.json");

const ACCESS_KEY: &str = "logs/access_requests/20261122/20261122T081100Z_20261122T081130Z_ac01.log.gz";
const DNS_KEY: &str = "logs/dns_logs/20261122/20261122T081100Z_20261122T081130Z_ac02.log.gz";

/// The keys of some events.
fn keys(events: &str) -> Vec<String> {
    let events: serde_json::Value = serde_json::from_str(events).unwrap();
    events.as_array().unwrap().iter().map(|event| event["object"]["key"].as_str().unwrap().to_owned()).collect()
}

fn lines(stored: &[u8]) -> Vec<String> {
    String::from_utf8(gunzip(stored)).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn firewall_events_are_known_in_any_folder() {
    let config = delivering(&[]);
    let others = ["logs/20261122/a.log.gz", "logs/prod/20261122/a.log.gz", "logs/http/20261122/a.log.gz"];
    for key in keys(FIREWALL_EVENTS).iter().map(String::as_str).chain(others) {
        let mut fakes = Fakes::new();
        let verdict = arrive(&mut fakes, &config, key, FIREWALL);
        assert_eq!(verdict.verdict.name(), "sealed", "{key}");
        assert_eq!(delivered(&fakes, key), [""; 0], "{key}");
        assert_eq!(fakes.kept(key).batch.unwrap().dataset, "firewall_events", "{key}");
        for ray in FIREWALL_RAYS.lines() {
            let count = FIREWALL_RAYS.lines().filter(|other| *other == ray).count();
            assert_eq!(fakes.find(Dataset::FirewallEvents, ray).records.len(), count, "{key} {ray}");
            assert_eq!(fakes.find(Dataset::HttpRequests, ray).records.len(), 0, "{key} {ray}");
        }
        assert_eq!(searched(&fakes, Dataset::FirewallEvents), lines(FIREWALL), "{key}");
    }
}

#[test]
fn firewall_events_under_requests_are_quarantined() {
    let mut fakes = Fakes::new();
    let key = "logs/http_requests/20261122/a.log.gz";
    let verdict = arrive(&mut fakes, &delivering(&[]), key, FIREWALL);
    assert_eq!((verdict.verdict.name(), verdict.code), ("quarantined", Some("other_dataset")));
    let reason = verdict.reason.unwrap();
    assert!(reason.contains("names http_requests") && reason.contains("are of firewall_events"), "{reason}");
    assert_eq!(delivered(&fakes, key), [""; 0]);
    assert_eq!(fakes.try_find(&Dataset::WITH_RAY, "a5e6760841a6916c").unwrap().records.len(), 0);
}

#[test]
fn records_without_own_fields_stay_here() {
    let id = |number: u64| crate::support::records::ray(number);
    let lines = [
        format!(r#"{{"RayID":"{}"}}"#, id(1)),
        format!(r#"{{"RayID":"{}","ClientRequestHost":"a.example"}}"#, id(2)),
        format!(r#"{{"RayID":"{}","EdgeStartTimestamp":1774687320,"ClientIP":"192.0.2.1"}}"#, id(3)),
        format!(r#"{{"RayID":"{}","EdgeStartTimestamp":1774687320,"EdgeResponseStatus":200}}"#, id(4)),
    ];
    for folder in ["http_requests", "20260328", "http", "prod"] {
        let (mut fakes, key) = (Fakes::new(), format!("logs/{folder}/a.log.gz"));
        assert_eq!(arrive(&mut fakes, &delivering(&[]), &key, &ndjson(&lines)).verdict.name(), "sealed", "{folder}");
        let rays: Vec<String> = (1..=4).map(|number| id(number).to_string()).collect();
        assert!(rays.iter().all(|ray| fakes.lines(ray).len() == 1), "{folder}: each is found");
        let delivered = delivered(&fakes, &key);
        assert!(delivered.len() == 1 && delivered[0].contains(&rays[3]), "{folder}: {delivered:?}");
        let filtered = fakes.kept(&key).totals.lines.filtered;
        assert_eq!(filtered, [("unsettled_dataset".to_owned(), 3)].into(), "{folder}");
    }
}

#[test]
fn sign_ins_are_a_dataset_of_their_own() {
    for key in [ACCESS_KEY, "logs/20261122/a.log.gz"] {
        let mut fakes = Fakes::new();
        let verdict = arrive(&mut fakes, &delivering(&[]), key, ACCESS);
        assert_eq!((verdict.verdict.name(), verdict.level().name()), ("sealed", "info"), "{key}");
        assert_eq!(delivered(&fakes, key), [""; 0]);
        for (ray, line) in ACCESS_RAYS.lines().zip(lines(ACCESS)) {
            let found = fakes.try_find(&Dataset::WITH_RAY, ray).unwrap().records;
            assert_eq!((found.len(), found[0].dataset), (1, Dataset::AccessRequests));
            assert_eq!(String::from_utf8_lossy(&found[0].line), line);
        }
        assert_eq!(searched(&fakes, Dataset::AccessRequests), lines(ACCESS));
    }
}

#[test]
fn datasets_without_a_ray_are_searched_by_time() {
    for key in [DNS_KEY, "logs/20261122/20261122T081100Z_a.log.gz"] {
        let mut fakes = Fakes::new();
        let verdict = arrive(&mut fakes, &delivering(&[]), key, DNS);
        assert_eq!((verdict.verdict.name(), verdict.level().name()), ("sealed", "info"), "{key}");
        assert_eq!(delivered(&fakes, key), [""; 0]);
        assert_eq!(searched(&fakes, Dataset::DnsLogs), lines(DNS));
        assert_eq!(searched(&fakes, Dataset::HttpRequests), [""; 0]);
    }
}

#[test]
fn foreign_files_are_ignored_by_name() {
    let config = world::config();
    let mut fakes = Fakes::new();
    for key in keys(FOREIGN_EVENTS) {
        let verdict = arrive(&mut fakes, &config, &key, b"");
        assert_eq!((verdict.verdict.name(), verdict.level().name()), ("ignored", "info"), "{key}");
        let code = if key.ends_with('/') {
            "folder"
        } else if key.contains("challenge") || key.contains("test.txt") {
            "logpush_check"
        } else {
            "not_a_log"
        };
        assert_eq!(verdict.code, Some(code), "{key}");
        assert!(fakes.kept(&key).batch.is_none(), "{key}");
    }
    assert!(announce(&mut fakes, &config, "raydex/x").code == Some("other_prefix"));
}
