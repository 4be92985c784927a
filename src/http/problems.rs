//! Every problem that raydex answers with.
//!
//! What always holds: a code stands for one thing and never changes; `schemas/openapi.json` has them all, held by a test.

use super::problem::Problem;
use crate::filter::FilterError;
use crate::ledger::DeliveryState;
use crate::limits::{INGEST_MAX, OPERATION_BODY_MAX, RAYS_ASKED, REASON_CHARS};
use crate::record::{Dataset, NotARay, RayKey};
use crate::time;

/// No route has this path.
#[must_use]
pub fn no_such_path() -> Problem {
    Problem::new(404, "no_such_path", "There is nothing at this path.").hint("Look a ray up with GET /v1/rays/{ray}.")
}

/// A route has this path, for another method.
#[must_use]
pub fn no_such_method(known: &'static str) -> Problem {
    let allow = if known == "GET" { "GET, HEAD" } else { known };
    let problem = Problem::new(405, "no_such_method", format!("This path takes {allow} only."));
    problem.allowing(allow)
}

/// The deployment lacks a setting.
#[must_use]
pub fn not_configured() -> Problem {
    Problem::new(503, "not_configured", "This deployment lacks a setting and answers nothing until it has it.")
        .hint("GET /healthz names the setting.")
}

/// No token, or not the right one.
#[must_use]
pub fn unauthorized() -> Problem {
    Problem::new(401, "unauthorized", "This needs a valid token.")
        .hint("Send the header Authorization: Bearer followed by the token.")
}

/// The caller is known, but may not do this.
#[must_use]
pub fn forbidden() -> Problem {
    Problem::new(403, "forbidden", "This token may not do that.")
        .hint("It needs another scope; GET /openapi.json says which one each route takes.")
}

/// The caller asks too often.
#[must_use]
pub fn too_many(wait_ms: i64) -> Problem {
    let problem = Problem::new(429, "too_many_requests", "This token asks more often than it may.")
        .hint("The header Retry-After says when to ask again, in seconds.");
    problem.again_in(wait_ms.div_euclid(1_000) + 1)
}

/// Other requests hold the memory.
#[must_use]
pub fn busy() -> Problem {
    let problem = Problem::new(503, "busy", "Other requests hold the memory that this answer needs.")
        .hint("Try again in a second.");
    problem.again_in(1)
}

/// The audit log did not take the entry.
#[must_use]
pub fn not_audited() -> Problem {
    Problem::new(503, "not_audited", "The audit log did not answer; nothing is served without it.")
        .hint("Try again in a while.")
}

/// The segment of the audit log that has the entries is gone.
#[must_use]
pub fn audit_gone(after: u64) -> Problem {
    Problem::new(404, "audit_gone", "These entries of the audit log lay in the bucket, which has them no more.")
        .hint(format!("The next ones that are still there stand behind after={after}."))
}

/// The segment of the audit log that has the entries is not what was written.
#[must_use]
pub fn audit_damaged(after: u64) -> Problem {
    Problem::new(502, "audit_damaged", "The object with these entries of the audit log is not what was written.").hint(
        format!("The next ones stand behind after={after}; the objects lie under raydex/audit/v1/ in the bucket."),
    )
}

/// The keys of the identity provider cannot be had.
#[must_use]
pub fn no_keys() -> Problem {
    Problem::new(503, "no_keys", "The keys of the identity provider cannot be read, so nobody is let in by it.")
        .hint("Try again in a while.")
}

/// The cursor is none, or another question's.
#[must_use]
pub fn bad_cursor() -> Problem {
    Problem::new(400, "bad_cursor", "The cursor is none that an answer to this question gave.")
        .hint("Send it with the same dataset, range, filter and sample as before, or leave it out.")
}

/// The path's argument is no ray.
#[must_use]
pub fn not_a_ray() -> Problem {
    Problem::new(400, "not_a_ray", NotARay.to_string())
        .hint("Copy it from the Cf-Ray header or from the foot of Cloudflare's error page.")
}

