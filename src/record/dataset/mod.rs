//! The datasets that Logpush and raydex write, with the fields that hold ray and time in each, and those that distinguish its
//! records from others.
//!
//! # Invariants
//!
//! A dataset's name is spelled here and nowhere else. It is part of stored names (shards, batches), so it never
//! changes.

#[rustfmt::skip]
mod edge;
#[rustfmt::skip]
mod fields;
mod kinds;
mod set;
#[rustfmt::skip]
mod specs;
mod table;
#[rustfmt::skip]
mod traces;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use kinds::NameKind;
pub use set::{DatasetEvidence, DatasetSet};
pub use table::DatasetSpec;

macro_rules! datasets {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A dataset, by the name that Cloudflare uses in its API; `edge_requests` and `traces` are raydex's own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Dataset {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Dataset {
            /// All datasets in the order in which answers list them: those with a ray first.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Returns the name that Cloudflare uses in its API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Parses a dataset from its name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

datasets! {
    /// One record for each HTTP request, subrequests included.
    HttpRequests = "http_requests",
    /// One record for each firewall rule that a request matched.
    FirewallEvents = "firewall_events",
    /// One record for each invocation of a Worker.
    WorkersTraceEvents = "workers_trace_events",
    /// One record for each WebSocket connection.
    WebsocketAnalytics = "websocket_analytics",
    /// One record for each sign-in or sign-out through Cloudflare Access.
    AccessRequests = "access_requests",
    /// One record for each sign-in, sign-up or other user action that Account Abuse Protection saw.
    AccountAbuseProtectionEvents = "account_abuse_protection_events",
    /// One record for each request that passed the edge logger.
    EdgeRequests = "edge_requests",
    /// One record for each span of a trace.
    Traces = "traces",
    /// One record for each change of an account's configuration.
    AuditLogs = "audit_logs",
    /// One record for each change of an account's configuration, in the second version.
    AuditLogsV2 = "audit_logs_v2",
    /// One record for each action of a user in an isolated browser.
    BisoUserActions = "biso_user_actions",
    /// One record for each finding of the cloud access security broker.
    CasbFindings = "casb_findings",
    /// One record for each posture check of a device.
    DevicePostureResults = "device_posture_results",
    /// One record for each test that a device ran for Digital Experience Monitoring.
    DexApplicationTests = "dex_application_tests",
    /// One record for each report of a device's state for Digital Experience Monitoring.
    DexDeviceStateEvents = "dex_device_state_events",
    /// One record for each copy of a request that a data loss rule matched.
    DlpForensicCopies = "dlp_forensic_copies",
    /// One record for each query to DNS Firewall.
    DnsFirewallLogs = "dns_firewall_logs",
    /// One record for each DNS query to a zone.
    DnsLogs = "dns_logs",
    /// One record for each alert of Email Security.
    EmailSecurityAlerts = "email_security_alerts",
    /// One record for each action of Email Security on a delivered message.
    EmailSecurityPostDeliveryEvents = "email_security_post_delivery_events",
    /// One record for each DNS query through Gateway.
    GatewayDns = "gateway_dns",
    /// One record for each HTTP request through Gateway.
    GatewayHttp = "gateway_http",
    /// One record for each network session through Gateway.
    GatewayNetwork = "gateway_network",
    /// One record for each line of the log of an encrypted tunnel.
    IpsecLogs = "ipsec_logs",
    /// One record for each event of a BGP session.
    MagicBgpLogs = "magic_bgp_logs",
    /// One record for each detection of the network's intrusion detection.
    MagicIdsDetections = "magic_ids_detections",
    /// One record for each request through an MCP server portal.
    McpPortalLogs = "mcp_portal_logs",
    /// One record for each flow that Magic Network Monitoring received.
    MnmFlowLogs = "mnm_flow_logs",
    /// One record for each network error that a browser reported.
    NelReports = "nel_reports",
    /// One record for each sampled packet.
    NetworkAnalyticsLogs = "network_analytics_logs",
    /// One record for each violation of a content security policy.
    PageShieldEvents = "page_shield_events",
    /// One record for each HTTP request to a sinkhole.
    SinkholeHttpLogs = "sinkhole_http_logs",
    /// One record for each event of a Spectrum connection.
    SpectrumEvents = "spectrum_events",
    /// One record for each program of an SSH session.
    SshLogs = "ssh_logs",
    /// One record for each event of a Turnstile widget.
    TurnstileEvents = "turnstile_events",
    /// One record for each change of a WARP client's configuration.
    WarpConfigChanges = "warp_config_changes",
    /// One record for each switch of a WARP client.
    WarpToggleChanges = "warp_toggle_changes",
    /// One record for each event of Zaraz.
    ZarazEvents = "zaraz_events",
    /// One record for each network session through Zero Trust.
    ZeroTrustNetworkSessions = "zero_trust_network_sessions",
}

impl Dataset {
    /// The datasets whose records have a ray and can be looked up.
    pub const WITH_RAY: [Self; 8] = [
        Self::HttpRequests,
        Self::FirewallEvents,
        Self::WorkersTraceEvents,
        Self::WebsocketAnalytics,
        Self::AccessRequests,
        Self::AccountAbuseProtectionEvents,
        Self::EdgeRequests,
        Self::Traces,
    ];

    /// Returns whether its records can be delivered: the partner's lines are made of the fields of `http_requests`.
    #[must_use]
    pub const fn is_deliverable(self) -> bool {
        matches!(self, Self::HttpRequests | Self::EdgeRequests)
    }

    /// Returns whether its records name the request that caused theirs.
    #[must_use]
    pub const fn has_parent(self) -> bool {
        self.spec().parent.is_some()
    }

    /// Returns the field that every one of its records has, and those of no other dataset; `None` if there is no such field.
    #[must_use]
    pub const fn marker(self) -> Option<&'static str> {
        match self {
            Self::EdgeRequests => Some(edge::MARKER),
            Self::Traces => Some(traces::MARKER),
            _ => None,
        }
    }

    /// Returns the field with the ID of the trace that a record is of: it finds the record like a ray. `None` if there is no such
    /// field.
    #[must_use]
    pub const fn trace(self) -> Option<&'static str> {
        match self {
            Self::Traces => Some(traces::TRACE),
            _ => None,
        }
    }

    /// Returns whether its records have a ray.
    #[must_use]
    pub const fn has_ray(self) -> bool {
        self.spec().ray.is_some()
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Dataset;

    #[test]
    fn dataset_is_found_by_its_own_name_only() {
        for dataset in Dataset::ALL {
            assert_eq!(Dataset::from_name(dataset.name()), Some(dataset));
            assert_eq!(serde_json::to_value(dataset).unwrap(), dataset.name());
        }
        assert_eq!(Dataset::from_name("dns_log"), None);
        assert_eq!(Dataset::from_name("HTTP_REQUESTS"), None);
    }

    #[test]
    fn datasets_with_a_ray_come_first() {
        let with_ray: Vec<Dataset> = Dataset::ALL.into_iter().filter(|dataset| dataset.has_ray()).collect();
        assert_eq!(with_ray, Dataset::WITH_RAY);
        assert_eq!(Dataset::ALL[..Dataset::WITH_RAY.len()], Dataset::WITH_RAY);
        assert!(Dataset::ALL.is_sorted());
    }
}
