//! `GET /v1/rays/{ray}?format=otlp`: the tree of requests that a ray is in, as a trace in OpenTelemetry's form.
//!
//! # Invariants
//! The same records make the same trace, whichever of its rays was asked for. A trace ID of OpenTelemetry finds its spans too,
//! with the tree of their ray. What is missing is said in a header, as in any other
//! format.

use ::http::header::{ACCEPT, IF_NONE_MATCH};

use super::field_warnings::UnseenFields;
use super::rays::{begin_story_tag, with_figures, with_next_cursor};
use super::record_view::{DatasetViews, parse_filter, parse_lookup_dataset};
use super::scan::acquire_lookup;
use super::trace_lookup::{TraceTree, find_named_trace};
use super::trace_writer::{TraceForm, TraceRecords};
use crate::access::Caller;
use crate::config::Config;
use crate::http::media_type::{JSON, OTLP_PROTOBUF, PROTOBUF};
use crate::http::{HttpRequest, Problem, Reply, preferred, problems};
use crate::limits::FAMILY_RAYS;
use crate::memory::ReservedWriter;
use crate::record::ray_from_user;
use crate::services::Services;

/// Whether a request asks for its ray in this format.
pub(crate) fn is_asked<B>(request: &HttpRequest<B>) -> bool {
    request.parameter("format").is_some_and(|format| format == "otlp")
}

/// Returns whether a request accepts protobuf rather than JSON.
pub(crate) fn prefers_protobuf<B>(request: &HttpRequest<B>) -> bool {
    let accept = request.header(ACCEPT).unwrap_or_default();
    let offers = |name: &str| match name {
        JSON => Some(false),
        PROTOBUF | OTLP_PROTOBUF => Some(true),
        _ => None,
    };
    preferred(&accept, offers).unwrap_or(false)
}

/// Answers with the trace that the ray is in, or 404.
pub(crate) async fn trace_ray(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    let limit = check_parameters(request)?;
    let filter = parse_filter(request)?;
    let views = DatasetViews::new(caller, parse_lookup_dataset(request)?, filter.as_ref())?;
    let unseen = UnseenFields::new(caller.role, &views.datasets(), filter.as_ref(), None);
    let key = ray_from_user(argument).map_err(|_| problems::not_a_ray())?;
    let _permit = acquire_lookup(services, caller).await?;
    let reservation = services.memory().reservation();
    let cursor = request.parameter("cursor");
    let wanted = (limit, cursor.as_deref());
    let found = find_named_trace((config, services), &views, &key, wanted, &reservation).await?;
    let TraceTree { root, mut story, others } = found;
    let form = if prefers_protobuf(request) { TraceForm::Protobuf } else { TraceForm::Json };
    let media_type = if form == TraceForm::Json { JSON } else { OTLP_PROTOBUF };
    let tag = begin_story_tag(caller, request, media_type, &story).with(env!("CARGO_PKG_VERSION").as_bytes());
    let mut tag = tag.with(&root.bits().to_le_bytes());
    let next_cursor = story.seal_cursors(services, caller).await?;
    let truncated = story.is_truncated();
    let found = std::mem::take(&mut story.found);
    let mut on_line = |line: &[u8]| tag.add(line);
    let mut records = TraceRecords { views: &views, unseen, reservation, on_line: &mut on_line };
    let mut body = ReservedWriter::new(services.memory());
    if form == TraceForm::Json {
        body.push(b"{\"resourceSpans\":[")?;
    }
    let written = records.write(services, (root, found.records, others), form, &mut body).await?;
    if form == TraceForm::Json {
        body.push(b"]}\n")?;
    }
    let (warnings, truncated) = (records.unseen.warnings(), truncated || written.is_cut);
    if written.is_cut {
        tag.add(b"cut");
    }
    let reply = with_figures(Reply::new(200, media_type, body.finish()?), story.cost.as_ref(), truncated, &warnings);
    let reply = with_next_cursor(reply, next_cursor);
    Ok(reply.with_entity_tag(tag.finish(), request.header(IF_NONE_MATCH).as_deref()))
}

/// Refuses parameters that have no place in a trace; returns the number of rays that are wanted at most.
fn check_parameters<B>(request: &HttpRequest<B>) -> Result<Option<usize>, Problem> {
    let is_given = |name: &&str| request.parameter(name).is_some();
    if ["fields", "timestamps", "parts", "subrequests", "depth"].iter().any(is_given) {
        let takes =
            "otlp only without fields, timestamps, parts, subrequests and depth, because a trace is the whole tree";
        return Err(problems::bad_parameter("format", takes));
    }
    let limit = request.number_parameter("limit", FAMILY_RAYS as u64, FAMILY_RAYS as u64)?;
    Ok(request.parameter("limit").and(usize::try_from(limit).ok()))
}
