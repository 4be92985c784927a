//! Messages of `parse-queue`: the verdict on each, and that none touches another.

use crate::support;

use std::collections::BTreeMap;

use raydex::bucket_keys::LogPrefixes;
use raydex::config::Config;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::ListLedgers;
use raydex::limits::{READ_PERMIT_SILENT_MS, READ_PERMIT_WAIT_MS};
use raydex::pipeline::{MessageBody, ParseVerdict, ReceivedMessage, count_ignored, parse_message};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use serde_json::{Value, json};

use support::faults::DETAIL;
use support::gzip::gzip;
use support::records::{http, marked, ray};
use support::world::config;
use support::{Fakes, Fault, Kind, NOW_MS, queue, run};

const KEY: &str = "logs/http_requests/20260328/a.log.gz";

/// The message that R2 sends when an object is written.
fn put(key: &str) -> String {
    serde_json::to_string(&R2Event::put_object("cdn-logs-raw", key, 1, "e", NOW_MS)).unwrap()
}

/// A small batch.
fn batch() -> Vec<u8> {
    gzip(http(&ray(1).to_string(), 0).as_bytes())
}

/// The message is acked with this verdict and code, and nothing of the world was asked.
fn acked_unseen(body: &str, verdict: &str, code: &str) -> ParseVerdict {
    let fakes = Fakes::with(KEY, &batch());
    let found = fakes.parse(body, 1);
    let name = body.chars().take(100).collect::<String>();
    assert_eq!((found.verdict.name(), found.code, found.retry_s), (verdict, Some(code), None), "{name}");
    assert_eq!(fakes.faults.calls(), 0, "{name}");
    found
}

/// Bodies of messages that are no events.
fn no_events() -> Vec<String> {
    let deep = format!("{}{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let bodies = [
        "",
        " ",
        "null",
        "true",
        "7",
        "[]",
        "[[],[]]",
        "{}",
        "undefined",
        "\"logs/s3cret.log.gz\"",
        "{\"action\":\"PutObject\"",
        "\0",
        "\u{feff}{}",
        r#"{"action":"PutObject","object":{"key":"s3cret"}}"#,
        r#"{"action":"PutObject","bucket":"","object":{"key":"s3cret"}}"#,
        r#"{"action":"PutObject","bucket":["b"],"object":{"key":"s3cret"}}"#,
        r#"{"action":"PutObject","bucket":"b"}"#,
        r#"{"action":"PutObject","bucket":"b","object":null}"#,
        r#"{"action":"PutObject","bucket":"b","object":"s3cret"}"#,
        r#"{"action":"PutObject","bucket":"b","object":{}}"#,
        r#"{"action":"PutObject","bucket":"b","object":{"key":null}}"#,
        r#"{"action":"PutObject","bucket":"b","object":{"key":7}}"#,
        r#"{"action":"PutObject","bucket":"b","object":{"key":["s3cret"]}}"#,
        r#"{"action":"PutObject","bucket":"b","object":{"key":""}}"#,
        r#"{"action":"PutObject","bucket":"b","object":{"key":"s3cret"},"backfill":7}"#,
        r#"{"action":"PutObject","bucket":"b","object":{"key":"\ud800"}}"#,
        r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"s3cret"}}}]}"#,
    ];
    let deep_array = "[".repeat(100_000);
    bodies.map(str::to_owned).into_iter().chain([deep, deep_array]).collect()
}

#[test]
fn non_event_is_acked_once_a_dead_letter() {
    for body in no_events() {
        let name = body.chars().take(100).collect::<String>();
        let fakes = Fakes::with(KEY, &batch());
        let verdict = fakes.parse(&body, 1);
        let found = (verdict.verdict.name(), verdict.code, verdict.retry_s);
        assert_eq!(found, ("bad_message", Some("not_an_event"), None), "{name}");
        assert!(verdict.key.is_none() && verdict.batch.is_none());
        assert!(!verdict.reason.unwrap().contains("s3cret"), "{name}");
        // One call, and the same message twice is one dead letter.
        assert_eq!(fakes.faults.calls(), 1, "{name}");
        fakes.parse(&body, 2);
        assert_eq!(fakes.dead_letters(), [("parse-queue".into(), "not_an_event".into(), body)], "{name}");
    }
}

