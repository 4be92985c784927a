//! Every call of a sweep fails once, in both ways: the next sweep does what was left.

use std::collections::BTreeSet;

use super::support::records::{http, ray};
use super::support::{Fault, Kind};
use super::{DAY, HOUR, Scene};

/// Three objects that nobody announced, in two hours; bodies that nobody needs; an alarm that was lost.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("logs/http_requests/20260328/20260328T070000Z_old.log.gz");
    scene.0.pass(HOUR);
    scene.sweep_and_read();
    scene.0.settle(HOUR);
    scene.0.pass(3 * DAY);
    for number in 0..2 {
        scene.write_batch(number);
    }
    scene.0.pass(HOUR);
    let text = http(&ray(5).to_string(), 0);
    scene.write_text("logs/aside.log.gz", text.as_bytes());
    scene.0.pass(HOUR);
    scene
}

#[test]
fn failed_sweep_is_right_next_time() {
    let clean = scene();
    let before = clean.0.fakes.faults.calls();
    let swept = clean.try_sweep().unwrap();
    assert_eq!((swept.announced, swept.packs_removed), (3, 1));
    let calls = clean.0.fakes.faults.calls() - before;
    let expected: BTreeSet<String> = clean.announced().into_iter().collect();
    assert!(calls >= 12, "{calls} calls");
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let scene = scene();
            scene.0.fakes.faults.plan(None, nth, fault);
            assert!(scene.try_sweep().is_err(), "call {nth} {fault:?}");
            assert!(scene.0.fakes.faults.clear());
            let mut found: BTreeSet<String> = scene.announced().into_iter().collect();
            scene.try_sweep().unwrap();
            found.extend(scene.announced());
            assert_eq!(found, expected, "call {nth} {fault:?}");
            assert_eq!(scene.0.fakes.bucket.contents(), clean.0.fakes.bucket.contents(), "call {nth} {fault:?}");
            assert_eq!(scene.0.fakes.ledgers.rows(), clean.0.fakes.ledgers.rows(), "call {nth} {fault:?}");
        }
    }
}

#[test]
fn failed_sweep_does_not_count_as_one() {
    let scene = Scene::new();
    scene.sweep();
    let key = scene.write_batch(1);
    scene.0.pass(4 * HOUR);
    // The announcement does not go out: the objects of this time are still to be looked for.
    scene.0.fakes.faults.plan(Some(Kind::Send), 0, Fault::Fails);
    assert!(scene.try_sweep().is_err());
    assert!(scene.0.fakes.faults.clear());
    scene.0.pass(4 * HOUR);
    assert_eq!(scene.sweep(), [key]);
}
