//! `POST /v1/rays`: looks up many rays, and returns a line of JSON for each as soon as it is found.
//!
//! # Invariants
//! Every ray in the body gets exactly one line, found or not, which names it by its index in the body. A failed lookup
//! does not affect the others. The end marker follows when all have theirs. Where the order in which lookups end could
//! tell of hidden records, the lines have that of the body.

use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use super::end_marker::EndMarker;
use super::field_warnings::{FieldWarning, UnseenFields};
use super::list_document::ListDocument;
use super::ray_document::push_record;
use super::ray_story::find_ray;
use super::rays::ShownRecords;
use super::record_view::{DatasetViews, parse_filter, parse_lookup_dataset};
use super::record_writer::RecordWriter;
use super::requested_key::find_named;
use super::scan::acquire_scan;
use crate::access::Caller;
use crate::backend::to_json;
use crate::config::Config;
use crate::http::media_type::NDJSON;
use crate::http::{HttpRequest, LookupCost, Problem, Reply, parse_only_member, problems};
use crate::limits::{LOOKUPS_AT_ONCE, RAYS_ASKED};
use crate::memory::ReservedBytes;
use crate::record::{Dataset, RayKey, ray_from_user};
use crate::services::Services;

/// One line of the answer: the members before the records, or all of one without records.
#[derive(Default, Serialize)]
struct RayLine {
    /// The index of the ray in the body, from 0.
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    ray: Option<String>,
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
    /// The reason why there are no records.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// The members after the records.
#[derive(Serialize)]
struct RayLineTail {
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<LookupCost>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldWarning>,
}

/// The last line of the answer.
#[derive(Serialize)]
struct RaysTrailer {
    /// Whether every ray of the body has its line.
    complete: bool,
}

/// Looks up every ray in the body, [`LOOKUPS_AT_ONCE`] at a time, and streams each line when it is ready, or in its turn.
pub(crate) async fn look_up_rays<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let named = parse_lookup_dataset(request)?;
    let form = RecordWriter::for_json(config, request, named.unwrap_or(Dataset::HttpRequests))?;
    let filter = parse_filter(request)?;
    let views = DatasetViews::new(caller, named, filter.as_ref())?;
    let unseen = UnseenFields::new(caller.role, &views.datasets(), filter.as_ref(), form.projection.fields.as_deref());
    let rays = parse_rays(&request.body)?;
    let permit = acquire_scan(services.as_ref(), caller).await?;
    let marker = EndMarker::draw(services.as_ref());
    let end = ReservedBytes::small(marker.json_line(&RaysTrailer { complete: true }).as_bytes());
    let may_hurry = views.visibility().may_hurry();
    let asked = Rc::new((services.clone(), views, form, unseen, permit));
    let lines = stream::iter(rays.into_iter().enumerate()).map(move |(index, text)| {
        let asked = asked.clone();
        async move {
            let (services, views, form, unseen, _) = asked.as_ref();
            Ok(line(services.as_ref(), views, form, unseen, (index, &text)).await)
        }
    });
    let lines = if may_hurry {
        lines.buffer_unordered(LOOKUPS_AT_ONCE).boxed_local()
    } else {
        lines.buffered(LOOKUPS_AT_ONCE).boxed_local()
    };
    let lines = lines.chain(stream::once(async { Ok(end) }));
    Ok(marker.announce(Reply::streaming(NDJSON, lines.boxed_local())))
}

/// Parses the body, `{"rays":["…"]}` with 1 to [`RAYS_ASKED`] rays.
fn parse_rays(body: &[u8]) -> Result<Vec<String>, Problem> {
    let Some(Value::Array(rays)) = parse_only_member(body, "rays")? else { return Err(problems::no_rays()) };
    match rays.len() {
        0 => return Err(problems::no_rays()),
        1..=RAYS_ASKED => (),
        _ => return Err(problems::too_many_rays()),
    }
    let text = |(index, ray)| match ray {
        Value::String(ray) => Ok(ray),
        _ => Err(problems::bad_ray_list(index)),
    };
    rays.into_iter().enumerate().map(text).collect()
}

/// Looks up one ray of the body, and returns its line.
async fn line(
    services: &impl Services,
    views: &DatasetViews,
    form: &RecordWriter,
    unseen: &UnseenFields,
    (index, text): (usize, &str),
) -> ReservedBytes {
    let line = RayLine { index, ..RayLine::default() };
    let Ok(key) = ray_from_user(text) else { return problem_line(line, problems::not_a_ray()) };
    let ray = Some(key.to_string());
    let line = || RayLine { index, ray: ray.clone(), ..RayLine::default() };
    let reservation = services.memory().reservation();
    let find = async |key: &RayKey| find_ray(services, views, key, &reservation).await;
    match find_named(key, find).await {
        Err(problem) => problem_line(line(), problem),
        Ok((key, (found, cost))) => {
            let (ray, truncated) = (Some(key.to_string()), Some(found.cut.truncated));
            let head = RayLine { found: true, ray, truncated, ..line() };
            let written = async {
                let mut document = ListDocument::begin(services.memory(), &head, "records")?;
                let unseen = unseen.clone();
                let mut shown = ShownRecords { views, unseen, reservation, record_ns: 0, on_line: |_: &[u8]| () };
                let visibility = views.visibility();
                let write = |record: &_, line: &_| push_record(&mut document, (record, visibility), line, form);
                shown.each(services, found, write).await?;
                document.end(&RayLineTail { cost, warnings: shown.unseen.warnings() })
            };
            written.await.unwrap_or_else(|error| problem_line(line(), error.into()))
        }
    }
}

/// The line of a ray without records.
fn problem_line(line: RayLine, problem: Problem) -> ReservedBytes {
    let mut json = to_json(&RayLine { problem: Some(problem), ..line });
    json.push(b'\n');
    ReservedBytes::small(&json)
}