#[test]
fn non_event_returns_until_a_dead_letter() {
    for (attempt, delay) in [(1, 8), (2, 60), (3, 5400)] {
        for fault in Fault::BOTH {
            let fakes = Fakes::new();
            fakes.faults.plan(Some(Kind::Ledger), 0, fault);
            let verdict = fakes.parse("{}", attempt);
            assert_eq!((verdict.verdict.name(), verdict.code), ("failed", Some("backend_failed")));
            assert!(verdict.retry_s.is_some_and(|retry_s| (delay..=delay + delay / 4).contains(&retry_s)));
            assert_eq!(fakes.parse("{}", attempt + 1).verdict.name(), "bad_message");
            assert_eq!(fakes.dead_letters().len(), 1, "{fault:?}");
        }
    }
}

#[test]
fn messages_of_the_predecessor_are_taken_or_kept() {
    let fakes = Fakes::with(KEY, &batch());
    for more in [r#""__reconcile":true"#, r#""__redrive":3"#, r#""eventTime":"2026-03-28T08:42:25Z""#] {
        let body = format!(r#"{{"bucket":"cdn-logs-raw","object":{{"key":"{KEY}"}},{more}}}"#);
        let verdict = fakes.parse(&body, 1);
        assert!(["sealed", "already_sealed"].contains(&verdict.verdict.name()), "{body}: {verdict:?}");
    }
    let body = r#"{"key":"processed/logs_a_log_gz-0.txt"}"#;
    assert_eq!(fakes.parse(body, 1).code, Some("predecessor_payload"));
    assert_eq!(fakes.dead_letters(), [("parse-queue".into(), "predecessor_payload".into(), body.into())]);
    let mark = format!(r#"{{"bucket":"cdn-logs-raw","object":{{"key":"{KEY}.done"}}}}"#);
    assert_eq!(fakes.parse(&mark, 1).code, Some("not_a_log"), "a mark of it is no log");
}

#[test]
fn bytes_without_text_are_kept_as_base64() {
    let fakes = Fakes::new();
    let body = MessageBody::from_bytes(b"\xff\xfe{}".to_vec());
    let message = ReceivedMessage { body, ..queue::message("parse-queue", "", 1) };
    let verdict = run(parse_message(&fakes, &config(), &message));
    assert_eq!((verdict.verdict.name(), verdict.code, verdict.retry_s), ("bad_message", Some("not_an_event"), None));
    assert_eq!(fakes.dead_letters(), [("parse-queue".into(), "not_an_event".into(), "base64://57fQ==".into())]);
}

/// The event of `KEY` with bucket and key alone.
fn minimal() -> Value {
    json!({"bucket": "cdn-logs-raw", "object": {"key": KEY}})
}

#[test]
fn event_is_taken_in_every_body_type() {
    let case = |name: &str| std::fs::read_to_string(format!("tests/fixtures/cases/24-queue-body-types/{name}.json"));
    let key = "logs/http_requests/20261122/20261122T081100Z_20261122T081130Z_bb01.log.gz";
    for name in ["body-text", "body-bytes", "body-array"] {
        let fakes = Fakes::with(key, &batch());
        let verdict = fakes.parse(&case(name).unwrap(), 1);
        assert_eq!((verdict.verdict.name(), verdict.key.as_deref()), ("sealed", Some(key)), "{name}");
        assert_eq!(fakes.lines(&ray(1).to_string()).len(), 1, "{name}");
        assert_eq!(fakes.dead_letters(), []);
    }
}

#[test]
fn odd_events_come_out_as_listed() {
    let text = std::fs::read_to_string("tests/fixtures/cases/25-odd-r2-events/events.json").unwrap();
    let events: Vec<Value> = serde_json::from_str(&text).unwrap();
    let key = events[0]["object"]["key"].as_str().unwrap().to_owned();
    let (sealed, other) = (("sealed", None), ("ignored", Some("other_bucket")));
    let mut expected = vec![sealed; 5];
    expected.extend([("bad_message", Some("not_an_event")), other, other, ("ignored", Some("still_there"))]);
    expected.extend([sealed; 6]);
    for (event, (verdict, code)) in events.iter().zip(&expected) {
        let fakes = Fakes::with(&key, &batch());
        let found = fakes.parse(&event.to_string(), 1);
        assert_eq!((found.verdict.name(), found.code, found.retry_s), (*verdict, *code, None), "{event}");
        assert_eq!(fakes.dead_letters().len(), usize::from(*verdict == "bad_message"), "{event}");
    }
    assert_eq!(events.len(), expected.len());
}

#[test]
fn several_events_become_messages_of_their_own() {
    let fakes = Fakes::new();
    let keys: Vec<String> = (0..3).map(|number| format!("logs/{number}.log.gz")).collect();
    for (key, number) in keys.iter().zip(0..) {
        fakes.bucket.store(key, http(&ray(number).to_string(), 0).as_bytes());
    }
    let event = |key: &String| json!({"bucket": "cdn-logs-raw", "object": {"key": key}});
    let body = json!([event(&keys[0]), {"no": "event"}, event(&keys[1]).to_string(), 7, [event(&keys[2])]]).to_string();
    let verdict = fakes.parse(&body, 1);
    assert_eq!((verdict.verdict.name(), verdict.retry_s), ("split", None));
    assert_eq!(fakes.dead_letters(), [("parse-queue".into(), "not_an_event".into(), body.clone())]);
    let messages = fakes.queue.take();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| fakes.parse(message, 1).verdict.name() == "sealed"));
    assert!((0..3).all(|number| fakes.lines(&ray(number).to_string()).len() == 1));
    let whole = json!([event(&keys[0]), event(&keys[1])]).to_string();
    assert_eq!((fakes.parse(&whole, 1).verdict.name(), fakes.dead_letters().len()), ("split", 1));
    // A call that fails makes the whole message return, and nothing is lost or kept twice.
    for nth in 0..2 {
        for fault in Fault::BOTH {
            let fakes = Fakes::new();
            fakes.faults.plan(None, nth, fault);
            assert!(fakes.parse(&body, 1).retry_s.is_some(), "call {nth} {fault:?}");
            fakes.queue.take();
            assert_eq!(fakes.parse(&body, 2).verdict.name(), "split");
            assert_eq!((fakes.dead_letters().len(), fakes.queue.sent().len()), (1, 3), "call {nth} {fault:?}");
        }
    }
}

