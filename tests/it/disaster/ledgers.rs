//! Ledgers are gone: one of many, the registry, or all of them.

use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::pipeline::start_backfill;
use raydex::time::rfc3339;

use super::{BATCHES, DAY, LINES, MINUTE, Scene, is_hour, rebuild};
use crate::support::{NOW_MS, run};

/// A setting that asks for all that ever was.
fn push_start() -> String {
    rfc3339(NOW_MS - DAY)
}

#[test]
fn one_lost_ledger_delivers_nothing_twice() {
    let push = push_start();
    for (settings, restarts) in [(&[][..], true), (&[], false), (&[("PUSH_START_TIME", &*push)], true)] {
        let mut scene = Scene::with_batches(settings);
        let found = scene.found();
        let hours = scene.hours();
        let lost = hours.iter().find(|name| is_hour(name)).unwrap().clone();
        scene.0.fakes.ledgers.lose(|name| name == lost);
        if restarts {
            scene.restart();
        }
        scene.0.pass(2 * MINUTE);
        let verdict = scene.event(&scene.keys()[0].clone());
        assert_eq!((verdict.verdict.name(), verdict.code), ("sealed", Some("before_start")));
        scene.everything_comes_again();
        scene.minutes(1_440);
        assert_eq!(scene.delivered(), (BATCHES * LINES, 1), "{settings:?}");
        assert_eq!(scene.found(), found);
        // What comes to the same hour from then on is delivered.
        let before = scene.0.fakes.ledgers.totals().before_start;
        assert!(before.batches > 0 && before.lines == before.batches * LINES);
        let new = scene.keys()[0].replace("_00000000", "_0000aaaa");
        scene.put(&new, &super::text(50, NOW_MS));
        assert_eq!(scene.event(&new).code, None);
        scene.minutes(20);
        assert_eq!(scene.delivered(), ((BATCHES + 1) * LINES, 1));
        assert_eq!(scene.0.fakes.ledgers.totals().lines.unaccounted, 0);
    }
}

#[test]
fn rebuild_finds_a_lost_ledger_first() {
    let mut scene = Scene::with_batches(&[]);
    let found = scene.found();
    let lost = scene.hours().into_iter().find(|name| is_hour(name)).unwrap();
    scene.0.fakes.ledgers.lose(|name| name == lost);
    scene.0.fakes.shards.lose();
    scene.restart();
    scene.0.pass(2 * MINUTE);
    scene.rebuild(BATCHES);
    assert_eq!(scene.found(), found);
    scene.everything_comes_again();
    assert_eq!(scene.delivered(), (BATCHES * LINES, 1));
    // A person may ask for what is held back.
    let asked = crate::backfill::ask(NOW_MS - DAY, scene.0.now());
    run(start_backfill(&scene.0.fakes, &scene.0.config, asked, None)).unwrap();
    scene.minutes(20);
    assert_eq!(scene.delivered().1, 2);
}

#[test]
fn ledgers_of_new_hours_are_not_lost() {
    let scene = Scene::with_batches(&[]);
    // Each hour has a ledger of its own.
    for hour in 0..5 {
        scene.0.pass(60 * MINUTE);
        scene.live(100 + hour);
    }
    assert_eq!(scene.delivered(), ((BATCHES + 5) * LINES, 1));
    assert_eq!(scene.0.fakes.ledgers.totals().before_start.batches, 0);
}

#[test]
fn lost_registry_delivers_nothing_twice() {
    let push = push_start();
    let lost: [fn(&str) -> bool; 2] = [|name| name == REGISTRY, |_| true];
    for is_lost in lost {
        for (settings, restarts) in [
            (&[][..], true),
            (&[], false),
            (&[("PUSH_START_TIME", &*push)], true),
            (&[("PUSH_START_TIME", &*push)], false),
        ] {
            let mut scene = Scene::with_batches(settings);
            let found = scene.found();
            scene.minutes(20);
            assert_eq!(scene.delivered(), (BATCHES * LINES, 1), "{settings:?}");
            scene.0.fakes.ledgers.lose(is_lost);
            scene.0.fakes.shards.lose();
            if restarts {
                scene.restart();
            }
            scene.0.pass(2 * MINUTE);
            scene.everything_comes_again();
            scene.rebuild(BATCHES);
            scene.everything_comes_again();
            assert_eq!(scene.delivered(), (BATCHES * LINES, 1), "{settings:?} {restarts}");
            assert_eq!(scene.found(), found);
            // A copy under another folder, as a copy of the bucket makes it, is held back as well.
            let copied = scene.keys()[0].replace("logs/", "logs/copied/");
            let bytes = scene.0.fakes.bucket.object(&scene.keys()[0]).unwrap().bytes;
            scene.put(&copied, &bytes);
            scene.event(&copied);
            scene.live(60);
            scene.minutes(20);
            assert_eq!(scene.delivered(), ((BATCHES + 1) * LINES, 1), "{settings:?} {restarts}");
            assert_eq!(scene.0.fakes.ledgers.totals().lines.unaccounted, 0);
        }
    }
}

#[test]
fn registry_learns_of_ledgers_by_a_rebuild() {
    let mut scene = Scene::with_batches(&[]);
    let accounts = scene.accounts();
    scene.0.fakes.ledgers.lose(|name| name == REGISTRY);
    scene.restart();
    scene.minutes(1);
    assert_ne!(scene.accounts(), accounts);
    scene.rebuild(BATCHES);
    let shown = |accounts: &[String]| accounts.iter().map(|answer| answer.contains("logs/")).collect::<Vec<_>>();
    assert_eq!(shown(&scene.accounts()), shown(&accounts));
}

#[test]
fn messages_of_lost_ledgers_end_in_the_open() {
    let mut scene = Scene::with_batches(&[]);
    let key = scene.write(30);
    scene.event(&key);
    let sends = scene.0.fakes.sends.take();
    let asked = crate::backfill::ask(NOW_MS - DAY, scene.0.now());
    run(start_backfill(&scene.0.fakes, &scene.0.config, asked, None)).unwrap();
    let _driven = run(raydex::pipeline::drive_backfills(&scene.0.fakes, &scene.0.config));
    let parses = scene.0.fakes.queue.take();
    assert!(!sends.is_empty() && !parses.is_empty());
    let posts = scene.0.partner.posts();
    scene.0.fakes.ledgers.lose(|name| name != PARTNER);
    scene.restart();
    scene.0.pass(2 * MINUTE);
    for message in &sends {
        for verdict in scene.0.send_each(&raydex::pipeline::PartnerWatch::default(), message, 1) {
            assert_eq!((verdict.verdict.name(), verdict.retry_s), ("no_such_payload", None));
        }
    }
    for message in &parses {
        let verdict = scene.0.parse(message, 1);
        assert_eq!(
            (verdict.verdict.name(), verdict.code, verdict.retry_s),
            ("ignored", Some("no_such_backfill"), None)
        );
        assert!(verdict.reason.is_some_and(|reason| reason.contains("backfill 1")));
    }
    // Another backfill has the number now, and is not the one that asked.
    run(start_backfill(&scene.0.fakes, &scene.0.config, rebuild(scene.0.now()), None)).unwrap();
    assert_eq!(scene.0.parse(&parses[0], 1).code, Some("no_such_backfill"));
    scene.minutes(60);
    assert_eq!(scene.0.partner.posts(), posts);
}
