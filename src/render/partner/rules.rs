//! The rules: each appends the bytes of one value, or nothing where there is none.
//!
//! What always holds: a rule appends UTF-8, and looks at nothing but its own record and the options; what it
//! appends may still hold control characters, for [`super::cells`] cleans behind every rule.

use super::columns::{Column, Rule, Source};
use super::country::country_of;
use super::durations::write_seconds;
use super::headers::first_header;
use super::times::{write_local, write_unix};
use super::{FORMAT, PartnerOptions};
use crate::record::{Field, Fields, Timestamp, Value};

/// Appends the value of `column`.
pub(super) fn write(out: &mut Vec<u8>, column: &Column, fields: &Fields<'_>, options: &PartnerOptions) {
    let value = match column.source {
        Source::Field(field) => fields.get(field),
        Source::Constant | Source::Setting | Source::None => Value::Absent,
    };
    match column.rule {
        Rule::Unavailable => {}
        Rule::Version => put(out, FORMAT),
        Rule::Tenant => put(out, &options.tenant),
        Rule::Url => write_url(out, fields, &value),
        Rule::TimeLocal => write_time_local(out, &value),
        Rule::TimeStart => write_instant(out, &value, write_local),
        Rule::Msec => write_instant(out, &value, write_unix),
        Rule::FirstHeader(name) => put(out, scalar(&first_header(&value, name)).unwrap_or_default()),
        Rule::Country => write_country(out, &value, &options.unknown_country),
        Rule::Text => put(out, scalar(&value).unwrap_or_default()),
        Rule::Seconds => write_seconds(out, scalar(&value).unwrap_or_default()),
        Rule::Port => put(out, scalar(&value).map_or("", port_of)),
        Rule::CacheStatus => put(out, scalar(&value).map_or("", cache_status_of)),
        Rule::Dysta => put(out, scalar(&value).map_or("", dysta_of)),
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// The text of a value that is one: not absent, not empty, not nested.
fn scalar<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    let text: &str = match value {
        Value::Text(text) => text,
        Value::Number(digits) => digits,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Absent | Value::Nested(_) => "",
    };
    (!text.is_empty()).then_some(text)
}

/// The path `uri` behind the record's scheme and host, each replaced where it is absent.
fn write_url(out: &mut Vec<u8>, fields: &Fields<'_>, uri: &Value<'_>) {
    put(out, scalar(&fields.get(Field::ClientRequestScheme)).unwrap_or("http"));
    put(out, "://");
    put(out, scalar(&fields.get(Field::ClientRequestHost)).unwrap_or_default());
    put(out, scalar(uri).unwrap_or("/"));
}

/// The instant `value` in the brackets of an access log.
fn write_time_local(out: &mut Vec<u8>, value: &Value<'_>) {
    write_instant(out, value, |out, at| {
        out.push(b'[');
        write_local(out, at);
        out.push(b']');
    });
}

/// Writes `value` with `write` if it is an instant.
fn write_instant(out: &mut Vec<u8>, value: &Value<'_>, write: impl FnOnce(&mut Vec<u8>, Timestamp)) {
    if let Some(at) = scalar(value).and_then(Timestamp::parse) {
        write(out, at);
    }
}

/// The country of the data centre `value`, or `unknown`.
fn write_country(out: &mut Vec<u8>, value: &Value<'_>, unknown: &str) {
    match scalar(value).and_then(country_of) {
        Some(country) => out.extend_from_slice(&country),
        None => put(out, unknown),
    }
}

/// The port that a scheme implies.
fn port_of(scheme: &str) -> &'static str {
    if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" }
}

/// Whether the cache answered, as the partner puts it; nothing for a status that says neither.
fn cache_status_of(status: &str) -> &'static str {
    const HIT: [&str; 4] = ["hit", "stale", "revalidated", "updating"];
    const MISS: [&str; 5] = ["miss", "expired", "bypass", "dynamic", "none"];
    if HIT.iter().any(|name| status.eq_ignore_ascii_case(name)) {
        "HIT"
    } else if MISS.iter().any(|name| status.eq_ignore_ascii_case(name)) {
        "MISS"
    } else {
        ""
    }
}

