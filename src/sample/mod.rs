//! A generator of Logpush batches that look like real ones: for the sample data, the tests and the benches.
//!
//! A [`SamplePlan`] says what traffic to invent; its [`requests`](SamplePlan::requests) are the skeletons (ray, parent,
//! times) that all three datasets share; an exchange fills in what the edge saw; a writer per dataset spells
//! the line; and [`SamplePlan::write_batch`] gzips the lines on the way to wherever they go.
//!
//! # Invariants
//!
//! Everything is a function of the plan (no clock, no environment, no global state), so the same plan gives the same
//! bytes. Memory does not grow with the number of records or batches, except where a whole [`SampleBatch`] is asked
//! for.

mod batch;
mod exchange;
mod firewall;
mod http;
mod json;
mod manifest;
mod plan;
mod request;
mod trace;
mod world;

pub use batch::{BatchReport, LinePosition, SampleBatch, SampleLine};
pub use manifest::{BatchEntry, ExampleRay, ExampleRays, SampleManifest};
pub use plan::{FieldSet, PlanError, PlanUnits, SamplePlan, TimestampUnit};
pub use request::{SampleRequest, SampleRequests};

use crate::record::Dataset;

/// The datasets that are generated.
pub const DATASETS: [Dataset; 3] = [Dataset::HttpRequests, Dataset::FirewallEvents, Dataset::WorkersTraceEvents];

/// The names of the fields that a record of `dataset` has, in the order in which they are written.
#[must_use]
pub fn field_names(dataset: Dataset, fields: FieldSet) -> Vec<&'static str> {
    match dataset {
        Dataset::HttpRequests => http::names(fields).collect(),
        Dataset::FirewallEvents => firewall::NAMES.to_vec(),
        Dataset::WorkersTraceEvents => trace::NAMES.to_vec(),
        _ => Vec::new(),
    }
}
