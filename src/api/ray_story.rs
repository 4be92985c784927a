//! Looks up a ray for an answer, with as much of its family as is wished for.
//!
//! # Invariants
//! A record that the caller may not see is indistinguishable from one that does not exist: where batches may hold such records,
//! no answer says what it cost, and all are answered at the same multiples of a time.

use sha2::{Digest, Sha256};

use super::absence::explain_absence;
use super::cursors::{open_place, seal_place};
use super::family_wish::{FamilyWish, SubrequestForm};
use super::foreign_spans::{JudgedRays, remove_foreign_spans};
use super::ray_tree::{TreeResponse, give_form};
use super::record_view::DatasetViews;
use super::retry::retry_while_out_of_memory;
use crate::access::Caller;
use crate::config::Config;
use crate::http::{LookupCost, Problem, problems};
use crate::limits::{LOOKUP_RECORDS, LOOKUP_STEP_MS, TRACE_RECORDS, TREE_NODE_BYTES};
use crate::lookup::{FoundRecord, LookupResult, RecordCut, RecordSelection, lookup_for};
use crate::memory::Reservation;
use crate::record::{Dataset, RayId, RayKey};
use crate::services::Services;
use crate::span_reader::ReadStats;
use crate::story::{
    FamilyCursor, FamilyPage, FamilyPageStart, FamilyPlace, FamilyQuery, KinRecord, find_family, remove_spans,
};

/// Looks up the records of the ray that the caller may see, and what that cost if they may know it. Without any, the
/// problem is the same as for a ray without records, and comes after as long a time.
pub(crate) async fn find_ray(
    services: &impl Services,
    views: &DatasetViews,
    key: &RayKey,
    reservation: &Reservation,
) -> Result<(LookupResult, Option<LookupCost>), Problem> {
    let found = find_records(services, views, (key, LOOKUP_RECORDS), reservation);
    let (mut found, cost) = in_even_steps(services, views, found).await?;
    found.cut.settle();
    Ok((found, cost))
}

/// Like [`find_ray`], of as many records as a trace has. Whether it counts that spans of senders with zones are missing is open.
pub(super) async fn find_spans_of(
    services: &impl Services,
    views: &DatasetViews,
    key: &RayKey,
    reservation: &Reservation,
) -> Result<(LookupResult, Option<LookupCost>), Problem> {
    in_even_steps(services, views, find_records(services, views, (key, TRACE_RECORDS), reservation)).await
}

/// What is found of a ray.
#[derive(Default)]
pub(crate) struct RayStory {
    /// The records that are listed.
    pub(crate) found: LookupResult,
    /// What finding them cost, if the caller may know it.
    pub(crate) cost: Option<LookupCost>,
    /// The page of the tree, if it is wished for.
    pub(super) tree: Option<TreeResponse>,
    /// Whether something is missing that no page has.
    is_cut: bool,
    tree_goes_on: Option<FamilyCursor>,
    records_go_on: Option<FamilyCursor>,
}

impl RayStory {
    /// A story of records without a tree.
    pub(crate) fn of_records(found: LookupResult, cost: Option<LookupCost>) -> Self {
        Self { is_cut: found.cut.truncated, found, cost, ..Self::default() }
    }

    /// Returns whether something is missing that no page has.
    pub(crate) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Notes whether more is missing that no page has.
    pub(super) const fn add_cut(&mut self, is_cut: bool) {
        self.is_cut |= is_cut;
        self.found.cut.truncated |= is_cut;
    }

    /// Returns whether the tree, or the records, have another page.
    pub(crate) const fn goes_on(&self) -> [bool; 2] {
        [self.tree_goes_on.is_some(), self.records_go_on.is_some()]
    }

    /// Returns whether there are more records than these, or some could not be read.
    pub(crate) const fn is_truncated(&self) -> bool {
        self.found.cut.truncated || self.records_go_on.is_some()
    }

    /// Gives the tree the cursor of its next page; returns that of the records.
    ///
    /// # Errors
    /// The [`Problem`] of a key that cannot be had.
    pub(super) async fn seal_cursors(
        &mut self,
        services: &impl Services,
        caller: &Caller,
    ) -> Result<Option<String>, Problem> {
        if let (Some(cursor), Some(tree)) = (&self.tree_goes_on, &mut self.tree) {
            tree.next_cursor = Some(seal_place(services, caller, &cursor.to_bytes()).await?);
        }
        let Some(cursor) = &self.records_go_on else { return Ok(None) };
        Ok(Some(seal_place(services, caller, &cursor.to_bytes()).await?))
    }
}

