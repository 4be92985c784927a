//! The table of the datasets, in the order of [`super::Dataset`].

use super::edge::EDGE_REQUESTS;
use super::fields as all;
use super::traces::TRACES;
use super::{Dataset, DatasetSpec};

impl Dataset {
    /// Returns the specification of the dataset.
    #[must_use]
    pub const fn spec(self) -> &'static DatasetSpec {
        match self {
            Self::HttpRequests => &HTTP_REQUESTS,
            Self::FirewallEvents => &FIREWALL_EVENTS,
            Self::WorkersTraceEvents => &WORKERS_TRACE_EVENTS,
            Self::WebsocketAnalytics => &WEBSOCKET_ANALYTICS,
            Self::AccessRequests => &ACCESS_REQUESTS,
            Self::AccountAbuseProtectionEvents => &ACCOUNT_ABUSE_PROTECTION_EVENTS,
            Self::EdgeRequests => &EDGE_REQUESTS,
            Self::Traces => &TRACES,
            Self::AuditLogs => &AUDIT_LOGS,
            Self::AuditLogsV2 => &AUDIT_LOGS_V2,
            Self::BisoUserActions => &BISO_USER_ACTIONS,
            Self::CasbFindings => &CASB_FINDINGS,
            Self::DevicePostureResults => &DEVICE_POSTURE_RESULTS,
            Self::DexApplicationTests => &DEX_APPLICATION_TESTS,
            Self::DexDeviceStateEvents => &DEX_DEVICE_STATE_EVENTS,
            Self::DlpForensicCopies => &DLP_FORENSIC_COPIES,
            Self::DnsFirewallLogs => &DNS_FIREWALL_LOGS,
            Self::DnsLogs => &DNS_LOGS,
            Self::EmailSecurityAlerts => &EMAIL_SECURITY_ALERTS,
            Self::EmailSecurityPostDeliveryEvents => &EMAIL_SECURITY_POST_DELIVERY_EVENTS,
            Self::GatewayDns => &GATEWAY_DNS,
            Self::GatewayHttp => &GATEWAY_HTTP,
            Self::GatewayNetwork => &GATEWAY_NETWORK,
            Self::IpsecLogs => &IPSEC_LOGS,
            Self::MagicBgpLogs => &MAGIC_BGP_LOGS,
            Self::MagicIdsDetections => &MAGIC_IDS_DETECTIONS,
            Self::McpPortalLogs => &MCP_PORTAL_LOGS,
            Self::MnmFlowLogs => &MNM_FLOW_LOGS,
            Self::NelReports => &NEL_REPORTS,
            Self::NetworkAnalyticsLogs => &NETWORK_ANALYTICS_LOGS,
            Self::PageShieldEvents => &PAGE_SHIELD_EVENTS,
            Self::SinkholeHttpLogs => &SINKHOLE_HTTP_LOGS,
            Self::SpectrumEvents => &SPECTRUM_EVENTS,
            Self::SshLogs => &SSH_LOGS,
            Self::TurnstileEvents => &TURNSTILE_EVENTS,
            Self::WarpConfigChanges => &WARP_CONFIG_CHANGES,
            Self::WarpToggleChanges => &WARP_TOGGLE_CHANGES,
            Self::ZarazEvents => &ZARAZ_EVENTS,
            Self::ZeroTrustNetworkSessions => &ZERO_TRUST_NETWORK_SESSIONS,
        }
    }
}

