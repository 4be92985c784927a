//! Ranges and filters at random: exactly the lines that there are, in their order.

use raydex::filter::Filter;
use raydex::query::{Ask, Ended};
use raydex::record::{Dataset, RayId};
use raydex::services::Services;

use super::generate::{PREFIX_MS, Store, filter, ray, record, start_ms};
use super::random::Random;
use super::support::NOW_MS;
use super::support::records::{PREFIX, ndjson};
use super::{LATER_MS, answer, oracle};

/// A range that ends or begins at odd places.
pub(crate) fn range(random: &mut Random) -> (i64, i64) {
    let at = |random: &mut Random| {
        let ms = start_ms() + random.between(-2 * PREFIX_MS, 4 * PREFIX_MS);
        match random.below(3) {
            0 => RayId::prefix_start_ns(RayId::prefix_at(ms * 1_000_000)),
            _ => ms * 1_000_000 + random.between(0, 1_000_000),
        }
    };
    let (a, b) = (at(random), at(random));
    (a.min(b), a.max(b))
}

#[test]
fn records_are_returned_once_and_in_order() {
    let (mut lines, mut skipped) = (0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 8, 30);
        for _ in 0..12 {
            let (start_ns, end_ns) = range(&mut random);
            let filter = random.chance(700).then(|| Filter::parse(&filter(&mut random)).unwrap());
            let expected = oracle::lines(&store, start_ns, end_ns, filter.as_ref());
            let ask = Ask { filter: filter.clone(), ..Ask::all(Dataset::HttpRequests, start_ns, end_ns) };
            let found = answer(&store.fakes, ask);
            let shown = filter.as_ref().map(Filter::text);
            assert_eq!(found.texts(), expected, "seed {seed}, {start_ns}..{end_ns}, {shown:?}");
            assert_eq!(found.ended, Ended::Complete);
            let told = found.told;
            assert_eq!(told.batches_considered, told.batches_skipped + told.batches_read, "{told:?}");
            assert_eq!(told.records_told, expected.len() as u64);
            lines += expected.len();
            skipped += told.batches_skipped;
        }
    }
    assert!(lines > 10_000 && skipped > 500, "{lines} lines, {skipped} batches passed over: that shows little");
}

#[test]
fn range_includes_start_excludes_end_to_the_nanosecond() {
    let mut store = Store::new();
    let ns = start_ms() * 1_000_000 + 5;
    let id = format!("\"{}\"", ray(start_ms(), 1));
    let lines: Vec<String> = (0..3).map(|more| record(&id, Some(&(ns + more).to_string()), &[])).collect();
    store.put("logs/a.log.gz", &ndjson(&lines), true);
    let told = |start, end| answer(&store.fakes, Ask::all(Dataset::HttpRequests, start, end)).texts();
    assert_eq!(told(ns, ns + 1), lines[..1]);
    assert_eq!(told(ns + 1, ns + 3), lines[1..]);
    assert_eq!(told(ns - 9, ns), lines[..0]);
}

#[test]
fn an_empty_range_asks_nobody() {
    let store = Store::new();
    for (start, end) in [(5, 5), (6, 5), (i64::MAX, i64::MIN)] {
        let found = answer(&store.fakes, Ask::all(Dataset::HttpRequests, start, end));
        assert_eq!((found.told.shards_asked, found.ended), (0, Ended::Complete));
    }
}

#[test]
fn record_is_found_by_time_whatever_its_ray() {
    let mut store = Store::new();
    // Batches' names tell whole seconds.
    let at = RayId::prefix_start_ns(PREFIX - 1) / 1_000_000 + 800;
    let elsewhere = format!("\"{}\"", ray(at - 5 * PREFIX_MS, 1));
    let lines = [
        record(&elsewhere, Some(&(at * 1_000_000).to_string()), &[]),
        record("\"test-ray\"", Some(&(at + 1).to_string()), &[]),
        record("null", Some(&(at + 2).to_string()), &[]),
        // The batch's own time.
        record("null", None, &[]),
    ];
    let key = format!("logs/{}_x.log.gz", raydex::time::stamp(at));
    store.put(&key, &ndjson(&lines), true);
    let ask = Ask::all(Dataset::HttpRequests, at / 1000 * 1_000_000_000, (at + 3) * 1_000_000);
    assert_eq!(answer(&store.fakes, ask).texts(), lines);
    // The shard of the ray is asked too, and tells nothing.
    let ask = Ask::all(Dataset::HttpRequests, (at - 6 * PREFIX_MS) * 1_000_000, (at - 4 * PREFIX_MS) * 1_000_000);
    let found = answer(&store.fakes, ask);
    assert_eq!((found.lines.len(), found.told.batches_considered, found.told.batches_skipped), (0, 1, 1));
}

#[test]
fn future_shards_are_not_asked() {
    let mut store = Store::new();
    let line = record(&format!("\"{}\"", ray(NOW_MS, 1)), None, &[]);
    store.put("logs/a.log.gz", &ndjson([&line]), true);
    let ten_years = 10 * 365 * 86_400 * 1_000_000_000;
    let found = answer(&store.fakes, Ask::all(Dataset::HttpRequests, NOW_MS * 1_000_000 - 10_000_000, ten_years * 8));
    assert_eq!(found.texts(), [line]);
    let prefixes = RayId::prefix_at(LATER_MS * 1_000_000) - RayId::prefix_at(NOW_MS * 1_000_000) + 2;
    assert_eq!((found.told.shards_asked, found.ended), (u64::from(prefixes), Ended::Complete));
}

#[test]
fn invisible_records_are_neither_returned_nor_counted() {
    let mut random = Random::new(3);
    let store = Store::random(&mut random, 4, 30);
    let all = oracle::lines(&store, 0, i64::MAX, None);
    let mut run = raydex::query::Run::new(
        Ask {
            limit: Some(5),
            start_ns: (start_ms() - PREFIX_MS) * 1_000_000,
            ..Ask::all(Dataset::HttpRequests, 0, i64::MAX)
        },
        LATER_MS,
    )
    .unwrap();
    let mut seen = Vec::new();
    let mut keep = |line: &[u8]| {
        seen.push(String::from_utf8(line.to_vec()).unwrap());
        seen.len() % 2 == 0
    };
    let mut lines = Vec::new();
    loop {
        let next = run.next(store.fakes.batch_store(), &store.fakes.shards, &|| 0, &mut keep);
        match super::support::run(next).unwrap() {
            raydex::query::Step::Lines(more) => lines.extend(more.into_iter().map(|line| line.bytes)),
            raydex::query::Step::Unknown => panic!("no calendar was learnt"),
            raydex::query::Step::End(ended) => break assert!(matches!(ended, Ended::Limit(_))),
        }
    }
    assert_eq!(seen, all[..10]);
    let kept: Vec<&[u8]> = all.iter().skip(1).step_by(2).take(5).map(String::as_bytes).collect();
    assert_eq!(lines, kept);
    assert_eq!(run.told().records_told, 5);
}
