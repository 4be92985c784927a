//! A budget of memory, and the reservations that requests make in it.
//!
//! # Invariants
//! The reservations together never exceed the budget; a dropped reservation has returned all of its bytes.

use std::cell::Cell;
use std::rc::Rc;

use crate::limits::MEMORY_BUDGET;

/// Other requests hold the requested bytes. They will return them, so a later attempt may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("other requests hold the memory that this one needs")]
pub struct OutOfMemory;

/// The bytes that all requests of an isolate may hold at a time. Clones share one budget.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Rc<Cell<usize>>);

impl Default for MemoryBudget {
    /// Returns a budget of [`MEMORY_BUDGET`] bytes.
    fn default() -> Self {
        Self::new(MEMORY_BUDGET)
    }
}

impl MemoryBudget {
    /// Creates a budget of this size in bytes, with nothing reserved.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Rc::new(Cell::new(bytes)))
    }

    /// Returns the number of bytes that can still be reserved.
    #[must_use]
    pub fn available(&self) -> usize {
        self.0.get()
    }

    /// Creates a reservation of 0 bytes, which a request then enlarges.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: Cell::new(0) }
    }
}

/// The bytes reserved by one request. Dropping it returns them.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: Cell<usize>,
}

impl Reservation {
    /// Reserves this number of additional bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`] if fewer are available; the reservation is unchanged in that case.
    pub fn reserve(&self, bytes: usize) -> Result<(), OutOfMemory> {
        self.reserve_leaving(bytes, 0)
    }

    /// Reserves this number of additional bytes if `spare` bytes remain available afterwards.
    ///
    /// # Errors
    /// [`OutOfMemory`] if fewer would remain; the reservation is unchanged in that case.
    pub fn reserve_leaving(&self, bytes: usize, spare: usize) -> Result<(), OutOfMemory> {
        let rest = self.budget.available().checked_sub(bytes).filter(|rest| *rest >= spare).ok_or(OutOfMemory)?;
        self.budget.0.set(rest);
        self.bytes.set(self.bytes.get() + bytes);
        Ok(())
    }

    /// Returns this number of the reserved bytes, at most all of them.
    pub fn release(&self, bytes: usize) {
        let bytes = bytes.min(self.bytes.get());
        self.bytes.set(self.bytes.get() - bytes);
        self.budget.0.set(self.budget.available() + bytes);
    }

    /// Returns all reserved bytes.
    pub fn release_all(&self) {
        self.release(self.bytes.get());
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release_all();
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryBudget, OutOfMemory};

    #[test]
    fn reservations_stay_within_the_budget_and_return_it() {
        let budget = MemoryBudget::new(100);
        let (one, other) = (budget.reservation(), budget.clone().reservation());
        assert_eq!((one.reserve(60), other.reserve(40)), (Ok(()), Ok(())));
        assert_eq!(one.reserve(1), Err(OutOfMemory));
        other.release(30);
        other.release(1_000);
        assert_eq!(budget.available(), 40, "no more comes back than was reserved");
        assert_eq!(other.reserve(40), Ok(()));
        one.release_all();
        assert_eq!(budget.available(), 60);
        drop((one, other));
        assert_eq!(budget.available(), 100);
    }

    #[test]
    fn a_reservation_leaves_the_spare_bytes_to_others() {
        let budget = MemoryBudget::new(100);
        let reservation = budget.reservation();
        assert_eq!(reservation.reserve_leaving(51, 50), Err(OutOfMemory));
        assert_eq!(reservation.reserve_leaving(50, 50), Ok(()));
        assert_eq!(reservation.reserve_leaving(1, 50), Err(OutOfMemory));
        assert_eq!(budget.reservation().reserve(50), Ok(()), "which the others have");
    }
}
