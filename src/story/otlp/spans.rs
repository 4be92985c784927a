//! The spans of the records of one ray.

use std::borrow::Cow;

use super::super::Phases;
use super::connection::connection_span;
use super::event::event_of;
use super::exported::ExportedSpans;
use super::invocation::worker_span;
use super::place::{NO_SERVICE, ServiceSpans, SpanPlace};
use super::record::{OtlpRecord, reserve_members};
use super::request::{request_name, request_spans, service_of};
use super::span_ids::SpanIds;
use crate::limits::RENDERING_ROOM;
use crate::memory::{MemoryBudget, OutOfMemory, Reservation};
use crate::otlp::{OtlpEvent, OtlpKind, OtlpResourceSpans, OtlpSpan};
use crate::record::{Dataset, RayId, RecordMembers};

/// The records of a ray, as the caller sees them.
pub(crate) struct SpanRecords {
    /// The ray.
    pub(crate) ray: RayId,
    /// The ray that caused it.
    pub(crate) parent: Option<RayId>,
    /// The texts of the records.
    pub(crate) records: Vec<(Dataset, String)>,
    /// The memory of the texts: each is returned once its spans are made.
    pub(crate) held: Reservation,
}

/// What a record becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SpanRole {
    Request,
    Worker,
    Connection,
    Exported,
    Event,
}

const fn role_of(dataset: Dataset) -> SpanRole {
    match dataset {
        Dataset::HttpRequests | Dataset::EdgeRequests => SpanRole::Request,
        Dataset::WorkersTraceEvents => SpanRole::Worker,
        Dataset::WebsocketAnalytics => SpanRole::Connection,
        Dataset::Traces => SpanRole::Exported,
        _ => SpanRole::Event,
    }
}

/// The spans of a ray, some at a time.
pub(crate) struct RaySpanParts {
    /// The root of the trace, the ray and its parent.
    of: (RayId, RayId, Option<RayId>),
    /// What is made of the other records, until that is taken.
    requests: Option<RequestSpans>,
    exported: ExportedSpans,
}

/// The spans that are not those of exporters, and events of the request.
struct RequestSpans {
    spans: ServiceSpans,
    events: Vec<OtlpEvent>,
    host: Option<String>,
    room: Reservation,
}

impl RaySpanParts {
    /// Begins to make the spans of a ray, of the trace whose root is `root`, with IDs that are not among `ids` yet.
    ///
    /// # Errors
    /// [`OutOfMemory`] if they do not fit.
    pub(crate) fn new(
        root: RayId,
        of_ray: SpanRecords,
        ids: &mut SpanIds,
        memory: &MemoryBudget,
    ) -> Result<Self, OutOfMemory> {
        let SpanRecords { ray, parent, mut records, held } = of_ray;
        let parent = parent.filter(|parent| ray != root && *parent != ray);
        records.sort_by_key(|(dataset, _)| (role_of(*dataset), *dataset));
        let (spans, events) = (ServiceSpans::default(), Vec::new());
        let mut requests = RequestSpans { spans, events, host: None, room: memory.reservation() };
        let mut exported = ExportedSpans::new(memory);
        let none = memory.reservation();
        let place = SpanPlace { root, ray, parent, nth: 0, room: &none };
        for (nth, (dataset, text)) in records.into_iter().enumerate() {
            let of_text = held.split_off(text.len());
            if role_of(dataset) == SpanRole::Exported {
                exported.take(&SpanPlace { nth, ..place }, text, &of_text)?;
            } else {
                requests.take((root, ray, parent, nth), dataset, &text)?;
            }
        }
        requests.spans.each(|span| ids.claim_bytes(&span.span_id).map(drop))?;
        exported.order(&place, ids)?;
        Ok(Self { of: (root, ray, parent), requests: Some(requests), exported })
    }

