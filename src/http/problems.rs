//! Every problem that raydex answers with.
//!
//! # Invariants
//! A code has one meaning and never changes. `schemas/openapi.json` lists every code.

use super::instant::InstantFault;
use super::problem::Problem;
pub use super::upload_problems::{
    empty_body, export_too_large, not_a_batch, not_an_export, other_zone, unreadable_body, unsupported_media_type,
};
use crate::bucket_keys::IgnoreReason;
use crate::filter::FilterError;
use crate::ledger::DeliveryState;
use crate::limits::{COUNT_STEPS, INGEST_MAX, OPERATION_BODY_MAX, RAYS_ASKED, REASON_CHARS};
use crate::memory::OutOfMemory;
use crate::record::{Dataset, NotARay, RayKey};
use crate::time;

pub use super::backfill_problems::{
    already_announced, already_done, already_running, already_stopped, end_in_future, no_such_backfill, not_a_backfill,
    start_after_end,
};
pub use super::budget_problems::{budget_spent, exceeds_own_budget};
pub use super::delivery_problems::{delivery_stopped, expected_missing, not_a_decision, payloads_changed};
pub use super::erasure_problems::{
    bad_erasure_value, erasure_range_missing, erasures_lost, no_such_erasure, not_an_erasure, too_many_erasures,
};
pub use super::mcp_problems::{bad_argument, missing_argument, unknown_argument};
pub use super::neighbour_problems::{compared_field_masked, not_comparable};
pub use super::token_problems::{
    cross_site, cross_site_read, exceeds_own_rights, no_such_token, no_tokens, not_a_token, token_exists,
    token_of_settings, too_many_tokens,
};
pub use super::trace_problems::{
    bad_trace_query, no_such_trace, not_a_trace, trace_not_found, trace_range_required, trace_without_dataset,
    trace_without_deliveries, trace_without_format,
};

impl From<OutOfMemory> for Problem {
    fn from(error: OutOfMemory) -> Self {
        match error {
            OutOfMemory::Busy => busy(),
            OutOfMemory::TooLarge => answer_too_large(),
        }
    }
}

/// No route matches the path.
#[must_use]
pub fn no_such_path() -> Problem {
    Problem::new(404, "no_such_path", "No route has this path.")
        .with_hint("Look up a ray with GET /v1/rays/{ray}. GET /openapi.json lists all routes.")
}

/// The path exists, but not for this method.
#[must_use]
pub fn no_such_method(known: &'static str) -> Problem {
    let allow = if known == "GET" { "GET, HEAD" } else { known };
    let detail = format!("This path accepts only {}.", allow.replace(", ", " and "));
    Problem::new(405, "no_such_method", detail).with_allow(allow)
}

/// A setting is missing or invalid.
#[must_use]
pub fn not_configured() -> Problem {
    Problem::new(503, "not_configured", "This deployment serves no requests because a setting is missing or invalid.")
        .with_hint("GET /healthz names it.")
}

/// The request has no valid token or assertion.
#[must_use]
pub fn unauthorized() -> Problem {
    Problem::new(401, "unauthorized", "The request has no valid token.")
        .with_hint("Send the header Authorization: Bearer followed by your token.")
}

/// The caller is authenticated, but lacks the scope.
#[must_use]
pub fn forbidden() -> Problem {
    Problem::new(403, "forbidden", "Your token does not allow this request.")
        .with_hint("Use a token with the right scope; GET /openapi.json lists the scopes of each route.")
}

/// The caller exceeded `API_RATE_PER_MINUTE`.
#[must_use]
pub fn too_many(wait_ms: i64) -> Problem {
    let problem = Problem::new(429, "too_many_requests", "Your token exceeded its request rate.");
    let hint = "Retry after the number of seconds in the header Retry-After.";
    problem.with_hint(hint).retry_after_s(wait_ms.div_euclid(1_000) + 1)
}

/// The memory did not become available in time.
#[must_use]
pub fn busy() -> Problem {
    let detail = "Other requests hold the memory that this answer needs.";
    Problem::new(503, "busy", detail).with_hint("Retry in one second.").retry_after_s(1)
}

