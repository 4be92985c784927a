//! What the index takes: bytes a ray, bytes a child for its link to its parent, and rows written per batch, beside a plain
//! JSON array of the same rays.
//!
//! `cargo bench --bench index_size` runs it, for shapes of batches that `scripts/bench` does not have. Batches are made
//! by the sample generator and go through the real ingest, over memory and SQLite; sizes are the same on every machine,
//! so no time is taken.
//!
//! It prints a figure only after it found rays from all over the batch again, with their lines.

#![allow(
    clippy::allow_attributes,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench fails as a test does, and its figures have few digits"
)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use raydex::batch::{BatchLine, BatchReader};
use raydex::pipeline::BatchOutcome;
use raydex::pipeline::process::BatchFigures;
use raydex::record::{Dataset, RayId, RayKey, read_key};
use raydex::sample::SamplePlan;
use raydex_test_support::Fakes;

/// Rays of each batch that are looked up again.
const CHECKED: usize = 20;

/// A batch to measure.
struct Shape {
    words: &'static str,
    records: u32,
    window_ms: i64,
}

const SHAPES: [Shape; 5] = [
    Shape { words: "1,000 records of 30 s", records: 1_000, window_ms: 30_000 },
    Shape { words: "18,000 records of 30 s (600 a second)", records: 18_000, window_ms: 30_000 },
    Shape { words: "100,000 records of 30 s", records: 100_000, window_ms: 30_000 },
    Shape { words: "100,000 records of 300 s", records: 100_000, window_ms: 300_000 },
    Shape { words: "1,000,000 records of 300 s", records: 1_000_000, window_ms: 300_000 },
];

/// What one batch takes.
struct Figures {
    rays: u64,
    children: u64,
    parents: usize,
    json: u64,
    packed: u64,
    links: u64,
    shards: usize,
    rows: u64,
    stored: u64,
}

#[expect(clippy::print_stdout, reason = "printing is what a bench is for")]
fn main() {
    println!(
        "{:<40} {:>9} {:>12} {:>12} {:>7} {:>7} {:>7} {:>11} {:>16} {:>12}",
        "batch",
        "rays",
        "JSON B/ray",
        "ours B/ray",
        "ratio",
        "shards",
        "rows",
        "of its gzip",
        "children/parent",
        "link B/child"
    );
    for shape in &SHAPES {
        let Figures { rays, children, parents, json, packed, links, shards, rows, stored } = measure(shape);
        let per_ray = |bytes: u64| bytes as f64 / rays as f64;
        println!(
            "{:<40} {rays:>9} {:>12.2} {:>12.2} {:>7.1} {shards:>7} {rows:>7} {:>10.1}% {:>16.2} {:>12.2}",
            shape.words,
            per_ray(json),
            per_ray(packed),
            json as f64 / packed as f64,
            packed as f64 * 100.0 / stored as f64,
            children as f64 / parents as f64,
            links as f64 / children as f64,
        );
    }
}

/// Indexes one batch and looks rays of it up again.
fn measure(shape: &Shape) -> Figures {
    let plan = SamplePlan { batches: 1, records: shape.records, window_ms: shape.window_ms, ..SamplePlan::default() };
    let mut gzip = Vec::new();
    let key = plan.key(Dataset::HttpRequests, 0);
    plan.write_batch(Dataset::HttpRequests, 0, &mut gzip, |_| ()).expect("memory takes all bytes");
    let Rays { json, checked, parents } = rays_of(&gzip, shape.records as usize / CHECKED);
    let world = Fakes::new();
    let (_, outcome) = world.index(&key, Dataset::HttpRequests, &gzip);
    let BatchOutcome::Sealed(BatchFigures { counts, shards, index_bytes, link_bytes, rows_written, .. }) = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!(counts.rays, u64::from(shape.records));
    for (ray, line) in checked {
        let found = world.find(Dataset::HttpRequests, &ray.to_string()).records;
        assert!(found.iter().any(|record| record.line == line), "{ray} is not found");
    }
    Figures {
        rays: counts.rays,
        children: parents.values().sum(),
        parents: parents.len(),
        json,
        packed: index_bytes,
        links: link_bytes,
        shards,
        rows: rows_written,
        stored: gzip.len() as u64,
    }
}

/// What a batch holds, read without the index.
struct Rays {
    /// The size of a JSON array of its rays.
    json: u64,
    /// Some of its rays, each with its line.
    checked: Vec<(RayKey, Vec<u8>)>,
    /// The number of each parent's children.
    parents: BTreeMap<RayId, u64>,
}

/// Reads the rays of a batch; every `step`-th one is kept with its line.
fn rays_of(gzip: &[u8], step: usize) -> Rays {
    let (mut json, mut count, mut checked, mut parents) = (1, 0, Vec::new(), BTreeMap::new());
    let mut sink = |line: BatchLine<'_>| {
        let BatchLine::Text { bytes, .. } = line else { panic!("a sample line is short") };
        let key = read_key(Dataset::HttpRequests, bytes).expect("a sample line is a record");
        if let Some(parent) = key.parent {
            *parents.entry(parent).or_default() += 1;
        }
        let ray = key.ray.expect("a sample line has a ray");
        // Two quotes and a comma, or the bracket at the end.
        json += ray.to_string().len() as u64 + 3;
        if count % step == 0 {
            checked.push((ray, bytes.to_vec()));
        }
        count += 1;
        ControlFlow::Continue(())
    };
    let mut reader = BatchReader::default();
    assert_eq!(reader.push(gzip, &mut sink), Ok(ControlFlow::Continue(())));
    assert!(reader.finish(&mut sink).is_ok());
    Rays { json, checked, parents }
}
