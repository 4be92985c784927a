//! The manifest of generated files: each batch with its counts, and rays worth looking up.
//!
//! # Invariants
//!
//! A manifest depends only on the lines that were written, and its JSON keeps their order.

use serde::Serialize;

use super::batch::{BatchReport, SampleLine};
use super::plan::SamplePlan;
use super::request::StoryPart;
use crate::record::{Dataset, RayId};
use crate::time::rfc3339;

/// The generator's output, listed in the file `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleManifest {
    /// The seed of everything that was generated.
    pub seed: u64,
    /// The start of the first batch, in RFC 3339.
    pub start: String,
    /// The end of the last batch, in RFC 3339.
    pub end: String,
    /// The batches in the order in which they were written.
    pub batches: Vec<BatchEntry>,
    /// Rays that are worth a first lookup.
    pub examples: ExampleRays,
}

/// One batch and the key under which it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchEntry {
    /// Its key in the bucket, which is also its path below the folder.
    pub key: String,
    /// The name of its dataset.
    pub dataset: &'static str,
    /// The unit of its timestamps.
    pub unit: &'static str,
    /// Number of NDJSON lines, one record each.
    pub records: u64,
    /// Number of distinct rays among the records.
    pub rays: u64,
    /// Size of the gzip file in bytes.
    pub bytes: u64,
    /// Size of the inflated text in bytes.
    pub inflated: u64,
}

/// Interesting rays: the first of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ExampleRays {
    /// A visitor's request with at least two subrequests.
    pub visitor_with_subrequests: Option<ExampleRay>,
    /// A record that is written in a later batch than its time suggests.
    pub late: Option<ExampleRay>,
    /// A request made by a Worker, with a parent ray.
    pub subrequest: Option<ExampleRay>,
    /// A subrequest that has subrequests of its own: the middle of a chain.
    pub chained: Option<ExampleRay>,
    /// A request that solved a challenge, with Workers chained four levels deep, of which the last one threw an exception.
    pub story: Option<ExampleRay>,
    /// A request that matched several rules of the firewall.
    pub firewall: Option<ExampleRay>,
}

/// A ray, and the batch that holds its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExampleRay {
    /// The ray's 16 hexadecimal digits.
    pub ray: String,
    /// The ray of the request that it was made for.
    pub parent: Option<String>,
    /// The start of the request, in RFC 3339.
    pub start: String,
    /// The batch that holds its record.
    pub key: String,
}

impl SampleManifest {
    /// Creates the manifest of `plan`, before anything is written.
    #[must_use]
    pub fn new(plan: &SamplePlan) -> Self {
        let end = plan.window(plan.batches.saturating_sub(1)).end;
        let (start, end) = (rfc3339(plan.start_ms), rfc3339(end));
        Self { seed: plan.seed, start, end, batches: Vec::new(), examples: ExampleRays::default() }
    }

    /// Records a line of `http_requests` in the batch at `key`.
    pub fn line(&mut self, key: &str, line: &SampleLine<'_>) {
        let request = line.request;
        let examples = &mut self.examples;
        let visitor = request.parent.is_none();
        // The middle of a chain is a request that has a parent, and is one.
        for (slot, fits) in [
            (&mut examples.visitor_with_subrequests, visitor && request.subrequests >= 2),
            (&mut examples.late, visitor && request.late),
            (&mut examples.subrequest, !visitor),
            (&mut examples.chained, !visitor && request.subrequests > 0),
            (&mut examples.story, matches!(request.story, Some(StoryPart::Solved(_)))),
            (&mut examples.firewall, request.matches >= 2),
        ] {
            if fits && slot.is_none() {
                *slot = Some(ExampleRay {
                    ray: request.ray.to_string(),
                    parent: request.parent.as_ref().map(RayId::to_string),
                    start: rfc3339(request.start_ns / 1_000_000),
                    key: key.to_owned(),
                });
            }
        }
    }

    /// Records batch `number` of `dataset`.
    pub fn batch(&mut self, plan: &SamplePlan, dataset: Dataset, number: u32, written: BatchReport) {
        let BatchReport { records, rays, bytes, inflated } = written;
        let (key, unit) = (plan.key(dataset, number), plan.unit(number).name());
        self.batches.push(BatchEntry { key, dataset: dataset.name(), unit, records, rays, bytes, inflated });
    }

    /// Returns the manifest as indented JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Only maps with keys other than strings can fail, and this value has none.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
