//! What is known of a trace by all of its spans in a request: the ray of the request that it is of, and the host of that.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::values::{id, signed, unsigned};
use crate::limits::TRACE_RAY_SKEW_MS;
use crate::otlp::ExportedSpan;
use crate::record::{RayId, RayKey};

/// The attributes with a ray: Cloudflare's own, and those that instrumentations of origins take from the header.
const RAY_ATTRIBUTES: [&str; 5] =
    ["cloudflare.ray_id", "cf.ray_id", "cf.ray", "http.request.header.cf-ray", "http.request.header.cf_ray"];
/// The attributes with the host of a request that a service answers, today's and the former ones, and those with its address.
const HOST_ATTRIBUTES: [&str; 2] = ["server.address", "http.host"];
const URL_ATTRIBUTES: [&str; 2] = ["url.full", "http.url"];
/// The longest name of a host, in bytes.
const HOST_BYTES: usize = 253;
/// `SPAN_KIND_SERVER`.
const SERVER: i64 = 2;

/// What is known of the traces of a request, by ID.
#[derive(Debug, Default)]
pub struct ExportFacts(BTreeMap<String, TraceFact>);

/// What is known of one trace. What a root says counts before what a server's span says, and that before any other.
#[derive(Debug, Default)]
pub(super) struct TraceFact {
    ray: Option<(u8, RayId)>,
    host: Option<(u8, String)>,
}

impl TraceFact {
    /// The ray of the request that the trace is of.
    pub(super) fn ray(&self) -> Option<RayId> {
        self.ray.map(|(_, ray)| ray)
    }

    /// The host that the request was for.
    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_ref().map(|(_, host)| host.as_str())
    }
}

impl ExportFacts {
    /// The number of traces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Learns from a span.
    pub fn take(&mut self, exported: &ExportedSpan<'_>) {
        let Ok(Value::Object(span)) = &exported.span else { return };
        let Some(trace) = id(span.get("traceId"), 32) else { return };
        let is_root = id(span.get("parentSpanId"), 16).is_none();
        let is_server = span.get("kind").is_some_and(|kind| signed(kind) == Some(SERVER));
        let rank = 2 * u8::from(is_root) + u8::from(is_server);
        let start_ms = span.get("startTimeUnixNano").and_then(unsigned).unwrap_or_default() / 1_000_000;
        let padded = || padded_ray(&trace, start_ms);
        let ray = ray_in(span.get("attributes")).or_else(|| ray_in(exported.resource.get("attributes")));
        let ray = ray.map(|ray| (rank + 1, ray)).or_else(|| padded().map(|ray| (0, ray)));
        let host = host_in(span.get("attributes")).filter(|_| rank > 0).map(|host| (rank, host));
        let fact = self.0.entry(trace).or_default();
        prefer(&mut fact.ray, ray);
        prefer(&mut fact.host, host);
    }

    /// Returns what is known of a trace.
    pub(super) fn of(&self, trace: &str) -> Option<&TraceFact> {
        self.0.get(trace)
    }
}

/// Keeps the one of the higher rank, the first of equal ones.
fn prefer<T>(kept: &mut Option<(u8, T)>, other: Option<(u8, T)>) {
    if let Some((rank, _)) = &other
        && kept.as_ref().is_none_or(|(known, _)| rank > known)
    {
        *kept = other;
    }
}

/// Returns the ray that a trace ID with zeros before it is, if its time is that of the span.
fn padded_ray(trace: &str, start_ms: u64) -> Option<RayId> {
    let ray = RayId::from_hex(trace.strip_prefix("0000000000000000")?.as_bytes())?;
    let skew_ms = ray.unix_ms().abs_diff(i64::try_from(start_ms).ok()?);
    (skew_ms <= TRACE_RAY_SKEW_MS.unsigned_abs()).then_some(ray)
}

/// Returns the text of an attribute: its own, or that of the first element of its list.
fn attribute<'v>(attributes: Option<&'v Value>, name: &str) -> Option<&'v str> {
    // Of several with a name the last one counts, as in the line.
    let mut pairs = attributes?.as_array()?.iter().rev();
    let value = pairs.find(|pair| pair.get("key").and_then(Value::as_str) == Some(name))?.get("value")?;
    let first = || value.get("arrayValue")?.get("values")?.get(0)?.get("stringValue");
    value.get("stringValue").or_else(first)?.as_str()
}

fn ray_in(attributes: Option<&Value>) -> Option<RayId> {
    RAY_ATTRIBUTES.iter().find_map(|name| RayKey::from_logged(attribute(attributes, name)?)?.ray())
}

fn host_in(attributes: Option<&Value>) -> Option<String> {
    let host = || HOST_ATTRIBUTES.iter().find_map(|name| attribute(attributes, name)).map(str::to_owned);
    let of_url = || {
        let address = URL_ATTRIBUTES.iter().find_map(|name| attribute(attributes, name))?;
        Url::parse(address).ok()?.host_str().map(str::to_owned)
    };
    // A user before the host may have a password.
    let bare = |host: String| host.rsplit('@').next().map(str::to_owned);
    host().or_else(of_url).and_then(bare).filter(|host| (1..=HOST_BYTES).contains(&host.len()))
}
