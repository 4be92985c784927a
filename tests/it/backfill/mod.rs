//! Backfills: every record of the window once, at the rate that was asked for, whatever fails on the way.

mod again;
mod done;
mod filter;
mod stopped;

use crate::support;

use std::collections::BTreeMap;

use raydex::backend::ObjectHead;
use raydex::bucket_keys::batch_key;
use raydex::config::{Config, DEFAULT_BUCKET_NAME as BUCKET_NAME};
use raydex::ledger::backfills::{BackfillJob, BackfillRequest, BackfillState, ListBackfills, SwitchBackfill};
use raydex::ledger::ids::REGISTRY;
use raydex::limits::{BACKFILL_BURST_S, BACKFILL_JOBS, BACKFILL_LINE_BYTES};
use raydex::pipeline::{drive_backfills, parse_message, start_backfill};
use raydex::r2_event::R2Event;
use raydex::record::Dataset;
use sha2::{Digest, Sha256};

use support::gzip::{gunzip_each, gzip};
use support::partner::{Reply, delivering};
use support::{Consumers, Fakes, Fault, NOW_MS, queue, run};

/// Between two turns of the cron.
const TURN_MS: i64 = 60_000;

/// A deployment that delivers, with these further settings.
fn config(more: &[(&str, &str)]) -> Config {
    let hash = hex::encode(Sha256::digest("token"));
    let fixed = [
        ("API_TOKEN_SHA256", hash.as_str()),
        ("PARTNER_ENDPOINT", "https://partner.example"),
        ("PARTNER_URI", "/v3"),
        ("PARTNER_PRIVATE_KEY", "key"),
        ("BATCH_SIZE", "3"),
    ];
    let value =
        |name: &str| more.iter().chain(&fixed).find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
    Config::read(value).unwrap_or_else(|_| panic!("settings that are right"))
}

/// The name of the nth record of the nth batch, which the partner's third column shows.
fn name(batch: i64, record: i64) -> String {
    format!("ray-{batch:03}-{record}")
}

/// The instant of the nth record of the nth batch: batches are ten minutes apart, records a minute.
fn instant(batch: i64, record: i64) -> i64 {
    NOW_MS - 86_400_000 + batch * 600_000 + record * 60_000
}

/// A bucket with a day and a half of batches, in folders of days; written after their records, as Logpush does.
fn world(batches: i64) -> Fakes {
    let fakes = Fakes::new();
    fill(&fakes, batches);
    fakes
}

