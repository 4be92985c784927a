//! The audit log: one database, answered by the code that answers on the platform, and the alarm that it has set.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use raydex::audit::calls::{AuditSegment, ChainEntry, ReadEntries};
use raydex::audit::chain::TableBounds;
use raydex::audit::object::AuditObject;
use raydex::audit::{self, AUDIT, AuditMemory};
use raydex::backend::{BackendError, DurableObjects};
use raydex::ledger::Alarm;
use raydex::rpc;

use super::sql::wait_for;
use super::{Faults, Kind, MemoryBucket, SqliteSql, run};

/// The namespace; its clones are the same one.
#[derive(Debug, Clone)]
pub struct MemoryAudits {
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
        let sql_faults = Faults::default();
        Self {
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
        *self.held.borrow_mut() = AuditMemory::with_bounds(TableBounds { entries, bytes });
    }

    /// The object is started anew: what it kept in memory is gone, the size of its tables excepted.
    pub fn restart(&self) {
        let bounds = self.held.borrow().bounds();
        *self.held.borrow_mut() = AuditMemory::with_bounds(bounds);
    }

    /// The entries that it has itself, up to a page of them.
    pub fn entries(&self) -> Vec<ChainEntry> {
        self.entries_after(0)
    }

    /// Those after the first so many.
    pub fn entries_after(&self, after: u64) -> Vec<ChainEntry> {
        let sound = Self { faults: Faults::default(), ..self.clone() };
        let ask = ReadEntries { after, limit: u64::MAX, ..ReadEntries::default() };
        run(rpc::call(&sound, AUDIT, &ask)).unwrap().scan.entries
    }

    /// The entry with the greatest number.
    pub fn last_entry(&self) -> Option<ChainEntry> {
        let (sound, last) = (Self { faults: Faults::default(), ..self.clone() }, self.count().checked_sub(1)?);
        let ask = ReadEntries { after: last, limit: 1, ..ReadEntries::default() };
        run(rpc::call(&sound, AUDIT, &ask)).unwrap().scan.entries.pop()
    }

    /// How many entries there are.
    pub fn count(&self) -> u64 {
        let sound = Self { faults: Faults::default(), ..self.clone() };
        run(rpc::call(&sound, AUDIT, &ReadEntries::default())).unwrap().head.seq
    }

    /// The object's answer to a call.
    async fn answer(&self, call: &str, body: &[u8]) -> Result<Vec<u8>, BackendError> {
        let is_open = Cell::new(false);
        let object = AuditObject { sql: &self.sql, alarm: self, is_open: &is_open, held: &self.held };
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
        assert_eq!(name, AUDIT, "there is one audit log");
        wait_for(self.waits.get()).await;
        self.faults.call_slow(Kind::Audit, self.answer(call, &body)).await
    }
}
