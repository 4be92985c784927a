//! Lines of `http_requests`: every field, always in the order in which a job writes them.
//!
//! The table below is the definition: a name, whether a usual job writes it, and the derivation of its value from an
//! exchange. `tests/it/sample.rs` compares `schemas/datasets.toml` with it.
//!
//! # Invariants
//!
//! Every line of a field set has the same fields in the same order.

use chrono::{DateTime, SecondsFormat};

use super::exchange::RequestExchange;
use super::json::JsonLine;
use super::plan::{FieldSet, SamplePlan, TimestampUnit};
use super::request::SampleRequest;

/// The sources of a line: the exchange, and the settings of the job.
pub(super) struct HttpRecord<'r> {
    pub(super) plan: &'r SamplePlan,
    pub(super) unit: TimestampUnit,
    pub(super) exchange: RequestExchange<'r>,
}

impl<'r> HttpRecord<'r> {
    pub(super) fn new(plan: &'r SamplePlan, unit: TimestampUnit, request: &'r SampleRequest) -> Self {
        Self { plan, unit, exchange: RequestExchange::new(request) }
    }
}

struct HttpField {
    name: &'static str,
    usual: bool,
    write: fn(&mut JsonLine, &HttpRecord<'_>, &RequestExchange<'_>),
}

/// Returns the names of the fields in a field set.
pub(super) fn names(fields: FieldSet) -> impl Iterator<Item = &'static str> {
    columns(fields).map(|column| column.name)
}

fn columns(fields: FieldSet) -> impl Iterator<Item = &'static HttpField> {
    COLUMNS.iter().filter(move |column| column.usual || fields == FieldSet::All)
}

/// Writes a record; `children` are the merged subrequests, `None` if the job does not merge or the record is a
/// subrequest itself.
pub(super) fn write(json: &mut JsonLine, record: &HttpRecord<'_>, children: Option<&[SampleRequest]>) {
    json.raw("{");
    for column in columns(record.plan.fields) {
        json.name(column.name);
        (column.write)(json, record, &record.exchange);
    }
    if let Some(children) = children {
        json.name("Subrequests");
        json.array(children, |json, child| write(json, &HttpRecord::new(record.plan, record.unit, child), None));
    }
    json.raw("}");
}

/// Writes an instant in the job's unit.
pub(super) fn time(json: &mut JsonLine, unix_ns: i64, unit: TimestampUnit) {
    match unit {
        TimestampUnit::UnixNano => json.number(unix_ns),
        TimestampUnit::Unix => json.number(unix_ns / 1_000_000_000),
        TimestampUnit::Rfc3339 => {
            let text = DateTime::from_timestamp_nanos(unix_ns).to_rfc3339_opts(SecondsFormat::Secs, true);
            json.string(&text);
        }
    }
}

macro_rules! columns {
    (@usual usual) => { true };
    (@usual all) => { false };
    ($($set:ident $name:ident => $write:expr;)*) => {
        const COLUMNS: [HttpField; [$(stringify!($name)),*].len()] =
            [$(HttpField { name: stringify!($name), usual: columns!(@usual $set), write: $write }),*];
    };
}

