//! The rules of columns: each appends the bytes of one value, or nothing if the record has none.
//!
//! # Invariants
//!
//! A rule appends UTF-8, and depends only on its own record and the options. Its output may contain control characters
//! if it says so, since [`super::cells`] removes them.

use std::borrow::Cow;

use super::PartnerOptions;
use super::cells::put;
use super::columns::{ColumnRule, ColumnSource, PartnerColumn};
use super::country::country_of;
use super::durations::write_seconds;
use super::headers::first_header;
use super::times::{write_local, write_unix};
use crate::record::decimal::{canonical_number, is_plain_integer};
use crate::record::{Field, FieldValue, Fields, Timestamp};

/// The content that a rule has appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellContent {
    Clean,
    /// Text that may contain control characters, which become spaces.
    Anything,
    /// The same, where a default took the place of a value that the record lacks.
    Default,
}

/// A record, with the values that several of its columns share.
#[derive(Debug)]
pub(super) struct PartnerRecord<'a> {
    fields: &'a Fields<'a>,
    options: &'a PartnerOptions,
    start: Option<Timestamp>,
}

/// The field that determines the times of a line.
const START: Field = Field::EdgeStartTimestamp;

impl<'a> PartnerRecord<'a> {
    pub(super) fn new(fields: &'a Fields<'a>, options: &'a PartnerOptions) -> Self {
        let start = ScalarText::of_field(fields, START).instant();
        Self { fields, options, start }
    }

    /// Returns the text of a column's source.
    fn scalar(&self, source: ColumnSource) -> ScalarText<'a> {
        match source {
            ColumnSource::Field(field) => ScalarText::of_field(self.fields, field),
            ColumnSource::Setting | ColumnSource::None => ScalarText::NONE,
        }
    }

    /// Returns the instant of a column's source.
    fn instant(&self, source: ColumnSource) -> Option<Timestamp> {
        if source == ColumnSource::Field(START) { self.start } else { self.scalar(source).instant() }
    }
}

/// The text of a scalar value; empty if it is absent or nested.
struct ScalarText<'a> {
    text: Cow<'a, [u8]>,
    wrote: CellContent,
    /// Whether it is a number that may have other spellings.
    is_number: bool,
}

impl<'a> ScalarText<'a> {
    const NONE: Self = Self { text: Cow::Borrowed(&[]), wrote: CellContent::Clean, is_number: false };

    #[inline]
    fn of_field(fields: &Fields<'a>, field: Field) -> Self {
        // A JSON string contains control characters only as escapes.
        match fields.plain(field) {
            Some(text) => Self { text: Cow::Borrowed(text), ..Self::NONE },
            None => Self::of(fields.get(field)),
        }
    }

