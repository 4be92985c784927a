//! What each value of a request is read as, and what the audit log keeps of it.
//!
//! # Invariants
//! A value that reads as something is kept as that: an instant in RFC 3339, a number as its digits, a ray as its canonical
//! digits. Any other text is kept as free text, without what looks like a secret.

use std::net::IpAddr;

use chrono::DateTime;
use serde_json::{Number, Value};

use super::INVALID;
use super::filter::canonical_filter;
use crate::access::{is_sealed_form, is_token_id};
use crate::api::counts::parse_step;
use crate::api::neighbours::parse_within;
use crate::audit::positions::ChainPositions;
use crate::audit::redact::{redact_operand, redact_text};
use crate::bucket_keys::{KeyClass, LogPrefixes, batch_times, classify};
use crate::http::parse_instant;
use crate::ledger::{BatchId, DeliveryId};
use crate::mask::is_listed;
use crate::query::QueryCursor;
use crate::record::{Dataset, RayKey, ray_from_user};
use crate::tempo::{canonical_query, parse_trace_id};
use crate::time::{rfc3339, rfc3339_ns};

/// The digits of the id of a zone or an account.
const CLOUDFLARE_ID: usize = 32;

/// Longest address of a person, in bytes (RFC 5321).
const EMAIL_BYTES: usize = 254;

/// A value as it is answered, and as it is kept.
pub(super) struct CanonicalValue {
    pub(super) read: Value,
    pub(super) kept: Value,
}

/// An argument of the path as it is answered, and as it is kept.
pub(super) struct CanonicalArgument {
    pub(super) read: String,
    pub(super) kept: String,
}

/// Reads values of a request for this dataset, if it names one.
pub(super) struct ValueReader<'a> {
    pub(super) dataset: Option<Dataset>,
    pub(super) log_prefix: &'a LogPrefixes,
}

