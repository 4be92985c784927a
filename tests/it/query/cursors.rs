//! Answers in pieces: following cursors gives the same lines, however the answer is cut.

use raydex::filter::Filter;
use raydex::limits::{MASKED_BYTE_NS, QUERY_OPERATIONS, WORK_SLICE_NS};
use raydex::query::{CursorError, QueryBudget, QueryCursor, QueryEnd, QueryRun, RangeQuery};
use raydex::record::{Dataset, RayId};
use raydex::services::Services;

use super::generate::{PREFIX_MS, Store, filter, start_ms};
use super::random::Random;
use super::ranges::range;
use super::support::records::ndjson;
use super::{answer, oracle};

/// All lines, following cursors; `more` says what each request may be.
fn follow(store: &Store, ask: &RangeQuery, mut more: impl FnMut(RangeQuery) -> RangeQuery) -> (Vec<String>, usize) {
    let (mut lines, mut requests, mut from) = (Vec::new(), 0, None);
    loop {
        let found = answer(&store.fakes, more(RangeQuery { cursor: from, ..ask.clone() }));
        lines.extend(found.texts());
        requests += 1;
        assert!(requests < 5_000, "it does not end");
        let Some(cursor) = found.end.cursor() else { return (lines, requests) };
        // As it travels.
        from = QueryCursor::from_bytes(&cursor.to_bytes());
    }
}

#[test]
fn pieces_of_any_size_are_the_whole() {
    for seed in 100..120 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 25);
        for _ in 0..3 {
            let (start_ns, end_ns) = range(&mut random);
            let filter = random.chance(500).then(|| Filter::parse(&filter(&mut random)).unwrap());
            let expected = oracle::lines(&store, start_ns, end_ns, filter.as_ref());
            let all = RangeQuery::new(Dataset::HttpRequests, start_ns, end_ns);
            let ask = filter.into_iter().fold(all, RangeQuery::with_filter);
            let most = 1 + random.below(9) as u64;
            let (lines, requests) = follow(&store, &ask, |ask| RangeQuery { limit: Some(most), ..ask });
            assert_eq!(lines, expected, "seed {seed}");
            assert!(requests as u64 > expected.len() as u64 / most);
            let (lines, _) = follow(&store, &ask, |ask| RangeQuery { limit: Some(1 + random.below(20) as u64), ..ask });
            assert_eq!(lines, expected, "seed {seed}");
        }
    }
}

#[test]
fn an_answer_may_be_cut_after_any_line() {
    let mut random = Random::new(7);
    let store = Store::random(&mut random, 5, 20);
    let ask = RangeQuery::new(Dataset::HttpRequests, (start_ms() - PREFIX_MS) * 1_000_000, i64::MAX);
    let mut run = QueryRun::new(ask.clone()).unwrap();
    let whole = super::finish(&store.fakes, &mut run).unwrap();
    assert!(whole.lines.len() > 30);
    for (number, line) in whole.lines.iter().enumerate() {
        let from = Some(run.cursor_after(line));
        let rest = answer(&store.fakes, RangeQuery { cursor: from, ..ask.clone() });
        assert_eq!(rest.texts(), whole.texts()[number + 1..], "after line {number}");
    }
}

#[test]
fn every_budget_ends_with_a_cursor() {
    let mut random = Random::new(11);
    let store = Store::random(&mut random, 6, 30);
    let ask = RangeQuery::new(Dataset::HttpRequests, (start_ms() - 3 * PREFIX_MS) * 1_000_000, i64::MAX);
    let expected = oracle::lines(&store, ask.start_ns, ask.end_ns, None);
    let whole = QueryBudget::default();
    for budget in [
        QueryBudget { operations: 0, ..whole },
        QueryBudget { operations: 1, ..whole },
        QueryBudget { operations: 7, ..whole },
        QueryBudget { inflated_bytes: 0, ..whole },
        QueryBudget { inflated_bytes: 4_000, ..whole },
        QueryBudget { lines: 0, ..whole },
        QueryBudget { lines: 3, ..whole },
        QueryBudget { elapsed_ms: 0, ..whole },
    ] {
        let mut asked = 0;
        let (lines, requests) = follow(&store, &ask, |ask| {
            asked += 1;
            RangeQuery { budget, ..ask }
        });
        assert_eq!(lines, expected, "{budget:?}");
        assert!(requests > 2 && asked == requests, "{budget:?}: {requests}");
    }
    assert_eq!(follow(&store, &ask, |ask| ask), (expected, 1));
}

#[test]
fn finished_batches_are_not_read_again() {
    let mut random = Random::new(15);
    let store = Store::random(&mut random, 6, 30);
    let ask = RangeQuery::new(Dataset::HttpRequests, (start_ms() - 3 * PREFIX_MS) * 1_000_000, i64::MAX);
    let reads = || store.fakes.faults.count(super::support::Kind::Get);
    let before = reads();
    let expected = answer(&store.fakes, ask.clone()).texts();
    let (once, before) = (reads() - before, reads());
    let budget = QueryBudget { inflated_bytes: 0, ..QueryBudget::default() };
    let (lines, requests) = follow(&store, &ask, |ask| RangeQuery { budget, ..ask });
    assert_eq!((lines, reads() - before), (expected, once));
    assert!(requests > once, "{requests} requests, {once} reads");
}

