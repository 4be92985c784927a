//! Which spans of which batches are read for rays of a family, so that each span is read once.
//!
//! # Invariants
//! The rays that are read are the first of those that are asked for, each with all of its places. A group never has more
//! spans than a lookup reads one by one; it has few lines, unless one ray has more.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::calls::Candidate;
use crate::limits::{FAMILY_LINES, LOOKUP_SPANS};
use crate::record::{Dataset, RayId, RayKey};

/// A batch, by dataset and key.
type BatchPlace = (Dataset, String);

/// Lines of a ray that begin in a span of a batch.
#[derive(Debug, Clone, Copy)]
struct RayLines {
    span: u32,
    ray: RayId,
    count: usize,
}

/// Rays of a batch that are read at once, with their places.
#[derive(Debug, Clone)]
pub(super) struct ReadGroup {
    pub(super) keys: BTreeSet<RayKey>,
    pub(super) candidate: Candidate,
    lines: Vec<RayLines>,
}

impl ReadGroup {
    /// Creates the group of these lines of a batch, by span.
    fn new(batch: &Candidate, lines: Vec<RayLines>) -> Self {
        let spans: Vec<u32> = lines.iter().flat_map(|of| std::iter::repeat_n(of.span, of.count)).collect();
        let mut extents = batch.extents.clone();
        extents.retain(|extent| spans.binary_search(&extent.number).is_ok());
        let keys = lines.iter().map(|of| RayKey::Ray(of.ray)).collect();
        Self { keys, candidate: Candidate { spans, extents, ..batch.clone() }, lines }
    }

    /// Divides the rays in two; `None` if there is one.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let rays: BTreeSet<RayId> = self.lines.iter().map(|of| of.ray).collect();
        let middle = rays.iter().nth(rays.len() / 2).filter(|_| rays.len() > 1)?;
        let half = |is_first: bool| {
            let lines = self.lines.iter().copied().filter(|of| (of.ray < *middle) == is_first).collect();
            Self::new(&self.candidate, lines)
        };
        Some([half(true), half(false)])
    }
}

/// The reads for some rays.
#[derive(Debug, Default)]
pub(super) struct FamilyReadPlan {
    pub(super) groups: Vec<ReadGroup>,
    /// The rays whose records are read.
    pub(super) rays: Vec<RayId>,
    /// Number of spans.
    pub(super) spans: usize,
}

/// Lines of rays in one batch: by span and ray, with their number.
struct BatchLines {
    candidate: Candidate,
    lines: BTreeMap<(u32, RayId), usize>,
}

/// Plans the reads for the first of these rays, of which each has batches, as far as this number of spans goes; if `at_least_one`,
/// for the first ray whatever that takes.
pub(super) fn plan_reads<'c>(
    rays: impl Iterator<Item = (RayId, &'c [Candidate])>,
    spans: usize,
    at_least_one: bool,
) -> FamilyReadPlan {
    let (mut batches, mut plan): (BTreeMap<BatchPlace, BatchLines>, _) = (BTreeMap::new(), FamilyReadPlan::default());
    let mut seen: BTreeSet<(BatchPlace, u32)> = BTreeSet::new();
    for (ray, candidates) in rays {
        let places: BTreeSet<(BatchPlace, u32)> = candidates.iter().flat_map(places_of).collect();
        let new = places.difference(&seen).count();
        if plan.spans + new > spans && !(at_least_one && plan.rays.is_empty()) {
            break;
        }
        plan.spans += new;
        seen.extend(places);
        plan.rays.push(ray);
        for candidate in candidates {
            let place = (candidate.dataset, candidate.object.key.clone());
            let batch = batches.entry(place).or_insert_with(|| BatchLines {
                candidate: Candidate { spans: Vec::new(), extents: Vec::new(), ..candidate.clone() },
                lines: BTreeMap::new(),
            });
            batch.candidate.join(Vec::new(), candidate.extents.clone());
            for span in &candidate.spans {
                *batch.lines.entry((*span, ray)).or_default() += 1;
            }
        }
    }
    plan.groups = batches.into_values().flat_map(BatchLines::groups).collect();
    plan
}

/// Returns the spans of a candidate; a batch without spans is one.
fn places_of(candidate: &Candidate) -> impl Iterator<Item = (BatchPlace, u32)> {
    let place = (candidate.dataset, candidate.object.key.clone());
    let numbers: BTreeSet<u32> = match candidate.extents.as_slice() {
        [] => BTreeSet::from([0]),
        _ => candidate.spans.iter().copied().collect(),
    };
    numbers.into_iter().map(move |number| (place.clone(), number))
}

