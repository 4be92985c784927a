//! What is left when the runtime is killed, and what stands beside it and is not.

use raydex::record::Dataset;
use raydex::sample::SamplePlan;
use serde_json::json;

use super::harness::Harness;

#[test]
fn index_and_partner_survive_a_crash() {
    let state = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash");
    let _none = std::fs::remove_dir_all(&state);
    let mut harness = Harness::with(json!({ "state": state, "partner": true }));
    let batch = SamplePlan { batches: 1, window_ms: 30_000, records: 20, ..SamplePlan::default() }
        .batch(Dataset::HttpRequests, 0);
    assert_eq!(harness.index(&batch.key, &batch.gzip)["verdict"], "sealed");
    harness.wait_for("the delivery", || (harness.partner()["lines"] == batch.written.records).then_some(()));
    harness.behave(&json!([{ "share": 0.1, "do": { "status": 503 } }]));
    let counted = harness.partner();
    let ray = batch.lines[0].ray.to_string();
    let line = harness.native("http_requests", &ray).body;

    harness.kill();
    assert_eq!(harness.native("http_requests", &ray).body, line);
    // Written again, it is indexed again, and not delivered again.
    assert_eq!(harness.index(&batch.key, &batch.gzip)["verdict"], "sealed");
    assert_eq!(harness.partner(), counted);
    assert_eq!(harness.partner_lines()["duplicates"], json!([]));
    // A cron trigger reaches the runtime that was started anew.
    assert_eq!(harness.scheduled()["outcome"], "ok");
    harness.wait_for("the sweep", || harness.said("sweep").pop());
}
