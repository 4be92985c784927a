//! Answers that go by the calendar: the same lines, without the calls to shards in which nothing ever was.

use std::cell::RefCell;
use std::collections::BTreeSet;

use raydex::backend::{BackendError, Objects};
use raydex::index::Calendar;
use raydex::ledger::calendar::{look, tell};
use raydex::limits::{CALENDAR_MARGIN, CALENDAR_ROW, CALENDAR_ROWS, QUERY_OPERATIONS};
use raydex::query::{Ask, Budget, Ended, Run, Step};
use raydex::record::{Dataset, RayId};
use raydex::services::Services;

use super::generate::{PREFIX_MS, Store, record, start_ms};
use super::random::Random;
use super::ranges::range;
use super::support::bucket::MemoryBody;
use super::support::records::{PREFIX, ndjson};
use super::support::{Fakes, Fault, Kind, run as now};
use super::{Answer, LATER_MS, answer, finish, oracle, step};

const DATASET: Dataset = Dataset::HttpRequests;
/// The prefix of an answer's clock.
const LATER: u32 = PREFIX + 5;

/// Learns what the registry knows now, at that time.
fn learn(fakes: &Fakes, asked: &mut Run<MemoryBody>, now_ms: i64) {
    let calendar = now(look(&fakes.ledgers, DATASET, asked.to_come())).unwrap();
    asked.learn(calendar, now_ms);
}

/// Goes on by the calendar to the end.
fn go(fakes: &Fakes, mut asked: Run<MemoryBody>) -> Answer {
    let mut lines = Vec::new();
    loop {
        match step(fakes, &mut asked).unwrap() {
            Step::Lines(more) => lines.extend(more),
            Step::Unknown => learn(fakes, &mut asked, LATER_MS),
            Step::End(ended) => return Answer { lines, told: *asked.told(), ended },
        }
    }
}

/// The answer that goes by the calendar.
fn by_calendar(fakes: &Fakes, ask: Ask) -> Answer {
    let mut asked = Run::new(ask, LATER_MS).unwrap();
    learn(fakes, &mut asked, LATER_MS);
    go(fakes, asked)
}

/// The answer of an index in which nothing lies before that prefix, as the version before knew it.
fn answer_from(store: &Store, ask: Ask, prefix: Option<u32>) -> Answer {
    let mut asked = Run::new(ask, LATER_MS).unwrap();
    asked.learn(Calendar::any_from(prefix), LATER_MS);
    finish(&store.fakes, &mut asked).unwrap()
}

