//! `POST /v1/rays`: many rays at once, a line of JSON for each as it is found.
//!
//! # Invariants
//! Every ray of the body gets exactly one line, found or not, which names it by its index in the body. A lookup that
//! fails does not affect the others.

use std::rc::Rc;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::rays::{RayRecord, find_ray, ray_record, visible_records};
use super::record_view::{DatasetViews, parse_filter, parse_named_dataset};
use super::record_writer::RecordWriter;
use crate::access::Caller;
use crate::config::Config;
use crate::http::media_type::NDJSON;
use crate::http::{HttpRequest, LookupCost, Problem, Reply, problems};
use crate::limits::{LOOKUPS_AT_ONCE, RAYS_ASKED};
use crate::record::{Dataset, ray_from_user};
use crate::services::Services;

/// The body: 1 to [`RAYS_ASKED`] rays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RaysRequest {
    rays: Vec<String>,
}

/// One line of the answer.
#[derive(Serialize)]
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
    /// Why there are no records.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Looks up every ray of the body, [`LOOKUPS_AT_ONCE`] at a time, and streams each line when it is ready.
pub(crate) fn look_up_rays<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    caller: &Caller,
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let named = parse_named_dataset(request)?;
    let form = RecordWriter::for_json(config, request, named.unwrap_or(Dataset::HttpRequests))?;
    let views = DatasetViews::new(caller, named, parse_filter(request)?.as_ref())?;
    let RaysRequest { rays } = serde_json::from_slice(&request.body).map_err(|_| problems::no_rays())?;
    if rays.is_empty() || rays.len() > RAYS_ASKED {
        return Err(problems::no_rays());
    }
    let asked = Rc::new((services.clone(), views, form));
    let lines = stream::iter(rays.into_iter().enumerate())
        .map(move |(index, text)| {
            let asked = asked.clone();
            async move {
                let (services, views, form) = asked.as_ref();
                Ok(line(services.as_ref(), views, form, index, &text).await)
            }
        })
        .buffer_unordered(LOOKUPS_AT_ONCE);
    Ok(Reply::streaming(NDJSON, lines.boxed_local()))
}

/// Looks up one ray, and returns its line.
async fn line(
    services: &impl Services,
    views: &DatasetViews,
    form: &RecordWriter,
    index: usize,
    text: &str,
) -> Vec<u8> {
    let empty = RayLine { index, ray: None, found: false, truncated: None, records: None, cost: None, problem: None };
    let Ok(key) = ray_from_user(text) else {
        return json(&RayLine { problem: Some(problems::not_a_ray()), ..empty });
    };
    let empty = RayLine { ray: Some(key.to_string()), ..empty };
    let reservation = services.memory().reservation();
    match find_ray(services, views, &key, &reservation).await {
        Err(problem) => json(&RayLine { problem: Some(problem), ..empty }),
        Ok((found, cost)) => {
            let seen = visible_records(&found, views);
            let records = seen.iter().map(|seen| ray_record(seen, form)).collect();
            let (truncated, cost) = (Some(found.truncated), Some(cost));
            json(&RayLine { found: true, truncated, records: Some(records), cost, ..empty })
        }
    }
}

fn json(line: &RayLine<'_>) -> Vec<u8> {
    let mut json = serde_json::to_vec(line).unwrap_or_default();
    json.push(b'\n');
    json
}
