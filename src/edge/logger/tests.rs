//! Records of requests as clients, hostile ones among them, send them.

use std::collections::BTreeSet;
use std::io::Read;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::EdgeLogger;
use crate::edge::{
    EdgeExchange, EdgeMode, EdgeSettings, FingerprintKey, FlushBounds, PathPattern, RedactionRules, SinkSettings,
    read_routes,
};
use crate::limits::EDGE_TEXT_BYTES;
use crate::record::{Dataset, DatasetEvidence, RayKey, read_key};

const START_MS: i64 = 1_774_687_320_000;

fn settings() -> EdgeSettings {
    EdgeSettings {
        mode: EdgeMode::Log,
        bucket_name: "cdn-logs-raw".into(),
        folder: "logs/".into(),
        fingerprint_key: FingerprintKey::from_hex(&"0b".repeat(32)),
        routes: Vec::new(),
        headers: vec!["accept".into(), "x-request-id".into()],
        redaction: RedactionRules { paths: PathPattern::parse("/reset/*").into_iter().collect(), ..Default::default() },
        flush: FlushBounds { lines: 500, age_ms: 10_000 },
        sinks: SinkSettings::default(),
    }
}

fn with_routes(routes: &str) -> EdgeSettings {
    EdgeSettings { routes: read_routes(routes).unwrap(), ..settings() }
}

/// A request as the shell describes it, with some members changed.
fn exchange(changed: &Value) -> EdgeExchange {
    let mut description = json!({
        "method": "POST", "url": "https://api.example.com/v1/orders?page=2&api_key=canary-1",
        "headers": "cf-ray\n9efa0d09391dabcb-HKG\ncf-connecting-ip\n192.0.2.7\nauthorization\nBearer canary-2\ncookie\n\
                    sid=canary-3\nuser-agent\ncurl/8.0\nreferer\nhttps://a.example/reset/canary-4?x=1\naccept\n*/*\n\
                    content-length\n12\ncontent-type\napplication/json",
        "cf": {"country": "GB", "city": "London", "asn": 64498, "colo": "LHR", "httpProtocol": "HTTP/2",
               "tlsVersion": "TLSv1.3", "tlsCipher": "AEAD-AES128-GCM-SHA256", "clientTcpRtt": 9, "regionCode": "ENG"},
        "startMs": START_MS, "headersMs": START_MS + 12, "endMs": START_MS + 345, "status": 200,
        "responseType": "text/html; charset=utf-8", "responseBytes": 7, "outcome": "completed",
    });
    for (name, value) in changed.as_object().unwrap() {
        description[name] = value.clone();
    }
    EdgeExchange::parse(&description.to_string()).unwrap()
}

/// The lines of all that the logger holds.
fn lines(logger: &mut EdgeLogger) -> Vec<String> {
    let mut text = String::new();
    logger.buffer.close(START_MS);
    while let Some((batch, _)) = logger.buffer.take_due(0, START_MS) {
        flate2::bufread::GzDecoder::new(&batch.body[..]).read_to_string(&mut text).unwrap();
    }
    text.lines().map(str::to_owned).collect()
}

