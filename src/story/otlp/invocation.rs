//! The span of a Worker that served a request: what it printed and threw are events of it.

use std::borrow::Cow;

use super::super::TimingUnit;
use super::attributes::{AttributeList, HEADER_ATTRIBUTES, push_object};
use super::place::{NO_SERVICE, ServiceSpans, SpanPlace};
use super::record::{OtlpRecord, each_object, reserve_members};
use crate::limits::{OTLP_NAME_CHARS, OTLP_SPAN_BYTES};
use crate::memory::{OutOfMemory, Reservation};
use crate::otlp::{OtlpEvent, OtlpKind, OtlpSpan, OtlpStatus, SPAN_ERROR};
use crate::record::RecordMembers;

/// The members of a record that events, the span itself and other attributes are made of.
const TAKEN_APART: [&str; 4] = ["Event", "Exceptions", "Logs", "ScriptName"];

/// The outcomes of Workers that failed, and with which the platform ended them.
const FAILURES: [&str; 6] =
    ["exception", "exceededCpu", "exceededMemory", "scriptNotFound", "internalError", "loadShed"];

/// Adds the span of a Worker.
pub(super) fn worker_span(
    place: &SpanPlace<'_>,
    record: &OtlpRecord<'_>,
    spans: &mut ServiceSpans,
) -> Result<(), OutOfMemory> {
    let start_ns = record.instant("EventTimestampMs").unwrap_or_else(|| place.ray_ns());
    let wall = record.raw("WallTimeMs").and_then(|raw| TimingUnit::Milliseconds.nanoseconds(raw));
    let script = record.text("ScriptName");
    let mut attributes = AttributeList::new(place.room);
    attributes.push_text("faas.name", script.clone())?;
    push_event(&mut attributes, record, place.room)?;
    attributes.push_fields(record, &TAKEN_APART)?;
    let mut events = Vec::new();
    push_events(&mut events, (record, "Logs", start_ns), place.room, log_event)?;
    let mut failure = None;
    push_events(&mut events, (record, "Exceptions", start_ns), place.room, |thrown, list| {
        failure.get_or_insert_with(|| thrown_words(thrown));
        exception_event(thrown, list)
    })?;
    events.sort_by_key(|event| event.time_unix_nano);
    let name = script.as_deref().map_or_else(|| "worker".to_owned(), |script| format!("worker {script}"));
    let span = OtlpSpan {
        name,
        attributes: attributes.finish(),
        events,
        status: status_of(record, failure),
        ..place.span(OtlpKind::Internal, (start_ns, wall.unwrap_or_default()))
    };
    spans.push(script.as_deref().unwrap_or(NO_SERVICE), span, place.room)
}

/// Returns the status of a Worker's span, with what it threw first.
fn status_of(record: &OtlpRecord<'_>, thrown: Option<String>) -> Option<OtlpStatus> {
    let outcome = record.text("Outcome").filter(|outcome| FAILURES.contains(&outcome.as_ref()));
    let message = thrown.or_else(|| outcome.map(Cow::into_owned))?;
    Some(OtlpStatus { message, code: SPAN_ERROR })
}

/// Adds what called the Worker.
fn push_event(list: &mut AttributeList<'_>, record: &OtlpRecord<'_>, room: &Reservation) -> Result<(), OutOfMemory> {
    let Some(members) = object_in(record, "Event", room)? else { return Ok(()) };
    let event = OtlpRecord::new(&members);
    if let Some(members) = object_in(&event, "Request", room)? {
        let request = OtlpRecord::new(&members);
        list.push_text("http.request.method", request.text("Method"))?;
        list.push_text("url.full", request.text("URL"))?;
        let [(_, prefix), _] = HEADER_ATTRIBUTES;
        if let Some(raw) = request.raw("Headers").filter(|raw| raw.starts_with('{')) {
            list.push_headers(prefix, raw)?;
        }
    }
    if let Some(members) = object_in(&event, "Response", room)? {
        list.push_whole("http.response.status_code", OtlpRecord::new(&members).whole("Status"))?;
    }
    push_object(list, (&event, "Event."), &["Request", "Response", "RayID"])
}

/// Returns the members of an object in a record.
fn object_in<'m>(
    record: &OtlpRecord<'m>,
    name: &str,
    room: &Reservation,
) -> Result<Option<RecordMembers<'m>>, OutOfMemory> {
    let Some(raw) = record.raw(name).filter(|raw| raw.starts_with('{')) else { return Ok(None) };
    reserve_members(raw, room)?;
    Ok(RecordMembers::parse(raw).ok())
}

/// Adds an event for each object in a list of the record.
fn push_events(
    events: &mut Vec<OtlpEvent>,
    (record, name, start_ns): (&OtlpRecord<'_>, &str, i64),
    room: &Reservation,
    mut write: impl FnMut(&OtlpRecord<'_>, &mut AttributeList<'_>) -> Result<&'static str, OutOfMemory>,
) -> Result<(), OutOfMemory> {
    let Some(raw) = record.raw(name) else { return Ok(()) };
    each_object(raw, room, |object| {
        room.reserve(OTLP_SPAN_BYTES)?;
        let mut attributes = AttributeList::new(room);
        let name = write(object, &mut attributes)?;
        let ns = ["TimestampMs", "timestampMs"].into_iter().find_map(|name| object.instant(name)).unwrap_or(start_ns);
        let time_unix_nano = u64::try_from(ns).unwrap_or_default();
        events.push(OtlpEvent { time_unix_nano, name: name.to_owned(), attributes: attributes.finish() });
        Ok(())
    })
}

/// Writes a line that a Worker printed. Older runtimes wrote the names in lower case.
fn log_event(line: &OtlpRecord<'_>, list: &mut AttributeList<'_>) -> Result<&'static str, OutOfMemory> {
    let either = |upper: &str, lower: &str| line.raw(upper).or_else(|| line.raw(lower));
    let level = either("Level", "level").and_then(super::record::text_of);
    list.push_text("log.severity", level)?;
    if let Some(raw) = either("Message", "message") {
        let text = super::record::text_of(raw).unwrap_or(Cow::Borrowed(raw));
        list.push_text("log.message", Some(text))?;
    }
    Ok("log")
}

/// Writes what a Worker threw.
fn exception_event(thrown: &OtlpRecord<'_>, list: &mut AttributeList<'_>) -> Result<&'static str, OutOfMemory> {
    for (name, key) in [("Name", "exception.type"), ("Message", "exception.message"), ("Stack", "exception.stacktrace")]
    {
        list.push_text(key, thrown.text(name))?;
    }
    Ok("exception")
}

/// Returns what was thrown in a few words.
fn thrown_words(thrown: &OtlpRecord<'_>) -> String {
    let parts = [thrown.text("Name"), thrown.text("Message")];
    let words = itertools::join(parts.iter().flatten(), ": ");
    words.chars().take(2 * OTLP_NAME_CHARS).collect()
}