/// Like [`find_ray`], with as much of the ray's family as is wished for, and with the verdict where there are no records.
/// `cursor` is one that an earlier answer had.
pub(super) async fn find_story(
    (config, services): (&Config, &impl Services),
    views: &DatasetViews,
    key: &RayKey,
    (wish, cursor): (&FamilyWish, Option<&str>),
    reservation: &Reservation,
) -> Result<RayStory, Problem> {
    let asked = FamilyAsked { views, wish };
    let start = match cursor {
        None => (FamilyPageStart::First, false),
        Some(cursor) => asked.open(services, key, cursor).await?,
    };
    match find_wished(services, &asked, key, start, reservation).await {
        Ok(found) => Ok(found),
        Err(problem) => Err(explain_absence(config, services, (views, key), problem).await),
    }
}

/// Like [`find_story`], with the records of the whole tree that the ray is in, from its top: returns the ray there too. `cursor`
/// is one that an earlier answer for any ray of the tree had.
pub(crate) async fn find_trace(
    (config, services): (&Config, &impl Services),
    views: &DatasetViews,
    ray: RayId,
    (limit, cursor): (Option<usize>, Option<&str>),
    reservation: &Reservation,
) -> Result<(RayId, RayStory), Problem> {
    let wish = FamilyWish::for_trace(limit);
    let mut climb = wish;
    if cursor.is_some() {
        climb.subrequests = SubrequestForm::Omitted;
    }
    let story = find_story((config, services), views, &RayKey::Ray(ray), (&climb, None), reservation).await?;
    let root = story.tree.as_ref().map_or(ray, TreeResponse::root);
    if root == ray && cursor.is_none() {
        return Ok((root, story));
    }
    story.found.records.iter().for_each(|record| reservation.release(record.held_bytes()));
    drop(story);
    let (key, mut wish) = (RayKey::Ray(root), wish);
    wish.tree = false;
    let asked = FamilyAsked { views, wish: &wish };
    let start = match cursor {
        None => (FamilyPageStart::First, false),
        Some(cursor) => asked.open(services, &key, cursor).await?,
    };
    let found = match find_wished(services, &asked, &key, start, reservation).await {
        // Requests name a root that no record is known of.
        Err(problem) if problem.status == 404 && cursor.is_none() => {
            let start = FamilyPageStart::Records(FamilyPlace::start(root));
            find_wished(services, &asked, &key, (start, false), reservation).await
        }
        found => found,
    };
    Ok((root, found?))
}

/// Looks up the records of the ray, or of its family.
async fn find_wished(
    services: &impl Services,
    asked: &FamilyAsked<'_>,
    key: &RayKey,
    start: (FamilyPageStart, bool),
    reservation: &Reservation,
) -> Result<RayStory, Problem> {
    let FamilyAsked { views, wish } = asked;
    let Some(ray) = key.ray().filter(|_| wish.is_for_family()) else {
        let (mut found, cost) = find_ray(services, views, key, reservation).await?;
        if !wish.needs_records() {
            found.records.clear();
        }
        return Ok(RayStory::of_records(found, cost));
    };
    in_even_steps(services, views, find_page(services, asked, (ray, start), reservation)).await
}

/// Ends a lookup as soon as it is done, or after as long a time whatever is hidden.
pub(super) async fn in_even_steps<T>(
    services: &impl Services,
    views: &DatasetViews,
    lookup: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let started = services.now_ms();
    let found = lookup.await;
    if !views.visibility().may_hurry() {
        let passed = (services.now_ms() - started).max(0);
        services.sleep(LOOKUP_STEP_MS - passed % LOOKUP_STEP_MS).await;
    }
    found
}

/// What of which family is asked for, and for whom.
struct FamilyAsked<'a> {
    views: &'a DatasetViews,
    wish: &'a FamilyWish,
}

