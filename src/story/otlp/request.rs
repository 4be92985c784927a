//! The spans of a request: its own, and one below it for each step of its time.

use std::borrow::Cow;

use super::super::{Phase, Phases};
use super::attributes::{AttributeList, push_request};
use super::place::{NO_SERVICE, ServiceSpans, SpanPlace};
use super::record::{OtlpRecord, text_of};
use super::trace_parent::{TRACE_PARENT, link_of};
use crate::limits::OTLP_NAME_CHARS;
use crate::memory::OutOfMemory;
use crate::otlp::{OtlpKind, OtlpLink, OtlpSpan, OtlpStatus, SPAN_ERROR};
use crate::record::FieldValue;
use crate::render::first_header;

/// The service of steps at the origin.
const ORIGIN: &str = "origin";

/// Adds the spans of the record of a request.
pub(super) fn request_spans(
    place: &SpanPlace<'_>,
    record: &OtlpRecord<'_>,
    spans: &mut ServiceSpans,
) -> Result<(), OutOfMemory> {
    let phases = Phases::from_record(|name| record.raw(name));
    let start_ns = phases.start_ns.unwrap_or_else(|| place.ray_ns());
    let is_subrequest = matches!(record.raw("WorkerSubrequest"), Some("true" | "\"true\"" | "1"));
    let kind = if is_subrequest { OtlpKind::Client } else { OtlpKind::Server };
    let mut attributes = AttributeList::new(place.room);
    push_request(&mut attributes, record)?;
    let span = OtlpSpan {
        name: request_name(record),
        attributes: attributes.finish(),
        links: link_to_sender(record).into_iter().collect(),
        status: status_of(record, is_subrequest),
        ..place.span(kind, (start_ns, phases.total_ns()))
    };
    let service = service_of(record);
    spans.push(&service, span, place.room)?;
    for step in phases.spans().filter(|step| step.lasted_ns > 0) {
        let (kind, of) = match step.phase {
            Phase::Edge | Phase::Receive => (OtlpKind::Internal, service.as_ref()),
            Phase::Dns | Phase::Tcp | Phase::Tls | Phase::Send | Phase::Wait => (OtlpKind::Client, ORIGIN),
        };
        let time = (start_ns.saturating_add(step.after_ns), step.lasted_ns);
        let mut attributes = AttributeList::new(place.room);
        if of == ORIGIN {
            attributes.push_text("network.peer.address", record.text("OriginIP"))?;
        }
        let name = step_name(step.phase).to_owned();
        let span = OtlpSpan { name, attributes: attributes.finish(), ..place.step(step.phase.name(), kind, time) };
        spans.push(of, span, place.room)?;
    }
    Ok(())
}

/// The name of a step's span.
const fn step_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Tcp => "connect",
        phase => phase.name(),
    }
}

/// Returns the service that the host of a request names.
pub(super) fn service_of<'m>(record: &OtlpRecord<'m>) -> Cow<'m, str> {
    record.text("ClientRequestHost").unwrap_or(Cow::Borrowed(NO_SERVICE))
}

/// Returns the name of a request's span: method and path.
pub(super) fn request_name(record: &OtlpRecord<'_>) -> String {
    let method = record.text("ClientRequestMethod").unwrap_or(Cow::Borrowed("request"));
    let path = record.text("ClientRequestURI").or_else(|| record.text("ClientRequestPath")).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let name = if path.is_empty() { method.into_owned() } else { format!("{method} {path}") };
    match name.char_indices().nth(OTLP_NAME_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name,
    }
}

/// Returns the span of another trace that sent the request, if its headers were logged and say so.
fn link_to_sender(record: &OtlpRecord<'_>) -> Option<OtlpLink> {
    let headers = FieldValue::from_json(record.raw("RequestHeaders")?);
    match first_header(&headers, TRACE_PARENT) {
        FieldValue::Text(header) => link_of(&header),
        _ => None,
    }
}

/// Returns the status of a request's span: an answer of 500 and above failed, and one of 400 and above for who sent it.
fn status_of(record: &OtlpRecord<'_>, is_subrequest: bool) -> Option<OtlpStatus> {
    let least = if is_subrequest { 400 } else { 500 };
    let status: i64 = text_of(record.raw("EdgeResponseStatus")?)?.parse().ok()?;
    (status >= least).then(|| OtlpStatus { message: String::new(), code: SPAN_ERROR })
}
