//! What callers cost, and daily budgets: over the whole surface, and over the object that counts, which is started anew at any
//! time.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use raydex::access::{ChainNumber, CostReport, Dollars};
use raydex::audit::AUDIT;
use raydex::audit::calls::{
    AppendAnswer, AppendEvent, AuditMode, CallerCost, CostPage, CountWritten, KnownCost, ListCosts, ReportCosts,
};
use raydex::backend::SqlDatabase;
use raydex::config::{Config, ConfigFault};
use raydex::limits::{
    ADVANCE_NANOS, AUDITED_REQUEST_NANOS, COST_REPORT_NANOS, COSTS_UNSAVED_NANOS, COUNTED_REQUEST_NANOS, MESSAGE_NANOS,
    OBJECT_CALL_NANOS, R2_READ_NANOS, R2_WRITE_NANOS, ROW_WRITTEN_NANOS, SPENT_REFUSED_MS, WORKER_REQUEST_NANOS,
};
use raydex::rpc;
use raydex::services::IsolateMemory;
use raydex::time::{DAY_MS, day_end_ms, day_number};
use serde_json::{Value, json};

use super::access::rule;
use super::audit::entries;
use super::chains::{DESKS, chain};
use super::generate::Store;
use super::random::Random;
use super::segments::Log;
use super::story::{KEYS, batch, records};
use super::support::records::ray;
use super::support::world::config_with;
use super::support::{Fakes, Fault, Kind, NOW_MS, run};
use super::{Ask, Reply, header, json as body, problem};

/// The settings of a deployment, as requests are answered of them.
type Deployment = Result<Config, Vec<ConfigFault>>;

/// What a lookup with two reads costs, by docs/cost.md, in nano-dollars; beside it the CPU of the stored bytes.
const LOOKUP: u64 = AUDITED_REQUEST_NANOS + ADVANCE_NANOS;

#[test]
fn prices_are_those_of_the_cost_table() {
    let text = include_str!("../../../local/cost.mjs");
    for (name, nanos) in [
        ("workerRequest", WORKER_REQUEST_NANOS),
        ("objectCall", OBJECT_CALL_NANOS),
        ("rowWritten", ROW_WRITTEN_NANOS),
        ("r2Write", R2_WRITE_NANOS),
        ("r2Read", R2_READ_NANOS),
        ("queueOperation", MESSAGE_NANOS / 3),
    ] {
        let price = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
        let a_million = Dollars::parse_budget(price.unwrap().trim_end_matches(',')).unwrap();
        assert_eq!(a_million.nanos(), nanos * 1_000_000, "{name}");
    }
}

fn costs(fakes: &Fakes) -> CostPage {
    run(rpc::call(&fakes.audits, AUDIT, &ListCosts { limit: 100 })).unwrap()
}

pub(super) fn cost_of(fakes: &Fakes, actor: &str) -> Option<CallerCost> {
    costs(fakes).callers.into_iter().find(|caller| caller.actor == actor)
}

#[expect(clippy::unnecessary_wraps, reason = "it is what requests are answered of")]
pub(super) fn with_budget(budget: &str) -> Deployment {
    Ok(config_with(&[("DAILY_BUDGET", budget), ("API_RATE_PER_MINUTE", "0")]))
}

pub(super) fn lookup() -> Ask {
    Ask::get(&format!("/v1/rays/{}", ray(1)))
}

pub(super) fn world() -> Fakes {
    let fakes = Fakes::new();
    batch(&fakes, KEYS[0], &records(0..2), None);
    fakes
}

