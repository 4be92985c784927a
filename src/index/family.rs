//! Walks the parent links of one shard: from rays to what they caused, to what that caused, and to what caused them.
//!
//! A level of the way down is one question for each dataset and each few seconds in which its rays are, whatever their
//! number; a step of the way up is one for each ray, and there is one ray as a rule.
//!
//! # Invariants
//!
//! The walk ends whatever the links say: a ray is visited once. It leaves no ray of the shard out, unless the answer says
//! that it is truncated. Nothing of other datasets is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::calls::{FamilyLink, FamilyMember, FamilyPart, FindFamily};
use super::links::{LinksView, ParentLink};
use super::rows::{candidates_in, integer, text};
use super::time_slot::time_slot_of;
use crate::backend::{BackendError, SqlDatabase, SqlRow, SqlValue};
use crate::limits::{FAMILY_MEMBERS, FAMILY_RAYS, PARENT_TICKS};
use crate::record::{Dataset, RayId, RayKey};

/// Most time slots that one question covers: 20 s.
const SLOTS_AT_ONCE: u8 = 8;

/// Finds the families of rays, as far as they are of this shard.
pub(super) fn find_family(sql: &impl SqlDatabase, find: &FindFamily) -> Result<FamilyPart, BackendError> {
    let rays: Option<Vec<RayId>> = find.rays.iter().map(|ray| RayId::from_hex(ray.as_bytes())).collect();
    let rays = rays.ok_or_else(|| BackendError::new("finding a family", "the call names no ray"))?;
    let Some(prefix) = rays.first().map(|ray| ray.prefix()) else { return Ok(FamilyPart::default()) };
    if rays.iter().any(|ray| ray.prefix() != prefix) {
        return Err(BackendError::new("finding a family", "the rays are of several shards"));
    }
    let datasets = Dataset::WITH_RAY.into_iter().filter(|dataset| find.datasets.contains(dataset)).collect();
    let mut walk =
        FamilyWalk { sql, prefix, datasets, seen: BTreeSet::new(), links: BTreeMap::new(), truncated: false };
    walk.descend(&rays)?;
    if find.ancestors {
        walk.climb(&rays)?;
    }
    let links = walk.links.iter().map(|(link, dataset)| FamilyLink {
        parent: link.parent.to_string(),
        child: link.child.to_string(),
        dataset: *dataset,
    });
    let (links, mut members) = (links.collect(), walk.members()?);
    // Those of the rays that were asked for come first, whatever the others are.
    members.sort_by_key(|member| (!find.rays.contains(&member.ray), member.ray.clone()));
    let truncated = walk.truncated || members.len() > FAMILY_MEMBERS;
    members.truncate(FAMILY_MEMBERS);
    Ok(FamilyPart { links, members, truncated })
}

/// A walk over the links of one shard.
struct FamilyWalk<'a, S> {
    sql: &'a S,
    prefix: u32,
    datasets: Vec<Dataset>,
    /// The rays of the shard that belong to the family.
    seen: BTreeSet<RayId>,
    links: BTreeMap<ParentLink, Dataset>,
    truncated: bool,
}

