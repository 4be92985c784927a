//! A bucket that another worker has served: with `PUSH_START_TIME`, exactly what follows it is delivered.

use raydex::record::Dataset;
use raydex::sample::{PlanUnits, SampleBatch, SamplePlan, TimestampUnit};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN};

/// Lines and batches that lie in the bucket at the first start.
const LINES: u32 = 5_000;
const BATCHES: u32 = 10;

fn plan(seed: u64) -> SamplePlan {
    let units = PlanUnits::Always(TimestampUnit::UnixNano);
    SamplePlan { seed, batches: BATCHES, records: LINES, window_ms: 600_000, units, ..SamplePlan::default() }
}

fn served(seed: u64) -> Vec<SampleBatch> {
    (0..BATCHES).map(|number| plan(seed).batch(Dataset::HttpRequests, number)).collect()
}

fn count(batches: &[SampleBatch]) -> u64 {
    batches.iter().map(|batch| batch.written.records).sum()
}

/// Moves over: late events of everything that lies there, and the crons.
fn move_over(harness: &Harness, batches: &[SampleBatch]) {
    for batch in batches {
        harness.announce(&harness.put(&batch.key, &batch.gzip));
    }
    let keys: Vec<&str> = batches.iter().map(|batch| &*batch.key).collect();
    harness.wait_for_verdicts(&keys);
    for _ in 0..3 {
        harness.cron("* * * * *");
        harness.cron("*/10 * * * *");
    }
}

/// Waits until the books and the partner agree that this many lines arrived.
fn wait_for_lines(harness: &Harness, expected: u64) {
    harness.wait_for("the lines at the partner", || {
        harness.cron("* * * * *");
        let stats = harness.read("/v1/stats");
        let is_at_rest = stats["lines"]["pending"] == 0 && stats["batches"]["open"] == 0;
        (is_at_rest && stats["lines"]["delivered"] == expected).then_some(())
    });
}

fn assert_partner_has(harness: &Harness, lines: u64) {
    let figures = harness.partner();
    assert_eq!((&figures["lines"], &figures["duplicate_lines"]), (&lines.into(), &0.into()), "{figures}");
}

#[test]
fn push_start_time_delivers_exactly_what_follows() {
    let start_ms = plan(43).start_ms + 250_000;
    let harness = Harness::with(json!({ "partner": true, "settings": {
        "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "API_RATE_PER_MINUTE": "0",
        "PUSH_START_TIME": start_ms.to_string(),
    } }));
    let old = served(43);
    move_over(&harness, &old);
    let later = old.iter().flat_map(|batch| batch.lines.iter().map(move |place| batch.line(place)));
    let expected = later.filter(|line| start_of(line) >= start_ms).count() as u64;
    assert!((1..count(&old)).contains(&expected), "{expected}");
    wait_for_lines(&harness, expected);
    assert_partner_has(&harness, expected);
}

/// The start of a request, in Unix milliseconds; its job writes nanoseconds.
fn start_of(line: &[u8]) -> i64 {
    let record: Value = serde_json::from_slice(line).unwrap();
    record["EdgeStartTimestamp"].as_i64().unwrap().div_euclid(1_000_000)
}
