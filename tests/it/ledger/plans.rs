//! Plans: pinned by the first attempt, apart from each other, each record in one of them.

use proptest::collection::vec;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use raydex::ledger::calls::{BeginAnswer, BeginBatch, CheckPlan, PlanStanding, RemainingWork, SealBatch};
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::{DeliveryPlan, DeliveryWindow, PlanBackfill, PlanOptions};
use raydex::partner::{DuplicatePolicy, Subrequests};

use super::{Ledger, begin, counts, plan_options, seal, source, window, wish};

/// An attempt that wants this delivered.
fn wants(wish: DeliveryRequest) -> BeginBatch {
    BeginBatch { deliver: Some(wish), ..begin() }
}

/// The plan to work on, and whether there is more behind it.
fn plan(ledger: &Ledger, wish: DeliveryRequest) -> (DeliveryPlan, bool) {
    match ledger.ask(&wants(wish)) {
        BeginAnswer::Work(RemainingWork { plan: Some(plan), more, .. }) => (plan, more),
        other => panic!("no plan: {other:?}"),
    }
}

/// The question how a plan of the source stands, for a repetition of this backfill.
fn check(plan: u32, abandon: bool, repetition: Option<i64>) -> CheckPlan {
    CheckPlan { source: source('a'), plan, abandon, repetition }
}

/// A backfill that delivers this window once more.
fn once_more(id: i64, window: DeliveryWindow) -> DeliveryRequest {
    DeliveryRequest { backfill: Some(PlanBackfill { id, lines_per_second: 9, again: true }), ..wish(window) }
}

/// The seal of a plan that came to nothing, of a source of so many records.
fn nothing_of(number: u32, records: u64) -> SealBatch {
    SealBatch { counts: counts(records), ..seal(number, 0) }
}

/// Every plan of the source with this window, one after the other, sealed.
fn all_of(ledger: &Ledger, wish: &DeliveryRequest) -> Vec<DeliveryPlan> {
    let mut plans = Vec::new();
    while let BeginAnswer::Work(RemainingWork { plan: Some(plan), .. }) = ledger.ask(&wants(wish.clone())) {
        ledger.ask(&nothing_of(plan.number, 20));
        plans.push(plan);
    }
    plans
}

#[test]
fn abandoned_plan_is_never_sealed() {
    let ledger = Ledger::new();
    let (first, _) = plan(&ledger, wish(DeliveryWindow::EVER));
    let check = |abandon| ledger.ask(&check(first.number, abandon, None));
    assert_eq!((check(false), check(true), check(false)), (PlanStanding::Open, PlanStanding::Void, PlanStanding::Void));
    assert!(ledger.refusal(&seal(first.number, 1)).contains("it was abandoned"));
    // The object was there after all: its lines get another plan.
    let (second, _) = plan(&ledger, wish(DeliveryWindow::EVER));
    assert_ne!(second.number, first.number);
    ledger.ask(&seal(second.number, 1));
    assert_eq!(ledger.ask(&self::check(second.number, true, None)), PlanStanding::Sealed);
}

#[test]
fn second_attempt_keeps_the_first_plan_despite_settings() {
    let ledger = Ledger::new();
    let (first, more) = plan(&ledger, wish(DeliveryWindow::EVER));
    assert_eq!((first.number, &first.options, more), (1, &plan_options(), false));
    let rows = ledger.sql.rows();
    let other = PlanOptions {
        lines: 7,
        subrequests: Subrequests::Exclude,
        filter: Some("{}".into()),
        version: "cf_vod_v3.0".into(),
        tenant: "x".into(),
        unknown_country: "US".into(),
        duplicates: DuplicatePolicy::Hold,
        ..plan_options()
    };
    let again = plan(&ledger, DeliveryRequest::new(DeliveryWindow::EVER, other));
    assert_eq!(again, (first, false));
    assert_eq!(ledger.sql.rows(), rows);
}

#[test]
fn delivery_switched_back_on_finds_its_plan() {
    let ledger = Ledger::new();
    let (first, _) = plan(&ledger, wish(window(0, 10)));
    let off = BeginBatch { deliver: None, ..begin() };
    assert!(matches!(ledger.ask(&off), BeginAnswer::Work(RemainingWork { plan: None, .. })));
    assert_eq!(plan(&ledger, wish(window(0, 10))), (first, false));
}

#[test]
fn window_is_half_open_and_next_begins_there() {
    let ledger = Ledger::new();
    let (first, _) = plan(&ledger, wish(window(0, 10)));
    assert!(first.holds(0) && first.holds(9) && !first.holds(10) && !first.holds(-1));
    ledger.ask(&nothing_of(1, 20));
    assert_eq!(ledger.ask(&wants(wish(window(0, 10)))), BeginAnswer::Complete);
    assert_eq!(ledger.ask(&wants(wish(window(3, 4)))), BeginAnswer::Complete);
    let (second, more) = plan(&ledger, wish(window(10, 20)));
    assert_eq!((second.number, second.windows, more), (2, vec![window(10, 20)], false));
}

#[test]
fn window_over_older_ones_is_their_remainder() {
    let ledger = Ledger::new();
    for covered in [window(10, 20), window(30, 40)] {
        let (plan, _) = plan(&ledger, wish(covered));
        ledger.ask(&nothing_of(plan.number, 20));
    }
    let (third, more) = plan(&ledger, wish(window(15, 50)));
    assert_eq!((third.number, third.windows, more), (3, vec![window(20, 30), window(40, 50)], false));
}