#[test]
fn lookup_costs_what_the_documents_say() {
    let fakes = world();
    lookup().of(&fakes);
    let first = cost_of(&fakes, "main").unwrap();
    assert_eq!((first.requests, first.cost, first.budget), (1, LOOKUP, None));
    Ask::get("/v1/stats").of(&fakes);
    let second = cost_of(&fakes, "main").unwrap();
    assert_eq!(second.requests, 2);
    assert!((LOOKUP + COUNTED_REQUEST_NANOS..LOOKUP + COUNTED_REQUEST_NANOS + 50).contains(&second.cost), "{second:?}");
    let rows = |written: raydex::audit::calls::WrittenCounts| (written.calls, written.entries);
    assert_eq!(rows(run(rpc::call(&fakes.audits, AUDIT, &CountWritten {})).unwrap()), (2, 1));
}

#[test]
fn counting_adds_no_row_and_no_call() {
    let (fakes, calls) = (world(), |fakes: &Fakes| fakes.faults.count(Kind::Audit));
    lookup().of(&fakes);
    let (rows, before) = (fakes.audits.sql.rows_written(), calls(&fakes));
    for _ in 0..200 {
        lookup().of(&fakes);
    }
    assert_eq!((fakes.audits.sql.rows_written() - rows, calls(&fakes) - before), (200, 200));
}

#[test]
fn spent_budget_is_refused_until_midnight() {
    let (fakes, config) = (world(), with_budget("0.000004"));
    for spent in ["0.0000023", "0.0000046"] {
        let reply = lookup().of_deployment(&fakes, &config);
        assert_eq!(reply.status, 200);
        let said = header(&reply, "raydex-budget").unwrap();
        let start = format!("budget=0.000004, spent={spent}");
        assert!(said.starts_with(&start) && said.ends_with(", ends=2026-03-29T00:00:00Z"), "{said}");
    }
    let before = (fakes.faults.calls(), fakes.audits.count());
    let reply = lookup().of_deployment(&fakes, &config);
    assert_eq!(problem(&reply), (429, "daily_budget_spent".into()));
    assert_eq!(fakes.faults.calls(), before.0, "no work is done");
    let wait_s = (day_end_ms(NOW_MS) - NOW_MS).div_euclid(1_000) + 1;
    assert_eq!(header(&reply, "retry-after"), Some(wait_s.to_string().as_str()));
    let detail = body(&reply)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("budget of 0.000004 dollars a day") && detail.contains("has cost 0.00000"), "{detail}");
    let denied = entries(&fakes).pop().unwrap();
    let said = (&denied["outcome"], &denied["status"], &denied["code"]);
    assert_eq!(said, (&"denied".into(), &429.into(), &"daily_budget_spent".into()));
    assert_eq!((fakes.audits.count(), cost_of(&fakes, "main").unwrap().requests), (before.1 + 1, 2));
    // The isolate refuses what follows without a call, for a minute; then it asks again.
    let calls = fakes.faults.count(Kind::Audit);
    for _ in 0..9 {
        assert_eq!(lookup().of_deployment(&fakes, &config).status, 429);
    }
    assert_eq!(fakes.faults.count(Kind::Audit), calls);
    fakes.clock_ms.set(fakes.clock_ms.get() + SPENT_REFUSED_MS);
    assert_eq!(lookup().of_deployment(&fakes, &config).status, 429);
    assert_eq!(fakes.faults.count(Kind::Audit), calls + 1);
    fakes.clock_ms.set(day_end_ms(NOW_MS));
    assert_eq!(lookup().of_deployment(&fakes, &config).status, 200, "the next day has a budget of its own");
}

/// A deployment whose callers have these tokens, each with a budget or without.
#[expect(clippy::unnecessary_wraps, reason = "it is what requests are answered of")]
fn tokens(budgets: &[(&str, Value)], more: &[(&str, &str)]) -> Deployment {
    let rules: Vec<Value> = budgets.iter().map(|(name, budget)| rule(name, budget)).collect();
    let rules = Value::from(rules).to_string();
    Ok(config_with(&[&[("API_TOKENS", rules.as_str()), ("API_RATE_PER_MINUTE", "0")], more].concat()))
}

