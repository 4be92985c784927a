//! Faulty settings of delivery: everything else goes on, and nothing that waits or arrives is lost.

use raydex::pipeline::{hold_message, run_sweep};
use raydex::r2_event::R2Event;
use serde_json::json;

use super::support::gzip::gzip;
use super::support::partner::delivering;
use super::support::queue::message;
use super::support::records::{http, ndjson, ray};
use super::support::world::config_with;
use super::support::{Consumers, NOW_MS, Reply, run};
use super::{BUCKET_NAME, KEY};

const OTHER: &str = "logs/http_requests/20260328/20260328T083900Z_20260328T083930Z_b.log.gz";

/// Stores a batch of three records, and has its event parsed.
fn arrive(consumers: &Consumers, key: &str, first: u64) {
    let text = ndjson((first..first + 3).map(|number| http(&ray(number).to_string(), 0)));
    let head = consumers.fakes.bucket.store(key, &gzip(&text));
    let event = R2Event::put_object(BUCKET_NAME, key, head.size, &head.etag, NOW_MS);
    let verdict = consumers.parse(&serde_json::to_string(&event).unwrap(), 1);
    assert_eq!(verdict.verdict.name(), "sealed");
    assert_eq!(verdict.batch.unwrap().counts.rays, 3, "it is indexed all the same");
}

#[test]
fn batches_wait_for_repaired_settings() {
    let mut consumers = Consumers::new(delivering(&[]), |_, _| Reply::Status(200));
    arrive(&consumers, KEY, 0);
    let waiting = consumers.fakes.sends.take();
    consumers.config = config_with(&[
        ("CTYUN_ENDPOINT", "http://partner.example"),
        ("CTYUN_URI_EDGE", "/"),
        ("CTYUN_PRIVATE_KEY", "k"),
    ]);
    assert!(consumers.config.delivery.is_none() && consumers.config.delivery_faults.len() == 1);
    arrive(&consumers, OTHER, 10);
    assert!(consumers.fakes.sends.take().is_empty(), "no plan, so no payload");
    let held = run(hold_message(&consumers.fakes, &consumers.config, &message("send-queue", &waiting[0], 6)));
    let said = serde_json::to_value(&held[0]).unwrap();
    assert_eq!(
        (&said["verdict"], &said["code"], said.get("retry_s")),
        (&json!("waits"), &json!("delivery_stopped"), None)
    );
    assert!(said["reason"].as_str().unwrap().contains("PARTNER_PLAIN_HTTP=allow"), "{said}");
    assert_eq!(consumers.partner.posts(), 0);
    // Repaired: the ledger sends its message again, and the sweep announces what came meanwhile.
    consumers.config = delivering(&[]);
    consumers.pass(700_000);
    assert_eq!(run(run_sweep(&consumers.fakes, &consumers.config)).unwrap().announced, 1);
    for event in consumers.fakes.queue.take() {
        assert_eq!(consumers.parse(&event, 1).verdict.name(), "sealed");
    }
    consumers.settle(3_600_000);
    let totals = consumers.fakes.ledgers.totals();
    assert_eq!((totals.lines.delivered, totals.lines.pending, totals.lines.unaccounted), (6, 0, 0));
    assert!(consumers.partner.stored().values().all(|stored| *stored == 1), "each once");
}

#[test]
fn odd_message_is_kept_while_nothing_is_sent() {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "0")]), |_, _| Reply::Status(200));
    let body = r#"{"key":"processed/logs_a_log_gz-0.txt"}"#;
    let said = run(hold_message(&consumers.fakes, &consumers.config, &message("send-queue", body, 1)));
    assert_eq!((said[0].code.as_deref(), said[0].retry_s), (Some("predecessor_payload"), None));
    assert_eq!(consumers.fakes.dead_letters(), [("send-queue".into(), "predecessor_payload".into(), body.into())]);
}

#[test]
fn backfill_message_returns_while_delivery_is_stopped() {
    let consumers = Consumers::new(delivering(&[("PUSH_START_TIME", "soon")]), |_, _| Reply::Status(200));
    let event = |deliver: bool| {
        let backfill = json!({"id": 1, "start_ms": 0, "end_ms": NOW_MS, "index": true, "deliver": deliver,
            "lines_per_second": 5});
        json!({"bucket": BUCKET_NAME, "object": {"key": KEY}, "action": "PutObject", "backfill": backfill}).to_string()
    };
    consumers.fakes.bucket.store(KEY, &gzip(&ndjson([http(&ray(1).to_string(), 0)])));
    let said = consumers.parse(&event(true), 1);
    assert_eq!((said.code, said.retry_s), (Some("delivery_stopped"), Some(5_400)));
    assert_eq!(consumers.parse(&event(false), 1).verdict.name(), "sealed", "what only indexes goes on");
}
