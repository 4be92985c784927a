//! The problems of what assistants ask.
//!
//! # Invariants
//! Those of [`super::problems`].

use super::problem::Problem;

/// A tool lacks an argument that it cannot do without.
#[must_use]
pub fn missing_argument(name: &'static str, takes: &str) -> Problem {
    Problem::new(400, "bad_argument", format!("The argument {name} is missing."))
        .with_hint(format!("The tool takes {takes}."))
}

/// An argument of a tool is of another type.
#[must_use]
pub fn bad_argument(name: &'static str, takes: &str) -> Problem {
    Problem::new(400, "bad_argument", format!("The argument {name} takes {takes}."))
}

/// A tool has no argument of a name.
#[must_use]
pub fn unknown_argument(takes: &str) -> Problem {
    Problem::new(400, "bad_argument", "The tool has no argument of one of these names.")
        .with_hint(format!("It takes {takes}."))
}
