//! Every call of the world fails once, in both ways; then it all comes right.

use raydex::ledger::BatchState;
use raydex::ledger::occupancy::read_occupancy;
use raydex::lookup::LookupError;
use raydex::pipeline::BatchOutcome;
use raydex::record::{Dataset, RayId};

use super::KEY;
use super::support::faults::DETAIL;
use super::support::gzip::{gzip, members};
use super::support::ledgers::is_occupied;
use super::support::records::{PREFIX, http, ndjson};
use super::support::{Fakes, Fault, Kind, run};

const DATASET: Dataset = Dataset::HttpRequests;

/// An object with a ray in each of these shards, and a nonstandard id.
fn object(shards: std::ops::Range<u32>) -> Vec<u8> {
    let rays = shards.map(|shard| RayId::from_parts(PREFIX + shard, u64::from(shard)).to_string());
    gzip(&ndjson(rays.chain(["odd".into()]).map(|id| http(&id, 0))))
}

/// What makes a world.
type Maker = fn() -> Fakes;

/// A world before the ingest that is to fail.
fn worlds() -> [(&'static str, Maker); 4] {
    [
        ("a new object", || Fakes::with(KEY, &object(0..3))),
        ("another version", || {
            let fakes = Fakes::new();
            fakes.index(KEY, DATASET, &object(0..3));
            fakes.bucket.store(KEY, &object(2..5));
            fakes
        }),
        ("a damaged version", || {
            let fakes = Fakes::new();
            fakes.index(KEY, DATASET, &object(0..3));
            fakes.bucket.store(KEY, b"a,b,c\n");
            fakes
        }),
        ("beside another object", || {
            let fakes = Fakes::new();
            fakes.index("logs/first", DATASET, &object(0..4));
            fakes.index(KEY, DATASET, &object(0..3));
            fakes.index("logs/last", DATASET, &object(1..5));
            fakes.bucket.store(KEY, &object(2..5));
            fakes
        }),
    ]
}

#[test]
fn rerun_after_any_failure_equals_a_clean_run() {
    for (name, world) in worlds() {
        let clean = world();
        let before = clean.faults.calls();
        let outcome = clean.ingest(KEY, DATASET).unwrap();
        let calls = clean.faults.calls() - before;
        assert!(calls >= 6, "{calls} calls");
        for nth in 0..calls {
            for fault in Fault::BOTH {
                let place = format!("{name}: call {nth} of {calls} {fault:?}");
                let fakes = world();
                fakes.faults.plan(None, nth, fault);
                let failed = fakes.ingest(KEY, DATASET);
                assert!(fakes.faults.clear(), "{place}: never came to it");
                assert_eq!(failed.unwrap_err().detail, DETAIL, "{place}");
                the_map_has_every_shard(&fakes, &place);
                let again = fakes.ingest(KEY, DATASET).unwrap();
                // The seal comes last: once it is there, nothing is left to do.
                let same = std::mem::discriminant(&again) == std::mem::discriminant(&outcome);
                let done = [BatchOutcome::AlreadySealed, BatchOutcome::AlreadyQuarantined].contains(&again);
                assert!(same || done, "{place}: {again:?}");
                assert_eq!(fakes.everything(), clean.everything(), "{place}");
            }
        }
    }
}

/// Whatever the shards hold, the occupancy map has its prefix.
fn the_map_has_every_shard(fakes: &Fakes, place: &str) {
    for name in fakes.shards.rows().keys() {
        let prefix = name.strip_prefix("v1/").unwrap();
        // The shard of nonstandard ids has none, and none is asked for by a range.
        let Ok(prefix) = u32::from_str_radix(prefix, 16) else { continue };
        assert!(is_occupied(fakes, prefix), "{place}: {name}");
    }
}

#[test]
fn map_has_every_prefix_ever_written() {
    let fakes = Fakes::new();
    let told = |dataset: Dataset| {
        let map = run(read_occupancy(&fakes.ledgers, dataset, (0, 99))).unwrap();
        (0..=99).filter(|prefix| map.next_occupied(*prefix) == *prefix).collect::<Vec<u32>>()
    };
    assert!(told(DATASET).is_empty());
    for (key, shards, expected) in [
        ("b", [5, 7], vec![5, 7]),
        ("c", [9, 7], vec![5, 7, 9]),
        ("a", [8, 2], vec![2, 5, 7, 8, 9]),
        // Another version: those of the one before stay.
        ("a", [4, 5], vec![2, 4, 5, 7, 8, 9]),
    ] {
        let rays = shards.map(|shard| http(&RayId::from_parts(shard, 1).to_string(), 0));
        fakes.index(key, DATASET, &gzip(&ndjson(rays)));
        assert_eq!(told(DATASET), expected, "{key}");
    }
    // A record without a ray is found by its time.
    fakes.index("d", DATASET, br#"{"RayID":"odd","EdgeStartTimestamp":"1970-01-01T00:00:05Z"}"#);
    assert_eq!(told(DATASET), [0, 2, 4, 5, 7, 8, 9]);
    assert!(told(Dataset::FirewallEvents).is_empty());
    // Nothing is kept of what is no batch.
    fakes.index("e", Dataset::FirewallEvents, b"a,b,c\n");
    assert!(told(Dataset::FirewallEvents).is_empty());
}

#[test]
fn failures_one_after_the_other_come_right_too() {
    for (name, world) in worlds() {
        let clean = world();
        clean.ingest(KEY, DATASET).unwrap();
        let fakes = world();
        for nth in 0..14 {
            fakes.faults.plan(None, nth, Fault::BOTH[nth % 2]);
            let _outcome = fakes.ingest(KEY, DATASET);
            fakes.faults.clear();
        }
        fakes.ingest(KEY, DATASET).unwrap();
        assert_eq!(fakes.everything().0, clean.everything().0, "{name}");
    }
}

#[test]
fn truncated_body_is_a_failure_and_writes_nothing() {
    let text = ndjson((0..50).map(|number| http(&RayId::from_parts(PREFIX, number).to_string(), 5)));
    for stored in [gzip(&text), members(&[&text[..99], &text[99..]]), text.clone()] {
        for end in (0..stored.len()).step_by(7) {
            let fakes = Fakes::with(KEY, &stored);
            fakes.bucket.cut_after(Some(end));
            assert!(fakes.ingest(KEY, DATASET).is_err(), "cut after {end}");
            assert!(fakes.shards.rows().is_empty());
            assert_eq!(fakes.kept(KEY).batch.unwrap().state, BatchState::Open);
        }
    }
}

#[test]
fn failing_lookup_reports_it_and_works_next_time() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(0..3));
    fakes.index("logs/b", DATASET, &object(0..3));
    let before = fakes.faults.calls();
    let found = fakes.find(DATASET, "odd");
    assert_eq!((found.records.len(), found.records[0].copies.len()), (1, 1));
    for nth in 0..fakes.faults.calls() - before {
        fakes.faults.plan(None, nth, Fault::Fails);
        let failed = fakes.try_find(&[DATASET], "odd");
        assert!(fakes.faults.clear());
        assert!(matches!(failed, Err(LookupError::Backend(error)) if error.detail == DETAIL));
        assert_eq!(fakes.find(DATASET, "odd"), found);
    }
}

