//! The audit log: one database, answered by the code that answers on the platform.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use raydex::audit::calls::{Kept, Read};
use raydex::audit::rate::Rates;
use raydex::audit::{self, AUDIT, chain};
use raydex::backend::{BackendError, Objects};
use raydex::ledger::calls;

use super::{Faults, Kind, SqliteSql, run};

/// The namespace; its clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct MemoryAudits {
    pub(crate) sql: SqliteSql,
    rates: Rc<RefCell<Rates>>,
    clock_ms: Rc<Cell<i64>>,
    faults: Faults,
}

impl MemoryAudits {
    pub(crate) fn new(clock_ms: &Rc<Cell<i64>>, faults: &Faults) -> Self {
        let sql = SqliteSql::new(&Faults::default());
        Self { sql, rates: Rc::default(), clock_ms: clock_ms.clone(), faults: faults.clone() }
    }

    /// All entries.
    pub(crate) fn entries(&self) -> Vec<Kept> {
        let sound = Self { faults: Faults::default(), ..self.clone() };
        run(calls::call(&sound, AUDIT, &Read { after: 0, limit: u64::MAX })).unwrap().entries
    }
}

impl Objects for MemoryAudits {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        assert_eq!(name, AUDIT, "there is one audit log");
        self.faults.call(Kind::Audit, || {
            chain::open(&self.sql)?;
            audit::answer(&self.sql, &mut self.rates.borrow_mut(), call, &body, self.clock_ms.get())
        })
    }
}
