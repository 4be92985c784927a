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
use crate::api::ray_story::find_trace;
use crate::api::record_view::DatasetViews;
use crate::api::scan::acquire_lookup;
use crate::api::time_range::TimeRange;
use crate::api::trace_lookup::{TraceTree, find_named_trace};
use crate::api::trace_writer::{TraceForm, TraceRecords};
use crate::config::Config;
use crate::filter::Filter;
use crate::http::media_type::{JSON, PROTOBUF};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::limits::{LOOKUP_BYTES, MIB, TEMPO_SEARCH_MS, TRACE_RECORDS};
use crate::memory::{OutOfMemory, Reservation, ReservedBytes, ReservedWriter, ScanPermit};
use crate::record::RayId;
use crate::services::Services;
use crate::story::{NO_RAY, TRACE_PARENT, request_summary};

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
    let views = DatasetViews::new(caller, None, None)?;
    let reservation = services.memory().reservation();
    let (found, _permit) = find_tree((config, services), &views, (key, range), &reservation).await?;
    let services = services.as_ref();
    let TraceTree { root, mut story, others } = found;
    let ([_, goes_on], is_cut) = (story.goes_on(), story.is_cut());
    let records = std::mem::take(&mut story.found).records;
    let form = if prefers_protobuf(request) { TraceForm::Protobuf } else { TraceForm::TempoJson };
    let mut out = ReservedWriter::new(services.memory());
    if form == TraceForm::TempoJson {
        out.push(match version {
            TempoVersion::V1 => b"{\"batches\":[",
            TempoVersion::V2 => b"{\"trace\":{\"resourceSpans\":[",
        })?;
    }
    let mut records_of =
        TraceRecords { views: &views, unseen: UnseenFields::default(), reservation, on_line: &mut |_| () };
    let written = records_of.write(services, (root, records, others), form, &mut out).await?;
    let is_cut = is_cut || written.is_cut;
    let more = goes_on.then(|| more_words(root, written.rays));
    let cut = is_cut.then(cut_words);
    let missing = if root == NO_RAY { None } else { missing_words(services, &views, root).await };
    let words: Vec<String> = more.into_iter().chain(cut).chain(missing).collect();
    let message = (!words.is_empty()).then(|| words.join(" "));
    let body = finish(out, (form, version), message.as_deref())?;
    let reply = Reply::new(200, if form == TraceForm::TempoJson { JSON } else { PROTOBUF }, body);
    let reply = if let Some(cost) = &story.cost { reply.with_cost(cost) } else { reply };
    Ok(if is_cut || goes_on { reply.with_header("raydex-truncated", "true") } else { reply })
}

/// Finds the trace of a ray, or that of spans with this ID, wherever in time they are; or else that of the first request of the range
/// which names the trace in a header.
async fn find_tree<D: Services + 'static>(
    (config, services): (&Config, &Rc<D>),
    views: &DatasetViews,
    (key, range): (TraceKey, Option<TimeRange>),
    reservation: &Reservation,
) -> Result<(TraceTree, Option<ScanPermit>), Problem> {
    let (caller, asked) = (views.caller(), (config, services.as_ref()));
    let permit = acquire_lookup(services.as_ref(), caller).await?;
    match find_named_trace(asked, views, &key.to_ray_key(), (None, None), reservation).await {
        Err(problem) if problem.status == 404 && matches!(key, TraceKey::Foreign(_)) => {
            // The search takes a permit of its own.
            drop(permit);
            let ray = find_by_header(services, caller, range, key).await?;
            let permit = acquire_lookup(services.as_ref(), caller).await?;
            let found = find_trace(asked, views, ray, (None, None), reservation).await?;
            Ok((TraceTree::of_tree(found), permit))
        }
        named => Ok((named?, permit)),
    }
}

/// Says that the trace has more requests, and where they are.
fn more_words(root: RayId, rays: usize) -> String {
    format!("These are {rays} requests of more: /v1/rays/{root}?format=otlp has the others too, page by page.")
}

/// Says that something of the trace is on no page.
fn cut_words() -> String {
    format!(
        "Spans are missing: an answer has at most {TRACE_RECORDS} of a request or a trace ID, {} MiB of their lines, and what \
         memory has room for, and some records may not have been readable.",
        LOOKUP_BYTES / MIB
    )
}

/// Ends the answer.
fn finish(
    mut out: ReservedWriter,
    (form, version): (TraceForm, TempoVersion),
    message: Option<&str>,
) -> Result<ReservedBytes, OutOfMemory> {
    match (form, version) {
        (TraceForm::Json | TraceForm::TempoJson, TempoVersion::V1) => out.push(b"]}\n")?,
        (TraceForm::Json | TraceForm::TempoJson, TempoVersion::V2) => {
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
