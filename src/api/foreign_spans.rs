//! Leaves out spans that senders with zones brought under rays of other zones.
//!
//! # Invariants
//! What is left out follows from records that the caller sees. A span whose ray has no such record stays.

use super::record_view::DatasetViews;
use crate::http::{Problem, problems};
use crate::limits::BOUND_RAYS_ASKED;
use crate::lookup::{FoundRecord, LookupError, RecordSelection, lookup_for};
use crate::memory::Reservation;
use crate::record::{Dataset, RayId, RayKey};
use crate::services::Services;
use crate::story::BoundSpans;

/// Removes foreign spans from records of their rays, or of `ray`; `others` are further records of these rays.
///
/// # Errors
/// The [`Problem`] of a lookup.
pub(super) async fn remove_foreign_spans(
    services: &impl Services,
    views: &DatasetViews,
    records: &mut Vec<FoundRecord>,
    (ray, others): (Option<RayId>, &[FoundRecord]),
    reservation: &Reservation,
) -> Result<(), Problem> {
    let store = services.batch_store();
    let mut bound = BoundSpans::find(store, records, ray);
    if bound.is_empty() {
        return Ok(());
    }
    bound.judge(store, records);
    bound.judge(store, others);
    if ray.is_some() || views.lacks(Dataset::HttpRequests) {
        look_up_zones(services, views, &mut bound).await?;
    }
    let (foreign, mut nth) = (bound.foreign(), 0..);
    records.retain(|record| {
        let is_foreign = nth.next().is_some_and(|nth| foreign.contains(&nth));
        if is_foreign {
            reservation.release(record.held_bytes());
        }
        !is_foreign
    });
    Ok(())
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
