//! Spans of records, member by member.

use serde_json::{Value, json};

use super::{RaySpanParts, SpanIds, SpanRecords};
use crate::limits::OTLP_PART_SPANS;
use crate::memory::{MemoryBudget, OutOfMemory};
use crate::record::{Dataset, RayId};

const ROOT: RayId = RayId::from_bits(0x9e35_56d8_c2ab_1c05);
const RAY: RayId = RayId::from_bits(0x9e35_56d9_016f_11d2);

/// The spans of a ray with these records, as JSON.
fn spans(parent: Option<RayId>, records: &[(Dataset, Value)]) -> Value {
    let budget = MemoryBudget::default();
    let texts: Vec<_> = records.iter().map(|(dataset, record)| (*dataset, record.to_string())).collect();
    let held = budget.reserve(texts.iter().map(|(_, text)| text.len()).sum()).unwrap();
    let mut ids = SpanIds::new(&budget);
    ids.claim(RAY).unwrap();
    let of_ray = SpanRecords { ray: RAY, parent, records: texts, held };
    let mut spans = RaySpanParts::new(ROOT, of_ray, &mut ids, &budget).unwrap();
    let mut parts = Vec::new();
    while let Some((made, room)) = spans.next_part().unwrap() {
        assert!(room.bytes() > serde_json::to_string(&made).unwrap().len() / 4);
        parts.extend(made);
    }
    serde_json::to_value(parts).unwrap()
}

