//! The memory that requests may hold, as one account that all of an isolate share, and the turn to read a batch.
//!
//! A bound for each request is not enough: twenty of them at once would outgrow the module, and a module that cannot
//! grow traps, with every request in it. So whoever gathers lines, or the parts of an upload, takes what they need from
//! the account first, and is refused where there is too little: one request is told to come again, the others go on.
//! Batches are read beside that, one at a time ([`Turn`]).
//!
//! What always holds: what was taken is given back when the lease ends, however it ends; the account never lends more
//! than it has.

mod pauses;
mod turn;

use std::cell::Cell;
use std::rc::Rc;

pub use pauses::Pauses;
pub use turn::{Held, Turn};

use crate::limits::LENT_MAX;

/// The account. Its clones are the same one.
#[derive(Debug, Clone)]
pub struct Memory(Rc<Cell<usize>>);

impl Default for Memory {
    /// An account of [`LENT_MAX`] bytes.
    fn default() -> Self {
        Self::of(LENT_MAX)
    }
}

impl Memory {
    /// An account of so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self(Rc::new(Cell::new(bytes)))
    }

    /// What is left, in bytes.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.get()
    }

    /// A lease that holds nothing yet.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease { memory: self.clone(), taken: Cell::new(0), starved: Cell::new(false) }
    }
}

/// What one request has taken.
#[derive(Debug)]
pub struct Lease {
    memory: Memory,
    taken: Cell<usize>,
    starved: Cell<bool>,
}

impl Lease {
    /// Takes so many bytes more; says whether there were so many.
    #[must_use]
    pub fn take(&self, bytes: usize) -> bool {
        self.take_beside(bytes, 0)
    }

    /// The same, where so many bytes are left for others then.
    #[must_use]
    pub fn take_beside(&self, bytes: usize, others: usize) -> bool {
        let left = self.memory.0.get();
        let Some(rest) = left.checked_sub(bytes).filter(|rest| *rest >= others) else {
            self.starved.set(true);
            return false;
        };
        self.memory.0.set(rest);
        self.taken.set(self.taken.get() + bytes);
        true
    }

    /// Gives so many bytes back.
    pub fn give(&self, bytes: usize) {
        let bytes = bytes.min(self.taken.get());
        self.taken.set(self.taken.get() - bytes);
        self.memory.0.set(self.memory.0.get() + bytes);
    }

    /// Gives everything back, as if nothing had been asked for.
    pub fn reset(&self) {
        self.give(self.taken.get());
        self.starved.set(false);
    }

    /// Whether it was refused since it was made or reset.
    #[must_use]
    pub const fn is_starved(&self) -> bool {
        self.starved.get()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give(self.taken.get());
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn what_is_lent_is_never_more_than_there_is_and_comes_back() {
        let memory = Memory::of(100);
        let (one, other) = (memory.lease(), memory.clone().lease());
        assert!(one.take(60) && other.take(40));
        assert!(!one.take(1) && one.is_starved() && !other.is_starved());
        other.give(30);
        other.give(1_000);
        assert_eq!(memory.left(), 40, "no more comes back than was taken");
        assert!(other.take(40));
        one.reset();
        assert!(!one.is_starved() && memory.left() == 60);
        drop((one, other));
        assert_eq!(memory.left(), 100);
    }

    #[test]
    fn whoever_leaves_something_for_others_takes_no_more_than_the_rest() {
        let memory = Memory::of(100);
        let lease = memory.lease();
        assert!(!lease.take_beside(51, 50) && lease.take_beside(50, 50) && !lease.take_beside(1, 50));
        assert!(memory.lease().take(50), "which the others have");
    }
}
