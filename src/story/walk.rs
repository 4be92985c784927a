//! The walk over a family, as far as it is known: the next rays of it, and what has to be known to go on.
//!
//! # Invariants
//! A ray is visited below the one parent that its records name. What is visited is a function of those records and of the
//! links of the index to them: what is hidden or names another parent is passed over. A walk ends whatever links say.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::facts::{LinkKind, RayFacts};
use super::place::FamilyPlace;
use crate::limits::FAMILY_LEVELS;
use crate::record::RayId;

/// What the index says of the children of a ray.
#[derive(Debug, Default)]
pub(super) struct ChildrenKnown {
    /// Children after those that were passed over by the pages before, without a gap.
    rays: BTreeSet<RayId>,
    /// Whether there are no others.
    is_whole: bool,
}

/// What is known of a family.
#[derive(Debug, Default)]
pub(super) struct KnownFamily {
    children: BTreeMap<RayId, ChildrenKnown>,
    /// The rays whose records were read.
    pub(super) facts: BTreeMap<RayId, RayFacts>,
    /// Below a ray, the one by which it was found: a record names the parent, even if the index does not.
    pub(super) spine: BTreeMap<RayId, RayId>,
}

/// The child of a ray that comes next.
enum NextChild {
    Ray(RayId),
    /// The index has to be asked for those after this one.
    Unknown(Option<RayId>),
    /// There are no more.
    End,
}

impl KnownFamily {
    /// Takes the next children of a ray from the index.
    pub(super) fn take_children(&mut self, ray: RayId, children: impl Iterator<Item = RayId>, more: bool) {
        let known = self.children.entry(ray).or_default();
        known.rays.extend(children);
        known.is_whole |= !more;
    }

    fn next_child(&self, ray: RayId, after: Option<RayId>) -> NextChild {
        let spine = self.spine.get(&ray).copied().filter(|child| after.is_none_or(|after| *child > after));
        let Some(ChildrenKnown { rays, is_whole }) = self.children.get(&ray) else { return NextChild::Unknown(after) };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        match rays.range((from, Bound::Unbounded)).next().copied() {
            Some(next) => NextChild::Ray(spine.map_or(next, |spine| spine.min(next))),
            None if *is_whole => spine.map_or(NextChild::End, NextChild::Ray),
            None => NextChild::Unknown(rays.last().copied().max(after)),
        }
    }
}

/// What is wanted of a walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct WalkPlan<'p> {
    /// Where it begins.
    pub(super) from: &'p FamilyPlace,
    /// Maximum number of rays.
    pub(super) rays: usize,
    /// How many rays are visited, also beyond the place where something has to be known, since those will be needed too.
    pub(super) ahead: usize,
    /// Number of levels below the root that are visited, at most [`FAMILY_LEVELS`].
    pub(super) levels: usize,
}

/// A ray that was visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WalkNode {
    pub(super) ray: RayId,
    pub(super) parent: Option<(LinkKind, RayId)>,
    pub(super) depth: usize,
}

/// What has to be known before a walk can go on, in the order of the walk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WalkNeeds {
    /// Rays of which the index has to be asked for the children after these.
    pub(super) children: Vec<(RayId, Option<RayId>)>,
    /// Rays whose records have to be read.
    pub(super) records: Vec<RayId>,
}

/// How a walk ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WalkEnd {
    /// Everything was visited.
    Whole,
    /// More rays follow this place than were wanted.
    Full(FamilyPlace),
    /// At this place something has to be known.
    Blocked(FamilyPlace, WalkNeeds),
}

/// The rays that a walk visited.
#[derive(Debug)]
pub(super) struct WalkedFamily {
    pub(super) nodes: Vec<WalkNode>,
    pub(super) end: WalkEnd,
    /// Whether there are rays below the last level that trees have.
    pub(super) is_too_deep: bool,
}

/// A ray whose children are being visited.
struct WalkFrame {
    ray: RayId,
    after: Option<RayId>,
}

