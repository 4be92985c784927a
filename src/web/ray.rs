//! The page of one ray: what `GET /v1/rays/{ray}` answers, in words.

use super::api_request::api_request;
use super::html::page_reply;
use super::visit::Visit;
use crate::access::Caller;
use crate::api::{ray_explain, rays};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, ReplyBody, problems};
use crate::limits::PAGE_ROOM;
use crate::memory::Reservation;
use crate::page::RayPage;
use crate::page::answer::{AnswerContext, AnswerDocument, AnswerPart, AnswerTab, ExplainDocument};
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
    let tab = parse_tab(request)?;
    let asked = lookup_request(caller, request);
    let (body, _room) = whole_body(services, rays::get_ray(config, services, caller, &asked, argument).await?)?;
    // The document is the API's own, so it can be read unless the page lags behind it.
    let document = AnswerDocument::read(&body).map_err(|_| problems::unavailable())?;
    let (explained, _explained_room) =
        if tab == AnswerTab::Partner { explain(config, services, caller, argument).await? } else { (None, None) };
    let context = AnswerContext::new(services.now_ms()).with_tab(tab).with_origin(&visit.origin());
    let answer = AnswerPart::new(&document, &context);
    let answer = match &explained {
        Some(explained) => answer.with_explanation(explained),
        None => answer,
    };
    let frame = visit.frame(Some(caller));
    Ok(page_reply(services.memory(), 200, &RayPage { frame: &frame, ray: &document.ray, answer: &answer })?)
}

/// The partner's lines of the ray, column by column; `None` where no record of it has one.
async fn explain(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    argument: &str,
) -> Result<(Option<ExplainDocument>, Option<Reservation>), Problem> {
    let asked = api_request("format=explain");
    match ray_explain::explain_ray(config, services, caller, &asked, argument).await {
        Ok(reply) => {
            let (body, room) = whole_body(services, reply)?;
            let document = ExplainDocument::read(&body).map_err(|_| problems::unavailable())?;
            Ok((Some(document), Some(room)))
        }
        // Without a record of a request, or the right to see one, there is no line.
        Err(problem) if matches!(problem.status, 403 | 404) => Ok((None, None)),
        Err(problem) => Err(problem),
    }
}

/// The body of an answer of the API, with the memory that reading it takes.
fn whole_body(services: &impl Services, reply: Reply) -> Result<(Vec<u8>, Reservation), Problem> {
    let ReplyBody::Whole(body) = reply.body else { return Err(problems::answer_too_large()) };
    let room = services.memory().reserve(PAGE_ROOM * body.len())?;
    Ok((body.to_vec(), room))
}

/// The tab that the page shows.
fn parse_tab<B>(request: &HttpRequest<B>) -> Result<AnswerTab, Problem> {
    let Some(name) = request.parameter("tab") else { return Ok(AnswerTab::default()) };
    AnswerTab::from_name(&name).ok_or_else(|| problems::bad_parameter("tab", TABS))
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
    let mut asked = vec![("subrequests", "list"), ("parts", parts)];
    asked.extend(dataset.as_deref().map(|dataset| ("dataset", dataset)));
    api_request(form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish())
}
