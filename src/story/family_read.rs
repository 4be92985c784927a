//! What is found of some rays of a family while they are read.
//!
//! # Invariants
//! Memory is bounded: a record that is not part of the answer is dropped once its facts are taken, and the records of one ray
//! stay within the bounds of a lookup.

use std::collections::BTreeMap;

use super::facts::{KinRecord, RayFacts};
use super::reads::ReadGroup;
use crate::backend::{BatchStore, Bucket};
use crate::index::calls::Candidate;
use crate::lookup::{FoundRecord, LookupResult, RecordRoom};
use crate::memory::Reservation;
use crate::record::{RayId, RayKey};
use crate::span_reader::ReadStats;

/// The records of a ray as they are found.
#[derive(Debug)]
pub(super) struct KeptRecords {
    /// Each with the number of its batch among those of the ray.
    records: Vec<(usize, KinRecord)>,
    room: RecordRoom,
}

impl KeptRecords {
    fn new(most: usize) -> Self {
        Self { records: Vec::new(), room: RecordRoom::new(most) }
    }

    /// Returns the records in the order of their batches.
    pub(super) fn in_order(mut self) -> Vec<KinRecord> {
        self.records.sort_by_key(|(nth, kin)| (*nth, kin.record.offset));
        self.records.into_iter().map(|(_, kin)| kin).collect()
    }

    /// Whether the record was found before: a batch that is read in full yields those of all its spans.
    fn has(&self, record: &FoundRecord) -> bool {
        let is_same = |known: &FoundRecord| {
            known.offset == record.offset && known.object == record.object && known.line == record.line
        };
        self.records.iter().any(|(_, kin)| is_same(&kin.record))
    }
}

/// The records of some rays, while they are read.
pub(super) struct FamilyRead<'p> {
    pub(super) facts: BTreeMap<RayId, RayFacts>,
    pub(super) kept: BTreeMap<RayId, KeptRecords>,
    places: &'p BTreeMap<RayId, Vec<Candidate>>,
    /// The most records that are kept of each ray; `None` if they are not part of the answer.
    keeps: Option<usize>,
    /// Whether a batch is gone or unreadable.
    pub(super) is_lost: bool,
    pub(super) stats: ReadStats,
}

impl<'p> FamilyRead<'p> {
    /// Begins to read these rays; `keeps` says how many records of each are part of the answer, if any are.
    pub(super) fn new(rays: &[RayId], places: &'p BTreeMap<RayId, Vec<Candidate>>, keeps: Option<usize>) -> Self {
        let facts = rays.iter().map(|ray| (*ray, RayFacts::default())).collect();
        let kept = BTreeMap::new();
        Self { facts, kept, places, keeps, is_lost: false, stats: ReadStats::default() }
    }

    /// Takes what was found in a group of places.
    pub(super) fn take(
        &mut self,
        store: BatchStore<'_, impl Bucket>,
        result: LookupResult,
        group: Option<&ReadGroup>,
        reservation: &Reservation,
    ) {
        let LookupResult { records, cut, stats } = result;
        self.is_lost |= stats.batches_gone + stats.batches_unreadable > 0;
        self.stats += ReadStats { batches_gone: 0, batches_unreadable: 0, ..stats };
        if cut.is_any() {
            let rays = group.into_iter().flat_map(|group| &group.keys).filter_map(RayKey::ray);
            for ray in rays {
                self.facts.entry(ray).or_default().take_cut(cut.clone());
            }
        }
        for record in records {
            let held = record.held_bytes();
            if !self.take_record(store, record) {
                reservation.release(held);
            }
        }
    }

    /// Takes a record; returns whether it is kept.
    fn take_record(&mut self, store: BatchStore<'_, impl Bucket>, record: FoundRecord) -> bool {
        let Some(kin) = KinRecord::read(store, record) else { return false };
        let Some(facts) = self.facts.get_mut(&kin.ray) else { return false };
        facts.take(&kin);
        let Some(most) = self.keeps else { return false };
        let kept = self.kept.entry(kin.ray).or_insert_with(|| KeptRecords::new(most));
        if kept.has(&kin.record) {
            return false;
        }
        if !kept.room.take(kin.sender.as_deref(), kin.record.line.len()) {
            facts.take_cut(std::mem::take(&mut kept.room.cut));
            return false;
        }
        let is_of =
            |place: &Candidate| place.dataset == kin.record.dataset && place.object.key == kin.record.object.key;
        let nth = self.places.get(&kin.ray).and_then(|places| places.iter().position(is_of)).unwrap_or(usize::MAX);
        kept.records.push((nth, kin));
        true
    }
}