const HTTP_REQUESTS: DatasetSpec = DatasetSpec {
    ray: Some("RayID"), time: "EdgeStartTimestamp", parent: Some("ParentRayID"), also: None,
    zone: &["ZoneName", "ClientRequestHost"],
    folders: &[
        "http", "https", "http_request", "httprequests", "requests", "request", "access_log", "access_logs", "edge",
        "cdn", "logpull",
    ],
    telling: &[
        &["EdgeStartTimestamp", "EdgeResponseStatus"],
        &["EdgeStartTimestamp", "ClientRequestURI"],
    ],
    columns: &[
        "RayID", "EdgeStartTimestamp", "ClientIP", "ClientCountry", "ClientRequestMethod", "ClientRequestHost",
        "ClientRequestURI", "EdgeResponseStatus", "OriginResponseStatus", "CacheCacheStatus", "EdgeResponseBytes",
        "EdgeColoCode", "ClientRequestUserAgent",
    ],
    fields: all::HTTP_REQUESTS,
};

const FIREWALL_EVENTS: DatasetSpec = DatasetSpec {
    ray: Some("RayID"), time: "Datetime", parent: Some("OriginatorRayID"), also: None,
    zone: &["ZoneName", "ClientRequestHost"],
    folders: &[
        "firewall", "firewall_event", "firewallevents", "firewall_log", "firewall_logs", "waf", "waf_events",
        "waf_logs", "security_events",
    ],
    telling: &[
        &["Datetime", "Action", "Source"], &["Datetime", "Action", "Kind"], &["Datetime", "MatchIndex"],
        &["Datetime", "RuleID", "Kind"],
    ],
    columns: &[
        "RayID", "Datetime", "Action", "Source", "RuleID", "Description", "ClientIP", "ClientCountry",
        "ClientRequestMethod", "ClientRequestHost", "ClientRequestPath", "EdgeResponseStatus",
    ],
    fields: all::FIREWALL_EVENTS,
};

const WORKERS_TRACE_EVENTS: DatasetSpec = DatasetSpec {
    ray: Some("Event.RayID"), time: "EventTimestampMs", parent: None, also: None,
    zone: &["Event.Request.URL"],
    folders: &[
        "workers", "worker", "workers_trace", "workers_traces", "trace", "trace_events",
        "worker_trace_events", "workers_logs", "worker_logs",
    ],
    telling: &[
        &["Event", "Outcome"], &["Event", "ScriptName"], &["EventTimestampMs", "Outcome"],
        &["EventTimestampMs", "ScriptName"],
    ],
    columns: &["EventTimestampMs", "ScriptName", "EventType", "Outcome", "CPUTimeMs", "WallTimeMs", "Event"],
    fields: all::WORKERS_TRACE_EVENTS,
};

const WEBSOCKET_ANALYTICS: DatasetSpec = DatasetSpec {
    ray: Some("RayID"), time: "EdgeStartTimestamp", parent: None, also: Some(("rayId", "timestampStartNanos")),
    zone: &["ClientRequestHost", "clientRequestHTTPHost"],
    folders: &["websocket", "websockets", "websocket_events", "websocket_logs"],
    telling: &[
        &["EdgeStartTimestamp", "ConnectionCloseReason"], &["EdgeStartTimestamp", "ConnectionID"],
        &["EdgeStartTimestamp", "BytesSentClient"], &["timestampStartNanos", "rayId"],
    ],
    columns: &[
        "RayID", "EdgeStartTimestamp", "EdgeEndTimestamp", "ClientIP", "ClientRequestHost", "ClientRequestPath",
        "ConnectionCloseReason", "ConnectionCloseSource", "BytesReceivedClient", "BytesSentClient",
    ],
    fields: all::WEBSOCKET_ANALYTICS,
};

const ACCESS_REQUESTS: DatasetSpec = DatasetSpec {
    ray: Some("RayID"), time: "CreatedAt", parent: None, also: None,
    zone: &["AppDomain"],
    folders: &["access", "access_request", "accessrequests", "access_login", "access_logins", "zero_trust_access"],
    telling: &[&["CreatedAt", "Allowed"], &["CreatedAt", "AppUUID"], &["CreatedAt", "AppDomain"]],
    columns: &[
        "RayID", "CreatedAt", "Action", "Allowed", "AppDomain", "Connection", "Country", "Email", "IPAddress",
    ],
    fields: all::ACCESS_REQUESTS,
};

