//! The attributes of a span: by OpenTelemetry's semantic conventions where these have a name for a field, and under
//! `cloudflare.` with the field's own name for all others.
//!
//! # Invariants
//! Each attribute is reserved before it exists. What the record does not say has no attribute.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::record::{OtlpRecord, reserve_members, text_of, value_of};
use crate::limits::OTLP_ATTRIBUTE_BYTES;
use crate::memory::{OutOfMemory, Reservation};
use crate::otlp::{OtlpAnyValue, OtlpArray, OtlpKeyValue, OtlpValue};
use crate::record::{RecordMembers, SUBREQUESTS};

/// The attribute with a ray.
pub const RAY_ATTRIBUTE: &str = "cloudflare.ray_id";

/// What precedes a field's own name.
pub const FIELD_PREFIX: &str = "cloudflare.";

/// The fields with headers, and what precedes a header's name.
pub const HEADER_ATTRIBUTES: [(&str, &str); 2] =
    [("RequestHeaders", "http.request.header."), ("ResponseHeaders", "http.response.header.")];

/// The type that a convention gives an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// A text.
    Text,
    /// A whole number.
    Whole,
}

/// The fields of requests whose values are those of an attribute of the conventions.
pub const SEMANTIC_ATTRIBUTES: [(&str, &str, AttributeType); 13] = [
    ("ClientCity", "geo.locality.name", AttributeType::Text),
    ("ClientCountry", "geo.country.iso_code", AttributeType::Text),
    ("ClientIP", "client.address", AttributeType::Text),
    ("ClientRequestBytes", "http.request.size", AttributeType::Whole),
    ("ClientRequestMethod", "http.request.method", AttributeType::Text),
    ("ClientRequestScheme", "url.scheme", AttributeType::Text),
    ("ClientRequestUserAgent", "user_agent.original", AttributeType::Text),
    ("ClientSSLCipher", "tls.cipher", AttributeType::Text),
    ("ClientSrcPort", "client.port", AttributeType::Whole),
    ("EdgeResponseBodyBytes", "http.response.body.size", AttributeType::Whole),
    ("EdgeResponseBytes", "http.response.size", AttributeType::Whole),
    ("EdgeResponseStatus", "http.response.status_code", AttributeType::Whole),
    ("RayID", RAY_ATTRIBUTE, AttributeType::Text),
];

/// The fields that other attributes are made of, and those that the place of the span in its trace says.
const TAKEN_APART: [&str; 5] =
    ["ClientRequestHost", "ClientRequestProtocol", "ClientRequestURI", "ParentRayID", SUBREQUESTS];

/// Attributes in the making.
pub(super) struct AttributeList<'r> {
    list: Vec<OtlpKeyValue>,
    room: &'r Reservation,
}

impl<'r> AttributeList<'r> {
    pub(super) const fn new(room: &'r Reservation) -> Self {
        Self { list: Vec::new(), room }
    }

    /// Adds an attribute.
    pub(super) fn push(&mut self, key: &str, value: OtlpValue) -> Result<(), OutOfMemory> {
        self.room.reserve(OTLP_ATTRIBUTE_BYTES + key.len() + held_bytes(&value))?;
        self.list.push(OtlpKeyValue { key: key.to_owned(), value: Some(value.into()) });
        Ok(())
    }

    /// Adds a text, if there is one.
    pub(super) fn push_text(&mut self, key: &str, text: Option<Cow<'_, str>>) -> Result<(), OutOfMemory> {
        text.map_or(Ok(()), |text| self.push(key, OtlpValue::StringValue(text.into_owned())))
    }

    /// Adds a whole number, if there is one.
    pub(super) fn push_whole(&mut self, key: &str, number: Option<i64>) -> Result<(), OutOfMemory> {
        number.map_or(Ok(()), |number| self.push(key, OtlpValue::IntValue(number)))
    }

    /// Adds a field under its own name, if it is not empty.
    pub(super) fn push_field(&mut self, name: &str, raw: &str) -> Result<(), OutOfMemory> {
        self.room.reserve(2 * raw.len() + ELEMENT_BYTES * raw.matches(',').count())?;
        let value = value_of(raw);
        value.map_or(Ok(()), |value| self.push(&format!("{FIELD_PREFIX}{name}"), value))
    }

    /// Adds all fields but these under their own names.
    pub(super) fn push_fields(&mut self, record: &OtlpRecord<'_>, but: &[&str]) -> Result<(), OutOfMemory> {
        record.iter().filter(|(name, _)| !but.contains(name)).try_for_each(|(name, raw)| self.push_field(name, raw))
    }

