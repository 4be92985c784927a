//! The HTTP surface over the fakes: who may ask, what is answered, and what is stored.

use crate::mask::plant;
use crate::query::{generate, oracle};
use crate::support::{self, random};

pub(crate) mod access;
mod archive;
mod audit;
mod audit_export;
mod audit_search;
mod auth;
mod backfills;
mod batches;
mod bound_spans;
mod budget_routes;
mod budgets;
mod canaries;
mod canonical;
mod chain_schedules;
mod chains;
mod clients;
mod completeness;
mod counts;
mod coverage;
mod data_bucket;
mod datasets;
mod dead_letters;
mod deadlines;
mod deliveries;
mod denials;
mod diff;
mod document;
mod doors;
mod edge_counts;
mod ends;
mod erasures;
pub(crate) mod every_route;
mod explain;
mod export_texts;
mod failures;
mod fields;
mod group_commit;
mod har;
mod large_traces;
mod layout;
mod logpull_switches;
mod logs;
mod long_traces;
mod many;
mod mcp;
mod memory;
mod merge;
mod metrics;
mod neighbours;
mod networks;
mod occupancy;
mod openapi;
mod operations;
mod otlp;
mod page;
mod pages;
mod partitions;
mod payloads;
mod planted_spans;
mod rays;
mod reads;
mod reasons;
mod redaction;
mod samples;
mod segments;
mod spellings;
mod stats;
mod steps;
pub(crate) mod story;
mod story_canaries;
mod switches;
mod tempo;
mod tokens;
mod trace_ids;
mod traces;
mod twins;
mod unmerged;
mod upload_zones;
mod uploads;
mod values;
mod verdict;

use std::borrow::Cow;
use std::rc::Rc;

use futures_util::StreamExt;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HeaderName, IF_NONE_MATCH};
use raydex::config::{Config, ConfigFault};
use raydex::http::{HttpRequest, ReplyBody, SECURITY_HEADERS, broken_line};
use raydex::router::answer_request;
use serde_json::Value;

use document::check_against_openapi;
use support::bucket::MemoryBody;
use support::canaries::{Canary, Random};
use support::world::{TOKEN, config};
use support::{Fakes, run};

/// A reply, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, Cow<'static, str>)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body broke off, as its last line says.
    pub(crate) is_broken: bool,
}

impl Reply {
    pub(crate) fn of(reply: raydex::http::Reply) -> Self {
        let last_line = broken_line(&reply);
        let raydex::http::Reply { status, headers, body } = reply;
        let (mut body, is_broken) = run(read_pieces(body));
        if is_broken {
            body.extend(last_line.into_bytes());
        }
        Self { status, headers, body, is_broken }
    }
}

/// A stream's body without its trailer.
pub(crate) fn without_trailer(body: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = body.split_inclusive(|byte| *byte == b'\n').collect();
    let is_trailer = |line: &&&[u8]| {
        [&b"{\"raydex\":{\"end\":"[..], b"# raydex {\"end\":"].iter().any(|mark| line.starts_with(mark))
    };
    let kept = lines.len() - lines.last().into_iter().filter(is_trailer).count();
    lines[..kept].concat()
}

/// Reads a body as the platform does: to its end, or until it breaks.
async fn read_pieces(body: ReplyBody) -> (Vec<u8>, bool) {
    let mut pieces = match body {
        ReplyBody::Whole(bytes) => return (bytes.to_vec(), false),
        ReplyBody::Stream(pieces) => pieces,
    };
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else { return (bytes, true) };
        bytes.extend(piece.to_vec());
    }
    (bytes, false)
}

/// A request in the making.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    authorization: Option<String>,
    access_jwt: Option<String>,
    accept: Option<String>,
    if_none_match: Option<String>,
    content_length: Option<u64>,
    /// Other headers.
    headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pieces: Vec<usize>,
}

