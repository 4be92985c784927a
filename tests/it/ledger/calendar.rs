//! The calendar in the registry: what is told is known to the prefix, and what a version before may have had indexed
//! counts as present, whenever it was at work.

use std::collections::BTreeSet;

use raydex::backend::{Objects, Sql, SqlValue};
use raydex::index::Calendar;
use raydex::ledger::calendar::{CalendarAnswer, CalendarAsk, look, tell};
use raydex::ledger::registry::{self, RegisterLedger};
use raydex::limits::{CALENDAR_AHEAD, CALENDAR_ROW, CALENDAR_ROWS, MAX_SHARDS};
use raydex::record::{Dataset, RayId};

use super::json;
use super::random::Random;
use super::support::{Fakes, Fault, Faults, Kind, NOW_MS, SqliteSql, run};

const DATASET: Dataset = Dataset::HttpRequests;
/// What the version before runs when it opens a registry, statement by statement.
const BEFORE: &str = include_str!("before_calendar.sql");

/// The prefix of the clock.
fn now() -> u32 {
    RayId::prefix_at(NOW_MS * 1_000_000)
}

/// The prefixes from this one on in which a version before may have had something indexed.
fn up_to_ahead(first: u32) -> Vec<u32> {
    (first..=now() + CALENDAR_AHEAD).collect()
}

/// A registry, opened.
fn registry_of(sql: SqliteSql) -> SqliteSql {
    registry::open(&sql).unwrap();
    sql
}

fn fresh() -> SqliteSql {
    registry_of(SqliteSql::new(&Faults::default()))
}

/// What a call comes to.
fn answer(sql: &SqliteSql, ask: &CalendarAsk) -> CalendarAnswer {
    serde_json::from_slice(&registry::answer(sql, "v1/earliest", &json(ask), NOW_MS).unwrap().body).unwrap()
}

/// A call of a Worker of the version before.
fn ask(sql: &SqliteSql, dataset: &str, prefix: Option<u32>) -> Option<u32> {
    let answer = answer(sql, &CalendarAsk { dataset: dataset.into(), prefix, prefixes: None, within: None });
    assert_eq!(answer.calendar, None);
    answer.prefix
}

/// These prefixes are told.
fn told(sql: &SqliteSql, prefixes: &[u32]) {
    let ask = CalendarAsk {
        dataset: DATASET.name().into(),
        prefix: prefixes.iter().min().copied(),
        prefixes: Some(prefixes.to_vec()),
        within: None,
    };
    answer(sql, &ask);
}

/// The calendar of a dataset.
fn calendar(sql: &SqliteSql, dataset: &str, within: (u32, u32)) -> Calendar {
    let ask = CalendarAsk { dataset: dataset.into(), prefix: None, prefixes: None, within: Some(within) };
    answer(sql, &ask).calendar.unwrap()
}

/// The calendar of all times, which few rows make.
fn whole(sql: &SqliteSql) -> Calendar {
    calendar(sql, DATASET.name(), (0, RayId::LAST_PREFIX))
}

/// The prefixes that a calendar does not rule out.
fn present(calendar: &Calendar) -> Vec<u32> {
    (0..=RayId::LAST_PREFIX).filter(|prefix| calendar.next(*prefix) == *prefix).collect()
}

fn register(sql: &SqliteSql) {
    registry::answer(sql, "v1/register", &json(&RegisterLedger { name: "v1/20260328T08".into() }), NOW_MS).unwrap();
}

/// The version before opens the registry.
fn open_before(sql: &SqliteSql) {
    for statement in BEFORE.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        sql.run(statement, &[]).unwrap();
    }
}

/// A registry of the version before, which was told of these prefixes.
fn before(has_ledger: bool, earliest: &[(&str, u32)]) -> SqliteSql {
    let sql = SqliteSql::new(&Faults::default());
    open_before(&sql);
    if has_ledger {
        sql.run("INSERT INTO ledger_v1 VALUES ('v1/20260328T08', 1)", &[]).unwrap();
    }
    tell_before(&sql, earliest);
    sql
}

