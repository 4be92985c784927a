//! Backfills under the built Worker: at the rate that was asked for, done once the partner has every line, and once more
//! for a reason. The long form (`scripts/chaos --backfill`) kills the runtime six times on the way.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN, event};

/// The range of every backfill: 2026-03-01 to 2026-04-01.
const RANGE_MS: [i64; 2] = [1_772_323_200_000, 1_775_001_600_000];
/// Lines of a batch; the payloads have a hundred.
const LINES: u32 = 1_000;
/// Between two turns of the cron, which the platform runs each minute.
const TURN: Duration = Duration::from_millis(500);
/// How long a backfill may take beside its lines: the leases of what was killed, and lost messages.
const PATIENCE: Duration = Duration::from_mins(10);

/// A runtime with batches in its bucket that R2 never announced.
struct World {
    harness: Harness,
    objects: Vec<Value>,
    lines: u64,
    rate: u64,
}

impl World {
    fn new(name: &str, batches: u32, rate: u64) -> Self {
        let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _none = std::fs::remove_dir_all(&state);
        let settings = json!({ "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "BATCH_SIZE": "100", "API_RATE_PER_MINUTE": "0" });
        let harness = Harness::with(json!({ "state": state, "partner": true, "settings": settings }));
        let plan = SamplePlan { batches, window_ms: 30_000, records: batches * LINES, ..SamplePlan::default() };
        let batches: Vec<SampleBatch> = (0..batches).map(|number| plan.batch(Dataset::HttpRequests, number)).collect();
        let objects = batches.iter().map(|batch| harness.put(&batch.key, &batch.gzip)).collect();
        let lines = batches.iter().map(|batch| batch.written.records).sum();
        Self { harness, objects, lines, rate }
    }

    /// Starts a backfill with these members; its number.
    fn start(&self, more: &Value) -> i64 {
        let mut wanted = json!({ "start": RANGE_MS[0], "end": RANGE_MS[1], "lines_per_second": self.rate });
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let started = self.harness.post("/v1/backfills", wanted.to_string().as_bytes());
        assert_eq!(started.status, 201, "{}", started.text());
        started.json()["id"].as_i64().unwrap()
    }

    fn job(&self, id: i64) -> Value {
        self.harness.read(&format!("/v1/backfills/{id}"))
    }

    fn switch(&self, id: i64, what: &str) {
        let reply = self.harness.post(&format!("/v1/backfills/{id}/{what}"), b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Sends the messages of a backfill again: a kill loses what the local queue holds, and the platform's would not.
    fn announce_again(&self, id: i64, again: bool) {
        for object in &self.objects {
            let mut message = event(object);
            message["backfill"] = json!({
                "id": id, "start_ms": RANGE_MS[0], "end_ms": RANGE_MS[1], "index": true, "deliver": true,
                "lines_per_second": self.rate, "again": again,
            });
            self.harness.enqueue(&message);
        }
    }

    /// Turns of the cron until the backfill is done; the partner has every line then, and had them no faster.
    fn finish(&self, id: i64) -> Value {
        for _ in 0..PATIENCE.as_millis() / TURN.as_millis() {
            self.harness.cron("* * * * *");
            let job = self.job(id);
            if job["state"] == "done" {
                return job;
            }
            sleep(TURN);
        }
        panic!("it is never done: {}\n{}", self.job(id), self.harness.read("/v1/stats"));
    }

    /// Every line is at the partner so often at least, and apart from doubt no more often.
    fn judge(&self, times: u64) {
        let (figures, stats) = (self.harness.partner(), self.harness.read("/v1/stats"));
        let doubt = stats["posts"]["unknown_outcomes"].as_u64().unwrap() * 100;
        let stored = figures["lines"].as_u64().unwrap();
        assert_eq!(figures["distinct_lines"], self.lines, "{figures}");
        assert!((times * self.lines..=times * self.lines + doubt).contains(&stored), "{figures} {stats}");
        let again = (times - 1) * self.lines;
        assert_eq!((&stats["again"]["in"], &stats["again"]["delivered"]), (&again.into(), &again.into()), "{stats}");
        let lines = &stats["lines"];
        assert_eq!((&lines["in"], &lines["delivered"]), (&self.lines.into(), &self.lines.into()), "{stats}");
        assert_eq!((&lines["unaccounted"], &stats["alarm"]), (&0.into(), &Value::Null), "{stats}");
        let busiest = self.harness.partner()["busiest_second"].as_u64().unwrap();
        println!("{stored} lines at the partner, {doubt} in doubt, {busiest} in the busiest second at {}", self.rate);
        assert!(busiest <= self.rate * 6 / 5, "{busiest} lines in a second, {} were asked for", self.rate);
    }
}

#[test]
fn backfill_keeps_its_rate_and_repeats() {
    let world = World::new("backfill", 3, 1_000);
    let id = world.start(&json!({}));
    world.harness.cron("* * * * *");
    world.switch(id, "stop");
    world.harness.post(&format!("/v1/backfills/{id}/stop"), b"").assert_problem(409, "already_stopped");
    world.harness.cron("* * * * *");
    assert_eq!(world.job(id)["state"], "stopped");
    world.switch(id, "resume");
    let job = world.finish(id);
    assert_eq!((&job["lines"]["in"], &job["lines"]["delivered"]), (&world.lines.into(), &world.lines.into()), "{job}");
    world.judge(1);

    let wanted = json!({ "start": RANGE_MS[0], "end": RANGE_MS[1], "again": true }).to_string();
    world.harness.post("/v1/backfills", wanted.as_bytes()).assert_problem(400, "reason_missing");
    let again = world.start(&json!({ "again": true, "reason": "the partner lost a day" }));
    let job = world.finish(again);
    assert_eq!(job["lines"]["delivered"], world.lines, "{job}");
    world.judge(2);
    // The same message once more repeats nothing.
    world.announce_again(again, true);
    sleep(Duration::from_secs(2));
    world.judge(2);
}

#[test]
#[ignore = "takes minutes: scripts/chaos --backfill"]
fn killed_backfill_arrives_whole_and_once_more() {
    let mut world = World::new("killed-backfill", 60, 1_000);
    let id = world.start(&json!({}));
    for life in 0..6_u64 {
        world.announce_again(id, false);
        for turn in 0..10 {
            world.harness.cron("* * * * *");
            if (life, turn) == (1, 4) {
                world.switch(id, "stop");
            }
            sleep(TURN + Duration::from_millis(life * 70));
        }
        assert_ne!(world.job(id)["state"], "done", "it is killed on the way");
        world.harness.kill();
        if life == 2 {
            world.switch(id, "resume");
        }
    }
    world.announce_again(id, false);
    let job = world.finish(id);
    assert_eq!((&job["lines"]["in"], &job["lines"]["delivered"]), (&world.lines.into(), &world.lines.into()), "{job}");
    world.judge(1);
    let again = world.start(&json!({ "again": true, "reason": "the partner lost a day" }));
    assert_eq!(world.finish(again)["lines"]["delivered"], world.lines);
    world.judge(2);
}
