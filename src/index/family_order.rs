//! The order in which a family is answered: each ray before what it caused, children in the order of their digits.
//!
//! # Invariants
//!
//! A ray is followed once, whatever the links say.

use std::collections::{BTreeMap, BTreeSet, btree_set};

use super::family_level::ChildList;
use crate::record::RayId;

/// The beginning of a walk.
#[derive(Debug, Default)]
pub(super) struct FamilyOrder {
    /// The rays that were followed, each with the children that were reached.
    pub(super) families: Vec<(RayId, ChildList)>,
    reached: Vec<RayId>,
}

impl FamilyOrder {
    /// Returns the children in the order in which they were reached, some of them more than once.
    pub(super) fn rays(&self) -> impl Iterator<Item = RayId> {
        self.reached.iter().copied()
    }
}

/// A ray whose children are being visited.
struct OpenRay<'k> {
    /// Its place among the families.
    nth: usize,
    children: btree_set::Iter<'k, RayId>,
    more: bool,
}

/// Walks from these rays through the lists of children that are known, until `limit` children are reached.
pub(super) fn walk_in_order(roots: &[RayId], known: &BTreeMap<RayId, ChildList>, limit: usize) -> FamilyOrder {
    let (mut order, mut seen) = (FamilyOrder::default(), BTreeSet::new());
    let mut open: Vec<OpenRay<'_>> = Vec::new();
    for root in roots {
        follow(*root, known, &mut seen, (&mut order, &mut open));
        while let Some(top) = open.last_mut() {
            let full = order.reached.len() >= limit;
            let (nth, child) = (top.nth, if full { None } else { top.children.next().copied() });
            let Some(child) = child else {
                let more = top.more || top.children.len() > 0;
                if let Some((_, list)) = order.families.get_mut(nth) {
                    list.more = more;
                }
                open.pop();
                continue;
            };
            if let Some((_, list)) = order.families.get_mut(nth) {
                list.rays.insert(child);
            }
            order.reached.push(child);
            follow(child, known, &mut seen, (&mut order, &mut open));
        }
    }
    order
}

/// Opens a ray whose children are known, if it was not followed before.
fn follow<'k>(
    ray: RayId,
    known: &'k BTreeMap<RayId, ChildList>,
    seen: &mut BTreeSet<RayId>,
    (order, open): (&mut FamilyOrder, &mut Vec<OpenRay<'k>>),
) {
    let Some(list) = known.get(&ray).filter(|_| seen.insert(ray)) else { return };
    open.push(OpenRay { nth: order.families.len(), children: list.rays.iter(), more: list.more });
    order.families.push((ray, ChildList::default()));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::walk_in_order;
    use crate::index::family_level::ChildList;
    use crate::record::RayId;

    #[test]
    fn cut_walk_says_where_more_follow() {
        let ray = RayId::from_bits;
        let list = |rays: &[u64]| ChildList { rays: rays.iter().map(|bits| ray(*bits)).collect(), more: false };
        let known = BTreeMap::from([(ray(1), list(&[2, 3])), (ray(2), list(&[1, 4, 5])), (ray(3), list(&[]))]);
        for (limit, reached, families) in [
            (9, vec![2, 1, 4, 5, 3], vec![(1, 2, false), (2, 3, false), (3, 0, false)]),
            (3, vec![2, 1, 4], vec![(1, 1, true), (2, 2, true)]),
            (1, vec![2], vec![(1, 1, true), (2, 0, true)]),
        ] {
            let order = walk_in_order(&[ray(1)], &known, limit);
            assert_eq!(order.rays().map(RayId::bits).collect::<Vec<_>>(), reached, "{limit}");
            let shown: Vec<_> =
                order.families.iter().map(|(ray, list)| (ray.bits(), list.rays.len(), list.more)).collect();
            assert_eq!(shown, families, "{limit}");
        }
    }
}
