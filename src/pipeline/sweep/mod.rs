//! Finds whatever the queues lost: objects without an event, ledgers whose alarm did not fire, bodies that are no
//! longer needed.
//!
//! Run by the cron. An object is examined once it is old enough for its event to have arrived; its ledger says whether
//! it is finished. Two listings find the objects, both by the time of their upload: `recent` lists the folders that
//! Logpush is writing to, within minutes; `round` lists the complete bucket, within a day.
//!
//! # Invariants
//!
//! A listing may skip files, never folders. A sweep changes nothing that is in order; the next sweep repeats one that
//! fails halfway. It never removes the body of a payload that is pending or parked, nor a pack that holds one.

mod recent;
mod round;

use std::collections::BTreeMap;

use serde::Serialize;

use self::recent::{RecentObjects, list_recent};
use self::round::RoundStep;
use super::first_start::delivered_from;
use super::parse::live_window;
use crate::backend::{BackendError, Bucket, ObjectHead, Queue};
use crate::config::Config;
use crate::index::ObjectVersion;
use crate::ledger::BatchId;
use crate::ledger::calls::{ExpiredPacks, FindUnfinished, ListExpiredPacks, MarkRemoved, RearmAlarm};
use crate::ledger::ids::{PackId, REGISTRY};
use crate::ledger::registry::{AdvanceSweep as LookedUpTo, LedgerList, ListLedgers, SweepMark};
use crate::limits::{
    BODIES_KEPT_MS, SWEEP_AGE_MS, SWEEP_BACK_MAX_MS, SWEEP_BACK_MS, SWEEP_HOURS, SWEEP_LISTINGS, SWEEP_STEPS,
};
use crate::r2_event::R2Event;
use crate::rpc;
use crate::services::Services;

/// The work done by one sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SweepReport {
    /// Number of examined objects.
    pub objects: usize,
    /// Number of unfinished objects that were announced again.
    pub announced: usize,
    /// Unix milliseconds at which the oldest of them was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<i64>,
    /// Number of ledgers whose alarm was set.
    pub ledgers: usize,
    /// Number of removed packs.
    pub packs_removed: usize,
    /// Whether the sweep reached one of its limits, or the round takes longer than a day; the next sweep continues.
    pub incomplete: bool,
}

/// Runs one sweep.
///
/// # Errors
/// [`BackendError`] if a backend failed; the work up to then is done.
pub async fn run_sweep(services: &impl Services, config: &Config) -> Result<SweepReport, BackendError> {
    let mut swept = SweepReport::default();
    let now_ms = services.now_ms();
    let SweepMark { at_ms, .. } = looked_up_to(services, None, None).await?;
    // The very first sweep records its start, so that the next one knows it even if this one fails.
    let at_ms = if at_ms.is_some() { at_ms } else { looked_up_to(services, Some(now_ms), None).await?.at_ms };
    // After an outage, everything since the last completed sweep.
    let since_ms = at_ms.map_or(now_ms, |at| at.clamp(now_ms - SWEEP_BACK_MAX_MS, now_ms)) - SWEEP_BACK_MS;
    let RecentObjects { mut objects, pages, complete } = list_recent(services, config, since_ms).await?;
    let round = RoundStep::list(services, config, SWEEP_LISTINGS.saturating_sub(pages), &mut objects).await?;
    swept.objects = objects.len();
    swept.incomplete = !complete || round.is_behind(now_ms);
    let unfinished_ms = announce(services, config, objects, &mut swept).await?;
    swept.oldest_ms = unfinished_ms;
    if complete {
        let finished_ms = unfinished_ms.unwrap_or(i64::MAX).min(now_ms - SWEEP_AGE_MS);
        looked_up_to(services, Some(now_ms), Some(finished_ms)).await?;
    }
    round.record(services, unfinished_ms).await?;
    let request = ListLedgers { limit: SWEEP_HOURS };
    let LedgerList { names, .. } = rpc::call(services.ledgers(), REGISTRY, &request).await?;
    for name in names {
        rpc::call(services.ledgers(), &name, &RearmAlarm {}).await?;
        swept.ledgers += 1;
        remove_bodies(services, &name, &mut swept).await?;
    }
    Ok(swept)
}

/// Returns the time up to which every object was looked for, after recording this instant, if there is one, and the one until
/// which all were written that are finished.
async fn looked_up_to(
    services: &impl Services,
    at_ms: Option<i64>,
    finished_ms: Option<i64>,
) -> Result<SweepMark, BackendError> {
    rpc::call(services.ledgers(), REGISTRY, &LookedUpTo { at_ms, finished_ms }).await
}

/// Announces the unfinished objects; returns when the earliest of them was written.
async fn announce(
    services: &impl Services,
    config: &Config,
    objects: BTreeMap<String, ObjectHead>,
    swept: &mut SweepReport,
) -> Result<Option<i64>, BackendError> {
    let mut by_ledger: BTreeMap<String, Vec<(BatchId, ObjectVersion, R2Event)>> = BTreeMap::new();
    let (now_ms, mut first_ms) = (services.now_ms(), None);
    let written_from_ms = delivered_from(services, config).await?;
    for (key, head) in objects {
        let object = ObjectVersion::new(&key, &head);
        let id = services.batch_id(&key, object.batch_etag()).await?;
        let event = R2Event::put_object(services.bucket_name(), &key, head.size, &head.etag, now_ms);
        by_ledger.entry(id.ledger.clone()).or_default().push((id, object, event));
    }
    for (ledger, objects) in by_ledger {
        let sources = objects.iter().map(|(id, ..)| id.source.clone()).collect();
        let rewritten = objects.iter().filter(|(_, object, _)| object.origin.is_some());
        let rewritten = rewritten.map(|(id, object, _)| (id.source.clone(), object.etag.clone())).collect();
        let (deliver, edge_records) = (live_window(config), config.edge_records);
        let find = FindUnfinished { sources, rewritten, deliver, edge_records, written_from_ms };
        let missing = rpc::call(services.ledgers(), &ledger, &find).await?.sources;
        let unfinished = objects.into_iter().filter(|(id, ..)| missing.contains(&id.source));
        let unfinished = unfinished.map(|(_, object, event)| (object.uploaded_ms, event));
        let (written, events): (Vec<i64>, Vec<R2Event>) = unfinished.unzip();
        if !events.is_empty() {
            services.parse_queue().send(&events).await?;
            swept.announced += events.len();
            first_ms = written.into_iter().chain(first_ms).min();
        }
    }
    Ok(first_ms)
}

/// Removes the bodies of a ledger's payloads that became terminal days ago.
async fn remove_bodies(services: &impl Services, ledger: &str, swept: &mut SweepReport) -> Result<(), BackendError> {
    let before_ms = services.now_ms() - BODIES_KEPT_MS;
    for _ in 0..SWEEP_STEPS {
        let ExpiredPacks { packs } = rpc::call(services.ledgers(), ledger, &ListExpiredPacks { before_ms }).await?;
        let keys: Vec<String> = packs.iter().map(PackId::key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        services.data_bucket().delete(&keys).await?;
        rpc::call(services.ledgers(), ledger, &MarkRemoved { packs }).await?;
        swept.packs_removed += keys.len();
    }
    swept.incomplete = true;
    Ok(())
}
