//! Addresses, cut so that they name a network and no longer a client.
//!
//! # Invariants
//!
//! The result of cutting an address is still an address, and cutting it again changes nothing. An IPv4 address that is
//! wrapped in an IPv6 one is cut as IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first bits of an IPv4 address that stay: /24.
const V4_KEPT: u32 = !0 << 8;
/// The first bits of an IPv6 address that stay: /48.
const V6_KEPT: u128 = !0 << 80;
/// The first bits of a 6to4 address that stay: its 16 bits and 24 of the IPv4 address after them.
const TUNNEL_KEPT: u128 = !0 << 88;

/// The network of the address that `text` spells.
pub(super) fn network(text: &str) -> Option<IpAddr> {
    Some(match text.parse().ok()? {
        IpAddr::V4(ip) => IpAddr::V4(network_v4(ip)),
        IpAddr::V6(ip) => IpAddr::V6(network_v6(ip)),
    })
}

fn network_v4(ip: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(ip.to_bits() & V4_KEPT)
}

fn network_v6(ip: Ipv6Addr) -> Ipv6Addr {
    match (ip.to_ipv4_mapped(), ip.segments()) {
        (Some(inner), _) => network_v4(inner).to_ipv6_mapped(),
        (None, [0x2002, ..]) => Ipv6Addr::from_bits(ip.to_bits() & TUNNEL_KEPT),
        _ => Ipv6Addr::from_bits(ip.to_bits() & V6_KEPT),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn an_address_keeps_its_network_alone() {
        for (text, cut) in [
            ("198.18.7.9", "198.18.7.0"),
            ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255", "255.255.255.0"),
            ("2001:db8:1234:5678:9abc::1", "2001:db8:1234::"),
            ("::1", "::"),
            ("::ffff:192.0.2.77", "::ffff:192.0.2.0"),
            ("2002:c000:24d:1::1", "2002:c000:200::"),
            ("64:ff9b::c000:24d", "64:ff9b::"),
        ] {
            let found = network(text).unwrap().to_string();
            assert_eq!(found, cut, "{text}");
            assert_eq!(network(&found).unwrap().to_string(), cut, "once is as good as twice");
        }
        for text in ["", "192.0.2", "192.0.2.1:80", "fe80::1%eth0", "example.com", " ::1"] {
            assert_eq!(network(text), None, "{text:?}");
        }
    }
}
