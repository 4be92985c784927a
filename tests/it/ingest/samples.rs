//! Generated batches: every ray is found, with its lines byte for byte, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use raydex::batch::BatchReader;
use raydex::index::ShardName;
use raydex::index::calls::FindRay;
use raydex::pipeline::BatchOutcome;
use raydex::pipeline::process::BatchFigures;
use raydex::record::{Dataset, RayId, RayKey};
use raydex::rpc;
use raydex::sample::{PlanUnits, SamplePlan};

use super::support::{Fakes, run};

/// 20,000 records with everything in them that real ones have.
fn plan(batches: u32) -> SamplePlan {
    SamplePlan {
        batches,
        window_ms: i64::from(batches.max(120)) * 1000,
        units: PlanUnits::Mixed,
        subrequests: 200,
        late: 50,
        duplicates: 30,
        members: 3,
        level: 1,
        ..SamplePlan::default()
    }
}

/// A world that holds the plan's batches of a dataset, and the lines of each ray in the order of the batches.
fn indexed(plan: &SamplePlan, dataset: Dataset) -> (Fakes, BTreeMap<RayId, Vec<Vec<u8>>>) {
    let (fakes, mut lines) = (Fakes::new(), BTreeMap::<RayId, Vec<Vec<u8>>>::new());
    for batch in plan.batches(dataset) {
        let (_, outcome) = fakes.index(&batch.key, dataset, &batch.gzip);
        let BatchOutcome::Sealed(BatchFigures { counts, totals, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!((counts.rays, counts.lines), (batch.written.records, batch.written.records));
        assert_eq!((counts.clock_skewed, counts.rejected_lines(), counts.nonstandard_ids), (0, 0, 0));
        assert_eq!(totals.inflated, batch.written.inflated);
        for place in &batch.lines {
            lines.entry(place.ray).or_default().push(batch.line(place).to_vec());
        }
    }
    (fakes, lines)
}

/// Looks every ray up, and compares the stored lines.
fn every_ray_is_found(plan: &SamplePlan, dataset: Dataset) {
    let (fakes, lines) = indexed(plan, dataset);
    assert!(lines.len() > 100, "{} rays", lines.len());
    for (ray, expected) in &lines {
        let found = fakes.find(dataset, &ray.to_string());
        let places: usize = found.records.iter().map(|record| 1 + record.copies.len()).sum();
        assert_eq!(places, expected.len(), "{ray}");
        let mut seen = BTreeSet::new();
        let texts: Vec<Vec<u8>> = found.records.into_iter().map(|record| record.line).collect();
        assert!(texts.iter().eq(expected.iter().filter(|line| seen.insert(*line))), "{ray}");
        assert_eq!((found.stats.shards_asked, found.stats.full_scans), (1, 0));
        assert!(found.stats.objects_read <= expected.len() as u64);
        assert!(!found.cut.truncated);
    }
}

#[test]
fn rays_of_20_000_records_are_found_unchanged() {
    // A lookup reads a batch up to its ray, so many small ones are quicker than few large ones.
    every_ray_is_found(&plan(1250), Dataset::HttpRequests);
}

#[test]
fn rays_of_events_and_traces_are_found_unchanged() {
    every_ray_is_found(&plan(40), Dataset::FirewallEvents);
    every_ray_is_found(&plan(40), Dataset::WorkersTraceEvents);
}

/// Where the spans of an object begin, in bytes of text.
fn begins_of_spans(gzip: &[u8]) -> Vec<u64> {
    let mut reader = BatchReader::finding_spans();
    assert!(reader.push(gzip, |_| ControlFlow::Continue(())).unwrap().is_continue());
    reader.finish(|_| ControlFlow::Continue(())).unwrap();
    reader.into_spans().extents.iter().map(|extent| extent.offset).collect()
}

#[test]
fn large_batches_index_rays_in_their_exact_spans() {
    // The blocks of level 1 are a megabyte long.
    let plan = SamplePlan { level: 6, ..plan(4) };
    let (fakes, lines) = indexed(&plan, Dataset::HttpRequests);
    let mut places: BTreeMap<RayId, BTreeMap<String, BTreeSet<u64>>> = BTreeMap::new();
    for batch in plan.batches(Dataset::HttpRequests) {
        let begins = begins_of_spans(&batch.gzip);
        for place in &batch.lines {
            let spans = places.entry(place.ray).or_default().entry(batch.key.clone()).or_default();
            spans.insert(begins.partition_point(|&begin| begin <= place.range.start as u64) as u64 - 1);
        }
    }
    assert!(places.values().flatten().flat_map(|(_, spans)| spans).max() >= Some(&3), "too few spans to prove it");
    for (ray, expected) in places {
        let name = ShardName::for_key(&RayKey::Ray(ray)).to_string();
        let find = FindRay { id: ray.to_string(), datasets: vec![Dataset::HttpRequests] };
        let found = run(rpc::call(&fakes.shards, &name, &find)).unwrap();
        let found = found.candidates.into_iter().map(|candidate| {
            (candidate.object.key, candidate.spans.into_iter().map(u64::from).collect::<BTreeSet<_>>())
        });
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{ray}");
    }
    for (ray, expected) in lines.iter().step_by(997) {
        let found = fakes.find(Dataset::HttpRequests, &ray.to_string());
        assert_eq!(found.records.into_iter().map(|record| record.line).collect::<Vec<_>>(), *expected);
    }
}

#[test]
fn unknown_ray_opens_no_batch() {
    let (fakes, lines) = indexed(&plan(4), Dataset::HttpRequests);
    for ray in lines.keys().step_by(61) {
        let near = RayId::from_bits(ray.bits() ^ 1 << 17);
        assert!(!lines.contains_key(&near));
        let found = fakes.find(Dataset::HttpRequests, &near.to_string());
        assert!(found.records.is_empty());
        assert_eq!((found.stats.shards_asked, found.stats.objects_read), (1, 0));
    }
    let (ray, _) = lines.first_key_value().unwrap();
    assert!(fakes.find(Dataset::FirewallEvents, &ray.to_string()).records.is_empty(), "datasets do not mix");
}
