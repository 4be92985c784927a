//! Requests of exporters, in both forms, and the lines that their spans become.

use std::ops::ControlFlow;

use serde_json::{Map, Value, json};

use super::{ExportFacts, SpanFault, SpanOrigin, span_line};
use crate::limits::{TRACE_ATTRIBUTES, TRACE_DEPTH, TRACE_PARTS, TRACE_SPAN_BYTES, TRACE_TEXT_BYTES};
use crate::otlp::{ExportForm, MalformedExport, each_span};
use crate::record::{Dataset, RayId, read_key, repair_halves};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const RAY: RayId = RayId::from_bits(0x9e35_56d8_c2ab_1c05);

/// The lines of a request, and why spans of it are rejected.
fn read(form: ExportForm, body: &[u8]) -> Result<Vec<Result<Value, SpanFault>>, MalformedExport> {
    let (mut facts, mut origin, mut lines) = (ExportFacts::default(), SpanOrigin::default(), Vec::new());
    each_span(form, body, &mut |exported| {
        facts.take(&exported);
        ControlFlow::Continue(())
    })?;
    each_span(form, body, &mut |exported| {
        let line = span_line(exported, &facts, &mut origin);
        lines.push(line.map(|line| {
            read_key(Dataset::Traces, &line).unwrap();
            serde_json::from_slice(&line).unwrap()
        }));
        ControlFlow::Continue(())
    })?;
    Ok(lines)
}

fn lines(request: &Value) -> Vec<Result<Value, SpanFault>> {
    read(ExportForm::Json, request.to_string().as_bytes()).unwrap()
}

/// A request with these spans.
fn request(spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{
        "resource": { "attributes": [attribute("service.name", json!({ "stringValue": "shop" }))] },
        "scopeSpans": [{ "scope": { "name": "lib", "version": "1.2" }, "spans": spans }],
    }] })
}

#[expect(clippy::needless_pass_by_value, reason = "callers make the value")]
fn attribute(key: &str, value: Value) -> Value {
    json!({ "key": key, "value": value })
}

/// A span with other members.
fn span(members: Value) -> Value {
    let mut span = json!({
        "traceId": TRACE, "spanId": "00f067aa0ba902b7", "name": "GET /",
        "startTimeUnixNano": "1774687345000000001", "endTimeUnixNano": "1774687345200000001",
    });
    let Value::Object(members) = members else { panic!("members") };
    span.as_object_mut().unwrap().extend(members);
    span
}

/// The line of a span with these members.
fn line(members: Value) -> Value {
    let [line] = lines(&request(&[span(members)])).try_into().unwrap();
    line.unwrap()
}

#[test]
fn span_is_a_line_with_all_of_it() {
    let members = json!({
        "parentSpanId": "00F067AA0BA902B8", "kind": 2, "traceState": "a=b",
        "status": { "code": 2, "message": "no such cart" },
        "attributes": [
            attribute("http.response.status_code", json!({ "intValue": "502" })),
            attribute("cloudflare.ray_id", json!({ "stringValue": "9E3556D8C2AB1C05-HKG" })),
            attribute("ratio", json!({ "doubleValue": 1 })), attribute("hot", json!({ "boolValue": false })),
            attribute("odd", json!({ "doubleValue": "NaN" })), attribute("bytes", json!({ "bytesValue": "AQI=" })),
            attribute("list", json!({ "arrayValue": { "values": [{ "intValue": -1 }, {}] } })),
            attribute("pairs", json!({ "kvlistValue": { "values": [attribute("a", json!({ "stringValue": "b" }))] } })),
        ],
        "events": [{ "timeUnixNano": "1774687345000000002", "name": "exception" }],
        "links": [{ "traceId": TRACE.to_uppercase(), "spanId": "00f067aa0ba902b9", "flags": 1 }],
        "droppedEventsCount": 3, "unknown": [1],
    });
    let expected = json!({
        "RayID": RAY.to_string(), "TraceID": TRACE, "SpanID": "00f067aa0ba902b7", "ParentSpanID": "00f067aa0ba902b8",
        "SpanName": "GET /", "SpanKind": "server", "SpanTraceState": "a=b", "SpanStatus": "error",
        "SpanStatusMessage": "no such cart", "SpanStartTimestamp": 1_774_687_345_000_000_001_u64,
        "SpanEndTimestamp": 1_774_687_345_200_000_001_u64, "SpanDropped": 3, "ServiceName": "shop", "ScopeName": "lib",
        "ScopeVersion": "1.2", "ResourceAttributes": { "service.name": "shop" },
        "SpanAttributes": {
            "http.response.status_code": 502, "cloudflare.ray_id": "9E3556D8C2AB1C05-HKG", "ratio": 1.0, "hot": false,
            "odd": "NaN", "bytes": "AQI=", "list": [-1, null], "pairs": { "a": "b" },
        },
        "SpanEvents": [{ "Name": "exception", "Timestamp": 1_774_687_345_000_000_002_u64 }],
        "SpanLinks": [{ "TraceID": TRACE, "SpanID": "00f067aa0ba902b9" }],
    });
    assert_eq!(line(members), expected);
    let fields = Dataset::Traces.spec().fields;
    for name in expected.as_object().unwrap().keys() {
        assert!(fields.contains(&name.as_str()), "{name}");
    }
    assert_eq!(
        fields.len(),
        expected.as_object().unwrap().len() + 3,
        "all but ScopeAttributes, SpanHost and SpanSenderZone"
    );
}

