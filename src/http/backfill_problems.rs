//! The problems of requests that start, stop, resume or show backfills.
//!
//! # Invariants
//! Those of [`super::problems`].

use super::problem::Problem;

/// The body does not describe a backfill.
#[must_use]
pub fn not_a_backfill() -> Problem {
    Problem::new(400, "not_a_backfill", "The body does not describe a backfill.").with_hint(
        "Send JSON: start and end (RFC 3339 or Unix time, start before end). Optional: index and deliver (true or \
         false, at least one true), lines_per_second (at least 1), again (true to deliver once more, with a reason) and filter (as in Logpush); both \
         of these need deliver. Or rebuild (true to index again what is indexed, with a reason), without deliver, again and filter.",
    )
}

/// The range of a backfill ends before it starts.
#[must_use]
pub fn start_after_end() -> Problem {
    Problem::new(400, "start_after_end", "The range ends before it starts: start is after end.")
        .with_hint("Exchange start and end, or check their units and time zones.")
}

/// The range of a backfill ends after the present.
#[must_use]
pub fn end_in_future() -> Problem {
    Problem::new(400, "end_in_future", "The range ends in the future, and a backfill reads what is already stored.")
        .with_hint(
            "Send the current time or an earlier one as end. What arrives later is processed without a backfill.",
        )
}

/// The backfill to stop is stopped.
#[must_use]
pub fn already_stopped() -> Problem {
    Problem::new(409, "already_stopped", "The backfill is already stopped.")
        .with_hint("POST /v1/backfills/{id}/resume continues it where it stopped.")
}

/// The backfill to resume is running.
#[must_use]
pub fn already_running() -> Problem {
    Problem::new(409, "already_running", "The backfill is already running.")
        .with_hint("GET /v1/backfills/{id} shows its progress.")
}

/// The backfill to stop or to resume has announced every object.
#[must_use]
pub fn already_announced() -> Problem {
    Problem::new(409, "already_announced", "The backfill has announced every object, and has nothing to stop or to resume.")
        .with_hint("It is done once its last line is delivered, parked, filtered or rejected. GET /v1/backfills/{id} shows what waits.")
}

/// The backfill to stop or to resume is done.
#[must_use]
pub fn already_done() -> Problem {
    Problem::new(409, "already_done", "The backfill is done, so it cannot be stopped or resumed.")
        .with_hint("Start another one. With again and a reason it delivers the same range once more.")
}

/// No backfill has the id.
#[must_use]
pub fn no_such_backfill() -> Problem {
    Problem::new(404, "no_such_backfill", "No backfill has this id.").with_hint("GET /v1/backfills lists the ids.")
}
