//! Finds the records of a ray together with those of its family: the requests that caused it and those that it caused,
//! however far away, in pages.
//!
//! A shard walks the rays of its own window itself, so a usual family is one call. Where a child is of another window, its
//! shard is asked in turn; where a record names a parent that its shard did not find, that one's shard is.
//!
//! # Invariants
//!
//! A link counts only if a record that the caller sees names it: what is hidden connects nothing, and counts against no number
//! of rays or records. The work of a page is bounded: a page that would take more ends before, and the next one goes on. All
//! pages together are the family, each ray once.

use std::collections::BTreeSet;

use super::facts::{KinRecord, LinkKind, RayFacts};
use super::family_search::{FamilyReads, FamilySearch};
use super::place::FamilyPlace;
use super::tree::{FamilyTree, TreeNode};
use super::walk::{WalkEnd, WalkNeeds, WalkNode, WalkPlan, WalkedFamily, place_after, walk_family};
use crate::backend::{BatchStore, Bucket, DurableObjects, Turns};
use crate::limits::{
    FAMILY_LEVELS, FAMILY_RAYS, FAMILY_SLICE, LOOKUP_BYTES, LOOKUP_RECORDS, SENDER_ZONES, ZONE_SPAN_BYTES, ZONE_SPANS,
};
use crate::lookup::{FoundRecord, LookupError, RecordSelection, merge_copies};
use crate::memory::Reservation;
use crate::record::{Dataset, RayId};
use crate::span_reader::ReadStats;

/// What is asked of a family.
#[derive(Debug, Clone, Copy)]
pub struct FamilyQuery<'q> {
    /// The datasets to search.
    pub datasets: &'q [Dataset],
    /// Who sees the records, and how many of each ray are read.
    pub selection: RecordSelection<'q>,
    /// The ray.
    pub ray: RayId,
    /// Number of levels of its tree that are wanted; `None` without a tree.
    pub levels: Option<usize>,
    /// Whether the records of what it caused are wanted.
    pub lists_records: bool,
    /// Whether it is asked of the records inside of these whether they are found by their own rays.
    pub finds_inner: bool,
    /// Maximum number of rays in a page.
    pub rays: usize,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FamilyPageStart {
    /// At the beginning of both the tree and the records.
    First,
    /// At this place of the tree, which may have a circle at its top.
    Tree(FamilyPlace, bool),
    /// At this place among what the ray caused.
    Records(FamilyPlace),
}

/// A page of a family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FamilyPage {
    /// On the first page the records of the ray, then on each those of the rays of the page that it caused.
    pub records: Vec<KinRecord>,
    /// The rays of this page whose requests are found by them, and those of the records inside of others if they are asked for.
    pub found: BTreeSet<RayId>,
    /// Where the records go on, if there are more.
    pub more_records: Option<FamilyPlace>,
    /// The page of the tree, if one is wanted.
    pub tree: Option<FamilyTree>,
    /// Whether something of the family is missing that no page has: it could not be read, or is beyond a bound.
    pub truncated: bool,
    /// Whether the ray itself has more records than these.
    pub is_cut_within: bool,
    /// Rays, and zones of senders of whose spans some are missing there: whether that counts depends on whether they are foreign.
    pub cut_senders: BTreeSet<(RayId, String)>,
    /// The work, with the batches that should hold records of the ray itself but are gone or unreadable.
    pub stats: ReadStats,
}

