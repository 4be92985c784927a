//! What the API asks of the world beside what the stages do.
//!
//! What always holds: whoever answers a request has the audit log, and an account of memory that is shared with all others.

use std::future::Future;

use super::{Problem, problems};
use crate::access::{Caller, Denied, Presented, Rules};
use crate::backend::Objects;
use crate::limits::BUSY_MS;
use crate::memory::{Lease, Memory, Pauses};
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
pub(super) struct Patience(Pauses);

impl Default for Patience {
    /// That of an answer.
    fn default() -> Self {
        Self::of(BUSY_MS)
    }
}

impl Patience {
    /// For so many milliseconds in all.
    pub(super) const fn of(left_ms: i64) -> Self {
        Self(Pauses::of(left_ms))
    }

    /// Waits once more.
    ///
    /// # Errors
    /// The [`Problem`] of a request that has waited long enough.
    pub(super) async fn wait(&mut self, desk: &impl Desk) -> Result<(), Problem> {
        desk.pause(self.0.next().ok_or_else(problems::busy)?).await;
        Ok(())
    }
}

/// Does the work, and again as long as it lacks memory that others hold, which is theirs to give back.
///
/// # Errors
/// The [`Problem`] of the work, or of a request that has waited long enough.
pub(super) async fn patiently<T>(
    desk: &impl Desk,
    lease: &Lease,
    work: impl AsyncFn() -> Result<T, Problem>,
) -> Result<T, Problem> {
    let mut patience = Patience::default();
    loop {
        match (work().await, lease.is_starved()) {
            (Err(_), true) => {
                lease.reset();
                patience.wait(desk).await?;
            }
            (outcome, _) => return outcome,
        }
    }
}
