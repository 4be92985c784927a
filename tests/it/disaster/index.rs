//! Shards are gone, ledgers are there.

use std::collections::BTreeMap;

use raydex::ledger::backfills::BackfillState;

use super::{BATCHES, LINES, MINUTE, Scene, text};
use crate::support::{Fault, Reply};

#[test]
fn lost_shards_answer_as_before_after_a_rebuild() {
    let mut scene = Scene::with_batches(&[]);
    let (found, accounts, rows) = (scene.found(), scene.accounts(), scene.0.fakes.shards.rows());
    let books: BTreeMap<String, Vec<String>> = ledger_rows(&scene);
    scene.0.fakes.shards.lose();
    scene.restart();
    assert_ne!(scene.found(), found, "nothing is lost");
    // A redeploy, events and sweeps repair nothing: the ledgers say that it is indexed.
    scene.everything_comes_again();
    assert!(scene.0.fakes.shards.rows().is_empty());
    scene.rebuild(BATCHES);
    assert_eq!(scene.found(), found);
    assert_eq!(scene.accounts(), accounts);
    assert_eq!(scene.0.fakes.shards.rows(), rows, "claims of lines, too");
    assert_eq!((ledger_rows(&scene), scene.delivered()), (books, (BATCHES * LINES, 1)));
    // Once more, of an index that is whole.
    scene.rebuild(BATCHES);
    assert_eq!((scene.found(), scene.0.fakes.shards.rows()), (found, rows));
}

/// The rows of the ledgers of hours, but for their notes.
fn ledger_rows(scene: &Scene) -> BTreeMap<String, Vec<String>> {
    let mut rows = scene.0.fakes.ledgers.rows();
    rows.retain(|name, _| scene.hours().contains(name));
    for rows in rows.values_mut() {
        rows.retain(|row| !row.starts_with("note_v1"));
    }
    rows
}

#[test]
fn copies_after_a_rebuild_are_held_as_before() {
    let scene = Scene::with_batches(&[]);
    let old = scene.keys().remove(2);
    let mut bytes = scene.0.fakes.bucket.object(&old).unwrap().bytes.to_vec();
    scene.0.fakes.shards.lose();
    scene.rebuild(BATCHES);
    // Other bytes under another name, with the same lines and one more.
    bytes.extend(b"\n");
    bytes.extend(text(9, scene.0.now()).split(|byte| *byte == b'\n').next().unwrap());
    let copy = scene.key(77);
    scene.put(&copy, &bytes);
    assert_eq!(scene.event(&copy).verdict.name(), "sealed");
    scene.minutes(20);
    assert_eq!(scene.delivered(), (BATCHES * LINES + 1, 1));
}

#[test]
fn rebuild_interrupted_anywhere_ends_the_same() {
    let scene = || {
        let scene = Scene::new(&[]);
        let keys = [scene.live(0), scene.live(1)];
        let found = scene.found();
        scene.0.fakes.shards.lose();
        (scene, found, keys)
    };
    let calls = {
        let (scene, ..) = scene();
        let before = scene.0.fakes.faults.calls();
        scene.rebuild(2);
        scene.0.fakes.faults.calls() - before
    };
    assert!(calls > 20, "{calls}");
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let (mut scene, found, _) = scene();
            let id = scene.begin_rebuild();
            scene.0.fakes.faults.plan(None, nth, fault);
            scene.turn();
            scene.0.fakes.faults.clear();
            scene.restart();
            let job = scene.finish(id);
            assert_eq!((job.announced, job.processed, job.rebuilt.objects), (2, 2, 2), "call {nth} {fault:?}");
            assert_eq!(scene.found(), found, "call {nth} {fault:?}");
            assert_eq!(scene.delivered(), (2 * LINES, 1), "call {nth} {fault:?}");
        }
    }
}

#[test]
fn live_traffic_goes_on_beside_a_rebuild() {
    let scene = Scene::with_batches(&[]);
    scene.0.fakes.shards.lose();
    // One lies there whose event is late, one comes while the rebuild runs.
    let late = scene.write(10);
    scene.0.pass(MINUTE);
    let id = scene.begin_rebuild();
    let during = scene.write(11);
    scene.event(&during);
    scene.finish(id);
    assert_eq!(scene.event(&late).code, None, "it is not held back");
    scene.minutes(30);
    assert_eq!(scene.delivered(), ((BATCHES + 2) * LINES, 1));
    assert_eq!(scene.0.fakes.ledgers.totals().before_start.batches, 0);
}

#[test]
fn pending_payloads_go_on_after_a_rebuild() {
    let mut scene = Scene::with_batches(&[]);
    scene.0.partner = crate::support::FakePartner::new(&scene.0.fakes.clock_ms, |_, _| Reply::Status(503));
    let waiting = scene.live(20);
    let before = scene.0.fakes.kept(&waiting).payloads;
    scene.0.fakes.shards.lose();
    scene.0.fakes.sends.take();
    let job = scene.job(scene.begin_rebuild());
    assert_eq!(job.state, BackfillState::Running);
    scene.rebuild(BATCHES + 1);
    let after = scene.0.fakes.kept(&waiting).payloads;
    assert_eq!((before.len(), after.len()), (4, 4));
    scene.0.partner = crate::support::FakePartner::new(&scene.0.fakes.clock_ms, |_, _| Reply::Status(200));
    scene.minutes(60);
    assert_eq!(scene.delivered(), (LINES, 1));
}
