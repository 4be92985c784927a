//! The documented fields of each dataset, sorted: their names reveal the dataset of a record.

/// Fields that do not reveal the dataset: custom fields, and those that name the record's account or zone.
pub(super) const ANYWHERE: &[&str] = &[
    "AccountID", "AccountName", "Cookies", "RequestHeaders", "ResponseFields", "ResponseHeaders", "ZoneID", "ZoneName",
];

pub(super) const HTTP_REQUESTS: &[&str] = &[
    "BotDetectionIDs", "BotDetectionTags", "BotScore", "BotScoreSrc", "BotTags", "CacheCacheStatus",
    "CacheReserveUsed", "CacheResponseBytes", "CacheResponseStatus", "CacheTieredFill", "ClientASN", "ClientCity",
    "ClientCountry", "ClientDeviceType", "ClientIP", "ClientIPClass", "ClientLatitude", "ClientLongitude",
    "ClientMTLSAuthCertFingerprint", "ClientMTLSAuthStatus", "ClientRegionCode", "ClientRequestBytes",
    "ClientRequestHost", "ClientRequestMethod", "ClientRequestPath", "ClientRequestProtocol",
    "ClientRequestReferer", "ClientRequestScheme", "ClientRequestSource", "ClientRequestURI",
    "ClientRequestUserAgent", "ClientSSLCipher", "ClientSSLProtocol", "ClientSrcPort", "ClientTCPRTTMs",
    "ClientTLSKeyExchangeGroup", "ClientXRequestedWith", "ContentScanObjResults", "ContentScanObjSizes",
    "ContentScanObjTypes", "Cookies", "EdgeCFConnectingO2O", "EdgeColoCode", "EdgeColoID", "EdgeEndTimestamp",
    "EdgePathingOp", "EdgePathingSrc", "EdgePathingStatus", "EdgeRateLimitAction", "EdgeRateLimitID",
    "EdgeRequestHost", "EdgeResponseBodyBytes", "EdgeResponseBytes", "EdgeResponseCompressionRatio",
    "EdgeResponseContentType", "EdgeResponseStatus", "EdgeServerIP", "EdgeStartTimestamp", "EdgeTimeToFirstByteMs",
    "FirewallMatchesActions", "FirewallMatchesRuleIDs", "FirewallMatchesSources", "FraudAttack",
    "FraudDetectionIDs", "FraudDetectionTags", "FraudEmailRisk", "FraudUserID", "JA3Hash", "JA4", "JA4Signals",
    "JSDetectionPassed", "LeakedCredentialCheckResult", "OriginDNSResponseTimeMs", "OriginIP",
    "OriginRequestHeaderSendDurationMs", "OriginResponseBytes", "OriginResponseDurationMs",
    "OriginResponseHTTPExpires", "OriginResponseHTTPLastModified", "OriginResponseHeaderReceiveDurationMs",
    "OriginResponseStatus", "OriginResponseTime", "OriginSSLProtocol", "OriginTCPHandshakeDurationMs",
    "OriginTLSHandshakeDurationMs", "ParentRayID", "PayPerCrawlStatus", "RayID", "RequestHeaders",
    "ResponseFields", "ResponseHeaders", "SecurityAction", "SecurityActions", "SecurityLevel",
    "SecurityRuleDescription", "SecurityRuleID", "SecurityRuleIDs", "SecuritySources", "SmartRouteColoID",
    "Subrequests", "UpperTierColoID", "VerifiedBotCategory", "WAFAction", "WAFAttackScore", "WAFFlags",
    "WAFMatchedVar", "WAFProfile", "WAFRCEAttackScore", "WAFRuleID", "WAFRuleMessage", "WAFSQLiAttackScore",
    "WAFXSSAttackScore", "WebAssetsLabelsManaged", "WebAssetsOperationID", "WorkerCPUTime", "WorkerScriptName",
    "WorkerStatus", "WorkerSubrequest", "WorkerSubrequestCount", "WorkerWallTimeUs", "ZoneID", "ZoneName",
];

