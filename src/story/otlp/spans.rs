//! The spans of the records of one ray.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::super::Phases;
use super::connection::connection_span;
use super::event::event_of;
use super::record::{OtlpRecord, reserve_members};
use super::request::{request_name, request_spans, service_of};
use super::worker::worker_span;
use crate::limits::OTLP_SPAN_BYTES;
use crate::memory::{OutOfMemory, Reservation};
use crate::otlp::{
    OtlpAnyValue, OtlpEvent, OtlpKeyValue, OtlpKind, OtlpResource, OtlpResourceSpans, OtlpScope, OtlpScopeSpans,
    OtlpSpan, OtlpValue,
};
use crate::record::{Dataset, RayId, RecordMembers};

/// The records of a ray, as the caller sees them.
pub(crate) struct RayRecords<'a> {
    /// The ray.
    pub(crate) ray: RayId,
    /// The ray that caused it.
    pub(crate) parent: Option<RayId>,
    /// The texts of the records.
    pub(crate) records: &'a [(Dataset, Cow<'a, str>)],
}

/// Returns the ID of the trace whose root is this ray.
pub(crate) fn trace_id_of(root: RayId) -> [u8; 16] {
    u128::from(root.bits()).to_be_bytes()
}

/// What a span is made of, beside its record.
#[derive(Clone, Copy)]
pub(super) struct SpanPlace<'r> {
    pub(super) root: RayId,
    pub(super) ray: RayId,
    pub(super) parent: Option<RayId>,
    /// Which of the ray's records it is of; the first one is the request itself.
    pub(super) nth: usize,
    pub(super) room: &'r Reservation,
}

impl SpanPlace<'_> {
    /// Returns a span of the record, which is the ray's own if the record is the first one, and else one below that.
    pub(super) fn span(&self, kind: OtlpKind, (start_ns, lasted_ns): (i64, i64)) -> OtlpSpan {
        if self.nth > 0 {
            return self.below(self.nth.to_string().as_str(), kind, (start_ns, lasted_ns));
        }
        let parent = self.parent.map_or_else(Vec::new, |parent| parent.bits().to_be_bytes().to_vec());
        self.timed(self.ray.bits().to_be_bytes().to_vec(), parent, kind, (start_ns, lasted_ns))
    }

    /// Returns the span of a step of the record's span.
    pub(super) fn step(&self, name: &str, kind: OtlpKind, time: (i64, i64)) -> OtlpSpan {
        let parent = if self.nth == 0 { self.ray.bits().to_be_bytes().to_vec() } else { self.own_id() };
        let id = derived_id(self.ray, &format!("{} {name}", self.nth));
        self.timed(id, parent, kind, time)
    }

    fn own_id(&self) -> Vec<u8> {
        derived_id(self.ray, &self.nth.to_string())
    }

    fn below(&self, name: &str, kind: OtlpKind, time: (i64, i64)) -> OtlpSpan {
        self.timed(derived_id(self.ray, name), self.ray.bits().to_be_bytes().to_vec(), kind, time)
    }

    fn timed(&self, span_id: Vec<u8>, parent_span_id: Vec<u8>, kind: OtlpKind, time: (i64, i64)) -> OtlpSpan {
        let (start_ns, lasted_ns) = time;
        let instant = |ns: i64| u64::try_from(ns).unwrap_or_default();
        OtlpSpan {
            trace_id: trace_id_of(self.root).to_vec(),
            span_id,
            parent_span_id,
            kind: kind.into(),
            start_time_unix_nano: instant(start_ns),
            end_time_unix_nano: instant(start_ns.saturating_add(lasted_ns.max(0))),
            ..OtlpSpan::default()
        }
    }

    /// Returns when the ray began by its own clock, in Unix nanoseconds.
    pub(super) const fn ray_ns(&self) -> i64 {
        self.ray.unix_ms().saturating_mul(1_000_000)
    }
}

