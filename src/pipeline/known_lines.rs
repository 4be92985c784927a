//! Lines of a batch that are already in other payloads, in the form that its second scan needs.

use std::collections::{BTreeMap, BTreeSet};

use super::plan_rules::{PlanRules, ScannedLine};
use crate::ledger::duplicates::{DuplicateLine, DuplicateSource, PlanDuplicates};
use crate::limits::DUPLICATES_LISTED;
use crate::partner::DuplicatePolicy;
use crate::record::{KeyNames, RayId, RayKey, RecordKey};
use crate::render::content_digest;

/// The key under which a line is claimed: its ray, or a digest with the number of bits of a ray's suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LineKey {
    /// The ray of a line.
    Ray(RayId),
    /// A digest of a line without a ray.
    Digest(u64),
}

impl LineKey {
    /// Returns the key of a line with this ray and content.
    #[must_use]
    pub(super) fn new(ray: Option<&RayKey>, content: impl FnOnce() -> u64) -> Self {
        match ray.and_then(RayKey::ray) {
            Some(ray) => Self::Ray(ray),
            None => Self::Digest(content() >> (64 - RayId::SUFFIX_BITS)),
        }
    }
}

/// Lines of a batch that are already in other payloads, in the form that its second scan needs.
#[derive(Debug)]
pub struct KnownLines {
    /// Digests of lines in earlier payloads, ascending, each with the number of its batch.
    pub(super) delivered: Vec<(u64, usize)>,
    /// Earlier plans that claimed the same rays in a shard, but whose payloads and object are gone.
    pub(super) gone: Vec<GonePlan>,
    /// Keys shared by several lines of the batch, ascending.
    repeated: Vec<LineKey>,
    /// Digests of the lines with such a key that were already scanned.
    seen: BTreeSet<u64>,
    /// The batches by handle; the last one is the scanned batch itself.
    pub(super) batches: Vec<String>,
    counts: BTreeMap<usize, u64>,
    listed: Vec<DuplicateLine>,
}

/// An earlier plan that claimed the same rays in a shard, but has nothing left to compare.
#[derive(Debug)]
pub(super) struct GonePlan {
    /// The prefix of the shard.
    pub(super) prefix: u32,
    /// The names of the members with ray and time in its records.
    pub(super) names: KeyNames,
    pub(super) rules: PlanRules,
    /// The number of its batch.
    pub(super) batch: usize,
}

impl KnownLines {
    /// Creates an empty set of known lines; `repeated` are the keys shared by several lines of the batch, ascending.
    pub(super) const fn new(repeated: Vec<LineKey>) -> Self {
        Self {
            delivered: Vec::new(),
            gone: Vec::new(),
            repeated,
            seen: BTreeSet::new(),
            batches: Vec::new(),
            counts: BTreeMap::new(),
            listed: Vec::new(),
        }
    }

    /// Returns whether this record, whose partner line is `text`, is in another payload or an earlier line; if so,
    /// counts and lists it. `unix_ms` is its time.
    pub fn holds(&mut self, record: &ScannedLine<'_>, unix_ms: i64, text: &[u8]) -> bool {
        let ScannedLine { line, at, key: RecordKey { ray, .. }, .. } = *record;
        let digest = content_digest(text);
        let key = LineKey::new(ray.as_ref(), || digest);
        let found = self.batch_with(digest).or_else(|| self.gone_batch_with(key, unix_ms, line));
        let Some(batch) = found.or_else(|| self.repeats(key, digest)) else { return false };
        *self.counts.entry(batch).or_default() += 1;
        if self.listed.len() < DUPLICATES_LISTED
            && let Some(of) = self.batches.get(batch)
        {
            self.listed.push(DuplicateLine { offset: at, of: of.clone() });
        }
        true
    }

    fn batch_with(&self, digest: u64) -> Option<usize> {
        let first = self.delivered.partition_point(|(delivered, _)| *delivered < digest);
        self.delivered.get(first).filter(|(delivered, _)| *delivered == digest).map(|(_, batch)| *batch)
    }

    /// Returns the number of the batch of a gone plan that delivered this line by its rules.
    fn gone_batch_with(&self, key: LineKey, unix_ms: i64, line: &[u8]) -> Option<usize> {
        let LineKey::Ray(ray) = key else { return None };
        let delivered = |plan: &&GonePlan| {
            plan.prefix == ray.prefix()
                && plan.rules.covers_all(unix_ms)
                && plan.rules.write(&mut Vec::new(), &plan.names, line).is_ok()
        };
        self.gone.iter().find(delivered).map(|plan| plan.batch)
    }

    /// Returns the number of the scanned batch, if an earlier line of it is equal.
    fn repeats(&mut self, key: LineKey, digest: u64) -> Option<usize> {
        let is_repeat = self.repeated.binary_search(&key).is_ok() && !self.seen.insert(digest);
        is_repeat.then(|| self.batches.len().saturating_sub(1))
    }

    /// Returns the duplicates in the form recorded by the seal.
    #[must_use]
    pub fn into_figures(self, plan: u32, policy: DuplicatePolicy) -> PlanDuplicates {
        let lines = self.counts.values().sum();
        let source = |(batch, lines): (&usize, &u64)| {
            self.batches.get(*batch).map(|handle| DuplicateSource { batch: handle.clone(), lines: *lines })
        };
        let of = self.counts.iter().filter_map(source).collect();
        PlanDuplicates { plan, lines, sent: policy == DuplicatePolicy::Send, of, listed: self.listed }
    }
}
