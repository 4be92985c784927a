//! The spans that an exporter brought, in the trace of their request.
//!
//! # Invariants
//! Each span is in the trace once, whatever was sent twice, under the ID that its exporter gave it, or another one where a span has
//! that already. One whose parent is not among them is a part of the request.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::attributes::AttributeList;
use super::place::{NO_SERVICE, ServiceSpans, SpanPlace};
use super::record::{OtlpRecord, each_object, reserve_members, value_of};
use super::span_ids::SpanIds;
use crate::limits::OTLP_SPAN_BYTES;
use crate::memory::OutOfMemory;
use crate::otlp::{OtlpEvent, OtlpKeyValue, OtlpKind, OtlpLink, OtlpSpan, OtlpStatus, SPAN_ERROR, SPAN_OK};
use crate::record::RecordMembers;
use crate::traces::field;

/// The kinds of spans by their words.
const KINDS: [(&str, OtlpKind); 5] = [
    ("internal", OtlpKind::Internal),
    ("server", OtlpKind::Server),
    ("client", OtlpKind::Client),
    ("producer", OtlpKind::Producer),
    ("consumer", OtlpKind::Consumer),
];

/// The spans of a ray that exporters brought.
#[derive(Default)]
pub(super) struct ExportedSpans(Vec<NamedSpan>);

/// A span that an exporter brought, with what that calls its trace and itself.
#[derive(PartialEq)]
struct NamedSpan {
    trace: Vec<u8>,
    id: Vec<u8>,
    service: String,
    span: OtlpSpan,
}

impl ExportedSpans {
    /// Takes the record of a span.
    pub(super) fn take(&mut self, place: &SpanPlace<'_>, record: &OtlpRecord<'_>) -> Result<(), OutOfMemory> {
        let start_ns = record.instant(field::START).unwrap_or_else(|| place.ray_ns());
        let end_ns = record.instant(field::END).unwrap_or(start_ns);
        let kind = record.text(field::KIND).and_then(|word| KINDS.iter().find(|(known, _)| *known == word));
        let kind = kind.map_or(OtlpKind::Unspecified, |(_, kind)| *kind);
        place.room.reserve(OTLP_SPAN_BYTES)?;
        let mut span = place.exported(kind, (start_ns, end_ns.saturating_sub(start_ns)), record.text(field::TRACE));
        if let Some(id) = id_in(record, field::SPAN, 8) {
            span.span_id = id;
        }
        span.parent_span_id = id_in(record, field::PARENT, 8).unwrap_or_default();
        span.name = record.text(field::NAME).unwrap_or(Cow::Borrowed("span")).into_owned();
        span.attributes = attributes_in(place, record, field::ATTRIBUTES)?.finish();
        span.status = status_of(record);
        each_part(place, record, field::EVENTS, |part, attributes| {
            let time_unix_nano = u64::try_from(part.instant("Timestamp").unwrap_or(start_ns)).unwrap_or_default();
            let name = part.text("Name").unwrap_or(Cow::Borrowed("event")).into_owned();
            span.events.push(OtlpEvent { time_unix_nano, name, attributes });
        })?;
        // What the exporter calls the span, where it is in another trace here.
        let own = id_in(record, field::TRACE, 16).filter(|trace| *trace != span.trace_id);
        if let Some((trace_id, span_id)) = own.zip(id_in(record, field::SPAN, 8)) {
            span.links.push(OtlpLink { trace_id, span_id, attributes: Vec::new() });
        }
        each_part(place, record, field::LINKS, |part, attributes| {
            if let Some((trace_id, span_id)) = id_in(part, "TraceID", 16).zip(id_in(part, "SpanID", 8)) {
                span.links.push(OtlpLink { trace_id, span_id, attributes });
            }
        })?;
        let service = record.text(field::SERVICE).map_or_else(|| NO_SERVICE.to_owned(), Cow::into_owned);
        let (trace, id) = (id_in(record, field::TRACE, 16).unwrap_or_default(), span.span_id.clone());
        self.0.push(NamedSpan { trace, id, service, span });
        Ok(())
    }

