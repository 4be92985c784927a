//! The spans that an exporter brought, in the trace of their request.
//!
//! # Invariants
//! Each span is in the trace once, whatever was sent twice, under the ID that its exporter gave it, or another one where a span has
//! that already. One whose parent is not among them is a part of the request, and so is the first of spans that are each other's
//! parents. Some spans are made at a time.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::attributes::AttributeList;
use super::place::{NO_SERVICE, ServiceSpans, SpanPlace};
use super::record::{OtlpRecord, each_object, reserve_members, value_of};
use super::span_ids::SpanIds;
use crate::limits::{
    OTLP_PART_BYTES, OTLP_PART_ROOM, OTLP_PART_SPANS, OTLP_PLANNED_BYTES, OTLP_SPAN_BYTES, RENDERING_ROOM,
};
use crate::memory::{MemoryBudget, OutOfMemory, Reservation};
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

/// The spans of a ray that exporters brought, in their order, each with its place in the tree. One is made when it is written.
pub(super) struct ExportedSpans {
    planned: Vec<PlannedSpan>,
    /// The number of spans that are made.
    made: usize,
    room: Reservation,
    /// The memory of the texts of those that are not made yet.
    texts: Reservation,
}

/// What an exporter calls a span, and its place in the answer.
struct PlannedSpan {
    /// Which of the ray's records it is of, and the text of that until the span is made.
    nth: usize,
    text: String,
    name: SpanName,
    /// The IDs of it and its parent in the answer.
    ids: (Vec<u8>, Vec<u8>),
}

/// What an exporter calls a span, in the order in which spans get their IDs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SpanName {
    start_ns: u64,
    trace: Vec<u8>,
    id: Vec<u8>,
    end_ns: u64,
    service: String,
    name: String,
    parent: Vec<u8>,
}

impl ExportedSpans {
    pub(super) fn new(memory: &MemoryBudget) -> Self {
        Self { planned: Vec::new(), made: 0, room: memory.reservation(), texts: memory.reservation() }
    }

    /// Returns an empty reservation for spans.
    pub(super) fn room(&self) -> Reservation {
        self.room.budget().reservation()
    }

    /// Takes the record of a span, with the memory of its text.
    pub(super) fn take(&mut self, place: &SpanPlace<'_>, text: String, held: &Reservation) -> Result<(), OutOfMemory> {
        let room = self.room.budget().reservation();
        reserve_members(&text, &room)?;
        let Ok(members) = RecordMembers::parse(&text) else { return Ok(()) };
        let name = SpanName::read(place, &OtlpRecord::new(&members));
        drop(members);
        self.texts.take_over(held);
        self.room.reserve(OTLP_PLANNED_BYTES + name.service.len() + name.name.len())?;
        self.planned.push(PlannedSpan { nth: place.nth, text, name, ids: (Vec::new(), Vec::new()) });
        Ok(())
    }

    /// Puts the spans in their order, and gives each its ID, below its parent or below the request.
    pub(super) fn order(&mut self, place: &SpanPlace<'_>, taken: &mut SpanIds) -> Result<(), OutOfMemory> {
        self.planned.sort_by(|one, other| one.name.cmp(&other.name));
        self.drop_repeated(place)?;
        let mut known = BTreeMap::<_, usize>::new();
        let mut ids = Vec::with_capacity(self.planned.len());
        for PlannedSpan { name, .. } in &self.planned {
            let nth = known.entry((&name.trace, &name.id)).or_default();
            ids.push(name.claim(place, taken, *nth)?);
            *nth += 1;
        }
        let parents = self.parents(place, &ids);
        for ((planned, id), parent) in self.planned.iter_mut().zip(ids).zip(parents) {
            planned.ids = (id, parent);
        }
        Ok(())
    }

    /// Drops spans that are equal to the one before: what came with a ray and without it is one span.
    fn drop_repeated(&mut self, place: &SpanPlace<'_>) -> Result<(), OutOfMemory> {
        let mut kept: Vec<PlannedSpan> = Vec::with_capacity(self.planned.len());
        for planned in std::mem::take(&mut self.planned) {
            let is_repeated = match kept.last().filter(|last| last.name == planned.name) {
                Some(last) => {
                    let room = self.room.budget().reservation();
                    last.make(place, &room)? == planned.make(place, &room)?
                }
                None => false,
            };
            if is_repeated {
                self.texts.release(planned.text.len());
            } else {
                kept.push(planned);
            }
        }
        self.planned = kept;
        Ok(())
    }

    /// Returns the ID of the parent of each span, of which these are the IDs.
    fn parents(&self, place: &SpanPlace<'_>, ids: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let (mut named, mut of_service) = (BTreeMap::new(), BTreeMap::new());
        for (nth, PlannedSpan { name, .. }) in self.planned.iter().enumerate() {
            named.entry((&name.trace, &name.id)).or_insert(nth);
            of_service.entry((&name.trace, &name.id, &name.service)).or_insert(nth);
        }
        let above = |PlannedSpan { name, .. }: &PlannedSpan| {
            let of_service = of_service.get(&(&name.trace, &name.parent, &name.service));
            let found = of_service.or_else(|| named.get(&(&name.trace, &name.parent))).copied();
            found.filter(|_| name.parent != name.id)
        };
        let all: Vec<Option<usize>> = self.planned.iter().map(above).collect();
        let id_of = |(PlannedSpan { name, .. }, (named, above)): (&PlannedSpan, (&Option<usize>, Option<usize>))| {
            if let Some(id) = above.and_then(|above| ids.get(above)) {
                return id.clone();
            }
            // A span that names itself, or is the first of a circle, has no parent that could be found elsewhere.
            let is_own = name.parent == name.id || named.is_some();
            place.request_id(if is_own { Vec::new() } else { name.parent.clone() })
        };
        self.planned.iter().zip(all.iter().zip(without_circles(all.clone()))).map(id_of).collect()
    }

