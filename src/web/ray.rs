//! The page of one ray: what `GET /v1/rays/{ray}` answers, in words.

use std::rc::Rc;

use super::html::page_reply;
use super::ray_answer::read_answer;
use super::ray_tabs::TabAnswer;
use super::visit::Visit;
use crate::access::Caller;
use crate::config::Config;
use crate::http::{HttpRequest, Problem, REASON, Reply, problems};
use crate::page::RayPage;
use crate::page::answer::{AnswerContext, AnswerPart, AnswerTab};
use crate::services::Services;

/// The tabs that the page has.
const TABS: &str = "record, json, partner, deliveries, neighbours or compare";

/// The parameters that the links of the page keep, beside the reason.
const KEPT: [&str; 3] = ["dataset", "tree", "records"];

/// Answers with the page of a ray that was found.
///
/// # Errors
/// The [`Problem`] of the lookup, or of a parameter that the page does not have.
pub(crate) async fn show_ray<D: Services + 'static>(
    config: &Config,
    services: &Rc<D>,
    (visit, caller): (&Visit, &Caller),
    request: &HttpRequest<Vec<u8>>,
    argument: &str,
) -> Result<Reply, Problem> {
    let tab = parse_tab(request)?;
    // First, so that what its search takes is free again for the answer.
    let of_tab = TabAnswer::read(config, services, caller, (request, tab), argument).await?;
    let answer = read_answer(config, services, caller, request, argument).await?;
    let kept = KEPT.into_iter().filter_map(|name| Some((name, request.parameter(name)?)));
    // The reason comes from the header, to which it was moved with what the audit log has.
    let reason = request.header(REASON).map(|reason| ("reason", reason.into_owned()));
    let context = AnswerContext::new(services.now_ms()).with_tab(tab).with_origin(&visit.origin());
    let context = context.with_kept(kept.chain(reason).collect());
    let part = of_tab.show(AnswerPart::new(&answer.document, &context));
    let part = match tab {
        AnswerTab::Partner => part.with_partner_lines(&config.partner, caller.role),
        _ => part,
    };
    let frame = visit.frame(Some(caller));
    Ok(page_reply(services.memory(), 200, &RayPage { frame: &frame, ray: &answer.document.ray, answer: &part })?)
}

/// The tab that the page shows.
fn parse_tab<B>(request: &HttpRequest<B>) -> Result<AnswerTab, Problem> {
    let Some(name) = request.parameter("tab") else { return Ok(AnswerTab::default()) };
    AnswerTab::from_name(&name).ok_or_else(|| problems::bad_parameter("tab", TABS))
}