#[test]
fn work_ends_an_answer_and_cursors_continue_it() {
    let mut random = Random::new(16);
    let store = Store::random(&mut random, 6, 30);
    let ask = RangeQuery::new(Dataset::HttpRequests, (start_ms() - 3 * PREFIX_MS) * 1_000_000, i64::MAX);
    let expected = answer(&store.fakes, ask.clone()).texts();
    let budget = QueryBudget { work_ns: 1, ..QueryBudget::default() };
    let (lines, requests) = follow(&store, &ask, |ask| RangeQuery { budget, ..ask });
    assert_eq!(lines, expected);
    assert!(requests > 3, "{requests}");
}

/// Masks every line, and shows none.
struct MaskingSink(u64);

impl raydex::query::RecordSink for MaskingSink {
    fn view<'l>(&mut self, _: Option<&str>, line: &'l [u8]) -> Option<std::borrow::Cow<'l, [u8]>> {
        self.0 += line.len() as u64;
        None
    }

    fn may_mask(&self) -> bool {
        true
    }

    fn masked_bytes(&self) -> u64 {
        self.0
    }
}

#[test]
fn masked_bytes_are_work_with_pauses_in_between() {
    let mut store = Store::new();
    let line =
        |number: u32| super::generate::record(&format!("\"{}\"", super::generate::ray(start_ms(), number)), None, &[]);
    let lines: Vec<String> = (0..20_000).map(line).collect();
    store.put("logs/a.log.gz", &ndjson(&lines), true);
    let ask = RangeQuery::new(Dataset::HttpRequests, (start_ms() - PREFIX_MS) * 1_000_000, i64::MAX);
    let (mut run, mut sink, mut pauses, mut most_ns) = (QueryRun::new(ask).unwrap(), MaskingSink(0), 0, 0);
    loop {
        let before_ns = run.stats().work_ns();
        let directory = super::FixedDirectory::of_any();
        let next = run.next(store.fakes.batch_store(), &store.fakes.shards, &directory, &|| super::LATER_MS, &mut sink);
        let step = super::support::run(next).unwrap();
        most_ns = most_ns.max(run.stats().work_ns() - before_ns);
        match step {
            raydex::query::QueryStep::Pause => pauses += 1,
            raydex::query::QueryStep::Lines(_) => panic!("none is shown"),
            raydex::query::QueryStep::End(_) => break,
        }
    }
    let bytes: usize = lines.iter().map(String::len).sum();
    assert_eq!(run.stats().bytes_masked, bytes as u64);
    let work_ns = run.stats().work_ns();
    assert!(work_ns >= bytes as u64 * MASKED_BYTE_NS && pauses >= work_ns / WORK_SLICE_NS / 30, "{pauses}");
    assert!(most_ns < 200_000_000, "{most_ns} ns without a pause");
}

#[test]
fn the_clock_ends_an_answer() {
    let mut random = Random::new(12);
    let store = Store::random(&mut random, 6, 30);
    let budget = QueryBudget { elapsed_ms: 50, ..QueryBudget::default() };
    let ask =
        RangeQuery { budget, ..RangeQuery::new(Dataset::HttpRequests, (start_ms() - PREFIX_MS) * 1_000_000, i64::MAX) };
    let mut run = QueryRun::new(ask).unwrap();
    let clock = std::cell::Cell::new(0);
    let tick = || clock.replace(clock.get() + 20);
    let mut steps = 0;
    loop {
        let (directory, mut sink) = (super::FixedDirectory::of_any(), super::EveryLine);
        let next = run.next(store.fakes.batch_store(), &store.fakes.shards, &directory, &tick, &mut sink);
        match super::support::run(next).unwrap() {
            raydex::query::QueryStep::Lines(_) => steps += 1,
            raydex::query::QueryStep::Pause => {}
            raydex::query::QueryStep::End(ended) => break assert!(matches!(ended, QueryEnd::Budget(_)), "{ended:?}"),
        }
    }
    assert!(steps <= 3, "{steps}");
}

#[test]
fn years_without_a_batch_end_after_several_requests() {
    let mut store = Store::new();
    let line = super::generate::record(&format!("\"{}\"", super::generate::ray(start_ms(), 1)), None, &[]);
    store.put("logs/a.log.gz", &ndjson([&line]), true);
    let days = 110;
    let start_ns = (start_ms() - days * 86_400_000) * 1_000_000;
    let ask = RangeQuery::new(Dataset::HttpRequests, start_ns, i64::MAX);
    let first = answer(&store.fakes, ask.clone());
    assert!(matches!(first.end, QueryEnd::Budget(_)));
    assert_eq!(first.stats.shards_asked, QUERY_OPERATIONS);
    let (lines, requests) = follow(&store, &ask, |ask| ask);
    assert_eq!((lines, requests), (vec![line], 4));
}