/// The only line that these settings make of an exchange.
fn line(settings: EdgeSettings, exchange: &EdgeExchange, payload: Option<&[u8]>) -> String {
    let mut logger = EdgeLogger::new(settings, "00c0ffee00c0ffee".into());
    logger.log(exchange, payload, 7, START_MS);
    let mut lines = lines(&mut logger);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

fn record(settings: EdgeSettings, exchange: &EdgeExchange, payload: Option<&[u8]>) -> Value {
    serde_json::from_str(&line(settings, exchange, payload)).unwrap()
}

#[test]
fn record_has_the_names_of_logpush() {
    let expected = json!({
        "ClientASN": 64498, "ClientCity": "London", "ClientCountry": "gb", "ClientIP": "192.0.2.7", "ClientRegionCode": "ENG",
        "ClientRequestHost": "api.example.com", "ClientRequestMethod": "POST", "ClientRequestPath": "/v1/orders",
        "ClientRequestProtocol": "HTTP/2", "ClientRequestReferer": "https://a.example/reset/[redacted]?x=1",
        "ClientRequestScheme": "https", "ClientRequestURI": "/v1/orders?page=2&api_key=[redacted]",
        "ClientRequestUserAgent": "curl/8.0", "ClientSSLCipher": "AEAD-AES128-GCM-SHA256", "ClientSSLProtocol": "TLSv1.3",
        "ClientTCPRTTMs": 9, "EdgeColoCode": "LHR", "EdgeEndTimestamp": "2026-03-28T08:42:00.345Z",
        "EdgeLoggerFingerprint": FingerprintKey::from_hex(&"0b".repeat(32)).unwrap().fingerprint("Bearer canary-2").unwrap(),
        "EdgeLoggerHeadersMs": 12, "EdgeLoggerIsolateID": "00c0ffee00c0ffee", "EdgeLoggerOutcome": "completed",
        "EdgeLoggerRequestBodyBytes": 12, "EdgeLoggerSampleInterval": 1, "EdgeLoggerSequence": 1, "EdgeLoggerTotalMs": 345,
        "EdgeResponseBodyBytes": 7, "EdgeResponseContentType": "text/html; charset=utf-8", "EdgeResponseStatus": 200,
        "EdgeStartTimestamp": "2026-03-28T08:42:00.000Z", "RayID": "9efa0d09391dabcb", "RequestHeaders": {"accept": "*/*"},
    });
    assert_eq!(record(settings(), &exchange(&json!({})), None), expected);
}

#[test]
fn fields_of_records_are_those_of_the_dataset() {
    let routes = r#"[{"route":"*/*","payload_types":["application/json"]}]"#;
    let long = format!("https://api.example.com/{}", "a".repeat(EDGE_TEXT_BYTES + 1));
    let odd = json!({"url": long, "headers": "content-type\napplication/json\naccept\n*/*", "payloadBytes": 9});
    let full = record(with_routes(routes), &exchange(&odd), Some(b"{\"a\":1}"));
    let plain = record(settings(), &exchange(&json!({})), None);
    // Those of mode `collect` are in records of its own.
    let of_reports = |name: &&&str| name.starts_with("EdgeLoggerReport");
    let members = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let written: BTreeSet<String> = members(&full).union(&members(&plain)).cloned().collect();
    let fields = Dataset::EdgeRequests.spec().fields.iter().filter(|name| !of_reports(name));
    assert!(written.iter().eq(fields), "{written:?}");
}

#[test]
fn records_are_known_by_their_names() {
    let line = line(settings(), &exchange(&json!({"outcome": "origin_failed", "status": null, "cf": null})), None);
    let record: Value = serde_json::from_str(&line).unwrap();
    let names = record.as_object().unwrap().keys();
    let evidence =
        names.map(String::as_str).map(DatasetEvidence::of_name).fold(DatasetEvidence::default(), DatasetEvidence::and);
    assert_eq!(evidence.settled(), Some(Dataset::EdgeRequests));
    let key = read_key(Dataset::EdgeRequests, line.as_bytes()).unwrap();
    assert_eq!(key.ray, RayKey::from_logged("9efa0d09391dabcb"));
    assert_eq!((&record["EdgeResponseStatus"], &record["EdgeResponseBodyBytes"]), (&Value::Null, &Value::Null));
}

#[test]
fn request_without_a_ray_gets_a_marked_one() {
    let record = record(settings(), &exchange(&json!({"headers": "accept\n*/*"})), None);
    let ray = u64::from_str_radix(record["RayID"].as_str().unwrap(), 16).unwrap();
    let ray = crate::record::RayId::from_bits(ray);
    assert_eq!((ray.unix_ms(), ray.below_clock(), &record["EdgeLoggerRayMade"]), (START_MS, 7, &json!(true)));
}

#[test]
fn secrets_are_in_no_record() {
    let routes = r#"[{"route":"*/*","payload_types":["application/json","text/plain"]}]"#;
    for payload in [r#"{"password":"canary-5","a":[{"token":"canary-6"}]}"#, r#"{"a":1,"password":"canary-7"#] {
        let settings = EdgeSettings { headers: vec!["accept".into(), "referer".into()], ..with_routes(routes) };
        let line = line(settings, &exchange(&json!({"payloadBytes": 500})), Some(payload.as_bytes()));
        assert!(!line.contains("canary") && line.contains("EdgeLoggerPayload"), "{line}");
    }
}

#[test]
fn sample_and_filter_decide_by_route() {
    let filter = r#"{"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}"#;
    let routes = format!(
        r#"[{{"route":"api.example.com/none/*","sample":0}},{{"route":"api.example.com/some/*","sample":4}},
        {{"route":"api.example.com/errors/*","filter":{filter}}}]"#
    );
    let mut logger = EdgeLogger::new(with_routes(&routes), "00c0ffee00c0ffee".into());
    for number in 0..100_u32 {
        for (path, status) in [("none", 200), ("some", 200), ("errors", 200), ("errors", 503), ("other", 200)] {
            let url = format!("https://api.example.com/{path}/x");
            logger.log(&exchange(&json!({"url": url, "status": status, "headers": ""})), None, number, START_MS);
        }
    }
    let counts = logger.buffer.counts();
    assert!(counts.is_balanced(), "{counts:?}");
    assert_eq!((counts.seen, counts.sampled_out, counts.dropped.filtered), (500, 175, 100));
    assert_eq!((counts.recorded, lines(&mut logger).len()), (225, 225));
    for mode in [EdgeMode::Off, EdgeMode::Collect] {
        let mut logger = EdgeLogger::new(EdgeSettings { mode, ..settings() }, "00c0ffee00c0ffee".into());
        logger.log(&exchange(&json!({})), None, 7, START_MS);
        assert_eq!(logger.buffer.counts().seen, 0);
    }
}

