//! Objects that are gone, changed or damaged, and a world that fails.

use raydex::backend::{Bucket, ByteStream};
use raydex::bucket_keys::{summaries_key, version_digest, windows_key};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::filter::Filter;
use raydex::query::{QueryError, QueryRun, QueryStep, RangeQuery};
use raydex::record::Dataset;

use super::generate::{PREFIX_MS, Store, gzip, ray, record, start_ms};
use super::random::Random;
use super::support::records::ndjson;
use super::support::{Fault, Kind, MemoryBucket};
use super::{answer, finish, step};

fn ask() -> RangeQuery {
    RangeQuery::new(
        Dataset::HttpRequests,
        (start_ms() - PREFIX_MS) * 1_000_000,
        (start_ms() + 3 * PREFIX_MS) * 1_000_000,
    )
}

fn line(number: u32, host: &str, filler: &str) -> String {
    let id = format!("\"{}\"", ray(start_ms() + i64::from(number), number));
    record(&id, None, &[("ClientRequestHost", &format!("\"{host}\"")), ("ClientRequestURI", &format!("\"{filler}\""))])
}

/// Three batches of three lines.
fn three() -> (Store, Vec<String>) {
    let mut store = Store::new();
    let lines: Vec<String> = (0..9).map(|number| line(number, "h", "")).collect();
    for (number, lines) in lines.chunks(3).enumerate() {
        store.put(&format!("logs/{number}.log.gz"), &ndjson(lines), true);
    }
    (store, lines)
}

/// The lines that are returned before the run breaks off, and its error.
fn until_it_breaks<Y: ByteStream>(store: &Store, run: &mut QueryRun<Y>) -> (Vec<String>, QueryError)
where
    MemoryBucket: Bucket<Body = Y>,
{
    let mut returned = Vec::new();
    loop {
        match step(&store.fakes, run) {
            Ok(QueryStep::Lines(lines)) => {
                returned.extend(lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()));
            }
            Ok(QueryStep::Pause) => {}
            Ok(QueryStep::End(_)) => panic!("it is damaged"),
            Err(error) => return (returned, error),
        }
    }
}

#[test]
fn missing_batch_is_counted_and_the_others_returned() {
    let (store, lines) = three();
    store.fakes.bucket.delete("logs/1.log.gz");
    let found = answer(&store.fakes, ask());
    assert_eq!(found.texts(), [&lines[..3], &lines[6..]].concat());
    assert_eq!((found.stats.batches_gone, found.stats.batches_read), (1, 2));
}

#[test]
fn changed_batch_is_read_as_it_is_now() {
    let (store, lines) = three();
    let now = [line(20, "h", ""), line(21, "h", "")];
    store.fakes.bucket.store("logs/1.log.gz", &gzip(&ndjson(&now)));
    let found = answer(&store.fakes, ask());
    assert_eq!(found.texts(), [&lines[..3], &now, &lines[6..]].concat());
    assert_eq!(found.stats.full_scans, 1);
}

#[test]
fn unreadable_batch_is_an_error_and_passed_over() {
    let (store, lines) = three();
    let whole = store.fakes.bucket.object("logs/1.log.gz").unwrap();
    for damaged in [&b""[..], &whole.bytes[..whole.bytes.len() / 2], &[&whole.bytes[..], b"x"].concat()] {
        store.fakes.bucket.store("logs/1.log.gz", damaged);
        let mut run = QueryRun::new(ask()).unwrap();
        let (returned, error) = until_it_breaks(&store, &mut run);
        let QueryError::Unreadable { object, cursor, .. } = error else { panic!("{error:?}") };
        assert_eq!((object.key.as_str(), run.stats().batches_unreadable), ("logs/1.log.gz", 1));
        let rest = finish(&store.fakes, &mut run).unwrap();
        assert_eq!(rest.texts(), lines[6..]);
        assert_eq!(answer(&store.fakes, RangeQuery { cursor: Some(cursor), ..ask() }).texts(), lines[6..]);
        assert_eq!(returned[..3], lines[..3]);
    }
}

