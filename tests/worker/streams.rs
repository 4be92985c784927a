//! Streams of a time range under the real runtime: whole, slowly, broken off, compressed.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use raydex::limits::{MEMORY_BUDGET, MIB, READER_BYTES};
use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::{Harness, TOKEN, event};
use super::spellings::gzip;

/// Batches over two hours.
const BATCHES: u32 = 200;
/// The batches that hold a record of a host that no other one has.
const RARE: [u32; 3] = [7, 100, 183];
/// How many messages are handed over at once.
const AT_ONCE: usize = 40;
/// More hang-ups than streams fit into the memory of one isolate, if each left its share behind.
const HANG_UPS: usize = 60;

/// What the batches are made of.
fn plan() -> SamplePlan {
    SamplePlan {
        batches: BATCHES,
        window_ms: 7_200_000,
        records: BATCHES * 80,
        late: 0,
        level: 1,
        ..SamplePlan::default()
    }
}

/// The range of all of it, with what was late.
fn range() -> String {
    let start_ms = plan().start_ms;
    format!("start={}&end={}", start_ms - 3_600_000, start_ms + 2 * 7_200_000)
}

/// A batch with its text, in which one line of some is of the rare host.
fn batch(number: u32) -> (SampleBatch, Vec<String>) {
    let mut batch = plan().batch(Dataset::HttpRequests, number);
    let mut lines: Vec<String> = String::from_utf8(batch.ndjson.clone()).unwrap().lines().map(str::to_owned).collect();
    if RARE.contains(&number) {
        let mut record: Value = serde_json::from_str(&lines[3]).unwrap();
        record["ClientRequestHost"] = "rare.example.com".into();
        lines[3] = record.to_string();
        batch.gzip = gzip((lines.join("\n") + "\n").as_bytes());
    }
    (batch, lines)
}

/// A Worker that has indexed all batches, and counts the calls of its bucket.
struct Store {
    harness: Harness,
    lines: Vec<String>,
    first: Value,
}

impl Store {
    fn new() -> Self {
        let hash = |token: &str| hex::encode(Sha256::digest(token));
        let viewer = json!([{ "id": "v", "sha256": hash("viewer"), "scopes": ["read"], "role": "viewer" }]);
        let settings = json!({ "API_TOKEN_SHA256": hash(TOKEN), "API_TOKENS": viewer.to_string() });
        let harness = Harness::with(json!({ "faulty": true, "settings": settings }));
        let (mut lines, mut events) = (Vec::new(), Vec::new());
        for number in 0..BATCHES {
            let (batch, text) = batch(number);
            events.push(event(&harness.put(&batch.key, &batch.gzip)));
            lines.extend(text);
        }
        for some in events.chunks(AT_ONCE) {
            let parsed = harness.parse(some);
            assert!(parsed.acked.iter().all(|acked| *acked), "{}", parsed.batch);
        }
        lines.sort();
        Self { harness, lines, first: events[0].clone() }
    }

    /// How large the memory of the module has grown.
    fn wasm(&self) -> u64 {
        self.harness.parse(std::slice::from_ref(&self.first)).batch["wasm_bytes"].as_u64().unwrap()
    }

    /// How many objects the Worker has read.
    fn reads(&self) -> usize {
        self.harness.calls().iter().filter(|call| call["op"] == "get").count()
    }

    /// The body of a stream, read as it comes.
    fn stream(&self, query: &str) -> impl Read + use<> {
        let url = format!("{}/v1/logs?{}{query}", self.harness.worker, range());
        let agent = ureq::Agent::config_builder().max_idle_connections(0).build().new_agent();
        agent.get(url).header("authorization", format!("Bearer {TOKEN}")).call().unwrap().into_body().into_reader()
    }

    /// A ray of some line.
    fn a_ray(&self) -> String {
        serde_json::from_str::<Value>(&self.lines[0]).unwrap()["RayID"].as_str().unwrap().to_owned()
    }

