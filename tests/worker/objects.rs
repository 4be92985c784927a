//! Objects of the bucket: the same again, another version, nonstandard ids, damaged ones, and a bucket that fails.

use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::{Value, json};

use super::harness::{Harness, event};
use super::spellings::gzip;

/// A batch of requests; another seed gives other rays.
fn batch(seed: u64) -> SampleBatch {
    SamplePlan { seed, batches: 1, window_ms: 30_000, records: 200, ..SamplePlan::default() }
        .batch(Dataset::HttpRequests, 0)
}

/// The status of a lookup of each ray of the batch, all the same.
fn status_of_all(harness: &Harness, batch: &SampleBatch) -> u16 {
    let status = |ray: String| harness.native("http_requests", &ray).status;
    let mut all: Vec<u16> = batch.lines.iter().map(|place| status(place.ray.to_string())).collect();
    all.dedup();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

#[test]
fn reindexing_changes_nothing_and_new_versions_replace() {
    let harness = Harness::start();
    let (old, new) = (batch(1), batch(2));
    let first = harness.index(&old.key, &old.gzip);
    assert_eq!(first["verdict"], "sealed");
    // Of each of two shards: the entry, its rays, its links to parents.
    assert!(first["batch"]["rows_written"].as_u64().unwrap() <= 6, "{first}");

    let again = harness.index(&old.key, &old.gzip);
    assert_eq!(again["verdict"], "sealed", "the bucket keeps it from now on");
    assert_eq!(status_of_all(&harness, &old), 200);

    assert_eq!(harness.index(&old.key, &new.gzip)["verdict"], "sealed");
    assert_eq!((status_of_all(&harness, &old), status_of_all(&harness, &new)), (404, 200));
}

#[test]
fn ids_of_other_forms_are_found_as_written() {
    let harness = Harness::start();
    let lines = [
        r#"{"RayID":"test-ray-001","EdgeStartTimestamp":1795301186425000000,"n":1}"#,
        r#"{"RayID":"3b2f5ea2f51a17b","EdgeStartTimestamp":1795301186425000000,"n":2}"#,
        r#"{"RayID":"test-ray-001","EdgeStartTimestamp":1795301186425000000,"n":3}"#,
    ];
    let verdict = harness.index("logs/odd.log.gz", &gzip(lines.join("\n").as_bytes()));
    assert_eq!(verdict["batch"]["nonstandard_ids"], 3, "{verdict}");
    assert_eq!(harness.native("http_requests", "test-ray-001").text(), format!("{}\n{}\n", lines[0], lines[2]));
    assert_eq!(harness.native("http_requests", "3b2f5ea2f51a17b").text(), format!("{}\n", lines[1]));
    assert_ne!(harness.native("http_requests", "test-ray-002").status, 200);
}

#[test]
fn damaged_object_is_quarantined_and_touches_nothing_else() {
    let harness = Harness::start();
    let good = batch(1);
    let mut flipped = good.gzip.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let damaged = [
        ("logs/cut.log.gz", good.gzip[..middle].to_vec()),
        ("logs/flipped.log.gz", flipped),
        ("logs/csv.log.gz", gzip(b"RayID,Status\na5e33aff24280fa2,200\n")),
        ("logs/array.log.gz", gzip(br#"[{"RayID":"a5e33aff24280fa2"}]"#)),
        ("logs/no-rays.log.gz", gzip(br#"{"QueryName":"example.com"}"#)),
    ];
    let mut bodies: Vec<_> = damaged.iter().map(|(key, bytes)| event(&harness.put(key, bytes))).collect();
    bodies.insert(2, event(&harness.put(&good.key, &good.gzip)));
    let parsed = harness.parse(&bodies);
    assert_eq!(parsed.acked, [true; 6]);
    assert_eq!(parsed.messages[2]["verdict"], "sealed");
    for (key, _) in &damaged {
        let said = parsed.messages.iter().find(|line| line["key"] == *key).unwrap();
        assert_eq!(said["verdict"], "quarantined", "{said}");
        assert!(said["code"].is_string() && said["reason"].is_string(), "{said}");
    }
    let again = harness.parse(&bodies);
    let verdicts = json!({ "already_quarantined": 5, "already_sealed": 1 });
    assert_eq!((again.acked, &again.batch["verdicts"]), (vec![true; 6], &verdicts));
    assert_eq!(status_of_all(&harness, &good), 200);
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa2").status, 404);
}

#[test]
fn failed_bucket_operations_are_repeated() {
    let harness = Harness::with(json!({ "faulty": true }));
    let batch = batch(1);
    let key = batch.key.as_str();
    let message = [event(&harness.put(key, &batch.gzip))];
    for (op, fault) in [("get", "error"), ("get", "cut")] {
        harness.faults(&json!([{ "op": op, "key": key, "fault": fault }]));
        let parsed = harness.parse(&message);
        let retry_s = parsed.retry_s[0].unwrap();
        assert!(parsed.acked == [false] && (8..=10).contains(&retry_s), "{op} {fault}: {retry_s}");
        assert_eq!(parsed.messages[0]["code"], "backend_failed", "{op} {fault}");
    }
    let parsed = harness.parse(&message);
    assert_eq!((parsed.acked, &parsed.messages[0]["verdict"]), (vec![true], &"sealed".into()));
    assert_eq!(status_of_all(&harness, &batch), 200);

    let ray = batch.lines[0].ray.to_string();
    harness.faults(&json!([{ "op": "get", "key": key, "fault": "error" }]));
    harness.native("http_requests", &ray).assert_problem(503, "unavailable");
    harness.remove(key);
    harness.native("http_requests", &ray).assert_problem(502, "batch_unreadable");
}

#[test]
fn ray_in_three_datasets_costs_one_shard_call() {
    let harness = Harness::start();
    let id = "9e35500000000001";
    let lines = [
        ("http_requests", format!(r#"{{"RayID":"{id}","EdgeResponseStatus":200}}"#)),
        ("firewall_events", format!(r#"{{"RayID":"{id}","Action":"block"}}"#)),
        ("workers_trace_events", format!(r#"{{"Event":{{"RayID":"{id}"}},"Outcome":"ok"}}"#)),
    ];
    for (dataset, line) in &lines {
        let verdict = harness.index(&format!("logs/{dataset}/a.log.gz"), &gzip(line.as_bytes()));
        assert_eq!(verdict["verdict"], "sealed", "{verdict}");
    }
    let all = harness.read(&format!("/v1/rays/{id}"));
    let shown = all["records"].as_array().unwrap().iter().map(|record| (&record["dataset"], &record["record"]));
    let expected =
        lines.each_ref().map(|(dataset, line)| (json!(dataset), serde_json::from_str::<Value>(line).unwrap()));
    assert!(shown.eq(expected.iter().map(|(dataset, record)| (dataset, record))), "{all}");
    assert_eq!((&all["cost"]["shards_asked"], &all["cost"]["objects_read"]), (&1.into(), &3.into()), "{all}");
    for (dataset, line) in &lines {
        assert_eq!(harness.native(dataset, id).text(), format!("{line}\n"));
    }
}
