//! Where an edge logger brings its batches: the bucket and HTTP collectors, each through the isolate itself or a durable buffer.
//!
//! A setting has them as a JSON array; the headers of collectors are a secret of their own, by the sink's name.
//!
//! # Invariants
//! No text made here contains an address or a header: a collector's address may have a token in it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use url::Url;

use crate::limits::{EDGE_HANDOVER_MS, SINK_HEADERS, SINK_LABELS_MAX, SINK_NAME_BYTES, SINKS_MAX};

/// The name of the bucket among the sinks.
const BUCKET_SINK: &str = "r2";

/// The index of records in Elasticsearch, unless the sink names one.
const DEFAULT_INDEX: &str = "edge-requests";

/// Why the sinks are not valid. No text contains a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SinkFault {
    /// The setting is not an array of sinks.
    #[error(
        "must be a JSON array of sinks, each {{\"kind\":\"r2\",\"through\"?}} or {{\"kind\":\"http\",\"name\",\"preset\",\"url\",\"labels\"?,\"index\"?,\"through\"?}}"
    )]
    NotSinks,
    /// There are too many of them, or none.
    #[error("must have 1 to {SINKS_MAX} sinks")]
    TooMany,
    /// Two have the same name, or one has no proper name.
    #[error(
        "has a name in sink {0} that is taken or not valid: at most {SINK_NAME_BYTES} small letters, digits and hyphens, and not r2, object or queue"
    )]
    Name(usize),
    /// The address of the sink with this number is not one.
    #[error("has a url in sink {0} that is not an https:// address without user and fragment")]
    Address(usize),
    /// The address of the sink with this number is plain HTTP.
    #[error(
        "has a url in sink {0} that begins with http://, which would send records unencrypted; use https://, or set EDGE_SINK_PLAIN_HTTP=allow"
    )]
    PlainHttp(usize),
    /// The labels or the index of the sink with this number are not valid.
    #[error(
        "has labels or an index in sink {0} that are not valid: at most {SINK_LABELS_MAX} labels of letters, digits, _ and points, an index in small letters"
    )]
    Labels(usize),
    /// Collectors are not reached through the queue.
    #[error("brings sink {0} through the queue, which leads to the bucket alone: use object or isolate")]
    Queue(usize),
}

/// Why the headers of collectors are not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SinkHeadersFault {
    /// The setting is not an object of objects.
    #[error("must be a JSON object of the names of sinks, each with an object of headers and values")]
    NotHeaders,
    /// A name is that of no collector.
    #[error("names a sink that is not a collector of EDGE_SINKS")]
    UnknownSink,
    /// A header is not valid.
    #[error("has a header that is not valid: at most {0} for each sink, names and values as HTTP has them, none that the edge logger sets itself", SINK_HEADERS.0)]
    Header,
}

/// The way of batches to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkPath {
    /// The isolate brings them itself, and loses what it has not brought when it ends.
    #[default]
    Isolate,
    /// The isolate hands them over to an object of the durable buffer, which brings them.
    Object,
    /// The isolate sends them to `edge-queue`, whose consumer brings them.
    Queue,
}

impl SinkPath {
    /// Returns the name in the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Object => "object",
            Self::Queue => "queue",
        }
    }
}

/// The form in which a collector takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectorPreset {
    /// Lines of JSON, as they are in the bucket.
    Ndjson,
    /// Loki's push API.
    Loki,
    /// The bulk API of Elasticsearch.
    Elastic,
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// OTLP/HTTP logs in JSON.
    Otlp,
}

impl CollectorPreset {
    /// Every preset.
    pub const ALL: [Self; 5] = [Self::Ndjson, Self::Loki, Self::Elastic, Self::Splunk, Self::Otlp];

    /// Returns the path of the documented API, which an address without a path gets.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Ndjson => "/",
            Self::Loki => "/loki/api/v1/push",
            Self::Elastic => "/_bulk",
            Self::Splunk => "/services/collector/event",
            Self::Otlp => "/v1/logs",
        }
    }

    /// Returns the media type of its bodies.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Elastic => "application/x-ndjson",
            Self::Loki | Self::Splunk | Self::Otlp => "application/json",
        }
    }
}

