//! The span of a WebSocket connection.

use super::attributes::AttributeList;
use super::place::{ServiceSpans, SpanPlace};
use super::record::OtlpRecord;
use super::request::service_of;
use crate::memory::OutOfMemory;
use crate::otlp::{OtlpKind, OtlpSpan};

/// The fields with the times of a connection, in both of their spellings.
const TIMES: [(&str, &str); 2] =
    [("EdgeStartTimestamp", "EdgeEndTimestamp"), ("timestampStartNanos", "timestampEndNanos")];

/// Adds the span of a connection.
pub(super) fn connection_span(
    place: &SpanPlace<'_>,
    record: &OtlpRecord<'_>,
    spans: &mut ServiceSpans,
) -> Result<(), OutOfMemory> {
    let time = |(start, end): (&str, &str)| {
        let start_ns = record.instant(start)?;
        let end_ns = record.instant(end).unwrap_or(start_ns);
        Some((start_ns, end_ns.saturating_sub(start_ns)))
    };
    let time = TIMES.into_iter().find_map(time).unwrap_or((place.ray_ns(), 0));
    let mut attributes = AttributeList::new(place.room);
    attributes.push_fields(record, &[])?;
    let span =
        OtlpSpan { name: "websocket".into(), attributes: attributes.finish(), ..place.span(OtlpKind::Server, time) };
    spans.push(&service_of(record), span, place.room)
}