#[test]
fn schema_names_are_read_like_json_names() {
    let members = json!({
        "parentSpanId": "00f067aa0ba902b8", "kind": 2, "status": { "code": 2 }, "droppedAttributesCount": 1,
        "attributes": [
            attribute("snake_case", json!({ "intValue": "-9223372036854775808" })),
            attribute("list", json!({ "arrayValue": { "values": [{ "boolValue": true }] } })),
            attribute("pairs", json!({ "kvlistValue": { "values": [attribute("a_b", json!({ "doubleValue": 1 }))] } })),
            attribute("whole", json!({ "intValue": 1e3 })),
        ],
        "events": [{ "timeUnixNano": "1774687345000000002", "name": "exception" }],
        "links": [{ "traceId": TRACE, "spanId": "00f067aa0ba902b9" }],
    });
    let sent = request(&[span(members)]);
    let mut text = sent.to_string();
    for (name, of_schema) in [
        ("resourceSpans", "resource_spans"),
        ("scopeSpans", "scope_spans"),
        ("traceId", "trace_id"),
        ("spanId", "span_id"),
        ("parentSpanId", "parent_span_id"),
        ("startTimeUnixNano", "start_time_unix_nano"),
        ("endTimeUnixNano", "end_time_unix_nano"),
        ("timeUnixNano", "time_unix_nano"),
        ("droppedAttributesCount", "dropped_attributes_count"),
        ("stringValue", "string_value"),
        ("intValue", "int_value"),
        ("boolValue", "bool_value"),
        ("doubleValue", "double_value"),
        ("arrayValue", "array_value"),
        ("kvlistValue", "kvlist_value"),
    ] {
        text = text.replace(&format!("\"{name}\""), &format!("\"{of_schema}\""));
    }
    let [line] = lines(&sent).try_into().unwrap();
    let line = line.unwrap();
    assert_eq!(
        line["SpanAttributes"],
        json!({
            "snake_case": i64::MIN, "list": [true], "pairs": { "a_b": 1.0 }, "whole": 1_000,
        })
    );
    assert_eq!(read(ExportForm::Json, text.as_bytes()), Ok(vec![Ok(line)]));
    // Of both names that of JSON counts.
    let both = span(json!({ "trace_id": "1".repeat(32) }));
    assert_eq!(lines(&request(&[both])).remove(0).unwrap()["TraceID"], TRACE);
}

