//! Messages of the queue: whatever they hold, each is judged alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN, event, event_of};
use super::spellings::gzip;

const LINE: &str = r#"{"RayID":"a5e33aff24280fa2","EdgeStartTimestamp":1795301186425000000}"#;

/// The bytes of a value's JSON, as the harness spells them.
fn bytes(value: &Value) -> Value {
    json!({ "$bytes": STANDARD.encode(value.to_string()) })
}

/// The bodies of the dead letters that the Worker lists, by size; the newest first.
fn dead_letters(harness: &Harness) -> Vec<(Value, Value)> {
    let list = harness.read("/v1/dead-letters?redriven=true");
    let letters = list["dead_letters"].as_array().unwrap().clone();
    letters.into_iter().map(|letter| (letter["code"].clone(), letter["body_bytes"].clone())).collect()
}

/// How an event becomes the body of a message, as the harness spells it.
type Wrap<'a> = &'a dyn Fn(&Value) -> Value;

#[test]
fn event_is_taken_in_every_body_type() {
    let harness = Harness::start();
    let map = |object: &Value| json!({ "$map": object });
    let text = |event: &Value| Value::String(event.to_string());
    let bytes_of_text = |event: &Value| bytes(&text(event));
    let maps = |event: &Value| {
        let mut outer = event.clone();
        outer["object"] = map(&event["object"]);
        map(&outer)
    };
    let wraps: [(&str, Wrap<'_>); 9] = [
        ("json", &Value::clone),
        ("json", &text),
        ("json", &|event| json!([event])),
        ("text", &text),
        ("bytes", &bytes),
        ("bytes", &bytes_of_text),
        ("v8", &Value::clone),
        ("v8", &bytes),
        ("v8", &maps),
    ];
    let keys: Vec<String> = (0..wraps.len()).map(|number| format!("logs/{number}.log.gz")).collect();
    for ((content_type, wrap), key) in wraps.iter().zip(&keys) {
        harness.enqueue_as(content_type, &wrap(&event(&harness.put(key, &gzip(LINE.as_bytes())))));
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for verdict in harness.wait_for_verdicts(&keys) {
        assert_eq!(verdict["verdict"], "sealed", "{verdict}");
    }
    assert_eq!(dead_letters(&harness), []);
}

#[test]
fn several_events_in_one_message_are_all_taken() {
    let harness = Harness::start();
    let events: Vec<Value> =
        (0..3).map(|number| event(&harness.put(&format!("logs/{number}.log.gz"), &gzip(LINE.as_bytes())))).collect();
    let message = json!([events[0], 7, [events[1]], events[2].to_string()]);
    harness.enqueue(&message);
    for verdict in harness.wait_for_verdicts(&["logs/0.log.gz", "logs/1.log.gz", "logs/2.log.gz"]) {
        assert_eq!(verdict["verdict"], "sealed", "{verdict}");
    }
    assert_eq!(dead_letters(&harness), [("not_an_event".into(), message.to_string().len().into())]);
}

#[test]
fn message_of_unknown_shape_becomes_a_dead_letter() {
    let harness = Harness::start();
    let good = event(&harness.put("logs/good.log.gz", &gzip(LINE.as_bytes())));
    let shapes = [
        Value::Null,
        json!("logs/good.log.gz"),
        json!(7),
        json!(true),
        json!([]),
        json!({}),
        json!({ "event": good }),
        json!({ "object": { "key": 3 } }),
        json!({ "action": "PutObject", "bucket": "cdn-logs-raw" }),
        json!({ "action": "PutObject", "bucket": "cdn-logs-raw", "object": { "key": "" } }),
        json!({ "action": "PutObject", "bucket": "cdn-logs-raw", "object": null }),
        json!({ "$bytes": "//79AA==" }),
    ];
    for shape in &shapes {
        let parsed = harness.parse(&[shape.clone(), good.clone(), shape.clone()]);
        assert_eq!(parsed.acked, [true; 3], "{shape}");
        assert_eq!(parsed.messages[0]["verdict"], "bad_message", "{shape}");
        let verdict = parsed.messages[1]["verdict"].as_str().unwrap();
        assert!(["sealed", "already_sealed"].contains(&verdict), "{shape}: {verdict}");
    }
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa2").text(), format!("{LINE}\n"));
    // The same through the broker, in every type: nothing comes again, and each leaves a dead letter.
    let before = harness.log().len();
    let bodies =
        [("text", json!("what")), ("text", json!("")), ("bytes", json!({ "$bytes": "//79AA==" })), ("v8", json!(7))];
    shapes.iter().filter(|shape| shape["$bytes"].is_null()).for_each(|shape| harness.enqueue(shape));
    for (content_type, body) in &bodies {
        harness.enqueue_as(content_type, body);
    }
    let sent = shapes.len() - 1 + bodies.len();
    harness.wait_for("every message", || {
        let log = harness.log();
        let seen = log[before..].iter().filter(|line| line["event"] == "parse_message").count();
        (seen == sent).then_some(())
    });
    assert_eq!(harness.said("dead_letter"), [] as [Value; 0], "none was given up");
    let letters = dead_letters(&harness);
    assert_eq!(letters.len(), (2 * shapes.len() + sent).min(100));
    assert!(letters.iter().all(|(code, _)| code == "not_an_event"), "{letters:?}");
    assert_eq!(harness.read("/v1/stats")["dead_letters"], 2 * shapes.len() + sent);
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
    let ignored = json!({ "folder": 1, "logpush_check": 2, "other_prefix": 1 });
    assert_eq!(harness.read("/v1/stats")["ignored_events"], ignored);
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
fn send_message_that_names_nothing_is_kept() {
    // Whether or not a partner is configured: a payload's own message is held by the ledger meanwhile.
    for harness in [Harness::start(), Harness::with(json!({ "partner": true }))] {
        let answer = harness.dispatch("send-queue", &[json!({}), Value::Null]);
        assert_eq!((&answer["outcome"], &answer["retryAll"]), (&"ok".into(), &false.into()));
        assert!(answer["verdicts"].as_array().unwrap().iter().all(|verdict| verdict["acked"] == true), "{answer}");
        let batch = harness.wait_for("the batch", || harness.said("send_batch").pop());
        assert_eq!(batch["verdicts"], json!({ "bad_message:not_a_payload": 2 }));
        let codes: Vec<Value> = dead_letters(&harness).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["not_a_payload", "not_a_payload"]);
    }
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
