//! Walks the parent links of one shard: from rays to what they caused, to what that caused, and to what caused them.
//!
//! A level of the way down is one question for each dataset and each few seconds in which its rays are, whatever their
//! number; a step of the way up is one for each ray, and there is one ray as a rule. The answer has the beginning of the walk
//! that visits each ray before what it caused, children in the order of their digits.
//!
//! # Invariants
//!
//! The walk ends whatever the links say: a ray is visited once. It leaves no ray of the shard out of that beginning, and the
//! answer says where more follow. Nothing of other datasets is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::calls::{Candidate, FamilyPart, FamilyStart, FindFamily, RayChildren, RayPlaces};
use super::family_level::{ChildList, FamilyLevel};
use super::family_order::{FamilyOrder, walk_in_order};
use super::links::{LinksView, ParentLink};
use super::rows::{candidates_in, integer, text};
use super::time_slot::time_slot_of;
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::limits::{FAMILY_LEVELS, FAMILY_MEMBERS, FAMILY_RAYS, LOOKUP_BATCHES_UNSEEN, PARENT_TICKS};
use crate::record::{Dataset, RayId, RayKey};

/// Most time slots that one question covers: 20 s.
const SLOTS_AT_ONCE: u8 = 8;

/// Finds the families of rays, as far as they are of this shard.
pub(super) fn find_family(sql: &impl SqlDatabase, find: &FindFamily) -> Result<FamilyPart, BackendError> {
    let starts = starts_of(find).ok_or_else(|| BackendError::new("finding a family", "the call names no ray"))?;
    let Some(prefix) = starts.first().map(|(ray, _)| ray.prefix()) else { return Ok(FamilyPart::default()) };
    if starts.iter().any(|(ray, _)| ray.prefix() != prefix) {
        return Err(BackendError::new("finding a family", "the rays are of several shards"));
    }
    let datasets = Dataset::WITH_RAY.into_iter().filter(|dataset| find.datasets.contains(dataset)).collect();
    let walk = FamilyWalk { sql, prefix, datasets, limit: find.limit.clamp(1, FAMILY_RAYS + 1) };
    let asked: Vec<RayId> = starts.iter().map(|(ray, _)| *ray).collect();
    let ancestors = if find.ancestors { walk.climb(&asked)? } else { Vec::new() };
    let mut afters: BTreeMap<RayId, RayId> = BTreeMap::new();
    for (ray, after) in &starts {
        afters.extend(after.map(|after| (*ray, after)));
    }
    let roots: Vec<RayId> = asked.iter().chain(ancestors.iter().rev()).copied().collect();
    let order = walk.descend(&roots, &afters)?;
    let mut placed = roots;
    placed.extend(order.rays().filter(|ray| ray.prefix() == prefix));
    let families = order.families.into_iter().map(|(ray, ChildList { rays, more })| RayChildren {
        ray: ray.to_string(),
        children: rays.iter().map(RayId::to_string).collect(),
        more,
    });
    Ok(FamilyPart {
        families: families.collect(),
        places: walk.places(&placed)?,
        ancestors: ancestors.iter().map(RayId::to_string).collect(),
    })
}

/// Parses the rays of a call, each with the child after which its children are wanted.
fn starts_of(find: &FindFamily) -> Option<Vec<(RayId, Option<RayId>)>> {
    let start = |FamilyStart { ray, after }: &FamilyStart| {
        let ray = RayId::from_hex(ray.as_bytes())?;
        let Some(after) = after else { return Some((ray, None)) };
        Some((ray, Some(RayId::from_hex(after.as_bytes())?)))
    };
    find.rays.iter().map(start).collect()
}

/// A walk over the links of one shard.
struct FamilyWalk<'a, S> {
    sql: &'a S,
    prefix: u32,
    datasets: Vec<Dataset>,
    /// Maximum number of children in the answer.
    limit: usize,
}