const ACCOUNT_ABUSE_PROTECTION_EVENTS: DatasetSpec = DatasetSpec {
    ray: Some("RayID"), time: "Timestamp", parent: None, also: None,
    zone: &["Host"],
    folders: &["account_abuse", "account_abuse_protection", "abuse_protection", "fraud", "fraud_events"],
    telling: &[
        &["Timestamp", "AuthenticationStatus"], &["Timestamp", "AuthenticationMethod"],
        &["Timestamp", "EventSource", "RayID"], &["Timestamp", "FraudEmailRisk", "RayID"],
    ],
    columns: &[
        "RayID", "Timestamp", "EventType", "EventSource", "AuthenticationStatus", "Host", "ClientIP",
        "ClientCountry", "BotScore", "Email",
    ],
    fields: all::ACCOUNT_ABUSE_PROTECTION_EVENTS,
};

const AUDIT_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "When", parent: None, also: None,
    zone: &[],
    folders: &["audit", "audit_log", "auditlogs"],
    telling: &[&["When", "ActionType"], &["When", "ActorType"]],
    columns: &[
        "When", "ActionType", "ActionResult", "ActorEmail", "ActorIP", "ResourceType", "ResourceID", "Interface",
    ],
    fields: all::AUDIT_LOGS,
};

const AUDIT_LOGS_V2: DatasetSpec = DatasetSpec {
    ray: None, time: "ActionTimestamp", parent: None, also: None,
    zone: &["ZoneName"],
    folders: &["audit_v2", "auditlogs_v2"],
    telling: &[&["ActionTimestamp", "ActionType"], &["ActionTimestamp", "AuditLogID"]],
    columns: &[
        "ActionTimestamp", "ActionType", "ActionResult", "ActorEmail", "ActorIPAddress", "ResourceProduct",
        "ResourceType", "ZoneName",
    ],
    fields: all::AUDIT_LOGS_V2,
};

const BISO_USER_ACTIONS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["biso", "browser_isolation"],
    telling: &[&["Timestamp", "Decision", "DomainName"]],
    columns: &["Timestamp", "Type", "Decision", "DomainName", "URL", "UserEmail"],
    fields: all::BISO_USER_ACTIONS,
};

const CASB_FINDINGS: DatasetSpec = DatasetSpec {
    ray: None, time: "DetectedTimestamp", parent: None, also: None,
    zone: &[],
    folders: &["casb"],
    telling: &[&["DetectedTimestamp", "FindingTypeID"], &["DetectedTimestamp", "FindingTypeSeverity"]],
    columns: &[
        "DetectedTimestamp", "FindingTypeDisplayName", "FindingTypeSeverity", "AssetDisplayName", "AssetLink",
        "IntegrationDisplayName",
    ],
    fields: all::CASB_FINDINGS,
};

const DEVICE_POSTURE_RESULTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["device_posture", "posture"],
    telling: &[&["Timestamp", "PostureCheckName"], &["Timestamp", "PostureEvaluatedResult"]],
    columns: &[
        "Timestamp", "PostureCheckName", "PostureCheckType", "PostureEvaluatedResult", "DeviceName", "DeviceType",
        "Email",
    ],
    fields: all::DEVICE_POSTURE_RESULTS,
};

const DEX_APPLICATION_TESTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["dex", "dex_tests"],
    telling: &[&["Timestamp", "TestID"], &["Timestamp", "TestType"]],
    columns: &[
        "Timestamp", "TestType", "TestID", "DeviceID", "UserEmail", "HTTPURL", "HTTPStatusCode", "TracerouteStatus",
        "ColoCode",
    ],
    fields: all::DEX_APPLICATION_TESTS,
};

