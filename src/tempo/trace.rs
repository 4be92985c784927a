//! `GET /tempo/api/traces/{trace}` and its second version: the tree of a ray as a trace. Of another trace ID, the tree of the ray
//! that its spans name, or that of a request which names it in a header.
//!
//! # Invariants
//! Every ray of a tree finds the same trace. The second version says whether it is whole, and why it may not be; the first has no
//! place for that but a header.

use std::rc::Rc;

use serde_json::json;

use super::TempoVersion;
use super::partial::missing_words;
use super::request_scan::{RequestSearch, given_range, scan_requests};
use super::trace_id::{TraceKey, parse_trace_id};
use crate::access::Caller;
use crate::api::field_warnings::UnseenFields;
use crate::api::ray_otlp::prefers_protobuf;
use crate::api::ray_story::{RayStory, find_ray, find_trace};
use crate::api::record_view::DatasetViews;
use crate::api::scan::acquire_lookup;
use crate::api::time_range::TimeRange;
use crate::api::trace_writer::{TraceForm, TraceRecords};
use crate::config::Config;
use crate::filter::Filter;
use crate::http::media_type::{JSON, PROTOBUF};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::TEMPO_SEARCH_MS;
use crate::memory::{OutOfMemory, ReservedBytes, ReservedWriter};
use crate::record::{Dataset, RayId, RayKey};
use crate::services::Services;
use crate::story::{KinRecord, NO_RAY, TRACE_PARENT, request_summary};

/// Fields of `TraceByIDResponse` in protobuf: the trace (1), its status (3), why it is partial (4).
const TRACE: u8 = 0x0a;
const STATUS: u8 = 0x18;
const MESSAGE: u8 = 0x22;
/// The status of a trace that lacks requests.
const PARTIAL: u8 = 1;

/// Answers with the trace, or 404.
pub(crate) async fn get_trace<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    (argument, version): (&str, TempoVersion),
) -> Result<Reply, Problem> {
    let range = given_range(request)?;
    let key = parse_trace_id(argument).ok_or_else(problems::not_a_trace)?;
    let found = match key {
        TraceKey::Ray(ray) => TraceFound::Ray(ray),
        TraceKey::Foreign(_) => match find_spans(services.as_ref(), caller, key).await? {
            Some(found) => found,
            None => TraceFound::Ray(find_by_header(services, caller, range, key).await?),
        },
    };
    let services = services.as_ref();
    let views = DatasetViews::new(caller, None, None)?;
    let _permit = acquire_lookup(services, caller).await?;
    let reservation = services.memory().reservation();
    let (root, mut story) = match found {
        TraceFound::Ray(ray) => find_trace((config, services), &views, ray, (None, None), &reservation).await?,
        TraceFound::Spans(key) => {
            let (found, cost) = find_ray(services, &views, &key, &reservation).await?;
            (NO_RAY, RayStory::of_records(found, cost))
        }
    };
    let (goes_on, is_cut) = (story.goes_on().contains(&true), story.is_truncated());
    let records = std::mem::take(&mut story.found).records;
    let form = if prefers_protobuf(request) { TraceForm::Protobuf } else { TraceForm::Json };
    let mut out = ReservedWriter::new(services.memory());
    if form == TraceForm::Json {
        out.push(match version {
            TempoVersion::V1 => b"{\"batches\":[",
            TempoVersion::V2 => b"{\"trace\":{\"resourceSpans\":[",
        })?;
    }
    let mut written =
        TraceRecords { views: &views, unseen: UnseenFields::default(), reservation, on_line: &mut |_| () };
    let rays = written.write(services, (root, records), form, &mut out).await?;
    let cut = is_cut.then(|| cut_words(root, rays, goes_on));
    let missing = if root == NO_RAY { None } else { missing_words(services, &views, root).await };
    let words: Vec<String> = cut.into_iter().chain(missing).collect();
    let message = (!words.is_empty()).then(|| words.join(" "));
    let body = finish(out, (form, version), message.as_deref())?;
    let reply = Reply::new(200, if form == TraceForm::Json { JSON } else { PROTOBUF }, body);
    let reply = if let Some(cost) = &story.cost { reply.with_cost(cost) } else { reply };
    Ok(if is_cut { reply.with_header("raydex-truncated", "true") } else { reply })
}

