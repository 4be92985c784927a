//! Every ray of the sample data is found: subrequests, late ones, all units, several gzip members. Through the
//! bucket and the queue, as in production, and again after a restart.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use raydex::record::Dataset;
use raydex::sample::{PlanUnits, SampleBatch, SamplePlan};
use serde_json::json;

use super::harness::Harness;

/// Connections at once: enough that the runtime never waits for the test.
const CONNECTIONS: usize = 4;

/// A ray and everything that it must give.
struct Wanted {
    dataset: Dataset,
    ray: String,
    lines: Vec<u8>,
}

/// The batches of one half: of 20,000 requests in 200 batches (a lookup inflates half of one, and small ones keep the
/// suite short), and of what belongs to them.
fn batches(half: u32) -> Vec<SampleBatch> {
    let plan = |batches| SamplePlan {
        batches,
        window_ms: 900_000,
        members: 3,
        units: PlanUnits::Mixed,
        ..SamplePlan::default()
    };
    let every_other = |dataset, batches| {
        let numbers = (half..batches).step_by(2);
        numbers.map(move |number| plan(batches).batch(dataset, number)).collect::<Vec<_>>()
    };
    [(Dataset::HttpRequests, 200), (Dataset::FirewallEvents, 20), (Dataset::WorkersTraceEvents, 20)]
        .into_iter()
        .flat_map(|(dataset, batches)| every_other(dataset, batches))
        .collect()
}

/// Every ray of the batches with all of its lines, in the order in which the batches were put.
fn wanted(batches: &[SampleBatch]) -> Vec<Wanted> {
    let mut wanted: BTreeMap<(Dataset, String), Vec<u8>> = BTreeMap::new();
    for batch in batches {
        for place in &batch.lines {
            let lines = wanted.entry((batch.dataset, place.ray.to_string())).or_default();
            lines.extend_from_slice(&batch.ndjson[place.range.clone()]);
            lines.push(b'\n');
        }
    }
    wanted.into_iter().map(|((dataset, ray), lines)| Wanted { dataset, ray, lines }).collect()
}

/// Puts every batch, announces it, and waits until it is indexed.
fn index_all(harness: &Harness, batches: &[SampleBatch]) {
    for batch in batches {
        harness.announce(&harness.put(&batch.key, &batch.gzip));
    }
    let keys: Vec<&str> = batches.iter().map(|batch| batch.key.as_str()).collect();
    for (batch, line) in batches.iter().zip(harness.wait_for_verdicts(&keys)) {
        assert_eq!(line["verdict"], "sealed", "{line}");
        assert_eq!(line["batch"]["records"], batch.written.records, "{line}");
        assert_eq!(line["batch"]["clock_skewed"], 0, "{line}");
    }
}

/// Looks all of them up; says which were not answered byte for byte.
fn wrong<'a>(harness: &Harness, wanted: &[&'a Wanted]) -> Vec<(&'a str, u16)> {
    let next = AtomicUsize::new(0);
    let look = || {
        let mut wrong = Vec::new();
        while let Some(want) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            let reply = harness.native_again(want.dataset.name(), &want.ray);
            if reply.status != 200 || reply.body != want.lines {
                wrong.push((want.ray.as_str(), reply.status));
            }
        }
        wrong
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(look)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// One half of the data, in a runtime of its own: two of them have two cores to run on.
#[expect(clippy::disallowed_methods, reason = "tells how fast it is")]
fn every_ray_of(half: u32) {
    let state = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("every-ray-{half}"));
    let _none = std::fs::remove_dir_all(&state);
    let mut harness = Harness::with(json!({ "state": state }));
    let batches = batches(half);
    let started = std::time::Instant::now();
    index_all(&harness, &batches);
    println!("{} batches indexed in {:.1?}", batches.len(), started.elapsed());

    let wanted = wanted(&batches);
    let requests = wanted.iter().filter(|want| want.dataset == Dataset::HttpRequests).count();
    assert_eq!(requests, 10_000);
    let started = std::time::Instant::now();
    assert_eq!(wrong(&harness, &wanted.iter().collect::<Vec<_>>()), []);
    println!("{} lookups in {:.1?}", wanted.len(), started.elapsed());

    harness.restart();
    let some: Vec<&Wanted> = wanted.iter().step_by(50).collect();
    assert_eq!(wrong(&harness, &some), []);
    let (key, gzip) = (&batches[0].key, &batches[0].gzip);
    assert_eq!(harness.index(key, gzip)["verdict"], "sealed", "written again, it is indexed again");
}

#[test]
fn every_ray_survives_a_restart_byte_for_byte() {
    every_ray_of(0);
}

#[test]
fn every_ray_of_the_other_half_does_too() {
    every_ray_of(1);
}
