//! What `GET /v1/rays/{ray}` answers beyond the records of the ray: the tree of requests that it belongs to, and their
//! records.
//!
//! # Invariants
//! A tree is made of records that the caller sees. A tree that lacks rays which were not looked for says so.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::http::{HttpRequest, Problem, problems};
use crate::limits::FAMILY_RAYS;
use crate::lookup::{FamilyLookup, FoundRecord, KinRecord};
use crate::memory::Reservation;
use crate::record::RayId;
use crate::story::{LinkKind, LogType, RequestTree, TreeNode};

/// The parts that an answer may have.
const PARTS: &str = "a list of records and tree";

fn bad_depth() -> Problem {
    problems::bad_parameter("depth", &format!("a number from 0 to {FAMILY_RAYS}"))
}

/// What of a ray's family is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FamilyWish {
    /// Whether the records are part of the answer.
    pub(crate) records: bool,
    /// Whether the tree is part of the answer.
    pub(crate) tree: bool,
    /// Whether the records of what the ray caused follow its own.
    pub(crate) lists_subrequests: bool,
    depth: usize,
}

impl FamilyWish {
    /// Parses the parameters `parts`, `subrequests` and `depth`. Without `parts`, an answer has the records, and the tree
    /// if `with_tree`: a format with columns has no place for one.
    ///
    /// # Errors
    /// The [`Problem`] of a parameter with another value.
    pub(crate) fn parse<B>(request: &HttpRequest<B>, with_tree: bool) -> Result<Self, Problem> {
        let (mut records, mut tree) = (true, with_tree);
        if let Some(parts) = request.parameter("parts") {
            (records, tree) = (false, false);
            for part in parts.split(',') {
                match part {
                    "records" => records = true,
                    "tree" if with_tree => tree = true,
                    _ => return Err(problems::bad_parameter("parts", PARTS)),
                }
            }
        }
        let lists_subrequests = match request.parameter("subrequests").as_deref() {
            None | Some("none") => false,
            Some("list") => true,
            Some(_) => return Err(problems::bad_parameter("subrequests", "none or list")),
        };
        let depth = match request.parameter("depth") {
            None => FAMILY_RAYS,
            Some(depth) => depth.parse().ok().filter(|depth| *depth <= FAMILY_RAYS).ok_or_else(bad_depth)?,
        };
        Ok(Self { records, tree, lists_subrequests, depth })
    }

    /// Returns whether more than the records of the ray itself is needed.
    pub(crate) const fn is_for_family(&self) -> bool {
        self.tree || self.lists_subrequests
    }

    /// Divides a family into the records that are listed, those of the ray first, and its tree. The memory of the others
    /// is released.
    pub(crate) fn divide(
        &self,
        ray: RayId,
        family: FamilyLookup,
        reservation: &Reservation,
    ) -> (Vec<FoundRecord>, Option<TreeResponse>) {
        let FamilyLookup { records, truncated, .. } = family;
        let tree = RequestTree::new(ray, &records);
        let below = tree_below(&tree, ray);
        let mut listed: BTreeMap<usize, Vec<FoundRecord>> = BTreeMap::new();
        for KinRecord { ray: of, record, .. } in records {
            let place = if of == ray { Some(0) } else { below.get(&of).copied().filter(|_| self.lists_subrequests) };
            match place.filter(|_| self.records) {
                Some(place) => listed.entry(place).or_default().push(record),
                None => reservation.release(record.held_bytes()),
            }
        }
        (listed.into_values().flatten().collect(), self.tree.then(|| TreeResponse::new(tree, self.depth, truncated)))
    }
}

/// Returns the place of each ray below this one, from 1.
fn tree_below(tree: &RequestTree, ray: RayId) -> BTreeMap<RayId, usize> {
    let own = tree.nodes.iter().position(|node| node.ray == ray).unwrap_or(tree.nodes.len());
    let level = tree.nodes.get(own).map_or(0, |node| node.depth);
    let below = tree.nodes.iter().skip(own + 1).take_while(|node| node.depth > level);
    below.zip(1..).map(|(node, place)| (node.ray, place)).collect()
}

/// The tree of requests around a ray.
#[derive(Serialize)]
pub(crate) struct TreeResponse {
    root: Option<String>,
    truncated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cyclic: bool,
    nodes: Vec<NodeResponse>,
}

/// A ray of the tree.
#[derive(Serialize)]
struct NodeResponse {
    ray: String,
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<LinkKind>,
    depth: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log_types: Vec<LogType>,
    records: BTreeMap<&'static str, u64>,
}

impl TreeResponse {
    /// Creates the JSON of the upper levels of a tree.
    fn new(tree: RequestTree, levels: usize, truncated: bool) -> Self {
        let RequestTree { nodes, cyclic } = tree;
        let root = nodes.first().map(|root| root.ray.to_string());
        let node = |TreeNode { ray, parent, link, depth, records, log_types }| NodeResponse {
            ray: ray.to_string(),
            parent: parent.map(|parent| parent.to_string()),
            link,
            depth,
            log_types,
            records: records.into_iter().map(|(dataset, count)| (dataset.name(), count)).collect(),
        };
        Self {
            root,
            truncated,
            cyclic,
            nodes: nodes.into_iter().filter(|node| node.depth <= levels).map(node).collect(),
        }
    }
}
