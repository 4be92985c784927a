//! A page of the tree of requests around a ray.
//!
//! # Invariants
//! Each ray is in the tree once, and every ray of it but the root below the one that its records name as its parent. The tree is
//! the same from each of its rays.

use std::collections::BTreeMap;

use super::LogType;
use super::facts::LinkKind;
use super::place::FamilyPlace;
use crate::record::{Dataset, RayId};

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
    /// The number of spans among these, by the zone of their sender, of senders with zones. They may turn out to be foreign.
    pub senders: BTreeMap<String, u64>,
    /// The kinds of its request.
    pub log_types: Vec<LogType>,
}

/// A page of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyTree {
    /// The ray at the top.
    pub root: RayId,
    /// Whether rays name each other as parents in a circle, which the root is the first ray of.
    pub cyclic: bool,
    /// The rays: each before those that it caused, and these in the order of their digits, which is that of their clocks.
    pub nodes: Vec<TreeNode>,
    /// Where the next page begins, if there are more rays.
    pub more: Option<FamilyPlace>,
}
