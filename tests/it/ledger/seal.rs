//! `seal`: all of a source in one call, and only if the books balance.

use std::collections::BTreeMap;

use raydex::index::{LineCounts, RejectedLines};
use raydex::ledger::books::LedgerTotals;
use raydex::ledger::calls::{BeginBatch, ClaimPayload, GetTotals, QuarantineBatch, SealBatch, SealedPlan};
use raydex::ledger::{DeliveryGroup, DeliveryId};
use raydex::limits::OUTBOX_FIRST_MS;

use super::{
    LINES, Ledger, begin, claim, counts, delivered, id, payload, refused, rejected_lines, seal, source, window, wish,
};

/// A ledger in which the source is begun.
fn begun() -> Ledger {
    let ledger = Ledger::new();
    ledger.ask(&begin());
    ledger
}

/// The messages of so many payloads, each alone.
fn messages(count: usize) -> Vec<DeliveryGroup> {
    (0..count).map(id).map(DeliveryGroup::from).collect()
}

/// The usual seal, of which something else is said.
fn with(change: impl FnOnce(&mut LineCounts, &mut SealedPlan)) -> SealBatch {
    let mut seal = seal(1, 2);
    change(&mut seal.counts, seal.plan.as_mut().unwrap());
    seal.rejected = rejected_lines(&seal.counts);
    seal
}

fn reasons(reasons: &[(&str, u64)]) -> BTreeMap<String, u64> {
    reasons.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
}

fn totals(ledger: &Ledger) -> LedgerTotals {
    let totals = ledger.ask(&GetTotals {}).totals;
    assert_eq!(totals.lines.unaccounted, 0, "{totals:?}");
    totals
}

#[test]
fn seal_names_messages_or_schedules_them() {
    let ledger = begun();
    let (answer, wake_ms) = ledger.answer(&seal(1, 3)).unwrap();
    assert_eq!((answer.already, answer.send), (false, messages(3)));
    assert_eq!(wake_ms, Some(ledger.now() + OUTBOX_FIRST_MS));
}

#[test]
fn resealing_changes_nothing_and_names_unclaimed_payloads() {
    let ledger = Ledger::sealed(3);
    let rows = ledger.sql.rows();
    let again = ledger.pass(1000).again_is_the_same(&seal(1, 3), &rows);
    assert_eq!((again.already, again.send), (true, messages(3)));
    ledger.claim(1, "one");
    let rows = ledger.sql.rows();
    assert_eq!(ledger.again_is_the_same(&seal(1, 3), &rows).send, [id(0), id(2)].map(DeliveryGroup::from));
    // Nothing of the claim is lost, nor is a payload that came to rest sent again.
    ledger.commit(1, 1, delivered());
    ledger.attempt(0, refused());
    let rows = ledger.sql.rows();
    assert_eq!(ledger.again_is_the_same(&seal(1, 3), &rows).send, [DeliveryGroup::from(id(2))]);
}

#[test]
fn books_that_do_not_balance_are_refused() {
    let unbalanced: [(&str, SealBatch); 8] = [
        (
            "a record of the window is nowhere",
            with(|counts, plan| (counts.lines, counts.records, plan.in_window) = (21, 21, 21)),
        ),
        ("a line of a payload is none of the window", with(|_, plan| plan.in_window = 19)),
        ("more kept back than there is", with(|_, plan| plan.filtered = reasons(&[("filter", 1)]))),
        ("a payload lost a line", with(|_, plan| plan.payloads[0].lines -= 1)),
        ("a payload is missing", with(|_, plan| drop(plan.payloads.pop()))),
        ("more in the window than were read", with(|counts, _| (counts.lines, counts.records) = (19, 19))),
        ("a line is neither a record nor rejected", with(|counts, _| counts.lines = 21)),
        ("a rejected line is not among the lines", with(|counts, _| counts.rejected = reasons(&[("not_json", 1)]))),
    ];
    for (what, seal) in unbalanced {
        let ledger = begun();
        ledger.refusal(&seal);
        assert!(!ledger.ask(&super::seal(1, 2)).already, "{what}: the right one is taken afterwards");
    }
    let unlisted = with(|counts, _| (counts.lines, counts.rejected) = (21, reasons(&[("not_json", 1)])));
    assert!(begun().refusal(&SealBatch { rejected: RejectedLines::default(), ..unlisted }).contains("listed"));
    // Without a plan, too.
    let ledger = begun();
    ledger.refusal(&SealBatch { plan: None, counts: LineCounts { lines: 3, ..counts(2) }, ..seal(1, 2) });
}