/// What the version before writes for prefixes that are lower than all before.
fn tell_before(sql: &SqliteSql, earliest: &[(&str, u32)]) {
    let statement = "INSERT INTO earliest_v1 (dataset, prefix) VALUES (?1, ?2)
        ON CONFLICT (dataset) DO UPDATE SET prefix = ?2";
    for (dataset, prefix) in earliest {
        sql.run(statement, &[SqlValue::text(*dataset), SqlValue::number(*prefix)]).unwrap();
    }
}

#[test]
fn recorded_prefixes_are_present_and_no_others() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let fakes = Fakes::new();
        let mut set = BTreeSet::new();
        for _ in 0..60 {
            let base = *random.of(&[0, now() - 9_000, now() - 20, 1 << 19]);
            let spread = *random.of(&[3, 40, 9_000]);
            let prefixes: Vec<u32> =
                (0..=random.below(8)).map(|_| base + u32::try_from(random.below(spread)).unwrap()).collect();
            let fault = random.chance(300).then(|| *random.of(&Fault::BOTH));
            if let Some(fault) = fault {
                fakes.faults.plan(Some(Kind::Ledger), 0, fault);
            }
            let is_told = run(tell(&fakes.ledgers, DATASET, &prefixes)).is_ok();
            assert_eq!(is_told, !fakes.faults.clear());
            // Not told again: whoever told it may be gone for good.
            if fault != Some(Fault::Fails) {
                set.extend(prefixes);
            }
        }
        for _ in 0..10 {
            let at = |random: &mut Random| u32::try_from(random.below(now() as usize + 5_000)).unwrap();
            let (a, b) = (at(&mut random), at(&mut random));
            let (first, last) = (a.min(b), a.max(b));
            let expected: Vec<u32> = set.range(first..=last).copied().collect();
            assert_eq!(asked(&fakes.ledgers, first, last), expected, "{seed}");
        }
        assert_eq!(run(look(&fakes.ledgers, Dataset::FirewallEvents, (0, 9))).unwrap().next(0), 10);
    }
}

/// The prefixes that somebody asks who goes by the calendar, answer by answer.
fn asked(ledgers: &impl Objects, first: u32, last: u32) -> Vec<u32> {
    let (mut asked, mut at) = (Vec::new(), first);
    while at <= last {
        let calendar = run(look(ledgers, DATASET, (at, last))).unwrap();
        assert!(calendar.until > at && calendar.rows.len() <= CALENDAR_ROWS);
        while at < calendar.until.min(last + 1) {
            at = calendar.next(at);
            if at < calendar.until {
                asked.push(at);
                at += 1;
            }
        }
    }
    asked
}

#[test]
fn answer_has_bounded_rows_up_to_the_next() {
    let fakes = Fakes::new();
    let rows = u32::try_from(CALENDAR_ROWS).unwrap();
    let prefixes: Vec<u32> = (0..3 * rows).map(|number| number * 5 * CALENDAR_ROW + 7).collect();
    run(tell(&fakes.ledgers, DATASET, &prefixes)).unwrap();
    let first = run(look(&fakes.ledgers, DATASET, (8, RayId::LAST_PREFIX))).unwrap();
    assert_eq!((first.rows.len(), first.until), (CALENDAR_ROWS, rows * 5 * CALENDAR_ROW));
    let before = fakes.faults.count(Kind::Ledger);
    assert_eq!(asked(&fakes.ledgers, 0, RayId::LAST_PREFIX), prefixes);
    assert_eq!(fakes.faults.count(Kind::Ledger) - before, 3);
}

#[test]
fn largest_batch_is_recorded_in_one_call() {
    let sql = fresh();
    let most = u32::try_from(MAX_SHARDS).unwrap();
    // As far apart as they can be.
    let prefixes: Vec<u32> = (0..most).map(|number| number * (RayId::LAST_PREFIX / most)).collect();
    let before = sql.rows_written();
    told(&sql, &prefixes);
    // Each row of the calendar, the lowest prefix, and once that the calendar is whole.
    assert_eq!(sql.rows_written() - before, 255 + 2);
    let fakes = Fakes::new();
    run(tell(&fakes.ledgers, DATASET, &prefixes)).unwrap();
    assert_eq!(fakes.faults.count(Kind::Ledger), 1);
    assert_eq!(asked(&fakes.ledgers, 0, RayId::LAST_PREFIX), prefixes);
    let body = CalendarAsk { dataset: DATASET.name().into(), prefix: Some(0), prefixes: Some(prefixes), within: None };
    assert!(json(&body).len() < 70_000);
}

