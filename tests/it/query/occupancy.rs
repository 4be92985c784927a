//! Answers that go by a directory: the same lines, without the calls to shards in which nothing ever was.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use raydex::backend::{BackendError, DurableObjects};
use raydex::index::OccupancyMap;
use raydex::ledger::RegistryDirectory;
use raydex::ledger::occupancy::{mark_occupied, read_occupancy};
use raydex::limits::{OCCUPANCY_MARGIN, OCCUPANCY_ROW, OCCUPANCY_ROWS, QUERY_OPERATIONS};
use raydex::query::{QueryBudget, QueryCursor, QueryEnd, QueryError, QueryRun, QueryStep, RangeQuery, ShardDirectory};
use raydex::record::{Dataset, RayId};
use raydex::services::Services;

use super::generate::{PREFIX_MS, Store, record, start_ms};
use super::random::Random;
use super::ranges::range;
use super::support::bucket::MemoryBody;
use super::support::records::{PREFIX, ndjson};
use super::support::slices::slice_of;
use super::support::{Fakes, Fault, Kind, run as now};
use super::{Answer, EveryLine, FixedDirectory, LATER_MS, answer, answer_by, finish_by, oracle};

const DATASET: Dataset = Dataset::HttpRequests;
/// The prefix of an answer's clock.
const LATER: u32 = PREFIX + 5;

/// The answer that goes by what the registry knows.
fn by_registry(fakes: &Fakes, query: RangeQuery) -> Answer {
    answer_by(fakes, &RegistryDirectory(&fakes.ledgers), query)
}

/// The answer of an index in which nothing is before that prefix.
fn answer_from(store: &Store, query: RangeQuery, prefix: u32) -> Answer {
    answer_by(&store.fakes, &FixedDirectory::from_prefix(prefix), query)
}

/// The registry, of whose answers only so many prefixes are used at a time.
struct ShortAnswers<'f>(&'f Fakes, u32);

impl ShardDirectory for ShortAnswers<'_> {
    async fn occupancy(&self, dataset: Dataset, prefixes: RangeInclusive<u32>) -> Result<OccupancyMap, BackendError> {
        let until = prefixes.start() + self.1;
        let map = RegistryDirectory(&self.0.ledgers).occupancy(dataset, prefixes).await?;
        Ok(OccupancyMap { until: until.min(map.until), ..map })
    }
}

fn all(start_ns: i64, end_ns: i64) -> RangeQuery {
    RangeQuery::new(DATASET, start_ns, end_ns)
}

/// A record of the first instant of a prefix, in a batch of its own.
fn put(store: &mut Store, key: &str, prefix: u32) -> String {
    let line = record(&format!("\"{}\"", RayId::from_parts(prefix, 1)), None, &[]);
    store.put(key, &ndjson([&line]), true);
    line
}

/// Shards that hold nothing, and write down which of them are asked.
#[derive(Default)]
struct Empty(RefCell<Vec<u32>>);