#[test]
fn lines_before_the_damage_are_returned_once() {
    let mut store = Store::new();
    let of = |numbers: std::ops::Range<u32>| numbers.map(|number| line(number, "h", "")).collect::<Vec<_>>();
    let batches = [of(0..3), of(10..2_010), of(3_000..3_003)];
    for (number, lines) in batches.iter().enumerate() {
        store.put(&format!("logs/{number}.log.gz"), &ndjson(lines), true);
    }
    let whole = store.fakes.bucket.object("logs/1.log.gz").unwrap();
    store.fakes.bucket.store("logs/1.log.gz", &whole.bytes[..whole.bytes.len() / 3 * 2]);
    store.fakes.bucket.set_pieces(&[512]);
    let mut run = QueryRun::new(ask()).unwrap();
    let (returned, error) = until_it_breaks(&store, &mut run);
    let QueryError::Unreadable { cursor, .. } = error else { panic!("{error:?}") };
    let all = batches.concat();
    assert!((1_000..2_003).contains(&returned.len()), "{} lines of two thirds of the batch", returned.len());
    assert_eq!(returned, all[..returned.len()]);
    assert_eq!(finish(&store.fakes, &mut run).unwrap().texts(), batches[2]);
    assert_eq!(answer(&store.fakes, RangeQuery { cursor: Some(cursor), ..ask() }).texts(), batches[2]);
}