impl<S: SqlDatabase> FamilyWalk<'_, S> {
    /// Walks from rays to what they caused, as far as the limit allows.
    fn descend(&self, roots: &[RayId], afters: &BTreeMap<RayId, RayId>) -> Result<FamilyOrder, BackendError> {
        let mut known: BTreeMap<RayId, ChildList> = BTreeMap::new();
        let mut level = roots.to_vec();
        for _ in 0..=FAMILY_LEVELS {
            if level.is_empty() {
                break;
            }
            let mut found = FamilyLevel::new(&level, afters, self.limit);
            for group in groups(&level) {
                let Some((first, last)) = group.first().zip(group.last()) else { continue };
                self.each_link(first.suffix()..=last.suffix(), |link| found.take(link))?;
            }
            known.extend(found.finish());
            // What is beyond the limit now stays beyond it: deeper levels only add rays before.
            let order = walk_in_order(roots, &known, self.limit);
            level = order.rays().filter(|ray| ray.prefix() == self.prefix && !known.contains_key(ray)).collect();
        }
        Ok(walk_in_order(roots, &known, self.limit))
    }

    /// Returns the rays of this shard that caused these, and what caused those in turn.
    fn climb(&self, from: &[RayId]) -> Result<Vec<RayId>, BackendError> {
        let mut seen: BTreeSet<RayId> = from.iter().copied().collect();
        let (mut level, mut ancestors) = (from.to_vec(), Vec::new());
        while !level.is_empty() && ancestors.len() < FAMILY_LEVELS {
            let mut found = BTreeSet::new();
            for ray in &level {
                // A parent starts before its children; their clocks may differ by a tick.
                let earliest = RayId::from_clock(ray.ticks().saturating_sub(PARENT_TICKS), 0);
                let latest = RayId::from_clock(ray.ticks() + 1, u64::MAX).unwrap_or(*ray);
                let in_shard = |bound: RayId, end| if bound.prefix() == self.prefix { bound.suffix() } else { end };
                let first = earliest.map_or(0, |earliest| in_shard(earliest, 0));
                let last = in_shard(latest, (1 << RayId::SUFFIX_BITS) - 1);
                self.each_link(first..=last, |link| {
                    if link.child == *ray {
                        found.insert(link.parent);
                    }
                })?;
            }
            level = found.into_iter().filter(|parent| seen.insert(*parent)).collect();
            ancestors.extend(level.iter().take(FAMILY_LEVELS - ancestors.len()));
        }
        Ok(ancestors)
    }

    /// Passes the links whose parents' suffixes are in this range to `sink`.
    fn each_link(&self, suffixes: RangeInclusive<u64>, mut sink: impl FnMut(ParentLink)) -> Result<(), BackendError> {
        let statement = "SELECT l.links FROM entry_v1 AS e
            JOIN link_v1 AS l ON l.dataset = e.dataset AND l.entry = e.number
            WHERE e.dataset = ?1 AND (instr(substr(e.time_slots, ?2, ?3), x'02') OR instr(substr(e.time_slots, ?2, ?3), x'03'))
                AND l.first_suffix <= ?5 AND l.last_suffix >= ?4
            ORDER BY e.number, l.number";
        for dataset in self.datasets.iter().filter(|dataset| dataset.has_parent()) {
            for row in &self.rows_in(statement, *dataset, &suffixes)? {
                let Some(SqlValue::Blob(links)) = row.first() else { continue };
                let view = LinksView::open(links, self.prefix);
                let read = view.and_then(|view| view.each_in(suffixes.clone(), &mut sink));
                read.map_err(|error| BackendError::new("finding a family", error.to_string()))?;
            }
        }
        Ok(())
    }

    /// Returns the batches that hold these rays, as many as the answer has room for: the first one gets all of its own.
    fn places(&self, rays: &[RayId]) -> Result<Vec<RayPlaces>, BackendError> {
        let mut batches: BTreeMap<RayId, Vec<Candidate>> = BTreeMap::new();
        let statement = "SELECT e.object_key, e.etag, e.uploaded_ms, e.size, e.origin, e.revision, e.written_ms, p.rays
            FROM entry_v1 AS e JOIN part_v1 AS p ON p.dataset = e.dataset AND p.entry = e.number
            WHERE e.dataset = ?1 AND (instr(substr(e.time_slots, ?2, ?3), x'01') OR instr(substr(e.time_slots, ?2, ?3), x'03'))
                AND p.first_suffix <= ?5 AND p.last_suffix >= ?4
            ORDER BY e.number, p.number";
        for dataset in &self.datasets {
            for group in groups(rays) {
                let Some((first, last)) = group.first().zip(group.last()) else { continue };
                let rows = self.rows_in(statement, *dataset, &(first.suffix()..=last.suffix()))?;
                for ray in group {
                    batches.entry(ray).or_default().extend(candidates_in(&rows, &RayKey::Ray(ray), *dataset)?);
                }
            }
        }
        let (mut places, mut taken) = (Vec::new(), 0);
        for ray in rays {
            // A ray that was placed before is not in the map any more.
            let Some(mut batches) = batches.remove(ray) else { continue };
            batches.truncate(LOOKUP_BATCHES_UNSEEN + 1);
            taken += batches.len();
            if taken > FAMILY_MEMBERS && !places.is_empty() {
                break;
            }
            places.push(RayPlaces { ray: ray.to_string(), batches });
        }
        Ok(places)
    }

    /// Returns the rows of a statement about a dataset, a range of time slots and a range of suffixes.
    fn rows_in(
        &self,
        statement: &str,
        dataset: Dataset,
        suffixes: &RangeInclusive<u64>,
    ) -> Result<Vec<SqlRow>, BackendError> {
        let (first, last) = (time_slot_of(*suffixes.start()), time_slot_of(*suffixes.end()));
        // SQL counts the bytes of a BLOB from 1.
        let slots = [integer(u64::from(first) + 1), integer(u64::from(last - first) + 1)];
        let bounds = [integer(*suffixes.start()), integer(*suffixes.end())];
        Ok(self.sql.run(statement, &[&[text(dataset.name())], slots.as_slice(), &bounds].concat())?.rows)
    }
}

/// Divides rays of one shard into groups, each within few time slots; the rays of a group ascend, each once.
fn groups(rays: &[RayId]) -> Vec<Vec<RayId>> {
    let sorted: BTreeSet<RayId> = rays.iter().copied().collect();
    let mut groups: Vec<Vec<RayId>> = Vec::new();
    for ray in sorted {
        let is_near = |group: &&mut Vec<RayId>| {
            let first = group.first().map_or(0, |first| time_slot_of(first.suffix()));
            time_slot_of(ray.suffix()) - first < SLOTS_AT_ONCE
        };
        match groups.last_mut().filter(is_near) {
            Some(group) => group.push(ray),
            None => groups.push(vec![ray]),
        }
    }
    groups
}