const DEX_DEVICE_STATE_EVENTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["dex_device_state"],
    telling: &[
        &["Timestamp", "AlwaysOn"], &["Timestamp", "HandshakeLatencyMs"],
        &["Timestamp", "ConnectionType", "DeviceID"],
    ],
    columns: &[
        "Timestamp", "DeviceID", "Mode", "Status", "ConnectionType", "ClientPlatform", "ClientVersion",
        "HandshakeLatencyMs", "WarpColoCode",
    ],
    fields: all::DEX_DEVICE_STATE_EVENTS,
};

const DLP_FORENSIC_COPIES: DatasetSpec = DatasetSpec {
    ray: None, time: "Datetime", parent: None, also: None,
    zone: &[],
    folders: &["dlp", "dlp_forensic"],
    telling: &[&["Datetime", "ForensicCopyID"], &["Datetime", "GatewayRequestID"]],
    columns: &["Datetime", "ForensicCopyID", "GatewayRequestID", "Phase", "TriggeredRuleID"],
    fields: all::DLP_FORENSIC_COPIES,
};

const DNS_FIREWALL_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["dns_firewall", "dnsfirewall"],
    telling: &[&["Timestamp", "ClusterID"], &["Timestamp", "ClientResponseCode"]],
    columns: &[
        "Timestamp", "QueryName", "QueryType", "ClientResponseCode", "UpstreamResponseCode", "SourceIP", "ColoCode",
    ],
    fields: all::DNS_FIREWALL_LOGS,
};

const DNS_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &["QueryName"],
    folders: &["dns", "dns_log", "dnslogs", "dns_queries"],
    telling: &[&["Timestamp", "QueryName", "ResponseCode"]],
    columns: &["Timestamp", "QueryName", "QueryType", "ResponseCode", "ResponseCached", "SourceIP", "ColoCode"],
    fields: all::DNS_LOGS,
};

const EMAIL_SECURITY_ALERTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["email_security", "email_alerts"],
    telling: &[&["Timestamp", "AlertID"], &["Timestamp", "FinalDisposition"]],
    columns: &["Timestamp", "AlertID", "FinalDisposition", "From", "To", "Subject", "ThreatCategories"],
    fields: all::EMAIL_SECURITY_ALERTS,
};

const EMAIL_SECURITY_POST_DELIVERY_EVENTS: DatasetSpec = DatasetSpec {
    ray: None, time: "CompletedAt", parent: None, also: None,
    zone: &[],
    folders: &["email_post_delivery"],
    telling: &[&["CompletedAt", "Operation"], &["RequestedAt", "Operation"]],
    columns: &[
        "CompletedAt", "RequestedAt", "Operation", "Success", "Status", "FinalDisposition", "From", "Recipient",
        "Subject",
    ],
    fields: all::EMAIL_SECURITY_POST_DELIVERY_EVENTS,
};

const GATEWAY_DNS: DatasetSpec = DatasetSpec {
    ray: None, time: "Datetime", parent: None, also: None,
    zone: &[],
    folders: &["gateway_dns_logs", "gateway_dns_queries"],
    telling: &[&["Datetime", "ResolverDecision"], &["Datetime", "QueryNameReversed"], &["Datetime", "QueryName"]],
    columns: &[
        "Datetime", "QueryName", "QueryTypeName", "ResolverDecision", "RCode", "SrcIP", "Location", "Email",
        "PolicyName",
    ],
    fields: all::GATEWAY_DNS,
};

const GATEWAY_HTTP: DatasetSpec = DatasetSpec {
    ray: None, time: "Datetime", parent: None, also: None,
    zone: &[],
    folders: &["gateway_http_logs", "swg_http"],
    telling: &[&["Datetime", "HTTPHost"], &["Datetime", "HTTPMethod"]],
    columns: &[
        "Datetime", "Action", "HTTPMethod", "HTTPHost", "URL", "HTTPStatusCode", "SourceIP", "DestinationIP",
        "Email", "PolicyName",
    ],
    fields: all::GATEWAY_HTTP,
};

