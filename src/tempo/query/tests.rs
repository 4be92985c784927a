//! Queries as filters, and those that are refused.

use serde_json::{Value, json};

use super::{QueryFault, TraceQuery, canonical_query, parse_duration};
use crate::filter::Filter;

fn filter(query: &str) -> Value {
    let parsed = TraceQuery::parse(query).unwrap_or_else(|fault| panic!("{query}: {fault}"));
    let Some(filter) = parsed.filter else { return Value::Null };
    Filter::parse(&filter).unwrap();
    serde_json::from_str::<Value>(&filter).unwrap()["where"].take()
}

fn leaf(key: &str, operator: &str, value: &Value) -> Value {
    json!({ "key": key, "operator": operator, "value": value })
}

#[test]
fn comparisons_are_conditions_of_a_filter() {
    for (query, key, operator, value) in [
        (r#"{ resource.service.name = "a.example" }"#, "ClientRequestHost", "eq", json!("a.example")),
        ("{.service.name=`a.example`}", "ClientRequestHost", "eq", json!("a.example")),
        ("{span.http.response.status_code>=500}", "EdgeResponseStatus", "geq", json!(500)),
        ("{ span.http.status_code != 200 }", "EdgeResponseStatus", "!eq", json!(200)),
        (r#"{span.http.method=~"GET|POST"}"#, "ClientRequestMethod", "in", json!(["GET", "POST"])),
        (r#"{span.http.method!~"(GET|POST)"}"#, "ClientRequestMethod", "!in", json!(["GET", "POST"])),
        (r#"{span.url.path=~"/cart/.*"}"#, "ClientRequestPath", "startsWith", json!("/cart/")),
        (r#"{span.url.path=~"^.*\\.js$"}"#, "ClientRequestPath", "endsWith", json!(".js")),
        (r#"{span.url.path!~".*cart.*"}"#, "ClientRequestPath", "!contains", json!("cart")),
        ("{span.cloudflare.WorkerSubrequest=true}", "WorkerSubrequest", "eq", json!(true)),
        ("{span.cloudflare.BotScore < 30}", "BotScore", "lt", json!(30)),
        (r#"{span.network.protocol.version="2"}"#, "ClientRequestProtocol", "eq", json!("HTTP/2")),
        ("{status=error}", "EdgeResponseStatus", "geq", json!(500)),
        ("{span:status != error}", "EdgeResponseStatus", "lt", json!(500)),
        (r#"{span.http.request.header.traceparent="x"}"#, "RequestHeaders.traceparent", "eq", json!("x")),
        (r#"{span.user_agent.original="a \"b\" \\"}"#, "ClientRequestUserAgent", "eq", json!("a \"b\" \\")),
    ] {
        assert_eq!(filter(query), leaf(key, operator, &value), "{query}");
    }
    for query in ["{}", "{ true }", r#"{span.http.method=~".*"}"#, "{true || status=error}"] {
        assert_eq!(filter(query), Value::Null, "{query}");
    }
}

#[test]
fn groups_keep_their_order_of_reading() {
    let [a, b, c] = ["a", "b", "c"].map(|host| leaf("ClientRequestHost", "eq", &json!(host)));
    for (query, expected) in [
        (r#"{.service.name="a" && .service.name="b"}"#, json!({"and": [a, b]})),
        (r#"{.service.name="a" || .service.name="b" && .service.name="c"}"#, json!({"or": [a, {"and": [b, c]}]})),
        (r#"{(.service.name="a" || .service.name="b") && .service.name="c"}"#, json!({"and": [{"or": [a, b]}, c]})),
        (
            r#"{name="GET /cart"}"#,
            json!({"and": [leaf("ClientRequestMethod", "eq", &json!("GET")), leaf("ClientRequestPath", "eq", &json!("/cart"))]}),
        ),
    ] {
        assert_eq!(filter(query), expected, "{query}");
    }
}

#[test]
fn durations_are_bounds_beside_the_filter() {
    let query = TraceQuery::parse("{duration > 100ms && duration<=1.5s && status=error}").unwrap();
    assert_eq!((query.least_ns, query.most_ns), (Some(100_000_001), Some(1_500_000_000)));
    assert!(query.filter.unwrap().contains("geq"));
    for (text, ns) in [
        ("100ms", Some(100_000_000)),
        ("1.5s", Some(1_500_000_000)),
        ("2m", Some(120_000_000_000)),
        ("3us", Some(3_000)),
        ("3µs", Some(3_000)),
        ("1h", Some(3_600_000_000_000)),
        ("7ns", Some(7)),
        ("7", None),
        ("s", None),
        ("1d", None),
        ("99999999999h", None),
        ("1..5s", None),
    ] {
        assert_eq!(parse_duration(text), ns, "{text}");
    }
    let both =
        TraceQuery::parse("{duration>1s}").unwrap().and(TraceQuery::parse("{duration>2s && status=error}").unwrap());
    assert_eq!(both.least_ns, Some(2_000_000_001));
    let kept = canonical_query("{ duration>1s }").unwrap();
    assert_eq!(kept, (None, " duration>=1000000001ns".to_owned()));
}

#[test]
fn everything_else_is_refused_by_name() {
    for (query, fault) in [
        ("", QueryFault::Malformed),
        ("status=error", QueryFault::Malformed),
        ("{status=error", QueryFault::Malformed),
        ("{status=}", QueryFault::Status),
        ("{\"a\"=1}", QueryFault::Malformed),
        ("{} | rate()", QueryFault::Pipe),
        ("{} | select(span.http.method)", QueryFault::Pipe),
        ("{} && {}", QueryFault::Sets),
        ("({} || {})", QueryFault::Sets),
        ("{} >> {}", QueryFault::Structure),
        ("{} ~ {}", QueryFault::Structure),
        ("{} !>> {}", QueryFault::Structure),
        ("{span.cloudflare.BotScore + 1 > 2}", QueryFault::Calculation),
        ("{span.cloudflare.BotScore > 2 * 3}", QueryFault::Calculation),
        ("{!(status=error)}", QueryFault::Negation),
        ("{span.http.method != nil}", QueryFault::Nil),
        ("{span.cloudflare.WorkerSubrequest}", QueryFault::Alone),
        ("{parent.http.method=\"GET\"}", QueryFault::Scope),
        ("{event:name=\"x\"}", QueryFault::Scope),
        ("{rootName=\"x\"}", QueryFault::Intrinsic),
        ("{kind=server}", QueryFault::Intrinsic),
        ("{trace:id=\"x\"}", QueryFault::Intrinsic),
        ("{span.foo=1}", QueryFault::Attribute),
        ("{span.http.method=span.url.path}", QueryFault::TwoAttributes),
        ("{name=~\"GET.*\"}", QueryFault::Name),
        ("{name=\"GET\"}", QueryFault::Name),
        ("{status>error}", QueryFault::Status),
        ("{status=\"error\"}", QueryFault::Status),
        ("{duration=1s}", QueryFault::Duration),
        ("{duration>1}", QueryFault::Duration),
        ("{duration>1s || status=error}", QueryFault::Duration),
        ("{(duration>1s && status=error) || status=error}", QueryFault::Duration),
        ("{span.url.path=~\"/a[0-9]+\"}", QueryFault::Regex),
        ("{span.url.path=~\"\\\\d\"}", QueryFault::Regex),
        ("{span.cloudflare.BotScore > 0.5}", QueryFault::Number),
        ("{((((((status=error))))))}", QueryFault::TooDeep),
    ] {
        assert_eq!(TraceQuery::parse(query), Err(fault), "{query}");
    }
    assert_eq!(TraceQuery::parse(&format!("{{.service.name=\"{}\"}}", "a".repeat(5_000))), Err(QueryFault::TooLong));
}

#[test]
fn tags_are_a_list_of_equal_values() {
    let tags = TraceQuery::parse_tags(r#"service.name=a.example http.status_code=500 url.path="/a b""#).unwrap();
    let expected = json!({"where": {"and": [
        leaf("ClientRequestHost", "eq", &json!("a.example")), leaf("EdgeResponseStatus", "eq", &json!("500")),
        leaf("ClientRequestPath", "eq", &json!("/a b")),
    ]}});
    assert_eq!(serde_json::from_str::<Value>(&tags.filter.unwrap()).unwrap(), expected);
    assert_eq!(TraceQuery::parse_tags(""), Ok(TraceQuery::default()));
    for (tags, fault) in
        [("a", QueryFault::Malformed), ("foo=1", QueryFault::Attribute), ("duration=1s", QueryFault::Duration)]
    {
        assert_eq!(TraceQuery::parse_tags(tags), Err(fault), "{tags}");
    }
}
