//! Looks up the trace that an ID names: the tree of a ray, or that of the ray which spans with this ID name, with the spans of the
//! same trace that came without it.
//!
//! # Invariants
//! Each span of the trace that the caller sees is found once, whichever requests brought it. A trace that the caller may not see is
//! like one that does not exist.

use std::collections::BTreeSet;

use super::foreign_spans::{JudgedRays, find_own_ray, remove_foreign_spans};
use super::ray_story::{RayStory, find_spans_of, find_trace, in_even_steps};
use super::record_view::DatasetViews;
use crate::config::Config;
use crate::http::{Problem, problems};
use crate::limits::TREE_BESIDE_BYTES;
use crate::lookup::{FoundRecord, LookupResult, copy_key, release_records};
use crate::memory::Reservation;
use crate::record::{Dataset, RayId, RayKey};
use crate::services::Services;
use crate::story::{NO_RAY, ray_of};

/// A trace as it is found.
pub(crate) struct TraceTree {
    /// The ray at the top; [`NO_RAY`] if no span names one.
    pub(crate) root: RayId,
    /// The records of the tree, or the spans alone.
    pub(crate) story: RayStory,
    /// Spans that are not among these, and the ray of their trace.
    pub(crate) others: (RayId, Vec<FoundRecord>),
}

impl TraceTree {
    /// A tree without other spans.
    pub(crate) fn of_tree((root, story): (RayId, RayStory)) -> Self {
        Self { root, story, others: (root, Vec::new()) }
    }
}

/// Which part of a trace is wanted: how many rays at most, and the cursor of an earlier answer.
pub(crate) type TracePage<'a> = (Option<usize>, Option<&'a str>);

/// Finds what an ID names. Of one with zeros before 16 digits that is the ray with these digits, or else the trace.
///
/// # Errors
/// The [`Problem`] of `key` if there is neither, and those of a lookup.
pub(crate) async fn find_named_trace(
    (config, services): (&Config, &impl Services),
    views: &DatasetViews,
    key: &RayKey,
    page: TracePage<'_>,
    reservation: &Reservation,
) -> Result<TraceTree, Problem> {
    let asked = (config, services);
    let Some(ray) = key.ray().or_else(|| key.padded_ray()) else {
        return find_spans(asked, views, key, page, reservation).await;
    };
    let absent = match find_trace(asked, views, ray, page, reservation).await {
        Err(problem) if problem.status == 404 => problem,
        found => return found.map(TraceTree::of_tree),
    };
    match find_spans(asked, views, &RayKey::padded_trace(ray), page, reservation).await {
        // Digits of a ray are no trace ID if they are all zeros; without a span they are that ray.
        Err(problem) if matches!(problem.status, 400 | 404) && key.ray().is_some() => Err(absent),
        found => found,
    }
}

/// Finds the spans with a trace ID, wherever in time they are, and the tree of the ray that they name.
async fn find_spans(
    (config, services): (&Config, &impl Services),
    views: &DatasetViews,
    trace: &RayKey,
    page: TracePage<'_>,
    reservation: &Reservation,
) -> Result<TraceTree, Problem> {
    if !trace.is_trace_id() {
        return Err(problems::not_a_ray());
    }
    if !views.caller().may_dataset(Dataset::Traces) {
        return Err(problems::trace_not_found());
    }
    let of_spans = DatasetViews::new(views.caller(), Some(Dataset::Traces), None)?;
    let (mut spans, cost) = find_spans_of(services, &of_spans, trace, reservation).await?;
    let named_ray = |record: &FoundRecord| ray_of(services.batch_store(), record);
    // The ray that a sender without zones names, if there is one: others may name any, and lead to those of their own zone.
    let is_free = |record: &&FoundRecord| record.sender_zone().is_none();
    let ray = match spans.records.iter().filter(is_free).find_map(named_ray) {
        Some(ray) => Some(ray),
        None => in_even_steps(services, views, find_own_ray(services, views, &spans.records)).await?,
    };
    let Some(ray) = ray else {
        spans.cut.settle();
        return Ok(TraceTree::of_tree((NO_RAY, RayStory::of_records(spans, cost))));
    };
    let LookupResult { mut records, cut, .. } = spans;
    // The tree has those of the ray, where it has spans: they are not held twice.
    let has_spans = views.datasets().contains(&Dataset::Traces);
    let is_in_tree = |record: &FoundRecord| has_spans && named_ray(record) == Some(ray);
    release_records(&mut records, is_in_tree, reservation);
    let (root, mut story) = find_trace((config, services), views, ray, page, reservation).await?;
    let [_, goes_on] = story.goes_on();
    if page.1.is_some() {
        // A later page has its rays' spans alone.
        release_records(&mut records, |_| true, reservation);
    } else if has_spans && !goes_on && story.is_cut() {
        // The ray may have more spans of other traces than a tree has.
        release_records(&mut records, |_| true, reservation);
        if reservation.bytes() < TREE_BESIDE_BYTES {
            records = find_spans_of(services, &of_spans, trace, reservation).await?.0.records;
        }
    }
    remove_known(&mut records, &story.found, reservation);
    let senders = cut.senders.iter().map(|zone| (ray, zone.clone())).collect();
    let judged = JudgedRays { shown_under: Some(ray), others: &story.found.records, senders };
    let bound = remove_foreign_spans(services, views, &mut records, judged, reservation).await?;
    story.add_cut(cut.truncated || cut.senders.iter().any(|zone| !bound.is_foreign(ray, zone)));
    Ok(TraceTree { root, story, others: (ray, records) })
}

/// Removes the spans that are among the records of a tree.
fn remove_known(spans: &mut Vec<FoundRecord>, tree: &LookupResult, reservation: &Reservation) {
    let in_tree = tree.records.iter().filter(|record| record.dataset == Dataset::Traces);
    let known: BTreeSet<_> = in_tree.map(copy_key).collect();
    release_records(spans, |record| known.contains(&copy_key(record)), reservation);
}
