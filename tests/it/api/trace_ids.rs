//! Traces by the IDs that their exporters gave them: whole, whichever requests brought their spans, and in any spelling.

use raydex::limits::MEMORY_BUDGET;
use raydex::otlp::OtlpSpan;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::otlp::spans as spans_of;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::tempo::named;
use super::traces::{JSON, START_NS, TRACE, bring, config, get, span, spans};
use super::{Ask, json as body, problem};

/// The IDs of the spans of a trace with those of their parents, in its order.
fn tree(resource_spans: &Value) -> Vec<(String, String)> {
    let id = |id: &Value| id.as_str().unwrap_or_default().trim_start_matches('0').to_owned();
    spans_of(resource_spans).iter().map(|span| (id(&span["spanId"]), id(&span["parentSpanId"]))).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(id, parent)| ((*id).to_owned(), (*parent).to_owned())).collect()
}

#[test]
fn spans_without_the_ray_join_their_trace() {
    let fakes = Fakes::new();
    let (first, second) = (spans(), vec![span(12, 11, 2), span(14, 13, 4), span(15, 99, 5)]);
    // Before, and after: what names the ray is not what came first.
    for (nth, brought) in [second.clone(), first, vec![span(16, 11, 6)], second].into_iter().enumerate() {
        fakes.bits.set(fakes.bits.get() + u32::try_from(nth).unwrap());
        bring(&fakes, brought);
    }
    let (ray, trace) = (ray(1).to_string(), hex::encode(TRACE));
    let whole = owned(&[("b", &ray), ("c", "b"), ("d", "c"), ("e", "d"), ("f", &ray), ("10", "b")]);
    let by_trace = get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{trace}"));
    let otlp = get(&fakes, "forensics", &format!("/v1/rays/{trace}?format=otlp"));
    assert_eq!(named(&body(&otlp)["resourceSpans"]), body(&by_trace)["trace"]["resourceSpans"]);
    assert_eq!(tree(&body(&by_trace)["trace"]["resourceSpans"]), whole);
    assert!(spans_of(&body(&otlp)["resourceSpans"]).iter().all(|span| span["traceId"] == json!(format!("{ray:0>32}"))));
    // Spans without their root have no host, and so no zone.
    let of_zone = get(&fakes, "a-reader", &format!("/tempo/api/v2/traces/{trace}"));
    assert_eq!(tree(&body(&of_zone)["trace"]["resourceSpans"]), whole[..3]);
    let of_ray = get(&fakes, "forensics", &format!("/v1/rays/{ray}?format=otlp"));
    assert_eq!(tree(&body(&of_ray)["resourceSpans"]), whole[..3]);
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
}

#[test]
fn shorter_trace_ids_are_found_with_zeros() {
    let fakes = Fakes::new();
    let id = [[0; 8], [0x46, 0x3a, 0xc3, 0x5c, 0x9f, 0x64, 0x13, 0xad]].concat();
    bring(&fakes, vec![OtlpSpan { trace_id: id.clone(), ..span(21, 20, 0) }]);
    let (padded, short) = (hex::encode(&id), hex::encode(&id[8..]));
    for path in [
        format!("/tempo/api/v2/traces/{padded}"),
        format!("/tempo/api/v2/traces/{}", short.to_uppercase()),
        format!("/v1/rays/{}?format=otlp", padded.to_uppercase()),
        format!("/v1/rays/{short}?format=otlp"),
    ] {
        let reply = get(&fakes, "forensics", &path);
        assert_eq!(reply.status, 200, "{path}");
        let mut found = body(&reply);
        let found = if path.starts_with("/tempo") { found["trace"].take() } else { found };
        let [span] = spans_of(&found["resourceSpans"]).try_into().unwrap();
        assert_eq!((&span["traceId"], &span["spanId"]), (&json!(padded), &json!("0000000000000015")), "{path}");
    }
    let reply = get(&fakes, "forensics", &format!("/v1/rays/{}", padded.to_uppercase()));
    assert_eq!((reply.status, &body(&reply)["ray"]), (200, &json!(padded)));
    // A ray with zeros before it is that ray.
    bring_with_ray(&fakes);
    let ray = ray(1).to_string();
    let [plain, zeros] = [ray.clone(), format!("{ray:0>32}")]
        .map(|id| body(&get(&fakes, "forensics", &format!("/v1/rays/{id}?format=otlp"))));
    assert_eq!((tree(&plain["resourceSpans"]).len(), plain), (3, zeros));
}

fn bring_with_ray(fakes: &Fakes) {
    fakes.bits.set(fakes.bits.get() + 1);
    bring(fakes, spans());
}

