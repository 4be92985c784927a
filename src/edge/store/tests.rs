//! Storing over a host that fails, hangs up, and goes on.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::FutureExt;

use super::{DurableBuffer, EdgeHost, StoreReport, bring_batches, store_due};
use crate::backend::{BackendError, ObjectHead};
use crate::edge::{
    CollectorAnswer, CollectorClient, CollectorPost, EdgeBatch, EdgeLogger, EdgeMode, EdgeSettings, FlushBounds,
    HandOver, HandOverAnswer, HandedBatch, RedactionRules, SinkSettings, StoreResult, add_headers, read_sinks,
};
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
    /// The answers of collectors, in order; all accept when it is empty.
    answers: RefCell<VecDeque<Option<CollectorAnswer>>>,
    posts: RefCell<Vec<CollectorPost>>,
    /// Whether the next batches can be handed over; all can when it is empty.
    handovers: RefCell<VecDeque<bool>>,
    handed: RefCell<Vec<(String, HandOver)>>,
    messages: RefCell<Vec<HandedBatch>>,
    /// How long a collector takes; for ever if it hangs.
    post_ms: Cell<i64>,
    hangs: Cell<bool>,
    /// What arrives while a timer waits.
    arrivals: RefCell<Vec<(i64, Rc<RefCell<EdgeLogger>>)>>,
}

fn works(plan: &RefCell<VecDeque<bool>>) -> Result<(), BackendError> {
    if plan.borrow_mut().pop_front().unwrap_or(true) { Ok(()) } else { Err(BackendError::new("a test", "as planned")) }
}

impl CollectorClient for FakeHost {
    async fn post(&self, post: CollectorPost) -> Option<CollectorAnswer> {
        self.now_ms.set(self.now_ms() + self.post_ms.get().min(post.timeout_ms));
        self.posts.borrow_mut().push(post);
        if self.hangs.get() {
            std::future::pending::<()>().await;
        }
        let accepted = CollectorAnswer { status: 204, ..CollectorAnswer::default() };
        self.answers.borrow_mut().pop_front().unwrap_or(Some(accepted))
    }
}

impl DurableBuffer for FakeHost {
    async fn hand_over(&self, object: &str, call: &HandOver) -> Result<HandOverAnswer, BackendError> {
        works(&self.handovers)?;
        self.handed.borrow_mut().push((object.to_owned(), call.clone()));
        Ok(HandOverAnswer { is_new: true })
    }

    async fn enqueue(&self, batch: HandedBatch) -> Result<(), BackendError> {
        works(&self.handovers)?;
        self.messages.borrow_mut().push(batch);
        Ok(())
    }
}

impl EdgeHost for FakeHost {
    async fn put_batch(&self, batch: &EdgeBatch) -> Result<ObjectHead, BackendError> {
        works(&self.puts)?;
        self.objects.borrow_mut().push(batch.clone());
        Ok(ObjectHead { etag: "e".into(), size: batch.body.len() as u64, uploaded_ms: self.now_ms(), rewrite: None })
    }

