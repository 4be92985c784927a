//! Objects that come again, change, break or go.

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::ledger::BatchState;
use raydex::ledger::calls::BatchDetails;
use raydex::pipeline::BatchOutcome;
use raydex::record::{Dataset, RayId};

use super::support::gzip::gzip;
use super::support::records::{PREFIX, http, ndjson};
use super::support::{Fakes, Fault, Kind, NOW_MS};
use super::{KEY, counts};
use crate::support::ledgers::batch_of;

const DATASET: Dataset = Dataset::HttpRequests;

/// A ray in the nth shard.
fn ray_in(shard: u32) -> String {
    RayId::from_parts(PREFIX + shard, 7).to_string()
}

/// An object with a ray in each of these shards.
fn object(shards: &[u32]) -> Vec<u8> {
    gzip(&ndjson(shards.iter().map(|&shard| http(&ray_in(shard), shards.len()))))
}

/// In which of the first four shards the index finds a ray.
fn found(fakes: &Fakes) -> Vec<u32> {
    (0..4).filter(|&shard| !fakes.lines(&ray_in(shard)).is_empty()).collect()
}

#[test]
fn indexing_again_changes_nothing_and_calls_no_shard() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(&[0, 1, 2]));
    let (before, calls) = (fakes.everything(), fakes.faults.count(Kind::Shard));
    assert_eq!(fakes.ingest(KEY, DATASET), Ok(BatchOutcome::AlreadySealed));
    assert_eq!(fakes.everything(), before);
    assert_eq!(fakes.faults.count(Kind::Shard), calls);
}

#[test]
fn the_same_bytes_written_again_are_indexed_again() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(&[0]));
    let (_, outcome) = fakes.index(KEY, DATASET, &object(&[0]));
    assert!(matches!(outcome, BatchOutcome::Sealed(_)), "the bucket keeps it from now on: {outcome:?}");
    assert_eq!((found(&fakes), fakes.shards.rows().len()), (vec![0], 1));
}

#[test]
fn newer_version_replaces_the_older_in_every_shard() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(&[0, 1]));
    assert_eq!(found(&fakes), [0, 1]);
    fakes.index(KEY, DATASET, &object(&[1, 2, 3]));
    assert_eq!(found(&fakes), [1, 2, 3]);
    assert!(!fakes.shards.rows().contains_key("v1/9e355"), "the older one's entry is gone");
    // And back again: the same version as at first, but written later.
    fakes.index(KEY, DATASET, &object(&[0, 1]));
    assert_eq!(found(&fakes), [0, 1]);
    assert_eq!(fakes.shards.rows().len(), 2);
}

#[test]
fn nonstandard_ids_and_rays_replace_each_other() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, http("test-ray-001", 0).as_bytes());
    assert_eq!(fakes.lines("test-ray-001").len(), 1);
    fakes.index(KEY, DATASET, &object(&[0]));
    assert!(fakes.find(DATASET, "test-ray-001").stats.objects_read == 0);
    fakes.index(KEY, DATASET, http("test-ray-001", 0).as_bytes());
    assert_eq!((found(&fakes), fakes.lines("test-ray-001").len()), (vec![], 1));
}

#[test]
fn damaged_version_leaves_nothing_of_the_older() {
    let whole = object(&[0, 1]);
    for damaged in [&whole[..whole.len() - 1], b"", b"a,b,c\n", b"{}\n", &[&whole[..], b"x"].concat()] {
        let fakes = Fakes::new();
        fakes.index(KEY, DATASET, &object(&[0, 1, 2]));
        let (head, outcome) = fakes.index(KEY, DATASET, damaged);
        assert!(matches!(outcome, BatchOutcome::Quarantined(_)), "{outcome:?}");
        assert!(fakes.shards.rows().is_empty());
        assert_eq!(fakes.kept(KEY).batch.unwrap().object.etag, head.etag);
        // A whole version behind it is indexed as ever.
        let (_, outcome) = fakes.index(KEY, DATASET, &object(&[2, 3]));
        assert_eq!(counts(outcome).rays, 2);
        assert_eq!(found(&fakes), [2, 3]);
    }
}

#[test]
fn slow_reader_stops_once_a_newer_version_exists() {
    let fakes = Fakes::new();
    let slow = Fakes { ledgers: fakes.ledgers.clone(), ..Fakes::with(KEY, &object(&[0, 1])) };
    fakes.index(KEY, DATASET, &object(&[3]));
    fakes.index(KEY, DATASET, &object(&[1, 2]));
    let before = fakes.everything();
    assert_eq!(slow.ingest(KEY, DATASET), Ok(BatchOutcome::Superseded));
    assert_eq!(fakes.everything(), before);
}

#[test]
fn an_object_that_is_gone_is_gone() {
    let fakes = Fakes::new();
    assert_eq!(fakes.ingest(KEY, DATASET), Ok(BatchOutcome::Gone));
    assert!(fakes.bucket.contents().is_empty() && fakes.shards.rows().is_empty());
}

