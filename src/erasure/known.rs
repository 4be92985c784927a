//! The rules that an isolate knows, and how current they are.
//!
//! The registry keeps the rules, and counts them: the count is their *generation*. The audit log, which every request for
//! records passes, says whether there are newer ones ([`crate::audit`]); then the isolate reads them before anything is shown.
//!
//! # Invariants
//! The rules of an isolate never become fewer.

use std::cell::RefCell;
use std::rc::Rc;

use super::digest::{DigestSet, ErasureKey};
use super::rule::{ErasureRange, ErasureRule, ErasureScope, JudgedLine, rays_of};
use crate::record::RayKey;
use crate::time::is_within;

/// The lines that are erased.
#[derive(Debug, Default)]
pub struct ErasedLines {
    key: Option<ErasureKey>,
    /// The rules of all erasures, in order.
    rules: Vec<ErasureRule>,
    /// The values of those that erase whole rays, so that a line has one digest for each of its rays, however many rules there are.
    rays: DigestSet,
    /// The times that these rays have by their bits, ascending and apart; `None` if some have none.
    ray_times: Option<Vec<ErasureRange>>,
}

impl ErasedLines {
    /// The lines that these rules erase, those of all erasures in order, whose digests are made with this key.
    #[must_use]
    pub fn new(key: ErasureKey, rules: Vec<ErasureRule>) -> Self {
        let of_rays = || rules.iter().filter(|rule| rule.is_of_whole_rays());
        let rays = of_rays().flat_map(|rule| rule.values.iter()).collect();
        let ray_times: Option<Vec<ErasureRange>> = of_rays().map(|rule| rule.ray_times).collect();
        Self { key: Some(key), rays, ray_times: ray_times.map(join_ranges), rules }
    }

    /// Returns whether no line is erased.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns whether the line is erased.
    #[must_use]
    pub fn has(&self, judged: &JudgedLine<'_>) -> bool {
        let Some(key) = &self.key else { return false };
        if !self.rays.is_empty() && rays_of(judged.key).any(|ray| self.has_ray(&ray)) {
            return true;
        }
        self.rules.iter().filter(|rule| !rule.is_of_whole_rays()).any(|rule| rule.erases(key, judged))
    }

    /// Returns the numbers of the erasures that erase the line.
    pub fn erasures_of(&self, judged: &JudgedLine<'_>) -> impl Iterator<Item = u64> {
        let rules = if self.has(judged) { self.rules.as_slice() } else { &[] };
        let erases = |rule: &ErasureRule| self.key.as_ref().is_some_and(|key| rule.erases(key, judged));
        (1..).zip(rules).filter(move |(_, rule)| erases(rule)).map(|(number, _)| number)
    }

    /// Returns where the lines of the erasure with this number can be; `None` if it is not known.
    #[must_use]
    pub fn scope(&self, erasure: u64) -> Option<ErasureScope> {
        let place = usize::try_from(erasure).ok()?.checked_sub(1)?;
        self.rules.get(place).map(|rule| ErasureScope { times: rule.range, ray_times: rule.ray_times })
    }

    /// Returns whether every line of this ray is erased.
    #[must_use]
    pub fn has_ray(&self, ray: &RayKey) -> bool {
        let Some(key) = self.key.as_ref().filter(|_| self.may_have(ray)) else { return false };
        self.rays.has(key.digest(&ray.to_string()))
    }

    /// Returns whether a ray may be erased, by its bits alone: a digest takes a microsecond.
    fn may_have(&self, ray: &RayKey) -> bool {
        let (Some(times), Some(ray)) = (&self.ray_times, ray.ray()) else { return true };
        let unix_ms = ray.unix_ms();
        let next = times.partition_point(|range| range.end_ms <= unix_ms);
        times.get(next).is_some_and(|range| range.start_ms <= unix_ms)
    }
}

/// Joins ranges that overlap or touch.
fn join_ranges(mut ranges: Vec<ErasureRange>) -> Vec<ErasureRange> {
    ranges.sort_by_key(|range| range.start_ms);
    let mut joined: Vec<ErasureRange> = Vec::new();
    for range in ranges {
        match joined.last_mut().filter(|last| range.start_ms <= last.end_ms) {
            Some(last) => last.end_ms = last.end_ms.max(range.end_ms),
            None => joined.push(range),
        }
    }
    joined
}