const GATEWAY_NETWORK: DatasetSpec = DatasetSpec {
    ray: None, time: "Datetime", parent: None, also: None,
    zone: &[],
    folders: &["gateway_network_logs", "gateway_l4"],
    telling: &[
        &["Datetime", "Transport"], &["Datetime", "TransportProtocol"], &["Datetime", "OverrideIP"],
        &["Datetime", "SNI"],
    ],
    columns: &[
        "Datetime", "Action", "TransportProtocol", "SourceIP", "SourcePort", "DestinationIP", "DestinationPort",
        "SNI", "Email", "PolicyName",
    ],
    fields: all::GATEWAY_NETWORK,
};

const IPSEC_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["ipsec"],
    telling: &[&["Timestamp", "LocalIP"], &["Timestamp", "RemoteIP"]],
    columns: &["Timestamp", "Level", "Message", "LocalIP", "LocalPort", "RemoteIP", "RemotePort"],
    fields: all::IPSEC_LOGS,
};

const MAGIC_BGP_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "EventTimestamp", parent: None, also: None,
    zone: &[],
    folders: &["magic_bgp", "bgp"],
    telling: &[&["EventTimestamp", "EventKind"]],
    columns: &["EventTimestamp", "EventKind", "Direction", "TunnelName", "EventData"],
    fields: all::MAGIC_BGP_LOGS,
};

const MAGIC_IDS_DETECTIONS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["magic_ids", "ids"],
    telling: &[&["Timestamp", "SignatureID"]],
    columns: &[
        "Timestamp", "Action", "SignatureID", "SignatureMessage", "Protocol", "SourceIP", "SourcePort",
        "DestinationIP", "DestinationPort",
    ],
    fields: all::MAGIC_IDS_DETECTIONS,
};

const MCP_PORTAL_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Datetime", parent: None, also: None,
    zone: &[],
    folders: &["mcp_portal", "mcp"],
    telling: &[&["Datetime", "PortalID"], &["Datetime", "ServerID"]],
    columns: &["Datetime", "Method", "ServerURL", "ToolCallName", "Success", "UserEmail", "ClientIP"],
    fields: all::MCP_PORTAL_LOGS,
};

const MNM_FLOW_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["mnm", "mnm_flows"],
    telling: &[&["Timestamp", "FlowProtocol"], &["Timestamp", "SamplerAddress"]],
    columns: &[
        "Timestamp", "FlowProtocol", "SourceAddress", "SourcePort", "DestinationAddress", "DestinationPort",
        "Protocol", "Bits", "Packets",
    ],
    fields: all::MNM_FLOW_LOGS,
};

const NEL_REPORTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["nel", "nel_report"],
    telling: &[
        &["Timestamp", "LastKnownGoodColoCode"], &["Timestamp", "ClientIPASN"], &["Timestamp", "Phase", "Type"],
    ],
    columns: &["Timestamp", "Phase", "Type", "ClientIPASN", "ClientIPCountry", "LastKnownGoodColoCode"],
    fields: all::NEL_REPORTS,
};

const NETWORK_ANALYTICS_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Datetime", parent: None, also: None,
    zone: &[],
    folders: &["network_analytics"],
    telling: &[
        &["Datetime", "IPSourceAddress"], &["Datetime", "MitigationSystem"], &["Datetime", "SampleInterval"],
    ],
    columns: &[
        "Datetime", "Direction", "Outcome", "IPProtocolName", "IPSourceAddress", "SourcePort",
        "IPDestinationAddress", "DestinationPort", "MitigationSystem", "AttackVector", "ColoCode",
    ],
    fields: all::NETWORK_ANALYTICS_LOGS,
};

