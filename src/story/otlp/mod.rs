//! The requests of a tree as the spans of a trace in OpenTelemetry's form.
//!
//! A Ray ID has the size of a span ID, so it is one; the trace's ID is the root's ray with zeros before it. A request is a
//! span of the service that its host names, each step of its time that was measured a span below it, and so is a Worker that
//! served it, with what that printed and threw as events. The spans that an exporter brought are below it as they are. Other
//! records are events of the request.
//!
//! # Invariants
//! Spans have values of their records alone, as the caller sees these. The same records make the same spans. No two spans of an
//! answer have the same ID.

mod attributes;
mod connection;
mod event;
mod exported;
mod invocation;
mod place;
mod record;
mod request;
mod span_ids;
mod spans;
mod trace_parent;

pub use self::attributes::{AttributeType, FIELD_PREFIX, HEADER_ATTRIBUTES, RAY_ATTRIBUTE, SEMANTIC_ATTRIBUTES};
pub(crate) use self::place::{NO_RAY, trace_id_of};
pub(crate) use self::span_ids::SpanIds;
pub(crate) use self::spans::{RaySpanParts, RequestSummary, SpanRecords, request_summary};
pub use self::trace_parent::TRACE_PARENT;

#[cfg(test)]
mod tests;
