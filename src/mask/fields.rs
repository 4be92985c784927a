//! Which class a field has: the fields of the datasets, and the members of the objects in them.
//!
//! `schemas/field_classes.toml` says the same for people and other programs; a test compares the two, and both with
//! the fields that `schemas/datasets.toml` lists.
//!
//! # Invariants
//!
//! A table is sorted by its names. A field that it does not name is of the class `unknown`.

use super::FieldClass;
use crate::record::Dataset;

/// Names with their classes, sorted.
type ClassTable = &'static [(&'static str, FieldClass)];

/// The class of the field `name` of a record.
#[must_use]
pub fn class_of(dataset: Dataset, name: &str) -> FieldClass {
    let table = fields(dataset);
    let place = table.binary_search_by_key(&name, |(known, _)| known).ok();
    place.and_then(|place| table.get(place)).map_or(FieldClass::Unknown, |(_, class)| *class)
}

/// The fields of a dataset.
#[must_use]
pub const fn fields(dataset: Dataset) -> ClassTable {
    match dataset {
        Dataset::HttpRequests => HTTP_REQUESTS,
        Dataset::FirewallEvents => FIREWALL_EVENTS,
        Dataset::WorkersTraceEvents => WORKERS_TRACE_EVENTS,
    }
}

/// Whether a dataset has the field `name`.
pub(super) fn is_known(name: &str) -> bool {
    Dataset::ALL.into_iter().any(|dataset| class_of(dataset, name) != FieldClass::Unknown)
}

/// The class of the member `name` of an object of a class; older runtimes wrote some names in lower case.
pub(super) fn member(of: FieldClass, name: &str) -> FieldClass {
    let table = MEMBERS.iter().find(|(class, _)| *class == of).map_or(&[][..], |(_, table)| table);
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(FieldClass::Unknown, |(_, class)| *class)
}

