//! Plans: pinned by the first attempt, apart from each other, each record in one of them.

use proptest::collection::vec;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use raydex::ledger::calls::{BeginAnswer, BeginBatch, CheckPlan, PlanStanding, RemainingWork, SealBatch};
use raydex::ledger::plan::DeliveryRequest;
use raydex::ledger::{DeliveryPlan, DeliveryWindow, PlanOptions};
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
    let check = |abandon| ledger.ask(&CheckPlan { source: source('a'), plan: first.number, abandon });
    assert_eq!((check(false), check(true), check(false)), (PlanStanding::Open, PlanStanding::Void, PlanStanding::Void));
    assert!(ledger.refusal(&seal(first.number, 1)).contains("it was abandoned"));
    // The object was there after all: its lines get another plan.
    let (second, _) = plan(&ledger, wish(DeliveryWindow::EVER));
    assert_ne!(second.number, first.number);
    ledger.ask(&seal(second.number, 1));
    assert_eq!(
        ledger.ask(&CheckPlan { source: source('a'), plan: second.number, abandon: true }),
        PlanStanding::Sealed
    );
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
        tenant: "x".into(),
        unknown_country: "US".into(),
        duplicates: DuplicatePolicy::Hold,
        ..plan_options()
    };
    let again = plan(&ledger, DeliveryRequest { window: DeliveryWindow::EVER, options: other });
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
