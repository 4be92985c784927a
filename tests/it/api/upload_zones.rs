//! Uploads by tokens with zones and datasets: they bring only what they could see.

use raydex::config::Config;
use raydex::limits::{MAX_LINE, MIB};
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::access::rule;
use super::support::gzip::{gzip, members};
use super::support::records::{ndjson, noise, ray};
use super::support::world::config_with;
use super::support::{Fakes, Kind};
use super::{Ask, Reply, json as body, problem};

fn config() -> Config {
    let rules = [
        rule("a-ingest", &json!({ "scopes": ["ingest"], "zones": ["a.example"] })),
        rule("waf-ingest", &json!({ "scopes": ["ingest"], "datasets": ["firewall_events"] })),
        rule("waf-a-ingest", &json!({ "scopes": ["ingest"], "zones": ["a.example"], "datasets": ["firewall_events"] })),
        rule("any-ingest", &json!({ "scopes": ["ingest"] })),
        rule("reader", &json!({ "scopes": ["read", "admin"] })),
    ];
    config_with(&[("API_TOKENS", &serde_json::to_string(&rules).unwrap()), ("API_RATE_PER_MINUTE", "0")])
}

fn send(fakes: &Fakes, token: &str, ask: Ask) -> Reply {
    Ask { authorization: Some(format!("Bearer {token}")), ..ask }.of_deployment(fakes, &Ok(config()))
}

