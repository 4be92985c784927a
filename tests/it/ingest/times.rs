//! Batches in the shards of their records' own times, where none of their rays are.

use raydex::batch::BatchError;
use raydex::limits::MAX_SHARDS;
use raydex::record::{Dataset, RayId};

use super::KEY;
use super::support::Fakes;
use super::support::records::{PREFIX, ndjson, ray};
use super::support::world::quarantined;

const DATASET: Dataset = Dataset::HttpRequests;

/// A record whose ray is in the tests' own shard, and whose time is so many prefixes from there.
fn line(suffix: u64, prefixes: i64) -> String {
    let prefix = u32::try_from(i64::from(PREFIX) + prefixes).unwrap();
    let ns = RayId::prefix_start_ns(prefix) + 5;
    format!(r#"{{"RayID":"{}","EdgeStartTimestamp":{ns}}}"#, ray(suffix))
}

fn shards(fakes: &Fakes) -> Vec<String> {
    fakes.shards.rows().into_keys().collect()
}

#[test]
fn batch_is_in_every_records_shard_until_removed() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &ndjson([line(1, 0), line(2, 5), line(3, -2), line(4, 5)]));
    let names = ["v1/9e353", "v1/9e355", "v1/9e35a"];
    assert_eq!(shards(&fakes), names);
    assert_eq!(fakes.shards.rows()[names[2]].len(), 1, "an entry, and no rays");
    assert_eq!(fakes.kept(KEY).shards.len(), 3);
    for suffix in 1..=4 {
        assert_eq!(fakes.lines(&ray(suffix).to_string()).len(), 1, "rays are found by their own bits");
    }
    // Another version has no such record.
    fakes.index(KEY, DATASET, &ndjson([line(1, 0), line(3, -2)]));
    assert_eq!(shards(&fakes), names[..2]);
    fakes.bucket.delete(KEY);
    let event =
        serde_json::json!({"action": "DeleteObject", "bucket": "cdn-logs-raw", "object": {"key": KEY}}).to_string();
    assert_eq!(fakes.parse(&event, 1).verdict.name(), "removed");
    assert!(shards(&fakes).is_empty());
}

#[test]
fn scattered_times_fill_the_allowed_shards() {
    let count = i64::try_from(MAX_SHARDS).unwrap();
    // The first one is the rays' own.
    let lines = |end: i64| ndjson((0..end).map(|number| line(1, -number)));
    let (_, outcome) = Fakes::new().index(KEY, DATASET, &lines(count + 1));
    assert_eq!(quarantined(outcome), BatchError::TooManyShards { shards: MAX_SHARDS + 1 });
    let (_, outcome) = Fakes::new().index(KEY, DATASET, &lines(3 * count));
    assert!(matches!(quarantined(outcome), BatchError::TooManyShards { shards } if shards > MAX_SHARDS));
}
