//! The tree of requests around one ray, made from the records of its family.
//!
//! # Invariants
//! A link counts only if one of the records names it. Each ray is in the tree once, and every ray of it but the root below
//! one that it names as its parent. Cycles end the way up, and are said.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::LogType;
use crate::lookup::KinRecord;
use crate::record::{Dataset, RayId};

/// How a request came from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// A Worker sent it while it served the parent: `ParentRayID`.
    Subrequest,
    /// It solved the challenge that the parent was answered with: `OriginatorRayID`.
    Challenge,
}

/// A ray of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeNode {
    /// The ray.
    pub ray: RayId,
    /// The ray above it; `None` for the root.
    pub parent: Option<RayId>,
    /// How it came from its parent.
    pub link: Option<LinkKind>,
    /// The number of rays above it.
    pub depth: usize,
    /// Number of its records, by dataset; none where others name it but no record of it is known.
    pub records: BTreeMap<Dataset, u64>,
    /// The kinds of its request.
    pub log_types: Vec<LogType>,
}

/// The tree of requests around one ray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestTree {
    /// The rays: each before those that it caused, and these in the order of their clocks.
    pub nodes: Vec<TreeNode>,
    /// Whether rays name each other as parents in a circle.
    pub cyclic: bool,
}

/// What the records of one ray say.
#[derive(Debug, Default)]
struct RayFacts {
    parents: BTreeSet<(LinkKind, RayId)>,
    records: BTreeMap<Dataset, u64>,
    log_types: BTreeSet<LogType>,
}

impl RequestTree {
    /// Makes the tree around `ray` from the records of its family.
    #[must_use]
    pub fn new(ray: RayId, records: &[KinRecord]) -> Self {
        let mut facts: BTreeMap<RayId, RayFacts> = BTreeMap::new();
        for KinRecord { ray, parent, record, .. } in records {
            let of_ray = facts.entry(*ray).or_default();
            *of_ray.records.entry(record.dataset).or_default() += 1;
            let is_request = record.dataset == Dataset::HttpRequests;
            let link = if is_request { LinkKind::Subrequest } else { LinkKind::Challenge };
            of_ray.parents.extend(parent.filter(|parent| parent != ray).map(|parent| (link, parent)));
            if is_request {
                of_ray.log_types.extend(LogType::of_record(&record.line));
            }
        }
        let mut children: BTreeMap<RayId, BTreeMap<RayId, LinkKind>> = BTreeMap::new();
        for (child, RayFacts { parents, .. }) in &facts {
            for (link, parent) in parents {
                children.entry(*parent).or_default().entry(*child).or_insert(*link);
            }
        }
        let (root, cyclic) = root_of(ray, &facts);
        let mut tree = Self { nodes: Vec::new(), cyclic };
        let (mut seen, mut open) = (BTreeSet::from([root]), vec![(root, None, None, 0)]);
        while let Some((ray, parent, link, level)) = open.pop() {
            let RayFacts { records, log_types, .. } = facts.remove(&ray).unwrap_or_default();
            let log_types = log_types.into_iter().collect();
            tree.nodes.push(TreeNode { ray, parent, link, depth: level, records, log_types });
            let below = children.get(&ray).into_iter().flatten().filter(|(child, _)| seen.insert(**child));
            let below: Vec<_> = below.map(|(child, link)| (*child, Some(ray), Some(*link), level + 1)).collect();
            open.extend(below.into_iter().rev());
        }
        tree
    }
}

/// Returns the ray at the top, and whether a circle ended the way up.
fn root_of(ray: RayId, facts: &BTreeMap<RayId, RayFacts>) -> (RayId, bool) {
    let (mut top, mut seen) = (ray, BTreeSet::from([ray]));
    while let Some((_, parent)) = facts.get(&top).and_then(|facts| facts.parents.first()) {
        if !seen.insert(*parent) {
            return (top, true);
        }
        top = *parent;
    }
    (top, false)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{LinkKind, RequestTree};
    use crate::index::ObjectVersion;
    use crate::lookup::{FoundRecord, KinRecord};
    use crate::record::{Dataset, RayId};

    const HTTP: Dataset = Dataset::HttpRequests;

    fn record(dataset: Dataset, ray: u64, parent: Option<u64>) -> KinRecord {
        let object = Rc::new(ObjectVersion { key: "k".into(), etag: "e".into(), uploaded_ms: 0, size: 1 });
        let record = FoundRecord {
            dataset,
            object,
            offset: 0,
            line: b"{}".to_vec(),
            copies: Vec::new(),
            zone: None,
            merged: None,
        };
        KinRecord { ray: RayId::from_bits(ray), parent: parent.map(RayId::from_bits), children: Vec::new(), record }
    }

    /// Each ray with its parent, depth, and number of records.
    fn shape(tree: &RequestTree) -> Vec<(u64, Option<u64>, usize, u64)> {
        let nodes = tree.nodes.iter();
        nodes
            .map(|node| (node.ray.bits(), node.parent.map(RayId::bits), node.depth, node.records.values().sum()))
            .collect()
    }

    #[test]
    fn tree_is_the_same_from_every_ray() {
        let records = [
            record(HTTP, 30, Some(20)),
            record(HTTP, 10, None),
            record(HTTP, 25, Some(10)),
            record(HTTP, 20, Some(10)),
            record(Dataset::FirewallEvents, 20, None),
        ];
        let wanted = [(10, None, 0, 1), (20, Some(10), 1, 2), (30, Some(20), 2, 1), (25, Some(10), 1, 1)];
        for ray in [10, 20, 25, 30] {
            let tree = RequestTree::new(RayId::from_bits(ray), &records);
            assert_eq!(shape(&tree), wanted, "{ray}");
            assert!(!tree.cyclic);
        }
    }

    #[test]
    fn missing_parent_is_the_root_without_records() {
        let tree = RequestTree::new(RayId::from_bits(7), &[record(HTTP, 7, Some(5)), record(HTTP, 8, Some(5))]);
        assert_eq!(shape(&tree), [(5, None, 0, 0), (7, Some(5), 1, 1), (8, Some(5), 1, 1)]);
    }

    #[test]
    fn circles_end_and_are_said() {
        let records =
            [record(HTTP, 1, Some(2)), record(HTTP, 2, Some(3)), record(HTTP, 3, Some(1)), record(HTTP, 4, Some(4))];
        let tree = RequestTree::new(RayId::from_bits(1), &records);
        assert!(tree.cyclic);
        assert_eq!(shape(&tree), [(3, None, 0, 1), (2, Some(3), 1, 1), (1, Some(2), 2, 1)]);
        let own = RequestTree::new(RayId::from_bits(4), &records);
        assert_eq!((shape(&own), own.cyclic), (vec![(4, None, 0, 1)], false));
    }

    #[test]
    fn solved_challenge_is_below_its_request() {
        let records = [record(HTTP, 1, None), record(HTTP, 2, None), record(Dataset::FirewallEvents, 2, Some(1))];
        let tree = RequestTree::new(RayId::from_bits(1), &records);
        assert_eq!(shape(&tree), [(1, None, 0, 1), (2, Some(1), 1, 2)]);
        assert_eq!(tree.nodes[1].link, Some(LinkKind::Challenge));
    }
}