fn line(number: u64, zone: &str) -> String {
    format!(r#"{{"RayID":"{}","ZoneName":"{zone}"}}"#, ray(number))
}

/// A line of the zone with these records inside of it.
fn inside(records: &str) -> String {
    format!(r#"{{"RayID":"{}","ZoneName":"a.example","Subrequests":[{records}]}}"#, ray(4))
}

/// Nothing is stored, announced or left open.
fn is_untouched(fakes: &Fakes) -> bool {
    fakes.bucket.aborted_uploads();
    fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty()
}

#[test]
fn lines_of_ones_own_zone_are_taken() {
    let own = ndjson([line(1, "a.example"), line(2, "A.EXAMPLE"), String::new()]);
    let by_host = ndjson([format!(r#"{{"RayID":"{}","ClientRequestHost":"x.a.example:443"}}"#, ray(3))]);
    let inner = ndjson([inside(r#"{ "RayID":"x" } , {"ZoneName":"a.example"},7"#)]);
    let marked = [b"\xef\xbb\xbf", own.as_slice()].concat();
    for text in [own.clone(), by_host, inner, marked, gzip(&own), members(&[&own, b"", &own])] {
        for pieces in [vec![1], vec![7, 100], vec![100_000]] {
            let fakes = Fakes::new();
            let reply = send(&fakes, "a-ingest", Ask { pieces, ..Ask::upload(&text) });
            assert_eq!((reply.status, fakes.queue.sent().len()), (200, 1), "{}", String::from_utf8_lossy(&reply.body));
        }
    }
}

#[test]
fn one_line_of_another_zone_refuses_the_upload() {
    let long = format!(r#"{{"ZoneName":"a.example","x":"{}"}}"#, "x".repeat(MAX_LINE));
    for (other, what) in [
        (line(9, "b.example"), "another zone"),
        (inside(r#"{"RayID":"x","ZoneName":"a.example"},{"RayID":"x","ZoneName":"b.example"}"#), "another zone inside"),
        (inside(r#"{"Subrequests":[{"ZoneName":"b.example"}]}"#), "another zone inside of what is inside"),
        (format!(r#"{{"RayID":"{}"}}"#, ray(9)), "no zone"),
        (r#"{"ZoneName":"b.example","ZoneName":"a.example"}"#.into(), "two zones"),
        ("no record".into(), "no record"),
        (long, "a line that is too long"),
    ] {
        let own = ndjson((0..20).map(|number| line(number, "a.example")));
        let text = [own.as_slice(), &ndjson([&other]), &own, &ndjson([&other])].concat();
        let first = own.len();
        for stored in [text.clone(), gzip(&text)] {
            for pieces in [vec![500], vec![100_000]] {
                let fakes = Fakes::new();
                let reply = send(&fakes, "a-ingest", Ask { pieces, ..Ask::upload(&stored) });
                assert_eq!(problem(&reply), (403, "other_zone".into()), "{what}");
                let words = body(&reply)["detail"].as_str().unwrap().to_owned();
                let second = first + other.len() + 1 + own.len();
                let expected = format!(
                    "Of 42 lines, 2 are not of the zones of your token; the first begin at byte {first}, {second}."
                );
                assert_eq!(words, expected, "{what}");
                assert!(is_untouched(&fakes), "{what}");
            }
        }
        // Others may upload it.
        assert_eq!(send(&Fakes::new(), "any-ingest", Ask::upload(&text)).status, 200, "{what}");
    }
}

#[test]
fn refusal_names_the_first_lines_alone() {
    let text = ndjson((0..100).map(|number| line(number, "b.example")));
    let reply = send(&Fakes::new(), "a-ingest", Ask::upload(&text));
    let words = body(&reply)["detail"].as_str().unwrap().to_owned();
    assert!(words.starts_with("Of 100 lines, 100 are not") && words.matches(',').count() == 8, "{words}");
}

#[test]
fn last_line_of_many_parts_refuses_all() {
    let own = ndjson(
        noise(9, 6 * MIB)
            .chunks(1000)
            .map(|noise| format!(r#"{{"ZoneName":"a.example","x":"{}"}}"#, hex::encode(noise))),
    );
    let fakes = Fakes::new();
    let text = [own.as_slice(), &ndjson([line(1, "b.example")])].concat();
    let reply = send(&fakes, "a-ingest", Ask { pieces: vec![70_000], ..Ask::upload(&text) });
    assert_eq!((problem(&reply).1, fakes.bucket.aborted_uploads()), ("other_zone".into(), 1));
    assert!(is_untouched(&fakes) && fakes.faults.count(Kind::Part) > 0);
    let reply = send(&fakes, "a-ingest", Ask { pieces: vec![70_000], ..Ask::upload(&own) });
    assert_eq!((reply.status, fakes.memory.available()), (200, Fakes::new().memory.available()));
}

#[test]
fn damaged_body_is_refused_before_it_is_stored() {
    let mut damaged = gzip(&ndjson((0..2_000).map(|number| line(number, "a.example"))));
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    let fakes = Fakes::new();
    let refused = (422, "unreadable_body".into());
    assert_eq!(problem(&send(&fakes, "a-ingest", Ask::upload(&damaged))), refused);
    assert!(is_untouched(&fakes));
    let cut = &damaged[..last - 3];
    assert_eq!(problem(&send(&fakes, "a-ingest", Ask::upload(cut))), refused);
    assert!(is_untouched(&fakes));
}

#[test]
fn zone_of_the_folder_fills_in_for_uploads() {
    let rules = [rule("a-ingest", &json!({ "scopes": ["ingest"], "zones": ["a.example"] }))];
    let zones = |zone: &str| {
        config_with(&[
            ("API_TOKENS", &serde_json::to_string(&rules).unwrap()),
            ("LOG_PREFIX", "logs/"),
            ("DATASETS", &format!(r#"{{"logs/http_requests/":{{"dataset":"http_requests","zone":"{zone}"}}}}"#)),
        ])
    };
    let text = ndjson([format!(r#"{{"RayID":"{}"}}"#, ray(1))]);
    for (zone, status) in [("a.example", 200), ("b.example", 403)] {
        let ask = Ask { authorization: Some("Bearer a-ingest".into()), ..Ask::upload(&text) };
        assert_eq!(ask.of_deployment(&Fakes::new(), &Ok(zones(zone))).status, status, "{zone}");
    }
}

#[test]
fn other_dataset_is_refused_at_the_door() {
    let text = ndjson([line(1, "a.example")]);
    for token in ["waf-ingest", "waf-a-ingest"] {
        let fakes = Fakes::new();
        let reply = send(&fakes, token, Ask::upload(&text));
        assert_eq!(problem(&reply), (403, "other_dataset".into()), "{token}");
        assert!(is_untouched(&fakes) && fakes.faults.count(Kind::Body) == 0, "{token}");
    }
    let event = ndjson([r#"{"RayID":"9e35500000000001","Action":"block","ClientRequestHost":"b.example"}"#]);
    let ask = || Ask { body: event.clone(), ..Ask::new("POST", "/v1/ingest/firewall_events") };
    assert_eq!(send(&Fakes::new(), "waf-ingest", ask()).status, 200);
    assert_eq!(problem(&send(&Fakes::new(), "waf-a-ingest", ask())).1, "other_zone");
}

#[test]
fn batch_names_its_uploader() {
    let fakes = Fakes::new();
    let key = body(&send(&fakes, "a-ingest", Ask::upload(&ndjson([line(1, "a.example")]))))["key"].clone();
    let key = key.as_str().unwrap();
    fakes.ingest(key, Dataset::HttpRequests).unwrap();
    let path = format!("/v1/batches/{}", fakes.kept(key).batch.unwrap().id);
    let uploader = || body(&send(&fakes, "reader", Ask::get(&path))).get("uploader").cloned();
    assert_eq!(uploader(), Some("a-ingest".into()));
    // Another version at that key is somebody else's.
    fakes.bucket.store(key, b"{}\n");
    assert_eq!(uploader(), None::<Value>);
    let large = ndjson(noise(9, 6 * MIB).chunks(1000).map(|noise| format!(r#"{{"x":"{}"}}"#, hex::encode(noise))));
    let reply = send(&fakes, "any-ingest", Ask::upload(&large));
    let key = body(&reply)["key"].as_str().unwrap().to_owned();
    assert_eq!(fakes.bucket.object(&key).unwrap().uploader.as_deref(), Some("any-ingest"));
}
