//! What was generated, for those who use the files: each batch with its counts, and rays worth looking up.
//!
//! # Invariants
//!
//! A manifest is a function of what was written, and its JSON keeps the order of writing.

use serde::Serialize;

use super::batch::{BatchReport, SampleLine};
use super::plan::SamplePlan;
use crate::record::{Dataset, RayId};
use crate::time::rfc3339;

/// What the generator wrote, as the file `manifest.json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleManifest {
    /// The seed from which everything was generated.
    pub seed: u64,
    /// When the first batch begins, RFC 3339.
    pub start: String,
    /// When the last batch ends.
    pub end: String,
    /// The batches, in the order in which they were written.
    pub batches: Vec<BatchEntry>,
    /// Rays that are worth a first lookup.
    pub examples: ExampleRays,
}

/// One batch, by the key under which it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchEntry {
    /// Its key in the bucket, and its path below the folder.
    pub key: String,
    /// What it is a batch of.
    pub dataset: &'static str,
    /// The unit of its timestamps.
    pub unit: &'static str,
    /// Lines of NDJSON, one record each.
    pub records: u64,
    /// Distinct rays among the records.
    pub rays: u64,
    /// Size of the gzip file in bytes.
    pub bytes: u64,
    /// Size of the inflated text in bytes.
    pub inflated: u64,
}

/// Rays that show something: the first of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ExampleRays {
    /// A visitor's request with at least two subrequests.
    pub visitor_with_subrequests: Option<ExampleRay>,
    /// A record that is written in a later batch than its time says.
    pub late: Option<ExampleRay>,
    /// A request that a Worker made, with a parent ray.
    pub subrequest: Option<ExampleRay>,
    /// A subrequest that has subrequests of its own: the middle of a chain.
    pub chained: Option<ExampleRay>,
    /// A request that matched several rules of the firewall.
    pub firewall: Option<ExampleRay>,
}

/// One ray, and the batch that holds its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExampleRay {
    /// The ray's 16 hexadecimal digits.
    pub ray: String,
    /// The request that it was made for.
    pub parent: Option<String>,
    /// When it began, RFC 3339.
    pub start: String,
    /// The batch that holds its record.
    pub key: String,
}

impl SampleManifest {
    /// The manifest of `plan`, of which nothing has been written.
    #[must_use]
    pub fn new(plan: &SamplePlan) -> Self {
        let end = plan.window(plan.batches.saturating_sub(1)).end;
        let (start, end) = (rfc3339(plan.start_ms), rfc3339(end));
        Self { seed: plan.seed, start, end, batches: Vec::new(), examples: ExampleRays::default() }
    }

    /// Records a line of `http_requests` that is in the batch of `key`.
    pub fn line(&mut self, key: &str, line: &SampleLine<'_>) {
        let request = line.request;
        let examples = &mut self.examples;
        let visitor = request.parent.is_none();
        // The request in the middle of a chain: it has a parent, and is one.
        for (slot, fits) in [
            (&mut examples.visitor_with_subrequests, visitor && request.subrequests >= 2),
            (&mut examples.late, visitor && request.late),
            (&mut examples.subrequest, !visitor),
            (&mut examples.chained, !visitor && request.subrequests > 0),
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

    /// Takes down batch `number` of `dataset`.
    pub fn batch(&mut self, plan: &SamplePlan, dataset: Dataset, number: u32, written: BatchReport) {
        let BatchReport { records, rays, bytes, inflated } = written;
        let (key, unit) = (plan.key(dataset, number), plan.unit(number).name());
        self.batches.push(BatchEntry { key, dataset: dataset.name(), unit, records, rays, bytes, inflated });
    }

    /// The manifest as JSON, for people and programs.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Only maps whose keys are not strings can fail, and this value has none.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
