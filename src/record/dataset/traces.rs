//! The dataset of traces: a record for each span that an exporter of OpenTelemetry brought.

use super::DatasetSpec;

/// The field that every one of its records has, and those of no other dataset.
pub(super) const MARKER: &str = "SpanID";

/// The field with the ID of the trace.
pub(super) const TRACE: &str = "TraceID";

pub(super) const TRACES: DatasetSpec = DatasetSpec {
    ray: Some("RayID"), time: "SpanStartTimestamp", parent: None, also: None,
    zone: &["SpanHost"],
    folders: &["span", "spans", "otel", "otlp", "opentelemetry"],
    telling: &[&["SpanStartTimestamp", MARKER]],
    columns: &[
        "RayID", "SpanStartTimestamp", "SpanEndTimestamp", "ServiceName", "SpanName", "SpanKind", "SpanStatus",
        "SpanHost", "TraceID", "SpanID", "ParentSpanID",
    ],
    fields: &[
        "ParentSpanID", "RayID", "ResourceAttributes", "ScopeAttributes", "ScopeName", "ScopeVersion", "ServiceName",
        "SpanAttributes", "SpanDropped", "SpanEndTimestamp", "SpanEvents", "SpanHost", "SpanID", "SpanKind",
        "SpanLinks", "SpanName", "SpanSenderZone", "SpanStartTimestamp", "SpanStatus", "SpanStatusMessage",
        "SpanTraceState", "TraceID",
    ],
};
