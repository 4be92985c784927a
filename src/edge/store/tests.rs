//! Storing over a host that fails, hangs up, and goes on.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::FutureExt;

use super::{EdgeHost, StoreReport, keep_timer, store_due};
use crate::backend::{BackendError, ObjectHead};
use crate::edge::{EdgeBatch, EdgeLogger, EdgeMode, EdgeSettings, FlushBounds, RedactionRules, StoreResult};
use crate::r2_event::R2Event;

/// A host whose clock is moved by its timers.
#[derive(Default)]
struct FakeHost {
    now_ms: Cell<i64>,
    /// Whether the next calls work; all do when it is empty.
    puts: RefCell<VecDeque<bool>>,
    announcements: RefCell<VecDeque<bool>>,
    objects: RefCell<Vec<EdgeBatch>>,
    events: RefCell<Vec<R2Event>>,
    results: RefCell<Vec<StoreResult>>,
    /// What arrives while a timer waits.
    arrivals: RefCell<Vec<(i64, Rc<RefCell<EdgeLogger>>)>>,
}

fn works(plan: &RefCell<VecDeque<bool>>) -> Result<(), BackendError> {
    if plan.borrow_mut().pop_front().unwrap_or(true) { Ok(()) } else { Err(BackendError::new("a test", "as planned")) }
}

impl EdgeHost for FakeHost {
    async fn put_batch(&self, batch: &EdgeBatch) -> Result<ObjectHead, BackendError> {
        works(&self.puts)?;
        self.objects.borrow_mut().push(batch.clone());
        Ok(ObjectHead { etag: "e".into(), size: batch.body.len() as u64, uploaded_ms: self.now_ms() })
    }

    async fn head_batch(&self, batch: &EdgeBatch) -> Result<Option<ObjectHead>, BackendError> {
        let is_there = self.objects.borrow().contains(batch);
        let head = ObjectHead { etag: "e".into(), size: batch.body.len() as u64, uploaded_ms: self.now_ms() };
        Ok(is_there.then_some(head))
    }

    async fn announce(&self, event: R2Event) -> Result<(), BackendError> {
        works(&self.announcements)?;
        self.events.borrow_mut().push(event);
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    async fn sleep(&self, ms: i64) {
        assert!(ms > 0, "a timer never spins");
        let end_ms = self.now_ms() + ms;
        let (due, later) = self.arrivals.take().into_iter().partition(|(at_ms, _)| *at_ms <= end_ms);
        *self.arrivals.borrow_mut() = later;
        let due: Vec<(i64, Rc<RefCell<EdgeLogger>>)> = due;
        for (at_ms, logger) in &due {
            logger.borrow_mut().buffer.record(b"{}", *at_ms);
        }
        self.now_ms.set(end_ms);
    }

    fn report(&self, report: StoreReport<'_>) {
        self.results.borrow_mut().push(report.result);
    }
}

fn logger() -> Rc<RefCell<EdgeLogger>> {
    let settings = EdgeSettings {
        mode: EdgeMode::Log,
        bucket_name: "cdn-logs-raw".into(),
        folder: "logs/".into(),
        fingerprint_key: None,
        routes: Vec::new(),
        headers: Vec::new(),
        redaction: RedactionRules::default(),
        flush: FlushBounds { lines: 3, age_ms: 10_000 },
    };
    Rc::new(RefCell::new(EdgeLogger::new(settings, "00c0ffee00c0ffee".into())))
}

/// Runs a future that waits for nothing but the host.
fn run(future: impl Future<Output = ()>) {
    future.now_or_never().expect("the host never waits");
}

fn lines(batches: &[EdgeBatch]) -> Vec<u64> {
    batches.iter().map(|batch| batch.label.lines).collect()
}

#[test]
fn full_batches_are_stored_and_announced_at_once() {
    let (host, logger) = (FakeHost::default(), logger());
    (0..7).for_each(|_| logger.borrow_mut().buffer.record(b"{}", 0));
    run(store_due(&logger, &host));
    assert_eq!(lines(&host.objects.borrow()), [3, 3]);
    let objects = host.objects.borrow();
    for (event, batch) in host.events.borrow().iter().zip(objects.iter()) {
        assert_eq!((event.bucket.as_str(), &event.object.key), ("cdn-logs-raw", &batch.key));
        assert_eq!((event.object.etag.as_deref(), event.object.size), (Some("e"), Some(batch.body.len() as u64)));
    }
    assert_eq!((host.events.borrow().len(), logger.borrow().buffer.lines_held()), (2, 1));
}

#[test]
fn timer_stores_what_is_open_and_retries() {
    let (host, logger) = (FakeHost::default(), logger());
    host.puts.borrow_mut().push_back(false);
    logger.borrow_mut().buffer.record(b"{}", 0);
    run(keep_timer(&logger, &host));
    assert_eq!(*host.results.borrow(), [StoreResult::Failed, StoreResult::Stored]);
    assert_eq!((host.now_ms(), logger.borrow().buffer.next_due_ms()), (11_000, None));
}

#[test]
fn timer_that_ends_leaves_nothing_open() {
    let (host, logger) = (FakeHost::default(), logger());
    // The last one would be due after the timer's end.
    *host.arrivals.borrow_mut() = [9_000, 9_500, 10_001].map(|at_ms| (at_ms, Rc::clone(&logger))).into();
    logger.borrow_mut().buffer.record(b"{}", 1);
    run(keep_timer(&logger, &host));
    assert_eq!((logger.borrow().buffer.lines_held(), &lines(&host.objects.borrow())[..]), (0, &[3, 1][..]));
    assert_eq!(host.now_ms(), 10_001);
}

#[test]
fn unannounced_object_is_announced_and_not_written_again() {
    let (host, logger) = (FakeHost::default(), logger());
    host.announcements.borrow_mut().push_back(false);
    logger.borrow_mut().buffer.record(b"{}", 0);
    run(keep_timer(&logger, &host));
    assert_eq!(*host.results.borrow(), [StoreResult::Unannounced, StoreResult::Stored]);
    assert_eq!((host.objects.borrow().len(), host.events.borrow().len()), (1, 1));
}

#[test]
fn only_one_timer_runs_at_a_time() {
    let (host, logger) = (FakeHost::default(), logger());
    logger.borrow_mut().buffer.record(b"{}", 0);
    assert!(logger.borrow_mut().buffer.start_timer(0, 20_000));
    run(keep_timer(&logger, &host));
    assert_eq!((host.now_ms(), host.objects.borrow().len()), (0, 0));
}
