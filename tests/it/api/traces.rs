//! What exporters of OpenTelemetry send: answered in its form, stored as a batch, found by its ray and by its trace.

use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use prost::Message;
use raydex::config::Config;
use raydex::limits::{CALLER_SHARES, KIB, MEMORY_BUDGET, TRACES_BODY_BYTES, TRACES_SPANS};
use raydex::otlp::{
    ExportForm, OtlpAnyValue, OtlpArray, OtlpEvent, OtlpKeyValue, OtlpLink, OtlpResource, OtlpResourceSpans, OtlpScope,
    OtlpScopeSpans, OtlpSpan, OtlpStatus, OtlpTrace, OtlpValue, each_span,
};
use raydex::pipeline::ParseOutcome;
use raydex::record::Dataset;
use raydex::traces::{ExportFacts, SpanOrigin, span_line};
use serde_json::{Value, json};

use super::access::rule;
use super::support::gzip::{gunzip, gzip};
use super::support::records::{noise, ray};
use super::support::world::config_with;
use super::support::{Fakes, Fault, Kind};
use super::{Ask, Canary, Random, Reply, header, json as body};

pub(super) const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
pub(super) const TRACE: [u8; 16] =
    [0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36];
/// When the spans of the tests begin: the time of the ray 1.
pub(super) const START_NS: u64 = 1_774_687_330_000_000_000;

pub(super) fn config() -> Config {
    let rules = [
        rule("sender", &json!({ "scopes": ["ingest"] })),
        rule("a-sender", &json!({ "scopes": ["ingest"], "zones": ["a.example"] })),
        rule("c-sender", &json!({ "scopes": ["ingest"], "zones": ["c.example"] })),
        rule("waf-sender", &json!({ "scopes": ["ingest"], "datasets": ["firewall_events"] })),
        rule("viewer", &json!({ "role": "viewer" })),
        rule("forensics", &json!({ "role": "forensics" })),
        rule("a-reader", &json!({ "role": "forensics", "zones": ["a.example"] })),
        rule("waf-reader", &json!({ "role": "forensics", "datasets": ["firewall_events"] })),
    ];
    config_with(&[("API_TOKENS", &serde_json::to_string(&rules).unwrap()), ("API_RATE_PER_MINUTE", "0")])
}

fn text(key: &str, value: &str) -> OtlpKeyValue {
    let value = OtlpValue::StringValue(value.into());
    OtlpKeyValue { key: key.into(), value: Some(value.into()) }
}

/// A span with this ID, which began so many milliseconds after the first one.
pub(super) fn span(id: u64, parent: u64, after_ms: u64) -> OtlpSpan {
    let start = START_NS + after_ms * 1_000_000;
    OtlpSpan {
        trace_id: TRACE.to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent > 0 { parent.to_be_bytes().to_vec() } else { Vec::new() },
        name: format!("span {id}"),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 5_000_000,
        ..OtlpSpan::default()
    }
}

/// The trace of the ray 1: a root that names it, and two spans below.
pub(super) fn spans() -> Vec<OtlpSpan> {
    let attributes = vec![text("cloudflare.ray_id", &ray(1).to_string()), text("server.address", "a.example")];
    vec![span(12, 11, 2), OtlpSpan { attributes, ..span(11, 0, 0) }, span(13, 12, 3)]
}

pub(super) fn request(spans: Vec<OtlpSpan>) -> OtlpTrace {
    let resource = OtlpResource { attributes: vec![text("service.name", "shop")] };
    let scope = OtlpScope { name: "lib".into(), version: "1".into() };
    let scope_spans = vec![OtlpScopeSpans { scope: Some(scope), spans }];
    OtlpTrace { resource_spans: vec![OtlpResourceSpans { resource: Some(resource), scope_spans }] }
}

pub(super) fn asked(media_type: &str, body: Vec<u8>) -> Ask {
    Ask { body, ..Ask::new("POST", "/v1/traces") }.with_header("content-type", media_type)
}

pub(super) fn send(fakes: &Fakes, token: &str, ask: Ask) -> Reply {
    ask.by(token).of_deployment(fakes, &Ok(config()))
}

