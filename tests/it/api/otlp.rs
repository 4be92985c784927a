//! `format=otlp`: the tree of requests that a ray is in, as a trace.

use prost::Message;
use raydex::limits::CALLER_SHARES;
use raydex::memory::MemoryBudget;
use raydex::otlp::OtlpTrace;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::access::{deployment, rule};
use super::plant::Places;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::{Ask, Canary, Random, Reply, header, json as body, problem};

/// The reply to a caller whose role is the token.
pub(super) fn get(fakes: &Fakes, token: &str, path: &str, accept: &str) -> Reply {
    let roles = ["viewer", "support", "forensics"].map(|role| rule(role, &json!({ "role": role })));
    let zone = rule("zone", &json!({ "zones": ["a.example"] }));
    let callers = deployment(&roles.into_iter().chain([zone]).collect::<Vec<_>>());
    Ask::get(path).by(token).accept(accept).of_deployment(fakes, &Ok(callers))
}

fn path(number: u64) -> String {
    format!("/v1/rays/{}?format=otlp", ray(number))
}

fn record(number: u64, parent: Option<u64>, zone: &str) -> String {
    let begin = 1_774_687_330_000_000_000 + number * 1_000_000;
    json!({
        "RayID": ray(number).to_string(), "ParentRayID": parent.map_or("00".into(), |of| ray(of).to_string()),
        "ZoneName": zone, "ClientIP": "192.0.2.77", "ClientRequestHost": zone, "ClientRequestURI": format!("/{number}"),
        "EdgeStartTimestamp": begin, "EdgeEndTimestamp": begin + 9_000_000, "EdgeTimeToFirstByteMs": 7,
        "EdgeResponseStatus": 200, "OriginIP": "198.51.100.9", "OriginResponseDurationMs": 5,
    })
    .to_string()
}

/// A family in several batches: 1 caused 2 and 3, 2 caused 4; 3 is of another zone. Of ray 1 there is also an event.
pub(super) fn family() -> Fakes {
    let fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(4, Some(2), "a.example")]));
    fakes.index("logs/b", Dataset::HttpRequests, &ndjson([record(2, Some(1), "a.example")]));
    let others = [record(3, Some(1), "b.example"), record(1, None, "a.example"), record(9, None, "a.example")];
    fakes.index("logs/c", Dataset::HttpRequests, &ndjson(others));
    let event = format!(r#"{{"RayID":"{}","Action":"block"}}"#, ray(1));
    fakes.index("logs/firewall_events/d", Dataset::FirewallEvents, &ndjson([event]));
    fakes
}

