//! The problems of traces and of searches for them.
//!
//! # Invariants
//! Those of [`super::problems`].

use std::fmt::Display;

use super::problem::Problem;
use super::problems::bad_parameter;

/// The text is not the ID of a trace.
#[must_use]
pub fn not_a_trace() -> Problem {
    Problem::new(400, "not_a_trace", "This is not a trace ID.")
        .with_hint("Paste a Ray ID: 16 hexadecimal digits, or the same with 16 zeros before them.")
}

/// No indexed batch contains the trace: like [`super::problems::ray_not_found`], for an ID that says no time.
#[must_use]
pub fn trace_not_found() -> Problem {
    Problem::new(404, "ray_not_found", "No indexed batch contains a span of this trace.").with_hint(
        "Either its spans were not sent to POST /v1/traces, or their batch is not indexed yet or has expired. A Ray ID has 16 \
         digits.",
    )
}

/// A format of requests is asked for of a trace, which has spans.
#[must_use]
pub fn trace_without_format(format: &str) -> Problem {
    let takes = format!("{format} only of a Ray ID, because the format has requests and a trace ID finds spans");
    bad_parameter("format", &takes)
        .with_hint("Look the trace up with format=json, and ask for this format of the RayID that its spans have.")
}

/// The deliveries of a trace are asked for, which has spans.
#[must_use]
pub fn trace_without_deliveries() -> Problem {
    Problem::new(400, "not_a_ray", "This is a trace ID, which finds spans, and only requests are delivered.").with_hint(
        "Look the trace up with GET /v1/rays/{ray}, and ask for the deliveries of the RayID that its spans have.",
    )
}

/// Records of another dataset than `traces` are asked for of a trace ID, and none has it.
#[must_use]
pub fn trace_without_dataset() -> Problem {
    bad_parameter("dataset", "only traces of a trace ID, because it finds spans")
        .with_hint("Ask with dataset=traces, or for the other records by the RayID that the spans have.")
}

/// No request of the range has this trace in its header `traceparent`, as far as the caller sees.
#[must_use]
pub fn no_such_trace() -> Problem {
    Problem::new(
        404,
        "no_such_trace",
        "Trace not found: no span with its ID was sent here, and no request of this time range has it in the header traceparent.",
    )
    .with_hint("The header must be among those that the job logs, and your role must see it (support or forensics).")
}

/// The ID is that of another system's trace, and the request has no range in which to look for it.
#[must_use]
pub fn trace_range_required() -> Problem {
    Problem::new(
        404,
        "trace_range_required",
        "Trace not found: this is not a Ray ID, no span with it was sent here, and the request has no time range in which \
         to search headers for it.",
    )
    .with_hint("In the settings of the data source, turn on \"Use time range in query\".")
}

/// The query is one that a filter cannot say; `fault` says which part of it, by its name.
#[must_use]
pub fn bad_trace_query(fault: &impl Display) -> Problem {
    Problem::new(400, "bad_trace_query", format!("The query cannot be answered: {fault}."))
        .with_hint("Supported are comparisons joined by && and ||, such as { span.http.response.status_code >= 500 }.")
}
