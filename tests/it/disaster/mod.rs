//! After a disaster: what lay in objects that are gone is rebuilt from the bucket, and the partner gets nothing twice.

mod index;
mod ledgers;
mod new_account;

use raydex::bucket_keys::batch_key;
use raydex::ledger::LedgerHour;
use raydex::ledger::backfills::{BackfillJob, BackfillRequest, BackfillState, ListBackfills};
use raydex::ledger::ids::REGISTRY;
use raydex::pipeline::{ParseVerdict, drive_backfills, run_sweep, start_backfill};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use raydex::services::IsolateMemory;

use crate::api::{Ask, without_trailer};
use crate::support::partner::delivering;
use crate::support::records::ray;
use crate::support::{Consumers, NOW_MS, Reply, run};

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;
/// Lines of a batch.
const LINES: u64 = 20;
/// So many batches arrive as live traffic.
const BATCHES: u64 = 6;

/// A deployment that has delivered for a while.
struct Scene(Consumers);

impl Scene {
    fn new(more: &[(&str, &str)]) -> Self {
        let mut scene = Self(Consumers::new(settings(more), |_, _| Reply::Status(200)));
        scene.restart();
        scene.minutes(1);
        scene.0.pass(MINUTE);
        scene
    }

    /// The same, with batches that were delivered.
    fn with_batches(more: &[(&str, &str)]) -> Self {
        let scene = Self::new(more);
        for number in 0..BATCHES {
            scene.live(number);
        }
        assert_eq!(scene.delivered(), (BATCHES * LINES, 1));
        scene
    }

    /// A new isolate, which remembers nothing.
    fn restart(&mut self) {
        self.0.fakes.isolate = IsolateMemory::default();
    }

    /// The same deployment with other settings.
    fn redeploy(&mut self, more: &[(&str, &str)]) {
        self.0.config = settings(more);
        self.restart();
    }

    /// The key of the nth batch, whose records are of the minutes up to now.
    fn key(&self, number: u64) -> String {
        let now = self.0.now();
        batch_key("logs/", Dataset::HttpRequests, now - MINUTE, now, u32::try_from(number).unwrap())
    }

    /// Writes the nth batch: each of its requests was caused by the one before.
    fn write(&self, number: u64) -> String {
        let key = self.key(number);
        self.put(&key, &text(number, self.0.now()));
        key
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        self.0.fakes.bucket.set_clock(self.0.now());
        self.0.fakes.bucket.store(key, bytes);
    }

    /// The event of an object.
    fn event(&self, key: &str) -> ParseVerdict {
        let head = self.0.fakes.bucket.object(key).unwrap().head;
        let event = R2Event::put_object("cdn-logs-raw", key, head.size, &head.etag, self.0.now());
        self.0.parse(&serde_json::to_string(&event).unwrap(), 1)
    }

    /// The nth batch arrives, and is delivered.
    fn live(&self, number: u64) -> String {
        let key = self.write(number);
        assert_eq!(self.event(&key).verdict.name(), "sealed");
        self.0.pass(MINUTE);
        self.0.settle(0);
        key
    }

    /// A turn of the cron; a message is tried again at once, and then by the queue's next delivery.
    fn turn(&self) {
        self.0.pass(MINUTE);
        let _driven = run(drive_backfills(&self.0.fakes, &self.0.config));
        for message in self.0.fakes.queue.take() {
            for attempt in 1..=3 {
                if self.0.parse(&message, attempt).retry_s.is_none() {
                    break;
                }
            }
        }
        self.0.settle(0);
    }

    /// The crons of some time, with every message.
    fn minutes(&self, minutes: u32) {
        for minute in 1..=minutes {
            if minute % 10 == 0 {
                let _swept = run(run_sweep(&self.0.fakes, &self.0.config));
            }
            self.turn();
        }
    }

    /// All that comes again by itself: events of every object, and the crons of some hours.
    fn everything_comes_again(&self) {
        for key in self.keys() {
            self.event(&key);
        }
        self.minutes(120);
    }

    /// The keys of all batches.
    fn keys(&self) -> Vec<String> {
        self.0.fakes.bucket.contents().into_keys().filter(|key| key.starts_with("logs/")).collect()
    }

    /// Starts a rebuild of all times.
    fn begin_rebuild(&self) -> i64 {
        run(start_backfill(&self.0.fakes, &self.0.config, rebuild(self.0.now()), None)).unwrap().id
    }