impl DurableObjects for Empty {
    async fn call(&self, name: &str, call: &str, _: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        assert_eq!(call, "v1/list-batches");
        let prefix = name.strip_prefix("v1/").unwrap();
        self.0.borrow_mut().push(u32::from_str_radix(prefix, 16).unwrap());
        Ok(br#"{"batches":[],"more":false}"#.to_vec())
    }
}

/// The prefixes that are asked in a range, over all requests.
fn asked(fakes: &Fakes, query: &RangeQuery) -> Vec<u32> {
    let (shards, directory) = (Empty::default(), RegistryDirectory(&fakes.ledgers));
    let mut from = None;
    loop {
        let mut asked = QueryRun::new(RangeQuery { cursor: from, ..query.clone() }).unwrap();
        let step = now(asked.next(fakes.batch_store(), &shards, &directory, &|| LATER_MS, &mut EveryLine)).unwrap();
        let QueryStep::End(end) = step else { panic!("there is nothing") };
        from = end.cursor().and_then(|cursor| QueryCursor::from_bytes(&cursor.to_bytes()));
        if from.is_none() {
            return shards.0.into_inner();
        }
    }
}

/// Registers so many prefixes at random, with faults; returns those that are known then.
fn register(random: &mut Random, fakes: &Fakes, batches: usize) -> BTreeSet<u32> {
    let mut set = BTreeSet::new();
    for _ in 0..batches {
        let base = *random.of(&[0, PREFIX - 40_000, PREFIX - 9_000, PREFIX - 9]);
        let spread = *random.of(&[3, 200, 30_000]);
        let count = 1 + random.below(9);
        let prefixes: Vec<u32> = (0..count).map(|_| base + u32::try_from(random.below(spread)).unwrap()).collect();
        let fault = random.chance(200).then(|| *random.of(&Fault::BOTH));
        if let Some(fault) = fault {
            fakes.faults.plan(Some(Kind::Ledger), 0, fault);
        }
        assert_eq!(now(mark_occupied(&fakes.ledgers, DATASET, &prefixes)).is_err(), fakes.faults.clear());
        if fault != Some(Fault::Fails) {
            set.extend(prefixes);
        }
    }
    set
}

#[test]
fn only_occupied_and_present_prefixes_are_asked() {
    assert_eq!(RayId::prefix_at(LATER_MS * 1_000_000), LATER);
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let fakes = Fakes::new();
        let mut set = register(&mut random, &fakes, 200);
        set.extend(LATER - OCCUPANCY_MARGIN..=LATER + 1);
        for _ in 0..10 {
            let mut at = || *random.of(&[0, PREFIX - 45_000, PREFIX - 10_000, PREFIX - 10]);
            let (a, b) = (at() + 3, at() + 20);
            let (first, last) = (a.min(b), a.max(b));
            let ask = all(RayId::prefix_start_ns(first), RayId::prefix_start_ns(last + 1));
            let expected: Vec<u32> = set.range(first..=last).copied().collect();
            assert_eq!(asked(&fakes, &ask), expected, "seed {seed}: {first}..={last}");
        }
    }
}

#[test]
fn the_directory_changes_no_answer() {
    for seed in 200..240 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 30);
        let found = by_registry(&store.fakes, all(0, i64::MAX));
        assert_eq!((found.texts(), found.end), (oracle::lines(&store, 0, i64::MAX, None), QueryEnd::Complete));
        // Nine prefixes at most have records; the other calls are of the present.
        assert!(found.stats.shards_asked <= 9 + u64::from(OCCUPANCY_MARGIN) + 2, "{:?}", found.stats);
        for _ in 0..8 {
            let (start_ns, end_ns) = range(&mut random);
            let ask = all(start_ns, end_ns);
            let (plain, found) = (answer(&store.fakes, ask.clone()), by_registry(&store.fakes, ask));
            assert_eq!((&found.lines, &found.end), (&plain.lines, &plain.end), "seed {seed}");
            assert!(found.stats.shards_asked <= plain.stats.shards_asked);
        }
    }
}

#[test]
fn three_months_without_a_batch_cost_no_call() {
    let mut store = Store::new();
    let pause = u32::try_from(90 * 86_400_000 / PREFIX_MS).unwrap();
    let lines = [("a", pause), ("b", 1), ("c", 0)].map(|(key, back)| put(&mut store, key, PREFIX - back));
    let ask = all(RayId::prefix_start_ns(PREFIX - pause - 500), RayId::prefix_start_ns(PREFIX + 1));
    let before = store.fakes.faults.count(Kind::Ledger);
    let found = by_registry(&store.fakes, ask);
    assert_eq!((found.texts(), found.end), (lines.to_vec(), QueryEnd::Complete));
    assert_eq!((found.stats.shards_asked, store.fakes.faults.count(Kind::Ledger) - before), (3, 1));
}

