//! Every word of completeness accounts for what is known: quarantined and open batches, rejected lines, the present.

use raydex::backend::SqlDatabase;
use raydex::ledger::ids::REGISTRY;
use raydex::ledger::registry::{AdvanceSweep, register};
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::Ask;
use super::support::records::{http, ndjson, ray};
use super::support::{Fakes, NOW_MS, run};
use crate::support::ledgers::{batch_of, only_ledger};

/// A range that ended before now, with the first batch's times.
const RANGE: &str = "/v1/logs?start=2026-03-28T08:30:00Z&end=2026-03-28T08:42:24Z";
/// The key of a batch of that time.
const KEY: &str = "logs/http_requests/20260328/20260328T083200Z_20260328T083230Z_a.log.gz";

/// Writes and indexes an object, whose ledger the registry knows.
fn put(fakes: &Fakes, key: &str, text: &[u8]) {
    run(register(&fakes.ledgers, &only_ledger(key), None)).unwrap();
    fakes.index(key, Dataset::HttpRequests, text);
}

fn records(rays: std::ops::Range<u64>) -> Vec<u8> {
    ndjson(rays.map(|suffix| http(&ray(suffix).to_string(), 0)))
}

/// Whether a search says that it is complete, and the codes and counts of the reasons why not.
fn completeness(fakes: &Fakes, path: &str) -> (bool, Vec<(String, Option<u64>)>) {
    let reply = Ask::get(path).of(fakes);
    let text = String::from_utf8(reply.body.clone()).unwrap();
    let trailer: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let trailer = &trailer["raydex"];
    let none = Vec::new();
    let missing = trailer["missing"].as_array().unwrap_or(&none).iter();
    let reasons = missing.map(|reason| (reason["code"].as_str().unwrap().to_owned(), reason["count"].as_u64()));
    (trailer["complete"].as_bool().unwrap(), reasons.collect())
}

fn reason(code: &str, count: Option<u64>) -> (bool, Vec<(String, Option<u64>)>) {
    (false, vec![(code.to_owned(), count)])
}

#[test]
fn range_of_sealed_batches_is_complete() {
    let fakes = Fakes::new();
    put(&fakes, KEY, &records(0..3));
    assert_eq!(completeness(&fakes, RANGE), (true, Vec::new()));
}

#[test]
fn quarantined_batch_makes_a_range_incomplete() {
    let fakes = Fakes::new();
    put(&fakes, KEY, b"a,b\n1,2\n");
    assert_eq!(completeness(&fakes, RANGE), reason("quarantined_batches", Some(1)));
    // Not in another hour, nor for another dataset.
    let other = RANGE.replace("28T08:", "27T08:");
    assert!(completeness(&fakes, &other).0);
    assert!(completeness(&fakes, &format!("{RANGE}&dataset=firewall_events")).0);
    // A batch whose name has no time counts by its upload.
    let fakes = Fakes::new();
    put(&fakes, "logs/http_requests/by-hand.log", b"a,b\n1,2\n");
    assert_eq!(completeness(&fakes, RANGE), reason("quarantined_batches", Some(1)));
}

#[test]
fn rejected_lines_make_a_range_incomplete() {
    let fakes = Fakes::new();
    put(&fakes, KEY, &[&records(0..30)[..], b"no record\n"].concat());
    assert_eq!(completeness(&fakes, RANGE), reason("rejected_lines", Some(1)));
}

