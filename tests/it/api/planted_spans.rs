//! Spans that a sender with zones plants under the ray and the trace of others, as many as fill every bound.

use raydex::limits::{MEMORY_BUDGET, TRACE_RECORDS, ZONE_SPANS};
use raydex::otlp::OtlpSpan;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::bound_spans::{bring, record, text};
use super::otlp::spans as spans_of;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::traces::{TRACE, get, request, span};
use super::{Reply, header, json as body};

/// The trace of the planted spans, where it is not that of the true ones.
const OTHER: [u8; 16] = [7; 16];

/// Spans of a host that name the ray 1.
fn named(ids: std::ops::Range<u64>, trace: [u8; 16], host: &str) -> Vec<OtlpSpan> {
    let of_ray = || vec![text("cloudflare.ray_id", &ray(1).to_string()), text("server.address", host)];
    ids.map(|id| OtlpSpan { attributes: of_ray(), trace_id: trace.to_vec(), ..span(id, 0, id % 1_000) }).collect()
}

/// Brings as many spans of `a.example` as a request may have, twice: before the spans of others, and after.
fn plant(fakes: &Fakes, trace: [u8; 16], bring_true: impl FnOnce(&Fakes)) {
    let most = TRACE_RECORDS as u64;
    bring(fakes, "a-sender", &request(named(10_000..10_000 + most, trace, "a.example")));
    bring_true(fakes);
    bring(fakes, "a-sender", &request(named(20_000..20_000 + most, trace, "a.example")));
}

/// How many spans with these IDs an answer has.
fn count(found: &Value, ids: std::ops::Range<u64>) -> usize {
    let number = |span: &Value| span["name"].as_str()?.strip_prefix("span ")?.parse().ok();
    spans_of(found).iter().filter(|span| number(span).is_some_and(|id: u64| ids.contains(&id))).count()
}

/// What each door has of a ray and a trace: its spans in OpenTelemetry's form, and whether it is said to be cut.
fn doors(fakes: &Fakes) -> Vec<(String, Value, bool)> {
    let mut found = Vec::new();
    for id in [ray(1).to_string(), hex::encode(TRACE)] {
        let is_cut = |reply: &Reply| {
            assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
            header(reply, "raydex-truncated").is_some()
        };
        let otlp = get(fakes, "forensics", &format!("/v1/rays/{id}?format=otlp"));
        found.push((format!("otlp {id}"), body(&otlp)["resourceSpans"].take(), is_cut(&otlp)));
        let v1 = get(fakes, "forensics", &format!("/tempo/api/traces/{id}"));
        found.push((format!("v1 {id}"), body(&v1)["batches"].take(), is_cut(&v1)));
        let v2 = get(fakes, "forensics", &format!("/tempo/api/v2/traces/{id}"));
        let mut said = body(&v2);
        let has_words = said["message"].as_str().is_some_and(|words| words.contains("Spans are missing"));
        assert_eq!(has_words, is_cut(&v2), "{said}");
        found.push((format!("v2 {id}"), said["trace"]["resourceSpans"].take(), has_words));
    }
    found
}

#[test]
fn foreign_spans_displace_no_others() {
    for trace in [TRACE, OTHER] {
        let fakes = Fakes::new();
        fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(1, "b.example")]));
        fakes.index("logs/w", Dataset::WorkersTraceEvents, &ndjson([worker()]));
        plant(&fakes, trace, |fakes| bring(fakes, "sender", &request(named(1..4, TRACE, "b.example"))));
        for (door, found, is_cut) in doors(&fakes) {
            let (own, planted) = (count(&found, 1..4), count(&found, 10_000..30_000));
            assert_eq!((own, planted, is_cut), (3, 0, false), "{door}");
        }
        for query in ["", "?subrequests=list", "?dataset=traces", "?parts=tree", "?parts=records,tree&subrequests=list"]
        {
            let reply = get(&fakes, "forensics", &format!("/v1/rays/{}{query}", ray(1)));
            assert_eq!((reply.status, header(&reply, "raydex-truncated")), (200, None), "{query}");
            let found = body(&reply);
            assert_eq!(found["truncated"], false, "{query}");
            if let Some(records) = found["records"].as_array().filter(|_| query != "?parts=tree") {
                let of = |dataset: &str| records.iter().filter(|record| record["dataset"] == dataset).count();
                let others = if query == "?dataset=traces" { (0, 0) } else { (1, 1) };
                assert_eq!((of("traces"), (of("http_requests"), of("workers_trace_events"))), (3, others), "{query}");
            }
            if let Some(nodes) = found["tree"]["nodes"].as_array() {
                let is_of_spans = query == "?dataset=traces";
                assert_eq!(nodes[0]["records"]["traces"], 3, "{query}: {nodes:?}");
                assert_eq!(nodes[0]["records"].get("http_requests").is_none(), is_of_spans);
                assert_eq!(found["tree"]["truncated"], false, "{query}");
            }
        }
        assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
    }
}

fn worker() -> String {
    json!({ "Event": { "RayID": ray(1).to_string(), "Request": { "URL": "https://b.example/" } }, "EventTimestampMs": 1_774_687_330_000_i64,
        "ScriptName": "w", "Outcome": "ok" })
    .to_string()
}

#[test]
fn subrequest_lists_no_foreign_spans() {
    let child = json!({ "RayID": ray(1).to_string(), "ParentRayID": ray(2).to_string(), "ZoneName": "b.example" });
    let fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(2, "b.example"), child.to_string()]));
    plant(&fakes, OTHER, |fakes| bring(fakes, "sender", &request(named(1..4, TRACE, "b.example"))));
    for (door, found, is_cut) in doors(&fakes) {
        let (own, planted) = (count(&found, 1..4), count(&found, 10_000..30_000));
        assert_eq!((own, planted, is_cut), (3, 0, false), "{door}");
    }
    for number in [1, 2] {
        let found = body(&get(&fakes, "forensics", &format!("/v1/rays/{}?subrequests=list", ray(number))));
        assert_eq!((&found["truncated"], &found["tree"]["truncated"]), (&json!(false), &json!(false)));
        let nodes = found["tree"]["nodes"].as_array().unwrap();
        assert_eq!((nodes.len(), &nodes[1]["records"]["traces"]), (2, &json!(3)), "{nodes:?}");
    }
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
}

#[test]
fn senders_of_unknown_rays_displace_no_others() {
    let fakes = Fakes::new();
    plant(&fakes, TRACE, |fakes| {
        bring(fakes, "c-sender", &request(named(100..150, TRACE, "c.example")));
        bring(fakes, "sender", &request(named(1..4, TRACE, "b.example")));
    });
    for (door, found, is_cut) in doors(&fakes) {
        let counts = (count(&found, 1..4), count(&found, 100..150), count(&found, 10_000..30_000));
        // Of the first ones as many as a zone has, and that there are more is said.
        assert_eq!((counts, is_cut), ((3, 50, ZONE_SPANS), true), "{door}");
    }
    let listed = body(&get(&fakes, "forensics", &format!("/v1/rays/{}", ray(1))));
    assert_eq!(listed["truncated"], true);
    assert_eq!(listed["records"].as_array().unwrap().len(), 53 + ZONE_SPANS);
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
}
