//! The work of finding a family: asks shards for links and places, and reads records.
//!
//! # Invariants
//! Calls and spans are bounded. The records of a ray are read in full, or it is not known.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{KinRecord, RayFacts};
use super::family_read::FamilyRead;
use super::reads::{ReadGroup, plan_reads};
use super::walk::{KnownFamily, WalkNeeds};
use crate::backend::{BatchStore, Bucket, DurableObjects, Turns};
use crate::erasure::ErasedLines;
use crate::index::ShardName;
use crate::index::calls::{Candidate, FamilyPart, FamilyStart, FindFamily, RayChildren, RayPlaces};
use crate::limits::{
    FAMILY_CALLS, FAMILY_LEVELS, FAMILY_LINK_BYTES, FAMILY_OPERATIONS, FAMILY_PLACE_BYTES, FAMILY_RAYS, FAMILY_SPANS,
    SENDER_CUT_BYTES, TREE_NODE_BYTES,
};
use crate::lookup::{LookupError, LookupResult, RecordSelection, batches_read, read_candidates, read_each};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{Dataset, RayId, RayKey};
use crate::rpc;
use crate::span_reader::ReadStats;

/// What a search reads from, and for whom.
#[derive(Debug)]
pub(super) struct FamilyReads<'s, B, T, D> {
    pub(super) store: BatchStore<'s, B>,
    pub(super) turns: &'s T,
    pub(super) shards: &'s D,
    pub(super) datasets: &'s [Dataset],
    pub(super) selection: RecordSelection<'s>,
    pub(super) reservation: &'s Reservation,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct FamilySearch<'s, B, T, D> {
    reads: FamilyReads<'s, B, T, D>,
    /// Maximum number of children in the answer of a shard.
    links: usize,
    pub(super) known: KnownFamily,
    /// The batches of rays whose records are not read yet.
    places: BTreeMap<RayId, Vec<Candidate>>,
    /// What may have caused the ray, as its shard says.
    ancestors: Vec<RayId>,
    /// The records of the ray itself.
    pub(super) own: Vec<KinRecord>,
    /// The records of others, where they are part of the answer.
    kept: BTreeMap<RayId, Vec<KinRecord>>,
    keeps: bool,
    calls_left: usize,
    spans_left: usize,
    has_read: bool,
    /// Whether something is missing that no page has.
    pub(super) is_cut: bool,
    /// Rays, and zones of senders of whose spans some are missing there.
    pub(super) cut_senders: BTreeSet<(RayId, String)>,
    pub(super) stats: ReadStats,
    /// The memory of what is known.
    room: Reservation,
}

impl<'s, B: Bucket, T: Turns, D: DurableObjects> FamilySearch<'s, B, T, D> {
    pub(super) fn new(reads: FamilyReads<'s, B, T, D>, rays: usize) -> Result<Self, OutOfMemory> {
        let room = reads.reservation.budget().reserve(0)?;
        let (_, counts_batches) = batches_read(reads.selection.caller);
        // One more shows whether a page is full. Any number of links may be to hidden records.
        let links = if counts_batches { rays.min(FAMILY_RAYS) + 1 } else { FAMILY_RAYS + 1 };
        Ok(Self {
            reads,
            links,
            known: KnownFamily::default(),
            places: BTreeMap::new(),
            ancestors: Vec::new(),
            own: Vec::new(),
            kept: BTreeMap::new(),
            keeps: false,
            calls_left: FAMILY_CALLS,
            spans_left: FAMILY_SPANS,
            has_read: false,
            is_cut: false,
            cut_senders: BTreeSet::new(),
            stats: ReadStats::default(),
            room,
        })
    }

