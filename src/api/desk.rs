//! What the API asks of the world beside what the stages do.
//!
//! What always holds: whoever answers a request has the audit log, and an account of memory that is shared with all others.

use std::future::Future;

use super::{Problem, problems};
use crate::access::{Caller, Denied, Presented, Rules};
use crate::backend::Objects;
use crate::limits::BUSY_PAUSES_MS;
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

/// How long a request waits for memory that others hold.
pub(super) struct Patience(<[i64; BUSY_PAUSES_MS.len()] as IntoIterator>::IntoIter);

impl Default for Patience {
    fn default() -> Self {
        Self(BUSY_PAUSES_MS.into_iter())
    }
}

impl Patience {
    /// Waits once more.
    ///
    /// # Errors
    /// The [`Problem`] of a request that has waited long enough.
    pub(super) async fn wait(&mut self, desk: &impl Desk) -> Result<(), Problem> {
        desk.pause(self.0.next().ok_or_else(problems::busy)?).await;
        Ok(())
    }
}
