//! The simulated platform: shards, ledgers, queues, partner and what the bucket holds. Each effect gives way and may go
//! wrong.
//!
//! The code over it is the code of the Worker. The databases are SQLite, with the statements of the Worker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use raydex::backend::{BackendError, DurableObjects, ObjectHead, Queue, SqlAnswer, SqlDatabase, SqlValue};
use raydex::bucket_keys::PAYLOADS;
use raydex::index::calls::PutEntry;
use raydex::index::{OccupancyMap, OccupancyRow, shard};
use raydex::ledger::calls::{CommitAttempt, CommitAttempts};
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::ledger::{Alarm, DeliveryGroup, partner as gate, registry};
use raydex::r2_event::R2Event;
use raydex::rpc::Call;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::faults::{Fault, Faults};
use super::load::{Load, LoadedParts};
use super::partitions::Partitions;
use super::partner;
use super::random::Random;
use super::time::Time;
use super::violations::ContractViolation;
use crate::support::SqliteSql;

/// The longest that a call to an object can take, before the platform's shell gives it up.
const SLOW_OBJECT_MS: i64 = 29_000;

/// Isolates of the Worker; one more runs the ledgers.
pub(crate) const ISOLATES: usize = 2;

/// A stored object.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Rc<Vec<u8>>,
    pub(crate) head: ObjectHead,
}

/// A ledger: its database and its alarm.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) sql: TornSql,
    pub(crate) alarm_ms: Rc<Cell<Option<i64>>>,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) body: String,
    pub(crate) attempts: u32,
    pub(crate) visible_ms: i64,
}

/// Everything that outlives an isolate.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) time: Rc<Time>,
    pub(crate) random: RefCell<Random>,
    pub(crate) faults: RefCell<Faults>,
    pub(crate) bucket: RefCell<BTreeMap<String, Stored>>,
    /// The data bucket, where it is not the log bucket.
    pub(crate) data: Option<RefCell<BTreeMap<String, Stored>>>,
    pub(crate) shards: RefCell<BTreeMap<String, SqliteSql>>,
    pub(crate) ledgers: RefCell<BTreeMap<String, Ledger>>,
    pub(crate) parses: RefCell<Vec<Message>>,
    pub(crate) sends: RefCell<Vec<Message>>,
    pub(crate) partner: RefCell<partner::Partner>,
    /// Bodies that someone's lifecycle rule removed while their batch was there.
    pub(crate) lost: RefCell<BTreeMap<String, Stored>>,
    /// The promise that it breaks; `None`: it breaks none.
    pub(crate) violation: Cell<Option<ContractViolation>>,
    /// The first start, as every isolate remembers it.
    pub(crate) first_start_ms: Rc<Cell<Option<i64>>>,
    /// The isolate that has just ended.
    pub(crate) crashed: Cell<Option<usize>>,
    pub(crate) partitions: Partitions,
    /// What is asked of its parts, where they take their time.
    pub(crate) loaded: Option<LoadedParts>,
}

impl Platform {
    pub(crate) fn new(seed: u64, faults: Faults, now_ms: i64, load: Option<Load>) -> Rc<Self> {
        Rc::new(Self {
            time: Time::starting_at(now_ms),
            random: RefCell::new(Random::new(seed)),
            faults: RefCell::new(faults),
            bucket: RefCell::default(),
            // No draw: the schedules of a seed are the same either way.
            data: (seed % 4 == 3).then(RefCell::default),
            shards: RefCell::default(),
            ledgers: RefCell::default(),
            parses: RefCell::default(),
            sends: RefCell::default(),
            partner: RefCell::default(),
            lost: RefCell::default(),
            violation: Cell::default(),
            first_start_ms: Rc::default(),
            crashed: Cell::default(),
            partitions: Partitions::default(),
            loaded: load.map(|_| LoadedParts::default()),
        })
    }

    /// The data bucket.
    pub(crate) fn data(&self) -> &RefCell<BTreeMap<String, Stored>> {
        self.data.as_ref().unwrap_or(&self.bucket)
    }