/// The spans of a service.
fn of_service(made: &Value, service: &str) -> Vec<Value> {
    let name = json!([{"key": "service.name", "value": {"stringValue": service}}]);
    let of = made.as_array().unwrap().iter().filter(|resource| resource["resource"]["attributes"] == name);
    of.flat_map(|resource| resource["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
}

/// The attributes of a span or an event, by name.
fn attributes(span: &Value) -> serde_json::Map<String, Value> {
    let attributes = span["attributes"].as_array().into_iter().flatten();
    let named: Vec<_> = attributes
        .map(|one| {
            (
                one["key"].as_str().unwrap().to_owned(),
                one["value"].as_object().unwrap().values().next().unwrap().clone(),
            )
        })
        .collect();
    let map: serde_json::Map<_, _> = named.iter().cloned().collect();
    assert_eq!(map.len(), named.len(), "each name once");
    map
}

fn request() -> Value {
    json!({
        "RayID": RAY.to_string(), "ParentRayID": ROOT.to_string(), "ZoneName": "example.net", "ClientIP": "192.0.2.7",
        "ClientSrcPort": 51234, "ClientRequestMethod": "POST", "ClientRequestScheme": "https",
        "ClientRequestHost": "a.example.net:8443", "ClientRequestURI": "/pay?page=2", "ClientRequestPath": "/pay",
        "ClientRequestProtocol": "HTTP/2", "ClientRequestUserAgent": "curl/8", "ClientSSLProtocol": "TLSv1.3",
        "ClientRequestReferer": "", "EdgeResponseStatus": 502, "EdgeResponseBytes": "700", "BotScore": 0.5,
        "WorkerSubrequest": false, "SecurityActions": ["block", 7], "JA4Signals": {"h2h3_ratio_1h": 1},
        "RequestHeaders": {"Accept": ["a", "b"], "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        "ResponseHeaders": {"location": "/next", "x": null}, "Subrequests": [{"RayID": "x"}],
        "EdgeStartTimestamp": 1_774_687_345_000_000_001_u64, "EdgeEndTimestamp": 1_774_687_345_200_000_001_u64,
        "EdgeTimeToFirstByteMs": 150, "OriginDNSResponseTimeMs": 0, "OriginTCPHandshakeDurationMs": 15,
        "OriginTLSHandshakeDurationMs": 30, "OriginRequestHeaderSendDurationMs": 2,
        "OriginResponseHeaderReceiveDurationMs": 70, "OriginIP": "198.51.100.9",
    })
}

#[test]
fn request_is_a_span_with_its_steps() {
    let made = spans(Some(ROOT), &[(Dataset::HttpRequests, request())]);
    let own = of_service(&made, "a.example.net:8443");
    assert_eq!(
        own.iter().map(|span| span["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["POST /pay", "edge", "receive"]
    );
    let span = &own[0];
    assert_eq!(span["traceId"], format!("0000000000000000{ROOT}"));
    assert_eq!((&span["spanId"], &span["parentSpanId"]), (&json!(RAY.to_string()), &json!(ROOT.to_string())));
    assert_eq!((&span["kind"], &span["status"]), (&json!(2), &json!({"code": 2})));
    assert_eq!(span["startTimeUnixNano"], "1774687345000000001");
    assert_eq!(span["endTimeUnixNano"], "1774687345200000001");
    let link = json!([{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7"}]);
    assert_eq!(span["links"], link);
    let origin = of_service(&made, "origin");
    let steps: Vec<_> = origin.iter().map(|span| (span["name"].as_str().unwrap(), span["kind"].clone())).collect();
    assert_eq!(steps, [("connect", json!(3)), ("tls", json!(3)), ("send", json!(3)), ("wait", json!(3))]);
    assert!(own[1..].iter().chain(&origin).all(|step| step["parentSpanId"] == json!(RAY.to_string())));
    assert_eq!(attributes(&origin[0])["network.peer.address"], "198.51.100.9");
    let mut ids: Vec<_> = own.iter().chain(&origin).map(|span| span["spanId"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 7);
}

#[test]
fn attributes_follow_the_conventions_or_the_field() {
    let made = spans(Some(ROOT), &[(Dataset::HttpRequests, request())]);
    let found = attributes(&of_service(&made, "a.example.net:8443")[0]);
    for (key, value) in [
        ("cloudflare.ray_id", json!(RAY.to_string())),
        ("client.address", json!("192.0.2.7")),
        ("client.port", json!("51234")),
        ("http.request.method", json!("POST")),
        ("http.response.status_code", json!("502")),
        ("http.response.size", json!("700")),
        ("server.address", json!("a.example.net")),
        ("server.port", json!("8443")),
        ("url.scheme", json!("https")),
        ("url.path", json!("/pay")),
        ("url.query", json!("page=2")),
        ("user_agent.original", json!("curl/8")),
        ("network.protocol.name", json!("http")),
        ("network.protocol.version", json!("2")),
        ("tls.protocol.version", json!("1.3")),
        ("http.request.header.accept", json!({"values": [{"stringValue": "a"}, {"stringValue": "b"}]})),
        ("http.response.header.location", json!({"values": [{"stringValue": "/next"}]})),
        ("cloudflare.BotScore", json!(0.5)),
        ("cloudflare.WorkerSubrequest", json!(false)),
        ("cloudflare.ZoneName", json!("example.net")),
        ("cloudflare.SecurityActions", json!({"values": [{"stringValue": "block"}, {"intValue": "7"}]})),
        ("cloudflare.JA4Signals", json!("{\"h2h3_ratio_1h\":1}")),
        ("cloudflare.OriginTCPHandshakeDurationMs", json!("15")),
    ] {
        assert_eq!(found.get(key), Some(&value), "{key}");
    }
    for absent in
        ["cloudflare.RayID", "cloudflare.ClientRequestReferer", "cloudflare.Subrequests", "http.response.header.x"]
    {
        assert!(!found.contains_key(absent), "{absent}");
    }
}

#[test]
fn other_records_are_events_or_spans_below() {
    let worker = json!({
        "EventTimestampMs": 1_774_687_345_010_u64, "WallTimeMs": 25, "CPUTimeMs": 3, "ScriptName": "shop",
        "Outcome": "exception", "Event": {"RayID": RAY.to_string(), "Request": {"URL": "https://a.example/", "Method": "GET"},
        "Response": {"Status": 500}}, "Logs": [{"Level": "log", "Message": ["a", 1], "TimestampMs": 1_774_687_345_012_u64}],
        "Exceptions": [{"Name": "Error", "Message": "no such cart", "TimestampMs": 1_774_687_345_011_u64}],
    });
    let event =
        json!({"RayID": RAY.to_string(), "Action": "block", "Datetime": "2026-03-28T08:42:25Z", "RuleID": "r1"});
    let records = [
        (Dataset::FirewallEvents, event.clone()),
        (Dataset::WorkersTraceEvents, worker),
        (Dataset::HttpRequests, request()),
    ];
    let made = spans(None, &records);
    let own = &of_service(&made, "a.example.net:8443")[0];
    assert_eq!(own["events"][0]["name"], "firewall block");
    assert_eq!(attributes(&own["events"][0])["cloudflare.RuleID"], "r1");
    let [worker] = of_service(&made, "shop").try_into().unwrap();
    assert_eq!((&worker["name"], &worker["kind"]), (&json!("worker shop"), &json!(1)));
    assert_eq!(worker["parentSpanId"], json!(RAY.to_string()));
    assert_eq!(worker["status"], json!({"message": "Error: no such cart", "code": 2}));
    assert_eq!(worker["endTimeUnixNano"], "1774687345035000000");
    let names: Vec<_> = worker["events"].as_array().unwrap().iter().map(|event| event["name"].clone()).collect();
    assert_eq!(names, ["exception", "log"]);
    assert_eq!(attributes(&worker["events"][1])["log.message"], "[\"a\",1]");
    let found = attributes(&worker);
    assert_eq!((&found["faas.name"], &found["url.full"]), (&json!("shop"), &json!("https://a.example/")));
    assert_eq!((&found["http.response.status_code"], &found["cloudflare.CPUTimeMs"]), (&json!("500"), &json!("3")));
    // Without a record of the request, the event still has a span with the ray's ID.
    let alone = spans(None, &[(Dataset::FirewallEvents, event)]);
    let span = &of_service(&alone, "cloudflare")[0];
    assert_eq!((&span["spanId"], &span["events"][0]["name"]), (&json!(RAY.to_string()), &json!("firewall block")));
}

#[test]
fn span_that_does_not_fit_is_an_error() {
    let text = request().to_string();
    for bytes in [0, 1_000, 10_000] {
        let budget = MemoryBudget::new(bytes);
        let records = vec![(Dataset::HttpRequests, text.clone())];
        let of_ray = SpanRecords { ray: RAY, parent: None, records, held: budget.reservation() };
        let mut ids = SpanIds::new(&budget);
        let made = RaySpanParts::new(ROOT, of_ray, &mut ids, &budget).err();
        drop(ids);
        assert!(matches!(made, Some(OutOfMemory::Busy | OutOfMemory::TooLarge)), "{bytes}");
        assert_eq!(budget.available(), bytes);
    }
}

/// A span as an exporter's line has it.
fn exported(trace: &str, id: &str, parent: &str, service: &str, name: &str) -> (Dataset, Value) {
    let record = json!({
        "RayID": RAY.to_string(), "TraceID": trace, "SpanID": id, "ParentSpanID": parent, "ServiceName": service,
        "SpanName": name, "SpanStartTimestamp": 1_774_687_345_000_000_001_u64,
        "SpanEndTimestamp": 1_774_687_345_200_000_001_u64,
    });
    (Dataset::Traces, record)
}

/// The IDs of all spans and of their parents, by name.
fn family(made: &Value) -> std::collections::BTreeMap<String, (String, String)> {
    let spans = made.as_array().unwrap().iter().flat_map(|of| of["scopeSpans"][0]["spans"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    spans.map(|span| (text(&span["name"]), (text(&span["spanId"]), text(&span["parentSpanId"])))).collect()
}

#[test]
fn equal_span_ids_become_distinct() {
    let (one, other) = ("4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736");
    let (x, y, ray) = ("00000000000000aa", "00000000000000bb", RAY.to_string());
    let mut records = vec![
        (Dataset::HttpRequests, request()),
        exported(one, x, "", "a", "x of one"),
        exported(one, y, x, "a", "y of one"),
        exported(other, x, "", "a", "x of other"),
        exported(other, y, x, "a", "y of other"),
        // The server has the ID of the client, as in systems that share it.
        exported(one, y, x, "b", "y of b"),
        exported(one, "00000000000000cc", y, "b", "below y of b"),
        exported(one, "00000000000000dd", y, "c", "below y"),
        exported(other, &ray, x, "a", "has the ray"),
        exported(other, "00000000000000ee", &ray, "a", "below that"),
        exported(one, "00000000000000ff", &ray, "a", "below the request"),
        exported(one, "0000000000000011", "0000000000000011", "a", "its own parent"),
    ];
    let made = spans(Some(ROOT), &records);
    let found = family(&made);
    let id = |name: &str| found[name].0.clone();
    for (name, parent) in [
        ("x of one", ray.clone()),
        ("x of other", ray.clone()),
        ("y of one", id("x of one")),
        ("y of other", id("x of other")),
        ("y of b", id("x of one")),
        ("below y of b", id("y of b")),
        ("below y", id("y of one")),
        ("has the ray", id("x of other")),
        ("below that", id("has the ray")),
        ("below the request", ray.clone()),
        ("its own parent", ray.clone()),
    ] {
        assert_eq!(found[name].1, parent, "{name}");
    }
    assert_eq!((id("x of one"), id("y of one")), (x.to_owned(), y.to_owned()));
    assert_eq!(id("POST /pay"), ray);
    let ids: std::collections::BTreeSet<_> = found.values().map(|(id, _)| id).collect();
    assert_eq!((ids.len(), found.len()), (records.len() + 6, records.len() + 6), "each is there once, with its own ID");
    // What was sent again, with the host that another request named.
    let mut again = records[1].clone();
    again.1["SpanHost"] = json!("a.example");
    records.push(again);
    assert_eq!(spans(Some(ROOT), &records), made);
}

#[test]
fn circles_of_parents_begin_with_the_first_span() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let id = |number: usize| format!("{number:016x}");
    // Of each circle the last one begins first; one span is below it, and began before all.
    for length in 1..6 {
        let mut records: Vec<_> = (1..=length)
            .map(|number| exported(trace, &id(number), &id(number % length + 1), "a", &format!("{number}")))
            .collect();
        records.push(exported(trace, &id(99), &id(1), "a", "below"));
        for (nth, (_, record)) in records.iter_mut().enumerate() {
            let start = 1_774_687_345_000_000_000_u64 - 1_000 * nth as u64;
            record["SpanStartTimestamp"] = json!(start);
        }
        let ray = RAY.to_string();
        let found = family(&spans(None, &records));
        assert_eq!(found.len(), length + 1, "each is there once");
        assert_eq!(found[&length.to_string()].1, ray, "{length}");
        for number in 1..length {
            assert_eq!(found[&number.to_string()].1, id(number + 1), "{length}");
        }
        assert_eq!(found["below"].1, id(1));
    }
}

#[test]
fn spans_are_made_part_by_part() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let last = 2 * OTLP_PART_SPANS + 1;
    // Each is below the next one, which is in another part at times.
    let of = |number: usize| {
        let parent = if number < last { format!("{:016x}", number + 1) } else { String::new() };
        exported(trace, &format!("{number:016x}"), &parent, "a", &number.to_string())
    };
    let mut records: Vec<_> = (1..=last).map(of).collect();
    records.push((Dataset::HttpRequests, request()));
    let made = spans(None, &records);
    let parts =
        made.as_array().unwrap().iter().filter(|of| of["resource"]["attributes"][0]["value"]["stringValue"] == "a");
    assert_eq!(parts.count(), 3);
    let found = family(&made);
    assert_eq!(found.len(), last + 7);
    assert!((1..last).all(|number| found[&number.to_string()].1 == format!("{:016x}", number + 1)));
    assert_eq!(found[&last.to_string()].1, RAY.to_string());
}
