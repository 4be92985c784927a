//! Which of the listed objects a backfill announces.
//!
//! # Invariants
//! No object is left out that may hold records of the job's window, or lines of its erasure.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::backend::{BackendError, ListPage};
use crate::bucket_keys::{KeyClass, batch_times, classify, folder_day};
use crate::config::Config;
use crate::index::ObjectVersion;
use crate::ledger::backfills::BackfillRequest;
use crate::ledger::erasure_scope::{FindInScope, SourcesInScope};
use crate::ledger::erasures::ensure_generation;
use crate::ledger::{BatchId, SourceId};
use crate::limits::{BACKFILL_LATE_MS, BACKFILL_SKEW_MS, CONCURRENT_CALLS};
use crate::rpc;
use crate::services::Services;
use crate::time;

/// Returns the keys of the listed objects that may hold records of the window, or lines of the erasure.
pub(super) async fn wanted_objects(
    services: &impl Services,
    config: &Config,
    request: &BackfillRequest,
    listed: &ListPage,
) -> Result<BTreeSet<String>, BackendError> {
    let objects = listed.objects.iter();
    let Some(erasure) = request.erasure else {
        let wanted = objects.map(|(key, _)| key).filter(|key| is_wanted(key, config, request));
        return Ok(wanted.cloned().collect());
    };
    let erasures = &services.isolate().erasures;
    ensure_generation(services.ledgers(), erasures, erasure, services.now_ms()).await?;
    let unknown = || BackendError::new("looking for erased lines", "the erasure is not known");
    let scope = erasures.lines().scope(erasure).ok_or_else(unknown)?;
    let first_ms = request.start_ms.saturating_sub(BACKFILL_SKEW_MS);
    let mut by_ledger: BTreeMap<String, BTreeMap<SourceId, String>> = BTreeMap::new();
    for (key, head) in objects {
        let object = ObjectVersion::new(key, head);
        if object.uploaded_ms >= first_ms && is_batch(key, config) {
            let BatchId { ledger, source } = services.batch_id(key, object.batch_etag()).await?;
            by_ledger.entry(ledger).or_default().insert(source, key.clone());
        }
    }
    let asked = stream::iter(by_ledger).map(async |(ledger, mut keys)| {
        let call = FindInScope { sources: keys.keys().cloned().collect(), scope };
        let SourcesInScope { sources } = rpc::call(services.ledgers(), &ledger, &call).await?;
        Ok::<_, BackendError>(sources.into_iter().filter_map(move |source| keys.remove(&source)))
    });
    let found: Vec<_> = asked.buffer_unordered(CONCURRENT_CALLS).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

fn is_batch(key: &str, config: &Config) -> bool {
    matches!(classify(key, &config.log_prefix), KeyClass::Batch(_))
}

/// Returns whether an object may hold records of the window. Its name gives the time of writing, usually minutes after
/// the requests; an object without a time in its name matches unless its folder names another day.
fn is_wanted(key: &str, config: &Config, request: &BackfillRequest) -> bool {
    let near = match batch_times(key) {
        Some((start_ms, end_ms)) => {
            start_ms <= request.end_ms.saturating_add(BACKFILL_LATE_MS)
                && end_ms >= request.start_ms.saturating_sub(BACKFILL_SKEW_MS)
        }
        None => is_in_near_folders(key, config, request),
    };
    near && is_batch(key, config)
}

/// Returns whether the folders of the window's days, which are listed first, include that of this object.
pub(super) fn is_in_near_folders(key: &str, config: &Config, request: &BackfillRequest) -> bool {
    config.log_prefix.folders_below(key).all(|folder| is_near(folder, request))
}

/// Returns whether a folder may hold objects of the window.
pub(super) fn is_near(folder: &str, request: &BackfillRequest) -> bool {
    let first = time::day(request.start_ms.saturating_sub(BACKFILL_SKEW_MS));
    let last = time::day(request.end_ms.saturating_add(BACKFILL_LATE_MS));
    folder_day(folder).is_none_or(|day| (first.as_str()..=last.as_str()).contains(&day))
}