/// The spans of a trace in JSON.
pub(super) fn spans(resource_spans: &Value) -> Vec<Value> {
    let resources = resource_spans.as_array().unwrap().iter();
    resources.flat_map(|resource| resource["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
}

/// The numbers of the rays that are spans, in the order of the trace.
pub(super) fn rays(resource_spans: &Value) -> Vec<u64> {
    let all: Vec<String> = (1..10).map(|number| ray(number).to_string()).collect();
    let number = |span: &Value| all.iter().position(|ray| span["spanId"] == json!(ray)).map(|place| place as u64 + 1);
    spans(resource_spans).iter().filter_map(number).collect()
}

fn trace(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    body(reply)["resourceSpans"].take()
}

#[test]
fn trace_is_the_same_from_each_ray() {
    let fakes = family();
    let whole = trace(&get(&fakes, "forensics", &path(1), ""));
    assert_eq!(rays(&whole), [1, 2, 4, 3]);
    for number in [2, 3, 4] {
        assert_eq!(trace(&get(&fakes, "forensics", &path(number), "")), whole, "{number}");
    }
    let id = format!("{:0>32}", ray(1).to_string());
    for span in spans(&whole) {
        assert_eq!(span["traceId"], json!(id));
    }
    let parents: Vec<_> =
        spans(&whole).iter().filter(|span| span["name"].as_str().unwrap().contains('/')).cloned().collect();
    let parent = |place: usize| parents[place].get("parentSpanId").map(|parent| parent.as_str().unwrap().to_owned());
    assert_eq!(
        [parent(0), parent(1), parent(2), parent(3)],
        [None, Some(1), Some(2), Some(1)].map(|of| of.map(|of| ray(of).to_string()))
    );
    assert_eq!(parents[0]["events"][0]["name"], "firewall block");
    assert_eq!(rays(&trace(&get(&fakes, "zone", &path(4), ""))), [1, 2, 4], "another zone's ray does not exist");
}

#[test]
fn protobuf_and_json_are_the_same_trace() {
    let fakes = family();
    for role in ["viewer", "support", "forensics"] {
        let written = trace(&get(&fakes, role, &path(1), "application/json"));
        for accept in ["application/x-protobuf", "application/protobuf", "application/json;q=0.5, application/protobuf"]
        {
            let reply = get(&fakes, role, &path(1), accept);
            assert_eq!(header(&reply, "content-type"), Some("application/x-protobuf"));
            let decoded = OtlpTrace::decode(&*reply.body).unwrap();
            assert_eq!(serde_json::to_value(&decoded).unwrap()["resourceSpans"], written, "{role}");
            assert_eq!(decoded.encode_to_vec(), reply.body, "bytes are deterministic");
        }
    }
}

#[test]
fn root_without_a_record_keeps_the_trace_together() {
    let fakes = Fakes::new();
    fakes.index(
        "logs/a",
        Dataset::HttpRequests,
        &ndjson([record(2, Some(1), "a.example"), record(3, Some(2), "a.example")]),
    );
    for number in [2, 3] {
        let found = trace(&get(&fakes, "forensics", &path(number), ""));
        assert_eq!(rays(&found), [2, 3], "{number}");
        assert!(spans(&found).iter().all(|span| span["traceId"] == json!(format!("{:0>32}", ray(1).to_string()))));
    }
}

#[test]
fn pages_of_a_trace_add_up_to_it() {
    let fakes = family();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let reply = get(&fakes, "forensics", &format!("{}&limit=1{cursor}", path(4)), "");
        found.extend(rays(&trace(&reply)));
        let Some(next) = header(&reply, "raydex-next-cursor") else { break };
        assert_eq!(header(&reply, "raydex-truncated"), Some("true"));
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, [1, 2, 4, 3]);
    let other = get(&fakes, "forensics", &format!("{}&limit=1{cursor}", path(9)), "");
    assert_eq!(problem(&other), (400, "bad_cursor".into()), "a cursor of another tree");
}

#[test]
fn parameters_beside_a_trace_are_refused() {
    for query in ["fields=RayID", "timestamps=unix", "parts=tree", "subrequests=none", "depth=1"] {
        let reply = get(&family(), "forensics", &format!("{}&{query}", path(1)), "");
        assert_eq!(problem(&reply), (400, "bad_parameter".into()), "{query}");
    }
    let unknown = get(&Fakes::new(), "forensics", &path(1), "");
    assert_eq!(problem(&unknown), (404, "ray_not_found".into()));
}

#[test]
fn no_role_gets_more_than_it_sees() {
    let mut random = Random::new(0x071b);
    let (mut hidden, mut seen) = (0, 0);
    for _ in 0..4 {
        let canary = Canary::draw(&mut random);
        let (fakes, mut numbers) = (Fakes::new(), 0..);
        let mut planted = Vec::new();
        for (dataset, _, line) in Places::of(&canary, &mut random) {
            let Ok(Value::Object(mut record)) = serde_json::from_str(&line) else { continue };
            let number = numbers.next().unwrap();
            if !dataset.has_ray() {
                continue;
            }
            if dataset == Dataset::WorkersTraceEvents {
                if let Some(event) = record.get_mut("Event").and_then(Value::as_object_mut) {
                    event.insert("RayID".into(), ray(number).to_string().into());
                }
            } else {
                record.insert("RayID".into(), ray(number).to_string().into());
            }
            let key = format!("logs/{dataset}/{number}");
            fakes.index(&key, dataset, &ndjson([Value::Object(record).to_string()]));
            planted.push(number);
        }
        for number in planted.into_iter().step_by(5) {
            for accept in ["application/json", "application/protobuf"] {
                let [viewer, support, forensics] =
                    ["viewer", "support", "forensics"].map(|role| get(&fakes, role, &path(number), accept));
                for reply in [&viewer, &support] {
                    let text = format!("{}\n{:?}", String::from_utf8_lossy(&reply.body), reply.headers);
                    assert!(!canary.is_in(&text), "{canary:?} {number}: {text}");
                }
                hidden += 1;
                seen += usize::from(canary.is_in(&String::from_utf8_lossy(&forensics.body)));
            }
        }
    }
    assert!(hidden > 100 && seen * 3 > hidden, "{hidden} compared, {seen} seen by forensics");
}

#[test]
fn long_records_take_reserved_memory_alone() {
    let long = "語".repeat(50_000);
    let many: serde_json::Map<String, Value> =
        (0..5_000).map(|number| (format!("x{number}"), json!(["a", 1]))).collect();
    let line = json!({ "RayID": ray(1).to_string(), "ClientRequestURI": format!("/?{long}"), "RequestHeaders": many });
    let mut fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([line.to_string()]));
    let (mut answered, mut refused) = (0, 0);
    for megabytes in 1..=24 {
        let bytes = CALLER_SHARES * (megabytes << 20);
        fakes.memory = MemoryBudget::new(bytes);
        let reply = Ask::get(&path(1)).of(&fakes);
        assert!(matches!(reply.status, 200 | 413 | 503), "{megabytes}: {}", reply.status);
        assert_eq!(fakes.memory.available(), bytes, "{megabytes}");
        *(if reply.status == 200 { &mut answered } else { &mut refused }) += 1;
    }
    assert!(answered > 2 && refused > 2, "{answered} answered, {refused} refused");
}
