//! Traces whose lines take more memory than an answer may hold: as many of their spans as fit, and none in part.

use prost::Message;
use raydex::limits::MEMORY_BUDGET;
use raydex::otlp::{OtlpAnyValue, OtlpKeyValue, OtlpSpan, OtlpTrace, OtlpValue};
use raydex::record::Dataset;
use serde_json::{Value, json};

use super::bound_spans::text;
use super::otlp::spans as spans_of;
use super::support::Fakes;
use super::support::records::{ndjson, ray};
use super::traces::{TRACE, bring, config, get, span};
use super::{Ask, Reply, header, json as body};

/// A span of 3 KB: in one attribute, or in 150 of few bytes each.
fn long(id: u64, is_split: bool) -> OtlpSpan {
    let number = |nth: u64| {
        let value: OtlpAnyValue = OtlpValue::StringValue(format!("{:03}", (id + nth) % 1_000)).into();
        OtlpKeyValue { key: format!("attribute.{nth:03}"), value: Some(value) }
    };
    let attributes = if is_split { (0..100).map(number).collect() } else { vec![text("long", &"x y".repeat(970))] };
    OtlpSpan { attributes, ..span(id, 0, id % 1_000) }
}

/// Spans of this number of kilobytes in requests of a thousand, of the ray 1 or of none.
fn world(spans: u64, is_split: bool, number: Option<u64>) -> Fakes {
    let fakes = Fakes::new();
    let request = json!({ "RayID": ray(1).to_string(), "ClientRequestHost": "a.example", "ZoneName": "a.example" });
    fakes.index("logs/a", Dataset::HttpRequests, &ndjson([request.to_string()]));
    let ids: Vec<u64> = (1..=spans).collect();
    for some in ids.chunks(if is_split { 500 } else { 1_000 }) {
        let mut made: Vec<OtlpSpan> = some.iter().map(|id| long(*id, is_split)).collect();
        if let Some(number) = number {
            made[0].attributes.insert(0, text("cloudflare.ray_id", &ray(number).to_string()));
        }
        fakes.bits.set(fakes.bits.get() + 1);
        bring(&fakes, made);
    }
    fakes
}

/// The number of spans that exporters brought, each of which must be whole and there once.
fn whole(resource_spans: &Value, is_split: bool) -> usize {
    let mut ids = std::collections::BTreeSet::new();
    for span in spans_of(resource_spans).iter().filter(|span| span["name"].as_str().unwrap().starts_with("span ")) {
        let id: u64 = span["name"].as_str().unwrap().trim_start_matches("span ").parse().unwrap();
        let known = span["attributes"].as_array().unwrap();
        let sent = long(id, is_split).attributes.len();
        assert!([0, 1].contains(&(known.len() - sent)), "{span}");
        assert!(ids.insert(id), "{id}");
    }
    ids.len()
}

/// The answers of every door, each with its spans, and whether it says that it is cut.
fn answers(fakes: &Fakes, id: &str) -> Vec<(&'static str, Value, bool)> {
    let is_cut = |reply: &Reply| {
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        header(reply, "raydex-truncated").is_some()
    };
    let otlp = get(fakes, "forensics", &format!("/v1/rays/{id}?format=otlp"));
    let protobuf = Ask::get(&format!("/v1/rays/{id}?format=otlp")).accept("application/protobuf").by("forensics");
    let protobuf = protobuf.of_deployment(fakes, &Ok(config()));
    let decoded = serde_json::to_value(OtlpTrace::decode(&*protobuf.body).unwrap()).unwrap();
    let v1 = get(fakes, "viewer", &format!("/tempo/api/traces/{id}"));
    let v2 = get(fakes, "forensics", &format!("/tempo/api/v2/traces/{id}"));
    let said = body(&v2);
    assert_eq!(said["status"] == "PARTIAL", is_cut(&v2), "{}", said["message"]);
    assert_eq!(said["message"].as_str().is_some_and(|words| words.contains("Spans are missing")), is_cut(&v2));
    vec![
        ("json", body(&otlp)["resourceSpans"].clone(), is_cut(&otlp)),
        ("protobuf", decoded["resourceSpans"].clone(), is_cut(&protobuf)),
        ("v1", body(&v1)["batches"].clone(), is_cut(&v1)),
        ("v2", said["trace"]["resourceSpans"].clone(), is_cut(&v2)),
    ]
}

#[test]
fn long_trace_has_as_much_as_fits() {
    let trace = hex::encode(TRACE);
    for (is_split, spans, least, number) in [(false, 3_500, 2_500, Some(1)), (true, 2_200, 2_200, None)] {
        let fakes = world(spans, is_split, number);
        let asked = [Some(trace.clone()), number.map(|number| ray(number).to_string())];
        for id in asked.into_iter().flatten() {
            for (form, found, is_cut) in answers(&fakes, &id) {
                let there = whole(&found, is_split);
                let what = format!("{form} of {spans} {is_split} {id}: {there}");
                // A viewer's values of attributes are masked, which is longer.
                assert!(there >= least || form == "v1" && there >= 1_500, "{what}");
                assert_eq!(is_cut, (there as u64) < spans, "{what}");
            }
        }
        assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
    }
}

#[test]
fn large_spans_of_a_ray_are_never_refused() {
    let fakes = world(0, false, None);
    for request in 0..4 {
        let large = |nth: u64| {
            let attributes = (0..10).map(|number| text(&format!("large.{number}"), &"x y".repeat(2_000)));
            OtlpSpan { attributes: attributes.collect(), ..span(1 + request * 45 + nth, 0, nth) }
        };
        let mut made: Vec<OtlpSpan> = (0..45).map(large).collect();
        made[0].attributes.insert(0, text("cloudflare.ray_id", &ray(1).to_string()));
        fakes.bits.set(fakes.bits.get() + 1);
        bring(&fakes, made);
    }
    for id in [hex::encode(TRACE), ray(1).to_string()] {
        for (form, found, is_cut) in answers(&fakes, &id) {
            let named = |span: &&Value| span["name"].as_str().unwrap().starts_with("span ");
            let there = spans_of(&found).iter().filter(named).count();
            assert!((15..180).contains(&there) && is_cut, "{form} of {id}: {there}");
        }
    }
    assert_eq!(fakes.memory.available(), MEMORY_BUDGET);
}
