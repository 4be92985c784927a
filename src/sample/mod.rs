//! A generator of realistic Logpush batches: for the sample data, the tests and the benches.
//!
//! A [`SamplePlan`] describes the traffic to invent; its [`requests`](SamplePlan::requests) are the skeletons (ray,
//! parent, times) that all three datasets share; an exchange adds the edge's view; a writer per dataset formats the
//! lines; and [`SamplePlan::write_batch`] gzips them on the way to their destination.
//!
//! # Invariants
//!
//! Everything depends only on the plan (no clock, no environment, no global state), so the same plan gives the same
//! bytes. Memory does not grow with the number of records or batches, unless a complete [`SampleBatch`] is requested.

mod batch;
mod exchange;
mod family;
mod firewall;
mod http;
mod json;
mod manifest;
mod plan;
mod request;
mod sequence;
mod story;
mod trace;
mod world;

pub use batch::{BatchReport, LinePosition, SampleBatch, SampleLine};
pub use manifest::{BatchEntry, ExampleRay, ExampleRays, SampleManifest};
pub use plan::{FieldSet, PlanError, PlanUnits, SamplePlan, TimestampUnit};
pub use request::{SampleRequest, StoryPart};
pub use sequence::SampleRequests;

use crate::record::Dataset;

/// The datasets that can be generated.
pub const DATASETS: [Dataset; 3] = [Dataset::HttpRequests, Dataset::FirewallEvents, Dataset::WorkersTraceEvents];

/// Returns the names of the fields in a record of `dataset`, in the order in which they are written.
#[must_use]
pub fn field_names(dataset: Dataset, fields: FieldSet) -> Vec<&'static str> {
    match dataset {
        Dataset::HttpRequests => http::names(fields).collect(),
        Dataset::FirewallEvents => firewall::NAMES.to_vec(),
        Dataset::WorkersTraceEvents => trace::NAMES.to_vec(),
        _ => Vec::new(),
    }
}
