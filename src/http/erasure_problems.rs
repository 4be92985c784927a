//! The problems of requests that erase lines, or show erasures.
//!
//! # Invariants
//! Those of [`super::problems`].

use super::problem::Problem;
use crate::limits::{ERASED_VALUES_KEPT, ERASURE_VALUES, ERASURES_KEPT};

/// The body does not describe an erasure.
#[must_use]
pub fn not_an_erasure() -> Problem {
    Problem::new(400, "not_an_erasure", "The body does not describe an erasure.").with_hint(format!(
        r#"Send JSON: {{"by":"ray","values":["a61500b5bf9d9a2f"],"reason":"request 4711"}}. by is ray, address or field; with field, name it in field. values has 1 to {ERASURE_VALUES} of them. Optional: dataset, start and end, lines_per_second."#
    ))
}

/// A value is not what `by` says; `number` counts from 1.
#[must_use]
pub fn bad_erasure_value(number: usize) -> Problem {
    Problem::new(400, "bad_erasure_value", format!("Value {number} is not what by says.")).with_hint(
        "A ray or the ID of a trace; an IPv4 or IPv6 address; or a text, a number, true or false as a field holds it.",
    )
}

/// The range of the records is not given, and the values do not imply it.
#[must_use]
pub fn erasure_range_missing() -> Problem {
    Problem::new(400, "erasure_range_missing", "The erasure has no range.").with_hint(
        "Send start and end, both of them. They can be left out for rays of 16 digits, which name their time, if that is past.",
    )
}

/// The deployment has as many erasures, or values of them, as it can keep.
#[must_use]
pub fn too_many_erasures() -> Problem {
    let words = format!("The deployment keeps at most {ERASURES_KEPT} erasures with {ERASED_VALUES_KEPT} values.");
    Problem::new(409, "too_many_erasures", words)
        .with_hint("Nothing was erased. One erasure with several values counts once.")
}

/// The registry was lost, and erasures with it: what they hid must not be shown.
#[must_use]
pub fn erasures_lost(known: u64, made: u64) -> Problem {
    let words = format!("The deployment knows {known} of the {made} erasures that were made, and shows no records.");
    Problem::new(503, "erasures_lost", words)
        .with_hint("The registry was lost. Make as many erasures again: docs/operations.md, After a disaster.")
}

/// No erasure has the id.
#[must_use]
pub fn no_such_erasure() -> Problem {
    Problem::new(404, "no_such_erasure", "No erasure has this id.").with_hint("GET /v1/erasures lists the ids.")
}