#[test]
fn row_is_written_only_for_new_prefixes() {
    let sql = fresh();
    let at = now() / CALENDAR_ROW * CALENDAR_ROW;
    told(&sql, &[at + 5, at + 6]);
    let written = |prefixes: &[u32]| {
        let before = sql.rows_written();
        told(&sql, prefixes);
        sql.rows_written() - before
    };
    assert_eq!(written(&[at + 6, at + 5]), 0);
    assert_eq!(written(&[at + 5, at + 7]), 1);
    assert_eq!(written(&[at + 7, at + 8, at + 9]), 1);
    assert_eq!(written(&[at + 5, at + CALENDAR_ROW, at + 2 * CALENDAR_ROW]), 2);
    // And the row of the lowest one.
    assert_eq!(written(&[at - 1, at + 5]), 2);
    assert_eq!(written(&[at - 1, at + 9, at + CALENDAR_ROW]), 0);
    let before = sql.rows_written();
    whole(&registry_of(sql.clone()));
    assert_eq!(sql.rows_written(), before, "who opens it and asks writes nothing");
}

#[test]
fn older_versions_prefixes_count_present_later_ones_exactly() {
    let sql = registry_of(before(true, &[("http_requests", now() - 900)]));
    // The first call finds it out, whichever it is.
    told(&sql, &[50, now() - 950, now() + CALENDAR_AHEAD + 7]);
    let mut expected = vec![50, now() - 950];
    expected.extend(up_to_ahead(now() - 900));
    expected.push(now() + CALENDAR_AHEAD + 7);
    assert_eq!(present(&whole(&sql)), expected);
    assert_eq!(present(&calendar(&sql, "firewall_events", (0, RayId::LAST_PREFIX))), [0; 0]);
    // It is found out once.
    let rows = sql.rows();
    let later = registry_of(sql);
    let ask = CalendarAsk { dataset: "http_requests".into(), prefix: None, prefixes: None, within: Some((0, 9)) };
    registry::answer(&later, "v1/earliest", &json(&ask), NOW_MS + 90 * 86_400_000).unwrap();
    assert_eq!(later.rows(), rows);
}

#[test]
fn possible_older_indexing_makes_everything_count_as_present() {
    // Ledgers were known before prefixes were.
    let sql = registry_of(before(true, &[("*", 0)]));
    for dataset in ["http_requests", "firewall_events", "workers_trace_events"] {
        assert_eq!(ask(&sql, dataset, Some(500)), Some(0));
        let calendar = calendar(&sql, dataset, (0, RayId::LAST_PREFIX));
        assert_eq!(present(&calendar), up_to_ahead(0), "{dataset}");
    }
}

#[test]
fn returned_older_version_is_noticed() {
    let sql = fresh();
    told(&sql, &[now() - 3_000]);
    assert_eq!(present(&whole(&registry_of(sql.clone()))), [now() - 3_000], "the same version opens it again");
    // It is taken back, and knows from where on there is something.
    open_before(&sql);
    let known = sql.run("SELECT min(prefix) FROM earliest_v1", &[]).unwrap().rows;
    assert_eq!(known[0][0].as_integer(), Some(i64::from(now()) - 3_000));
    tell_before(&sql, &[("http_requests", now() - 5_000)]);
    let sql = registry_of(sql);
    let anything = up_to_ahead(now() - 5_000);
    assert_eq!(present(&whole(&sql)), anything);
    // Once more, without anything told.
    open_before(&sql);
    let rows = sql.rows();
    assert!(rows.iter().any(|row| row == "calendar_state_v1 [Integer(1), Integer(0)]"), "{rows:?}");
    assert_eq!(present(&whole(&registry_of(sql))), anything);
}

/// What the version before, which has the database open, does where it is told of a batch.
fn told_before(sql: &SqliteSql, lowest: u32) {
    let statement = "SELECT min(prefix) FROM earliest_v1 WHERE dataset IN ('http_requests', '*')";
    let known = sql.run(statement, &[]).unwrap().rows[0][0].as_integer();
    if known.is_none_or(|known| i64::from(lowest) < known) {
        tell_before(sql, &[("http_requests", lowest)]);
    }
}

