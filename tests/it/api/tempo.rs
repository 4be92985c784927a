//! Tempo's API: traces by ID, searches and tags, as Grafana's data source asks for them.

use prost::Message;
use raydex::otlp::OtlpTrace;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::audit::entries;
use super::otlp::{family, get, rays, spans};
use super::plant::Places;
use super::support::records::{ndjson, ray};
use super::support::{Fakes, NOW_MS};
use super::{Ask, Canary, Random, Reply, header, json as body};

const PROTOBUF: &str = "application/protobuf";
const RANGE: &str = "start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";

fn encoded(query: &str) -> String {
    percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn text(reply: &Reply) -> String {
    assert_eq!(header(reply, "content-type"), Some("text/plain; charset=utf-8"));
    String::from_utf8(reply.body.clone()).unwrap()
}

/// The fields of a message in protobuf: number and bytes, or the number that is its value.
fn fields(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = prost::encoding::decode_varint(&mut bytes).unwrap();
        let length = prost::encoding::decode_varint(&mut bytes).unwrap();
        let number = u32::try_from(key >> 3).unwrap();
        if key.is_multiple_of(8) {
            found.push((number, length.to_le_bytes().to_vec()));
        } else {
            let (field, rest) = bytes.split_at(usize::try_from(length).unwrap());
            found.push((number, field.to_vec()));
            bytes = rest;
        }
    }
    found
}

/// Spans of OTLP's JSON as Tempo writes them: with the names of enumerations.
pub(super) fn named(resource_spans: &Value) -> Value {
    let kinds = ["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"].map(|name| format!("SPAN_KIND_{name}"));
    let codes = ["STATUS_CODE_OK", "STATUS_CODE_ERROR"].map(str::to_owned);
    let name = |number: &mut Value, names: &[String]| {
        *number = names[usize::try_from(number.as_u64().unwrap()).unwrap() - 1].clone().into();
    };
    let mut named = resource_spans.clone();
    for resource in named.as_array_mut().unwrap() {
        for span in resource["scopeSpans"][0]["spans"].as_array_mut().unwrap() {
            span.get_mut("kind").into_iter().for_each(|kind| name(kind, &kinds));
            span.get_mut("status")
                .and_then(|status| status.get_mut("code"))
                .into_iter()
                .for_each(|code| name(code, &codes));
        }
    }
    named
}

#[test]
fn trace_is_found_in_both_versions_and_forms() {
    let fakes = family();
    let whole =
        body(&get(&fakes, "forensics", &format!("/v1/rays/{}?format=otlp", ray(1)), ""))["resourceSpans"].take();
    for id in [format!("{:0>32}", ray(1).to_string()), ray(1).to_string().to_uppercase(), ray(4).to_string()] {
        let first = get(&fakes, "forensics", &format!("/tempo/api/traces/{id}"), "");
        assert_eq!(body(&first)["batches"], named(&whole), "{id}");
        let second =
            get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{id}?start=0&end=0&foo=1"), "application/json");
        assert_eq!(body(&second)["trace"]["resourceSpans"], named(&whole), "{id}");
        let first = get(&fakes, "forensics", &format!("/tempo/api/traces/{id}"), PROTOBUF);
        assert_eq!(header(&first, "content-type"), Some(PROTOBUF));
        let decoded = OtlpTrace::decode(&*first.body).unwrap();
        assert_eq!(serde_json::to_value(decoded).unwrap()["resourceSpans"], whole);
        let second = get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{id}"), PROTOBUF);
        assert_eq!(fields(&second.body)[0], (1, first.body), "{id}");
    }
    assert_eq!(rays(&whole), [1, 2, 4, 3]);
}

#[test]
fn trace_is_partial_while_batches_are_missing() {
    let fakes = family();
    let path = format!("/tempo/api/v2/traces/{}", ray(1));
    let asked = |caller: &str| body(&get(&fakes, caller, &path, ""));
    fakes.clock_ms.set(NOW_MS - 60_000);
    let young = asked("zone");
    assert_eq!(young["status"], "PARTIAL", "its ray is young: {young}");
    assert!(young["message"].as_str().unwrap().contains("younger than five minutes"), "{young}");
    fakes.clock_ms.set(NOW_MS + 3_600_000);
    assert_eq!((asked("zone")["status"].take(), asked("zone").get("message")), (json!("COMPLETE"), None));
    super::story::batch(
        &fakes,
        "logs/http_requests/20260328/20260328T084100Z_20260328T084300Z_x.log.gz",
        b"\x1f\x8bdamaged",
        None,
    );
    let missing = asked("forensics");
    assert_eq!(missing["status"], "PARTIAL", "{missing}");
    assert!(missing["message"].as_str().unwrap().contains("quarantined"), "{missing}");
    assert_eq!(asked("zone")["status"], "COMPLETE", "batches do not exist for it");
    let reply = get(&fakes, "forensics", &path, PROTOBUF);
    let found = fields(&reply.body);
    assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!((found[1].1[0], &found[2].1), (1, &missing["message"].as_str().unwrap().as_bytes().to_vec()));
}

