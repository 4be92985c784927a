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
use crate::memory::{OutOfMemory, Reservation};
use crate::otlp::{OtlpEvent, OtlpKind, OtlpResourceSpans, OtlpSpan};
use crate::record::{Dataset, RayId, RecordMembers};

/// The records of a ray, as the caller sees them.
pub(crate) struct SpanRecords<'a> {
    /// The ray.
    pub(crate) ray: RayId,
    /// The ray that caused it.
    pub(crate) parent: Option<RayId>,
    /// The texts of the records.
    pub(crate) records: &'a [(Dataset, Cow<'a, str>)],
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

/// Makes the spans of a ray, of the trace whose root is `root`, with IDs that are not among `ids` yet. The memory of all of them is
/// reserved in `memory`.
///
/// # Errors
/// [`OutOfMemory`] if they do not fit.
pub(crate) fn spans_of_ray(
    root: RayId,
    of_ray: &SpanRecords<'_>,
    ids: &mut SpanIds,
    memory: &Reservation,
) -> Result<Vec<OtlpResourceSpans>, OutOfMemory> {
    let &SpanRecords { ray, parent, records } = of_ray;
    let parent = parent.filter(|parent| ray != root && *parent != ray);
    let mut ordered: Vec<&(Dataset, Cow<'_, str>)> = records.iter().collect();
    ordered.sort_by_key(|(dataset, _)| (role_of(*dataset), *dataset));
    let (mut spans, mut events, mut host) = (ServiceSpans::default(), Vec::new(), None);
    let mut exported = ExportedSpans::default();
    for (nth, (dataset, text)) in ordered.into_iter().enumerate() {
        reserve_members(text, memory)?;
        let Ok(members) = RecordMembers::parse(text) else { continue };
        let (record, place) = (OtlpRecord::new(&members), SpanPlace { root, ray, parent, nth, room: memory });
        match role_of(*dataset) {
            SpanRole::Request => request_spans(&place, &record, &mut spans)?,
            SpanRole::Worker => worker_span(&place, &record, &mut spans)?,
            SpanRole::Connection => connection_span(&place, &record, &mut spans)?,
            SpanRole::Exported => exported.take(&place, &record)?,
            SpanRole::Event => {
                host = host.or_else(|| record.text("ClientRequestHost").map(Cow::into_owned));
                events.push(event_of(&place, *dataset, &record)?);
            }
        }
    }
    let place = SpanPlace { root, ray, parent, nth: 0, room: memory };
    spans.each(|span| ids.claim_bytes(&span.span_id).map(drop))?;
    exported.finish(&place, ids, &mut spans)?;
    attach(events, host.as_deref(), place, &mut spans)?;
    Ok(spans.finish())
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