impl FamilyAsked<'_> {
    /// The hash of what is asked of a ray: a cursor of another question does not open.
    fn hash(&self, ray: RayId) -> u64 {
        let mut hash = Sha256::new_with_prefix("raydex family");
        hash.update(ray.bits().to_le_bytes());
        for dataset in self.views.datasets() {
            hash.update(dataset.name());
            hash.update([0]);
        }
        hash.update(self.wish.levels.to_le_bytes());
        hash.finalize().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// Opens a cursor of an earlier answer; returns where it goes on, and whether something is missing before.
    async fn open(
        &self,
        services: &impl Services,
        key: &RayKey,
        cursor: &str,
    ) -> Result<(FamilyPageStart, bool), Problem> {
        let bytes = open_place(services, self.views.caller(), cursor, FamilyCursor::sizes()).await?;
        let opened = FamilyCursor::from_bytes(&bytes);
        let is_of = |cursor: &FamilyCursor| {
            let wished = if cursor.lists_records { self.wish.shows_subrequests() } else { self.wish.tree };
            wished && key.ray().is_some_and(|ray| self.hash(ray) == cursor.asked)
        };
        let FamilyCursor { lists_records, is_cyclic, is_cut, place, .. } =
            opened.filter(is_of).ok_or_else(problems::bad_cursor)?;
        let tree = |place| FamilyPageStart::Tree(place, is_cyclic);
        Ok((if lists_records { FamilyPageStart::Records(place) } else { tree(place) }, is_cut))
    }
}

async fn find_page(
    services: &impl Services,
    asked: &FamilyAsked<'_>,
    (ray, (start, was_cut)): (RayId, (FamilyPageStart, bool)),
    reservation: &Reservation,
) -> Result<RayStory, Problem> {
    let started = services.now_ms();
    let FamilyAsked { views, wish } = asked;
    let datasets = views.datasets();
    let query = FamilyQuery {
        datasets: &datasets,
        selection: RecordSelection { caller: Some(views.caller()), most: wish.most_records },
        ray,
        levels: wish.tree.then_some(wish.levels),
        lists_records: wish.shows_subrequests() && wish.needs_records(),
        finds_inner: wish.subrequests == SubrequestForm::Flattened,
        rays: wish.page_rays(views.visibility()),
    };
    let is_first = start == FamilyPageStart::First;
    let mut page = retry_while_out_of_memory(services, reservation, async || {
        let reads = (services.batch_store(), services);
        // On the heap: its state would be part of every request's future.
        Ok(Box::pin(find_family(reads, services.shards(), query, start.clone(), reservation)).await?)
    })
    .await?;
    page.truncated |= was_cut;
    remove_foreign(services, views, (ray, &mut page), reservation).await?;
    let is_known = !is_first || !page.records.is_empty();
    let more_follow = page.truncated || page.more_records.is_some();
    let is_cut = page.is_cut_within || page.truncated;
    let truncated = page.is_cut_within || wish.shows_subrequests() && more_follow;
    let cut = RecordCut { truncated, ..RecordCut::default() };
    if wish.needs_records() {
        let passes = |record: &FoundRecord| views.selects(record, reservation.budget());
        give_form(wish.subrequests, ray, &mut page, passes, reservation)?;
    } else {
        page.records.drain(..).for_each(|kin| reservation.release(kin.record.held_bytes()));
    }
    let FamilyPage { records, more_records, mut tree, truncated: is_tree_cut, stats, .. } = page;
    let asked = asked.hash(ray);
    let cursor = |lists_records, is_cyclic, place| {
        let is_cut = if lists_records { is_cut } else { is_tree_cut };
        FamilyCursor { asked, lists_records, is_cyclic, is_cut, place }
    };
    let more_tree = tree.as_mut().and_then(|tree| Some((tree.cyclic, tree.more.take()?)));
    let found = LookupResult { records: records.into_iter().map(|kin| kin.record).collect(), cut, stats };
    let (found, cost) = with_cost(services, views, &RayKey::Ray(ray), started, (found, is_known))?;
    if let Some(tree) = &tree {
        reservation.reserve(TREE_NODE_BYTES * (tree.nodes.len() + 1))?;
    }
    Ok(RayStory {
        found,
        cost,
        tree: tree.map(|tree| TreeResponse::new(tree, is_tree_cut || more_tree.is_some())),
        is_cut,
        tree_goes_on: more_tree.map(|(is_cyclic, place)| cursor(false, is_cyclic, place)),
        records_go_on: more_records.map(|place| cursor(true, false, place)),
    })
}

