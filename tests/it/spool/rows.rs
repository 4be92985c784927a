//! What one object takes and keeps, case by case.

use raydex::edge::handover::{HandOver, HandedBatch, spool_of};
use raydex::edge::{BatchLabel, EdgeBatch, EdgeCounts};

use super::world::{BOTH, World};

/// A batch of an isolate with one line.
fn batch(isolate: &str, sequence: u64, seen: u64) -> HandedBatch {
    let counts = EdgeCounts { seen, recorded: seen, ..EdgeCounts::default() };
    let since = EdgeCounts { seen: 1, recorded: 1, ..EdgeCounts::default() };
    let label = BatchLabel { isolate: isolate.into(), sequence, lines: 1, counts, since, sinks: [].into() };
    let line = format!("{{\"n\":{sequence}}}\n");
    HandedBatch::new(&EdgeBatch::close("logs/", line.as_bytes(), (7, 8), label).unwrap())
}

fn call(isolate: &str, sequence: u64, oldest: u64) -> HandOver {
    HandOver { batch: batch(isolate, sequence, sequence * 10), oldest, sinks: vec!["r2".into()] }
}

#[test]
fn batches_in_any_order_are_taken_once() {
    let world = World::new(BOTH, 0);
    let mut new = Vec::new();
    for (sequence, oldest) in [(3, 1), (1, 1), (3, 2), (1, 2), (2, 2), (2, 2), (9, 8), (4, 8), (8, 8)] {
        if world.take(&call("a", sequence, oldest)).unwrap().is_new {
            new.push(sequence);
        }
    }
    assert_eq!(new, [3, 1, 2, 9, 8], "4 was dropped by its isolate, which says so");
    assert!(world.take(&call("b", 3, 1)).unwrap().is_new, "another isolate");
}

#[test]
fn numbers_of_isolates_add_up() {
    let world = World::new(BOTH, 0);
    for (isolate, sequence) in [("a", 1), ("b", 1), ("a", 3), ("a", 2)] {
        world.take(&call(isolate, sequence, 1)).unwrap();
    }
    world.settle();
    let objects = world.objects.borrow();
    let (key, (_, label)) = objects.first_key_value().unwrap();
    assert_eq!((objects.len(), label.lines, label.counts.seen, label.counts.recorded), (1, 4, 40, 40));
    assert!(key.ends_with("_5700150015001500-1.log.gz"), "{key}");
    assert_eq!(label.sinks.keys().collect::<Vec<_>>(), ["lines", "r2"]);
    assert_eq!((label.sinks["r2"].waiting, label.sinks["r2"].lines()), (4, 4));
    assert_eq!((label.since.seen, label.since.recorded), (4, 4));
}

#[test]
fn batch_for_an_unknown_sink_is_refused() {
    let world = World::new(r#"[{"kind":"r2"}]"#, 0);
    let refused = world.take(&call("a", 1, 1)).unwrap_err();
    assert!(refused.to_string().contains("give both Workers the same EDGE_SINKS"), "{refused}");
    let world = World::new(BOTH, 0);
    let damaged = HandedBatch { body: "AAAA".into(), ..batch("a", 1, 1) };
    let damaged = HandOver { batch: damaged, oldest: 1, sinks: vec!["r2".into()] };
    assert!(world.take(&damaged).is_err());
    assert!(world.take(&call("a", 1, 1)).unwrap().is_new, "nothing of it was noted");
}

#[test]
fn alarm_waits_for_the_age_of_rows() {
    let world = World::new(BOTH, 0);
    let start_ms = world.now_ms.get();
    world.take(&call("a", 1, 1)).unwrap();
    world.now_ms.set(start_ms + 500);
    world.take(&call("a", 2, 1)).unwrap();
    assert_eq!(world.alarm_ms.get(), Some(start_ms + 2_000));
    world.now_ms.set(start_ms + 2_000);
    world.ring();
    assert_eq!((world.objects.borrow().len(), world.alarm_ms.get()), (1, None));
    assert_eq!(spool_of("00c0ffee00c0ffee", 1), "edge-spool-0");
}
