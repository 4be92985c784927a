//! Group commit: what waits at the same moment is done in one run.
//!
//! One run is under way at a time. What comes meanwhile waits, and the next run takes it together, up to the bounds of a run.
//! What comes while nothing runs begins a run at once, alone. A run is led by one of those that wait, in its own request.
//!
//! # Invariants
//! Each item is in one run at most, and its waiter learns the outcome of that run alone. A run that is given up fails all of its
//! items. One that the platform ended without dropping it holds others back for [`GROUP_LOST_MS`] at most. No waiter is woken
//! other than by its own bell: the requests of an isolate may wake one another only through the platform.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::backend::BackendError;
use crate::limits::GROUP_LOST_MS;

/// Wakes one waiter.
pub type Bell = Box<dyn FnOnce()>;

/// What an item counts for: the entries in it, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemSize {
    /// Number of entries.
    pub entries: usize,
    /// Number of bytes.
    pub bytes: usize,
}

/// How much one run takes, and how much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupBounds {
    /// The maximum of one run. An item alone may be larger.
    pub run: ItemSize,
    /// Maximum number of bytes that wait.
    pub waiting_bytes: usize,
}

/// Items `T` that wait for their outcomes `A`; its clones are the same one.
pub struct CommitGroup<T, A>(Rc<RefCell<GroupState<T, A>>>);

struct GroupState<T, A> {
    bounds: GroupBounds,
    waiting: VecDeque<WaitingItem<T, A>>,
    waiting_bytes: usize,
    /// The number of the last item.
    items: u64,
    /// The number of the last run.
    runs: u64,
    running: RunState,
}

/// Whether a run is under way, and since when that is known, in Unix milliseconds: the clock is asked by the first that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunState {
    Idle,
    Running { seen_ms: Option<i64> },
}

struct WaitingItem<T, A> {
    number: u64,
    item: T,
    size: ItemSize,
    ticket: Rc<Ticket<A>>,
}

/// What a waiter and its run share.
struct Ticket<A> {
    outcome: Cell<Option<Result<A, BackendError>>>,
    bell: Cell<Option<Bell>>,
}

impl<A> Ticket<A> {
    fn settle(&self, outcome: Result<A, BackendError>) {
        self.outcome.set(Some(outcome));
        self.ring();
    }

    fn ring(&self) {
        if let Some(bell) = self.bell.take() {
            bell();
        }
    }
}

/// The place of an item among those that wait. Dropping it takes the item back, unless it is in a run.
pub struct GroupPlace<T, A> {
    group: CommitGroup<T, A>,
    number: u64,
    ticket: Rc<Ticket<A>>,
}

/// Items that are done together. Dropping it without an outcome fails them all.
pub struct GroupRun<T, A> {
    group: CommitGroup<T, A>,
    number: u64,
    items: Vec<T>,
    tickets: Vec<Rc<Ticket<A>>>,
}

impl<T, A> CommitGroup<T, A> {
    /// Creates a group in which nothing waits.
    #[must_use]
    pub fn new(bounds: GroupBounds) -> Self {
        let (waiting, waiting_bytes, items, runs, running) = (VecDeque::new(), 0, 0, 0, RunState::Idle);
        Self(Rc::new(RefCell::new(GroupState { bounds, waiting, waiting_bytes, items, runs, running })))
    }

    /// Puts an item at the end of those that wait.
    ///
    /// # Errors
    /// [`BackendError`] if too much waits already.
    pub fn join(&self, item: T, size: ItemSize) -> Result<GroupPlace<T, A>, BackendError> {
        let mut state = self.0.borrow_mut();
        let waiting_bytes = state.waiting_bytes.saturating_add(size.bytes);
        if waiting_bytes > state.bounds.waiting_bytes {
            return Err(BackendError::new("joining a group", "too much waits"));
        }
        (state.waiting_bytes, state.items) = (waiting_bytes, state.items + 1);
        let (number, ticket) = (state.items, Rc::new(Ticket { outcome: Cell::new(None), bell: Cell::new(None) }));
        state.waiting.push_back(WaitingItem { number, item, size, ticket: Rc::clone(&ticket) });
        Ok(GroupPlace { group: self.clone(), number, ticket })
    }

