//! A queue in memory: what was sent, as the bodies that a consumer gets.

use std::cell::RefCell;
use std::rc::Rc;

use raydex::backend::{BackendError, Queue};
use raydex::pipeline::{MessageBody, ReceivedMessage};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Faults, Kind};

/// A message of a queue with this body, at this attempt; the body names it.
pub fn message(queue: &str, body: &str, attempts: u32) -> ReceivedMessage {
    let id = hex::encode(&Sha256::digest(body)[..16]);
    ReceivedMessage { queue: queue.into(), id, body: MessageBody::Text(body.into()), attempts }
}

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