impl Ask {
    /// A request with the right token.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            authorization: Some(format!("Bearer {TOKEN}")),
            access_jwt: None,
            accept: None,
            if_none_match: None,
            content_length: None,
            headers: Vec::new(),
            body: Vec::new(),
            pieces: vec![64 * 1024],
        }
    }

    /// The same request of the caller with this token.
    pub(crate) fn by(self, token: &str) -> Self {
        Self { authorization: Some(format!("Bearer {token}")), ..self }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// An upload of `http_requests`.
    pub(crate) fn upload(body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..Self::new("POST", "/v1/ingest/http_requests") }
    }

    /// An operation with its reason.
    pub(crate) fn post(path: &str, reason: &str) -> Self {
        let body = serde_json::json!({ "reason": reason }).to_string().into_bytes();
        Self { body, ..Self::new("POST", path) }
    }

    fn without_token(self) -> Self {
        Self { authorization: None, ..self }
    }

    /// The same request with another header.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same request, which does not say what its body is.
    fn untyped(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "content-type");
        self
    }

    /// The same request from this address.
    fn at_address(self, address: &str) -> Self {
        self.with_header("cf-connecting-ip", address)
    }

    fn accept(self, accept: &str) -> Self {
        Self { accept: Some(accept.into()), ..self }
    }

    /// The reply of a deployment that is configured.
    pub(crate) fn of(self, fakes: &Fakes) -> Reply {
        self.of_deployment(fakes, &Ok(config()))
    }

    /// The reply of a deployment with these settings, whose body is not read.
    fn begin(self, fakes: &Fakes, config: &Result<Config, Vec<ConfigFault>>) -> raydex::http::Reply {
        let request = self.into_request(fakes);
        run(answer_request(config, &Rc::new(fakes.clone()), request))
    }

    /// The reply of a deployment that is configured, while others of its isolate are answered.
    async fn reply_of(self, fakes: &Rc<Fakes>) -> Reply {
        let request = self.into_request(fakes);
        Reply::of(answer_request(&Ok(config()), fakes, request).await)
    }

    fn into_request(self, fakes: &Fakes) -> HttpRequest<MemoryBody> {
        let headers = [
            (AUTHORIZATION, self.authorization),
            (HeaderName::from_static("cf-access-jwt-assertion"), self.access_jwt),
            (ACCEPT, self.accept),
            (IF_NONE_MATCH, self.if_none_match),
            (CONTENT_LENGTH, self.content_length.map(|length| length.to_string())),
        ];
        let others = self.headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), http::HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?.parse().unwrap())));
        let headers = headers.chain(others).collect();
        HttpRequest {
            method: self.method,
            path: self.path,
            query: self.query,
            headers,
            body: MemoryBody::new(self.body, self.pieces, &fakes.faults),
        }
    }

    /// The reply of a deployment with these settings, checked for what every reply has, and against the document.
    pub(crate) fn of_deployment(self, fakes: &Fakes, config: &Result<Config, Vec<ConfigFault>>) -> Reply {
        let before = fakes.clock_ms.get();
        fakes.tick_ms.set(7);
        let (method, path) = (self.method.clone(), self.path.clone());
        let reply = Reply::of(self.begin(fakes, config));
        fakes.tick_ms.set(0);
        fakes.clock_ms.set(before);
        for (name, value) in SECURITY_HEADERS {
            assert_eq!(header(&reply, name), Some(value), "{method} {path}");
        }
        let checked = check_against_openapi(&method, &path, &reply);
        assert_eq!(checked, Ok(()), "{method} {path}: {}", String::from_utf8_lossy(&reply.body));
        reply
    }
}

/// A header of the reply, which it has at most once.
fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut values = reply.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.as_ref());
    let value = values.next();
    assert_eq!(values.next(), None, "{name} twice");
    value
}

/// The body of a reply in JSON.
pub(crate) fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

/// The status and code of a problem, checked for its form.
pub(crate) fn problem(reply: &Reply) -> (u16, String) {
    let body = json(reply);
    assert_eq!(header(reply, "content-type"), Some("application/problem+json"));
    assert_eq!((body["type"].as_str(), &body["status"]), (Some("about:blank"), &reply.status.into()));
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty() && title != "Error"), "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{body}");
    (reply.status, body["code"].as_str().unwrap().to_owned())
}
