//! A trace, and what it is made of.

use prost::{Enumeration, Message};
use serde::{Serialize, Serializer};

use super::json::{digits, is_default, number_or_name, unsigned};
use super::value::OtlpKeyValue;

/// The code of a status that says that nothing failed.
pub const SPAN_OK: i32 = 1;

/// The code of a status that says that something failed.
pub const SPAN_ERROR: i32 = 2;

/// A trace: `TracesData` of OTLP, which Tempo calls `Trace`.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtlpTrace {
    /// The spans, by what they are of.
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<OtlpResourceSpans>,
}

/// Spans of one resource, such as a service.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtlpResourceSpans {
    /// The resource.
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<OtlpResource>,
    /// Its spans, by what made them.
    #[prost(message, repeated, tag = "2")]
    pub scope_spans: Vec<OtlpScopeSpans>,
}

impl OtlpResourceSpans {
    /// Makes JSON have enumerations by their names, as Tempo writes them. It is then for JSON alone.
    pub fn name_enumerations(&mut self) {
        for span in self.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            let status = span.status.as_mut().map(|status| &mut status.code);
            for number in status.into_iter().chain([&mut span.kind]).filter(|number| **number != 0) {
                *number |= BY_NAME;
            }
        }
    }
}

/// What is added to the number of an enumeration that JSON has by its name: it has no such number.
const BY_NAME: i32 = 1 << 16;

/// The names of an [`OtlpKind`], by its number.
const KIND_NAMES: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// The names of the code of a status, by its number.
const CODE_NAMES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// Returns the name by which JSON has a number; `None` where it has the number.
fn name_of(number: i32, names: &[&'static str]) -> Option<&'static str> {
    let place = usize::try_from(number & !BY_NAME).ok().filter(|_| number & BY_NAME != 0)?;
    names.get(place).copied()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn kind<S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    number_or_name(*number, name_of(*number, &KIND_NAMES), serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn code<S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    number_or_name(*number, name_of(*number, &CODE_NAMES), serializer)
}

/// What spans are of.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct OtlpResource {
    /// What is known of it.
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<OtlpKeyValue>,
}

/// Spans that one program made.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct OtlpScopeSpans {
    /// The program.
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<OtlpScope>,
    /// The spans.
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<OtlpSpan>,
}

/// A program that makes spans.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct OtlpScope {
    /// Its name.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its version.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// The part that a span has in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum OtlpKind {
    /// It says nothing.
    Unspecified = 0,
    /// Work inside of a service.
    Internal = 1,
    /// A request that a service answers.
    Server = 2,
    /// A request that a service sends.
    Client = 3,
    /// A message that a service sends.
    Producer = 4,
    /// A message that a service gets.
    Consumer = 5,
}

/// A step of a trace.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtlpSpan {
    /// The ID of the trace, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    #[serde(serialize_with = "digits")]
    pub trace_id: Vec<u8>,
    /// The ID of the span, 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    #[serde(serialize_with = "digits")]
    pub span_id: Vec<u8>,
    /// The ID of the span that it is a part of; empty for the root.
    #[prost(bytes = "vec", tag = "4")]
    #[serde(serialize_with = "digits", skip_serializing_if = "Vec::is_empty")]
    pub parent_span_id: Vec<u8>,
    /// Its name.
    #[prost(string, tag = "5")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// An [`OtlpKind`].
    #[prost(enumeration = "OtlpKind", tag = "6")]
    #[serde(serialize_with = "kind", skip_serializing_if = "is_default")]
    pub kind: i32,
    /// When it began, in Unix nanoseconds.
    #[prost(fixed64, tag = "7")]
    #[serde(serialize_with = "unsigned", skip_serializing_if = "is_default")]
    pub start_time_unix_nano: u64,
    /// When it ended, in Unix nanoseconds.
    #[prost(fixed64, tag = "8")]
    #[serde(serialize_with = "unsigned", skip_serializing_if = "is_default")]
    pub end_time_unix_nano: u64,
    /// What is known of it.
    #[prost(message, repeated, tag = "9")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<OtlpKeyValue>,
    /// What happened in it.
    #[prost(message, repeated, tag = "11")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<OtlpEvent>,
    /// Spans of other traces that it belongs to.
    #[prost(message, repeated, tag = "13")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<OtlpLink>,
    /// Whether it failed.
    #[prost(message, optional, tag = "15")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<OtlpStatus>,
}

/// What happened in a span.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtlpEvent {
    /// When it happened, in Unix nanoseconds.
    #[prost(fixed64, tag = "1")]
    #[serde(serialize_with = "unsigned", skip_serializing_if = "is_default")]
    pub time_unix_nano: u64,
    /// Its name.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What is known of it.
    #[prost(message, repeated, tag = "3")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<OtlpKeyValue>,
}

/// A span of another trace.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtlpLink {
    /// The ID of that trace, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    #[serde(serialize_with = "digits")]
    pub trace_id: Vec<u8>,
    /// The ID of that span, 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    #[serde(serialize_with = "digits")]
    pub span_id: Vec<u8>,
    /// What is known of the link.
    #[prost(message, repeated, tag = "4")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<OtlpKeyValue>,
}

/// How a span ended.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct OtlpStatus {
    /// Why it failed.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// [`SPAN_ERROR`] if it failed.
    #[prost(int32, tag = "3")]
    #[serde(serialize_with = "code", skip_serializing_if = "is_default")]
    pub code: i32,
}
