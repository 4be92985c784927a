//! `GET /tempo/api/search`: the traces of the requests of a time range that pass a query.
//!
//! # Invariants
//! A request belongs to the trace of the one that caused it, as far as the search meets both; the trace that its own ray finds is
//! the same whole one. Traces are listed from the last to begin.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Serialize, Serializer};

use super::query::{TraceQuery, parse_duration};
use super::request_scan::{RequestSearch, scan_requests, search_range};
use crate::access::Caller;
use crate::filter::Filter;
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{
    OTLP_NAME_CHARS, TEMPO_SEARCH_MS, TEMPO_SPANS, TEMPO_SPANS_DEFAULT, TEMPO_TRACES, TEMPO_TRACES_DEFAULT,
};
use crate::otlp::{OtlpKeyValue, OtlpValue};
use crate::record::RayId;
use crate::services::Services;
use crate::story::{RequestSummary, TIMINGS, request_summary, trace_id_of};

/// The fields that a row is made of, beside those with times.
const FIELDS: [&str; 8] = [
    "RayID",
    "ParentRayID",
    "ClientRequestHost",
    "ClientRequestMethod",
    "ClientRequestPath",
    "ClientRequestURI",
    "EdgeResponseStatus",
    "OriginResponseTime",
];

/// What Tempo says of a trace whose root it has not seen.
const NO_ROOT: &str = "<root span not yet received>";

/// Answers with the traces that pass the query.
pub(crate) async fn search_traces<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let query = parse_query(request)?;
    let traces = bounded(request, "limit", (TEMPO_TRACES_DEFAULT, TEMPO_TRACES))?;
    let spans = bounded(request, "spss", (TEMPO_SPANS_DEFAULT, TEMPO_SPANS))?;
    let filter =
        query.filter.as_deref().map(Filter::parse).transpose().map_err(|error| problems::bad_filter(&error))?;
    let range = search_range(request, services.now_ms())?;
    let fields: Vec<&str> = FIELDS.into_iter().chain(TIMINGS.into_iter().map(|(field, _)| field)).collect();
    let search = RequestSearch { filter, range, fields: &fields, ms: TEMPO_SEARCH_MS };
    let mut found = FoundTraces { most: traces, most_spans: spans, ..FoundTraces::default() };
    let mut take = |text: &str| match request_summary(text) {
        Some(summary) if query.has_duration(summary.lasted_ns) => found.take(summary),
        _ => true,
    };
    let is_whole = scan_requests(services, caller, search, &mut take).await?;
    let metrics = SearchMetrics { completed_jobs: u32::from(is_whole), total_jobs: 1 };
    let reply = Reply::json(services.memory(), &SearchAnswer { traces: found.finish(), metrics })?;
    Ok(if is_whole { reply } else { reply.with_header("raydex-truncated", "true") })
}

impl TraceQuery {
    fn has_duration(&self, ns: i64) -> bool {
        self.least_ns.is_none_or(|least| ns >= least) && self.most_ns.is_none_or(|most| ns <= most)
    }
}

/// Reads what is searched for: `q` and `tags`, `minDuration` and `maxDuration`.
fn parse_query<B>(request: &HttpRequest<B>) -> Result<TraceQuery, Problem> {
    let given = |name| request.parameter(name).filter(|text| !text.trim().is_empty());
    let refused = |fault| problems::bad_trace_query(&fault);
    let mut query = given("q").map_or(Ok(TraceQuery::default()), |text| TraceQuery::parse(&text)).map_err(refused)?;
    if let Some(tags) = given("tags") {
        query = query.and(TraceQuery::parse_tags(&tags).map_err(refused)?);
    }
    let duration = |name: &'static str| {
        let read =
            |text: String| parse_duration(&text).ok_or_else(|| problems::bad_parameter(name, "a time such as 100ms"));
        given(name).map(read).transpose()
    };
    let bounds = TraceQuery { filter: None, least_ns: duration("minDuration")?, most_ns: duration("maxDuration")? };
    Ok(query.and(bounds))
}

/// Reads a number of results, of which as many are given as raydex gives at most.
pub(super) fn bounded<B>(
    request: &HttpRequest<B>,
    name: &'static str,
    (default, most): (usize, usize),
) -> Result<usize, Problem> {
    let given = request.number_parameter(name, default as u64, u64::MAX)?;
    Ok(usize::try_from(given).unwrap_or(most).min(most))
}

