//! The media types of replies: RFC 8259 for JSON, RFC 9457 for problems, RFC 4180 for CSV.

pub(crate) const JSON: &str = "application/json";
pub(crate) const PROBLEM: &str = "application/problem+json";
/// An HTTP archive (HAR 1.2): not registered, and named as RFC 6839 names forms of JSON.
pub(crate) const HAR: &str = "application/har+json";
/// One JSON object per line.
pub(crate) const NDJSON: &str = "application/x-ndjson";
/// Plain text, such as the partner's lines.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// Comma-separated values, with a first row of names.
pub(crate) const CSV: &str = "text/csv; charset=utf-8; header=present";
/// A page.
pub(crate) const HTML: &str = "text/html; charset=utf-8";
/// Protobuf, as Grafana's data source of Tempo asks for it.
pub(crate) const PROTOBUF: &str = "application/protobuf";
/// Protobuf, as OTLP over HTTP names it.
pub(crate) const OTLP_PROTOBUF: &str = "application/x-protobuf";