/// The answer alone takes more memory than a caller may hold.
#[must_use]
pub fn answer_too_large() -> Problem {
    Problem::new(413, "answer_too_large", "This answer alone takes more memory than one caller may hold.")
        .with_hint("Ask for fewer fields, a single dataset, a lower limit or a shorter range.")
}

/// The caller's other searches did not end in time.
#[must_use]
pub fn too_many_scans() -> Problem {
    let problem = Problem::new(503, "too_many_scans", "Your other searches still run, as many as your token may have.");
    problem.with_hint("Retry when one of them has ended, or use a token with more scans.").retry_after_s(5)
}

/// The audit log did not record the request.
#[must_use]
pub fn not_audited() -> Problem {
    Problem::new(503, "not_audited", "The audit log did not respond, and raydex serves nothing that it cannot record.")
        .with_hint("Retry later.")
}

/// The segment with the audit log entries was deleted.
#[must_use]
pub fn audit_gone(after: impl std::fmt::Display) -> Problem {
    Problem::new(404, "audit_gone", "The bucket no longer holds the segment with these audit log entries.")
        .with_hint(format!("Continue with after={after}, which skips the missing entries."))
}

/// The segment with the audit log entries fails its hash chain.
#[must_use]
pub fn audit_damaged(after: impl std::fmt::Display) -> Problem {
    Problem::new(502, "audit_damaged", "The segment with these audit log entries differs from what raydex wrote.")
        .with_hint(format!("Continue with after={after}; the segments are under raydex/audit/v1/ in the bucket."))
}

/// The JWKS document of Cloudflare Access is unavailable.
#[must_use]
pub fn no_keys() -> Problem {
    Problem::new(
        503,
        "no_keys",
        "The keys of the identity provider are unavailable, so its assertions cannot be verified.",
    )
    .with_hint("Retry later.")
}

/// The cursor is malformed, or belongs to another query or caller.
#[must_use]
pub fn bad_cursor() -> Problem {
    Problem::new(400, "bad_cursor", "The cursor is malformed, or belongs to another query or token.")
        .with_hint("Send it with the same parameters and token as the query that returned it, or omit it.")
}

/// The argument of the path is not a Ray ID.
#[must_use]
pub fn not_a_ray() -> Problem {
    Problem::new(400, "not_a_ray", NotARay.to_string())
        .with_hint("Copy the Ray ID from the Cf-Ray header or from the bottom of a Cloudflare error page.")
}

/// A query parameter has an invalid value.
#[must_use]
pub fn bad_parameter(name: &'static str, takes: &str) -> Problem {
    Problem::new(400, "bad_parameter", format!("The parameter {name} accepts {takes}."))
}

/// A required query parameter is not given.
#[must_use]
pub fn missing_parameter(name: &'static str, takes: &str) -> Problem {
    Problem::new(400, "missing_parameter", format!("The parameter {name} is missing."))
        .with_hint(format!("It accepts {takes}."))
}

/// A query parameter is given more than once.
#[must_use]
pub fn repeated_parameter(name: &'static str) -> Problem {
    Problem::new(400, "repeated_parameter", format!("The query gives the parameter {name} more than once."))
        .with_hint("Give each parameter once; a list has its elements in one value, separated by commas.")
}

/// The query has an `&` at its beginning, at its end, or after another one.
#[must_use]
pub fn empty_parameter() -> Problem {
    Problem::new(400, "empty_parameter", "The query has a parameter without a name.")
        .with_hint("Write one & between two parameters, and none before or after them.")
}

/// The header `raydex-reason` has a value that cannot be kept.
#[must_use]
pub fn bad_reason() -> Problem {
    let detail = format!(
        "The header raydex-reason accepts 1 to {REASON_CHARS} characters that can be read: UTF-8, without control characters."
    );
    Problem::new(400, "bad_reason", detail)
}

/// The caller's role must say why it asks for log lines.
#[must_use]
pub fn reason_required() -> Problem {
    Problem::new(400, "reason_required", "Your role must give a reason for each request that shows log lines.")
        .with_hint("Send the header raydex-reason with a ticket or a sentence. The audit log keeps it.")
}

