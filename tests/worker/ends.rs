//! Streams whose module traps: each is whole with its marker, or broken.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::Duration;

use raydex::batch::Inflater;
use raydex::record::RayId;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, event};
use super::raw::{RawClient, RawReply};
use super::spellings::gzip;

const START_MS: i64 = 1_774_684_800_000;
const RANGE: &str = "start=2026-03-28T08:00:00Z&end=2026-03-28T08:30:00Z";
/// More bytes than the sockets on the way take, so that a stream is open until its client reads.
const LINES: u32 = 6_000;
const CALLERS: usize = 8;

/// A path of each form, and whether it says its end by a marker, by its structure, or not at all.
const FORMS: [(&str, End); 8] = [
    ("/v1/logs?", End::Marker),
    ("/v1/logs?format=csv&fields=RayID,Padding&", End::Marker),
    ("/v1/logs?format=json&", End::Document),
    ("/v1/logs?summary=false&", End::Nothing),
    ("/v1/logs?summary=false&format=csv&fields=RayID,Padding&", End::Nothing),
    ("/v1/logs?format=partner&", End::Marker),
    ("/client/v4/zones/x.example/logs/received?fields=RayID,Padding&", End::Nothing),
    ("/client/v4/accounts/a/logs/retrieve?bucket=cdn-logs-raw&prefix=logs/http_requests/%7BDATE%7D&", End::Nothing),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Marker,
    Document,
    Nothing,
}

/// Lines that compress to half their size at most.
fn lines() -> Vec<String> {
    let line = |number: u32| {
        let ray = RayId::at(START_MS + 60_000 + i64::from(number), number).unwrap();
        let padding: String = (0..48).map(|part| hex::encode(Sha256::digest(format!("{number} {part}")))).collect();
        format!(r#"{{"RayID":"{ray}","ZoneName":"x.example","Padding":"{padding}"}}"#)
    };
    (0..LINES).map(line).collect()
}

/// A batch of very many small records, whose index takes this many times 16 MiB.
fn many(times: u64) -> Vec<u8> {
    let mut text = String::new();
    let mut bits = times;
    for line in 0..1_100_000 * times {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(2 * line + 1);
        writeln!(text, r#"{{"RayID":"a5e33{:011x}"}}"#, bits >> 20).unwrap();
    }
    gzip(text.as_bytes())
}

/// The text of a gzip stream; `None` if it is cut off.
fn inflated(gzip: &[u8]) -> Option<Vec<u8>> {
    let (mut inflater, mut text) = (Inflater::new(), Vec::new());
    let pushed = inflater.push(gzip, |piece, _| {
        text.extend_from_slice(piece);
        ControlFlow::Continue(())
    });
    pushed.ok().and_then(|_| inflater.finish().ok())?;
    Some(text)
}

/// Whether the body is whole; a broken one has to show it.
fn is_whole(reply: &RawReply, end: End, path: &str) -> bool {
    let is_gzip = reply.header("content-encoding") == Some("gzip");
    let Some(text) = (if is_gzip { inflated(&reply.body) } else { Some(reply.body.clone()) }) else { return false };
    let text = String::from_utf8(text).unwrap();
    let last = text.lines().last().unwrap_or_default();
    if !reply.is_ended || last.starts_with("Error streaming data") {
        return false;
    }
    let token = reply.header("raydex-end");
    let count = text.lines().count();
    match end {
        End::Marker => {
            let marks =
                [r#"{"raydex":{"end":""#, r#"# raydex {"end":""#].map(|mark| format!("{mark}{}\"", token.unwrap()));
            assert!(marks.iter().any(|mark| last.starts_with(mark)), "{path}: {count} lines end well with {last:.80}");
            assert!(last.contains(r#""complete":true"#) && count > LINES as usize, "{path}: {last}");
        }
        End::Document => {
            // Its structure says that it is cut off.
            let Ok(document) = serde_json::from_str::<Value>(&text) else { return false };
            assert_eq!(document["raydex"]["end"].as_str(), token);
            assert_eq!(document["records"].as_array().unwrap().len(), LINES as usize);
        }
        End::Nothing => assert!(count >= LINES as usize, "{path}: {count} lines end well with {last:.80}"),
    }
    true
}

#[test]
fn trap_under_streams_ends_none_well() {
    let id = |caller: usize| format!("caller-{caller}");
    let entry = |caller: usize| {
        let sha256 = hex::encode(Sha256::digest(id(caller)));
        json!({ "id": id(caller), "sha256": sha256, "scopes": ["read"], "role": "forensics", "scans": 64 })
    };
    let tokens = Value::from((0..CALLERS).map(entry).collect::<Vec<_>>()).to_string();
    let settings = json!({ "API_TOKEN_SHA256": hex::encode(Sha256::digest("main")), "API_TOKENS": tokens, "API_RATE_PER_MINUTE": "0" });
    // As much as the streams take, and not the index of the large batches.
    let harness = Harness::with(json!({ "memoryPages": 800, "settings": settings }));
    let text = lines().join("\n") + "\n";
    let key = "logs/http_requests/20260328/20260328T080000Z_20260328T080130Z_a.log.gz";
    assert_eq!(harness.index(key, &gzip(text.as_bytes()))["verdict"], "sealed");

    let mut clients = Vec::new();
    for number in 0..64 {
        let (path, end) = FORMS[number % FORMS.len()];
        let encoding = if (number / FORMS.len()).is_multiple_of(2) { "identity" } else { "gzip" };
        let path = format!("{path}{RANGE}");
        let client =
            RawClient::get(&harness, &path, &id(number % CALLERS), &format!("accept-encoding: {encoding}\r\n"));
        clients.push((client, end, path));
    }
    for (client, ..) in &clients {
        client.wait();
    }
    sleep(Duration::from_millis(500));
    let has_trapped = (2..=3).any(|times| {
        let key = format!("logs/many-{times}.log.gz");
        harness.dispatch("parse-queue", &[event(&harness.put(&key, &many(times)))])["outcome"] != "ok"
    });
    assert!(has_trapped, "{:?}", harness.log().last());

    // All at once, since a client has its time for the last line.
    let replies: Vec<(RawReply, End, String)> = std::thread::scope(|scope| {
        let reading: Vec<_> =
            clients.into_iter().map(|(client, end, path)| scope.spawn(move || (client.read(), end, path))).collect();
        reading.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let mut whole = 0;
    for (reply, end, path) in &replies {
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        whole += usize::from(is_whole(reply, *end, path));
    }
    println!("{whole} of {} streams were whole, the others broke", replies.len());
    assert!(whole <= replies.len() / 2, "{whole} had ended before the trap");
    let again = harness.get_with(&format!("/v1/logs?{RANGE}"), &[("authorization", "Bearer main")]);
    assert_eq!((again.status, again.text().lines().count()), (200, LINES as usize + 1));
}