impl ValueReader<'_> {
    /// Reads the value of a parameter or of a member.
    pub(super) fn read(&self, name: &str, value: &Value) -> CanonicalValue {
        match (name, value) {
            ("rays", Value::Array(rays)) => canonical_rays(rays),
            ("payloads", Value::Array(handles)) => canonical_handles(handles),
            // What is erased must not live on in the audit log.
            ("values", Value::Array(values)) => CanonicalValue { read: value.clone(), kept: values.len().into() },
            (_, Value::String(text)) => self.read_text(name, text),
            ("start" | "end", Value::Number(number)) => {
                let kept = canonical_instant(&number.to_string()).map_or_else(|| value.clone(), Value::from);
                CanonicalValue { read: value.clone(), kept }
            }
            (_, Value::Bool(_) | Value::Number(_) | Value::Null) => same(value.clone()),
            ("scopes" | "zones" | "datasets", Value::Array(names)) => {
                let kept = |name: &Value| name.as_str().map_or_else(|| INVALID.to_owned(), redact_text);
                CanonicalValue { read: value.clone(), kept: names.iter().map(kept).collect() }
            }
            _ => CanonicalValue { read: value.clone(), kept: redact_text(&value.to_string()).into() },
        }
    }

    fn read_text(&self, name: &str, text: &str) -> CanonicalValue {
        let redacted = || redact_text(text).into();
        let read = match name {
            "start" | "end" => canonical_instant(text),
            "expires" => DateTime::parse_from_rfc3339(text).ok().map(|at| rfc3339(at.timestamp_millis())),
            "resource" => self.canonical_resource(text),
            "address" => text.trim().parse().ok().map(|address: IpAddr| address.to_string()),
            _ => None,
        };
        if let Some(read) = read {
            return same(read.into());
        }
        let kept = match name {
            // A place in several chains.
            "after" if ChainPositions::parse(text).is_some_and(|places| places.single().is_none()) => text.into(),
            "limit" | "count" | "ledgers" | "after" | "depth" | "top" => {
                text.parse().map_or_else(|_| redacted(), |n: u64| n.into())
            }
            // In seconds, whatever its unit.
            "step" => parse_step(text).map_or_else(redacted, Value::from),
            "within" => parse_within(text).map_or_else(redacted, Value::from),
            "sample" => text.parse().ok().and_then(Number::from_f64).map_or_else(redacted, Value::Number),
            // Several rays, which a page was opened for.
            "ids" => {
                text.split(',').map(|ray| canonical_ray(ray).map_or_else(|| INVALID.into(), |(_, kept)| kept)).collect()
            }
            // Another ray, beside that of the path.
            "with" => canonical_ray(text).map_or_else(|| INVALID.into(), |(_, kept)| kept.into()),
            "field" => canonical_field(text),
            "fields" | "by" => text.split(',').map(canonical_field).collect(),
            "filter" => canonical_filter(self.dataset, text).into(),
            "q" => canonical_trace_query(text).map_or_else(redacted, Value::from),
            "spss" => text.parse().map_or_else(|_| redacted(), |n: u64| n.into()),
            "minDuration" | "maxDuration" if is_duration(text) => text.into(),
            "cursor" if is_sealed_form(text, QueryCursor::BYTES) => text.into(),
            "key" if self.is_batch_key(text) => self.redact_key(text).into(),
            "prefix" => redact_path(text).into(),
            // A person's address is a caller's name, and no secret.
            "actor" if is_email(text) => text.into(),
            _ => redacted(),
        };
        CanonicalValue { read: text.into(), kept }
    }

    /// Whether a text is the key of a batch. Where the complete bucket is watched, any text might be one, a secret too:
    /// there the name must have the times of a batch.
    fn is_batch_key(&self, text: &str) -> bool {
        let is_batch = matches!(classify(text, self.log_prefix), KeyClass::Batch(_));
        is_batch && (self.log_prefix.path(text) != Some(text) || batch_times(text).is_some())
    }

    /// A batch's key as entries have it: the folders of the settings, what of the others is no secret, and the name.
    fn redact_key(&self, key: &str) -> String {
        let (folders, path) = match self.log_prefix.path(key).and_then(|path| key.strip_suffix(path).zip(Some(path))) {
            Some(parts) => parts,
            None => ("", key),
        };
        match path.rsplit_once('/') {
            Some((below, name)) => format!("{folders}{}/{}", redact_path(below), redact_name(name)),
            None => format!("{folders}{}", redact_name(path)),
        }
    }

    /// A ray, a handle or a key, as entries name it.
    fn canonical_resource(&self, text: &str) -> Option<String> {
        let is_key = self.is_batch_key(text);
        let is_handle = BatchId::from_handle(text).is_some() || DeliveryId::from_handle(text).is_some();
        if is_key {
            return Some(self.redact_key(text));
        }
        if is_handle {
            return Some(text.to_owned());
        }
        ray_from_user(text).ok().and_then(|key| key.unpadded().ray().map(|ray| ray.to_string()))
    }
}

/// Reads an argument of the path; `None` where it is nothing of what the route names.
pub(super) fn read_argument(name: &str, text: &str) -> Option<CanonicalArgument> {
    let known = |is_known: bool| is_known.then(|| CanonicalArgument { read: text.to_owned(), kept: text.to_owned() });
    match name {
        "ray" | "a" | "b" => {
            let (read, kept) = canonical_ray(text)?;
            Some(CanonicalArgument { read, kept })
        }
        "trace" => {
            let kept = parse_trace_id(text)?.digits();
            Some(CanonicalArgument { read: text.to_owned(), kept })
        }
        "batch" => known(BatchId::from_handle(text).is_some()),
        "payload" => known(DeliveryId::from_handle(text).is_some()),
        "token" => known(is_token_id(text) && redact_text(text) == text),
        "dataset" => known(Dataset::from_name(text).is_some()),
        "id" | "dead_letter" => known(text.parse::<u32>().is_ok()),
        // Of a zone or an account, the id or the name.
        _ => known(is_cloudflare_id(text) || redact_text(text) == text),
    }
}

