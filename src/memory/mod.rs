//! The memory budget shared by all requests of an isolate, and the permit to read a batch.
//!
//! A bound per request is not enough: twenty requests at once would outgrow the module, and a module that cannot grow
//! traps, with every request in it. So a request reserves what it holds before it holds it: a base amount, lines, answers of
//! Durable Objects, the parts of an upload, and each body, which can be made of [`ReservedBytes`] alone. If the budget or
//! the caller's share is exhausted, only that request waits or is answered 503, and the others continue. Batches are read
//! outside of this budget, one at a time ([`ReadPermits`]). Searches have a share for each caller ([`ScanPermits`]).

mod backoff;
mod heap;
mod read_permit;
mod reservation;
mod reserved_bytes;
mod scan_permit;

pub use backoff::Backoff;
pub use read_permit::{ReadPermit, ReadPermits};
pub use reservation::{MemoryBudget, OutOfMemory, Reservation};
pub use reserved_bytes::{ReservedBytes, ReservedWriter};
pub use scan_permit::{ScanPermit, ScanPermits};
