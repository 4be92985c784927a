//! Collects the neighbours of a ray from the records of a scan, as their caller sees them.
//!
//! # Invariants
//! A record counts by what the caller sees of it; one that the caller does not see leaves no trace. The ray itself and the requests
//! of its tree are no neighbours.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use serde::Serialize;

use super::field_subset::FieldSubset;
use super::field_warnings::UnseenFields;
use super::nearest_records::NearestRecords;
use super::record_view::RecordView;
use crate::query::RecordSink;
use crate::record::fields::line_text;
use crate::record::{FieldValue, NamePlaces, NamedValues, RayId, RayKey, RecordKey};
use crate::story::milliseconds;
use crate::time::rfc3339_ns;

/// The fields that are read of each record, beside those that are shown of it.
const RAY: &str = "RayID";
const STATUS: &str = "EdgeResponseStatus";

/// A ray with the rays of its tree.
#[derive(Debug)]
pub(super) struct OwnRays {
    pub(super) key: RayKey,
    pub(super) tree: BTreeSet<RayId>,
}

impl OwnRays {
    fn has(&self, key: &RayKey) -> bool {
        *key == self.key || key.ray().is_some_and(|ray| self.tree.contains(&ray))
    }
}

/// Number of records by the class of their status.
#[derive(Debug, Default, Serialize)]
struct StatusCounts {
    total: u64,
    #[serde(rename = "2xx")]
    success: u64,
    #[serde(rename = "3xx")]
    redirection: u64,
    #[serde(rename = "4xx")]
    client_error: u64,
    #[serde(rename = "5xx")]
    server_error: u64,
    /// Those with another status, or without one.
    other: u64,
}

impl StatusCounts {
    fn add(&mut self, status: &FieldValue<'_>) {
        let digits = match status {
            FieldValue::Text(text) => text.as_ref(),
            FieldValue::Number(digits) => digits,
            FieldValue::Absent | FieldValue::Bool(_) | FieldValue::Nested(_) => "",
        };
        self.total += 1;
        let count = match digits.parse::<u16>() {
            Ok(200..=299) => &mut self.success,
            Ok(300..=399) => &mut self.redirection,
            Ok(400..=499) => &mut self.client_error,
            Ok(500..=599) => &mut self.server_error,
            Ok(_) | Err(_) => &mut self.other,
        };
        *count += 1;
    }
}

/// The numbers of neighbours.
#[derive(Debug, Default, Serialize)]
pub(super) struct NeighbourCounts {
    before: StatusCounts,
    /// Those of the ray's own instant too.
    after: StatusCounts,
    /// Records that have the same values, but are of the ray itself or of its tree.
    own: u64,
}

impl NeighbourCounts {
    /// Returns the number of all neighbours.
    pub(super) const fn matched(&self) -> u64 {
        self.before.total + self.after.total
    }
}

/// Counts each neighbour, and keeps the nearest ones.
pub(super) struct NeighbourSink {
    view: Rc<RecordView>,
    pub(super) unseen: UnseenFields,
    own: OwnRays,
    moment_ns: i64,
    /// The fields that are shown of a neighbour, in this order.
    shown: Vec<String>,
    /// The same, its ray and its status, each with its place among the values.
    places: NamePlaces,
    /// The same and those that the filter reads.
    read: FieldSubset,
    pub(super) nearest: NearestRecords,
    pub(super) counts: NeighbourCounts,
    masked_bytes: u64,
    /// The instant of the latest record, and its ray.
    ns: i64,
    ray: Option<RayKey>,
}

impl NeighbourSink {
    /// Creates the sink of a ray at this moment, which shows these fields of up to `most` neighbours.
    pub(super) fn new(
        view: Rc<RecordView>,
        unseen: UnseenFields,
        (own, moment_ns): (OwnRays, i64),
        (shown, most): (Vec<String>, usize),
    ) -> Self {
        let mut places = NamePlaces::new();
        for name in shown.iter().map(String::as_str).chain([RAY, STATUS]) {
            let next = places.len();
            places.entry(name.into()).or_insert(next);
        }
        let read = FieldSubset::new(places.keys().map(Box::as_ref).chain(view.filter_fields()));
        let nearest = NearestRecords::new(moment_ns, most);
        let counts = NeighbourCounts::default();
        Self {
            view,
            unseen,
            own,
            moment_ns,
            shown,
            places,
            read,
            nearest,
            counts,
            masked_bytes: 0,
            ns: moment_ns,
            ray: None,
        }
    }

