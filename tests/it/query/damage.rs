//! Objects that are gone, changed or damaged, and a world that fails.

use raydex::backend::{Bucket, Bytes};
use raydex::bucket_keys::{summaries_key, version_digest, windows_key};
use raydex::config::DEFAULT_BUCKET_NAME as BUCKET_NAME;
use raydex::filter::Filter;
use raydex::query::{Ask, QueryError, Run, Step};
use raydex::record::Dataset;

use super::generate::{PREFIX_MS, Store, gzip, ray, record, start_ms};
use super::random::Random;
use super::support::records::ndjson;
use super::support::{Fault, Kind, MemoryBucket};
use super::{LATER_MS, answer, finish, step};

fn ask() -> Ask {
    Ask::all(Dataset::HttpRequests, (start_ms() - PREFIX_MS) * 1_000_000, (start_ms() + 3 * PREFIX_MS) * 1_000_000)
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

/// The lines that are told before the run breaks off, and why it does.
fn until_it_breaks<Y: Bytes>(store: &Store, run: &mut Run<Y>) -> (Vec<String>, QueryError)
where
    MemoryBucket: Bucket<Body = Y>,
{
    let mut told = Vec::new();
    loop {
        match step(&store.fakes, run) {
            Ok(Step::Unknown) => panic!("no calendar was learnt"),
            Ok(Step::Lines(lines)) => {
                told.extend(lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()));
            }
            Ok(Step::End(_)) => panic!("it is damaged"),
            Err(error) => return (told, error),
        }
    }
}

#[test]
fn missing_batch_is_counted_and_others_are_returned() {
    let (store, lines) = three();
    store.fakes.bucket.delete("logs/1.log.gz");
    let found = answer(&store.fakes, ask());
    assert_eq!(found.texts(), [&lines[..3], &lines[6..]].concat());
    assert_eq!((found.told.objects_gone, found.told.batches_read), (1, 2));
}

#[test]
fn changed_batch_is_read_as_it_is_now() {
    let (store, lines) = three();
    let now = [line(20, "h", ""), line(21, "h", "")];
    store.fakes.bucket.store("logs/1.log.gz", &gzip(&ndjson(&now)));
    let found = answer(&store.fakes, ask());
    assert_eq!(found.texts(), [&lines[..3], &now, &lines[6..]].concat());
    assert_eq!(found.told.full_scans, 1);
}

