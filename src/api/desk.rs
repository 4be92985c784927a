//! What the API asks of the world beside what the stages do.
//!
//! What always holds: whoever answers a request has the audit log, and an account of memory that is shared with all others.

use std::future::Future;

use crate::access::{Caller, Denied, Presented, Rules};
use crate::backend::Objects;
use crate::memory::Memory;
use crate::pipeline::World;

/// The world as the API takes it.
pub trait Desk: World {
    /// The audit log.
    type Audits: Objects;

    /// Who sent a request.
    fn admit(&self, rules: &Rules, presented: Presented<'_>) -> impl Future<Output = Result<Caller, Denied>>;
    /// The memory that answers may hold.
    fn memory(&self) -> &Memory;
    /// The audit log, by its one name.
    fn audits(&self) -> &Self::Audits;
}
