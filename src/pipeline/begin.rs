//! The first call of a batch's processing: what is left to do, once the registry knows the batch's ledger.
//!
//! # Invariants
//! A ledger is registered before any of its sources is sealed. A ledger that was lost since it was registered plans nothing of what
//! it may have delivered.

use crate::backend::BackendError;
use crate::ledger::calls::{BeginAnswer, BeginBatch, MarkRegistered};
use crate::ledger::completeness::times_beyond_ledger;
use crate::ledger::{BatchId, registry};
use crate::rpc;
use crate::services::Services;

/// Asks the batch's ledger what is left to do, and registers the ledger.
pub(super) async fn begin_batch(
    services: &impl Services,
    id: &BatchId,
    begin: BeginBatch,
) -> Result<BeginAnswer, BackendError> {
    let ledgers = services.ledgers();
    let answer = rpc::call(ledgers, &id.ledger, &begin).await?;
    let BeginAnswer::Work(work) = &answer else { return Ok(answer) };
    let beyond = times_beyond_ledger(&begin.object, begin.times);
    // The registry may have been lost, and the ledger not.
    if work.registered && beyond.is_none() && begin.rebuild.is_none() {
        return Ok(answer);
    }
    let since_ms = registry::register(ledgers, &id.ledger, beyond).await?.since_ms;
    if work.registered {
        return Ok(answer);
    }
    let marked = rpc::call(ledgers, &id.ledger, &MarkRegistered { since_ms }).await?;
    if marked.lost { rpc::call(ledgers, &id.ledger, &begin).await } else { Ok(answer) }
}
