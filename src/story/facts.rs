//! What the records of a ray say of the requests around it.
//!
//! # Invariants
//! A ray has at most one parent: where records name several, the request that sent it, or else the first by its digits. It is
//! a function of the ray's records that the caller sees, so each ray has one place among all trees.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::LogType;
use super::foreign_spans::SpanStanding;
use crate::access::RecordZone;
use crate::backend::{BatchStore, Bucket};
use crate::limits::{RAY_ZONE_BYTES, RAY_ZONES};
use crate::lookup::{CopyKey, FoundRecord, RecordCut, copy_key};
use crate::memory::Reservation;
use crate::record::{Dataset, MergedChild, MergedChildren, RayId, RecordKey, read_key_by};

/// How a request came from its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// A Worker sent it while it served the parent: `ParentRayID`.
    Subrequest,
    /// It solved the challenge that the parent was answered with: `OriginatorRayID`.
    Challenge,
}

/// A record of a family, with the rays that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KinRecord {
    /// Its ray.
    pub ray: RayId,
    /// The request that caused it, as it says, or that of the line which it is inside of.
    pub parent: Option<RayId>,
    /// The records inside of it, in their order.
    pub children: Vec<MergedChild>,
    /// Number of the records inside of it that are not found by their rays.
    pub beyond: usize,
    /// The zone of its sender, if it is a span that says one.
    pub sender: Option<String>,
    /// The record.
    pub record: FoundRecord,
}

impl KinRecord {
    /// Reads the rays that a record names; `None` if its own is not one of 16 digits.
    pub(crate) fn read(store: BatchStore<'_, impl Bucket>, record: FoundRecord) -> Option<Self> {
        let names = store.prefixes.key_names(&record.object.key, record.dataset);
        let RecordKey { ray, parent, merged, .. } = read_key_by(&names, &record.line).ok()?;
        let of_line = || record.merged.as_ref()?.ray.as_ref()?.ray();
        let (ray, parent) = (ray?.ray()?, parent.or_else(of_line));
        // Records inside of one that is inside of another are not found by their rays.
        let MergedChildren { children, beyond } =
            merged.filter(|_| record.merged.is_none()).map_or_else(MergedChildren::default, |merged| *merged);
        let sender = record.sender_zone();
        Some(Self { ray, parent, children, beyond, sender, record })
    }

    /// Returns the request that caused this one, and how.
    pub(crate) fn link(&self) -> Option<(LinkKind, RayId)> {
        let link = if self.is_http() { LinkKind::Subrequest } else { LinkKind::Challenge };
        self.parent.filter(|parent| *parent != self.ray).map(|parent| (link, parent))
    }

    /// Whether it is the record of a request, rather than of something that happened to one.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.record.dataset == Dataset::HttpRequests
    }
}

/// What the records of one ray say.
#[derive(Debug, Clone, Default)]
pub(super) struct RayFacts {
    parents: BTreeSet<(LinkKind, RayId)>,
    pub(super) log_types: BTreeSet<LogType>,
    copies: BTreeSet<CopyKey>,
    /// The spans among these of senders with zones: their number, by zone.
    senders: BTreeMap<String, u64>,
    /// The zones that the other records say.
    zones: BTreeSet<RecordZone>,
    /// Whether they say more than are kept.
    has_more_zones: bool,
    /// Zones of senders of whose spans not all were read.
    cut_senders: BTreeSet<String>,
    /// Whether records inside of one are not found by their rays, or not all records of the ray were read.
    pub(super) is_cut: bool,
}

impl RayFacts {
    /// Takes another record of the ray.
    pub(super) fn take(&mut self, kin: &KinRecord) {
        self.is_cut |= kin.beyond > 0;
        self.parents.extend(kin.link());
        if !self.copies.insert(copy_key(&kin.record)) {
            return;
        }
        if kin.is_http() {
            self.log_types.extend(LogType::of_record(&kin.record.line));
        }
        if kin.record.dataset != Dataset::Traces {
            let said = RecordZone::of(kin.record.dataset, kin.record.unsaid_zone(), &kin.record.line);
            let Some(said) = said.filter(|said| !self.zones.contains(said)) else { return };
            if self.zones.len() < RAY_ZONES && said.len() <= RAY_ZONE_BYTES {
                self.zones.insert(said);
            } else {
                self.has_more_zones = true;
            }
        } else if let Some(zone) = &kin.sender {
            *self.senders.entry(zone.clone()).or_default() += 1;
        }
    }