/// Sends spans as JSON, and has what was stored indexed.
pub(super) fn bring(fakes: &Fakes, spans: Vec<OtlpSpan>) -> Vec<Value> {
    let reply = send(fakes, "sender", asked(JSON, serde_json::to_vec(&request(spans)).unwrap()));
    assert_eq!((reply.status, body(&reply)), (200, json!({})));
    let message = fakes.queue.sent().pop().unwrap();
    assert_eq!(fakes.parse(&message, 1).verdict, ParseOutcome::Sealed);
    lines(fakes)
}

/// The lines of the newest batch.
pub(super) fn lines(fakes: &Fakes) -> Vec<Value> {
    let (_, bytes) = fakes.bucket.contents().into_iter().rfind(|(key, _)| key.contains("/traces/")).unwrap();
    gunzip(&bytes)
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

pub(super) fn get(fakes: &Fakes, token: &str, path: &str) -> Reply {
    Ask::get(path).by(token).of_deployment(fakes, &Ok(config()))
}

#[test]
fn export_is_stored_in_every_form_and_coding() {
    let sent = request(spans());
    let (json_body, protobuf) = (serde_json::to_vec(&sent).unwrap(), sent.encode_to_vec());
    let mut stored = Vec::new();
    for (media_type, plain) in
        [(JSON, json_body), (PROTOBUF, protobuf), ("application/json; charset=utf-8", Vec::new())]
    {
        let plain = if plain.is_empty() { serde_json::to_vec(&sent).unwrap() } else { plain };
        for pieces in [vec![1], vec![3, 100_000], vec![100_000]] {
            for is_gzip in [false, true] {
                let fakes = Fakes::new();
                let bytes = if is_gzip { gzip(&plain) } else { plain.clone() };
                let ask = Ask { pieces: pieces.clone(), ..asked(media_type, bytes) };
                let ask = if is_gzip { ask.with_header("content-encoding", "gzip") } else { ask };
                let reply = send(&fakes, "sender", ask);
                let form = if media_type == PROTOBUF { PROTOBUF } else { JSON };
                assert_eq!((reply.status, header(&reply, "content-type")), (200, Some(form)));
                assert_eq!(reply.body, if form == JSON { b"{}".to_vec() } else { Vec::new() });
                assert_eq!(fakes.queue.sent().len(), 1);
                let expected = "logs/traces/20260328/20260328T084225Z_20260328T084225Z_00005a3c.log.gz";
                let key = fakes.bucket.contents().into_keys().next().unwrap();
                assert_eq!(key, expected);
                stored.push(lines(&fakes));
            }
        }
    }
    assert_eq!(stored[0].len(), 3);
    assert!(stored.iter().all(|lines| *lines == stored[0]));
    assert!(stored[0].iter().all(|line| line["RayID"] == json!(ray(1).to_string()) && line["SpanHost"] == "a.example"));
}

#[test]
fn trace_is_found_by_its_ray_and_id() {
    let fakes = Fakes::new();
    bring(&fakes, spans());
    let (ray, trace) = (ray(1).to_string(), hex::encode(TRACE));
    for id in [&ray, &trace] {
        let reply = get(&fakes, "forensics", &format!("/v1/rays/{id}"));
        let records = body(&reply)["records"].take();
        let found: Vec<&Value> = records.as_array().unwrap().iter().map(|one| &one["record"]["SpanName"]).collect();
        assert_eq!(found, ["span 12", "span 11", "span 13"], "{id}");
        assert!(records.as_array().unwrap().iter().all(|one| one["dataset"] == "traces"));
        assert_eq!(get(&fakes, "a-reader", &format!("/v1/rays/{id}")).status, 200);
        assert_eq!(get(&fakes, "waf-reader", &format!("/v1/rays/{id}")).status, 404);
    }
    let tree = body(&get(&fakes, "forensics", &format!("/v1/rays/{ray}?parts=tree")))["tree"].take();
    assert_eq!(tree["nodes"][0]["records"], json!({ "traces": 3 }));
}

#[test]
fn tempo_finds_a_trace_without_a_range() {
    let fakes = Fakes::new();
    bring(&fakes, spans());
    let by_ray = body(&get(&fakes, "forensics", &format!("/v1/rays/{}?format=otlp", ray(1))))["resourceSpans"].take();
    let by_trace = get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{}", hex::encode(TRACE)));
    assert_eq!(body(&by_trace)["trace"]["resourceSpans"], super::tempo::named(&by_ray));
    let found: Vec<&Value> = by_ray[0]["scopeSpans"][0]["spans"].as_array().unwrap().iter().collect();
    let parents: Vec<&Value> = found.iter().map(|span| &span["parentSpanId"]).collect();
    assert_eq!(parents, [&json!(ray(1).to_string()), &json!("000000000000000b"), &json!("000000000000000c")]);
    assert!(found.iter().all(|span| span["links"][0]["traceId"] == json!(hex::encode(TRACE))));
    // Spans of no known request.
    let other = [7; 16];
    let alone = OtlpSpan { trace_id: other.to_vec(), ..span(21, 20, 0) };
    bring(&fakes, vec![alone]);
    let reply = get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{}", hex::encode(other)));
    let span = body(&reply)["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0].take();
    assert_eq!((&span["traceId"], &span["parentSpanId"]), (&json!(hex::encode(other)), &json!("0000000000000014")));
    let unknown = get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{}", "8".repeat(32)));
    assert_eq!(unknown.status, 404);
    let reply = get(&fakes, "waf-reader", &format!("/tempo/api/v2/traces/{}", hex::encode(other)));
    assert_eq!((reply.status, reply.body), (404, unknown.body), "hidden is like absent");
}

#[test]
fn repeated_export_shows_each_span_once() {
    let fakes = Fakes::new();
    bring(&fakes, spans());
    fakes.bits.set(fakes.bits.get() + 1);
    bring(&fakes, spans());
    let records = body(&get(&fakes, "forensics", &format!("/v1/rays/{}", ray(1))))["records"].take();
    assert_eq!(records.as_array().unwrap().len(), 3);
    assert!(records.as_array().unwrap().iter().all(|one| one["copies"].as_array().unwrap().len() == 1));
}

#[test]
fn spans_are_in_no_answer_about_requests() {
    let fakes = Fakes::new();
    bring(&fakes, spans());
    let range = "start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";
    let counted = |dataset: &str| {
        let reply = get(&fakes, "forensics", &format!("/v1/counts?{range}{dataset}"));
        let text = String::from_utf8(reply.body).unwrap();
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["count"].as_u64()).sum::<u64>()
    };
    assert_eq!((counted(""), counted("&dataset=traces")), (0, 3));
    let details = fakes.kept(fakes.bucket.contents().into_keys().next().unwrap().as_str());
    assert_eq!(details.batch.unwrap().dataset, "traces");
    assert!(details.payloads.is_empty() && details.plans.is_empty());
}

#[test]
fn zones_and_datasets_of_a_token_hold() {
    let other =
        OtlpSpan { trace_id: vec![9; 16], attributes: vec![text("server.address", "b.example")], ..span(31, 0, 0) };
    let unnamed = OtlpSpan { trace_id: vec![8; 16], ..span(32, 0, 0) };
    let sent = request([spans(), vec![other, unnamed]].concat());
    for (media_type, bytes) in [(JSON, serde_json::to_vec(&sent).unwrap()), (PROTOBUF, sent.encode_to_vec())] {
        let fakes = Fakes::new();
        let reply = send(&fakes, "a-sender", asked(media_type, bytes.clone()));
        let words = "2 spans were rejected: 2 not of the zones of the token.";
        if media_type == JSON {
            let partial = json!({ "partialSuccess": { "rejectedSpans": "2", "errorMessage": words } });
            assert_eq!((reply.status, body(&reply)), (200, partial));
        } else {
            let length = u8::try_from(words.len()).unwrap();
            let expected = [&[0x0a, length + 4, 8, 2, 0x12, length], words.as_bytes()].concat();
            assert_eq!((reply.status, reply.body), (200, expected));
        }
        assert_eq!(lines(&fakes).len(), 3);
        let fakes = Fakes::new();
        for (token, status, code) in [("waf-sender", 403, 7), ("viewer", 403, 7), ("wrong", 401, 16)] {
            let reply = send(&fakes, token, asked(media_type, bytes.clone()));
            assert_eq!((reply.status, header(&reply, "content-type")), (status, Some(media_type)), "{token}");
            if media_type == JSON {
                assert_eq!(body(&reply)["code"], code, "{token}");
            } else {
                assert_eq!(reply.body[..2], [8, code], "{token}");
            }
        }
        assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty());
    }
}