    /// Begins a run with what waits; `None` while another one is under way, or nothing waits.
    #[must_use]
    pub fn try_lead(&self, clock: impl FnOnce() -> i64) -> Option<GroupRun<T, A>> {
        let mut state = self.0.borrow_mut();
        if let RunState::Running { seen_ms } = state.running {
            let now_ms = clock();
            let seen_ms = seen_ms.unwrap_or(now_ms);
            if now_ms.saturating_sub(seen_ms) < GROUP_LOST_MS {
                state.running = RunState::Running { seen_ms: Some(seen_ms) };
                return None;
            }
        }
        let (mut items, mut tickets, mut size) = (Vec::new(), Vec::new(), ItemSize::default());
        while let Some(next) = state.waiting.front() {
            let with_next = ItemSize { entries: size.entries + next.size.entries, bytes: size.bytes + next.size.bytes };
            let is_full = with_next.entries > state.bounds.run.entries || with_next.bytes > state.bounds.run.bytes;
            if is_full && !items.is_empty() {
                break;
            }
            let Some(WaitingItem { item, ticket, .. }) = state.waiting.pop_front() else { break };
            state.waiting_bytes -= with_next.bytes - size.bytes;
            size = with_next;
            items.push(item);
            tickets.push(ticket);
        }
        if items.is_empty() {
            return None;
        }
        state.runs += 1;
        state.running = RunState::Running { seen_ms: None };
        Some(GroupRun { group: self.clone(), number: state.runs, items, tickets })
    }

    /// Ends the run of this number, unless it counts as lost, and wakes the one that leads the next.
    fn end_run(&self, number: u64) {
        let mut state = self.0.borrow_mut();
        if state.runs == number {
            state.running = RunState::Idle;
        }
        drop(state);
        self.wake_next();
    }

    /// Wakes the first that waits, if nothing runs.
    fn wake_next(&self) {
        let state = self.0.borrow();
        let next = state.waiting.front().filter(|_| state.running == RunState::Idle);
        let ticket = next.map(|next| Rc::clone(&next.ticket));
        drop(state);
        if let Some(ticket) = ticket {
            ticket.ring();
        }
    }
}

impl<T, A> GroupPlace<T, A> {
    /// Takes the outcome, if the item has been in a run that has ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<A, BackendError>> {
        self.ticket.outcome.take()
    }

    /// Sets what is rung once there is an outcome, or it is this item's turn to lead.
    pub fn set_bell(&self, bell: Bell) {
        self.ticket.bell.set(Some(bell));
    }
}

impl<T, A> Drop for GroupPlace<T, A> {
    fn drop(&mut self) {
        let taken_back = {
            let mut state = self.group.0.borrow_mut();
            let place = state.waiting.iter().position(|waiting| waiting.number == self.number);
            let item = place.and_then(|place| state.waiting.remove(place));
            state.waiting_bytes -= item.as_ref().map_or(0, |item| item.size.bytes);
            item
        };
        if taken_back.is_some() {
            // It may have been its turn to lead.
            self.group.wake_next();
        }
    }
}

impl<T, A> GroupRun<T, A> {
    /// Takes the items, in the order in which they came.
    pub fn take_items(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items)
    }

    /// Ends the run with an outcome for each item, in their order, or with the error of all.
    pub fn finish(mut self, outcomes: Result<Vec<A>, BackendError>) {
        let tickets = std::mem::take(&mut self.tickets);
        match outcomes {
            Ok(outcomes) if outcomes.len() == tickets.len() => {
                for (ticket, outcome) in tickets.iter().zip(outcomes) {
                    ticket.settle(Ok(outcome));
                }
            }
            Ok(_) => fail(&tickets, &BackendError::new("doing what waited", "its outcomes are not as many")),
            Err(error) => fail(&tickets, &error),
        }
    }
}

impl<T, A> Drop for GroupRun<T, A> {
    fn drop(&mut self) {
        fail(&self.tickets, &BackendError::new("doing what waited", "it was given up"));
        self.group.end_run(self.number);
    }
}

fn fail<A>(tickets: &[Rc<Ticket<A>>], error: &BackendError) {
    for ticket in tickets {
        ticket.settle(Err(error.clone()));
    }
}

impl<T, A> Clone for CommitGroup<T, A> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T, A> fmt::Debug for CommitGroup<T, A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.try_borrow().map_or(0, |state| state.waiting.len());
        formatter.debug_struct("CommitGroup").field("waiting", &waiting).finish_non_exhaustive()
    }
}

