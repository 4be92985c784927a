//! Isolates and the object die at any call: what was handed over is in the bucket once, and at the collector.

use std::collections::BTreeSet;

use raydex::backend::{SqlDatabase, SqlValue};
use raydex::edge::{SinkCounts, store_due};
use raydex::rpc::is_object_too_new;
use raydex::spool::{self, SpoolBounds};
use serde_json::json;

use super::world::{BOTH, World, run_or_kill};

/// Seeds of the slice.
const SEEDS: u64 = 150;
/// Steps of a seed.
const STEPS: usize = 300;

/// Lets isolates record lines, hand them over and die, while the object brings them on; returns the number of lines.
fn play(world: &World) -> u64 {
    let mut isolates = [world.isolate(), world.isolate()];
    let mut lines = 0;
    for _ in 0..STEPS {
        let (place, step) = {
            let random = &mut *world.random.borrow_mut();
            (random.below(isolates.len()), random.below(100))
        };
        match step {
            0..=59 => {
                lines += 1;
                let line = json!({ "n": lines, "filler": "x".repeat(step * 40) }).to_string();
                isolates[place].borrow_mut().buffer.record(line.as_bytes(), world.now_ms.get());
            }
            60..=79 => {
                world.now_ms.set(world.now_ms.get() + i64::try_from(step).unwrap() * 10);
                // A request that waits for ever is given up by the platform; its isolate lives on.
                run_or_kill(store_due(&isolates[place], world));
            }
            80..=94 => {
                world.now_ms.set(world.now_ms.get() + 700);
                world.ring();
            }
            95..=97 => world.now_ms.set(world.now_ms.get() + 40_000),
            _ => isolates[place] = world.isolate(),
        }
    }
    lines
}

#[test]
fn handed_over_lines_are_stored_once() {
    let (mut recorded, mut lost, mut repeated) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(BOTH, seed);
        world.bounds = SpoolBounds { batch_bytes: 20_000, ..SpoolBounds::default() };
        world.faults.set(250);
        let lines = play(&world);
        world.settle();
        let arrived: BTreeSet<u64> = world.arrived.borrow().iter().copied().collect();
        assert_eq!(arrived.len(), world.arrived.borrow().len(), "seed {seed}: taken twice");
        assert!(world.acknowledged.borrow().iter().all(|line| arrived.contains(line)), "seed {seed}");
        assert!(world.stored().iter().eq(&arrived), "seed {seed}: each line once in the bucket");
        let collected: BTreeSet<u64> = world.collected.borrow().iter().copied().collect();
        assert_eq!(collected, arrived, "seed {seed}: each line at the collector");
        let announced: BTreeSet<String> = world.announced.borrow().iter().cloned().collect();
        assert!(announced.iter().eq(world.objects.borrow().keys()), "seed {seed}");
        let rows = world.sql.rows();
        assert!(!rows.iter().any(|row| row.starts_with("spool_row_v1")), "seed {seed}: {rows:?}");
        recorded += lines;
        lost += lines - arrived.len() as u64;
        repeated += world.collected.borrow().len() - collected.len();
    }
    assert!(lost > 0 && repeated > 0 && recorded > 10_000, "{recorded} {lost} {repeated}");
}

/// The numbers of a sink.
fn counts(world: &World, sink: &str) -> SinkCounts {
    let answer = world.sql.run("SELECT counts FROM spool_sink_v1 WHERE sink = ?", &[SqlValue::text(sink)]).unwrap();
    serde_json::from_str(answer.rows[0][0].as_text().unwrap()).unwrap()
}

#[test]
fn absent_bucket_costs_the_oldest_lines() {
    let mut overflow = 0;
    for seed in 0..20 {
        let mut world = World::new(BOTH, seed);
        world.bounds = SpoolBounds { bytes: 1_500, batch_bytes: 4_000 };
        world.is_bucket_away.set(true);
        play(&world);
        world.is_bucket_away.set(false);
        world.settle();
        let arrived = world.arrived.borrow().len() as u64;
        let stored = world.stored();
        let unique: BTreeSet<&u64> = stored.iter().collect();
        assert_eq!(unique.len(), stored.len(), "seed {seed}");
        for (sink, lines) in [("r2", stored.len()), ("lines", world.collected.borrow().len())] {
            let counts = counts(&world, sink);
            assert_eq!((counts.handed, counts.lines()), (lines as u64, arrived), "seed {seed}: {sink}");
            overflow += counts.overflow;
        }
        assert!(counts(&world, "r2").overflow > 0, "seed {seed}");
    }
    assert!(overflow > 0);
}

#[test]
fn object_too_new_keeps_what_it_has() {
    let world = World::new(BOTH, 1);
    let isolate = world.isolate();
    isolate.borrow_mut().buffer.record(br#"{"n":1}"#, world.now_ms.get());
    world.now_ms.set(world.now_ms.get() + 60_000);
    run_or_kill(store_due(&isolate, &world));
    assert_eq!(*world.arrived.borrow(), [1]);
    let mark = |version: u32| {
        world.sql.run("DROP VIEW schema_version", &[]).unwrap();
        let columns = format!("{version} AS version, {version} AS readable_from");
        world.sql.run(&format!("CREATE VIEW schema_version AS SELECT {columns}"), &[]).unwrap();
    };
    mark(9);
    world.alarm_ms.set(None);
    let rung = run_or_kill(spool::alarm(&world.sql, &world, &world, &world.settings, world.bounds)).unwrap();
    assert!(is_object_too_new(&rung.unwrap_err().to_string()));
    assert!(world.alarm_ms.get().is_some() && world.objects.borrow().is_empty());
    mark(1);
    world.settle();
    assert_eq!(world.stored(), [1]);
}