    /// Asks for the ray and reads its own records; returns whether there are more of them.
    pub(super) async fn read_own(&mut self, ray: RayId, ancestors: bool) -> Result<bool, LookupError> {
        self.ask(&[(ray, None)], ancestors).await?;
        let own = self.places.remove(&ray).unwrap_or_default();
        let (most, counts_batches) = batches_read(self.reads.selection.caller);
        let keys = BTreeSet::from([RayKey::Ray(ray)]);
        let candidates = own.iter().take(most).map(|candidate| (&keys, candidate));
        let FamilyReads { store, turns, selection, reservation, .. } = self.reads;
        let before = LookupResult { stats: std::mem::take(&mut self.stats), ..LookupResult::default() };
        let found = read_candidates((store, turns), candidates, selection, reservation, before).await?;
        let batches = own.len().min(most);
        self.spans_left = FAMILY_SPANS.min(FAMILY_OPERATIONS.saturating_sub(FAMILY_CALLS + 2 * batches) / 2);
        self.stats = found.stats;
        let mut facts = RayFacts::default();
        for record in found.records {
            if let Some(kin) = KinRecord::read(store, record) {
                facts.take(&kin);
                self.own.push(kin);
            }
        }
        facts.remove_foreign(&mut self.own, reservation);
        self.known.facts.insert(ray, facts);
        self.cut_senders.extend(found.cut.senders.into_iter().map(|zone| (ray, zone)));
        Ok(found.cut.truncated || counts_batches && own.len() > most)
    }

    /// Follows the parents that records name from the ray to the top; returns the ray there, and whether a circle ended the
    /// way: then it is the first ray of the circle by its digits, whichever of its family was asked for.
    pub(super) async fn climb(&mut self, ray: RayId) -> Result<(RayId, bool), LookupError> {
        let ancestors = std::mem::take(&mut self.ancestors);
        self.read(&ancestors, usize::MAX).await?;
        let mut way = vec![ray];
        loop {
            let top = way.last().copied().unwrap_or(ray);
            if !self.read_one(top).await? {
                self.is_cut = true;
                return Ok((top, false));
            }
            let Some((_, parent)) = self.known.facts.get(&top).and_then(RayFacts::parent) else {
                return Ok((top, false));
            };
            self.known.spine.insert(parent, top);
            if let Some(circle) = way.iter().position(|known| *known == parent).and_then(|from| way.get(from..)) {
                return Ok((circle.iter().min().copied().unwrap_or(top), true));
            }
            if way.len() > FAMILY_LEVELS {
                self.is_cut = true;
                return Ok((top, false));
            }
            way.push(parent);
        }
    }

    /// Reads the records of a ray, whose shard may not be asked yet; returns whether they are known.
    async fn read_one(&mut self, ray: RayId) -> Result<bool, LookupError> {
        if !self.known.facts.contains_key(&ray) {
            if !self.places.contains_key(&ray) {
                self.ask(&[(ray, None)], true).await?;
                let more = std::mem::take(&mut self.ancestors);
                self.read(&more, usize::MAX).await?;
            }
            self.read(&[ray], 1).await?;
        }
        Ok(self.known.facts.contains_key(&ray))
    }

    /// Learns what a walk needs, the records of this number of rays at most; returns whether anything was learned.
    pub(super) async fn learn(&mut self, needs: &WalkNeeds, rays: usize) -> Result<bool, LookupError> {
        let asked: BTreeSet<RayId> = needs.children.iter().map(|(ray, _)| *ray).collect();
        let mut wanted = needs.children.clone();
        let unplaced = needs.records.iter().filter(|ray| !self.places.contains_key(ray) && !asked.contains(ray));
        wanted.extend(unplaced.map(|ray| (*ray, None)));
        let asked = self.ask(&wanted, false).await?;
        let read = self.read(&needs.records, rays).await?;
        Ok(asked || read)
    }

