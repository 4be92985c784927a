//! Indexing and looking up together, over the fakes: no false negative, nothing of a damaged object, and the same
//! world after any failure.

use crate::support;

mod failures;
mod limits;
mod lines;
mod quarantine;
mod reading;
mod samples;
mod spans;
mod times;
mod versions;

use raydex::index::LineCounts;
use raydex::pipeline::BatchOutcome;

/// The key of the object that most tests are about.
const KEY: &str = "logs/http_requests/20260328/a.log.gz";

/// The counts of an object that was indexed.
fn counts(outcome: BatchOutcome) -> LineCounts {
    match outcome {
        BatchOutcome::Sealed(done) => done.counts,
        other => panic!("not sealed: {other:?}"),
    }
}
