//! `POST /v1/ingest/{dataset}`: what Logpush's HTTP destination sends, in all its forms.

use std::io::{Read, Write};
use std::net::TcpStream;

use raydex::limits::INGEST_MAX;
use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};

use super::harness::{Harness, TOKEN};
use super::reply::Reply;
use super::spellings::gzip;

/// A batch of requests, of this many lines and at this compression.
fn batch(seed: u64, records: u32, level: u32) -> SampleBatch {
    SamplePlan { seed, batches: 1, window_ms: 30_000, records, level, ..SamplePlan::default() }
        .batch(Dataset::HttpRequests, 0)
}

/// Waits until the upload was indexed, and looks some of its rays up.
fn assert_found(harness: &Harness, reply: &Reply, batch: &SampleBatch) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let answer = reply.json();
    assert_eq!(answer["accepted"], "batch");
    let verdicts = harness.wait_for_verdicts(&[answer["key"].as_str().unwrap()]);
    assert_eq!(verdicts[0]["verdict"], "sealed", "{}", verdicts[0]);
    for place in batch.lines.iter().step_by(batch.lines.len() / 4) {
        let found = harness.native("http_requests", &place.ray.to_string());
        assert_eq!(found.body, [&batch.ndjson[place.range.clone()], b"\n"].concat(), "{}", found.text());
    }
}

/// A request in chunks, without a length, read from `body`.
fn post_chunked(harness: &Harness, body: &mut dyn Read) -> Reply {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let url = format!("{}/v1/ingest/http_requests", harness.worker);
    let request = agent.post(url).header("authorization", format!("Bearer {TOKEN}"));
    Reply::of(request.send(ureq::SendBody::from_reader(body)))
}

#[test]
fn an_upload_becomes_a_batch_that_is_indexed() {
    let harness = Harness::start();
    let (first, second, third) = (batch(1, 200, 6), batch(2, 200, 6), batch(3, 200, 6));
    assert_found(&harness, &harness.post("/v1/ingest/http_requests", &first.gzip), &first);
    assert_found(&harness, &harness.post("/v1/ingest/http_requests", &second.ndjson), &second);
    assert_found(&harness, &post_chunked(&harness, &mut third.gzip.as_slice()), &third);
}

#[test]
fn upload_of_30_mb_is_stored_in_parts() {
    let harness = Harness::start();
    let mut large = batch(1, 24_000, 1);
    // Stored as it comes, whatever its compression: none makes it large.
    let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    stored.write_all(&large.ndjson).unwrap();
    large.gzip = stored.finish().unwrap();
    assert!(large.gzip.len() > 30_000_000, "{}", large.gzip.len());
    let reply = harness.post("/v1/ingest/http_requests", &large.gzip);
    assert_found(&harness, &reply, &large);
    assert_eq!(harness.object(reply.json()["key"].as_str().unwrap()), Some(large.gzip));
}

#[test]
fn logpush_may_test_and_nonsense_is_refused() {
    let harness = Harness::start();
    let test = harness.post("/v1/ingest/http_requests", &gzip(br#"{"content":"tests"}"#));
    assert_eq!((test.status, test.text()), (200, r#"{"accepted":"test"}"#));
    harness.post("/v1/ingest/http_requests", b"").assert_problem(400, "empty_body");
    harness.post("/v1/ingest/http_requests", b"RayID,Status\n1,2\n").assert_problem(422, "csv");
    harness.post("/v1/ingest/no_such_logs", b"{}").assert_problem(404, "unknown_dataset");
    assert_eq!(harness.list("").len(), 0);
}

#[test]
fn oversized_request_is_refused_and_leaves_nothing() {
    let harness = Harness::start();
    // Said by the length: nothing is read.
    let mut connection = TcpStream::connect(harness.worker.strip_prefix("http://").unwrap()).unwrap();
    let length = INGEST_MAX + 1;
    let head = format!(
        "POST /v1/ingest/http_requests HTTP/1.1\r\nhost: raydex\r\nauthorization: Bearer {TOKEN}\r\n\
         content-length: {length}\r\n\r\n\u{1f}"
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Found out on the way.
    let begin = gzip(b"{}");
    let mut body = begin.as_slice().chain(std::io::repeat(0x55).take(INGEST_MAX));
    post_chunked(&harness, &mut body).assert_problem(413, "too_large");
    assert_eq!(harness.list("").len(), 0);
}