/// A query parameter or a member of a body is not an instant that logs can have.
#[must_use]
pub fn bad_time(name: &'static str, fault: InstantFault) -> Problem {
    let problem = Problem::new(400, "bad_time", format!("The time {name} {fault}."));
    match fault {
        InstantFault::Unclear => problem.with_hint("Send RFC 3339, or 0 for the beginning of all logs."),
        InstantFault::TooLate => problem.with_hint("Omit end for a range up to now."),
        InstantFault::Unreadable | InstantFault::BeforeEpoch => problem,
    }
}

/// The time range begins after the present.
#[must_use]
pub fn range_in_future() -> Problem {
    Problem::new(400, "range_in_future", "The range begins in the future: start is after the current time.")
        .with_hint("Check the unit and the time zone of start.")
}

/// The body of `POST /v1/rays` is no list of rays, or an empty one.
#[must_use]
pub fn no_rays() -> Problem {
    Problem::new(400, "no_rays", format!("The body must list 1 to {RAYS_ASKED} rays.")).with_hint(RAYS_EXAMPLE)
}

/// An element of the list of rays is no string.
#[must_use]
pub fn bad_ray_list(index: usize) -> Problem {
    Problem::new(400, "bad_ray_list", format!("The element rays[{index}] of the body is not a string."))
        .with_hint(RAYS_EXAMPLE)
}

/// The body of `POST /v1/rays` lists more than [`RAYS_ASKED`] rays.
#[must_use]
pub fn too_many_rays() -> Problem {
    Problem::new(400, "too_many_rays", format!("The body lists more than {RAYS_ASKED} rays."))
        .with_hint("Send several requests.")
}

/// The body has a member that the route does not read.
#[must_use]
pub fn unknown_member(known: &[&str]) -> Problem {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Problem::new(400, "unknown_member", "The body has a member that this path does not accept.")
        .with_hint(format!("It accepts: {known}."))
}

/// The body has a member more than once.
#[must_use]
pub fn repeated_member(known: &'static str) -> Problem {
    Problem::new(400, "repeated_member", format!("The body has the member {known} more than once."))
}

/// What the body of `POST /v1/rays` looks like.
const RAYS_EXAMPLE: &str = r#"Send JSON: {"rays":["764660d8ec5c2ab1","…"]}."#;

/// The time range is empty.
#[must_use]
pub fn empty_range() -> Problem {
    Problem::new(400, "empty_range", "The range is empty: start must be before end.")
}

/// The time range is longer than the route answers.
#[must_use]
pub fn range_too_long(most_ms: i64) -> Problem {
    let hours = most_ms / 3_600_000;
    Problem::new(400, "range_too_long", format!("The range must not exceed {hours} hours."))
        .with_hint("Request several shorter ranges.")
}

/// The range has more steps than counts have.
#[must_use]
pub fn too_many_steps(least_s: Option<i64>) -> Problem {
    let hint = least_s.map_or_else(
        || "Request a shorter range, or omit step.".to_owned(),
        |least_s| format!("Request a shorter range, or a step of at least {least_s}s."),
    );
    Problem::new(400, "too_many_steps", format!("The range must not have more than {COUNT_STEPS} steps."))
        .with_hint(hint)
}

