//! A backfill is done when every line of its window has its outcome, and no earlier.

use std::cell::Cell;
use std::rc::Rc;

use raydex::ledger::DeliveryId;
use raydex::ledger::backfill_ledgers::RecordBackfillSums;
use raydex::ledger::backfill_sums::{BackfillLines, BackfillSums, EarlierLines};
use raydex::ledger::backfills::{CountEndedObject, RecordBackfillStep, StartBackfill};
use raydex::ledger::calls::{DecideDelivery, DeliveryDecision};
use raydex::limits::BACKFILL_RECOUNT_MS;

use super::support::partner::Reply;
use super::*;
use crate::support::ledgers::{batch_of, only_ledger};

/// A partner that answers what the cell says.
fn moody(batches: i64) -> (Consumers, Rc<Cell<u16>>) {
    let status = Rc::new(Cell::new(503));
    let says = status.clone();
    (deployment(batches, move || Reply::Status(says.get())), status)
}

/// Turns until the backfill is done; it must not be while the partner lacks one of these records.
fn until_done(consumers: &Consumers, id: i64, owed: &BTreeMap<String, usize>) -> BackfillJob {
    for _ in 0..100 {
        let job = job(&consumers.fakes, id);
        if job.state == BackfillState::Done {
            assert_eq!(&consumers.partner.stored(), owed);
            return job;
        }
        work(consumers);
    }
    panic!("it is never done: {:?}", job(&consumers.fakes, id))
}

#[test]
fn backfill_is_done_when_the_partner_has_everything() {
    let (consumers, status) = moody(12);
    let window = (instant(2, 2), instant(9, 1));
    let id = begin(&consumers, ask(window.0, window.1));
    let owed = expected(12, &[window]);
    for _ in 0..5 {
        work(&consumers);
    }
    let waiting = job(&consumers.fakes, id);
    assert_eq!((waiting.state, waiting.announced), (BackfillState::Announced, waiting.processed));
    let lines = BackfillLines { lines_in: owed.len() as u64, pending: owed.len() as u64, ..BackfillLines::default() };
    assert_eq!(waiting.sums, BackfillSums { lines, earlier: EarlierLines::default() });
    status.set(200);
    let job = until_done(&consumers, id, &owed);
    let lines = BackfillLines { lines_in: owed.len() as u64, delivered: owed.len() as u64, ..BackfillLines::default() };
    assert_eq!(job.sums, BackfillSums { lines, earlier: EarlierLines::default() });
}

#[test]
fn lines_of_earlier_plans_are_waited_for() {
    let (consumers, status) = moody(6);
    arrive(&consumers, 0..4);
    let window = (instant(1, 0), instant(3, 0));
    let id = begin(&consumers, ask(window.0, window.1));
    for _ in 0..3 {
        work(&consumers);
    }
    let waiting = job(&consumers.fakes, id);
    // Batches are ten minutes apart: two of them are in the window, and all of their lines.
    let earlier = EarlierLines { lines: 10, pending: 10, parked: 0 };
    assert_eq!((waiting.state, &waiting.sums.earlier), (BackfillState::Announced, &earlier));
    assert_eq!(waiting.sums.lines, BackfillLines::default());
    status.set(200);
    let job = until_done(&consumers, id, &expected(6, &[(instant(0, 0), instant(4, 0))]));
    assert_eq!(job.sums.earlier, EarlierLines { pending: 0, ..earlier });
}

#[test]
fn parked_lines_end_it_and_are_counted_later() {
    let (consumers, status) = moody(3);
    status.set(400);
    let id = begin(&consumers, ask(instant(0, 0), instant(3, 0)));
    for _ in 0..5 {
        work(&consumers);
    }
    let done = job(&consumers.fakes, id);
    assert_eq!((done.state, done.sums.lines.parked, done.sums.lines.pending), (BackfillState::Done, 15, 0));
    status.set(200);
    let payloads = |batch| {
        let head = consumers.fakes.bucket.object(&key(batch)).unwrap().head;
        consumers.fakes.ledgers.batch(&batch_of(BUCKET_NAME, &key(batch), &head.etag)).payloads
    };
    for view in (0..3).flat_map(payloads) {
        let id = DeliveryId::from_handle(&view.id).unwrap();
        let decide =
            DecideDelivery { id: id.clone(), decision: DeliveryDecision::Release, reason: "they mended it".into() };
        consumers.fakes.ledgers.ask(&id.ledger, &decide);
    }
    consumers.settle(TURN_MS);
    consumers.pass(BACKFILL_RECOUNT_MS);
    work(&consumers);
    let later = job(&consumers.fakes, id);
    assert_eq!((later.state, later.sums.lines.parked, later.sums.lines.delivered), (BackfillState::Done, 0, 15));
}

