//! Texts and numbers of exporters' JSON that no value can hold as they are.

use serde_json::json;

use super::json as body;
use super::support::Fakes;
use super::support::gzip::gzip;
use super::traces::{JSON, START_NS, TRACE, asked, lines, request, send, spans};

#[test]
fn half_surrogate_pairs_are_stored_as_replacements() {
    let sent = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"sh\ude00op"}}}}]}},
        "scopeSpans":[{{"spans":[{{"traceId":"{}","spanId":"000000000000000b","name":"a\ud83d b","x\ud800":1,
        "startTimeUnixNano":"{START_NS}","endTimeUnixNano":"{START_NS}",
        "attributes":[{{"key":"k\ud800","value":{{"stringValue":"\ud83d\ude00 \uD800"}}}}]}}]}}],"sc\udc00":[]}}]}}"#,
        hex::encode(TRACE)
    );
    for is_gzip in [false, true] {
        let fakes = Fakes::new();
        let ask = asked(JSON, if is_gzip { gzip(sent.as_bytes()) } else { sent.clone().into_bytes() });
        let ask = if is_gzip { ask.with_header("content-encoding", "gzip") } else { ask };
        let reply = send(&fakes, "sender", ask);
        assert_eq!((reply.status, body(&reply)), (200, json!({})));
        let line = &lines(&fakes)[0];
        assert_eq!((&line["SpanName"], &line["ServiceName"]), (&json!("a\u{fffd} b"), &json!("sh\u{fffd}op")));
        assert_eq!(line["SpanAttributes"], json!({ "k\u{fffd}": "\u{1f600} \u{fffd}" }));
    }
}

#[test]
fn number_beyond_a_double_is_the_reason() {
    let sent = request(spans());
    let text = serde_json::to_string(&sent).unwrap();
    let text = text.replacen(r#""name":"span 12""#, r#""name":"span 12","extra":1e999"#, 1);
    let reply = send(&Fakes::new(), "sender", asked(JSON, text.into_bytes()));
    let partial = &body(&reply)["partialSuccess"];
    let words = "1 spans were rejected: 1 with a number beyond the range of a double.";
    assert_eq!((&partial["rejectedSpans"], &partial["errorMessage"]), (&json!("1"), &json!(words)));
}
