//! The queue in memory: what was sent, as the bodies that a consumer gets.

use std::cell::RefCell;
use std::rc::Rc;

use raydex::backend::{BackendError, ParseQueue};
use raydex::batch::R2Event;

use super::{Faults, Kind};

/// The queue; its clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct MemoryQueue {
    sent: Rc<RefCell<Vec<String>>>,
    faults: Faults,
}

impl MemoryQueue {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self { sent: Rc::default(), faults: faults.clone() }
    }

    /// The bodies sent so far.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.borrow().clone()
    }
}

impl ParseQueue for MemoryQueue {
    async fn send(&self, event: &R2Event) -> Result<(), BackendError> {
        let body = serde_json::to_string(event).unwrap();
        assert!(body.len() <= 128 * 1024, "a message of more than 128 KB");
        self.faults.call(Kind::Send, || {
            self.sent.borrow_mut().push(body);
            Ok(())
        })
    }
}
