//! Lookups of objects that are not any more what was indexed.

use raydex::batch::ObjectSpans;
use raydex::index::ShardName;
use raydex::index::calls::{ObjectVersion, PutEntry};
use raydex::index::entry::{RayLocation, pack};
use raydex::limits::{ANSWER_MIN, ANSWER_ROOM, KIB, MIB, READER_BYTES};
use raydex::memory::MemoryBudget;
use raydex::record::{Dataset, RayKey};
use raydex::rpc;

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
fn changed_object_is_read_in_full_as_new() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(0));
    let head = fakes.bucket.store(KEY, &object(3000));
    let found = fakes.find(DATASET, &ray(1).to_string());
    assert_eq!(found.records.len(), 1);
    assert_eq!((found.stats.full_scans, found.stats.objects_read), (1, 1));
    let object = &found.records[0].object;
    assert_eq!((&object.etag, object.size, object.uploaded_ms), (&head.etag, head.size, head.uploaded_ms));
}

#[test]
fn changed_object_without_the_ray_is_read_once() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(0));
    fakes.bucket.store(KEY, &gzip(http(&ray(2).to_string(), 0).as_bytes()));
    let found = fakes.find(DATASET, &ray(1).to_string());
    assert!(found.records.is_empty());
    assert_eq!((found.stats.full_scans, found.stats.objects_read), (1, 1));
    assert_eq!((found.stats.batches_gone, found.stats.batches_unreadable), (0, 0));
}

#[test]
fn missing_and_damaged_objects_are_counted_others_read() {
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
    assert_eq!((found.stats.batches_gone, found.stats.batches_unreadable), (1, 2));
    assert_eq!(found.records.iter().map(|record| record.object.key.as_str()).collect::<Vec<_>>(), ["logs/d"]);
    assert_eq!(found.stats.objects_read, 3);
}

#[test]
fn wrong_span_costs_a_full_scan_losing_nothing() {
    for span in [1, 7, 5000] {
        let fakes = Fakes::new();
        let head = fakes.bucket.store(KEY, &object(3000));
        let version = ObjectVersion {
            key: KEY.into(),
            etag: head.etag,
            uploaded_ms: head.uploaded_ms,
            size: head.size,
            origin: None,
        };
        let put = PutEntry {
            dataset: DATASET,
            object: version,
            time_slots: vec![0],
            parts: pack(vec![RayLocation::new(ray(1), span)], &ObjectSpans::default()),
            link_slots: Vec::new(),
            links: Vec::new(),
            summary: Vec::new(),
            rewrites: false,
        };
        let name = ShardName::for_key(&RayKey::Ray(ray(1))).to_string();
        run(rpc::call(&fakes.shards, &name, &put)).unwrap();
        let found = fakes.find(DATASET, &ray(1).to_string());
        assert_eq!(found.records.len(), 1, "span {span}");
        assert_eq!((found.stats.full_scans, found.stats.objects_read), (1, 1));
    }
}

