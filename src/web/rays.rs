//! The page of several rays: what `POST /v1/rays` answers, a line for each.

use std::rc::Rc;

use futures_util::StreamExt;
use serde_json::json;

use super::api_request::api_request;
use super::html::page_reply;
use super::visit::Visit;
use crate::access::Caller;
use crate::api::ray_list;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, problems};
use crate::limits::{PAGE_RAYS, PAGE_ROOM};
use crate::page::{RaySummary, RaysPage};
use crate::record::ray_from_user;
use crate::services::Services;

/// Answers with the page of the rays in the parameter `ids`.
///
/// # Errors
/// The [`Problem`] of a list that is none, or of the lookup.
pub(crate) async fn show_rays<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    (visit, caller): (&Visit, &Caller),
    request: &HttpRequest<Vec<u8>>,
) -> Result<Reply, Problem> {
    let texts = parse_rays(request)?;
    let has_more = match request.parameter("more").as_deref() {
        None => false,
        Some("true") => true,
        Some(_) => return Err(problems::bad_parameter("more", "true")),
    };
    let asked = HttpRequest {
        method: "POST".to_owned(),
        body: json!({ "rays": texts }).to_string().into_bytes(),
        ..api_request("")
    };
    let now_ms = services.now_ms();
    let mut rays: Vec<RaySummary> = texts.iter().map(|text| RaySummary::new(text, now_ms)).collect();
    let reply = ray_list::look_up_rays(config, services, caller, &asked).await?;
    if let ReplyBody::Stream(mut lines) = reply.body {
        while let Some(line) = lines.next().await {
            let line = line.map_err(|_| problems::unavailable())?;
            let _room = services.memory().reserve(PAGE_ROOM * line.len())?;
            RaySummary::take_line(&mut rays, &line.to_vec());
        }
    }
    let frame = visit.frame(Some(caller));
    Ok(page_reply(services.memory(), 200, &RaysPage { frame: &frame, rays: &rays, has_more })?)
}

/// The rays of the parameter `ids`: 1 to [`PAGE_RAYS`], separated by commas.
fn parse_rays<B>(request: &HttpRequest<B>) -> Result<Vec<String>, Problem> {
    let takes = || format!("1 to {PAGE_RAYS} Ray IDs, separated by commas");
    let Some(ids) = request.parameter("ids") else { return Err(problems::missing_parameter("ids", &takes())) };
    let rays: Vec<String> = ids.split(',').map(str::to_owned).collect();
    if rays.len() > PAGE_RAYS {
        return Err(problems::bad_parameter("ids", &takes()));
    }
    if rays.iter().any(|ray| ray_from_user(ray).is_err()) { Err(problems::not_a_ray()) } else { Ok(rays) }
}
