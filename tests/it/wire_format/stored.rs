//! The objects in the buckets and the rows of a shard that one batch leaves: windows, summaries, a pack of payloads; and
//! a segment of the audit log. `stored/batch.log.gz.hex` is that batch, an input: no code writes it. Neither does any write
//! `stored/audit_entries.sql`, the former rows of the audit log, one for each entry.

use raydex::audit::AUDIT;
use raydex::audit::chain::is_chain_valid;
use raydex::backend::DurableObjects;
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use raydex::summary::spans::SpanSummaries;

use super::api::{Ask, json};
use super::calls::{dump, load};
use super::support::gzip::{gunzip, gunzip_each};
use super::support::partner::delivering;
use super::support::{Consumers, Fakes, NOW_MS, Reply, run};
use super::{Fixture, compare, from_hex, stored_text, to_hex};

/// The batch, of three spans.
pub(super) const BATCH: &str = "stored/batch.log.gz.hex";
/// The rows of the shard that has its rays.
pub(super) const ROWS: &str = "stored/indexed_shard.sql";
/// The former windows of the batch, each packed alone, and the rows of the shard that go with them.
const ALONE: [&str; 2] = ["stored/windows_alone.hex", "stored/indexed_shard_alone.sql"];
/// The former rows of the audit log.
const ENTRY_ROWS: &str = "stored/audit_entries.sql";
/// A segment of the audit log.
const SEGMENT: &str = "stored/audit_segment.hex";
/// The objects beside the batch, each the only one of its folder.
const OBJECTS: [(&str, &str); 3] = [
    ("raydex/payloads/v1/", "stored/payload_pack.hex"),
    ("raydex/summaries/v1/", "stored/summaries.hex"),
    ("raydex/windows/v1/", "stored/windows.hex"),
];
/// The key of the batch.
pub(super) const KEY: &str = "logs/http_requests/20260328/20260328T084200Z_20260328T084225Z_a.log.gz";
/// The shard that has its rays.
pub(super) const SHARD: &str = "v1/9e355";
/// Its records.
const RECORDS: u64 = 24;
/// One of its records, in the last span.
pub(super) const RAY: &str = "9e35500170000000";

/// A deployment that has indexed the batch and made its payloads, and the messages of these.
pub(super) fn indexed() -> (Consumers, Vec<String>) {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "16")]), |_, _| Reply::Status(200));
    let head = consumers.fakes.bucket.store(KEY, &from_hex(&stored_text(BATCH)));
    let event = R2Event::put_object(BUCKET_NAME, KEY, head.size, &head.etag, NOW_MS);
    let verdict = consumers.parse(&serde_json::to_string(&event).unwrap(), 1);
    assert_eq!(verdict.verdict.name(), "sealed", "{verdict:?}");
    let messages = consumers.fakes.sends.take();
    (consumers, messages)
}

/// A bucket's object below this folder, with its key before its bytes.
fn object_text(fakes: &Fakes, folder: &str) -> String {
    let mut objects = fakes.bucket.contents().into_iter().filter(|(key, _)| key.starts_with(folder));
    let (key, bytes) = objects.next().unwrap();
    assert_eq!(objects.next(), None, "{folder} has one object");
    format!("# {key}\n{}", to_hex(&bytes))
}

/// Writes the object of a fixture.
pub(super) fn store(fakes: &Fakes, path: &str) -> Vec<u8> {
    let text = stored_text(path);
    let key = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
    let bytes = from_hex(&text);
    fakes.bucket.store(key, &bytes);
    bytes
}

/// The segment of the story of the audit log, which holds its first two entries.
fn segment_text() -> String {
    let fakes = Fakes::new();
    fakes.audits.set_bounds(2, u64::MAX);
    let story = stored_text("calls/audit.txt");
    for line in story.lines().filter(|line| line.starts_with("v1/append")).take(6) {
        let (call, body) = line.split_once(' ').unwrap();
        run(fakes.audits.call(AUDIT, call, body.as_bytes().to_vec())).unwrap();
        fakes.clock_ms.set(NOW_MS + if fakes.audits.entries().len() < 2 { 0 } else { 1000 });
    }
    let segment = fakes.audits.settle(&fakes.bucket).remove(0);
    format!("# {}\n{}", segment.key, to_hex(&fakes.bucket.object(&segment.key).unwrap().bytes))
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let (consumers, _) = indexed();
    let objects = OBJECTS.map(|(folder, path)| Fixture::new(path, object_text(&consumers.fakes, folder)));
    let rest = [
        Fixture::new(BATCH, stored_text(BATCH)),
        Fixture::new(ENTRY_ROWS, stored_text(ENTRY_ROWS)),
        Fixture::new(ROWS, dump(&consumers.fakes.shards.object(SHARD))),
        Fixture::new(SEGMENT, segment_text()),
    ];
    let former = ALONE.map(|path| Fixture::new(path, stored_text(path)));
    objects.into_iter().chain(rest).chain(former).collect()
}

