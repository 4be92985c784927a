//! Spans of senders with zones: they are shown under rays of these zones alone.

use raydex::otlp::{OtlpAnyValue, OtlpKeyValue, OtlpSpan, OtlpTrace, OtlpValue};
use raydex::pipeline::ParseOutcome;
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::otlp::spans as spans_of;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::traces::{JSON, TRACE, config, get, request, span};
use super::{Ask, header, json as body, problem};

fn text(key: &str, value: &str) -> OtlpKeyValue {
    let value: OtlpAnyValue = OtlpValue::StringValue(value.into()).into();
    OtlpKeyValue { key: key.into(), value: Some(value) }
}

/// A span of `a.example` that names a ray.
fn planted(id: u64, number: u64, trace: u8) -> OtlpSpan {
    let attributes = vec![text("cloudflare.ray_id", &ray(number).to_string()), text("server.address", "a.example")];
    OtlpSpan { attributes, trace_id: vec![trace; 16], ..span(id, 0, 1) }
}

fn bring(fakes: &Fakes, token: &str, sent: &OtlpTrace) {
    fakes.bits.set(fakes.bits.get() + 1);
    let ask = Ask { body: serde_json::to_vec(sent).unwrap(), ..Ask::new("POST", "/v1/traces") };
    let reply = ask.with_header("content-type", JSON).by(token).of_deployment(fakes, &Ok(config()));
    assert_eq!((reply.status, body(&reply)), (200, json!({})));
    let message = fakes.queue.sent().pop().unwrap();
    assert_eq!(fakes.parse(&message, 1).verdict, ParseOutcome::Sealed);
}

fn record(number: u64, zone: &str) -> String {
    json!({ "RayID": ray(number).to_string(), "ZoneName": zone, "ClientRequestHost": zone }).to_string()
}

/// Ray 1 is of `b.example`, ray 2 of `a.example`, and of ray 3 no zone is known.
fn world(token: &str) -> Fakes {
    let fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(1, "b.example"), record(2, "a.example")]));
    for number in 1..=3 {
        let trace = u8::try_from(number).unwrap();
        bring(&fakes, token, &request(vec![planted(number + 10, number, trace)]));
    }
    fakes
}

/// Whether the span is in each answer about a ray and about its trace.
fn shown(fakes: &Fakes, number: u64) -> Vec<bool> {
    let (ray, trace) = (ray(number), format!("{number:02x}").repeat(16));
    let has = |found: &Value| spans_of(found).iter().any(|span| span["name"] == json!(format!("span {}", number + 10)));
    let otlp = |id: &str| {
        let reply = get(fakes, "forensics", &format!("/v1/rays/{id}?format=otlp"));
        reply.status == 200 && has(&body(&reply)["resourceSpans"])
    };
    let tempo = |id: &str| {
        let reply = get(fakes, "forensics", &format!("/tempo/api/v2/traces/{id}"));
        reply.status == 200 && has(&body(&reply)["trace"]["resourceSpans"])
    };
    let listed = |query: &str| {
        let reply = get(fakes, "forensics", &format!("/v1/rays/{ray}{query}"));
        String::from_utf8_lossy(&reply.body).contains(&trace)
    };
    let ray = ray.to_string();
    vec![
        otlp(&ray),
        otlp(&trace),
        tempo(&ray),
        tempo(&trace),
        listed(""),
        listed("?subrequests=list"),
        listed("?dataset=traces&format=native"),
    ]
}

#[test]
fn bound_senders_span_stays_in_its_zone() {
    let fakes = world("a-sender");
    assert_eq!([shown(&fakes, 1), shown(&fakes, 2), shown(&fakes, 3)], [vec![false; 7], vec![true; 7], vec![true; 7]]);
    let reply = get(&fakes, "forensics", &format!("/v1/rays/{}?dataset=traces", ray(1)));
    assert_eq!(problem(&reply), (404, "ray_not_found".into()), "as if there was none");
    // A sender without zones may name any ray.
    let fakes = world("sender");
    assert_eq!([shown(&fakes, 1), shown(&fakes, 2)], [vec![true; 7], vec![true; 7]]);
}

#[test]
fn bound_sender_chooses_no_tree() {
    let fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(1, "b.example"), record(2, "a.example")]));
    let planted = OtlpSpan { trace_id: TRACE.to_vec(), ..planted(20, 2, 1) };
    bring(&fakes, "a-sender", &request(vec![planted]));
    let own = OtlpSpan { attributes: vec![text("cloudflare.ray_id", &ray(1).to_string())], ..span(21, 0, 1) };
    bring(&fakes, "sender", &request(vec![own]));
    let reply = get(&fakes, "forensics", &format!("/v1/rays/{}?format=otlp", hex::encode(TRACE)));
    let names: Vec<Value> = spans_of(&body(&reply)["resourceSpans"]).iter().map(|span| span["name"].clone()).collect();
    assert!(names.contains(&json!("span 21")) && !names.contains(&json!("span 20")), "{names:?}");
    assert_eq!(header(&reply, "raydex-truncated"), None);
}

#[test]
fn batch_of_spans_names_its_bound_sender() {
    let upload = |token: &str, sender: &str| {
        let line = json!({
            "RayID": ray(1).to_string(), "SpanHost": "a.example", "SpanID": "00f067aa0ba902b7",
            "SpanStartTimestamp": 1_774_687_330_000_000_000_u64, "SpanSenderZone": sender,
        });
        let ask = Ask { body: ndjson([line.to_string()]), ..Ask::new("POST", "/v1/ingest/traces") };
        ask.by(token).of_deployment(&Fakes::new(), &Ok(config())).status
    };
    assert_eq!(
        [upload("a-sender", "a.example"), upload("a-sender", "b.example"), upload("sender", "")],
        [200, 403, 200]
    );
}