#[test]
fn open_plan_comes_first_and_reports_more() {
    let ledger = Ledger::new();
    let (open, _) = plan(&ledger, wish(window(0, 10)));
    assert_eq!(plan(&ledger, wish(window(5, 20))), (open.clone(), true));
    assert_eq!(plan(&ledger, wish(window(2, 8))), (open, false), "it covers all that is asked for");
    ledger.ask(&nothing_of(1, 20));
    let (second, more) = plan(&ledger, wish(window(5, 20)));
    assert_eq!((second.number, second.windows, more), (2, vec![window(10, 20)], false));
}

#[test]
fn a_window_that_holds_nothing_is_no_plan() {
    let ledger = Ledger::new();
    for empty in [window(5, 5), window(9, 3)] {
        let answer = ledger.ask(&wants(wish(empty)));
        assert!(matches!(answer, BeginAnswer::Work(RemainingWork { plan: None, more: false, .. })), "{answer:?}");
    }
}

#[test]
fn repetition_is_made_once_per_backfill() {
    let ledger = Ledger::new();
    all_of(&ledger, &wish(window(0, 10)));
    for id in [7, 8] {
        let (repetition, more) = plan(&ledger, once_more(id, window(3, 10)));
        assert_eq!(
            (repetition.windows.as_slice(), repetition.repetition(), more),
            (&[window(3, 10)][..], Some(id), false)
        );
        assert_eq!(plan(&ledger, once_more(id, window(3, 10))), (repetition.clone(), false), "it is pinned");
        assert_eq!(plan(&ledger, wish(window(0, 10))), (repetition.clone(), false), "and finished by whoever comes");
        ledger.ask(&nothing_of(repetition.number, 20));
        assert_eq!(ledger.ask(&wants(once_more(id, window(3, 10)))), BeginAnswer::Complete);
    }
    assert_eq!(ledger.ask(&wants(wish(window(0, 10)))), BeginAnswer::Complete);
}

#[test]
fn only_what_others_cover_is_repeated() {
    let ledger = Ledger::new();
    all_of(&ledger, &wish(window(0, 10)));
    let (first, more) = plan(&ledger, once_more(7, window(5, 20)));
    assert_eq!((first.windows.as_slice(), first.repetition(), more), (&[window(10, 20)][..], None, true));
    assert_eq!(first.backfill.map(|backfill| backfill.id), Some(7));
    ledger.ask(&nothing_of(first.number, 20));
    let (second, more) = plan(&ledger, once_more(7, window(5, 20)));
    assert_eq!((second.windows.as_slice(), second.repetition(), more), (&[window(5, 10)][..], Some(7), false));
    ledger.ask(&nothing_of(second.number, 20));
    assert_eq!(ledger.ask(&wants(once_more(7, window(5, 20)))), BeginAnswer::Complete);
    // Where nothing was covered, nothing is repeated.
    let (third, more) = plan(&ledger, once_more(8, window(20, 30)));
    assert_eq!((third.windows.as_slice(), third.repetition(), more), (&[window(20, 30)][..], None, true));
    ledger.ask(&nothing_of(third.number, 20));
    assert_eq!(ledger.ask(&wants(once_more(8, window(20, 30)))), BeginAnswer::Complete);
}

#[test]
fn open_plan_of_others_precedes_the_repetition() {
    let ledger = Ledger::new();
    let (open, _) = plan(&ledger, wish(window(0, 10)));
    assert_eq!(plan(&ledger, once_more(7, window(0, 10))), (open.clone(), true));
    ledger.ask(&nothing_of(open.number, 20));
    let (of_seven, _) = plan(&ledger, once_more(7, window(0, 10)));
    assert_eq!(plan(&ledger, once_more(8, window(0, 10))), (of_seven, true));
}

#[test]
fn repetition_delivers_nothing_for_other_plans() {
    let ledger = Ledger::new();
    all_of(&ledger, &wish(window(0, 10)));
    let (repetition, _) = plan(&ledger, once_more(7, window(0, 10)));
    let standing = |plan, repetition| ledger.ask(&check(plan, false, repetition));
    assert_eq!(standing(repetition.number, Some(7)), PlanStanding::Open);
    ledger.ask(&nothing_of(repetition.number, 20));
    for (asker, first, second) in [
        (None, PlanStanding::Sealed, PlanStanding::Void),
        (Some(7), PlanStanding::Void, PlanStanding::Sealed),
        (Some(8), PlanStanding::Void, PlanStanding::Void),
    ] {
        assert_eq!((standing(1, asker), standing(repetition.number, asker)), (first, second), "{asker:?}");
    }
}

proptest! {
    #[test]
    fn every_request_is_in_exactly_one_plan(asked in vec((0_i64..40, 1_i64..15), 1..6)) {
        let ledger = Ledger::new();
        let windows: Vec<DeliveryWindow> = asked.iter().map(|(start, length)| window(*start, start + length)).collect();
        let mut plans = Vec::new();
        for window in &windows {
            plans.extend(all_of(&ledger, &wish(*window)));
        }
        for at in -1..60 {
            let owed = windows.iter().any(|window| window.holds(at));
            prop_assert_eq!(plans.iter().filter(|plan| plan.holds(at)).count(), usize::from(owed), "at {}", at);
        }
        let numbers: Vec<u32> = plans.iter().map(|plan| plan.number).collect();
        prop_assert!(numbers.iter().copied().eq(1..=u32::try_from(plans.len()).unwrap()));
    }
}