fn admitted(fakes: &Fakes, config: &Deployment, who: &str, most: usize) -> usize {
    (0..most).filter(|_| lookup().by(who).of_deployment(fakes, config).status == 200).count()
}

#[test]
fn each_caller_has_its_own_budget() {
    let fakes = world();
    let rules = [
        ("poor", json!({ "daily_budget": "0.000007" })),
        ("usual", json!({})),
        ("rich", json!({ "daily_budget": "1" })),
    ];
    let config = tokens(&rules, &[("DAILY_BUDGET", "0.00001")]);
    for (who, expected) in [("poor", 4), ("usual", 5), ("rich", 20), ("poor", 0)] {
        let found = admitted(&fakes, &config, who, 20);
        assert!(found == expected || found + 1 == expected && expected < 9, "{who}: {found}");
    }
    // What strangers send, and what is denied, costs no caller anything.
    let before = costs(&fakes);
    for (who, path) in [("stranger", "/v1/stats"), ("usual", "/v1/audit"), ("rich", "/v1/rays/x?y=z")] {
        let reply = Ask::get(path).by(who).of_deployment(&fakes, &config);
        assert!([400, 401, 403, 429].contains(&reply.status), "{who} {}", reply.status);
    }
    let after = costs(&fakes);
    let requests =
        |page: &CostPage| page.callers.iter().map(|one| (one.actor.clone(), one.requests)).collect::<Vec<_>>();
    assert_eq!(requests(&after), requests(&before));
}

#[test]
fn smaller_budget_holds_from_the_next_request() {
    let fakes = world();
    let deployed = |budget: &str| tokens(&[("desk", json!({ "daily_budget": budget }))], &[]);
    assert_eq!(admitted(&fakes, &deployed("1"), "desk", 5), 5);
    assert_eq!(admitted(&fakes, &deployed("0.000005"), "desk", 5), 0);
    let isolate = Fakes { isolate: IsolateMemory::default(), ..fakes };
    assert_eq!(admitted(&isolate, &deployed("2"), "desk", 5), 5);
}

#[test]
fn made_token_has_the_budget_of_its_body() {
    let fakes = world();
    let create = |id: &str, budget: &Value| {
        fakes.bits.set(fakes.bits.get() + 1);
        let wanted = json!({ "id": id, "scopes": ["read"], "role": "viewer", "daily_budget": budget });
        Ask { body: wanted.to_string().into(), ..Ask::new("POST", "/v1/tokens") }
    };
    let made = create("desk", &"0.000005".into()).of(&fakes);
    assert_eq!((made.status, &body(&made)["daily_budget"]), (201, &"0.000005".into()));
    let listed = body(&Ask::get("/v1/tokens").of(&fakes));
    assert_eq!(listed["tokens"][0]["daily_budget"], "0.000005");
    let (token, config) = (body(&made)["token"].as_str().unwrap().to_owned(), with_budget("9"));
    let found = admitted(&fakes, &config, &token, 9);
    assert!((2..=3).contains(&found), "{found}");
    for wrong in [json!("x"), json!("-1"), json!(""), json!("1e3"), json!("1000000.01")] {
        assert_eq!(problem(&create("other", &wrong).of(&fakes)), (400, "not_a_token".into()), "{wrong}");
    }
    // A caller with a budget of its own passes on no greater one, and none without.
    let maker = json!({ "scopes": ["admin", "read"], "role": "viewer", "daily_budget": "3" });
    let config = tokens(&[("maker", maker)], &[]);
    for (budget, status) in [(json!("3"), 201), (json!("3.01"), 403), (Value::Null, 403)] {
        let reply = create(&format!("of-maker-{status}-{budget}").replace(['"', '.'], "-"), &budget).by("maker");
        let reply = reply.of_deployment(&fakes, &config);
        assert_eq!(reply.status, status, "{budget}");
        if status == 403 {
            assert_eq!(problem(&reply).1, "exceeds_own_rights");
            let hint = body(&reply)["hint"].as_str().unwrap().to_owned();
            assert!(hint.contains("daily_budget is 3.00 dollars"), "{hint}");
        }
    }
}

