//! Answers that are cut: by failures, by memory, by damaged batches. What they count is counted once.

use raydex::limits::{CALLER_SHARES, COUNT_BYTES, COUNT_FULL_BYTES, COUNT_GROUP_BYTES, REQUEST_BYTES, STREAM_BYTES};
use raydex::mask::Role;
use raydex::memory::MemoryBudget;
use raydex::time::rfc3339;

use super::super::support::{Fault, Kind, NOW_MS};
use super::model::{Question, Sums, counts};
use super::{Answer, Store, add_up, ask, follow, ndjson, ray, record, start_ms, world};
use crate::support::random::Random;

/// All of a world by the minute and by two fields.
fn everything() -> (Question, String) {
    let (first_ms, last_ms) = (start_ms() - 655_360, NOW_MS);
    let by = vec!["EdgeResponseStatus".to_owned(), "ClientIP".to_owned()];
    let query = format!("start={}&end={}&step=60&by={}", rfc3339(first_ms), rfc3339(last_ms), by.join(","));
    let (start_ns, end_ns) = (first_ms * 1_000_000, last_ms * 1_000_000);
    let (role, zone, filter, step_s) = (Role::Forensics, None, None, Some(60));
    (Question { start_ns, end_ns, role, zone, filter, step_s, by }, query)
}

/// Adds up an answer and those that its cursor continues.
fn finished(store: &Store, query: &str, answer: &Answer) -> Sums {
    let mut sums = match answer.cursor() {
        Some(cursor) => follow(store, "forensics", &format!("{query}&cursor={cursor}"), 7).0,
        None => Sums::new(),
    };
    add_up(&mut sums, &answer.rows);
    sums
}

#[test]
fn failures_lose_nothing_and_count_nothing_twice() {
    let store = world(&mut Random::new(74));
    let (question, query) = everything();
    let expected = counts(&store, &question);
    let before = store.fakes.faults.calls();
    assert_eq!(follow(&store, "forensics", &query, 7).0, expected);
    let calls = store.fakes.faults.calls() - before;
    assert!(calls > 10, "{calls}");
    for nth in 1..calls {
        store.fakes.faults.plan(None, nth, Fault::Fails);
        let answer = Answer::of(&ask(&store, "forensics", &query, 7));
        assert!(store.fakes.faults.clear(), "call {nth}");
        assert_eq!(answer.trailer["error"]["code"], "unavailable", "call {nth}: {}", answer.trailer);
        assert_eq!(finished(&store, &query, &answer), expected, "call {nth}");
    }
}

#[test]
fn body_that_breaks_is_counted_to_its_break() {
    let mut store = Store::new();
    let noise = |number: u32| format!("{number:x}").repeat(40);
    let line = |number: u32| {
        let path = format!("\"/{}\"", noise(number.wrapping_mul(2_654_435_761)));
        let id = format!("\"{}\"", ray(start_ms() + i64::from(number), number));
        record(&id, None, &[("EdgeResponseStatus", "200"), ("ClientRequestURI", &path)])
    };
    for batch in 0..3 {
        let lines = (0..3_000).map(|number| line(batch * 3_000 + number));
        store.put(&format!("logs/{batch}.log.gz"), &ndjson(lines), true);
    }
    let (question, query) = everything();
    let expected = counts(&store, &question);
    let mut partial = 0;
    for nth in 0..12 {
        store.fakes.faults.plan(Some(Kind::Body), nth, Fault::Fails);
        let answer = Answer::of(&ask(&store, "forensics", &query, 7));
        store.fakes.faults.clear();
        partial += usize::from(answer.cursor().is_some() && !answer.rows.is_empty());
        assert_eq!(finished(&store, &query, &answer), expected, "body {nth}");
    }
    assert!(partial > 1, "{partial} answers with a part");
}

#[test]
fn memory_that_ends_leaves_exact_counts() {
    let mut store = world(&mut Random::new(76));
    let (question, query) = everything();
    let expected = counts(&store, &question);
    // The first cursor makes the key of cursors.
    follow(&store, "forensics", &query, 300_000);
    let (mut early, mut whole) = (0, 0);
    for extra in (0..128).step_by(4) {
        let share = REQUEST_BYTES + 3_000 + STREAM_BYTES + COUNT_BYTES + extra * 1024;
        let all = std::mem::replace(&mut store.fakes.memory, MemoryBudget::new(CALLER_SHARES * share));
        let reply = ask(&store, "forensics", &query, 7);
        assert_eq!(store.fakes.memory.available(), CALLER_SHARES * share, "memory is kept");
        store.fakes.memory = all;
        if reply.status != 200 || reply.is_broken {
            continue;
        }
        let answer = Answer::of(&reply);
        early += usize::from(answer.trailer.get("error").is_some());
        whole += usize::from(answer.cursor().is_none());
        assert_eq!(finished(&store, &query, &answer), expected, "{extra}");
    }
    assert!(early > 0 && whole > 0, "{early} ended early, {whole} are whole");
}

