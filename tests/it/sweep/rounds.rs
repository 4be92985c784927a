//! The round: what no other listing looks at is found within a day, whatever its folder is called.

use raydex::ledger::ids::REGISTRY;
use raydex::ledger::sweep_round::{GetSweepRound, RecordSweepStep, SweepRound};
use raydex::limits::{LIST_PAGE, SWEEP_LISTINGS};

use super::support::partner::delivering;
use super::support::records::{http, ray};
use super::support::{Consumers, Fault, Kind, Reply};
use super::{DAY, HOUR, MINUTE, Scene};

/// Between two runs of the cron.
const TURN: i64 = 10 * MINUTE;

fn round(scene: &Scene) -> SweepRound {
    scene.0.fakes.ledgers.ask(REGISTRY, &GetSweepRound {}).round.unwrap()
}

/// Sweeps every ten minutes until this key is announced; how long that took.
fn wait_for(scene: &Scene, key: &str) -> i64 {
    let from = scene.0.now();
    while !scene.sweep().iter().any(|announced| announced == key) {
        scene.0.pass(TURN);
        assert!(scene.0.now() - from < 2 * DAY, "{key} is not found");
    }
    scene.0.now() - from
}

#[test]
fn old_folders_are_looked_at_within_a_day() {
    for key in [
        "logs/http_requests/20260101/20260101T000000Z_20260101T000030Z_a.log.gz",
        "logs/http_requests/20260101/part-0001.log.gz",
        "logs/20260328/20260328T01/a.log.gz",
        "logs/20260328/20260328T010000Z_moved.log.gz",
        "logs/20270101/a.log.gz",
    ] {
        let scene = Scene::new();
        assert!(scene.sweep().is_empty());
        scene.0.pass(HOUR);
        scene.write(key);
        assert!(wait_for(&scene, key) <= DAY - HOUR, "{key}");
    }
}

#[test]
fn round_goes_on_from_sweep_to_sweep() {
    let scene = Scene::new();
    scene.0.fakes.bucket.set_page(1);
    // Three sweeps' worth of pages.
    let text = http(&ray(1).to_string(), 0);
    let keys: Vec<String> = (0..500).map(|number| format!("logs/20260101/{number:03}.log.gz")).collect();
    for key in &keys {
        scene.0.fakes.bucket.store(key, text.as_bytes());
    }
    scene.0.pass(20 * MINUTE);
    let mut found = Vec::new();
    for sweeps in 1..=3 {
        found.extend(scene.sweep());
        assert_eq!(round(&scene).done, sweeps == 3);
    }
    found.sort();
    assert_eq!(found, keys, "each once");
    assert!(round(&scene).done && round(&scene).after.is_none());
    // A new round only half a day later.
    let lists = || scene.0.fakes.faults.count(Kind::List);
    let before = lists();
    assert!(scene.sweep().is_empty());
    assert!(lists() - before <= 3, "{} pages", lists() - before);
}

#[test]
fn unread_objects_are_passed_over() {
    let scene = Scene(Consumers::new(delivering(&[("LOG_PREFIX", "")]), |_, _| Reply::Status(200)));
    for number in 0..400 {
        scene.write_text(&format!("raydex/windows/v1/{number:03}"), b"x");
        scene.write_text(&format!("processed/20260328/{number:03}.log.gz"), b"x");
    }
    let mut keys = [scene.write("a/20260101/a.log.gz"), scene.write("z/20260101/a.log.gz")];
    keys.sort();
    scene.0.pass(20 * MINUTE);
    scene.0.fakes.bucket.set_page(2);
    let before = scene.0.fakes.faults.count(Kind::List);
    assert_eq!(scene.sweep(), keys);
    assert!(round(&scene).done);
    assert!(scene.0.fakes.faults.count(Kind::List) - before <= 8, "neither listing looks into them");
}

