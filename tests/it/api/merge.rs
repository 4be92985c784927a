//! `subrequests=merge`: the form of Logpush's `merge_subrequests`, held against a merge that is written anew.

use raydex::limits::MERGED_SUBREQUESTS;
use raydex::record::{Dataset, RayId};
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::support::canaries::Random;
use super::support::world::config_with;
use super::support::{Fakes, NOW_MS};
use super::{Ask, json as body, problem};

/// Trees of a batch, and batches.
const TREES: [u64; 2] = [50, 20];
/// Milliseconds after its parent's end by which a child has ended.
const LATEST_MS: usize = 330_000;

fn ray(tree: u64, member: u64) -> RayId {
    let at_ms = NOW_MS - 3_600_000 + i64::try_from(tree * 40 + member / 8 * 10).unwrap();
    RayId::at(at_ms, u32::try_from(tree * 64 + member).unwrap()).unwrap()
}

fn end_ms(tree: u64) -> i64 {
    NOW_MS - 3_500_000 + i64::try_from(tree).unwrap()
}

fn parent(tree: u64) -> Value {
    json!({ "RayID": ray(tree, 0).to_string(), "EdgeEndTimestamp": end_ms(tree) * 1_000_000, "ZoneName": "a.example" })
}

/// The children of a tree, in the order of their rays.
fn children(random: &mut Random, tree: u64) -> Vec<Value> {
    let count = [0, 1, 3, 49, 50, 51, 60][usize::try_from(tree % 7).unwrap()];
    let mut child = |member| {
        let late_ms = match random.below(20) {
            0 => 300_000,
            1 => 300_001,
            2 => 301_000,
            _ => random.below(LATEST_MS),
        };
        json!({
            "RayID": ray(tree, member).to_string(), "ParentRayID": ray(tree, 0).to_string(), "ZoneName": "a.example",
            "EdgeEndTimestamp": (end_ms(tree) + i64::try_from(late_ms).unwrap()) * 1_000_000, "WorkerSubrequest": true,
        })
    };
    (1..=count).map(&mut child).collect()
}

/// What Logpush would write: the parent with the first fifty children of five minutes, then the others.
fn reference(tree: u64, children: &[Value]) -> Vec<Value> {
    let ends_ms = |child: &Value| child["EdgeEndTimestamp"].as_i64().unwrap() / 1_000_000;
    let mut inside = Vec::new();
    let mut outside = Vec::new();
    for child in children {
        let fits = ends_ms(child) - end_ms(tree) <= 300_000 && inside.len() < MERGED_SUBREQUESTS;
        if fits { inside.push(child.clone()) } else { outside.push(child.clone()) }
    }
    let mut merged = parent(tree);
    merged["Subrequests"] = inside.into();
    [vec![merged], outside].concat()
}

#[test]
fn thousand_trees_equal_a_reference_merge() {
    let (fakes, mut random) = (Fakes::new(), Random::new(7));
    let mut trees = Vec::new();
    for batch in 0..TREES[1] {
        let numbers = batch * TREES[0]..(batch + 1) * TREES[0];
        let of_batch: Vec<_> = numbers.map(|tree| (tree, children(&mut random, tree))).collect();
        let mut lines: Vec<String> = of_batch
            .iter()
            .flat_map(|(tree, children)| children.iter().map(Value::to_string).chain([parent(*tree).to_string()]))
            .collect();
        // In no order.
        lines.sort_by_key(|line| line.bytes().fold(batch, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)));
        fakes.index(&format!("logs/http_requests/{batch}"), Dataset::HttpRequests, lines.join("\n").as_bytes());
        trees.extend(of_batch);
    }
    let (mut merged, mut apart, config) = (0, 0, Ok(config_with(&[("API_RATE_PER_MINUTE", "0")])));
    for (tree, children) in &trees {
        let reply = Ask::get(&format!("/v1/rays/{}?subrequests=merge&parts=records", ray(*tree, 0)));
        let reply = reply.of_deployment(&fakes, &config);
        assert_eq!(reply.status, 200, "tree {tree}: {}", String::from_utf8_lossy(&reply.body));
        let found: Vec<Value> =
            body(&reply)["records"].as_array().unwrap().iter().map(|record| record["record"].clone()).collect();
        let wanted = reference(*tree, children);
        assert_eq!(found, wanted, "tree {tree} of {} children", children.len());
        (merged, apart) = (merged + children.len() + 1 - wanted.len(), apart + wanted.len() - 1);
    }
    assert!(trees.len() == 1_000 && merged > 20_000 && apart > 2_000, "{merged} merged, {apart} apart");
}

#[test]
fn merged_record_is_masked_like_its_parts() {
    let fakes = Fakes::new();
    let line = |member: u64, parent: Option<u64>, zone: &str| {
        let parent = parent.map_or("00".to_owned(), |parent| ray(1, parent).to_string());
        json!({
            "RayID": ray(1, member).to_string(), "ParentRayID": parent, "ClientIP": "192.0.2.77", "ZoneName": zone,
            "EdgeEndTimestamp": NOW_MS * 1_000_000,
        })
        .to_string()
    };
    let lines = [line(0, None, "a.example"), line(1, Some(0), "a.example"), line(2, Some(0), "b.example")];
    fakes.index("logs/http_requests/a", Dataset::HttpRequests, lines.join("\n").as_bytes());
    let config = Ok(deployment(&[
        rule("viewer", &json!({ "role": "viewer" })),
        rule("zone", &json!({ "zones": ["a.example"] })),
    ]));
    let ask = |token: &str, query: &str| {
        let ask = Ask::get(&format!("/v1/rays/{}?subrequests=merge{query}", ray(1, 0)));
        Ask { authorization: Some(format!("Bearer {token}")), ..ask }.of_deployment(&fakes, &config)
    };
    let inner = |reply: &super::Reply| body(reply)["records"][0]["record"]["Subrequests"].as_array().unwrap().clone();
    let shown = ask("viewer", "");
    assert_eq!(inner(&shown).len(), 2);
    assert!(!String::from_utf8_lossy(&shown.body).contains("192.0.2.77"));
    let own = ask("zone", "");
    assert_eq!(inner(&own).len(), 1);
    assert!(!String::from_utf8_lossy(&own.body).contains("b.example"));
    for format in ["native", "partner", "csv"] {
        assert_eq!(problem(&ask("zone", &format!("&format={format}"))), (400, "bad_parameter".into()), "{format}");
    }
}