#[test]
fn lookup_of_a_truncated_body_finds_no_less() {
    let text = ndjson((0..50).map(|number| http(&RayId::from_parts(PREFIX, number).to_string(), 5)));
    for stored in [gzip(&text), text.clone()] {
        let fakes = Fakes::new();
        fakes.index(KEY, DATASET, &stored);
        let last = RayId::from_parts(PREFIX, 49).to_string();
        let whole = fakes.find(DATASET, &last).records;
        for end in (0..stored.len()).step_by(5) {
            fakes.bucket.cut_after(Some(end));
            let found = fakes.try_find(&[DATASET], &last);
            // What stands behind the line, and its newline, may be missing.
            assert!(
                found.is_err() || found.as_ref().is_ok_and(|found| found.records == whole),
                "cut after {end}: {found:?}"
            );
        }
    }
}

#[test]
fn an_ingest_reads_the_object_once() {
    let fakes = Fakes::with(KEY, &object(0..3));
    fakes.ingest(KEY, DATASET).unwrap();
    assert_eq!((fakes.faults.count(Kind::Get), fakes.faults.count(Kind::Put)), (1, 0));
    assert_eq!(fakes.faults.count(Kind::Shard), 4);
    // Begin, make the ledger known and keep that it is, occupancy map, entries, seal.
    assert_eq!(fakes.faults.count(Kind::Ledger), 6);
}