#[test]
fn ray_of_a_trace_is_its_roots() {
    let with_ray = |id: &str, parent: &str, ray: &str| {
        let attributes = [attribute("cloudflare.ray_id", json!({ "stringValue": ray }))];
        span(json!({ "spanId": id, "parentSpanId": parent, "attributes": attributes }))
    };
    let other = "9e3556d9016f11d2";
    let bare = span(json!({ "spanId": "00f067aa0ba902c0", "parentSpanId": "00f067aa0ba902b7" }));
    let (root, child) =
        (with_ray("00f067aa0ba902b7", "", &RAY.to_string()), with_ray("00f067aa0ba902b8", "00f067aa0ba902b7", other));
    let rays = |spans: &[Value]| -> Vec<Value> {
        lines(&request(spans)).into_iter().map(|line| line.unwrap()["RayID"].take()).collect()
    };
    let ray = json!(RAY.to_string());
    assert_eq!(rays(&[bare.clone(), child.clone(), root]), [ray.clone(), ray.clone(), ray.clone()]);
    assert_eq!(rays(&[child, bare.clone()]), [json!(other), json!(other)]);
    assert_eq!(rays(&[bare]), [Value::Null]);
    assert_eq!(rays(&[with_ray("00f067aa0ba902b7", "", "no ray")]), [Value::Null]);
    let header = json!([attribute(
        "http.request.header.cf-ray",
        json!({ "arrayValue": { "values": [{ "stringValue": RAY.to_string() }] } })
    )]);
    assert_eq!(line(json!({ "attributes": header }))["RayID"], ray);
    // A trace ID with zeros before it is a ray, if it has the time of the span.
    let padded = format!("{:0>32}", RAY.to_string());
    assert_eq!(line(json!({ "traceId": padded }))["RayID"], ray);
    assert_eq!(line(json!({ "traceId": "00000000000000001e3556d8c2ab1c05" }))["RayID"], Value::Null);
}

#[test]
fn host_is_that_of_the_request() {
    let host = |name: &str, value: &str, kind: u8, parent: &str| {
        let attributes = [attribute(name, json!({ "stringValue": value }))];
        line(json!({ "attributes": attributes, "kind": kind, "parentSpanId": parent }))["SpanHost"].take()
    };
    assert_eq!(host("server.address", "a.example", 2, "00f067aa0ba902b8"), "a.example");
    assert_eq!(host("url.full", "https://a.example:8443/x", 1, ""), "a.example");
    assert_eq!(host("server.address", "api.example", 3, "00f067aa0ba902b8"), Value::Null, "where a client asks");
    assert_eq!(host("server.address", &"a".repeat(300), 2, ""), Value::Null);
}