#[test]
fn unknown_traces_are_explained_in_plain_words() {
    let fakes = family();
    for (path, status, words) in [
        (format!("/tempo/api/v2/traces/{}", ray(7)), 404, "Trace not found: "),
        ("/tempo/api/traces/4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), 404, "not a Ray ID"),
        (format!("/tempo/api/traces/4bf92f3577b34da6a3ce929d0e0e4736?{RANGE}"), 404, "traceparent"),
        ("/tempo/api/traces/what".to_owned(), 400, "not a trace ID"),
        ("/tempo/api/traces/0".to_owned(), 400, "not a trace ID"),
        ("/tempo/api/metrics/query_range".to_owned(), 404, "No route"),
        (format!("/tempo/api/search?q={}", encoded("{} | rate()")), 400, "after a pipe"),
        (format!("/tempo/api/search?q={}", encoded("{ span.cloudflare.Cookies = \"x\" }")), 403, "your role"),
        ("/tempo/api/search?minDuration=x".to_owned(), 400, "100ms"),
    ] {
        let reply = get(&fakes, "support", &path, PROTOBUF);
        assert_eq!(reply.status, status, "{path}");
        let text = text(&reply);
        assert!(text.contains(words) && text.ends_with(".\n"), "{path}: {text}");
    }
    let reply = Ask::get("/tempo/api/echo").by("wrong").of(&fakes);
    assert_eq!((reply.status, header(&reply, "www-authenticate")), (401, Some("Bearer")));
    assert_eq!(text(&get(&fakes, "viewer", "/tempo/api/echo", "")), "echo");
    assert!(body(&get(&fakes, "viewer", "/tempo/api/status/buildinfo", ""))["version"].is_string());
}

/// The names of the traces' roots and the number of requests that passed, of a search.
fn found(fakes: &Fakes, caller: &str, query: &str) -> Vec<(String, u64)> {
    let reply = get(fakes, caller, &format!("/tempo/api/search?{RANGE}&{query}"), "application/json");
    assert_eq!(reply.status, 200, "{query}: {}", String::from_utf8_lossy(&reply.body));
    let answer = body(&reply);
    let trace = |trace: &Value| {
        (trace["rootTraceName"].as_str().unwrap().to_owned(), trace["spanSets"][0]["matched"].as_u64().unwrap())
    };
    answer["traces"].as_array().unwrap().iter().map(trace).collect()
}

/// Requests at the times of their rays: 1 caused 2; 3 is slow, failed, and of another zone.
fn requests() -> Fakes {
    let fakes = Fakes::new();
    let record = |number: u64, parent: Option<u64>, zone: &str, status: u64, lasted_ms: u64| {
        let begin = u64::try_from(ray(number).unix_ms()).unwrap() * 1_000_000 + number * 1_000;
        json!({
            "RayID": ray(number).to_string(), "ParentRayID": parent.map_or("00".into(), |of| ray(of).to_string()),
            "ZoneName": zone, "ClientRequestHost": zone, "ClientRequestMethod": "GET",
            "ClientRequestURI": format!("/{number}?token=hunter2"), "ClientRequestPath": format!("/{number}"),
            "EdgeStartTimestamp": begin, "EdgeEndTimestamp": begin + lasted_ms * 1_000_000, "EdgeResponseStatus": status,
            "ClientRequestProtocol": "HTTP/2",
            "RequestHeaders": { "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
        })
        .to_string()
    };
    let lines = [
        record(1, None, "a.example", 200, 5),
        record(2, Some(1), "a.example", 404, 7),
        record(3, None, "b.example", 503, 3_000),
    ];
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson(lines));
    fakes
}

#[test]
fn search_finds_traces_by_their_requests() {
    let fakes = requests();
    let q = |query: &str| format!("q={}", encoded(query));
    let (family, slow) = (("GET /1".to_owned(), 2), ("GET /3".to_owned(), 1));
    assert_eq!(found(&fakes, "viewer", &q("{}")), [slow.clone(), family.clone()]);
    assert_eq!(found(&fakes, "viewer", ""), [slow.clone(), family.clone()]);
    assert_eq!(found(&fakes, "zone", &q("{}")), std::slice::from_ref(&family), "another zone's requests do not exist");
    for query in [
        "{ status = error }",
        "{ duration > 1s }",
        "{ resource.service.name = \"b.example\" }",
        "{ name = \"GET /3\" && span.http.response.status_code = 503 }",
    ] {
        assert_eq!(found(&fakes, "viewer", &q(query)), std::slice::from_ref(&slow), "{query}");
    }
    assert_eq!(found(&fakes, "viewer", "tags=http.status_code%3D503"), std::slice::from_ref(&slow));
    assert_eq!(found(&fakes, "viewer", "minDuration=1s&maxDuration=5s"), std::slice::from_ref(&slow));
    assert_eq!(found(&fakes, "viewer", &q("{ duration > 5s }")), []);
    assert_eq!(found(&fakes, "viewer", &q("{ span.url.path = \"/1\" }")), [("GET /1".to_owned(), 1)]);
    let reply = get(&fakes, "viewer", &format!("/tempo/api/search?{RANGE}&limit=1"), "");
    assert_eq!(header(&reply, "raydex-truncated"), Some("true"));
    let answer = body(&reply);
    assert_eq!((&answer["metrics"]["completedJobs"], answer["traces"].as_array().unwrap().len()), (&json!(0), 1));
    let id = answer["traces"][0]["traceID"].as_str().unwrap().to_owned();
    assert_eq!(get(&fakes, "viewer", &format!("/tempo/api/v2/traces/{id}"), "").status, 200);
}

#[test]
fn trace_of_another_system_is_found_by_header() {
    let fakes = requests();
    let path = format!("/tempo/api/v2/traces/4bf92f3577b34da6a3ce929d0e0e4736?{RANGE}");
    for caller in ["support", "forensics"] {
        let trace = body(&get(&fakes, caller, &path, ""))["trace"]["resourceSpans"].take();
        assert_eq!(rays(&trace), [1, 2], "{caller}");
        let link = spans(&trace)[0]["links"][0].clone();
        assert_eq!(
            (&link["traceId"], &link["spanId"]),
            (&json!("4bf92f3577b34da6a3ce929d0e0e4736"), &json!("00f067aa0ba902b7"))
        );
    }
    let reply = get(&fakes, "viewer", &path, "");
    assert_eq!(reply.status, 404, "it sees no header");
    let filter = json!({"where": {"key": "RequestHeaders.traceparent", "operator": "contains", "value": "4bf92f3577b34da6a3ce929d0e0e4736"}});
    let lines = |caller: &str| {
        let path = format!("/v1/logs?{RANGE}&format=native&filter={}", encoded(&filter.to_string()));
        super::without_trailer(&get(&fakes, caller, &path, "").body).split(|byte| *byte == b'\n').count() - 1
    };
    assert_eq!(["viewer", "support", "forensics"].map(lines), [0, 3, 3]);
}

#[test]
fn tags_are_those_that_the_caller_sees() {
    let fakes = requests();
    let names = body(&get(&fakes, "viewer", "/tempo/api/search/tags", ""))["tagNames"].take();
    let scopes = body(&get(&fakes, "viewer", "/tempo/api/v2/search/tags", ""))["scopes"].take();
    assert_eq!(
        scopes.as_array().unwrap().iter().map(|scope| scope["name"].clone()).collect::<Vec<_>>(),
        ["resource", "span", "intrinsic"]
    );
    assert!(names.as_array().unwrap().contains(&json!("http.response.status_code")));
    assert!(!names.to_string().contains("Cookies"), "no role but forensics sees any of them");
    let values = |caller: &str, tag: &str| {
        let reply = get(&fakes, caller, &format!("/tempo/api/v2/search/tag/{tag}/values?{RANGE}"), "");
        assert_eq!(reply.status, 200, "{tag}");
        body(&reply)["tagValues"].take()
    };
    let text = |value: &str| json!({"type": "string", "value": value});
    assert_eq!(values("viewer", "resource.service.name"), json!([text("a.example"), text("b.example")]));
    assert_eq!(values("zone", ".service.name"), json!([text("a.example")]));
    assert_eq!(values("viewer", "name"), json!([text("GET /1"), text("GET /2"), text("GET /3")]));
    assert_eq!(values("viewer", "span.http.response.status_code")[0], json!({"type": "int", "value": "200"}));
    assert_eq!(values("viewer", "network.protocol.version"), json!([text("2")]));
    assert_eq!(
        values("viewer", "status"),
        json!([{"type": "keyword", "value": "error"}, {"type": "keyword", "value": "unset"}])
    );
    for unknown in ["foo", "span.cloudflare.Cookies", "rootName"] {
        assert_eq!(values("viewer", unknown), json!([]), "{unknown}");
    }
    // Grafana encodes a name twice.
    let twice =
        get(&fakes, "viewer", &format!("/tempo/api/search/tag/resource%252Eservice%252Ename/values?{RANGE}"), "");
    assert_eq!(body(&twice)["tagValues"], json!(["a.example", "b.example"]));
    let filtered = format!("/tempo/api/search/tag/url.path/values?{RANGE}&q={}", encoded("{ status = error }"));
    assert_eq!(body(&get(&fakes, "viewer", &filtered, ""))["tagValues"], json!(["/3"]));
    let broken = format!("/tempo/api/search/tag/url.path/values?{RANGE}&limit=2&q={}", encoded("{ status = "));
    assert_eq!(body(&get(&fakes, "viewer", &broken, ""))["tagValues"], json!(["/1", "/2"]));
}

#[test]
fn every_question_is_in_the_audit_log() {
    let fakes = requests();
    get(&fakes, "support", &format!("/tempo/api/v2/traces/{:0>32}", ray(1).to_string()), "");
    get(
        &fakes,
        "support",
        &format!("/tempo/api/search?{RANGE}&limit=7&q={}", encoded("{ .service.name=\"a.example\" && duration>1s }")),
        "",
    );
    get(&fakes, "support", &format!("/tempo/api/search/tag/url.path/values?{RANGE}"), "");
    let kept = entries(&fakes);
    let [trace, search, values] = kept.iter().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        (&trace["action"], &trace["resource"]),
        (&json!("GET /tempo/api/v2/traces/{trace}"), &json!(ray(1).to_string()))
    );
    let request = search["request"].to_string();
    assert!(
        request.contains("ClientRequestHost") && request.contains("duration>=1000000001ns") && request.contains('7'),
        "{request}"
    );
    assert_eq!(values["resource"], "url.path");
}

