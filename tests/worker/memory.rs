//! What many requests and messages hold together, under the real runtime: the module may grow to 96 MiB, and one that
//! cannot grow traps with everything in it.

use std::fmt::Write;
use std::thread;

use serde_json::{Value, json};

use super::harness::{Harness, event};
use super::spellings::gzip;

const RAY: &str = "a5e33aff24280fa2";
const LIGHT: &str = r#"{"RayID":"a5e33aff24280fa3"}"#;

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
    // A module that may grow to 5 MiB alone: the index of such a batch does not fit.
    let harness = started(json!({ "memoryPages": 80 }));
    let answer = harness.dispatch("parse-queue", &[event(&harness.put("logs/many.log.gz", &many_small(1)))]);
    assert_ne!(answer["outcome"], "ok", "no trap: {answer}");
    for _ in 0..3 {
        assert_light_is_found(&harness);
    }
    assert!(has_trapped(&harness), "{:?}", harness.log());
}
