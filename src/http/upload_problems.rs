//! The problems of uploads by what is in them.
//!
//! # Invariants
//! Those of [`super::problems`], which has them all.

use super::problem::Problem;
use crate::batch::BatchError;

/// The zones of the uploaded lines cannot be judged, since the body cannot be read to its end.
#[must_use]
pub fn unreadable_body() -> Problem {
    Problem::new(422, "unreadable_body", "The body is damaged, or is no gzip to its end. Nothing was stored.")
}

/// The upload has lines that do not provably belong to the zones of its token.
#[must_use]
pub fn other_zone(lines: u64, refused: u64, offsets: &[u64]) -> Problem {
    let offsets = itertools::join(offsets, ", ");
    let words =
        format!("Of {lines} lines, {refused} are not of the zones of your token; the first begin at byte {offsets}.");
    Problem::new(403, "other_zone", words)
        .with_hint("A line names its zone in ZoneName or by its host. Nothing was stored.")
}

/// The uploaded body is empty.
#[must_use]
pub fn empty_body() -> Problem {
    Problem::new(400, "empty_body", "The body is empty.").with_hint("Send NDJSON, plain or gzip-compressed.")
}

/// The uploaded body has another form than a batch.
#[must_use]
pub fn not_a_batch(why: BatchError) -> Problem {
    let words = why.to_string().replacen("the object", "The body", 1);
    Problem::new(422, why.code(), format!("{words}."))
        .with_hint("The job sends the upload again: change it first. Nothing was stored.")
}
