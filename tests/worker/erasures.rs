//! Erasures under the built Worker: a thousand rays of fifty batches leave every answer, the bucket and what waits for the
//! partner; every other line stays as it is, at its place.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use raydex_test_support::gzip::gunzip;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN};

const BATCHES: u32 = 50;
const LINES: u32 = 60;
/// Rays that are erased, all over the batches.
const ERASED: usize = 1_000;
/// Between two turns of the cron.
const TURN: Duration = Duration::from_millis(500);

fn text(stored: &[u8]) -> String {
    String::from_utf8(gunzip(stored)).unwrap()
}

fn ray_of(line: &str) -> String {
    serde_json::from_str::<Value>(line).unwrap()["RayID"].as_str().unwrap().to_owned()
}

fn world() -> (Harness, Vec<SampleBatch>) {
    let settings = json!({ "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "BATCH_SIZE": "20", "API_RATE_PER_MINUTE": "0" });
    let harness = Harness::with(json!({ "partner": true, "settings": settings }));
    let plan = SamplePlan { batches: BATCHES, window_ms: 30_000, records: BATCHES * LINES, ..SamplePlan::default() };
    (harness, (0..BATCHES).map(|number| plan.batch(Dataset::HttpRequests, number)).collect())
}

/// Turns of the cron until the erasure is done.
fn finish(harness: &Harness) -> Value {
    for _ in 0..360 {
        harness.cron("* * * * *");
        let shown = harness.read("/v1/erasures/1");
        if shown["state"] == "done" {
            return shown;
        }
        sleep(TURN);
    }
    panic!("it is never done: {}", harness.read("/v1/erasures/1"));
}

/// The lines of the day, page by page.
fn list_every_line(harness: &Harness) -> Vec<String> {
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = harness.get(&format!("/v1/logs?start=2026-03-28T00:00:00Z&end=2026-03-29T00:00:00Z{cursor}"));
        let body = page.text().to_owned();
        listed.extend(body.lines().filter(|line| !line.starts_with("{\"raydex\"")).map(ToOwned::to_owned));
        match body.rsplit_once("\"cursor\":\"").and_then(|(_, rest)| rest.split_once('"')) {
            Some((next, _)) => cursor = format!("&cursor={next}"),
            None => return listed,
        }
    }
}

#[test]
fn thousand_rays_leave_fifty_batches() {
    let (harness, batches) = world();
    let keys: Vec<&str> = batches.iter().map(|batch| batch.key.as_str()).collect();
    // The partner takes the payloads of half of the batches, and then nothing more.
    for (number, batch) in batches.iter().enumerate() {
        if number == batches.len() / 2 {
            harness.wait_for("deliveries", || (harness.read("/v1/stats")["lines"]["pending"] == 0).then_some(()));
            harness.behave(&json!([{ "share": 1, "do": { "status": 503 } }]));
        }
        harness.announce(&harness.put(&batch.key, &batch.gzip));
        harness.wait_for_verdicts(&keys[number..=number]);
    }
    let lines: BTreeMap<&str, String> = batches.iter().map(|batch| (batch.key.as_str(), text(&batch.gzip))).collect();
    let of_parents: BTreeSet<String> = lines
        .values()
        .flat_map(|text| text.lines())
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["ParentRayID"].as_str().map(ToOwned::to_owned))
        .collect();
    let rays: Vec<String> =
        lines.values().flat_map(|text| text.lines().map(ray_of)).filter(|ray| !of_parents.contains(ray)).collect();
    let erased: BTreeSet<String> = (0..ERASED).map(|nth| rays[nth * rays.len() / ERASED].clone()).collect();
    assert_eq!(erased.len(), ERASED);

    let wanted = json!({ "by": "ray", "values": erased, "reason": "request 4711" }).to_string();
    let made = harness.post("/v1/erasures", wanted.as_bytes());
    assert_eq!(made.status, 201, "{}", made.text());
    let first: Vec<&String> = erased.iter().take(20).collect();
    for ray in first {
        assert_eq!(harness.get(&format!("/v1/rays/{ray}")).status, 404, "{ray} at once");
    }
    let shown = finish(&harness);
    assert_eq!((&shown["batches"], &shown["lines"]), (&BATCHES.into(), &ERASED.into()), "{shown}");

    // The bucket: every other line as it was, at its place.
    for (key, before) in &lines {
        let after = text(&harness.object(key).unwrap());
        assert_eq!(after.len(), before.len(), "{key}");
        for (was, is) in before.lines().zip(after.lines()) {
            let is_erased = erased.contains(&ray_of(was));
            assert!(if is_erased { is.trim().is_empty() } else { is == was }, "{key}: {was}");
        }
    }
    // Answers: by ray, by range, counted.
    for ray in &erased {
        assert_eq!(harness.get(&format!("/v1/rays/{ray}")).status, 404, "{ray}");
    }
    let all = u64::from(BATCHES * LINES);
    let listed = list_every_line(&harness);
    let expected: BTreeSet<&str> =
        lines.values().flat_map(|text| text.lines()).filter(|line| !erased.contains(&ray_of(line))).collect();
    assert_eq!(listed.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    // The partner: what it has is listed, and nothing more goes there.
    let sent: u64 = shown["sent"].as_array().unwrap().iter().map(|one| one["lines"].as_u64().unwrap()).sum();
    assert!(sent > 0 && shown["taken_out"].as_u64().unwrap() > 0, "{shown}");
    harness.behave(&json!([]));
    harness.try_partner();
    harness.wait_within(Duration::from_mins(3), TURN, "the rest", || {
        harness.cron("* * * * *");
        (harness.read("/v1/stats")["lines"]["pending"] == 0).then_some(())
    });
    let stats = harness.read("/v1/stats");
    let counted = |name: &str| stats["lines"][name].as_u64().unwrap();
    assert_eq!((counted("in"), &stats["lines"]["unaccounted"]), (all, &0.into()), "{stats}");
    assert_eq!(counted("delivered") + shown["taken_out"].as_u64().unwrap(), all, "{stats}");
    let delivered = harness.partner_lines().to_string();
    let gone = erased.iter().filter(|ray| delivered.contains(ray.as_str())).count() as u64;
    assert_eq!(gone, sent, "what the partner has is what is listed");
}
