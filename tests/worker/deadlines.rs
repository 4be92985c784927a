//! Clients that never read, senders that say nothing, and searches that read everything: the others are answered.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use raydex::limits::{READER_IDLE_MS, SENDER_IDLE_MS};
use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN};
use super::raw::RawClient;

/// How long others may wait on a busy machine: who is stopped gets no answer at all. What it took is printed.
const SOON: Duration = Duration::from_secs(20);
/// How long the sockets of a busy machine take bytes that are not read.
const SOCKETS: Duration = Duration::from_secs(10);
const SCANNERS: usize = 5;
/// Streams of one caller at once that find room however they overlap, if nothing else of the caller's share is held: one
/// takes 664 KiB and the answers of objects, a share is 16 MiB.
const STREAMS: usize = 14;

fn batch(seed: u64, records: u32) -> SampleBatch {
    SamplePlan { seed, batches: 1, window_ms: 30_000, records, late: 0, level: 1, ..SamplePlan::default() }
        .batch(Dataset::HttpRequests, 0)
}

fn range() -> String {
    let start_ms = SamplePlan::default().start_ms;
    format!("start={}&end={}", start_ms - 3_600_000, start_ms + 3_600_000)
}

fn started() -> Harness {
    let entry = |id: &str, scopes: &[&str], scans: u32| {
        let sha256 = hex::encode(Sha256::digest(id));
        json!({ "id": id, "sha256": sha256, "scopes": scopes, "role": "viewer", "scans": scans })
    };
    let mut entries = vec![entry("unread", &["read"], 64), entry("silent", &["ingest"], 2)];
    entries.extend((0..SCANNERS).map(|number| entry(&format!("scanner-{number}"), &["read"], 2)));
    let settings = json!({
        "API_TOKEN_SHA256": hex::encode(Sha256::digest(TOKEN)), "API_TOKENS": Value::from(entries).to_string(),
        "API_RATE_PER_MINUTE": "0",
    });
    Harness::with(json!({ "settings": settings }))
}

/// Asks for what others want; returns how long the slowest answer took.
#[expect(clippy::disallowed_methods, reason = "what is measured is the runtime's time")]
fn slowest(harness: &Harness, ray: &str) -> Duration {
    let mut most = Duration::ZERO;
    for path in ["/healthz".to_owned(), format!("/v1/rays/{ray}"), format!("/v1/logs?{}&limit=1", range())] {
        let start = Instant::now();
        let reply = harness.get(&path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        most = most.max(start.elapsed());
    }
    most
}

/// Asks so often at once that what is asked for fills more than half of a caller's share; returns the first refusal.
fn answer_at_once(harness: &Harness, path: &str, token: &str) -> Result<(), String> {
    let clients: Vec<RawClient> = (0..STREAMS).map(|_| RawClient::get(harness, path, token, "")).collect();
    let replies: Vec<_> = clients.into_iter().map(RawClient::read).collect();
    replies.iter().find(|reply| reply.status != 200).map_or(Ok(()), |reply| {
        assert_eq!(reply.status, 503, "{}", String::from_utf8_lossy(&reply.body));
        Err(String::from_utf8_lossy(&reply.body).into_owned())
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is waited for is the runtime's doing")]
fn stalled_peers_lose_what_they_hold() {
    let harness = started();
    let large = batch(1, 12_000);
    assert_eq!(harness.index(&large.key, &large.gzip)["verdict"], "sealed");
    let ray = large.lines[0].ray.to_string();
    let path = format!("/v1/logs?{}", range());
    let piece = [b"400\r\n".as_slice(), &[b' '; 1024], b"\r\n"].concat();
    let headers = "transfer-encoding: chunked\r\n";
    let senders: Vec<RawClient> =
        (0..20).map(|_| RawClient::ask(&harness, "POST /v1/ingest/http_requests", "silent", headers, &piece)).collect();
    sleep(Duration::from_millis(500));
    let readers: Vec<RawClient> = (0..76).map(|_| RawClient::get(&harness, &path, "unread", "")).collect();
    for _ in 0..5 {
        let slowest = slowest(&harness, &ray);
        assert!(slowest < SOON, "{slowest:?}");
        sleep(Duration::from_millis(500));
    }
    // Until the sockets are full, a reader that reads nothing is not late.
    sleep(Duration::from_millis(u64::try_from(READER_IDLE_MS.max(SENDER_IDLE_MS)).unwrap()) + SOCKETS);
    // Those that found room were waited for; others may have been refused.
    let mut late = 0;
    for sender in senders {
        let reply = sender.read();
        assert!(matches!(reply.status, 408 | 503), "{}", String::from_utf8_lossy(&reply.body));
        late += usize::from(reply.status == 408);
    }
    assert!(late > 0);
    let uploaded = harness.post("/v1/ingest/http_requests", &batch(2, 20).gzip);
    assert_eq!(uploaded.status, 200, "{}", uploaded.text());
    // All that the reader may hold is free again, although its clients are still there.
    let start = Instant::now();
    while let Err(refusal) = answer_at_once(&harness, &format!("{path}&limit=10"), "unread") {
        assert!(start.elapsed() < SOON, "{refusal}");
        sleep(Duration::from_millis(500));
    }
    drop(readers);
}

#[test]
fn ten_searches_for_nothing_let_others_go_first() {
    let harness = started();
    let batch = batch(1, 6_000);
    let ray = batch.lines[0].ray.to_string();
    assert_eq!(harness.index(&batch.key, &batch.gzip)["verdict"], "sealed");
    let filter = "%7B%22where%22%3A%7B%22key%22%3A%22ClientRequestPath%22%2C%22operator%22%3A%22contains%22%2C%22value%22%3A%22no%20such%20path%22%7D%7D";
    let path = format!("/v1/logs?{}&filter={filter}", range());
    let (harness, path) = (&harness, path.as_str());
    let (mut asked, mut most) = (0, Duration::ZERO);
    thread::scope(|scope| {
        let scans: Vec<_> = (0..2 * SCANNERS)
            .map(|number| {
                scope.spawn(move || RawClient::get(harness, path, &format!("scanner-{}", number / 2), "").read())
            })
            .collect();
        while scans.iter().any(|scan| !scan.is_finished()) {
            most = most.max(slowest(harness, &ray));
            asked += 1;
        }
        for scan in scans {
            let reply = scan.join().unwrap();
            let text = String::from_utf8(reply.body).unwrap();
            let trailer: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!((reply.status, &trailer["raydex"]["stats"]["records_returned"]), (200, &0.into()), "{text}");
            assert!(trailer["raydex"]["stats"]["records_scanned"].as_u64() > Some(5_900), "{text}");
        }
    });
    println!("during ten searches the slowest of {asked} rounds took {most:?}");
    assert!(asked >= 3 && most < SOON, "{asked} rounds, {most:?}");
}