#[test]
fn secrets_do_not_reach_the_line() {
    let texts = [
        ("http.request.header.authorization", "Bearer canary-canary"),
        ("http.request.header.cookie", "a=canary"),
        ("url.full", "https://a.example/x?token=canary&page=2"),
        ("url.query", "password=canary"),
        ("db.password", "canary"),
        ("note", "Authorization: Bearer canary-canary"),
        ("payload", r#"{"password":"canary"}"#),
    ];
    let attributes: Vec<Value> =
        texts.iter().map(|(key, text)| attribute(key, json!({ "stringValue": text }))).collect();
    let list = attribute(
        "headers",
        json!({ "arrayValue": { "values": [{ "stringValue": "token" }, { "stringValue": "canary" }] } }),
    );
    let with_list = [attributes.clone(), vec![list]].concat();
    let members = json!({
        "name": "GET /?token=canary", "status": { "code": 2, "message": "token: canary" }, "traceState": "token=canary",
        "attributes": with_list,
        "events": [{ "name": "password=canary", "attributes": attributes }],
        "links": [{ "traceId": TRACE, "spanId": "00f067aa0ba902b9", "attributes": attributes }],
    });
    let mut sent = request(&[span(members)]);
    sent["resourceSpans"][0]["resource"]["attributes"] = json!(attributes);
    sent["resourceSpans"][0]["scopeSpans"][0]["scope"]["attributes"] = json!(attributes);
    let [line] = lines(&sent).try_into().unwrap();
    let text = line.unwrap().to_string();
    assert!(!text.contains("canary"), "{text}");
    assert!(text.contains("page=2") && text.contains("[redacted]"), "{text}");
}

#[test]
fn attributes_of_conventions_stay() {
    let words = ["docker", "run", "-p", "8080:80"].map(|word| json!({ "stringValue": word }));
    let attributes = [
        attribute("gen_ai.usage.input_tokens", json!({ "intValue": "812" })),
        attribute("gen_ai.request.max_tokens", json!({ "stringValue": "4096" })),
        attribute("gen_ai.token.type", json!({ "stringValue": "input" })),
        attribute("db.response.status_code", json!({ "stringValue": "08P01" })),
        attribute("messaging.kafka.message.key", json!({ "stringValue": "cart-7" })),
        attribute("session.id", json!({ "stringValue": "00112233-4455-6677" })),
        attribute("code.function.name", json!({ "stringValue": "login" })),
        attribute("code.stacktrace", json!({ "stringValue": "at login (a.js:7)" })),
        attribute("jvm.thread.state", json!({ "stringValue": "runnable" })),
        attribute("messaging.gcp_pubsub.message.ordering_key", json!({ "stringValue": "cart-7" })),
        attribute("key", json!({ "stringValue": "ArrowDown" })),
        attribute("code", json!({ "intValue": "404" })),
        attribute("process.command_args", json!({ "arrayValue": { "values": words } })),
    ];
    let text = line(json!({ "attributes": attributes })).to_string();
    assert!(!text.contains("[redacted]"), "{text}");
}

#[test]
fn span_that_cannot_be_kept_is_rejected_alone() {
    let deep = (0..200).fold(json!({ "stringValue": "x" }), |inner, _| json!({ "arrayValue": { "values": [inner] } }));
    let many: Vec<Value> = (0..5_000).map(|_| json!({})).collect();
    for (members, fault) in [
        (json!({ "traceId": "4bf9" }), SpanFault::Ids),
        (json!({ "traceId": "0".repeat(32) }), SpanFault::Ids),
        (json!({ "traceId": 7 }), SpanFault::Ids),
        (json!({ "spanId": "0000000000000000" }), SpanFault::Ids),
        (json!({ "spanId": "00f067aa0ba902bg" }), SpanFault::Ids),
        (json!({ "spanId": null }), SpanFault::Ids),
        (json!({ "parentSpanId": "00f067" }), SpanFault::Ids),
        (json!({ "startTimeUnixNano": "x" }), SpanFault::Times),
        (json!({ "startTimeUnixNano": 0 }), SpanFault::Times),
        (json!({ "startTimeUnixNano": -1 }), SpanFault::Times),
        (json!({ "startTimeUnixNano": 1.5 }), SpanFault::Times),
        (json!({ "endTimeUnixNano": null }), SpanFault::Times),
        (json!({ "endTimeUnixNano": u64::MAX.to_string() }), SpanFault::Times),
        (json!({ "attributes": [attribute("n", json!({ "intValue": "9223372036854775808" }))] }), SpanFault::Integer),
        (json!({ "attributes": [attribute("n", json!({ "intValue": 1e19 }))] }), SpanFault::Integer),
        (json!({ "attributes": [attribute("n", json!({ "intValue": 0.5 }))] }), SpanFault::Integer),
        (json!({ "links": [{ "attributes": [attribute("n", json!({ "intValue": "x" }))] }] }), SpanFault::Integer),
        (json!({ "events": [{ "timeUnixNano": "18446744073709551616" }] }), SpanFault::Integer),
        (json!({ "droppedEventsCount": -1 }), SpanFault::Integer),
        (json!({ "name": "x".repeat(TRACE_SPAN_BYTES) }), SpanFault::TooLarge),
        (json!({ "events": many }), SpanFault::TooLarge),
        (json!({ "attributes": [attribute("deep", deep)] }), SpanFault::TooLarge),
    ] {
        let good = span(json!({}));
        let found = lines(&request(&[good.clone(), span(members.clone()), good]));
        assert_eq!(
            found.iter().map(|line| line.as_ref().err()).collect::<Vec<_>>(),
            [None, Some(&fault), None],
            "{members:.200}"
        );
    }
    for (text, fault) in [
        ("7", SpanFault::Ids),
        ("null", SpanFault::Ids),
        ("[]", SpanFault::Ids),
        (r#"{"name":"\ud800"}"#, SpanFault::Ids),
        (r#"{"kind":1e999}"#, SpanFault::Number),
    ] {
        let mut body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{text}]}}]}}]}}"#).into_bytes();
        repair_halves(&mut body);
        assert_eq!(read(ExportForm::Json, &body), Ok(vec![Err(fault)]), "{text}");
    }
}

