//! Traces in OpenTelemetry's form (OTLP 1): the messages, written by hand, as protobuf and as JSON.
//!
//! # Invariants
//! Both forms have the same members: what is empty or 0 is in neither. The JSON has IDs in hexadecimal digits and 64-bit
//! numbers as texts, as OTLP wants. Equal messages are equal bytes.

mod json;
mod message;
mod value;

pub use message::{
    OtlpEvent, OtlpKind, OtlpLink, OtlpResource, OtlpResourceSpans, OtlpScope, OtlpScopeSpans, OtlpSpan, OtlpStatus,
    OtlpTrace, SPAN_ERROR,
};
pub use value::{OtlpAnyValue, OtlpArray, OtlpKeyValue, OtlpValue};
