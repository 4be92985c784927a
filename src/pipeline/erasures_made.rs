//! How many erasures there are: what the audit log says to those that read records, or deliver them.
//!
//! # Invariants
//! After the loss of a registry nothing is delivered until as many erasures are made again as the audit log knows.

use std::rc::Rc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::access::ChainNumber;
use crate::audit::calls::NoteErasures;
use crate::audit::chains::chain_object;
use crate::backend::BackendError;
use crate::erasure::ErasedLines;
use crate::ledger::erasures::{ListErasures, ensure_fresh, ensure_generation};
use crate::ledger::ids::REGISTRY;
use crate::limits::{AUDIT_CHAINS_MAX, CONCURRENT_CALLS};
use crate::rpc;
use crate::services::Services;

/// Has every chain of the audit log admit no request whose isolate does not know the erasures up to this one. Chains without an
/// entry are among them: they may have some later.
///
/// # Errors
/// [`BackendError`] if a chain does not respond; repeating it is harmless.
pub(crate) async fn note_erasures(services: &impl Services, generation: u64) -> Result<(), BackendError> {
    let note = NoteErasures { generation };
    let chains = stream::iter(ChainNumber::first(AUDIT_CHAINS_MAX));
    let noted = chains.map(async |chain| rpc::call(services.audit_log(), &chain_object(chain), &note).await.map(drop));
    noted.buffer_unordered(CONCURRENT_CALLS).try_collect().await
}

/// Returns the erased lines for a scan that delivers. After the loss of a registry the audit log says how many erasures there were.
///
/// # Errors
/// [`BackendError`] if a backend failed, or erasures are lost: nothing is delivered until they are made again.
pub(super) async fn erased_for_delivery(services: &impl Services) -> Result<Rc<ErasedLines>, BackendError> {
    let (ledgers, isolate, now_ms) = (services.ledgers(), services.isolate(), services.now_ms());
    let lines = ensure_fresh(ledgers, &isolate.erasures, now_ms).await?;
    if !isolate.is_after_loss.get() {
        return Ok(lines);
    }
    let made = made_erasures(services).await?;
    ensure_generation(ledgers, &isolate.erasures, made, now_ms).await?;
    Ok(isolate.erasures.lines())
}

/// Returns how many erasures the audit log knows to have been made.
///
/// # Errors
/// [`BackendError`] if its first chain does not respond.
pub(crate) async fn made_erasures(services: &impl Services) -> Result<u64, BackendError> {
    let ask = NoteErasures { generation: 0 };
    Ok(rpc::call(services.audit_log(), &chain_object(ChainNumber::FIRST), &ask).await?.generation)
}

/// Notes the latest erasure in every chain of the audit log once more: an object of one may have been lost since.
///
/// # Errors
/// [`BackendError`] if the registry or a chain does not respond.
pub(crate) async fn note_latest_erasure(services: &impl Services) -> Result<(), BackendError> {
    let list = rpc::call(services.ledgers(), REGISTRY, &ListErasures { id: None, limit: 1 }).await?;
    match list.erasures.first() {
        Some(latest) => note_erasures(services, latest.id).await,
        None => Ok(()),
    }
}
