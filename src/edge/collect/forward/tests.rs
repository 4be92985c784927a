//! Forwarding to an origin that fails, hangs up, and goes on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use futures_util::FutureExt;

use super::{CollectHost, ForwardReport, ask_quota, forward_due, keep_window_timer};
use crate::backend::{BackendError, ObjectHead};
use crate::edge::{
    CollectSettings, CollectorAnswer, CollectorClient, CollectorPost, DurableBuffer, EdgeBatch, EdgeHost, EdgeLogger,
    EdgeMode, EdgeSettings, FlushBounds, ForwardResult, HandOver, HandOverAnswer, HandedBatch, OriginAnswer, OriginUrl,
    QuotaUrl, RedactionRules, ReportBody, ReportIntake, ReportRequest, ReportWindow, SinkSettings, StoreReport,
    WindowForm, WindowHeaders, read_collect_rules,
};
use crate::r2_event::R2Event;

/// What the origin does with a POST: it takes it, and whether an answer arrives.
#[derive(Clone, Copy)]
struct OriginTurn {
    takes: bool,
    status: Option<u16>,
}

const TAKEN: OriginTurn = OriginTurn { takes: true, status: Some(204) };
const LOST: OriginTurn = OriginTurn { takes: true, status: None };
const DOWN: OriginTurn = OriginTurn { takes: false, status: Some(503) };

/// A host whose clock is moved by its timers.
#[derive(Default)]
struct FakeHost {
    now_ms: Cell<i64>,
    /// What the origin does with the next POSTs; it takes all when this is empty.
    turns: RefCell<VecDeque<OriginTurn>>,
    posts: Cell<u32>,
    /// The bodies that the origin has, by the names of their windows.
    taken: RefCell<BTreeMap<String, Vec<u8>>>,
    asked: RefCell<Vec<String>>,
    results: RefCell<Vec<ForwardResult>>,
    batches: RefCell<Vec<EdgeBatch>>,
}

impl EdgeHost for FakeHost {
    async fn put_batch(&self, batch: &EdgeBatch) -> Result<ObjectHead, BackendError> {
        self.batches.borrow_mut().push(batch.clone());
        Ok(ObjectHead { etag: "e".into(), size: batch.body.len() as u64, uploaded_ms: self.now_ms(), rewrite: None })
    }

    async fn head_batch(&self, _: &EdgeBatch) -> Result<Option<ObjectHead>, BackendError> {
        Ok(None)
    }