#[test]
fn parts_beyond_a_bound_are_dropped_and_counted() {
    let many = |count: usize| -> Vec<Value> {
        (0..count).map(|number| attribute(&format!("n{number}"), json!({ "intValue": number }))).collect()
    };
    let found = line(json!({ "attributes": many(TRACE_ATTRIBUTES + 7) }));
    assert_eq!(
        (found["SpanAttributes"].as_object().map(Map::len), &found["SpanDropped"]),
        (Some(TRACE_ATTRIBUTES), &json!(7))
    );
    let parts = vec![json!({ "name": "e" }); TRACE_PARTS + 2];
    let found = line(json!({ "events": parts, "droppedAttributesCount": 1 }));
    assert_eq!((found["SpanEvents"].as_array().map(Vec::len), &found["SpanDropped"]), (Some(TRACE_PARTS), &json!(3)));
    let found = line(
        json!({ "name": "ä".repeat(TRACE_TEXT_BYTES), "attributes": [attribute(&"k".repeat(300), json!({ "boolValue": true }))] }),
    );
    assert_eq!((found["SpanName"].as_str().map(str::len), &found["SpanDropped"]), (Some(TRACE_TEXT_BYTES), &json!(2)));
    let deep =
        (0..TRACE_DEPTH + 2).fold(json!({ "intValue": 1 }), |inner, _| json!({ "arrayValue": { "values": [inner] } }));
    assert_eq!(line(json!({ "attributes": [attribute("deep", deep)] }))["SpanDropped"], 1);
}

#[test]
fn secret_at_the_cut_is_taken_out() {
    let is_kept = |text: &str| {
        let found = line(json!({ "name": text, "attributes": [attribute("note", json!({ "stringValue": text }))] }));
        found.to_string().contains("canar")
    };
    let before = "x ".repeat(TRACE_TEXT_BYTES / 2);
    for secret in ["bob:canary@db.internal", "postgres://bob:canary@db/x", "token=canary", "--password canary"] {
        for at in 0..secret.len() {
            let text = format!("{}{secret} {before}", before.get(..TRACE_TEXT_BYTES - at).unwrap());
            assert!(!is_kept(&text), "{secret} at {at}");
        }
    }
    // Nor is a mark that the cut parts taken for a value.
    for (name, at) in ["password%3Dx", "password&#61;x", "password=x", "password\\u003dx"]
        .iter()
        .flat_map(|name| (0..30).map(move |at| (name, at)))
    {
        let text = format!("{} {name} {before}", "x".repeat(TRACE_TEXT_BYTES - at));
        let found = line(json!({ "name": text }));
        let kept = found["SpanName"].as_str().unwrap();
        assert!(kept.len() <= TRACE_TEXT_BYTES && !kept.contains("[redacted["), "{name} at {at}: {}", kept.len());
        assert!(!kept.contains("[r") || kept.contains("[redacted]"), "{name} at {at}");
    }
    // The name of a secret that is behind the cut counts as well.
    let pad = "z".repeat(TRACE_TEXT_BYTES);
    assert!(!is_kept(&format!(r#"{{"value":"canary","pad":"{pad}","name":"password"}}"#)));
    assert!(is_kept("canary"), "the test sees what is kept");
}

#[test]
fn body_that_is_no_request_is_refused_whole() {
    for body in [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}x",
        "\"a\"",
        r#"{"resourceSpans":7}"#,
        r#"{"resourceSpans":[7]}"#,
        r#"{"resourceSpans":[{"scopeSpans":{}}]}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":"x"}]}]}"#,
        "\u{0}",
    ] {
        assert_eq!(read(ExportForm::Json, body.as_bytes()), Err(MalformedExport), "{body}");
    }
    assert_eq!(read(ExportForm::Json, b"{\"a\":\"\xff\"}"), Err(MalformedExport));
    for body in [
        &[0x0a, 2, 0x12][..],
        &[0x0a, 4, 0x12, 2, 0x12, 9],
        &[0x08, 1],
        &[0xff; 20],
        &[0x0a, 6, 0x12, 4, 0x12, 2, 0x08, 1],
    ] {
        assert_eq!(read(ExportForm::Protobuf, body), Err(MalformedExport), "{body:?}");
    }
    for body in ["{}", r#"{"resourceSpans":[]}"#, r#"{"resourceSpans":null,"x":[{}]}"#, r#"{"resourceSpans":[{}]}"#] {
        assert_eq!(read(ExportForm::Json, body.as_bytes()), Ok(Vec::new()), "{body}");
    }
    assert_eq!(read(ExportForm::Protobuf, b""), Ok(Vec::new()));
    // A field of a later version.
    assert_eq!(read(ExportForm::Protobuf, &[0x0a, 0, 0x7a, 1, 7]), Ok(Vec::new()));
}