#[test]
fn no_door_shows_viewer_a_canary() {
    let mut random = Random::new(0x7e39);
    let mut asked = 0;
    for _ in 0..3 {
        let canary = Canary::draw(&mut random);
        let fakes = Fakes::new();
        let (mut lines, mut numbers) = (Vec::new(), Vec::new());
        for (dataset, _, line) in Places::of(&canary, &mut random) {
            let Ok(Value::Object(mut record)) = serde_json::from_str(&line) else { continue };
            if dataset == Dataset::HttpRequests {
                let number = lines.len() as u64;
                record.insert("RayID".into(), ray(number).to_string().into());
                let begin = u64::try_from(ray(number).unix_ms()).unwrap() * 1_000_000;
                record.insert("EdgeStartTimestamp".into(), begin.into());
                lines.push(Value::Object(record).to_string());
                numbers.push(number);
            }
        }
        fakes.index("logs/a", Dataset::HttpRequests, &ndjson(&lines));
        let mut paths: Vec<String> =
            numbers.iter().step_by(9).map(|number| format!("/tempo/api/v2/traces/{}", ray(*number))).collect();
        paths.push(format!("/tempo/api/search?{RANGE}&limit=100&spss=10"));
        let tags = body(&get(&fakes, "viewer", "/tempo/api/search/tags", ""))["tagNames"].take();
        let tags = tags.as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned());
        paths.extend(tags.map(|tag| format!("/tempo/api/v2/search/tag/{tag}/values?{RANGE}")));
        for path in paths {
            for caller in ["viewer", "support"] {
                let reply = get(&fakes, caller, &path, PROTOBUF);
                assert_eq!(reply.status, 200, "{path}");
                let text = format!("{}\n{:?}", String::from_utf8_lossy(&reply.body), reply.headers);
                assert!(!canary.is_in(&text), "{caller} {path} {canary:?}: {text}");
                asked += 1;
            }
        }
    }
    assert!(asked > 300, "{asked}");
}

