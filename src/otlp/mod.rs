//! Traces in OpenTelemetry's form (OTLP 1): the messages that are written, by hand, as protobuf and as JSON; and the requests of
//! exporters, which `export` reads in both forms as the values of one.
//!
//! # Invariants
//! Both forms have the same members: what is empty or 0 is in neither. The JSON has IDs in hexadecimal digits and 64-bit
//! numbers as texts, as OTLP wants. Equal messages are equal bytes.

mod decode;
mod export;
mod json;
mod message;
mod value;
mod wire;

pub use export::{ExportForm, ExportedSpan, UnheldPart, each_span};
pub use message::{
    OtlpEvent, OtlpKind, OtlpLink, OtlpResource, OtlpResourceSpans, OtlpScope, OtlpScopeSpans, OtlpSpan, OtlpStatus,
    OtlpTrace, SPAN_ERROR, SPAN_OK,
};
pub use value::{OtlpAnyValue, OtlpArray, OtlpKeyValue, OtlpValue};
pub use wire::MalformedExport;