    #[cold]
    fn of(value: FieldValue<'a>) -> Self {
        let text = match value {
            FieldValue::Number(text) => {
                return Self { text: Cow::Borrowed(text.as_bytes()), is_number: true, ..Self::NONE };
            }
            FieldValue::Text(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            FieldValue::Text(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
            FieldValue::Bool(true) => Cow::Borrowed(&b"true"[..]),
            FieldValue::Bool(false) => Cow::Borrowed(&b"false"[..]),
            FieldValue::Absent | FieldValue::Nested(_) => return Self::NONE,
        };
        Self { text, wrote: CellContent::Anything, is_number: false }
    }

    fn instant(&self) -> Option<Timestamp> {
        std::str::from_utf8(&self.text).ok().and_then(Timestamp::parse_logged)
    }

    /// Appends the text, or `absent` if there is none; a number in its canonical spelling.
    fn put(&self, out: &mut Vec<u8>, absent: &str) -> CellContent {
        if self.is_number {
            return self.put_number(out);
        }
        put(out, if self.text.is_empty() { absent.as_bytes() } else { &self.text });
        self.wrote
    }

    /// Appends the text; in its canonical spelling if it is that of a number, even in a string.
    #[cold]
    fn put_number(&self, out: &mut Vec<u8>) -> CellContent {
        match std::str::from_utf8(&self.text) {
            Ok(text) => put(out, canonical_number(text).as_bytes()),
            Err(_) => put(out, &self.text),
        }
        self.wrote
    }

    /// Appends the result of `derive` for the text, if there is one.
    #[inline]
    fn put_derived(&self, out: &mut Vec<u8>, derive: impl FnOnce(&[u8]) -> &'static str) -> CellContent {
        if !self.text.is_empty() {
            put(out, derive(&self.text).as_bytes());
        }
        CellContent::Clean
    }
}

/// Appends the value of `column`.
pub(super) fn write(out: &mut Vec<u8>, column: &PartnerColumn, record: &PartnerRecord<'_>) -> CellContent {
    let source = column.source;
    match column.rule {
        ColumnRule::Text => return write_text(out, record, source),
        ColumnRule::Number => return write_number(out, record, source),
        ColumnRule::Identifier => return write_identifier(out, record, source),
        ColumnRule::Url => return write_url(out, record, source),
        ColumnRule::Country => return write_country(out, record, source),
        ColumnRule::Port => return record.scalar(source).put_derived(out, port_of),
        ColumnRule::CacheStatus => return record.scalar(source).put_derived(out, cache_status_of),
        ColumnRule::Dysta => return record.scalar(source).put_derived(out, dysta_of),
        ColumnRule::FirstHeader(name) => return write_header(out, record, source, name),
        ColumnRule::Version => {
            put(out, record.options.version.as_bytes());
            return CellContent::Anything;
        }
        ColumnRule::Tenant => {
            put(out, record.options.tenant.as_bytes());
            return CellContent::Anything;
        }
        ColumnRule::Seconds => write_seconds(out, &record.scalar(source).text),
        ColumnRule::TimeLocal => write_instant(out, record.instant(source), write_time_local),
        ColumnRule::TimeStart => write_instant(out, record.instant(source), write_local),
        ColumnRule::Msec => write_instant(out, record.instant(source), write_unix),
        ColumnRule::Unavailable => {}
    }
    CellContent::Clean
}

/// Appends the text of `source`, which is nearly always unchanged from the line.
#[inline]
fn write_text(out: &mut Vec<u8>, record: &PartnerRecord<'_>, source: ColumnSource) -> CellContent {
    if let ColumnSource::Field(field) = source
        && let Some(text) = record.fields.plain(field)
    {
        put(out, text);
        return CellContent::Clean;
    }
    record.scalar(source).put(out, "")
}

/// Appends the number of `source`, which is nearly always an integer; anything else as [`write_text`].
#[inline]
fn write_number(out: &mut Vec<u8>, record: &PartnerRecord<'_>, source: ColumnSource) -> CellContent {
    if let ColumnSource::Field(field) = source
        && let Some(text) = record.fields.plain(field)
        && is_plain_integer(text)
    {
        put(out, text);
        return CellContent::Clean;
    }
    record.scalar(source).put_number(out)
}

/// Appends the identifier of `source`: its digits are no number, even without quotes.
#[inline]
fn write_identifier(out: &mut Vec<u8>, record: &PartnerRecord<'_>, source: ColumnSource) -> CellContent {
    let scalar = record.scalar(source);
    put(out, &scalar.text);
    scalar.wrote
}

/// Appends the path in `source` after the record's scheme and host, each with a substitute if it is absent.
fn write_url(out: &mut Vec<u8>, record: &PartnerRecord<'_>, source: ColumnSource) -> CellContent {
    let scheme = record.scalar(ColumnSource::Field(Field::ClientRequestScheme));
    let path = record.scalar(source);
    let is_default = scheme.text.is_empty() || path.text.is_empty();
    let scheme = scheme.put(out, "http");
    put(out, b"://");
    let host = record.scalar(ColumnSource::Field(Field::ClientRequestHost)).put(out, "");
    let path = path.put(out, "/");
    let is_clean = [scheme, host, path].iter().all(|wrote| *wrote == CellContent::Clean);
    if is_default {
        CellContent::Default
    } else if is_clean {
        CellContent::Clean
    } else {
        CellContent::Anything
    }
}

/// Appends the header `name` of the headers in `source`; a job may write response headers under a newer name.
fn write_header(out: &mut Vec<u8>, record: &PartnerRecord<'_>, source: ColumnSource, name: &str) -> CellContent {
    let ColumnSource::Field(field) = source else { return CellContent::Clean };
    let header = |field| first_header(&record.fields.get(field), name);
    let found = match header(field) {
        FieldValue::Absent | FieldValue::Nested(_) if field == Field::ResponseHeaders => header(Field::ResponseFields),
        found => found,
    };
    ScalarText::of(found).put(out, "")
}

/// Appends an instant with `write`, if there is one.
fn write_instant(out: &mut Vec<u8>, at: Option<Timestamp>, write: impl FnOnce(&mut Vec<u8>, Timestamp)) {
    if let Some(at) = at {
        write(out, at);
    }
}

/// Appends an instant in the brackets of an access log.
fn write_time_local(out: &mut Vec<u8>, at: Timestamp) {
    out.push(b'[');
    write_local(out, at);
    out.push(b']');
}

/// Appends the country of the data centre in `source`, or the deployment's default.
fn write_country(out: &mut Vec<u8>, record: &PartnerRecord<'_>, source: ColumnSource) -> CellContent {
    if let Some(country) = country_of(&record.scalar(source).text) {
        put(out, &country);
        CellContent::Clean
    } else {
        put(out, record.options.unknown_country.as_bytes());
        CellContent::Default
    }
}

/// Returns the port that a scheme implies.
fn port_of(scheme: &[u8]) -> &'static str {
    if scheme.eq_ignore_ascii_case(b"https") { "443" } else { "80" }
}

/// Returns whether the cache answered, in the partner's terms; empty for a status that does not say.
fn cache_status_of(status: &[u8]) -> &'static str {
    const HIT: [&str; 4] = ["hit", "stale", "revalidated", "updating"];
    const MISS: [&str; 5] = ["miss", "expired", "bypass", "dynamic", "none"];
    let is = |name: &&str| status.eq_ignore_ascii_case(name.as_bytes());
    if HIT.iter().any(is) {
        "HIT"
    } else if MISS.iter().any(is) {
        "MISS"
    } else {
        ""
    }
}

