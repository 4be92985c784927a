//! The first start: what another worker has served before is indexed, and delivered only where someone asks for it.

use crate::support;

use raydex::bucket_keys::batch_key;
use raydex::config::Config;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::ListLedgers;
use raydex::pipeline::{ParseVerdict, drive_backfills, run_sweep, start_backfill};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;

use support::partner::delivering;
use support::records::ray;
use support::{Consumers, Fault, NOW_MS, Reply, run};

/// A minute and a day.
const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;
/// Lines of a batch.
const LINES: i64 = 100;

/// A deployment that begins where another worker has served the bucket.
struct Scene(Consumers);

impl Scene {
    fn new(config: Config) -> Self {
        let scene = Self(Consumers::new(config, |_, _| Reply::Status(200)));
        scene.0.fakes.isolate.first_start_ms.set(None);
        scene
    }

    /// The key of a batch whose records are of the minute up to this instant.
    fn key(number: u32, at_ms: i64) -> String {
        batch_key("logs/", Dataset::HttpRequests, at_ms - MINUTE, at_ms, number)
    }

    /// A batch is written, whose records are of the minute before.
    fn write(&self, number: u32) -> String {
        let now = self.0.now();
        let key = Self::key(number, now);
        self.write_at(&key, number, now);
        key
    }