    /// Hands the spans on, each below its parent, or below the request.
    pub(super) fn finish(
        mut self,
        place: &SpanPlace<'_>,
        taken: &mut SpanIds,
        spans: &mut ServiceSpans,
    ) -> Result<(), OutOfMemory> {
        self.0.sort_by(|one, other| one.order().cmp(&other.order()));
        // What came with a ray and without it is one span.
        self.0.dedup();
        let (mut ids, mut known) = (Vec::with_capacity(self.0.len()), BTreeMap::<_, usize>::new());
        for exported in &self.0 {
            let nth = known.entry((&exported.trace, &exported.id)).or_default();
            ids.push(exported.claim(place, taken, *nth)?);
            *nth += 1;
        }
        let parents = self.parents(place, &ids);
        for ((NamedSpan { service, span, .. }, span_id), parent_span_id) in self.0.into_iter().zip(ids).zip(parents) {
            spans.push(&service, OtlpSpan { span_id, parent_span_id, ..span }, place.room)?;
        }
        Ok(())
    }

    /// Returns the ID of the parent of each span, of which these are the IDs.
    fn parents(&self, place: &SpanPlace<'_>, ids: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let (mut named, mut of_service) = (BTreeMap::new(), BTreeMap::new());
        for (exported, own) in self.0.iter().zip(ids) {
            named.entry((&exported.trace, &exported.id)).or_insert(own);
            of_service.entry((&exported.trace, &exported.id, &exported.service)).or_insert(own);
        }
        let parent_of = |exported: &NamedSpan| {
            let parent = &exported.span.parent_span_id;
            // A span that names itself has no parent that is known.
            if *parent == exported.id {
                return place.request_id(Vec::new());
            }
            let found = of_service.get(&(&exported.trace, parent, &exported.service));
            let found = found.or_else(|| named.get(&(&exported.trace, parent)));
            found.map_or_else(|| place.request_id(parent.clone()), |own| (*own).clone())
        };
        self.0.iter().map(parent_of).collect()
    }
}

impl NamedSpan {
    /// The order in which spans get their IDs.
    fn order(&self) -> (u64, &[u8], &[u8], u64, &str, &str) {
        let OtlpSpan { start_time_unix_nano, end_time_unix_nano, name, .. } = &self.span;
        (*start_time_unix_nano, &self.trace, &self.id, *end_time_unix_nano, &self.service, name)
    }

    /// Takes the ID that the exporter gave the span, or another one if a span has that; `tries` is how many spans before it have its
    /// own.
    fn claim(&self, place: &SpanPlace<'_>, taken: &mut SpanIds, mut tries: usize) -> Result<Vec<u8>, OutOfMemory> {
        let mut id = self.id.clone();
        while !taken.claim_bytes(&id)? {
            id = place.other_id((&self.trace, &self.id, &self.service), tries);
            tries += 1;
        }
        Ok(id)
    }
}

/// Returns the ID of this number of bytes in a member.
fn id_in(record: &OtlpRecord<'_>, name: &str, bytes: usize) -> Option<Vec<u8>> {
    hex::decode(record.text(name)?.as_bytes()).ok().filter(|id| id.len() == bytes)
}

/// Returns the attributes in an object of a record.
fn attributes_in<'r>(
    place: &SpanPlace<'r>,
    record: &OtlpRecord<'_>,
    name: &str,
) -> Result<AttributeList<'r>, OutOfMemory> {
    let mut list = AttributeList::new(place.room);
    let Some(raw) = record.raw(name).filter(|raw| raw.starts_with('{')) else { return Ok(list) };
    reserve_members(raw, place.room)?;
    if let Ok(members) = RecordMembers::parse(raw) {
        for (name, raw) in OtlpRecord::new(&members).iter() {
            place.room.reserve(2 * raw.len())?;
            if let Some(value) = value_of(raw) {
                list.push(name, value)?;
            }
        }
    }
    Ok(list)
}

/// Reads each event or link of a record.
fn each_part(
    place: &SpanPlace<'_>,
    record: &OtlpRecord<'_>,
    name: &str,
    mut take: impl FnMut(&OtlpRecord<'_>, Vec<OtlpKeyValue>),
) -> Result<(), OutOfMemory> {
    let Some(raw) = record.raw(name) else { return Ok(()) };
    each_object(raw, place.room, |part| {
        place.room.reserve(OTLP_SPAN_BYTES)?;
        let attributes = attributes_in(place, part, "Attributes")?.finish();
        take(part, attributes);
        Ok(())
    })
}

fn status_of(record: &OtlpRecord<'_>) -> Option<OtlpStatus> {
    let code = match record.text(field::STATUS)?.as_ref() {
        "error" => SPAN_ERROR,
        "ok" => SPAN_OK,
        _ => return None,
    };
    Some(OtlpStatus { message: record.text(field::MESSAGE).unwrap_or_default().into_owned(), code })
}
