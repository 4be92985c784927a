//! The fields that hold addresses, in any dataset: those of the class `ip` in `schemas/field_classes.toml`, and those that the
//! datasets without a class table list.
//!
//! # Invariants
//!
//! The names are sorted. Tests hold them against the classes and against `schemas/datasets.toml`.

/// The names, for all datasets, sorted.
pub const ADDRESS_FIELDS: [&str; 43] = [
    "ActorIP",
    "ActorIPAddress",
    "AuthoritativeNameServerIPs",
    "ClientAddress",
    "ClientIP",
    "CustomResolverAddress",
    "DestAddr",
    "DestinationAddress",
    "DestinationIP",
    "DeviceIPv4Address",
    "DeviceIPv6Address",
    "DstIP",
    "EdgeServerIP",
    "EgressIP",
    "GatewayIPv4Address",
    "GatewayIPv6Address",
    "HTTPClientIPAddress",
    "HTTPServerIPAddress",
    "IP",
    "IPAddress",
    "IPDestinationAddress",
    "IPSourceAddress",
    "ISPIPv4Address",
    "ISPIPv6Address",
    "InitialOriginIP",
    "InitialResolvedIPs",
    "LocalIP",
    "OriginIP",
    "OverrideIP",
    "RemoteIP",
    "ResolvedIPs",
    "SMTPHeloServerIP",
    "SamplerAddress",
    "ServerAddress",
    "SourceAddress",
    "SourceIP",
    "SourceInternalIP",
    "SrcAddr",
    "SrcIP",
    "TracerouteDestinationIPAddress",
    "TracerouteSourceIPAddress",
    "UpstreamIP",
    "clientIP",
];

/// Returns whether a field holds an address, or a list of them.
#[must_use]
pub fn is_address_field(name: &str) -> bool {
    ADDRESS_FIELDS.binary_search(&name).is_ok()
}
