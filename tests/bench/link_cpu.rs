//! What parent links cost the pass that indexes a batch: the same lines with and without parents, alternately.
//!
//! `cargo bench --bench link_cpu` runs it. Both batches have the same bytes but for the values of `ParentRayID`, which are all
//! zeros in one of them: no parent. Each goes through the real ingest, over memory and SQLite; the fastest of all rounds
//! counts.
//!
//! It prints a figure only after both were indexed whole, one with links and the other without.

#![allow(
    clippy::allow_attributes,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench fails as a test does, takes the time, and its figures have few digits"
)]

use std::time::{Duration, Instant};

use raydex::pipeline::BatchOutcome;
use raydex::pipeline::process::BatchFigures;
use raydex::record::Dataset;
use raydex::sample::SamplePlan;
use raydex_test_support::Fakes;

const RECORDS: u32 = 40_000;
const ROUNDS: usize = 30;

#[expect(clippy::print_stdout, reason = "printing is what a bench is for")]
fn main() {
    let plan = SamplePlan { batches: 1, records: RECORDS, ..SamplePlan::default() };
    let batch = plan.batch(Dataset::HttpRequests, 0);
    let (with, without) = (&batch.ndjson, without_parents(&batch.ndjson));
    assert_eq!(with.len(), without.len());
    let (mut with_ms, mut without_ms) = (Duration::MAX, Duration::MAX);
    let mut links = 0;
    for round in 0..ROUNDS {
        // Each goes first in every other round.
        let order = if round % 2 == 0 { [true, false] } else { [false, true] };
        for is_linked in order {
            let text = if is_linked { with } else { &without };
            let (took, bytes) = index(&batch.key, text);
            assert_eq!(bytes > 0, is_linked);
            if is_linked {
                (with_ms, links) = (with_ms.min(took), bytes);
            } else {
                without_ms = without_ms.min(took);
            }
        }
    }
    let (with_ms, without_ms) = (with_ms.as_secs_f64() * 1_000.0, without_ms.as_secs_f64() * 1_000.0);
    println!("{RECORDS} lines, {links} bytes of links: {with_ms:.1} ms with parents, {without_ms:.1} ms without");
    println!("parents add {:.1} %", (with_ms / without_ms - 1.0) * 100.0);
}

/// Replaces each parent by zeros, which are none.
fn without_parents(ndjson: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(ndjson).expect("a sample batch is text");
    let mut parts = text.split("\"ParentRayID\":\"");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (parent, rest) = part.split_once('"').expect("a name ends");
        out.extend(["\"ParentRayID\":\"", &"0".repeat(parent.len()), "\"", rest]);
    }
    out.into_bytes()
}

/// Indexes a batch; returns how long that took, and the bytes of its links.
fn index(key: &str, ndjson: &[u8]) -> (Duration, u64) {
    let world = Fakes::new();
    let started = Instant::now();
    let (_, outcome) = world.index(key, Dataset::HttpRequests, ndjson);
    let took = started.elapsed();
    let BatchOutcome::Sealed(BatchFigures { counts, link_bytes, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(counts.rays, u64::from(RECORDS));
    (took, link_bytes)
}
