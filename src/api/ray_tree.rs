//! What `GET /v1/rays/{ray}` shows of the family of a ray: a page of its tree, and records with or without those inside of them.
//!
//! # Invariants
//! Both are made of records that the caller sees. What is missing and on no later page is said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::{Serialize, Serializer};

use super::family_wish::SubrequestForm;
use crate::index::ObjectVersion;
use crate::limits::{CUTTING_ROOM, MERGED_TEXT};
use crate::lookup::{FoundRecord, MergedOrigin};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{ChildEdit, EmptyMember, MergedChild, RayId, edit_children};
use crate::story::{FamilyPage, FamilyTree, KinRecord, LinkKind, LogType, MergedRecord, TreeNode, merge_subrequests};

/// Gives the records of a page the form that is asked for. Nothing is merged into a record that does not pass: it would be lost
/// with that.
pub(super) fn give_form(
    form: SubrequestForm,
    ray: RayId,
    page: &mut FamilyPage,
    passes: impl Fn(&FoundRecord) -> Result<bool, OutOfMemory>,
    reservation: &Reservation,
) -> Result<(), OutOfMemory> {
    match form {
        SubrequestForm::Merged => {
            let own = page.records.iter().position(|kin| kin.ray == ray && kin.is_http());
            if let Some((own, kin)) = own.and_then(|own| Some((own, page.records.get(own)?)))
                && passes(&kin.record)?
            {
                merge_children(ray, own, &mut page.records, reservation)?;
            }
        }
        SubrequestForm::Flattened => flatten(&mut page.records, &page.found, reservation)?,
        SubrequestForm::Omitted | SubrequestForm::Listed => {}
    }
    Ok(())
}

/// Removes the records inside of others that were found by their own rays: what is left is as if Logpush had merged nothing.
fn flatten(listed: &mut [KinRecord], found: &BTreeSet<RayId>, reservation: &Reservation) -> Result<(), OutOfMemory> {
    for kin in listed.iter_mut().filter(|kin| kin.is_http() && kin.record.merged.is_none()) {
        let before = kin.record.line.len();
        reservation.reserve(CUTTING_ROOM * before)?;
        let is_found = |child: &&MergedChild| child.ray.ray().is_some_and(|ray| found.contains(&ray));
        let gone: BTreeSet<usize> = kin.children.iter().filter(is_found).map(MergedChild::start).collect();
        let mut edit = |at: usize, _: &[u8]| if gone.contains(&at) { ChildEdit::Remove } else { ChildEdit::Keep };
        if let Some(line) = edit_children(&kin.record.line, EmptyMember::Goes, &mut edit) {
            kin.record.line = line;
        }
        reservation.release(CUTTING_ROOM * before + before.saturating_sub(kin.record.line.len()));
    }
    Ok(())
}

/// Merges the subrequests of the ray into the record of its request at `own`. Those that are inside of it already are not
/// listed again.
fn merge_children(
    ray: RayId,
    own: usize,
    listed: &mut Vec<KinRecord>,
    reservation: &Reservation,
) -> Result<(), OutOfMemory> {
    let inside: BTreeSet<usize> = match listed.get(own) {
        Some(own) => (0..listed.len()).filter(|nth| listed.get(*nth).is_some_and(|kin| is_inside(kin, own))).collect(),
        None => BTreeSet::new(),
    };
    let is_child = |kin: &KinRecord| kin.is_http() && kin.ray != ray && kin.parent == Some(ray);
    let children: Vec<usize> =
        (0..listed.len()).filter(|nth| !inside.contains(nth) && listed.get(*nth).is_some_and(is_child)).collect();
    let lines: Vec<&[u8]> =
        children.iter().filter_map(|nth| listed.get(*nth)).map(|kin| kin.record.line.as_slice()).collect();
    let most = lines.iter().map(|line| line.len() + 1).sum::<usize>() + MERGED_TEXT;
    reservation.reserve(most)?;
    let merged = listed.get(own).and_then(|kin| merge_subrequests(&kin.record.line, &lines));
    let before = listed.get(own).map_or(0, |kin| kin.record.held_bytes());
    let mut gone = inside;
    if let Some(MergedRecord { line, merged }) = merged {
        gone.extend(merged.iter().filter_map(|nth| children.get(*nth)).copied());
        if let Some(kin) = listed.get_mut(own) {
            kin.record.line = line;
        }
    }
    let after = listed.get(own).map_or(0, |kin| kin.record.held_bytes());
    reservation.release((before + most).saturating_sub(after));
    let mut nth = 0..;
    listed.retain(|kin| {
        let is_gone = nth.next().is_some_and(|nth| gone.contains(&nth));
        if is_gone {
            reservation.release(kin.record.held_bytes());
        }
        !is_gone
    });
    Ok(())
}

/// Whether a record is, at one of its places, inside of the line that another record is.
fn is_inside(inner: &KinRecord, outer: &KinRecord) -> bool {
    let line = &outer.record;
    let is_of = |object: &ObjectVersion, offset: u64, merged: Option<&MergedOrigin>| {
        merged.is_some() && line.merged.is_none() && offset == line.offset && *object == *line.object
    };
    let copies = &inner.record.copies;
    is_of(&inner.record.object, inner.record.offset, inner.record.merged.as_ref())
        || copies.iter().any(|copy| is_of(&copy.object, copy.offset, copy.merged.as_ref()))
}

/// A page of the tree of requests around a ray.
#[derive(Serialize)]
pub(crate) struct TreeResponse {
    #[serde(serialize_with = "serialize_ray")]
    root: RayId,
    truncated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cyclic: bool,
    nodes: Vec<NodeResponse>,
    /// Where the tree goes on. No part of what the answer is a function of: each one is sealed anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

/// A ray of the tree.
#[derive(Serialize)]
struct NodeResponse {
    #[serde(serialize_with = "serialize_ray")]
    ray: RayId,
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<LinkKind>,
    depth: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log_types: Vec<LogType>,
    records: BTreeMap<&'static str, u64>,
}

impl TreeResponse {
    /// Returns the ray at the top.
    pub(super) const fn root(&self) -> RayId {
        self.root
    }

    /// Returns the rays that it shows.
    pub(crate) fn rays(&self) -> impl Iterator<Item = RayId> {
        self.nodes.iter().map(|node| node.ray)
    }

    /// Returns whether there are more rays, or some could not be read.
    pub(crate) const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Creates the JSON of a page, without the cursor of the next one.
    pub(super) fn new(tree: FamilyTree, truncated: bool) -> Self {
        let FamilyTree { root, nodes, cyclic, .. } = tree;
        let node = |TreeNode { ray, parent, link, depth, records, log_types, .. }| NodeResponse {
            ray,
            parent: parent.map(|parent| parent.to_string()),
            link,
            depth,
            log_types,
            records: records.into_iter().map(|(dataset, count)| (dataset.name(), count)).collect(),
        };
        let nodes = nodes.into_iter().map(node).collect();
        Self { root, truncated, cyclic, nodes, next_cursor: None }
    }
}

/// Writes a ray as its digits.
fn serialize_ray<S: Serializer>(ray: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ray)
}
