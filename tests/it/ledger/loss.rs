//! A ledger that begins anew while the registry knows it for longer.

use raydex::ledger::calls::{BeginAnswer, BeginBatch, FindUnfinished, MarkRegistered, RebuildRequest, RemainingWork};
use raydex::ledger::{DeliveryWindow, PlanBackfill};
use raydex::limits::LEDGER_CLOCKS_MS;
use raydex::partner::EdgeRecords;

use super::{Ledger, begin, begin_of, seal, source, wish};

/// What there is to do.
fn work(ledger: &Ledger, begin: &BeginBatch) -> RemainingWork {
    match ledger.ask(begin) {
        BeginAnswer::Work(work) => work,
        other => panic!("there is nothing to do: {other:?}"),
    }
}

fn mark(ledger: &Ledger, since_ms: i64) -> bool {
    ledger.ask(&MarkRegistered { since_ms: Some(since_ms) }).lost
}

/// Whether the sweep announces the source again, whatever the settings say.
fn is_unfinished(ledger: &Ledger) -> bool {
    let deliver = Some(DeliveryWindow::EVER);
    let find = FindUnfinished {
        rewritten: std::collections::BTreeMap::new(),
        sources: vec![source('a')],
        deliver,
        edge_records: EdgeRecords::Exclude,
        written_from_ms: None,
    };
    !ledger.ask(&find).sources.is_empty()
}

#[test]
fn loss_is_known_by_a_minute_of_clocks() {
    for (earlier_ms, lost) in [(-5, false), (0, false), (LEDGER_CLOCKS_MS, false), (LEDGER_CLOCKS_MS + 1, true)] {
        let ledger = Ledger::new();
        let since_ms = ledger.now() - earlier_ms;
        assert!(work(&ledger, &begin()).plan.is_some());
        assert_eq!(mark(&ledger, since_ms), lost, "{earlier_ms}");
        // It is decided once.
        ledger.pass(1_000_000);
        assert_eq!(mark(&ledger, since_ms - 1_000_000), lost, "{earlier_ms}");
        let again = work(&ledger, &begin());
        assert_eq!((again.plan.is_none(), again.before_start, again.registered), (lost, lost, true), "{earlier_ms}");
    }
}

#[test]
fn lost_ledger_holds_what_was_written_before() {
    let ledger = Ledger::new();
    let reborn_ms = ledger.now();
    work(&ledger, &begin());
    assert!(mark(&ledger, reborn_ms - 3_600_000));
    let held = work(&ledger, &begin());
    assert!(held.before_start && held.plan.is_none());
    ledger.ask(&raydex::ledger::calls::SealBatch { plan: None, ..seal(1, 1) });
    assert!(!is_unfinished(&ledger));
    // Written since: delivered as usual.
    let new = BeginBatch {
        object: raydex::index::ObjectVersion { key: "logs/other".into(), ..super::object("b", reborn_ms) },
        ..begin_of('b', reborn_ms)
    };
    assert!(work(&ledger, &new).plan.is_some());
    // A backfill that delivers is asked for by a person.
    let backfill = Some(PlanBackfill { id: 1, lines_per_second: 1, again: false });
    let asked = raydex::ledger::plan::DeliveryRequest { backfill, ..wish(DeliveryWindow::EVER) };
    assert!(work(&ledger, &BeginBatch { deliver: Some(asked), ..begin() }).plan.is_some());
}

#[test]
fn rebuild_changes_no_row_of_a_known_source() {
    let ledger = Ledger::sealed(2);
    let rows = ledger.sql.rows();
    let rebuild = Some(RebuildRequest { written_from_ms: Some(i64::MAX) });
    let again = work(&ledger, &BeginBatch { deliver: None, rebuild, ..begin() });
    assert_eq!((again.index, again.plan, again.claims, again.before_start), (true, None, vec![1], false));
    ledger.ask(&raydex::ledger::calls::SealBatch { plan: None, ..seal(1, 2) });
    assert_eq!(ledger.sql.rows(), rows);
}

#[test]
fn rebuild_holds_an_unknown_source_for_ever() {
    for (uploaded_ms, held) in [(99, true), (100, false)] {
        let ledger = Ledger::new();
        let rebuild = Some(RebuildRequest { written_from_ms: Some(100) });
        let unknown = BeginBatch { deliver: None, rebuild, ..begin_of('a', uploaded_ms) };
        assert_eq!(work(&ledger, &unknown).before_start, held);
        // Interrupted, and begun again.
        assert_eq!(work(&ledger, &unknown).before_start, held);
        ledger.ask(&raydex::ledger::calls::SealBatch { plan: None, ..seal(1, 1) });
        assert_eq!(is_unfinished(&ledger), !held);
        let is_planned =
            matches!(ledger.ask(&begin_of('a', uploaded_ms)), BeginAnswer::Work(work) if work.plan.is_some());
        assert_eq!(is_planned, !held);
    }
}