/// Returns whether the response was a stored file or generated for the request, in the partner's terms.
fn dysta_of(status: &[u8]) -> &'static str {
    if status.eq_ignore_ascii_case(b"hit") {
        "static"
    } else if status.eq_ignore_ascii_case(b"dynamic") {
        "dynamic"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::super::COLUMNS;
    use super::{PartnerRecord, write};
    use crate::record::Fields;
    use crate::render::PartnerOptions;

    /// Returns the bytes that the rule of the column `number` appends for the record `json`.
    fn value(number: usize, json: &str) -> String {
        let options = PartnerOptions::new("0123456789abcdef0123456789abcdef", "SG").unwrap();
        let mut out = Vec::new();
        let fields = Fields::parse(json).unwrap();
        write(&mut out, &COLUMNS[number - 1], &PartnerRecord::new(&fields, &options));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_column_prints_all_but_nested_values() {
        for (json, expected) in [
            (r#"{"EdgeResponseStatus":200}"#, "200"),
            (r#"{"EdgeResponseStatus":1.50e3}"#, "1500"),
            (r#"{"EdgeResponseStatus":-0}"#, "0"),
            (r#"{"EdgeResponseStatus":9007199254740993.0}"#, "9007199254740993"),
            (r#"{"EdgeResponseStatus":"2E2"}"#, "200"),
            (r#"{"EdgeResponseStatus":"0200"}"#, "0200"),
            (r#"{"EdgeResponseStatus":"teapot"}"#, "teapot"),
            (r#"{"EdgeResponseStatus":true}"#, "true"),
            (r#"{"EdgeResponseStatus":false}"#, "false"),
            (r#"{"EdgeResponseStatus":[200]}"#, ""),
            (r#"{"EdgeResponseStatus":{"a":1}}"#, ""),
            (r#"{"EdgeResponseStatus":""}"#, ""),
            (r#"{"EdgeResponseStatus":null}"#, ""),
            (r#"{"EdgeResponseStatus":"a\ud800b"}"#, "a\u{fffd}b"),
        ] {
            assert_eq!(value(4, json), expected, "{json}");
        }
    }

    #[test]
    fn number_is_canonical_in_every_column_but_identifiers() {
        for (number, json, expected) in [
            (13, r#"{"ClientIP":1.50}"#, "1.5"),
            (13, r#"{"ClientIP":"1.50"}"#, "1.50"),
            (18, r#"{"ClientRequestHost":1E3,"ClientRequestURI":-0}"#, "http://10000"),
            (21, r#"{"ResponseHeaders":{"content-length":2e2}}"#, "200"),
            (21, r#"{"ResponseHeaders":{"content-length":["2e2"]}}"#, "2e2"),
            (3, r#"{"RayID":12e4567890123456}"#, "12e4567890123456"),
            (3, r#"{"RayID":"764660d8ec5c2ab1"}"#, "764660d8ec5c2ab1"),
            (3, r#"{"RayID":"\u0037"}"#, "7"),
        ] {
            assert_eq!(value(number, json), expected, "{json}");
        }
    }

    #[test]
    fn header_is_that_of_either_field() {
        for (json, expected) in [
            (r#"{"ResponseHeaders":{"Content-Length":"77","content-length":["88","99"]}}"#, "88"),
            (r#"{"ResponseFields":{"content-length":["1234"]}}"#, "1234"),
            (r#"{"ResponseFields":{"content-length":["1234"]},"ResponseHeaders":{"content-length":"77"}}"#, "77"),
            (r#"{"ResponseFields":{"content-length":["1234"]},"ResponseHeaders":{"content-length":[]}}"#, "1234"),
            (r#"{"ResponseHeaders":null,"RequestHeaders":{"content-length":"1"}}"#, ""),
        ] {
            assert_eq!(value(21, json), expected, "{json}");
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
    fn time_prints_three_ways_or_not_at_all() {
        let json = r#"{"EdgeStartTimestamp":"2026-03-28T08:42:25.9999Z"}"#;
        assert_eq!(value(2, json), "[28/Mar/2026:16:42:25 +0800]");
        assert_eq!(value(5, json), "1774687345.999");
        assert_eq!(value(55, json), "28/Mar/2026:16:42:25 +0800");
        for number in ["1.7746873459999e+18", "\"1774687345999.9\"", "17746873459999E-4"] {
            let json = format!(r#"{{"EdgeStartTimestamp":{number}}}"#);
            assert_eq!(
                [value(2, &json), value(5, &json)],
                ["[28/Mar/2026:16:42:25 +0800]", "1774687345.999"],
                "{number}"
            );
        }
        for json in [
            "{}",
            r#"{"EdgeStartTimestamp":0}"#,
            r#"{"EdgeStartTimestamp":"yesterday"}"#,
            r#"{"EdgeStartTimestamp":253402300799}"#,
        ] {
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
