//! Leaves out spans that senders with zones brought under rays of other zones.
//!
//! # Invariants
//! What is left out follows from records that the caller sees. A span whose ray has no such record stays.

use std::collections::BTreeSet;

use super::record_view::DatasetViews;
use crate::http::{Problem, problems};
use crate::limits::BOUND_RAYS_ASKED;
use crate::lookup::{FoundRecord, LookupError, RecordSelection, lookup_for, release_records};
use crate::memory::Reservation;
use crate::record::{Dataset, RayId, RayKey};
use crate::services::Services;
use crate::story::BoundSpans;

/// The rays that spans of senders with zones are judged under.
#[derive(Default)]
pub(super) struct JudgedRays<'a> {
    /// The one that all spans are shown under, if it is not that of each of them.
    pub(super) shown_under: Option<RayId>,
    /// Further records of these rays.
    pub(super) others: &'a [FoundRecord],
    /// Further senders under rays: of spans that are not among the records.
    pub(super) senders: BTreeSet<(RayId, String)>,
}

/// Removes foreign spans from records of their rays, or of the one that they are shown under. Returns what is known of senders.
///
/// # Errors
/// The [`Problem`] of a lookup.
pub(super) async fn remove_foreign_spans(
    services: &impl Services,
    views: &DatasetViews,
    records: &mut Vec<FoundRecord>,
    judged: JudgedRays<'_>,
    reservation: &Reservation,
) -> Result<BoundSpans, Problem> {
    let JudgedRays { shown_under: ray, others, senders } = judged;
    let store = services.batch_store();
    let mut bound = BoundSpans::find(store, records, ray);
    for (ray, zone) in &senders {
        bound.add(*ray, zone);
    }
    if bound.is_empty() {
        return Ok(bound);
    }
    bound.judge(store, records);
    bound.judge(store, others);
    if ray.is_some() || views.lacks(Dataset::HttpRequests) {
        look_up_zones(services, views, &mut bound).await?;
    }
    let (foreign, mut nth) = (bound.foreign(), 0..);
    release_records(records, |_| nth.next().is_some_and(|nth| foreign.contains(&nth)), reservation);
    Ok(bound)
}

/// Returns the ray of the first of these spans whose request is of the zone of its sender: such a span may say what its trace is of.
///
/// # Errors
/// The [`Problem`] of a lookup.
pub(super) async fn find_own_ray(
    services: &impl Services,
    views: &DatasetViews,
    spans: &[FoundRecord],
) -> Result<Option<RayId>, Problem> {
    let mut bound = BoundSpans::find(services.batch_store(), spans, None);
    if !bound.is_empty() {
        look_up_zones(services, views, &mut bound).await?;
    }
    Ok(bound.first_own_ray())
}

/// Looks up the requests of rays whose zone is not known, because the records that are asked for do not have them.
async fn look_up_zones(services: &impl Services, views: &DatasetViews, bound: &mut BoundSpans) -> Result<(), Problem> {
    if !views.caller().may_dataset(Dataset::HttpRequests) {
        return Ok(());
    }
    for ray in bound.unknown_rays().into_iter().take(BOUND_RAYS_ASKED) {
        let reservation = services.memory().reservation();
        let selection = RecordSelection::for_list(Some(views.caller()));
        let asked = (&[Dataset::HttpRequests][..], selection);
        let reads = (services.batch_store(), services);
        let found = lookup_for(reads, services.shards(), asked, &RayKey::Ray(ray), &reservation).await;
        let found = found.map_err(|error| match error {
            LookupError::OutOfMemory(error) => error.into(),
            LookupError::Backend(_) => problems::unavailable(),
        })?;
        bound.judge(services.batch_store(), &found.records);
    }
    Ok(())
}
