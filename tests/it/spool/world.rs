//! An edge logger's isolates, an object of the durable buffer, a bucket and a collector, in one process and one thread.
//!
//! Every call may fail, fail although it happened, or never end: then whoever waits for it is killed there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Waker};

use raydex::backend::{BackendError, ObjectHead};
use raydex::config::read_edge_settings;
use raydex::edge::handover::{HandOver, HandOverAnswer, HandedBatch};
use raydex::edge::{
    BatchLabel, CollectorAnswer, CollectorClient, CollectorPost, DurableBuffer, EdgeBatch, EdgeHost, EdgeLogger,
    EdgeSettings, StoreReport, inflated,
};
use raydex::ledger::Alarm;
use raydex::r2_event::R2Event;
use raydex::rpc::Call;
use raydex::spool::{self, SpoolBounds};

use super::support::random::Random;
use super::support::{Faults, NOW_MS, SqliteSql};

/// Sinks through the object: the bucket and a collector.
pub(super) const BOTH: &str = r#"[{"kind":"r2","through":"object"},
    {"kind":"http","name":"lines","preset":"ndjson","url":"https://a.example","through":"object"}]"#;

/// The settings of both Workers, with these sinks.
pub(super) fn settings(sinks: &str) -> EdgeSettings {
    let set = [("EDGE_SINKS", sinks), ("EDGE_FLUSH_SECONDS", "2")];
    read_edge_settings(|name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())).unwrap()
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallEnd {
    Works,
    Fails,
    FailsButHappened,
    NeverEnds,
    NeverEndsButHappened,
}

/// The world.
pub(super) struct World {
    pub(super) settings: EdgeSettings,
    pub(super) bounds: SpoolBounds,
    pub(super) sql: SqliteSql,
    /// When the object's alarm fires.
    pub(super) alarm_ms: Cell<Option<i64>>,
    pub(super) now_ms: Cell<i64>,
    pub(super) random: RefCell<Random>,
    /// Of a thousand calls this many go wrong.
    pub(super) faults: Cell<u64>,
    /// Whether the bucket is away.
    pub(super) is_bucket_away: Cell<bool>,
    /// The objects, each with its label.
    pub(super) objects: RefCell<BTreeMap<String, (Vec<u8>, BatchLabel)>>,
    pub(super) announced: RefCell<Vec<String>>,
    /// Lines that the collector got.
    pub(super) collected: RefCell<Vec<u64>>,
    /// Lines in batches that reached the object, and lines in batches of which it said so.
    pub(super) arrived: RefCell<Vec<u64>>,
    pub(super) acknowledged: RefCell<Vec<u64>>,
    /// Messages of the queue.
    pub(super) messages: RefCell<Vec<String>>,
}

/// The numbers of the lines in a gzip.
pub(super) fn numbers(gzip: &[u8], size: usize) -> Vec<u64> {
    let text = String::from_utf8(inflated(gzip, size).unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap()).collect()
}

/// Runs a future until it ends, or waits for something that never comes: then it is dropped, as when its process dies.
pub(super) fn run_or_kill<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(done) => Some(done),
        std::task::Poll::Pending => None,
    }
}

impl World {
    pub(super) fn new(sinks: &str, seed: u64) -> Self {
        Self {
            settings: settings(sinks),
            bounds: SpoolBounds::default(),
            sql: SqliteSql::new(&Faults::default()),
            alarm_ms: Cell::default(),
            now_ms: Cell::new(NOW_MS),
            random: RefCell::new(Random::new(seed)),
            faults: Cell::new(0),
            is_bucket_away: Cell::default(),
            objects: RefCell::default(),
            announced: RefCell::default(),
            collected: RefCell::default(),
            arrived: RefCell::default(),
            acknowledged: RefCell::default(),
            messages: RefCell::default(),
        }
    }

    /// A new isolate.
    pub(super) fn isolate(&self) -> RefCell<EdgeLogger> {
        let id = format!("{:016x}", self.random.borrow_mut().next());
        RefCell::new(EdgeLogger::new(self.settings.clone(), id))
    }

    fn end(&self) -> CallEnd {
        let random = &mut *self.random.borrow_mut();
        if !random.chance(self.faults.get()) {
            return CallEnd::Works;
        }
        *random.of(&[CallEnd::Fails, CallEnd::FailsButHappened, CallEnd::NeverEnds, CallEnd::NeverEndsButHappened])
    }

    /// Makes a call that ends as the seed says.
    async fn call<T>(&self, happen: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
        let failed = || BackendError::new("a test", "as the seed says");
        match self.end() {
            CallEnd::Works => happen(),
            CallEnd::Fails => Err(failed()),
            CallEnd::FailsButHappened => happen().and_then(|_| Err(failed())),
            CallEnd::NeverEnds => pending().await,
            CallEnd::NeverEndsButHappened => {
                happen()?;
                pending().await
            }
        }
    }