/// Returns the ID of a span that is no request: of these 64 bits no two of a trace are the same by chance.
fn derived_id(ray: RayId, name: &str) -> Vec<u8> {
    let mut hash = Sha256::new_with_prefix("raydex span");
    hash.update(ray.bits().to_be_bytes());
    hash.update(name);
    hash.finalize().into_iter().take(8).collect()
}

/// The spans of a ray, by their services.
#[derive(Default)]
pub(super) struct ServiceSpans(Vec<(String, Vec<OtlpSpan>)>);

impl ServiceSpans {
    pub(super) fn push(&mut self, service: &str, span: OtlpSpan, room: &Reservation) -> Result<(), OutOfMemory> {
        room.reserve(OTLP_SPAN_BYTES + service.len())?;
        match self.0.iter_mut().find(|(name, _)| name == service) {
            Some((_, spans)) => spans.push(span),
            None => self.0.push((service.to_owned(), vec![span])),
        }
        Ok(())
    }

    fn first(&mut self) -> Option<&mut OtlpSpan> {
        self.0.first_mut()?.1.first_mut()
    }

    fn finish(self) -> Vec<OtlpResourceSpans> {
        let resource = |(service, spans)| {
            let name = OtlpAnyValue::from(OtlpValue::StringValue(service));
            let attributes = vec![OtlpKeyValue { key: "service.name".into(), value: Some(name) }];
            let scope = OtlpScope { name: "raydex".into(), version: env!("CARGO_PKG_VERSION").into() };
            OtlpResourceSpans {
                resource: Some(OtlpResource { attributes }),
                scope_spans: vec![OtlpScopeSpans { scope: Some(scope), spans }],
            }
        };
        self.0.into_iter().map(resource).collect()
    }
}

/// What a record becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SpanRole {
    Request,
    Worker,
    Connection,
    Event,
}

const fn role_of(dataset: Dataset) -> SpanRole {
    match dataset {
        Dataset::HttpRequests | Dataset::EdgeRequests => SpanRole::Request,
        Dataset::WorkersTraceEvents => SpanRole::Worker,
        Dataset::WebsocketAnalytics => SpanRole::Connection,
        _ => SpanRole::Event,
    }
}

/// Makes the spans of a ray, of the trace whose root is `root`. The memory of all of them is reserved in `memory`.
///
/// # Errors
/// [`OutOfMemory`] if they do not fit.
pub(crate) fn spans_of_ray(
    root: RayId,
    of_ray: &RayRecords<'_>,
    memory: &Reservation,
) -> Result<Vec<OtlpResourceSpans>, OutOfMemory> {
    let &RayRecords { ray, parent, records } = of_ray;
    let parent = parent.filter(|parent| ray != root && *parent != ray);
    let mut ordered: Vec<&(Dataset, Cow<'_, str>)> = records.iter().collect();
    ordered.sort_by_key(|(dataset, _)| (role_of(*dataset), *dataset));
    let (mut spans, mut events, mut host) = (ServiceSpans::default(), Vec::new(), None);
    for (nth, (dataset, text)) in ordered.into_iter().enumerate() {
        reserve_members(text, memory)?;
        let Ok(members) = RecordMembers::parse(text) else { continue };
        let (record, place) = (OtlpRecord::new(&members), SpanPlace { root, ray, parent, nth, room: memory });
        match role_of(*dataset) {
            SpanRole::Request => request_spans(&place, &record, &mut spans)?,
            SpanRole::Worker => worker_span(&place, &record, &mut spans)?,
            SpanRole::Connection => connection_span(&place, &record, &mut spans)?,
            SpanRole::Event => {
                host = host.or_else(|| record.text("ClientRequestHost").map(Cow::into_owned));
                events.push(event_of(&place, *dataset, &record)?);
            }
        }
    }
    attach(events, host.as_deref(), SpanPlace { root, ray, parent, nth: 0, room: memory }, &mut spans)?;
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

/// The service of a request whose record does not say its host.
pub(super) const NO_SERVICE: &str = "cloudflare";

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
