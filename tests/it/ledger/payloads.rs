//! A decision about many payloads of a ledger holds for those that were counted, or for none.

use raydex::ledger::DeliveryState;
use raydex::ledger::calls::DeliveryDecision;
use raydex::ledger::payloads::{CountPayloads, DecidePayloads, PayloadFilter, PayloadSet, SetDecision};

use super::{Ledger, refused};

/// The first parked payloads, at most so many.
fn parked(limit: u64) -> CountPayloads {
    CountPayloads { filter: PayloadFilter { state: Some(DeliveryState::Parked), ..PayloadFilter::default() }, limit }
}

fn decide(ledger: &Ledger, count: CountPayloads, expected: PayloadSet) -> SetDecision {
    ledger.ask(&DecidePayloads { count, expected, decision: DeliveryDecision::Drop, reason: "enough".into() })
}

/// A ledger with five payloads, three of them parked.
fn ledger() -> Ledger {
    let ledger = Ledger::sealed(5);
    (1..4).for_each(|number| ledger.attempt(number, refused()));
    ledger
}

#[test]
fn set_is_decided_as_it_was_counted() {
    let ledger = ledger();
    let expected = ledger.ask(&parked(10));
    assert_eq!((expected.payloads, expected.lines), (3, 30));
    ledger.attempt(4, refused());
    let rows = ledger.sql.rows();
    let nothing = SetDecision { applied: false, decided: 0, lines: 0 };
    assert_eq!(decide(&ledger, parked(10), expected.clone()), nothing, "one more");
    let other = PayloadSet { digest: "0".repeat(64), ..ledger.ask(&parked(10)) };
    assert_eq!(decide(&ledger, parked(10), other), nothing, "as many others");
    assert_eq!(ledger.sql.rows(), rows);
    let decided = decide(&ledger, parked(3), expected);
    assert_eq!(decided, SetDecision { applied: true, decided: 3, lines: 30 }, "the first three are those");
    assert_eq!(ledger.ask(&parked(10)).payloads, 1);
}

#[test]
fn released_set_wakes_the_ledger_at_once() {
    let ledger = ledger();
    let (count, decision) = (parked(10), DeliveryDecision::Release);
    let call = DecidePayloads { expected: ledger.ask(&count), count, decision, reason: "again".into() };
    let (answer, wake_ms) = ledger.answer(&call).unwrap();
    assert_eq!((answer.decided, wake_ms), (3, Some(ledger.now())));
}
