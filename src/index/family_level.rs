//! The children of the rays of one level of a walk, as many as an answer can have.
//!
//! # Invariants
//!
//! Memory is bounded whatever the links are: of each ray the first children are kept, and once the first rays have more than
//! the answer can have, the others have none. Of a ray that has a list, no child before the last one is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::links::ParentLink;
use crate::record::RayId;

/// Number of children that are held before those beyond the limit are dropped, in limits.
const HELD_LIMITS: usize = 8;

/// The first children of a ray.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ChildList {
    /// The children, ascending.
    pub(super) rays: BTreeSet<RayId>,
    /// Whether there are more after these.
    pub(super) more: bool,
}

/// The rays of a level, in the order of the walk, with the children that were found so far.
#[derive(Debug)]
pub(super) struct FamilyLevel {
    places: BTreeMap<RayId, (usize, Option<RayId>)>,
    /// As long as the rays that can still be of use.
    lists: Vec<(RayId, ChildList)>,
    limit: usize,
    held: usize,
}

impl FamilyLevel {
    /// Creates a level; `afters` has the rays of which only later children are wanted.
    pub(super) fn new(level: &[RayId], afters: &BTreeMap<RayId, RayId>, limit: usize) -> Self {
        let (mut places, mut lists) = (BTreeMap::new(), Vec::new());
        for ray in level {
            places.entry(*ray).or_insert_with(|| {
                lists.push((*ray, ChildList::default()));
                (lists.len() - 1, afters.get(ray).copied())
            });
        }
        Self { places, lists, limit, held: 0 }
    }

    /// Takes a link, of whatever parent.
    pub(super) fn take(&mut self, ParentLink { parent, child }: ParentLink) {
        let Some((nth, after)) = self.places.get(&parent) else { return };
        let Some((_, list)) = self.lists.get_mut(*nth) else { return };
        if after.is_some_and(|after| child <= after) || !list.rays.insert(child) {
            return;
        }
        self.held += 1;
        if list.rays.len() > self.limit {
            list.rays.pop_last();
            list.more = true;
            self.held -= 1;
        }
        if self.held > HELD_LIMITS * self.limit {
            self.drop_beyond();
        }
    }

    /// Drops the rays after those that fill an answer.
    fn drop_beyond(&mut self) {
        let mut held = 0;
        let enough = self.lists.iter().position(|(_, list)| {
            held += list.rays.len();
            held >= self.limit
        });
        self.lists.truncate(enough.map_or(self.lists.len(), |enough| enough + 1));
        self.held = held;
    }

    /// Returns the rays with their children.
    pub(super) fn finish(self) -> Vec<(RayId, ChildList)> {
        self.lists
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::FamilyLevel;
    use crate::index::links::ParentLink;
    use crate::record::RayId;

    fn level(
        rays: u64,
        afters: &[(u64, u64)],
        limit: usize,
        links: impl Iterator<Item = (u64, u64)>,
    ) -> Vec<(u64, Vec<u64>, bool)> {
        let rays: Vec<RayId> = (0..rays).map(RayId::from_bits).collect();
        let afters: BTreeMap<RayId, RayId> =
            afters.iter().map(|(ray, after)| (RayId::from_bits(*ray), RayId::from_bits(*after))).collect();
        let mut level = FamilyLevel::new(&rays, &afters, limit);
        for (parent, child) in links {
            level.take(ParentLink { parent: RayId::from_bits(parent), child: RayId::from_bits(child) });
        }
        let bits = |list: &super::ChildList| list.rays.iter().map(|ray| ray.bits()).collect();
        level.finish().iter().map(|(ray, list)| (ray.bits(), bits(list), list.more)).collect()
    }

    #[test]
    fn first_children_of_each_ray_are_kept() {
        let links = [(0, 9), (0, 8), (7, 1), (0, 9), (0, 5), (1, 3), (0, 7)];
        let wanted = [(0, vec![7, 8], true), (1, vec![3], false), (2, vec![], false)];
        assert_eq!(level(3, &[(0, 5)], 2, links.into_iter()), wanted);
    }

    #[test]
    fn many_links_leave_the_first_rays() {
        let links =
            (0..1_000_u64).flat_map(|parent| (0..1_000).map(move |child| (parent, 5_000 + (child * 7) % 1_000)));
        let kept = level(1_000, &[], 10, links);
        assert!(kept.len() <= 10, "{}", kept.len());
        assert_eq!(kept[0], (0, (5_000..5_010).collect(), true));
    }
}
