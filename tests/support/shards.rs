//! The objects of the index: one database per name, answered by the code that answers on the platform.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use raydex::backend::{BackendError, DurableObjects, SqlDatabase};
use raydex::index::shard;

use super::{Faults, Kind, SqliteSql};

/// The namespace; its clones are the same one.
#[derive(Debug, Clone)]
pub struct MemoryShards {
    objects: Rc<RefCell<BTreeMap<String, SqliteSql>>>,
    faults: Faults,
}

impl MemoryShards {
    pub fn new(faults: &Faults) -> Self {
        Self { objects: Rc::default(), faults: faults.clone() }
    }

    /// The rows of every object that has any, by name.
    pub fn rows(&self) -> BTreeMap<String, Vec<String>> {
        let objects = self.objects.borrow();
        let rows = objects.iter().map(|(name, sql)| (name.clone(), sql.rows()));
        rows.filter(|(_, rows)| !rows.is_empty()).collect()
    }

    /// The names of the objects that have a table.
    pub fn tables(&self) -> Vec<String> {
        let objects = self.objects.borrow();
        objects.iter().filter(|(_, sql)| sql.has_tables()).map(|(name, _)| name.clone()).collect()
    }

    /// Loses every object of the index.
    pub fn lose(&self) {
        self.objects.borrow_mut().clear();
    }

    /// Runs a statement in every object that has tables, as no call of ours does.
    pub fn run_in_all(&self, statement: &str) {
        for sql in self.objects.borrow().values().filter(|sql| sql.has_tables()) {
            sql.run(statement, &[]).unwrap();
        }
    }

    /// The object `name`, which comes to be with its first call.
    pub fn object(&self, name: &str) -> SqliteSql {
        // Its statements are no calls of the Worker's, so their faults are not this world's.
        self.objects.borrow_mut().entry(name.to_owned()).or_insert_with(|| SqliteSql::new(&Faults::default())).clone()
    }
}

impl DurableObjects for MemoryShards {
    async fn call(&self, name: &str, call: &str, body: Vec<u8>) -> Result<Vec<u8>, BackendError> {
        self.faults.step(Kind::Shard).await;
        self.faults.call(Kind::Shard, || {
            let sql = self.object(name);
            shard::serve(&sql, &Cell::new(false), call, &body)
        })
    }
}
