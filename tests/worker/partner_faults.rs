//! The partner fails for a while and is well again, under the real runtime: every line once, nothing parked, and soon.
//!
//! `scripts/partner-faults` is the long form, with the figures of each fault. Here a person tries the partner once it is
//! repaired, where the breaker's pause itself is not what is tested.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::delivery::{arrive, assert_all_once, batches, delivering, lines, payloads};
use super::harness::{Harness, TOKEN};

/// After the partner's recovery everything that was due is out within this time.
const SOON: Duration = Duration::from_mins(1);

/// Waits until a POST failed with this code, and the breaker is open because of it.
fn wait_for_breaker(harness: &Harness, code: &str) -> Value {
    harness.wait_for("the breaker", || {
        let breaker = harness.read("/v1/stats")["delivery"]["breaker"].take();
        (breaker["state"] != "closed" && breaker["reason"] == code).then_some(breaker)
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures how long the real runtime takes")]
fn two_seconds_of_503_are_soon_over() {
    let harness = delivering();
    let batches = batches(11, 3);
    assert!(lines(&batches) > 3_000, "thirty payloads");
    harness.behave(&json!([{ "do": { "status": 503 } }]));
    arrive(&harness, &batches);
    harness.wait_for("a failure", || (!payloads(&harness, "not_stored").is_empty()).then_some(()));
    sleep(Duration::from_secs(2));
    harness.behave(&json!([]));
    let begun = Instant::now();
    assert_all_once(&harness, &batches);
    assert!(begun.elapsed() < SOON, "{:?} after the hiccup", begun.elapsed());
    assert_eq!(harness.read("/v1/stats")["payloads"]["parked"], 0);
}

#[test]
fn refused_key_repaired_by_the_partner_parks_nothing() {
    let harness = delivering();
    let batches = batches(12, 2);
    harness.behave(&json!([{ "do": { "status": 401 } }]));
    arrive(&harness, &batches);
    let breaker = wait_for_breaker(&harness, "auth");
    assert_eq!(breaker["status"], 401, "{breaker}");
    let health = harness.get("/healthz");
    assert_eq!((health.status, &health.json()["status"]), (200, &"degraded".into()), "the Worker itself is well");
    harness.behave(&json!([]));
    let tried = harness.try_partner();
    assert_eq!(tried["breaker"]["reason"], "auth", "{tried}");
    assert_all_once(&harness, &batches);
    let stats = harness.wait_for("the breaker closed", || {
        let stats = harness.read("/v1/stats");
        (stats["delivery"]["breaker"]["state"] == "closed").then_some(stats)
    });
    assert_eq!(stats["payloads"]["parked"], 0);
}

#[test]
fn wrong_key_is_repaired_by_deploying_another() {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-key");
    let _none = std::fs::remove_dir_all(&state);
    // Redeploying here ends the runtime. A payload that was being posted then waits for its claim to end, which is a
    // function of the time-out: 85 s with this one, more than five minutes with the default.
    let settings = json!({
        "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "BATCH_SIZE": "100", "API_RATE_PER_MINUTE": "0",
        "PARTNER_PRIVATE_KEY": "the-wrong-key", "PARTNER_TIMEOUT_S": "10",
    });
    let mut harness = Harness::with(json!({ "partner": true, "state": state, "settings": settings }));
    let batches = batches(13, 2);
    arrive(&harness, &batches);
    wait_for_breaker(&harness, "auth");
    harness.redeploy(&json!({ "PARTNER_PRIVATE_KEY": "a-partner-key-for-tests" }));
    assert_eq!(harness.read("/v1/stats")["delivery"]["breaker"]["state"], "closed", "another key");
    harness.try_partner();
    assert_all_once(&harness, &batches);
    assert_eq!(harness.read("/v1/stats")["payloads"]["parked"], 0);
}

#[test]
fn post_of_35_seconds_is_delivered_once() {
    let harness = delivering();
    harness.behave(&json!([{ "count": 1, "do": { "delay": 35_000 } }]));
    let batches = batches(14, 1);
    arrive(&harness, &batches);
    let figures = assert_all_once(&harness, &batches);
    // The batch of messages stays open as long as the POST: all of its acks come then, and nothing comes again.
    let over = harness.wait_for("the batch of messages", || harness.said("send_batch").into_iter().next());
    assert_eq!(over["verdicts"], json!({ "delivered": payloads(&harness, "delivered").len() }), "{over}");
    assert_eq!(figures["posts"], figures["batches"], "{figures}");
    let slow = harness.said("send_message").iter().filter_map(|line| line["post_ms"].as_u64()).max().unwrap();
    assert!((35_000..60_000).contains(&slow), "{slow}");
    let stats = harness.read("/v1/stats");
    assert_eq!(
        (&stats["posts"]["unknown_outcomes"], &stats["lines"]["delivered"]),
        (&0.into(), &lines(&batches).into())
    );
    let metrics = String::from_utf8(harness.get("/metrics").body).unwrap();
    let slower = |bound: &str| {
        let name = format!("raydex_post_duration_seconds_bucket{{le=\"{bound}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap()
    };
    assert_eq!(slower("60") - slower("30"), 1, "{metrics}");
}

#[test]
fn closed_port_is_told_from_silence() {
    let harness = delivering();
    // The first POST gets no answer; before the next one someone looks whether the partner can be reached, and it can.
    harness.behave(&json!([{ "count": 1, "do": { "reset": "before" } }]));
    let batches = batches(15, 1);
    arrive(&harness, &batches);
    let figures = assert_all_once(&harness, &batches);
    // Others may look, too, until one is answered.
    assert!(figures["heads"].as_u64() >= Some(1) && figures["misbehaved"] == 1, "{figures}");
    assert_eq!(harness.read("/v1/stats")["posts"]["unknown_outcomes"], 1);
}