/// The erased lines that an isolate knows of; its clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct KnownErasures(Rc<RefCell<KnownRules>>);

#[derive(Debug, Default)]
struct KnownRules {
    lines: Rc<ErasedLines>,
    generation: u64,
    read_ms: Option<i64>,
}

impl KnownErasures {
    /// The erased lines.
    #[must_use]
    pub fn lines(&self) -> Rc<ErasedLines> {
        Rc::clone(&self.0.borrow().lines)
    }

    /// The generation of the rules; 0 while none were read.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.borrow().generation
    }

    /// Returns whether the rules were read within this time.
    #[must_use]
    pub fn are_read_within(&self, ms: i64, now_ms: i64) -> bool {
        is_within(self.0.borrow().read_ms, ms, now_ms)
    }

    /// Keeps the rules of a generation, as they were asked for at this instant; older ones than those known are of no use.
    pub fn keep(&self, lines: ErasedLines, generation: u64, asked_ms: i64) {
        let mut known = self.0.borrow_mut();
        if generation < known.generation {
            return;
        }
        known.read_ms = known.read_ms.max(Some(asked_ms));
        if generation > known.generation {
            (known.lines, known.generation) = (Rc::new(lines), generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{ErasedLines, ErasureKey, ErasureRange, KnownErasures};
    use crate::erasure::{ErasureKind, ErasureRule, JudgedLine};
    use crate::record::{Dataset, RayId, RayKey, read_key};

    fn key() -> ErasureKey {
        ErasureKey::draw(|| 1)
    }

    fn ray_at(ms: i64) -> RayKey {
        RayKey::Ray(RayId::at(1_774_687_345_000 + ms, 7).unwrap())
    }

    fn rule(rays: &[RayKey], is_timed: bool) -> ErasureRule {
        let times = || rays.iter().filter_map(RayKey::ray).map(RayId::unix_ms);
        let ray_times = times().min().zip(times().max()).filter(|_| is_timed);
        ErasureRule {
            kind: ErasureKind::Ray,
            dataset: None,
            range: None,
            ray_times: ray_times.map(|(first, last)| ErasureRange { start_ms: first, end_ms: last + 1 }),
            values: rays.iter().map(|ray| key().digest(&ray.to_string())).collect(),
        }
    }

    #[test]
    fn older_rules_replace_no_newer_ones() {
        let known = KnownErasures::default();
        assert!(known.lines().is_empty() && !known.are_read_within(60_000, 1));
        known.keep(ErasedLines::new(key(), vec![rule(&[ray_at(0)], true)]), 2, 100);
        known.keep(ErasedLines::default(), 1, 200);
        assert_eq!((known.generation(), known.lines().is_empty()), (2, false));
        assert!(known.are_read_within(60_000, 60_099) && !known.are_read_within(60_000, 60_101));
    }

    proptest! {
        #[test]
        fn joined_rules_erase_what_each_does(
            rules in prop::collection::vec((prop::collection::vec(0_i64..40, 1..4), any::<bool>()), 0..5), asked in 0_i64..40,
        ) {
            let rules: Vec<ErasureRule> = rules.iter().map(|(times, is_timed)| {
                rule(&times.iter().map(|ms| ray_at(*ms)).collect::<Vec<_>>(), *is_timed)
            }).collect();
            let erased = ErasedLines::new(key(), rules.clone());
            let ray = ray_at(asked);
            let expected = rules.iter().any(|rule| rule.values.has(key().digest(&ray.to_string())));
            prop_assert_eq!(erased.has_ray(&ray), expected);
            let line = format!(r#"{{"RayID":"{ray}"}}"#);
            let record = read_key(Dataset::HttpRequests, line.as_bytes()).unwrap();
            let judged = JudgedLine { dataset: Dataset::HttpRequests, key: &record, default_ms: 0, line: line.as_bytes() };
            prop_assert_eq!(erased.has(&judged), expected);
        }
    }
}
