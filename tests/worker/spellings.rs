//! One ray in every form and spelling, and what is answered to everything else.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use raydex::record::Dataset;
use raydex::sample::SamplePlan;
use serde_json::Value;

use super::harness::{Harness, TOKEN};

/// The bytes as gzip.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A Worker that has indexed one batch of 300 requests, a ray of it, and its line.
fn one_batch() -> (Harness, String, Vec<u8>) {
    let harness = Harness::start();
    let batch = SamplePlan { batches: 1, window_ms: 30_000, records: 300, ..SamplePlan::default() }
        .batch(Dataset::HttpRequests, 0);
    assert_eq!(harness.index(&batch.key, &batch.gzip)["verdict"], "sealed");
    let place = &batch.lines[150];
    let line = [&batch.ndjson[place.range.clone()], b"\n"].concat();
    (harness, place.ray.to_string(), line)
}

#[test]
fn a_ray_is_answered_in_every_form() {
    let (harness, ray, line) = one_batch();

    let native = harness.get(&format!("/v1/rays/{ray}?format=native"));
    assert_eq!((native.status, native.header("content-type")), (200, "application/x-ndjson"));
    assert_eq!(native.body, line);
    for header in ["shards_asked=1", "objects_read=1", "full_scans=0"] {
        assert!(native.header("raydex-cost").contains(header), "{}", native.header("raydex-cost"));
    }
    assert_eq!((native.header("cache-control"), native.header("x-content-type-options")), ("no-store", "nosniff"));

    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("accept", "application/x-ndjson")];
    assert_eq!(harness.get_with(&format!("/v1/rays/{ray}"), &headers).body, line);

    let partner = harness.get(&format!("/v1/rays/{ray}?format=partner"));
    assert_eq!((partner.status, partner.header("content-type")), (200, "text/plain; charset=utf-8"));
    let columns: Vec<&str> = partner.text().strip_suffix('\n').unwrap().split('\u{1}').collect();
    assert_eq!(columns.len(), 145);
    assert_eq!((columns[0], columns[2]), ("cs_vod_v3.0", ray.as_str()));

    let json = harness.get(&format!("/v1/rays/{ray}")).json();
    assert_eq!((&json["ray"], &json["truncated"]), (&Value::from(ray.as_str()), &false.into()));
    assert_eq!(json["records"][0]["record"], serde_json::from_slice::<Value>(&line).unwrap());
    assert_eq!(json["records"][0]["dataset"], "http_requests");
    assert_eq!((&json["cost"]["shards_asked"], &json["cost"]["objects_read"]), (&1.into(), &1.into()));
    assert!(json["cost"]["elapsed_ms"].is_u64(), "{json}");

    let head = harness.send("HEAD", &format!("/v1/rays/{ray}?format=native"), &headers, &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), "application/x-ndjson");
}

#[test]
fn a_ray_is_understood_as_people_have_it() {
    let (harness, ray, line) = one_batch();
    for spelling in [
        ray.to_uppercase(),
        format!("{ray}-SJC"),
        format!("%20{ray}%20"),
        format!("CF-RAY:%20{ray}-HKG"),
        format!("https%3A%2F%2Fwww.example.com%2Ferror%3Fray%3D{ray}"),
    ] {
        let reply = harness.native("http_requests", &spelling);
        assert_eq!((reply.status, &reply.body), (200, &line), "{spelling}: {}", reply.text());
    }
}

#[test]
fn everything_else_is_a_problem() {
    let (harness, ray, _) = one_batch();
    for path in ["/v1/rays/", "/v1/rays/a/b", "/v2/rays/1", "/healthz/x", "/favicon.ico"] {
        harness.get(path).assert_problem(404, "no_such_path");
    }
    for (method, path, allow) in [
        ("POST", format!("/v1/rays/{ray}"), "GET, HEAD"),
        ("DELETE", format!("/v1/rays/{ray}"), "GET, HEAD"),
        ("GET", "/v1/ingest/http_requests".into(), "POST"),
        ("PUT", "/healthz".into(), "GET, HEAD"),
    ] {
        let reply = harness.send(method, &path, &[], &[]);
        reply.assert_problem(405, "no_such_method");
        assert_eq!(reply.header("allow"), allow);
    }
    harness.get(&format!("/v1/rays/{ray}?fromat=native")).assert_problem(400, "unknown_parameter");
    harness.get(&format!("/v1/rays/{ray}?format=xml")).assert_problem(400, "bad_parameter");
    harness.get(&format!("/v1/rays/{ray}?dataset=no_such_logs")).assert_problem(400, "bad_parameter");
    harness.get("/v1/rays/%00%ff").assert_problem(400, "not_a_ray");
    let other = harness.get("/v1/rays/764660d8ec5c2ab1");
    other.assert_problem(404, "ray_not_found");
    assert_eq!(other.json()["ray_time"], "2022-11-03T16:10:08.140Z");
    assert_eq!(other.json()["cost"]["shards_asked"], 1);
    // The other datasets of the same ray are other shards.
    assert_eq!(harness.native("firewall_events", &ray).status, 404);
}