columns! {
    all BotDetectionIDs => |json, _, x| json.numbers(if x.bot_score < 30 { &[33_554_817] } else { &[] });
    all BotDetectionTags => |json, _, x| json.strings((x.bot_score < 30).then_some("script"));
    usual BotScore => |json, _, x| json.number(x.bot_score);
    all BotScoreSrc => |json, _, x| json.string(if x.bot_score < 30 { "Heuristics" } else { "Machine Learning" });
    all BotTags => |json, _, x| json.strings((!x.client.browser.verified.is_empty()).then_some("search"));
    usual CacheCacheStatus => |json, _, x| json.string(x.cache);
    all CacheReserveUsed => |json, _, _| json.bool(false);
    all CacheResponseBytes => |json, _, x| json.number(x.body_bytes + x.header_bytes);
    all CacheTieredFill => |json, _, x| json.bool(x.cache == "miss" && x.edge_host % 4 == 0);
    usual ClientASN => |json, _, x| json.number(x.client.colo.asn);
    usual ClientCity => |json, _, x| json.string(x.client.colo.city);
    usual ClientCountry => |json, _, x| json.string(x.client.colo.country);
    all ClientDeviceType => |json, _, x| json.string(x.client.browser.device);
    usual ClientIP => |json, _, x| json.string(x.client_ip());
    all ClientIPClass => |json, _, x| json.string(if x.client.browser.verified.is_empty() { "noRecord" } else { "searchEngine" });
    all ClientLatitude => |json, _, x| json.string(x.client.colo.latitude);
    all ClientLongitude => |json, _, x| json.string(x.client.colo.longitude);
    all ClientMTLSAuthCertFingerprint => |json, _, _| json.string("");
    all ClientMTLSAuthStatus => |json, _, _| json.string("unknown");
    all ClientRegionCode => |json, _, x| json.string(x.client.colo.region);
    usual ClientRequestBytes => |json, _, x| json.number(x.request_bytes);
    usual ClientRequestHost => |json, _, x| json.string(x.host);
    usual ClientRequestMethod => |json, _, x| json.string(x.method);
    usual ClientRequestPath => |json, _, x| json.string(x.path_text());
    usual ClientRequestProtocol => |json, _, x| json.string(x.protocol);
    usual ClientRequestReferer => |json, _, x| json.string(&x.referer);
    usual ClientRequestScheme => |json, _, x| json.string(x.scheme());
    usual ClientRequestSource => |json, _, x| json.string(source(x));
    usual ClientRequestURI => |json, _, x| json.string(&x.uri);
    usual ClientRequestUserAgent => |json, _, x| json.string(x.client.browser.agent);
    all ClientSSLCipher => |json, _, x| json.string(if x.secure { "AEAD-AES128-GCM-SHA256" } else { "NONE" });
    usual ClientSSLProtocol => |json, _, x| json.string(match x.protocol { "HTTP/3" => "QUIC", _ if x.secure => "TLSv1.3", _ => "none" });
    usual ClientSrcPort => |json, _, x| json.number(x.client.port);
    all ClientTCPRTTMs => |json, _, x| json.number(if x.protocol == "HTTP/3" { 0 } else { x.client.rtt_ms });
    all ClientXRequestedWith => |json, _, x| json.string(if x.request.seed.is_multiple_of(50) { "XMLHttpRequest" } else { "" });
    all ContentScanObjResults => |json, _, _| json.strings([]);
    all ContentScanObjSizes => |json, _, _| json.numbers(&[]);
    all ContentScanObjTypes => |json, _, _| json.strings([]);
    usual Cookies => cookies;
    all EdgeCFConnectingO2O => |json, _, _| json.bool(false);
    usual EdgeColoCode => |json, _, x| json.string(x.client.colo.code);
    usual EdgeColoID => |json, _, x| json.number(x.client.colo.id);
    usual EdgeEndTimestamp => |json, record, x| time(json, x.request.end_ns, record.unit);
    all EdgePathingOp => |json, _, x| json.string(if x.stopped_by.is_some() { "ban" } else { "wl" });
    all EdgePathingSrc => |json, _, x| json.string(if x.rules.is_empty() { "macro" } else { "filterBasedFirewall" });
    all EdgePathingStatus => |json, _, x| json.string(if x.client.browser.verified.is_empty() { "nr" } else { "se" });
    all EdgeRequestHost => |json, _, x| json.string(if x.origin_asked { x.host } else { "" });
    usual EdgeResponseBodyBytes => |json, _, x| json.number(x.body_bytes);
    usual EdgeResponseBytes => |json, _, x| json.number(x.body_bytes + x.header_bytes);
    all EdgeResponseCompressionRatio => compression;
    usual EdgeResponseContentType => |json, _, x| json.string(if x.body_bytes == 0 { "" } else { x.path.content_type });
    usual EdgeResponseStatus => |json, _, x| json.number(x.edge_status);
    usual EdgeServerIP => |json, _, x| if x.origin_asked { json.string(&format!("198.51.100.{}", x.edge_host)) } else { json.string("") };
    usual EdgeStartTimestamp => |json, record, x| time(json, x.request.start_ns, record.unit);
    usual EdgeTimeToFirstByteMs => |json, _, x| json.number(x.times.first_byte);
    all FraudAttack => |json, _, _| json.string("");
    all FraudDetectionIDs => |json, _, _| json.numbers(&[]);
    all FraudDetectionTags => |json, _, _| json.strings([]);
    all JA3Hash => |json, _, x| json.string(if x.secure { x.client.browser.ja3 } else { "" });
    all JA4 => |json, _, x| json.string(if x.secure { x.client.browser.ja4 } else { "" });
    all JA4Signals => |json, _, x| json.raw(if x.secure { r#"{"browser_ratio_1h":0.92,"h2h3_ratio_1h":0.98}"# } else { "{}" });
    all JSDetectionPassed => |json, _, x| json.string(if x.client.browser.bot { "missing" } else { "passed" });
    all LeakedCredentialCheckResult => |json, _, x| json.string(if x.path.before == "/login" { "clean" } else { "" });
    usual OriginDNSResponseTimeMs => |json, _, x| json.number(x.times.dns);
    usual OriginIP => |json, _, x| json.string(x.origin_ip());
    usual OriginRequestHeaderSendDurationMs => |json, _, x| json.number(x.times.sent);
    usual OriginResponseDurationMs => |json, _, x| json.number(x.times.origin);
    all OriginResponseHTTPExpires => |json, _, _| json.string("");
    all OriginResponseHTTPLastModified => |json, _, x| json.string(if x.origin_status == 200 { "Fri, 27 Mar 2026 21:04:11 GMT" } else { "" });
    usual OriginResponseHeaderReceiveDurationMs => |json, _, x| json.number(x.times.header);
    usual OriginResponseStatus => |json, _, x| json.number(x.origin_status);
    all OriginSSLProtocol => |json, _, x| json.string(if x.origin_asked { "TLSv1.3" } else { "unknown" });
    usual OriginTCPHandshakeDurationMs => |json, _, x| json.number(x.times.tcp);
    usual OriginTLSHandshakeDurationMs => |json, _, x| json.number(x.times.tls);
    usual ParentRayID => |json, _, x| match x.request.parent { Some(ray) => json.string(&ray.to_string()), None => json.string("00") };
    usual RayID => |json, _, x| json.string(&x.request.ray.to_string());
    usual RequestHeaders => request_headers;
    usual ResponseHeaders => response_headers;
    usual SecurityAction => |json, _, x| json.string(x.action());
    usual SecurityActions => |json, _, x| json.strings(x.rules.iter().map(|rule| rule.action));
    all SecurityRuleDescription => |json, _, x| json.string(x.deciding_rule().map_or("", |rule| rule.description));
    usual SecurityRuleID => |json, _, x| json.string(x.deciding_rule().map_or("", |rule| rule.id));
    all SecurityRuleIDs => |json, _, x| json.strings(x.rules.iter().map(|rule| rule.id));
    all SecuritySources => |json, _, x| json.strings(x.rules.iter().map(|rule| rule.source));
    all SmartRouteColoID => |json, _, _| json.number(0);
    all UpperTierColoID => |json, _, x| json.number(if x.cache == "miss" { 13 } else { 0 });
    all VerifiedBotCategory => |json, _, x| json.string(x.client.browser.verified);
    usual WAFAttackScore => |json, _, x| json.number(x.attack_score);
    all WAFRCEAttackScore => |json, _, x| json.number(x.attack_score);
    all WAFSQLiAttackScore => |json, _, x| json.number(x.attack_score);
    all WAFXSSAttackScore => |json, _, x| json.number(x.attack_score);
    usual WorkerCPUTime => |json, _, x| json.number(x.times.cpu_us);
    usual WorkerScriptName => |json, _, x| json.string(if x.request.worker { x.site.script } else { "" });
    usual WorkerStatus => |json, _, x| json.string(match (x.request.worker, x.edge_status) { (false, _) => "unknown", (_, 500) => "scriptThrewException", _ => "ok" });
    usual WorkerSubrequest => |json, _, x| json.bool(x.request.parent.is_some());
    usual WorkerSubrequestCount => |json, _, x| json.number(x.request.subrequests);
    all WorkerWallTimeUs => |json, _, x| json.number(if x.request.worker { x.times.total * 1000 } else { 0 });
    usual ZoneName => |json, _, x| json.string(x.site.zone);
}

/// Returns the source of the request: a visitor, or a Worker that fetched.
fn source(exchange: &RequestExchange<'_>) -> &'static str {
    if exchange.request.parent.is_some() { "edgeWorkerFetch" } else { "eyeball" }
}

/// Writes the compression ratio: three to five for text, none for anything else.
fn compression(json: &mut JsonLine, _: &HttpRecord<'_>, x: &RequestExchange<'_>) {
    match x.path.content_type {
        "image/webp" | "application/pdf" | "video/mp4" => json.number(0),
        _ => json.raw(if x.edge_host % 2 == 0 { "3.18" } else { "4.7" }),
    }
}

/// Writes the cookies that the job logs: the session, for API responses.
fn cookies(json: &mut JsonLine, _: &HttpRecord<'_>, x: &RequestExchange<'_>) {
    json.raw("{");
    if x.path.content_type == "application/json" {
        json.name("session");
        json.string(&format!("{:016x}", x.client.session));
    }
    json.raw("}");
}

/// Writes one logged header: a string, or an array of one if the job preserves duplicates.
fn header(json: &mut JsonLine, record: &HttpRecord<'_>, name: &str, value: &str) {
    json.name(name);
    if record.plan.preserve_duplicates { json.strings([value]) } else { json.string(value) }
}

fn request_headers(json: &mut JsonLine, record: &HttpRecord<'_>, x: &RequestExchange<'_>) {
    json.raw("{");
    header(json, record, "accept-language", x.client.browser.language);
    if matches!(x.method, "POST" | "PUT" | "PATCH") {
        header(json, record, "content-length", &(x.request_bytes / 3).to_string());
    }
    json.raw("}");
}

/// Writes the response's headers. Its length is known if it came from the cache or is not generated on the fly.
fn response_headers(json: &mut JsonLine, record: &HttpRecord<'_>, x: &RequestExchange<'_>) {
    json.raw("{");
    let stored = matches!(x.cache, "hit" | "stale" | "updating" | "revalidated");
    header(json, record, "cache-control", if stored { "public, max-age=14400" } else { "private, no-store" });
    if stored && x.body_bytes > 0 {
        header(json, record, "content-length", &x.body_bytes.to_string());
    }
    if record.plan.preserve_duplicates && x.path.before == "/login" {
        json.name("set-cookie");
        json.strings(["session=1; Secure", "theme=\"dark\"; Path=/"]);
    }
    json.raw("}");
}
