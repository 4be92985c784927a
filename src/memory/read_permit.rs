//! The single permit of an isolate to read a batch.
//!
//! Reading a large batch takes a third of the module's memory, and the platform may send several messages to one
//! isolate at once: two batches of a million records fit beside the answers, three do not, and a module that cannot
//! grow traps with everything in it. Waiting costs little, since a batch mostly needs CPU, and an isolate has only one.
//!
//! # Invariants
//! There is one holder at a time, except that a holder without a heartbeat for [`READ_PERMIT_SILENT_MS`] loses the
//! permit: the platform may end an invocation without dropping what it holds.

use std::cell::Cell;
use std::rc::Rc;

use crate::limits::READ_PERMIT_SILENT_MS;

/// Issues the permit of an isolate. Clones share the permit.
#[derive(Debug, Clone, Default)]
pub struct ReadPermits(Rc<Cell<PermitState>>);

#[derive(Debug, Clone, Copy, Default)]
struct PermitState {
    /// The number of the last holder.
    issued: u64,
    /// The holder's last heartbeat, in Unix milliseconds; `None` while the permit is free.
    heartbeat_ms: Option<i64>,
}

/// The permit; dropping it frees the permit.
#[derive(Debug)]
pub struct ReadPermit {
    permits: ReadPermits,
    number: u64,
}

impl ReadPermits {
    /// Acquires the permit; `None` while another holder has it.
    #[must_use]
    pub fn try_acquire(&self, now_ms: i64) -> Option<ReadPermit> {
        let PermitState { issued, heartbeat_ms } = self.0.get();
        if heartbeat_ms.is_some_and(|heartbeat_ms| now_ms.saturating_sub(heartbeat_ms) < READ_PERMIT_SILENT_MS) {
            return None;
        }
        let number = issued + 1;
        self.0.set(PermitState { issued: number, heartbeat_ms: Some(now_ms) });
        Some(ReadPermit { permits: self.clone(), number })
    }
}

impl ReadPermit {
    /// Records that the work continues at this instant in Unix milliseconds.
    pub fn heartbeat(&self, now_ms: i64) {
        self.set_heartbeat(Some(now_ms));
    }

    /// Changes the permit's state, unless another holder has the permit by now.
    fn set_heartbeat(&self, heartbeat_ms: Option<i64>) {
        let issued = self.permits.0.get().issued;
        if issued == self.number {
            self.permits.0.set(PermitState { issued, heartbeat_ms });
        }
    }
}

impl Drop for ReadPermit {
    fn drop(&mut self) {
        self.set_heartbeat(None);
    }
}

#[cfg(test)]
mod tests {
    use super::{READ_PERMIT_SILENT_MS, ReadPermits};

    #[test]
    fn a_permit_has_one_holder() {
        let permits = ReadPermits::default();
        let first = permits.try_acquire(0).unwrap();
        assert!(permits.clone().try_acquire(1).is_none());
        drop(first);
        assert!(permits.try_acquire(2).is_some(), "and what is not kept is given back at once");
        assert!(permits.try_acquire(3).is_some());
    }

    #[test]
    fn silent_holder_loses_its_turn_without_later_harm() {
        let permits = ReadPermits::default();
        let first = permits.try_acquire(0).unwrap();
        first.heartbeat(1_000);
        assert!(permits.try_acquire(READ_PERMIT_SILENT_MS).is_none(), "it was heard a second later");
        let second = permits.try_acquire(READ_PERMIT_SILENT_MS + 1_000).unwrap();
        first.heartbeat(READ_PERMIT_SILENT_MS + 1_001);
        drop(first);
        assert!(permits.try_acquire(READ_PERMIT_SILENT_MS + 1_002).is_none(), "the second one has it still");
        drop(second);
        assert!(permits.try_acquire(READ_PERMIT_SILENT_MS + 1_003).is_some());
    }
}