#[test]
fn unknown_action_is_checked_against_the_bucket() {
    let actions =
        [json!("AbortMultipartUpload"), json!("s3:ObjectCreated:Put"), json!("putobject"), json!(7), json!(null)];
    for action in actions.into_iter().map(Some).chain([None]) {
        let mut event = minimal();
        if let Some(action) = action {
            event["action"] = action;
        }
        let fakes = Fakes::with(KEY, &batch());
        assert_eq!(fakes.parse(&event.to_string(), 1).verdict.name(), "sealed", "{event}");
        assert_eq!(fakes.lines(&ray(1).to_string()).len(), 1, "{event}");
        fakes.bucket.delete(KEY);
        assert_eq!(fakes.parse(&event.to_string(), 1).verdict.name(), "removed", "{event}");
        assert_eq!(fakes.lines(&ray(1).to_string()).len(), 0, "{event}");
    }
}

#[test]
fn keys_are_not_decoded() {
    let (raw, decoded) = ("logs/a%2Fb%20c+d.log.gz", "logs/a/b c+d.log.gz");
    let fakes = Fakes::with(decoded, &batch());
    assert_eq!(fakes.parse(&put(raw), 1).verdict.name(), "gone");
    fakes.bucket.store(raw, &batch());
    assert_eq!(fakes.parse(&put(raw), 1).verdict.name(), "sealed");
}

