//! Spans of senders with zones under rays of other zones: who may send spans may name any ray in them.
//!
//! # Invariants
//! A span that says the zone of its sender is foreign to a ray once a record of the request says another zone, and none says this
//! one. Spans say nothing of the zone of a ray.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;

use crate::access::{SENDER_ZONE, is_of_zone};
use crate::backend::{BatchStore, Bucket};
use crate::lookup::FoundRecord;
use crate::record::fields::line_text;
use crate::record::{Dataset, FieldValue, RayId, RecordMembers, read_key_by};

/// The zone of a span's sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SpanStanding {
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
            let Some(zone) = sender_zone(record) else { continue };
            let Some(ray) = ray.or_else(|| ray_of(store, record)) else { continue };
            found.standings.insert((ray, zone.clone()), SpanStanding::Unknown);
            found.spans.insert(nth, (ray, zone));
        }
        found
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Takes what records say of the zones of their rays.
    pub(crate) fn judge(&mut self, store: BatchStore<'_, impl Bucket>, records: &[FoundRecord]) {
        if self.is_empty() {
            return;
        }
        for record in records.iter().filter(|record| record.dataset != Dataset::Traces) {
            let Some(ray) = ray_of(store, record) else { continue };
            for ((_, zone), standing) in self.standings.iter_mut().filter(|((of, _), _)| *of == ray) {
                let standing_now = match is_of_zone(record.dataset, record.unsaid_zone(), &record.line, zone) {
                    None => SpanStanding::Unknown,
                    Some(false) => SpanStanding::Foreign,
                    Some(true) => SpanStanding::Own,
                };
                *standing = (*standing).max(standing_now);
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
        let is_foreign = |of: &(RayId, String)| self.standings.get(of) == Some(&SpanStanding::Foreign);
        self.spans.iter().filter(|(_, of)| is_foreign(of)).map(|(nth, _)| *nth).collect()
    }
}

/// Returns the zone of the sender of a span, if it says one.
pub(crate) fn sender_zone(record: &FoundRecord) -> Option<String> {
    if record.dataset != Dataset::Traces || memmem::find(&record.line, SENDER_ZONE.as_bytes()).is_none() {
        return None;
    }
    let text = line_text(&record.line);
    let members = RecordMembers::parse(&text).ok()?;
    let (_, raw) = members.iter().find(|(name, _)| *name == SENDER_ZONE)?;
    match FieldValue::from_json(raw) {
        FieldValue::Text(zone) => Some(zone.into_owned()),
        _ => None,
    }
}

/// Returns the ray of a record.
pub(crate) fn ray_of(store: BatchStore<'_, impl Bucket>, record: &FoundRecord) -> Option<RayId> {
    let names = store.prefixes.key_names(&record.object.key, record.dataset);
    read_key_by(&names, &record.line).ok()?.ray?.ray()
}