    /// Takes what more there is of the ray than was read.
    pub(super) fn take_cut(&mut self, cut: RecordCut) {
        self.is_cut |= cut.truncated;
        self.cut_senders.extend(cut.senders);
    }

    /// Returns the zones of senders, whose spans are not known to be foreign, of whose spans not all were read.
    pub(super) fn cut_senders(&self) -> impl Iterator<Item = &String> {
        self.cut_senders.iter().filter(|zone| !self.is_foreign(zone))
    }

    /// Returns the number of spans of each sender with zones that are not known to be foreign.
    pub(super) fn senders(&self) -> BTreeMap<String, u64> {
        let counted = self.senders.iter().filter(|(zone, _)| !self.is_foreign(zone));
        counted.map(|(zone, count)| (zone.clone(), *count)).collect()
    }

    /// Removes the spans that are foreign to the ray from its records.
    pub(super) fn remove_foreign(&self, records: &mut Vec<KinRecord>, reservation: &Reservation) {
        records.retain(|kin| {
            let is_foreign = kin.sender.as_ref().is_some_and(|zone| self.is_foreign(zone));
            if is_foreign {
                reservation.release(kin.record.held_bytes());
            }
            !is_foreign
        });
    }

    /// Whether the records of the ray are of other zones than this one.
    fn is_foreign(&self, zone: &str) -> bool {
        let standing = self.zones.iter().map(|said| SpanStanding::of(said, zone)).max();
        !self.has_more_zones && standing == Some(SpanStanding::Foreign)
    }

    /// Returns the request that caused this one, and how.
    pub(super) fn parent(&self) -> Option<(LinkKind, RayId)> {
        self.parents.first().copied()
    }

    /// Returns the number of the ray's records, by dataset; copies are one, and foreign spans none.
    pub(super) fn records(&self) -> BTreeMap<Dataset, u64> {
        let mut records = BTreeMap::new();
        for (dataset, ..) in &self.copies {
            *records.entry(*dataset).or_default() += 1;
        }
        let foreign = self.senders.iter().filter(|(zone, _)| self.is_foreign(zone)).map(|(_, count)| count).sum();
        remove_spans(&mut records, foreign);
        records
    }

    /// Returns whether there is a record of the request itself.
    pub(super) fn has_request(&self) -> bool {
        self.copies.iter().any(|(dataset, ..)| *dataset == Dataset::HttpRequests)
    }
}

/// Removes this number of spans from numbers of records.
pub(crate) fn remove_spans(records: &mut BTreeMap<Dataset, u64>, spans: u64) {
    let left = records.remove(&Dataset::Traces).map_or(0, |count| count.saturating_sub(spans));
    if left > 0 {
        records.insert(Dataset::Traces, left);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{KinRecord, LinkKind, RayFacts};
    use crate::index::ObjectVersion;
    use crate::lookup::FoundRecord;
    use crate::record::{Dataset, RayId};

    impl KinRecord {
        /// A record of a request.
        pub(in crate::story) fn of_request(ray: RayId, parent: Option<RayId>) -> Self {
            let object =
                Rc::new(ObjectVersion { key: "k".into(), etag: "e".into(), uploaded_ms: 0, size: 1, origin: None });
            let record = FoundRecord {
                dataset: Dataset::HttpRequests,
                object,
                offset: 0,
                line: b"{}".to_vec(),
                copies: Vec::new(),
                zone: None,
                merged: None,
            };
            Self { ray, parent, children: Vec::new(), beyond: 0, sender: None, record }
        }
    }

    #[test]
    fn parent_that_sent_a_request_comes_first() {
        let ray = RayId::from_bits;
        let mut facts = RayFacts::default();
        facts.take(&KinRecord::of_request(ray(9), Some(ray(9))));
        assert_eq!(facts.parent(), None);
        let mut event = KinRecord::of_request(ray(9), Some(ray(1)));
        event.record.dataset = Dataset::FirewallEvents;
        facts.take(&event);
        assert_eq!(facts.parent(), Some((LinkKind::Challenge, ray(1))));
        for parent in [5, 3, 7] {
            facts.take(&KinRecord::of_request(ray(9), Some(ray(parent))));
        }
        assert_eq!(facts.parent(), Some((LinkKind::Subrequest, ray(3))));
        assert_eq!(facts.records().into_values().sum::<u64>(), 2, "copies are one");
    }
}
