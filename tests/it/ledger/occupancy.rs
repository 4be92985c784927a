//! The occupancy map in the registry: what is marked is known to the prefix, and nothing else is.

use std::collections::BTreeSet;

use raydex::backend::{DurableObjects, SqlDatabase};
use raydex::index::OccupancyMap;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::occupancy::{KnownMarks, MarkOccupied, ReadOccupancy, mark_occupied, read_occupancy};
use raydex::ledger::registry;
use raydex::limits::{MARKS_KNOWN, MAX_SHARDS, OCCUPANCY_ROW, OCCUPANCY_ROWS};
use raydex::record::{Dataset, RayId};
use raydex::rpc::Call;

use super::json;
use super::random::Random;
use super::support::{Fakes, Fault, Faults, Kind, NOW_MS, SqliteSql, run};

const DATASET: Dataset = Dataset::HttpRequests;

/// The prefix of the clock.
fn now() -> u32 {
    RayId::prefix_at(NOW_MS * 1_000_000)
}

/// A registry, opened.
fn registry_of(sql: SqliteSql) -> SqliteSql {
    registry::open(&sql).unwrap();
    sql
}

fn fresh() -> SqliteSql {
    registry_of(SqliteSql::new(&Faults::default()))
}

/// What a call comes to.
fn answer<C: Call>(sql: &SqliteSql, call: &C) -> C::Answer {
    serde_json::from_slice(&registry::answer(sql, C::NAME, &call.to_body(), NOW_MS).unwrap().body).unwrap()
}

/// Marks these prefixes.
fn mark(sql: &SqliteSql, prefixes: &[u32]) {
    answer(sql, &MarkOccupied { dataset: DATASET, prefixes: prefixes.to_vec() });
}

/// The map of all times, which few rows make.
fn whole(sql: &SqliteSql) -> OccupancyMap {
    answer(sql, &ReadOccupancy { dataset: DATASET, first: 0, last: RayId::LAST_PREFIX })
}

/// The prefixes that a map does not rule out.
fn present(map: &OccupancyMap) -> Vec<u32> {
    (0..=RayId::LAST_PREFIX).filter(|prefix| map.next_occupied(*prefix) == *prefix).collect()
}

#[test]
fn isolate_marks_a_prefix_once() {
    let fakes = Fakes::new();
    let known = KnownMarks::default();
    let mark = |dataset, prefixes: &[u32]| run(known.mark(&fakes.ledgers, dataset, prefixes));
    for fault in Fault::BOTH {
        fakes.faults.plan(Some(Kind::Ledger), 0, fault);
        assert!(mark(DATASET, &[now()]).is_err(), "{fault:?}");
    }
    let calls = || fakes.ledgers.calls(REGISTRY);
    // A call that failed marked nothing for certain; each dataset has its own marks.
    let before = calls();
    let steps = [(DATASET, 0, 1), (DATASET, 0, 1), (DATASET, 1, 2), (Dataset::FirewallEvents, 1, 3), (DATASET, 1, 3)];
    for (dataset, ahead, expected) in steps {
        mark(dataset, &[now(), now() + ahead]).unwrap();
        assert_eq!(calls() - before, expected, "{dataset} {ahead}");
    }
    // And once so many came that it forgot.
    for some in (0..u32::try_from(MARKS_KNOWN).unwrap()).collect::<Vec<_>>().chunks(100) {
        mark(DATASET, some).unwrap();
    }
    let before = calls();
    mark(DATASET, &[now()]).unwrap();
    assert_eq!(calls() - before, 1);
}

#[test]
fn marked_prefixes_and_no_others_are_present() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let fakes = Fakes::new();
        let mut set = BTreeSet::new();
        for _ in 0..60 {
            let base = *random.of(&[0, now() - 9_000, now() - 20, 1 << 19]);
            let spread = *random.of(&[3, 40, 9_000]);
            let prefixes: Vec<u32> =
                (0..=random.below(8)).map(|_| base + u32::try_from(random.below(spread)).unwrap()).collect();
            let fault = random.chance(300).then(|| *random.of(&Fault::BOTH));
            if let Some(fault) = fault {
                fakes.faults.plan(Some(Kind::Ledger), 0, fault);
            }
            let is_marked = run(mark_occupied(&fakes.ledgers, DATASET, &prefixes)).is_ok();
            assert_eq!(is_marked, !fakes.faults.clear());
            // Not marked again: the caller may be gone for good.
            if fault != Some(Fault::Fails) {
                set.extend(prefixes);
            }
        }
        for _ in 0..10 {
            let at = |random: &mut Random| u32::try_from(random.below(now() as usize + 5_000)).unwrap();
            let (a, b) = (at(&mut random), at(&mut random));
            let (first, last) = (a.min(b), a.max(b));
            let expected: Vec<u32> = set.range(first..=last).copied().collect();
            assert_eq!(asked(&fakes.ledgers, first, last), expected, "{seed}");
        }
        assert_eq!(run(read_occupancy(&fakes.ledgers, Dataset::FirewallEvents, (0, 9))).unwrap().next_occupied(0), 10);
    }
}