    async fn announce(&self, _: R2Event) -> Result<(), BackendError> {
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    async fn sleep(&self, ms: i64) {
        assert!(ms > 0, "a timer never spins");
        self.now_ms.set(self.now_ms() + ms);
    }

    fn report(&self, _: StoreReport<'_>) {}
}

impl CollectorClient for FakeHost {
    async fn post(&self, _: CollectorPost) -> Option<CollectorAnswer> {
        None
    }
}

impl DurableBuffer for FakeHost {
    async fn hand_over(&self, _: &str, _: &HandOver) -> Result<HandOverAnswer, BackendError> {
        Ok(HandOverAnswer { is_new: true })
    }

    async fn enqueue(&self, _: HandedBatch) -> Result<(), BackendError> {
        Ok(())
    }
}

impl CollectHost for FakeHost {
    async fn post_window(&self, settings: &CollectSettings, window: &ReportWindow) -> Option<OriginAnswer> {
        assert_eq!(settings.url.url(), "https://origin.example/in");
        self.posts.set(self.posts.get() + 1);
        let OriginTurn { takes, status } = self.turns.borrow_mut().pop_front().unwrap_or(TAKEN);
        if takes {
            let before = self.taken.borrow_mut().insert(window.name(), window.body.clone());
            assert!(before.is_none_or(|before| before == window.body), "the same window has the same bytes");
        }
        status.map(|status| OriginAnswer { status, retry_after: None, cache_control: None })
    }

    async fn get_quota(&self, url: &OriginUrl) -> Option<OriginAnswer> {
        self.asked.borrow_mut().push(url.url());
        Some(OriginAnswer { status: 429, retry_after: Some("60".into()), cache_control: None })
    }

    fn report_window(&self, report: ForwardReport<'_>) {
        self.results.borrow_mut().push(report.result);
    }
}

fn intake(stores: bool) -> RefCell<ReportIntake> {
    let settings = CollectSettings {
        url: OriginUrl::parse("https://origin.example/in").unwrap(),
        form: WindowForm::Ndjson,
        age_ms: 5_000,
        headers: WindowHeaders::default(),
        rules: read_collect_rules(r#"[{"route":"*/k","quota":{"key":"query:k"}}]"#).unwrap(),
        quota_url: QuotaUrl::parse("/quota/{key}"),
        stores,
        redaction: RedactionRules::default(),
    };
    RefCell::new(ReportIntake::new(settings, "00c0ffee00c0ffee".into()))
}

fn logger() -> RefCell<EdgeLogger> {
    let settings = EdgeSettings {
        mode: EdgeMode::Collect,
        bucket_name: "cdn-logs-raw".into(),
        folder: "logs/".into(),
        fingerprint_key: None,
        routes: Vec::new(),
        headers: Vec::new(),
        redaction: RedactionRules::default(),
        flush: FlushBounds { lines: 500, age_ms: 10_000 },
        sinks: SinkSettings::default(),
    };
    RefCell::new(EdgeLogger::new(settings, "00c0ffee00c0ffee".into()))
}

/// Has a body collected now; returns the question that comes of it.
fn collect(intake: &RefCell<ReportIntake>, host: &FakeHost, path: &str, body: &str) -> Option<super::QuotaQuestion> {
    let request =
        ReportRequest { url: format!("https://a.example{path}"), headers: "content-type\napplication/json".into() };
    intake.borrow_mut().collect(&request, ReportBody::Whole(body.as_bytes()), 7, host.now_ms())
}

/// Runs a future that waits for nothing but the host.
fn run(future: impl Future<Output = ()>) {
    future.now_or_never().expect("the host never waits");
}

#[test]
fn timer_forwards_one_window_for_many_requests() {
    let (host, intake, logger) = (FakeHost::default(), intake(false), logger());
    (0..1_000)
        .for_each(|number| assert!(collect(&intake, &host, "/r", &format!("{{\"a\":{}}}", number % 50)).is_none()));
    run(forward_due(&intake, &logger, &host));
    assert_eq!(host.posts.get(), 0, "the window is open");
    run(keep_window_timer(&intake, &logger, &host));
    assert_eq!((host.posts.get(), host.now_ms(), intake.borrow().windows.reports_held()), (1, 5_000, 0));
    let bodies = host.taken.borrow();
    let lines = std::str::from_utf8(bodies.values().next().unwrap()).unwrap().lines().count();
    assert_eq!((lines, host.batches.borrow().len()), (50, 0));
}

#[test]
fn unanswered_window_is_sent_again_unchanged() {
    let (host, intake, logger) = (FakeHost::default(), intake(false), logger());
    host.turns.borrow_mut().extend([LOST, DOWN, LOST]);
    collect(&intake, &host, "/r", "[{},{}]");
    run(keep_window_timer(&intake, &logger, &host));
    let failed = ForwardResult::Failed(1_000);
    assert_eq!(*host.results.borrow(), [failed, failed, failed, ForwardResult::Taken]);
    assert_eq!((host.posts.get(), host.now_ms(), host.taken.borrow().len()), (4, 12_000, 1));
    let counts = intake.borrow().windows.counts();
    assert_eq!((counts.recorded, counts.merged, counts.dropped()), (1, 1, 0));
}

#[test]
fn timer_that_ends_leaves_nothing_open() {
    let (host, intake, logger) = (FakeHost::default(), intake(false), logger());
    host.turns.borrow_mut().extend([DOWN; 9]);
    collect(&intake, &host, "/r", "{}");
    run(keep_window_timer(&intake, &logger, &host));
    assert!(host.now_ms() <= 20_000 && intake.borrow().windows.reports_held() == 1);
    // The next request notices what is due, however long that was.
    host.turns.borrow_mut().clear();
    host.now_ms.set(500_000);
    collect(&intake, &host, "/r", "{}");
    run(forward_due(&intake, &logger, &host));
    assert_eq!((host.taken.borrow().len(), intake.borrow().windows.reports_held()), (1, 1));
    run(keep_window_timer(&intake, &logger, &host));
    assert_eq!((host.taken.borrow().len(), intake.borrow().windows.reports_held()), (2, 0));
}

#[test]
fn only_one_timer_runs_at_a_time() {
    let (host, intake, logger) = (FakeHost::default(), intake(false), logger());
    collect(&intake, &host, "/r", "{}");
    assert!(intake.borrow_mut().windows.start_timer(0, 20_000));
    run(keep_window_timer(&intake, &logger, &host));
    assert_eq!((host.now_ms(), host.posts.get()), (0, 0));
}

#[test]
fn answer_about_a_key_is_kept() {
    let (host, intake) = (FakeHost::default(), intake(false));
    let question = collect(&intake, &host, "/k?k=a/b", "{}").unwrap();
    run(ask_quota(&intake, &host, &question));
    assert_eq!(*host.asked.borrow(), ["https://origin/quota/a%2Fb"]);
    assert!(collect(&intake, &host, "/k?k=a/b", "[{},{}]").is_none());
    assert_eq!(intake.borrow().windows.counts().dropped.over_quota, 2);
}

#[test]
fn reports_are_stored_as_one_batch_per_window() {
    let (host, intake, logger) = (FakeHost::default(), intake(true), logger());
    host.turns.borrow_mut().extend([DOWN]);
    collect(&intake, &host, "/r", r#"[{"a":1},{"a":1},{"a":2}]"#);
    run(keep_window_timer(&intake, &logger, &host));
    let batches = host.batches.borrow();
    let counts = batches[0].label.counts;
    assert_eq!((batches.len(), batches[0].label.lines), (1, 2));
    assert_eq!((counts.seen, counts.recorded, counts.merged), (3, 2, 1));
    assert!(counts.is_balanced() && Rc::strong_count(&intake.borrow().settings) == 1);
}