    /// Asks shards for the children of rays and for where their records are, as far as the calls go; returns whether any was
    /// asked.
    async fn ask(&mut self, wanted: &[(RayId, Option<RayId>)], ancestors: bool) -> Result<bool, LookupError> {
        let mut by_shard: Vec<(u32, Vec<FamilyStart>)> = Vec::new();
        for (ray, after) in wanted {
            let start = FamilyStart { ray: ray.to_string(), after: after.map(|after| after.to_string()) };
            match by_shard.iter_mut().find(|(prefix, _)| *prefix == ray.prefix()) {
                Some((_, starts)) if starts.len() >= self.links => {}
                Some((_, starts)) => starts.push(start),
                None => by_shard.push((ray.prefix(), vec![start])),
            }
        }
        by_shard.truncate(self.calls_left);
        let is_any = !by_shard.is_empty();
        for (prefix, rays) in by_shard {
            self.calls_left -= 1;
            self.stats.shards_asked += 1;
            let find = FindFamily { rays, datasets: self.reads.datasets.to_vec(), ancestors, limit: self.links };
            let shard = ShardName::for_prefix(prefix).to_string();
            let answer = rpc::call_held(self.reads.shards, self.room.budget(), &shard, &find).await?;
            let (part, _held) = answer.into_parts();
            // What is erased is known only of a request that is admitted.
            self.reads.store.logs.admitted().await;
            self.take(without_erased(part, &self.reads.store.erasures.lines()))?;
        }
        Ok(is_any)
    }

    /// Takes the answer of a shard.
    fn take(&mut self, part: FamilyPart) -> Result<(), OutOfMemory> {
        let links: usize = part.families.iter().map(|family| family.children.len() + 1).sum();
        let places: usize = part.places.iter().map(|places| places.batches.len() + 1).sum();
        self.room.reserve(links * FAMILY_LINK_BYTES + places * FAMILY_PLACE_BYTES)?;
        let ray_of = |digits: &String| RayId::from_hex(digits.as_bytes());
        for RayChildren { ray, children, more } in &part.families {
            let Some(ray) = ray_of(ray) else { continue };
            self.known.take_children(ray, children.iter().filter_map(ray_of), *more);
        }
        for RayPlaces { ray, batches } in part.places {
            let ray = ray_of(&ray).filter(|ray| !self.known.facts.contains_key(ray));
            self.places.extend(ray.map(|ray| (ray, batches)));
        }
        self.ancestors.extend(part.ancestors.iter().filter_map(ray_of));
        Ok(())
    }

    /// Reads the records of the first of these rays that are placed and not read, as far as the spans go; returns whether any
    /// are.
    async fn read(&mut self, rays: &[RayId], most: usize) -> Result<bool, LookupError> {
        let (batches, counts_batches) = batches_read(self.reads.selection.caller);
        let unread = rays.iter().filter(|ray| !self.known.facts.contains_key(ray));
        let placed = unread.filter_map(|ray| self.places.get(ray).map(|batches| (*ray, batches.as_slice())));
        let placed = placed.map(|(ray, all)| (ray, all.get(..batches).unwrap_or(all)));
        let plan = plan_reads(placed.take(most), self.spans_left, !self.has_read);
        self.spans_left = self.spans_left.saturating_sub(plan.spans);
        self.has_read |= !plan.rays.is_empty();
        let mut read = FamilyRead::new(&plan.rays, &self.places, self.keeps.then_some(self.most_records()));
        self.room.reserve(TREE_NODE_BYTES * plan.rays.len())?;
        let FamilyReads { store, turns, selection, reservation, .. } = self.reads;
        let mut groups = plan.groups;
        while !groups.is_empty() {
            let candidates = groups.iter().map(|group| (&group.keys, &group.candidate));
            let (mut again, mut nth): (Vec<ReadGroup>, _) = (Vec::new(), 0..);
            let take = |result: LookupResult| {
                let group = nth.next().and_then(|nth| groups.get(nth));
                match group.filter(|_| result.cut.is_any()).and_then(ReadGroup::halves) {
                    Some(halves) => {
                        result.records.iter().for_each(|record| reservation.release(record.held_bytes()));
                        again.extend(halves);
                    }
                    None => read.take(store, result, group, reservation),
                }
            };
            read_each((store, turns), candidates, selection, reservation, take).await?;
            groups = again;
        }
        let FamilyRead { facts, kept, is_lost, stats, .. } = read;
        // Those of batches that may hold hidden records alone are no records of a caller who is limited to zones.
        self.is_cut |= is_lost && counts_batches;
        self.stats += stats;
        for (ray, mut facts) in facts {
            facts.is_cut |= counts_batches && self.places.get(&ray).is_some_and(|all| all.len() > batches);
            self.places.remove(&ray);
            self.known.facts.insert(ray, facts);
        }
        for (ray, kept) in kept {
            let mut kept = kept.in_order();
            if let Some(facts) = self.known.facts.get(&ray) {
                facts.remove_foreign(&mut kept, reservation);
            }
            self.kept.insert(ray, kept);
        }
        Ok(!plan.rays.is_empty())
    }

