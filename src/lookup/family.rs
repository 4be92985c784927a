//! Finds the records of a ray together with those of its family: the requests that caused it and those that it caused,
//! however far away.
//!
//! A shard walks the rays of its own window itself, so a usual family is one call. Where a child is of another window, its
//! shard is asked in turn; where a record names a parent that its shard did not find, that one's shard is.
//!
//! # Invariants
//!
//! A link counts only if a record that the caller sees names it: what is hidden connects nothing. Calls and records are
//! bounded, and a family that is cut says so. The records of the ray itself come first.

use std::collections::{BTreeMap, BTreeSet};

use super::{FoundRecord, LookupError, LookupResult, batches_read, copies, read_candidates};
use crate::access::Caller;
use crate::backend::{BatchStore, Bucket, DurableObjects, Turns};
use crate::index::ShardName;
use crate::index::calls::{Candidate, FamilyPart, FindFamily};
use crate::limits::{FAMILY_CALLS, FAMILY_RAYS, FAMILY_SPANS, LOOKUP_SPANS};
use crate::memory::Reservation;
use crate::record::{Dataset, MergedChild, MergedChildren, RayId, RayKey, RecordKey, read_key_by};
use crate::rpc;
use crate::span_reader::ReadStats;

/// A record of a family, with the rays that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KinRecord {
    /// Its ray.
    pub ray: RayId,
    /// The request that caused it, as it says.
    pub parent: Option<RayId>,
    /// The records inside of it, in their order.
    pub children: Vec<MergedChild>,
    /// The record.
    pub record: FoundRecord,
}

/// The outcome of looking up a family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FamilyLookup {
    /// The records of the ray, then those of its family.
    pub records: Vec<KinRecord>,
    /// Whether the family has more members or records than were looked for, or some could not be read.
    pub truncated: bool,
    /// Whether the ray itself has more records than these.
    pub is_cut_within: bool,
    /// The work, with the batches that should hold records of the ray itself but are gone or unreadable.
    pub stats: ReadStats,
}