pub(super) const FIREWALL_EVENTS: &[&str] = &[
    "AISecurityCustomTopicCategories", "AISecurityInjectionScore", "AISecurityPIICategories",
    "AISecurityTokenCount", "AISecurityUnsafeTopicCategories", "Action", "ClientASN", "ClientASNDescription",
    "ClientCountry", "ClientIP", "ClientIPClass", "ClientRefererHost", "ClientRefererPath", "ClientRefererQuery",
    "ClientRefererScheme", "ClientRequestHost", "ClientRequestMethod", "ClientRequestPath", "ClientRequestProtocol",
    "ClientRequestQuery", "ClientRequestScheme", "ClientRequestUserAgent", "ContentScanObjResults",
    "ContentScanObjSizes", "ContentScanObjTypes", "Datetime", "Description", "EdgeColoCode", "EdgeResponseStatus",
    "FirewallForAIInjectionScore", "FirewallForAIPIICategories", "FirewallForAITokenCount",
    "FirewallForAIUnsafeTopicCategories", "FraudUserID", "Kind", "LeakedCredentialCheckResult", "MatchIndex",
    "Metadata", "OriginResponseStatus", "OriginatorRayID", "RayID", "Ref", "RuleID", "Source",
    "WAFRequestSignatureCategories", "WAFRequestSignatureRefs", "ZoneName",
];

pub(super) const WORKERS_TRACE_EVENTS: &[&str] = &[
    "CPUTimeMs", "DispatchNamespace", "Entrypoint", "Event", "EventTimestampMs", "EventType", "Exceptions", "Logs",
    "Outcome", "ScriptName", "ScriptTags", "ScriptVersion", "WallTimeMs",
];

pub(super) const WEBSOCKET_ANALYTICS: &[&str] = &[
    "BytesReceivedClient", "BytesReceivedOrigin", "BytesSentClient", "BytesSentOrigin", "ClientASN", "ClientIP",
    "ClientRequestHost", "ClientRequestPath", "ClientRequestUserAgent", "ColoCode", "ConnectionCloseReason",
    "ConnectionCloseSource", "ConnectionID", "ConnectionTransportCloseCode", "EdgeEndTimestamp",
    "EdgeStartTimestamp", "RayID", "accountId", "byteRecvDownlink", "byteRecvUplink", "byteSentDownlink",
    "byteSentUplink", "clientASN", "clientIP", "clientRequestHTTPHost", "clientRequestPath",
    "clientRequestUserAgent", "coloCode", "connectionCloseReason", "connectionCloseSource", "connectionId", "rayId",
    "timestampEndNanos", "timestampStartNanos", "transportCloseCode", "zoneId",
];

pub(super) const ACCESS_REQUESTS: &[&str] = &[
    "Action", "Allowed", "AppDomain", "AppUUID", "Connection", "Country", "CreatedAt", "Email", "IPAddress",
    "PurposeJustificationPrompt", "PurposeJustificationResponse", "RayID", "TemporaryAccessApprovers",
    "TemporaryAccessDuration", "UserUID",
];

pub(super) const ACCOUNT_ABUSE_PROTECTION_EVENTS: &[&str] = &[
    "AuthenticationIdentityProvider", "AuthenticationMethod", "AuthenticationStatus", "BotScore", "ClientASN",
    "ClientCity", "ClientCountry", "ClientIP", "Email", "EphemeralID", "EventSource", "EventType", "FraudEmailRisk",
    "Host", "JA4", "RayID", "Timestamp", "UserAgent", "UserID",
];

pub(super) const AUDIT_LOGS: &[&str] = &[
    "ActionResult", "ActionType", "ActorEmail", "ActorID", "ActorIP", "ActorType", "ID", "Interface", "Metadata",
    "NewValue", "OldValue", "OwnerID", "ResourceID", "ResourceType", "When",
];

pub(super) const AUDIT_LOGS_V2: &[&str] = &[
    "AccountID", "AccountName", "ActionDescription", "ActionResult", "ActionTimestamp", "ActionType",
    "ActorContext", "ActorEmail", "ActorID", "ActorIPAddress", "ActorTokenDetails", "ActorType", "AuditLogID",
    "Raw", "ResourceID", "ResourceProduct", "ResourceRequest", "ResourceResponse", "ResourceScope", "ResourceType",
    "ResourceValue", "ZoneID", "ZoneName",
];