    /// Writes an object to the log bucket as someone outside would.
    pub(crate) fn store(&self, key: &str, bytes: Vec<u8>) -> ObjectHead {
        self.store_in(&self.bucket, key, bytes)
    }

    pub(crate) fn store_in(&self, bucket: &RefCell<BTreeMap<String, Stored>>, key: &str, bytes: Vec<u8>) -> ObjectHead {
        let etag = hex::encode(&Sha256::digest(&bytes)[..16]);
        let head = ObjectHead { etag, size: bytes.len() as u64, uploaded_ms: self.time.now_ms(), rewrite: None };
        let stored = Stored { bytes: Rc::new(bytes), head: head.clone() };
        bucket.borrow_mut().insert(key.to_owned(), stored);
        head
    }

    /// The ledger of that name; its statements fail now and then, too.
    pub(crate) fn ledger(self: &Rc<Self>, name: &str) -> Ledger {
        let fresh = || {
            let sql = TornSql { sql: SqliteSql::new(&crate::support::Faults::default()), platform: self.clone() };
            Ledger { sql, alarm_ms: Rc::default() }
        };
        self.ledgers.borrow_mut().entry(name.to_owned()).or_insert_with(fresh).clone()
    }

    /// Someone's lifecycle rule removes the body of a payload, or none; `draw` chooses.
    pub(crate) fn lose_body(&self, draw: &mut Random) {
        let mut data = self.data().borrow_mut();
        let keys: Vec<String> = data.keys().filter(|key| key.starts_with(PAYLOADS)).cloned().collect();
        if !keys.is_empty() {
            let key = draw.of(&keys);
            self.lost.borrow_mut().extend(data.remove_entry(key));
        }
    }

    /// Hands a message over, at some time.
    pub(crate) fn enqueue(&self, queue: &RefCell<Vec<Message>>, body: String) {
        let mut random = self.random.borrow_mut();
        let faulty = matches!(self.faults.borrow().plan, super::faults::Plan::Share(_));
        let late = if faulty && random.chance(50) { 600_000 } else { 5_000 };
        let message = Message { body, attempts: 0, visible_ms: self.time.now_ms() + random.between(0, late) };
        if faulty && random.chance(50) {
            queue.borrow_mut().push(message.clone());
        }
        // A queue promises to deliver; that it does not always, events show.
        if !(faulty && random.chance(30)) {
            queue.borrow_mut().push(message);
        }
    }

    /// What happens to the next effect.
    fn draw(&self, slowest: i64) -> Option<Fault> {
        self.faults.borrow_mut().next(&mut self.random.borrow_mut(), slowest)
    }
}

/// The database of a ledger, of which a statement fails now and then.
#[derive(Debug, Clone)]
pub(crate) struct TornSql {
    pub(crate) sql: SqliteSql,
    platform: Rc<Platform>,
}

impl SqlDatabase for TornSql {
    fn run(&self, statement: &str, parameters: &[SqlValue]) -> Result<SqlAnswer, BackendError> {
        let writes = !statement.starts_with("SELECT") && !statement.starts_with("CREATE");
        let share = matches!(self.platform.faults.borrow().plan, super::faults::Plan::Share(_));
        if writes && share && self.platform.random.borrow_mut().chance(10) {
            return Err(BackendError::new("running SQL", "the disk"));
        }
        self.sql.run(statement, parameters)
    }

    fn transaction(&self, work: &mut dyn FnMut() -> Result<(), BackendError>) -> Result<(), BackendError> {
        if self.platform.violates(ContractViolation::NoRollback) { work() } else { self.sql.transaction(work) }
    }
}

/// The world as one task of one isolate sees it.
#[derive(Debug, Clone)]
pub(crate) struct Isolate {
    pub(crate) platform: Rc<Platform>,
    pub(crate) number: usize,
    /// How wrong its clock is.
    skew_ms: i64,
    /// When the task began.
    begun_ms: i64,
    /// The POSTs that the task has made, and whose outcomes it has not committed.
    pub(crate) posts: Rc<RefCell<Vec<usize>>>,
    /// As a bucket, it is the data bucket.
    pub(crate) is_data: bool,
}

