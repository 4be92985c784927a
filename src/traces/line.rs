//! The line of a span.

use serde_json::Value;

use super::facts::{ExportFacts, TraceFact};
use super::field;
use super::rules::RULES;
use super::values::{ExportedValues, Message, id, signed, unsigned};
use crate::access::SENDER_ZONE;
use crate::backend::to_json;
use crate::limits::TRACE_LINE_BYTES;
use crate::otlp::{ExportedSpan, UnheldPart};
use crate::record::Timestamp;

/// Why a span is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum SpanFault {
    /// It, its resource, its scope or its line is too large.
    #[error("too large, or nested too deep")]
    TooLarge,
    /// One of its IDs has another length or is zero.
    #[error("without a valid trace ID and span ID")]
    Ids,
    /// Its time is missing or none.
    #[error("without a valid start and end")]
    Times,
    /// Its caller may not bring spans of its host.
    #[error("not of the zones of the token")]
    Zone,
    /// There are more spans in the request than are read.
    #[error("more than one request may have")]
    TooMany,
    /// A whole number in it, its resource or its scope is none.
    #[error("with an integer that has more than 64 bits, or is none")]
    Integer,
    /// A number in it, its resource or its scope is too large.
    #[error("with a number beyond the range of a double")]
    Number,
}

impl From<UnheldPart> for SpanFault {
    fn from(unheld: UnheldPart) -> Self {
        match unheld {
            UnheldPart::TooLarge => Self::TooLarge,
            UnheldPart::Number => Self::Number,
        }
    }
}

/// Returns the line of a span, without a line feed.
///
/// # Errors
/// [`SpanFault`] for a span that is rejected.
pub fn span_line(exported: ExportedSpan<'_>, facts: &ExportFacts, last: &mut SpanOrigin) -> Result<Vec<u8>, SpanFault> {
    let ExportedSpan { resource, scope, origin, span } = exported;
    let Value::Object(mut span) = span? else { return Err(SpanFault::Ids) };
    let mut record = Message::new();
    write_ids(&mut record, &span, facts)?;
    write_times(&mut record, &span)?;
    let mut reader = ExportedValues::default();
    write_words(&mut record, &mut span, &mut reader);
    write_attributes(&mut record, &mut span, &mut reader);
    last.write(&mut record, origin, (resource, scope), &mut reader)?;
    if reader.is_beyond {
        return Err(SpanFault::Integer);
    }
    if reader.dropped > 0 {
        record.insert(field::DROPPED.into(), reader.dropped.into());
    }
    let line = serde_json::to_vec(&record).unwrap_or_default();
    if line.len() > TRACE_LINE_BYTES { Err(SpanFault::TooLarge) } else { Ok(line) }
}

/// Adds the zone of its sender to the line of a span.
pub fn name_sender(line: &mut Vec<u8>, zone: &str) {
    if line.pop() == Some(b'}') {
        line.extend_from_slice(format!(",\"{SENDER_ZONE}\":").as_bytes());
        line.extend_from_slice(&to_json(&zone));
        line.push(b'}');
    }
}

fn write_ids(record: &mut Message, span: &Message, facts: &ExportFacts) -> Result<(), SpanFault> {
    let trace = id(span.get("traceId"), 32).ok_or(SpanFault::Ids)?;
    let own = id(span.get("spanId"), 16).ok_or(SpanFault::Ids)?;
    let is_absent =
        |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.bytes().all(|b| b == b'0'));
    let parent = match span.get("parentSpanId") {
        Some(value) if !is_absent(value) => Some(id(Some(value), 16).ok_or(SpanFault::Ids)?),
        _ => None,
    };
    let fact = facts.of(&trace);
    let ray = fact.and_then(TraceFact::ray).map(|ray| ray.to_string());
    let host = fact.and_then(TraceFact::host).map(str::to_owned);
    let ids = [(field::TRACE, Some(trace)), (field::SPAN, Some(own)), (field::PARENT, parent), (field::RAY, ray)];
    for (name, value) in ids.into_iter().chain([(field::HOST, host)]) {
        put_text(record, name, value);
    }
    Ok(())
}

fn write_times(record: &mut Message, span: &Message) -> Result<(), SpanFault> {
    // Other times are none in a log line, and a batch without any is quarantined.
    let is_logged = |ns: &u64| i64::try_from(*ns).is_ok_and(Timestamp::is_logged);
    let instant = |name: &str| span.get(name).and_then(unsigned).filter(is_logged);
    let start = instant("startTimeUnixNano").ok_or(SpanFault::Times)?;
    let end = instant("endTimeUnixNano").ok_or(SpanFault::Times)?;
    record.insert(field::START.into(), start.into());
    record.insert(field::END.into(), end.max(start).into());
    Ok(())
}

/// Writes name, kind and status.
fn write_words(record: &mut Message, span: &mut Message, reader: &mut ExportedValues) {
    let put = |record: &mut Message, name: &str, text: Option<String>| {
        put_text(record, name, text.map(|text| RULES.text(&text).into_owned()));
    };
    put(record, field::NAME, reader.text(span, "name"));
    put(record, field::TRACE_STATE, reader.text(span, "traceState"));
    if let Some(Value::Object(mut status)) = span.remove("status") {
        put(record, field::MESSAGE, reader.text(&mut status, "message"));
        let codes = [(1, "STATUS_CODE_OK", "ok"), (2, "STATUS_CODE_ERROR", "error")];
        put_text(record, field::STATUS, word_of(status.get("code"), &codes));
    }
    let kinds = [
        (1, "SPAN_KIND_INTERNAL", "internal"),
        (2, "SPAN_KIND_SERVER", "server"),
        (3, "SPAN_KIND_CLIENT", "client"),
        (4, "SPAN_KIND_PRODUCER", "producer"),
        (5, "SPAN_KIND_CONSUMER", "consumer"),
    ];
    put_text(record, field::KIND, word_of(span.get("kind"), &kinds));
}

