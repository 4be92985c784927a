//! What many requests and messages hold together, under the real runtime: the module may grow to 96 MiB, and one that
//! cannot grow traps with everything in it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN, event};
use super::spellings::gzip;

const RAY: &str = "a5e33aff24280fa2";
const LIGHT: &str = r#"{"RayID":"a5e33aff24280fa3"}"#;
/// A ray whose record masking makes two and a half times as long.
const GROWING: &str = "a5e33aff24280fa4";
/// The callers of the worst answers.
const VIEWERS: [&str; 4] = ["v1", "v2", "v3", "v4"];
/// Objects that the Logs Engine lists.
const LISTED: usize = 1_200;

/// A Worker with one small batch.
fn started(options: Value) -> Harness {
    let harness = Harness::with(options);
    harness.index("logs/light.log.gz", &gzip(LIGHT.as_bytes()));
    harness
}

/// Does a thing so many times at once.
fn at_once<T: Send>(times: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let begun: Vec<_> = (0..times).map(|number| scope.spawn(move || work(number))).collect();
        begun.into_iter().map(|work| work.join().unwrap()).collect()
    })
}

fn assert_light_is_found(harness: &Harness) {
    assert_eq!(harness.native("http_requests", "a5e33aff24280fa3").text(), format!("{LIGHT}\n"));
}

fn has_trapped(harness: &Harness) -> bool {
    harness.log().iter().any(|line| line["event"] == "instance_replaced")
}

/// An upload of nine megabytes that nothing can be made of.
fn nine_megabytes() -> Vec<u8> {
    [&[0x1f, 0x8b][..], &vec![0x5a; 9 * 1024 * 1024]].concat()
}