#[test]
fn no_version_history_rules_out_written_prefixes() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let sql = SqliteSql::new(&Faults::default());
        let (mut now_ms, mut set, mut is_before) = (NOW_MS, BTreeSet::new(), random.chance(500));
        for _ in 0..40 {
            now_ms += random.between(0, 3 * 86_400_000);
            let now = RayId::prefix_at(now_ms * 1_000_000);
            // The object is evicted, perhaps for another version.
            if random.chance(300) {
                is_before ^= random.chance(500);
            }
            if is_before {
                open_before(&sql);
            } else {
                registry::open(&sql).unwrap();
            }
            let back = *random.of(&[10, 10, 1_000, 100_000]);
            let lowest = now - u32::try_from(random.below(back)).unwrap();
            let most = now + CALENDAR_AHEAD - lowest;
            let others = (0..random.below(4)).map(|_| lowest + u32::try_from(random.below(most as usize)).unwrap());
            let prefixes: Vec<u32> = others.chain([lowest]).collect();
            // A Worker of either version, whichever the object is of.
            let told = random.chance(500).then(|| prefixes.clone());
            let ask =
                CalendarAsk { dataset: DATASET.name().into(), prefix: Some(lowest), prefixes: told, within: None };
            if is_before {
                told_before(&sql, lowest);
            } else {
                registry::answer(&sql, "v1/earliest", &json(&ask), now_ms).unwrap();
            }
            set.extend(prefixes);
        }
        let sql = registry_of(sql);
        let is_present = |prefix: u32| {
            let within = Some((prefix, prefix));
            let ask = CalendarAsk { dataset: DATASET.name().into(), prefix: None, prefixes: None, within };
            let answered = registry::answer(&sql, "v1/earliest", &json(&ask), now_ms).unwrap();
            let answer: CalendarAnswer = serde_json::from_slice(&answered.body).unwrap();
            answer.calendar.unwrap().next(prefix) == prefix
        };
        let passed: Vec<u32> = set.into_iter().filter(|prefix| !is_present(*prefix)).collect();
        assert!(passed.is_empty(), "seed {seed}: {passed:?}");
    }
}

#[test]
fn older_worker_leaves_unrecorded_what_it_may_write() {
    let sql = fresh();
    told(&sql, &[100]);
    assert_eq!(ask(&sql, "http_requests", None), Some(100), "it asks for the lowest");
    assert_eq!(ask(&sql, "http_requests", Some(now() - 2)), Some(100));
    let expected = [vec![100], up_to_ahead(now() - 2)].concat();
    assert_eq!(present(&whole(&sql)), expected);
    let before = sql.rows_written();
    ask(&sql, "http_requests", Some(now()));
    assert_eq!(sql.rows_written(), before);
    // Records of a clock far ahead.
    let ahead = now() + 2 * CALENDAR_AHEAD;
    ask(&sql, "http_requests", Some(ahead));
    assert!([now() - 2, ahead].iter().all(|prefix| whole(&sql).next(*prefix) == *prefix));
    assert_eq!(present(&calendar(&sql, "firewall_events", (0, RayId::LAST_PREFIX))), [0; 0]);
}

/// A registry of the version before: it steps over what it does not know, and answers the lowest prefix.
struct Before(Option<u32>);