#[test]
fn restricted_caller_learns_nothing_of_its_cost() {
    let fakes = world();
    let config = tokens(&[("narrow", json!({ "zones": ["a.example"], "daily_budget": "0.000004" }))], &[]);
    let ask = || Ask::get("/v1/logs?start=2026-03-28T08:00:00Z&end=2026-03-28T08:30:00Z").by("narrow");
    let replies: Vec<Reply> = (0..4).map(|_| ask().of_deployment(&fakes, &config)).collect();
    assert_eq!(header(&replies[0], "raydex-budget"), Some("budget=0.000004, ends=2026-03-29T00:00:00Z"));
    assert_eq!(problem(&replies[3]), (429, "daily_budget_spent".into()));
    assert!(!String::from_utf8_lossy(&replies[3].body).contains("has cost"));
}

/// The last line of a search, and its status.
fn search(store: &Store, query: &str, config: &Deployment) -> (u16, Value) {
    let (start, end) = (super::generate::start_ms() - 2 * super::generate::PREFIX_MS, NOW_MS);
    let reply = Ask::get(&format!("/v1/logs?start={start}&end={end}{query}")).of_deployment(&store.fakes, config);
    let text = String::from_utf8(reply.body).unwrap();
    (reply.status, serde_json::from_str(text.lines().last().unwrap()).unwrap())
}

#[test]
fn search_ends_where_its_budget_does() {
    let mut store = Store::random(&mut Random::new(71), 8, 40);
    let (status, whole) = search(&store, "", &with_budget("1"));
    assert_eq!((status, &whole["raydex"]["cursor"], &whole["raydex"]["error"]), (200, &Value::Null, &Value::Null));
    store.fakes.clock_ms.set(NOW_MS + DAY_MS);
    let (mut cursor, mut answers, mut records) = (String::new(), 0, 0);
    loop {
        // What an isolate did not report on a day counts on the next one.
        store.fakes.isolate = IsolateMemory::default();
        answers += 1;
        let (status, said) = search(&store, &cursor, &with_budget("0.000003"));
        assert_eq!(status, 200, "{said}");
        let said = &said["raydex"];
        records += said["stats"]["records_returned"].as_u64().unwrap();
        let spent = cost_of(&store.fakes, "main").unwrap().cost;
        assert!(spent < 3_000 + LOOKUP, "a step is less than a lookup: {spent}");
        let Some(next) = said["cursor"].as_str() else { break };
        assert_eq!((&said["complete"], &said["error"]["code"]), (&false.into(), &"daily_budget_spent".into()));
        assert_eq!(search(&store, "", &with_budget("0.000003")).0, 429);
        cursor = format!("&cursor={next}");
        store.fakes.clock_ms.set(store.fakes.clock_ms.get() + DAY_MS);
    }
    assert!(answers > 2 && records == whole["raydex"]["stats"]["records_returned"], "{answers} {records} {whole}");
}

#[test]
fn search_reports_its_cost_while_it_runs() {
    let (store, budget) = (Store::random(&mut Random::new(71), 8, 40), "0.00002");
    search(&store, "", &with_budget(budget));
    let calls = store.fakes.faults.count(Kind::Audit);
    assert!(calls > 2, "{calls}");
    let alone = Fakes { isolate: IsolateMemory::default(), ..store.fakes.clone() };
    let spent = cost_of(&alone, "main").unwrap().cost;
    assert!(spent > LOOKUP + R2_READ_NANOS, "{spent}");
}

