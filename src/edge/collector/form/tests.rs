//! Each form as its API documents it.

use std::io::Read;

use serde_json::{Value, json};

use super::post;
use crate::edge::{
    BatchLabel, CollectorPost, CollectorPreset, CollectorSpec, EdgeBatch, EdgeCounts, SinkSpec, SinkTarget,
    add_headers, read_sinks,
};

const LINES: &str = concat!(
    r#"{"ClientIP":"192.0.2.7","ClientRequestHost":"api.example.com","ClientRequestMethod":"GET","ClientRequestPath":"/v1/x","#,
    r#""EdgeResponseStatus":200,"EdgeStartTimestamp":"2026-03-28T08:42:00.005Z","RayID":"9efa0d09391dabcb"}"#,
    "\n",
    r#"{"ClientRequestHost":"é\"\\","EdgeStartTimestamp":"2026-03-28T08:42:01.000Z"}"#,
    "\n",
);

fn batch(lines: &str) -> EdgeBatch {
    let count = lines.lines().count() as u64;
    let label = BatchLabel {
        isolate: "00c0ffee00c0ffee".into(),
        sequence: 3,
        lines: count,
        counts: EdgeCounts { seen: count, recorded: count, ..EdgeCounts::default() },
        since: EdgeCounts::default(),
        sinks: [].into(),
    };
    EdgeBatch::close("logs/", lines.as_bytes(), (1_774_687_320_000, 1_774_687_322_000), label).unwrap()
}