#[test]
fn stored_objects_match_their_fixtures() {
    compare(&fixtures());
}

#[test]
fn ray_is_found_by_stored_rows_and_windows() {
    assert_ray_is_found("stored/windows.hex", ROWS);
}

#[test]
fn ray_is_found_by_windows_packed_alone() {
    let [windows, rows] = ALONE;
    assert_ray_is_found(windows, rows);
}

/// Asserts that the ray is found by a read of its span, with these windows and rows of the shard.
fn assert_ray_is_found(windows: &str, rows: &str) {
    let fakes = Fakes::new();
    let batch = from_hex(&stored_text(BATCH));
    fakes.bucket.store(KEY, &batch);
    store(&fakes, windows);
    load(&fakes.shards.object(SHARD), &stored_text(rows));
    let text = gunzip(&batch);
    let expected = String::from_utf8(text).unwrap().lines().find(|line| line.contains(RAY)).unwrap().to_owned();
    assert_eq!(fakes.lines(RAY), [expected]);
    assert!(fakes.bucket.ranged() < batch.len(), "{} of {} bytes were read", fakes.bucket.ranged(), batch.len());
    assert!(fakes.find(Dataset::HttpRequests, "9e35500000000001").records.is_empty());
}

#[test]
fn stored_summaries_and_packs_are_read_back() {
    let summaries = SpanSummaries::from_bytes(&from_hex(&stored_text("stored/summaries.hex"))).unwrap();
    let records: Vec<u64> = summaries.spans.iter().map(|span| span.records).collect();
    assert_eq!((records.len(), records.iter().sum()), (3, RECORDS));
    let (consumers, messages) = indexed();
    store(&consumers.fakes, "stored/payload_pack.hex");
    let verdicts: Vec<_> = messages.iter().map(|message| consumers.send(message, 1).verdict.name()).collect();
    assert_eq!(verdicts, ["delivered", "delivered"]);
    let pack = from_hex(&stored_text("stored/payload_pack.hex"));
    let lines: Vec<usize> =
        gunzip_each(&pack).into_iter().map(|body| String::from_utf8(body).unwrap().lines().count()).collect();
    assert_eq!(lines, [16, 8]);
}

#[test]
fn stored_segment_is_read_back_and_checked() {
    let fakes = Fakes::new();
    load(&fakes.audits.sql, &stored_text("stored/audit.sql"));
    store(&fakes, SEGMENT);
    let page = json(&Ask::get("/v1/audit?after=0&limit=2").of(&fakes));
    assert_eq!(page["chain_valid"], true, "{page}");
    assert_eq!(page["entries"].as_array().unwrap().len(), 2);
    assert_eq!(page["entries"][1]["entry"]["actor"], "é@example.com");
}

#[test]
fn former_rows_of_entries_are_read_and_continued() {
    let fakes = Fakes::new();
    load(&fakes.audits.sql, &stored_text(ENTRY_ROWS));
    fakes.audits.set_bounds(2, u64::MAX);
    let before = fakes.audits.entries_after(8);
    assert_eq!(before.iter().map(|kept| kept.seq).collect::<Vec<_>>(), [9, 10, 11]);
    for number in 1..4 {
        assert_eq!(Ask::get(&format!("/v1/rays/9e3550000000000{number}")).of(&fakes).status, 404);
    }
    let all = fakes.audits.entries_after(8);
    assert_eq!((all.len(), &all[..3]), (6, &before[..]));
    assert!(is_chain_valid(&before[0].hash, &all[1..]));
    for after in 8..14 {
        assert_eq!(fakes.audits.entries_after(after), all[usize::try_from(after).unwrap() - 8..]);
    }
    let segments = fakes.audits.settle(&fakes.bucket);
    let borders: Vec<_> = segments.iter().map(|segment| (segment.first, segment.last)).collect();
    assert_eq!(borders, [(9, 10), (11, 11), (12, 13)], "a table of the former form is appended to no more");
    assert_eq!(segments[2].hash, all[4].hash);
    let page = json(&Ask::get("/v1/audit?after=8&limit=6").of(&fakes));
    assert_eq!((&page["chain_valid"], page["entries"].as_array().unwrap().len()), (&true.into(), 6));
}
