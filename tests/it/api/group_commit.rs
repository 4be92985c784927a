//! Entries that wait at the same moment share a call and a row: what that costs, and that it changes nothing else.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use raydex::audit::AUDIT;
use raydex::audit::calls::{AppendAnswer, AppendEvent, AuditMode, ChainEntry, Denial, ReadEntries};
use raydex::audit::chain::is_chain_valid;
use raydex::audit::waiting::{GroupHost, WaitingEvents};
use raydex::backend::BackendError;
use raydex::limits::{AUDIT_CALL_EVENTS, DENIAL_WINDOW_MS, GROUP_LOST_MS};
use raydex::rpc::{self, Bell, local_bell};
use serde_json::Value;

use super::segments::{ANY, Log};
use super::support::random::Random;
use super::support::records::ray;
use super::support::{Fakes, Fault, Kind, run};
use super::{Ask, problem};

/// Notes that its task was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    work: LocalBoxFuture<'static, ()>,
    woken: Arc<Woken>,
    /// It is dropped when it was looked at so often.
    hangs_up: Option<u32>,
}

/// Tasks that are looked at in any order, but only once they were woken.
#[derive(Clone, Default)]
pub(super) struct Tasks(Rc<RefCell<Vec<Task>>>);

impl Tasks {
    pub(super) fn spawn(&self, work: LocalBoxFuture<'static, ()>, hangs_up: Option<u32>) {
        self.0.borrow_mut().push(Task { work, woken: Arc::new(Woken(AtomicBool::new(true))), hangs_up });
    }

    /// Looks at one of the tasks that were woken; `false` if there is none.
    pub(super) fn step(&self, random: &mut Random) -> bool {
        let awake: Vec<usize> = {
            let tasks = self.0.borrow();
            (0..tasks.len()).filter(|place| tasks[*place].woken.0.load(Ordering::Relaxed)).collect()
        };
        if awake.is_empty() {
            return false;
        }
        let mut task = self.0.borrow_mut().swap_remove(awake[random.below(awake.len())]);
        if task.hangs_up == Some(0) {
            drop(task);
            return true;
        }
        task.hangs_up = task.hangs_up.map(|looks| looks - 1);
        task.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(task.woken.clone());
        if Pin::new(&mut task.work).poll(&mut Context::from_waker(&waker)).is_pending() {
            self.0.borrow_mut().push(task);
        }
        true
    }

    /// Goes on until nothing is left to do.
    pub(super) fn finish(&self, random: &mut Random) {
        while self.step(random) {}
        assert!(self.0.borrow().is_empty(), "{} tasks wait for something that never comes", self.0.borrow().len());
    }
}

/// An isolate whose work goes on although its clients hang up.
#[derive(Clone)]
struct Isolate {
    tasks: Tasks,
    clock_ms: Rc<Cell<i64>>,
    waiting: WaitingEvents,
}

impl GroupHost for Isolate {
    fn bell(&self) -> (Bell, LocalBoxFuture<'static, ()>) {
        let (bell, rung) = local_bell();
        (bell, rung.boxed_local())
    }

    fn carry_on(&self, work: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        let (done, is_done) = local_bell();
        self.tasks.spawn(work.map(|()| done()).boxed_local(), None);
        is_done.boxed_local()
    }

    async fn pause(&self, _: i64) {
        std::future::pending::<()>().await;
    }

    fn clock_ms(&self) -> i64 {
        self.clock_ms.get()
    }
}

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Admit,
    /// By a caller with three requests a minute.
    AdmitRated,
    Count,
    Deny,
    /// With the generation of tokens of another life.
    Stale,
}

#[derive(Debug, Clone)]
struct Arrival {
    wish: Wish,
    isolate: usize,
    /// Steps of others before it comes.
    after: u32,
    hangs_up: Option<u32>,
    size: usize,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let wish = prop_oneof![
        6 => Just(Wish::Admit), 2 => Just(Wish::AdmitRated), 1 => Just(Wish::Count), 2 => Just(Wish::Deny),
        1 => Just(Wish::Stale),
    ];
    let hangs_up = prop_oneof![5 => Just(None), 1 => (0..4_u32).prop_map(Some)];
    (wish, 0..3_usize, 0..6_u32, hangs_up, 1..300_usize).prop_map(|(wish, isolate, after, hangs_up, size)| Arrival {
        wish,
        isolate,
        after,
        hangs_up,
        size,
    })
}