impl Isolate {
    pub(crate) fn new(platform: &Rc<Platform>, number: usize, skew_ms: i64) -> Self {
        let begun_ms = platform.time.now_ms();
        Self { platform: platform.clone(), number, skew_ms, begun_ms, posts: Rc::default(), is_data: false }
    }

    /// The same isolate, as the data bucket.
    pub(crate) fn with_data_bucket(&self) -> Self {
        Self { is_data: true, ..self.clone() }
    }

    /// The objects of the bucket that it is.
    pub(crate) fn objects(&self) -> &RefCell<BTreeMap<String, Stored>> {
        if self.is_data { self.platform.data() } else { &self.platform.bucket }
    }

    /// What its clock says.
    pub(crate) fn clock_ms(&self) -> i64 {
        let is_frozen = self.platform.violates(ContractViolation::FrozenTaskClock);
        self.skew_ms + if is_frozen { self.begun_ms } else { self.platform.time.now_ms() }
    }

    /// Something went wrong: what the task has posted and not committed, nobody can know of now.
    pub(crate) fn doubt(&self) {
        self.posts.borrow().iter().for_each(|number| self.doubt_post(*number));
    }

    /// The same for one of them.
    pub(crate) fn doubt_post(&self, number: usize) {
        self.platform.partner.borrow_mut().seen[number].in_doubt = true;
    }

    /// The ledger has said that it has these outcomes.
    fn end_posts(&self, call: &str, body: &[u8]) {
        let attempts = match call {
            CommitAttempt::NAME => CommitAttempt::from_body(body).map(|one| vec![one]),
            CommitAttempts::NAME => CommitAttempts::from_body(body).map(|several| several.attempts),
            _ => return,
        };
        let committed: Vec<String> = attempts.unwrap().iter().map(|attempt| attempt.id.batch_header()).collect();
        let partner = self.platform.partner.borrow();
        self.posts.borrow_mut().retain(|number| !committed.contains(&partner.seen[*number].batch_id));
    }

    pub(crate) async fn crash<T>(&self) -> T {
        self.doubt();
        self.platform.crashed.set(Some(self.number));
        std::future::pending().await
    }

    /// One effect: gives way, then happens, goes wrong, or both.
    pub(crate) async fn effect<T>(
        &self,
        slowest: i64,
        work: impl FnOnce() -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        self.platform.time.give_way().await;
        self.wait_for_effect(slowest).await;
        let failed = || Err(BackendError::new("an effect", "as the seed says"));
        match self.platform.draw(slowest) {
            None => work(),
            Some(Fault::Fails) => {
                self.doubt();
                failed()
            }
            Some(Fault::FailsButHappened) => {
                self.doubt();
                work().and_then(|_| failed())
            }
            Some(Fault::CrashBefore) => self.crash().await,
            Some(Fault::CrashAfter) => {
                let _happened = work();
                self.crash().await
            }
            Some(Fault::SlowBefore(ms)) => {
                self.doubt();
                self.platform.time.sleep(ms).await;
                work()
            }
            Some(Fault::SlowAfter(ms)) => {
                self.doubt();
                let done = work();
                self.platform.time.sleep(ms).await;
                done
            }
        }
    }
}

/// The shards, as a task sees them.
#[derive(Debug, Clone)]
pub(crate) struct Shards(pub(crate) Isolate);

impl DurableObjects for Shards {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        let Self(isolate) = self;
        isolate.wait_for_object(&format!("shard {name}")).await;
        isolate
            .effect(SLOW_OBJECT_MS, || {
                if call == PutEntry::NAME {
                    isolate.platform.accuse_untold(name);
                }
                let mut shards = isolate.platform.shards.borrow_mut();
                let sql = shards.entry(name.to_owned()).or_insert_with(|| {
                    let sql = SqliteSql::new(&crate::support::Faults::default());
                    shard::open(&sql).unwrap();
                    sql
                });
                shard::answer(sql, call, &body)
            })
            .await
    }
}

/// The ledgers, as a task sees them.
#[derive(Debug, Clone)]
pub(crate) struct Ledgers(pub(crate) Isolate);