impl Objects for Before {
    async fn call(&self, _: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, raydex::backend::BackendError> {
        #[derive(serde::Deserialize)]
        struct EarliestAsk {
            dataset: String,
            prefix: Option<u32>,
        }
        let EarliestAsk { dataset, prefix } = serde_json::from_slice(&body).unwrap();
        assert_eq!((call, dataset.as_str()), ("v1/earliest", "http_requests"));
        Ok(json(&serde_json::json!({ "prefix": prefix.or(self.0) })))
    }
}

#[test]
fn older_registry_gets_the_lowest_prefix() {
    run(tell(&Before(None), DATASET, &[9, 7, 8])).unwrap();
    for (prefix, next) in [(Some(7), [7, 7, 8, RayId::LAST_PREFIX]), (None, [u32::MAX; 4])] {
        let calendar = run(look(&Before(prefix), DATASET, (0, 9))).unwrap();
        assert_eq!([0, 7, 8, RayId::LAST_PREFIX].map(|from| calendar.next(from)), next);
    }
}

#[test]
fn lowest_prefix_is_kept_for_each_dataset() {
    let sql = fresh();
    assert_eq!(ask(&sql, "http_requests", None), None);
    let mut lowest = u32::MAX;
    for prefix in [500, 700, 500, 499, 1_048_575, 3, 3, 0, 9] {
        lowest = lowest.min(prefix);
        assert_eq!(ask(&sql, "http_requests", Some(prefix)), Some(lowest));
        assert_eq!(ask(&sql, "http_requests", None), Some(lowest));
    }
    assert_eq!(ask(&sql, "firewall_events", None), None);
    assert_eq!(ask(&sql, "firewall_events", Some(7)), Some(7));
    assert_eq!(ask(&sql, "http_requests", None), Some(0));
}

#[test]
fn later_ledgers_change_nothing_where_none_was_known() {
    for sql in [before(false, &[]), SqliteSql::new(&Faults::default())] {
        let sql = registry_of(sql);
        register(&sql);
        // The object is evicted, and opened again.
        let sql = registry_of(sql);
        assert_eq!((ask(&sql, "http_requests", None), present(&whole(&sql))), (None, Vec::new()));
        told(&sql, &[500]);
        assert_eq!(ask(&registry_of(sql.clone()), "http_requests", None), Some(500));
        assert_eq!(present(&whole(&sql)), [500]);
    }
}

#[test]
fn half_opened_registry_opens_fully_next_time() {
    for has_ledger in [false, true] {
        for fault in Fault::BOTH {
            let mut nth = 0;
            loop {
                let faults = Faults::default();
                let sql = SqliteSql::new(&faults);
                // Of the version before the one that was told of prefixes.
                sql.run("CREATE TABLE ledger_v1 (name TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID", &[])
                    .unwrap();
                if has_ledger {
                    sql.run("INSERT INTO ledger_v1 VALUES ('v1/20260328T08', 1)", &[]).unwrap();
                }
                faults.plan(Some(Kind::Sql), nth, fault);
                let opened = registry::open(&sql);
                if !faults.clear() {
                    break;
                }
                assert!(opened.is_err());
                let sql = registry_of(sql);
                assert_eq!(ask(&sql, "http_requests", None), has_ledger.then_some(0), "{nth} {fault:?}");
                assert_eq!(whole(&sql).next(3) == 3, has_ledger, "{nth} {fault:?}");
                nth += 1;
            }
            assert!(nth >= 10, "{nth}");
        }
    }
}

#[test]
fn a_call_that_fails_anywhere_has_changed_nothing() {
    let mut failed = 0;
    for fault in Fault::BOTH {
        for nth in 0.. {
            let faults = Faults::default();
            let sql = SqliteSql::new(&faults);
            open_before(&sql);
            tell_before(&sql, &[("http_requests", 900)]);
            registry::open(&sql).unwrap();
            let rows = sql.rows();
            let ask = CalendarAsk {
                dataset: "http_requests".into(),
                prefix: Some(3),
                prefixes: Some(vec![3, 9_000]),
                within: Some((0, 9)),
            };
            faults.plan(Some(Kind::Sql), nth, fault);
            let answered = registry::answer(&sql, "v1/earliest", &json(&ask), NOW_MS);
            if !faults.clear() {
                break;
            }
            assert!(answered.is_err() && sql.rows() == rows, "{nth} {fault:?}");
            failed += 1;
        }
    }
    assert!(failed >= 20, "{failed}");
}

#[test]
fn invalid_row_is_an_error_not_absence() {
    let sql = fresh();
    told(&sql, &[9]);
    sql.run("UPDATE calendar_v1 SET bits = x'00'", &[]).unwrap();
    let ask = |prefixes, within| CalendarAsk { dataset: "http_requests".into(), prefix: None, prefixes, within };
    for ask in [ask(Some(vec![10]), None), ask(None, Some((0, 9)))] {
        assert!(registry::answer(&sql, "v1/earliest", &json(&ask), NOW_MS).is_err());
    }
}