#[test]
fn ignored_events_are_counted_by_reason() {
    let fakes = Fakes::new();
    let counts = |counts: &[(&str, u64)]| counts.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect();
    let kept = || fakes.ledgers.ask(REGISTRY, &ListLedgers { limit: 1 }).ignored_events;
    run(count_ignored(&fakes, BTreeMap::new())).unwrap();
    assert_eq!((fakes.faults.calls(), kept()), (0, BTreeMap::new()));
    run(count_ignored(&fakes, counts(&[("other_bucket", 2), ("folder", 1)]))).unwrap();
    run(count_ignored(&fakes, counts(&[("other_bucket", 3)]))).unwrap();
    assert_eq!(kept(), counts(&[("folder", 1), ("other_bucket", 5)]));
    fakes.faults.plan(Some(Kind::Ledger), 0, Fault::Fails);
    assert!(run(count_ignored(&fakes, counts(&[("folder", 1)]))).is_err());
}

#[test]
fn keys_that_are_no_batches_are_acked_unseen() {
    for (key, code) in [
        ("processed/logs/a.log.gz", "other_prefix"),
        ("Logs/a.log.gz", "other_prefix"),
        ("/logs/a.log.gz", "other_prefix"),
        ("logs", "other_prefix"),
        ("raydex/sources/v1/00.json", "other_prefix"),
        ("logs/", "folder"),
        ("logs/http_requests/", "folder"),
        ("logs/ownership-challenge-1a2b.txt", "logpush_check"),
        ("logs/20260328/test.txt.gz", "logpush_check"),
        ("logs/TEST.TXT", "logpush_check"),
    ] {
        let verdict = acked_unseen(&put(key), "ignored", code);
        assert_eq!(verdict.key.as_deref(), Some(key));
    }
}

#[test]
fn events_of_another_bucket_are_ignored() {
    let fakes = Fakes::with(KEY, b"{}");
    for action in ["PutObject", "DeleteObject"] {
        let body = json!({"action": action, "bucket": "cdn-logs-raw-2", "object": {"key": KEY}}).to_string();
        let verdict = fakes.parse(&body, 1);
        assert_eq!((verdict.verdict.name(), verdict.code, verdict.retry_s), ("ignored", Some("other_bucket"), None));
        assert_eq!(verdict.reason.as_deref(), Some("BUCKET_NAME is cdn-logs-raw"));
    }
    assert_eq!(fakes.faults.calls(), 0);
}

#[test]
fn own_payloads_are_no_batches_under_watched_prefixes() {
    let config = Config { log_prefix: LogPrefixes::one("raydex/"), ..config() };
    let fakes = Fakes::new();
    let key = raydex::bucket_keys::pack_key("5a", 1, "000000", "3c");
    fakes.bucket.store(&key, b"{}");
    let verdict = run(parse_message(&fakes, &config, &queue::message("parse-queue", &put(&key), 1)));
    assert_eq!((verdict.verdict.name(), verdict.code), ("ignored", Some("other_prefix")));
    assert_eq!(fakes.faults.calls(), 0);
}

#[test]
fn every_object_event_gets_it_indexed() {
    for action in ["PutObject", "CopyObject", "CompleteMultipartUpload"] {
        let fakes = Fakes::with(KEY, &batch());
        // What the event says of the object may be old, or wrong: the object itself counts.
        let body = json!({
            "account": "a", "action": action, "bucket": "cdn-logs-raw", "eventTime": "yesterday", "more": [1, {"x": null}],
            "object": {"key": KEY, "size": 99_999_999, "eTag": "of another version"}
        });
        let verdict = fakes.parse(&body.to_string(), 1);
        assert_eq!((verdict.verdict.name(), verdict.code, verdict.retry_s), ("sealed", None, None));
        assert_eq!(fakes.lines(&ray(1).to_string()).len(), 1);
    }
}