/// The prefixes that a query asks which goes by the map, answer by answer.
fn asked(ledgers: &impl DurableObjects, first: u32, last: u32) -> Vec<u32> {
    let (mut asked, mut at) = (Vec::new(), first);
    while at <= last {
        let map = run(read_occupancy(ledgers, DATASET, (at, last))).unwrap();
        assert!(map.until > at && map.rows.len() <= OCCUPANCY_ROWS);
        while at < map.until.min(last + 1) {
            at = map.next_occupied(at);
            if at < map.until {
                asked.push(at);
                at += 1;
            }
        }
    }
    asked
}

#[test]
fn answer_covers_its_rows_up_to_the_next() {
    let fakes = Fakes::new();
    let rows = u32::try_from(OCCUPANCY_ROWS).unwrap();
    let prefixes: Vec<u32> = (0..3 * rows).map(|number| number * 5 * OCCUPANCY_ROW + 7).collect();
    run(mark_occupied(&fakes.ledgers, DATASET, &prefixes)).unwrap();
    let first = run(read_occupancy(&fakes.ledgers, DATASET, (8, RayId::LAST_PREFIX))).unwrap();
    assert_eq!((first.rows.len(), first.until), (OCCUPANCY_ROWS, rows * 5 * OCCUPANCY_ROW));
    let before = fakes.faults.count(Kind::Ledger);
    assert_eq!(asked(&fakes.ledgers, 0, RayId::LAST_PREFIX), prefixes);
    assert_eq!(fakes.faults.count(Kind::Ledger) - before, 3);
}

#[test]
fn largest_batch_is_marked_in_one_call() {
    let sql = fresh();
    let most = u32::try_from(MAX_SHARDS).unwrap();
    // As far apart as they can be.
    let prefixes: Vec<u32> = (0..most).map(|number| number * (RayId::LAST_PREFIX / most)).collect();
    let before = sql.rows_written();
    mark(&sql, &prefixes);
    assert_eq!(sql.rows_written() - before, 255);
    let fakes = Fakes::new();
    run(mark_occupied(&fakes.ledgers, DATASET, &prefixes)).unwrap();
    assert_eq!(fakes.faults.count(Kind::Ledger), 1);
    assert_eq!(asked(&fakes.ledgers, 0, RayId::LAST_PREFIX), prefixes);
    assert!(json(&MarkOccupied { dataset: DATASET, prefixes }).len() < 70_000);
}

#[test]
fn row_is_written_only_for_new_prefixes() {
    let sql = fresh();
    let at = now() / OCCUPANCY_ROW * OCCUPANCY_ROW;
    mark(&sql, &[at + 5, at + 6]);
    let written = |prefixes: &[u32]| {
        let before = sql.rows_written();
        mark(&sql, prefixes);
        sql.rows_written() - before
    };
    assert_eq!(written(&[at + 6, at + 5]), 0);
    assert_eq!(written(&[at + 5, at + 7]), 1);
    assert_eq!(written(&[at + 7, at + 8, at + 9]), 1);
    assert_eq!(written(&[at + 5, at + OCCUPANCY_ROW, at + 2 * OCCUPANCY_ROW]), 2);
    assert_eq!(written(&[at - 1, at + 5]), 1);
    assert_eq!(written(&[at - 1, at + 9, at + OCCUPANCY_ROW]), 0);
    let before = sql.rows_written();
    whole(&registry_of(sql.clone()));
    assert_eq!(sql.rows_written(), before, "who opens it and asks writes nothing");
}

#[test]
fn datasets_are_marked_apart() {
    let sql = fresh();
    mark(&sql, &[7]);
    answer(&sql, &MarkOccupied { dataset: Dataset::FirewallEvents, prefixes: vec![9] });
    assert_eq!(present(&whole(&registry_of(sql.clone()))), [7], "opening it again changes nothing");
    let read = |dataset| present(&answer(&sql, &ReadOccupancy { dataset, first: 0, last: RayId::LAST_PREFIX }));
    assert_eq!((read(Dataset::FirewallEvents), read(Dataset::WorkersTraceEvents)), (vec![9], vec![]));
}

#[test]
fn a_call_that_fails_anywhere_has_changed_nothing() {
    let mut failed = 0;
    for fault in Fault::BOTH {
        for nth in 0.. {
            let faults = Faults::default();
            let sql = registry_of(SqliteSql::new(&faults));
            mark(&sql, &[4]);
            let rows = sql.rows();
            let call = MarkOccupied { dataset: DATASET, prefixes: vec![3, 9_000] };
            faults.plan(Some(Kind::Sql), nth, fault);
            let answered = registry::answer(&sql, MarkOccupied::NAME, &call.to_body(), NOW_MS);
            if !faults.clear() {
                break;
            }
            assert!(answered.is_err() && sql.rows() == rows, "{nth} {fault:?}");
            failed += 1;
        }
    }
    assert_eq!(failed, 8);
}

#[test]
fn damaged_row_is_an_error_not_absence() {
    let sql = fresh();
    mark(&sql, &[9]);
    sql.run("UPDATE occupancy_v1 SET bits = x'00'", &[]).unwrap();
    let mark = MarkOccupied { dataset: DATASET, prefixes: vec![10] };
    assert!(registry::answer(&sql, MarkOccupied::NAME, &mark.to_body(), NOW_MS).is_err());
    let read = ReadOccupancy { dataset: DATASET, first: 0, last: 9 };
    assert!(registry::answer(&sql, ReadOccupancy::NAME, &read.to_body(), NOW_MS).is_err());
}