/// The fields of `http_requests`, older ones included.
const HTTP_REQUESTS: ClassTable = &[
    ("BotDetectionIDs", FieldClass::Number),
    ("BotDetectionTags", FieldClass::Name),
    ("BotScore", FieldClass::Number),
    ("BotScoreSrc", FieldClass::Word),
    ("BotTags", FieldClass::Name),
    ("CacheCacheStatus", FieldClass::Word),
    ("CacheReserveUsed", FieldClass::Flag),
    ("CacheResponseBytes", FieldClass::Number),
    ("CacheResponseStatus", FieldClass::Number),
    ("CacheTieredFill", FieldClass::Flag),
    ("ClientASN", FieldClass::Number),
    ("ClientCity", FieldClass::Place),
    ("ClientCountry", FieldClass::Country),
    ("ClientDeviceType", FieldClass::Word),
    ("ClientIP", FieldClass::Ip),
    ("ClientIPClass", FieldClass::Word),
    ("ClientLatitude", FieldClass::Position),
    ("ClientLongitude", FieldClass::Position),
    ("ClientMTLSAuthCertFingerprint", FieldClass::Fingerprint),
    ("ClientMTLSAuthStatus", FieldClass::Word),
    ("ClientRegionCode", FieldClass::Region),
    ("ClientRequestBytes", FieldClass::Number),
    ("ClientRequestHost", FieldClass::Host),
    ("ClientRequestMethod", FieldClass::Method),
    ("ClientRequestPath", FieldClass::Url),
    ("ClientRequestProtocol", FieldClass::Protocol),
    ("ClientRequestReferer", FieldClass::Url),
    ("ClientRequestScheme", FieldClass::Scheme),
    ("ClientRequestSource", FieldClass::Word),
    ("ClientRequestURI", FieldClass::Url),
    ("ClientRequestUserAgent", FieldClass::Agent),
    ("ClientSSLCipher", FieldClass::Cipher),
    ("ClientSSLProtocol", FieldClass::Protocol),
    ("ClientSrcPort", FieldClass::Number),
    ("ClientTCPRTTMs", FieldClass::Number),
    ("ClientXRequestedWith", FieldClass::Name),
    ("ContentScanObjResults", FieldClass::Word),
    ("ContentScanObjSizes", FieldClass::Number),
    ("ContentScanObjTypes", FieldClass::Mime),
    ("Cookies", FieldClass::Cookies),
    ("EdgeCFConnectingO2O", FieldClass::Flag),
    ("EdgeColoCode", FieldClass::Colo),
    ("EdgeColoID", FieldClass::Number),
    ("EdgeEndTimestamp", FieldClass::Time),
    ("EdgePathingOp", FieldClass::Word),
    ("EdgePathingSrc", FieldClass::Word),
    ("EdgePathingStatus", FieldClass::Word),
    ("EdgeRateLimitAction", FieldClass::Word),
    ("EdgeRateLimitID", FieldClass::Number),
    ("EdgeRequestHost", FieldClass::Host),
    ("EdgeResponseBodyBytes", FieldClass::Number),
    ("EdgeResponseBytes", FieldClass::Number),
    ("EdgeResponseCompressionRatio", FieldClass::Number),
    ("EdgeResponseContentType", FieldClass::Mime),
    ("EdgeResponseStatus", FieldClass::Number),
    ("EdgeServerIP", FieldClass::Ip),
    ("EdgeStartTimestamp", FieldClass::Time),
    ("EdgeTimeToFirstByteMs", FieldClass::Number),
    ("FirewallMatchesActions", FieldClass::Word),
    ("FirewallMatchesRuleIDs", FieldClass::Id),
    ("FirewallMatchesSources", FieldClass::Word),
    ("FraudAttack", FieldClass::Word),
    ("FraudDetectionIDs", FieldClass::Number),
    ("FraudDetectionTags", FieldClass::Name),
    ("JA3Hash", FieldClass::Fingerprint),
    ("JA4", FieldClass::Fingerprint),
    ("JA4Signals", FieldClass::Signals),
    ("JSDetectionPassed", FieldClass::Word),
    ("LeakedCredentialCheckResult", FieldClass::Word),
    ("OriginDNSResponseTimeMs", FieldClass::Number),
    ("OriginIP", FieldClass::Ip),
    ("OriginRequestHeaderSendDurationMs", FieldClass::Number),
    ("OriginResponseBytes", FieldClass::Number),
    ("OriginResponseDurationMs", FieldClass::Number),
    ("OriginResponseHTTPExpires", FieldClass::Date),
    ("OriginResponseHTTPLastModified", FieldClass::Date),
    ("OriginResponseHeaderReceiveDurationMs", FieldClass::Number),
    ("OriginResponseStatus", FieldClass::Number),
    ("OriginResponseTime", FieldClass::Number),
    ("OriginSSLProtocol", FieldClass::Protocol),
    ("OriginTCPHandshakeDurationMs", FieldClass::Number),
    ("OriginTLSHandshakeDurationMs", FieldClass::Number),
    ("ParentRayID", FieldClass::Ray),
    ("RayID", FieldClass::Ray),
    ("RequestHeaders", FieldClass::Headers),
    ("ResponseHeaders", FieldClass::Headers),
    ("SecurityAction", FieldClass::Word),
    ("SecurityActions", FieldClass::Word),
    ("SecurityLevel", FieldClass::Word),
    ("SecurityRuleDescription", FieldClass::Text),
    ("SecurityRuleID", FieldClass::Id),
    ("SecurityRuleIDs", FieldClass::Id),
    ("SecuritySources", FieldClass::Word),
    ("SmartRouteColoID", FieldClass::Number),
    ("Subrequests", FieldClass::Records),
    ("UpperTierColoID", FieldClass::Number),
    ("VerifiedBotCategory", FieldClass::Word),
    ("WAFAction", FieldClass::Word),
    ("WAFAttackScore", FieldClass::Number),
    ("WAFProfile", FieldClass::Word),
    ("WAFRCEAttackScore", FieldClass::Number),
    ("WAFRuleID", FieldClass::Id),
    ("WAFRuleMessage", FieldClass::Text),
    ("WAFSQLiAttackScore", FieldClass::Number),
    ("WAFXSSAttackScore", FieldClass::Number),
    ("WorkerCPUTime", FieldClass::Number),
    ("WorkerScriptName", FieldClass::Name),
    ("WorkerStatus", FieldClass::Word),
    ("WorkerSubrequest", FieldClass::Flag),
    ("WorkerSubrequestCount", FieldClass::Number),
    ("WorkerWallTimeUs", FieldClass::Number),
    ("ZoneID", FieldClass::Number),
    ("ZoneName", FieldClass::Host),
];

