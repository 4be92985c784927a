//! The program `make-batches`: its files, its manifest, and what it says to bad options.

use std::process::Command;

use raydex::sample::{DATASETS, PlanUnits, SamplePlan};

#[test]
fn the_program_writes_what_the_library_makes() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("make-batches");
    let rays = folder.join("rays.txt");
    let run = Command::new(env!("CARGO_BIN_EXE_make-batches"))
        .args(["--start", "2026-03-28T06:42:00Z", "--records", "2000", "--batches", "3", "--unit", "mixed"])
        .args(["--seed", "7", "--members", "2", "--window", "90", "--out"])
        .arg(&folder)
        .arg("--rays")
        .arg(&rays)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let plan = SamplePlan {
        seed: 7,
        records: 2000,
        batches: 3,
        window_ms: 90_000,
        members: 2,
        units: PlanUnits::Mixed,
        ..SamplePlan::default()
    };
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let batches = DATASETS.into_iter().flat_map(|dataset| plan.batches(dataset));
    for (entry, batch) in manifest["batches"].as_array().unwrap().iter().zip(batches) {
        assert_eq!(entry["key"], batch.key.as_str());
        assert_eq!(entry["records"], batch.written.records);
        assert_eq!(std::fs::read(folder.join(&batch.key)).unwrap(), batch.gzip);
    }
    assert_eq!(manifest["batches"].as_array().unwrap().len(), 9);
    assert!(manifest["examples"].as_object().unwrap().values().all(|example| example["ray"].is_string()));
    assert_eq!(std::fs::read_to_string(rays).unwrap().lines().count(), 2000);
}

#[test]
fn bad_option_is_named_with_exit_code_2() {
    for (args, named) in [
        (&["--seed", "1"][..], "--out is required"),
        (&["--out", "x", "--records", "many"], "--records must be a whole number"),
        (&["--out", "x", "--records", "2"], "at least one record per batch"),
        (&["--out", "x", "--dataset", "dns_logs"], "--dataset must be http_requests"),
        (&["--out", "x", "--unit", "ms"], "--unit must be unixnano"),
        (&["--out", "x", "--start", "yesterday"], "--start must be a time"),
        (&["--out", "x", "--start", "1999-01-01T00:00:00Z"], "2012"),
        (&["--out", "x", "--level", "10"], "level must be from 1"),
        (&["--out", "x", "--prefix", "../up"], "--prefix must be names"),
        (&["--out", "x", "--what"], "unknown option --what"),
        (&["stray"], "stray"),
    ] {
        let run = Command::new(env!("CARGO_BIN_EXE_make-batches")).args(args).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(named), "{args:?}: {said}");
    }
}
