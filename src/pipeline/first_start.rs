//! Since when objects are delivered without being asked for.
//!
//! # Invariants
//! `PUSH_START_TIME` asks for what lay in the bucket before the first start, so where it is set it alone decides. The
//! first start is made all the same: a deployment that drops the setting later must not begin anew.
//!
//! An object in the data bucket says that there was a first start. If the registry knows of none, it was lost: what is in the
//! bucket may have been delivered, so `PUSH_START_TIME` does not ask for it again.

use crate::backend::{BackendError, Bucket};
use crate::bucket_keys::FIRST_START;
use crate::config::Config;
use crate::ledger::first_start::{FirstStart, MakeFirstStart};
use crate::ledger::ids::REGISTRY;
use crate::limits::FIRST_START_KNOWN_MS;
use crate::rpc;
use crate::services::Services;
use crate::time::rfc3339;

/// Makes the first start unless it was made before; returns Unix milliseconds before which an object must not have been
/// written to be delivered. `None` if nothing is to be delivered, or if `PUSH_START_TIME` decides, which it does not after a loss.
///
/// # Errors
/// [`BackendError`] if the registry or the data bucket cannot be reached.
pub async fn delivered_from(services: &impl Services, config: &Config) -> Result<Option<i64>, BackendError> {
    if !config.is_meant_to_deliver() {
        return Ok(None);
    }
    let FirstStart { at_ms, after_loss, .. } = first_start(services).await?;
    Ok((config.push_start_ms.is_none() || after_loss).then_some(at_ms))
}

/// Returns the first start, after making it if need be. An isolate asks the registry once in [`FIRST_START_KNOWN_MS`].
pub(super) async fn first_start(services: &impl Services) -> Result<FirstStart, BackendError> {
    let isolate = services.isolate();
    let known = isolate.first_start_ms.get();
    let asked_ms = isolate.first_start_asked_ms.get();
    let is_old = asked_ms.is_some_and(|asked_ms| services.now_ms() - asked_ms > FIRST_START_KNOWN_MS);
    if let Some(at_ms) = known.filter(|_| !is_old) {
        return Ok(FirstStart { at_ms, new: false, after_loss: isolate.is_after_loss.get() });
    }
    // Asked first: the object is written only once the first start is made.
    let after_loss = known.is_some() || services.data_bucket().get(FIRST_START).await?.is_some();
    let start = rpc::call(services.ledgers(), REGISTRY, &MakeFirstStart { after_loss }).await?;
    if !after_loss {
        services.data_bucket().put_new(FIRST_START, rfc3339(start.at_ms).into_bytes()).await?;
    }
    isolate.is_after_loss.set(start.after_loss);
    isolate.first_start_ms.set(Some(start.at_ms));
    isolate.first_start_asked_ms.set(Some(services.now_ms()));
    Ok(start)
}
