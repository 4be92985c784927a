//! A queue in memory: what was sent, as the bodies that a consumer gets.

use std::cell::RefCell;
use std::rc::Rc;

use raydex::backend::{BackendError, Queue};
use serde::Serialize;

use super::{Faults, Kind};

/// The queue; its clones are the same one.
#[derive(Debug, Clone)]
pub struct MemoryQueue {
    sent: Rc<RefCell<Vec<String>>>,
    kind: Kind,
    faults: Faults,
}

impl MemoryQueue {
    pub fn new(kind: Kind, faults: &Faults) -> Self {
        Self { sent: Rc::default(), kind, faults: faults.clone() }
    }

    /// The bodies sent so far.
    pub fn sent(&self) -> Vec<String> {
        self.sent.borrow().clone()
    }

    /// Takes the bodies sent so far.
    pub fn take(&self) -> Vec<String> {
        self.sent.take()
    }
}

impl<M: Serialize> Queue<M> for MemoryQueue {
    async fn send(&self, messages: &[M]) -> Result<(), BackendError> {
        let bodies: Vec<String> = messages.iter().map(|message| serde_json::to_string(message).unwrap()).collect();
        assert!(bodies.iter().all(|body| body.len() <= 128 * 1024), "a message of more than 128 KB");
        self.faults.call(self.kind, || {
            self.sent.borrow_mut().extend(bodies);
            Ok(())
        })
    }
}
