//! A new account: the bucket is copied, before the Worker is deployed or after that.

use raydex::time::rfc3339;

use super::{BATCHES, LINES, MINUTE, Scene};

/// An account without anything but these objects of another one.
fn moved(old: &Scene, settings: &[(&str, &str)], with_objects: bool) -> Scene {
    let mut scene = Scene::new(&[]);
    scene.0.fakes.ledgers.lose(|_| true);
    scene.0.fakes.bucket.delete("raydex/first-start/v1");
    scene.0.pass(old.0.now() - scene.0.now());
    scene.redeploy(settings);
    if with_objects {
        copy(old, &scene);
    }
    scene
}

/// Copies the objects: they are written now.
fn copy(old: &Scene, new: &Scene) {
    for key in old.keys() {
        let bytes = old.0.fakes.bucket.object(&key).unwrap().bytes;
        new.put(&key, &bytes);
    }
}

/// Everything is found, and nothing was delivered but what is new.
fn is_back(old: &Scene, new: &Scene) {
    new.everything_comes_again();
    new.rebuild(BATCHES);
    new.everything_comes_again();
    assert_eq!((new.found(), new.delivered()), (old.found(), (0, 0)));
    new.live(70);
    new.minutes(20);
    assert_eq!(new.delivered(), (LINES, 1));
}

#[test]
fn bucket_copied_first_is_only_indexed() {
    let old = Scene::with_batches(&[]);
    let new = moved(&old, &[], true);
    new.0.pass(MINUTE);
    is_back(&old, &new);
}

#[test]
fn push_start_time_keeps_later_copies_back() {
    let old = Scene::with_batches(&[]);
    let until = rfc3339(old.0.now());
    let new = moved(&old, &[("PUSH_START_TIME", &until)], false);
    new.minutes(5);
    copy(&old, &new);
    is_back(&old, &new);
}

#[test]
fn copied_mark_holds_an_old_push_start_time() {
    let old = Scene::with_batches(&[]);
    let new = moved(&old, &[("PUSH_START_TIME", "2026-03-01T00:00:00Z")], true);
    // The bucket was copied as a whole, with what raydex wrote.
    new.put("raydex/first-start/v1", b"2026-03-01T00:00:00Z");
    new.0.pass(MINUTE);
    is_back(&old, &new);
}