fn event(number: usize, arrival: &Arrival) -> AppendEvent {
    let event = Log::deed(number, arrival.size);
    let denial = Denial { status: 403, code: "forbidden".into(), count: 1, refers_to: None };
    match arrival.wish {
        Wish::Admit => event,
        Wish::AdmitRated => AppendEvent { actor: "hasty".into(), per_minute: 3, ..event },
        Wish::Count => AppendEvent { mode: AuditMode::Count, ..event },
        Wish::Deny => AppendEvent { actor: "barred".into(), mode: AuditMode::Deny(denial), ..event },
        Wish::Stale => AppendEvent { token_generation: Some(7), ..event },
    }
}

type Answers = Rc<RefCell<BTreeMap<usize, Result<AppendAnswer, BackendError>>>>;

/// Has all of them come in their isolates; returns what each was answered.
fn arrive(fakes: &Fakes, arrivals: &[Arrival], random: &mut Random) -> Answers {
    let (tasks, answers) = (Tasks::default(), Answers::default());
    let isolate =
        || Isolate { tasks: tasks.clone(), clock_ms: fakes.clock_ms.clone(), waiting: WaitingEvents::default() };
    let isolates = [isolate(), isolate(), isolate()];
    for (number, arrival) in arrivals.iter().enumerate() {
        for _ in 0..arrival.after {
            tasks.step(random);
        }
        let (isolate, log) = (isolates[arrival.isolate].clone(), fakes.audits.clone());
        let (event, answers) = (event(number, arrival), answers.clone());
        let work = async move {
            let answer = isolate.waiting.append(&isolate, &log, AUDIT, &event).await;
            answers.borrow_mut().insert(number, answer);
        };
        tasks.spawn(work.boxed_local(), arrival.hangs_up);
    }
    tasks.finish(random);
    answers
}

/// All entries, from the bucket and from the object, page by page.
fn all_entries(fakes: &Fakes) -> Vec<ChainEntry> {
    let (mut found, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let page = super::json(&Ask::get(&format!("/v1/audit?limit=200&after={from}")).of(fakes));
        assert_eq!(page["chain_valid"], true);
        let entries = page["entries"].as_array().unwrap();
        found.extend(entries.iter().map(|kept| (kept["seq"].as_u64().unwrap(), kept["entry"].clone())));
        after = page["after"].as_u64();
    }
    found.into_iter().map(|(seq, entry)| ChainEntry { seq, entry: entry.to_string(), hash: String::new() }).collect()
}

/// Holds what was answered against the log.
fn judge(fakes: &Fakes, arrivals: &[Arrival], answers: &Answers) -> Result<(), TestCaseError> {
    let entries = all_entries(fakes);
    let read = |kept: &ChainEntry| serde_json::from_str::<Value>(&kept.entry).unwrap();
    let entries: Vec<Value> = entries.iter().map(read).collect();
    prop_assert!((1..).zip(&entries).all(|(seq, entry)| entry["seq"] == seq));
    let about = |number: usize| -> Vec<&Value> {
        entries.iter().filter(|entry| entry["resource"] == format!("r{number}")).collect()
    };
    let mut denials = [0, 0];
    for (number, arrival) in arrivals.iter().enumerate() {
        let (found, answer) = (about(number), answers.borrow().get(&number).cloned());
        prop_assert!(found.len() <= 1, "entry {} is there {} times", number, found.len());
        let is = |outcome: &str| found.len() == 1 && found[0]["outcome"] == outcome;
        denials[1] += usize::from(arrival.wish == Wish::Deny);
        match (&answer, arrival.wish) {
            // Its client hung up, or its call failed: it may be there.
            (None | Some(Err(_)), Wish::Stale) => prop_assert!(found.is_empty()),
            (None | Some(Err(_)), _) => {}
            (Some(Ok(AppendAnswer::Written { seq })), wish) => {
                prop_assert!(is(if wish == Wish::Deny { "denied" } else { "admitted" }), "{number}: {found:?}");
                prop_assert_eq!(&found[0]["seq"], *seq);
                denials[0] += usize::from(wish == Wish::Deny);
            }
            (Some(Ok(AppendAnswer::Limited { .. })), Wish::AdmitRated) => {
                prop_assert!(found.is_empty() || is("denied"));
            }
            (Some(Ok(AppendAnswer::Passed {})), Wish::Count | Wish::Deny) => {
                denials[0] += usize::from(arrival.wish == Wish::Deny);
            }
            (Some(Ok(AppendAnswer::Stale { .. })), Wish::Stale) => prop_assert!(found.is_empty()),
            (other, wish) => prop_assert!(false, "{number}: {other:?} to {wish:?}"),
        }
    }
    let of = |actor: &str, outcome: &str| -> Vec<&Value> {
        entries.iter().filter(|entry| entry["actor"] == actor && entry["outcome"] == outcome).collect()
    };
    prop_assert!(of("hasty", "admitted").len() <= 3, "the rate holds within a commit, too");
    let counted = of("barred", "denied").iter().map(|entry| entry["count"].as_u64().unwrap()).sum::<u64>();
    prop_assert!((denials[0] as u64..=denials[1] as u64).contains(&counted), "{counted} of {denials:?}");
    Ok(())
}

