//! The way to the partner under the real runtime: every line once, whatever the partner answers.
//!
//! The partner's receiver is the judge: its ledger of lines shares no code with the Worker's.

use std::collections::BTreeMap;
use std::net::TcpListener;

use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN};

/// A Worker that delivers in payloads of a hundred lines.
pub(crate) fn delivering() -> Harness {
    Harness::with(json!({ "partner": true, "settings": settings() }))
}

fn settings() -> Value {
    json!({ "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "BATCH_SIZE": "100", "API_RATE_PER_MINUTE": "0" })
}

/// Batches of about 1,200 requests each, those of Workers among them.
pub(crate) fn batches(seed: u64, count: u32) -> Vec<SampleBatch> {
    let plan = SamplePlan { seed, batches: count, records: 1_200 * count, window_ms: 30_000, ..SamplePlan::default() };
    plan.batches(Dataset::HttpRequests).collect()
}

/// Puts every batch and announces it.
pub(crate) fn arrive(harness: &Harness, batches: &[SampleBatch]) {
    for batch in batches {
        harness.announce(&harness.put(&batch.key, &batch.gzip));
    }
}

pub(crate) fn lines(batches: &[SampleBatch]) -> u64 {
    batches.iter().map(|batch| batch.written.records).sum()
}

/// The handles of the payloads with this verdict.
pub(crate) fn payloads(harness: &Harness, verdict: &str) -> Vec<String> {
    let said = harness.said("send_message").into_iter().filter(|line| line["verdict"] == verdict);
    said.map(|line| line["payload"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the partner has as many lines as these batches, and holds each line against it.
pub(crate) fn assert_all_once(harness: &Harness, batches: &[SampleBatch]) -> Value {
    let all = lines(batches);
    harness.wait_for("every line", || (harness.partner()["lines"].as_u64() >= Some(all)).then_some(()));
    let figures = harness.partner();
    for (figure, expected) in [("lines", all), ("duplicate_lines", 0), ("duplicate_batches", 0), ("reused_nonces", 0)] {
        assert_eq!(figures[figure], expected, "{figure}: {figures}");
    }
    let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
    for place in batches.iter().flat_map(|batch| &batch.lines) {
        *wanted.entry(place.ray.to_string()).or_default() += 1;
    }
    assert_eq!(harness.partner_lines(), json!({ "request_ids": wanted, "duplicates": [] }));
    figures
}

#[test]
fn every_line_of_five_batches_arrives_once() {
    let harness = delivering();
    let batches = batches(1, 5);
    assert!(batches.iter().all(|batch| batch.written.records > 1_000));
    arrive(&harness, &batches);
    let figures = assert_all_once(&harness, &batches);

    let keys: Vec<&str> = batches.iter().map(|batch| batch.key.as_str()).collect();
    let made = |line: &Value, figure: &str| line["batch"][figure].as_u64().unwrap();
    let sealed = harness.wait_for_verdicts(&keys);
    for (batch, line) in batches.iter().zip(&sealed) {
        assert_eq!(
            (&line["verdict"], made(line, "payload_lines")),
            (&"sealed".into(), batch.written.records),
            "{line}"
        );
    }
    let payloads_made: u64 = sealed.iter().map(|line| made(line, "payloads")).sum();
    // One name for each payload, and one post: none was refused for its signature or its form.
    assert_eq!((&figures["batches"], &figures["posts"]), (&payloads_made.into(), &payloads_made.into()), "{figures}");
    let mut delivered = harness.wait_for("the verdicts", || {
        let delivered = payloads(&harness, "delivered");
        (delivered.len() as u64 == payloads_made).then_some(delivered)
    });
    delivered.sort_unstable();
    delivered.dedup();
    assert_eq!(delivered.len() as u64, payloads_made);
    // The payloads of a batch lie together.
    assert_eq!(harness.list("raydex/payloads/").len(), batches.len());

    // The same again brings nothing.
    let again = harness.index(&batches[0].key, &batches[0].gzip);
    assert_eq!(again["verdict"], "sealed", "it is indexed again: the bucket keeps it from now on");
    assert_eq!(harness.partner(), figures);
}

#[test]
fn a_data_bucket_takes_everything_but_batches() {
    let token = hex::encode(Sha256::digest(TOKEN));
    let settings = json!({ "API_TOKEN_SHA256": token, "BATCH_SIZE": "100" });
    let harness = Harness::with(json!({ "partner": true, "dataBucket": "raydex-data", "settings": settings }));
    let batches = batches(2, 1);
    arrive(&harness, &batches);
    assert_all_once(&harness, &batches);
    let line = &batches[0].lines[0];
    let found = harness.get(&format!("/v1/rays/{}", line.ray)).json();
    assert_eq!(found["cost"]["full_scans"], 0, "{found}");
    let keys = |objects: Vec<Value>| -> Vec<String> {
        objects.iter().map(|object| object["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(harness.list("")), [batches[0].key.as_str()]);
    let data = keys(harness.list_data());
    for folder in ["payloads", "summaries", "windows"] {
        let prefix = format!("raydex/{folder}/v1/");
        assert_eq!(data.iter().filter(|key| key.starts_with(&prefix)).count(), 1, "{folder}: {data:?}");
    }
    assert!(data.len() == 4 && data.contains(&"raydex/first-start/v1".to_owned()), "{data:?}");
}

#[test]
fn hanging_post_delays_neither_acks_nor_commits() {
    // What is left of the time limit of a POST fits behind the batch.
    let mut settings = settings();
    settings["PARTNER_TIMEOUT_S"] = "30".into();
    let harness = Harness::with(json!({ "partner": true, "settings": settings }));
    harness.behave(&json!([{ "count": 1, "do": { "hang": 15_000 } }]));
    let (first, second) = (batches(2, 1), batches(3, 1));
    arrive(&harness, &first);
    // The batch of messages is over without it, and all of them are acked.
    let over = harness.wait_for("the batch of messages", || harness.said("send_batch").into_iter().next());
    let others = payloads(&harness, "delivered").len();
    assert_eq!(over["verdicts"], json!({ "delivered": others, "under_way": 1 }), "{over}");
    // Of its own message, too, the ledger has everything else.
    let states = &harness.read("/v1/stats")["payloads"];
    assert!(states["sending"] == 1 && states["delivered"].as_u64() > Some(others as u64), "{states}");
    // The queue here hands over one batch after the other: the acks must have gone out.
    arrive(&harness, &second);
    let before = lines(&first) - 100; // The first post is a whole payload: the short one is the last.
    harness.wait_for("the second batch", || {
        let lines = harness.partner()["lines"].as_u64().unwrap();
        (lines >= before + self::lines(&second)).then_some(())
    });
    assert_eq!(harness.partner()["lines"].as_u64().unwrap(), before + lines(&second), "the first one hangs no longer");
    // What went on behind its batch comes to its end: posted once, and committed.
    let all: Vec<SampleBatch> = first.into_iter().chain(second).collect();
    let figures = assert_all_once(&harness, &all);
    assert_eq!(figures["posts"], figures["batches"], "{figures}");
    harness.wait_for("the last commit", || {
        let said = harness.said("send_message");
        let counted = said.iter().filter(|line| line["verdict"] == "delivered" && line["counted"] == true).count();
        (counted as u64 == figures["batches"].as_u64().unwrap()).then_some(())
    });
}

#[test]
fn redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}/cdn-log/v3", elsewhere.local_addr().unwrap());
    let harness = delivering();
    harness.behave(&json!([{ "do": { "redirect": url } }]));
    let batch = batches(4, 1);
    arrive(&harness, &batch);
    let over = harness.wait_for("the batch of messages", || harness.said("send_batch").into_iter().next());
    let said = harness.said("send_message");
    let redirected = said.iter().filter(|line| line["verdict"] == "endpoint").inspect(|line| {
        assert_eq!((&line["code"], &line["status"]), (&"redirect".into(), &302.into()), "{line}");
    });
    assert!(redirected.count() > 0, "{over}");
    // Whoever was not under way by then waits for the breaker.
    assert!(said.iter().all(|line| ["endpoint", "waits"].contains(&line["verdict"].as_str().unwrap())), "{over}");
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "it was followed");
    assert_eq!(harness.partner()["lines"], 0);
    // Nothing waits for a person: once the partner is well, everything arrives.
    assert_eq!(harness.read("/v1/stats")["payloads"]["parked"], 0);
    harness.behave(&json!([]));
    harness.try_partner();
    assert_all_once(&harness, &batch);
}

#[test]
fn what_the_partner_fails_to_store_is_resent() {
    let harness = delivering();
    harness.behave(&json!({ "seed": 7, "rules": [{ "share": 0.05, "do": { "status": 500 } }] }));
    let batches = batches(5, 3);
    arrive(&harness, &batches);
    let figures = assert_all_once(&harness, &batches);
    let failed = payloads(&harness, "not_stored").len() as u64;
    assert!(failed > 0, "{figures}");
    let posts = figures["posts"].as_u64().unwrap();
    assert_eq!((posts, &figures["misbehaved"]), (figures["batches"].as_u64().unwrap() + failed, &failed.into()));
}