/// Finds a page of the family of a ray, of the records that the caller sees. The memory of the results is reserved in
/// `reservation`.
///
/// # Errors
/// [`LookupError`] if a shard or the bucket failed, or the memory is used up.
pub async fn find_family(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    shards: &impl DurableObjects,
    query: FamilyQuery<'_>,
    start: FamilyPageStart,
    reservation: &Reservation,
) -> Result<FamilyPage, LookupError> {
    let reads = FamilyReads { store, turns, shards, datasets: query.datasets, selection: query.selection, reservation };
    let mut search = FamilySearch::new(reads, query.rays)?;
    let mut page = FamilyPage::default();
    match start {
        FamilyPageStart::First => {
            page.is_cut_within = search.read_own(query.ray, query.levels.is_some()).await?;
            if search.own.is_empty() {
                page.stats = search.stats;
                return Ok(page);
            }
            if query.lists_records {
                find_records(&mut search, query, FamilyPlace::start(query.ray), &mut page).await?;
            }
            if let Some(levels) = query.levels {
                let (root, cyclic) = search.climb(query.ray).await?;
                page.tree = Some(find_tree(&mut search, (query, levels), FamilyPlace::start(root), cyclic).await?);
            }
        }
        FamilyPageStart::Tree(place, cyclic) => {
            let levels = query.levels.unwrap_or(FAMILY_LEVELS);
            page.tree = Some(find_tree(&mut search, (query, levels), place, cyclic).await?);
        }
        FamilyPageStart::Records(place) => find_records(&mut search, query, place, &mut page).await?,
    }
    let own = std::mem::take(&mut search.own);
    page.records.splice(0..0, own);
    page.found.insert(query.ray);
    page.records = merged(store, std::mem::take(&mut page.records));
    page.truncated = search.is_cut;
    page.cut_senders = search.cut_senders;
    page.stats = search.stats;
    Ok(page)
}

/// Returns each record once, with its copies.
fn merged(store: BatchStore<'_, impl Bucket>, records: Vec<KinRecord>) -> Vec<KinRecord> {
    let records: Vec<FoundRecord> = records.into_iter().map(|kin| kin.record).collect();
    merge_copies(records).into_iter().filter_map(|record| KinRecord::read(store, record)).collect()
}