#[test]
fn a_failed_call_loses_and_repeats_no_line() {
    let (store, lines) = three();
    let calls = |work: &dyn Fn()| {
        let before = store.fakes.faults.calls();
        work();
        store.fakes.faults.calls() - before
    };
    let all = calls(&|| assert_eq!(answer(&store.fakes, ask()).texts(), lines));
    assert!(all >= 8, "{all}");
    for passing in 0..all {
        store.fakes.faults.plan(None, passing, Fault::Fails);
        let mut run = QueryRun::new(ask()).unwrap();
        let mut returned = Vec::new();
        let mut errors = 0;
        let mut from = None;
        loop {
            match step(&store.fakes, &mut run) {
                Ok(QueryStep::Lines(lines)) => returned.extend(lines),
                Ok(QueryStep::Pause) => {}
                Ok(QueryStep::End(_)) => break,
                Err(QueryError::Backend { cursor, .. }) => {
                    errors += 1;
                    from = Some((returned.len(), cursor));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(store.fakes.faults.clear());
        // An error after the first lines of a batch is tried again before it is returned.
        assert!(errors <= 1);
        let texts: Vec<String> = returned.iter().map(|line| String::from_utf8(line.bytes.clone()).unwrap()).collect();
        assert_eq!(texts, lines, "call {passing}");
        if let Some((returned, cursor)) = from {
            assert_eq!(answer(&store.fakes, RangeQuery { cursor: Some(cursor), ..ask() }).texts(), lines[returned..]);
        }
    }
}

#[test]
fn cut_connection_is_an_error_not_an_end() {
    let (store, lines) = three();
    store.fakes.bucket.cut_after(Some(20));
    let mut run = QueryRun::new(ask()).unwrap();
    assert!(matches!(finish(&store.fakes, &mut run), Err(QueryError::Backend { .. })));
    store.fakes.bucket.cut_after(None);
    assert_eq!(finish(&store.fakes, &mut run).unwrap().texts(), lines);
}

/// A batch of several spans, a filter that rules most of them out, and the lines that pass it.
fn large() -> (Store, RangeQuery, Vec<String>) {
    let mut random = Random::new(9);
    let mut noise = || hex::encode((0..60).flat_map(|_| random.next().to_le_bytes()).collect::<Vec<u8>>());
    let host = |number: u32| if (2_500..2_510).contains(&number) { "rare" } else { "usual" };
    let lines: Vec<String> = (0..5_000).map(|number| line(number, host(number), &noise())).collect();
    let mut store = Store::new();
    store.put("logs/large.log.gz", &ndjson(&lines), true);
    let filter = Filter::parse(r#"{"where":{"key":"ClientRequestHost","operator":"eq","value":"rare"}}"#).unwrap();
    (store, ask().with_filter(filter), lines[2_500..2_510].to_vec())
}

fn beside(store: &Store) -> [String; 2] {
    let head = store.fakes.bucket.object("logs/large.log.gz").unwrap().head;
    let digest = version_digest(BUCKET_NAME, "logs/large.log.gz", &head.etag);
    [windows_key(&digest), summaries_key(&digest)]
}

#[test]
fn sidecar_objects_may_be_gone_or_damaged() {
    let (store, ask, expected) = large();
    let sound = answer(&store.fakes, ask.clone());
    assert_eq!((sound.texts(), sound.stats.full_scans), (expected.clone(), 0));
    assert!(sound.stats.spans_skipped > 2);
    for key in beside(&store) {
        let whole = store.fakes.bucket.object(&key).unwrap().bytes;
        let flipped: Vec<u8> = whole.iter().map(|byte| byte ^ 1).collect();
        let longer = [&whole[..], b"x"].concat();
        // R2 refuses a range after the end, so windows are not cut.
        let cut = if key.contains("/windows/") { &flipped } else { &whole[..whole.len() / 2] };
        for damaged in [None, Some(cut), Some(&flipped[..]), Some(&longer[..])] {
            match damaged {
                None => assert!(store.fakes.bucket.delete(&key)),
                Some(bytes) => drop(store.fakes.bucket.store(&key, bytes)),
            }
            let found = answer(&store.fakes, ask.clone());
            assert_eq!(found.texts(), expected, "{key}");
            // What follows the windows belongs to no span.
            let is_whole = damaged == Some(&longer[..]) && key.contains("/windows/");
            assert_eq!(found.stats.bytes_inflated > sound.stats.bytes_inflated, !is_whole, "{key}: {:?}", found.stats);
        }
        store.fakes.bucket.store(&key, &whole);
    }
}

#[test]
fn changed_or_missing_batch_of_spans_is_seen() {
    let (store, ask, expected) = large();
    let other = ndjson([line(1, "rare", "new"), line(2, "usual", "")]);
    store.fakes.bucket.store("logs/large.log.gz", &gzip(&other));
    let found = answer(&store.fakes, ask.clone());
    assert_eq!((found.texts(), found.stats.full_scans), (vec![line(1, "rare", "new")], 1));
    assert_ne!(found.texts(), expected);
    store.fakes.bucket.delete("logs/large.log.gz");
    assert_eq!(answer(&store.fakes, ask).stats.batches_gone, 1);
}

#[test]
fn a_failure_amid_spans_loses_no_line() {
    let (store, _, _) = large();
    let lines = answer(&store.fakes, ask()).texts();
    assert_eq!(lines.len(), 5_000);
    store.fakes.bucket.set_pieces(&[50_000]);
    for passing in [0, 3, 10, 30] {
        store.fakes.faults.plan(Some(Kind::Body), passing, Fault::Fails);
        let mut run = QueryRun::new(ask()).unwrap();
        let mut returned = Vec::new();
        loop {
            match step(&store.fakes, &mut run) {
                Ok(QueryStep::Lines(lines)) => returned.extend(lines),
                Ok(QueryStep::Pause) => {}
                Ok(QueryStep::End(_)) => break,
                Err(error) => assert!(matches!(error, QueryError::Backend { .. })),
            }
        }
        assert!(store.fakes.faults.clear());
        let returned: Vec<String> = returned.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect();
        assert!(returned == lines, "{} of {}", returned.len(), lines.len());
        // It went on at its place.
        assert!(run.stats().bytes_inflated < 2 * 5_300_000);
    }
}