pub(super) const BISO_USER_ACTIONS: &[&str] = &[
    "AccountID", "Decision", "DomainName", "Metadata", "Timestamp", "Type", "URL", "UserEmail", "UserID",
];

pub(super) const CASB_FINDINGS: &[&str] = &[
    "AssetDisplayName", "AssetExternalID", "AssetLink", "AssetMetadata", "DetectedTimestamp",
    "FindingTypeDisplayName", "FindingTypeID", "FindingTypeSeverity", "InstanceID", "IntegrationDisplayName",
    "IntegrationID", "IntegrationPolicyVendor",
];

pub(super) const DEVICE_POSTURE_RESULTS: &[&str] = &[
    "ClientVersion", "DeviceID", "DeviceManufacturer", "DeviceModel", "DeviceName", "DeviceSerialNumber",
    "DeviceType", "Email", "OSVersion", "PolicyID", "PostureCheckName", "PostureCheckType",
    "PostureEvaluatedResult", "PostureExpectedJSON", "PostureReceivedJSON", "RegistrationID", "Timestamp",
    "UserUID",
];

pub(super) const DEX_APPLICATION_TESTS: &[&str] = &[
    "AccountID", "ClientPlatform", "ClientVersion", "ColoCode", "DeviceID", "DeviceRegistrationID",
    "ExecutionContext", "HTTPClientIPASN", "HTTPClientIPASO", "HTTPClientIPAddress", "HTTPClientIPCity",
    "HTTPClientIPCountryISO", "HTTPClientIPNetmask", "HTTPClientIPStateISO", "HTTPClientIPVersion",
    "HTTPClientIPZip", "HTTPConnectEndMs", "HTTPConnectStartMs", "HTTPDomainLookupEndMs",
    "HTTPDomainLookupStartMs", "HTTPErrorMessage", "HTTPMethod", "HTTPRequestStartMs", "HTTPResponseBody",
    "HTTPResponseBodyBytes", "HTTPResponseEndMs", "HTTPResponseHeaderBytes", "HTTPResponseHeaders",
    "HTTPResponseStartMs", "HTTPSecureConnectionStartMs", "HTTPServerIPASN", "HTTPServerIPASO",
    "HTTPServerIPAddress", "HTTPServerIPCity", "HTTPServerIPCountryISO", "HTTPServerIPNetmask",
    "HTTPServerIPStateISO", "HTTPServerIPVersion", "HTTPServerIPZip", "HTTPStatusCode", "HTTPURL", "TestID",
    "TestType", "Timestamp", "TracerouteDestinationHostname", "TracerouteDestinationIPASN",
    "TracerouteDestinationIPASO", "TracerouteDestinationIPAddress", "TracerouteDestinationIPCity",
    "TracerouteDestinationIPCountryISO", "TracerouteDestinationIPNetmask", "TracerouteDestinationIPStateISO",
    "TracerouteDestinationIPVersion", "TracerouteDestinationIPZip", "TracerouteDurationMs", "TracerouteHops",
    "TracerouteMaxTTL", "TracerouteProtocol", "TracerouteSize", "TracerouteSourceIPASN", "TracerouteSourceIPASO",
    "TracerouteSourceIPAddress", "TracerouteSourceIPCity", "TracerouteSourceIPCountryISO",
    "TracerouteSourceIPNetmask", "TracerouteSourceIPStateISO", "TracerouteSourceIPVersion",
    "TracerouteSourceIPZip", "TracerouteStatus", "TracerouteTimeEnd", "TracerouteVersion", "TunnelType",
    "UserEmail", "UserID",
];

