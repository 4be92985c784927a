//! Which class a field has: the fields of the datasets, and the members of the objects in them.
//!
//! `schemas/field_classes.toml` says the same for people and other programs; a test compares the two, and both with
//! the fields that `schemas/datasets.toml` lists.
//!
//! What always holds: a table is sorted by its names; what it does not name is of the class `unknown`.

use super::Class;
use crate::record::Dataset;

/// Names with their classes, sorted.
type Table = &'static [(&'static str, Class)];

/// The class of the field `name` of a record.
#[must_use]
pub fn class_of(dataset: Dataset, name: &str) -> Class {
    let table = fields(dataset);
    let place = table.binary_search_by_key(&name, |(known, _)| known).ok();
    place.and_then(|place| table.get(place)).map_or(Class::Unknown, |(_, class)| *class)
}

/// The fields of a dataset.
#[must_use]
pub const fn fields(dataset: Dataset) -> Table {
    match dataset {
        Dataset::HttpRequests => HTTP_REQUESTS,
        Dataset::FirewallEvents => FIREWALL_EVENTS,
        Dataset::WorkersTraceEvents => WORKERS_TRACE_EVENTS,
    }
}

/// The class of the member `name` of an object of a class; older runtimes wrote some names in lower case.
pub(super) fn member(of: Class, name: &str) -> Class {
    let table = MEMBERS.iter().find(|(class, _)| *class == of).map_or(&[][..], |(_, table)| table);
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(Class::Unknown, |(_, class)| *class)
}

/// The fields of `http_requests`, older ones included.
const HTTP_REQUESTS: Table = &[
    ("BotDetectionIDs", Class::Number),
    ("BotDetectionTags", Class::Name),
    ("BotScore", Class::Number),
    ("BotScoreSrc", Class::Word),
    ("BotTags", Class::Name),
    ("CacheCacheStatus", Class::Word),
    ("CacheReserveUsed", Class::Flag),
    ("CacheResponseBytes", Class::Number),
    ("CacheResponseStatus", Class::Number),
    ("CacheTieredFill", Class::Flag),
    ("ClientASN", Class::Number),
    ("ClientCity", Class::Place),
    ("ClientCountry", Class::Country),
    ("ClientDeviceType", Class::Word),
    ("ClientIP", Class::Ip),
    ("ClientIPClass", Class::Word),
    ("ClientLatitude", Class::Position),
    ("ClientLongitude", Class::Position),
    ("ClientMTLSAuthCertFingerprint", Class::Fingerprint),
    ("ClientMTLSAuthStatus", Class::Word),
    ("ClientRegionCode", Class::Region),
    ("ClientRequestBytes", Class::Number),
    ("ClientRequestHost", Class::Host),
    ("ClientRequestMethod", Class::Method),
    ("ClientRequestPath", Class::Url),
    ("ClientRequestProtocol", Class::Protocol),
    ("ClientRequestReferer", Class::Url),
    ("ClientRequestScheme", Class::Scheme),
    ("ClientRequestSource", Class::Word),
    ("ClientRequestURI", Class::Url),
    ("ClientRequestUserAgent", Class::Agent),
    ("ClientSSLCipher", Class::Cipher),
    ("ClientSSLProtocol", Class::Protocol),
    ("ClientSrcPort", Class::Number),
    ("ClientTCPRTTMs", Class::Number),
    ("ClientXRequestedWith", Class::Name),
    ("ContentScanObjResults", Class::Word),
    ("ContentScanObjSizes", Class::Number),
    ("ContentScanObjTypes", Class::Mime),
    ("Cookies", Class::Cookies),
    ("EdgeCFConnectingO2O", Class::Flag),
    ("EdgeColoCode", Class::Colo),
    ("EdgeColoID", Class::Number),
    ("EdgeEndTimestamp", Class::Time),
    ("EdgePathingOp", Class::Word),
    ("EdgePathingSrc", Class::Word),
    ("EdgePathingStatus", Class::Word),
    ("EdgeRateLimitAction", Class::Word),
    ("EdgeRateLimitID", Class::Number),
    ("EdgeRequestHost", Class::Host),
    ("EdgeResponseBodyBytes", Class::Number),
    ("EdgeResponseBytes", Class::Number),
    ("EdgeResponseCompressionRatio", Class::Number),
    ("EdgeResponseContentType", Class::Mime),
    ("EdgeResponseStatus", Class::Number),
    ("EdgeServerIP", Class::Ip),
    ("EdgeStartTimestamp", Class::Time),
    ("EdgeTimeToFirstByteMs", Class::Number),
    ("FirewallMatchesActions", Class::Word),
    ("FirewallMatchesRuleIDs", Class::Id),
    ("FirewallMatchesSources", Class::Word),
    ("FraudAttack", Class::Word),
    ("FraudDetectionIDs", Class::Number),
    ("FraudDetectionTags", Class::Name),
    ("JA3Hash", Class::Fingerprint),
    ("JA4", Class::Fingerprint),
    ("JA4Signals", Class::Signals),
    ("JSDetectionPassed", Class::Word),
    ("LeakedCredentialCheckResult", Class::Word),
    ("OriginDNSResponseTimeMs", Class::Number),
    ("OriginIP", Class::Ip),
    ("OriginRequestHeaderSendDurationMs", Class::Number),
    ("OriginResponseBytes", Class::Number),
    ("OriginResponseDurationMs", Class::Number),
    ("OriginResponseHTTPExpires", Class::Date),
    ("OriginResponseHTTPLastModified", Class::Date),
    ("OriginResponseHeaderReceiveDurationMs", Class::Number),
    ("OriginResponseStatus", Class::Number),
    ("OriginResponseTime", Class::Number),
    ("OriginSSLProtocol", Class::Protocol),
    ("OriginTCPHandshakeDurationMs", Class::Number),
    ("OriginTLSHandshakeDurationMs", Class::Number),
    ("ParentRayID", Class::Ray),
    ("RayID", Class::Ray),
    ("RequestHeaders", Class::Headers),
    ("ResponseHeaders", Class::Headers),
    ("SecurityAction", Class::Word),
    ("SecurityActions", Class::Word),
    ("SecurityLevel", Class::Word),
    ("SecurityRuleDescription", Class::Text),
    ("SecurityRuleID", Class::Id),
    ("SecurityRuleIDs", Class::Id),
    ("SecuritySources", Class::Word),
    ("SmartRouteColoID", Class::Number),
    ("Subrequests", Class::Records),
    ("UpperTierColoID", Class::Number),
    ("VerifiedBotCategory", Class::Word),
    ("WAFAction", Class::Word),
    ("WAFAttackScore", Class::Number),
    ("WAFProfile", Class::Word),
    ("WAFRCEAttackScore", Class::Number),
    ("WAFRuleID", Class::Id),
    ("WAFRuleMessage", Class::Text),
    ("WAFSQLiAttackScore", Class::Number),
    ("WAFXSSAttackScore", Class::Number),
    ("WorkerCPUTime", Class::Number),
    ("WorkerScriptName", Class::Name),
    ("WorkerStatus", Class::Word),
    ("WorkerSubrequest", Class::Flag),
    ("WorkerSubrequestCount", Class::Number),
    ("WorkerWallTimeUs", Class::Number),
    ("ZoneID", Class::Number),
    ("ZoneName", Class::Host),
];

