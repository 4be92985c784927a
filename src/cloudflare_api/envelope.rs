//! The form in which Cloudflare's API answers: `{"success":…,"errors":[…],"messages":[],"result":…}`, and the plain
//! text of a query that Logpull does not understand.
//!
//! What always holds: an error is never told in our own form, and repeats nothing that was sent.

use serde::Serialize;

use crate::http::media_type::{JSON, TEXT};
use crate::http::{Problem, Reply, problems};

/// The code of whatever is wrong with the caller.
const AUTHENTICATION: u32 = 10_000;
/// The code of asking too often.
const THROTTLED: u32 = 971;
/// The code of a path that is none.
const NO_ROUTE: u32 = 7_003;
/// The code of a method that a path does not take.
const NO_METHOD: u32 = 7_001;
/// The code of a request that is not understood.
pub(crate) const INVALID: u32 = 1_001;
/// The code of a range that holds too much.
pub(crate) const TOO_MANY: u32 = 1_002;
/// The code of a bucket or prefix that is not ours.
pub(crate) const NO_BUCKET: u32 = 1_003;
/// The code of whatever is not the caller's fault.
const INTERNAL: u32 = 1_101;

/// The envelope.
#[derive(Serialize)]
struct Envelope<'a, T> {
    success: bool,
    errors: &'a [Fault<'a>],
    messages: [(); 0],
    result: Option<T>,
}

/// One error.
#[derive(Serialize)]
struct Fault<'a> {
    code: u32,
    message: &'a str,
}

/// A success.
pub(crate) fn success(result: impl Serialize) -> Reply {
    Reply::json(&Envelope { success: true, errors: &[], messages: [], result: Some(result) })
}

/// A failure.
pub(crate) fn failure(status: u16, code: u32, message: &str) -> Reply {
    let envelope = Envelope::<()> { success: false, errors: &[Fault { code, message }], messages: [], result: None };
    Reply::new(status, JSON, serde_json::to_vec(&envelope).unwrap_or_default())
}

/// A query that Logpull does not understand.
pub(crate) fn bad_query(what: &str) -> Reply {
    Reply::new(400, TEXT, format!("bad query: {what}\n").into_bytes())
}

/// A problem as these clients know it.
pub(crate) fn reply_of(problem: &Problem) -> Reply {
    let (code, message) = match problem.status {
        401 | 403 => (AUTHENTICATION, "Authentication error"),
        404 => (NO_ROUTE, "Could not route to the requested object; perhaps its identifier is invalid."),
        405 => (NO_METHOD, "This method is not available for that URI."),
        429 => (THROTTLED, "Please wait and consider throttling your request speed."),
        400..500 => (INVALID, "The request is not understood."),
        _ => (INTERNAL, "An internal error occurred; please try again."),
    };
    let reply = failure(problem.status, code, message);
    match problem.retry_after() {
        Some(seconds) => reply.with("retry-after", seconds),
        None => reply,
    }
}

/// The ray of a path that is none.
pub(crate) fn not_a_ray() -> Reply {
    reply_of(&problems::not_a_ray())
}