    /// Checks a whole stream with its summary, which is handed back.
    fn check(&self, text: &str) -> Value {
        let mut told: Vec<&str> = text.lines().collect();
        let summary: Value = serde_json::from_str(told.pop().unwrap()).unwrap();
        told.sort_unstable();
        assert_eq!(told.len(), self.lines.len());
        assert!(told.iter().zip(&self.lines).all(|(told, line)| told == line), "every line, byte for byte");
        summary["raydex"].clone()
    }
}

#[test]
fn two_hundred_batches_stream_whole_slowly_and_partly() {
    let store = Store::new();
    a_stream_tells_every_line_in_bounded_memory(&store);
    a_reader_that_stops_holds_the_worker_back(&store);
    a_client_that_hangs_up_leaves_nothing_behind(&store);
    lookups_whose_client_hangs_up_leave_nothing_behind(&store);
    a_search_that_finds_nothing_ends_with_its_client(&store);
    a_host_in_three_batches_costs_three_reads(&store);
    whoever_takes_gzip_gets_gzip(&store);
}

fn a_stream_tells_every_line_in_bounded_memory(store: &Store) {
    let before = store.wasm();
    let reply = store.harness.get(&format!("/v1/logs?{}", range()));
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/x-ndjson"));
    let summary = store.check(reply.text());
    assert_eq!((&summary["complete"], &summary["cursor"]), (&true.into(), &Value::Null), "{summary}");
    assert_eq!(summary["stats"]["records_returned"], store.lines.len());
    let grown = store.wasm() - before;
    println!("{} bytes in {} lines, {grown} bytes more of wasm: {summary}", reply.body.len(), store.lines.len());
    assert!(grown <= 4 * MIB as u64, "{grown}");
}

fn a_reader_that_stops_holds_the_worker_back(store: &Store) {
    let (before, reads) = (store.wasm(), store.reads());
    let mut body = store.stream("");
    let mut text = vec![0; 64 * 1024];
    body.read_exact(&mut text).unwrap();
    sleep(Duration::from_secs(3));
    let ahead = store.reads() - reads;
    sleep(Duration::from_secs(1));
    let later = store.reads() - reads;
    println!("{ahead} batches read for the first 64 KiB, {later} a second later");
    assert_eq!(later, ahead, "whoever does not read is not read for");
    assert!(ahead < BATCHES as usize / 2, "{ahead}");
    body.read_to_end(&mut text).unwrap();
    store.check(std::str::from_utf8(&text).unwrap());
    let grown = store.wasm() - before;
    assert!(grown <= 2 * MIB as u64, "{grown}");
}

fn a_client_that_hangs_up_leaves_nothing_behind(store: &Store) {
    let (before, logged) = (store.wasm(), store.harness.log().len());
    for number in 0..HANG_UPS {
        // At once, while the batches are looked for, and in the middle of the stream.
        hang_up(&store.harness, &format!("/v1/logs?{}", range()), number % 3 * 500);
    }
    let reply = store.harness.get(&format!("/v1/logs?{}&limit=10", range()));
    assert_eq!((reply.status, reply.text().lines().count()), (200, 11), "{}", reply.text());
    let log = store.harness.log().split_off(logged);
    let odd: Vec<&Value> = log.iter().filter(|line| line["level"] != "info").collect();
    assert!(odd.len() <= 1, "{odd:#?}");
    let grown = store.wasm() - before;
    println!("{HANG_UPS} hang-ups: {grown} bytes more of wasm, {} odd lines", odd.len());
    assert!(grown <= 8 * MIB as u64, "{grown}");
}

fn lookups_whose_client_hangs_up_leave_nothing_behind(store: &Store) {
    let before = store.wasm();
    let ray = store.a_ray();
    // More than the account of memory has shares for.
    for _ in 0..2 * MEMORY_BUDGET / READER_BYTES {
        hang_up(&store.harness, &format!("/v1/rays/{ray}"), 0);
    }
    // A hang-up is noticed a moment later.
    store.harness.wait_within(Duration::from_secs(20), Duration::from_millis(500), "room for a lookup", || {
        (store.harness.get(&format!("/v1/rays/{ray}")).status == 200).then_some(())
    });
    let grown = store.wasm() - before;
    assert!(grown <= 8 * MIB as u64, "{grown}");
}

