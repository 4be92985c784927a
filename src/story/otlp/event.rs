//! What happened to a request, as an event of its span.

use super::attributes::AttributeList;
use super::place::SpanPlace;
use super::record::OtlpRecord;
use crate::limits::OTLP_SPAN_BYTES;
use crate::memory::OutOfMemory;
use crate::otlp::OtlpEvent;
use crate::record::Dataset;

/// The fields with the time of an event, in the order in which they count.
const TIMES: [&str; 4] = ["Datetime", "CreatedAt", "Timestamp", "EdgeStartTimestamp"];

/// Returns the event of a record: a firewall rule that matched, a sign-in.
pub(super) fn event_of(
    place: &SpanPlace<'_>,
    dataset: Dataset,
    record: &OtlpRecord<'_>,
) -> Result<OtlpEvent, OutOfMemory> {
    place.room.reserve(OTLP_SPAN_BYTES)?;
    let ns = TIMES.into_iter().find_map(|name| record.instant(name)).unwrap_or_else(|| place.ray_ns());
    let mut attributes = AttributeList::new(place.room);
    attributes.push_fields(record, &["RayID"])?;
    let action = record.text("Action").filter(|_| dataset == Dataset::FirewallEvents);
    Ok(OtlpEvent {
        time_unix_nano: u64::try_from(ns).unwrap_or_default(),
        name: action.map_or_else(|| dataset.name().to_owned(), |action| format!("firewall {action}")),
        attributes: attributes.finish(),
    })
}