fn fill(fakes: &Fakes, batches: i64) {
    for batch in 0..batches {
        let line = |record| {
            let (name, at) = (name(batch, record), instant(batch, record));
            format!(r#"{{"RayID":"{name}","EdgeStartTimestamp":{at},"EdgeColoID":4}}"#)
        };
        let text: Vec<String> = (0..5).map(line).collect();
        let (start, end) = (instant(batch, 0), instant(batch, 5));
        let key = batch_key("logs/", Dataset::HttpRequests, start, end, 7);
        fakes.bucket.store(&key, &gzip(text.join("\n").as_bytes()));
    }
    fakes.bucket.store("logs/ownership-challenge-1.txt", b"x");
    fakes.bucket.set_page(4);
}

/// The key of the nth batch.
fn key(batch: i64) -> String {
    batch_key("logs/", Dataset::HttpRequests, instant(batch, 0), instant(batch, 5), 7)
}

/// A deployment with these batches, whose partner answers so.
fn deployment(batches: i64, mind: impl Fn() -> Reply + 'static) -> Consumers {
    let consumers = Consumers::new(delivering(&[("BATCH_SIZE", "3")]), move |_, _| mind());
    fill(&consumers.fakes, batches);
    consumers
}

/// The events of these batches, handled as live traffic.
fn arrive(consumers: &Consumers, batches: std::ops::Range<i64>) {
    for batch in batches {
        let head = consumers.fakes.bucket.object(&key(batch)).unwrap().head;
        announce(consumers, &key(batch), &head);
    }
}

/// The event of an object, handled as live traffic.
fn announce(consumers: &Consumers, key: &str, head: &ObjectHead) {
    let event = R2Event::put_object(BUCKET_NAME, key, head.size, &head.etag, NOW_MS);
    let verdict = consumers.parse(&serde_json::to_string(&event).unwrap(), 1);
    assert_eq!(verdict.retry_s, None, "{verdict:?}");
}

/// A turn of the cron, its messages, and a minute of sending.
fn work(consumers: &Consumers) {
    turn(&consumers.fakes, &consumers.config);
    consumers.settle(TURN_MS);
}

fn begin(consumers: &Consumers, request: BackfillRequest) -> i64 {
    run(start_backfill(&consumers.fakes, &consumers.config, request, None)).unwrap().id
}

pub(crate) fn ask(start_ms: i64, end_ms: i64) -> BackfillRequest {
    BackfillRequest {
        start_ms,
        end_ms,
        index: true,
        deliver: true,
        lines_per_second: 1_000,
        again: false,
        erasure: None,
        filter: None,
        reason: None,
        rebuild: false,
    }
}

fn job(fakes: &Fakes, id: i64) -> BackfillJob {
    fakes.ledgers.ask(REGISTRY, &ListBackfills { id: Some(id), limit: 1 }).jobs.remove(0).1
}

/// One turn of the cron, and the messages that came of it; failures are tried again by the next turn.
fn turn(fakes: &Fakes, config: &Config) {
    turn_with(fakes, config, || ());
}

/// The same, with `meanwhile` before each attempt.
fn turn_with(fakes: &Fakes, config: &Config, meanwhile: impl Fn()) {
    let _driven = run(drive_backfills(fakes, config));
    for message in fakes.queue.take() {
        for attempt in 1..=3 {
            meanwhile();
            if run(parse_message(fakes, config, &queue::message("parse-queue", &message, attempt))).retry_s.is_none() {
                break;
            }
        }
    }
    fakes.clock_ms.set(fakes.clock_ms.get() + TURN_MS);
}

/// Turns until no job runs.
fn finish(fakes: &Fakes, config: &Config) {
    for _ in 0..200 {
        turn(fakes, config);
        let jobs = fakes.ledgers.ask(REGISTRY, &ListBackfills { id: None, limit: 100 }).jobs;
        if jobs.iter().all(|(_, job)| job.state != BackfillState::Running) {
            return;
        }
    }
    panic!("a backfill does not come to its end");
}

/// How often each record is in a payload.
fn delivered(fakes: &Fakes) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let ledgers = fakes.ledgers.rows();
    let sealed = ledgers.values().flatten().filter(|row| row.starts_with("delivery_v1")).count();
    let bodies: Vec<Vec<u8>> = fakes
        .bucket
        .contents()
        .into_iter()
        .filter(|(key, _)| key.starts_with("raydex/payloads/"))
        .flat_map(|(_, pack)| gunzip_each(&pack))
        .collect();
    assert_eq!(bodies.len(), sealed, "a body for each payload");
    for body in bodies {
        let text = String::from_utf8(body).unwrap();
        for line in text.lines() {
            *counts.entry(line.split('\u{1}').nth(2).unwrap().to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The records whose instants are in the window.
fn expected(batches: i64, windows: &[(i64, i64)]) -> BTreeMap<String, usize> {
    let all = (0..batches).flat_map(|batch| (0..5).map(move |record| (batch, record)));
    let wanted = all.filter(|&(batch, record)| {
        let at = instant(batch, record);
        windows.iter().any(|&(start, end)| start <= at && at < end)
    });
    wanted.map(|(batch, record)| (name(batch, record), 1)).collect()
}

#[test]
fn exactly_the_windows_records_are_sent() {
    let batches = 200;
    for (start, end) in [
        (instant(3, 2), instant(40, 3)),
        (instant(0, 0), instant(0, 1)),
        (instant(150, 4) + 1, instant(151, 0) + 1),
        (0, i64::MAX / 2),
    ] {
        let (fakes, config) = (world(batches), config(&[]));
        let id = run(start_backfill(&fakes, &config, ask(start, end), None)).unwrap().id;
        finish(&fakes, &config);
        assert_eq!(delivered(&fakes), expected(batches, &[(start, end)]));
        let job = job(&fakes, id);
        // Nothing of it is sent yet.
        let state = if delivered(&fakes).is_empty() { BackfillState::Done } else { BackfillState::Announced };
        assert_eq!((job.state, job.announced), (state, job.processed));
        assert_eq!(fakes.ledgers.totals().lines.unaccounted, 0);
    }
}

#[test]
fn adjacent_and_overlapping_windows_send_nothing_twice() {
    let (fakes, config) = (world(60), config(&[]));
    let edges = [instant(0, 0), instant(9, 3), instant(20, 0), instant(20, 4), instant(59, 5)];
    for pair in edges.windows(2).rev() {
        run(start_backfill(&fakes, &config, ask(pair[0], pair[1]), None)).unwrap();
    }
    run(start_backfill(&fakes, &config, ask(edges[1], edges[3]), None)).unwrap();
    finish(&fakes, &config);
    assert_eq!(delivered(&fakes), expected(60, &[(edges[0], edges[4])]));
    // Live traffic over the same objects adds what no window covered, which is nothing.
    let before = fakes.everything();
    run(start_backfill(&fakes, &config, ask(0, i64::MAX / 2), None)).unwrap();
    finish(&fakes, &config);
    assert_eq!(fakes.everything().0, before.0);
}

#[test]
fn index_only_and_deliver_only_backfills_do_that() {
    for (index, deliver) in [(true, false), (false, true)] {
        let (fakes, config) = (world(10), config(&[]));
        let ask = BackfillRequest { index, deliver, ..ask(0, i64::MAX / 2) };
        run(start_backfill(&fakes, &config, ask, None)).unwrap();
        finish(&fakes, &config);
        assert_eq!(delivered(&fakes).is_empty(), !deliver);
        assert_eq!(fakes.lines(&name(3, 2)).is_empty(), !index);
    }
}

#[test]
fn no_more_is_announced_than_the_rate_allows() {
    let (fakes, config) = (world(200), config(&[]));
    let rate = 2;
    let slow = BackfillRequest { lines_per_second: rate, ..ask(0, i64::MAX / 2) };
    let id = run(start_backfill(&fakes, &config, slow, None)).unwrap().id;
    let largest = fakes.bucket.contents().values().map(|body| body.len() as u64 / BACKFILL_LINE_BYTES).max().unwrap();
    let mut turns = 0;
    while job(&fakes, id).state == BackfillState::Running {
        let before = job(&fakes, id).estimated_lines;
        turn(&fakes, &config);
        turns += 1;
        let burst = rate * u64::try_from(BACKFILL_BURST_S).unwrap() + largest;
        assert!(job(&fakes, id).estimated_lines - before <= burst, "turn {turns}");
        let seconds = u64::try_from(turns * TURN_MS / 1000).unwrap();
        assert!(job(&fakes, id).estimated_lines <= rate * (seconds + 1) + largest, "turn {turns}");
    }
    assert!(turns > 2, "{turns} turns");
    assert_eq!(delivered(&fakes).len(), 1000);
}

#[test]
fn stopped_backfill_continues_where_it_was() {
    let (fakes, config) = (world(100), config(&[]));
    let slow = BackfillRequest { lines_per_second: 1, ..ask(0, i64::MAX / 2) };
    let id = run(start_backfill(&fakes, &config, slow, None)).unwrap().id;
    turn(&fakes, &config);
    fakes.ledgers.ask(REGISTRY, &SwitchBackfill { id, run: false });
    let stopped = job(&fakes, id);
    for _ in 0..5 {
        turn(&fakes, &config);
    }
    assert_eq!(job(&fakes, id).announced, stopped.announced);
    assert!(stopped.announced > 0 && stopped.announced < 100, "{}", stopped.announced);
    fakes.ledgers.ask(REGISTRY, &SwitchBackfill { id, run: true });
    finish(&fakes, &config);
    assert_eq!(job(&fakes, id).announced, 100, "none is announced again");
    assert_eq!(delivered(&fakes).len(), 500);
    // Of one that announced everything, nothing is left to resume.
    fakes.ledgers.ask(REGISTRY, &SwitchBackfill { id, run: true });
    assert_eq!(job(&fakes, id).state, BackfillState::Announced);
}

#[test]
fn failures_on_the_way_change_no_outcome() {
    let config = config(&[]);
    let begin = || {
        let fakes = world(12);
        run(start_backfill(&fakes, &config, ask(instant(2, 2), instant(9, 1)), None)).unwrap();
        fakes
    };
    let clean = begin();
    let before = clean.faults.calls();
    finish(&clean, &config);
    for nth in (0..clean.faults.calls() - before).step_by(3) {
        for fault in Fault::BOTH {
            let fakes = begin();
            fakes.faults.plan(None, nth, fault);
            finish(&fakes, &config);
            fakes.faults.clear();
            // A failing message may have been left to the sweep: then the window is asked for once more.
            run(start_backfill(&fakes, &config, ask(instant(2, 2), instant(9, 1)), None)).unwrap();
            finish(&fakes, &config);
            assert_eq!(delivered(&fakes), delivered(&clean), "call {nth} {fault:?}");
        }
    }
}

#[test]
fn past_push_start_begins_one_backfill_per_value() {
    let fakes = world(20);
    let settings = |at: &str| config(&[("PUSH_START_TIME", at)]);
    let first = settings(&raydex::time::rfc3339(instant(4, 2)));
    finish(&fakes, &first);
    finish(&fakes, &first);
    assert_eq!(fakes.ledgers.ask(REGISTRY, &ListBackfills { id: None, limit: 9 }).jobs.len(), 1);
    assert_eq!(delivered(&fakes), expected(20, &[(instant(4, 2), NOW_MS)]));
    finish(&fakes, &settings(&raydex::time::rfc3339(instant(1, 0))));
    assert_eq!(fakes.ledgers.ask(REGISTRY, &ListBackfills { id: None, limit: 9 }).jobs.len(), 2);
    assert_eq!(delivered(&fakes), expected(20, &[(instant(1, 0), NOW_MS)]));
    // One in the future starts none.
    let fakes = world(20);
    turn(&fakes, &settings("2036-01-01T00:00:00Z"));
    assert!(fakes.ledgers.ask(REGISTRY, &ListBackfills { id: None, limit: 9 }).jobs.is_empty());
}

#[test]
fn folders_of_every_name_are_looked_into() {
    let (fakes, config) = (world(0), config(&[]));
    let line =
        |number| format!(r#"{{"RayID":"{}","EdgeStartTimestamp":{},"EdgeColoID":4}}"#, name(number, 0), instant(0, 0));
    // The window is of 2026-03-27.
    let folders = [
        "http_requests/20260327/02/",
        "http_requests/20260327/00-eu/14/",
        "http_requests/20260101/",
        "20300101/http_requests/",
        "zone/20260326/20260327/",
        "20260328/20260327/",
        "",
        "raydexx/",
    ];
    for (folder, number) in folders.iter().zip(0..) {
        let key = format!("logs/{folder}20260327T084225Z_20260327T084255Z_{number}.log.gz");
        fakes.bucket.store(&key, line(number).as_bytes());
    }
    // Of a file whose name says nothing, the folder of another day says when it was written.
    fakes.bucket.store("logs/http_requests/20260101/part-1.log.gz", line(99).as_bytes());
    for page in [1, 2, 1000] {
        fakes.bucket.set_page(page);
        let start = run(start_backfill(&fakes, &config, ask(instant(0, 0), instant(0, 1)), None)).unwrap();
        finish(&fakes, &config);
        let job = job(&fakes, start.id);
        // Beside them there are the ownership challenge and that file.
        assert_eq!(
            (job.announced, job.considered),
            (folders.len() as u64, folders.len() as u64 + 2),
            "pages of {page}"
        );
    }
    let names = (0..).take(folders.len()).map(|number| (name(number, 0), 1)).collect();
    assert_eq!(delivered(&fakes), names);
}

#[test]
fn folders_of_the_windows_days_come_first() {
    let (fakes, config) = (world(0), config(&[]));
    let line = format!(r#"{{"RayID":"{}","EdgeStartTimestamp":{}}}"#, name(0, 0), instant(0, 0));
    for folder in ["20250101", "20260327", "20270101"] {
        let key = format!("logs/http_requests/{folder}/20260327T084225Z_20260327T084255Z_{folder}.log.gz");
        fakes.bucket.store(&key, line.as_bytes());
    }
    run(start_backfill(&fakes, &config, ask(instant(0, 0), instant(0, 1)), None)).unwrap();
    run(drive_backfills(&fakes, &config)).unwrap();
    let keys: Vec<String> = fakes.queue.take().iter().map(|body| R2Event::parse(body).unwrap().object.key).collect();
    let days: Vec<&str> = keys.iter().map(|key| key.split('/').nth(2).unwrap()).collect();
    assert_eq!(days, ["20260327", "20250101", "20270101"]);
}

#[test]
fn newer_backfills_keep_no_older_one_waiting() {
    let fakes = world(3);
    let config = config(&[]);
    let start = |start_ms, end_ms| {
        let request = BackfillRequest { deliver: false, ..ask(start_ms, end_ms) };
        run(start_backfill(&fakes, &config, request, None)).unwrap().id
    };
    let first = start(instant(0, 0), instant(3, 0));
    let later: Vec<i64> = (0..BACKFILL_JOBS).map(|_| start(instant(0, 0) - 5_000, instant(0, 0) - 4_000)).collect();
    (0..5).for_each(|_| turn(&fakes, &config));
    for id in [Some(&first), later.first(), later.last()].into_iter().flatten() {
        assert_eq!(job(&fakes, *id).state, BackfillState::Done, "{id}");
    }
}