/// Returns the word of an enumeration's value, which JSON has as a number, or as a name.
fn word_of(value: Option<&Value>, words: &[(i64, &str, &str)]) -> Option<String> {
    let value = value?;
    let is = |(number, name, _): &&(i64, &str, &str)| signed(value) == Some(*number) || value.as_str() == Some(*name);
    words.iter().find(is).map(|(_, _, word)| (*word).to_owned())
}

/// Writes attributes, events and links.
fn write_attributes(record: &mut Message, span: &mut Message, reader: &mut ExportedValues) {
    put_object(record, field::ATTRIBUTES, reader.attributes(span, "attributes"));
    reader.count_dropped(span, "droppedEventsCount");
    reader.count_dropped(span, "droppedLinksCount");
    for (list, name) in [("events", field::EVENTS), ("links", field::LINKS)] {
        let parts: Vec<Value> =
            reader.list(span, list).into_iter().filter_map(|part| span_part(part, reader)).collect();
        if !parts.is_empty() {
            record.insert(name.into(), parts.into());
        }
    }
}

/// Returns an event or a link.
fn span_part(part: Value, reader: &mut ExportedValues) -> Option<Value> {
    let Value::Object(mut part) = part else { return None };
    let mut out = Message::new();
    let scrubbed = |text: String| RULES.text(&text).into_owned();
    put_text(&mut out, "Name", reader.text(&mut part, "name").map(scrubbed));
    put_text(&mut out, "TraceState", reader.text(&mut part, "traceState").map(scrubbed));
    put_text(&mut out, "TraceID", id(part.get("traceId"), 32));
    put_text(&mut out, "SpanID", id(part.get("spanId"), 16));
    if let Some(ns) = reader.whole(&part, "timeUnixNano").filter(|ns| *ns > 0) {
        out.insert("Timestamp".into(), ns.into());
    }
    put_object(&mut out, "Attributes", reader.attributes(&mut part, "attributes"));
    Some(out.into())
}

/// What the last spans of a request were of and what made them, as their lines have it: rid of secrets once for all of them.
#[derive(Debug, Default)]
pub struct SpanOrigin {
    number: u32,
    /// As text, which takes a tenth of what it takes as a value.
    written: Vec<u8>,
    dropped: u64,
    is_beyond: bool,
}

impl SpanOrigin {
    /// Writes the resource and the scope of this number.
    fn write(
        &mut self,
        record: &mut Message,
        number: u32,
        origin: (&Value, &Value),
        reader: &mut ExportedValues,
    ) -> Result<(), SpanFault> {
        if self.number != number {
            let (mut own, mut written) = (ExportedValues::default(), Message::new());
            write_origin(&mut written, origin, &mut own);
            let written = Some(to_json(&written)).filter(|text| text.len() <= TRACE_LINE_BYTES);
            let ExportedValues { dropped, is_beyond } = own;
            *self = Self { number, written: written.unwrap_or_default(), dropped, is_beyond };
        }
        let written: Message = serde_json::from_slice(&self.written).map_err(|_| SpanFault::TooLarge)?;
        record.extend(written);
        reader.dropped = reader.dropped.saturating_add(self.dropped);
        reader.is_beyond |= self.is_beyond;
        Ok(())
    }
}

fn write_origin(record: &mut Message, (resource, scope): (&Value, &Value), reader: &mut ExportedValues) {
    let scrubbed = |text: String| RULES.text(&text).into_owned();
    if let Value::Object(resource) = resource {
        let attributes = reader.attributes(&mut resource.clone(), "attributes");
        let service = attributes.get("service.name").and_then(Value::as_str);
        put_text(record, field::SERVICE, service.map(str::to_owned).map(scrubbed));
        put_object(record, field::RESOURCE, attributes);
    }
    if let Value::Object(scope) = scope {
        let mut scope = scope.clone();
        put_text(record, field::SCOPE_NAME, reader.text(&mut scope, "name").map(scrubbed));
        put_text(record, field::SCOPE_VERSION, reader.text(&mut scope, "version").map(scrubbed));
        put_object(record, field::SCOPE, reader.attributes(&mut scope, "attributes"));
    }
}

fn put_text(record: &mut Message, name: &str, text: Option<String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        record.insert(name.to_owned(), text.into());
    }
}

/// Writes attributes without secrets, if there are any.
fn put_object(record: &mut Message, name: &str, attributes: Message) {
    if !attributes.is_empty() {
        let mut attributes = Value::Object(attributes);
        RULES.json(&mut attributes);
        record.insert(name.to_owned(), with_clean_names(attributes));
    }
}

/// Returns attributes whose names have no secrets either.
fn with_clean_names(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let clean = |(name, value): (String, Value)| (RULES.text(&name).into_owned(), with_clean_names(value));
            Value::Object(members.into_iter().map(clean).collect())
        }
        Value::Array(elements) => elements.into_iter().map(with_clean_names).collect::<Vec<_>>().into(),
        value => value,
    }
}