#[test]
fn body_that_is_no_export_is_refused() {
    let (good, long) = (serde_json::to_vec(&request(spans())).unwrap(), vec![b' '; TRACES_BODY_BYTES + 1]);
    let bomb = gzip(&long);
    let half = gzip(&good)[..60].to_vec();
    let gz = |bytes: Vec<u8>| asked(JSON, bytes).with_header("content-encoding", "gzip");
    for (ask, status, words) in [
        (asked(JSON, b"{".to_vec()), 400, "ExportTraceServiceRequest"),
        (asked(JSON, Vec::new()), 400, "ExportTraceServiceRequest"),
        (asked(PROTOBUF, good.clone()), 400, "ExportTraceServiceRequest"),
        (asked(JSON, gzip(&good)), 400, "ExportTraceServiceRequest"),
        (gz(good.clone()), 422, "gzip"),
        (gz(half), 422, "gzip"),
        (gz([gzip(&good), b"x".to_vec()].concat()), 422, "gzip"),
        (gz(bomb), 413, "inflated"),
        (asked(JSON, long.clone()), 413, "inflated"),
        (Ask { content_length: Some(5_000_000), ..asked(JSON, good.clone()) }, 413, "inflated"),
        (asked(JSON, good.clone()).with_header("content-encoding", "br"), 415, "form"),
        (Ask { query: "a=1".into(), ..asked(JSON, good.clone()) }, 400, "parameter"),
    ] {
        let fakes = Fakes::new();
        let what = format!("{:.150}", format!("{ask:?}"));
        let reply = send(&fakes, "sender", ask);
        assert_eq!(reply.status, status, "{what}: {}", String::from_utf8_lossy(&reply.body));
        assert!(String::from_utf8_lossy(&reply.body).contains(words), "{what}");
        assert!(fakes.bucket.contents().is_empty() && fakes.queue.sent().is_empty(), "{what}");
        assert_eq!(fakes.memory.available(), MEMORY_BUDGET, "{what}");
    }
    for media_type in ["text/plain", "application/x-ndjson", ""] {
        let reply = send(&Fakes::new(), "sender", asked(media_type, good.clone()));
        assert_eq!(super::problem(&reply), (415, "unsupported_media_type".into()));
    }
}

