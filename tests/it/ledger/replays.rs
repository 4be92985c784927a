//! `replay` of a sealed source: its rejected lines are read again, and no line goes twice.

use raydex::index::LineCounts;
use raydex::ledger::calls::{
    BeginAnswer, BeginBatch, FindUnfinished, GetBatch, GetTotals, PayloadSelection, QuarantineBatch, RemainingWork,
    ReplayAnswer, ReplayBatch, ReplayStep, SealBatch,
};
use raydex::ledger::{BatchState, DeliveryWindow};
use raydex::partner::EdgeRecords;

use super::{Ledger, begin, counts, rejected_lines, seal, seal_of_lines, source, window, wish, with_rejected};

fn replay(ledger: &Ledger) -> ReplayAnswer {
    ledger.ask(&ReplayBatch { source: source('a'), reason: "look again".into() })
}

const DUE: ReplayAnswer = ReplayAnswer { state: Some(BatchState::Sealed), due: true };
const NOTHING: ReplayAnswer = ReplayAnswer { state: Some(BatchState::Sealed), due: false };

/// A source of ten records and so many rejected lines, sealed by its first plan.
fn sealed(rejected: u64) -> Ledger {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    ledger.ask(&with_rejected(seal(1, 1), rejected));
    ledger
}

fn work(ledger: &Ledger, begin: &BeginBatch) -> RemainingWork {
    match ledger.ask(begin) {
        BeginAnswer::Work(work) => work,
        other => panic!("there is nothing to do: {other:?}"),
    }
}

/// The lines that the plan of this work covers; `None` for all.
fn lines(work: &RemainingWork) -> Option<Vec<u64>> {
    work.plan.as_ref().unwrap().repair.as_ref().map(|repair| repair.lines.iter().collect())
}

/// The seal of a reading that found so many records, of which the plan delivers some; the rest is rejected still.
fn found(work: &RemainingWork, records: u64, delivered: u64, rejected: u64) -> SealBatch {
    let plan = work.plan.as_ref().map_or(0, |plan| plan.number);
    let seal = if delivered > 0 { seal_of_lines(plan, delivered) } else { seal(plan, 0) };
    let seal = SealBatch { counts: counts(records), replay: work.replay, ..seal };
    let mut seal = with_rejected(seal, rejected);
    if work.plan.is_none() {
        seal.plan = None;
    }
    if rejected == 0 {
        (seal.counts.rejected, seal.rejected) = Default::default();
    }
    seal
}

fn kept(ledger: &Ledger) -> (LineCounts, bool) {
    let batch = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).batch.unwrap();
    assert_eq!(ledger.ask(&GetTotals {}).totals.lines.unaccounted, 0);
    (batch.counts, batch.replaying)
}

#[test]
fn repaired_lines_alone_are_delivered() {
    let ledger = sealed(3);
    assert_eq!(replay(&ledger), DUE);
    let rows = ledger.sql.rows();
    let again = ReplayBatch { source: source('a'), reason: "look again".into() };
    assert_eq!(ledger.again_is_the_same(&again, &rows), DUE);
    assert!(kept(&ledger).1);
    let first = work(&ledger, &begin());
    assert_eq!((first.index, first.more), (true, false));
    assert_eq!(first.replay, Some(ReplayStep { number: 1, is_last: true }));
    assert_eq!(lines(&first), Some(vec![0, 10, 20]));
    assert_eq!(first.plan.as_ref().unwrap().windows, [DeliveryWindow::EVER]);
    let rows = ledger.sql.rows();
    assert_eq!(ledger.again_is_the_same(&begin(), &rows), BeginAnswer::Work(first.clone()), "the plan is pinned");
    let seal = found(&first, 12, 2, 1);
    ledger.ask(&seal);
    let (counts, replaying) = kept(&ledger);
    assert_eq!((counts.records, counts.rejected_lines(), replaying), (12, 1, false));
    let rows = ledger.sql.rows();
    assert!(ledger.again_is_the_same(&seal, &rows).already);
    assert_eq!(ledger.ask(&begin()), BeginAnswer::Complete);
    // The line that is left may be read once more, and is all that goes then.
    assert_eq!(replay(&ledger), DUE);
    let second = work(&ledger, &begin());
    assert_eq!((second.replay.unwrap().number, lines(&second)), (3, Some(vec![0])));
    ledger.ask(&found(&second, 13, 1, 0));
    assert_eq!(kept(&ledger).0.rejected_lines(), 0);
    assert_eq!(replay(&ledger), NOTHING);
    assert_eq!(ledger.ask(&GetTotals {}).totals.lines.pending, 13);
}

#[test]
fn source_without_rejected_lines_has_nothing_to_replay() {
    let ledger = Ledger::sealed(2);
    let rows = ledger.sql.rows();
    assert_eq!(replay(&ledger), NOTHING);
    assert_eq!(ledger.sql.rows(), rows);
}