    async fn head_batch(&self, batch: &EdgeBatch) -> Result<Option<ObjectHead>, BackendError> {
        let is_there = self.objects.borrow().contains(batch);
        let head =
            ObjectHead { etag: "e".into(), size: batch.body.len() as u64, uploaded_ms: self.now_ms(), rewrite: None };
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
    logger_with(SinkSettings::default())
}

fn logger_with(sinks: SinkSettings) -> Rc<RefCell<EdgeLogger>> {
    let settings = EdgeSettings {
        mode: EdgeMode::Log,
        bucket_name: "cdn-logs-raw".into(),
        folder: "logs/".into(),
        fingerprint_key: None,
        routes: Vec::new(),
        headers: Vec::new(),
        redaction: RedactionRules::default(),
        flush: FlushBounds { lines: 3, age_ms: 10_000 },
        sinks,
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
    run(bring_batches(&logger, &host));
    assert_eq!(*host.results.borrow(), [StoreResult::Failed, StoreResult::Stored]);
    assert_eq!((host.now_ms(), logger.borrow().buffer.next_due_ms(0)), (11_000, None));
}

#[test]
fn timer_that_ends_leaves_nothing_open() {
    let (host, logger) = (FakeHost::default(), logger());
    // The last one would be due after the timer's end.
    *host.arrivals.borrow_mut() = [9_000, 9_500, 10_001].map(|at_ms| (at_ms, Rc::clone(&logger))).into();
    logger.borrow_mut().buffer.record(b"{}", 1);
    run(bring_batches(&logger, &host));
    assert_eq!((logger.borrow().buffer.lines_held(), &lines(&host.objects.borrow())[..]), (0, &[3, 1][..]));
    assert_eq!(host.now_ms(), 10_001);
}

#[test]
fn unannounced_object_is_announced_and_not_written_again() {
    let (host, logger) = (FakeHost::default(), logger());
    host.announcements.borrow_mut().push_back(false);
    logger.borrow_mut().buffer.record(b"{}", 0);
    run(bring_batches(&logger, &host));
    assert_eq!(*host.results.borrow(), [StoreResult::Unannounced, StoreResult::Stored]);
    assert_eq!((host.objects.borrow().len(), host.events.borrow().len()), (1, 1));
}

#[test]
fn only_one_timer_runs_at_a_time() {
    let (host, logger) = (FakeHost::default(), logger());
    logger.borrow_mut().buffer.record(b"{}", 0);
    assert!(logger.borrow_mut().buffer.start_timer(0, 0, 20_000));
    run(bring_batches(&logger, &host));
    assert_eq!((host.now_ms(), host.objects.borrow().len()), (0, 0));
}

fn sinks(setting: &str) -> SinkSettings {
    SinkSettings { sinks: read_sinks(setting, false).unwrap(), ..SinkSettings::default() }
}

const COLLECTOR: &str = r#"[{"kind":"http","name":"a","preset":"loki","url":"https://a.example"},{"kind":"r2"}]"#;

#[test]
fn failing_collector_delays_no_object() {
    let (host, logger) = (FakeHost::default(), logger_with(sinks(COLLECTOR)));
    let busy = CollectorAnswer { status: 429, retry_after: Some("3".into()), body: Vec::new() };
    host.answers.borrow_mut().extend([None, Some(busy)]);
    (0..3).for_each(|_| logger.borrow_mut().buffer.record(b"{}", 0));
    run(store_due(&logger, &host));
    assert_eq!((host.objects.borrow().len(), host.posts.borrow().len()), (1, 1));
    assert_eq!(logger.borrow().buffer.lines_held(), 0, "the bucket has its lines");
    run(bring_batches(&logger, &host));
    assert_eq!((host.objects.borrow().len(), host.posts.borrow().len(), host.now_ms()), (1, 3, 4_000));
    let counts = logger.borrow().buffer.sink_counts();
    assert_eq!((counts["a"].handed, counts["a"].lines(), counts["r2"].handed), (3, 3, 3));
}

#[test]
fn refused_lines_are_counted_and_not_repeated() {
    let mut sinks = sinks(COLLECTOR);
    add_headers(&mut sinks.sinks, r#"{"a":{"authorization":"Bearer canary"}}"#).unwrap();
    let (host, logger) = (FakeHost::default(), logger_with(sinks));
    let refused = CollectorAnswer { status: 400, ..CollectorAnswer::default() };
    host.answers.borrow_mut().push_back(Some(refused));
    (0..3).for_each(|_| logger.borrow_mut().buffer.record(b"{}", 0));
    run(store_due(&logger, &host));
    assert_eq!((host.posts.borrow().len(), logger.borrow().buffer.next_due_ms(1)), (1, None));
    let counts = logger.borrow().buffer.sink_counts();
    assert_eq!((counts["a"].refused, counts["a"].lines()), (3, 3));
    assert_eq!(logger.borrow().buffer.counts().recorded, 3, "the equation is the bucket's");
    assert!(
        host.posts.borrow()[0].headers.iter().any(|(name, value)| name == "authorization" && value.contains("canary"))
    );
    assert!(!format!("{:?}{:?}", host.posts.borrow(), logger.borrow()).contains("canary"));
}

#[test]
fn hanging_collector_delays_no_timer_of_others() {
    let (host, logger) = (FakeHost::default(), logger_with(sinks(COLLECTOR)));
    host.hangs.set(true);
    (0..4).for_each(|_| logger.borrow_mut().buffer.record(b"{}", 0));
    assert!(bring_batches(&logger, &host).now_or_never().is_none(), "the request is there as long as the collector");
    assert_eq!((lines(&host.objects.borrow()), host.posts.borrow().len()), (vec![3, 1], 1));
}

#[test]
fn timer_ends_though_a_collector_hangs() {
    let (host, logger) = (FakeHost::default(), logger_with(sinks(COLLECTOR)));
    host.post_ms.set(60_000);
    host.answers.borrow_mut().extend([const { None }; 9]);
    logger.borrow_mut().buffer.record(b"{}", 0);
    run(bring_batches(&logger, &host));
    assert!(host.now_ms() < 30_000, "{}", host.now_ms());
    let counts = logger.borrow().buffer.sink_counts();
    assert_eq!((counts["a"].waiting, counts["r2"].handed), (1, 1));
}

#[test]
fn batches_are_handed_over_in_milliseconds() {
    let both = r#"[{"kind":"r2","through":"object"},{"kind":"http","name":"a","preset":"loki","url":"https://a.example","through":"object"}]"#;
    let (host, logger) = (FakeHost::default(), logger_with(sinks(both)));
    host.handovers.borrow_mut().push_back(false);
    logger.borrow_mut().buffer.record(b"{}", 0);
    run(bring_batches(&logger, &host));
    assert_eq!(host.now_ms(), 1_250, "and once more a second later");
    let handed = host.handed.borrow();
    let (object, HandOver { batch, oldest, sinks }) = &handed[0];
    assert_eq!(
        (object.as_str(), *oldest, batch.label.lines, &sinks[..]),
        ("edge-spool-0", 1, 1, &["r2".to_owned(), "a".into()][..])
    );
    assert_eq!((handed.len(), host.posts.borrow().len(), host.objects.borrow().len()), (1, 0, 0));
    assert_eq!(logger.borrow().buffer.counts().recorded, 1);
}

#[test]
fn ways_close_batches_of_their_own() {
    let ways =
        r#"[{"kind":"r2"},{"kind":"http","name":"a","preset":"ndjson","url":"https://a.example","through":"object"}]"#;
    let (host, logger) = (FakeHost::default(), logger_with(sinks(ways)));
    for second in 0..3 {
        logger.borrow_mut().buffer.record(b"{}", second * 1_000);
        host.now_ms.set(second * 1_000 + 300);
        run(store_due(&logger, &host));
    }
    assert_eq!((host.handed.borrow().len(), lines(&host.objects.borrow())), (3, vec![3]));
    let last = &host.objects.borrow()[0].label.sinks;
    assert_eq!((last["object"].lines(), last["r2"].waiting), (3, 3), "{last:?}");
}

#[test]
fn messages_stay_below_the_size_of_queues() {
    let (host, logger) = (FakeHost::default(), logger_with(sinks(r#"[{"kind":"r2","through":"queue"}]"#)));
    // Digits of a generator hardly compress.
    let mut state = 7_u64;
    let mut noise = |size: usize| -> Vec<u8> {
        let mut digit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            b'0' + u8::try_from(state >> 58).unwrap()
        };
        (0..size).map(|_| digit()).collect()
    };
    let sizes = [60_000, 60_000, 100_000, 10, 10, 200_000, 30_000];
    for size in sizes {
        logger.borrow_mut().buffer.record(&noise(size), 0);
    }
    run(bring_batches(&logger, &host));
    let messages = host.messages.borrow();
    assert!(
        messages.iter().all(|message| message.body.len() < 120_000),
        "{:?}",
        messages.iter().map(|m| m.body.len()).collect::<Vec<_>>()
    );
    let counts = logger.borrow().buffer.counts();
    let handed: u64 = messages.iter().map(|message| message.label.lines).sum();
    assert_eq!((handed, counts.dropped.unwritable, counts.recorded), (6, 1, 6), "one line has no room in a message");
    assert!(messages.iter().map(|message| message.label.sequence).eq(1..=messages.len() as u64));
}
