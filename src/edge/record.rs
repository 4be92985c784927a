//! Writes the record of a request: one line of JSON by the names of `http_requests`, and names that begin with `EdgeLogger` for
//! what Logpush does not have.
//!
//! # Invariants
//! Whatever a client sent, the line is valid JSON without line feeds. Texts longer than [`EDGE_TEXT_BYTES`] are cut, and their
//! fields are listed in `EdgeLoggerCutFields`. A field without a value is absent.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::exchange::EdgeExchange;
use super::redaction::RedactionRules;
use super::settings::EdgeSettings;
use crate::limits::{EDGE_HEADER_BYTES, EDGE_PAYLOAD_BYTES, EDGE_TEXT_BYTES};
use crate::record::RayId;
use crate::time::rfc3339;

/// What the isolate adds to a record.
#[derive(Debug, Clone, Copy)]
pub struct RecordStamp<'a> {
    /// The isolate's ID.
    pub isolate: &'a str,
    /// The number of the request among those that the isolate saw.
    pub sequence: u64,
    /// The ray of the request.
    pub ray: RayId,
    /// Whether the isolate made the ray, because the platform gave none.
    pub is_ray_made: bool,
    /// The number of requests that the record stands for.
    pub sample: u32,
}

/// A record that is being written.
struct RecordBuilder {
    members: Map<String, Value>,
    cut: Vec<Value>,
}

impl RecordBuilder {
    fn text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let text = self.bounded(name, text, EDGE_TEXT_BYTES);
            self.members.insert(name.to_owned(), text);
        }
    }

    fn number(&mut self, name: &'static str, number: Option<u64>) {
        self.members.extend(number.map(|number| (name.to_owned(), number.into())));
    }

    /// Returns the text, cut at a bound.
    fn bounded(&mut self, name: &'static str, text: &str, most: usize) -> Value {
        if text.len() <= most {
            return text.into();
        }
        if !self.cut.iter().any(|cut| cut == name) {
            self.cut.push(name.into());
        }
        text.split_at_checked(text.floor_char_boundary(most)).map_or(text, |(kept, _)| kept).into()
    }
}

/// Writes the record of an exchange, without a line feed; `payload` is what was kept of the request's body.
pub(super) fn write_record(
    settings: &EdgeSettings,
    exchange: &EdgeExchange,
    payload: Option<&[u8]>,
    stamp: &RecordStamp<'_>,
) -> Option<Vec<u8>> {
    let mut record = RecordBuilder { members: Map::new(), cut: Vec::new() };
    write_request(&mut record, settings, exchange);
    write_client(&mut record, exchange);
    write_response(&mut record, exchange);
    write_logger(&mut record, settings, exchange, stamp);
    if let Some(payload) = payload.filter(|payload| !payload.is_empty()) {
        write_payload(&mut record, &settings.redaction, exchange, payload);
    }
    let RecordBuilder { mut members, cut } = record;
    if !cut.is_empty() {
        members.insert("EdgeLoggerCutFields".to_owned(), cut.into());
    }
    serde_json::to_vec(&members).ok()
}

fn write_request(record: &mut RecordBuilder, settings: &EdgeSettings, exchange: &EdgeExchange) {
    let EdgeSettings { redaction, headers, .. } = settings;
    let (scheme, rest) = exchange.url.split_once("://").unwrap_or(("", &exchange.url));
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let (authority, path) = place.split_at_checked(place.find('/').unwrap_or(place.len())).unwrap_or((place, ""));
    let path = redaction.path(if path.is_empty() { "/" } else { path });
    let uri = query.map(|query| format!("{path}?{}", redaction.query(query)));
    record.text("ClientRequestMethod", Some(&exchange.method));
    record.text("ClientRequestScheme", Some(scheme));
    record.text("ClientRequestHost", authority.rsplit('@').next());
    record.text("ClientRequestPath", Some(&path));
    record.text("ClientRequestURI", Some(uri.as_deref().unwrap_or(&path)));
    record.text("ClientRequestProtocol", exchange.cf_text("httpProtocol"));
    record.text("ClientRequestUserAgent", exchange.header("user-agent").map(|agent| redaction.text(agent)).as_deref());
    record.text("ClientRequestReferer", exchange.header("referer").map(|from| redaction.address(from)).as_deref());
    let mut kept = Map::new();
    for name in headers {
        if let Some(value) = exchange.header(name) {
            let value = if name == "referer" { redaction.address(value).into() } else { redaction.text(value) };
            let value = record.bounded("RequestHeaders", &value, EDGE_HEADER_BYTES);
            kept.insert(name.clone(), value);
        }
    }
    if !kept.is_empty() {
        record.members.insert("RequestHeaders".to_owned(), kept.into());
    }
}

