//! `POST /v1/rays`: looks up many rays, and returns a line of JSON for each as soon as it is found.
//!
//! # Invariants
//! Every ray in the body gets exactly one line, found or not, which names it by its index in the body. A failed lookup
//! does not affect the others.

use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use super::field_warnings::{FieldWarning, UnseenFields};
use super::rays::{RayRecord, find_ray, lookup_warnings, ray_record, visible_records};
use super::record_view::{DatasetViews, parse_filter, parse_lookup_dataset};
use super::record_writer::RecordWriter;
use crate::access::Caller;
use crate::config::Config;
use crate::http::media_type::NDJSON;
use crate::http::{HttpRequest, LookupCost, Problem, Reply, parse_only_member, problems};
use crate::limits::{LOOKUPS_AT_ONCE, RAYS_ASKED};
use crate::record::{Dataset, ray_from_user};
use crate::services::Services;

/// One line of the answer.
#[derive(Default, Serialize)]
struct RayLine<'a> {
    /// The index of the ray in the body, from 0.
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    ray: Option<String>,
    found: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<RayRecord<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<LookupCost>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldWarning>,
    /// The reason why there are no records.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Looks up every ray in the body, [`LOOKUPS_AT_ONCE`] at a time, and streams each line when it is ready.
pub(crate) fn look_up_rays<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let named = parse_lookup_dataset(request)?;
    let form = RecordWriter::for_json(config, request, named.unwrap_or(Dataset::HttpRequests))?;
    let filter = parse_filter(request)?;
    let views = DatasetViews::new(caller, named, filter.as_ref())?;
    let unseen = UnseenFields::new(&views.datasets(), filter.as_ref(), form.projection.fields.as_deref());
    let rays = parse_rays(&request.body)?;
    let asked = Rc::new((services.clone(), views, form, unseen));
    let lines = stream::iter(rays.into_iter().enumerate())
        .map(move |(index, text)| {
            let asked = asked.clone();
            async move {
                let (services, views, form, unseen) = asked.as_ref();
                Ok(line(services.as_ref(), views, form, unseen, (index, &text)).await)
            }
        })
        .buffer_unordered(LOOKUPS_AT_ONCE);
    Ok(Reply::streaming(NDJSON, lines.boxed_local()))
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
) -> Vec<u8> {
    let empty = RayLine { index, ..RayLine::default() };
    let Ok(key) = ray_from_user(text) else {
        return json(&RayLine { problem: Some(problems::not_a_ray()), ..empty });
    };
    let empty = RayLine { ray: Some(key.to_string()), ..empty };
    let reservation = services.memory().reservation();
    match find_ray(services, views, &key, &reservation).await {
        Err(problem) => json(&RayLine { problem: Some(problem), ..empty }),
        Ok((found, cost)) => {
            let seen = visible_records(&found, views);
            let warnings = lookup_warnings(unseen.clone(), views, &found, &seen);
            let records = seen.iter().map(|seen| ray_record(seen, form)).collect();
            let (truncated, cost) = (Some(found.truncated), Some(cost));
            json(&RayLine { found: true, truncated, records: Some(records), cost, warnings, ..empty })
        }
    }
}

fn json(line: &RayLine<'_>) -> Vec<u8> {
    let mut json = serde_json::to_vec(line).unwrap_or_default();
    json.push(b'\n');
    json
}
