//! The problems of decisions about several payloads, and of a delivery that faulty settings stop.
//!
//! # Invariants
//! Those of [`super::problems`].

use super::problem::Problem;

/// The body does not describe a decision about several payloads.
#[must_use]
pub fn not_a_decision() -> Problem {
    Problem::new(400, "not_a_decision", "The body does not describe a decision about payloads.").with_hint(
        "Send JSON: decision (release, resend, drop or confirm), reason, and either payloads (1 to 100 handles) or a \
         filter: state (parked, or for resend also delivered or confirmed), code, older_than.",
    )
}

/// A decision by a filter has no count that was asked for first.
#[must_use]
pub fn expected_missing() -> Problem {
    Problem::new(400, "expected_missing", "A decision by a filter must say what it is expected to apply to.")
        .with_hint("Send the same body with dry_run: true, then again with the value of expected from its answer.")
}

/// The payloads that a filter selects are no longer those that were counted.
#[must_use]
pub fn payloads_changed() -> Problem {
    Problem::new(
        409,
        "payloads_changed",
        "The filter no longer selects the payloads that were counted. Nothing was done.",
    )
    .with_hint("Send the body with dry_run: true again.")
}

/// Faulty settings stop delivery.
#[must_use]
pub fn delivery_stopped() -> Problem {
    Problem::new(409, "delivery_stopped", "Faulty settings of delivery stop it; everything else works.")
        .with_hint("GET /healthz names them and the way out.")
}