    /// Adds the headers in an object, each with all of its values; `false` if the JSON is no object.
    pub(super) fn push_headers(&mut self, prefix: &str, raw: &str) -> Result<bool, OutOfMemory> {
        reserve_members(raw, self.room)?;
        let Ok(members) = RecordMembers::parse(raw) else { return Ok(false) };
        let mut headers: BTreeMap<String, Vec<OtlpAnyValue>> = BTreeMap::new();
        for (name, raw) in members.iter() {
            self.room.reserve(2 * (name.len() + raw.len()) + ELEMENT_BYTES * (raw.matches(',').count() + 1))?;
            let values = headers.entry(name.to_ascii_lowercase()).or_default();
            match value_of(raw) {
                Some(OtlpValue::ArrayValue(list)) => values.extend(list.values),
                Some(value) => values.push(value.into()),
                None => {}
            }
        }
        for (name, values) in headers.into_iter().filter(|(_, values)| !values.is_empty()) {
            self.push(&format!("{prefix}{name}"), OtlpValue::ArrayValue(OtlpArray { values }))?;
        }
        Ok(true)
    }

    pub(super) fn finish(self) -> Vec<OtlpKeyValue> {
        self.list
    }
}

/// Memory of an element of a list beside its text, in bytes, in a list that doubles as it grows.
const ELEMENT_BYTES: usize = 3 * size_of::<OtlpAnyValue>() + 16;

/// Returns the memory of a value beside that of its attribute, in bytes. The elements of lists are reserved as they are read.
fn held_bytes(value: &OtlpValue) -> usize {
    if let OtlpValue::StringValue(text) = value { text.len() } else { 0 }
}

/// Adds the attributes of the record of a request.
pub(super) fn push_request(list: &mut AttributeList<'_>, record: &OtlpRecord<'_>) -> Result<(), OutOfMemory> {
    let mut done = TAKEN_APART.to_vec();
    for (field, key, kind) in SEMANTIC_ATTRIBUTES {
        let value = match kind {
            AttributeType::Text => record.text(field).map(|text| OtlpValue::StringValue(text.into_owned())),
            AttributeType::Whole => record.whole(field).map(OtlpValue::IntValue),
        };
        if let Some(value) = value {
            list.push(key, value)?;
            done.push(field);
        }
    }
    push_address(list, record)?;
    if push_protocol(list, record)? {
        done.push("ClientSSLProtocol");
    }
    if record.text("ClientRequestURI").is_some() {
        done.push("ClientRequestPath");
    }
    for (field, prefix) in HEADER_ATTRIBUTES {
        if let Some(raw) = record.raw(field).filter(|raw| raw.starts_with('{'))
            && list.push_headers(prefix, raw)?
        {
            done.push(field);
        }
    }
    list.push_fields(record, &done)
}

/// Adds the host, the path and the query.
fn push_address(list: &mut AttributeList<'_>, record: &OtlpRecord<'_>) -> Result<(), OutOfMemory> {
    if let Some(host) = record.text("ClientRequestHost") {
        let (name, port) = split_port(&host);
        list.push_text("server.address", Some(name.into()))?;
        list.push_whole("server.port", port)?;
    }
    if let Some(uri) = record.text("ClientRequestURI") {
        let (path, query) = uri.split_once('?').map_or((&*uri, None), |(path, query)| (path, Some(query)));
        list.push_text("url.path", Some(path.into()).filter(|path: &Cow<'_, str>| !path.is_empty()))?;
        list.push_text("url.query", query.filter(|query| !query.is_empty()).map(Into::into))?;
    }
    Ok(())
}

/// Adds the versions of HTTP and of TLS; returns whether the record has that of TLS.
fn push_protocol(list: &mut AttributeList<'_>, record: &OtlpRecord<'_>) -> Result<bool, OutOfMemory> {
    if let Some(protocol) = record.text("ClientRequestProtocol") {
        let (name, version) = protocol.split_once('/').map_or((&*protocol, None), |(name, rest)| (name, Some(rest)));
        list.push_text("network.protocol.name", Some(name.to_ascii_lowercase().into()))?;
        list.push_text("network.protocol.version", version.map(Into::into))?;
    }
    let tls = record.text("ClientSSLProtocol");
    let version = tls.as_deref().and_then(|protocol| protocol.strip_prefix("TLSv"));
    list.push_text("tls.protocol.version", version.map(Into::into))?;
    Ok(version.is_some())
}

/// Splits a host into its name and its port. An address of IPv6 keeps its brackets.
fn split_port(host: &str) -> (&str, Option<i64>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') && (!name.contains(':') || name.ends_with(']')) => {
            port.parse().map_or((host, None), |port: u16| (name, Some(port.into())))
        }
        _ => (host, None),
    }
}

/// Adds what an object in a record says under the names of its members, each after a prefix.
pub(super) fn push_object(
    list: &mut AttributeList<'_>,
    (record, prefix): (&OtlpRecord<'_>, &str),
    but: &[&str],
) -> Result<(), OutOfMemory> {
    for (name, raw) in record.iter().filter(|(name, _)| !but.contains(name)) {
        if text_of(raw).is_some() || matches!(raw, "true" | "false") {
            list.push_field(&format!("{prefix}{name}"), raw)?;
        }
    }
    Ok(())
}
