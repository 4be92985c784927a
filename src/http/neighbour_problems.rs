//! The problems of rays whose neighbours cannot be found.
//!
//! # Invariants
//! Those of [`super::problems`].

use super::problem::Problem;

/// What to do instead.
const COMPARE_OTHERS: &str = "Compare by something else: client, path or status.";

/// The record of the ray has nothing in this field that other records could have too.
#[must_use]
pub fn not_comparable(field: &'static str) -> Problem {
    Problem::new(
        422,
        "not_comparable",
        format!("The record of the ray has no {field} that others could have in common."),
    )
    .with_hint(COMPARE_OTHERS)
}

/// The caller's role sees nothing of what the record has in the field.
#[must_use]
pub fn compared_field_masked(field: &'static str) -> Problem {
    Problem::new(403, "field_masked", format!("Your role cannot see the {field} of this record."))
        .with_hint(COMPARE_OTHERS)
}