fn write_client(record: &mut RecordBuilder, exchange: &EdgeExchange) {
    record.text("ClientIP", exchange.header("cf-connecting-ip"));
    // In lower case, as Logpush writes it.
    record.text("ClientCountry", exchange.cf_text("country").map(str::to_ascii_lowercase).as_deref());
    record.text("ClientRegionCode", exchange.cf_text("regionCode"));
    record.text("ClientCity", exchange.cf_text("city"));
    record.number("ClientASN", exchange.cf_number("asn"));
    record.number("ClientTCPRTTMs", exchange.cf_number("clientTcpRtt"));
    record.text("ClientSSLProtocol", exchange.cf_text("tlsVersion"));
    record.text("ClientSSLCipher", exchange.cf_text("tlsCipher"));
    record.text("EdgeColoCode", exchange.colo());
}

fn write_response(record: &mut RecordBuilder, exchange: &EdgeExchange) {
    record.text("EdgeStartTimestamp", Some(&rfc3339(exchange.start_ms)));
    record.text("EdgeEndTimestamp", Some(&rfc3339(exchange.end_ms)));
    record.number("EdgeResponseStatus", exchange.status.map(u64::from));
    record.text("EdgeResponseContentType", exchange.response_type.as_deref());
    record.number("EdgeResponseBodyBytes", exchange.status.map(|_| exchange.response_bytes));
}

fn write_logger(record: &mut RecordBuilder, settings: &EdgeSettings, exchange: &EdgeExchange, stamp: &RecordStamp<'_>) {
    let since_start = |at_ms: i64| u64::try_from(at_ms - exchange.start_ms).unwrap_or_default();
    let token = exchange.header("authorization");
    let fingerprint = settings.fingerprint_key.as_ref().and_then(|key| key.fingerprint(token?));
    record.text("RayID", Some(&format!("{:016x}", stamp.ray.bits())));
    if stamp.is_ray_made {
        record.members.insert("EdgeLoggerRayMade".to_owned(), true.into());
    }
    record.text("EdgeLoggerIsolateID", Some(stamp.isolate));
    record.number("EdgeLoggerSequence", Some(stamp.sequence));
    record.number("EdgeLoggerSampleInterval", Some(stamp.sample.into()));
    record.text("EdgeLoggerOutcome", Some(exchange.outcome.name()));
    record.number("EdgeLoggerHeadersMs", exchange.headers_ms.map(since_start));
    record.number("EdgeLoggerTotalMs", Some(since_start(exchange.end_ms)));
    record.text("EdgeLoggerFingerprint", fingerprint.as_deref());
    let length = exchange.header("content-length").and_then(|length| length.parse().ok());
    record.number("EdgeLoggerRequestBodyBytes", exchange.payload_bytes.or(length));
}

/// Returns the text of a payload: UTF-8, or UTF-16 where it says so or every other byte of its beginning is zero.
fn payload_text(payload: &[u8]) -> Cow<'_, str> {
    let is_wide = |first: u8, second: u8| {
        (first == 0) != (second == 0) || [(0xff, 0xfe), (0xfe, 0xff)].contains(&(first, second))
    };
    let &[first, second, ..] = payload else { return String::from_utf8_lossy(payload) };
    if !is_wide(first, second) {
        return String::from_utf8_lossy(payload);
    }
    let is_big = first == 0 || (first, second) == (0xfe, 0xff);
    let unit = |pair: [u8; 2]| if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
    let units = payload.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok()).map(unit);
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Cow::Owned(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Writes what was kept of the payload, without the values that are redacted.
fn write_payload(record: &mut RecordBuilder, redaction: &RedactionRules, exchange: &EdgeExchange, payload: &[u8]) {
    let whole = exchange.payload_bytes.unwrap_or(payload.len() as u64);
    let kept = payload.get(..EDGE_PAYLOAD_BYTES).unwrap_or(payload);
    record.number("EdgeLoggerPayloadBytes", Some(whole));
    record.number("EdgeLoggerPayloadKeptBytes", Some(kept.len() as u64));
    if whole > kept.len() as u64 {
        record.cut.push("EdgeLoggerPayload".into());
    }
    let media_type = exchange.header("content-type").unwrap_or_default();
    let text = redaction.payload(media_type, &payload_text(kept));
    let text = record.bounded("EdgeLoggerPayload", &text, 2 * EDGE_PAYLOAD_BYTES);
    record.members.insert("EdgeLoggerPayload".to_owned(), text);
}
