//! The page of one ray: what `GET /v1/rays/{ray}` answers, in words.

use super::html::page_reply;
use super::visit::Visit;
use crate::access::Caller;
use crate::api::rays;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, problems};
use crate::limits::PAGE_ROOM;
use crate::page::RayPage;
use crate::page::answer::{AnswerContext, AnswerDocument, AnswerPart};
use crate::record::Dataset;
use crate::services::Services;

/// The tabs that the page has.
const TABS: &str = "record, partner, json or deliveries";

/// Answers with the page of a ray that was found.
///
/// # Errors
/// The [`Problem`] of the lookup, or of a tab that the page does not have.
pub(crate) async fn show_ray(
    config: &Config,
    services: &impl Services,
    (visit, caller): (&Visit, &Caller),
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    check_tab(request)?;
    let asked = lookup_request(caller, request);
    let reply = rays::get_ray(config, services, caller, &asked, argument).await?;
    let ReplyBody::Whole(body) = reply.body else { return Err(problems::answer_too_large()) };
    let _room = services.memory().reserve(PAGE_ROOM * body.len())?;
    // The document is the API's own, so it can be read unless the page lags behind it.
    let document = AnswerDocument::read(&body.to_vec()).map_err(|_| problems::unavailable())?;
    let context = AnswerContext { now_ms: services.now_ms() };
    let frame = visit.frame(Some(caller));
    let page = RayPage { frame: &frame, ray: &document.ray, answer: &AnswerPart::new(&document, &context) };
    Ok(page_reply(services.memory(), 200, &page)?)
}

/// Checks the parameter `tab`.
fn check_tab<B>(request: &HttpRequest<B>) -> Result<(), Problem> {
    match request.parameter("tab").as_deref() {
        None | Some("record" | "partner" | "json" | "deliveries") => Ok(()),
        Some(_) => Err(problems::bad_parameter("tab", TABS)),
    }
}

/// The request for everything that the page shows: the records below the ray, the tree, and the deliveries of records that have
/// any and that the caller may see.
fn lookup_request(caller: &Caller, request: &HttpRequest<Vec<u8>>) -> HttpRequest<Vec<u8>> {
    let dataset = request.parameter("dataset");
    let is_delivered = dataset.as_deref().is_none_or(|name| name == Dataset::HttpRequests.name());
    let parts = if is_delivered && caller.may_dataset(Dataset::HttpRequests) {
        "records,tree,deliveries"
    } else {
        "records,tree"
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("subrequests", "list").append_pair("parts", parts);
    if let Some(dataset) = dataset {
        query.append_pair("dataset", &dataset);
    }
    HttpRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        query: query.finish(),
        headers: ::http::HeaderMap::new(),
        body: Vec::new(),
    }
}