#[test]
fn nothing_is_answered_before_it_is_stored() {
    for kind in [Kind::Put, Kind::Send, Kind::Audit] {
        let fakes = Fakes::new();
        fakes.faults.plan(Some(kind), 0, Fault::Fails);
        let reply = send(&fakes, "sender", asked(JSON, serde_json::to_vec(&request(spans())).unwrap()));
        assert_eq!((reply.status, header(&reply, "retry-after")), (503, Some("30")), "{kind:?}");
    }
    let fakes = Fakes::new();
    let held = fakes.memory.reserve(MEMORY_BUDGET - MEMORY_BUDGET / CALLER_SHARES).unwrap();
    let more = fakes.memory.reserve(fakes.memory.available() - 512 * KIB).unwrap();
    let reply = send(&fakes, "sender", asked(JSON, serde_json::to_vec(&request(spans())).unwrap()));
    assert_eq!((reply.status, body(&reply)["code"].as_u64()), (503, Some(14)));
    drop((held, more));
    // An exporter that has nothing may flush.
    let reply = send(&fakes, "sender", asked(PROTOBUF, Vec::new()));
    assert_eq!((reply.status, reply.body.len(), fakes.bucket.contents().len()), (200, 0, 0));
}

#[test]
fn request_with_too_many_spans_keeps_the_first() {
    let spans = (0..TRACES_SPANS as u64 + 5).map(|number| span(number + 1, 0, 0)).collect();
    let fakes = Fakes::new();
    let reply = send(&fakes, "sender", asked(PROTOBUF, request(spans).encode_to_vec()));
    assert!(reply.status == 200 && String::from_utf8_lossy(&reply.body).contains("5 more than one request may have"));
    assert_eq!(lines(&fakes).len(), TRACES_SPANS);
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
    // Lines of one large resource each.
    let resource = OtlpResource {
        attributes: (0..15).map(|n| text(&format!("r{n}"), &hex::encode(noise(n + 1, 4_000)))).collect(),
    };
    let spans = (0..2_000).map(|number| span(number + 1, 0, 0)).collect();
    let mut large = request(spans);
    large.resource_spans[0].resource = Some(resource);
    let reply = send(&fakes, "sender", asked(PROTOBUF, large.encode_to_vec()));
    assert!(matches!(reply.status, 200 | 413 | 503), "{}", reply.status);
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
}

