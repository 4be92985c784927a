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

use super::{FoundRecord, LookupError, LookupResult, copies, read_candidates};
use crate::access::Caller;
use crate::backend::{BatchStore, Bucket, DurableObjects, Turns};
use crate::index::ShardName;
use crate::index::calls::{Candidate, FamilyPart, FindFamily};
use crate::limits::{FAMILY_CALLS, FAMILY_RAYS, LOOKUP_BATCHES, LOOKUP_BATCHES_UNSEEN};
use crate::memory::Reservation;
use crate::record::{Dataset, RayId, RayKey, read_key_by};
use crate::rpc;
use crate::span_reader::ReadStats;

/// A record of a family, with the rays that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KinRecord {
    /// Its ray.
    pub ray: RayId,
    /// The request that caused it, as it says.
    pub parent: Option<RayId>,
    /// The record.
    pub record: FoundRecord,
}

/// The outcome of looking up a family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FamilyLookup {
    /// The records of the ray, then those of its family.
    pub records: Vec<KinRecord>,
    /// Whether the family has more members or records than were looked for.
    pub truncated: bool,
    /// Whether the ray itself may have more records than these.
    pub is_cut_within: bool,
    /// The work, with the batches that should hold records but are gone or unreadable.
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
    let mut search = FamilySearch::default();
    let mut from = vec![ray];
    // Batches may hold hidden records alone, so their number must not show.
    let counts_batches = caller.is_none_or(|caller| caller.visibility().has_batches());
    let most = if counts_batches { LOOKUP_BATCHES } else { LOOKUP_BATCHES_UNSEEN };
    while !from.is_empty() {
        search.ask(shards, datasets, from, reservation).await?;
        let batches = search.unread_batches(ray);
        search.truncated |= counts_batches && batches.len() > most;
        let candidates = batches.iter().take(most).map(|(keys, candidate)| (keys, candidate));
        let before = std::mem::take(&mut search.found);
        search.found = read_candidates((store, turns), candidates, caller, reservation, before).await?;
        from = search.unasked_parents(store, ray);
    }
    let FamilySearch { found, truncated, .. } = search;
    let LookupResult { records, truncated: is_cut, stats } = found;
    let records = copies::merge_copies(records).into_iter().filter_map(|record| kin_record(store, record));
    let records: Vec<KinRecord> = records.collect();
    // Those of the ray come first, so they are whole if one of another follows.
    let is_cut_within = (truncated || is_cut) && records.iter().all(|record| record.ray == ray);
    Ok(FamilyLookup { records, truncated: truncated || is_cut, is_cut_within, stats })
}

/// Reads which rays a record names.
fn kin_record(store: BatchStore<'_, impl Bucket>, record: FoundRecord) -> Option<KinRecord> {
    let names = store.prefixes.key_names(&record.object.key, record.dataset);
    let key = read_key_by(&names, &record.line).ok()?;
    Some(KinRecord { ray: key.ray?.ray()?, parent: key.parent, record })
}

/// A batch in one version.
type BatchPlace = (Dataset, String, String);

/// The places of rays in batches.
type RayPlaces = BTreeMap<RayId, Candidate>;

/// What is known of a family so far.
#[derive(Default)]
struct FamilySearch {
    /// The rays whose shards were asked for them.
    asked: BTreeSet<RayId>,
    calls: usize,
    truncated: bool,
    /// The batches that hold rays of the family and are not read yet, in the order in which they were named.
    batches: Vec<(BatchPlace, RayPlaces)>,
    /// The rays that were read in each batch.
    read: BTreeSet<(BatchPlace, RayId)>,
    found: LookupResult,
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
        for member in &part.members {
            let Some(ray) = RayId::from_hex(member.ray.as_bytes()) else { continue };
            self.asked.insert(ray);
            let Candidate { dataset, object, .. } = &member.candidate;
            let place = (*dataset, object.key.clone(), object.etag.clone());
            if !self.read.insert((place.clone(), ray)) {
                continue;
            }
            match self.batches.iter_mut().find(|(known, _)| *known == place) {
                Some((_, rays)) => drop(rays.insert(ray, member.candidate.clone())),
                None => self.batches.push((place, BTreeMap::from([(ray, member.candidate.clone())]))),
            }
        }
        let children = part.links.iter().filter_map(|link| RayId::from_hex(link.child.as_bytes()));
        children.filter(|child| child.prefix() != prefix && !self.asked.contains(child)).collect()
    }

    /// Takes the batches that are to be read, each with its rays and all their places: those of `first` come first.
    fn unread_batches(&mut self, first: RayId) -> Vec<(BTreeSet<RayKey>, Candidate)> {
        let mut batches = std::mem::take(&mut self.batches);
        batches.sort_by_key(|(_, rays)| !rays.contains_key(&first));
        let mut own = Vec::new();
        let mut others = Vec::new();
        for (_, mut rays) in batches {
            if let Some(candidate) = rays.remove(&first) {
                own.push((BTreeSet::from([RayKey::Ray(first)]), candidate));
            }
            let keys: BTreeSet<RayKey> = rays.keys().copied().map(RayKey::Ray).collect();
            others.extend(joined(rays.into_values()).map(|candidate| (keys, candidate)));
        }
        own.extend(others);
        own
    }

    /// Returns the parents that records name, and that were not asked for: of the ray and of its ancestors.
    fn unasked_parents(&self, store: BatchStore<'_, impl Bucket>, ray: RayId) -> Vec<RayId> {
        let mut parents: BTreeMap<RayId, BTreeSet<RayId>> = BTreeMap::new();
        for record in &self.found.records {
            let names = store.prefixes.key_names(&record.object.key, record.dataset);
            let Ok(key) = read_key_by(&names, &record.line) else { continue };
            let Some((ray, parent)) = key.ray.and_then(|ray| ray.ray()).zip(key.parent) else { continue };
            parents.entry(ray).or_default().insert(parent);
        }
        let (mut level, mut seen) = (vec![ray], BTreeSet::from([ray]));
        while let Some(ray) = level.pop() {
            level.extend(parents.get(&ray).into_iter().flatten().filter(|parent| seen.insert(**parent)));
        }
        seen.into_iter().filter(|ray| !self.asked.contains(ray)).collect()
    }
}

/// Joins the places of several rays in one batch.
fn joined(candidates: impl Iterator<Item = Candidate>) -> Option<Candidate> {
    candidates.reduce(|mut all, one| {
        all.spans.extend(one.spans);
        all.spans.sort_unstable();
        all.extents.extend(one.extents);
        all.extents.sort_unstable_by_key(|extent| extent.number);
        all.extents.dedup_by_key(|extent| extent.number);
        all
    })
}
