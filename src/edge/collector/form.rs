//! Writes a batch in the form of a collector.
//!
//! The forms are those of the documented APIs: Loki's `POST /loki/api/v1/push`, Elasticsearch's `POST /_bulk`, Splunk's `POST
//! /services/collector/event`, OTLP 1 `POST /v1/logs` in JSON.
//!
//! # Invariants
//! The same batch has the same body, so that a collector that knows repetitions by their content or ID stores none.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::CollectorPost;
use crate::edge::batch::{EdgeBatch, compressed};
use crate::edge::sink::{CollectorPreset, CollectorSpec};
use crate::time::rfc3339;

/// The name of the service in forms that want one.
const SERVICE: &str = "raydex-edge";

/// The members of an event of Splunk's that labels set.
const SPLUNK_MEMBERS: [(&str, &str); 2] = [("source", SERVICE), ("sourcetype", "_json")];

/// What is read of a record.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LineFacts<'l> {
    #[serde(borrow, rename = "EdgeStartTimestamp")]
    start: Option<Cow<'l, str>>,
    #[serde(borrow, rename = "ClientRequestHost")]
    host: Option<Cow<'l, str>>,
    #[serde(borrow, rename = "ClientRequestMethod")]
    method: Option<Cow<'l, str>>,
    #[serde(borrow, rename = "ClientRequestPath")]
    path: Option<Cow<'l, str>>,
    #[serde(borrow, rename = "ClientIP")]
    client: Option<Cow<'l, str>>,
    #[serde(borrow, rename = "ClientRequestUserAgent")]
    agent: Option<Cow<'l, str>>,
    #[serde(borrow, rename = "RayID")]
    ray: Option<Cow<'l, str>>,
    #[serde(rename = "EdgeResponseStatus")]
    status: Option<u16>,
}

/// A record on its way into a form.
struct FormedRecord<'l> {
    line: &'l str,
    facts: LineFacts<'l>,
    /// The instant of the record, in Unix milliseconds.
    start_ms: i64,
}

impl<'l> FormedRecord<'l> {
    fn read(line: &'l str, batch: &EdgeBatch) -> Self {
        let facts: LineFacts<'l> = serde_json::from_str(line).unwrap_or_default();
        let start = facts.start.as_deref().and_then(|start| DateTime::parse_from_rfc3339(start).ok());
        let start_ms = start.map_or(batch.times.0, |start| start.timestamp_millis());
        Self { line, facts, start_ms }
    }

    /// Returns the instant in nanoseconds, as text.
    fn nanoseconds(&self) -> String {
        format!("{}000000", self.start_ms.max(0))
    }
}

/// Returns the request that brings a batch to a collector; `None` if the batch cannot be read.
pub(super) fn post(collector: &CollectorSpec, batch: &EdgeBatch, timeout_ms: i64) -> Option<CollectorPost> {
    let body = if collector.preset == CollectorPreset::Ndjson {
        batch.body.clone()
    } else {
        let text = String::from_utf8(batch.lines()?).ok()?;
        compressed(&form(collector, batch, &text)?)?
    };
    let own = [
        ("content-type", collector.preset.media_type().to_owned()),
        ("content-encoding", "gzip".to_owned()),
        ("raydex-edge", batch.label_text()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    let headers = own.chain(collector.headers.iter().cloned()).collect();
    Some(CollectorPost { url: collector.url.clone(), headers, body, timeout_ms })
}

/// Returns the body, before it is compressed.
fn form(collector: &CollectorSpec, batch: &EdgeBatch, text: &str) -> Option<Vec<u8>> {
    let records = text.lines().map(|line| FormedRecord::read(line, batch));
    match collector.preset {
        CollectorPreset::Ndjson => Some(text.as_bytes().to_vec()),
        CollectorPreset::Loki => loki(collector, records),
        CollectorPreset::Elastic => elastic(collector, batch, records),
        CollectorPreset::Splunk => splunk(collector, records),
        CollectorPreset::Otlp => otlp(collector, records, batch),
    }
}

/// One stream with the labels; each value is a text of nanoseconds and a line.
fn loki<'l>(collector: &CollectorSpec, records: impl Iterator<Item = FormedRecord<'l>>) -> Option<Vec<u8>> {
    // Loki refuses a stream without a label.
    // Its names have no points.
    let named = collector.labels.iter().map(|(name, value)| (name.replace('.', "_"), value.clone()));
    let mut stream: BTreeMap<String, String> = named.collect();
    stream.entry("service_name".to_owned()).or_insert_with(|| SERVICE.to_owned());
    let mut out = Vec::new();
    out.extend_from_slice(br#"{"streams":[{"stream":"#);
    serde_json::to_writer(&mut out, &stream).ok()?;
    out.extend_from_slice(br#","values":["#);
    write_list(&mut out, records.map(|record| (record.nanoseconds(), record.line)))?;
    out.extend_from_slice(b"]}]}");
    Some(out)
}

/// Two lines a record. Its ID is that of its batch with the number of its line, so that a repetition is a conflict (409).
fn elastic<'l>(
    collector: &CollectorSpec,
    batch: &EdgeBatch,
    records: impl Iterator<Item = FormedRecord<'l>>,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (number, record) in records.enumerate() {
        let id = format!("{}-{}-{number}", batch.label.isolate, batch.label.sequence);
        let mut action = json!({ "_id": id });
        if let (Some(index), Some(members)) = (&collector.index, action.as_object_mut()) {
            members.insert("_index".to_owned(), index.as_str().into());
        }
        serde_json::to_writer(&mut out, &json!({ "create": action })).ok()?;
        let head = format!("\n{{\"@timestamp\":\"{}\"", rfc3339(record.start_ms));
        out.extend_from_slice(head.as_bytes());
        if !collector.labels.is_empty() {
            out.extend_from_slice(b",\"labels\":");
            serde_json::to_writer(&mut out, &collector.labels).ok()?;
        }
        let members = record.line.trim().strip_prefix('{')?;
        out.extend_from_slice(if members == "}" { b"" } else { b"," });
        out.extend_from_slice(members.as_bytes());
        out.push(b'\n');
    }
    Some(out)
}

/// An event of Splunk's.
#[derive(Serialize)]
struct SplunkEvent<'e> {
    time: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'e str>,
    source: &'e str,
    sourcetype: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'e str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<&'e str, &'e str>,
    event: &'e RawValue,
}

