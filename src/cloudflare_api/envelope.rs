//! The envelope of Cloudflare's API: `{"success":…,"errors":[…],"messages":[],"result":…}`, and the plain text for a
//! query that Logpull considers invalid.
//!
//! # Invariants
//! An error is never `application/problem+json`, and repeats nothing that the client sent.

use serde::Serialize;

use crate::http::media_type::{JSON, TEXT};
use crate::http::{Problem, Reply, problems};
use crate::memory::{MemoryBudget, OutOfMemory};

/// The code of a caller who is not authenticated or not authorized.
const AUTHENTICATION: u32 = 10_000;
/// The code of a caller over the rate limit.
const THROTTLED: u32 = 971;
/// The code of an unknown path.
const NO_ROUTE: u32 = 7_003;
/// The code of a method that the path does not accept.
const NO_METHOD: u32 = 7_001;
/// The code of an invalid request.
pub(crate) const INVALID: u32 = 1_001;
/// The code of a range with too many objects.
pub(crate) const TOO_MANY: u32 = 1_002;
/// The code of a bucket or prefix that this deployment does not read.
pub(crate) const NO_BUCKET: u32 = 1_003;
/// The code of every failure of raydex itself.
const INTERNAL: u32 = 1_101;

/// The envelope of every JSON answer.
#[derive(Serialize)]
struct Envelope<'a, T> {
    success: bool,
    errors: &'a [EnvelopeError<'a>],
    messages: [(); 0],
    result: Option<T>,
}

/// An error inside the envelope.
#[derive(Serialize)]
struct EnvelopeError<'a> {
    code: u32,
    message: &'a str,
}

/// The members before the result of a request that succeeds.
#[derive(Serialize)]
pub(crate) struct SuccessHead {
    success: bool,
    errors: [(); 0],
    messages: [(); 0],
}

/// See [`SuccessHead`].
pub(crate) const SUCCESS: SuccessHead = SuccessHead { success: true, errors: [], messages: [] };

/// Returns a 200 with this result.
///
/// # Errors
/// [`OutOfMemory`] if the body does not fit.
pub(crate) fn success_reply(memory: &MemoryBudget, result: impl Serialize) -> Result<Reply, OutOfMemory> {
    Reply::json(memory, &Envelope { success: true, errors: &[], messages: [], result: Some(result) })
}

/// Returns an error with one code and message.
pub(crate) fn error_reply(status: u16, code: u32, message: &str) -> Reply {
    let envelope =
        Envelope::<()> { success: false, errors: &[EnvelopeError { code, message }], messages: [], result: None };
    Reply::small(status, JSON, &serde_json::to_vec(&envelope).unwrap_or_default())
}

/// Returns a 400 in plain text, which is Logpull's answer to an invalid query.
pub(crate) fn bad_query_reply(what: &str) -> Reply {
    Reply::small(400, TEXT, format!("bad query: {what}\n").as_bytes())
}

/// Converts the problem to an envelope.
pub(crate) fn problem_reply(problem: &Problem) -> Reply {
    let words = problem.words();
    let (code, message) = match problem.status {
        401 | 403 => (AUTHENTICATION, "Authentication error"),
        404 => (NO_ROUTE, "Could not route to the requested object; perhaps its identifier is invalid."),
        405 => (NO_METHOD, "This method is not available for that URI."),
        429 => (THROTTLED, "Please wait and consider throttling your request speed."),
        // What Cloudflare's own API never asks for is said.
        400 | 413 if matches!(problem.code, "reason_required" | "bad_reason" | "answer_too_large") => {
            (INVALID, words.as_str())
        }
        400..500 => (INVALID, "The request is not understood."),
        _ => (INTERNAL, "An internal error occurred; please try again."),
    };
    let reply = error_reply(problem.status, code, message);
    match problem.retry_after() {
        Some(seconds) => reply.with_header("retry-after", seconds),
        None => reply,
    }
}

/// Returns the answer to a path whose argument is not a Ray ID.
pub(crate) fn not_a_ray() -> Reply {
    problem_reply(&problems::not_a_ray())
}
