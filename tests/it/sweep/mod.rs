//! The sweep: what the queues lost is found by looking, what is right stays as it is, bodies go when nobody needs them.

use crate::support;

mod bodies;
mod failures;
mod folders;
mod outages;
mod rounds;
mod trees;

use raydex::backend::BackendError;
use raydex::bucket_keys::batch_key;
use raydex::ledger::BatchState;
use raydex::pipeline::{SweepReport, run_sweep};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;

use support::partner::delivering;
use support::records::{http, ray};
use support::{Consumers, Reply, run};

/// A minute, an hour, a day.
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A deployment of which events get lost.
struct Scene(Consumers);

impl Scene {
    fn new() -> Self {
        Self(Consumers::new(delivering(&[("BATCH_SIZE", "1")]), |_, _| Reply::Status(200)))
    }

    /// An object is written now, and no event tells of it.
    fn write(&self, key: &str) -> String {
        self.write_text(key, http(&ray(1).to_string(), 0).as_bytes())
    }

    fn write_text(&self, key: &str, text: &[u8]) -> String {
        // The bucket's clock goes on by a second with each object.
        self.0.fakes.bucket.set_clock(self.0.now() - 1000);
        self.0.fakes.bucket.store(key, text);
        key.to_owned()
    }

    /// A batch of the last minute is written, named as Logpush does.
    fn write_batch(&self, number: u32) -> String {
        self.write(&batch_key("logs/", Dataset::HttpRequests, self.0.now() - MINUTE, self.0.now(), number))
    }

    fn try_sweep(&self) -> Result<SweepReport, BackendError> {
        run(run_sweep(&self.0.fakes, &self.0.config))
    }

    /// The keys that a sweep announces.
    fn sweep(&self) -> Vec<String> {
        let swept = self.try_sweep().unwrap();
        let announced = self.announced();
        assert_eq!(swept.announced, announced.len());
        announced
    }

    /// The keys announced since the last look.
    fn announced(&self) -> Vec<String> {
        let messages = self.0.fakes.queue.take();
        let mut keys: Vec<String> =
            messages.iter().map(|message| R2Event::parse(message).unwrap().object.key).collect();
        keys.sort();
        keys
    }

    /// Whatever a sweep announces is read.
    fn sweep_and_read(&self) -> usize {
        self.try_sweep().unwrap();
        let messages = self.0.fakes.queue.take();
        for message in &messages {
            assert!(self.0.parse(message, 1).retry_s.is_none());
        }
        messages.len()
    }
}

#[test]
fn unannounced_object_is_announced_once_old_enough() {
    let scene = Scene::new();
    let key = scene.write_batch(1);
    scene.0.pass(10 * MINUTE - 1);
    assert!(scene.sweep().is_empty(), "its event may still be under way");
    scene.0.pass(1);
    assert_eq!(scene.sweep(), [key.as_str()]);
    // As long as nobody has read it, again and again.
    assert_eq!(scene.sweep(), [key]);
}

#[test]
fn announcement_is_an_event_like_any_other() {
    let scene = Scene::new();
    let key = scene.write_batch(1);
    scene.0.pass(HOUR);
    scene.try_sweep().unwrap();
    let [message] = &scene.0.fakes.queue.take()[..] else { panic!("one message") };
    let verdict = scene.0.parse(message, 1);
    assert_eq!((verdict.verdict.name(), verdict.key), ("sealed", Some(key)));
    scene.0.settle(DAY);
    assert_eq!(scene.0.fakes.ledgers.totals().lines.delivered, 1);
}

#[test]
fn finished_object_is_skipped_a_new_version_announced() {
    let scene = Scene::new();
    let (sealed, aside) = (scene.write_batch(1), scene.write_text("logs/aside.log.gz", b"a,b,c\n"));
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep_and_read(), 2);
    let before = scene.0.fakes.everything();
    assert_eq!(scene.sweep_and_read(), 0);
    assert_eq!(scene.0.fakes.kept(&aside).batch.unwrap().state, BatchState::Quarantined);
    // A sweep changes nothing that is right, apart from its own date.
    let differing = |name: &&String| name.as_str() != "v1/registry";
    let after = scene.0.fakes.everything();
    assert_eq!((before.0, before.1), (after.0, after.1));
    assert!(before.2.keys().filter(differing).all(|name| before.2[name] == after.2[name]));
    scene.write_text(&sealed, http(&ray(2).to_string(), 0).as_bytes());
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep(), [sealed]);
}

#[test]
fn interrupted_reading_is_announced_again() {
    let scene = Scene::new();
    let key = scene.write_batch(1);
    let event = serde_json::to_string(&R2Event::put_object("cdn-logs-raw", &key, 1, "e", scene.0.now())).unwrap();
    scene.0.fakes.faults.plan(Some(support::Kind::Ledger), 5, support::Fault::Fails);
    assert!(scene.0.parse(&event, 3).retry_s.is_some(), "and its queue gives it up");
    scene.0.pass(HOUR);
    assert_eq!(scene.sweep(), [key]);
}

#[test]
fn it_says_what_it_did() {
    let scene = Scene::new();
    (0..3).for_each(|number| drop(scene.write_batch(number)));
    scene.0.pass(HOUR);
    scene.sweep_and_read();
    scene.write_batch(9);
    scene.0.pass(HOUR);
    let swept = scene.try_sweep().unwrap();
    let oldest_ms = swept.oldest_ms.filter(|oldest_ms| (HOUR..HOUR + MINUTE).contains(&(scene.0.now() - oldest_ms)));
    let expected = SweepReport { objects: 4, announced: 1, ledgers: 1, oldest_ms, ..SweepReport::default() };
    assert!(oldest_ms.is_some() && swept == expected, "{swept:?}");
    let line = serde_json::to_string(&swept).unwrap();
    let oldest = format!(r#","oldest_ms":{}"#, oldest_ms.unwrap());
    assert_eq!(
        line.replace(&oldest, ""),
        r#"{"objects":4,"announced":1,"ledgers":1,"packs_removed":0,"incomplete":false}"#
    );
}

#[test]
fn an_alarm_that_was_lost_is_set_again() {
    let scene = Scene::new();
    scene.write_batch(1);
    scene.0.pass(HOUR);
    scene.sweep_and_read();
    let names = scene.0.fakes.ledgers.names();
    let ledger = scene.0.fakes.ledgers.ledger(&names[0]);
    // Message and alarm are lost, as after a restore.
    scene.0.fakes.sends.take();
    ledger.alarm_ms.set(None);
    scene.0.settle(DAY);
    assert_eq!(scene.0.partner.posts(), 0);
    scene.try_sweep().unwrap();
    assert!(ledger.alarm_ms.get().is_some());
    scene.0.settle(DAY);
    assert_eq!((scene.0.partner.posts(), ledger.alarm_ms.get()), (1, None));
    scene.try_sweep().unwrap();
    assert_eq!(ledger.alarm_ms.get(), None, "a ledger at rest needs none");
}