#[test]
fn the_verdict_is_one_line_of_the_log() {
    let fakes = Fakes::with(KEY, &batch());
    let verdict = serde_json::to_value(fakes.parse(&put(KEY), 1)).unwrap();
    let batch_figures = &verdict["batch"];
    let expected = json!({
        "verdict": "sealed", "key": KEY,
        "batch": {
            "stored_bytes": batch().len(), "inflated_bytes": batch_figures["inflated_bytes"], "members": 1, "shards": 1, "index_bytes": batch_figures["index_bytes"], "link_bytes": 0, "window_bytes": 0, "summary_bytes": 0,
            "rows_written": 2, "payloads": 0, "payload_lines": 0, "duplicates": 0, "lines": 1, "records": 1, "rays": 1, "nonstandard_ids": 0, "no_ray": 0, "timed_rays": 0, "clock_skewed": 0,
            "rejected": {}
        }
    });
    assert_eq!(verdict, expected);
    let later = ParseVerdict::not_now("not_configured", "X is not set".into(), 60);
    let expected = json!({"verdict": "failed", "code": "not_configured", "reason": "X is not set", "retry_s": 60});
    assert_eq!(serde_json::to_value(later).unwrap(), expected);
}

#[test]
fn finished_and_impossible_messages_are_acked() {
    let fakes = Fakes::with(KEY, &batch());
    assert_eq!(fakes.parse(&put("logs/none.log.gz"), 1).verdict.name(), "gone");
    assert_eq!(fakes.parse(&put(KEY), 1).verdict.name(), "sealed");
    let again = fakes.parse(&put(KEY), 3);
    assert_eq!((again.verdict.name(), again.code, again.retry_s, again.batch), ("already_sealed", None, None, None));
    fakes.bucket.store(KEY, b"a,b\n");
    let aside = fakes.parse(&put(KEY), 1);
    assert_eq!((aside.verdict.name(), aside.code, aside.retry_s), ("quarantined", Some("csv"), None));
    assert!(aside.reason.unwrap().contains("ndjson"));
}

#[test]
fn failed_message_returns_later_each_time() {
    for (attempt, delay) in [(0, 8), (1, 8), (2, 60), (3, 5400), (4, 5400), (u32::MAX, 5400)] {
        let fakes = Fakes::with(KEY, &batch());
        fakes.faults.plan(Some(Kind::Get), 0, Fault::Fails);
        let verdict = fakes.parse(&put(KEY), attempt);
        assert_eq!((verdict.verdict.name(), verdict.code), ("failed", Some("backend_failed")));
        // And up to a quarter more, by the key and the attempt.
        let retry_s = verdict.retry_s.unwrap();
        assert!((delay..=delay + delay / 4).contains(&retry_s), "attempt {attempt}: {retry_s}");
        assert_eq!(verdict.key.as_deref(), Some(KEY));
        assert!(verdict.reason.unwrap().contains(DETAIL));
    }
}

#[test]
fn failing_call_makes_the_message_return_until_done() {
    let clean = Fakes::with(KEY, &batch());
    clean.parse(&put(KEY), 1);
    for nth in 0..clean.faults.calls() {
        for fault in Fault::BOTH {
            let fakes = Fakes::with(KEY, &batch());
            fakes.faults.plan(None, nth, fault);
            assert!(
                fakes.parse(&put(KEY), 1).retry_s.is_some_and(|delay| (5..=10).contains(&delay)),
                "call {nth} {fault:?}"
            );
            assert!(fakes.faults.clear());
            let again = fakes.parse(&put(KEY), 2);
            assert!(["sealed", "already_sealed"].contains(&again.verdict.name()), "call {nth} {fault:?}");
            assert_eq!(fakes.everything(), clean.everything(), "call {nth} {fault:?}");
        }
    }
}

