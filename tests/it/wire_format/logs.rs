//! The lines of the log that the core makes: `logs.txt`, the event and its members in a line. The shell adds `level`,
//! `event`, `at` and `wasm_bytes` to each.

use std::collections::BTreeSet;

use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::pipeline::{ParseVerdict, SendVerdict, drive_backfills, run_sweep};
use raydex::r2_event::R2Event;
use serde::Serialize;

use super::support::gzip::gzip;
use super::support::partner::delivering;
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, Fault, Kind, LEASE_MS, NOW_MS, Reply, run};
use super::{Fixture, compare};

const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";

fn line(event: &str, members: &impl Serialize) -> String {
    format!("{event} {}\n", serde_json::to_string(members).unwrap())
}

/// A deployment with a batch of four records, two to a payload, and the batch's message.
fn scene(reply: Reply) -> (Consumers, String) {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "2")]), move |_, _| reply);
    let text = ndjson((0..4).map(|number| http(&ray(number).to_string(), 0)));
    let head = consumers.fakes.bucket.store(KEY, &gzip(&text));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    (consumers, serde_json::to_string(&event).unwrap())
}

/// A deployment with the messages of its payloads.
fn sealed(reply: Reply) -> (Consumers, Vec<String>) {
    let (consumers, event) = scene(reply);
    assert_eq!(consumers.parse(&event, 1).verdict.name(), "sealed");
    let messages = consumers.fakes.sends.take();
    (consumers, messages)
}

/// Every verdict on a message of `parse-queue`.
fn parse_verdicts() -> Vec<ParseVerdict> {
    let (consumers, event) = scene(Reply::Status(200));
    let fakes = &consumers.fakes;
    let of = |action: &str, key: &str| {
        format!(r#"{{"action":"{action}","bucket":"{BUCKET_NAME}","object":{{"key":"{key}"}}}}"#)
    };
    let other = of("PutObject", KEY).replace(BUCKET_NAME, "other");
    let mut verdicts = vec![
        consumers.parse(&event, 1),
        consumers.parse(&event, 2),
        consumers.parse("{}", 1),
        consumers.parse(&format!("[{event},{event},7]"), 1),
        consumers.parse(&other, 1),
        consumers.parse(&of("PutObject", "logs/none.log.gz"), 1),
        consumers.parse(&of("DeleteObject", KEY), 1),
    ];
    fakes.bucket.store("logs/damaged.log.gz", b"\x1f\x8bdamaged");
    let damaged = of("PutObject", "logs/damaged.log.gz");
    verdicts.extend([consumers.parse(&damaged, 1), consumers.parse(&damaged, 2)]);
    fakes.bucket.set_clock(NOW_MS - 3_600_000);
    fakes.bucket.store(KEY, &gzip(b"{}\n"));
    verdicts.push(consumers.parse(&event, 1));
    fakes.bucket.delete(KEY);
    verdicts.push(consumers.parse(&of("DeleteObject", KEY), 1));
    // A batch whose ray is five minutes behind its record.
    let skewed = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_b.log.gz";
    let line = http(&ray(9).to_string(), 0).replace('{', r#"{"EdgeStartTimestamp":"2026-03-28T08:42:24Z","#);
    fakes.bucket.store(skewed, &gzip(&ndjson([line])));
    verdicts.push(consumers.parse(&of("PutObject", skewed), 1));
    fakes.faults.plan(Some(Kind::Get), 0, Fault::Fails);
    verdicts.push(consumers.parse(&damaged, 3));
    verdicts
}

/// Every verdict on a message of `send-queue`.
fn send_verdicts() -> Vec<SendVerdict> {
    let mut verdicts = Vec::new();
    for reply in [
        Reply::Status(200),
        Reply::Status(503),
        Reply::Status(400),
        Reply::Status(302),
        Reply::Status(413),
        Reply::NotSent,
        Reply::Silence,
    ] {
        let (consumers, messages) = sealed(reply);
        verdicts.extend([consumers.send(&messages[0], 1), consumers.send(&messages[0], 1)]);
    }
    let (consumers, messages) = sealed(Reply::Status(200));
    consumers.fakes.tick_ms.set(LEASE_MS);
    verdicts.push(consumers.send(&messages[0], 1));
    consumers.fakes.tick_ms.set(0);
    verdicts.push(consumers.send("{}", 1));
    verdicts.push(consumers.send(&messages[1].replace("000001", "000009"), 1));
    consumers.fakes.faults.plan(Some(Kind::Ledger), 0, Fault::Fails);
    verdicts.push(consumers.send(&messages[1], 2));
    verdicts
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let parse = parse_verdicts().into_iter().map(|verdict| line("parse_message", &verdict));
    let send = send_verdicts().into_iter().map(|verdict| line("send_message", &verdict));
    let mut text: String = parse.chain(send).collect();
    let (consumers, _) = sealed(Reply::Status(200));
    text += &line("sweep", &run(run_sweep(&consumers.fakes, &consumers.config)).unwrap());
    text += &line("backfills", &run(drive_backfills(&consumers.fakes, &consumers.config)).unwrap());
    vec![Fixture::new("logs.txt", text)]
}

#[test]
fn log_lines_match_their_fixture() {
    compare(&fixtures());
}

#[test]
fn every_verdict_has_a_line() {
    let parse: BTreeSet<&str> = parse_verdicts().iter().map(|verdict| verdict.verdict.name()).collect();
    let expected = [
        "sealed",
        "already_sealed",
        "superseded",
        "gone",
        "removed",
        "ignored",
        "quarantined",
        "already_quarantined",
        "split",
        "bad_message",
        "failed",
    ];
    assert_eq!(parse, BTreeSet::from(expected));
    let send: BTreeSet<&str> = send_verdicts().iter().map(|verdict| verdict.verdict.name()).collect();
    let expected = [
        "delivered",
        "not_stored",
        "unknown",
        "refused",
        "endpoint",
        "released",
        "split",
        "waits",
        "settled",
        "no_such_payload",
        "bad_message",
        "failed",
    ];
    assert_eq!(send, BTreeSet::from(expected));
}