#[test]
fn mostly_rejected_batch_is_damaged_and_not_complete() {
    let fakes = Fakes::new();
    let damaged = (0..5).map(|number| format!(r#"{{"RayID":"9e355{number:011x}","ClientIP":"192.0.2"#));
    put(&fakes, KEY, &[&records(0..1)[..], &ndjson(damaged)].concat());
    assert_eq!(completeness(&fakes, RANGE), reason("rejected_lines", Some(5)));
    let path = "/v1/coverage?start=2026-03-28T08:30:00Z&end=2026-03-28T08:42:24Z";
    let body: Value = serde_json::from_slice(&Ask::get(path).of(&fakes).body).unwrap();
    assert_eq!((&body["complete"], body["damaged"].as_array().map(Vec::len)), (&json!([]), Some(1)), "{body}");
}

#[test]
fn open_batch_makes_a_range_incomplete() {
    let fakes = Fakes::new();
    put(&fakes, KEY, &records(0..3));
    let ledger = fakes.ledgers.ledger(&only_ledger(KEY));
    ledger.sql.run("UPDATE source_v1 SET state = 'open'", &[]).unwrap();
    assert_eq!(completeness(&fakes, RANGE), reason("open_batches", Some(1)));
}

#[test]
fn range_beyond_the_sweep_or_now_is_incomplete() {
    let fakes = Fakes::new();
    put(&fakes, KEY, &records(0..3));
    let future = RANGE.replace("end=2026-03-28T08:42:24Z", "end=2026-03-28T09:42:24Z");
    assert_eq!(completeness(&fakes, &future), reason("ends_after_now", None));
    let swept = |at_ms| fakes.ledgers.ask(REGISTRY, &AdvanceSweep { at_ms: Some(at_ms), finished_ms: None });
    swept(NOW_MS - 3_600_000);
    assert_eq!(completeness(&fakes, RANGE), reason("not_swept", None));
    swept(NOW_MS);
    assert!(completeness(&fakes, RANGE).0);
}

#[test]
fn record_ahead_of_the_clock_is_in_range() {
    let fakes = Fakes::new();
    let ahead = NOW_MS + 3_600_000;
    let line = format!(r#"{{"RayID":"{}","EdgeStartTimestamp":{ahead}}}"#, ray(1));
    put(&fakes, KEY, line.as_bytes());
    let reply = Ask::get("/v1/logs?start=2026-03-28T08:30:00Z&end=2026-03-29T00:00:00Z").of(&fakes);
    assert!(String::from_utf8(reply.body).unwrap().starts_with(&line));
    // The years up to the end of the range cost no call.
    let far = "/v1/logs?start=2026-03-28T08:30:00Z&end=2033-01-01T00:00:00Z";
    let before = fakes.faults.calls();
    let reply = Ask::get(far).of(&fakes);
    assert!(String::from_utf8(reply.body).unwrap().starts_with(&line));
    assert!(fakes.faults.calls() - before < 30);
}

#[test]
fn coverage_tells_damaged_windows_and_uploads() {
    let fakes = Fakes::new();
    put(&fakes, KEY, &[&records(0..30)[..], b"no record\n"].concat());
    // An upload is named by when it came; its records are of ten seconds before.
    let upload = "logs/http_requests/20260328/20260328T084200Z_20260328T084200Z_00000001.log.gz";
    let at = |seconds: i64| NOW_MS - 100_000 + seconds * 1000;
    let lines = (0..11).map(|second| {
        format!(r#"{{"RayID":"{}","EdgeStartTimestamp":{}}}"#, ray(500 + u64::try_from(second).unwrap()), at(second))
    });
    put(&fakes, upload, &ndjson(lines));
    let reply = Ask::get("/v1/coverage?start=2026-03-28T08:30:00Z&end=2026-03-28T08:42:24Z").of(&fakes);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let window = |start: &str, end: &str| json!([{"start": start, "end": end}]);
    assert_eq!(body["damaged"], window("2026-03-28T08:32:00.000Z", "2026-03-28T08:32:30.000Z"));
    assert_eq!(body["complete"], window("2026-03-28T08:40:45.000Z", "2026-03-28T08:40:55.000Z"));
    assert_eq!(batch_of("b", upload, "e").ledger, only_ledger(KEY), "of the same hour");
}

/// A key whose name is of an hour long after [`RANGE`].
const RENAMED: &str = "logs/http_requests/20260328/20260328T190000Z_20260328T190030Z_restored.log.gz";

/// The window of a kind in the coverage of the range.
fn coverage(fakes: &Fakes, kind: &str) -> Value {
    let path = "/v1/coverage?start=2026-03-28T08:30:00Z&end=2026-03-28T08:42:24Z";
    let body: Value = serde_json::from_slice(&Ask::get(path).of(fakes).body).unwrap();
    body[kind].clone()
}

/// Records of the range, a second apart.
fn timed(count: u32) -> Vec<u8> {
    ndjson((0..count).map(|number| {
        let second = number % 60;
        let ray = ray(u64::from(number));
        format!(r#"{{"RayID":"{ray}","EdgeStartTimestamp":"2026-03-28T08:40:{second:02}Z","ClientIP":"192.0.2.1"}}"#)
    }))
}

#[test]
fn renamed_batch_counts_where_its_records_are() {
    for (text, code, count, kind, window) in [
        (
            [&timed(3)[..], &b"a,b\n".repeat(20)].concat(),
            "quarantined_batches",
            1,
            "quarantined",
            ["08:40:00", "08:40:30"],
        ),
        ([&timed(30)[..], b"no record\n"].concat(), "rejected_lines", 1, "damaged", ["08:40:00", "08:40:29"]),
    ] {
        let fakes = Fakes::new();
        put(&fakes, RENAMED, &text);
        assert_eq!(completeness(&fakes, RANGE), reason(code, Some(count)));
        let [start, end] = window.map(|time| format!("2026-03-28T{time}.000Z"));
        assert_eq!(coverage(&fakes, kind), json!([{"start": start, "end": end}]), "{kind}");
        // Not a day before.
        assert!(completeness(&fakes, &RANGE.replace("28T08:", "27T08:")).0);
    }
    let fakes = Fakes::new();
    put(&fakes, RENAMED, &timed(30));
    assert!(completeness(&fakes, RANGE).0);
    assert_eq!(
        coverage(&fakes, "complete"),
        json!([{"start": "2026-03-28T08:40:00.000Z", "end": "2026-03-28T08:40:29.000Z"}])
    );
    let fakes = Fakes::new();
    put(&fakes, RENAMED, &timed(30));
    let ledger = fakes.ledgers.ledger(&only_ledger(RENAMED));
    ledger.sql.run("UPDATE source_v1 SET state = 'open'", &[]).unwrap();
    assert_eq!(completeness(&fakes, RANGE), reason("open_batches", Some(1)));
    assert_eq!(coverage(&fakes, "pending").as_array().map(Vec::len), Some(1));
}

#[test]
fn old_records_late_in_a_batch_count_too() {
    // Its first records are of its own hour, so only its end shows that it reaches into another one.
    let fakes = Fakes::new();
    let own = ndjson((0..40).map(|number| {
        format!(
            r#"{{"RayID":"{}","EdgeStartTimestamp":"2026-03-28T19:00:01Z","ClientIP":"192.0.2.1"}}"#,
            ray(900 + number)
        )
    }));
    put(&fakes, RENAMED, &[&own[..], &timed(3), b"no record\n"].concat());
    assert_eq!(completeness(&fakes, RANGE), reason("rejected_lines", Some(1)));
}

#[test]
fn batch_of_a_day_counts_to_its_end() {
    let fakes = Fakes::new();
    put(&fakes, &KEY.replace("20260328T083200Z_", "20260327T000000Z_"), b"a,b\n1,2\n");
    assert_eq!(completeness(&fakes, RANGE), reason("quarantined_batches", Some(1)));
}

#[test]
fn only_displaced_batches_cost_a_call() {
    let calls = |key: &str, text: &[u8]| {
        let fakes = Fakes::new();
        put(&fakes, &key.replace(".log", "0.log"), b"");
        let before = fakes.faults.calls();
        put(&fakes, key, text);
        fakes.faults.calls() - before
    };
    let ordinary = calls(KEY, &timed(30));
    assert_eq!(calls(RENAMED, &timed(30)), ordinary + 2, "as it begins, and before its seal");
}