#[test]
fn unbegun_unplanned_and_quarantined_sources_are_not_sealed() {
    let ledger = Ledger::new();
    assert!(ledger.refusal(&seal(1, 2)).contains("never begun"));
    ledger.ask(&BeginBatch { deliver: None, ..begin() });
    assert!(ledger.refusal(&seal(1, 2)).contains("no such plan"));
    let ledger = begun();
    assert!(ledger.refusal(&seal(2, 2)).contains("no such plan"));
    ledger.ask(&QuarantineBatch { source: source('a'), code: "x".into(), reason: "y".into() });
    assert!(ledger.refusal(&seal(1, 2)).contains("quarantined"));
}

#[test]
fn source_has_equal_lines_in_every_seal() {
    let ledger = Ledger::sealed(2);
    for lines in [19, 21] {
        assert!(ledger.refusal(&SealBatch { counts: counts(lines), ..seal(1, 2) }).contains("20 lines"));
        assert!(ledger.refusal(&SealBatch { counts: counts(lines), plan: None, ..seal(1, 2) }).contains("20 lines"));
    }
}

#[test]
fn a_second_plan_is_sealed_beside_the_first() {
    let ledger = Ledger::new();
    let part = |start, end| BeginBatch { deliver: Some(wish(window(start, end))), ..begin() };
    let sealed = |plan, payloads| SealBatch { counts: counts(30), ..seal(plan, payloads) };
    ledger.ask(&part(0, 10));
    assert_eq!(ledger.ask(&sealed(1, 2)).send, messages(2));
    assert_eq!(totals(&ledger).lines.filtered, reasons(&[("no_plan", 10)]));
    ledger.ask(&part(0, 20));
    let second = ledger.ask(&sealed(2, 1));
    // The first one's messages may be lost as well: nobody has claimed.
    let of_the_second = DeliveryId { plan: 2, ..id(0) };
    assert_eq!((second.already, second.send), (false, [messages(2), vec![of_the_second.clone().into()]].concat()));
    assert_eq!(totals(&ledger).lines.filtered, BTreeMap::new());
    ledger.ask(&ClaimPayload { id: of_the_second, ..claim(0, "one") });
    assert_eq!(totals(&ledger).payloads, reasons(&[("prepared", 2), ("sending", 1)]));
}

#[test]
fn the_books_name_every_line() {
    let ledger = begun();
    ledger.ask(&with(|counts, plan| {
        *counts = LineCounts {
            lines: 27,
            records: 25,
            rejected: reasons(&[("not_json", 1), ("line_too_long", 1)]),
            ..counts.clone()
        };
        plan.in_window = 23;
        plan.filtered = reasons(&[("filter", 2), ("subrequest", 1)]);
    }));
    let lines = totals(&ledger).lines;
    assert_eq!((lines.lines_in, lines.pending, lines.delivered, lines.parked), (27, 20, 0, 0));
    assert_eq!(lines.rejected, reasons(&[("line_too_long", 1), ("not_json", 1)]));
    assert_eq!(lines.filtered, reasons(&[("filter", 2), ("no_plan", 2), ("subrequest", 1)]));
    ledger.attempt(0, delivered());
    ledger.attempt(1, refused());
    let lines = totals(&ledger).lines;
    assert_eq!((lines.pending, lines.delivered, lines.parked), (0, LINES, LINES));
}

#[test]
fn empty_plan_is_sealed_and_wakes_nothing() {
    let ledger = begun();
    let (answer, wake_ms) = ledger.answer(&SealBatch { counts: counts(0), ..seal(1, 0) }).unwrap();
    assert!(answer.send.is_empty() && wake_ms.is_none());
    assert_eq!(totals(&ledger).batches, reasons(&[("sealed", 1)]));
}

#[test]
fn an_index_that_was_superseded_is_none() {
    let ledger = begun();
    ledger.ask(&SealBatch { indexed: Some(false), ..seal(1, 2) });
    let known = ledger.ask(&raydex::ledger::calls::GetBatch {
        source: source('a'),
        payloads: raydex::ledger::calls::PayloadSelection::All,
    });
    assert!(!known.batch.unwrap().indexed && known.shards.is_empty());
    assert_eq!(known.payloads.len(), 2);
    assert_eq!(known.payloads[1].payload, payload(1));
}
