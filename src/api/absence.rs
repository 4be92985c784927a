//! Why no record of a ray was found: collects what is known of its time, for the verdict.
//!
//! # Invariants
//! For a caller for whom no batches exist, nothing is asked: the verdict follows from the ray's time, the clock and the settings.

use std::collections::BTreeSet;

use super::completeness::RangeLedgers;
use super::record_view::DatasetViews;
use crate::access::Caller;
use crate::backend::Bucket;
use crate::backend::{BackendError, CallError};
use crate::config::Config;
use crate::http::Problem;
use crate::index::ShardName;
use crate::index::calls::FindRay;
use crate::ledger::RegistryDirectory;
use crate::ledger::absence::{AbsenceEvidence, FindAbsence};
use crate::query::ShardDirectory;
use crate::record::{Dataset, RayId, RayKey};
use crate::rpc;
use crate::services::Services;
use crate::story::{AbsenceFacts, BatchFacts, Verdict};
use crate::time::DAY_MS;

const NS_PER_MS: i64 = 1_000_000;

/// Adds the verdict to the problem of a ray without records.
pub(super) async fn explain_absence(
    config: &Config,
    services: &impl Services,
    (views, key): (&DatasetViews, &RayKey),
    problem: Problem,
) -> Problem {
    let Some(ray) = key.ray().filter(|_| problem.status == 404) else { return problem };
    let now_ms = services.now_ms();
    let kept_ms = config.kept.retention_days.map(|days| now_ms.saturating_sub(i64::from(days).saturating_mul(DAY_MS)));
    let mut facts = AbsenceFacts { at_ms: ray.unix_ms(), now_ms, kept_ms, batches: None };
    if views.visibility().has_batches() {
        // What cannot be asked leaves the verdict open.
        facts.batches = find_batches(services, (views, key), &facts).await.ok();
    }
    problem.with_verdict(Verdict::judge(facts))
}

/// Asks the shard, the registry and the ledgers of the ray's time.
async fn find_batches(
    services: &impl Services,
    (views, key): (&DatasetViews, &RayKey),
    facts: &AbsenceFacts,
) -> Result<BatchFacts, CallError> {
    let (asked, caller) = (views.datasets(), views.caller());
    let other_datasets = find_others(services, caller, &asked, key).await?;
    let until_ms = AbsenceFacts::until_ms(facts.at_ms);
    let only_own = !caller.visibility().has_totals();
    let call = FindAbsence { datasets: in_order(asked), at_ms: facts.at_ms, until_ms, only_own };
    let ray_of = call.datasets.first().copied();
    let ledgers = RangeLedgers::find(services, facts.now_ms, &(facts.at_ms..until_ms), ray_of).await?;
    let evidence = ledgers.sum(services, &call, AbsenceEvidence::add).await?;
    let is_before_all = evidence.sealed_batches == 0 && evidence.covered.is_empty();
    let first_ms = match ray_of.filter(|_| is_before_all) {
        Some(dataset) => first_indexed_ms(services, dataset, facts.now_ms).await?,
        None => None,
    };
    let RangeLedgers { is_whole, finished_ms: searched_ms, doubt, .. } = ledgers;
    Ok(BatchFacts { other_datasets, evidence, is_whole, searched_ms, first_ms, layout_doubt: doubt })
}

/// Returns the datasets with `http_requests` first, whose records say whether a request was logged.
fn in_order(mut datasets: Vec<Dataset>) -> Vec<Dataset> {
    datasets.sort_by_key(|dataset| *dataset != Dataset::HttpRequests);
    datasets
}

/// Returns the datasets that have records of the ray and were not asked for, among those that the caller may see.
async fn find_others(
    services: &impl Services,
    caller: &Caller,
    asked: &[Dataset],
    key: &RayKey,
) -> Result<Vec<Dataset>, CallError> {
    let others = Dataset::WITH_RAY.into_iter().filter(|other| caller.may_dataset(*other) && !asked.contains(other));
    let others: Vec<Dataset> = others.collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let shard = ShardName::for_key(key).to_string();
    let found = rpc::call_held(services.shards(), services.memory(), &shard, &FindRay::new(key, &others)).await?;
    services.bucket().admitted().await;
    if services.isolate().erasures.lines().has_ray(key) {
        return Ok(Vec::new());
    }
    let found: BTreeSet<Dataset> = found.candidates.iter().map(|candidate| candidate.dataset).collect();
    Ok(found.into_iter().collect())
}

/// Returns the start of the first prefix in which records of the dataset were indexed; `None` if none were yet.
///
/// # Errors
/// [`BackendError`] if the registry cannot be reached.
pub(crate) async fn first_indexed_ms(
    services: &impl Services,
    dataset: Dataset,
    now_ms: i64,
) -> Result<Option<i64>, BackendError> {
    let last = RayId::prefix_at(now_ms.saturating_mul(NS_PER_MS));
    let map = RegistryDirectory(services.ledgers()).occupancy(dataset, 0..=last).await?;
    let first = map.next_occupied(0);
    Ok((first < map.until).then(|| RayId::prefix_start_ns(first).div_euclid(NS_PER_MS)))
}
