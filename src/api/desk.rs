//! What the API asks of the world beside what the stages do.
//!
//! What always holds: whoever answers a request has the audit log, and an account of memory that is shared with all others.

use std::future::Future;

use super::{Problem, problems};
use crate::access::{Caller, Denied, Presented, Rules};
use crate::backend::Objects;
use crate::limits::{BUSY_MS, BUSY_PAUSES_MS};
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
pub(super) struct Patience {
    pause_ms: i64,
    left_ms: i64,
}

impl Default for Patience {
    /// That of an answer.
    fn default() -> Self {
        Self::of(BUSY_MS)
    }
}

impl Patience {
    /// For so many milliseconds in all.
    pub(super) const fn of(left_ms: i64) -> Self {
        Self { pause_ms: BUSY_PAUSES_MS.0, left_ms }
    }

    /// Waits once more.
    ///
    /// # Errors
    /// The [`Problem`] of a request that has waited long enough.
    pub(super) async fn wait(&mut self, desk: &impl Desk) -> Result<(), Problem> {
        let pause_ms = self.pause_ms.min(self.left_ms);
        if pause_ms == 0 {
            return Err(problems::busy());
        }
        self.left_ms -= pause_ms;
        self.pause_ms = (2 * self.pause_ms).min(BUSY_PAUSES_MS.1);
        desk.pause(pause_ms).await;
        Ok(())
    }
}