/// An HTTP collector.
#[derive(Clone, PartialEq, Eq)]
pub struct CollectorSpec {
    /// The form of its bodies.
    pub preset: CollectorPreset,
    /// The complete address.
    pub url: String,
    /// Its headers beside those of the form.
    pub headers: Vec<(String, String)>,
    /// What every record is labelled with.
    pub labels: BTreeMap<String, String>,
    /// The index that records go to, where the form has one.
    pub index: Option<String>,
}

impl fmt::Debug for CollectorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorSpec").field("preset", &self.preset).finish_non_exhaustive()
    }
}

/// Where a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTarget {
    /// The log bucket.
    Bucket,
    /// A collector.
    Collector(CollectorSpec),
}

/// A sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSpec {
    /// Its name in counts and log lines.
    pub name: String,
    /// Where it is.
    pub target: SinkTarget,
    /// The way of batches to it.
    pub path: SinkPath,
}

impl SinkSpec {
    /// Returns the log bucket as a sink.
    #[must_use]
    pub fn bucket(path: SinkPath) -> Self {
        Self { name: BUCKET_SINK.to_owned(), target: SinkTarget::Bucket, path }
    }
}

/// The sinks of a deployment, and how records get to the durable buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSettings {
    /// The sinks, the bucket first if it is one of them.
    pub sinks: Vec<SinkSpec>,
    /// Time after which records are handed over to the durable buffer, in milliseconds.
    pub handover_ms: i64,
    /// Number of objects of the durable buffer.
    pub objects: u32,
}

impl Default for SinkSettings {
    fn default() -> Self {
        Self { sinks: vec![SinkSpec::bucket(SinkPath::Isolate)], handover_ms: EDGE_HANDOVER_MS.0, objects: 1 }
    }
}

impl SinkSettings {
    /// Returns the sinks that batches get to by one way.
    pub fn by_path(&self, path: SinkPath) -> impl Iterator<Item = &SinkSpec> {
        self.sinks.iter().filter(move |sink| sink.path == path)
    }
}

/// A sink as the setting has it.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum SinkEntry {
    R2 {
        #[serde(default)]
        through: SinkPath,
    },
    Http {
        name: String,
        preset: CollectorPreset,
        url: String,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        index: Option<String>,
        #[serde(default)]
        through: SinkPath,
    },
}

/// Parses the sinks of a setting; collectors get their headers later ([`add_headers`]).
///
/// # Errors
/// [`SinkFault`] names the sink, counted from 1.
pub fn read_sinks(setting: &str, allow_http: bool) -> Result<Vec<SinkSpec>, SinkFault> {
    let entries: Vec<SinkEntry> = serde_json::from_str(setting).map_err(|_| SinkFault::NotSinks)?;
    if entries.is_empty() || entries.len() > SINKS_MAX {
        return Err(SinkFault::TooMany);
    }
    let mut sinks: Vec<SinkSpec> = Vec::new();
    for (place, entry) in entries.into_iter().enumerate() {
        let sink = read_sink(place + 1, entry, allow_http)?;
        if sinks.iter().any(|other| other.name == sink.name) {
            return Err(SinkFault::Name(place + 1));
        }
        sinks.push(sink);
    }
    // The counts of the isolate are those of the first one.
    sinks.sort_by_key(|sink| sink.target != SinkTarget::Bucket);
    Ok(sinks)
}

