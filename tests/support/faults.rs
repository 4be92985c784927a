//! Which call of the world fails, and how.
//!
//! All fakes of one world share one count, so that "the nth call" means the nth of any kind. A fault strikes once, or
//! a given number of times in a row.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use raydex::backend::BackendError;

/// What a failing call says; a test looks for it where it must not be.
pub const DETAIL: &str = "s3cret-words-of-the-platform";

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `Bucket::get`.
    Get,
    /// `Bucket::get_range`.
    GetRange,
    /// `Bytes::next`.
    Body,
    /// `Bucket::put`.
    Put,
    /// `Bucket::upload`.
    Upload,
    /// `Upload::part`.
    Part,
    /// `Upload::complete`.
    Complete,
    /// `Upload::abort`.
    Abort,
    /// `Objects::call`.
    Shard,
    /// `Objects::call` of a ledger.
    Ledger,
    /// `Objects::call` of the object for the partner.
    Partner,
    /// `Objects::call` of the audit log.
    Audit,
    /// `Queue::send` of an object to parse.
    Send,
    /// `Queue::send` of a payload to send.
    SendPayload,
    /// `Bucket::put_new`.
    PutNew,
    /// `Bucket::delete`.
    Delete,
    /// `Bucket::list`.
    List,
    /// `Sql::run`.
    Sql,
    /// The end of a transaction, counted only where it is to fail.
    Commit,
    /// `Alarm::set` of the audit log.
    Alarm,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It did not happen.
    Fails,
    /// It happened, but the caller is told that it did not.
    FailsButHappened,
}

impl Fault {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Fails, Self::FailsButHappened];
}

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<Kind, usize>,
    calls: usize,
    /// The kind (`None`: any), how many of it still pass, how the next ones fail, how many of them.
    planned: Option<(Option<Kind>, usize, Fault, usize)>,
    struck: bool,
    /// The kinds of the calls in their order, where they are kept.
    order: Option<Vec<Kind>>,
    /// The kinds of the calls of each step, where steps are counted.
    steps: Option<Vec<Vec<Kind>>>,
}

/// The shared count of calls, and the plan of what fails.
#[derive(Debug, Clone, Default)]
pub struct Faults(Rc<RefCell<State>>);

impl Faults {
    /// From now on, after `passing` more calls of `kind` (`None`: of any), the next one fails.
    pub fn plan(&self, kind: Option<Kind>, passing: usize, fault: Fault) {
        self.plan_row(kind, passing, fault, 1);
    }

    /// The same, for so many in a row.
    pub fn plan_row(&self, kind: Option<Kind>, passing: usize, fault: Fault, times: usize) {
        let mut state = self.0.borrow_mut();
        state.planned = Some((kind, passing, fault, times));
        state.struck = false;
    }

    /// Nothing fails any more; says whether the planned fault had struck.
    pub fn clear(&self) -> bool {
        let mut state = self.0.borrow_mut();
        state.planned = None;
        std::mem::take(&mut state.struck)
    }

    /// Whether a fault of just this kind is planned.
    pub fn is_planned(&self, kind: Kind) -> bool {
        self.0.borrow().planned.is_some_and(|(which, ..)| which == Some(kind))
    }

    /// How many calls there were, of any kind but to the audit log, which every request is written to, and of its alarm.
    pub fn calls(&self) -> usize {
        self.0.borrow().calls - self.count(Kind::Audit) - self.count(Kind::Alarm)
    }

    /// How many calls of this kind there were.
    pub fn count(&self, kind: Kind) -> usize {
        self.0.borrow().counts.get(&kind).copied().unwrap_or(0)
    }

    /// Keeps the order of the calls from now on.
    pub fn keep_order(&self) {
        self.0.borrow_mut().order = Some(Vec::new());
    }

    /// The kinds of the calls since then, in their order.
    pub fn order(&self) -> Vec<Kind> {
        self.0.borrow().order.clone().unwrap_or_default()
    }

    /// Returns what the future comes to, and the kinds of the calls of each of its steps: those that wait at the same time are one
    /// step, and those that wait for the answer of another are in a later one.
    pub fn count_steps<T>(&self, future: impl Future<Output = T>) -> (T, Vec<Vec<Kind>>) {
        self.0.borrow_mut().steps = Some(vec![Vec::new()]);
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..1_000_000 {
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                let steps = self.0.borrow_mut().steps.take().unwrap_or_default();
                return (result, steps.into_iter().filter(|calls| !calls.is_empty()).collect());
            }
            // Others have their turn without a call, too.
            let mut state = self.0.borrow_mut();
            let open = state.steps.iter_mut().filter(|steps| steps.last().is_some_and(|calls| !calls.is_empty()));
            open.for_each(|steps| steps.push(Vec::new()));
        }
        panic!("the future waits for something that no step will bring");
    }

    /// Waits for the end of the step, if steps are counted.
    pub async fn step(&self, kind: Kind) {
        let begin = |steps: &mut Vec<Vec<Kind>>| {
            steps.last_mut().into_iter().for_each(|calls| calls.push(kind));
            steps.len()
        };
        let Some(step) = self.0.borrow_mut().steps.as_mut().map(begin) else { return };
        let is_over = || self.0.borrow().steps.as_ref().is_none_or(|steps| steps.len() > step);
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if is_over() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Makes one call of `kind`: counts it, and does `work` unless the plan says otherwise.
    pub fn call<T>(&self, kind: Kind, work: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
        match self.strike(kind) {
            None => work(),
            Some(Fault::Fails) => Err(BackendError::new("a call", DETAIL)),
            Some(Fault::FailsButHappened) => work().and_then(|_| Err(BackendError::new("a call", DETAIL))),
        }
    }

    /// The same for work that takes its time.
    pub async fn call_slow<T>(
        &self,
        kind: Kind,
        work: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        match self.strike(kind) {
            None => work.await,
            Some(Fault::Fails) => Err(BackendError::new("a call", DETAIL)),
            Some(Fault::FailsButHappened) => work.await.and_then(|_| Err(BackendError::new("a call", DETAIL))),
        }
    }

    fn strike(&self, kind: Kind) -> Option<Fault> {
        let mut state = self.0.borrow_mut();
        state.calls += 1;
        *state.counts.entry(kind).or_default() += 1;
        state.order.iter_mut().for_each(|order| order.push(kind));
        let (which, passing, fault, times) = state.planned?;
        if which.is_some_and(|which| which != kind) {
            return None;
        }
        if passing > 0 {
            state.planned = Some((which, passing - 1, fault, times));
            return None;
        }
        state.planned = (times > 1).then_some((which, 0, fault, times - 1));
        state.struck = true;
        Some(fault)
    }
}