    /// Counts a record as the caller sees it, and keeps it if it is near.
    fn take(&mut self, record: &[u8]) {
        if self.ray.as_ref().is_some_and(|ray| self.own.has(ray)) {
            self.counts.own += 1;
            return;
        }
        let text = line_text(record);
        let values = NamedValues::read(&text, &self.places).unwrap_or_default();
        let side = if self.ns < self.moment_ns { &mut self.counts.before } else { &mut self.counts.after };
        side.add(&value(&self.places, &values, STATUS));
        if self.nearest.may_keep(self.ns) {
            let row = self.row(&values);
            self.nearest.take(self.ns, row);
        }
    }

    /// Returns the JSON of a neighbour with these values.
    fn row(&self, values: &NamedValues<'_>) -> Vec<u8> {
        let fields = self.shown.iter().filter_map(|name| Some((name, values.raw(*self.places.get(name.as_str())?)?)));
        // Beside the fields there are the ray, the time and the distance.
        let bytes: usize = fields.clone().map(|(name, raw)| 2 * name.len() + raw.len() + 4).sum();
        let mut row = Vec::with_capacity(bytes + 192);
        row.extend_from_slice(b"{\"ray\":");
        row.extend_from_slice(self.shown_ray(values).as_bytes());
        let (time, distance) = (rfc3339_ns(self.ns), milliseconds(self.ns.saturating_sub(self.moment_ns)));
        row.extend_from_slice(format!(",\"time\":\"{time}\",\"distance_ms\":{distance},\"record\":{{").as_bytes());
        for (nth, (name, raw)) in fields.enumerate() {
            row.extend_from_slice(if nth > 0 { b"," } else { b"" });
            row.extend_from_slice(serde_json::to_string(name).unwrap_or_default().as_bytes());
            row.push(b':');
            row.extend_from_slice(raw.as_bytes());
        }
        row.extend_from_slice(b"}}");
        row
    }

    /// Returns the ray of a record as the caller sees it, in JSON. Other roles do not see a field of another name.
    fn shown_ray(&self, values: &NamedValues<'_>) -> String {
        let seen = match value(&self.places, values, RAY) {
            FieldValue::Text(text) => Some(text.into_owned()),
            FieldValue::Number(digits) => Some(digits.to_owned()),
            _ => None,
        };
        let stored = self.ray.as_ref().filter(|_| self.view.is_verbatim()).map(RayKey::to_string);
        serde_json::to_string(&stored.or(seen)).unwrap_or_default()
    }
}

/// Returns the value of a field.
fn value<'a>(places: &NamePlaces, values: &NamedValues<'a>, name: &str) -> FieldValue<'a> {
    places.get(name).map_or(FieldValue::Absent, |place| values.get(*place))
}

impl RecordSink for NeighbourSink {
    fn on_record(&mut self, key: &RecordKey, ns: i64, zone: Option<&str>, line: &[u8]) {
        self.ns = ns;
        self.ray.clone_from(&key.ray);
        self.unseen.take_stored(&self.view, zone, line);
    }

    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        if !self.view.may_show(zone, line) {
            return None;
        }
        let cut = self.view.cut(zone, line);
        if self.view.is_verbatim() {
            let shown = self.view.mask(&cut)?;
            self.take(&shown);
            return None;
        }
        let record = self.read.reduced(&cut)?;
        self.masked_bytes += record.len() as u64;
        let mut shown = self.view.mask(&record)?.into_owned();
        shown.shrink_to_fit();
        self.unseen.take(&shown);
        self.take(&shown);
        None
    }

    fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        self.view.is_visible(zone, line)
    }

    fn viewing_room(&self) -> usize {
        self.view.counting_room()
    }

    fn may_mask(&self) -> bool {
        !self.view.is_verbatim()
    }

    fn masked_bytes(&self) -> u64 {
        self.masked_bytes
    }
}