const FIREWALL_EVENTS: ClassTable = &[
    ("Action", FieldClass::Word),
    ("ClientASN", FieldClass::Number),
    ("ClientASNDescription", FieldClass::Text),
    ("ClientCountry", FieldClass::Country),
    ("ClientIP", FieldClass::Ip),
    ("ClientIPClass", FieldClass::Word),
    ("ClientRefererHost", FieldClass::Host),
    ("ClientRefererPath", FieldClass::Url),
    ("ClientRefererQuery", FieldClass::Query),
    ("ClientRefererScheme", FieldClass::Scheme),
    ("ClientRequestHost", FieldClass::Host),
    ("ClientRequestMethod", FieldClass::Method),
    ("ClientRequestPath", FieldClass::Url),
    ("ClientRequestProtocol", FieldClass::Protocol),
    ("ClientRequestQuery", FieldClass::Query),
    ("ClientRequestScheme", FieldClass::Scheme),
    ("ClientRequestUserAgent", FieldClass::Agent),
    ("ContentScanObjResults", FieldClass::Word),
    ("ContentScanObjSizes", FieldClass::Number),
    ("ContentScanObjTypes", FieldClass::Mime),
    ("Datetime", FieldClass::Time),
    ("Description", FieldClass::Text),
    ("EdgeColoCode", FieldClass::Colo),
    ("EdgeResponseStatus", FieldClass::Number),
    ("FraudUserID", FieldClass::Person),
    ("Kind", FieldClass::Word),
    ("LeakedCredentialCheckResult", FieldClass::Word),
    ("MatchIndex", FieldClass::Number),
    ("Metadata", FieldClass::Metadata),
    ("OriginResponseStatus", FieldClass::Number),
    ("OriginatorRayID", FieldClass::Ray),
    ("RayID", FieldClass::Ray),
    ("Ref", FieldClass::Id),
    ("RuleID", FieldClass::Id),
    ("Source", FieldClass::Word),
];

const WORKERS_TRACE_EVENTS: ClassTable = &[
    ("CPUTimeMs", FieldClass::Number),
    ("DispatchNamespace", FieldClass::Name),
    ("Entrypoint", FieldClass::Name),
    ("Event", FieldClass::Event),
    ("EventTimestampMs", FieldClass::Time),
    ("EventType", FieldClass::Word),
    ("Exceptions", FieldClass::Exception),
    ("Logs", FieldClass::LogLine),
    ("Outcome", FieldClass::Word),
    ("ScriptName", FieldClass::Name),
    ("ScriptTags", FieldClass::Name),
    ("ScriptVersion", FieldClass::Version),
    ("WallTimeMs", FieldClass::Number),
];

/// The members of objects, by the class of the object.
pub const MEMBERS: &[(FieldClass, ClassTable)] = &[
    (
        FieldClass::Event,
        &[
            ("RayID", FieldClass::Ray),
            ("Request", FieldClass::Request),
            ("Response", FieldClass::Response),
            ("Cron", FieldClass::Text),
            ("ScheduledTimeMs", FieldClass::Time),
            ("QueueName", FieldClass::Name),
            ("BatchSize", FieldClass::Number),
            ("RpcMethod", FieldClass::Name),
            ("RawSize", FieldClass::Number),
        ],
    ),
    (
        FieldClass::Request,
        &[("URL", FieldClass::Url), ("Method", FieldClass::Method), ("Headers", FieldClass::Headers)],
    ),
    (FieldClass::Response, &[("Status", FieldClass::Number)]),
    (
        FieldClass::Exception,
        &[
            ("Name", FieldClass::Word),
            ("Message", FieldClass::Message),
            ("Stack", FieldClass::Message),
            ("TimestampMs", FieldClass::Time),
        ],
    ),
    (
        FieldClass::LogLine,
        &[("Level", FieldClass::Word), ("Message", FieldClass::Message), ("TimestampMs", FieldClass::Time)],
    ),
    (
        FieldClass::Signals,
        &[
            ("browser_ratio_1h", FieldClass::Number),
            ("cache_ratio_1h", FieldClass::Number),
            ("h2h3_ratio_1h", FieldClass::Number),
            ("heuristic_ratio_1h", FieldClass::Number),
            ("ips_quantile_1h", FieldClass::Number),
            ("ips_rank_1h", FieldClass::Number),
            ("paths_rank_1h", FieldClass::Number),
            ("reqs_quantile_1h", FieldClass::Number),
            ("reqs_rank_1h", FieldClass::Number),
            ("uas_rank_1h", FieldClass::Number),
        ],
    ),
    (FieldClass::Version, &[("ID", FieldClass::Id), ("Tag", FieldClass::Name), ("Message", FieldClass::Message)]),
];