proptest! {
    #[test]
    fn answered_entry_is_in_the_chain_once(
        arrivals in vec(arrival(), 1..60), bounds in (1..9_u64, 300..3_000_u64), waits in (0..4_u32, 0..4_u32),
        fault in proptest::option::of((select(vec![Kind::Audit, Kind::Sql, Kind::Commit, Kind::Alarm]),
            0..40_usize, select(Fault::BOTH.to_vec()))),
        seed in any::<u64>(),
    ) {
        let fakes = Fakes::new();
        fakes.audits.set_bounds(bounds.0, bounds.1);
        fakes.audits.waits.set(waits.0);
        fakes.audits.sql.flush_waits.set(waits.1);
        if let Some((kind, passing, fault)) = fault {
            let faults = if matches!(kind, Kind::Sql | Kind::Commit) { &fakes.audits.sql_faults } else { &fakes.faults };
            faults.plan(Some(kind), if kind == Kind::Commit { 0 } else { passing }, fault);
        }
        let answers = arrive(&fakes, &arrivals, &mut Random::new(seed));
        fakes.faults.clear();
        fakes.audits.sql_faults.clear();
        fakes.audits.waits.set(0);
        fakes.audits.sql.flush_waits.set(0);
        // What denials repeat is appended when their minute is over.
        fakes.clock_ms.set(fakes.clock_ms.get() + DENIAL_WINDOW_MS);
        run(rpc::call(&fakes.audits, AUDIT, &Log::deed(arrivals.len(), 1))).unwrap();
        fakes.audits.settle(&fakes.bucket);
        judge(&fakes, &arrivals, &answers)?;
    }
}

/// A world in which calls to the audit log take their time, and timers wait for the clock.
fn slow_world() -> Fakes {
    let fakes = Fakes::new();
    fakes.audits.waits.set(5_000);
    fakes.holds_timers.set(true);
    fakes
}

fn admitted() -> Arrival {
    Arrival { wish: Wish::Admit, isolate: 0, after: 0, hangs_up: None, size: 10 }
}

#[test]
fn waiting_entries_share_calls_and_rows() {
    let fakes = slow_world();
    // Its tables are there.
    run(rpc::call(&fakes.audits, AUDIT, &Log::deed(0, 1))).unwrap();
    let (calls, rows) = (fakes.faults.count(Kind::Audit), fakes.audits.sql.rows_written());
    arrive(&fakes, &vec![admitted(); 100], &mut Random::new(1));
    assert_eq!(fakes.faults.count(Kind::Audit) - calls, 2, "the first goes alone, the others together");
    assert_eq!(fakes.audits.sql.rows_written() - rows, 2);
    assert_eq!(fakes.audits.count(), 101);
    let many = 3 * AUDIT_CALL_EVENTS + 2;
    let calls = fakes.faults.count(Kind::Audit);
    arrive(&fakes, &vec![admitted(); many], &mut Random::new(2));
    assert_eq!(fakes.faults.count(Kind::Audit) - calls, 5, "a call is bounded");
}

#[test]
fn isolates_that_wait_share_rows() {
    let fakes = slow_world();
    fakes.audits.waits.set(3);
    fakes.audits.sql.flush_waits.set(5_000);
    run(rpc::call(&fakes.audits, AUDIT, &Log::deed(0, 1))).unwrap();
    let rows = fakes.audits.sql.rows_written();
    let arrivals: Vec<_> = (0..90).map(|number| Arrival { isolate: number % 3, ..admitted() }).collect();
    arrive(&fakes, &arrivals, &mut Random::new(1));
    let written = fakes.audits.sql.rows_written() - rows;
    assert!(written <= 4, "{written} rows for 6 calls");
    assert_eq!(fakes.audits.count(), 91);
}

