//! Finds what the queues lost: objects that no event announced, ledgers whose alarm did not fire, bodies that are no
//! longer needed.
//!
//! Run by the cron. An object is examined once it is old enough for its event to have arrived, and as long as it falls
//! in the hours that the sweep covers; its ledger says whether it is finished.
//!
//! # Invariants
//!
//! A sweep changes nothing that is right; the next sweep repeats one that fails in the middle. It never removes the
//! body of a payload that is pending or parked, nor a pack that holds one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::parse::live_window;
use crate::backend::{BackendError, Bucket, ListRequest, ObjectHead, Queue};
use crate::bucket_keys::{KeyClass, classify, folder_day};
use crate::config::Config;
use crate::ledger::BatchId;
use crate::ledger::calls::{ExpiredPacks, FindUnfinished, ListExpiredPacks, MarkRemoved, RearmAlarm};
use crate::ledger::ids::{PackId, REGISTRY};
use crate::ledger::registry::{AdvanceSweep, LedgerList, ListLedgers, SweepMark};
use crate::limits::{
    BODIES_KEPT_MS, SWEEP_AGE_MS, SWEEP_BACK_MAX_MS, SWEEP_BACK_MS, SWEEP_FOLDERS, SWEEP_LEDGERS, SWEEP_PAGES,
    SWEEP_STEPS,
};
use crate::r2_event::R2Event;
use crate::rpc;
use crate::services::Services;
use crate::time;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SweepReport {
    /// Objects looked at.
    pub objects: usize,
    /// Unfinished objects, announced again.
    pub announced: usize,
    /// Ledgers whose alarm was set.
    pub ledgers: usize,
    /// Packs of payloads that were removed.
    pub packs_removed: usize,
    /// Whether there was more than one sweep looks at; the next one begins elsewhere.
    pub incomplete: bool,
}

/// Looks for what was lost.
///
/// # Errors
/// [`BackendError`] where the world failed; what was found before is done.
pub async fn run_sweep(world: &impl Services, config: &Config) -> Result<SweepReport, BackendError> {
    let mut swept = SweepReport::default();
    let now_ms = world.now_ms();
    let SweepMark { at_ms } = looked_up_to(world, None).await?;
    // The very first one says from when on there were any, so that the next one knows even if this one fails.
    let at_ms = if at_ms.is_some() { at_ms } else { looked_up_to(world, Some(now_ms)).await?.at_ms };
    // After an outage, everything since the last complete sweep.
    let since_ms = at_ms.map_or(now_ms, |at| at.clamp(now_ms - SWEEP_BACK_MAX_MS, now_ms)) - SWEEP_BACK_MS;
    let objects = recent(world, config, since_ms, &mut swept).await?;
    swept.objects = objects.len();
    announce(world, config, objects, &mut swept).await?;
    if !swept.incomplete {
        looked_up_to(world, Some(now_ms)).await?;
    }
    let ask = ListLedgers { limit: SWEEP_LEDGERS };
    let LedgerList { names, .. } = rpc::call(world.ledgers(), REGISTRY, &ask).await?;
    for name in names {
        rpc::call(world.ledgers(), &name, &RearmAlarm {}).await?;
        swept.ledgers += 1;
        remove_bodies(world, &name, &mut swept).await?;
    }
    Ok(swept)
}

/// Up to when everything was looked for; keeps this instant, if there is one.
async fn looked_up_to(world: &impl Services, at_ms: Option<i64>) -> Result<SweepMark, BackendError> {
    rpc::call(world.ledgers(), REGISTRY, &AdvanceSweep { at_ms }).await
}

