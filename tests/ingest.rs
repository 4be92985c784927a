//! Indexing and looking up together, over the fakes: no false negative, nothing of a damaged object, and the same
//! world after any failure.

#![cfg(test)]

mod support;

#[path = "ingest/aside.rs"]
mod aside;
#[path = "ingest/failures.rs"]
mod failures;
#[path = "ingest/limits.rs"]
mod limits;
#[path = "ingest/lines.rs"]
mod lines;
#[path = "ingest/reading.rs"]
mod reading;
#[path = "ingest/samples.rs"]
mod samples;
#[path = "ingest/spans.rs"]
mod spans;
#[path = "ingest/times.rs"]
mod times;
#[path = "ingest/versions.rs"]
mod versions;

use raydex::index::Counts;
use raydex::pipeline::Outcome;

/// The key of the object that most tests are about.
const KEY: &str = "logs/http_requests/20260328/a.log.gz";

/// The counts of an object that was indexed.
fn counts(outcome: Outcome) -> Counts {
    match outcome {
        Outcome::Sealed(done) => done.counts,
        other => panic!("not sealed: {other:?}"),
    }
}
