//! What a ledger forgets by itself: batches whose time has passed, and not before each of their lines came to its end.

use raydex::backend::SqlDatabase;
use raydex::ledger::books::LedgerTotals;
use raydex::ledger::calls::{
    BeginAnswer, BeginBatch, GetBatch, GetTotals, MarkRegistered, MarkRemoved, PayloadSelection, QuarantineBatch,
    SealBatch,
};
use raydex::ledger::decisions::{DecideDelivery, DeliveryDecision};
use raydex::ledger::expiry::{LedgerExpiry, expire, may_store, remove_bodies};
use raydex::ledger::ids::PackId;
use raydex::limits::{
    BODIES_KEPT_MS, EXPIRED_SOURCES_AT_ONCE, EXPIRY_AGAIN_MS, EXPIRY_LOOK_MS, EXPIRY_MARGIN_MS, EXPIRY_UNSETTLED_MS,
};

use raydex::rpc::Call;

use super::support::{Fault, Faults, Kind, MemoryBucket, run};
use super::{Ledger, begin, begin_of, delivered, source};

const DAY_MS: i64 = 86_400_000;
/// How long the accounts are kept.
const KEPT_MS: i64 = 400 * DAY_MS;
/// When they expire, counted from their last change.
const DUE_MS: i64 = KEPT_MS + EXPIRY_MARGIN_MS;

fn look(ledger: &Ledger) -> LedgerExpiry {
    expire(&ledger.sql, Some(KEPT_MS), ledger.now()).unwrap()
}

fn totals(ledger: &Ledger) -> LedgerTotals {
    ledger.ask(&GetTotals {}).totals
}

fn packs(payloads: usize) -> MarkRemoved {
    let pack =
        |number| PackId { source: source('a'), plan: 1, first: super::index(number), digest: format!("{number:064x}") };
    MarkRemoved { packs: (0..payloads).map(pack).collect() }
}

/// A ledger with a batch of three payloads that the partner has, whose bodies are removed.
fn settled() -> Ledger {
    let ledger = Ledger::sealed(3);
    ledger.ask(&MarkRegistered { since_ms: Some(ledger.now()) });
    (0..3).for_each(|number| ledger.attempt(number, delivered()));
    ledger.ask(&packs(3));
    ledger
}