pub(super) const DEX_DEVICE_STATE_EVENTS: &[&str] = &[
    "AccountID", "AlwaysOn", "AppFirewallEnabled", "BatteryCharging", "BatteryCycles", "BatteryPercentage",
    "CPUPercentage", "CPUPercentageByApp", "ClientPlatform", "ClientVersion", "ConnectionType", "DeviceID",
    "DeviceIPv4Address", "DeviceIPv4Netmask", "DeviceIPv6Address", "DeviceIPv6Netmask", "DeviceRegistrationID",
    "DeviceRegistrationProfileID", "DiskReadBPS", "DiskUsagePercentage", "DiskWriteBPS", "DoHSubdomain",
    "ExperimentalExtra", "FirewallEnabled", "GatewayIPv4Address", "GatewayIPv4Netmask", "GatewayIPv6Address",
    "GatewayIPv6Netmask", "HandshakeLatencyMs", "ISPIPv4ASN", "ISPIPv4ASO", "ISPIPv4Address", "ISPIPv4City",
    "ISPIPv4CountryISO", "ISPIPv4Netmask", "ISPIPv4StateISO", "ISPIPv4Zip", "ISPIPv6ASN", "ISPIPv6ASO",
    "ISPIPv6Address", "ISPIPv6City", "ISPIPv6CountryISO", "ISPIPv6Netmask", "ISPIPv6StateISO", "ISPIPv6Zip", "Mode",
    "NetworkReceivedBPS", "NetworkSSID", "NetworkSentBPS", "RAMAvailableKB", "RAMUsedPercentage",
    "RAMUsedPercentageByApp", "Status", "SwitchLocked", "Timestamp", "TunnelStatsDownstream", "TunnelStatsUpstream",
    "TunnelType", "WarpColoCode", "WiFiStrengthDBM",
];

pub(super) const DLP_FORENSIC_COPIES: &[&str] = &[
    "AccountID", "Datetime", "ForensicCopyID", "GatewayRequestID", "Headers", "Payload", "Phase", "TriggeredRuleID",
];

pub(super) const DNS_FIREWALL_LOGS: &[&str] = &[
    "ClientResponseCode", "ClusterID", "ColoCode", "EDNSSubnet", "EDNSSubnetLength", "QueryDO", "QueryName",
    "QueryRD", "QuerySize", "QueryTCP", "QueryType", "ResponseCached", "ResponseCachedStale", "ResponseReason",
    "SourceIP", "Timestamp", "UpstreamIP", "UpstreamResponseCode", "UpstreamResponseTimeMs",
];

pub(super) const DNS_LOGS: &[&str] = &[
    "ColoCode", "EDNSSubnet", "EDNSSubnetLength", "QueryName", "QueryType", "ResponseCached", "ResponseCode",
    "SourceIP", "Timestamp",
];

pub(super) const EMAIL_SECURITY_ALERTS: &[&str] = &[
    "AlertID", "AlertReasons", "Attachments", "BCC", "CC", "CCName", "DKIMResult", "DMARCPolicy", "DMARCResult",
    "FinalDisposition", "From", "FromName", "Links", "MessageDeliveryMode", "MessageID", "Origin", "OriginalSender",
    "ReplyTo", "ReplyToName", "SMTPEnvelopeFrom", "SMTPEnvelopeTo", "SMTPHeloServerIP", "SMTPHeloServerIPAsName",
    "SMTPHeloServerIPAsNumber", "SMTPHeloServerIPGeo", "SMTPHeloServerName", "SPFResult", "Subject",
    "ThreatCategories", "Timestamp", "To", "ToName",
];

pub(super) const EMAIL_SECURITY_POST_DELIVERY_EVENTS: &[&str] = &[
    "AlertID", "CompletedAt", "Destination", "FinalDisposition", "Folder", "From", "FromName", "MessageID",
    "MessageTimestamp", "MicrosoftTenantID", "Operation", "PostfixID", "Reasons", "Recipient", "RequestedAt",
    "RequestedBy", "RequestedDisposition", "Status", "Subject", "Success", "To",
];

