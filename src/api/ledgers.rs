//! Chooses the ledgers that an answer reads, and calls them.
//!
//! An answer reads a bounded number of ledgers, newest hours first and those without an hour last, and reports how many
//! of the existing ones it read.

use serde::Serialize;

use crate::http::{Problem, problems};
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{LedgerList, ListLedgers};
use crate::rpc::{self, Call};
use crate::services::Services;

/// The number of ledgers read, and of all ledgers.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct LedgerCounts {
    /// Number of ledgers that the answer covers.
    pub(crate) scanned: u64,
    /// Number of registered ledgers.
    pub(crate) total: u64,
}

/// Returns the newest ledgers, at most `most`.
pub(crate) async fn newest_ledgers(services: &impl Services, most: u64) -> Result<LedgerList, Problem> {
    call_ledger(services, REGISTRY, &ListLedgers { limit: most }).await
}

/// Calls one ledger; a failure is answered 503.
pub(crate) async fn call_ledger<C: Call>(
    services: &impl Services,
    ledger: &str,
    call: &C,
) -> Result<C::Answer, Problem> {
    rpc::call(services.ledgers(), ledger, call).await.map_err(|_| problems::unavailable())
}
