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

pub(super) fn text(key: &str, value: &str) -> OtlpKeyValue {
    let value: OtlpAnyValue = OtlpValue::StringValue(value.into()).into();
    OtlpKeyValue { key: key.into(), value: Some(value) }
}

/// A span of `a.example` that names a ray.
fn planted(id: u64, number: u64, trace: u8) -> OtlpSpan {
    let attributes = vec![text("cloudflare.ray_id", &ray(number).to_string()), text("server.address", "a.example")];
    OtlpSpan { attributes, trace_id: vec![trace; 16], ..span(id, 0, 1) }
}

pub(super) fn bring(fakes: &Fakes, token: &str, sent: &OtlpTrace) {
    fakes.bits.set(fakes.bits.get() + 1);
    let ask = Ask { body: serde_json::to_vec(sent).unwrap(), ..Ask::new("POST", "/v1/traces") };
    let reply = ask.with_header("content-type", JSON).by(token).of_deployment(fakes, &Ok(config()));
    assert_eq!((reply.status, body(&reply)), (200, json!({})));
    let message = fakes.queue.sent().pop().unwrap();
    assert_eq!(fakes.parse(&message, 1).verdict, ParseOutcome::Sealed);
}

pub(super) fn record(number: u64, zone: &str) -> String {
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
    // Its own ID finds the span, which no answer about the ray has.
    let foreign = vec![false, true, false, true, false, false, false];
    assert_eq!([shown(&fakes, 1), shown(&fakes, 2), shown(&fakes, 3)], [foreign, vec![true; 7], vec![true; 7]]);
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

/// The names and trace IDs of the spans that the ID of the trace finds, by both doors.
fn found_by_trace(fakes: &Fakes, trace: &str) -> [Vec<(String, String)>; 2] {
    let named = |found: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        spans_of(found).iter().map(|span| (text(&span["name"]), text(&span["traceId"]))).collect()
    };
    let otlp = get(fakes, "forensics", &format!("/v1/rays/{trace}?format=otlp"));
    let tempo = get(fakes, "forensics", &format!("/tempo/api/v2/traces/{trace}"));
    assert_eq!((otlp.status, tempo.status), (200, 200));
    assert_eq!(header(&otlp, "raydex-truncated"), None);
    [named(&body(&otlp)["resourceSpans"]), named(&body(&tempo)["trace"]["resourceSpans"])]
}

#[test]
fn bound_span_leads_to_its_own_rays_alone() {
    let trace = hex::encode(TRACE);
    let spans = |names: &[&str], trace: &str| -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), trace.to_owned())).collect()
    };
    for (number, is_own) in [(1, false), (2, true), (3, false)] {
        for has_others in [false, true] {
            let fakes = Fakes::new();
            fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(1, "b.example"), record(2, "a.example")]));
            let planted = OtlpSpan { trace_id: TRACE.to_vec(), ..planted(20, number, 1) };
            bring(&fakes, "a-sender", &request(vec![planted]));
            if has_others {
                bring(&fakes, "sender", &request(vec![span(21, 0, 1)]));
            }
            let [otlp, tempo] = found_by_trace(&fakes, &trace);
            assert_eq!(otlp, tempo);
            let alone: &[&str] = if has_others { &["span 20", "span 21"] } else { &["span 20"] };
            if is_own {
                let tree = format!("{:0>32}", ray(number).to_string());
                assert!(otlp.len() > alone.len() && otlp.iter().all(|(_, trace)| *trace == tree), "{otlp:?}");
                assert!(alone.iter().all(|name| otlp.iter().any(|(known, _)| known == name)), "{otlp:?}");
            } else {
                assert_eq!(otlp, spans(alone, &trace), "{number}");
            }
        }
    }
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

#[test]
fn escapes_hide_no_sender_of_a_batch() {
    for name in ["SpanSenderZone", r"Span\u0053enderZone", r"\u0053pan\u0053ender\u005Aone"] {
        let fakes = Fakes::new();
        fakes.index("logs/a", Dataset::HttpRequests, &ndjson([record(1, "b.example"), record(2, "a.example")]));
        let line = |number: u64| {
            let id = format!("{:016x}", 10 + number);
            format!(
                r#"{{"RayID":"{}","SpanHost":"a.example","SpanID":"{id}","TraceID":"{}","SpanName":"span {}",
                "SpanStartTimestamp":1774687330000000000,"{name}":"a.example"}}"#,
                ray(number),
                format!("{number:02x}").repeat(16),
                number + 10,
            )
            .replace('\n', "")
        };
        let ask = Ask { body: ndjson([line(1), line(2)]), ..Ask::new("POST", "/v1/ingest/traces") };
        assert_eq!(ask.by("a-sender").of_deployment(&fakes, &Ok(config())).status, 200);
        assert_eq!(fakes.parse(&fakes.queue.sent().pop().unwrap(), 1).verdict, ParseOutcome::Sealed);
        let foreign = vec![false, true, false, true, false, false, false];
        assert_eq!([shown(&fakes, 1), shown(&fakes, 2)], [foreign, vec![true; 7]], "{name}");
    }
}
