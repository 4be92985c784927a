//! Spans of senders with zones under rays of other zones: who may send spans may name any ray in them.
//!
//! # Invariants
//! A span that says the zone of its sender is foreign to a ray once a record of the request says another zone, and none says this
//! one. Spans say nothing of the zone of a ray.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::RecordZone;
use crate::backend::{BatchStore, Bucket};
use crate::lookup::FoundRecord;
use crate::record::{Dataset, RayId, read_key_by};

/// What the records of a ray say of the zone of a span's sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SpanStanding {
    /// No record of the ray says a zone.
    Unknown,
    /// Records say other zones.
    Foreign,
    /// A record is of the zone.
    Own,
}

/// The spans among records that senders with zones brought, with the rays that they are shown under.
#[derive(Debug, Default)]
pub(crate) struct BoundSpans {
    /// By the place of each among the records: its ray and the zone.
    spans: BTreeMap<usize, (RayId, String)>,
    standings: BTreeMap<(RayId, String), SpanStanding>,
}

impl BoundSpans {
    /// Finds them; `ray` is the one that they are shown under, if it is the same of all.
    pub(crate) fn find(store: BatchStore<'_, impl Bucket>, records: &[FoundRecord], ray: Option<RayId>) -> Self {
        let mut found = Self::default();
        for (nth, record) in records.iter().enumerate() {
            let Some(zone) = record.sender_zone() else { continue };
            let Some(ray) = ray.or_else(|| ray_of(store, record)) else { continue };
            found.add(ray, &zone);
            found.spans.insert(nth, (ray, zone));
        }
        found
    }

    /// Adds senders of a zone under a ray, of which none of the records may be.
    pub(crate) fn add(&mut self, ray: RayId, zone: &str) {
        self.standings.insert((ray, zone.to_owned()), SpanStanding::Unknown);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.standings.is_empty()
    }

    /// Takes what records say of the zones of their rays.
    pub(crate) fn judge(&mut self, store: BatchStore<'_, impl Bucket>, records: &[FoundRecord]) {
        if self.is_empty() {
            return;
        }
        for record in records.iter().filter(|record| record.dataset != Dataset::Traces) {
            let Some(ray) = ray_of(store, record) else { continue };
            let mut standings = self.standings.iter_mut().filter(|((of, _), _)| *of == ray).peekable();
            if standings.peek().is_none() {
                continue;
            }
            let Some(said) = RecordZone::of(record.dataset, record.unsaid_zone(), &record.line) else { continue };
            for ((_, zone), standing) in standings {
                *standing = (*standing).max(SpanStanding::of(&said, zone));
            }
        }
    }

    /// Returns the rays whose zone no record has said so far.
    pub(crate) fn unknown_rays(&self) -> BTreeSet<RayId> {
        let unknown = self.standings.iter().filter(|(_, standing)| **standing == SpanStanding::Unknown);
        unknown.map(|((ray, _), _)| *ray).collect()
    }

    /// Returns the places of the spans that are foreign to their rays.
    pub(crate) fn foreign(&self) -> BTreeSet<usize> {
        self.spans.iter().filter(|(_, (ray, zone))| self.is_foreign(*ray, zone)).map(|(nth, _)| *nth).collect()
    }

    /// Returns whether the spans of a zone's senders are foreign to a ray.
    pub(crate) fn is_foreign(&self, ray: RayId, zone: &str) -> bool {
        self.standings.get(&(ray, zone.to_owned())) == Some(&SpanStanding::Foreign)
    }

    /// Returns the ray of the first span whose ray is of the zone of its sender.
    pub(crate) fn first_own_ray(&self) -> Option<RayId> {
        let is_own = |of: &&(RayId, String)| self.standings.get(*of) == Some(&SpanStanding::Own);
        self.spans.values().find(is_own).map(|(ray, _)| *ray)
    }
}

impl SpanStanding {
    /// What a record that says its own zone says of a sender's.
    pub(crate) fn of(said: &RecordZone, zone: &str) -> Self {
        if said.is(zone) { Self::Own } else { Self::Foreign }
    }
}

/// Returns the ray of a record.
pub(crate) fn ray_of(store: BatchStore<'_, impl Bucket>, record: &FoundRecord) -> Option<RayId> {
    let names = store.prefixes.key_names(&record.object.key, record.dataset);
    read_key_by(&names, &record.line).ok()?.ray?.ray()
}