#[test]
fn keys_have_a_number_of_records_per_minute() {
    let filter = r#"{"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}"#;
    let routes =
        format!(r#"[{{"route":"*/*","filter":{filter},"quota":{{"key":"header:x-api-key","per_minute":3}}}}]"#);
    let mut logger = EdgeLogger::new(with_routes(&routes), "00c0ffee00c0ffee".into());
    let start_ms = START_MS - START_MS.rem_euclid(60_000);
    for now_ms in [start_ms, start_ms + 59_999, start_ms + 60_000] {
        for (key, status) in [("canary-1", 503), ("canary-2", 200), ("canary-1", 503)] {
            let changed = json!({"status": status, "headers": format!("x-api-key\n{key}")});
            logger.log(&exchange(&changed), None, 7, now_ms);
        }
    }
    let counts = logger.buffer.counts();
    assert_eq!((counts.recorded, counts.dropped.over_quota, counts.dropped.filtered), (5, 1, 3));
    assert!(counts.is_balanced() && !lines(&mut logger).concat().contains("canary"));
}

#[test]
fn long_texts_are_cut_and_named() {
    let agent = format!("user-agent\n{}", "é".repeat(EDGE_TEXT_BYTES));
    let record = record(settings(), &exchange(&json!({"headers": agent})), None);
    assert_eq!(record["ClientRequestUserAgent"].as_str().unwrap().len(), EDGE_TEXT_BYTES);
    assert_eq!(record["EdgeLoggerCutFields"], json!(["ClientRequestUserAgent"]));
}

proptest! {
    #[test]
    fn hostile_requests_make_one_valid_line(
        method in "\\PC{0,9}",
        url in address(),
        headers in prop::collection::vec(("[a-z-]{1,12}|authorization|user-agent|cf-ray|referer", any::<String>()), 0..9),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        text in "\\\\ud[89a-f][0-9a-f]{2}",
    ) {
        let headers: Vec<String> = headers.iter().flat_map(|(name, value)| [name.clone(), value.replace('\n', " ")]).collect();
        let routes = r#"[{"route":"*/*","payload_types":["application/json"]}]"#;
        let changed = json!({"method": method, "url": url, "headers": headers.join("\n")});
        let description = serde_json::to_string(&exchange_description(&changed)).unwrap().replace("LONE", &text);
        let exchange = EdgeExchange::parse(&description).unwrap();
        let line = line(with_routes(routes), &exchange, Some(&payload));
        let record: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&record["EdgeLoggerIsolateID"], "00c0ffee00c0ffee");
        prop_assert!(!line.contains('\n') && line.len() < crate::limits::MAX_LINE);
    }
}

/// Addresses of every kind.
fn address() -> impl proptest::strategy::Strategy<Value = String> {
    proptest::prelude::prop_oneof!["https://a\\.example/\\PC{0,40}", any::<String>()]
}

fn exchange_description(changed: &Value) -> Value {
    let mut description = json!({
        "method": "GET", "url": "https://a.example/", "headers": "", "cf": {"city": "LONE"}, "startMs": START_MS,
        "headersMs": null, "endMs": START_MS, "status": 200, "responseType": "LONE", "responseBytes": 0,
        "outcome": "client_gone", "payloadBytes": 300,
    });
    for (name, value) in changed.as_object().unwrap() {
        description[name] = value.clone();
    }
    description
}
