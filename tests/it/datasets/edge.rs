//! Records of the edge logger beside Logpush's of the same request: a dataset of their own, which is in nothing that is asked of
//! `http_requests`, and which no partner gets.

use raydex::config::read_edge_settings;
use raydex::edge::{EdgeBatch, EdgeExchange, EdgeLogger};
use raydex::record::{Dataset, RayId};
use serde_json::{Value, json};

use super::{arrive, delivered, searched};
use crate::api::{Ask, json as body};
use crate::support::Fakes;
use crate::support::partner::delivering;

/// 2026-11-22T08:30:00Z.
const START_MS: i64 = 1_795_336_200_000;

/// A batch of the edge logger with this request, as it would be stored.
fn edge_batch(ray: RayId) -> EdgeBatch {
    let settings = read_edge_settings(|_| None).unwrap();
    let mut logger = EdgeLogger::new(settings, "00c0ffee00c0ffee".into());
    let exchange = json!({
        "method": "GET", "url": "https://a.example/x", "headers": format!("cf-ray\n{ray}-HKG\nuser-agent\ncurl"), "cf": null,
        "startMs": START_MS, "headersMs": START_MS + 1, "endMs": START_MS + 2, "status": 200, "responseType": null,
        "responseBytes": 7, "outcome": "completed",
    });
    logger.log(&EdgeExchange::parse(&exchange.to_string()).unwrap(), None, 0, START_MS);
    logger.buffer.close(START_MS + 10_000);
    logger.buffer.take_due(0, START_MS + 10_000).unwrap().0.as_ref().clone()
}

fn datasets(answer: &Value) -> Vec<&str> {
    answer["records"].as_array().unwrap().iter().map(|record| record["dataset"].as_str().unwrap()).collect()
}

#[test]
fn edge_record_is_told_from_that_of_logpush() {
    let ray = RayId::at(START_MS, 7).unwrap();
    let batch = edge_batch(ray);
    let (mut fakes, config) = (Fakes::new(), delivering(&[]));
    assert_eq!(arrive(&mut fakes, &config, &batch.key, &batch.body).verdict.name(), "sealed");
    let look_up = |fakes: &Fakes, query: &str| body(&Ask::get(&format!("/v1/rays/{ray}{query}")).of(fakes));
    let first = look_up(&fakes, "");
    assert_eq!(datasets(&first), ["edge_requests"]);
    assert_eq!(first["records"][0]["record"]["EdgeLoggerIsolateID"], "00c0ffee00c0ffee");
    let line = format!(r#"{{"RayID":"{ray}","EdgeStartTimestamp":"2026-11-22T08:30:00Z","EdgeResponseStatus":200}}"#);
    let key = "logs/http_requests/20261122/20261122T083000Z_20261122T083030Z_a.log.gz";
    assert_eq!(arrive(&mut fakes, &config, key, line.as_bytes()).verdict.name(), "sealed");
    assert_eq!(datasets(&look_up(&fakes, "")), ["http_requests", "edge_requests"]);
    assert_eq!(datasets(&look_up(&fakes, "?dataset=http_requests")), ["http_requests"]);
    assert_eq!(searched(&fakes, Dataset::HttpRequests), [line]);
    let [found] = searched(&fakes, Dataset::EdgeRequests).try_into().unwrap();
    assert!(found.contains(r#""EdgeLoggerOutcome":"completed""#), "{found}");
}

#[test]
fn partner_gets_no_edge_record_from_any_folder() {
    let ray = RayId::at(START_MS, 7).unwrap();
    let batch = edge_batch(ray);
    for (key, verdict) in [
        (&*batch.key, "sealed"),
        ("logs/20261122/20261122T083000Z_20261122T083030Z_a.log.gz", "sealed"),
        ("logs/requests/20261122/20261122T083000Z_20261122T083030Z_a.log.gz", "sealed"),
        ("logs/http_requests/20261122/20261122T083000Z_20261122T083030Z_a.log.gz", "quarantined"),
    ] {
        let (mut fakes, config) = (Fakes::new(), delivering(&[]));
        assert_eq!(arrive(&mut fakes, &config, key, &batch.body).verdict.name(), verdict, "{key}");
        let kept = fakes.kept(key);
        assert_eq!((delivered(&fakes, key).len(), kept.payloads.len()), (0, 0), "{key}");
        if verdict == "sealed" {
            assert_eq!(kept.batch.unwrap().dataset, "edge_requests", "{key}");
        }
    }
}