#[test]
fn upload_is_in_the_audit_log() {
    let fakes = Fakes::new();
    let sent = serde_json::to_vec(&request(spans())).unwrap();
    send(&fakes, "sender", asked(JSON, sent.clone()));
    let entries = super::audit::entries(&fakes);
    let entry = entries.iter().find(|entry| entry["action"] == "POST /v1/traces").unwrap();
    assert_eq!(entry["request"]["bytes"], sent.len());
    assert!(entry["resource"].as_str().unwrap().starts_with("logs/traces/"));
}

#[test]
fn viewer_sees_no_secret_of_a_span() {
    let mut random = Random::new(7);
    for number in 0..40 {
        let canary = Canary::draw(&mut random);
        let secret = &canary.text;
        let keys = [
            "x",
            "password",
            "url.full",
            "url.query",
            "client.address",
            "http.request.header.x",
            "db.query.text",
            secret,
        ];
        let attributes: Vec<OtlpKeyValue> = keys.iter().map(|key| text(key, secret)).collect();
        let list = OtlpArray { values: vec![OtlpValue::StringValue(secret.clone()).into()] };
        let listed = OtlpKeyValue { key: "list".into(), value: Some(OtlpValue::ArrayValue(list).into()) };
        let event = OtlpEvent { time_unix_nano: START_NS, name: secret.clone(), attributes: attributes.clone() };
        let link = OtlpLink { trace_id: TRACE.to_vec(), span_id: vec![1; 8], attributes: attributes.clone() };
        let mut planted = spans();
        planted[0] = OtlpSpan {
            name: format!("GET /?token={secret}"),
            attributes: [attributes.clone(), vec![listed]].concat(),
            events: vec![event],
            links: vec![link],
            status: Some(OtlpStatus { message: secret.clone(), code: 2 }),
            ..planted[0].clone()
        };
        let mut sent = request(planted);
        sent.resource_spans[0].resource = Some(OtlpResource { attributes });
        let fakes = Fakes::new();
        let reply = send(&fakes, "sender", asked(PROTOBUF, sent.encode_to_vec()));
        assert_eq!(reply.status, 200);
        fakes.parse(&fakes.queue.sent()[0], 1);
        let (ray, trace) = (ray(1), hex::encode(TRACE));
        let range = "start=2026-03-28T08:00:00Z&end=2026-03-28T09:00:00Z";
        for path in [
            format!("/v1/rays/{ray}"),
            format!("/v1/rays/{trace}"),
            format!("/v1/rays/{ray}?format=otlp"),
            format!("/v1/rays/{ray}?format=native&dataset=traces"),
            format!("/v1/rays/{ray}?format=csv&dataset=traces&fields=SpanAttributes,SpanEvents,SpanLinks,SpanName"),
            format!("/v1/logs?{range}&dataset=traces"),
            format!("/tempo/api/v2/traces/{trace}"),
        ] {
            let reply = get(&fakes, "viewer", &path);
            assert_eq!(reply.status, 200, "{path}");
            let text = String::from_utf8_lossy(&reply.body);
            assert!(!canary.is_in(&text), "{number} {path}: {secret}: {text}");
        }
        let seen = String::from_utf8(get(&fakes, "viewer", &format!("/v1/rays/{ray}")).body).unwrap();
        for shown in ["span 11", "span 13", "\"error\"", "SpanStartTimestamp"] {
            assert!(seen.contains(shown), "{shown}: {seen}");
        }
    }
}

