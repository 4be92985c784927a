//! Traces of more spans than a list has, and spans that are each other's parents.

use std::collections::BTreeMap;

use raydex::limits::{MEMORY_BUDGET, TRACE_RECORDS};
use raydex::otlp::{OtlpAnyValue, OtlpKeyValue, OtlpSpan, OtlpValue};
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::otlp::spans as spans_of;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::traces::{TRACE, bring, get, span};
use super::{header, json as body};

/// Spans that an exporter sends at a time.
const AT_A_TIME: u64 = 2_000;

/// Names the ray of a trace by one of its spans.
fn of_ray(number: u64, span: OtlpSpan) -> OtlpSpan {
    let value: OtlpAnyValue = OtlpValue::StringValue(ray(number).to_string()).into();
    OtlpSpan { attributes: vec![OtlpKeyValue { key: "cloudflare.ray_id".into(), value: Some(value) }], ..span }
}

/// Brings this number of spans, each below the one before; with a ray, or without.
fn bring_many(fakes: &Fakes, spans: u64, number: Option<u64>) {
    let ids: Vec<u64> = (1..=spans).collect();
    for some in ids.chunks(usize::try_from(AT_A_TIME).unwrap()) {
        let first = some[0];
        let made = some.iter().map(|id| {
            let made = span(*id, id - 1, *id % 1_000);
            if let Some(number) = number.filter(|_| *id == first) { of_ray(number, made) } else { made }
        });
        fakes.bits.set(fakes.bits.get() + 1);
        bring(fakes, made.collect());
    }
}

/// How often each of the spans that were brought is there, with its parent.
fn counted(resource_spans: &Value) -> BTreeMap<u64, (usize, u64)> {
    let mut counted: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
    let number = |id: &Value| u64::from_str_radix(id.as_str().unwrap_or("0"), 16).unwrap();
    for span in spans_of(resource_spans).iter().filter(|span| span["name"].as_str().unwrap().starts_with("span ")) {
        let known = counted.entry(number(&span["spanId"])).or_default();
        *known = (known.0 + 1, number(&span["parentSpanId"]));
    }
    counted
}

fn is_whole(counted: &BTreeMap<u64, (usize, u64)>, spans: u64) -> bool {
    let in_place = |(id, (times, parent)): (&u64, &(usize, u64))| *times == 1 && (*id == 1 || *parent == id - 1);
    counted.len() as u64 == spans && counted.iter().all(in_place)
}

fn request(number: u64, parent: Option<u64>) -> String {
    let parent = parent.map_or("00".into(), |parent| ray(parent).to_string());
    let host = "a.example";
    json!({ "RayID": ray(number).to_string(), "ParentRayID": parent, "ClientRequestHost": host, "ZoneName": host })
        .to_string()
}

#[test]
fn each_span_of_large_traces_is_there_once() {
    for spans in [1_500, 2_500] {
        for number in [Some(1), None] {
            let fakes = Fakes::new();
            fakes.index("logs/a", Dataset::HttpRequests, &ndjson([request(1, None)]));
            bring_many(&fakes, spans, number);
            let trace = hex::encode(TRACE);
            let mut asked = vec![format!("/v1/rays/{trace}?format=otlp")];
            asked.extend(number.map(|number| format!("/v1/rays/{}?format=otlp", ray(number))));
            for path in asked {
                let reply = get(&fakes, "forensics", &path);
                assert_eq!((reply.status, header(&reply, "raydex-truncated")), (200, None), "{path} {spans}");
                assert!(is_whole(&counted(&body(&reply)["resourceSpans"]), spans), "{path} {spans}");
            }
            for version in ["traces", "v2/traces"] {
                let reply = get(&fakes, "viewer", &format!("/tempo/api/{version}/{trace}"));
                assert_eq!((reply.status, header(&reply, "raydex-truncated")), (200, None), "{version} {spans}");
                let mut found = body(&reply);
                let found =
                    if version == "traces" { found["batches"].take() } else { found["trace"]["resourceSpans"].take() };
                assert!(is_whole(&counted(&found), spans), "{version} {spans}");
            }
            assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
        }
    }
}