    /// Makes the next spans, with the memory that they take; `None` after all of them.
    ///
    /// # Errors
    /// [`OutOfMemory`] if they do not fit.
    pub(crate) fn next_part(&mut self) -> Result<Option<(Vec<OtlpResourceSpans>, Reservation)>, OutOfMemory> {
        let of = self.of;
        let (mut spans, room) = match self.requests.take() {
            Some(RequestSpans { mut spans, events, host, room }) => {
                self.exported.make_part(&place_in(of, &room), &mut spans)?;
                attach(events, host.as_deref(), place_in(of, &room), &mut spans)?;
                (spans, room)
            }
            None => (ServiceSpans::default(), self.exported.room()),
        };
        if spans.first().is_none() && !self.exported.make_part(&place_in(of, &room), &mut spans)? {
            return Ok(None);
        }
        Ok(Some((spans.finish(), room)))
    }
}

impl RequestSpans {
    /// Takes a record that is not of an exporter.
    fn take(
        &mut self,
        (root, ray, parent, nth): (RayId, RayId, Option<RayId>, usize),
        dataset: Dataset,
        text: &str,
    ) -> Result<(), OutOfMemory> {
        let Self { spans, events, host, room } = self;
        room.reserve(RENDERING_ROOM * text.len())?;
        reserve_members(text, room)?;
        let Ok(members) = RecordMembers::parse(text) else { return Ok(()) };
        let (record, place) = (OtlpRecord::new(&members), SpanPlace { root, ray, parent, nth, room });
        match role_of(dataset) {
            SpanRole::Request => request_spans(&place, &record, spans),
            SpanRole::Worker => worker_span(&place, &record, spans),
            SpanRole::Connection => connection_span(&place, &record, spans),
            SpanRole::Exported | SpanRole::Event => {
                if host.is_none() {
                    *host = record.text("ClientRequestHost").map(Cow::into_owned);
                }
                events.push(event_of(&place, dataset, &record)?);
                Ok(())
            }
        }
    }
}

/// Returns the place of the first record of a ray, of the trace with this root.
const fn place_in((root, ray, parent): (RayId, RayId, Option<RayId>), held: &Reservation) -> SpanPlace<'_> {
    SpanPlace { root, ray, parent, nth: 0, room: held }
}

/// Gives events to the request that they belong to, or to a span without a record.
fn attach(
    events: Vec<OtlpEvent>,
    host: Option<&str>,
    place: SpanPlace<'_>,
    spans: &mut ServiceSpans,
) -> Result<(), OutOfMemory> {
    if events.is_empty() {
        return Ok(());
    }
    if spans.first().is_none() {
        let span = OtlpSpan { name: "request".into(), ..place.span(OtlpKind::Server, (place.ray_ns(), 0)) };
        spans.push(host.unwrap_or(NO_SERVICE), span, place.room)?;
    }
    if let Some(span) = spans.first() {
        span.events.extend(events);
        span.events.sort_by_key(|event| event.time_unix_nano);
    }
    Ok(())
}

/// What a search shows of a request.
pub(crate) struct RequestSummary {
    /// Its ray.
    pub(crate) ray: RayId,
    /// The ray that caused it.
    pub(crate) parent: Option<RayId>,
    /// The service that its host names.
    pub(crate) service: String,
    /// The name of its span.
    pub(crate) name: String,
    /// When it began, in Unix nanoseconds.
    pub(crate) start_ns: i64,
    /// How long it lasted, in nanoseconds.
    pub(crate) lasted_ns: i64,
    /// The status that the client got.
    pub(crate) status: Option<i64>,
}

/// Reads what a search shows of the record of a request; `None` if it has no ray.
pub(crate) fn request_summary(text: &str) -> Option<RequestSummary> {
    let members = RecordMembers::parse(text).ok()?;
    let record = OtlpRecord::new(&members);
    let ray_in = |name: &str| RayId::from_hex(record.text(name)?.as_bytes());
    let ray = ray_in("RayID")?;
    let phases = Phases::from_record(|name| record.raw(name));
    Some(RequestSummary {
        ray,
        parent: ray_in("ParentRayID").filter(|parent| *parent != ray),
        service: service_of(&record).into_owned(),
        name: request_name(&record),
        start_ns: phases.start_ns.unwrap_or(ray.unix_ms() * 1_000_000),
        lasted_ns: phases.total_ns(),
        status: record.whole("EdgeResponseStatus"),
    })
}
