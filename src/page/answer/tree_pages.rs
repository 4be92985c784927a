//! What an answer gets beside what the API gives at first: the records of other rays of its tree, and later pages of that.

use std::collections::{HashMap, HashSet};

use itertools::Itertools as _;

use super::facts::RecordFacts;
use super::ray_records::AnswerRays;
use super::{AnswerDocument, AnswerNode, AnswerRecord, AnswerTree, RayLineDocument};

impl AnswerDocument {
    /// The rays of the tree that have records which the document lacks: all of them if there are at most `most`, or else those
    /// above the ray.
    #[must_use]
    pub fn rays_without_records(&self, most: usize) -> Vec<String> {
        let nodes = self.tree.as_ref().map_or(&[][..], |tree| &tree.nodes);
        let rays = AnswerRays::new(self);
        let lacks = |node: &&AnswerNode| !node.records.is_empty() && !rays.has_records(&node.ray);
        let lacking: Vec<&AnswerNode> = nodes.iter().filter(lacks).take(most + 1).collect();
        if lacking.len() <= most {
            return lacking.iter().map(|node| node.ray.clone()).collect();
        }
        let parents: HashMap<&str, &AnswerNode> = nodes.iter().map(|node| (node.ray.as_str(), node)).collect();
        let above = |node: &&AnswerNode| parents.get(node.parent.as_deref()?).copied();
        let path = std::iter::successors(parents.get(self.ray.as_str()).copied(), above);
        path.take(nodes.len()).filter(lacks).take(most).map(|node| node.ray.clone()).collect()
    }

    /// Adds the records in the lines of the answer to `POST /v1/rays`, which come in any order, in that of the rays asked for.
    pub fn add_records(&mut self, lines: &[Vec<u8>]) {
        let read = lines.iter().filter_map(|line| serde_json::from_slice::<RayLineDocument>(line).ok());
        let sorted = read.sorted_by_key(|line| line.index);
        self.records.extend(sorted.flat_map(|line| line.records));
    }

    /// Takes another page of the tree in place of its first one, and of the records in `listed` those of its rays.
    #[must_use]
    pub fn with_tree_page(mut self, tree: Option<AnswerTree>, listed: Option<Self>) -> Self {
        let rays: HashSet<&str> = tree.iter().flat_map(|tree| &tree.nodes).map(|node| node.ray.as_str()).collect();
        let is_of_page = |record: &AnswerRecord| {
            RecordFacts::new(record).ray.is_some_and(|ray| rays.contains(ray.to_string().as_str()))
        };
        let (records, next_cursor) = listed.map(|listed| (listed.records, listed.next_cursor)).unwrap_or_default();
        self.records.extend(records.into_iter().filter(is_of_page));
        Self { next_cursor, tree, ..self }
    }
}
