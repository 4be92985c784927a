//! Sweeps that did not take place: the next one looks back as far as it must.

use super::support::{Fault, Kind};
use super::{DAY, HOUR, MINUTE, Scene};

#[test]
fn after_a_day_without_a_sweep_everything_since_the_last_one_is_found() {
    let scene = Scene::new();
    assert!(scene.sweep().is_empty());
    let mut keys = Vec::new();
    for number in 0..24 {
        keys.push(scene.write_batch(number));
        scene.0.pass(HOUR);
    }
    keys.sort();
    assert_eq!(scene.sweep(), keys);
}

#[test]
fn after_a_day_in_which_no_sweep_came_to_its_end_everything_is_found() {
    for kind in [Kind::List, Kind::Ledger] {
        let scene = Scene::new();
        assert!(scene.sweep().is_empty());
        let mut keys = Vec::new();
        for number in 0..24 {
            keys.push(scene.write_batch(number));
            scene.0.pass(HOUR);
            scene.0.fakes.faults.plan(Some(kind), usize::from(kind == Kind::Ledger), Fault::Fails);
            assert!(scene.try_sweep().is_err(), "{kind:?}");
            scene.announced();
        }
        scene.0.fakes.faults.clear();
        keys.sort();
        assert_eq!(scene.sweep(), keys, "{kind:?}");
    }
}

#[test]
fn after_a_first_day_in_which_no_sweep_came_to_its_end_everything_is_found() {
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
fn an_object_written_just_before_the_last_sweep_is_found_by_the_next() {
    let scene = Scene::new();
    let key = scene.write_batch(1);
    assert!(scene.sweep().is_empty(), "too young");
    scene.0.pass(2 * DAY);
    assert_eq!(scene.sweep(), [key]);
}

#[test]
fn it_looks_back_four_days_at_most_and_three_hours_at_least() {
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
fn a_ledger_of_days_ago_is_not_asked_about_what_was_found_since() {
    let scene = Scene::new();
    scene.write_batch(1);
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep_and_read(), 1);
    scene.0.pass(5 * HOUR);
    let key = scene.write_batch(2);
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep(), [key]);
}