/// Walks over a page of the tree.
async fn find_tree<B: Bucket, T: Turns, D: DurableObjects>(
    search: &mut FamilySearch<'_, B, T, D>,
    (query, levels): (FamilyQuery<'_>, usize),
    from: FamilyPlace,
    cyclic: bool,
) -> Result<FamilyTree, LookupError> {
    search.keep_records(false);
    let mut plan = WalkPlan { from: &from, rays: query.rays, ahead: query.rays, levels };
    let WalkedFamily { nodes, end, is_too_deep } = loop {
        let mut walk = walk_family(&search.known, plan);
        let WalkEnd::Blocked(place, needs) = &walk.end else { break walk };
        look_further(&mut plan, needs);
        if !search.learn(needs, usize::MAX).await? {
            walk.end = WalkEnd::Full(place.clone());
            break walk;
        }
    };
    search.is_cut |= is_too_deep;
    let more = if let WalkEnd::Full(place) = end { Some(place) } else { None };
    let root_link =
        |link: Option<(LinkKind, RayId)>| link.map_or((None, None), |(link, parent)| (Some(link), Some(parent)));
    let node = |WalkNode { ray, parent, depth }: WalkNode| {
        let facts = search.known.facts.get(&ray);
        let (link, parent) = root_link(parent);
        TreeNode {
            ray,
            parent,
            link,
            depth,
            records: facts.map(RayFacts::records).unwrap_or_default(),
            senders: facts.map(RayFacts::senders).unwrap_or_default(),
            log_types: facts.map(|facts| facts.log_types.iter().copied().collect()).unwrap_or_default(),
        }
    };
    let nodes: Vec<TreeNode> = nodes.into_iter().map(node).collect();
    search.note_cuts(nodes.iter().map(|node| node.ray))?;
    Ok(FamilyTree { root: from.root, cyclic, nodes, more })
}

/// Walks over a page of what the ray caused, and takes its records.
async fn find_records<B: Bucket, T: Turns, D: DurableObjects>(
    search: &mut FamilySearch<'_, B, T, D>,
    query: FamilyQuery<'_>,
    from: FamilyPlace,
    page: &mut FamilyPage,
) -> Result<(), LookupError> {
    search.keep_records(true);
    // The ray itself is the first node of the first page.
    let own = usize::from(from.path.is_empty());
    let mut plan = WalkPlan { from: &from, rays: query.rays + own, ahead: query.rays, levels: FAMILY_LEVELS };
    let WalkedFamily { nodes, end, is_too_deep } = loop {
        let mut walk = walk_family(&search.known, plan);
        if let Some(fitting) = fitting_nodes(search, &walk.nodes, own) {
            walk.nodes.truncate(fitting);
            walk.end = WalkEnd::Full(place_after(&from, &walk.nodes));
            break walk;
        }
        let WalkEnd::Blocked(place, needs) = &walk.end else { break walk };
        look_further(&mut plan, needs);
        if !search.learn(needs, search.slice()).await? {
            walk.end = WalkEnd::Full(place.clone());
            break walk;
        }
    };
    search.is_cut |= is_too_deep;
    search.note_cuts(nodes.iter().map(|node| node.ray))?;
    for node in nodes.iter().skip(own) {
        page.records.extend(search.take_kept(node.ray));
    }
    search.drop_kept();
    search.keep_records(false);
    page.found.extend(nodes.iter().map(|node| node.ray).filter(|ray| search.has_request(*ray)));
    if query.finds_inner {
        let lines = search.own.iter().chain(&page.records);
        let lines = lines.filter(|kin| kin.is_http() && kin.record.merged.is_none());
        let inner = lines.flat_map(|kin| &kin.children).filter_map(|child| child.ray.ray());
        let inner: BTreeSet<RayId> = inner.filter(|ray| !page.found.contains(ray)).collect();
        page.found.extend(search.find_requests(&inner).await?);
    }
    page.more_records = if let WalkEnd::Full(place) = end { Some(place) } else { None };
    Ok(())
}

/// Has the next walk visit more rays at a time: what was read did not fill the page, so that many are passed over.
fn look_further(plan: &mut WalkPlan<'_>, needs: &WalkNeeds) {
    if !needs.records.is_empty() {
        plan.ahead = (plan.ahead * 2).max(plan.rays + 1).min(FAMILY_RAYS + 1);
    }
}

/// Returns how many of these nodes fit into a page with their records; `None` if all do. One does in any case, if the page has no
/// others.
fn fitting_nodes<B: Bucket, T: Turns, D: DurableObjects>(
    search: &FamilySearch<'_, B, T, D>,
    nodes: &[WalkNode],
    own: usize,
) -> Option<usize> {
    let most = search.most_records();
    let mut size = PageSize::default();
    search.own.iter().for_each(|kin| size.add(kin));
    nodes.iter().enumerate().skip(own).find_map(|(nth, node)| {
        search.kept(node.ray).iter().for_each(|kin| size.add(kin));
        let is_alone = nth == own && search.own.is_empty();
        (!is_alone && !size.fits(most)).then_some(nth)
    })
}

/// What the records of a page take.
#[derive(Default)]
struct PageSize {
    records: usize,
    /// Records that are no spans of exporters: each of them becomes several spans of a trace.
    requests: usize,
    bytes: usize,
    /// Records of senders with zones, and their bytes.
    of_zones: (usize, usize),
}

impl PageSize {
    fn add(&mut self, kin: &KinRecord) {
        let bytes = kin.record.line.len();
        if kin.sender.is_some() {
            self.of_zones = (self.of_zones.0 + 1, self.of_zones.1 + bytes);
            return;
        }
        self.records += 1;
        self.requests += usize::from(kin.record.dataset != Dataset::Traces);
        self.bytes += bytes;
    }

    const fn fits(&self, most: usize) -> bool {
        let of_zones = (SENDER_ZONES * ZONE_SPANS, SENDER_ZONES * ZONE_SPAN_BYTES);
        let is_within = self.records <= most && self.requests <= LOOKUP_RECORDS && self.bytes <= LOOKUP_BYTES;
        is_within && self.of_zones.0 <= of_zones.0 && self.of_zones.1 <= of_zones.1
    }
}

impl<B: Bucket, T: Turns, D: DurableObjects> FamilySearch<'_, B, T, D> {
    /// Returns of how many rays records are read next: few until it is known how long they are.
    fn slice(&self) -> usize {
        let (rays, bytes) = self.kept_size();
        match bytes.checked_div(rays) {
            Some(each) if rays >= FAMILY_SLICE => {
                (LOOKUP_BYTES.saturating_sub(bytes) / each.max(1)).clamp(1, 4 * FAMILY_SLICE)
            }
            _ => FAMILY_SLICE,
        }
    }
}
