//! What the tree says of a ray: where it came from, and which ray solved its challenge.

use super::{AnswerDocument, AnswerNode};

/// What the tree says of a ray.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RayLinks<'d> {
    /// How it came from its parent, and that parent.
    pub(super) above: Option<(&'d str, &'d str)>,
    /// The ray that solved its challenge.
    pub(super) solution: Option<&'d str>,
}

/// Returns what the tree says of a ray.
pub(super) fn links_of<'d>(document: &'d AnswerDocument, ray: &str) -> RayLinks<'d> {
    RayLinks { above: link_of(document, ray), solution: solution_of(document, ray) }
}

/// Returns how a ray came from its parent, and that parent.
fn link_of<'d>(document: &'d AnswerDocument, ray: &str) -> Option<(&'d str, &'d str)> {
    let nodes = &document.tree.as_ref()?.nodes;
    let AnswerNode { link, parent, .. } = nodes.iter().find(|node| node.ray == ray)?;
    Some((link.as_deref()?, parent.as_deref()?))
}

/// Returns the ray that solved the challenge that this one was answered with.
fn solution_of<'d>(document: &'d AnswerDocument, ray: &str) -> Option<&'d str> {
    let nodes = &document.tree.as_ref()?.nodes;
    let is_solution =
        |node: &&AnswerNode| node.parent.as_deref() == Some(ray) && node.link.as_deref() == Some("challenge");
    nodes.iter().find(is_solution).map(|node| node.ray.as_str())
}