/// What has the ID of a trace that is no ray.
enum TraceFound {
    /// A request, by its ray.
    Ray(RayId),
    /// Spans of no known request, by this key.
    Spans(RayKey),
}

/// Finds what the spans of a trace belong to, wherever in time they are; `None` if the caller sees no such spans.
async fn find_spans(services: &impl Services, caller: &Caller, trace: TraceKey) -> Result<Option<TraceFound>, Problem> {
    let key = RayKey::from_logged(&trace.digits());
    let Some(key) = key.filter(|_| caller.may_dataset(Dataset::Traces)) else { return Ok(None) };
    let views = DatasetViews::new(caller, Some(Dataset::Traces), None)?;
    let _permit = acquire_lookup(services, caller).await?;
    let reservation = services.memory().reservation();
    let records = match find_ray(services, &views, &key, &reservation).await {
        Ok((found, _)) => found.records,
        // Nothing has this ID.
        Err(problem) if problem.status == 400 => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let ray = records.into_iter().find_map(|record| KinRecord::read(services.batch_store(), record)).map(|kin| kin.ray);
    Ok(Some(ray.map_or(TraceFound::Spans(key), TraceFound::Ray)))
}

/// Says that the trace is not whole.
fn cut_words(root: RayId, rays: usize, goes_on: bool) -> String {
    if goes_on {
        format!("These are {rays} requests of more: /v1/rays/{root}?format=otlp has all of them, page by page.")
    } else {
        "Some requests of the trace could not be read, or are beyond what one answer holds.".to_owned()
    }
}

/// Ends the answer.
fn finish(
    mut out: ReservedWriter,
    (form, version): (TraceForm, TempoVersion),
    message: Option<&str>,
) -> Result<ReservedBytes, OutOfMemory> {
    match (form, version) {
        (TraceForm::Json, TempoVersion::V1) => out.push(b"]}\n")?,
        (TraceForm::Json, TempoVersion::V2) => {
            out.push(b"]},\"metrics\":{},\"status\":")?;
            out.push_json(if message.is_some() { &"PARTIAL" } else { &"COMPLETE" })?;
            if let Some(message) = message {
                out.push(b",\"message\":")?;
                out.push_json(&json!(message))?;
            }
            out.push(b"}\n")?;
        }
        (TraceForm::Protobuf, TempoVersion::V1) => {}
        (TraceForm::Protobuf, TempoVersion::V2) => {
            let mut head = vec![TRACE];
            prost::encoding::encode_varint(out.len() as u64, &mut head);
            out.prepend(&head)?;
            if let Some(message) = message {
                let mut tail = vec![STATUS, PARTIAL, MESSAGE];
                prost::encoding::encode_varint(message.len() as u64, &mut tail);
                tail.extend_from_slice(message.as_bytes());
                out.push(&tail)?;
            }
        }
    }
    out.finish()
}

/// Finds the first request of the range whose header `traceparent` names the trace.
async fn find_by_header<D: Services + 'static>(
    services: &Rc<D>,
    caller: &Caller,
    range: Option<TimeRange>,
    trace: TraceKey,
) -> Result<RayId, Problem> {
    let range = range.ok_or_else(problems::trace_range_required)?;
    let key = format!("RequestHeaders.{TRACE_PARENT}");
    let condition = json!({ "key": key, "operator": "contains", "value": format!("-{}-", trace.digits()) });
    let filter =
        Filter::parse(&json!({ "where": condition }).to_string()).map_err(|error| problems::bad_filter(&error))?;
    let search = RequestSearch { filter: Some(filter), range, fields: &["RayID"], ms: TEMPO_SEARCH_MS };
    let mut found = None;
    let mut take = |text: &str| {
        found = request_summary(text).map(|summary| summary.ray);
        found.is_none()
    };
    let is_whole = scan_requests(services, caller, search, &mut take).await?;
    match found {
        Some(ray) => Ok(ray),
        None if is_whole => Err(problems::no_such_trace()),
        None => {
            Err(problems::no_such_trace().with_hint("Only a part of the time range was searched: make it shorter."))
        }
    }
}