    fn write_at(&self, key: &str, number: u32, at_ms: i64) {
        let line = |line: i64| {
            let (ray, at) = (ray(u64::from(number) * 1000 + line.unsigned_abs()), at_ms - MINUTE + line);
            format!(r#"{{"ClientIP":"192.0.2.1","ClientRequestURI":"/","RayID":"{ray}","EdgeStartTimestamp":{at}}}"#)
        };
        let text: Vec<String> = (0..LINES).map(line).collect();
        self.0.fakes.bucket.set_clock(self.0.now() - 1000);
        self.0.fakes.bucket.store(key, text.join("\n").as_bytes());
    }

    /// The event of an object.
    fn event(&self, key: &str) -> ParseVerdict {
        let head = self.0.fakes.bucket.object(key).unwrap().head;
        let event = R2Event::put_object("cdn-logs-raw", key, head.size, &head.etag, self.0.now());
        self.0.parse(&serde_json::to_string(&event).unwrap(), 1)
    }

    /// The crons of some time, with whatever they announce, and every message.
    fn pass(&self, minutes: i64) {
        for minute in 0..minutes {
            self.0.pass(MINUTE);
            let _driven = run(drive_backfills(&self.0.fakes, &self.0.config));
            if minute % 10 == 9 {
                let _swept = run(run_sweep(&self.0.fakes, &self.0.config));
            }
            for message in self.0.fakes.queue.take() {
                self.0.parse(&message, 1);
            }
            self.0.settle(0);
        }
    }

    fn posted_lines(&self) -> u64 {
        self.0.fakes.ledgers.totals().lines.delivered
    }

    /// Batches and lines that lay there, by the books, which balance.
    fn before_start(&self) -> (u64, u64) {
        let totals = self.0.fakes.ledgers.totals();
        assert_eq!(totals.lines.unaccounted, 0);
        assert_eq!(totals.lines.filtered.get("before_start").copied().unwrap_or_default(), totals.before_start.lines);
        (totals.before_start.batches, totals.before_start.lines)
    }

    fn first_start_ms(&self) -> Option<i64> {
        self.0.fakes.ledgers.ask(REGISTRY, &ListLedgers { limit: 1 }).first_start_ms
    }
}

#[test]
fn bucket_of_another_worker_is_indexed_only() {
    let scene = Scene::new(delivering(&[]));
    let old: Vec<String> = (1..=50).map(|number| scene.write(number)).collect();
    scene.0.pass(1);
    // An hour is six sweeps.
    scene.pass(60);
    assert_eq!((scene.posted_lines(), scene.before_start()), (0, (50, 5_000)));
    assert!(old.iter().all(|key| scene.0.fakes.kept(key).batch.unwrap().indexed));
    assert_eq!(scene.0.fakes.lines(&ray(1_000).to_string()).len(), 1);
    let new = scene.write(51);
    assert_eq!(scene.event(&new).code, None);
    scene.write(52);
    scene.pass(20);
    assert_eq!((scene.posted_lines(), scene.before_start()), (200, (50, 5_000)));
}

#[test]
fn faulty_settings_make_the_first_start_too() {
    let mut scene = Scene::new(delivering(&[("BATCH_SIZE", "0")]));
    assert!(scene.0.config.delivery.is_none());
    scene.write(1);
    scene.0.pass(1);
    scene.pass(1);
    // It was meant to be delivered when it was written.
    let meant = scene.write(2);
    assert_eq!(scene.event(&meant).code, None);
    scene.0.pass(1);
    scene.0.config = delivering(&[]);
    scene.pass(1_440);
    assert_eq!((scene.posted_lines(), scene.before_start()), (100, (1, 100)));
}

#[test]
fn late_event_of_an_old_object_says_why() {
    let scene = Scene::new(delivering(&[]));
    let old = scene.write(1);
    scene.0.pass(1);
    // The event itself makes the first start, or finds it made long ago.
    for _ in 0..2 {
        let verdict = scene.event(&old);
        assert_eq!((verdict.verdict.name(), verdict.code), ("sealed", Some("before_start")));
        let other = Scene::key(2, scene.0.now() - DAY);
        scene.0.fakes.bucket.set_clock(NOW_MS - 1000);
        scene.0.fakes.bucket.store(&other, b"{\"RayID\":\"9e35512345678abc\"}\n");
        assert_eq!(scene.event(&other).code, Some("before_start"));
        scene.0.pass(DAY);
        scene.0.fakes.isolate.first_start_ms.set(None);
        if scene.event(&old).verdict.name() == "already_sealed" {
            return;
        }
    }
    panic!("it is read again and again");
}

#[test]
fn first_start_is_made_once_for_ever() {
    let scene = Scene::new(delivering(&[]));
    assert_eq!(scene.first_start_ms(), None);
    scene.pass(1);
    let made = scene.first_start_ms();
    assert_eq!(made, Some(NOW_MS + MINUTE));
    for _ in 0..3 {
        // Another isolate, or another version.
        scene.0.fakes.isolate.first_start_ms.set(None);
        scene.pass(20);
        let key = scene.write(7);
        scene.event(&key);
        assert_eq!(scene.first_start_ms(), made);
    }
}

#[test]
fn push_start_time_alone_asks_for_what_follows() {
    // The third of five batches, in the middle.
    let start_ms = NOW_MS + MINUTE + 50;
    let at = raydex::time::rfc3339(start_ms);
    let mut scene = Scene::new(delivering(&[("PUSH_START_TIME", &at)]));
    for number in 1..=5 {
        scene.write(number);
        scene.0.pass(MINUTE);
    }
    scene.pass(60);
    assert_eq!((scene.posted_lines(), scene.before_start()), (250, (0, 0)));
    // The setting goes: nothing begins anew, neither forward nor back.
    scene.0.config = delivering(&[]);
    let new = scene.write(6);
    scene.event(&new);
    scene.pass(60);
    assert_eq!(scene.posted_lines(), 350);
}

#[test]
fn backfill_asks_for_what_lay_there() {
    let scene = Scene::new(delivering(&[]));
    for number in 1..=3 {
        scene.write(number);
    }
    scene.0.pass(1);
    scene.pass(20);
    assert_eq!((scene.posted_lines(), scene.before_start()), (0, (3, 300)));
    // Half of each batch, then all of it.
    for (end_ms, delivered, left) in [(NOW_MS - MINUTE + 50, 150, (3, 150)), (NOW_MS, 300, (0, 0))] {
        let request = crate::backfill::ask(NOW_MS - DAY, end_ms);
        run(start_backfill(&scene.0.fakes, &scene.0.config, request, None)).unwrap();
        scene.pass(20);
        assert_eq!((scene.posted_lines(), scene.before_start()), (delivered, left));
    }
}

#[test]
fn moved_bytes_of_before_stay_undelivered() {
    let scene = Scene::new(delivering(&[]));
    let old = scene.write(1);
    scene.0.pass(1);
    scene.event(&old);
    let bytes = scene.0.fakes.bucket.object(&old).unwrap().bytes;
    scene.0.pass(DAY);
    scene.0.fakes.bucket.set_clock(scene.0.now());
    let moved = old.replace("logs/", "logs/aside/");
    scene.0.fakes.bucket.store(&moved, &bytes);
    scene.0.fakes.bucket.store(&old, &bytes);
    assert_eq!(scene.event(&moved).code, Some("before_start"));
    // Written again, it is indexed again, for the bucket keeps it from now on.
    assert_eq!(scene.event(&old).code, Some("before_start"));
    assert_eq!(scene.event(&old).verdict.name(), "already_sealed");
    // Other bytes under the old key are a new object.
    scene.0.pass(MINUTE);
    scene.write_at(&old, 2, scene.0.now());
    assert_eq!(scene.event(&old).code, None);
    scene.pass(20);
    assert_eq!(scene.posted_lines(), 100);
}

#[test]
fn deployment_that_only_indexes_has_not_started() {
    let mut scene = Scene::new(support::world::config());
    let old = scene.write(1);
    scene.event(&old);
    scene.pass(30);
    assert_eq!(scene.first_start_ms(), None);
    // Delivery is turned on: what lay there by then stays as it is.
    scene.0.pass(1);
    scene.0.config = delivering(&[]);
    scene.pass(60);
    assert_eq!((scene.posted_lines(), scene.first_start_ms().is_some()), (0, true));
    let new = scene.write(2);
    scene.event(&new);
    scene.pass(1);
    assert_eq!(scene.posted_lines(), 100);
}

#[test]
fn failing_registry_delivers_nothing_old() {
    let calls = {
        let scene = Scene::new(delivering(&[]));
        let old = scene.write(1);
        scene.0.pass(1);
        let before = scene.0.fakes.faults.calls();
        scene.event(&old);
        scene.0.fakes.faults.calls() - before
    };
    for nth in 0..calls {
        for fault in Fault::BOTH {
            let scene = Scene::new(delivering(&[]));
            let old = scene.write(1);
            scene.0.pass(1);
            scene.0.fakes.faults.plan(None, nth, fault);
            scene.event(&old);
            scene.0.fakes.faults.clear();
            scene.event(&old);
            scene.pass(30);
            assert_eq!((scene.posted_lines(), scene.before_start()), (0, (1, 100)), "call {nth} {fault:?}");
        }
    }
}