/// A walk under way.
struct Walker<'k> {
    family: &'k KnownFamily,
    plan: WalkPlan<'k>,
    frames: Vec<WalkFrame>,
    nodes: Vec<WalkNode>,
    /// Where something has to be known; what is visited after that is not certain, but will be needed.
    blocked: Option<(FamilyPlace, WalkNeeds)>,
    full: Option<FamilyPlace>,
    /// Number of rays visited since the block.
    ahead: usize,
    seen: BTreeSet<RayId>,
    is_too_deep: bool,
}

/// Walks over what is known of a family.
pub(super) fn walk_family(family: &KnownFamily, plan: WalkPlan<'_>) -> WalkedFamily {
    let path = &plan.from.path;
    let frame =
        |(nth, ray): (usize, &RayId)| WalkFrame { ray: *ray, after: path.get(nth + 1).copied().or(plan.from.after) };
    let mut walker = Walker {
        family,
        plan,
        frames: path.iter().enumerate().map(frame).collect(),
        nodes: Vec::new(),
        blocked: None,
        full: None,
        ahead: 0,
        seen: BTreeSet::new(),
        is_too_deep: false,
    };
    if path.is_empty() {
        walker.visit(plan.from.root, None, None);
    }
    walker.go_on();
    let Walker { nodes, blocked, full, is_too_deep, .. } = walker;
    let blocked = blocked.map(|(place, needs)| WalkEnd::Blocked(place, needs));
    let end = blocked.or(full.map(WalkEnd::Full)).unwrap_or(WalkEnd::Whole);
    WalkedFamily { nodes, end, is_too_deep }
}

impl Walker<'_> {
    fn go_on(&mut self) {
        while let Some(WalkFrame { ray, after }) = self.frames.last_mut() {
            match self.family.next_child(*ray, *after) {
                NextChild::End => {
                    self.frames.pop();
                }
                NextChild::Unknown(from) => {
                    let wanted = (*ray, from);
                    self.block(from).children.push(wanted);
                    self.frames.pop();
                }
                NextChild::Ray(child) => {
                    let (parent, before) = (*ray, *after);
                    *after = Some(child);
                    self.visit(child, Some(parent), before);
                }
            }
            if self.full.is_some() || self.nodes.len() + self.ahead > self.plan.ahead {
                break;
            }
        }
    }

    /// Visits a ray that the index names as a child of another, after this one.
    fn visit(&mut self, ray: RayId, parent: Option<RayId>, before: Option<RayId>) {
        let depth = self.frames.len();
        if parent.is_some() && ray == self.plan.from.root {
            return;
        }
        let Some(facts) = self.family.facts.get(&ray) else {
            if self.seen.insert(ray) {
                self.block(before).records.push(ray);
                self.ahead += 1;
                self.open(ray, depth);
            }
            return;
        };
        let link = facts.parent();
        if parent.is_some() && link.map(|(_, named)| named) != parent {
            return;
        }
        let is_sure = self.blocked.is_none();
        if depth > self.plan.levels {
            self.is_too_deep |= is_sure;
        } else if !is_sure {
            self.ahead += usize::from(self.seen.insert(ray));
            self.open(ray, depth);
        } else if self.nodes.len() >= self.plan.rays {
            self.full = Some(place_after(self.plan.from, &self.nodes));
        } else {
            self.nodes.push(WalkNode { ray, parent: link.filter(|_| parent.is_some()), depth });
            self.open(ray, depth);
        }
    }

    /// Visits the children of a ray next. Those below the last level are only looked for where trees end there.
    fn open(&mut self, ray: RayId, depth: usize) {
        if depth < self.plan.levels || self.plan.levels == FAMILY_LEVELS && depth == FAMILY_LEVELS {
            self.frames.push(WalkFrame { ray, after: None });
        }
    }

    /// Returns what is needed to go on. The first need is where the walk ends: after this child of the last ray.
    fn block(&mut self, after: Option<RayId>) -> &mut WalkNeeds {
        let (root, frames) = (self.plan.from.root, &self.frames);
        let place = || FamilyPlace { root, path: frames.iter().map(|frame| frame.ray).collect(), after };
        &mut self.blocked.get_or_insert_with(|| (place(), WalkNeeds::default())).1
    }
}

