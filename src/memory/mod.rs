//! The memory budget shared by all requests of an isolate, and the permit to read a batch.
//!
//! A bound per request is not enough: twenty requests at once would outgrow the module, and a module that cannot grow
//! traps, with every request in it. So a request that collects lines, or the parts of an upload, reserves the bytes
//! first. If the budget is exhausted, only that request waits or is answered 503, and the others continue. Batches are
//! read outside of this budget, one at a time ([`ReadPermits`]).

mod backoff;
mod read_permit;
mod reservation;

pub use backoff::Backoff;
pub use read_permit::{ReadPermit, ReadPermits};
pub use reservation::{MemoryBudget, OutOfMemory, Reservation};
