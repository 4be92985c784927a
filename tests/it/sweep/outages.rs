//! Sweeps that did not take place: the next one looks back as far as it must.

use super::support::{Fault, Kind};
use super::{DAY, HOUR, MINUTE, Scene};

/// A scene that was swept once, and then had a batch an hour for a day, each followed by `then`; the batches' keys.
fn day_after_sweep(then: impl Fn(&Scene)) -> (Scene, Vec<String>) {
    let scene = Scene::new();
    assert!(scene.sweep().is_empty());
    let mut keys: Vec<String> = (0..24)
        .map(|number| {
            let key = scene.write_batch(number);
            scene.0.pass(HOUR);
            then(&scene);
            key
        })
        .collect();
    keys.sort();
    (scene, keys)
}

#[test]
fn day_without_sweeps_is_caught_up_completely() {
    let (scene, keys) = day_after_sweep(|_| ());
    assert_eq!(scene.sweep(), keys);
}

#[test]
fn day_of_unfinished_sweeps_is_caught_up_completely() {
    for kind in [Kind::List, Kind::Ledger] {
        let (scene, keys) = day_after_sweep(|scene| {
            scene.0.fakes.faults.plan(Some(kind), usize::from(kind == Kind::Ledger), Fault::Fails);
            assert!(scene.try_sweep().is_err(), "{kind:?}");
            scene.announced();
        });
        scene.0.fakes.faults.clear();
        assert_eq!(scene.sweep(), keys, "{kind:?}");
    }
}

#[test]
fn first_day_of_unfinished_sweeps_is_caught_up() {
    let scene = Scene::new();
    let mut keys = Vec::new();
    for number in 0..24 {
        keys.push(scene.write_batch(number));
        scene.0.fakes.faults.plan(Some(Kind::List), 0, Fault::Fails);
        assert!(scene.try_sweep().is_err());
        scene.0.pass(HOUR);
    }
    scene.0.fakes.faults.clear();
    keys.sort();
    assert_eq!(scene.sweep(), keys);
}

#[test]
fn object_written_before_a_sweep_is_found_next() {
    let scene = Scene::new();
    let key = scene.write_batch(1);
    assert!(scene.sweep().is_empty(), "too young");
    scene.0.pass(2 * DAY);
    assert_eq!(scene.sweep(), [key]);
}

#[test]
fn horizon_is_three_hours_to_four_days() {
    let scene = Scene::new();
    assert!(scene.sweep().is_empty());
    scene.0.pass(30 * DAY);
    let old = scene.write_batch(1);
    scene.0.pass(DAY);
    let young = scene.write_batch(2);
    scene.0.pass(3 * DAY + 3 * HOUR);
    assert_eq!(scene.sweep(), [old, young]);
    scene.0.pass(MINUTE);
    assert!(scene.sweep().is_empty(), "the last sweep is a minute ago");
}

#[test]
fn old_ledgers_are_not_asked_about_newer_objects() {
    let scene = Scene::new();
    scene.write_batch(1);
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep_and_read(), 1);
    scene.0.pass(5 * HOUR);
    let key = scene.write_batch(2);
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep(), [key]);
}
