//! Problems as pages.

use super::entrance::sign_in_page;
use super::html::{page_reply, small_page_reply};
use super::visit::Visit;
use crate::http::{Problem, Reply, end_session};
use crate::memory::MemoryBudget;
use crate::page::{NotFoundPage, ProblemDocument, ProblemPage};

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
    let kept = visit.parameters_beside("reason");
    let small = || small_page_reply(plain.status, &ProblemPage::new(&frame, &document, seconds).with_kept(&kept));
    let page = match NotFoundPage::new(&frame, &document, now_ms) {
        Some(page) => page_reply(memory, plain.status, &page).unwrap_or_else(|_| small()),
        None => small(),
    };
    let kept = plain.headers.into_iter().filter(|(name, _)| matches!(*name, "retry-after" | "allow" | "raydex-cost"));
    kept.fold(page, |page, (name, value)| page.with_header(name, value))
}