#[test]
fn lookup_stops_reading_after_the_ray() {
    let fakes = Fakes::new();
    let filler = |seed| hex::encode(noise(seed, 2000));
    let others =
        (0..4000).map(|number| format!(r#"{{"RayID":"{}","f":"{}"}}"#, ray(10 + u64::from(number)), filler(number)));
    let stored = gzip(&ndjson([http(&ray(1).to_string(), 0)].into_iter().chain(others)));
    fakes.index(KEY, DATASET, &stored);
    fakes.index("logs/other", DATASET, &gzip(http(&ray(2).to_string(), 0).as_bytes()));
    let found = fakes.find(DATASET, &ray(1).to_string());
    assert_eq!((found.records.len(), found.stats.objects_read), (1, 1));
    assert!(found.stats.bytes_inflated < 3 << 20, "{:?}", found.stats);
    assert!(found.stats.bytes_read < stored.len() as u64 / 2, "{:?} of {}", found.stats, stored.len());
}

/// A batch of several spans whose windows are kept, with the lines of rays 0, 1, …
fn several_spans(fakes: &Fakes) -> Vec<Vec<u8>> {
    let filler = |seed| hex::encode(noise(seed, 1000));
    let line = |number: u32| format!(r#"{{"RayID":"{}","f":"{}"}}"#, ray(number.into()), filler(number % 50));
    let lines: Vec<String> = (0..4000).map(line).collect();
    fakes.index(KEY, DATASET, &gzip(&ndjson(lines.clone())));
    lines.into_iter().map(String::into_bytes).collect()
}

/// The key of the one object that holds windows.
fn windows_of(fakes: &Fakes) -> String {
    let keys: Vec<String> =
        fakes.bucket.contents().into_keys().filter(|key| key.starts_with("raydex/windows/")).collect();
    let [key] = keys.try_into().unwrap();
    key
}

#[test]
fn lookup_is_one_range_and_one_window() {
    let fakes = Fakes::new();
    let lines = several_spans(&fakes);
    let stored = fakes.bucket.object(KEY).unwrap().head.size;
    let (mut alone, mut with_window) = (0, 0);
    for (number, line) in (0..).zip(&lines).step_by(37) {
        let found = fakes.find(DATASET, &ray(number).to_string());
        assert_eq!(found.records.iter().map(|record| &record.line).collect::<Vec<_>>(), [line], "line {number}");
        assert_eq!((found.stats.shards_asked, found.stats.full_scans), (1, 0));
        assert!(found.stats.bytes_read < stored / 2, "{:?} of {stored}", found.stats);
        assert!(found.stats.bytes_inflated < 2 << 20, "{:?}", found.stats);
        match found.stats.objects_read {
            1 => alone += 1,
            2 => with_window += 1,
            reads => panic!("{reads} reads"),
        }
    }
    assert!(alone > 10 && with_window > alone, "{alone} in the first span, {with_window} behind it");
}

#[test]
fn missing_windows_cost_a_full_scan_losing_nothing() {
    let fakes = Fakes::new();
    let lines = several_spans(&fakes);
    let key = windows_of(&fakes);
    let whole = fakes.bucket.object(&key).unwrap().bytes;
    let size = whole.len();
    let mut flipped = whole.to_vec();
    for byte in &mut flipped {
        *byte ^= 0x55;
    }
    for windows in [None, Some(noise(1, size)), Some(vec![0; size]), Some(flipped)] {
        match windows {
            Some(bytes) => drop(fakes.bucket.store(&key, &bytes)),
            None => assert!(fakes.bucket.delete(&key)),
        }
        for number in [0, 1, 2000, 3999] {
            let found = fakes.find(DATASET, &ray(number).to_string());
            let line = &lines[usize::try_from(number).unwrap()];
            assert_eq!(found.records.iter().map(|record| &record.line).collect::<Vec<_>>(), [line]);
            assert_eq!(found.stats.full_scans, u64::from(number >= 2000), "line {number}");
        }
    }
}

#[test]
fn windows_go_with_their_version() {
    let fakes = Fakes::new();
    several_spans(&fakes);
    let first = windows_of(&fakes);
    fakes.index(KEY, DATASET, &object(9000));
    assert_ne!(windows_of(&fakes), first);
}

#[test]
fn a_small_batch_has_no_windows() {
    let fakes = Fakes::new();
    fakes.index(KEY, DATASET, &object(500));
    assert!(!fakes.bucket.contents().keys().any(|key| key.starts_with("raydex/windows/")));
}

#[test]
fn long_line_is_held_in_reserved_memory() {
    let mut fakes = Fakes::new();
    let text = ndjson([http(&ray(2).to_string(), 900_000), http(&ray(1).to_string(), 0)]);
    fakes.index(KEY, DATASET, &text);
    // Pieces end within the long line, which no ray of the lookup has.
    fakes.bucket.set_pieces(&[10_000]);
    for (more, fits) in [(64 * KIB, false), (800 * KIB, false), (2 * MIB, true)] {
        let bytes = READER_BYTES + ANSWER_MIN * ANSWER_ROOM + more;
        fakes.memory = MemoryBudget::new(bytes);
        let found = fakes.try_find(&[DATASET], &ray(1).to_string());
        assert_eq!(found.is_ok_and(|found| found.records.len() == 1), fits, "{more}");
        assert_eq!(fakes.memory.available(), bytes);
    }
}