#[test]
fn settled_batch_expires_and_its_sums_stay() {
    let ledger = settled();
    let before = totals(&ledger);
    assert_eq!((before.lines.lines_in, before.lines.delivered, before.lines.unaccounted), (30, 30, 0));
    ledger.pass(DUE_MS - 1);
    assert_eq!(look(&ledger), LedgerExpiry { batches: 0, next_ms: Some(ledger.now() + EXPIRY_UNSETTLED_MS) });
    ledger.pass(1);
    assert_eq!(look(&ledger), LedgerExpiry { batches: 1, next_ms: None });
    assert_eq!(totals(&ledger), before);
    let get = GetBatch { source: source('a'), payloads: PayloadSelection::All };
    assert_eq!(ledger.ask(&get).batch, None);
    let is_kept = |row: &String| ["note_v1", "forgotten_v1"].iter().any(|table| row.starts_with(table));
    let left: Vec<String> = ledger.sql.rows().into_iter().filter(|row| !is_kept(row)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(look(&ledger), LedgerExpiry::default());
}

#[test]
fn expired_batch_is_never_delivered_again() {
    let ledger = settled();
    ledger.pass(DUE_MS);
    assert_eq!(look(&ledger).batches, 1);
    for uploaded_ms in [5, ledger.now()] {
        // Announced again, or restored: a restored object has a later upload.
        let BeginAnswer::Work(work) = ledger.ask(&begin_of('a', uploaded_ms)) else { panic!("it is indexed") };
        assert!(work.index && work.before_start && work.plan.is_none() && work.registered, "{work:?}");
    }
    // Another version is another matter.
    let BeginAnswer::Work(work) = ledger.ask(&begin_of('b', ledger.now() + 1)) else { panic!("there is work") };
    assert!(!work.before_start && work.plan.is_some(), "{work:?}");
    let BeginAnswer::Work(work) = ledger.ask(&begin_of('b', ledger.now())) else { panic!("there is work") };
    assert!(!work.before_start && work.plan.is_some(), "{work:?}");
}

#[test]
fn batch_that_waits_for_something_stays() {
    let parked = || {
        let ledger = Ledger::sealed(1);
        ledger.attempt(0, super::refused());
        ledger
    };
    let with_body = || {
        let ledger = Ledger::sealed(1);
        ledger.attempt(0, delivered());
        ledger
    };
    let open = || {
        let ledger = Ledger::new();
        ledger.ask(&begin());
        ledger
    };
    for (what, ledger) in
        [("open", open()), ("prepared", Ledger::sealed(1)), ("parked", parked()), ("a body", with_body())]
    {
        let before = totals(&ledger);
        ledger.pass(10 * DUE_MS);
        let looked = look(&ledger);
        assert_eq!(looked, LedgerExpiry { batches: 0, next_ms: Some(ledger.now() + EXPIRY_UNSETTLED_MS) }, "{what}");
        assert_eq!(totals(&ledger), before, "{what}");
    }
    let ledger = parked();
    ledger.ask(&DecideDelivery { id: super::id(0), decision: DeliveryDecision::Drop, reason: "old".into() });
    ledger.ask(&packs(1));
    ledger.pass(10 * DUE_MS);
    assert_eq!(look(&ledger).batches, 1);
}

#[test]
fn rewritten_batch_is_kept_from_its_rewriting() {
    let ledger = settled();
    let statement = format!("UPDATE source_v1 SET written_ms = {}", ledger.now() + 20 * DAY_MS);
    ledger.sql.run(&statement, &[]).unwrap();
    ledger.pass(DUE_MS + 19 * DAY_MS);
    assert_eq!(look(&ledger).batches, 0);
    assert_eq!(look(ledger.pass(DAY_MS)).batches, 1);
}

#[test]
fn bodies_are_removed_without_a_sweep() {
    let ledger = Ledger::sealed(2);
    (0..2).for_each(|number| ledger.attempt(number, delivered()));
    let bucket = MemoryBucket::new(&Faults::default());
    let keys: Vec<String> = packs(2).packs.iter().map(PackId::key).collect();
    for key in &keys {
        bucket.store(key, b"x");
    }
    let remove = || run(remove_bodies(&ledger.sql, &bucket, ledger.now())).unwrap();
    assert_eq!((remove(), bucket.contents().len()), (0, 2));
    assert_eq!(look(&ledger).next_ms, Some(ledger.now() + EXPIRY_UNSETTLED_MS), "it looks for them each day");
    ledger.pass(BODIES_KEPT_MS + 1);
    assert_eq!((remove(), bucket.contents().len(), remove()), (2, 0, 0));
    assert_eq!(look(ledger.pass(DUE_MS)).batches, 1);
}

#[test]
fn quarantined_batch_expires_once_it_is_gone() {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    ledger.ask(&QuarantineBatch { source: source('a'), code: "not_ndjson".into(), reason: "it is CSV".into() });
    assert_eq!(look(ledger.pass(DUE_MS)).batches, 0);
    ledger.sql.run("UPDATE source_v1 SET gone = 1", &[]).unwrap();
    assert_eq!(look(&ledger), LedgerExpiry { batches: 1, next_ms: None });
}

#[test]
fn accounts_without_a_setting_stay() {
    let ledger = settled();
    ledger.pass(100 * DUE_MS);
    let looked = expire(&ledger.sql, None, ledger.now()).unwrap();
    assert_eq!(looked, LedgerExpiry { batches: 0, next_ms: Some(ledger.now() + EXPIRY_LOOK_MS) });
}

#[test]
fn each_end_of_a_reading_sets_the_alarm() {
    let calls = [SealBatch::NAME, QuarantineBatch::NAME, BeginBatch::NAME, GetBatch::NAME];
    assert_eq!(calls.map(may_store), [true, true, false, false]);
}

#[test]
fn large_ledger_is_emptied_in_steps() {
    let ledger = settled();
    for number in 0..EXPIRED_SOURCES_AT_ONCE {
        let statement = format!(
            "INSERT INTO source_v1 SELECT printf('%064x', {number}), object_key, etag, uploaded_ms, size, dataset, possible_datasets,
             state, code, reason, indexed, shards, gone, lines, counts, rejected, inflated, first_ms, last_ms, replay, 1, first_seen_ms,
             sealed_ms, origin, revision, written_ms FROM source_v1 WHERE id = ?"
        );
        ledger.sql.run(&statement, &[raydex::backend::SqlValue::text(source('a').as_str())]).unwrap();
    }
    let before = totals(&ledger);
    ledger.pass(DUE_MS);
    let first = look(&ledger);
    assert_eq!(first, LedgerExpiry { batches: EXPIRED_SOURCES_AT_ONCE, next_ms: Some(ledger.now() + EXPIRY_AGAIN_MS) });
    assert_eq!(totals(&ledger), before);
    assert_eq!(look(&ledger), LedgerExpiry { batches: 1, next_ms: None });
    assert_eq!(totals(&ledger), before);
}

#[test]
fn failed_expiry_has_forgotten_nothing() {
    let clean = settled();
    clean.pass(DUE_MS);
    let before = clean.faults.count(Kind::Sql);
    look(&clean);
    for nth in 0..clean.faults.count(Kind::Sql) - before {
        for fault in Fault::BOTH {
            let ledger = settled();
            ledger.pass(DUE_MS);
            let rows = ledger.sql.rows();
            ledger.faults.plan(Some(Kind::Sql), nth, fault);
            assert!(expire(&ledger.sql, Some(KEPT_MS), ledger.now()).is_err() && ledger.faults.clear(), "{nth}");
            assert_eq!(ledger.sql.rows(), rows, "{fault:?} {nth}");
            look(&ledger);
            assert_eq!(ledger.sql.rows(), clean.sql.rows(), "{fault:?} {nth}");
        }
    }
}
