//! Batches, events and requests as people met them (`tests/fixtures/cases`), at the doors of the built Worker.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use raydex_test_support::gzip::gunzip;
use serde_json::{Value, json};

use super::harness::Harness;

/// The bytes of a file of a case.
fn case(path: &str) -> Vec<u8> {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/cases", path].iter().collect();
    fs::read(file).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn json_of(path: &str) -> Value {
    serde_json::from_slice(&case(path)).unwrap()
}

/// The rays of a case, in their order.
fn rays(folder: &str) -> Vec<String> {
    String::from_utf8(case(&format!("{folder}/rays.txt"))).unwrap().lines().map(str::to_owned).collect()
}

/// The records of a compressed batch.
fn lines(stored: &[u8]) -> Vec<String> {
    String::from_utf8(gunzip(stored)).unwrap().lines().map(str::to_owned).collect()
}

fn key_of(event: &Value) -> &str {
    event["object"]["key"].as_str().unwrap()
}

/// The key of a batch of the cases' hour.
fn key(name: &str) -> String {
    format!("logs/http_requests/20261122/20261122T081100Z_20261122T081130Z_{name}.log.gz")
}

#[test]
fn batches_of_other_forms_are_quarantined_whole() {
    let harness = Harness::start();
    for (number, (file, code)) in [
        ("01-glued-records/glued.log.gz", "glued_records"),
        ("02-array-one-record-a-line/array.log.gz", "json_array"),
        ("15-gzip-in-gzip-and-wrong-suffix/twice.log.gz", "compressed_twice"),
        ("15-gzip-in-gzip-and-wrong-suffix/bzip2.log.gz", "other_compression"),
    ]
    .into_iter()
    .enumerate()
    {
        let said = harness.index(&key(&number.to_string()), &case(file));
        assert_eq!((&said["verdict"], &said["code"]), (&"quarantined".into(), &code.into()), "{said}");
        for ray in rays(file.split_once('/').unwrap().0).iter().filter(|ray| *ray != "a5e676045cc22af5") {
            assert_eq!(harness.native("http_requests", ray).status, 404, "{file} {ray}");
        }
    }
    for (name, file, records) in
        [("a", "01-glued-records/single.log.gz", 1), ("b", "16-empty-and-foreign-objects/bom-only.log.gz", 0)]
    {
        let said = harness.index(&key(name), &case(file));
        assert_eq!((&said["verdict"], &said["batch"]["records"]), (&"sealed".into(), &records.into()), "{said}");
    }
}

#[test]
fn half_a_pair_is_found_byte_for_byte() {
    let harness = Harness::start();
    let stored = case("12-lone-surrogates/batch.log.gz");
    assert_eq!(harness.index(&key("a"), &stored)["verdict"], "sealed");
    for (ray, line) in rays("12-lone-surrogates").iter().zip(lines(&stored)) {
        assert_eq!(harness.native("http_requests", ray).text(), format!("{line}\n"));
        let record = harness.read(&format!("/v1/rays/{ray}"))["records"][0]["record"].to_string();
        assert_eq!(record.contains('\u{fffd}'), line.to_lowercase().contains("\\ud"), "{record}");
    }
}

#[test]
fn case_event_is_taken_in_any_type() {
    let harness = Harness::start();
    let stored = case("24-queue-body-types/batch.log.gz");
    let [text, array, bytes] =
        ["text", "array", "bytes"].map(|kind| json_of(&format!("24-queue-body-types/body-{kind}.json")));
    let key = key_of(&array[0]).to_owned();
    harness.put(&key, &stored);
    let as_bytes = json!({ "$bytes": STANDARD.encode(text.as_str().unwrap()) });
    let sent =
        [("text", &text), ("json", &text), ("json", &array), ("json", &bytes), ("bytes", &as_bytes), ("v8", &as_bytes)];
    for (content_type, body) in sent {
        harness.enqueue_as(content_type, body);
    }
    let said = harness.wait_for("every message", || {
        let said = harness.said("parse_message");
        (said.len() == sent.len()).then_some(said)
    });
    for line in said {
        assert_eq!(line["key"], key.as_str(), "{line}");
        assert!(["sealed", "already_sealed"].contains(&line["verdict"].as_str().unwrap()), "{line}");
    }
    assert_eq!(harness.read("/v1/stats")["dead_letters"], 0);
    for line in lines(&stored) {
        let ray = serde_json::from_str::<Value>(&line).unwrap()["RayID"].as_str().unwrap().to_owned();
        assert_eq!(harness.native("http_requests", &ray).text(), format!("{line}\n"));
    }
}

#[test]
fn odd_case_events_come_out_as_listed() {
    let harness = Harness::start();
    let events = json_of("25-odd-r2-events/events.json").as_array().unwrap().clone();
    harness.put(key_of(&events[0]), &case("25-odd-r2-events/batch.log.gz"));
    let parsed = harness.parse(&events);
    assert!(parsed.acked.iter().all(|acked| *acked));
    let verdicts = json!({
        "sealed": 1, "already_sealed": 10, "bad_message:not_an_event": 1, "ignored:other_bucket": 2, "ignored:still_there": 1,
    });
    assert_eq!(parsed.batch["verdicts"], verdicts, "{:?}", parsed.messages);
    assert_eq!(harness.read("/v1/stats")["dead_letters"], 1);
}

#[test]
fn moved_batch_of_the_case_is_delivered_once() {
    let harness = Harness::with_partner();
    let (stored, events) =
        (case("27-moved-and-rewritten-batches/batch.log.gz"), json_of("27-moved-and-rewritten-batches/move.json"));
    let [put, copied, deleted] = [0, 1, 2].map(|number| events[number].clone());
    let verdict = |event: &Value| harness.parse(std::slice::from_ref(event)).messages[0]["verdict"].clone();
    harness.put(key_of(&put), &stored);
    assert_eq!(verdict(&put), "sealed");
    harness.put(key_of(&copied), &stored);
    assert_eq!(verdict(&copied), "sealed");
    harness.remove(key_of(&deleted));
    assert_eq!(verdict(&deleted), "removed");
    let (rays, lines) = (rays("27-moved-and-rewritten-batches"), lines(&stored));
    let once: BTreeMap<&str, u64> = rays.iter().map(|ray| (ray.as_str(), 1)).collect();
    harness.wait_for("every line", || (harness.partner()["lines"] == rays.len()).then_some(()));
    assert_eq!(harness.partner_lines(), json!({ "request_ids": once, "duplicates": [] }));
    assert_eq!(harness.read("/v1/stats")["lines"]["filtered"]["duplicate"], rays.len());
    for (ray, line) in rays.iter().zip(&lines) {
        assert_eq!(harness.native("http_requests", ray).text(), format!("{line}\n"));
    }
}

#[test]
fn every_test_upload_is_welcome_at_the_door() {
    let harness = Harness::start();
    for name in ["singular", "spaces"] {
        let reply = harness.post("/v1/ingest/http_requests", &case(&format!("30-test-upload-spellings/{name}.txt.gz")));
        assert_eq!((reply.status, reply.text()), (200, r#"{"accepted":"test"}"#), "{name}");
    }
    assert_eq!(harness.list("").len(), 0);
    // The same as an object, under the name of a batch.
    let said = harness.index(&key("a"), &case("30-test-upload-spellings/singular.txt.gz"));
    assert_eq!((&said["verdict"], &said["code"]), (&"ignored".into(), &"logpush_check".into()), "{said}");
}

#[test]
fn safety_switch_is_obeyed_at_the_door() {
    let harness = Harness::start();
    assert_eq!(harness.index(&key("a"), &case("33-cve-2021-44228-redaction/batch.log.gz"))["verdict"], "sealed");
    let fields = "fields=RayID,ClientRequestURI,ClientRequestUserAgent,ClientRequestReferer";
    for ray in rays("33-cve-2021-44228-redaction") {
        let path = format!("/client/v4/zones/z/logs/rayids/{ray}?{fields}");
        for on in ["CVE-2021-44228=true", "cve-2021-44228=1"] {
            let record: Value = harness.read(&format!("{path}&{on}"));
            assert!(!record.to_string().contains("${"), "{record}");
        }
        assert!(harness.read(&path).to_string().contains("${"), "{ray}");
        assert_eq!(harness.get(&format!("{path}&CVE-2021-44228=perhaps")).status, 400);
    }
}
