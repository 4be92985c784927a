//! Since when objects are delivered without being asked for.
//!
//! # Invariants
//! `PUSH_START_TIME` asks for what lay in the bucket before the first start, so where it is set it alone decides. The
//! first start is made all the same: a deployment that drops the setting later must not begin anew.

use crate::backend::BackendError;
use crate::config::Config;
use crate::ledger::first_start::{FirstStart, MakeFirstStart};
use crate::ledger::ids::REGISTRY;
use crate::rpc;
use crate::services::Services;

/// Makes the first start unless it was made before; returns Unix milliseconds before which an object must not have been
/// written to be delivered. `None` if nothing is to be delivered, or if `PUSH_START_TIME` decides.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub async fn delivered_from(services: &impl Services, config: &Config) -> Result<Option<i64>, BackendError> {
    if !config.is_meant_to_deliver() {
        return Ok(None);
    }
    let FirstStart { at_ms, .. } = first_start(services).await?;
    Ok(config.push_start_ms.is_none().then_some(at_ms))
}

/// Returns the first start, after making it if need be. An isolate asks the registry once.
pub(super) async fn first_start(services: &impl Services) -> Result<FirstStart, BackendError> {
    let known = &services.isolate().first_start_ms;
    if let Some(at_ms) = known.get() {
        return Ok(FirstStart { at_ms, new: false });
    }
    let start = rpc::call(services.ledgers(), REGISTRY, &MakeFirstStart {}).await?;
    known.set(Some(start.at_ms));
    Ok(start)
}