impl BatchLines {
    /// Divides the lines into groups of few spans and lines. Two groups share a span only if they have no other.
    fn groups(self) -> Vec<ReadGroup> {
        let Self { candidate, lines } = self;
        let lines: Vec<RayLines> =
            lines.into_iter().map(|((span, ray), count)| RayLines { span, ray, count }).collect();
        let (mut groups, mut open): (Vec<Vec<RayLines>>, Vec<RayLines>) = (Vec::new(), Vec::new());
        let (mut spans, mut held) = (0, 0);
        for of_span in lines.chunk_by(|one, next| one.span == next.span) {
            let count: usize = of_span.iter().map(|of| of.count).sum();
            if spans >= LOOKUP_SPANS || held + count > FAMILY_LINES {
                groups.push(std::mem::take(&mut open));
                (spans, held) = (0, 0);
            }
            if count > FAMILY_LINES {
                groups.extend(few_lines(of_span));
                continue;
            }
            (spans, held) = (spans + 1, held + count);
            open.extend(of_span);
        }
        groups.push(open);
        groups.into_iter().filter(|lines| !lines.is_empty()).map(|lines| ReadGroup::new(&candidate, lines)).collect()
    }
}

/// Divides the lines of a span into groups of few.
fn few_lines(of_span: &[RayLines]) -> Vec<Vec<RayLines>> {
    let mut groups: Vec<Vec<RayLines>> = Vec::new();
    let mut held = 0;
    for of in of_span {
        held += of.count;
        if let Some(group) = groups.last_mut().filter(|_| held <= FAMILY_LINES) {
            group.push(*of);
        } else {
            held = of.count;
            groups.push(vec![*of]);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{FamilyReadPlan, plan_reads};
    use crate::batch::{PointForm, SpanExtent};
    use crate::index::calls::{Candidate, ObjectVersion};
    use crate::limits::{FAMILY_LINES, LOOKUP_SPANS};
    use crate::record::{Dataset, RayId, RayKey};

    /// The places of a ray in a batch: the spans of its lines.
    fn places(spans: &[u32]) -> Vec<Candidate> {
        let extent = |number: u32| SpanExtent {
            number,
            form: PointForm::Plain,
            bit: 0,
            bytes: 1,
            offset: 0,
            head: 0,
            text: None,
            window: 0..0,
        };
        let mut extents: Vec<SpanExtent> = spans.iter().map(|number| extent(*number)).collect();
        extents.dedup_by_key(|extent| extent.number);
        let object = ObjectVersion { key: "a".into(), etag: "e".into(), uploaded_ms: 0, size: 9, origin: None };
        vec![Candidate { dataset: Dataset::HttpRequests, object, spans: spans.to_vec(), extents }]
    }

    fn plan(rays: &[Vec<Candidate>], spans: usize, at_least_one: bool) -> FamilyReadPlan {
        let rays = (0..).map(RayId::from_bits).zip(rays.iter().map(Vec::as_slice));
        plan_reads(rays, spans, at_least_one)
    }

    #[test]
    fn each_span_is_read_once_for_all() {
        let rays: Vec<Vec<Candidate>> = (0..60).map(|ray| places(&[ray % 20, 20 + ray % 3])).collect();
        let FamilyReadPlan { groups, rays: read, spans } = plan(&rays, 100, false);
        assert_eq!((read.len(), spans), (60, 23));
        let mut lines: BTreeMap<u32, usize> = BTreeMap::new();
        for group in &groups {
            let numbers: Vec<u32> = group.candidate.extents.iter().map(|extent| extent.number).collect();
            assert!(numbers.len() <= LOOKUP_SPANS, "{numbers:?}");
            assert!(numbers.iter().all(|number| !lines.contains_key(number)), "{numbers:?}");
            for span in &group.candidate.spans {
                *lines.entry(*span).or_default() += 1;
            }
        }
        assert!((0..20).all(|span| lines[&span] == 3) && (20..23).all(|span| lines[&span] == 20), "{lines:?}");
    }

    #[test]
    fn first_rays_are_read_in_full_or_none() {
        let rays = [places(&[1]), places(&[1, 2]), places(&[3, 4]), places(&[1])];
        let read = |spans, at_least_one| {
            let plan = plan(&rays, spans, at_least_one);
            (plan.rays.len(), plan.spans)
        };
        assert_eq!([read(9, false), read(3, false), read(0, false), read(0, true)], [(4, 4), (2, 2), (0, 0), (1, 1)]);
    }

    #[test]
    fn many_lines_are_divided_by_their_rays() {
        let rays: Vec<Vec<Candidate>> = (0..7).map(|_| places(&vec![5; FAMILY_LINES / 3])).collect();
        let groups = plan(&rays, 9, false).groups;
        let keys: Vec<usize> = groups.iter().map(|group| group.keys.len()).collect();
        assert_eq!(keys, [3, 3, 1]);
        let [one, other] = groups[0].halves().unwrap();
        assert_eq!((one.keys.len(), other.keys.len()), (1, 2));
        assert_eq!(one.candidate.spans.len() + other.candidate.spans.len(), FAMILY_LINES / 3 * 3);
        assert!(one.keys.contains(&RayKey::Ray(RayId::from_bits(0))) && one.halves().is_none());
    }
}
