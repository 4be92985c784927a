//! Where a sweep looks: folders of datasets, zones and days, at midnight those of two days, on every page.

use raydex::limits::SWEEP_PAGES;

use super::support::records::{http, ray};
use super::{DAY, HOUR, MINUTE, Scene};

/// 2026-03-28T00:00:00Z.
const MIDNIGHT: i64 = 1_774_656_000_000;

#[test]
fn objects_are_found_in_folders_of_every_kind() {
    let scene = Scene::new();
    let mut keys: Vec<String> = [
        "logs/20260328/20260328T084100Z_20260328T084200Z_a.log.gz",
        "logs/http_requests/20260328/20260328T084100Z_20260328T084200Z_b.log.gz",
        "logs/zone-1/http_requests/20260328/20260328T084100Z_20260328T084200Z_c.log.gz",
        "logs/firewall_events/20260328/20260328T084100Z_d.log.gz",
        "logs/2026/03/28/e.log.gz",
        "logs/flat.log.gz",
        "logs/é/ü.log",
    ]
    .map(|key| scene.write(key))
    .into();
    keys.sort();
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep(), keys);
    scene.0.fakes.bucket.set_page(1);
    assert_eq!(scene.sweep(), keys, "a page for each");
}

#[test]
fn keys_that_are_no_batches_are_passed_over() {
    let scene = Scene::new();
    for key in [
        "raydex/payloads/v1/aa/1/000000-bb",
        "Logs/http_requests/20260328/a.log.gz",
        "raydex/a.log.gz",
        "logs/ownership-challenge-1a2b.txt",
        "logs/http_requests/20260328/test.txt.gz",
        "logs/http_requests/",
    ] {
        scene.write(key);
    }
    scene.0.pass(HOUR);
    assert!(scene.sweep().is_empty());
}

#[test]
fn at_midnight_objects_of_both_days_are_found() {
    let scene = Scene::new();
    scene.0.fakes.clock_ms.set(MIDNIGHT - MINUTE);
    let before = scene.write_batch(1);
    scene.0.pass(2 * MINUTE);
    let behind = scene.write_batch(2);
    assert!(before.contains("/20260327/") && behind.contains("/20260328/"), "{before} {behind}");
    scene.0.pass(11 * MINUTE);
    assert_eq!(scene.sweep(), [before.clone(), behind.clone()]);
    // Named by its begin, written behind midnight, looked for hours later.
    scene.0.fakes.clock_ms.set(MIDNIGHT + 3 * HOUR - MINUTE);
    assert_eq!(scene.sweep(), [before, behind]);
}

#[test]
fn folders_of_other_days_and_names_are_skipped() {
    let scene = Scene::new();
    let text = http(&ray(1).to_string(), 0);
    for day in 1..28 {
        scene.0.fakes.bucket.store(&format!("logs/http_requests/202603{day:02}/a.log.gz"), text.as_bytes());
    }
    scene.0.pass(HOUR);
    let lists = |scene: &Scene| scene.0.fakes.faults.count(super::support::Kind::List);
    // The round lists everything once, and then rests.
    assert_eq!(scene.sweep_and_read(), 27);
    let before = lists(&scene);
    assert!(scene.sweep().is_empty());
    // The prefix, the dataset, yesterday's folder at most, today's.
    assert!(lists(&scene) - before <= 4, "{} listings", lists(&scene) - before);
}

#[test]
fn objects_older_than_the_horizon_are_skipped() {
    let scene = Scene::new();
    let key = scene.write_batch(1);
    scene.0.pass(3 * HOUR);
    assert_eq!(scene.sweep(), [key]);
    let scene = Scene::new();
    scene.write_batch(1);
    scene.0.pass(3 * HOUR + 1);
    assert!(scene.sweep().is_empty());
}

#[test]
fn every_page_is_looked_at() {
    for page in [1, 2, 7, 50] {
        let scene = Scene::new();
        let mut keys: Vec<String> = (0..50).map(|number| scene.write_batch(number)).collect();
        keys.sort();
        scene.0.fakes.bucket.set_page(page);
        scene.0.pass(HOUR);
        assert_eq!(scene.sweep(), keys, "pages of {page}");
    }
}