/// A parameter has a value that it cannot have.
#[must_use]
pub fn bad_parameter(name: &'static str, takes: &str) -> Problem {
    Problem::new(400, "bad_parameter", format!("The parameter {name} takes {takes}."))
}

/// The body of `POST /v1/rays` names no rays.
#[must_use]
pub fn no_rays() -> Problem {
    Problem::new(400, "no_rays", format!("The body does not name 1 to {RAYS_ASKED} rays."))
        .hint(r#"Send JSON: {"rays":["764660d8ec5c2ab1","…"]}."#)
}

/// The range has no length.
#[must_use]
pub fn empty_range() -> Problem {
    Problem::new(400, "empty_range", "The range has no length: start must lie before end.")
}

/// The range is longer than is answered at once.
#[must_use]
pub fn range_too_long(most_ms: i64) -> Problem {
    let hours = most_ms / 3_600_000;
    Problem::new(400, "range_too_long", format!("The range may be {hours} hours long here."))
        .hint("Ask for several shorter ones.")
}

/// The parameter `filter` is no filter.
#[must_use]
pub fn bad_filter(error: &FilterError) -> Problem {
    Problem::new(400, "bad_filter", format!("The filter cannot be read: {error}."))
        .hint(r#"It is Logpush's: {"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}."#)
}

/// The filter reads what this caller does not see.
#[must_use]
pub fn field_masked() -> Problem {
    Problem::new(403, "field_masked", "The filter reads a field that is hidden from this token's role.")
        .hint("Filter by fields that the answers show.")
}

/// The token is not for this dataset.
#[must_use]
pub fn other_dataset() -> Problem {
    Problem::new(403, "other_dataset", "This token is not for that dataset.")
        .hint("The parameter dataset names another one; without it http_requests is asked for.")
}

/// The parameter `dataset` names none that is known.
#[must_use]
pub fn bad_dataset() -> Problem {
    bad_parameter("dataset", &itertools::join(Dataset::ALL, ", "))
}

/// There is no such parameter.
#[must_use]
pub fn unknown_parameter(known: &[&str]) -> Problem {
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Problem::new(400, "unknown_parameter", "The query has a parameter that this path does not take.")
        .hint(format!("It takes: {known}."))
}

/// No indexed batch holds the ray.
#[must_use]
pub fn ray_not_found(key: &RayKey, now_ms: i64) -> Problem {
    let problem = Problem::new(404, "ray_not_found", "No batch that has been indexed holds this ray.");
    let Some(ray) = key.ray() else { return problem };
    let at = ray.unix_ms();
    let hint = match now_ms - at {
        ..0 => "The ray's time lies ahead of the clock: check its digits.",
        0..=600_000 => "The ray is less than ten minutes old; most batches arrive within five. Ask again in a while.",
        _ => "Either the request was not logged, or its batch has not been indexed or is no longer kept.",
    };
    problem.about(ray.to_string(), time::rfc3339(at)).hint(hint)
}

/// A batch that holds the ray cannot be read any more.
#[must_use]
pub fn batch_unreadable() -> Problem {
    Problem::new(502, "batch_unreadable", "A batch holds this ray, but can no longer be read.")
        .hint("Its object in the bucket is gone or damaged; the log names its key.")
}

/// A part of the platform did not answer.
#[must_use]
pub fn unavailable() -> Problem {
    Problem::new(503, "unavailable", "A part of the storage did not answer; nothing was lost.")
        .hint("Try again in a while.")
}

/// There is no such dataset.
#[must_use]
pub fn unknown_dataset() -> Problem {
    let known = Dataset::ALL.map(Dataset::name).join(", ");
    Problem::new(404, "unknown_dataset", "raydex does not know this dataset.").hint(format!("It knows: {known}."))
}

/// The body of an ingest is empty.
#[must_use]
pub fn empty_body() -> Problem {
    Problem::new(400, "empty_body", "The body is empty.").hint("Send NDJSON, gzip-compressed or plain.")
}

/// The body of an ingest is no NDJSON.
#[must_use]
pub fn not_ndjson() -> Problem {
    Problem::new(400, "not_ndjson", "The body is neither gzip nor lines of JSON objects.")
        .hint("Set output_type to ndjson in the Logpush job, without batch_prefix and record_template.")
}

/// The body of an ingest is too large.
#[must_use]
pub fn too_large() -> Problem {
    Problem::new(413, "too_large", format!("A body may have {INGEST_MAX} bytes at most."))
        .hint("Lower max_upload_bytes of the Logpush job.")
}

/// The body of an ingest ended before it was all there.
#[must_use]
pub fn body_broken() -> Problem {
    Problem::new(400, "body_broken", "The body ended before all of it was there; nothing was stored.")
        .hint("Send it again.")
}

/// The body of an operation says no reason.
#[must_use]
pub fn reason_missing() -> Problem {
    let detail = format!("This needs a reason of 1 to {REASON_CHARS} characters.");
    Problem::new(400, "reason_missing", detail).hint(r#"Send the JSON {"reason":"…"}."#)
}

/// The body of an operation is too large.
#[must_use]
pub fn operation_too_large() -> Problem {
    Problem::new(413, "too_large", format!("A body may have {OPERATION_BODY_MAX} bytes at most here."))
        .hint(r#"Send the JSON {"reason":"…"}."#)
}

/// The handle is none of a payload that is known.
#[must_use]
pub fn no_such_payload() -> Problem {
    Problem::new(404, "no_such_payload", "There is no payload of this handle.")
        .hint("GET /v1/rays/{ray}/deliveries and GET /v1/batches/{batch} name the handles.")
}

/// The payload does not wait for a person.
#[must_use]
pub fn not_parked(state: DeliveryState) -> Problem {
    Problem::new(409, "not_parked", format!("The payload is {}; this cannot be done to it now.", state.name()))
        .hint("release and drop are for a parked payload, resend for a parked or delivered one.")
}

/// The handle is none of a batch that is known.
#[must_use]
pub fn no_such_batch() -> Problem {
    Problem::new(404, "no_such_batch", "There is no batch of this handle.").hint("GET /v1/batches names the handles.")
}

/// The batch was not quarantined.
#[must_use]
pub fn not_quarantined() -> Problem {
    Problem::new(409, "not_quarantined", "Every line of this batch is accounted for; there is nothing to replay.")
        .hint("Only a batch that was quarantined, or is still open, can be replayed.")
}

/// The object of the batch is there no more, or is another version.
#[must_use]
pub fn object_gone() -> Problem {
    Problem::new(409, "object_gone", "The bucket no longer holds this version of the object.")
        .hint("Write the object again: it then comes in as a version of its own.")
}

/// The body asks for no backfill.
#[must_use]
pub fn not_a_backfill() -> Problem {
    Problem::new(400, "not_a_backfill", "The body does not say what to backfill.").hint(
        "Send JSON: start and end (RFC 3339 or Unix time, start before end), and if need be index, deliver (true or \
         false, one of them true) and lines_per_second (at least 1).",
    )
}

/// Nothing is delivered by this deployment.
#[must_use]
pub fn delivery_off() -> Problem {
    Problem::new(409, "delivery_off", "This deployment delivers to no partner.")
        .hint("Set PARTNER_ENDPOINT, PARTNER_URI and PARTNER_PRIVATE_KEY, or send deliver: false.")
}

/// There is no such backfill.
#[must_use]
pub fn no_such_backfill() -> Problem {
    Problem::new(404, "no_such_backfill", "There is no backfill of this number.")
        .hint("GET /v1/backfills names the numbers.")
}

/// There is no such dead letter.
#[must_use]
pub fn no_such_dead_letter() -> Problem {
    Problem::new(404, "no_such_dead_letter", "There is no dead letter of this number.")
        .hint("GET /v1/dead-letters names the numbers.")
}

/// The body of a dead letter is no message of ours.
#[must_use]
pub fn not_redrivable() -> Problem {
    Problem::new(422, "not_redrivable", "The letter is neither an R2 event nor a payload's message.")
        .hint("No consumer could do anything with it.")
}