#[test]
fn chain_change_gives_two_budgets_at_most() {
    let fakes = world();
    let desk = DESKS.iter().find(|desk| ChainNumber::of_caller(desk, 4) != chain(0)).unwrap();
    let deployed =
        |chains| Ok(super::chains::deployment(chains, &[("DAILY_BUDGET", "0.00001"), ("API_RATE_PER_MINUTE", "0")]));
    let counts = [1, 4, 1, 4].map(|chains| {
        let isolate = Fakes { isolate: IsolateMemory::default(), ..fakes.clone() };
        admitted(&isolate, &deployed(chains), desk, 20)
    });
    assert!(counts[0] > 0 && counts[1] > 0 && counts[2..] == [0, 0], "{counts:?}");
}

/// One thing that happens to the object that counts.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// An event with an entry or without, of one of some callers, with this cost.
    Append {
        is_entry: bool,
        actor: usize,
        cost: u64,
    },
    /// A report of a search.
    Report {
        actor: usize,
        cost: u64,
    },
    /// A transaction fails.
    Fail,
    Restart,
    /// The clock goes on, or back, by so many hours.
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), 0..3_usize, 1..5_000_u64).prop_map(|(is_entry, actor, cost)| Step::Append { is_entry, actor, cost }),
        2 => (0..3_usize, 1..COSTS_UNSAVED_NANOS).prop_map(|(actor, cost)| Step::Report { actor, cost }),
        1 => Just(Step::Fail),
        2 => Just(Step::Restart),
        1 => (-30..30_i64).prop_map(Step::Pass),
    ]
}

/// What each caller cost, by the simplest account there is, and what a restart may forget of it.
#[derive(Debug, Default)]
struct NaiveCosts {
    day: i64,
    spent: BTreeMap<usize, u64>,
    /// What no row is known to have.
    unsaved: u64,
}

fn event(is_entry: bool, actor: usize, cost: u64) -> AppendEvent {
    let mode = if is_entry { AuditMode::Admit } else { AuditMode::Count };
    AppendEvent { actor: format!("caller-{actor}"), mode, cost, ..Log::deed(1, 1) }
}

proptest! {
    #[test]
    fn costs_survive_restarts_but_for_a_bound(steps in vec(step(), 1..60)) {
        let fakes = Fakes::new();
        fakes.audits.set_bounds(7, u64::MAX);
        let mut naive = NaiveCosts { day: day_number(NOW_MS), ..NaiveCosts::default() };
        run(rpc::call(&fakes.audits, AUDIT, &event(true, 2, 1))).unwrap();
        naive.spent.insert(2, 1);
        for step in steps {
            let now_ms = fakes.clock_ms.get();
            match step {
                Step::Append { is_entry, actor, cost } => {
                    run(rpc::call(&fakes.audits, AUDIT, &event(is_entry, actor, cost))).unwrap();
                    *naive.spent.entry(actor).or_default() += cost;
                    naive.unsaved = if is_entry { 0 } else { naive.unsaved + cost };
                }
                Step::Report { actor, cost } => {
                    let report = CostReport { actor: format!("caller-{actor}"), nanos: cost };
                    let ask = ReportCosts { actor: report.actor.clone(), costs: vec![report] };
                    let KnownCost { spent } = run(rpc::call(&fakes.audits, AUDIT, &ask)).unwrap();
                    *naive.spent.entry(actor).or_default() += cost;
                    naive.unsaved += cost;
                    prop_assert!(spent <= naive.spent[&actor]);
                }
                Step::Fail => {
                    fakes.audits.sql_faults.plan(Some(Kind::Commit), 0, Fault::Fails);
                    let failed = run(rpc::call(&fakes.audits, AUDIT, &event(true, 0, 1)));
                    fakes.audits.sql_faults.clear();
                    prop_assert!(failed.is_err());
                }
                Step::Restart => fakes.audits.restart(),
                Step::Pass(hours) => {
                    fakes.clock_ms.set(now_ms + hours * 3_600_000);
                    let day = day_number(fakes.clock_ms.get());
                    if day > naive.day {
                        naive = NaiveCosts { day, ..NaiveCosts::default() };
                    }
                    // A day that only the clock knows of is no row's.
                    run(rpc::call(&fakes.audits, AUDIT, &event(true, 2, 1))).unwrap();
                    *naive.spent.entry(2).or_default() += 1;
                    naive.unsaved = 0;
                }
            }
            let page = costs(&fakes);
            prop_assert_eq!(page.day, naive.day);
            let mut lost = 0;
            for (actor, spent) in &naive.spent {
                let found = page.callers.iter().find(|one| one.actor == format!("caller-{actor}")).map_or(0, |one| one.cost);
                prop_assert!(found <= *spent, "{} of {}", found, spent);
                lost += spent - found;
            }
            prop_assert!(lost <= naive.unsaved.min(COSTS_UNSAVED_NANOS), "{} of {}", lost, naive.unsaved);
            // What was lost is lost: from here on the naive account goes on without it.
            for (actor, spent) in &mut naive.spent {
                *spent = page.callers.iter().find(|one| one.actor == format!("caller-{actor}")).map_or(0, |one| one.cost);
            }
            naive.unsaved -= lost;
        }
    }
}

