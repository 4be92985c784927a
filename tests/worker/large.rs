//! A batch as large as they come, under the real runtime: its memory, its cost, and lookups in it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use raydex::limits::WASM_MEMORY_MAX;
use raydex::record::Dataset;
use raydex::sample::{PlanUnits, SamplePlan, TimestampUnit};
use serde_json::json;

use super::harness::Harness;

/// How many rays are looked up.
const LOOKUPS: u64 = 50;

/// Writes one batch of this many records to a file, and keeps the lines of some rays spread over it.
fn write_batch(path: &Path, records: u32) -> (String, HashMap<String, Vec<u8>>) {
    let units = PlanUnits::Always(TimestampUnit::UnixNano);
    let plan = SamplePlan { batches: 1, records, window_ms: 30_000, units, late: 0, ..SamplePlan::default() };
    let (mut number, mut kept) = (0, HashMap::new());
    let step = u64::from(records) / LOOKUPS;
    let file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    let keep = |line: raydex::sample::SampleLine<'_>| {
        number += 1;
        if number % step == 0 {
            kept.insert(line.request.ray.to_string(), [line.json, b"\n"].concat());
        }
    };
    plan.write_batch(Dataset::HttpRequests, 0, file, keep).unwrap();
    (plan.key(Dataset::HttpRequests, 0), kept)
}

/// Indexes such a batch and looks the kept rays up.
#[expect(clippy::disallowed_methods, reason = "tells how long it takes")]
fn index_and_look_up(records: u32) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("large-{records}.log.gz"));
    let started = std::time::Instant::now();
    let (key, kept) = write_batch(&path, records);
    println!("{records} records made in {:.1?}", started.elapsed());
    let harness = Harness::with(json!({ "partner": true }));
    let gzip = fs::read(&path).unwrap();
    let started = std::time::Instant::now();
    let line = harness.index(&key, &gzip);
    println!("{line}\nput, indexed and transformed in {:.1?}", started.elapsed());
    let batch = &line["batch"];
    assert_eq!((&line["verdict"], &batch["rays"]), (&"sealed".into(), &records.into()));
    let [wasm, packed, rows] =
        [&line["wasm_bytes"], &batch["index_bytes"], &batch["rows_written"]].map(|figure| figure.as_u64().unwrap());
    println!("{wasm} bytes of wasm, {packed} bytes of packed rays, {rows} rows");
    assert!(wasm < WASM_MEMORY_MAX as u64, "{wasm}");
    assert!(packed < u64::from(records) * 6, "{packed}");
    assert!(rows < 40, "{rows}");

    assert_eq!((&batch["payload_lines"], &batch["payloads"]), (&records.into(), &(records / 1000).into()));

    let started = std::time::Instant::now();
    harness.wait_for("every line at the partner", || {
        (harness.partner()["distinct_lines"] == u64::from(records)).then_some(())
    });
    let partner = harness.partner();
    println!("delivered in {:.1?}: {partner}", started.elapsed());
    assert_eq!((&partner["lines"], &partner["changed_batches"]), (&records.into(), &0.into()));

    let started = std::time::Instant::now();
    assert_eq!(kept.len() as u64, LOOKUPS);
    for (ray, line) in &kept {
        let reply = harness.native("http_requests", ray);
        assert!(reply.status == 200 && reply.body == *line, "{ray}: {}", reply.text());
    }
    println!("{LOOKUPS} lookups in {:.1?}", started.elapsed());
    fs::remove_file(path).unwrap();
}

#[test]
fn batch_of_100_000_records_is_found() {
    index_and_look_up(100_000);
}

#[test]
#[ignore = "takes minutes: scripts/large"]
fn batch_of_1_000_000_stays_within_memory() {
    index_and_look_up(1_000_000);
}
