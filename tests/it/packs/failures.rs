//! Every call of the world fails once, in both ways, while packs are made and sent; then it all comes right.

use raydex::ledger::DeliveryState;

use super::support::{Fault, Kind};
use super::{RECORDS, delivered, payloads, scene, sealed, stored};

#[test]
fn second_attempt_after_any_failure_writes_nothing_new() {
    let (clean, event) = scene(delivered);
    let before = clean.fakes.faults.calls();
    assert_eq!(clean.parse(&event, 1).verdict.name(), "sealed");
    let calls = clean.fakes.faults.calls() - before;
    let puts = clean.fakes.faults.count(Kind::PutNew);
    assert_eq!(stored(&clean).len(), puts, "three packs, and a batch of this size has nothing beside it");
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let place = format!("call {nth} of {calls} {fault:?}");
            let (consumers, event) = scene(delivered);
            consumers.fakes.faults.plan(None, nth, fault);
            consumers.parse(&event, 1);
            assert!(consumers.fakes.faults.clear(), "{place}: never came to it");
            let first = stored(&consumers);
            assert!(["sealed", "already_sealed"].contains(&consumers.parse(&event, 2).verdict.name()), "{place}");
            assert!(first.iter().all(|(key, bytes)| stored(&clean).get(key) == Some(bytes)), "{place}");
            assert_eq!(stored(&consumers), stored(&clean), "{place}");
            assert_eq!(payloads(&consumers), payloads(&clean), "{place}");
        }
    }
}

#[test]
fn puts_failing_one_after_another_recover() {
    let (clean, event) = scene(delivered);
    clean.parse(&event, 1);
    for fault in Fault::BOTH {
        let (consumers, event) = scene(delivered);
        for nth in 0..3 {
            consumers.fakes.faults.plan(Some(Kind::PutNew), nth, fault);
            assert!(consumers.parse(&event, 1).retry_s.is_some(), "{nth} {fault:?}");
            assert!(consumers.fakes.sends.take().is_empty(), "nothing is sent of what is not sealed");
        }
        consumers.fakes.faults.clear();
        assert_eq!(consumers.parse(&event, 1).verdict.name(), "sealed");
        assert_eq!(stored(&consumers), stored(&clean), "{fault:?}");
    }
}

#[test]
fn every_line_is_sent_after_any_sending_failure() {
    let (clean, messages) = sealed(delivered);
    let before = clean.fakes.faults.calls();
    assert_eq!(clean.send(&messages[4], 1).verdict.name(), "delivered");
    let calls = clean.fakes.faults.calls() - before;
    assert!(calls >= 4, "claim, range, its body, commit: {calls}");
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let (consumers, messages) = sealed(delivered);
            consumers.fakes.faults.plan(None, nth, fault);
            consumers.send(&messages[4], 1);
            assert!(consumers.fakes.faults.clear());
            consumers.settle(24 * 3_600_000);
            let states: Vec<DeliveryState> = payloads(&consumers).iter().map(|view| view.state).collect();
            assert_eq!(states, [DeliveryState::Delivered; 7], "call {nth} of {calls} {fault:?}");
            assert_eq!(consumers.partner.stored().len() as u64, RECORDS);
        }
    }
}
