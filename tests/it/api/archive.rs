//! How the audit log moves to the bucket: what that costs, and what fails.

use std::rc::Rc;

use raydex::audit::AUDIT;
use raydex::limits::{AUDIT_AGAIN_MAX_MS, AUDIT_AGAIN_MS, AUDIT_ALARM_MS};
use raydex::rpc;

use super::segments::{Log, rewritten};
use super::support::{Fakes, Fault, Kind, run};
use super::{Ask, problem};

#[test]
fn alarm_is_set_for_full_tables_only() {
    let mut log = Log::with(10, 10);
    assert_eq!(log.fakes.audits.alarms.get(), 0, "the table is full, but nothing is behind it");
    (0..29).for_each(|_| log.append(1));
    assert_eq!(log.fakes.audits.alarms.get(), 1);
    assert_eq!(log.settle().len(), 3);
    assert_eq!(log.fakes.audits.alarms.get(), 3, "one for each segment");
    (0..10).for_each(|_| log.append(1));
    assert_eq!(log.fakes.audits.alarm_ms.get(), Some(log.fakes.clock_ms.get()), "and at once for the next one");
    assert_eq!(log.settle().len(), 1);
    assert_eq!(run(log.fakes.audits.ring(&log.fakes.bucket)), Ok(None), "one that comes for nothing does nothing");
}

#[test]
fn archiving_costs_few_rows_whatever_the_tables_size() {
    let mut rows = vec![];
    for entries in [20, 200] {
        let mut log = Log::with(entries, usize::try_from(entries).unwrap() * 3 + 1);
        log.settle();
        // Notes of 4 tables and of 3 segments, and 3 tables forgotten; what CREATE and DROP count as, SQLite does not tell.
        rows.push(log.fakes.audits.sql.rows_written() - entries * 3 - 1);
        log.look_at_all().unwrap();
    }
    assert_eq!(rows, [10, 10]);
}

#[test]
fn refusing_bucket_is_retried_in_growing_pauses() {
    let mut log = Log::with(3, 4);
    let (faults, audits, clock) = (log.fakes.faults.clone(), log.fakes.audits.clone(), log.fakes.clock_ms.clone());
    faults.plan_row(Some(Kind::PutNew), 0, Fault::Fails, 10);
    let mut pauses = vec![];
    for _ in 0..10 {
        clock.set(audits.alarm_ms.get().unwrap());
        assert!(log.ring().is_err());
        pauses.push(audits.alarm_ms.get().unwrap() - clock.get());
        log.append(1);
        assert_eq!(audits.alarm_ms.get().unwrap() - clock.get(), *pauses.last().unwrap(), "no entry hurries it");
    }
    assert!(faults.clear());
    assert_eq!(pauses[..3], [AUDIT_AGAIN_MS, 2 * AUDIT_AGAIN_MS, 4 * AUDIT_AGAIN_MS]);
    assert_eq!(pauses[8..], [AUDIT_AGAIN_MAX_MS; 2]);
    assert_eq!(log.settle().len(), 4);
    log.look_at_all().unwrap();
    // Once it took one, the pauses begin anew.
    (0..6).for_each(|_| log.append(1));
    faults.plan(Some(Kind::PutNew), 0, Fault::Fails);
    assert!(log.ring().is_err());
    assert_eq!(audits.alarm_ms.get().unwrap() - clock.get(), AUDIT_AGAIN_MS);
}

#[test]
fn repeated_denials_delay_no_full_table() {
    let fakes = Fakes::new();
    fakes.audits.set_bounds(3, u64::MAX);
    let drop_payload = || problem(&Ask::post("/v1/payloads/none/drop", "why").of(&fakes)).0;
    assert_eq!((drop_payload(), drop_payload()), (404, 404));
    let minute = fakes.audits.alarm_ms.get().unwrap();
    assert!(minute > fakes.clock_ms.get(), "the repeat is due when its minute is over");
    assert_eq!(drop_payload(), 404);
    assert_eq!(fakes.audits.alarm_ms.get(), Some(fakes.clock_ms.get()), "a full table is due at once");
    assert!(run(fakes.audits.ring(&fakes.bucket)).unwrap().is_some());
    assert_eq!(fakes.audits.alarm_ms.get(), Some(minute));
}

#[test]
fn lost_alarm_is_set_again_by_later_entries() {
    let mut log = Log::with(3, 4);
    let (audits, clock) = (log.fakes.audits.clone(), log.fakes.clock_ms.clone());
    audits.alarm_ms.set(None);
    log.append(1);
    assert_eq!(audits.alarm_ms.get(), None, "it may come yet");
    clock.set(clock.get() + AUDIT_ALARM_MS);
    log.append(1);
    assert_eq!(audits.alarm_ms.get(), Some(clock.get()));
    // So is one that could not be set, and one whose object was started anew.
    audits.alarm_ms.set(None);
    audits.restart();
    log.fakes.faults.plan(Some(Kind::Alarm), 0, Fault::Fails);
    log.append(1);
    assert!(log.fakes.faults.clear());
    assert_eq!(audits.alarm_ms.get(), None);
    log.append(1);
    assert_eq!(audits.alarm_ms.get(), Some(clock.get()));
}

