//! The occupancy map under the real runtime: its rows, and what a search over all times costs.

use raydex::limits::OCCUPANCY_MARGIN;
use raydex::record::RayId;
use serde_json::{Value, json};

use super::harness::Harness;
use super::spellings::gzip;

/// Half a year without a batch lies between two of them; the third has a made-up time.
const LINES: [&str; 3] = [
    r#"{"RayID":"made-up","EdgeStartTimestamp":"1970-01-01T00:00:05Z"}"#,
    r#"{"RayID":"odd-1","EdgeStartTimestamp":"2025-09-28T08:42:25Z"}"#,
    r#"{"RayID":"odd-2","EdgeStartTimestamp":"2026-03-28T08:42:25Z"}"#,
];

/// All lines of all times, and the calls to shards that they took.
fn search(harness: &Harness) -> (Vec<String>, u64) {
    let reply = harness.get("/v1/logs?start=1970-01-01T00:00:01Z");
    let mut lines: Vec<String> = reply.text().lines().map(str::to_owned).collect();
    let summary: Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
    assert_eq!(summary["raydex"]["complete"], true, "{summary}");
    (lines, summary["raydex"]["stats"]["shards_asked"].as_u64().unwrap())
}

#[test]
fn full_range_search_asks_few_shards_after_crashes() {
    let state = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("occupancy");
    let _none = std::fs::remove_dir_all(&state);
    let mut harness = Harness::with(json!({ "state": state }));
    // Up to where the range ends, which is the clock.
    let present = u64::from(OCCUPANCY_MARGIN) + 1;
    assert_eq!(search(&harness), (Vec::new(), present));
    for (number, line) in [(1, LINES[1]), (2, LINES[2]), (0, LINES[0])] {
        let verdict = harness.index(&format!("logs/{number}.log.gz"), &gzip(line.as_bytes()));
        assert_eq!(verdict["verdict"], "sealed", "{verdict}");
    }
    assert_eq!(search(&harness), (LINES.map(str::to_owned).to_vec(), 3 + present));
    harness.kill();
    assert_eq!(search(&harness), (LINES.map(str::to_owned).to_vec(), 3 + present));
    // A batch of hundreds of prefixes, each of which is there at once.
    let rays = (0..300).map(|number| format!(r#"{{"RayID":"{}"}}"#, RayId::from_parts(number * 2_000, 1)));
    let verdict = harness.index("logs/many.log.gz", &gzip(rays.collect::<Vec<_>>().join("\n").as_bytes()));
    assert_eq!(verdict["verdict"], "sealed", "{verdict}");
    let (lines, asked) = search(&harness);
    // The first of them is the prefix of the made-up time.
    assert_eq!((lines.len(), asked), (303, 302 + present));
}
