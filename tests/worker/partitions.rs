//! Hours with several ledgers under the real runtime: the number changes by a deployment while batches arrive, and messages
//! come again.

use std::collections::BTreeSet;
use std::path::Path;

use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::delivery::{arrive, assert_all_once, lines};
use super::harness::{Harness, TOKEN, event};

/// 2026-03-28T06:00:00Z.
const START_MS: i64 = 1_774_677_600_000;
const HOUR_MS: i64 = 3_600_000;
/// Batches of an hour.
const BATCHES: u32 = 6;

fn hour(number: i64) -> Vec<SampleBatch> {
    let plan = SamplePlan {
        seed: number.unsigned_abs(),
        batches: BATCHES,
        records: 120 * BATCHES,
        start_ms: START_MS + number * HOUR_MS,
        window_ms: HOUR_MS,
        ..SamplePlan::default()
    };
    plan.batches(Dataset::HttpRequests).collect()
}

/// The ledgers that handles of batches of this hour name.
fn ledgers(harness: &Harness, hour: &str) -> BTreeSet<String> {
    let list = harness.read("/v1/batches?limit=100");
    let handles = list["batches"].as_array().unwrap().iter().map(|batch| batch["id"].as_str().unwrap());
    handles.filter(|id| id.starts_with(hour)).map(|id| id.split_once('.').unwrap().0.to_owned()).collect()
}

#[test]
fn partitions_change_while_batches_arrive() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("partitions");
    let _none = std::fs::remove_dir_all(&state);
    let token = hex::encode(Sha256::digest(TOKEN));
    let settings = json!({ "API_TOKEN_SHA256": token, "BATCH_SIZE": "100", "API_RATE_PER_MINUTE": "0" });
    let mut harness = Harness::with(json!({ "state": state, "partner": true, "settings": settings }));
    let hours = [0, 1, 2].map(hour);
    let (first, rest) = hours[0].split_at(3);
    arrive(&harness, first);
    assert_all_once(&harness, first);
    // The hour that has begun keeps its ledger; the next ones get four, and five.
    harness.redeploy(&json!({ "PARTITIONS": "4" }));
    arrive(&harness, rest);
    arrive(&harness, &hours[1]);
    let so_far = [&hours[0][..], &hours[1]].concat();
    assert_all_once(&harness, &so_far);
    harness.redeploy(&json!({ "PARTITIONS": "5" }));
    arrive(&harness, &hours[2]);
    let all = hours.concat();
    assert_all_once(&harness, &all);
    assert_eq!(ledgers(&harness, "20260328T06"), BTreeSet::from(["20260328T06".to_owned()]));
    for (hour, partitions) in [("20260328T07", 4), ("20260328T08", 5)] {
        let used = ledgers(&harness, hour);
        assert!((2..=partitions).contains(&used.len()), "{used:?}");
    }

    // Every batch written and announced once more, with another number: it is read once, and nothing is delivered again.
    harness.redeploy(&json!({ "PARTITIONS": "2" }));
    for batch in &all {
        let again = event(&harness.put(&batch.key, &batch.gzip));
        for verdict in ["sealed", "already_sealed"] {
            let parsed = harness.parse(std::slice::from_ref(&again));
            assert_eq!(parsed.messages[0]["verdict"], verdict, "{:?}", parsed.messages);
        }
    }
    assert_all_once(&harness, &all);
    let totals = harness.read("/v1/stats");
    assert_eq!((&totals["lines"]["in"], &totals["lines"]["unaccounted"]), (&lines(&all).into(), &0.into()), "{totals}");
    for batch in &all {
        let ray = batch.lines[7].ray;
        let deliveries = harness.read(&format!("/v1/rays/{ray}/deliveries"));
        assert_eq!(deliveries["records"][0]["delivery_status"], "assigned", "{deliveries}");
        let shown = harness.read(&format!("/v1/batches/{}", deliveries["records"][0]["batch"]["id"].as_str().unwrap()));
        assert_eq!(
            (&shown["batch"]["state"], &shown["batch"]["object"]["key"]),
            (&"sealed".into(), &(&*batch.key).into())
        );
    }
}
