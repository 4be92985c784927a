//! Errors as a caller sees them: `application/problem+json` (RFC 9457).
//!
//! What always holds: each has a stable `code`, a plain sentence and, where it helps, a `hint`; none repeats what
//! the caller sent, and none shows what the platform said.

use serde::Serialize;

use super::reply::{PROBLEM, Reply, Spent};

/// One problem.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// Always `about:blank`: the code says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The ray asked for, in its canonical digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    ray: Option<String>,
    /// The instant that the ray decodes to, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    ray_time: Option<String>,
    /// What finding that out cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Spent>,
    /// The methods that the path takes.
    #[serde(skip)]
    allow: Option<&'static str>,
}

impl Problem {
    fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: title(status),
            status,
            code,
            detail: detail.into(),
            hint: None,
            ray: None,
            ray_time: None,
            cost: None,
            allow: None,
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The problem with what finding it out cost.
    #[must_use]
    pub fn costing(self, spent: Spent) -> Self {
        Self { cost: Some(spent), ..self }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let reply = Self::new(problem.status, PROBLEM, body);
        let reply = if let Some(spent) = &problem.cost { reply.costing(spent) } else { reply };
        match (problem.status, problem.allow) {
            (401, _) => reply.with("www-authenticate", "Bearer"),
            (503, _) => reply.with("retry-after", "30"),
            (_, Some(allow)) => reply.with("allow", allow),
            _ => reply,
        }
    }
}

/// The status in words.
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

/// Every problem that raydex answers with.
pub mod problems {
    use super::Problem;
    use crate::ledger::State;
    use crate::limits::{INGEST_MAX, OPERATION_BODY_MAX, REASON_CHARS};
    use crate::record::{Dataset, NotARay, RayKey};
    use crate::time;

    /// No route has this path.
    #[must_use]
    pub fn no_such_path() -> Problem {
        Problem::new(404, "no_such_path", "There is nothing at this path.")
            .hint("Look a ray up with GET /v1/rays/{ray}.")
    }

    /// A route has this path, for another method.
    #[must_use]
    pub fn no_such_method(known: &'static str) -> Problem {
        let allow = if known == "GET" { "GET, HEAD" } else { known };
        let problem = Problem::new(405, "no_such_method", format!("This path takes {allow} only."));
        Problem { allow: Some(allow), ..problem }
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
            0..=600_000 => {
                "The ray is less than ten minutes old; most batches arrive within five. Ask again in a while."
            }
            _ => "Either the request was not logged, or its batch has not been indexed or is no longer kept.",
        };
        Problem { ray: Some(ray.to_string()), ray_time: Some(time::rfc3339(at)), ..problem }.hint(hint)
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
    pub fn not_parked(state: State) -> Problem {
        Problem::new(409, "not_parked", format!("The payload is {}; this cannot be done to it now.", state.name()))
            .hint("release and drop are for a parked payload, resend for a parked or delivered one.")
    }

    /// The handle is none of a batch that is known.
    #[must_use]
    pub fn no_such_batch() -> Problem {
        Problem::new(404, "no_such_batch", "There is no batch of this handle.")
            .hint("GET /v1/batches names the handles.")
    }

    /// The batch was not set aside.
    #[must_use]
    pub fn not_set_aside() -> Problem {
        Problem::new(409, "not_set_aside", "Every line of this batch is accounted for; there is nothing to replay.")
            .hint("Only a batch that was set aside, or is still open, can be replayed.")
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
    pub fn no_such_letter() -> Problem {
        Problem::new(404, "no_such_letter", "There is no dead letter of this number.")
            .hint("GET /v1/dead-letters names the numbers.")
    }

    /// The body of a dead letter is no message of ours.
    #[must_use]
    pub fn not_redrivable() -> Problem {
        Problem::new(422, "not_redrivable", "The letter is neither an R2 event nor a payload's message.")
            .hint("No consumer could do anything with it.")
    }
}