#[test]
fn round_lists_every_watched_folder() {
    for page in [1, 2, 1000] {
        let scene = Scene(Consumers::new(delivering(&[("LOG_PREFIX", "b/,d/,z/")]), |_, _| Reply::Status(200)));
        for other in ["a/20260101/a.log.gz", "c/20260101/a.log.gz", "e/20260101/a.log.gz"] {
            scene.write_text(other, b"x");
        }
        let keys = ["b/20260101/a.log.gz", "b/20260101/b.log.gz", "d/20260101/a.log.gz"].map(|key| scene.write(key));
        scene.0.pass(20 * MINUTE);
        scene.0.fakes.bucket.set_page(page);
        let mut found = Vec::new();
        loop {
            found.extend(scene.sweep());
            if round(&scene).done {
                break;
            }
        }
        assert_eq!(found, keys, "{page} a page");
    }
}

#[test]
fn failed_round_repeats_its_step() {
    let build = || {
        let scene = Scene::new();
        scene.0.fakes.bucket.set_page(1);
        let text = http(&ray(1).to_string(), 0);
        for number in 0..260 {
            scene.0.fakes.bucket.store(&format!("logs/20260101/{number:03}.log.gz"), text.as_bytes());
        }
        scene.0.pass(20 * MINUTE);
        scene
    };
    let clean = build();
    clean.try_sweep().unwrap();
    let calls = clean.0.fakes.faults.calls();
    for nth in (0..calls).step_by(7).chain(calls - 4..calls) {
        for fault in Fault::BOTH {
            let scene = build();
            scene.0.fakes.faults.plan(None, nth, fault);
            let _failed = scene.try_sweep();
            scene.0.fakes.faults.clear();
            for _ in 0..3 {
                scene.try_sweep().unwrap();
            }
            let mut found = scene.announced();
            found.dedup();
            assert_eq!((found.len(), round(&scene).done), (260, true), "call {nth} {fault:?}");
        }
    }
}

#[test]
fn announced_objects_are_announced_until_finished() {
    let scene = Scene::new();
    assert!(scene.sweep().is_empty());
    let key = scene.write("logs/20260101/a.log.gz");
    for _ in 0..3 {
        // Its message is lost each time.
        wait_for(&scene, &key);
        scene.0.pass(TURN);
    }
    scene.0.pass(DAY);
    assert_eq!(scene.sweep_and_read(), 1);
    scene.0.pass(DAY);
    assert!(scene.sweep().is_empty());
    scene.0.pass(DAY);
    assert!(scene.sweep().is_empty());
    assert_eq!(round(&scene).unfinished_ms, None);
}

#[test]
fn step_of_a_slower_sweep_is_not_kept() {
    let scene = Scene::new();
    scene.sweep();
    let known = round(&scene);
    let stale = SweepRound { after: Some("logs/a".into()), done: false, ..known.clone() };
    let step = RecordSweepStep { after_steps: known.steps - 1, round: stale };
    assert!(!scene.0.fakes.ledgers.ask(REGISTRY, &step).kept);
    assert_eq!(round(&scene), known);
}

#[test]
fn round_of_more_than_a_day_is_reported() {
    let scene = Scene::new();
    scene.sweep();
    scene.write_text("logs/a.txt", b"x");
    // A bucket of more pages than a day's sweeps list, as far as the round knows.
    let known = round(&scene);
    let going = SweepRound { done: false, after: Some("logs/".into()), began_ms: scene.0.now(), ..known.clone() };
    scene.0.fakes.ledgers.ask(REGISTRY, &RecordSweepStep { after_steps: known.steps, round: going });
    let text = http(&ray(1).to_string(), 0);
    scene.0.fakes.bucket.set_page(1);
    for number in 0..SWEEP_LISTINGS {
        scene.0.fakes.bucket.store(&format!("logs/20260101/{number:03}.log.gz"), text.as_bytes());
    }
    scene.0.pass(DAY);
    assert!(!scene.try_sweep().unwrap().incomplete, "a day is no more than a day");
    let going = SweepRound { after: None, ..round(&scene) };
    scene.0.fakes.ledgers.ask(REGISTRY, &RecordSweepStep { after_steps: going.steps, round: going });
    scene.0.pass(1);
    assert!(scene.try_sweep().unwrap().incomplete);
    scene.0.pass(12 * HOUR);
    scene.0.fakes.bucket.set_page(LIST_PAGE);
    scene.try_sweep().unwrap();
    scene.0.pass(TURN);
    assert!(!scene.try_sweep().unwrap().incomplete);
}
