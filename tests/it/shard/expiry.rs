//! What a shard forgets by itself, and when it looks again.

use std::cell::Cell;

use raydex::backend::BackendError;
use raydex::bucket_keys::{sidecar_keys, version_digest};
use raydex::index::ObjectVersion;
use raydex::index::calls::ObjectOrigin;
use raydex::index::claims::ClaimLines;
use raydex::index::expiry::{ShardExpiry, expire};
use raydex::limits::{CLAIMS_KEPT_MS, EXPIRED_AT_ONCE, EXPIRY_AGAIN_MS, EXPIRY_LOOK_MS, EXPIRY_MARGIN_MS};

use super::claims::{WRITTEN_MS, claim, plan};
use super::support::{Fault, Faults, Kind, MemoryBucket, SqliteSql, run};
use super::{Shard, entry, version};

const DAY_MS: i64 = 86_400_000;

/// The bucket keeps `short/` for 7 days, `ever/` for ever, and the others for 90.
fn kept(key: &str) -> Option<i64> {
    match key.split('/').next() {
        Some("short") => Some(7 * DAY_MS),
        Some("ever") => None,
        _ => Some(90 * DAY_MS),
    }
}

fn try_look(shard: &Shard, after_ms: i64) -> Result<ShardExpiry, BackendError> {
    let (object, bucket) = ((&shard.sql, &Cell::new(false)), MemoryBucket::new(&Faults::default()));
    run(expire(object, ("logs", &bucket), kept, WRITTEN_MS + after_ms))
}

fn look(shard: &Shard, after_ms: i64) -> ShardExpiry {
    try_look(shard, after_ms).unwrap()
}

/// A shard with these batches, each with a ray of its own.
fn shard_of(keys: &[&str]) -> Shard {
    let shard = Shard::new();
    for (suffix, key) in (1..).zip(keys) {
        shard.put(&entry(version(key, "e", WRITTEN_MS), &[(suffix, 0)]));
    }
    shard
}

fn keys(shard: &Shard) -> Vec<String> {
    let mut keys: Vec<String> =
        (1..4).flat_map(|suffix| shard.find(&super::ray(suffix).to_string())).map(|found| found.0).collect();
    keys.sort();
    keys
}

#[test]
fn entry_expires_a_day_after_its_batch() {
    let shard = shard_of(&["ever/a", "logs/a", "short/a"]);
    let due_ms = 7 * DAY_MS + EXPIRY_MARGIN_MS;
    let waiting = look(&shard, due_ms - 1);
    assert_eq!(waiting, ShardExpiry { next_ms: Some(WRITTEN_MS + due_ms), ..ShardExpiry::default() });
    assert_eq!(keys(&shard).len(), 3);
    let next_ms = Some(WRITTEN_MS + due_ms + EXPIRY_LOOK_MS);
    assert_eq!(look(&shard, due_ms), ShardExpiry { entries: 1, claims: 0, next_ms });
    assert_eq!(keys(&shard), ["ever/a", "logs/a"]);
    assert_eq!(look(&shard, 92 * DAY_MS).entries, 1);
    // What is kept for ever is looked at again, should the setting change.
    let (now_ms, later) = (10_000 * DAY_MS, look(&shard, 10_000 * DAY_MS));
    assert_eq!(
        (later.entries, later.next_ms, keys(&shard)),
        (0, Some(WRITTEN_MS + now_ms + EXPIRY_LOOK_MS), vec!["ever/a".into()])
    );
}

#[test]
fn claim_outlives_its_entry() {
    let shard = shard_of(&["short/a"]);
    claim(&shard, "short/a", 1, &[1, 5], &[9]);
    assert_eq!((look(&shard, 9 * DAY_MS).entries, keys(&shard).len()), (1, 0));
    let due_ms = CLAIMS_KEPT_MS + EXPIRY_MARGIN_MS;
    assert_eq!(look(&shard, due_ms - 1).claims, 0);
    let gone = look(&shard, due_ms);
    assert_eq!(gone, ShardExpiry { entries: 0, claims: 1, next_ms: None }, "the shard holds nothing");
    assert!(claim(&shard, "short/b", 1, &[1], &[9]).is_empty());
}