/// Objects one after another, with the time in seconds.
fn splunk<'l>(collector: &CollectorSpec, records: impl Iterator<Item = FormedRecord<'l>>) -> Option<Vec<u8>> {
    let own = |name: &str| SPLUNK_MEMBERS.iter().any(|(member, _)| *member == name);
    let label = |place: usize| {
        let (name, default) = SPLUNK_MEMBERS.get(place).copied().unwrap_or_default();
        collector.labels.get(name).map_or(default, String::as_str)
    };
    let fields = collector.labels.iter().filter(|(name, _)| !own(name));
    let fields: BTreeMap<&str, &str> = fields.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut out = Vec::new();
    for record in records {
        let seconds = format!("{}.{:03}", record.start_ms.div_euclid(1_000), record.start_ms.rem_euclid(1_000));
        let event = SplunkEvent {
            time: RawValue::from_string(seconds).ok()?,
            host: record.facts.host.as_deref(),
            source: label(0),
            sourcetype: label(1),
            index: collector.index.as_deref(),
            fields: fields.clone(),
            event: serde_json::from_str(record.line).ok()?,
        };
        serde_json::to_writer(&mut out, &event).ok()?;
        out.push(b'\n');
    }
    Some(out)
}

/// One resource and scope; a log record each, with the line as its body.
fn otlp<'l>(
    collector: &CollectorSpec,
    records: impl Iterator<Item = FormedRecord<'l>>,
    batch: &EdgeBatch,
) -> Option<Vec<u8>> {
    let mut resource = collector.labels.clone();
    resource.entry("service.name".to_owned()).or_insert_with(|| SERVICE.to_owned());
    let resource: Vec<_> = resource.iter().map(|(name, value)| attribute(name, value)).collect();
    let observed = format!("{}000000", batch.times.1.max(0));
    let mut out = Vec::new();
    out.extend_from_slice(br#"{"resourceLogs":[{"resource":{"attributes":"#);
    serde_json::to_writer(&mut out, &resource).ok()?;
    out.extend_from_slice(br#"},"scopeLogs":[{"scope":{"name":"raydex"},"logRecords":["#);
    let logged = records.map(|record| {
        let (number, text) = severity(record.facts.status);
        json!({
            "timeUnixNano": record.nanoseconds(), "observedTimeUnixNano": observed, "severityNumber": number,
            "severityText": text, "body": { "stringValue": record.line }, "attributes": attributes(&record.facts),
        })
    });
    write_list(&mut out, logged)?;
    out.extend_from_slice(b"]}]}]}");
    Some(out)
}

fn attribute(name: &str, value: &str) -> serde_json::Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

/// The attributes of a record, by the names of OpenTelemetry's conventions where those exist.
fn attributes(facts: &LineFacts<'_>) -> Vec<serde_json::Value> {
    let texts = [
        ("http.request.method", &facts.method),
        ("server.address", &facts.host),
        ("url.path", &facts.path),
        ("client.address", &facts.client),
        ("user_agent.original", &facts.agent),
        ("cloudflare.ray_id", &facts.ray),
    ];
    let texts = texts.iter().filter_map(|(name, value)| Some(attribute(name, value.as_deref()?)));
    // In JSON a whole number of 64 bits is a text.
    let status = facts
        .status
        .map(|status| json!({ "key": "http.response.status_code", "value": { "intValue": status.to_string() } }));
    texts.chain(status).collect()
}

/// The severity of a response, by OTLP's numbers; no response is an error.
const fn severity(status: Option<u16>) -> (u8, &'static str) {
    match status {
        Some(..=399) => (9, "INFO"),
        Some(400..=499) => (13, "WARN"),
        _ => (17, "ERROR"),
    }
}

/// Writes the items of a list, with commas between them.
fn write_list(out: &mut Vec<u8>, items: impl Iterator<Item = impl Serialize>) -> Option<()> {
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, &item).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests;
