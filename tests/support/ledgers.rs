//! The ledgers: one database per name, answered by the code that answers on the platform, and the alarm that each
//! has set.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use raydex::backend::{BackendError, DurableObjects};
use raydex::ledger::books::LedgerTotals;
use raydex::ledger::calls::{BatchDetails, GetBatch, GetTotals, PayloadSelection};
use raydex::ledger::ids::{PARTNER, REGISTRY};
use raydex::ledger::{BatchId, LedgerHour, SourceId, occupancy, partner, registry};
use raydex::record::Dataset;
use raydex::rpc::{self, Call};

use super::{Faults, Kind, SqliteSql, run};

/// The ledger of a batch, where its hour has one partition.
pub fn only_ledger(key: &str) -> String {
    LedgerHour::of_key(key).first_ledger().to_owned()
}

/// The identity of a version of an object, where its hour has one partition.
pub fn batch_of(bucket: &str, key: &str, etag: &str) -> BatchId {
    BatchId { ledger: only_ledger(key), source: SourceId::for_object(bucket, key, etag) }
}

/// Whether the occupancy map of `http_requests` has this prefix.
pub fn is_occupied(fakes: &super::Fakes, prefix: u32) -> bool {
    let sound = MemoryLedgers { faults: Faults::default(), ..fakes.ledgers.clone() };
    run(occupancy::read_occupancy(&sound, Dataset::HttpRequests, (prefix, prefix))).unwrap().next_occupied(prefix)
        == prefix
}

/// One ledger.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    pub sql: SqliteSql,
    /// When it wakes.
    pub alarm_ms: Rc<Cell<Option<i64>>>,
    /// How often that was set: the platform bills a row for each.
    pub alarms: Rc<Cell<u64>>,
}

impl MemoryLedger {
    /// Sets the alarm.
    pub fn set_alarm(&self, at_ms: Option<i64>) {
        self.alarm_ms.set(at_ms);
        self.alarms.set(self.alarms.get() + 1);
    }
}

/// The namespace; its clones are the same one.
#[derive(Debug, Clone)]
pub struct MemoryLedgers {
    objects: Rc<RefCell<BTreeMap<String, MemoryLedger>>>,
    /// How often each was called.
    calls: Rc<RefCell<BTreeMap<String, u64>>>,
    clock_ms: Rc<Cell<i64>>,
    faults: Faults,
}

impl MemoryLedgers {
    pub fn new(clock_ms: &Rc<Cell<i64>>, faults: &Faults) -> Self {
        Self { objects: Rc::default(), calls: Rc::default(), clock_ms: clock_ms.clone(), faults: faults.clone() }
    }

    /// How often a ledger was called.
    pub fn calls(&self, name: &str) -> u64 {
        self.calls.borrow().get(name).copied().unwrap_or_default()
    }

    /// The rows of every ledger that has any, by name.
    pub fn rows(&self) -> BTreeMap<String, Vec<String>> {
        let objects = self.objects.borrow();
        objects.iter().map(|(name, ledger)| (name.clone(), ledger.sql.rows())).collect()
    }

    /// The names of the objects that have a table.
    pub fn tables(&self) -> Vec<String> {
        let objects = self.objects.borrow();
        objects.iter().filter(|(_, ledger)| ledger.sql.has_tables()).map(|(name, _)| name.clone()).collect()
    }

    /// The names of the objects whose alarm was ever set.
    pub fn alarms(&self) -> Vec<String> {
        let objects = self.objects.borrow();
        objects.iter().filter(|(_, ledger)| ledger.alarms.get() > 0).map(|(name, _)| name.clone()).collect()
    }

    /// The names of all ledgers of hours.
    pub fn names(&self) -> Vec<String> {
        self.objects.borrow().keys().filter(|name| ![REGISTRY, PARTNER].contains(&name.as_str())).cloned().collect()
    }

    /// Loses the objects whose names are so, with their alarms.
    pub fn lose(&self, is_lost: impl Fn(&str) -> bool) {
        self.objects.borrow_mut().retain(|name, _| !is_lost(name));
    }

    /// The ledger `name`, which comes to be with its first call.
    pub fn ledger(&self, name: &str) -> MemoryLedger {
        let fresh =
            || MemoryLedger { sql: SqliteSql::new(&Faults::default()), alarm_ms: Rc::default(), alarms: Rc::default() };
        self.objects.borrow_mut().entry(name.to_owned()).or_insert_with(fresh).clone()
    }

    /// What a call comes to, without faults.
    pub fn ask<C: Call>(&self, name: &str, call: &C) -> C::Answer {
        let sound = Self { faults: Faults::default(), ..self.clone() };
        run(rpc::call(&sound, name, call)).unwrap()
    }

    /// The books of all ledgers together.
    pub fn totals(&self) -> LedgerTotals {
        let mut totals = LedgerTotals::default();
        for name in self.names() {
            totals.add(self.ask(&name, &GetTotals {}).totals);
        }
        totals
    }

    /// What is kept of a batch.
    pub fn batch(&self, id: &BatchId) -> BatchDetails {
        self.ask(&id.ledger, &GetBatch { source: id.source.clone(), payloads: PayloadSelection::All })
    }
}

impl DurableObjects for MemoryLedgers {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        let kind = if name == PARTNER { Kind::Partner } else { Kind::Ledger };
        *self.calls.borrow_mut().entry(name.to_owned()).or_default() += 1;
        self.faults.step(kind).await;
        self.faults.call(kind, || {
            let ledger = self.ledger(name);
            let sql = &ledger.sql;
            let now = self.clock_ms.get();
            let (is_open, called) = (Cell::new(false), (call, body.as_slice()));
            let answered = if name == REGISTRY {
                registry::serve(sql, &is_open, called, now)?
            } else if name == PARTNER {
                partner::serve(sql, &is_open, called, now)?
            } else {
                raydex::ledger::serve(sql, &is_open, name, called, now)?
            };
            // A call makes the alarm come earlier, never later, as on the platform.
            if answered.wake_ms.is_some_and(|wake| ledger.alarm_ms.get().is_none_or(|set| wake < set)) {
                ledger.set_alarm(answered.wake_ms);
            }
            Ok(answered.body)
        })
    }
}