/// The parameter `filter` does not parse.
#[must_use]
pub fn bad_filter(error: &FilterError) -> Problem {
    Problem::new(400, "bad_filter", format!("The filter is invalid: {error}."))
        .with_hint(r#"Write it as in Logpush: {"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}."#)
}

/// The request filters or counts by a field hidden from the role, as are all that no list has; `nearest` is the listed name that such a
/// one resembles.
#[must_use]
pub fn field_masked(nearest: Option<&'static str>) -> Problem {
    let hint = nearest.map_or_else(
        || "Name a field of which your role sees values; one that is masked as a whole cannot be asked for.".to_owned(),
        |name| format!("No list has a field of this name. Did you mean {name}?"),
    );
    Problem::new(403, "field_masked", "The request reads a field that your role cannot see.").with_hint(hint)
}

/// The grant does not cover the dataset.
#[must_use]
pub fn other_dataset() -> Problem {
    Problem::new(403, "other_dataset", "Your token does not cover this dataset.")
        .with_hint("Name a dataset that your token covers.")
}

/// The parameter `dataset` names an unknown dataset; these are known.
#[must_use]
pub fn bad_dataset(taken: &[Dataset]) -> Problem {
    bad_parameter("dataset", &itertools::join(taken, ", "))
}

/// The records of the dataset cannot be looked up.
#[must_use]
pub fn dataset_without_ray() -> Problem {
    Problem::new(400, "dataset_without_ray", "The records of this dataset have no Ray ID.")
        .with_hint("Search it by time, with GET /v1/logs and the parameter dataset.")
}

/// The route does not accept the query parameter.
#[must_use]
pub fn unknown_parameter(known: &[&str]) -> Problem {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Problem::new(400, "unknown_parameter", "The query has a parameter that this path does not accept.")
        .with_hint(format!("It accepts: {known}."))
}

/// No indexed batch contains the ray.
#[must_use]
pub fn ray_not_found(key: &RayKey, now_ms: i64) -> Problem {
    let problem = Problem::new(404, "ray_not_found", "No indexed batch contains this ray.");
    let Some(ray) = key.ray() else { return problem };
    let at = ray.unix_ms();
    let hint = match now_ms - at {
        ..0 => "The time of the ray is in the future: check its digits.",
        0..=600_000 => "The ray is less than ten minutes old, and most batches arrive within five. Retry shortly.",
        _ => "Either the request was not logged, or its batch is not indexed yet or has expired.",
    };
    problem.with_ray(ray.to_string(), time::rfc3339(at)).with_hint(hint)
}

/// A batch with the ray is missing or damaged.
#[must_use]
pub fn batch_unreadable() -> Problem {
    Problem::new(502, "batch_unreadable", "A batch that contains this ray can no longer be read.")
        .with_hint("Its object in the bucket is missing or damaged; the log names its key.")
}

/// A service of the platform failed or did not respond.
#[must_use]
pub fn unavailable() -> Problem {
    Problem::new(503, "unavailable", "A storage service did not respond. No data was lost.").with_hint("Retry later.")
}

/// The path names an unknown dataset.
#[must_use]
pub fn unknown_dataset() -> Problem {
    let known = Dataset::ALL.map(Dataset::name).join(", ");
    Problem::new(404, "unknown_dataset", "raydex does not support this dataset.")
        .with_hint(format!("It supports: {known}."))
}

/// The uploaded records are of another dataset than the path says.
#[must_use]
pub fn records_of_other_dataset(named: Dataset, found: Dataset) -> Problem {
    Problem::new(422, "records_of_other_dataset", format!("The records are of {found}, not of {named}."))
        .with_hint(format!("Let the Logpush job send them to /v1/ingest/{found}."))
}

/// The uploaded body exceeds [`INGEST_MAX`].
#[must_use]
pub fn too_large() -> Problem {
    Problem::new(413, "too_large", format!("The body must not exceed {INGEST_MAX} bytes."))
        .with_hint("Lower max_upload_bytes in the Logpush job.")
}

/// The uploaded body ended early.
#[must_use]
pub fn body_broken() -> Problem {
    Problem::new(400, "body_broken", "The body ended early, so nothing was stored.").with_hint("Send it again.")
}

/// The sender of a body was silent for too long, or took too long in all.
#[must_use]
pub fn body_timeout() -> Problem {
    Problem::new(408, "body_timeout", "The body did not arrive in time, so nothing was stored.")
        .with_hint("Send it again.")
}

/// The body of an operation gives no reason.
#[must_use]
pub fn reason_missing() -> Problem {
    let detail = format!("The body must give a reason of 1 to {REASON_CHARS} characters.");
    Problem::new(400, "reason_missing", detail).with_hint(r#"Send JSON: {"reason":"…"}."#)
}

/// The body of an operation exceeds [`OPERATION_BODY_MAX`].
#[must_use]
pub fn operation_too_large() -> Problem {
    Problem::new(413, "too_large", format!("The body must not exceed {OPERATION_BODY_MAX} bytes on this path."))
}

/// No known payload has the handle.
#[must_use]
pub fn no_such_payload() -> Problem {
    Problem::new(404, "no_such_payload", "No payload has this handle.")
        .with_hint("GET /v1/rays/{ray}/deliveries and GET /v1/batches/{batch} list the handles.")
}

/// The state of the payload rules the decision out.
#[must_use]
pub fn not_parked(state: DeliveryState) -> Problem {
    Problem::new(
        409,
        "not_parked",
        format!("The payload is {}, and this operation does not apply to that state.", state.name()),
    )
    .with_hint("You can release, drop or confirm a parked payload, and resend a parked, delivered or confirmed one.")
}

/// The payload's body has erased lines, so it cannot be sent again.
#[must_use]
pub fn body_erased(state: DeliveryState) -> Problem {
    let detail = format!("The payload is {}, and its body was erased: it cannot be sent again.", state.name());
    Problem::new(409, "not_parked", detail).with_hint("You can drop or confirm a parked payload.")
}

/// No known batch has the handle.
#[must_use]
pub fn no_such_batch() -> Problem {
    Problem::new(404, "no_such_batch", "No batch has this handle.").with_hint("GET /v1/batches lists the handles.")
}

/// The body of an announcement names no key.
#[must_use]
pub fn key_missing() -> Problem {
    Problem::new(400, "key_missing", "The body must name the key of an object.").with_hint(r#"Send JSON: {"key":"…"}."#)
}

/// The object of an announcement cannot be a batch, by its key.
#[must_use]
pub fn not_a_batch_key(why: IgnoreReason) -> Problem {
    match why {
        IgnoreReason::OtherPrefix => Problem::new(422, "other_prefix", "The key is outside the prefix of batches.")
            .with_hint("The setting LOG_PREFIX has the prefix. The folder of raydex's own objects has no batches."),
        IgnoreReason::LogpushCheck => {
            Problem::new(422, "logpush_check", "The key is that of an object with which Logpush tests a destination.")
                .with_hint("The name of a batch does not end with .txt or .txt.gz.")
        }
        IgnoreReason::Folder => {
            Problem::new(422, "folder", "The key is that of a folder.").with_hint("Announce each object in it.")
        }
        IgnoreReason::NotALog | IgnoreReason::UnknownDataset => {
            Problem::new(422, "not_a_log", "The name of the object is that of a file that is not a log.")
                .with_hint("Copy the object to a name such as 20260328T084200Z_20260328T084225Z_x.log.gz.")
        }
    }
}

/// The log bucket has no object with the key.
#[must_use]
pub fn no_such_object() -> Problem {
    Problem::new(404, "no_such_object", "The log bucket has no object with this key.")
        .with_hint("Keys are compared byte by byte. Upload the object first, then announce it.")
}

/// Every line of the sealed batch is a record, so a replay would change nothing.
#[must_use]
pub fn nothing_to_replay() -> Problem {
    Problem::new(409, "nothing_to_replay", "Every line of this batch is a record, so there is nothing to replay.")
        .with_hint("You can replay a quarantined or an open batch, and a sealed one with rejected lines.")
}

/// The object of the batch was deleted or replaced.
#[must_use]
pub fn object_gone() -> Problem {
    Problem::new(409, "object_gone", "The bucket no longer holds this version of the object.")
        .with_hint("Upload the object again; raydex then processes it as a new batch.")
}

/// The deployment has no partner configured.
#[must_use]
pub fn delivery_off() -> Problem {
    Problem::new(409, "delivery_off", "This deployment does not deliver to a partner.")
        .with_hint("Set PARTNER_ENDPOINT, PARTNER_URI and PARTNER_PRIVATE_KEY, or send deliver: false.")
}

/// No dead letter has the id.
#[must_use]
pub fn no_such_dead_letter() -> Problem {
    Problem::new(404, "no_such_dead_letter", "No dead letter has this id.")
        .with_hint("GET /v1/dead-letters lists the ids.")
}

/// The dead letter holds neither kind of message.
#[must_use]
pub fn not_redrivable() -> Problem {
    Problem::new(422, "not_redrivable", "The dead letter is neither an R2 event nor a payload message.")
        .with_hint("No consumer can process it.")
}