/// The fields of `firewall_events`.
const FIREWALL_EVENTS: Table = &[
    ("Action", Class::Word),
    ("ClientASN", Class::Number),
    ("ClientASNDescription", Class::Text),
    ("ClientCountry", Class::Country),
    ("ClientIP", Class::Ip),
    ("ClientIPClass", Class::Word),
    ("ClientRefererHost", Class::Host),
    ("ClientRefererPath", Class::Url),
    ("ClientRefererQuery", Class::Query),
    ("ClientRefererScheme", Class::Scheme),
    ("ClientRequestHost", Class::Host),
    ("ClientRequestMethod", Class::Method),
    ("ClientRequestPath", Class::Url),
    ("ClientRequestProtocol", Class::Protocol),
    ("ClientRequestQuery", Class::Query),
    ("ClientRequestScheme", Class::Scheme),
    ("ClientRequestUserAgent", Class::Agent),
    ("ContentScanObjResults", Class::Word),
    ("ContentScanObjSizes", Class::Number),
    ("ContentScanObjTypes", Class::Mime),
    ("Datetime", Class::Time),
    ("Description", Class::Text),
    ("EdgeColoCode", Class::Colo),
    ("EdgeResponseStatus", Class::Number),
    ("FraudUserID", Class::Person),
    ("Kind", Class::Word),
    ("LeakedCredentialCheckResult", Class::Word),
    ("MatchIndex", Class::Number),
    ("Metadata", Class::Metadata),
    ("OriginResponseStatus", Class::Number),
    ("OriginatorRayID", Class::Ray),
    ("RayID", Class::Ray),
    ("Ref", Class::Id),
    ("RuleID", Class::Id),
    ("Source", Class::Word),
];

/// The fields of `workers_trace_events`.
const WORKERS_TRACE_EVENTS: Table = &[
    ("CPUTimeMs", Class::Number),
    ("DispatchNamespace", Class::Name),
    ("Entrypoint", Class::Name),
    ("Event", Class::Event),
    ("EventTimestampMs", Class::Time),
    ("EventType", Class::Word),
    ("Exceptions", Class::Exception),
    ("Logs", Class::LogLine),
    ("Outcome", Class::Word),
    ("ScriptName", Class::Name),
    ("ScriptTags", Class::Name),
    ("ScriptVersion", Class::Version),
    ("WallTimeMs", Class::Number),
];

/// The members of objects, by the class of the object.
pub const MEMBERS: &[(Class, Table)] = &[
    (
        Class::Event,
        &[
            ("RayID", Class::Ray),
            ("Request", Class::Request),
            ("Response", Class::Response),
            ("Cron", Class::Text),
            ("ScheduledTimeMs", Class::Time),
            ("QueueName", Class::Name),
            ("BatchSize", Class::Number),
            ("RpcMethod", Class::Name),
            ("RawSize", Class::Number),
        ],
    ),
    (Class::Request, &[("URL", Class::Url), ("Method", Class::Method), ("Headers", Class::Headers)]),
    (Class::Response, &[("Status", Class::Number)]),
    (
        Class::Exception,
        &[("Name", Class::Word), ("Message", Class::Message), ("Stack", Class::Message), ("TimestampMs", Class::Time)],
    ),
    (Class::LogLine, &[("Level", Class::Word), ("Message", Class::Message), ("TimestampMs", Class::Time)]),
    (Class::Version, &[("ID", Class::Id), ("Tag", Class::Name), ("Message", Class::Message)]),
];