/// Finds the records of `ray` and of its family, those that the caller sees. The memory of the results is reserved in
/// `reservation`.
///
/// # Errors
/// [`LookupError`] if a shard or the bucket failed, or the memory is used up.
pub async fn lookup_family(
    (store, turns): (BatchStore<'_, impl Bucket>, &impl Turns),
    shards: &impl DurableObjects,
    (datasets, caller): (&[Dataset], Option<&Caller>),
    ray: RayId,
    reservation: &Reservation,
) -> Result<FamilyLookup, LookupError> {
    let mut search = FamilySearch { spans_left: FAMILY_SPANS, ..FamilySearch::default() };
    search.ask(shards, datasets, vec![ray], reservation).await?;
    let (most, counts_batches) = batches_read(caller);
    let own = search.own_batches(ray);
    let keys = BTreeSet::from([RayKey::Ray(ray)]);
    let candidates = own.iter().take(most).map(|candidate| (&keys, candidate));
    let before = std::mem::take(&mut search.found);
    search.found = read_candidates((store, turns), candidates, caller, reservation, before).await?;
    let is_cut_within = search.found.truncated || counts_batches && own.len() > most;
    let own_lost = (search.found.stats.batches_gone, search.found.stats.batches_unreadable);
    loop {
        let batches = search.other_batches();
        let candidates = batches.iter().map(|(keys, candidate)| (keys, candidate));
        let before = std::mem::take(&mut search.found);
        search.found = read_candidates((store, turns), candidates, caller, reservation, before).await?;
        let parents = search.unasked_parents(store, ray);
        if parents.is_empty() {
            break;
        }
        search.ask(shards, datasets, parents, reservation).await?;
    }
    let FamilySearch { found, truncated, order, .. } = search;
    let LookupResult { records, truncated: is_cut, mut stats } = found;
    let truncated = truncated || is_cut || (stats.batches_gone, stats.batches_unreadable) != own_lost;
    (stats.batches_gone, stats.batches_unreadable) = own_lost;
    let records = in_order(store, records, ray, &order);
    let records = copies::merge_copies(records).into_iter().filter_map(|record| kin_record(store, record));
    let (records, beyond): (Vec<KinRecord>, Vec<usize>) = records.unzip();
    let truncated = truncated || beyond.into_iter().any(|beyond| beyond > 0);
    Ok(FamilyLookup { records, truncated, is_cut_within, stats })
}

/// Orders records by ray, that of the lookup first; those of a ray by the order in which its own batches were indexed, then
/// as they are in the batch. So their order is a function of them alone.
fn in_order(
    store: BatchStore<'_, impl Bucket>,
    records: Vec<FoundRecord>,
    first: RayId,
    order: &BTreeMap<(RayId, Dataset, String), usize>,
) -> Vec<FoundRecord> {
    let mut keyed: Vec<_> = records
        .into_iter()
        .filter_map(|record| {
            let (ray, _) = named_rays(store, &record)?;
            let nth = order.get(&(ray, record.dataset, record.object.key.clone())).copied().unwrap_or(usize::MAX);
            Some(((ray != first, ray, nth, record.offset), record))
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, record)| record).collect()
}

/// Returns the ray of a record, and the parent that it names, or that the line names which it is inside of.
fn named_rays(store: BatchStore<'_, impl Bucket>, record: &FoundRecord) -> Option<(RayId, Option<RayId>)> {
    let KinKey { ray, parent, .. } = kin_key(store, record)?;
    Some((ray, parent))
}

/// What a record of a family says of the rays around it.
struct KinKey {
    ray: RayId,
    parent: Option<RayId>,
    children: Vec<MergedChild>,
    /// Number of the records inside of it that are not found by their rays.
    beyond: usize,
}

fn kin_key(store: BatchStore<'_, impl Bucket>, record: &FoundRecord) -> Option<KinKey> {
    let names = store.prefixes.key_names(&record.object.key, record.dataset);
    let RecordKey { ray, parent, merged, .. } = read_key_by(&names, &record.line).ok()?;
    let of_line = || record.merged.as_ref()?.ray.as_ref()?.ray();
    // Records inside of one that is inside of another are not found by their rays.
    let MergedChildren { children, beyond } =
        merged.filter(|_| record.merged.is_none()).map_or_else(MergedChildren::default, |merged| *merged);
    Some(KinKey { ray: ray?.ray()?, parent: parent.or_else(of_line), children, beyond })
}

/// Returns a record with the rays that it names, and how many records inside of it are not found by theirs.
fn kin_record(store: BatchStore<'_, impl Bucket>, record: FoundRecord) -> Option<(KinRecord, usize)> {
    let KinKey { ray, parent, children, beyond } = kin_key(store, &record)?;
    Some((KinRecord { ray, parent, children, record }, beyond))
}

/// A batch, by dataset and key.
type BatchPlace = (Dataset, String);

/// The places of rays in batches.
type RayPlaces = BTreeMap<RayId, Candidate>;

/// What is known of a family so far.
#[derive(Default)]
struct FamilySearch {
    /// The rays whose shards were asked for them.
    asked: BTreeSet<RayId>,
    calls: usize,
    truncated: bool,
    /// The batches that hold rays of the family and are not read yet.
    batches: BTreeMap<BatchPlace, RayPlaces>,
    /// For each ray and each of its batches, how many of its own were indexed before.
    order: BTreeMap<(RayId, Dataset, String), usize>,
    /// The number of spans that may still be read for others than the ray itself.
    spans_left: usize,
    found: LookupResult,
    /// The parents that the records name, and the number of records that were asked for them.
    parents: BTreeMap<RayId, BTreeSet<RayId>>,
    parsed: usize,
    /// The memory of what the shards answered.
    held: Vec<Reservation>,
}

impl FamilySearch {
    /// Asks shards for these rays and for their ancestors, then for all descendants in other shards.
    async fn ask(
        &mut self,
        shards: &impl DurableObjects,
        datasets: &[Dataset],
        from: Vec<RayId>,
        reservation: &Reservation,
    ) -> Result<(), LookupError> {
        let (mut from, mut ancestors) = (from, true);
        while !from.is_empty() {
            let mut by_prefix: BTreeMap<u32, Vec<RayId>> = BTreeMap::new();
            for ray in from {
                if self.asked.insert(ray) {
                    by_prefix.entry(ray.prefix()).or_default().push(ray);
                }
            }
            let mut children = Vec::new();
            for (prefix, rays) in by_prefix {
                if self.calls >= FAMILY_CALLS || self.asked.len() > FAMILY_RAYS {
                    self.truncated = true;
                    return Ok(());
                }
                self.calls += 1;
                self.found.stats.shards_asked += 1;
                let rays = rays.iter().map(RayId::to_string).collect();
                let find = FindFamily { rays, datasets: datasets.to_vec(), ancestors };
                let shard = ShardName::for_prefix(prefix).to_string();
                let answer = rpc::call_held(shards, reservation.budget(), &shard, &find).await?;
                let (part, held) = answer.into_parts();
                self.held.push(held);
                children.extend(self.take(&part, prefix));
            }
            (from, ancestors) = (children, false);
        }
        Ok(())
    }

    /// Takes the answer of a shard; returns the children that are of other shards.
    fn take(&mut self, part: &FamilyPart, prefix: u32) -> Vec<RayId> {
        self.truncated |= part.truncated;
        let mut counts: BTreeMap<RayId, usize> = BTreeMap::new();
        for member in &part.members {
            let Some(ray) = RayId::from_hex(member.ray.as_bytes()) else { continue };
            self.asked.insert(ray);
            let Candidate { dataset, object, .. } = &member.candidate;
            let nth = counts.entry(ray).or_default();
            if self.order.insert((ray, *dataset, object.key.clone()), *nth).is_none() {
                let place = self.batches.entry((*dataset, object.key.clone())).or_default();
                place.insert(ray, member.candidate.clone());
            }
            *nth += 1;
        }
        let mut children = Vec::new();
        for link in &part.links {
            // The shard has walked from the parent, of which there may be no record.
            self.asked.extend(RayId::from_hex(link.parent.as_bytes()));
            children.extend(RayId::from_hex(link.child.as_bytes()).filter(|child| child.prefix() != prefix));
        }
        children.retain(|child| !self.asked.contains(child));
        children
    }

    /// Takes the places of this ray, in the order in which its batches were indexed.
    fn own_batches(&mut self, ray: RayId) -> Vec<Candidate> {
        let own = self.batches.values_mut().filter_map(|rays| rays.remove(&ray));
        let mut own: Vec<Candidate> = own.collect();
        let order = &self.order;
        own.sort_by_key(|candidate| order.get(&(ray, candidate.dataset, candidate.object.key.clone())).copied());
        own
    }

    /// Takes the batches that are to be read, each with rays and all their places, and few spans at a time: a batch of
    /// which many spans are wanted would be read in full.
    fn other_batches(&mut self) -> Vec<(BTreeSet<RayKey>, Candidate)> {
        let mut groups: Vec<(BTreeSet<RayKey>, Candidate)> = Vec::new();
        for (_, rays) in std::mem::take(&mut self.batches) {
            let mut open: Option<(BTreeSet<RayKey>, Candidate)> = None;
            for (ray, candidate) in rays {
                let key = RayKey::Ray(ray);
                open = match open.take() {
                    Some((mut keys, mut known)) if span_count(&known, Some(&candidate)) <= LOOKUP_SPANS => {
                        keys.insert(key);
                        known.join(candidate.spans, candidate.extents);
                        Some((keys, known))
                    }
                    full => {
                        groups.extend(full);
                        Some((BTreeSet::from([key]), candidate))
                    }
                };
            }
            groups.extend(open);
        }
        groups.retain(|(_, candidate)| {
            let spans = span_count(candidate, None).max(1);
            let fits = spans <= self.spans_left;
            self.spans_left -= if fits { spans } else { 0 };
            self.truncated |= !fits;
            fits
        });
        groups
    }

    /// Returns the parents that records name, and that were not asked for: of the ray and of its ancestors.
    fn unasked_parents(&mut self, store: BatchStore<'_, impl Bucket>, ray: RayId) -> Vec<RayId> {
        for record in self.found.records.iter().skip(self.parsed) {
            let Some((ray, Some(parent))) = named_rays(store, record) else { continue };
            self.parents.entry(ray).or_default().insert(parent);
        }
        self.parsed = self.found.records.len();
        let (mut level, mut seen) = (vec![ray], BTreeSet::from([ray]));
        while let Some(ray) = level.pop() {
            level.extend(self.parents.get(&ray).into_iter().flatten().filter(|parent| seen.insert(**parent)));
        }
        seen.into_iter().filter(|ray| !self.asked.contains(ray)).collect()
    }
}

/// Returns the number of spans of one or two places.
fn span_count(one: &Candidate, other: Option<&Candidate>) -> usize {
    let spans = one.spans.iter().chain(other.into_iter().flat_map(|other| &other.spans));
    spans.collect::<BTreeSet<_>>().len()
}
