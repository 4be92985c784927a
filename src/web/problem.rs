//! Problems as pages.

use super::entrance::sign_in_page;
use super::html::{page_reply, small_page_reply};
use super::visit::Visit;
use crate::http::{Problem, Reply, end_session};
use crate::memory::MemoryBudget;
use crate::page::{NotFoundPage, ProblemContext, ProblemDocument, ProblemPage, ProblemWords};

/// What a person reads who is not signed in, or no longer.
const ENDED: &str = "Your token is not valid, or no longer. Sign in again.";

/// Shows a problem: with its status, in plain words. Without a token that is valid, the form that signs in.
pub(crate) fn problem_reply(visit: &Visit, problem: Problem, memory: &MemoryBudget, now_ms: i64) -> Reply {
    let frame = visit.frame(None);
    if problem.status == 401 {
        let failure = (frame.has_form_out() || frame.has_access_out()).then_some(ENDED);
        let reply = sign_in_page(visit, &visit.target, failure, 401);
        // A cookie whose token has ended would keep out an assertion that is valid.
        return if frame.has_form_out() { reply.with_header("set-cookie", end_session(&visit.headers)) } else { reply };
    }
    let (retry_after, json) = (problem.retry_after(), serde_json::to_vec(&problem).unwrap_or_default());
    let plain = Reply::from(problem);
    let Ok(document) = serde_json::from_slice::<ProblemDocument>(&json) else { return plain };
    let seconds = retry_after.filter(|_| visit.is_repeatable).and_then(|seconds| seconds.parse().ok());
    let parameters = visit.parameters();
    let is_change = !visit.is_repeatable;
    let context = ProblemContext { retry_after: seconds, path: &visit.path, is_change, parameters: &parameters };
    let page = match NotFoundPage::new(&frame, &document, now_ms) {
        Some(page) => page_reply(memory, plain.status, &page),
        None => page_reply(memory, plain.status, &ProblemPage::new(&frame, &document, context)),
    };
    // Without the parameters of the address, the page is short.
    let short = ProblemContext { parameters: &[], ..context };
    let page = page.unwrap_or_else(|_| small_page_reply(plain.status, &ProblemPage::new(&frame, &document, short)));
    let kept = plain.headers.into_iter().filter(|(name, _)| matches!(*name, "retry-after" | "allow" | "raydex-cost"));
    kept.fold(page, |page, (name, value)| page.with_header(name, value))
}

/// A problem in the words of a page.
pub(super) fn words_of(problem: &Problem) -> ProblemWords {
    ProblemWords::new(problem.code, false, problem.detail(), problem.hint())
}