const PAGE_SHIELD_EVENTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &["Host"],
    folders: &["page_shield", "pageshield", "csp"],
    telling: &[&["Timestamp", "CSPDirective"], &["Timestamp", "PageURL"]],
    columns: &["Timestamp", "Action", "CSPDirective", "Host", "PageURL", "ResourceType", "URL", "PolicyID"],
    fields: all::PAGE_SHIELD_EVENTS,
};

const SINKHOLE_HTTP_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["sinkhole", "sinkhole_http"],
    telling: &[&["Timestamp", "SinkholeID"], &["Timestamp", "SrcAddr"]],
    columns: &["Timestamp", "Method", "Host", "URI", "SrcAddr", "DestAddr", "UserAgent"],
    fields: all::SINKHOLE_HTTP_LOGS,
};

const SPECTRUM_EVENTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["spectrum", "range_events"],
    telling: &[&["Timestamp", "ClientProto"], &["Timestamp", "Application", "Event"]],
    columns: &[
        "Timestamp", "Event", "Application", "ClientIP", "ClientPort", "ClientProto", "OriginIP", "OriginPort",
        "Status", "ColoCode",
    ],
    fields: all::SPECTRUM_EVENTS,
};

const SSH_LOGS: DatasetSpec = DatasetSpec {
    ray: None, time: "Datetime", parent: None, also: None,
    zone: &[],
    folders: &["ssh"],
    telling: &[&["Datetime", "ProgramType"], &["Datetime", "ProgramID"]],
    columns: &[
        "Datetime", "ProgramType", "UserEmail", "Username", "ClientAddress", "ServerAddress", "SessionID", "Error",
    ],
    fields: all::SSH_LOGS,
};

const TURNSTILE_EVENTS: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &["Hostname"],
    folders: &["turnstile"],
    telling: &[&["Timestamp", "Sitekey"]],
    columns: &["Timestamp", "EventType", "Hostname", "Sitekey", "ClientIP", "CountryCode", "BrowserName", "OSName"],
    fields: all::TURNSTILE_EVENTS,
};

const WARP_CONFIG_CHANGES: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["warp_config"],
    telling: &[&["Timestamp", "ConfigNameTo"], &["Timestamp", "AccountIDTo"]],
    columns: &[
        "Timestamp", "DeviceID", "Hostname", "ConfigNameFrom", "ConfigNameTo", "AccountNameFrom", "AccountNameTo",
    ],
    fields: all::WARP_CONFIG_CHANGES,
};

const WARP_TOGGLE_CHANGES: DatasetSpec = DatasetSpec {
    ray: None, time: "Timestamp", parent: None, also: None,
    zone: &[],
    folders: &["warp_toggle"],
    telling: &[&["Timestamp", "Toggled"]],
    columns: &["Timestamp", "DeviceID", "Hostname", "Toggled", "UserEmail"],
    fields: all::WARP_TOGGLE_CHANGES,
};

const ZARAZ_EVENTS: DatasetSpec = DatasetSpec {
    ray: None, time: "TimestampStart", parent: None, also: None,
    zone: &["URL"],
    folders: &["zaraz"],
    telling: &[&["TimestampStart", "EventDetails"], &["TimestampStart", "EventType"]],
    columns: &["TimestampStart", "EventType", "URL", "IP", "EventDetails"],
    fields: all::ZARAZ_EVENTS,
};

const ZERO_TRUST_NETWORK_SESSIONS: DatasetSpec = DatasetSpec {
    ray: None, time: "SessionStartTime", parent: None, also: None,
    zone: &[],
    folders: &["zero_trust_sessions", "ztna_sessions", "network_sessions"],
    telling: &[&["SessionStartTime", "SessionID"], &["SessionStartTime", "Offramp"]],
    columns: &[
        "SessionStartTime", "SessionEndTime", "Protocol", "SourceIP", "SourcePort", "OriginIP", "OriginPort", "SNI",
        "BytesSent", "BytesReceived", "Email",
    ],
    fields: all::ZERO_TRUST_NETWORK_SESSIONS,
};