/// Returns the place after these nodes, which a walk from this place visited.
pub(super) fn place_after(from: &FamilyPlace, nodes: &[WalkNode]) -> FamilyPlace {
    let Some(last) = nodes.last() else { return from.clone() };
    let mut path = vec![last.ray];
    for node in nodes.iter().rev() {
        if node.depth + path.len() == last.depth {
            path.push(node.ray);
        }
    }
    let known = last.depth.saturating_add(1).saturating_sub(path.len());
    path.extend(from.path.get(..known).unwrap_or_default().iter().rev());
    path.reverse();
    FamilyPlace { root: from.root, path, after: None }
}

#[cfg(test)]
mod tests {
    use super::{FamilyPlace, KnownFamily, WalkEnd, WalkPlan, WalkedFamily, walk_family};
    use crate::limits::FAMILY_LEVELS;
    use crate::record::RayId;
    use crate::story::facts::{KinRecord, RayFacts};

    const RAY: fn(u64) -> RayId = RayId::from_bits;

    /// What is known: rays with the parents that their records name, and the children that the index names.
    fn known(parents: &[(u64, Option<u64>)], children: &[(u64, &[u64])]) -> KnownFamily {
        let mut family = KnownFamily::default();
        for (ray, parent) in parents {
            let mut facts = RayFacts::default();
            facts.take(&KinRecord::of_request(RAY(*ray), parent.map(RAY)));
            family.facts.insert(RAY(*ray), facts);
        }
        for (ray, children) in children {
            family.take_children(RAY(*ray), children.iter().copied().map(RAY), false);
        }
        family
    }

    fn walk(family: &KnownFamily, from: &FamilyPlace, rays: usize) -> (Vec<u64>, WalkEnd) {
        let WalkedFamily { nodes, end, .. } =
            walk_family(family, WalkPlan { from, rays, ahead: rays, levels: FAMILY_LEVELS });
        (nodes.iter().map(|node| node.ray.bits()).collect(), end)
    }

    #[test]
    fn pages_join_to_the_whole_walk() {
        let parents = [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(3)), (5, Some(2)), (6, Some(1)), (7, Some(9))];
        let children: [(u64, &[u64]); 7] =
            [(1, &[2, 6, 7]), (2, &[3, 5, 6]), (3, &[4, 1]), (4, &[2]), (5, &[]), (6, &[]), (7, &[])];
        let family = known(&parents, &children);
        let start = FamilyPlace::start(RAY(1));
        assert_eq!(walk(&family, &start, 9), (vec![1, 2, 3, 4, 5, 6], WalkEnd::Whole));
        for limit in 1..6 {
            let (mut from, mut joined) = (start.clone(), Vec::new());
            loop {
                let (page, end) = walk(&family, &from, limit);
                assert!(page.len() <= limit);
                joined.extend(page);
                let WalkEnd::Full(next) = end else { break };
                from = next;
            }
            assert_eq!(joined, [1, 2, 3, 4, 5, 6], "{limit}");
        }
    }

    #[test]
    fn walk_stops_before_what_is_not_known() {
        let family = known(&[(1, None), (2, Some(1)), (4, Some(1))], &[(1, &[2, 3, 4]), (2, &[])]);
        let (page, end) = walk(&family, &FamilyPlace::start(RAY(1)), 9);
        let WalkEnd::Blocked(place, needs) = end else { panic!("{end:?}") };
        assert_eq!((page, place.path, place.after), (vec![1, 2], vec![RAY(1)], Some(RAY(2))));
        assert_eq!((needs.records, needs.children), (vec![RAY(3)], vec![(RAY(3), None), (RAY(4), None)]));
    }

    #[test]
    fn circle_below_the_root_ends_there() {
        let family = known(&[(1, Some(3)), (2, Some(1)), (3, Some(2))], &[(1, &[2]), (2, &[3]), (3, &[1])]);
        assert_eq!(walk(&family, &FamilyPlace::start(RAY(1)), 9), (vec![1, 2, 3], WalkEnd::Whole));
    }
}