#[test]
fn groups_beyond_memory_have_several_rows() {
    let mut store = Store::new();
    let values = u32::try_from(COUNT_FULL_BYTES / COUNT_GROUP_BYTES).unwrap();
    let line = |number: u32| {
        // Each value comes twice, far apart.
        let path = format!("\"/{}\"", number % values);
        record(
            &format!("\"{}\"", ray(start_ms() + i64::from(number % 50), number)),
            None,
            &[("ClientRequestURI", &path)],
        )
    };
    store.put("logs/a.log.gz", &ndjson((0..2 * values).map(line)), true);
    let (question, _) = everything();
    let question = Question { step_s: None, by: vec!["ClientRequestURI".to_owned()], ..question };
    let query = format!("start={}&end={}&by=ClientRequestURI", rfc3339(start_ms() - 655_360), rfc3339(NOW_MS));
    let expected = counts(&store, &question);
    assert_eq!(expected.len(), values as usize);
    for query in [query.clone(), format!("{query}&top=5")] {
        let answer = Answer::of(&ask(&store, "forensics", &query, 7));
        assert_eq!((answer.cursor(), &answer.trailer["complete"]), (None, &true.into()));
        assert!(answer.rows.len() > expected.len(), "{} rows", answer.rows.len());
        let code = answer.trailer["warnings"][0]["code"].as_str();
        assert_eq!(code, query.contains("top").then_some("top_ignored"));
        let mut sums = Sums::new();
        assert_eq!(add_up(&mut sums, &answer.rows), u64::from(2 * values));
        assert_eq!(sums, expected);
    }
}

#[test]
fn long_values_are_counted_together() {
    let mut store = Store::new();
    let line = |number: u32, path: &str| {
        record(&format!("\"{}\"", ray(start_ms(), number)), None, &[("ClientRequestURI", &format!("\"{path}\""))])
    };
    let (fits, long) = ("x".repeat(1_022), "y".repeat(1_023));
    store.put("logs/a.log.gz", &ndjson([line(1, &fits), line(2, &long), line(3, &format!("{long}z"))]), true);
    let query = format!("start={}&end={}&by=ClientRequestURI", rfc3339(start_ms() - 1), rfc3339(NOW_MS));
    let rows = Answer::of(&ask(&store, "forensics", &query, 7)).rows;
    let first = format!(r#"{{"values":{{"ClientRequestURI":"{fits}"}},"count":1}}"#);
    assert_eq!(rows, [first, r#"{"other":true,"count":2}"#.to_owned()]);
}

#[test]
fn damaged_batch_is_said_and_passed_over() {
    let mut store = Store::new();
    let batch = |first: u32| -> Vec<String> {
        let id = |number: u32| format!("\"{}\"", ray(start_ms() + i64::from(number), number));
        (first..first + 4).map(|number| record(&id(number), None, &[])).collect()
    };
    for (key, first) in [("logs/a.log.gz", 0), ("logs/b.log.gz", 10), ("logs/c.log.gz", 20)] {
        store.put(key, &ndjson(batch(first)), true);
    }
    store.fakes.bucket.store("logs/b.log.gz", b"\x1f\x8b\x08\0no gzip at all");
    let query = format!("start={}&end={}", rfc3339(start_ms() - 1), rfc3339(NOW_MS));
    let first = Answer::of(&ask(&store, "forensics", &query, 7));
    assert_eq!((first.rows.clone(), &first.trailer["complete"]), (vec![r#"{"count":4}"#.to_owned()], &false.into()));
    assert_eq!(first.trailer["error"]["code"], "batch_unreadable", "{}", first.trailer);
    let cursor = first.cursor().unwrap();
    let rest = Answer::of(&ask(&store, "forensics", &format!("{query}&cursor={cursor}"), 7));
    assert_eq!((rest.rows, rest.trailer["complete"].clone()), (vec![r#"{"count":4}"#.to_owned()], true.into()));
}
