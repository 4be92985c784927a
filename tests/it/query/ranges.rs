//! Ranges and filters at random: exactly the lines that there are, in their order.

use std::borrow::Cow;

use raydex::filter::Filter;
use raydex::query::{QueryEnd, QueryRun, QueryStep, RangeQuery, RecordSink};
use raydex::record::{Dataset, RayId};
use raydex::services::Services;

use super::generate::{PREFIX_MS, Store, filter, ray, record, start_ms};
use super::random::Random;
use super::support::NOW_MS;
use super::support::records::{PREFIX, ndjson};
use super::{FixedDirectory, LATER_MS, answer, oracle};

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
fn every_record_is_returned_once_and_in_order() {
    let (mut lines, mut skipped) = (0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 8, 30);
        for _ in 0..12 {
            let (start_ns, end_ns) = range(&mut random);
            let filter = random.chance(700).then(|| Filter::parse(&filter(&mut random)).unwrap());
            let expected = oracle::lines(&store, start_ns, end_ns, filter.as_ref());
            let all = RangeQuery::new(Dataset::HttpRequests, start_ns, end_ns);
            let ask = filter.clone().into_iter().fold(all, RangeQuery::with_filter);
            let found = answer(&store.fakes, ask);
            let shown = filter.as_ref().map(Filter::text);
            assert_eq!(found.texts(), expected, "seed {seed}, {start_ns}..{end_ns}, {shown:?}");
            assert_eq!(found.end, QueryEnd::Complete);
            let stats = found.stats;
            assert_eq!(stats.batches_considered, stats.batches_skipped + stats.batches_read, "{stats:?}");
            assert_eq!(stats.records_returned, expected.len() as u64);
            lines += expected.len();
            skipped += stats.batches_skipped;
        }
    }
    assert!(lines > 10_000 && skipped > 500, "{lines} lines, {skipped} batches passed over: that shows little");
}

#[test]
fn a_range_is_half_open_to_the_nanosecond() {
    let mut store = Store::new();
    let ns = start_ms() * 1_000_000 + 5;
    let id = format!("\"{}\"", ray(start_ms(), 1));
    let lines: Vec<String> = (0..3).map(|more| record(&id, Some(&(ns + more).to_string()), &[])).collect();
    store.put("logs/a.log.gz", &ndjson(&lines), true);
    let lines_of = |start, end| answer(&store.fakes, RangeQuery::new(Dataset::HttpRequests, start, end)).texts();
    assert_eq!(lines_of(ns, ns + 1), lines[..1]);
    assert_eq!(lines_of(ns + 1, ns + 3), lines[1..]);
    assert_eq!(lines_of(ns - 9, ns), lines[..0]);
}

#[test]
fn an_empty_range_asks_no_shard() {
    let store = Store::new();
    for (start, end) in [(5, 5), (6, 5), (i64::MAX, i64::MIN)] {
        let found = answer(&store.fakes, RangeQuery::new(Dataset::HttpRequests, start, end));
        assert_eq!((found.stats.shards_asked, found.end), (0, QueryEnd::Complete));
    }
}

#[test]
fn a_record_is_found_by_its_own_time() {
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
    let ask = RangeQuery::new(Dataset::HttpRequests, at / 1000 * 1_000_000_000, (at + 3) * 1_000_000);
    assert_eq!(answer(&store.fakes, ask).texts(), lines);
    // The shard of the ray is asked too, and tells nothing.
    let ask =
        RangeQuery::new(Dataset::HttpRequests, (at - 6 * PREFIX_MS) * 1_000_000, (at - 4 * PREFIX_MS) * 1_000_000);
    let found = answer(&store.fakes, ask);
    assert_eq!((found.lines.len(), found.stats.batches_considered, found.stats.batches_skipped), (0, 1, 1));
}

#[test]
fn prefixes_ahead_of_the_clock_are_not_asked() {
    let mut store = Store::new();
    let line = record(&format!("\"{}\"", ray(NOW_MS, 1)), None, &[]);
    store.put("logs/a.log.gz", &ndjson([&line]), true);
    let ten_years = 10 * 365 * 86_400 * 1_000_000_000;
    let found =
        answer(&store.fakes, RangeQuery::new(Dataset::HttpRequests, NOW_MS * 1_000_000 - 10_000_000, ten_years * 8));
    assert_eq!(found.texts(), [line]);
    let prefixes = RayId::prefix_at(LATER_MS * 1_000_000) - RayId::prefix_at(NOW_MS * 1_000_000) + 2;
    assert_eq!((found.stats.shards_asked, found.end), (u64::from(prefixes), QueryEnd::Complete));
}

/// Shows every other line, in capital letters, and notes the lines that it sees.
#[derive(Default)]
struct EveryOtherLine(Vec<String>);

impl RecordSink for EveryOtherLine {
    fn view<'l>(&mut self, _zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        self.0.push(String::from_utf8(line.to_vec()).unwrap());
        self.0.len().is_multiple_of(2).then(|| line.to_ascii_uppercase().into())
    }
}

#[test]
fn a_sink_decides_what_is_returned_and_counted() {
    let mut random = Random::new(3);
    let store = Store::random(&mut random, 4, 30);
    let all = oracle::lines(&store, 0, i64::MAX, None);
    let start_ns = (start_ms() - PREFIX_MS) * 1_000_000;
    let query = RangeQuery { limit: Some(5), ..RangeQuery::new(Dataset::HttpRequests, start_ns, i64::MAX) };
    let mut run = QueryRun::new(query).unwrap();
    let (mut sink, mut lines) = (EveryOtherLine::default(), Vec::new());
    loop {
        let directory = FixedDirectory::of_any();
        let next = run.next(store.fakes.batch_store(), &store.fakes.shards, &directory, &|| 0, &mut sink);
        match super::support::run(next).unwrap() {
            QueryStep::Lines(more) => lines.extend(more.into_iter().map(|line| String::from_utf8(line.bytes).unwrap())),
            QueryStep::Pause => {}
            QueryStep::End(end) => break assert!(matches!(end, QueryEnd::Limit(_))),
        }
    }
    assert_eq!(sink.0, all[..10]);
    let shown: Vec<String> = all.iter().skip(1).step_by(2).take(5).map(|line| line.to_ascii_uppercase()).collect();
    assert_eq!(lines, shown);
    assert_eq!(run.stats().records_returned, 5);
}