#[test]
fn dashboard_asks_what_is_answered() {
    let fakes = requests();
    let dashboard: Value = serde_json::from_str(include_str!("../../../schemas/grafana/raydex.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let (mut searches, mut counts) = (0, 0);
    for target in targets {
        if let Some(query) = target["query"].as_str().filter(|query| query.starts_with('{')) {
            found(&fakes, "viewer", &format!("limit={}&q={}", target["limit"], encoded(query)));
            searches += 1;
        } else if let Some(url) = target["url"].as_str() {
            let pair = |one: &Value| {
                let value = match one["value"].as_str().unwrap() {
                    "${__from}" => "1774684800000",
                    "${__to}" => "1774688400000",
                    value => value,
                };
                format!("{}={value}", one["key"].as_str().unwrap())
            };
            let query: Vec<String> = target["url_options"]["params"].as_array().unwrap().iter().map(pair).collect();
            let answer = body(&get(&fakes, "viewer", &format!("{url}?{}", query.join("&")), ""));
            let row = answer[target["root_selector"].as_str().unwrap()][0].clone();
            for column in target["columns"].as_array().unwrap() {
                let pointer = format!("/{}", column["selector"].as_str().unwrap().replace('.', "/"));
                assert!(row.pointer(&pointer).is_some(), "{pointer} in {row}");
            }
            counts += 1;
        } else {
            assert_eq!(target["query"], "$ray");
        }
    }
    assert_eq!((searches, counts), (2, 1));
}