fn all(start_ns: i64, end_ns: i64) -> Ask {
    Ask::all(DATASET, start_ns, end_ns)
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

impl Objects for Empty {
    async fn call(&self, name: &str, call: &str, _: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        assert_eq!(call, "v1/within");
        let prefix = name.strip_prefix("v1/").unwrap();
        self.0.borrow_mut().push(u32::from_str_radix(prefix, 16).unwrap());
        Ok(br#"{"batches":[],"more":false}"#.to_vec())
    }
}

/// The prefixes that are asked in a range, over all requests.
fn asked(fakes: &Fakes, ask: &Ask) -> Vec<u32> {
    let shards = Empty::default();
    let mut from = None;
    loop {
        let mut asked = Run::new(Ask { from, ..ask.clone() }, LATER_MS).unwrap();
        learn(fakes, &mut asked, LATER_MS);
        let ended = loop {
            match now(asked.next(fakes.batch_store(), &shards, &|| 0, &mut |_: &[u8]| true)).unwrap() {
                Step::Lines(_) => panic!("there is nothing"),
                Step::Unknown => learn(fakes, &mut asked, LATER_MS),
                Step::End(ended) => break ended,
            }
        };
        from = ended.cursor().map(|cursor| cursor.to_string().parse().unwrap());
        if from.is_none() {
            return shards.0.into_inner();
        }
    }
}

/// Tells so many prefixes at random, with faults; those that are known then.
fn told(random: &mut Random, fakes: &Fakes, batches: usize) -> BTreeSet<u32> {
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
        assert_eq!(now(tell(&fakes.ledgers, DATASET, &prefixes)).is_err(), fakes.faults.clear());
        if fault != Some(Fault::Fails) {
            set.extend(prefixes);
        }
    }
    set
}

#[test]
fn only_recorded_and_present_prefixes_are_asked() {
    assert_eq!(RayId::prefix_at(LATER_MS * 1_000_000), LATER);
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let fakes = Fakes::new();
        let mut set = told(&mut random, &fakes, 200);
        set.retain(|prefix| *prefix <= LATER + 1);
        set.extend(LATER - CALENDAR_MARGIN..=LATER + 1);
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
fn answers_by_the_calendar_equal_all_others() {
    for seed in 200..240 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 30);
        let found = by_calendar(&store.fakes, all(0, i64::MAX));
        assert_eq!((found.texts(), found.ended), (oracle::lines(&store, 0, i64::MAX, None), Ended::Complete));
        // Nine prefixes at most have records; the other calls are of the present.
        assert!(found.told.shards_asked <= 9 + u64::from(CALENDAR_MARGIN) + 2, "{:?}", found.told);
        for _ in 0..8 {
            let (start_ns, end_ns) = range(&mut random);
            let ask = all(start_ns, end_ns);
            let (plain, found) = (answer(&store.fakes, ask.clone()), by_calendar(&store.fakes, ask));
            assert_eq!((&found.lines, &found.ended), (&plain.lines, &plain.ended), "seed {seed}");
            assert!(found.told.shards_asked <= plain.told.shards_asked);
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
    let found = by_calendar(&store.fakes, ask);
    assert_eq!((found.texts(), found.ended), (lines.to_vec(), Ended::Complete));
    assert_eq!((found.told.shards_asked, store.fakes.faults.count(Kind::Ledger) - before), (3, 1));
}

#[test]
fn made_up_1970_time_costs_searches_one_call() {
    let mut store = Store::new();
    let old = record("\"made-up\"", Some("5"), &[]);
    store.put("logs/old.log.gz", &ndjson([&old]), true);
    let new = put(&mut store, "logs/new.log.gz", PREFIX);
    let found = by_calendar(&store.fakes, all(0, i64::MAX));
    assert_eq!((found.texts(), found.ended), (vec![old, new], Ended::Complete));
    assert_eq!(found.told.shards_asked, 2 + u64::from(CALENDAR_MARGIN) + 2);
}

#[test]
fn index_of_years_is_learnt_in_parts() {
    let mut store = Store::new();
    let rows = u32::try_from(CALENDAR_ROWS).unwrap();
    let lines: Vec<String> = (0..2 * rows + 5)
        .map(|number| put(&mut store, &format!("logs/{number}.log.gz"), 9 + number * 2 * CALENDAR_ROW))
        .collect();
    let end_ns = RayId::prefix_start_ns(PREFIX);
    for budget in [Budget::default(), Budget { operations: 3, ..Budget::default() }] {
        let before = store.fakes.faults.count(Kind::Ledger);
        let (mut texts, mut from) = (Vec::new(), None);
        loop {
            let found = by_calendar(&store.fakes, Ask { from, budget, ..all(0, end_ns) });
            texts.extend(found.texts());
            from = found.ended.cursor().copied();
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
fn cursors_continue_whatever_was_known_before() {
    for seed in 240..250 {
        let mut random = Random::new(seed);
        let store = Store::random(&mut random, 6, 25);
        let first = PREFIX - 6;
        let start_ns = RayId::prefix_start_ns(first - 20);
        let expected = oracle::lines(&store, start_ns, i64::MAX, None);
        let (mut lines, mut from) = (Vec::new(), None);
        for request in 0.. {
            assert!(request < 5_000, "it does not end");
            let budget = Budget { operations: 1 + random.below(3) as u64, ..Budget::default() };
            let ask = Ask { from, budget, limit: Some(1 + random.below(9) as u64), ..all(start_ns, i64::MAX) };
            // Nothing known, what the version before knew, or what is so.
            let found = match random.below(4) {
                0 => answer_from(&store, ask, Some(0)),
                1 => answer_from(&store, ask, Some(first - 2)),
                _ => by_calendar(&store.fakes, ask),
            };
            lines.extend(found.texts());
            let Some(cursor) = found.ended.cursor() else { break };
            from = Some(cursor.to_string().parse().unwrap());
        }
        assert_eq!(lines, expected, "seed {seed}");
    }
}

#[test]
fn cursor_in_an_empty_range_continues_at_entries() {
    let mut store = Store::new();
    let line = put(&mut store, "logs/a.log.gz", PREFIX);
    let ask = all(0, i64::MAX);
    let first = answer(&store.fakes, ask.clone());
    assert_eq!((first.lines.len(), first.told.shards_asked), (0, QUERY_OPERATIONS));
    let rest = by_calendar(&store.fakes, Ask { from: first.ended.cursor().copied(), ..ask });
    assert_eq!((rest.texts(), rest.ended), (vec![line], Ended::Complete));
}

#[test]
fn records_before_the_lowest_prefix_are_not_returned() {
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
fn empty_range_is_answered_without_a_call() {
    let mut store = Store::new();
    put(&mut store, "logs/a.log.gz", PREFIX - 100);
    for (first, last) in [(0, PREFIX - 101), (PREFIX - 99, PREFIX)] {
        let ask = all(RayId::prefix_start_ns(first), RayId::prefix_start_ns(last + 1));
        let found = by_calendar(&store.fakes, ask.clone());
        assert_eq!((found.lines.len(), found.told.shards_asked, found.ended), (0, 0, Ended::Complete));
        let mut asked = Run::<MemoryBody>::new(ask.clone(), LATER_MS).unwrap();
        learn(&store.fakes, &mut asked, LATER_MS);
        // Where it stands is still a place in the range.
        let from = Some(asked.cursor());
        assert!(Run::<MemoryBody>::new(Ask { from, ..ask }, LATER_MS).is_ok());
    }
    let present = by_calendar(&Fakes::new(), all(0, i64::MAX)).told.shards_asked;
    assert_eq!(present, u64::from(CALENDAR_MARGIN) + 2, "an empty index, up to the prefix ahead of the clock");
}

#[test]
fn run_learning_midway_loses_nothing() {
    let mut random = Random::new(23);
    let store = Store::random(&mut random, 6, 30);
    let ask = all(RayId::prefix_start_ns(PREFIX - 9), i64::MAX);
    let mut asked = Run::new(ask.clone(), LATER_MS).unwrap();
    let mut lines = Vec::new();
    loop {
        match step(&store.fakes, &mut asked).unwrap() {
            Step::Lines(more) => lines.extend(more),
            Step::Unknown => panic!("the calendar knows all of it"),
            Step::End(ended) => break assert_eq!(ended, Ended::Complete),
        }
        learn(&store.fakes, &mut asked, LATER_MS);
    }
    assert_eq!(lines, answer(&store.fakes, ask).lines);
}

#[test]
fn present_prefix_is_asked_although_missing_from_calendar() {
    let mut store = Store::new();
    let old = put(&mut store, "logs/a.log.gz", LATER - 20);
    let mut asked = Run::new(all(0, i64::MAX), LATER_MS).unwrap();
    learn(&store.fakes, &mut asked, LATER_MS);
    let present = put(&mut store, "logs/b.log.gz", LATER - CALENDAR_MARGIN);
    // What comes for a time long past is told by the next search.
    let late = put(&mut store, "logs/c.log.gz", LATER - CALENDAR_MARGIN - 1);
    let found = go(&store.fakes, asked);
    assert_eq!((found.texts(), found.ended), (vec![old.clone(), present.clone()], Ended::Complete));
    assert_eq!(by_calendar(&store.fakes, all(0, i64::MAX)).texts(), [old, late, present]);
}

#[test]
fn removed_entries_keep_their_bits_and_cost_calls() {
    let mut store = Store::new();
    put(&mut store, "logs/a.log.gz", PREFIX - 50);
    let line = put(&mut store, "logs/a.log.gz", PREFIX - 60);
    let found = by_calendar(&store.fakes, all(0, RayId::prefix_start_ns(PREFIX)));
    assert_eq!((found.texts(), found.told.shards_asked), (vec![line], 2));
}