#[test]
fn late_seal_of_an_earlier_reading_changes_nothing() {
    let ledger = sealed(3);
    replay(&ledger);
    ledger.ask(&with_rejected(seal(1, 1), 3));
    assert!(kept(&ledger).1, "it knew nothing of the replay");
    let wrong = SealBatch { replay: Some(ReplayStep { number: 3, is_last: true }), ..with_rejected(seal(1, 1), 3) };
    ledger.ask(&wrong);
    assert!(kept(&ledger).1);
}

#[test]
fn open_plan_is_sealed_before_the_replay_begins() {
    let part = |start, end| BeginBatch { deliver: Some(wish(window(start, end))), ..begin() };
    let ledger = Ledger::new();
    ledger.ask(&part(0, 10));
    ledger.ask(&with_rejected(seal(1, 1), 2));
    // A backfill of other times broke off.
    let open = work(&ledger, &part(0, 20));
    replay(&ledger);
    let first = work(&ledger, &part(0, 20));
    assert_eq!((&first.plan, first.more, first.replay), (&open.plan, true, None));
    // Its reading repairs the lines in its own window.
    ledger.ask(&SealBatch { counts: counts(12), ..seal(2, 0) });
    let second = work(&ledger, &part(0, 20));
    assert_eq!((lines(&second), second.more), (Some(vec![0, 10]), false));
    assert_eq!(second.plan.as_ref().unwrap().windows, [window(0, 10)], "not the times of the plan that had them");
    ledger.ask(&found(&second, 12, 1, 0));
    assert_eq!(ledger.ask(&part(0, 20)), BeginAnswer::Complete);
    assert_eq!(kept(&ledger).0.records, 12);
}

#[test]
fn each_plan_is_repaired_by_its_own() {
    let part = |start, end| BeginBatch { deliver: Some(wish(window(start, end))), ..begin() };
    let ledger = Ledger::new();
    ledger.ask(&part(0, 10));
    ledger.ask(&with_rejected(seal(1, 1), 2));
    ledger.ask(&part(0, 20));
    ledger.ask(&with_rejected(SealBatch { counts: counts(10), ..seal(2, 0) }, 2));
    replay(&ledger);
    let first = work(&ledger, &part(0, 20));
    assert_eq!((first.more, first.replay.unwrap().is_last), (true, false));
    ledger.ask(&found(&first, 12, 1, 0));
    let second = work(&ledger, &part(0, 20));
    assert_eq!((second.more, second.replay.unwrap().is_last), (false, true));
    assert_eq!(second.plan.as_ref().unwrap().windows, [window(10, 20)]);
    ledger.ask(&found(&second, 12, 1, 0));
    assert_eq!(ledger.ask(&part(0, 20)), BeginAnswer::Complete);
}

#[test]
fn lines_repaired_while_delivery_is_off_go_later() {
    let ledger = sealed(2);
    replay(&ledger);
    let off = BeginBatch { deliver: None, ..begin() };
    let step = work(&ledger, &off);
    assert_eq!((&step.plan, step.index, step.replay.unwrap().is_last), (&None, true, true));
    ledger.ask(&found(&step, 12, 0, 0));
    assert_eq!(kept(&ledger).0.rejected_lines(), 0);
    assert_eq!(ledger.ask(&begin()), BeginAnswer::Complete, "not by themselves");
    assert_eq!(replay(&ledger), DUE);
    let step = work(&ledger, &begin());
    assert_eq!(lines(&step), Some(vec![0, 10]));
    ledger.ask(&found(&step, 12, 2, 0));
    assert_eq!(replay(&ledger), NOTHING);
}

#[test]
fn replay_without_a_batch_ends_and_changes_nothing() {
    let ledger = sealed(2);
    replay(&ledger);
    let unfinished = |ledger: &Ledger| {
        let (sources, edge_records) = (vec![source('a')], EdgeRecords::Exclude);
        ledger
            .ask(&FindUnfinished {
                sources,
                rewritten: std::collections::BTreeMap::new(),
                deliver: None,
                edge_records,
                written_from_ms: None,
            })
            .sources
            .len()
    };
    assert_eq!(unfinished(&ledger), 1, "a sweep finds a replay whose message was lost");
    let why = QuarantineBatch { source: source('a'), code: "csv".into(), reason: "it is CSV".into() };
    assert!(!ledger.ask(&why).quarantined);
    let (counts, replaying) = kept(&ledger);
    assert_eq!((counts.rejected_lines(), replaying, unfinished(&ledger)), (2, false, 0));
}

#[test]
fn batch_names_the_first_of_its_rejected_lines() {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    let many = 2 * raydex::limits::REJECTED_LISTED as u64;
    let seal = with_rejected(seal(1, 1), many);
    assert_eq!(seal.rejected, rejected_lines(&seal.counts));
    ledger.ask(&seal);
    let listed = ledger.ask(&GetBatch { source: source('a'), payloads: PayloadSelection::All }).rejected;
    assert_eq!(listed.len(), raydex::limits::REJECTED_LISTED);
    assert_eq!((listed[1].offset, &*listed[1].code), (10, "not_json"));
}
