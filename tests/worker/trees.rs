//! The tree of every family of the sample data, asked for by each of its rays, over batches and datasets.

use std::collections::{BTreeMap, BTreeSet};

use raydex::record::Dataset;
use raydex::sample::{SampleBatch, SamplePlan};
use serde_json::Value;

use super::harness::Harness;

/// Families whose trees are asked for.
const FAMILIES: usize = 25;

#[test]
fn families_are_whole_from_every_ray() {
    let plan = SamplePlan { batches: 6, records: 4_000, window_ms: 600_000, late: 100, ..SamplePlan::default() };
    let datasets = [Dataset::HttpRequests, Dataset::FirewallEvents, Dataset::WorkersTraceEvents];
    let batches: Vec<SampleBatch> = datasets.into_iter().flat_map(|dataset| plan.batches(dataset)).collect();
    let harness = Harness::start();
    let mut records: BTreeMap<String, u64> = BTreeMap::new();
    let mut parents: BTreeMap<String, String> = BTreeMap::new();
    for batch in &batches {
        let line = harness.index(&batch.key, &batch.gzip);
        assert_eq!(line["verdict"], "sealed", "{line}");
        for place in &batch.lines {
            let ray = place.ray.to_string();
            let record: Value = serde_json::from_slice(&batch.ndjson[place.range.clone()]).unwrap();
            for name in ["ParentRayID", "OriginatorRayID"] {
                if let Some(parent) = record[name].as_str().filter(|parent| parent.len() == 16) {
                    parents.insert(ray.clone(), parent.to_owned());
                }
            }
            *records.entry(ray).or_default() += 1;
        }
    }
    let root_of = |ray: &str| {
        let mut root = ray.to_owned();
        while let Some(parent) = parents.get(&root) {
            root.clone_from(parent);
        }
        root
    };
    let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ray in parents.keys() {
        families.entry(root_of(ray)).or_default().insert(ray.clone());
    }
    assert!(families.len() > FAMILIES, "{} families", families.len());
    let (mut asked, mut calls, mut deepest) = (0, 0, 0);
    for (root, rays) in families.iter().take(FAMILIES) {
        let wanted: BTreeSet<String> = rays.iter().chain([root]).cloned().collect();
        for ray in &wanted {
            let reply = harness.read(&format!("/v1/rays/{ray}?parts=tree"));
            let nodes = reply["tree"]["nodes"].as_array().unwrap();
            let found: BTreeSet<String> = nodes.iter().map(|node| node["ray"].as_str().unwrap().to_owned()).collect();
            assert_eq!(found, wanted, "{ray}: {reply}");
            for node in nodes {
                let ray = node["ray"].as_str().unwrap();
                assert_eq!(node["parent"].as_str(), parents.get(ray).map(String::as_str));
                let count: u64 = node["records"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
                assert_eq!(count, records[ray], "{ray}");
                deepest = deepest.max(node["depth"].as_u64().unwrap());
            }
            (asked, calls) = (asked + 1, calls + reply["cost"]["shards_asked"].as_u64().unwrap());
        }
    }
    println!("{asked} rays of {FAMILIES} families, {calls} calls to shards, {deepest} levels");
    assert!(deepest >= 5 && calls <= asked * 5 / 4, "{calls} calls for {asked} rays, {deepest} levels");
}