#[test]
fn objects_that_are_no_batches_are_counted() {
    let (consumers, _) = moody(1);
    let stray = batch_key("logs/", Dataset::HttpRequests, instant(0, 0), instant(0, 5), 9);
    consumers.fakes.bucket.store(&stray, b"no,json\nat,all\n");
    let id = begin(&consumers, BackfillRequest { deliver: false, ..ask(instant(0, 0), instant(1, 0)) });
    for _ in 0..3 {
        work(&consumers);
    }
    let job = job(&consumers.fakes, id);
    assert_eq!((job.state, job.processed, job.quarantined), (BackfillState::Done, 2, 1));
    assert_eq!((job.sums, job.counted_ms), (BackfillSums::default(), None), "nothing of it is delivered");
}

/// A backfill that has announced these objects, and nothing more.
fn announced(fakes: &Fakes, before: &[&str], keys: &[&str]) -> i64 {
    let start = StartBackfill { request: ask(0, 9), folders: Vec::new(), name: None };
    let id = fakes.ledgers.ask(REGISTRY, &start).id;
    for key in before {
        process(fakes, id, key);
    }
    let job = BackfillJob { state: BackfillState::Announced, ..job(fakes, id) };
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    assert!(fakes.ledgers.ask(REGISTRY, &RecordBackfillStep { id, after_steps: 0, job, keys }).kept);
    id
}

fn process(fakes: &Fakes, id: i64, key: &str) {
    fakes
        .ledgers
        .ask(REGISTRY, &CountEndedObject { id, key: key.into(), ledger: None, quarantined: false, rebuilt: None });
}

/// What every ledger of a backfill counts: nothing.
fn count_nothing(fakes: &Fakes, id: i64, all_processed: bool) {
    let sums = ["a", "b", "c"].map(|key| (only_ledger(key), BackfillSums::default())).to_vec();
    fakes.ledgers.ask(REGISTRY, &RecordBackfillSums { id, all_processed, sums });
}

#[test]
fn objects_count_once_whenever_their_messages_come() {
    let fakes = Fakes::new();
    // One is processed before its step is recorded, and one was announced by a step that was never recorded.
    let id = announced(&fakes, &["a", "a", "gone"], &["a", "b"]);
    assert_eq!((job(&fakes, id).announced, job(&fakes, id).processed), (2, 1));
    count_nothing(&fakes, id, false);
    process(&fakes, id, "a");
    assert_eq!((job(&fakes, id).processed, job(&fakes, id).state), (1, BackfillState::Announced));
    process(&fakes, id, "b");
    assert_eq!((job(&fakes, id).processed, job(&fakes, id).state), (2, BackfillState::Announced));
}

#[test]
fn early_count_that_comes_late_is_not_final() {
    let fakes = Fakes::new();
    let id = announced(&fakes, &["a"], &["a", "b"]);
    process(&fakes, id, "b");
    let mut sums = BackfillSums::default();
    sums.lines.pending = 100;
    let late = vec![(only_ledger("a"), BackfillSums::default()), (only_ledger("b"), BackfillSums::default())];
    fakes.ledgers.ask(REGISTRY, &RecordBackfillSums { id, all_processed: true, sums: vec![(only_ledger("a"), sums)] });
    // Another run of the cron began before the last object was processed.
    fakes.ledgers.ask(REGISTRY, &RecordBackfillSums { id, all_processed: false, sums: late });
    assert_eq!(job(&fakes, id).state, BackfillState::Announced);
    count_nothing(&fakes, id, true);
    assert_eq!(job(&fakes, id).state, BackfillState::Done);
}

/// A deployment that does not deliver.
fn off() -> Config {
    support::world::config()
}

#[test]
fn backfill_waits_while_nothing_is_delivered() {
    let mut consumers = deployment(2, || Reply::Status(200));
    let id = begin(&consumers, ask(instant(0, 0), instant(2, 0)));
    let delivering = std::mem::replace(&mut consumers.config, off());
    assert!(!consumers.config.is_meant_to_deliver());
    run(drive_backfills(&consumers.fakes, &consumers.config)).unwrap();
    assert_eq!(consumers.fakes.queue.take(), Vec::<String>::new(), "nothing is announced");
    consumers.config = delivering;
    run(drive_backfills(&consumers.fakes, &consumers.config)).unwrap();
    let messages = consumers.fakes.queue.take();
    let delivering = std::mem::replace(&mut consumers.config, off());
    for message in &messages {
        let verdict = consumers.parse(message, 1);
        assert_eq!((verdict.code, verdict.retry_s.is_some()), (Some("delivery_off"), true));
    }
    consumers.config = delivering;
    for message in &messages {
        consumers.parse(message, 2);
    }
    let owed = expected(2, &[(instant(0, 0), instant(2, 0))]);
    assert_eq!(until_done(&consumers, id, &owed).sums.lines.delivered, 10);
}

#[test]
fn counts_before_the_last_object_are_not_final() {
    let fakes = Fakes::new();
    let id = announced(&fakes, &["a"], &["a", "b"]);
    count_nothing(&fakes, id, false);
    process(&fakes, id, "b");
    count_nothing(&fakes, id, false);
    assert_eq!(job(&fakes, id).state, BackfillState::Announced);
    count_nothing(&fakes, id, true);
    assert_eq!(job(&fakes, id).state, BackfillState::Done);
}