pub(super) const GATEWAY_DNS: &[&str] = &[
    "AccountID", "ApplicationID", "ApplicationName", "AppliedMaxTTL", "AuthoritativeNameServerIPs",
    "CNAMECategoryIDs", "CNAMECategoryNames", "CNAMEs", "CNAMEsReversed", "ColoCode", "ColoID",
    "CustomResolveDurationMs", "CustomResolverAddress", "CustomResolverPolicyID", "CustomResolverPolicyName",
    "CustomResolverResponse", "Datetime", "DeviceID", "DeviceName", "DoHSubdomain", "DoTSubdomain", "DstIP",
    "DstPort", "EDEErrors", "Email", "InitialCategoryIDs", "InitialCategoryNames", "InitialResolvedIPs",
    "InternalDNSDurationMs", "InternalDNSFallbackStrategy", "InternalDNSRCode", "InternalDNSViewID",
    "InternalDNSZoneID", "IsResponseCached", "Location", "LocationID", "MatchedCategoryIDs", "MatchedCategoryNames",
    "MatchedIndicatorFeedIDs", "MatchedIndicatorFeedNames", "Policy", "PolicyID", "PolicyName", "Protocol",
    "QueryApplicationIDs", "QueryApplicationNames", "QueryCategoryIDs", "QueryCategoryNames", "QueryID",
    "QueryIndicatorFeedIDs", "QueryIndicatorFeedNames", "QueryName", "QueryNameReversed", "QuerySize", "QueryType",
    "QueryTypeName", "RCode", "RData", "RedirectTargetURI", "RegistrationID", "RequestContextCategoryIDs",
    "RequestContextCategoryNames", "ResolvedIPCategoryIDs", "ResolvedIPCategoryNames", "ResolvedIPContinentCodes",
    "ResolvedIPCountryCodes", "ResolvedIPs", "ResolverDecision", "ResolverPolicyID", "ResolverPolicyName",
    "ResourceRecords", "ResourceRecordsJSON", "ResponseTimeMs", "SrcIP", "SrcIPContinentCode", "SrcIPCountryCode",
    "SrcPort", "TenantID", "TimeZone", "TimeZoneInferredMethod", "UpstreamRecordTTLs", "UserID",
];

pub(super) const GATEWAY_HTTP: &[&str] = &[
    "AccountID", "Action", "AddedHeaders", "AppControlInfo", "ApplicationIDs", "ApplicationNames",
    "ApplicationStatuses", "BlockedFileHash", "BlockedFileName", "BlockedFileReason", "BlockedFileSize",
    "BlockedFileType", "CategoryIDs", "CategoryNames", "Datetime", "DeletedHeaders", "DestinationIP",
    "DestinationIPContinentCode", "DestinationIPCountryCode", "DestinationPort", "DeviceID", "DeviceName",
    "DownloadMatchedDlpProfileEntries", "DownloadMatchedDlpProfiles", "DownloadedFileNames", "Email", "FileInfo",
    "ForensicCopyStatus", "HTTPHost", "HTTPMethod", "HTTPStatusCode", "HTTPVersion", "IsIsolated", "PolicyID",
    "PolicyName", "PrivateAppAUD", "ProxyEndpoint", "Quarantined", "RedirectTargetURI", "Referer", "RegistrationID",
    "RequestID", "SessionID", "SetHeaders", "SourceIP", "SourceIPContinentCode", "SourceIPCountryCode",
    "SourceInternalIP", "SourcePort", "TenantID", "URL", "UntrustedCertificateAction",
    "UploadMatchedDlpProfileEntries", "UploadMatchedDlpProfiles", "UploadedFileNames", "UserAgent", "UserID",
    "VirtualNetworkID", "VirtualNetworkName", "Warnings",
];

pub(super) const GATEWAY_NETWORK: &[&str] = &[
    "AccountID", "Action", "ApplicationIDs", "ApplicationNames", "CategoryIDs", "CategoryNames", "Datetime",
    "DestinationIP", "DestinationIPContinentCode", "DestinationIPCountryCode", "DestinationPort",
    "DetectedProtocol", "DeviceID", "DeviceName", "Email", "OverrideIP", "OverridePort", "PolicyID", "PolicyName",
    "ProxyEndpoint", "RegistrationID", "SNI", "SessionID", "SourceIP", "SourceIPContinentCode",
    "SourceIPCountryCode", "SourceInternalIP", "SourcePort", "TenantID", "Transport", "TransportProtocol", "UserID",
    "VirtualNetworkID", "VirtualNetworkName",
];