#[test]
fn a_record_of_1970_costs_one_call() {
    let mut store = Store::new();
    let old = record("\"made-up\"", Some("\"1970-01-01T00:00:05Z\""), &[]);
    store.put("logs/old.log.gz", &ndjson([&old]), true);
    let new = put(&mut store, "logs/new.log.gz", PREFIX);
    let found = by_registry(&store.fakes, all(0, i64::MAX));
    assert_eq!((found.texts(), found.end), (vec![old, new], QueryEnd::Complete));
    assert_eq!(found.stats.shards_asked, 2 + u64::from(OCCUPANCY_MARGIN) + 2);
}

#[test]
fn years_of_entries_take_several_directory_calls() {
    let mut store = Store::new();
    let rows = u32::try_from(OCCUPANCY_ROWS).unwrap();
    let lines: Vec<String> = (0..2 * rows + 5)
        .map(|number| put(&mut store, &format!("logs/{number}.log.gz"), 9 + number * 2 * OCCUPANCY_ROW))
        .collect();
    let end_ns = RayId::prefix_start_ns(PREFIX);
    for budget in [QueryBudget::default(), QueryBudget { operations: 3, ..QueryBudget::default() }] {
        let before = store.fakes.faults.count(Kind::Ledger);
        let (mut texts, mut from) = (Vec::new(), None);
        loop {
            let found = by_registry(&store.fakes, RangeQuery { cursor: from, budget, ..all(0, end_ns) });
            texts.extend(found.texts());
            from = found.end.cursor().copied();
            if from.is_none() {
                break;
            }
        }
        assert_eq!(texts, lines, "{budget:?}");
        let calls = store.fakes.faults.count(Kind::Ledger) - before;
        assert!(if budget.operations == 3 { calls > 10 } else { calls == 3 }, "{calls}");
    }
}

#[test]
fn cursors_go_on_whatever_the_directory_said() {
    for seed in 240..250 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 25);
        let first = PREFIX - 6;
        let start_ns = RayId::prefix_start_ns(first - 20);
        let expected = oracle::lines(&store, start_ns, i64::MAX, None);
        let (mut lines, mut from) = (Vec::new(), None);
        for request in 0.. {
            assert!(request < 5_000, "it does not end");
            let budget = QueryBudget { operations: 1 + random.below(3) as u64, ..QueryBudget::default() };
            let ask =
                RangeQuery { cursor: from, budget, limit: Some(1 + random.below(9) as u64), ..all(start_ns, i64::MAX) };
            // Nothing known, the lowest prefix alone, or what is so.
            let found = match random.below(4) {
                0 => answer_from(&store, ask, 0),
                1 => answer_from(&store, ask, first - 2),
                _ => by_registry(&store.fakes, ask),
            };
            lines.extend(found.texts());
            let Some(cursor) = found.end.cursor() else { break };
            from = QueryCursor::from_bytes(&cursor.to_bytes());
        }
        assert_eq!(lines, expected, "seed {seed}");
    }
}

#[test]
fn cursor_amid_nothing_continues_at_the_next_entry() {
    let mut store = Store::new();
    let line = put(&mut store, "logs/a.log.gz", PREFIX);
    let ask = all(0, i64::MAX);
    let first = answer(&store.fakes, ask.clone());
    assert_eq!((first.lines.len(), first.stats.shards_asked), (0, QUERY_OPERATIONS));
    let rest = by_registry(&store.fakes, RangeQuery { cursor: first.end.cursor().copied(), ..ask });
    assert_eq!((rest.texts(), rest.end), (vec![line], QueryEnd::Complete));
}

#[test]
fn prefixes_before_the_lowest_are_left_out() {
    let mut random = Random::new(21);
    let store = Store::random(&mut random, 8, 40);
    let start_ns = (start_ms() - 3 * PREFIX_MS) * 1_000_000;
    let mut counts = Vec::new();
    for prefix in PREFIX - 7..PREFIX + 3 {
        let from = RayId::prefix_start_ns(prefix).max(start_ns);
        let expected = oracle::lines(&store, from, i64::MAX, None);
        let found = answer_from(&store, all(start_ns, i64::MAX), prefix);
        assert_eq!((found.texts(), found.end), (expected, QueryEnd::Complete), "{prefix}");
        counts.push(found.lines.len());
    }
    assert!(counts[0] > counts[4] && counts[4] > 0, "{counts:?}");
}

