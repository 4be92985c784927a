//! A world with other datasets, and one without.

use raydex::config::Config;
use raydex::record::Dataset;
use serde_json::json;

use super::questions::question;
use super::{Random, Tally, Twins, World, without_times};
use crate::api::access::rule;
use crate::api::{Ask, Reply, problem};
use crate::support::Fakes;
use crate::support::records::{ndjson, ray};
use crate::support::world::config_with;

fn config() -> Config {
    let rights = json!(["read", "deliver", "admin", "ingest"]);
    let token = |id: &str, role: &str, dataset: &str| {
        rule(id, &json!({ "datasets": [dataset], "role": role, "scopes": rights }))
    };
    let rules = [
        token("http-forensics", "forensics", "http_requests"),
        token("http-viewer", "viewer", "http_requests"),
        token("waf-forensics", "forensics", "firewall_events"),
        token("waf-viewer", "viewer", "firewall_events"),
        rule("all", &json!({ "scopes": rights })),
    ];
    config_with(&[("API_TOKENS", &serde_json::to_string(&rules).unwrap()), ("API_RATE_PER_MINUTE", "0")])
}

#[test]
fn other_datasets_change_no_byte_of_answers() {
    let (mut tally, config) = (Tally::default(), Ok(config()));
    for seed in 0..20 {
        let mut random = Random::new(500 + seed);
        let world = World::random(&mut random);
        for (dataset, callers) in [
            (Dataset::HttpRequests, ["http-forensics", "http-viewer"]),
            (Dataset::FirewallEvents, ["waf-forensics", "waf-viewer"]),
        ] {
            let narrow = world.build(|of, _| of == dataset);
            let twins = Twins { whole: world.build(|_, _| true), narrow, config: config.clone() };
            for _ in 0..25 {
                let ask = question(&mut random, &world);
                let caller = *random.of(&callers);
                twins.follow(&mut tally, caller, &ask, without_times);
            }
        }
    }
    println!("{tally:?}");
    assert!(tally.questions == 1_000 && tally.successes > 400 && tally.with_records > 100, "{tally:?}");
    assert!(tally.pages > 50 && tally.refused > 50, "{tally:?}");
}

fn send(fakes: &Fakes, token: &str, ask: Ask) -> Reply {
    Ask { authorization: Some(format!("Bearer {token}")), ..ask }.of_deployment(fakes, &Ok(config()))
}

#[test]
fn batches_of_other_datasets_do_not_exist() {
    let fakes = Fakes::new();
    let line = |number| format!(r#"{{"RayID":"{}","Action":"block"}}"#, ray(number));
    let key = "logs/firewall_events/a.log";
    fakes.index(key, Dataset::FirewallEvents, &ndjson([line(1)]));
    let id = fakes.kept(key).batch.unwrap().id;
    let batch = format!("/v1/batches/{id}");
    let announcement = || Ask { body: json!({ "key": key }).to_string().into(), ..Ask::new("POST", "/v1/batches") };
    for (token, status) in [("waf-forensics", 200), ("http-forensics", 404), ("all", 200)] {
        assert_eq!(send(&fakes, token, Ask::get(&batch)).status, status, "{token}");
        let replay = send(&fakes, token, Ask::post(&format!("{batch}/replay"), "why not"));
        assert_eq!(replay.status, if status == 404 { 404 } else { 409 }, "{token}");
        let announced = send(&fakes, token, announcement());
        assert_eq!(announced.status, if status == 404 { 403 } else { 202 }, "{token}");
    }
    let payload = format!("/v1/payloads/{id}.1.000000/drop");
    assert_eq!(problem(&send(&fakes, "http-forensics", Ask::post(&payload, "why not"))).1, "no_such_payload");
    for path in ["/v1/stats", "/metrics", "/v1/backfills", "/v1/dead-letters", "/v1/audit"] {
        assert_eq!(send(&fakes, "waf-forensics", Ask::get(path)).status, 403, "{path}");
        assert_eq!(send(&fakes, "all", Ask::get(path)).status, 200, "{path}");
    }
    let coverage = "/v1/coverage?start=2026-03-28T08:00:00Z&dataset=firewall_events";
    assert_eq!(problem(&send(&fakes, "http-forensics", Ask::get(coverage))), (403, "other_dataset".into()));
}
