//! Lookups of objects that are not any more what was indexed.

use raydex::index::calls::{self, ObjectVersion, Put, PutAnswer};
use raydex::index::entry::{Place, pack};
use raydex::index::{ShardCall, ShardName};
use raydex::record::{Dataset, RayKey};

use super::KEY;
use super::support::gzip::gzip;
use super::support::records::{http, ndjson, noise, ray};
use super::support::{Fakes, run};

const DATASET: Dataset = Dataset::HttpRequests;

/// An object whose only line of ray 1 stands behind `lines` others.
fn object(lines: u64) -> Vec<u8> {
    let others = (0..lines).map(|number| http(&ray(100 + number).to_string(), 900));
    gzip(&ndjson(others.chain([http(&ray(1).to_string(), 3)])))
}

#[test]
fn a_changed_object_is_read_in_full_and_its_lines_are_of_the_new_version() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(0));
    let head = fakes.bucket.store(KEY, &object(3000));
    let found = fakes.find(DATASET, &ray(1).to_string());
    assert_eq!(found.records.len(), 1);
    assert_eq!((found.cost.full_scans, found.cost.objects_read), (1, 1));
    let object = &found.records[0].object;
    assert_eq!((&object.etag, object.size, object.uploaded_ms), (&head.etag, head.size, head.uploaded_ms));
}

#[test]
fn a_changed_object_without_the_ray_is_read_once_and_gives_nothing() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(0));
    fakes.bucket.store(KEY, &gzip(http(&ray(2).to_string(), 0).as_bytes()));
    let found = fakes.find(DATASET, &ray(1).to_string());
    assert!(found.records.is_empty());
    assert_eq!((found.cost.full_scans, found.cost.objects_read), (1, 1));
    assert_eq!((found.objects_gone, found.objects_unreadable), (0, 0));
}

#[test]
fn objects_that_are_gone_or_damaged_are_counted_and_the_others_are_read() {
    let fakes = Fakes::new();
    let keys = ["logs/a", "logs/b", "logs/c", "logs/d"];
    for key in keys {
        fakes.index(key, DATASET, &object(2));
    }
    fakes.bucket.delete("logs/a");
    let whole = object(2);
    fakes.bucket.store("logs/b", &whole[..whole.len() / 2]);
    fakes.bucket.store("logs/c", b"");
    let found = fakes.find(DATASET, &ray(1).to_string());
    assert_eq!((found.objects_gone, found.objects_unreadable), (1, 2));
    assert_eq!(found.records.iter().map(|record| record.object.key.as_str()).collect::<Vec<_>>(), ["logs/d"]);
    assert_eq!(found.cost.objects_read, 3);
}

#[test]
fn an_entry_that_names_the_wrong_span_costs_a_full_scan_and_loses_nothing() {
    for span in [1, 7, 5000] {
        let fakes = Fakes::new();
        let head = fakes.bucket.store(KEY, &object(3000));
        let version =
            ObjectVersion { key: KEY.into(), etag: head.etag, uploaded_ms: head.uploaded_ms, size: head.size };
        let put = Put { object: version, slots: vec![0], parts: pack(vec![Place::new(ray(1), span)]) };
        let name = ShardName::of(DATASET, &RayKey::Ray(ray(1))).to_string();
        let _: PutAnswer = run(calls::call(&fakes.shards, &name, ShardCall::Put, put.to_body())).unwrap();
        let found = fakes.find(DATASET, &ray(1).to_string());
        assert_eq!(found.records.len(), 1, "span {span}");
        assert_eq!((found.cost.full_scans, found.cost.objects_read), (1, 2));
    }
}

#[test]
fn a_lookup_reads_the_batches_that_hold_the_ray_and_stops_behind_it() {
    let fakes = Fakes::new();
    let filler = |seed| hex::encode(noise(seed, 2000));
    let others =
        (0..4000).map(|number| format!(r#"{{"RayID":"{}","f":"{}"}}"#, ray(10 + u64::from(number)), filler(number)));
    let stored = gzip(&ndjson([http(&ray(1).to_string(), 0)].into_iter().chain(others)));
    fakes.index(KEY, DATASET, &stored);
    fakes.index("logs/other", DATASET, &gzip(http(&ray(2).to_string(), 0).as_bytes()));
    let found = fakes.find(DATASET, &ray(1).to_string());
    assert_eq!((found.records.len(), found.cost.objects_read), (1, 1));
    assert!(found.cost.bytes_inflated < 3 << 20, "{:?}", found.cost);
    assert!(found.cost.bytes_read < stored.len() as u64 / 2, "{:?} of {}", found.cost, stored.len());
}
