//! Chooses the ledgers that an answer reads, and calls them.
//!
//! An answer reads the ledgers of a bounded number of hours, newest hours first and those without an hour last, and reports how many
//! of the existing ones it read.

use serde::Serialize;

use super::retry::retry_while_out_of_memory;
use crate::http::{Problem, problems};
use crate::index::ObjectVersion;
use crate::ledger::hours::OTHER_LEDGERS;
use crate::ledger::ids::REGISTRY;
use crate::ledger::registry::{FindLedgers, LedgerList, ListLedgers};
use crate::ledger::{BatchId, LedgerHour};
use crate::rpc::{self, Call, HeldAnswer};
use crate::services::Services;

/// The number of ledgers read, and of all ledgers.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct LedgerCounts {
    /// Number of ledgers that the answer covers.
    pub(crate) scanned: u64,
    /// Number of registered ledgers.
    pub(crate) total: u64,
}

/// Returns the ledgers of the newest hours, at most `most` hours.
pub(crate) async fn newest_ledgers(services: &impl Services, most: u64) -> Result<HeldAnswer<LedgerList>, Problem> {
    call_ledger(services, REGISTRY, &ListLedgers { limit: most }).await
}

/// Checks that the registry knows the ledger that a handle names: a handle can be made up, and so can the name in it.
///
/// # Errors
/// `unknown` if it does not, or the [`Problem`] of a registry that does not respond.
pub(crate) async fn check_registered(
    services: &impl Services,
    ledger: &str,
    unknown: impl FnOnce() -> Problem,
) -> Result<(), Problem> {
    let known = &services.isolate().ledgers;
    if !known.has(ledger) {
        // Those of no hour are in every answer.
        let (first, last) = (ledger.to_owned(), ledger.to_owned());
        let find = FindLedgers { first, last, start_ms: 0, end_ms: 0, limit: OTHER_LEDGERS + 1, ray_of: None };
        if !call_ledger(services, REGISTRY, &find).await?.names.iter().any(|name| name == ledger) {
            return Err(unknown());
        }
        known.insert(ledger);
    }
    Ok(())
}

/// Calls one ledger; a failure is answered 503. Waits while other requests hold the memory of the answer.
pub(crate) async fn call_ledger<C: Call>(
    services: &impl Services,
    ledger: &str,
    call: &C,
) -> Result<HeldAnswer<C::Answer>, Problem> {
    let none = services.memory().reservation();
    retry_while_out_of_memory(services, &none, async || {
        Ok(rpc::call_held(services.ledgers(), services.memory(), ledger, call).await?)
    })
    .await
}

/// Calls one ledger that answers in a few bytes, which the base amount of a request covers.
pub(crate) async fn ask_ledger<C: Call>(
    services: &impl Services,
    ledger: &str,
    call: &C,
) -> Result<C::Answer, Problem> {
    Ok(call_ledger(services, ledger, call).await?.into_parts().0)
}

/// Returns the names of the ledgers of an hour; a failure is answered 503.
pub(crate) async fn ledgers_of_hour(services: &impl Services, hour: &LedgerHour) -> Result<Vec<String>, Problem> {
    let partitions = services.known_partitions(hour).await.map_err(|_| problems::unavailable())?;
    Ok(hour.ledgers(partitions).collect())
}

/// Returns the identity of the batch in the log bucket's object; a failure is answered 503.
pub(crate) async fn batch_of_object(services: &impl Services, object: &ObjectVersion) -> Result<BatchId, Problem> {
    services.batch_id(&object.key, object.batch_etag()).await.map_err(|_| problems::unavailable())
}