/// The batches of the last hours, apart from those whose event may still be under way.
async fn recent(
    world: &impl Services,
    config: &Config,
    since_ms: i64,
    swept: &mut SweepReport,
) -> Result<Vec<(String, ObjectHead)>, BackendError> {
    let now_ms = world.now_ms();
    let window = since_ms..=now_ms - SWEEP_AGE_MS;
    let mut found = Vec::new();
    let mut folders = vec![config.log_prefix.clone()];
    let mut pages = 0;
    while let Some(folder) = folders.pop() {
        let mut ask = in_folder(folder, since_ms);
        loop {
            if pages == SWEEP_PAGES || folders.len() > SWEEP_FOLDERS {
                swept.incomplete = true;
                return Ok(found);
            }
            pages += 1;
            let listed = world.bucket().list(&ask).await?;
            let inner = listed.folders.into_iter().filter(|folder| is_worth_a_look(folder, since_ms, now_ms));
            folders.extend(begun_anywhere(world, inner.collect()));
            found.extend(listed.objects.into_iter().filter(|(key, head)| {
                window.contains(&head.uploaded_ms) && matches!(classify(key, &config.log_prefix), KeyClass::Batch(_))
            }));
            ask.cursor = listed.cursor;
            if ask.cursor.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// The same folders, begun with any of them: where they are more than one sweep looks at, in time it looks at all.
fn begun_anywhere(world: &impl Services, mut folders: Vec<String>) -> Vec<String> {
    if folders.len() > 1 {
        let first = world.random_bits() as usize % folders.len();
        folders.rotate_left(first);
    }
    folders
}

/// What to list of a folder: in one of a day, names begin with their stamps, so what is older is passed over.
fn in_folder(folder: String, since_ms: i64) -> ListRequest {
    let after = folder_day(&folder).map(|_| format!("{folder}{}", time::stamp(since_ms - SWEEP_BACK_MS)));
    ListRequest { prefix: folder, after, cursor: None, by_folder: true }
}

/// Whether a folder may hold what was written in the hours looked back at: at midnight those are of two days.
fn is_worth_a_look(folder: &str, since_ms: i64, now_ms: i64) -> bool {
    let days = time::day(since_ms - SWEEP_BACK_MS)..=time::day(now_ms);
    folder_day(folder).is_none_or(|day| days.contains(&day.to_owned()))
}

/// Announces the objects that are not finished.
async fn announce(
    world: &impl Services,
    config: &Config,
    objects: Vec<(String, ObjectHead)>,
    swept: &mut SweepReport,
) -> Result<(), BackendError> {
    let mut by_ledger: BTreeMap<String, Vec<(BatchId, R2Event)>> = BTreeMap::new();
    let now_ms = world.now_ms();
    for (key, head) in objects {
        let id = BatchId::for_object(world.bucket_name(), &key, &head.etag);
        let event = R2Event::put_object(world.bucket_name(), &key, head.size, &head.etag, now_ms);
        by_ledger.entry(id.ledger.clone()).or_default().push((id, event));
    }
    for (ledger, objects) in by_ledger {
        let sources = objects.iter().map(|(id, _)| id.source.clone()).collect();
        let missing = rpc::call(world.ledgers(), &ledger, &FindUnfinished { sources, deliver: live_window(config) })
            .await?
            .sources;
        let events: Vec<R2Event> =
            objects.into_iter().filter_map(|(id, event)| missing.contains(&id.source).then_some(event)).collect();
        if !events.is_empty() {
            world.parse_queue().send(&events).await?;
            swept.announced += events.len();
        }
    }
    Ok(())
}

/// Removes the bodies of a ledger's payloads that came to rest days ago.
async fn remove_bodies(world: &impl Services, ledger: &str, swept: &mut SweepReport) -> Result<(), BackendError> {
    let before_ms = world.now_ms() - BODIES_KEPT_MS;
    for _ in 0..SWEEP_STEPS {
        let ExpiredPacks { packs } = rpc::call(world.ledgers(), ledger, &ListExpiredPacks { before_ms }).await?;
        let keys: Vec<String> = packs.iter().map(PackId::key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        world.data_bucket().delete(&keys).await?;
        rpc::call(world.ledgers(), ledger, &MarkRemoved { packs }).await?;
        swept.packs_removed += keys.len();
    }
    swept.incomplete = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{in_folder, is_worth_a_look};

    #[test]
    fn day_folder_is_listed_that_day_and_after() {
        // 2026-03-28T00:30:00Z, and three hours before.
        let (now, since) = (1_774_657_800_000, 1_774_647_000_000);
        for (folder, worth) in [
            ("logs/http_requests/20260328/", true),
            ("logs/20260327/", true),
            ("logs/20260326/", false),
            ("logs/20260329/", false),
            ("logs/zone/", true),
            ("logs/2026/", true),
        ] {
            assert_eq!(is_worth_a_look(folder, since, now), worth, "{folder}");
        }
    }

    #[test]
    fn only_day_folders_begin_at_a_stamp() {
        let ask = in_folder("logs/20260327/".into(), 1_774_647_000_000);
        assert!(ask.after.is_some_and(|after| after.starts_with("logs/20260327/20260327T")));
        assert_eq!(in_folder("logs/".into(), 0).after, None);
    }
}