#[test]
fn ray_with_zeros_before_it_is_that_ray() {
    let fakes = Fakes::new();
    let record = json!({
        "RayID": ray(1).to_string(), "ClientRequestHost": "a.example", "ClientIP": "192.0.2.7",
        "EdgeStartTimestamp": START_NS, "EdgeEndTimestamp": START_NS,
    });
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record.to_string()]));
    let (short, padded) = (ray(1).to_string(), format!("{:0>32}", ray(1).to_string().to_uppercase()));
    for path in [
        "",
        "?format=native",
        "?format=csv",
        "?format=partner",
        "?format=explain",
        "?format=har",
        "?format=otlp",
        "?parts=tree",
        "?dataset=http_requests",
        "/deliveries",
        "/neighbours?by=client",
    ] {
        let [plain, zeros] = [&short, &padded].map(|id| get(&fakes, "forensics", &format!("/v1/rays/{id}{path}")));
        assert_eq!((plain.status, zeros.status), (200, 200), "{path}");
        if !path.starts_with('/') && !path.is_empty() && !path.contains("dataset") && !path.contains("parts") {
            assert_eq!(zeros.body, plain.body, "{path}");
        }
    }
    assert_eq!(body(&get(&fakes, "forensics", &format!("/v1/rays/{padded}")))["ray"], json!(short));
    let diff = get(&fakes, "forensics", &format!("/v1/rays/{padded}/diff/{short}"));
    assert_eq!(diff.status, 200);
    let list = Ask { body: json!({ "rays": [padded] }).to_string().into_bytes(), ..Ask::new("POST", "/v1/rays") };
    let reply = list.with_header("content-type", JSON).by("forensics").of_deployment(&fakes, &Ok(config()));
    let line: Value = serde_json::from_slice(reply.body.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!((&line["found"], &line["ray"]), (&json!(true), &json!(short)));
    let unknown = get(&fakes, "forensics", &format!("/v1/rays/{:0>32}", ray(9).to_string()));
    assert_eq!(problem(&unknown), (404, "ray_not_found".into()));
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
}

#[test]
fn trace_id_in_upper_case_is_the_same() {
    let fakes = Fakes::new();
    bring(&fakes, spans());
    let trace = hex::encode(TRACE);
    let upper = trace.to_uppercase();
    let reply = get(&fakes, "forensics", &format!("/v1/rays/{upper}"));
    assert_eq!((reply.status, &body(&reply)["ray"]), (200, &json!(trace)));
    let asked = |id: &str| get(&fakes, "forensics", &format!("/tempo/api/traces/{id}")).body;
    assert_eq!(asked(&upper), asked(&trace));
    let list = Ask { body: json!({ "rays": [upper] }).to_string().into_bytes(), ..Ask::new("POST", "/v1/rays") };
    let reply = list.with_header("content-type", JSON).by("forensics").of_deployment(&fakes, &Ok(config()));
    assert!(String::from_utf8_lossy(&reply.body).contains(&trace));
    // A batch of another program may spell it so.
    let line = json!({ "TraceID": "AAF92F3577B34DA6A3CE929D0E0E4736", "SpanID": "00f067aa0ba902b7", "SpanStartTimestamp": START_NS });
    fakes.index("logs/traces/x", Dataset::Traces, &ndjson([line.to_string()]));
    assert_eq!(get(&fakes, "forensics", "/v1/rays/aaf92f3577b34da6a3ce929d0e0e4736").status, 200);
}

#[test]
fn unknown_trace_is_absent_like_a_ray() {
    let fakes = Fakes::new();
    bring(&fakes, spans());
    let unknown = "8".repeat(32);
    for query in ["", "?format=otlp", "?format=native", "?format=csv&dataset=traces", "?parts=tree"] {
        let reply = get(&fakes, "forensics", &format!("/v1/rays/{unknown}{query}"));
        assert_eq!(problem(&reply), (404, "ray_not_found".into()), "{query}");
        assert!(body(&reply)["detail"].as_str().unwrap().contains("trace"), "{query}");
        let hidden = get(&fakes, "waf-reader", &format!("/v1/rays/{}{query}", hex::encode(TRACE)));
        assert!(matches!(hidden.status, 403 | 404), "{query}");
    }
    for id in [&unknown, &hex::encode(TRACE)] {
        for (path, code) in [
            ("?format=har", "bad_parameter"),
            ("?format=partner", "bad_parameter"),
            ("?format=explain", "bad_parameter"),
            ("?format=csv", "bad_parameter"),
            ("?dataset=firewall_events", "bad_parameter"),
            ("/deliveries", "not_a_ray"),
            ("/neighbours?by=client", "bad_parameter"),
        ] {
            let reply = get(&fakes, "forensics", &format!("/v1/rays/{id}{path}"));
            assert_eq!(problem(&reply), (400, code.into()), "{path}");
            let said = body(&reply);
            assert!(said["hint"].as_str().unwrap().contains("RayID"), "{path}: {said}");
            assert!(said["detail"].as_str().unwrap().contains("spans"), "{path}: {said}");
        }
    }
    for query in ["", "?format=otlp", "?format=native", "?parts=tree", "?format=har"] {
        for id in ["0".repeat(16), "9".repeat(16)] {
            let reply = get(&fakes, "forensics", &format!("/v1/rays/{id}{query}"));
            assert_eq!(problem(&reply), (404, "ray_not_found".into()), "{id}{query}");
        }
    }
    for id in ["0".repeat(32), "8".repeat(31)] {
        for query in ["", "?format=otlp"] {
            let reply = get(&fakes, "forensics", &format!("/v1/rays/{id}{query}"));
            assert_eq!(problem(&reply), (400, "not_a_ray".into()), "{id}{query}");
        }
    }
}