/// Whether what was answered is a stored file or made for the request.
fn dysta_of(status: &str) -> &'static str {
    if status.eq_ignore_ascii_case("hit") {
        "static"
    } else if status.eq_ignore_ascii_case("dynamic") {
        "dynamic"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::super::COLUMNS;
    use super::write;
    use crate::record::Fields;
    use crate::render::PartnerOptions;

    /// What the rule of the column `number` appends for the record `json`.
    fn value(number: usize, json: &str) -> String {
        let options = PartnerOptions::new("0123456789abcdef0123456789abcdef", "SG").unwrap();
        let mut out = Vec::new();
        write(&mut out, &COLUMNS[number - 1], &Fields::parse(json).unwrap(), &options);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_text_column_prints_any_value_but_a_nested_one() {
        for (json, expected) in [
            (r#"{"EdgeResponseStatus":200}"#, "200"),
            (r#"{"EdgeResponseStatus":1.50e3}"#, "1.50e3"),
            (r#"{"EdgeResponseStatus":-0}"#, "-0"),
            (r#"{"EdgeResponseStatus":"teapot"}"#, "teapot"),
            (r#"{"EdgeResponseStatus":true}"#, "true"),
            (r#"{"EdgeResponseStatus":false}"#, "false"),
            (r#"{"EdgeResponseStatus":[200]}"#, ""),
            (r#"{"EdgeResponseStatus":{"a":1}}"#, ""),
            (r#"{"EdgeResponseStatus":""}"#, ""),
            (r#"{"EdgeResponseStatus":null}"#, ""),
            (r#"{"EdgeResponseStatus":"\ud800"}"#, ""),
        ] {
            assert_eq!(value(4, json), expected, "{json}");
        }
    }

    #[test]
    fn a_port_is_that_of_the_scheme() {
        for (scheme, expected) in
            [("\"https\"", "443"), ("\"HTTPS\"", "443"), ("\"http\"", "80"), ("\"ws\"", "80"), ("1", "80"), ("[]", "")]
        {
            assert_eq!(value(12, &format!(r#"{{"ClientRequestScheme":{scheme}}}"#)), expected, "{scheme}");
        }
        assert_eq!(value(12, "{}"), "");
    }

    #[test]
    fn an_absent_part_of_the_url_is_replaced() {
        for (json, expected) in [
            (
                r#"{"ClientRequestScheme":"https","ClientRequestHost":"a.b","ClientRequestURI":"/c?d#e"}"#,
                "https://a.b/c?d#e",
            ),
            (r#"{"ClientRequestHost":"a.b","ClientRequestURI":""}"#, "http://a.b/"),
            (r#"{"ClientRequestURI":"/c","ClientRequestHost":null}"#, "http:///c"),
            (r#"{"ClientRequestScheme":{},"ClientRequestHost":1,"ClientRequestURI":true}"#, "http://1true"),
        ] {
            assert_eq!(value(18, json), expected, "{json}");
        }
    }

    #[test]
    fn every_cache_status_has_its_side() {
        for (status, cache, dysta) in [
            ("hit", "HIT", "static"),
            ("HIT", "HIT", "static"),
            ("stale", "HIT", ""),
            ("revalidated", "HIT", ""),
            ("Updating", "HIT", ""),
            ("miss", "MISS", ""),
            ("expired", "MISS", ""),
            ("bypass", "MISS", ""),
            ("dynamic", "MISS", "dynamic"),
            ("DYNAMIC", "MISS", "dynamic"),
            ("none", "MISS", ""),
            ("unknown", "", ""),
            ("ignored", "", ""),
            ("stream_hit", "", ""),
            ("deferred", "", ""),
            ("", "", ""),
        ] {
            let json = format!(r#"{{"CacheCacheStatus":"{status}"}}"#);
            assert_eq!([value(27, &json), value(28, &json), value(42, &json)], [cache, cache, dysta], "{status}");
        }
    }

    #[test]
    fn a_country_is_the_nodes_or_the_setting() {
        for (colo, expected) in [("\"SIN\"", "SG"), ("\"fra\"", "DE"), ("\"HKG\"", "HK"), ("\"SJU\"", "PR")] {
            assert_eq!(value(45, &format!(r#"{{"EdgeColoCode":{colo}}}"#)), expected, "{colo}");
        }
        for json in ["{}", r#"{"EdgeColoCode":"ZZZ"}"#, r#"{"EdgeColoCode":104}"#, r#"{"EdgeColoCode":null}"#] {
            assert_eq!(value(45, json), "SG", "{json}");
        }
    }

    #[test]
    fn a_time_prints_three_ways_or_not_at_all() {
        let json = r#"{"EdgeStartTimestamp":"2026-03-28T08:42:25.9999Z"}"#;
        assert_eq!(value(2, json), "[28/Mar/2026:16:42:25 +0800]");
        assert_eq!(value(5, json), "1774687345.999");
        assert_eq!(value(55, json), "28/Mar/2026:16:42:25 +0800");
        for json in ["{}", r#"{"EdgeStartTimestamp":0}"#, r#"{"EdgeStartTimestamp":"yesterday"}"#] {
            assert_eq!([value(2, json), value(5, json), value(55, json)], ["", "", ""], "{json}");
        }
    }

    #[test]
    fn constants_and_settings_need_no_record() {
        assert_eq!(value(1, "{}"), "cs_vod_v3.0");
        assert_eq!(value(58, "{}"), "0123456789abcdef0123456789abcdef");
        assert_eq!(value(10, "{}"), "");
    }
}