#[test]
fn a_range_without_entries_costs_no_call() {
    let mut store = Store::new();
    put(&mut store, "logs/a.log.gz", PREFIX - 100);
    for (first, last) in [(0, PREFIX - 101), (PREFIX - 99, PREFIX)] {
        let ask = all(RayId::prefix_start_ns(first), RayId::prefix_start_ns(last + 1));
        let found = by_registry(&store.fakes, ask.clone());
        assert_eq!((found.lines.len(), found.stats.shards_asked, found.end), (0, 0, QueryEnd::Complete));
        let mut asked = QueryRun::<MemoryBody>::new(ask.clone()).unwrap();
        finish_by(&store.fakes, &RegistryDirectory(&store.fakes.ledgers), &mut asked).unwrap();
        // The position is still in the range.
        let cursor = Some(asked.cursor());
        assert!(QueryRun::<MemoryBody>::new(RangeQuery { cursor, ..ask }).is_ok());
    }
    let present = by_registry(&Fakes::new(), all(0, i64::MAX)).stats.shards_asked;
    assert_eq!(present, u64::from(OCCUPANCY_MARGIN) + 2, "an empty index, up to the prefix ahead of the clock");
}

#[test]
fn answers_of_a_few_prefixes_lose_nothing() {
    for length in [1, 2, 5] {
        let mut random = Random::new(23);
        let store = Store::random(&mut random, 6, slice_of(30, 3));
        let ask = all(RayId::prefix_start_ns(PREFIX - 9), i64::MAX);
        let short = ShortAnswers(&store.fakes, length);
        let before = store.fakes.faults.count(Kind::Ledger);
        let found = answer_by(&store.fakes, &short, ask.clone());
        let calls = store.fakes.faults.count(Kind::Ledger) - before;
        assert_eq!(found.lines, answer(&store.fakes, ask).lines);
        assert!(calls >= 2, "{calls} calls for {length} prefixes at a time");
    }
}

#[test]
fn an_answer_that_covers_nothing_is_an_error() {
    let mut run = QueryRun::new(all(0, i64::MAX)).unwrap();
    let fakes = Fakes::new();
    let end = finish_by(&fakes, &ShortAnswers(&fakes, 0), &mut run);
    assert!(matches!(end, Err(QueryError::Backend { .. })), "{end:?}");
}

#[test]
fn a_new_prefix_of_the_present_is_searched() {
    let mut store = Store::new();
    let old = put(&mut store, "logs/a.log.gz", LATER - 20);
    let known = now(read_occupancy(&store.fakes.ledgers, DATASET, (0, LATER + 1))).unwrap();
    let present = put(&mut store, "logs/b.log.gz", LATER - OCCUPANCY_MARGIN);
    // What comes for a time long past is found by the next search.
    let late = put(&mut store, "logs/c.log.gz", LATER - OCCUPANCY_MARGIN - 1);
    let found = answer_by(&store.fakes, &FixedDirectory(known), all(0, RayId::prefix_start_ns(LATER + 2)));
    assert_eq!((found.texts(), found.end), (vec![old.clone(), present.clone()], QueryEnd::Complete));
    assert_eq!(by_registry(&store.fakes, all(0, i64::MAX)).texts(), [old, late, present]);
}

#[test]
fn a_removed_entry_still_costs_a_call() {
    let mut store = Store::new();
    put(&mut store, "logs/a.log.gz", PREFIX - 50);
    let line = put(&mut store, "logs/a.log.gz", PREFIX - 60);
    let found = by_registry(&store.fakes, all(0, RayId::prefix_start_ns(PREFIX)));
    assert_eq!((found.texts(), found.stats.shards_asked), (vec![line], 2));
}