#[test]
fn lone_entry_waits_for_nothing() {
    let fakes = slow_world();
    let rows = |count: usize| {
        let before = (fakes.faults.count(Kind::Audit), fakes.audits.sql.rows_written());
        for number in 0..count {
            arrive(&fakes, &[admitted()], &mut Random::new(number as u64));
        }
        (fakes.faults.count(Kind::Audit) - before.0, fakes.audits.sql.rows_written() - before.1)
    };
    rows(1);
    assert_eq!(rows(10), (10, 10), "a call and a row each");
}

#[test]
fn requests_at_once_are_each_recorded() {
    let fakes = Rc::new(slow_world());
    let replies: Vec<_> =
        (0..40).map(|number| Ask::get(&format!("/v1/rays/{}", ray(number))).reply_of(&fakes)).collect();
    let replies = run(futures_util::future::join_all(replies));
    assert!(replies.iter().all(|reply| reply.status == 404), "none is stored");
    assert_eq!((fakes.audits.count(), fakes.faults.count(Kind::Audit)), (40, 2));
    let rays: std::collections::BTreeSet<_> = fakes.audits.entries().into_iter().map(|kept| kept.entry).collect();
    assert_eq!(rays.len(), 40);
    assert!(is_chain_valid(&"0".repeat(64), &fakes.audits.entries()));
}

#[test]
fn failed_call_refuses_all_that_it_had() {
    for fault in Fault::BOTH {
        let fakes = Rc::new(slow_world());
        fakes.faults.plan(Some(Kind::Audit), 1, fault);
        let replies: Vec<_> =
            (0..9).map(|number| Ask::get(&format!("/v1/rays/{}", ray(number))).reply_of(&fakes)).collect();
        let replies = run(futures_util::future::join_all(replies));
        let refused = replies.iter().filter(|reply| problem(reply) == (503, "not_audited".into())).count();
        assert_eq!((replies[0].status, refused), (404, 8), "{fault:?}");
        assert_eq!(fakes.audits.count(), if fault == Fault::Fails { 1 } else { 9 });
    }
}

#[test]
fn hang_up_of_the_first_harms_no_other() {
    let fakes = slow_world();
    let arrivals = [Arrival { hangs_up: Some(1), ..admitted() }, admitted(), admitted()];
    let answers = arrive(&fakes, &arrivals, &mut Random::new(1));
    let answers = answers.borrow();
    assert!(answers.len() >= 2 && answers.values().all(Result::is_ok), "{answers:?}");
}

#[test]
fn lost_call_holds_others_back_for_a_while() {
    let fakes = Rc::new(slow_world());
    fakes.audits.waits.set(u32::MAX);
    let mut lost = Box::pin(Ask::get(&format!("/v1/rays/{}", ray(1))).reply_of(&fakes));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(lost.as_mut().poll(&mut context).map(drop), Poll::Pending);
    // The platform ends its context, and drops nothing.
    std::mem::forget(lost);
    fakes.audits.waits.set(1);
    let mut next = Box::pin(Ask::get(&format!("/v1/rays/{}", ray(2))).reply_of(&fakes));
    assert_eq!(next.as_mut().poll(&mut context).map(drop), Poll::Pending);
    fakes.clock_ms.set(fakes.clock_ms.get() + GROUP_LOST_MS);
    assert_eq!(run(next).status, 404);
}

#[test]
fn tables_end_where_they_would_without_groups() {
    let segments = |waits: u32| {
        let fakes = Fakes::new();
        fakes.audits.set_bounds(10, ANY);
        fakes.audits.waits.set(waits);
        arrive(&fakes, &vec![admitted(); 64], &mut Random::new(3));
        let segments = fakes.audits.settle(&fakes.bucket);
        segments.into_iter().map(|segment| (segment.first, segment.last)).collect::<Vec<_>>()
    };
    assert_eq!(segments(5), (0..6).map(|number| (number * 10 + 1, number * 10 + 10)).collect::<Vec<_>>());
    assert_eq!(segments(5), segments(0));
}

#[test]
fn pages_begin_inside_of_frames() {
    let fakes = slow_world();
    arrive(&fakes, &vec![admitted(); 64], &mut Random::new(3));
    let all = fakes.audits.entries();
    assert_eq!(all.len(), 64);
    for after in 0..64 {
        let ask = ReadEntries { after, limit: 3, ..ReadEntries::default() };
        let page = run(rpc::call(&fakes.audits, AUDIT, &ask)).unwrap();
        let from = usize::try_from(after).unwrap();
        assert_eq!(page.scan.entries, all[from..(from + 3).min(64)]);
        let before = from.checked_sub(1).map_or("0".repeat(64), |last| all[last].hash.clone());
        assert!(page.scan.chain_valid && page.scan.before == before, "{after}");
    }
}
