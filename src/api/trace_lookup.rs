//! Looks up the trace that an ID names: the tree of a ray, or that of the ray which spans with this ID name, with the spans of the
//! same trace that came without it.
//!
//! # Invariants
//! Each span of the trace that the caller sees is found once, whichever requests brought it. A trace that the caller may not see is
//! like one that does not exist.

use std::collections::BTreeSet;

use super::foreign_spans::remove_foreign_spans;
use super::ray_story::{RayStory, find_spans_of, find_trace};
use super::record_view::DatasetViews;
use crate::config::Config;
use crate::http::{Problem, problems};
use crate::lookup::{FoundRecord, LookupResult, copy_key};
use crate::memory::Reservation;
use crate::record::{Dataset, RayId, RayKey};
use crate::services::Services;
use crate::story::{NO_RAY, ray_of, sender_zone};

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
        Err(problem) if problem.status == 404 && key.ray().is_some() => Err(absent),
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
    let (spans, cost) = find_spans_of(services, &of_spans, trace, reservation).await?;
    let named_ray = |record: &FoundRecord| ray_of(services.batch_store(), record);
    // The ray that a sender without zones names, if there is one: others may name rays of their own.
    let is_free = |record: &&FoundRecord| sender_zone(record).is_none();
    let free = spans.records.iter().filter(is_free).find_map(named_ray);
    let Some(ray) = free.or_else(|| spans.records.iter().find_map(named_ray)) else {
        return Ok(TraceTree::of_tree((NO_RAY, RayStory::of_records(spans, cost))));
    };
    let (root, mut story) = find_trace((config, services), views, ray, page, reservation).await?;
    story.add_cut(spans.truncated);
    let [_, goes_on] = story.goes_on();
    // A later page has its rays' spans alone, and those of the ray are on one of the pages.
    let is_elsewhere = |record: &FoundRecord| page.1.is_some() || goes_on && named_ray(record) == Some(ray);
    let mut others = without(spans, &story.found, is_elsewhere, reservation);
    let below = (Some(ray), story.found.records.as_slice());
    remove_foreign_spans(services, views, &mut others, below, reservation).await?;
    Ok(TraceTree { root, story, others: (ray, others) })
}

/// Returns the spans that are neither among the records of a tree nor elsewhere.
fn without(
    spans: LookupResult,
    tree: &LookupResult,
    is_elsewhere: impl Fn(&FoundRecord) -> bool,
    reservation: &Reservation,
) -> Vec<FoundRecord> {
    let in_tree = tree.records.iter().filter(|record| record.dataset == Dataset::Traces);
    let known: BTreeSet<_> = in_tree.map(copy_key).collect();
    let is_known = |record: &FoundRecord| is_elsewhere(record) || known.contains(&copy_key(record));
    let (known, others): (Vec<_>, Vec<_>) = spans.records.into_iter().partition(is_known);
    release(&known, reservation);
    others
}

/// Returns the memory of records that are no longer needed.
fn release(records: &[FoundRecord], reservation: &Reservation) {
    for record in records {
        reservation.release(record.held_bytes());
    }
}