#[test]
fn requests_beyond_memory_wait_or_retry_without_traps() {
    let harness = started(json!({}));
    // Each answer to this ray takes several times 8 MB at once: twenty together outgrow the module's 96 MiB.
    let line = format!(r#"{{"RayID":"{RAY}","Padding":"{}"}}"#, "x".repeat(8000));
    harness.index("logs/heavy.log.gz", &gzip([line.as_str(); 1000].join("\n").as_bytes()));
    let replies = at_once(20, |_| harness.get(&format!("/v1/rays/{RAY}")));
    for reply in &replies {
        if reply.status != 200 {
            reply.assert_problem(503, "busy");
            assert_eq!(reply.header("retry-after"), "1");
        }
    }
    assert!(replies.iter().any(|reply| reply.status == 200));
    assert_light_is_found(&harness);
    assert!(!has_trapped(&harness), "{:?}", harness.log());
}

#[test]
fn uploads_beyond_memory_wait_without_traps() {
    let harness = started(json!({}));
    let body = nine_megabytes();
    // Each holds a part of 5 MiB: sixty together are three times what there is.
    let replies = at_once(60, |_| harness.post("/v1/ingest/http_requests", &body));
    for reply in &replies {
        if reply.status == 200 {
            assert_eq!(reply.json()["size"], body.len());
        } else {
            reply.assert_problem(503, "busy");
        }
    }
    assert!(replies.iter().filter(|reply| reply.status == 200).count() > 10);
    assert_light_is_found(&harness);
    assert!(!has_trapped(&harness), "{:?}", harness.log());
}

/// A batch of very many small records, whose index takes 16 MiB while it is made, and 24 while it grows.
fn many_small(number: usize) -> Vec<u8> {
    let mut text = String::new();
    let mut bits = number as u64;
    for line in 0..1_100_000_u64 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(2 * line + 1);
        writeln!(text, r#"{{"RayID":"a5e33{:011x}"}}"#, bits >> 20).unwrap();
    }
    gzip(text.as_bytes())
}

#[test]
fn batches_beyond_memory_are_read_in_turn() {
    let harness = started(json!({}));
    let events = at_once(6, |number| event(&harness.put(&format!("logs/{number}.log.gz"), &many_small(number))));
    let answers = at_once(events.len(), |number| harness.dispatch("parse-queue", &events[number..=number]));
    assert!(answers.iter().all(|answer| answer["verdicts"][0]["acked"] == true), "{answers:?}");
    assert_light_is_found(&harness);
    assert!(!has_trapped(&harness), "{:?}", harness.log());
}

#[test]
fn after_a_trap_the_next_request_is_answered() {
    // A module that may grow to 6 MiB alone, 2 MiB of which are its own: the index of such a batch does not fit.
    let harness = started(json!({ "memoryPages": 96 }));
    let answer = harness.dispatch("parse-queue", &[event(&harness.put("logs/many.log.gz", &many_small(1)))]);
    assert_ne!(answer["outcome"], "ok", "no trap: {answer}");
    for _ in 0..3 {
        assert_light_is_found(&harness);
    }
    assert!(has_trapped(&harness), "{:?}", harness.log());
}

/// A Worker with a token for a viewer, and the traces and lists that take most to show.
fn worst_store() -> Harness {
    let hash = |token: &str| hex::encode(Sha256::digest(token));
    let token = |id: &str| json!({ "id": id, "sha256": hash(id), "scopes": ["read"], "role": "viewer" });
    let tokens: Vec<Value> = VIEWERS.iter().map(|id| token(id)).collect();
    let settings = json!({
        "API_TOKEN_SHA256": hash(TOKEN), "API_TOKENS": json!(tokens).to_string(), "API_RATE_PER_MINUTE": "0",
    });
    let harness = Harness::with(json!({ "settings": settings }));
    let at = "20260328T090000Z_20260328T090030Z";
    let logs = vec![json!({ "Level": "log", "Message": ["x"], "TimestampMs": 1_774_688_400_000_u64 }); 237 * 1024 / 64];
    let trace = json!({
        "Event": { "RayID": RAY }, "EventTimestampMs": 1_774_688_400_000_u64, "EventType": "fetch", "Logs": logs,
        "Outcome": "ok", "ScriptName": "w", "DispatchNamespace": "",
    });
    harness.index(&format!("logs/workers_trace_events/20260328/{at}_1.log.gz"), &gzip(trace.to_string().as_bytes()));
    let ones = vec!["1"; 60_000].join(",");
    let growing = |number: u64| {
        let start = 1_774_688_400 + number;
        format!(r#"{{"RayID":"{GROWING}","EdgeStartTimestamp":{start},"SecurityActions":[{ones}]}}"#)
    };
    let records: Vec<String> = (0..2).map(growing).collect();
    harness.index(&format!("logs/http_requests/20260328/{at}_2.log.gz"), &gzip(records.join("\n").as_bytes()));
    for number in 0..LISTED {
        let key =
            format!("logs/http_requests/20260328/20260328T1000{:02}Z_20260328T100030Z_{number:04}.log.gz", number % 30);
        harness.put(&key, &gzip(LIGHT.as_bytes()));
    }
    harness.index("logs/light.log.gz", &gzip(LIGHT.as_bytes()));
    harness
}

/// Asks all of it at once, as viewer; each reply must be an answer, or say when to retry or what to narrow.
fn ask_at_once(harness: &Harness, times: usize, path: &str) {
    let replies = at_once(times, |number| {
        let bearer = format!("Bearer {}", VIEWERS[number % VIEWERS.len()]);
        harness.get_with(path, &[("authorization", bearer.as_str())])
    });
    let mut counts = BTreeMap::<u16, usize>::new();
    for reply in &replies {
        *counts.entry(reply.status).or_default() += 1;
        match reply.status {
            200 => {}
            503 => assert!(!reply.header("retry-after").is_empty(), "{path}: {}", reply.text()),
            status => assert_eq!(status, 413, "{path}: {}", reply.text()),
        }
    }
    println!("{path:.90}: {counts:?}");
    assert!(!has_trapped(harness), "{path}: {:?}", harness.log());
    assert_light_is_found(harness);
}

#[test]
fn every_worst_answer_survives_128_at_once() {
    let harness = worst_store();
    let range = "start=2026-03-28T08:00:00Z&end=2026-03-28T11:00:00Z";
    let many = "Logs,".repeat(300);
    let bucket = "bucket=cdn-logs-raw&prefix=logs/http_requests/%7BDATE%7D";
    for (times, path) in [
        (128, format!("/v1/rays/{RAY}?dataset=workers_trace_events&fields={many}")),
        (128, format!("/v1/rays/{GROWING}?dataset=http_requests")),
        (64, format!("/v1/logs?{range}&dataset=workers_trace_events&fields={many}")),
        (64, format!("/v1/logs?{range}&format=csv&fields=SecurityActions,SecurityActions")),
        (64, format!("/client/v4/zones/z/logs/received?{range}&fields=SecurityActions")),
        (128, format!("/v1/coverage?{range}")),
        (128, "/v1/batches?limit=1000".to_owned()),
        (128, format!("/client/v4/accounts/a/logs/list?{range}&{bucket}")),
    ] {
        ask_at_once(&harness, times, &path);
    }
    let grown = harness.parse(&[event(&harness.put("logs/light.log.gz", &gzip(LIGHT.as_bytes())))]).batch;
    println!("{} bytes of wasm", grown["wasm_bytes"]);
}
