//! Answers that begin where the index does: the same lines, without the calls before them.

use raydex::limits::QUERY_OPERATIONS;
use raydex::query::{Ask, Budget, Ended, Run};
use raydex::record::{Dataset, RayId};

use super::generate::{PREFIX_MS, Store, ray, record, start_ms};
use super::random::Random;
use super::ranges::range;
use super::support::bucket::MemoryBody;
use super::support::ledgers::earliest;
use super::support::records::{PREFIX, ndjson};
use super::{Answer, LATER_MS, answer, finish, oracle};

/// The answer of an index in which nothing lies before that prefix.
fn answer_from(store: &Store, ask: Ask, prefix: Option<u32>) -> Answer {
    let mut run = Run::new(ask, LATER_MS).unwrap();
    run.begin_at(prefix);
    finish(&store.fakes, &mut run).unwrap()
}

fn all(start_ns: i64, end_ns: i64) -> Ask {
    Ask::all(Dataset::HttpRequests, start_ns, end_ns)
}

#[test]
fn a_range_from_the_first_ray_on_is_told_in_full_by_one_answer() {
    for seed in 200..220 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 30);
        let first = earliest(&store.fakes);
        let expected = oracle::lines(&store, 0, i64::MAX, None);
        let found = answer_from(&store, all(0, i64::MAX), first);
        assert_eq!((found.texts(), found.ended), (expected, Ended::Complete), "seed {seed}");
        let ahead = RayId::prefix_at(LATER_MS * 1_000_000) + 1 - first.unwrap();
        assert_eq!(found.told.shards_asked, u64::from(ahead) + 1);
    }
}

#[test]
fn a_range_that_begins_behind_the_first_entry_is_answered_as_ever() {
    for seed in 220..240 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 30);
        let first = earliest(&store.fakes);
        for _ in 0..8 {
            let (start_ns, end_ns) = range(&mut random);
            let ask = all(start_ns, end_ns);
            let (plain, found) = (answer(&store.fakes, ask.clone()), answer_from(&store, ask, first));
            assert_eq!((&found.lines, &found.ended), (&plain.lines, &plain.ended), "seed {seed}");
            assert!(found.told.shards_asked <= plain.told.shards_asked);
        }
    }
}

#[test]
fn what_lies_before_the_prefix_is_not_told_and_all_else_is() {
    let mut random = Random::new(21);
    let store = Store::random(&mut random, 8, 40);
    let start_ns = (start_ms() - 3 * PREFIX_MS) * 1_000_000;
    let mut counts = Vec::new();
    for prefix in PREFIX - 7..PREFIX + 3 {
        let from = RayId::prefix_start_ns(prefix).max(start_ns);
        let expected = oracle::lines(&store, from, i64::MAX, None);
        let found = answer_from(&store, all(start_ns, i64::MAX), Some(prefix));
        assert_eq!((found.texts(), found.ended), (expected, Ended::Complete), "{prefix}");
        counts.push(found.lines.len());
    }
    assert!(counts[0] > counts[4] && counts[4] > 0, "{counts:?}");
}

#[test]
fn cursors_go_on_whatever_was_known_where_they_were_made() {
    for seed in 240..250 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 25);
        let first = earliest(&store.fakes).unwrap();
        let start_ns = RayId::prefix_start_ns(first - 20);
        let expected = oracle::lines(&store, start_ns, i64::MAX, None);
        let (mut lines, mut from) = (Vec::new(), None);
        for request in 0.. {
            assert!(request < 5_000, "it does not end");
            let budget = Budget { operations: 1 + random.below(3) as u64, ..Budget::default() };
            let ask = Ask { from, budget, limit: Some(1 + random.below(9) as u64), ..all(start_ns, i64::MAX) };
            // Nothing known, an older answer, or what is so.
            let prefix = *random.of(&[0, first - 5, first]);
            let found = answer_from(&store, ask, Some(prefix));
            lines.extend(found.texts());
            let Some(cursor) = found.ended.cursor() else { break };
            from = Some(cursor.to_string().parse().unwrap());
        }
        assert_eq!(lines, expected, "seed {seed}");
    }
}

#[test]
fn a_cursor_from_before_the_first_entry_goes_on_at_it() {
    let mut store = Store::new();
    let line = record(&format!("\"{}\"", ray(start_ms(), 1)), None, &[]);
    store.put("logs/a.log.gz", &ndjson([&line]), true);
    let ask = all(0, i64::MAX);
    let first = answer(&store.fakes, ask.clone());
    assert_eq!((first.lines.len(), first.told.shards_asked), (0, QUERY_OPERATIONS));
    let rest = answer_from(&store, Ask { from: first.ended.cursor().copied(), ..ask }, earliest(&store.fakes));
    assert_eq!((rest.texts(), rest.ended), (vec![line], Ended::Complete));
}

#[test]
fn a_range_before_the_first_entry_and_an_empty_index_are_answered_without_a_call() {
    let mut random = Random::new(22);
    let store = Store::random(&mut random, 3, 20);
    let first = earliest(&store.fakes).unwrap();
    let before = all(0, RayId::prefix_start_ns(first));
    for (ask, prefix) in [(before, Some(first)), (all(0, i64::MAX), None), (all(0, i64::MAX), Some(u32::MAX))] {
        let found = answer_from(&store, ask.clone(), prefix);
        assert_eq!((found.lines.len(), found.told.shards_asked, found.ended), (0, 0, Ended::Complete));
        let mut run = Run::<MemoryBody>::new(ask.clone(), LATER_MS).unwrap();
        run.begin_at(prefix);
        // Where it stands is still a place in the range.
        let from = Some(run.cursor());
        assert!(Run::<MemoryBody>::new(Ask { from, ..ask }, LATER_MS).is_ok());
    }
}

#[test]
fn a_run_under_way_that_is_told_of_it_loses_nothing() {
    let mut random = Random::new(23);
    let store = Store::random(&mut random, 6, 30);
    let first = earliest(&store.fakes);
    let ask = all(RayId::prefix_start_ns(first.unwrap() - 2), i64::MAX);
    let mut run = Run::new(ask.clone(), LATER_MS).unwrap();
    let mut lines = Vec::new();
    loop {
        match super::step(&store.fakes, &mut run).unwrap() {
            raydex::query::Step::Lines(more) => lines.extend(more),
            raydex::query::Step::End(ended) => break assert_eq!(ended, Ended::Complete),
        }
        run.begin_at(first);
    }
    assert_eq!(lines, answer(&store.fakes, ask).lines);
}