    /// Adds the next spans to those of their services; returns whether there were any.
    pub(super) fn make_part(&mut self, place: &SpanPlace<'_>, spans: &mut ServiceSpans) -> Result<bool, OutOfMemory> {
        let (mut count, mut bytes, before) = (0, 0, place.room.bytes());
        for planned in self.planned.iter_mut().skip(self.made).take(OTLP_PART_SPANS) {
            bytes += planned.text.len();
            if count > 0 && (bytes > OTLP_PART_BYTES || place.room.bytes() - before > OTLP_PART_ROOM) {
                break;
            }
            if let Some(span) = planned.make(place, place.room)? {
                let (span_id, parent_span_id) = planned.ids.clone();
                spans.push(&planned.name.service, OtlpSpan { span_id, parent_span_id, ..span }, place.room)?;
            }
            self.texts.release(planned.text.len());
            planned.text = String::new();
            count += 1;
        }
        self.made += count;
        Ok(count > 0)
    }
}

impl PlannedSpan {
    /// Makes the span, with the ID that its exporter gave it.
    fn make(&self, place: &SpanPlace<'_>, room: &Reservation) -> Result<Option<OtlpSpan>, OutOfMemory> {
        room.reserve(RENDERING_ROOM * self.text.len())?;
        reserve_members(&self.text, room)?;
        let Ok(members) = RecordMembers::parse(&self.text) else { return Ok(None) };
        let place = SpanPlace { nth: self.nth, room, ..*place };
        exported_span(&place, &OtlpRecord::new(&members), &self.name).map(Some)
    }
}

/// Makes a span of its record.
fn exported_span(place: &SpanPlace<'_>, record: &OtlpRecord<'_>, name: &SpanName) -> Result<OtlpSpan, OutOfMemory> {
    place.room.reserve(OTLP_SPAN_BYTES)?;
    let mut span = place.exported(kind_of(record), time_of(place, record), record.text(field::TRACE));
    span.span_id.clone_from(&name.id);
    span.parent_span_id.clone_from(&name.parent);
    span.name.clone_from(&name.name);
    span.attributes = attributes_in(place, record, field::ATTRIBUTES)?.finish();
    span.status = status_of(record);
    let start_ns = span.start_time_unix_nano;
    each_part(place, record, field::EVENTS, |part, attributes| {
        let instant = part.instant("Timestamp").map(|instant| u64::try_from(instant).unwrap_or_default());
        let name = part.text("Name").unwrap_or(Cow::Borrowed("event")).into_owned();
        span.events.push(OtlpEvent { time_unix_nano: instant.unwrap_or(start_ns), name, attributes });
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
    Ok(span)
}

fn kind_of(record: &OtlpRecord<'_>) -> OtlpKind {
    let kind = record.text(field::KIND).and_then(|word| KINDS.iter().find(|(known, _)| *known == word));
    kind.map_or(OtlpKind::Unspecified, |(_, kind)| *kind)
}

/// Returns when a span began and how long it took, in nanoseconds.
fn time_of(place: &SpanPlace<'_>, record: &OtlpRecord<'_>) -> (i64, i64) {
    let start_ns = record.instant(field::START).unwrap_or_else(|| place.ray_ns());
    let end_ns = record.instant(field::END).unwrap_or(start_ns);
    (start_ns, end_ns.saturating_sub(start_ns))
}

impl SpanName {
    fn read(place: &SpanPlace<'_>, record: &OtlpRecord<'_>) -> Self {
        let text = |name: &str, unless: &'static str| record.text(name).unwrap_or(Cow::Borrowed(unless)).into_owned();
        // Its own ID, if it has one, and its times, as they are in the span.
        let span = place.exported(OtlpKind::Unspecified, time_of(place, record), None);
        Self {
            start_ns: span.start_time_unix_nano,
            trace: id_in(record, field::TRACE, 16).unwrap_or_default(),
            id: id_in(record, field::SPAN, 8).unwrap_or(span.span_id),
            end_ns: span.end_time_unix_nano,
            service: text(field::SERVICE, NO_SERVICE),
            name: text(field::NAME, "span"),
            parent: id_in(record, field::PARENT, 8).unwrap_or_default(),
        }
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

/// Returns the parents without circles: the first span of each has none, so that all of them are below it.
fn without_circles(mut parents: Vec<Option<usize>>) -> Vec<Option<usize>> {
    let mut passed = vec![false; parents.len()];
    for start in 0..parents.len() {
        let (mut way, mut next) = (Vec::new(), Some(start));
        while let Some(nth) = next
            && let Some(is_passed) = passed.get_mut(nth).filter(|is_passed| !**is_passed)
        {
            *is_passed = true;
            way.push(nth);
            next = parents.get(nth).copied().flatten();
        }
        let meets = next.and_then(|nth| way.iter().position(|passed| *passed == nth));
        let Some(circle) = meets.and_then(|from| way.get(from..)) else { continue };
        if let Some(parent) = circle.iter().min().and_then(|first| parents.get_mut(*first)) {
            *parent = None;
        }
    }
    parents
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
