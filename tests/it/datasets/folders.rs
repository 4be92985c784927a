//! Where Logpush writes, and what the setting `DATASETS` says of it.

use raydex::config::Config;
use raydex::record::Dataset;
use serde_json::json;

use super::{announce, arrive, delivered};
use crate::api::{Ask, json as body, without_trailer};
use crate::support::Fakes;
use crate::support::partner::delivering;
use crate::support::records::{ndjson, ray};
use crate::support::world::{config, config_with};

/// A record of `http_requests`.
fn request(number: u64) -> String {
    format!(
        r#"{{"RayID":"{}","EdgeStartTimestamp":"2026-03-28T08:42:00Z","ClientRequestHost":"a.example"}}"#,
        ray(number)
    )
}

fn event(number: u64) -> String {
    format!(r#"{{"RayID":"{}","Datetime":"2026-03-28T08:42:00Z","Action":"block","Kind":"firewall"}}"#, ray(number))
}

/// Whether a lookup finds the ray, in whatever dataset.
fn dataset_of(fakes: &Fakes, number: u64) -> Option<Dataset> {
    let found = fakes.try_find(&Dataset::WITH_RAY, &ray(number).to_string()).unwrap().records;
    found.first().map(|record| record.dataset)
}

#[test]
fn watched_folders_are_several_or_the_whole_bucket() {
    for (folders, key, code) in [
        ("logs/,more/", "more/20260328/a.log.gz", None),
        ("logs/,more/", "logs/20260328/a.log.gz", None),
        ("logs/,more/", "other/20260328/a.log.gz", Some("other_prefix")),
        ("", "20260328/a.log.gz", None),
        ("/", "any/20260328/a.log.gz", None),
        ("", "raydex/a.log.gz", Some("other_prefix")),
        ("", "processed/a.log.gz", Some("other_prefix")),
        ("", "processed-backfill/a.log.gz", Some("other_prefix")),
        ("", "backfill-state/a.log.gz", Some("other_prefix")),
        ("", "processed-other/a.log.gz", None),
    ] {
        let mut fakes = Fakes::new();
        let settings = config_with(&[("LOG_PREFIX", folders)]);
        let verdict = arrive(&mut fakes, &settings, key, request(1).as_bytes());
        assert_eq!(verdict.code, code, "{folders:?} {key}");
        assert_eq!(dataset_of(&fakes, 1), code.is_none().then_some(Dataset::HttpRequests), "{folders:?} {key}");
    }
}

#[test]
fn watched_folder_names_its_dataset() {
    let settings = delivering(&[("LOG_PREFIX", "logs/firewall_events/")]);
    let mut fakes = Fakes::new();
    let key = "logs/firewall_events/20260328/a.log.gz";
    let silent = format!(r#"{{"RayID":"{}"}}"#, ray(1));
    assert_eq!(arrive(&mut fakes, &settings, key, silent.as_bytes()).verdict.name(), "sealed");
    assert_eq!((dataset_of(&fakes, 1), delivered(&fakes, key).len()), (Some(Dataset::FirewallEvents), 0));
}

#[test]
fn unknown_folder_is_reported_once() {
    let mut fakes = Fakes::new();
    let own = ndjson([r#"{"my":1,"words":"x"}"#; 3]);
    for (key, level) in [
        ("logs/exports/20260328/a.json.gz", "warn"),
        ("logs/exports/20260328/b.json.gz", "info"),
        ("logs/exports/20260329/c.json.gz", "info"),
        ("logs/others/20260328/a.json.gz", "warn"),
    ] {
        let verdict = arrive(&mut fakes, &config(), key, &own);
        assert_eq!((verdict.verdict.name(), verdict.code), ("ignored", Some("unknown_dataset")), "{key}");
        assert_eq!(verdict.level().name(), level, "{key}");
        assert_eq!(verdict.reason.is_some(), level == "warn");
        assert!(fakes.kept(key).batch.is_none(), "its record is not begun");
    }
    // Records of a known dataset are read wherever they are; without a folder of such a name others are a fault.
    assert_eq!(arrive(&mut fakes, &config(), "logs/exports/d.json.gz", event(1).as_bytes()).verdict.name(), "sealed");
    assert_eq!(dataset_of(&fakes, 1), Some(Dataset::FirewallEvents));
    assert_eq!(arrive(&mut fakes, &config(), "logs/20260328/a.json.gz", &own).verdict.name(), "quarantined");
}

/// Settings for a job that renamed its fields, and of which only the prefix says the zone.
fn renamed() -> Config {
    let rules = json!({
        "logs/slim/": { "dataset": "http_requests", "zone": "a.example", "fields": { "ray": "id", "time": "at" } },
        "logs/slim/dns/": { "dataset": "dns_logs" },
    });
    delivering(&[("DATASETS", &rules.to_string())])
}

#[test]
fn renamed_fields_are_found_and_searched() {
    let mut fakes = Fakes::new();
    let key = "logs/slim/firewall_events/a.log.gz";
    let lines: Vec<String> =
        (0..3).map(|number| format!(r#"{{"id":"{}","at":1774687320,"EdgeResponseBytes":7}}"#, ray(number))).collect();
    assert_eq!(arrive(&mut fakes, &renamed(), key, &ndjson(&lines)).verdict.name(), "sealed");
    for (number, line) in (0..).zip(&lines) {
        let found = fakes.find(Dataset::HttpRequests, &ray(number).to_string()).records;
        assert_eq!(String::from_utf8_lossy(&found[0].line), *line);
        assert_eq!(found[0].zone.as_deref(), Some("a.example"));
    }
    let ask = "/v1/logs?start=2026-03-28T08:42:00Z&end=2026-03-28T08:42:01Z&format=native";
    assert_eq!(String::from_utf8(without_trailer(&Ask::get(ask).of(&fakes).body)).unwrap(), lines.join("\n") + "\n");
}

#[test]
fn contradiction_to_a_setting_is_quarantined() {
    let mut fakes = Fakes::new();
    let verdict = arrive(&mut fakes, &renamed(), "logs/slim/dns/a.log.gz", &ndjson([request(1), request(2)]));
    assert_eq!((verdict.verdict.name(), verdict.code), ("quarantined", Some("other_dataset")));
    assert_eq!(dataset_of(&fakes, 1), None);
}

#[test]
fn removal_needs_no_dataset() {
    let mut fakes = Fakes::new();
    let key = "logs/waf/20260328/a.log.gz";
    arrive(&mut fakes, &config(), key, event(1).as_bytes());
    assert_eq!(dataset_of(&fakes, 1), Some(Dataset::FirewallEvents));
    fakes.bucket.delete(key);
    assert_eq!(announce(&mut fakes, &config(), key).verdict.name(), "gone");
}

#[test]
fn coverage_is_of_the_dataset_that_was_read() {
    let mut fakes = Fakes::new();
    let key = "logs/waf/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";
    arrive(&mut fakes, &config(), key, event(1).as_bytes());
    let range = "start=2026-03-28T08:40:00Z&end=2026-03-28T08:42:20Z";
    let batches = |dataset| {
        let reply = Ask::get(&format!("/v1/coverage?{range}&dataset={dataset}")).of(&fakes);
        body(&reply)["batches"].as_u64()
    };
    assert_eq!((batches("firewall_events"), batches("http_requests")), (Some(1), Some(0)));
}

#[test]
fn uploads_of_another_dataset_are_refused() {
    let fakes = Fakes::new();
    let upload = |dataset: &str, lines: Vec<u8>| {
        let mut ask = Ask::new("POST", &format!("/v1/ingest/{dataset}"));
        ask.body = lines;
        let reply = ask.of(&fakes);
        (reply.status, body(&reply)["code"].as_str().map(str::to_owned))
    };
    let events = ndjson((0..200).map(event));
    assert_eq!(upload("http_requests", events.clone()), (422, Some("records_of_other_dataset".into())));
    assert_eq!(upload("dns_logs", events.clone()), (422, Some("records_of_other_dataset".into())));
    assert_eq!(fakes.bucket.contents().len(), 0, "nothing is stored");
    assert_eq!(upload("firewall_events", events), (200, None));
    for dataset in Dataset::ALL {
        // Whatever Logpush may send to test a destination is no reason to refuse the job.
        assert_eq!(upload(dataset.name(), br#"{"my":1}"#.to_vec()), (200, None), "{dataset}");
    }
}