fn a_search_that_finds_nothing_ends_with_its_client(store: &Store) {
    // No summary knows of paths, so every batch is read, and nothing is told meanwhile.
    let filter = "%7B%22where%22%3A%7B%22key%22%3A%22ClientRequestPath%22%2C%22operator%22%3A%22eq%22%2C%22value%22%3A%22none%22%7D%7D";
    let path = format!("/v1/logs?{}&filter={filter}", range());
    let reads = store.reads();
    for _ in 0..5 {
        hang_up(&store.harness, &path, 0);
    }
    store.harness.get(&format!("/v1/rays/{}", store.a_ray()));
    // A hang-up is noticed a moment later, on a busy machine after more than one; then nothing more is read.
    let last = Cell::new(reads);
    let ended = store.harness.wait_within(Duration::from_secs(30), Duration::from_secs(1), "the end of reads", || {
        let now = store.reads();
        (last.replace(now) == now && now > reads).then_some(now)
    });
    let (soon, all) = (ended - reads, 5 * BATCHES as usize);
    assert!(soon < all / 2, "{soon} of {all}");
    let reply = store.harness.get(&path);
    let summary: Value = serde_json::from_str(reply.text()).unwrap();
    assert_eq!(
        (&summary["raydex"]["stats"]["records_returned"], &summary["raydex"]["complete"]),
        (&0.into(), &true.into())
    );
}

/// Asks, reads so many bytes of the answer, and is gone.
fn hang_up(harness: &Harness, path: &str, bytes: usize) {
    let mut stream = TcpStream::connect(harness.worker.trim_start_matches("http://")).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: raydex\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.read_exact(&mut vec![0; bytes]).unwrap();
}

fn a_host_in_three_batches_costs_three_reads(store: &Store) {
    let filter = "%7B%22where%22%3A%7B%22key%22%3A%22ClientRequestHost%22%2C%22operator%22%3A%22eq%22%2C%22value%22%3A%22rare.example.com%22%7D%7D";
    for token in [TOKEN, "viewer"] {
        let reads = store.reads();
        let path = format!("/v1/logs?{}&filter={filter}", range());
        let reply = store.harness.get_with(&path, &[("authorization", &format!("Bearer {token}"))]);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let mut lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let summary = lines.pop().unwrap()["raydex"].clone();
        assert_eq!(lines.len(), RARE.len());
        assert!(lines.iter().all(|line| line["ClientRequestHost"] == "rare.example.com"));
        let told = &summary["stats"];
        assert_eq!((&told["batches_read"], store.reads() - reads), (&3.into(), 3), "{token}: {summary}");
        // A batch that two shards name is considered in each.
        assert!(told["batches_skipped"].as_u64() >= Some(u64::from(BATCHES) - 3), "{summary}");
    }
}

fn whoever_takes_gzip_gets_gzip(store: &Store) {
    let bearer = format!("Bearer {TOKEN}");
    let lookup = format!("/v1/rays/{}?format=native", store.a_ray());
    for path in [format!("/v1/logs?{}&limit=500", range()) + "&summary=false", lookup.clone()] {
        let plain = store.harness.get(&path);
        assert_eq!(
            (plain.status, plain.header("content-encoding"), plain.header("vary")),
            (200, "", "accept-encoding")
        );
        let ask = |method, encoding| {
            let headers = [("authorization", bearer.as_str()), ("accept-encoding", encoding)];
            store.harness.send(method, &path, &headers, &[])
        };
        let packed = ask("GET", "gzip");
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
        let mut text = vec![0; plain.body.len()];
        libdeflater::Decompressor::new().gzip_decompress(&packed.body, &mut text).unwrap();
        assert!(text == plain.body && packed.body.len() < text.len(), "{path}");
        assert_eq!(ask("GET", "identity").body, plain.body);
        let head = ask("HEAD", "gzip");
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), plain.header("content-type"));
    }
    let tag = store.harness.get(&lookup).header("etag").to_owned();
    let headers = [("authorization", bearer.as_str()), ("if-none-match", &tag), ("accept-encoding", "gzip")];
    let unchanged = store.harness.get_with(&lookup, &headers);
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, tag.as_str()));
}