#[test]
fn batch_that_is_written_again_stays_as_long() {
    // Rewritten without erased lines, or uploaded once more: the bucket counts its days anew.
    let rewritten = |object: ObjectVersion| {
        let origin = ObjectOrigin { etag: "e".into(), revision: 1, rewritten_ms: WRITTEN_MS + 20 * DAY_MS };
        ObjectVersion { etag: "e2".into(), origin: Some(origin), ..object }
    };
    let uploaded = |object: ObjectVersion| ObjectVersion { uploaded_ms: WRITTEN_MS + 20 * DAY_MS, ..object };
    for again in [&rewritten as &dyn Fn(ObjectVersion) -> ObjectVersion, &uploaded] {
        let shard = shard_of(&["short/a"]);
        claim(&shard, "short/a", 1, &[1], &[]);
        shard.put(&entry(again(version("short/a", "e", WRITTEN_MS)), &[(1, 0)]));
        assert_eq!((look(&shard, 27 * DAY_MS).entries, keys(&shard).len()), (0, 1));
        assert_eq!((look(&shard, 28 * DAY_MS).entries, keys(&shard).len()), (1, 0));
    }
    let shard = Shard::new();
    claim(&shard, "short/a", 1, &[1], &[]);
    let later = ClaimLines { plan: plan("short/a", 1), written_ms: WRITTEN_MS + 20 * DAY_MS, parts: vec![] };
    shard.call(&later).unwrap();
    let due_ms = CLAIMS_KEPT_MS + EXPIRY_MARGIN_MS;
    assert_eq!((look(&shard, due_ms).claims, look(&shard, due_ms + 20 * DAY_MS).claims), (0, 1));
}

#[test]
fn expired_batch_leaves_no_window_and_no_summary() {
    let (shard, bucket) = (shard_of(&["ever/a", "short/a"]), MemoryBucket::new(&Faults::default()));
    let sidecars = |key: &str| sidecar_keys(&version_digest("logs", key, "e"));
    for key in sidecars("ever/a").iter().chain(&sidecars("short/a")) {
        bucket.store(key, b"x");
    }
    let object = (&shard.sql, &Cell::new(false));
    let expired = run(expire(object, ("logs", &bucket), kept, WRITTEN_MS + 9 * DAY_MS)).unwrap();
    assert_eq!(expired.entries, 1);
    let mut left = sidecars("ever/a");
    left.sort();
    assert_eq!(bucket.contents().into_keys().collect::<Vec<_>>(), left);
}

#[test]
fn large_shard_is_emptied_in_steps() {
    let shard = Shard::new();
    for number in 0..EXPIRED_AT_ONCE + 5 {
        shard.put(&entry(version(&format!("short/{number}"), "e", WRITTEN_MS), &[]));
    }
    let first = look(&shard, 9 * DAY_MS);
    assert_eq!((first.entries, first.next_ms), (EXPIRED_AT_ONCE, Some(WRITTEN_MS + 9 * DAY_MS + EXPIRY_AGAIN_MS)));
    assert_eq!(look(&shard, 9 * DAY_MS), ShardExpiry { entries: 5, claims: 0, next_ms: None });
}

#[test]
fn shard_that_was_only_read_stays_empty() {
    let sql = SqliteSql::new(&Faults::default());
    let object = (&sql, &Cell::new(false));
    let expired = run(expire(object, ("logs", &MemoryBucket::new(&Faults::default())), kept, WRITTEN_MS)).unwrap();
    assert_eq!((expired, sql.rows().len()), (ShardExpiry::default(), 0));
}

#[test]
fn failed_expiry_has_removed_nothing() {
    let make = || {
        let shard = shard_of(&["short/a", "short/b", "logs/a"]);
        claim(&shard, "short/a", 1, &[1, 5], &[9]);
        shard
    };
    let clean = make();
    let before = clean.faults.count(Kind::Sql);
    look(&clean, 100 * DAY_MS);
    for nth in 0..clean.faults.count(Kind::Sql) - before {
        for fault in Fault::BOTH {
            let shard = make();
            let rows = shard.sql.rows();
            shard.faults.plan(Some(Kind::Sql), nth, fault);
            let failed = try_look(&shard, 100 * DAY_MS);
            assert!(shard.faults.clear() && failed.is_err(), "{fault:?} {nth}");
            assert_eq!(shard.sql.rows(), rows, "{fault:?} {nth}");
            look(&shard, 100 * DAY_MS);
            assert_eq!(shard.sql.rows(), clean.sql.rows(), "{fault:?} {nth}");
        }
    }
}