#[test]
fn poison_among_messages_touches_no_other() {
    let fakes = Fakes::new();
    let good: Vec<String> = (0..5).map(|number| format!("logs/{number}.log.gz")).collect();
    for (key, number) in good.iter().zip(0..) {
        fakes.bucket.store(key, http(&ray(number).to_string(), 0).as_bytes());
    }
    fakes.bucket.store("logs/bad.log.gz", &batch()[..20]);
    let poison = [String::new(), put("logs/bad.log.gz"), "null".into(), put("logs/none"), put("logs/x.txt")];
    let messages = good.iter().map(|key| put(key)).zip(poison).flat_map(|(good, bad)| [bad, good]);
    let mut verdicts = BTreeMap::new();
    for message in messages {
        // Each one comes three times, as a queue may have it.
        for attempt in 1..=3 {
            *verdicts.entry(fakes.parse(&message, attempt).verdict.name()).or_insert(0) += 1;
        }
    }
    let expected = [
        ("bad_message", 6),
        ("quarantined", 1),
        ("already_quarantined", 2),
        ("gone", 3),
        ("ignored", 3),
        ("sealed", 5),
        ("already_sealed", 10),
    ];
    assert_eq!(verdicts, expected.into());
    assert!((0..5).all(|number| fakes.lines(&ray(number).to_string()).len() == 1));
    let bodies: Vec<String> = fakes.dead_letters().into_iter().map(|(_, _, body)| body).collect();
    assert_eq!(bodies, ["", "null"]);
}

#[test]
fn the_dataset_is_told_by_the_key() {
    let fakes = Fakes::new();
    let line = format!(r#"{{"RayID":"{0}","Event":{{"RayID":"{0}"}}}}"#, ray(1));
    for dataset in Dataset::WITH_RAY {
        let key = format!("logs/zone-1/{dataset}/x.log");
        fakes.bucket.store(&key, marked(dataset, &line).as_bytes());
        fakes.parse(&put(&key), 1);
        assert_eq!(fakes.find(dataset, &ray(1).to_string()).records.len(), 1);
        assert_eq!(fakes.kept(&key).batch.unwrap().dataset, dataset.name());
    }
}

#[test]
fn message_waits_for_its_permit_or_returns() {
    let fakes = Fakes::with(KEY, &batch());
    let began_ms = fakes.clock_ms.get();
    let others = fakes.read_permits.try_acquire(began_ms + READ_PERMIT_WAIT_MS).unwrap();
    let found = fakes.parse(&put(KEY), 1);
    assert_eq!((found.verdict.name(), found.code), ("failed", Some("backend_failed")));
    assert_eq!(
        found.reason.as_deref(),
        Some("waiting for the permit to read a batch failed: another batch is being read")
    );
    assert!(found.retry_s.is_some());
    assert_eq!((fakes.faults.calls(), fakes.clock_ms.get() - began_ms >= READ_PERMIT_WAIT_MS), (0, true));
    drop(others);
    assert_eq!(fakes.parse(&put(KEY), 2).verdict.name(), "sealed");
    assert!(fakes.read_permits.try_acquire(fakes.clock_ms.get()).is_some(), "it was given back");
}

#[test]
fn silent_permit_holder_is_replaced() {
    let fakes = Fakes::with(KEY, &batch());
    let silent = fakes.read_permits.try_acquire(fakes.clock_ms.get()).unwrap();
    let began_ms = fakes.clock_ms.get();
    assert_eq!(fakes.parse(&put(KEY), 1).verdict.name(), "sealed");
    let waited_ms = fakes.clock_ms.get() - began_ms;
    assert!((READ_PERMIT_SILENT_MS..READ_PERMIT_WAIT_MS).contains(&waited_ms), "{waited_ms}");
    drop(silent);
}

#[test]
fn test_upload_named_like_a_batch_is_ignored() {
    let cases: [&[u8]; 3] = [
        include_bytes!("../fixtures/cases/30-test-upload-spellings/singular.txt.gz"),
        include_bytes!("../fixtures/cases/30-test-upload-spellings/spaces.txt.gz"),
        br#"{"content":"tests"}"#,
    ];
    for key in ["logs/test.txt.gz", "logs/http_requests/20260328/test.txt.gz", "logs/test.gz", "logs/test.json", KEY] {
        for stored in cases {
            let fakes = Fakes::with(key, stored);
            let found = fakes.parse(&put(key), 1);
            assert_eq!((found.verdict.name(), found.code, found.retry_s), ("ignored", Some("logpush_check"), None));
            assert!(fakes.ledgers.names().is_empty(), "{key}: no ledger knows it");
        }
    }
}
