//! What `GET /v1/rays/{ray}` answers beyond the records of the ray: the tree of requests that it belongs to, and their
//! records.
//!
//! # Invariants
//! A tree is made of records that the caller sees. A tree that lacks rays which were not looked for says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::http::{HttpRequest, Problem, problems};
use crate::index::ObjectVersion;
use crate::limits::{CUTTING_ROOM, FAMILY_RAYS, MERGED_TEXT};
use crate::lookup::{FamilyLookup, FoundRecord, KinRecord, MergedOrigin};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{ChildEdit, Dataset, EmptyMember, MergedChild, RayId, edit_children};
use crate::story::{LinkKind, LogType, MergedRecord, RequestTree, TreeNode, merge_subrequests};

/// The parts that an answer may have.
const PARTS: &str = "a list of records, tree and deliveries";
/// What may become of subrequests.
const SUBREQUEST_FORMS: &str = "none, list, flatten, or with format=json merge";

fn bad_depth() -> Problem {
    problems::bad_parameter("depth", &format!("a number from 0 to {FAMILY_RAYS}"))
}

/// What becomes of the records of what a ray caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubrequestForm {
    /// They are left out.
    Omitted,
    /// They follow those of the ray.
    Listed,
    /// They follow those of the ray, and none is inside of another.
    Flattened,
    /// Those of its subrequests are inside its own record, as Logpush merges them, and the others follow.
    Merged,
}

/// What of a ray's family is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FamilyWish {
    /// Whether the records are part of the answer.
    pub(crate) records: bool,
    /// Whether the tree is part of the answer.
    pub(crate) tree: bool,
    /// Whether the deliveries of the records are part of the answer.
    pub(crate) deliveries: bool,
    /// What becomes of the records of what the ray caused.
    pub(crate) subrequests: SubrequestForm,
    depth: usize,
}

impl FamilyWish {
    /// Parses the parameters `parts`, `subrequests` and `depth`. Without `parts`, an answer has the records, and the tree
    /// if `with_tree`: a format with columns has no place for one.
    ///
    /// # Errors
    /// The [`Problem`] of a parameter with another value.
    pub(crate) fn parse<B>(request: &HttpRequest<B>, with_tree: bool) -> Result<Self, Problem> {
        let (mut records, mut tree, mut deliveries) = (true, with_tree, false);
        if let Some(parts) = request.parameter("parts") {
            (records, tree) = (false, false);
            for part in parts.split(',') {
                match part {
                    "records" => records = true,
                    "tree" if with_tree => tree = true,
                    "deliveries" if with_tree => deliveries = true,
                    _ => return Err(problems::bad_parameter("parts", PARTS)),
                }
            }
        }
        let subrequests = match request.parameter("subrequests").as_deref() {
            None | Some("none") => SubrequestForm::Omitted,
            Some("list") => SubrequestForm::Listed,
            Some("flatten") => SubrequestForm::Flattened,
            // Another format shows lines as they are stored, or has no place for records in others.
            Some("merge") if with_tree => SubrequestForm::Merged,
            Some(_) => return Err(problems::bad_parameter("subrequests", SUBREQUEST_FORMS)),
        };
        let depth = match request.parameter("depth") {
            None => FAMILY_RAYS,
            Some(depth) => depth.parse().ok().filter(|depth| *depth <= FAMILY_RAYS).ok_or_else(bad_depth)?,
        };
        Ok(Self { records, tree, deliveries, subrequests, depth })
    }

    /// The records of the ray itself, and its whole tree.
    pub(crate) const fn with_whole_tree() -> Self {
        Self { records: true, tree: true, deliveries: false, subrequests: SubrequestForm::Omitted, depth: FAMILY_RAYS }
    }

    /// Returns whether more than the records of the ray itself is needed.
    pub(crate) const fn is_for_family(&self) -> bool {
        self.tree || self.shows_subrequests()
    }

    /// Returns whether the answer is made from the records, or has them.
    pub(crate) const fn needs_records(&self) -> bool {
        self.records || self.deliveries
    }

    /// Returns whether the answer has the records of what the ray caused.
    pub(crate) const fn shows_subrequests(&self) -> bool {
        !matches!(self.subrequests, SubrequestForm::Omitted)
    }

    /// Divides a family into the records that are listed, those of the ray first, and its tree. The memory of the others
    /// is released. Nothing is merged into a record that does not pass: it would be lost with that.
    pub(crate) fn divide(
        &self,
        ray: RayId,
        family: FamilyLookup,
        passes: impl Fn(&FoundRecord) -> Result<bool, OutOfMemory>,
        reservation: &Reservation,
    ) -> Result<(Vec<FoundRecord>, Option<TreeResponse>), OutOfMemory> {
        let FamilyLookup { records, truncated, .. } = family;
        let tree = RequestTree::new(ray, &records);
        let below = tree_below(&tree, ray);
        let found: BTreeSet<RayId> = records.iter().filter(|kin| is_http(kin)).map(|kin| kin.ray).collect();
        let mut listed: BTreeMap<usize, Vec<KinRecord>> = BTreeMap::new();
        for kin in records {
            let is_below = below.get(&kin.ray).copied().filter(|_| self.shows_subrequests());
            let place = if kin.ray == ray { Some(0) } else { is_below };
            match place.filter(|_| self.needs_records()) {
                Some(place) => listed.entry(place).or_default().push(kin),
                None => reservation.release(kin.record.held_bytes()),
            }
        }
        let mut listed: Vec<KinRecord> = listed.into_values().flatten().collect();
        match self.subrequests {
            SubrequestForm::Merged => {
                let own = listed.iter().position(|kin| kin.ray == ray && is_http(kin));
                if let Some((own, kin)) = own.and_then(|own| Some((own, listed.get(own)?)))
                    && passes(&kin.record)?
                {
                    merge_children(ray, own, &mut listed, reservation)?;
                }
            }
            SubrequestForm::Flattened => flatten(&mut listed, &found, reservation)?,
            SubrequestForm::Omitted | SubrequestForm::Listed => {}
        }
        let records = listed.into_iter().map(|kin| kin.record).collect();
        Ok((records, self.tree.then(|| TreeResponse::new(tree, self.depth, truncated))))
    }
}

/// Removes the records inside of others that were found by their own rays: what is left is as if Logpush had merged nothing.
fn flatten(listed: &mut [KinRecord], found: &BTreeSet<RayId>, reservation: &Reservation) -> Result<(), OutOfMemory> {
    for kin in listed.iter_mut().filter(|kin| is_http(kin) && kin.record.merged.is_none()) {
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
    let is_child = |kin: &KinRecord| is_http(kin) && kin.ray != ray && kin.parent == Some(ray);
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

fn is_http(kin: &KinRecord) -> bool {
    kin.record.dataset == Dataset::HttpRequests
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
    /// Returns the rays that it shows.
    pub(crate) fn rays(&self) -> impl Iterator<Item = RayId> {
        self.nodes.iter().map(|node| node.ray)
    }

    /// Returns whether there are more rays, or some could not be read.
    pub(crate) const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Creates the JSON of the upper levels of a tree.
    fn new(tree: RequestTree, levels: usize, truncated: bool) -> Self {
        let RequestTree { nodes, cyclic } = tree;
        let root = nodes.first().map(|root| root.ray.to_string());
        let node = |TreeNode { ray, parent, link, depth, records, log_types }| NodeResponse {
            ray,
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

/// Writes a ray as its digits.
fn serialize_ray<S: Serializer>(ray: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ray)
}