impl DurableObjects for Ledgers {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        let Self(isolate) = self;
        isolate.wait_for_object(name).await;
        let answer = || {
            // Its database may fail, too.
            let answer = isolate.platform.answer(name, call, &body);
            answer.inspect_err(|_| isolate.doubt())
        };
        let answer = isolate.effect(SLOW_OBJECT_MS, answer).await?;
        isolate.end_posts(call, &body);
        Ok(answer)
    }
}

impl Platform {
    /// What a ledger answers, by its own clock, which is two minutes fast.
    pub(crate) fn answer(self: &Rc<Self>, name: &str, call: &str, body: &[u8]) -> Result<Vec<u8>, BackendError> {
        let Ledger { sql, alarm_ms } = self.ledger(name);
        self.forget_partitions(&sql.sql, call);
        let now = self.ledger_ms();
        let answered = if name == REGISTRY {
            registry::open(&sql)?;
            registry::answer(&sql, call, body, now)?
        } else if name == PARTNER {
            gate::open(&sql)?;
            gate::answer(&sql, call, body, now)?
        } else {
            raydex::ledger::open(&sql, name)?;
            raydex::ledger::answer(&sql, name, call, body, now)?
        };
        if let Some(wake) = answered.wake_ms {
            alarm_ms.set(Some(alarm_ms.get().map_or(wake, |set| set.min(wake))));
        }
        Ok(answered.body)
    }

    /// Makes the first start by a clock that is right.
    pub(crate) fn start_at(self: &Rc<Self>, at_ms: i64) {
        let sql = self.ledger(REGISTRY).sql.sql;
        registry::open(&sql).unwrap();
        let started = "INSERT INTO first_start_v1 (one, at_ms) VALUES (1, ?)";
        sql.run(started, &[SqlValue::Integer(at_ms)]).unwrap();
    }

    /// Nobody writes to a shard whose prefix the occupancy map lacks: a search would skip it.
    fn accuse_untold(self: &Rc<Self>, shard: &str) {
        let Some(prefix) = shard.strip_prefix("v1/") else { return };
        // The shard of nonstandard ids has no prefix.
        let Ok(prefix) = u32::from_str_radix(prefix, 16) else { return };
        let number = OccupancyRow::number_of(prefix);
        let statement = "SELECT bits FROM occupancy_v1 WHERE dataset = 'http_requests' AND number = ?";
        let found = self.ledger(REGISTRY).sql.sql.run(statement, &[SqlValue::number(number)]).unwrap();
        let is_told = found.rows.first().is_some_and(|row| {
            let SqlValue::Blob(bits) = &row[0] else { panic!("{row:?}") };
            let row = OccupancyRow::from_bytes(bits).unwrap();
            OccupancyMap { rows: [(number, row)].into(), until: u32::MAX }.next_occupied(prefix) == prefix
        });
        assert!(is_told, "the occupancy map lacks {shard}");
    }

    /// The clock of every ledger.
    pub(crate) fn ledger_ms(&self) -> i64 {
        self.time.now_ms() + 120_000
    }
}

impl Queue<R2Event> for Isolate {
    async fn send(&self, messages: &[R2Event]) -> Result<(), BackendError> {
        self.enqueue_all(&self.platform.parses, messages).await
    }
}

impl Queue<DeliveryGroup> for Isolate {
    async fn send(&self, messages: &[DeliveryGroup]) -> Result<(), BackendError> {
        self.enqueue_all(&self.platform.sends, messages).await
    }
}

impl Isolate {
    async fn enqueue_all<M: Serialize>(
        &self,
        queue: &RefCell<Vec<Message>>,
        messages: &[M],
    ) -> Result<(), BackendError> {
        self.effect(SLOW_OBJECT_MS, || {
            for message in messages {
                self.platform.enqueue(queue, serde_json::to_string(message).unwrap());
            }
            Ok(())
        })
        .await
    }
}

/// The alarm of a ledger. The platform's own promise: setting it is part of the object's storage.
#[derive(Debug)]
pub(crate) struct LedgerAlarm {
    pub(crate) alarm_ms: Rc<Cell<Option<i64>>>,
}

impl Alarm for LedgerAlarm {
    async fn set(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        self.alarm_ms.set(at_ms);
        Ok(())
    }
}
