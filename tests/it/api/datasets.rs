//! A lookup over several datasets: one call of one shard, each record by the rules of its own dataset, and nothing of a
//! dataset that the caller may not see.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use raydex::config::Config;
use raydex::record::Dataset;
use raydex::sample::DATASETS;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::support::records::ray;
use super::support::{Fakes, Kind};
use super::{Ask, Reply, json as body, problem, without_trailer};

/// A record of ray 1 in each dataset, with a key to store it under.
fn records() -> [(Dataset, &'static str, String); 3] {
    let id = ray(1);
    [
        (
            Dataset::HttpRequests,
            "logs/http_requests/a",
            format!(
                r#"{{"RayID":"{id}","ClientIP":"198.18.7.9","ClientRequestHost":"a.example","Cookies":{{"s":"x"}},"EdgeResponseStatus":200}}"#
            ),
        ),
        (
            Dataset::FirewallEvents,
            "logs/firewall_events/b",
            format!(r#"{{"RayID":"{id}","ClientIP":"198.18.7.9","ClientRequestHost":"a.example","Action":"block"}}"#),
        ),
        (
            Dataset::WorkersTraceEvents,
            "logs/workers_trace_events/c",
            format!(r#"{{"Event":{{"RayID":"{id}","Request":{{"URL":"https://a.example/"}}}},"Outcome":"ok"}}"#),
        ),
    ]
}

/// A world that holds the records of these datasets, each in a batch of its own.
fn world(datasets: &[Dataset]) -> Fakes {
    let fakes = Fakes::new();
    for (dataset, key, line) in records() {
        if datasets.contains(&dataset) {
            fakes.index(key, dataset, line.as_bytes());
        }
    }
    fakes
}

/// Callers who see everything, two datasets, one, one as a viewer, and two of one zone.
fn config() -> Config {
    deployment(&[
        rule("all", &json!({})),
        rule("two", &json!({ "datasets": ["http_requests", "workers_trace_events"] })),
        rule("waf", &json!({ "datasets": ["firewall_events"] })),
        rule("viewer", &json!({ "role": "viewer" })),
        rule("waf-viewer", &json!({ "role": "viewer", "datasets": ["firewall_events"] })),
        rule("zone", &json!({ "zones": ["a.example"], "datasets": ["http_requests", "firewall_events"] })),
        rule("other-zone", &json!({ "zones": ["b.example"] })),
    ])
}

fn send(fakes: &Fakes, token: &str, ask: Ask) -> Reply {
    Ask { authorization: Some(format!("Bearer {token}")), ..ask }.of_deployment(fakes, &Ok(config()))
}

fn get(fakes: &Fakes, token: &str, query: &str) -> Reply {
    send(fakes, token, Ask::get(&format!("/v1/rays/{}{query}", ray(1))))
}

fn filter(key: &str, value: &str) -> String {
    let filter = json!({ "where": { "key": key, "operator": "eq", "value": value } }).to_string();
    utf8_percent_encode(&filter, NON_ALPHANUMERIC).to_string()
}

/// The names of the datasets of the records in a document.
fn datasets(reply: &Value) -> Vec<&str> {
    reply["records"].as_array().unwrap().iter().map(|record| record["dataset"].as_str().unwrap()).collect()
}

#[test]
fn ray_in_three_datasets_costs_one_shard_call() {
    let fakes = world(&DATASETS);
    let before = fakes.faults.count(Kind::Shard);
    let reply = body(&get(&fakes, "all", ""));
    assert_eq!(fakes.faults.count(Kind::Shard) - before, 1);
    assert_eq!(datasets(&reply), ["http_requests", "firewall_events", "workers_trace_events"]);
    for (shown, (_, key, line)) in reply["records"].as_array().unwrap().iter().zip(records()) {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&shown["batch"]["key"], &shown["record"]), (&key.into(), &line));
    }
    assert_eq!((&reply["cost"]["shards_asked"], &reply["cost"]["objects_read"]), (&1.into(), &3.into()));
    let native = get(&fakes, "all", "?format=native");
    let lines = records().map(|(_, _, line)| line + "\n").concat();
    assert_eq!(String::from_utf8_lossy(&native.body), lines);
    let rays = json!({ "rays": [ray(1).to_string()] }).to_string().into_bytes();
    let mut many = send(&fakes, "all", Ask { body: rays, ..Ask::new("POST", "/v1/rays") });
    many.body = without_trailer(&many.body);
    let many = body(&many);
    assert_eq!((&many["records"], &many["cost"]["shards_asked"]), (&reply["records"], &1.into()));
}

#[test]
fn forms_with_columns_are_of_one_dataset() {
    let fakes = world(&DATASETS);
    for format in ["csv", "partner"] {
        let absent = get(&fakes, "all", &format!("?format={format}"));
        let named = get(&fakes, "all", &format!("?format={format}&dataset=http_requests"));
        assert_eq!((absent.status, &absent.body), (200, &named.body), "{format}");
    }
    let events = get(&fakes, "all", "?format=csv&dataset=firewall_events&fields=Action");
    assert_eq!(String::from_utf8_lossy(&events.body), "Action\r\nblock\r\n");
}

#[test]
fn datasets_of_others_change_nothing() {
    for (token, seen) in [
        ("two", vec![Dataset::HttpRequests, Dataset::WorkersTraceEvents]),
        ("waf", vec![Dataset::FirewallEvents]),
        ("waf-viewer", vec![Dataset::FirewallEvents]),
        ("zone", vec![Dataset::HttpRequests, Dataset::FirewallEvents]),
    ] {
        let (all, theirs) = (world(&DATASETS), world(&seen));
        let none = world(&DATASETS.into_iter().filter(|dataset| !seen.contains(dataset)).collect::<Vec<_>>());
        for query in ["", "?format=native", &format!("?filter={}", filter("ClientRequestHost", "a.example"))] {
            let reply = get(&all, token, query);
            assert_eq!(reply, get(&theirs, token, query), "{token} {query}");
            assert_eq!(reply.status, 200, "{token} {query}");
            // Nothing but what is kept from them, as nothing at all.
            assert_eq!(get(&none, token, query), get(&Fakes::new(), token, query), "{token} {query}");
            let gone = world(&DATASETS);
            for (dataset, key, _) in records() {
                if !seen.contains(&dataset) {
                    gone.bucket.delete(key);
                }
            }
            assert_eq!(get(&gone, token, query), reply, "{token} {query}");
        }
        for dataset in Dataset::WITH_RAY.into_iter().filter(|dataset| !seen.contains(dataset)) {
            let reply = get(&all, token, &format!("?dataset={dataset}"));
            assert_eq!(problem(&reply), (403, "other_dataset".into()), "{token} {dataset}");
        }
    }
}

#[test]
fn truncation_counts_the_datasets_of_the_caller_alone() {
    let fakes = Fakes::new();
    let [(http, key, line), (waf, event_key, event), _] = records();
    let lines = (0..1001).map(|number| format!("{},\"number\":{number}}}\n", line.trim_end_matches('}')));
    fakes.index(key, http, lines.collect::<String>().as_bytes());
    fakes.index(event_key, waf, event.as_bytes());
    let truncated = |token| {
        let reply = body(&get(&fakes, token, ""));
        (reply["truncated"].clone(), reply["records"].as_array().unwrap().len())
    };
    assert_eq!(truncated("all"), (true.into(), 1000));
    assert_eq!(truncated("waf"), (false.into(), 1));
}

#[test]
fn filter_meets_records_as_their_dataset_shows_them() {
    let fakes = world(&DATASETS);
    let found = |token: &str, key: &str, value: &str| {
        let reply = get(&fakes, token, &format!("?filter={}", filter(key, value)));
        assert_eq!(reply.status, 200, "{token} {key}");
        datasets(&body(&reply)).join(" ")
    };
    assert_eq!(found("all", "ClientRequestHost", "a.example"), "http_requests firewall_events");
    // A field that only one of the datasets has.
    assert_eq!(found("all", "Action", "block"), "firewall_events");
    assert_eq!(found("viewer", "Action", "block"), "firewall_events");
    assert_eq!(found("viewer", "EdgeResponseStatus", "200"), "http_requests");
    // What a viewer sees of an address is its network, in each dataset.
    assert_eq!(found("viewer", "ClientIP", "198.18.7.0"), "http_requests firewall_events");
    assert_eq!(found("viewer", "ClientIP", "198.18.7.9"), "");
    for (token, key) in [("viewer", "Cookies"), ("viewer", "Novel"), ("waf-viewer", "Novel"), ("waf-viewer", "Cookies")]
    {
        let reply = get(&fakes, token, &format!("?filter={}", filter(key, "x")));
        assert_eq!(problem(&reply), (403, "field_masked".into()), "{token} {key}");
    }
}

#[test]
fn masks_and_zones_are_those_of_each_dataset() {
    let fakes = world(&DATASETS);
    let reply = body(&get(&fakes, "viewer", ""));
    let [http, waf, trace] = [0, 1, 2].map(|place| reply["records"][place]["record"].clone());
    assert_eq!((&http["ClientIP"], &waf["ClientIP"]), (&"198.18.7.0".into(), &"198.18.7.0".into()));
    assert_eq!((&http["Cookies"]["s"], &trace["Outcome"]), (&"[masked]".into(), &"ok".into()));
    assert_eq!(datasets(&body(&get(&fakes, "zone", ""))), ["http_requests", "firewall_events"]);
    let other = get(&fakes, "other-zone", "");
    assert_eq!(problem(&other), (404, "ray_not_found".into()));
    assert_eq!(other, get(&Fakes::new(), "other-zone", ""), "not even what it cost");
}