/// The lines of a body, and what is rejected; `None` if it is refused.
fn read(form: ExportForm, body: &[u8]) -> Option<Vec<Result<String, String>>> {
    let (mut facts, mut lines) = (ExportFacts::default(), Vec::new());
    let go_on = std::ops::ControlFlow::Continue(());
    each_span(form, body, &mut |exported| {
        facts.take(&exported);
        go_on
    })
    .ok()?;
    each_span(form, body, &mut |exported| {
        let line = span_line(exported, &facts, &mut SpanOrigin::default()).map(|line| String::from_utf8(line).unwrap());
        lines.push(line.map_err(|fault| fault.to_string()));
        go_on
    })
    .ok()?;
    Some(lines)
}

fn values() -> impl Strategy<Value = OtlpAnyValue> {
    let leaf = leaves();
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|values| OtlpValue::ArrayValue(OtlpArray { values }).into())
    })
}

fn leaves() -> impl Strategy<Value = OtlpAnyValue> {
    // Eighths: what JSON spells as such is read without a loss.
    (0_u8..4, ".{0,12}", any::<i64>(), any::<i32>()).prop_map(|(kind, text, whole, eighths)| {
        match kind {
            0 => OtlpValue::StringValue(text),
            1 => OtlpValue::BoolValue(whole > 0),
            2 => OtlpValue::IntValue(whole),
            _ => OtlpValue::DoubleValue(f64::from(eighths) / 8.0),
        }
        .into()
    })
}

fn attributes() -> impl Strategy<Value = Vec<OtlpKeyValue>> {
    let pair = ("[a-z.]{1,8}", values()).prop_map(|(key, value)| OtlpKeyValue { key, value: Some(value) });
    prop::collection::vec(pair, 0..5)
}

fn any_span() -> impl Strategy<Value = OtlpSpan> {
    let ids = (prop::collection::vec(any::<u8>(), 14..17), prop::collection::vec(0_u8..2, 8), any::<bool>());
    (ids, ".{0,20}", 0..6_i32, (1..1_u64 << 62, any::<u64>()), attributes(), prop::option::of((".{0,5}", 0..3_i32)))
        .prop_map(|((trace_id, span_id, has_parent), name, kind, (start, end), attributes, status)| OtlpSpan {
            trace_id,
            parent_span_id: if has_parent { span_id.clone() } else { Vec::new() },
            span_id,
            events: vec![OtlpEvent { time_unix_nano: end >> 2, name: name.clone(), attributes: attributes.clone() }],
            links: vec![OtlpLink { trace_id: vec![1; 16], span_id: vec![2; 8], attributes: attributes.clone() }],
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            status: status.map(|(message, code)| OtlpStatus { message, code }),
        })
}

proptest! {
    #[test]
    fn both_forms_of_a_request_have_equal_lines(spans in prop::collection::vec(any_span(), 0..6)) {
        let sent = request(spans);
        let json = read(ExportForm::Json, &serde_json::to_vec(&sent).unwrap());
        prop_assert_eq!(json, read(ExportForm::Protobuf, &sent.encode_to_vec()));
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)) {
        let _bytes = (read(ExportForm::Json, &bytes), read(ExportForm::Protobuf, &bytes));
        for (form, mut good) in [(ExportForm::Json, serde_json::to_vec(&request(spans())).unwrap()), (ExportForm::Protobuf, request(spans()).encode_to_vec())] {
            for (place, byte) in &flips {
                let place = place.index(good.len());
                good[place] = *byte;
            }
            let _flipped = read(form, &good);
        }
    }

    #[test]
    fn export_cut_anywhere_is_no_other_export(end in any::<prop::sample::Index>()) {
        let json = serde_json::to_vec(&request(spans())).unwrap();
        prop_assert_eq!(read(ExportForm::Json, &json[..end.index(json.len())]), None);
    }
}

/// The dataset is the one that the route stores.
#[test]
fn every_line_is_of_the_dataset() {
    let fakes = Fakes::new();
    for line in bring(&fakes, spans()) {
        let text = line.to_string();
        assert!(raydex::record::read_key(Dataset::Traces, text.as_bytes()).unwrap().trace.is_some());
        assert_eq!(raydex::record::read_evidence(text.as_bytes()).unwrap().settled(), Some(Dataset::Traces));
    }
}