#[test]
fn trace_beyond_the_bound_says_so() {
    for number in [Some(1), None] {
        let fakes = Fakes::new();
        bring_many(&fakes, TRACE_RECORDS as u64 + 100, number);
        let trace = hex::encode(TRACE);
        let reply = get(&fakes, "forensics", &format!("/v1/rays/{trace}?format=otlp"));
        assert_eq!((reply.status, header(&reply, "raydex-truncated")), (200, Some("true")));
        assert_eq!(header(&reply, "raydex-next-cursor"), None);
        assert!(counted(&body(&reply)["resourceSpans"]).len() >= TRACE_RECORDS);
        let reply = get(&fakes, "forensics", &format!("/tempo/api/traces/{trace}"));
        assert_eq!((reply.status, header(&reply, "raydex-truncated")), (200, Some("true")));
        let reply = get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{trace}"));
        let found = body(&reply);
        let words = found["message"].as_str().unwrap_or_default();
        assert_eq!(found["status"], "PARTIAL");
        assert!(words.contains("Spans are missing: ") && words.contains("4096"), "{words}");
        assert!(!words.contains("page by page"), "{words}");
    }
}

#[test]
fn pages_of_a_tree_have_each_span_once() {
    let fakes = Fakes::new();
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([request(1, None), request(2, Some(1)), request(3, Some(1))]));
    let spans = 1_500;
    for number in 1..=3 {
        let made = (0..spans).map(|nth| of_ray(number, span(number * 10_000 + nth, 0, nth % 1_000)));
        let made = made.map(|made| OtlpSpan { trace_id: vec![u8::try_from(number).unwrap(); 16], ..made });
        fakes.bits.set(fakes.bits.get() + 1);
        bring(&fakes, made.collect());
    }
    for start in ["/v1/rays/".to_owned() + &ray(2).to_string(), format!("/v1/rays/{}", "01".repeat(16))] {
        let (mut found, mut cursor, mut pages) = (BTreeMap::<u64, usize>::new(), String::new(), 0);
        loop {
            let reply = get(&fakes, "forensics", &format!("{start}?format=otlp{cursor}"));
            assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
            pages += 1;
            for (id, (times, _)) in counted(&body(&reply)["resourceSpans"]) {
                *found.entry(id).or_default() += times;
            }
            let Some(next) = header(&reply, "raydex-next-cursor") else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(
            pages > 1 && found.len() == 4_500 && found.values().all(|times| *times == 1),
            "{start} {}",
            found.len()
        );
    }
    let tempo = body(&get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{}", ray(1))));
    let words = tempo["message"].as_str().unwrap();
    assert!(words.contains("requests of more") && !words.contains("Spans are missing"), "{words}");
}

#[test]
fn spans_in_a_circle_are_below_the_first() {
    for number in [Some(1), None] {
        let fakes = Fakes::new();
        // 3 began first, and names itself by way of 1 and 2; 4 names itself.
        let mut made = vec![span(1, 2, 2), span(2, 3, 3), span(3, 1, 1), span(4, 4, 4)];
        if let Some(number) = number {
            made[0] = of_ray(number, made[0].clone());
        }
        bring(&fakes, made);
        let top = number.map_or(0, |number| ray(number).bits());
        let trace = hex::encode(TRACE);
        let expected = BTreeMap::from([(1, (1, 2)), (2, (1, 3)), (3, (1, top)), (4, (1, top))]);
        let otlp = body(&get(&fakes, "forensics", &format!("/v1/rays/{trace}?format=otlp")));
        assert_eq!(counted(&otlp["resourceSpans"]), expected, "{number:?}");
        let tempo = body(&get(&fakes, "forensics", &format!("/tempo/api/v2/traces/{trace}")));
        assert_eq!(counted(&tempo["trace"]["resourceSpans"]), expected, "{number:?}");
        let has_parent = |span: &&Value| span.get("parentSpanId").is_some();
        assert_eq!(spans_of(&otlp["resourceSpans"]).iter().filter(has_parent).count(), if top == 0 { 2 } else { 4 });
        let listed = body(&get(&fakes, "forensics", &format!("/v1/rays/{trace}")));
        assert_eq!(listed["records"].as_array().unwrap().len(), 4);
    }
}
