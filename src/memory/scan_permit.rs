//! The permits of callers to search.
//!
//! A search takes CPU for as long as there is something to read, and an isolate has one CPU: a caller with many searches
//! leaves little of it to others. So each caller has a share of searches at a time.
//!
//! # Invariants
//! A dropped permit is free again. One that the platform did not drop is void after [`STREAM_MS`], when its stream has
//! ended in any case.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::limits::STREAM_MS;

/// Issues the permits of an isolate. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct ScanPermits(Rc<RefCell<IssuedPermits>>);

#[derive(Debug, Default)]
struct IssuedPermits {
    /// The number of the last permit.
    last: u64,
    /// The permits of each caller: their numbers, each with the Unix milliseconds at which it was issued.
    held: BTreeMap<String, BTreeMap<u64, i64>>,
}

/// The permit of one search; dropping it frees it.
#[derive(Debug)]
pub struct ScanPermit {
    permits: ScanPermits,
    caller: String,
    number: u64,
}

impl ScanPermits {
    /// Acquires a permit for the caller; `None` while the caller has `share` of them.
    #[must_use]
    pub fn try_acquire(&self, caller: &str, share: u32, now_ms: i64) -> Option<ScanPermit> {
        let mut issued = self.0.borrow_mut();
        issued.last += 1;
        let number = issued.last;
        let held = issued.held.entry(caller.to_owned()).or_default();
        held.retain(|_, since_ms| now_ms.saturating_sub(*since_ms) < STREAM_MS);
        if held.len() as u64 >= u64::from(share) {
            return None;
        }
        held.insert(number, now_ms);
        Some(ScanPermit { permits: self.clone(), caller: caller.to_owned(), number })
    }
}

impl Drop for ScanPermit {
    fn drop(&mut self) {
        let mut issued = self.permits.0.borrow_mut();
        if let Some(held) = issued.held.get_mut(&self.caller) {
            held.remove(&self.number);
            if held.is_empty() {
                issued.held.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{STREAM_MS, ScanPermits};

    #[test]
    fn each_caller_has_its_own_share() {
        let permits = ScanPermits::default();
        let first = permits.try_acquire("a", 2, 0).unwrap();
        let second = permits.clone().try_acquire("a", 2, 1).unwrap();
        assert!(permits.try_acquire("a", 2, 2).is_none());
        let other = permits.try_acquire("b", 1, 2).unwrap();
        assert!(permits.try_acquire("b", 1, 3).is_none());
        drop(first);
        let third = permits.try_acquire("a", 2, 4).unwrap();
        assert!(permits.try_acquire("a", 2, 5).is_none());
        drop((second, third, other));
        assert!(permits.0.borrow().held.is_empty(), "nothing is kept of callers without a search");
    }

    #[test]
    fn lost_permits_are_void_after_their_streams() {
        let permits = ScanPermits::default();
        let lost = permits.try_acquire("a", 1, 0).unwrap();
        assert!(permits.try_acquire("a", 1, STREAM_MS - 1).is_none());
        let second = permits.try_acquire("a", 1, STREAM_MS).unwrap();
        drop(lost);
        assert!(permits.try_acquire("a", 1, STREAM_MS + 1).is_none(), "the second one is held still");
        drop(second);
        assert!(permits.try_acquire("a", 1, STREAM_MS + 2).is_some());
    }
}
