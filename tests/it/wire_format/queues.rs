//! The bodies of queue messages: `queues.txt`, the queue and a body in a line. The first three are R2's own form, an
//! input; the others are what raydex sends itself. Dead letters keep these bodies (`calls/registry.txt`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::edge::{BatchLabel, EdgeBatch, EdgeCounts, HandedBatch};
use raydex::ledger::DeliveryGroup;
use raydex::limits::GROUP_PAYLOADS;
use raydex::pipeline::drive_backfills;
use raydex::r2_event::R2Event;

use super::api::Ask;
use super::support::gzip::gzip;
use super::support::partner::delivering;
use super::support::records::{http, ndjson, ray};
use super::support::{Consumers, NOW_MS, Reply, run};
use super::{Fixture, compare, stored_text};

const PATH: &str = "queues.txt";
const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";

/// Event notifications as R2 sends them.
const FROM_R2: [&str; 3] = [
    r#"{"account":"3f4b7e3dcab231cbfdaa90a6a28bd548","action":"PutObject","bucket":"cdn-logs-raw","object":{"key":"logs/a.log.gz","size":65536,"eTag":"c846ff7a18f28c2e262116d6e8719ef0"},"eventTime":"2026-03-28T08:42:25.000Z"}"#,
    r#"{"account":"3f4b7e3dcab231cbfdaa90a6a28bd548","action":"CopyObject","bucket":"cdn-logs-raw","object":{"key":"logs/b.log.gz","size":7,"eTag":"1d90b9ee4b6d7dc9a4b7a6a2f0a1a3b7"},"eventTime":"2026-03-28T08:42:25.000Z","copySource":{"bucket":"other","object":"b.log.gz"}}"#,
    r#"{"account":"3f4b7e3dcab231cbfdaa90a6a28bd548","action":"LifecycleDeletion","bucket":"cdn-logs-raw","object":{"key":"logs/a.log.gz"},"eventTime":"2026-03-28T08:42:25.000Z"}"#,
];

/// What raydex sends to both queues: an event of an upload, one of a backfill, a payload.
fn sent() -> (Vec<String>, Vec<String>) {
    let consumers = Consumers::new(delivering(&[]), |_, _| Reply::Status(200));
    let fakes = &consumers.fakes;
    let record = http(&ray(1).to_string(), 0);
    Ask::upload(&ndjson([&record])).of(fakes);
    let head = fakes.bucket.store(KEY, &gzip(&ndjson([&record])));
    let mut backfill = Ask::new("POST", "/v1/backfills");
    backfill.body = br#"{"start":"2026-03-28T00:00:00Z","end":"2026-03-28T08:42:25Z","deliver":false}"#.to_vec();
    assert_eq!(backfill.of(fakes).status, 201);
    run(drive_backfills(fakes, &consumers.config)).unwrap();
    let parse = fakes.queue.take();
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
    (parse, [fakes.sends.take(), sent_together()].concat())
}

/// What raydex sends of payloads that are sent together.
fn sent_together() -> Vec<String> {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "1")]), |_, _| Reply::Status(200));
    let fakes = &consumers.fakes;
    fakes.group_payloads.set(GROUP_PAYLOADS);
    let head = fakes.bucket.store(KEY, &gzip(&ndjson((1..4).map(|number| http(&ray(number).to_string(), 0)))));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    assert_eq!(consumers.parse(&serde_json::to_string(&event).unwrap(), 1).verdict.name(), "sealed");
    fakes.sends.take()
}

/// A batch of the edge logger.
fn handed() -> HandedBatch {
    let label = BatchLabel {
        isolate: "00c0ffee00c0ffee".into(),
        sequence: 7,
        lines: 1,
        counts: EdgeCounts { seen: 1, recorded: 1, ..EdgeCounts::default() },
        since: EdgeCounts::default(),
        sinks: [].into(),
    };
    let batch = EdgeBatch::close("logs/", b"{}\n", (NOW_MS, NOW_MS + 250), label).unwrap();
    // The bytes of a gzip are those of the library.
    HandedBatch { body: BASE64.encode(gzip(b"{}\n")), ..HandedBatch::new(&batch) }
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let (parse, send) = sent();
    let from_r2 = FROM_R2.map(str::to_owned);
    let parse = from_r2.into_iter().chain(parse).map(|body| format!("parse {body}\n"));
    let send = send.into_iter().map(|body| format!("send {body}\n"));
    let edge = format!("edge {}\n", serde_json::to_string(&handed()).unwrap());
    vec![Fixture::new(PATH, parse.chain(send).chain([edge]).collect::<String>())]
}

#[test]
fn queue_messages_match_their_fixture() {
    compare(&fixtures());
}

#[test]
fn stored_messages_are_read_back() {
    let text = stored_text(PATH);
    let (mut backfills, mut payloads) = (0, Vec::new());
    for line in text.lines() {
        if let Some(body) = line.strip_prefix("parse ") {
            let event = R2Event::parse(body).unwrap();
            backfills += usize::from(event.backfill.is_some());
            let known = body.split_once(r#","copySource""#).map_or(body.to_owned(), |(known, _)| format!("{known}}}"));
            assert_eq!(serde_json::to_string(&event).unwrap(), known);
        } else if let Some(body) = line.strip_prefix("edge ") {
            let batch: HandedBatch = serde_json::from_str(body).unwrap();
            assert_eq!(serde_json::to_string(&batch).unwrap(), body);
        } else {
            let body = line.strip_prefix("send ").unwrap();
            let group = DeliveryGroup::from_message(body).unwrap();
            payloads.push(group.payloads());
            assert_eq!(serde_json::to_string(&group).unwrap(), body);
        }
    }
    assert!(backfills > 0 && payloads == [1, 3], "{text}");
}