fn read_sink(number: usize, entry: SinkEntry, allow_http: bool) -> Result<SinkSpec, SinkFault> {
    match entry {
        SinkEntry::R2 { through } => Ok(SinkSpec::bucket(through)),
        SinkEntry::Http { name, preset, url, labels, index, through } => {
            if through == SinkPath::Queue {
                return Err(SinkFault::Queue(number));
            }
            let is_taken = [BUCKET_SINK, SinkPath::Object.name(), SinkPath::Queue.name()].contains(&name.as_str());
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if is_taken || name.is_empty() || name.len() > SINK_NAME_BYTES || !name.bytes().all(is_name) {
                return Err(SinkFault::Name(number));
            }
            if !are_labels(&labels) || !index.as_deref().is_none_or(is_index) {
                return Err(SinkFault::Labels(number));
            }
            let url = address(number, preset, &url, allow_http)?;
            // An address without an index in its path needs one with each record.
            let is_without = preset == CollectorPreset::Elastic && url.path() == preset.path();
            let index = index.or_else(|| is_without.then(|| DEFAULT_INDEX.to_owned()));
            let url = url.into();
            let target = SinkTarget::Collector(CollectorSpec { preset, url, headers: Vec::new(), labels, index });
            Ok(SinkSpec { name, target, path: through })
        }
    }
}

/// Returns whether the labels are such as every form takes; Loki gets them with underscores for points.
fn are_labels(labels: &BTreeMap<String, String>) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || [b'_', b'.'].contains(&byte);
    let is_name = |name: &str| !name.starts_with(|first: char| first.is_ascii_digit()) && name.bytes().all(is_word);
    let fits = |(name, value): (&String, &String)| !name.is_empty() && is_name(name) && value.len() <= 256;
    labels.len() <= SINK_LABELS_MAX && labels.iter().all(fits)
}

/// Returns whether the text names an index as Elasticsearch takes one.
fn is_index(index: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || [b'-', b'_', b'.'].contains(&byte);
    !index.is_empty() && index.len() <= 255 && index.bytes().all(is_inner) && !index.starts_with(['-', '_', '.'])
}

/// Checks an address, and completes it with the path of its form if it has none.
fn address(number: usize, preset: CollectorPreset, url: &str, allow_http: bool) -> Result<Url, SinkFault> {
    let mut parsed = Url::parse(url).map_err(|_| SinkFault::Address(number))?;
    match parsed.scheme() {
        "https" => {}
        "http" if allow_http => {}
        "http" => return Err(SinkFault::PlainHttp(number)),
        _ => return Err(SinkFault::Address(number)),
    }
    let has_user = !parsed.username().is_empty() || parsed.password().is_some();
    if has_user || parsed.fragment().is_some() || parsed.host_str().is_none_or(str::is_empty) {
        return Err(SinkFault::Address(number));
    }
    if parsed.path() == "/" {
        parsed.set_path(preset.path());
    }
    if preset == CollectorPreset::Elastic {
        // The statuses of the items are all that is read of an answer.
        parsed.query_pairs_mut().append_pair("filter_path", "errors,items.*.status");
    }
    Ok(parsed)
}

/// Gives collectors their headers, from the secret setting.
///
/// # Errors
/// [`SinkHeadersFault`], which repeats nothing of the setting.
pub fn add_headers(sinks: &mut [SinkSpec], setting: &str) -> Result<(), SinkHeadersFault> {
    let all: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(setting).map_err(|_| SinkHeadersFault::NotHeaders)?;
    for (name, headers) in all {
        let sink = sinks.iter_mut().find(|sink| sink.name == name).ok_or(SinkHeadersFault::UnknownSink)?;
        let SinkTarget::Collector(collector) = &mut sink.target else { return Err(SinkHeadersFault::UnknownSink) };
        if headers.len() > SINK_HEADERS.0 || !headers.iter().all(|(name, value)| is_header(name, value)) {
            return Err(SinkHeadersFault::Header);
        }
        collector.headers = headers.into_iter().collect();
    }
    Ok(())
}

/// Returns whether a header can be sent, and is not one that the form of a body sets.
fn is_header(name: &str, value: &str) -> bool {
    let is_ours = ["content-type", "content-encoding", "content-length", "host", "raydex-edge"]
        .iter()
        .any(|ours| name.eq_ignore_ascii_case(ours));
    let is_valid = http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_str(value).is_ok();
    is_valid && !is_ours && value.len() <= SINK_HEADERS.1
}

#[cfg(test)]
mod tests;
