//! The spans that exporters of OpenTelemetry bring, as lines of the dataset `traces`.
//!
//! `facts` finds the ray and the host of each trace of a request, `values` reads attributes, `line` writes a span.
//!
//! # Invariants
//! A line depends on its span, what that is of, the facts of its trace and nothing else, so that a request that is sent again has the same lines.
//! Secrets leave a span by the rules of the edge logger. What is dropped is counted in the line.

mod facts;
mod line;
mod rules;
mod values;

#[cfg(test)]
mod tests;

pub use facts::ExportFacts;
pub use line::{SpanFault, SpanOrigin, name_sender, span_line};

/// The dataset's fields.
pub(crate) mod field {
    pub(crate) const PARENT: &str = "ParentSpanID";
    pub(crate) const RAY: &str = "RayID";
    pub(crate) const RESOURCE: &str = "ResourceAttributes";
    pub(crate) const SCOPE: &str = "ScopeAttributes";
    pub(crate) const SCOPE_NAME: &str = "ScopeName";
    pub(crate) const SCOPE_VERSION: &str = "ScopeVersion";
    pub(crate) const SERVICE: &str = "ServiceName";
    pub(crate) const ATTRIBUTES: &str = "SpanAttributes";
    pub(crate) const DROPPED: &str = "SpanDropped";
    pub(crate) const END: &str = "SpanEndTimestamp";
    pub(crate) const EVENTS: &str = "SpanEvents";
    pub(crate) const HOST: &str = "SpanHost";
    pub(crate) const SPAN: &str = "SpanID";
    pub(crate) const KIND: &str = "SpanKind";
    pub(crate) const LINKS: &str = "SpanLinks";
    pub(crate) const NAME: &str = "SpanName";
    pub(crate) const START: &str = "SpanStartTimestamp";
    pub(crate) const STATUS: &str = "SpanStatus";
    pub(crate) const MESSAGE: &str = "SpanStatusMessage";
    pub(crate) const TRACE_STATE: &str = "SpanTraceState";
    pub(crate) const TRACE: &str = "TraceID";
}