#[test]
fn sample_is_the_same_however_it_is_cut() {
    let mut random = Random::new(13);
    let store = Store::random(&mut random, 10, 80);
    let all = RangeQuery::new(Dataset::HttpRequests, (start_ms() - PREFIX_MS) * 1_000_000, i64::MAX);
    let lines = answer(&store.fakes, all.clone()).texts();
    let share = |share| RangeQuery { sample: Some(share), ..all.clone() };
    let half = answer(&store.fakes, share(0.5)).texts();
    assert!((lines.len() * 3 / 8..lines.len() * 5 / 8).contains(&half.len()), "{} of {}", half.len(), lines.len());
    assert_eq!(follow(&store, &share(0.5), |ask| RangeQuery { limit: Some(3), ..ask }).0, half);
    let tenth = answer(&store.fakes, share(0.1)).texts();
    assert!(tenth.iter().all(|line| half.contains(line)) && !tenth.is_empty());
    assert_eq!((answer(&store.fakes, share(0.0)).lines.len(), answer(&store.fakes, share(1.0)).texts()), (0, lines));
}

#[test]
fn a_cursor_of_another_query_is_refused() {
    let mut random = Random::new(14);
    let store = Store::random(&mut random, 3, 20);
    let ask = RangeQuery::new(Dataset::HttpRequests, start_ms() * 1_000_000, i64::MAX);
    let first = answer(&store.fakes, RangeQuery { limit: Some(1), ..ask.clone() });
    let cursor = *first.end.cursor().unwrap();
    let refused = |ask| QueryRun::<super::support::bucket::MemoryBody>::new(ask).err();
    let from = Some(cursor);
    assert_eq!(refused(RangeQuery { cursor: from, ..ask.clone() }), None);
    assert_eq!(refused(RangeQuery { cursor: from, limit: Some(9), ..ask.clone() }), None);
    for other in [
        RangeQuery { cursor: from, start_ns: ask.start_ns + 1, ..ask.clone() },
        RangeQuery { cursor: from, dataset: Dataset::FirewallEvents, ..ask.clone() },
        RangeQuery { cursor: from, sample: Some(0.5), ..ask.clone() },
    ] {
        assert_eq!(refused(other), Some(CursorError::OtherQuery));
    }
    assert_eq!(QueryCursor::from_bytes(&cursor.to_bytes()), from);
}

#[test]
fn skipped_batches_are_passed_in_their_own_prefix() {
    let mut store = Store::new();
    let line = |number: u32, host: &str| {
        let id = format!("\"{}\"", super::generate::ray(start_ms(), number));
        super::generate::record(&id, None, &[("ClientRequestHost", &format!("\"{host}\""))])
    };
    for batch in 0..3 {
        store.put(&format!("logs/{batch}.log.gz"), &ndjson([line(batch, "a.example")]), true);
    }
    store.put("logs/last.log.gz", &ndjson([line(9, "b.example")]), true);
    let host = r#"{"where":{"key":"ClientRequestHost","operator":"eq","value":"b.example"}}"#;
    // Nothing was ever indexed in the prefixes before.
    let directory = super::FixedDirectory::from_prefix(RayId::prefix_at(start_ms() * 1_000_000));
    let start_ns = (start_ms() - 5 * PREFIX_MS) * 1_000_000;
    let budget = QueryBudget { elapsed_ms: 0, ..QueryBudget::default() };
    let all = RangeQuery::new(Dataset::HttpRequests, start_ns, i64::MAX).with_filter(Filter::parse(host).unwrap());
    let (mut cursor, mut lines, mut requests) = (None, Vec::new(), 0);
    loop {
        let found = super::answer_by(&store.fakes, &directory, RangeQuery { budget, cursor, ..all.clone() });
        lines.extend(found.texts());
        requests += 1;
        assert!(requests < 100, "it does not end");
        cursor = found.end.cursor().copied();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(lines, [line(9, "b.example")]);
    assert!(requests > 3, "{requests}");
}

#[test]
fn replaced_batch_is_returned_anew_after_the_others() {
    let mut store = Store::new();
    let at = start_ms();
    let line = |number: u32| super::generate::record(&format!("\"{}\"", super::generate::ray(at, number)), None, &[]);
    store.put("logs/a.log.gz", &ndjson([line(1), line(2)]), true);
    store.put("logs/b.log.gz", &ndjson([line(3), line(4)]), true);
    let ask = RangeQuery::new(Dataset::HttpRequests, at * 1_000_000, (at + 1000) * 1_000_000);
    let first = answer(&store.fakes, RangeQuery { limit: Some(1), ..ask.clone() });
    assert_eq!(first.texts(), [line(1)]);
    store.put("logs/a.log.gz", &ndjson([line(5), line(6)]), true);
    let rest = answer(&store.fakes, RangeQuery { cursor: first.end.cursor().copied(), ..ask });
    assert_eq!(rest.texts(), [3, 4, 5, 6].map(line));
}