    /// The object takes a batch, and sets its alarm.
    pub(super) fn take(&self, call: &HandOver) -> Result<HandOverAnswer, BackendError> {
        let (body, is_open) = (call.to_body(), Cell::new(false));
        let with = (&self.settings, self.bounds);
        let reply =
            spool::serve(&self.sql, &is_open, (HandOver::NAME, &body), with, "5700150015001500", self.now_ms())?;
        let wake_ms = self.alarm_ms.get().into_iter().chain(reply.wake_ms).min();
        self.alarm_ms.set(wake_ms);
        let answer: HandOverAnswer = serde_json::from_slice(&reply.body).unwrap();
        if answer.is_new {
            self.arrived.borrow_mut().extend(numbers(&call.batch.gzip().unwrap(), call.batch.text_bytes));
        }
        Ok(answer)
    }

    /// Fires the alarm if it is due; whoever runs it may die.
    pub(super) fn ring(&self) {
        if self.alarm_ms.get().is_some_and(|at_ms| at_ms <= self.now_ms()) {
            self.alarm_ms.set(None);
            let rung = run_or_kill(spool::alarm(&self.sql, self, self, &self.settings, self.bounds));
            assert!(rung.is_none_or(|rung| rung.is_ok()), "the database does not fail here");
        }
    }

    /// Lets the alarm fire until nothing is left to bring, without faults.
    pub(super) fn settle(&self) {
        self.faults.set(0);
        while let Some(at_ms) = self.alarm_ms.get() {
            self.now_ms.set(self.now_ms().max(at_ms));
            self.ring();
        }
    }

    /// The lines in the bucket, sorted.
    pub(super) fn stored(&self) -> Vec<u64> {
        let objects = self.objects.borrow();
        let mut lines: Vec<u64> = objects.values().flat_map(|(body, label)| lines_of(body, label)).collect();
        lines.sort_unstable();
        lines
    }
}

/// The numbers of the lines of an object, whose count its label has.
fn lines_of(body: &[u8], label: &BatchLabel) -> Vec<u64> {
    let text = super::support::gzip::gunzip(body);
    let lines = String::from_utf8(text).unwrap();
    let found: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap())
        .collect();
    assert_eq!(found.len() as u64, label.lines);
    assert!(label.counts.is_balanced() && label.since.is_balanced(), "{label:?}");
    assert_eq!(label.since.recorded, label.lines, "{label:?}");
    found
}

impl Alarm for World {
    async fn set(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        self.alarm_ms.set(at_ms);
        Ok(())
    }
}

impl CollectorClient for World {
    async fn post(&self, post: CollectorPost) -> Option<CollectorAnswer> {
        let accept = || {
            let text = String::from_utf8(super::support::gzip::gunzip(&post.body)).unwrap();
            let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap();
            self.collected.borrow_mut().extend(text.lines().map(number));
            Ok(CollectorAnswer { status: 200, ..CollectorAnswer::default() })
        };
        self.call(accept).await.ok()
    }
}

impl DurableBuffer for World {
    async fn hand_over(&self, _: &str, call: &HandOver) -> Result<HandOverAnswer, BackendError> {
        let answer = self.call(|| self.take(call)).await?;
        self.acknowledged.borrow_mut().extend(numbers(&call.batch.gzip().unwrap(), call.batch.text_bytes));
        Ok(answer)
    }

    async fn enqueue(&self, batch: HandedBatch) -> Result<(), BackendError> {
        let lines = numbers(&batch.gzip().unwrap(), batch.text_bytes);
        let text = serde_json::to_string(&batch).unwrap();
        let send = || {
            self.messages.borrow_mut().push(text);
            self.arrived.borrow_mut().extend(&lines);
            Ok(())
        };
        self.call(send).await?;
        self.acknowledged.borrow_mut().extend(&lines);
        Ok(())
    }
}

impl EdgeHost for World {
    async fn put_batch(&self, batch: &EdgeBatch) -> Result<ObjectHead, BackendError> {
        let put = || {
            if self.is_bucket_away.get() {
                return Err(BackendError::new("a test", "the bucket is away"));
            }
            let kept = (batch.body.clone(), batch.label.clone());
            let before = self.objects.borrow_mut().insert(batch.key.clone(), kept.clone());
            assert!(before.is_none_or(|before| before == kept), "{} is written with other lines", batch.key);
            Ok(ObjectHead {
                etag: "e".into(),
                size: batch.body.len() as u64,
                uploaded_ms: self.now_ms(),
                rewrite: None,
            })
        };
        self.call(put).await
    }

    async fn head_batch(&self, batch: &EdgeBatch) -> Result<Option<ObjectHead>, BackendError> {
        let is_there = self.objects.borrow().contains_key(&batch.key);
        let head =
            ObjectHead { etag: "e".into(), size: batch.body.len() as u64, uploaded_ms: self.now_ms(), rewrite: None };
        Ok(is_there.then_some(head))
    }

    async fn announce(&self, event: R2Event) -> Result<(), BackendError> {
        let send = || {
            self.announced.borrow_mut().push(event.object.key.clone());
            Ok(())
        };
        self.call(send).await
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    async fn sleep(&self, ms: i64) {
        self.now_ms.set(self.now_ms() + ms);
    }

    fn report(&self, report: StoreReport<'_>) {
        assert!(report.batch.label.lines > 0);
    }
}
