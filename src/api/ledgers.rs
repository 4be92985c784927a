//! Which ledgers an answer is gathered from, and what they are asked.
//!
//! What always holds: their number has a bound, and an answer says how many were read of how many there are; those
//! of the latest hours come first, those of no hour last.

use serde::Serialize;

use crate::http::{Problem, problems};
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{LedgerList, ListLedgers};
use crate::rpc::{self, Call};
use crate::services::Services;

/// How many ledgers an answer was gathered from.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct LedgerCounts {
    /// How many the answer was gathered from.
    pub(crate) scanned: u64,
    /// How many there are.
    pub(crate) total: u64,
}

/// The newest ledgers, at most `most`.
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