#[test]
fn unreadable_batch_is_located_and_skipped_next_time() {
    let (store, lines) = three();
    let whole = store.fakes.bucket.object("logs/1.log.gz").unwrap();
    for damaged in [&b""[..], &whole.bytes[..whole.bytes.len() / 2], &[&whole.bytes[..], b"x"].concat()] {
        store.fakes.bucket.store("logs/1.log.gz", damaged);
        let mut run = Run::new(ask(), LATER_MS).unwrap();
        let (told, error) = until_it_breaks(&store, &mut run);
        let QueryError::Unreadable { object, cursor, .. } = error else { panic!("{error:?}") };
        assert_eq!((object.key.as_str(), run.told().objects_unreadable), ("logs/1.log.gz", 1));
        let rest = finish(&store.fakes, &mut run).unwrap();
        assert_eq!(rest.texts(), lines[6..]);
        assert_eq!(answer(&store.fakes, Ask { from: Some(cursor), ..ask() }).texts(), lines[6..]);
        assert_eq!(told[..3], lines[..3]);
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
    let mut run = Run::new(ask(), LATER_MS).unwrap();
    let (told, error) = until_it_breaks(&store, &mut run);
    let QueryError::Unreadable { cursor, .. } = error else { panic!("{error:?}") };
    let all = batches.concat();
    assert!((1_000..2_003).contains(&told.len()), "{} lines of two thirds of the batch", told.len());
    assert_eq!(told, all[..told.len()]);
    assert_eq!(finish(&store.fakes, &mut run).unwrap().texts(), batches[2]);
    assert_eq!(answer(&store.fakes, Ask { from: Some(cursor), ..ask() }).texts(), batches[2]);
}

#[test]
fn any_failing_call_loses_and_repeats_no_line() {
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
        let mut run = Run::new(ask(), LATER_MS).unwrap();
        let mut told = Vec::new();
        let mut errors = 0;
        let mut from = None;
        loop {
            match step(&store.fakes, &mut run) {
                Ok(Step::Unknown) => panic!("no calendar was learnt"),
                Ok(Step::Lines(lines)) => told.extend(lines),
                Ok(Step::End(_)) => break,
                Err(QueryError::Backend { cursor, .. }) => {
                    errors += 1;
                    from = Some((told.len(), cursor));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(store.fakes.faults.clear());
        // An error behind the first lines of a batch is tried again before it is told.
        assert!(errors <= 1);
        let texts: Vec<String> = told.iter().map(|line| String::from_utf8(line.bytes.clone()).unwrap()).collect();
        assert_eq!(texts, lines, "call {passing}");
        if let Some((told, cursor)) = from {
            assert_eq!(answer(&store.fakes, Ask { from: Some(cursor), ..ask() }).texts(), lines[told..]);
        }
    }
}

#[test]
fn cut_connection_is_an_error_not_an_end() {
    let (store, lines) = three();
    store.fakes.bucket.cut_after(Some(20));
    let mut run = Run::new(ask(), LATER_MS).unwrap();
    assert!(matches!(finish(&store.fakes, &mut run), Err(QueryError::Backend { .. })));
    store.fakes.bucket.cut_after(None);
    assert_eq!(finish(&store.fakes, &mut run).unwrap().texts(), lines);
}

/// A batch of several spans, a filter that rules most of them out, and the lines that pass it.
fn large() -> (Store, Ask, Vec<String>) {
    let mut random = Random::new(9);
    let mut noise = || hex::encode((0..60).flat_map(|_| random.next().to_le_bytes()).collect::<Vec<u8>>());
    let host = |number: u32| if (2_500..2_510).contains(&number) { "rare" } else { "usual" };
    let lines: Vec<String> = (0..5_000).map(|number| line(number, host(number), &noise())).collect();
    let mut store = Store::new();
    store.put("logs/large.log.gz", &ndjson(&lines), true);
    let filter = Filter::parse(r#"{"where":{"key":"ClientRequestHost","operator":"eq","value":"rare"}}"#).unwrap();
    (store, Ask { filter: Some(filter), ..ask() }, lines[2_500..2_510].to_vec())
}

fn beside(store: &Store) -> [String; 2] {
    let head = store.fakes.bucket.object("logs/large.log.gz").unwrap().head;
    let digest = version_digest(BUCKET_NAME, "logs/large.log.gz", &head.etag);
    [windows_key(&digest), summaries_key(&digest)]
}

#[test]
fn sidecar_objects_may_be_missing_or_damaged() {
    let (store, ask, expected) = large();
    let sound = answer(&store.fakes, ask.clone());
    assert_eq!((sound.texts(), sound.told.full_scans), (expected.clone(), 0));
    assert!(sound.told.spans_skipped > 2);
    for key in beside(&store) {
        let whole = store.fakes.bucket.object(&key).unwrap().bytes;
        let flipped: Vec<u8> = whole.iter().map(|byte| byte ^ 1).collect();
        let longer = [&whole[..], b"x"].concat();
        // R2 refuses a range behind the end, so windows are not cut.
        let cut = if key.starts_with("windows/") { &flipped } else { &whole[..whole.len() / 2] };
        for damaged in [None, Some(cut), Some(&flipped[..]), Some(&longer[..])] {
            match damaged {
                None => assert!(store.fakes.bucket.delete(&key)),
                Some(bytes) => drop(store.fakes.bucket.store(&key, bytes)),
            }
            let found = answer(&store.fakes, ask.clone());
            assert_eq!(found.texts(), expected, "{key}");
            // What stands behind the windows is nobody's.
            let is_whole = damaged == Some(&longer[..]) && key.starts_with("windows/");
            assert_eq!(found.told.bytes_inflated > sound.told.bytes_inflated, !is_whole, "{key}: {:?}", found.told);
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
    assert_eq!((found.texts(), found.told.full_scans), (vec![line(1, "rare", "new")], 1));
    assert_ne!(found.texts(), expected);
    store.fakes.bucket.delete("logs/large.log.gz");
    assert_eq!(answer(&store.fakes, ask).told.objects_gone, 1);
}

#[test]
fn failure_within_a_batch_of_spans_costs_nothing() {
    let (store, _, _) = large();
    let lines = answer(&store.fakes, ask()).texts();
    assert_eq!(lines.len(), 5_000);
    store.fakes.bucket.set_pieces(&[50_000]);
    for passing in [0, 3, 10, 30] {
        store.fakes.faults.plan(Some(Kind::Body), passing, Fault::Fails);
        let mut run = Run::new(ask(), LATER_MS).unwrap();
        let mut told = Vec::new();
        loop {
            match step(&store.fakes, &mut run) {
                Ok(Step::Unknown) => panic!("no calendar was learnt"),
                Ok(Step::Lines(lines)) => told.extend(lines),
                Ok(Step::End(_)) => break,
                Err(error) => assert!(matches!(error, QueryError::Backend { .. })),
            }
        }
        assert!(store.fakes.faults.clear());
        let told: Vec<String> = told.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect();
        assert!(told == lines, "{} of {}", told.len(), lines.len());
        // It went on at its place.
        assert!(run.told().bytes_inflated < 2 * 5_300_000);
    }
}