/// Returns a bell, and a future that completes once it was rung. For waiters in the same context of the platform.
pub fn local_bell() -> (Bell, impl Future<Output = ()> + 'static) {
    let (is_rung, waker) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(None::<Waker>)));
    let (is_done, waiting) = (Rc::clone(&is_rung), Rc::clone(&waker));
    let bell = move || {
        is_rung.set(true);
        if let Some(waker) = waker.take() {
            waker.wake();
        }
    };
    let wait = poll_fn(move |context| {
        if is_done.get() {
            return Poll::Ready(());
        }
        waiting.set(Some(context.waker().clone()));
        Poll::Pending
    });
    (Box::new(bell), wait)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::{BackendError, CommitGroup, GROUP_LOST_MS, GroupBounds, GroupPlace, ItemSize};

    type Group = CommitGroup<u32, u32>;

    fn group(entries: usize, bytes: usize) -> Group {
        CommitGroup::new(GroupBounds { run: ItemSize { entries, bytes }, waiting_bytes: 10 * bytes })
    }

    fn join(group: &Group, item: u32, bytes: usize) -> (GroupPlace<u32, u32>, Rc<Cell<u32>>) {
        let place = group.join(item, ItemSize { entries: 1, bytes }).unwrap();
        let rings = Rc::new(Cell::new(0));
        let count = Rc::clone(&rings);
        place.set_bell(Box::new(move || count.set(count.get() + 1)));
        (place, rings)
    }

    #[test]
    fn items_that_wait_share_the_next_run() {
        let group = group(3, 100);
        let (first, _) = join(&group, 1, 1);
        let mut run = group.try_lead(|| 0).unwrap();
        assert_eq!(run.take_items(), [1], "what comes to an idle group waits for no other");
        let waiting: Vec<_> = (2..7).map(|item| join(&group, item, 1)).collect();
        assert!(group.try_lead(|| 1).is_none(), "one run is under way at a time");
        run.finish(Ok(vec![10]));
        assert_eq!(first.outcome(), Some(Ok(10)));
        let rung: Vec<u32> = waiting.iter().map(|(_, rings)| rings.get()).collect();
        assert_eq!(rung, [1, 0, 0, 0, 0], "the next one leads");
        let mut run = group.try_lead(|| 1).unwrap();
        assert_eq!(run.take_items(), [2, 3, 4]);
        run.finish(Ok(vec![20, 30, 40]));
        assert_eq!(waiting[2].0.outcome(), Some(Ok(40)));
        assert_eq!(group.try_lead(|| 1).unwrap().take_items(), [5, 6]);
    }

    #[test]
    fn run_and_queue_are_bounded_in_bytes() {
        let group = group(9, 100);
        let _places = [60, 40, 1, 300, 5].map(|bytes| join(&group, 0, bytes));
        let runs = [2, 1, 1, 1].map(|count| (group.try_lead(|| 0).unwrap().take_items().len(), count));
        assert!(runs.iter().all(|(found, count)| found == count), "{runs:?}");
        let _places: Vec<_> = (0..10).map(|item| join(&group, item, 100)).collect();
        assert!(group.join(0, ItemSize { entries: 1, bytes: 1 }).is_err(), "no more may wait");
    }

    #[test]
    fn failed_and_dropped_runs_fail_all_their_items() {
        let group = group(9, 100);
        let error = BackendError::new("a test", "fails");
        let places = [1, 2].map(|item| join(&group, item, 1));
        group.try_lead(|| 0).unwrap().finish(Err(error.clone()));
        assert!(places.iter().all(|(place, rings)| place.outcome() == Some(Err(error.clone())) && rings.get() == 1));
        let places = [1, 2].map(|item| join(&group, item, 1));
        drop(group.try_lead(|| 0));
        assert!(places.iter().all(|(place, rings)| matches!(place.outcome(), Some(Err(_))) && rings.get() == 1));
        let places = [1, 2].map(|item| join(&group, item, 1));
        group.try_lead(|| 0).unwrap().finish(Ok(vec![1]));
        assert!(places.iter().all(|(place, _)| matches!(place.outcome(), Some(Err(_)))), "an outcome is missing");
    }

    #[test]
    fn dropped_place_takes_its_item_back() {
        let group = group(9, 100);
        let ((first, _), (second, rings)) = (join(&group, 1, 100), join(&group, 2, 1));
        drop(first);
        assert_eq!(rings.get(), 1, "it leads now");
        let mut run = group.try_lead(|| 0).unwrap();
        assert_eq!(run.take_items(), [2]);
        drop(second);
        run.finish(Ok(vec![1]));
        assert!(group.try_lead(|| 0).is_none() && group.0.borrow().waiting_bytes == 0);
    }

    #[test]
    fn lost_run_holds_others_back_for_a_while() {
        let group = group(9, 100);
        let (lost, _) = join(&group, 1, 1);
        let run = group.try_lead(|| 0).unwrap();
        let (second, _) = join(&group, 2, 1);
        assert!(group.try_lead(|| 5).is_none(), "now it is seen");
        assert!(group.try_lead(|| GROUP_LOST_MS + 4).is_none());
        let next = group.try_lead(|| GROUP_LOST_MS + 5).unwrap();
        let (third, _) = join(&group, 3, 1);
        run.finish(Ok(vec![1]));
        assert_eq!(lost.outcome(), Some(Ok(1)), "it was late, not lost");
        assert!(group.try_lead(|| GROUP_LOST_MS + 6).is_none(), "and it ends no run but its own");
        next.finish(Ok(vec![2]));
        assert_eq!(second.outcome(), Some(Ok(2)));
        assert_eq!(group.try_lead(|| GROUP_LOST_MS + 7).unwrap().take_items(), [3]);
        assert!(third.outcome().is_some_and(|outcome| outcome.is_err()), "that run was dropped");
    }
}