fn same(value: Value) -> CanonicalValue {
    CanonicalValue { read: value.clone(), kept: value }
}

/// A path whose folders are judged one by one: in a text of several words a name may be overlooked.
fn redact_path(path: &str) -> String {
    let folder = |folder: &str| if is_cloudflare_id(folder) { folder.to_owned() } else { redact_text(folder) };
    path.split('/').map(folder).collect::<Vec<_>>().join("/")
}

/// The name of a batch: of one in Logpush's form, what follows its times is a few hexadecimal digits.
fn redact_name(name: &str) -> String {
    let stem = |text: &str| text.split_once('.').map_or(text.len(), |(stem, _)| stem.len());
    let is_digits =
        |text: &str| text.get(..stem(text)).is_some_and(|stem| stem.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_made = batch_times(name).is_some()
        && name.splitn(3, '_').nth(2).is_none_or(|end| stem(end) <= CLOUDFLARE_ID && is_digits(end));
    if is_made { name.to_owned() } else { redact_text(name) }
}

fn canonical_instant(text: &str) -> Option<String> {
    parse_instant(text).ok().map(rfc3339_ns)
}

/// A name in a list of fields; one that no list has may be anything.
fn canonical_field(name: &str) -> Value {
    let name = name.trim();
    if is_listed(&Dataset::ALL, name) { name.into() } else { redact_text(name).into() }
}

/// A ray as it is looked up, and as it is kept. An id of another form is kept as `support` would see it.
fn canonical_ray(text: &str) -> Option<(String, String)> {
    match ray_from_user(text).ok()? {
        RayKey::Ray(ray) => Some((ray.to_string(), ray.to_string())),
        key @ RayKey::Nonstandard(_) if key.padded_ray().is_some() => {
            Some((text.to_owned(), key.unpadded().to_string()))
        }
        RayKey::Nonstandard(id) => {
            let kept = redact_operand(None, "RayID", &id).unwrap_or_default();
            Some((text.to_owned(), kept))
        }
    }
}

/// The rays of a body; what is none stays, so that its line says so.
fn canonical_rays(rays: &[Value]) -> CanonicalValue {
    let each = |ray: &Value| {
        let found = ray.as_str().and_then(canonical_ray);
        found.map_or_else(|| (ray.clone(), INVALID.into()), |(read, kept)| (read.into(), kept.into()))
    };
    let (read, kept): (Vec<Value>, Vec<Value>) = rays.iter().map(each).unzip();
    CanonicalValue { read: read.into(), kept: kept.into() }
}

/// The payloads of a body; what is none stays, so that it is refused.
fn canonical_handles(handles: &[Value]) -> CanonicalValue {
    let is_handle = |handle: &Value| handle.as_str().is_some_and(|text| DeliveryId::from_handle(text).is_some());
    let kept = handles.iter().map(|handle| if is_handle(handle) { handle.clone() } else { INVALID.into() });
    CanonicalValue { read: handles.into(), kept: kept.collect() }
}

/// A query of Tempo's API, as the filter that it is, with its durations.
fn canonical_trace_query(text: &str) -> Option<String> {
    let (filter, durations) = canonical_query(text)?;
    let filter = filter.map(|filter| canonical_filter(Some(Dataset::HttpRequests), &filter));
    Some(filter.unwrap_or_default() + &durations)
}

/// Whether a text is a number with a unit of time.
fn is_duration(text: &str) -> bool {
    text.len() <= 20 && text.chars().all(|sign| sign.is_ascii_digit() || "nuµmsh.".contains(sign))
}

fn is_email(text: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b".@+-_".contains(&byte);
    text.len() <= EMAIL_BYTES && text.contains('@') && text.bytes().all(sign)
}

fn is_cloudflare_id(text: &str) -> bool {
    text.len() == CLOUDFLARE_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