    /// Says whether the records that are read from now on are part of the answer.
    pub(super) fn keep_records(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// Returns the maximum number of records of a ray, and of a page.
    pub(super) const fn most_records(&self) -> usize {
        self.reads.selection.most
    }

    /// Returns the records of a ray that were kept.
    pub(super) fn kept(&self, ray: RayId) -> &[KinRecord] {
        self.kept.get(&ray).map_or(&[], Vec::as_slice)
    }

    /// Returns of how many rays records were kept, and their size in bytes.
    pub(super) fn kept_size(&self) -> (usize, usize) {
        let bytes = self.kept.values().flatten().map(|kin| kin.record.line.len()).sum();
        (self.kept.len(), bytes)
    }

    /// Takes the records of a ray that were kept.
    pub(super) fn take_kept(&mut self, ray: RayId) -> Vec<KinRecord> {
        self.kept.remove(&ray).unwrap_or_default()
    }

    /// Drops the records that are not part of the answer.
    pub(super) fn drop_kept(&mut self) {
        for kin in std::mem::take(&mut self.kept).into_values().flatten() {
            self.reads.reservation.release(kin.record.held_bytes());
        }
    }

    /// Returns whether there is a record of the request with this ray.
    pub(super) fn has_request(&self, ray: RayId) -> bool {
        self.known.facts.get(&ray).is_some_and(RayFacts::has_request)
    }

    /// Returns those of these rays that requests are found by, as records say that were read, or else the index.
    pub(super) async fn find_requests(&mut self, rays: &BTreeSet<RayId>) -> Result<Vec<RayId>, LookupError> {
        let is_known = |ray: &&RayId| self.known.facts.contains_key(ray) || self.places.contains_key(ray);
        let unknown: Vec<_> = rays.iter().filter(|ray| !is_known(ray)).map(|ray| (*ray, None)).collect();
        self.ask(&unknown, false).await?;
        let is_of_request = |place: &Candidate| place.dataset == Dataset::HttpRequests;
        let is_placed = |ray: &RayId| self.places.get(ray).is_some_and(|places| places.iter().any(is_of_request));
        Ok(rays.iter().copied().filter(|ray| self.has_request(*ray) || is_placed(ray)).collect())
    }

    /// Notes what is missing of the records of these rays.
    pub(super) fn note_cuts(&mut self, rays: impl Iterator<Item = RayId>) -> Result<(), OutOfMemory> {
        for (ray, facts) in rays.filter_map(|ray| Some((ray, self.known.facts.get(&ray)?))) {
            self.is_cut |= facts.is_cut;
            for zone in facts.cut_senders() {
                self.room.reserve(SENDER_CUT_BYTES)?;
                self.cut_senders.insert((ray, zone.clone()));
            }
        }
        Ok(())
    }
}

/// Returns the answer of a shard without rays that are erased.
fn without_erased(mut part: FamilyPart, erased: &ErasedLines) -> FamilyPart {
    if erased.is_empty() {
        return part;
    }
    let stays = |digits: &String| RayKey::from_logged(digits).is_none_or(|ray| !erased.has_ray(&ray));
    part.families.retain(|family| stays(&family.ray));
    part.families.iter_mut().for_each(|family| family.children.retain(stays));
    part.places.retain(|places| stays(&places.ray));
    part.ancestors.retain(stays);
    part
}