fn collector(members: &str) -> CollectorSpec {
    let setting = format!(r#"[{{"kind":"http","name":"a","url":"https://a.example",{members}}}]"#);
    let mut sinks = read_sinks(&setting, false).unwrap();
    add_headers(&mut sinks, r#"{"a":{"authorization":"Splunk hunter2"}}"#).unwrap();
    match sinks.remove(0) {
        SinkSpec { target: SinkTarget::Collector(collector), .. } => collector,
        sink @ SinkSpec { .. } => panic!("{sink:?}"),
    }
}

fn text_of(post: &CollectorPost) -> String {
    let mut text = String::new();
    flate2::bufread::GzDecoder::new(&post.body[..]).read_to_string(&mut text).unwrap();
    text
}

/// The body of a post, with the content type.
fn body(members: &str) -> (String, String) {
    let post = post(&collector(members), &batch(LINES), 9_000).unwrap();
    let header = |name: &str| post.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
    assert_eq!(header("content-encoding").as_deref(), Some("gzip"));
    assert_eq!(header("authorization").as_deref(), Some("Splunk hunter2"));
    let label: Value = serde_json::from_str(&header("raydex-edge").unwrap()).unwrap();
    assert_eq!((&label["seen"], &label["sequence"]), (&json!(2), &json!(3)));
    (text_of(&post), header("content-type").unwrap())
}

#[test]
fn lines_are_posted_as_they_are() {
    assert_eq!(body(r#""preset":"ndjson""#), (LINES.to_owned(), "application/x-ndjson".to_owned()));
}

#[test]
fn loki_gets_a_stream_of_pairs() {
    let (text, media_type) = body(r#""preset":"loki","labels":{"site":"a"}"#);
    let [first, second] = LINES.lines().collect::<Vec<_>>().try_into().unwrap();
    let expected = json!({"streams": [{
        "stream": {"service_name": "raydex-edge", "site": "a"},
        "values": [["1774687320005000000", first], ["1774687321000000000", second]],
    }]});
    assert_eq!((serde_json::from_str::<Value>(&text).unwrap(), media_type.as_str()), (expected, "application/json"));
}

#[test]
fn elastic_gets_an_action_before_each_document() {
    let (text, media_type) = body(r#""preset":"elastic","labels":{"site":"a"}"#);
    assert!(text.ends_with('\n') && media_type == "application/x-ndjson");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"create": {"_index": "edge-requests", "_id": "00c0ffee00c0ffee-3-0"}}));
    assert_eq!(lines[2], json!({"create": {"_index": "edge-requests", "_id": "00c0ffee00c0ffee-3-1"}}));
    let expected = json!({
        "@timestamp": "2026-03-28T08:42:01.000Z", "labels": {"site": "a"}, "ClientRequestHost": "é\"\\",
        "EdgeStartTimestamp": "2026-03-28T08:42:01.000Z",
    });
    assert_eq!((lines.len(), &lines[1]["RayID"], &lines[3]), (4, &json!("9efa0d09391dabcb"), &expected));
}

#[test]
fn index_in_the_address_needs_no_other() {
    let setting = r#"[{"kind":"http","name":"a","preset":"elastic","url":"https://a.example/logs-edge/_bulk"}]"#;
    let SinkTarget::Collector(collector) = &read_sinks(setting, false).unwrap()[0].target else { panic!() };
    let post = post(collector, &batch("{}\n"), 9_000).unwrap();
    let action = "{\"create\":{\"_id\":\"00c0ffee00c0ffee-3-0\"}}\n";
    assert_eq!(text_of(&post), format!("{action}{{\"@timestamp\":\"2026-03-28T08:42:00.000Z\"}}\n"));
}

#[test]
fn splunk_gets_events_one_after_another() {
    let (text, _) = body(r#""preset":"splunk","index":"web","labels":{"site":"a","sourcetype":"edge"}"#);
    let [first, second] = text.lines().collect::<Vec<_>>().try_into().unwrap();
    let event = LINES.lines().next().unwrap();
    let expected = format!(
        r#"{{"time":1774687320.005,"host":"api.example.com","source":"raydex-edge","sourcetype":"edge","index":"web","fields":{{"site":"a"}},"event":{event}}}"#
    );
    assert_eq!(first, expected);
    assert_eq!(serde_json::from_str::<Value>(second).unwrap()["host"], "é\"\\");
}

#[test]
fn otlp_gets_log_records_of_one_scope() {
    let (text, media_type) = body(r#""preset":"otlp","labels":{"site":"a"}"#);
    let string = |text: &str| json!({ "stringValue": text });
    let [first, second] = LINES.lines().collect::<Vec<_>>().try_into().unwrap();
    let expected = json!({"resourceLogs": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": string("raydex-edge")}, {"key": "site", "value": string("a")},
        ]},
        "scopeLogs": [{"scope": {"name": "raydex"}, "logRecords": [
            {"timeUnixNano": "1774687320005000000", "observedTimeUnixNano": "1774687322000000000", "severityNumber": 9,
             "severityText": "INFO", "body": string(first), "attributes": [
                {"key": "http.request.method", "value": string("GET")},
                {"key": "server.address", "value": string("api.example.com")},
                {"key": "url.path", "value": string("/v1/x")},
                {"key": "client.address", "value": string("192.0.2.7")},
                {"key": "cloudflare.ray_id", "value": string("9efa0d09391dabcb")},
                {"key": "http.response.status_code", "value": {"intValue": "200"}},
            ]},
            {"timeUnixNano": "1774687321000000000", "observedTimeUnixNano": "1774687322000000000", "severityNumber": 17,
             "severityText": "ERROR", "body": string(second), "attributes": [
                {"key": "server.address", "value": string("é\"\\")},
            ]},
        ]}],
    }]});
    assert_eq!((serde_json::from_str::<Value>(&text).unwrap(), media_type.as_str()), (expected, "application/json"));
}

#[test]
fn repetition_has_the_same_body() {
    for preset in CollectorPreset::ALL {
        let spec = CollectorSpec { preset, ..collector(r#""preset":"loki""#) };
        let again = || post(&spec, &batch(LINES), 9_000);
        assert!(again().is_some() && again() == again(), "{preset:?}");
    }
    let damaged = EdgeBatch { body: b"no gzip".to_vec(), ..batch(LINES) };
    assert_eq!(post(&collector(r#""preset":"loki""#), &damaged, 9_000), None);
}