#[test]
fn spent_budget_stays_spent_after_a_restart() {
    let fakes = Fakes::new();
    let ask = |is_entry| AppendEvent { budget: Some(10_000), ..event(is_entry, 1, 3_000) };
    run(rpc::call(&fakes.audits, AUDIT, &event(true, 0, 1))).unwrap();
    let mut spent = 0;
    loop {
        let answer = run(rpc::call(&fakes.audits, AUDIT, &ask(false))).unwrap();
        fakes.audits.restart();
        let AppendAnswer::Budgeted { seq: None, spent: known } = answer else {
            assert_eq!(answer, AppendAnswer::Spent { wait_ms: day_end_ms(NOW_MS) - NOW_MS, spent });
            break;
        };
        spent += 3_000;
        assert_eq!(known, spent, "a twentieth of the budget is a row");
    }
    fakes.audits.restart();
    fakes.clock_ms.set(NOW_MS - 2 * DAY_MS);
    let again = run(rpc::call(&fakes.audits, AUDIT, &ask(true))).unwrap();
    assert!(matches!(again, AppendAnswer::Spent { .. }), "nor does a clock that went back reset it");
}

#[test]
fn reports_are_rows_where_they_are_large() {
    let fakes = Fakes::new();
    run(rpc::call(&fakes.audits, AUDIT, &event(true, 0, 1))).unwrap();
    let rows = fakes.audits.sql.rows_written();
    for number in 1..=8 {
        let costs = vec![CostReport { actor: "eye".into(), nanos: COST_REPORT_NANOS / 8 }];
        let known = run(rpc::call(&fakes.audits, AUDIT, &ReportCosts { actor: "eye".into(), costs })).unwrap();
        assert_eq!(known.spent, number * COST_REPORT_NANOS / 8);
    }
    assert_eq!(fakes.audits.sql.rows_written() - rows, 2);
    fakes.audits.restart();
    assert_eq!(cost_of(&fakes, "eye").unwrap().cost, COST_REPORT_NANOS);
}

#[test]
fn table_older_than_costs_is_appended_to() {
    let fakes = Fakes::new();
    for _ in 0..3 {
        run(rpc::call(&fakes.audits, AUDIT, &event(true, 0, 0))).unwrap();
    }
    fakes.audits.sql.run("ALTER TABLE audit_frame_v1_1 DROP COLUMN costs", &[]).unwrap();
    fakes.audits.restart();
    assert_eq!(costs(&fakes), CostPage { day: day_number(NOW_MS), ..CostPage::default() });
    run(rpc::call(&fakes.audits, AUDIT, &event(true, 0, 77))).unwrap();
    fakes.audits.restart();
    assert_eq!((cost_of(&fakes, "caller-0").unwrap().cost, fakes.audits.count()), (77, 4));
}
