//! The problems of uploads by what is in them.
//!
//! # Invariants
//! Those of [`super::problems`], which has them all.

use super::problem::Problem;
use crate::batch::BatchError;
use crate::limits::TRACES_BODY_BYTES;

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

/// The body is in a form or a coding that this path does not read.
#[must_use]
pub fn unsupported_media_type() -> Problem {
    Problem::new(415, "unsupported_media_type", "The body is in a form that is not read here.").with_hint(
        "Send application/json or application/x-protobuf as Content-Type, and gzip or nothing as Content-Encoding.",
    )
}

/// The body is no request of an exporter of traces.
#[must_use]
pub fn not_an_export() -> Problem {
    Problem::new(400, "not_an_export", "The body is no ExportTraceServiceRequest in the form that Content-Type names.")
        .with_hint("Let the exporter of traces send it, in full. Nothing was stored.")
}

/// The body of an exporter of traces exceeds [`TRACES_BODY_BYTES`].
#[must_use]
pub fn export_too_large() -> Problem {
    let words = format!("The body must not exceed {TRACES_BODY_BYTES} bytes, compressed and inflated.");
    Problem::new(413, "too_large", words).with_hint("Lower the exporter's batch size. Nothing was stored.")
}