#[test]
fn entries_during_a_put_are_recorded_exactly_once() {
    let mut log = Log::with(3, 7);
    let (fakes, deeds) = (log.fakes.clone(), Rc::new(std::cell::Cell::new(0)));
    let count = deeds.clone();
    log.fakes.bucket.meanwhile(move || {
        for number in 7..15 {
            run(rpc::call(&fakes.audits, AUDIT, &Log::deed(number, 1))).unwrap();
            count.set(count.get() + 1);
        }
        // The platform runs one alarm at a time; two would do no harm.
        run(fakes.audits.ring(&fakes.bucket)).unwrap().unwrap();
        run(fakes.audits.ring(&fakes.bucket)).unwrap().unwrap();
    });
    assert_eq!(log.ring().unwrap().unwrap().last, 3, "it was put twice and removed once");
    assert_eq!(deeds.get(), 8);
    (0..8).for_each(|_| log.appended(1));
    log.append(1);
    log.settle();
    assert_eq!(log.fakes.bucket.contents().len(), 5);
    log.look_at_all().unwrap();
}

/// A log of which something waits, whose nth call of this kind will fail while its alarm goes off; `None` where it never
/// came to that.
fn alarm_fails(kind: Kind, nth: usize, fault: Fault) -> Option<()> {
    let mut log = Log::with(3, 8);
    let faults = match kind {
        Kind::Sql | Kind::Commit => log.fakes.audits.sql_faults.clone(),
        _ => log.fakes.faults.clone(),
    };
    faults.plan(Some(kind), nth, fault);
    let rung = log.ring();
    if !faults.clear() {
        return None;
    }
    assert!(rung.is_err(), "{kind:?} {nth} {fault:?}");
    log.look_at_all().unwrap_or_else(|why| panic!("{kind:?} {nth} {fault:?}: {why}"));
    // What failed at its very beginning, or had its alarm refused, waits for the next entry.
    log.fakes.clock_ms.set(log.fakes.clock_ms.get() + AUDIT_ALARM_MS + AUDIT_AGAIN_MAX_MS);
    log.append(1);
    log.settle();
    assert!(log.kept() <= 3, "{kind:?} {nth} {fault:?}");
    log.look_at_all().unwrap_or_else(|why| panic!("{kind:?} {nth} {fault:?}: {why}"));
    Some(())
}

#[test]
fn alarm_failures_lose_nothing_and_are_retried() {
    for (kind, least) in [(Kind::PutNew, 1), (Kind::Alarm, 1), (Kind::Commit, 1), (Kind::Sql, 10)] {
        for fault in Fault::BOTH {
            let calls = (0..100).take_while(|&nth| alarm_fails(kind, nth, fault).is_some()).count();
            assert!(calls >= least && calls < 100, "{kind:?} {calls}");
        }
    }
}

/// Whether an append whose nth call of its database fails leaves the log as it should; `false` where there is none.
fn append_fails(before: usize, kind: Kind, nth: usize, fault: Fault) -> bool {
    let mut log = Log::with(3, before);
    let faults = log.fakes.audits.sql_faults.clone();
    faults.plan(Some(kind), nth, fault);
    let appended = log.try_append(1);
    if !faults.clear() {
        assert!(appended.is_ok());
        return false;
    }
    assert!(appended.is_err());
    let heads = [log.naive.entries.len(), log.naive.entries.len() + 1];
    let ask = raydex::audit::calls::ReadEntries { limit: 1, ..Default::default() };
    let head = run(rpc::call(&log.fakes.audits, AUDIT, &ask)).unwrap().head.seq;
    assert!(heads.contains(&usize::try_from(head).unwrap()));
    if head == heads[1] as u64 {
        log.appended(1);
    }
    log.append(1);
    log.look_at_all().unwrap_or_else(|why| panic!("{before} {kind:?} {nth} {fault:?}: {why}"));
    true
}

#[test]
fn failed_append_is_written_whole_or_not() {
    for before in [0, 1, 3, 4, 6] {
        for fault in Fault::BOTH {
            let calls = (0..100).take_while(|&nth| append_fails(before, Kind::Sql, nth, fault)).count();
            assert!((4..100).contains(&calls), "{calls}");
            assert!(append_fails(before, Kind::Commit, 0, fault));
        }
    }
}

#[test]
fn existing_object_at_a_segments_key_is_verified() {
    let log = Log::with(3, 4);
    log.fakes.faults.plan(Some(Kind::PutNew), 0, Fault::FailsButHappened);
    assert!(log.ring().is_err());
    assert!(log.fakes.faults.clear());
    let (key, stored) = log.fakes.bucket.contents().pop_first().unwrap();
    assert_eq!(log.kept(), 4, "nobody knows yet that it is there");
    log.fakes.faults.plan(Some(Kind::Get), 0, Fault::Fails);
    assert!(log.ring().is_err());
    assert!(log.fakes.faults.clear());
    log.fakes.bucket.has_other_writers();
    let changed = rewritten(&stored, |kept| kept[1].entry.push(' '));
    for object in [&stored[..stored.len() - 1], b"", b"something else", &changed] {
        log.fakes.bucket.store(&key, object);
        assert!(log.ring().is_err());
        assert_eq!(log.kept(), 4);
        assert_eq!(log.fakes.bucket.contents()[&key], object, "nor is it written over");
    }
    log.fakes.bucket.store(&key, &stored);
    let brought = log.settle();
    assert_eq!((brought[0].key.as_str(), log.kept()), (key.as_str(), 1));
}

#[test]
fn a_log_survives_puts_that_fail() {
    // The mutants of the audit log must fail here.
    let mut log = Log::with(3, 10);
    log.fakes.faults.plan_row(Some(Kind::PutNew), 0, Fault::Fails, 2);
    for _ in 0..10 {
        let _failed = log.ring();
    }
    log.look_at_all().unwrap();
}
