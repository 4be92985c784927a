//! What a person does when something did not go by itself: a parked payload, a dead letter, an object that was deleted.

use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::{Value, json};

use super::harness::{Harness, event, event_of};
use super::spellings::gzip;

/// A batch of 200 requests: one payload.
fn batch() -> SampleBatch {
    SamplePlan { batches: 1, window_ms: 30_000, records: 200, ..SamplePlan::default() }.batch(Dataset::HttpRequests, 0)
}

/// Waits until every payload is at rest; says the books.
fn at_rest(harness: &Harness) -> Value {
    harness.wait_for("rest", || {
        let stats = harness.read("/v1/stats");
        (stats["lines"]["pending"] == 0 && stats["batches"]["open"] == 0).then_some(stats)
    })
}

/// Checks the books: these counts, and nothing that is unaccounted for.
fn assert_books(stats: &Value, lines: [(&str, u64); 3]) {
    for (count, expected) in lines {
        assert_eq!(stats["lines"][count], expected, "{count}: {stats}");
    }
    assert_eq!((&stats["lines"]["unaccounted"], &stats["alarm"]), (&0.into(), &Value::Null), "{stats}");
}

#[test]
fn refused_payload_is_parked_until_released() {
    let harness = Harness::with_partner();
    harness.behave(&json!([{ "count": 1, "do": { "status": 400 } }]));
    let batch = batch();
    let (lines, ray) = (batch.written.records, batch.lines[0].ray.to_string());
    assert_eq!(harness.index(&batch.key, &batch.gzip)["verdict"], "sealed");
    assert_books(&at_rest(&harness), [("in", lines), ("delivered", 0), ("parked", lines)]);

    // Whoever asks for the ray, or for its batch, is led to the payload.
    let record = harness.read(&format!("/v1/rays/{ray}/deliveries"))["records"][0].take();
    assert_eq!((&record["delivery_status"], &record["exact"]), (&"assigned".into(), &true.into()), "{record}");
    let of_batch = harness.read(&format!("/v1/batches/{}", record["batch"]["id"].as_str().unwrap()));
    assert_eq!(of_batch["payloads"], record["payloads"]);
    let payload = &record["payloads"][0];
    assert_eq!((&payload["state"], &payload["status"]), (&"parked".into(), &400.into()), "{payload}");
    assert_eq!(
        (&payload["attempts"], &payload["unknown_outcomes"], &payload["lines"]),
        (&1.into(), &0.into(), &lines.into())
    );

    let id = payload["id"].as_str().unwrap();
    let released = harness.operate(&format!("/v1/payloads/{id}/release"));
    assert_eq!((&released["before"], &released["state"]), (&"parked".into(), &"prepared".into()), "{released}");
    let stats = at_rest(&harness);
    assert_books(&stats, [("in", lines), ("delivered", lines), ("parked", 0)]);
    assert_eq!(stats["posts"], json!({"attempts": 2, "not_sent": 0, "unknown_outcomes": 0}), "{stats}");
    let figures = harness.partner();
    assert_eq!((&figures["lines"], &figures["posts"]), (&lines.into(), &2.into()), "{figures}");
    assert_eq!(harness.read(&format!("/v1/rays/{ray}/deliveries"))["records"][0]["payloads"][0]["state"], "delivered");
    harness.post(&format!("/v1/payloads/{id}/release"), br#"{"reason":"again"}"#).assert_problem(409, "not_parked");
}

#[test]
fn dead_message_is_kept_and_can_be_redriven() {
    let harness = Harness::with(json!({ "faulty": true, "retries": 0, "partner": true }));
    let batch = batch();
    harness.faults(&json!([{ "op": "get", "key": batch.key, "fault": "error" }]));
    harness.announce(&harness.put(&batch.key, &batch.gzip));
    // The queue gives it up, and the Worker itself consumes what it gave up.
    let letter =
        harness.wait_for("the dead letter", || harness.read("/v1/dead-letters")["dead_letters"].get(0).cloned());
    assert_eq!((&letter["queue"], &letter["code"]), (&"parse-queue".into(), &"retries_used_up".into()), "{letter}");
    assert_eq!(letter["event"]["object"]["key"], batch.key, "{letter}");
    let stats = harness.read("/v1/stats");
    assert_eq!((&stats["dead_letters"], &stats["lines"]["in"]), (&1.into(), &0.into()), "{stats}");

    let redriven = harness.operate(&format!("/v1/dead-letters/{}/redrive", letter["id"]));
    assert_eq!(redriven, json!({ "dead_letter": letter["id"], "redriven": true, "to": "parse-queue" }));
    let lines = batch.written.records;
    harness.wait_for("the batch", || (harness.read("/v1/stats")["lines"]["in"] == lines).then_some(()));
    assert_books(&at_rest(&harness), [("in", lines), ("delivered", lines), ("parked", 0)]);
    assert_eq!(harness.partner()["lines"], lines);
    assert_eq!(harness.read("/v1/dead-letters")["dead_letters"], json!([]));
    assert_eq!(harness.read("/v1/dead-letters?redriven=true")["dead_letters"][0]["id"], letter["id"]);
}

#[test]
fn deleted_object_is_not_found_but_stays_accounted() {
    let harness = Harness::start();
    let line = r#"{"RayID":"a5e33aff24280fa2"}"#;
    let object = harness.put("logs/a.log.gz", &gzip(line.as_bytes()));
    let kept = harness.put("logs/b.log.gz", &gzip(br#"{"RayID":"a5e33aff24280fa3"}"#));
    let put = [event(&object), event(&kept)];
    assert_eq!(harness.parse(&put).batch["verdicts"], json!({ "sealed": 2 }));
    let deleted = event_of("DeleteObject", &json!({ "key": "logs/a.log.gz" }));
    // Nothing is forgotten on an event's word alone.
    let early = harness.parse(std::slice::from_ref(&deleted));
    assert_eq!(early.batch["verdicts"], json!({ "ignored:still_there": 1 }));
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa2").status, 200);

    harness.remove("logs/a.log.gz");
    assert_eq!(harness.parse(&[deleted]).batch["verdicts"], json!({ "removed": 1 }));
    harness.native("http_requests", "a5e33aff24280fa2").assert_problem(404, "ray_not_found");
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa3").status, 200);
    let stats = harness.read("/v1/stats");
    assert_books(&stats, [("in", 2), ("delivered", 0), ("parked", 0)]);
    assert_eq!(stats["lines"]["filtered"], json!({ "no_plan": 2 }), "{stats}");
}

#[test]
fn backfill_delivers_earlier_records_once_each() {
    let harness = Harness::with_partner();
    let plan = SamplePlan { batches: 3, window_ms: 30_000, records: 600, ..SamplePlan::default() };
    let batches: Vec<SampleBatch> = (0..3).map(|number| plan.batch(Dataset::HttpRequests, number)).collect();
    for batch in &batches {
        harness.put(&batch.key, &batch.gzip);
    }
    // The first one came by its event; the window covers all of them.
    harness.announce(&harness.put(&batches[0].key, &batches[0].gzip));
    harness.wait_for_verdicts(&[&batches[0].key]);
    let wanted = br#"{"start":"2026-01-01T00:00:00Z","end":"2026-04-01T00:00:00Z","lines_per_second":1000}"#;
    let started = harness.post("/v1/backfills", wanted);
    assert_eq!((started.status, &started.json()["state"]), (201, &"running".into()), "{}", started.text());
    let job = harness.wait_for("the end of the backfill", || {
        harness.cron("* * * * *");
        let job = harness.read("/v1/backfills/1");
        (job["state"] == "done" && job["objects"]["remaining"] == 0).then_some(job)
    });
    assert_eq!((&job["objects"]["announced"], &job["objects"]["processed"]), (&3.into(), &3.into()), "{job}");
    let lines: u64 = batches.iter().map(|batch| batch.written.records).sum();
    assert_books(&at_rest(&harness), [("in", lines), ("delivered", lines), ("parked", 0)]);
    let figures = harness.partner();
    assert_eq!((&figures["lines"], &figures["duplicate_lines"]), (&lines.into(), &0.into()), "{figures}");
}
