//! Messages of the queue: whatever they hold, each is judged alone.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN, event, event_of};
use super::spellings::gzip;

const LINE: &str = r#"{"RayID":"a5e33aff24280fa2","EdgeStartTimestamp":1795301186425000000}"#;

#[test]
fn message_of_unknown_shape_is_acked_alone() {
    let harness = Harness::start();
    let good = event(&harness.put("logs/good.log.gz", &gzip(LINE.as_bytes())));
    let shapes = [
        Value::Null,
        json!("logs/good.log.gz"),
        json!(7),
        json!(true),
        json!([]),
        json!([good]),
        json!({}),
        json!({ "event": good }),
        json!({ "object": { "key": 3 } }),
        json!({ "action": "PutObject", "bucket": "cdn-logs-raw" }),
        json!({ "action": "PutObject", "bucket": "cdn-logs-raw", "object": { "key": "" } }),
        json!({ "action": "PutObject", "bucket": "cdn-logs-raw", "object": null }),
    ];
    for shape in &shapes {
        let parsed = harness.parse(&[shape.clone(), good.clone(), shape.clone()]);
        assert_eq!(parsed.acked, [true; 3], "{shape}");
        assert_eq!(parsed.messages[0]["verdict"], "bad_message", "{shape}");
        let verdict = parsed.messages[1]["verdict"].as_str().unwrap();
        assert!(["sealed", "already_sealed"].contains(&verdict), "{shape}: {verdict}");
    }
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa2").text(), format!("{LINE}\n"));
    // The same through the broker: nothing comes again, nothing becomes a dead letter.
    let before = harness.log().len();
    for shape in &shapes {
        harness.enqueue(shape);
    }
    harness.wait_for("every message", || {
        let log = harness.log();
        let seen = log[before..].iter().filter(|line| line["event"] == "parse_message").count();
        (seen == shapes.len()).then_some(())
    });
    assert_eq!(harness.said("dead_letter"), [] as [Value; 0]);
}

#[test]
fn non_batch_is_counted_in_the_batchs_line() {
    let harness = Harness::start();
    let object = |key: &str| harness.put(key, b"x");
    let parsed = harness.parse(&[
        event_of("DeleteObject", &json!({ "key": "logs/a.log.gz" })),
        event_of("LifecycleDeletion", &json!({ "key": "logs/b.log.gz" })),
        event(&object("raydex/c.log.gz")),
        event(&object("logs/ownership-challenge-1a2b.txt")),
        event(&object("logs/http_requests/20260328/test.txt.gz")),
        event(&object("logs/20260328/")),
        event(&json!({ "key": "logs/gone.log.gz", "size": 3, "etag": "e" })),
        event_of("CopyObject", &harness.put("logs/copy.log.gz", &gzip(LINE.as_bytes()))),
    ]);
    assert_eq!(parsed.acked, [true; 8]);
    assert_eq!(parsed.batch["messages"], 8);
    let verdicts = json!({
        "removed": 2, "ignored:other_prefix": 1, "ignored:logpush_check": 2, "ignored:folder": 1, "gone": 1,
        "sealed": 1,
    });
    assert_eq!(parsed.batch["verdicts"], verdicts);
}

#[test]
fn messages_of_another_queue_are_never_acked() {
    let harness = Harness::start();
    let good = event(&harness.put("logs/good.log.gz", &gzip(LINE.as_bytes())));
    for queue in ["send", "raydex-parse-queue", "whatever"] {
        let answer = harness.dispatch(queue, &[good.clone(), Value::Null]);
        assert_eq!(answer["outcome"], "ok", "{answer}");
        assert_eq!(answer["retryAll"], true, "{answer}");
        assert!(answer["verdicts"].as_array().unwrap().iter().all(|verdict| verdict["acked"] == false), "{answer}");
    }
    let said = harness.wait_for("the log", || {
        let log = harness.log();
        let said = log.iter().filter(|line| line["event"] == "unknown_queue").count();
        (said == 3).then_some(log)
    });
    assert!(said.iter().all(|line| line["event"] != "parse_message"));
}

#[test]
fn send_message_waits_until_a_partner_is_configured() {
    let harness = Harness::start();
    let answer = harness.dispatch("send-queue", &[json!({}), Value::Null]);
    assert_eq!((&answer["outcome"], &answer["retryAll"]), (&"ok".into(), &false.into()));
    for verdict in answer["verdicts"].as_array().unwrap() {
        assert_eq!((&verdict["acked"], &verdict["retryS"]), (&false.into(), &480.into()), "{answer}");
    }
    let batch = harness.wait_for("the batch", || harness.said("send_batch").pop());
    assert_eq!(batch["verdicts"], json!({ "failed:delivery_off": 2 }));

    let harness = Harness::with(json!({ "partner": true }));
    let answer = harness.dispatch("send-queue", &[json!({}), Value::Null]);
    assert!(answer["verdicts"].as_array().unwrap().iter().all(|verdict| verdict["acked"] == true), "{answer}");
    let batch = harness.wait_for("the batch", || harness.said("send_batch").pop());
    assert_eq!(batch["verdicts"], json!({ "bad_message": 2 }));
}

#[test]
fn dead_letters_are_kept_and_acked() {
    let harness = Harness::start();
    for (queue, first) in [("parse-dlq", "parse-queue"), ("send-dlq", "send-queue")] {
        let answer = harness.dispatch(queue, &[json!({ "object": 3 }), Value::Null]);
        assert!(answer["verdicts"].as_array().unwrap().iter().all(|verdict| verdict["acked"] == true), "{answer}");
        let said = harness.wait_for("the letters", || {
            let said = harness.said("dead_letter");
            let said: Vec<Value> = said.into_iter().filter(|line| line["queue"] == first).collect();
            (said.len() == 2).then_some(said)
        });
        for line in said {
            assert_eq!((&line["verdict"], &line["code"]), (&"kept".into(), &"retries_used_up".into()), "{line}");
        }
    }
}

#[test]
fn log_says_as_much_as_configured() {
    let token = hex::encode(Sha256::digest(TOKEN));
    let harness = Harness::with(json!({ "settings": { "API_TOKEN_SHA256": token, "LOG_LEVEL": "warn" } }));
    let good = event(&harness.put("logs/good.log.gz", &gzip(LINE.as_bytes())));
    harness.dispatch("parse-queue", &[good, Value::Null]);
    let said = harness.wait_for("the warning", || harness.said("parse_message").pop());
    assert_eq!((&said["level"], &said["verdict"]), (&"warn".into(), &"bad_message".into()), "{said}");
    assert_eq!((harness.said("parse_message").len(), harness.said("parse_batch").len()), (1, 0));
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa2").text(), format!("{LINE}\n"));
}
