//! The audit log: a database for each chain, answered by the code that answers on the platform, and the alarm that it has set.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use raydex::access::ChainNumber;
use raydex::audit::calls::{AuditSegment, ChainEntry, EntryPage, ReadEntries};
use raydex::audit::chain::TableBounds;
use raydex::audit::chains::{chain_object, chain_of_object};
use raydex::audit::object::AuditObject;
use raydex::audit::{self, AuditMemory};
use raydex::backend::{BackendError, DurableObjects};
use raydex::ledger::Alarm;
use raydex::rpc;

use super::sql::wait_for;
use super::{Faults, Kind, MemoryBucket, SqliteSql, run};

/// The namespace, seen from the object of one chain, which is the first if nothing else is said; its clones are the same one.
#[derive(Debug, Clone)]
pub struct MemoryAudits {
    chain: ChainNumber,
    /// The objects of the other chains, as far as something was asked of them.
    others: Rc<RefCell<BTreeMap<ChainNumber, MemoryAudits>>>,
    /// The bounds of tables that new objects begin with.
    bounds: Rc<Cell<TableBounds>>,
    pub sql: SqliteSql,
    /// The faults of its database, which the world's do not count.
    pub sql_faults: Faults,
    held: Rc<RefCell<AuditMemory>>,
    /// When it wakes.
    pub alarm_ms: Rc<Cell<Option<i64>>>,
    /// How often that was set: the platform bills a row for each.
    pub alarms: Rc<Cell<u64>>,
    /// How often a call is looked at before it has its answer.
    pub waits: Rc<Cell<u32>>,
    clock_ms: Rc<Cell<i64>>,
    faults: Faults,
}

impl MemoryAudits {
    pub fn new(clock_ms: &Rc<Cell<i64>>, faults: &Faults) -> Self {
        Self::of_chain(ChainNumber::FIRST, clock_ms, faults)
    }

    fn of_chain(chain: ChainNumber, clock_ms: &Rc<Cell<i64>>, faults: &Faults) -> Self {
        let sql_faults = Faults::default();
        Self {
            chain,
            others: Rc::default(),
            bounds: Rc::default(),
            sql: SqliteSql::new(&sql_faults),
            sql_faults,
            held: Rc::default(),
            alarm_ms: Rc::default(),
            alarms: Rc::default(),
            waits: Rc::default(),
            clock_ms: clock_ms.clone(),
            faults: faults.clone(),
        }
    }

    /// From now on a table, and so a segment, is full with so many entries, or so many bytes.
    pub fn set_bounds(&self, entries: u64, bytes: u64) {
        self.bounds.set(TableBounds { entries, bytes });
        self.objects().iter().for_each(Self::restart);
    }

    /// The namespace, seen from the object of this chain.
    #[must_use]
    pub fn chain(&self, chain: ChainNumber) -> Self {
        if chain == self.chain {
            return self.clone();
        }
        assert_eq!(self.chain, ChainNumber::FIRST, "the namespace is that of the first object");
        let made = || {
            let mut sql = SqliteSql::new(&self.sql_faults);
            sql.flush_waits = self.sql.flush_waits.clone();
            let object = Self {
                bounds: self.bounds.clone(),
                waits: self.waits.clone(),
                sql_faults: self.sql_faults.clone(),
                sql,
                ..Self::of_chain(chain, &self.clock_ms, &self.faults)
            };
            object.restart();
            object
        };
        self.others.borrow_mut().entry(chain).or_insert_with(made).clone()
    }

    /// The objects of all chains that something was asked of, that of the first one first.
    pub fn objects(&self) -> Vec<Self> {
        [self.clone()].into_iter().chain(self.others.borrow().values().cloned()).collect()
    }

    /// The object is started anew: what it kept in memory is gone, the size of its tables excepted.
    pub fn restart(&self) {
        *self.held.borrow_mut() = AuditMemory::with_bounds(self.bounds.get());
    }

    /// The entries that it has itself, up to a page of them.
    pub fn entries(&self) -> Vec<ChainEntry> {
        self.entries_after(0)
    }

    /// Those after the first so many.
    pub fn entries_after(&self, after: u64) -> Vec<ChainEntry> {
        self.ask(&ReadEntries { after, limit: u64::MAX, ..ReadEntries::default() }).scan.entries
    }

    /// The entry with the greatest number.
    pub fn last_entry(&self) -> Option<ChainEntry> {
        let after = self.count().checked_sub(1)?;
        self.ask(&ReadEntries { after, limit: 1, ..ReadEntries::default() }).scan.entries.pop()
    }

    /// How many entries there are.
    pub fn count(&self) -> u64 {
        self.ask(&ReadEntries::default()).head.seq
    }

    /// The name of the object.
    pub fn name(&self) -> String {
        chain_object(self.chain)
    }

    /// What its object answers where nothing fails.
    fn ask(&self, ask: &ReadEntries) -> EntryPage {
        let sound = Self { faults: Faults::default(), ..self.clone() };
        run(rpc::call(&sound, &self.name(), ask)).unwrap()
    }

    /// The object's answer to a call.
    async fn answer(&self, call: &str, body: &[u8]) -> Result<Vec<u8>, BackendError> {
        let is_open = Cell::new(false);
        let object =
            AuditObject { chain: self.chain, sql: &self.sql, alarm: self, is_open: &is_open, held: &self.held };
        object.serve((call, body), || self.clock_ms.get()).await
    }

    /// The alarm goes off.
    pub async fn ring(&self, bucket: &MemoryBucket) -> Result<Option<AuditSegment>, BackendError> {
        self.alarm_ms.set(None);
        audit::alarm(&self.sql, &self.held, bucket, self, || self.clock_ms.get()).await
    }

    /// Has the alarm go off as often as it is set, whatever its time; the segments that this brought to the bucket.
    pub fn settle(&self, bucket: &MemoryBucket) -> Vec<AuditSegment> {
        let mut brought = Vec::new();
        while let Some(at_ms) = self.alarm_ms.get() {
            self.clock_ms.set(self.clock_ms.get().max(at_ms));
            brought.extend(run(self.ring(bucket)).unwrap());
        }
        brought
    }
}

impl Alarm for MemoryAudits {
    async fn set(&self, at_ms: Option<i64>) -> Result<(), BackendError> {
        self.faults.call(Kind::Alarm, || {
            self.alarm_ms.set(at_ms);
            self.alarms.set(self.alarms.get() + 1);
            Ok(())
        })
    }
}

impl DurableObjects for MemoryAudits {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        let chain = chain_of_object(name).expect("a chain has this name");
        let object = if chain == self.chain { self.clone() } else { self.chain(chain) };
        wait_for(self.waits.get()).await;
        self.faults.step(Kind::Audit).await;
        self.faults.call_slow(Kind::Audit, object.answer(call, &body)).await
    }
}
