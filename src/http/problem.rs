//! Errors as reported to callers: `application/problem+json` (RFC 9457).
//!
//! # Invariants
//! A problem never repeats anything that the client sent, and never shows an answer of the platform.

use serde::Serialize;

use super::media_type::PROBLEM;
use super::reply::{LookupCost, Reply};
use crate::story::Verdict;

/// The default of `Retry-After`, in seconds.
const RETRY_AFTER_S: i64 = 30;

/// A problem: a stable code, one sentence of detail and, if useful, a hint.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// Always `about:blank`: `code` identifies the problem.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The reason phrase of the status, such as `Not Found`.
    title: &'static str,
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// The stable code that clients can match, in snake case.
    pub code: &'static str,
    /// A sentence for people, which may change.
    detail: String,
    /// A suggestion for the client's next step, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The requested ray, in its canonical digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    ray: Option<String>,
    /// The instant encoded in the ray, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    ray_time: Option<String>,
    /// The argument of the path that is meant, where a path has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    argument: Option<RayArgument>,
    /// The cost of the lookup that found no records.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<LookupCost>,
    /// Why there is no record of the ray.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Box<Verdict>>,
    /// The value of `Retry-After`, in seconds.
    #[serde(skip)]
    retry_after_s: Option<i64>,
    /// The value of `Allow`: the methods of the path.
    #[serde(skip)]
    allow: Option<&'static str>,
}

/// An argument of a path with two rays, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RayArgument {
    /// The first ray.
    A,
    /// The second ray.
    B,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: title(status),
            status,
            code,
            detail: detail.into(),
            hint: None,
            ray: None,
            ray_time: None,
            argument: None,
            cost: None,
            verdict: None,
            retry_after_s: None,
            allow: None,
        }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Sets the header `Allow`.
    pub(crate) fn with_allow(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// Sets the header `Retry-After`, in seconds.
    pub(crate) fn retry_after_s(self, seconds: i64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Adds the ray, and the instant encoded in it, in RFC 3339.
    pub(crate) fn with_ray(self, ray: String, ray_time: String) -> Self {
        Self { ray: Some(ray), ray_time: Some(ray_time), ..self }
    }

    /// Names the argument of the path that is meant, where a path has several.
    pub(crate) fn with_argument(self, argument: RayArgument) -> Self {
        Self { argument: Some(argument), ..self }
    }

    /// Adds why there is no record of the ray, in words too.
    pub(crate) fn with_verdict(self, verdict: Verdict) -> Self {
        let (hint, retry_after_s) = (Some(verdict.words()), verdict.retry_after_s.or(self.retry_after_s));
        Self { hint, retry_after_s, verdict: Some(Box::new(verdict)), ..self }
    }

    /// The sentence for people, with the next step where one is known.
    pub(crate) fn words(&self) -> String {
        self.hint.as_ref().map_or_else(|| self.detail.clone(), |hint| format!("{} {hint}", self.detail))
    }

    /// The sentence for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The next step, where one is known.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The value of `Retry-After`: the one set, or the default of 429 and 503.
    pub(crate) fn retry_after(&self) -> Option<String> {
        let may_help = matches!(self.status, 429 | 503);
        self.retry_after_s.or(may_help.then_some(RETRY_AFTER_S)).map(|seconds| seconds.to_string())
    }

    /// Adds the cost of the lookup.
    #[must_use]
    pub fn with_cost(self, cost: LookupCost) -> Self {
        Self { cost: Some(cost), ..self }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let reply = Self::small(problem.status, PROBLEM, &body);
        let reply = if let Some(cost) = &problem.cost { reply.with_cost(cost) } else { reply };
        let reply = match problem.retry_after() {
            Some(seconds) => reply.with_header("retry-after", seconds),
            None => reply,
        };
        match (problem.status, problem.allow) {
            (401, _) => reply.with_header("www-authenticate", "Bearer"),
            (_, Some(allow)) => reply.with_header("allow", allow),
            _ => reply,
        }
    }
}

/// Returns the reason phrase of the status, such as `Not Found`.
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        422 => "Unprocessable Content",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