#[test]
fn folders_of_every_name_are_looked_at() {
    // At noon, so that the stamps of the hours looked back at are those of one day.
    let scene = Scene::new();
    scene.0.fakes.clock_ms.set(MIDNIGHT + 12 * HOUR);
    // The round is done, and rests.
    assert!(scene.sweep().is_empty());
    let mut keys: Vec<String> = [
        "logs/20260328/02/a.log.gz",
        "logs/20260328/00-eu/20260328T115900Z_b.log.gz",
        "logs/20260328/00-eu/14/c.log.gz",
        "logs/20260328/20260328T11/d.log.gz",
        "logs/20260328/eu/e.log.gz",
        "logs/20260328/!/f.log.gz",
        "logs/zone/20260328/14/g.log.gz",
        "logs/zone/20260328/0/1/2/h.log.gz",
        "logs/20260328/20260327T235900Z_20260328T115900Z_i.log.gz",
        "logs/20260328/zone.log.gz",
    ]
    .map(|key| scene.write(key))
    .into();
    // Older files of the day, many pages of them.
    for number in 0..60 {
        scene.write_text(&format!("logs/20260328/20260328T01{number:02}00Z_x.txt"), b"x");
        scene.write_text(&format!("logs/zone/20260328/20260328T01{number:02}00Z_x.txt"), b"x");
    }
    keys.sort();
    scene.0.pass(15 * MINUTE);
    for page in [1000, 7, 3] {
        scene.0.fakes.bucket.set_page(page);
        assert_eq!(scene.sweep(), keys, "pages of {page}");
    }
}

#[test]
fn old_files_of_the_day_are_not_listed() {
    let scene = Scene::new();
    scene.0.fakes.clock_ms.set(MIDNIGHT + 12 * HOUR);
    assert!(scene.sweep().is_empty());
    for number in 0..600 {
        scene.write_text(&format!("logs/20260328/20260328T{:02}{:02}00Z_x.txt", number / 60, number % 60), b"x");
    }
    let key = scene.write_batch(1);
    scene.0.pass(15 * MINUTE);
    scene.0.fakes.bucket.set_page(10);
    let lists = || scene.0.fakes.faults.count(super::support::Kind::List);
    let before = lists();
    assert_eq!(scene.sweep(), [key]);
    // The prefix, the dataset and its day; of the day without a dataset one page, and those of the last six hours.
    let hours = 4 * 60 / 10;
    assert!(lists() - before <= 5 + hours, "{} pages", lists() - before);
}

#[test]
fn objects_are_checked_at_their_own_hours_ledgers() {
    let scene = Scene::new();
    let mut keys = Vec::new();
    for hour in 0..3 {
        keys.extend((0..4).map(|number| scene.write_batch(hour * 10 + number)));
        scene.0.pass(50 * MINUTE);
    }
    keys.sort();
    let before = scene.0.fakes.faults.count(super::support::Kind::Ledger);
    assert_eq!(scene.sweep(), keys);
    let ledgers = scene.0.fakes.ledgers.names().len();
    assert!(ledgers >= 3);
    // One question for each, and how many partitions its hour has; the registry: since when, from now on, how far the round is, up to now, how far it is now,
    // which ledgers there are.
    assert_eq!(scene.0.fakes.faults.count(super::support::Kind::Ledger) - before, 2 * ledgers + 6);
}

#[test]
fn folders_beyond_one_sweep_are_reached_in_time() {
    let scene = Scene::new();
    let zones = 2 * SWEEP_PAGES;
    for zone in 0..zones {
        scene.write(&format!("logs/zone-{zone:03}/http_requests/20260328/20260328T084100Z_a.log.gz"));
    }
    scene.0.pass(HOUR);
    let (mut found, mut sweeps) = (0, 0);
    while found < zones {
        // Bits as a generator draws them.
        scene.0.fakes.bits.set(scene.0.fakes.bits.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        found += scene.sweep_and_read();
        sweeps += 1;
        assert!(sweeps < 100, "{found} of {zones} are found");
    }
    // None of them came to its end, so all of the time is still looked at.
    assert!(scene.try_sweep().unwrap().incomplete);
    scene.0.pass(DAY);
    assert!(scene.try_sweep().unwrap().objects > 0, "what is a day old, too");
}