/// Removes spans from a page of a ray's family that senders of other zones brought.
async fn remove_foreign(
    services: &impl Services,
    views: &DatasetViews,
    (ray, page): (RayId, &mut FamilyPage),
    reservation: &Reservation,
) -> Result<(), Problem> {
    let mut nodes = page.tree.iter_mut().flat_map(|tree| &mut tree.nodes).collect::<Vec<_>>();
    let mut senders = page.cut_senders.clone();
    senders.extend(nodes.iter().flat_map(|node| node.senders.keys().map(|zone| (node.ray, zone.clone()))));
    if senders.is_empty() && page.records.iter().all(|kin| kin.sender.is_none()) {
        return Ok(());
    }
    let mut records: Vec<FoundRecord> = std::mem::take(&mut page.records).into_iter().map(|kin| kin.record).collect();
    let judged = JudgedRays { senders, ..JudgedRays::default() };
    let bound = remove_foreign_spans(services, views, &mut records, judged, reservation).await?;
    page.records.extend(records.into_iter().filter_map(|record| KinRecord::read(services.batch_store(), record)));
    for node in &mut nodes {
        let foreign = node.senders.iter().filter(|(zone, _)| bound.is_foreign(node.ray, zone));
        let foreign = foreign.map(|(_, count)| count).sum();
        remove_spans(&mut node.records, foreign);
    }
    for (of, zone) in &page.cut_senders {
        let is_cut = !bound.is_foreign(*of, zone);
        page.is_cut_within |= is_cut && *of == ray;
        page.truncated |= is_cut && *of != ray;
    }
    Ok(())
}

async fn find_records(
    services: &impl Services,
    views: &DatasetViews,
    (key, most): (&RayKey, usize),
    reservation: &Reservation,
) -> Result<(LookupResult, Option<LookupCost>), Problem> {
    let started = services.now_ms();
    let datasets = views.datasets();
    let mut found = retry_while_out_of_memory(services, reservation, async || {
        let asked = (datasets.as_slice(), RecordSelection { caller: Some(views.caller()), most });
        Ok(lookup_for((services.batch_store(), services), services.shards(), asked, key, reservation).await?)
    })
    .await?;
    if let Some(ray) = key.ray() {
        let senders = found.cut.senders.iter().map(|zone| (ray, zone.clone())).collect();
        let judged = JudgedRays { senders, ..JudgedRays::default() };
        let bound = remove_foreign_spans(services, views, &mut found.records, judged, reservation).await?;
        found.cut.senders.retain(|zone| !bound.is_foreign(ray, zone));
        found.cut.settle();
    }
    let is_known = !found.records.is_empty();
    with_cost(services, views, key, started, (found, is_known))
}

/// Returns what was found with what that cost, if the caller may know it; the problem if no record of the ray is known.
fn with_cost(
    services: &impl Services,
    views: &DatasetViews,
    key: &RayKey,
    started: i64,
    (mut found, is_known): (LookupResult, bool),
) -> Result<(LookupResult, Option<LookupCost>), Problem> {
    let (now, has_batches) = (services.now_ms(), views.visibility().has_batches());
    if !has_batches {
        found.stats = ReadStats::default();
    }
    let cost = has_batches.then(|| LookupCost::new(&found.stats, now - started));
    if !is_known {
        let problem = nothing(views, key, &found, now);
        return Err(if let Some(cost) = cost { problem.with_cost(cost) } else { problem });
    }
    Ok((found, cost))
}

/// The problem of a lookup without records.
fn nothing(views: &DatasetViews, key: &RayKey, found: &LookupResult, now_ms: i64) -> Problem {
    if found.stats.batches_gone + found.stats.batches_unreadable > 0 {
        return problems::batch_unreadable();
    }
    match key {
        RayKey::Ray(_) => problems::ray_not_found(key, now_ms),
        RayKey::Nonstandard(_) if key.is_trace_id() && !views.lacks(Dataset::Traces) => problems::trace_not_found(),
        RayKey::Nonstandard(_) if key.is_trace_id() => problems::trace_without_dataset(),
        // Ids of other forms exist in logs; one that no log has is most likely a slip.
        RayKey::Nonstandard(_) => problems::not_a_ray(),
    }
}