#[test]
fn objects_of_other_keys_are_left_alone() {
    let fakes = Fakes::new();
    fakes.index("logs/other", DATASET, &object(&[0, 1]));
    fakes.index(KEY, DATASET, &object(&[0, 1]));
    fakes.index(KEY, DATASET, b"");
    let found = fakes.find(DATASET, &ray_in(0));
    assert_eq!(found.records.len(), 1);
    assert_eq!(found.records[0].object.key, "logs/other");
}

#[test]
fn the_ledger_says_what_became_of_the_object() {
    let fakes = Fakes::new();
    let stored = gzip(&ndjson([http(&ray_in(0), 0), "null".into(), http("odd", 0), "{}".into()]));
    let (head, _) = fakes.index(KEY, DATASET, &stored);
    let BatchDetails { batch, shards, .. } = fakes.kept(KEY);
    let batch = batch.unwrap();
    assert_eq!((&batch.object.etag, batch.object.size), (&head.etag, stored.len() as u64));
    assert_eq!((batch.dataset.as_str(), batch.state, batch.indexed), ("http_requests", BatchState::Sealed, true));
    assert_eq!((batch.first_seen_ms, batch.sealed_ms), (NOW_MS, Some(NOW_MS)));
    assert_eq!(shards, ["v1/9e355", "v1/nonstandard"]);
    let counts = serde_json::json!({
        "lines": 4, "records": 3, "rays": 2, "nonstandard_ids": 1, "no_ray": 1, "timed_rays": 0, "clock_skewed": 0,
        "rejected": {"not_an_object": 1}
    });
    assert_eq!(serde_json::to_value(batch.counts).unwrap(), counts);
}

#[test]
fn records_far_from_their_rays_time_are_counted() {
    let fakes = Fakes::new();
    let ray = RayId::from_parts(PREFIX, 0);
    let line = |ms: i64| format!(r#"{{"RayID":"{ray}","EdgeStartTimestamp":{}}}"#, ray.unix_ms() + ms);
    let (_, outcome) = fakes.index(KEY, DATASET, &ndjson([line(0), line(5000), line(5001), line(-5001), line(-5000)]));
    assert_eq!(counts(outcome).clock_skewed, 2);
}

#[test]
fn slow_reader_of_an_older_version_leaves_nothing() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(&[3]));
    fakes.index(KEY, DATASET, &object(&[1, 2]));
    let before = fakes.everything();
    // The bucket as the slow one saw it, an older version, and a ledger that has not heard of the newer one.
    let slow = Fakes { shards: fakes.shards.clone(), ..Fakes::with(KEY, &object(&[0, 1])) };
    let Ok(BatchOutcome::Sealed(done)) = slow.ingest(KEY, DATASET) else { panic!("its lines are accounted for") };
    assert!(done.superseded);
    assert_eq!(fakes.everything(), before);
    assert!(!slow.kept(KEY).batch.unwrap().indexed);
    assert_eq!(found(&fakes), [1, 2]);
}

#[test]
fn interrupted_readings_leftovers_go_with_the_next_version() {
    let fakes = Fakes::with(KEY, &object(&[0, 1]));
    // The entries are written, the seal is not.
    fakes.faults.plan(Some(Kind::Ledger), 5, Fault::Fails);
    assert!(fakes.ingest(KEY, DATASET).is_err());
    assert!(fakes.faults.clear());
    assert_eq!(fakes.shards.rows().len(), 2);
    fakes.index(KEY, DATASET, &object(&[1, 2]));
    assert_eq!(found(&fakes), [1, 2]);
    assert_eq!(fakes.shards.rows().len(), 2, "nothing of the older version is left");
}

#[test]
fn removed_object_leaves_nothing_in_the_index() {
    for action in ["DeleteObject", "LifecycleDeletion"] {
        let fakes = Fakes::new();
        fakes.index(KEY, DATASET, &object(&[0, 1, 2]));
        let event = serde_json::json!({"action": action, "bucket": "cdn-logs-raw", "object": {"key": KEY}}).to_string();
        // An event that tells of a removal while the object is there is no more than a hint.
        let still = fakes.parse(&event, 1);
        assert_eq!((still.verdict.name(), still.code), ("ignored", Some("still_there")));
        assert_eq!(found(&fakes), [0, 1, 2]);
        let kept = batch_of(BUCKET_NAME, KEY, &fakes.bucket.object(KEY).unwrap().head.etag);
        fakes.bucket.delete(KEY);
        for _ in 0..2 {
            assert_eq!(fakes.parse(&event, 1).verdict.name(), "removed");
            assert!(fakes.shards.rows().is_empty());
        }
        let batch = fakes.ledgers.batch(&kept).batch.unwrap();
        assert!(batch.gone && !batch.indexed && batch.state == BatchState::Sealed);
        // And it comes back.
        fakes.index(KEY, DATASET, &object(&[0, 1, 2]));
        assert_eq!(found(&fakes), [0, 1, 2]);
    }
}
