//! The memory that requests may hold, as one budget that all requests of an isolate share, and the turn to read a batch.
//!
//! A bound for each request is not enough: twenty of them at once would outgrow the module, and a module that cannot
//! grow traps, with every request in it. So a request that gathers lines, or the parts of an upload, reserves the bytes
//! first. Where the budget is used up, that one request waits or is answered 503, and the others go on.
//! Batches are read outside this budget, one at a time ([`ReadPermits`]).

mod backoff;
mod read_permit;
mod reservation;

pub use backoff::Backoff;
pub use read_permit::{ReadPermit, ReadPermits};
pub use reservation::{MemoryBudget, OutOfMemory, Reservation};