/// A request that passed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundSpan {
    #[serde(rename = "spanID", serialize_with = "as_text")]
    span_id: RayId,
    name: String,
    #[serde(serialize_with = "as_text")]
    start_time_unix_nano: i64,
    #[serde(serialize_with = "as_text")]
    duration_nanos: i64,
    attributes: Vec<OtlpKeyValue>,
}

/// The requests of a trace that passed.
#[derive(Serialize)]
struct SpanSet {
    spans: Vec<FoundSpan>,
    matched: usize,
}

/// A trace with requests that passed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundTrace {
    #[serde(rename = "traceID", serialize_with = "as_trace_id")]
    trace_id: RayId,
    root_service_name: String,
    root_trace_name: String,
    #[serde(serialize_with = "as_text")]
    start_time_unix_nano: i64,
    duration_ms: u32,
    #[serde(skip)]
    end_ns: i64,
    span_sets: [SpanSet; 1],
}

/// How much of the range was searched, in Tempo's words: of one job.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchMetrics {
    completed_jobs: u32,
    total_jobs: u32,
}

#[derive(Serialize)]
struct SearchAnswer {
    traces: Vec<FoundTrace>,
    metrics: SearchMetrics,
}

#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")
)]
fn as_trace_id<S: Serializer>(root: &RayId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(trace_id_of(*root)))
}

fn as_text<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

/// Traces in the making.
#[derive(Default)]
struct FoundTraces {
    most: usize,
    most_spans: usize,
    traces: Vec<FoundTrace>,
    /// The place of the trace of each ray that was met.
    places: BTreeMap<RayId, usize>,
}

impl FoundTraces {
    /// Takes a request; `false` if there are as many traces as are wanted, and as many requests as are kept in mind.
    fn take(&mut self, request: RequestSummary) -> bool {
        let known = |ray: Option<RayId>| self.places.get(&ray?).copied();
        let place = known(request.parent).or_else(|| known(Some(request.ray)));
        let place = match place {
            Some(place) => place,
            None if self.traces.len() >= self.most => return false,
            None => {
                self.traces.push(FoundTrace::new(request.parent.unwrap_or(request.ray)));
                self.traces.len() - 1
            }
        };
        for ray in request.parent.into_iter().chain([request.ray]) {
            self.places.entry(ray).or_insert(place);
        }
        if let Some(trace) = self.traces.get_mut(place) {
            trace.take(request, self.most_spans);
        }
        self.places.len() < TEMPO_TRACES * TEMPO_SPANS
    }

    fn finish(mut self) -> Vec<FoundTrace> {
        self.traces.sort_by_key(|trace| (-trace.start_time_unix_nano, trace.trace_id));
        self.traces
    }
}

impl FoundTrace {
    fn new(root: RayId) -> Self {
        Self {
            trace_id: root,
            root_service_name: NO_ROOT.to_owned(),
            root_trace_name: String::new(),
            start_time_unix_nano: i64::MAX,
            duration_ms: 0,
            end_ns: i64::MIN,
            span_sets: [SpanSet { spans: Vec::new(), matched: 0 }],
        }
    }

    fn take(&mut self, request: RequestSummary, most_spans: usize) {
        let RequestSummary { ray, service, name, start_ns, lasted_ns, status, .. } = request;
        self.start_time_unix_nano = self.start_time_unix_nano.min(start_ns);
        self.end_ns = self.end_ns.max(start_ns.saturating_add(lasted_ns));
        let lasted_ms = self.end_ns.saturating_sub(self.start_time_unix_nano) / 1_000_000;
        self.duration_ms = u32::try_from(lasted_ms).unwrap_or(u32::MAX);
        if ray == self.trace_id {
            self.root_service_name = service.chars().take(OTLP_NAME_CHARS).collect();
            self.root_trace_name.clone_from(&name);
        }
        let [SpanSet { spans, matched }] = &mut self.span_sets;
        *matched += 1;
        if spans.len() < most_spans {
            let status = status.map(|status| OtlpKeyValue {
                key: "http.response.status_code".to_owned(),
                value: Some(OtlpValue::IntValue(status).into()),
            });
            let attributes = status.into_iter().collect();
            let span =
                FoundSpan { span_id: ray, name, start_time_unix_nano: start_ns, duration_nanos: lasted_ns, attributes };
            spans.push(span);
        }
    }
}