pub(super) const IPSEC_LOGS: &[&str] = &[
    "Level", "LocalIP", "LocalPort", "Message", "RemoteIP", "RemotePort", "Timestamp",
];

pub(super) const MAGIC_BGP_LOGS: &[&str] = &[
    "Direction", "EventData", "EventKind", "EventTimestamp", "TunnelID", "TunnelName",
];

pub(super) const MAGIC_IDS_DETECTIONS: &[&str] = &[
    "Action", "ColoCity", "ColoCode", "DestinationIP", "DestinationPort", "Protocol", "SignatureID",
    "SignatureMessage", "SignatureRevision", "SourceIP", "SourcePort", "Timestamp",
];

pub(super) const MCP_PORTAL_LOGS: &[&str] = &[
    "ClientCountry", "ClientIP", "ColoCode", "Datetime", "Error", "Method", "PortalAUD", "PortalID",
    "PromptGetName", "ResourceReadURI", "ServerAUD", "ServerID", "ServerResponseDurationMs", "ServerURL",
    "SessionID", "Success", "ToolCallName", "UserEmail", "UserID",
];

pub(super) const MNM_FLOW_LOGS: &[&str] = &[
    "AWSVPCFlowJSON", "Bits", "DestinationAS", "DestinationAddress", "DestinationPort", "DeviceID", "EgressBits",
    "EgressPackets", "Ethertype", "FlowProtocol", "FlowTimestamp", "NumFlows", "PacketID", "Packets", "Protocol",
    "RuleIDs", "SampleRate", "SampleRateType", "SamplerAddress", "SourceAS", "SourceAddress", "SourcePort",
    "TcpFlags", "Timestamp",
];

pub(super) const NEL_REPORTS: &[&str] = &[
    "ClientIPASN", "ClientIPASNDescription", "ClientIPCountry", "LastKnownGoodColoCode", "Phase", "Timestamp",
    "Type",
];

pub(super) const NETWORK_ANALYTICS_LOGS: &[&str] = &[
    "AttackCampaignID", "AttackID", "AttackVector", "ColoCity", "ColoCode", "ColoCountry", "ColoGeoHash",
    "ColoName", "DNSQueryName", "DNSQueryType", "Datetime", "DestinationASN", "DestinationASNName",
    "DestinationCountry", "DestinationGeoHash", "DestinationPort", "Direction", "GREChecksum", "GREEtherType",
    "GREHeaderLength", "GREKey", "GRESequenceNumber", "GREVersion", "ICMPChecksum", "ICMPCode", "ICMPType",
    "IPDestinationAddress", "IPDestinationSubnet", "IPFragmentOffset", "IPHeaderLength", "IPMoreFragments",
    "IPProtocol", "IPProtocolName", "IPSourceAddress", "IPSourceSubnet", "IPTTL", "IPTTLBuckets", "IPTotalLength",
    "IPTotalLengthBuckets", "IPv4Checksum", "IPv4DSCP", "IPv4DontFragment", "IPv4ECN", "IPv4Identification",
    "IPv4Options", "IPv6DSCP", "IPv6ECN", "IPv6ExtensionHeaders", "IPv6FlowLabel", "IPv6Identification",
    "MitigationReason", "MitigationScope", "MitigationSystem", "Outcome", "PFPCustomTag", "ProtocolState",
    "RuleID", "RuleName", "RulesetID", "RulesetOverrideID", "SampleInterval", "SourceASN", "SourceASNName",
    "SourceCountry", "SourceGeoHash", "SourcePort", "TCPAcknowledgementNumber", "TCPChecksum", "TCPDataOffset",
    "TCPFlags", "TCPFlagsString", "TCPMSS", "TCPOptions", "TCPSACKBlocks", "TCPSACKPermitted", "TCPSequenceNumber",
    "TCPTimestampECR", "TCPTimestampValue", "TCPUrgentPointer", "TCPWindowScale", "TCPWindowSize", "UDPChecksum",
    "UDPPayloadLength", "Verdict",
];