    fn job(&self, id: i64) -> BackfillJob {
        self.0.fakes.ledgers.ask(REGISTRY, &ListBackfills { id: Some(id), limit: 1 }).jobs.remove(0).1
    }

    /// Turns until a rebuild is done.
    fn finish(&self, id: i64) -> BackfillJob {
        for _ in 0..30 {
            let job = self.job(id);
            if job.state == BackfillState::Done {
                return job;
            }
            self.turn();
        }
        panic!("it does not come to its end: {:?}", self.job(id));
    }

    /// A rebuild from its start to its end: it indexes so many batches.
    fn rebuild(&self, batches: u64) {
        let job = self.finish(self.begin_rebuild());
        assert_eq!((job.announced, job.processed, job.quarantined), (batches, batches, 0));
        let sums = job.rebuilt;
        assert_eq!((sums.objects, sums.lines, sums.records), (batches, batches * LINES, batches * LINES));
        assert!(sums.skipped.is_empty(), "{sums:?}");
    }

    /// How many lines the partner has, and how often at most the same one.
    fn delivered(&self) -> (u64, usize) {
        let stored = self.0.partner.stored();
        (stored.len() as u64, stored.into_values().max().unwrap_or_default())
    }

    /// The names of the ledgers of hours.
    fn hours(&self) -> Vec<String> {
        self.0.fakes.ledgers.names()
    }

    /// Answers that are made from the index: lookups, families, searches, counts.
    fn found(&self) -> Vec<String> {
        let range = format!("start={}&end={}", NOW_MS - DAY, NOW_MS + DAY);
        let mut paths: Vec<String> =
            ["logs?", "logs?format=csv&", "counts?", "counts?by=ClientRequestURI&", "counts?step=1h&"]
                .map(|path| format!("/v1/{path}{range}"))
                .into();
        for number in 0..BATCHES {
            let ray = ray(number * 1000 + 3);
            paths.extend(["", "?format=native", "?parts=tree"].map(|form| format!("/v1/rays/{ray}{form}")));
        }
        paths.iter().map(|path| self.answer(path)).collect()
    }

    /// Answers that are made from the ledgers.
    fn accounts(&self) -> Vec<String> {
        let range = format!("start={}&end={}", NOW_MS - DAY, NOW_MS + 7 * MINUTE);
        let answers = [format!("/v1/coverage?{range}"), "/v1/batches".to_owned()].map(|path| self.answer(&path));
        // Sweeps go on meanwhile.
        answers.map(|answer| answer.split("\"listed_until\"").next().unwrap_or_default().to_owned()).into()
    }

    fn answer(&self, path: &str) -> String {
        let reply = Ask::get(path).of_deployment(&self.0.fakes, &Ok(self.0.config.clone()));
        format!("{path} {} {}", reply.status, String::from_utf8(without_trailer(&reply.body)).unwrap())
    }
}

fn settings(more: &[(&str, &str)]) -> raydex::config::Config {
    let usual = [("BATCH_SIZE", "5"), ("API_RATE_PER_MINUTE", "0")];
    delivering(&[more, &usual].concat())
}

/// The lines of the nth batch, written at this instant.
fn text(number: u64, at_ms: i64) -> Vec<u8> {
    let line = |line: u64| {
        let (id, at) = (number * 1000 + line, at_ms - MINUTE + i64::try_from(line).unwrap());
        let (ray, parent) = (ray(id), ray(id.saturating_sub(1)));
        format!(
            r#"{{"ClientIP":"192.0.2.1","ClientRequestURI":"/{line}","RayID":"{ray}","ParentRayID":"{parent}","EdgeStartTimestamp":{at}}}"#
        )
    };
    (0..LINES).map(line).collect::<Vec<_>>().join("\n").into_bytes()
}

/// Everything up to this instant is indexed again.
fn rebuild(end_ms: i64) -> BackfillRequest {
    BackfillRequest {
        deliver: false,
        rebuild: true,
        reason: Some("the index is gone".into()),
        lines_per_second: 1_000,
        ..crate::backfill::ask(0, end_ms)
    }
}

/// Whether a ledger is one of an hour.
fn is_hour(name: &str) -> bool {
    name != REGISTRY && LedgerHour::of_ledger(name).first_ledger() == name && name.contains("2026")
}