impl<S: SqlDatabase> FamilyWalk<'_, S> {
    /// Walks from rays to everything of this shard that they caused.
    fn descend(&mut self, from: &[RayId]) -> Result<(), BackendError> {
        let mut level: Vec<RayId> = from.iter().copied().filter(|ray| self.seen.insert(*ray)).collect();
        while !level.is_empty() {
            let mut found = Vec::new();
            for group in groups(&level) {
                let wanted: BTreeSet<u64> = group.iter().map(|ray| ray.suffix()).collect();
                let Some((first, last)) = wanted.first().zip(wanted.last()) else { continue };
                self.each_link(*first..=*last, |link, dataset| {
                    if wanted.contains(&link.parent.suffix()) {
                        found.push((link, dataset));
                    }
                })?;
            }
            level = self.keep(found);
        }
        Ok(())
    }

    /// Walks from rays to those of this shard that caused them, and to everything that these caused.
    fn climb(&mut self, from: &[RayId]) -> Result<(), BackendError> {
        let mut level = from.to_vec();
        while !level.is_empty() && !self.truncated {
            let mut found = Vec::new();
            for ray in &level {
                // A parent starts before its children; their clocks may differ by a tick.
                let earliest = RayId::from_clock(ray.ticks().saturating_sub(PARENT_TICKS), 0);
                let latest = RayId::from_clock(ray.ticks() + 1, u64::MAX).unwrap_or(*ray);
                let in_shard = |bound: RayId, end| if bound.prefix() == self.prefix { bound.suffix() } else { end };
                let first = earliest.map_or(0, |earliest| in_shard(earliest, 0));
                let last = in_shard(latest, (1 << RayId::SUFFIX_BITS) - 1);
                self.each_link(first..=last, |link, dataset| {
                    if link.child == *ray {
                        found.push((link, dataset));
                    }
                })?;
            }
            let parents: BTreeSet<RayId> = found.iter().map(|(link, _)| link.parent).collect();
            let parents: Vec<RayId> = parents.into_iter().filter(|parent| !self.seen.contains(parent)).collect();
            self.keep(found);
            self.descend(&parents)?;
            level = parents;
        }
        Ok(())
    }

    /// Keeps links, as far as the limit allows; returns the children of this shard that are new.
    fn keep(&mut self, mut found: Vec<(ParentLink, Dataset)>) -> Vec<RayId> {
        found.sort_unstable_by_key(|(link, dataset)| (link.child, link.parent, *dataset));
        let mut new = Vec::new();
        for (link, dataset) in found {
            if self.links.len() >= FAMILY_RAYS && !self.links.contains_key(&link) {
                self.truncated = true;
                continue;
            }
            self.links.entry(link).or_insert(dataset);
            if link.child.prefix() == self.prefix && self.seen.insert(link.child) {
                new.push(link.child);
            }
        }
        new
    }

    /// Passes the links whose parents' suffixes are in this range to `sink`.
    fn each_link(
        &self,
        suffixes: RangeInclusive<u64>,
        mut sink: impl FnMut(ParentLink, Dataset),
    ) -> Result<(), BackendError> {
        let statement = "SELECT l.links FROM entry_v1 AS e
            JOIN link_v1 AS l ON l.dataset = e.dataset AND l.entry = e.number
            WHERE e.dataset = ?1 AND (instr(substr(e.time_slots, ?2, ?3), x'02') OR instr(substr(e.time_slots, ?2, ?3), x'03'))
                AND l.first_suffix <= ?5 AND l.last_suffix >= ?4
            ORDER BY e.number, l.number";
        for dataset in self.datasets.iter().filter(|dataset| dataset.has_parent()) {
            for row in &self.rows_in(statement, *dataset, &suffixes)? {
                let Some(SqlValue::Blob(links)) = row.first() else { continue };
                let view = LinksView::open(links, self.prefix);
                let read = view.and_then(|view| view.each_in(suffixes.clone(), |link| sink(link, *dataset)));
                read.map_err(|error| BackendError::new("finding a family", error.to_string()))?;
            }
        }
        Ok(())
    }

    /// Returns the batches that hold the rays of the family, by dataset.
    fn members(&self) -> Result<Vec<FamilyMember>, BackendError> {
        let statement = "SELECT e.object_key, e.etag, e.uploaded_ms, e.size, p.rays
            FROM entry_v1 AS e JOIN part_v1 AS p ON p.dataset = e.dataset AND p.entry = e.number
            WHERE e.dataset = ?1 AND (instr(substr(e.time_slots, ?2, ?3), x'01') OR instr(substr(e.time_slots, ?2, ?3), x'03'))
                AND p.first_suffix <= ?5 AND p.last_suffix >= ?4
            ORDER BY e.number, p.number";
        let rays: Vec<RayId> = self.seen.iter().copied().collect();
        let mut members = Vec::new();
        for dataset in &self.datasets {
            for group in groups(&rays) {
                let Some((first, last)) = group.first().zip(group.last()) else { continue };
                let rows = self.rows_in(statement, *dataset, &(first.suffix()..=last.suffix()))?;
                for ray in group {
                    let candidates = candidates_in(&rows, &RayKey::Ray(ray), *dataset)?;
                    members.extend(
                        candidates.into_iter().map(|candidate| FamilyMember { ray: ray.to_string(), candidate }),
                    );
                }
            }
        }
        Ok(members)
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

/// Divides rays of one shard into groups, each within few time slots; the rays of a group ascend.
fn groups(rays: &[RayId]) -> Vec<Vec<RayId>> {
    let mut sorted = rays.to_vec();
    sorted.sort_unstable();
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