pub(super) const PAGE_SHIELD_EVENTS: &[&str] = &[
    "Action", "CSPDirective", "Host", "PageURL", "PolicyID", "ResourceType", "Timestamp", "URL",
    "URLContainsCDNCGIPath", "URLHost",
];

pub(super) const SINKHOLE_HTTP_LOGS: &[&str] = &[
    "AccountID", "Body", "BodyLength", "DestAddr", "Headers", "Host", "Method", "Password", "R2Path", "Referrer",
    "SinkholeID", "SrcAddr", "Timestamp", "URI", "URL", "UserAgent", "Username",
];

pub(super) const SPECTRUM_EVENTS: &[&str] = &[
    "Application", "ClientAsn", "ClientBytes", "ClientCountry", "ClientIP", "ClientMatchedIpFirewall", "ClientPort",
    "ClientProto", "ClientTcpRtt", "ClientTlsCipher", "ClientTlsClientHelloServerName", "ClientTlsProtocol",
    "ClientTlsStatus", "ColoCode", "ConnectTimestamp", "DisconnectTimestamp", "Event", "IpFirewall", "OriginBytes",
    "OriginIP", "OriginPort", "OriginProto", "OriginTcpRtt", "OriginTlsCipher", "OriginTlsFingerprint",
    "OriginTlsMode", "OriginTlsProtocol", "OriginTlsStatus", "ProxyProtocol", "Status", "Timestamp",
];

pub(super) const SSH_LOGS: &[&str] = &[
    "AccountID", "ClientAddress", "Datetime", "Error", "PTY", "Payload", "ProgramFinishDatetime", "ProgramID",
    "ProgramStartDatetime", "ProgramType", "ServerAddress", "SessionFinishDatetime", "SessionID",
    "SessionStartDatetime", "TargetID", "UserEmail", "UserID", "Username",
];

pub(super) const TURNSTILE_EVENTS: &[&str] = &[
    "ASN", "Action", "BrowserMajor", "BrowserName", "ClientIP", "CountryCode", "EventType", "Hostname", "OSMajor",
    "OSName", "Sitekey", "Timestamp", "UserAgent",
];

pub(super) const WARP_CONFIG_CHANGES: &[&str] = &[
    "AccountIDFrom", "AccountIDTo", "AccountNameFrom", "AccountNameTo", "ConfigNameFrom", "ConfigNameTo",
    "DeviceID", "DeviceRegistrationID", "Hostname", "SerialNumber", "Timestamp", "UserEmail",
];

pub(super) const WARP_TOGGLE_CHANGES: &[&str] = &[
    "AccountID", "AccountName", "DeviceID", "DeviceRegistrationID", "Hostname", "SerialNumber", "Timestamp",
    "Toggled", "UserEmail",
];

pub(super) const ZARAZ_EVENTS: &[&str] = &[
    "Body", "EventDetails", "EventType", "IP", "RequestHeaders", "TimestampStart", "URL",
];

pub(super) const ZERO_TRUST_NETWORK_SESSIONS: &[&str] = &[
    "AccountID", "BytesReceived", "BytesSent", "ClientTCPHandshakeDurationMs", "ClientTLSCipher",
    "ClientTLSHandshakeDurationMs", "ClientTLSVersion", "ConnectionCloseReason", "ConnectionReuse",
    "DestinationTunnelID", "DetectedProtocol", "DeviceID", "DeviceName", "EgressColoName", "EgressIP", "EgressPort",
    "EgressRuleID", "EgressRuleName", "Email", "IngressColoName", "InitialOriginIP", "Offramp", "OriginIP",
    "OriginPort", "OriginTLSCertificateIssuer", "OriginTLSCertificateValidationResult", "OriginTLSCipher",
    "OriginTLSHandshakeDurationMs", "OriginTLSVersion", "Protocol", "RegistrationID", "ResolvedFQDN",
    "RuleEvaluationDurationMs", "SNI", "SessionEndTime", "SessionID", "SessionStartTime", "SourceIP",
    "SourceInternalIP", "SourcePort", "TenantID", "UserID", "VirtualNetworkID",
];
