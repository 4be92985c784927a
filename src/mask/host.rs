//! Hosts that are addresses, or that hold one.
//!
//! # Invariants
//!
//! Of an address that is shown cut, the cut form is an address again, and cutting it again changes nothing. What a
//! browser takes for an address and this module cannot read is never shown to somebody who sees addresses cut.

use std::net::{IpAddr, Ipv6Addr};

use super::address::find_v4;
use super::{MASKED, ip};

/// Longest host, with a port: names have 253 characters.
pub(super) const HOST_LENGTH: usize = 260;
/// Labels of one hexadecimal digit each that are part of an address of version 6, reversed.
const NIBBLES: usize = 8;

/// A host and the text after it: nothing, or a port with its colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostAndPort<'t> {
    pub(super) host: &'t str,
    pub(super) port: Option<&'t str>,
}

impl<'t> HostAndPort<'t> {
    /// Separates the port; an IPv6 address without brackets has none.
    pub(super) fn split(text: &'t str) -> Self {
        let is_bare = text.parse::<Ipv6Addr>().is_ok();
        let has_bracket = text.starts_with('[') && !text.starts_with(MASKED);
        let end = match text.find(']') {
            _ if is_bare => None,
            Some(close) if has_bracket => colon_after(text, close),
            _ => text.find(':'),
        };
        let (host, rest) = end.and_then(|end| text.split_at_checked(end)).unwrap_or((text, ""));
        Self { host, port: rest.strip_prefix(':') }
    }
}

/// Where the first colon after the place is.
fn colon_after(text: &str, place: usize) -> Option<usize> {
    text.get(place..)?.find(':').map(|at| place + at)
}

/// The kinds of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostKind {
    /// An address, cut to its network in the same spelling.
    Address {
        /// The network, with the brackets or the last dot of the address.
        network: String,
    },
    /// An address in a spelling of its own: of fewer numbers, octal, hexadecimal, with a zone.
    OddAddress,
    /// Labels with dots between.
    Name,
}

impl HostKind {
    /// Returns the kind of a host without its port.
    pub(super) fn of(host: &str) -> Self {
        let (open, inner) = host.strip_prefix('[').map_or(("", host), |inner| ("[", inner));
        let (inner, close) = match inner.strip_suffix(if open.is_empty() { '.' } else { ']' }) {
            Some(inner) if open.is_empty() => (inner, "."),
            Some(inner) => (inner, "]"),
            None => (inner, ""),
        };
        match ip::network(inner) {
            // Brackets hold IPv6 alone, and both or none are there.
            Some(network) if open.is_empty() && (close.is_empty() || network.is_ipv4()) => {
                Self::Address { network: format!("{network}{close}") }
            }
            Some(network @ IpAddr::V6(_)) if close == "]" => Self::Address { network: format!("[{network}]") },
            Some(_) => Self::OddAddress,
            None if !open.is_empty() || ends_in_number(inner) => Self::OddAddress,
            None => Self::Name,
        }
    }
}

/// Whether the last label is a number, which makes a browser read the host as an address.
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_hexadecimal = hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    !last.is_empty() && (is_hexadecimal || last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// For each label of a name, whether it belongs to an address in it: `192.0.2.7.nip.example`, `ip-192-0-2-7.example`,
/// `c0000207.example`, and the digits of `ip6.arpa`.
pub(super) fn address_labels(host: &str) -> Vec<bool> {
    let labels: Vec<&str> = host.split('.').collect();
    let mut hidden: Vec<bool> = labels.iter().map(|label| holds_address(label)).collect();
    for (start, digits) in labels.windows(NIBBLES).enumerate() {
        if digits.iter().all(|label| label.len() == 1 && label.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            hidden.iter_mut().skip(start).take(NIBBLES).for_each(|label| *label = true);
        }
    }
    let mut start = 0;
    while let Some(found) = host.get(start..).and_then(|rest| find_v4(rest, |_| true)) {
        let place = start + found.place.start..start + found.place.end;
        let mut end = 0;
        for (label, is_hidden) in labels.iter().zip(&mut hidden) {
            let begin = end;
            end += label.len();
            *is_hidden |= begin < place.end && place.start < end;
            end += 1;
        }
        start = place.end;
    }
    hidden
}

/// Whether a label has the digits of an address: in groups with hyphens between, or eight hexadecimal ones.
fn holds_address(label: &str) -> bool {
    let is_v6 = || label.split('-').count() > 3 && label.replace('-', ":").parse::<Ipv6Addr>().is_ok();
    let has = |is: fn(&u8) -> bool| label.bytes().any(|byte| is(&byte));
    let is_v4 = label.len() == 8 && label.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_v4 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) || is_v6()
}

#[cfg(test)]
mod tests {
    use super::{HostAndPort, HostKind, address_labels};

    #[test]
    fn ports_are_separated_from_every_kind_of_host() {
        for (text, host, port) in [
            ("a.example:8443", "a.example", Some("8443")),
            ("192.0.2.7:80", "192.0.2.7", Some("80")),
            ("[2001:db8::7]:443", "[2001:db8::7]", Some("443")),
            ("[2001:db8::7]", "[2001:db8::7]", None),
            ("2001:db8::7", "2001:db8::7", None),
            ("a.example", "a.example", None),
            ("[masked].example:80", "[masked].example", Some("80")),
            ("a:[masked]", "a", Some("[masked]")),
            ("a:b:c", "a", Some("b:c")),
            ("", "", None),
        ] {
            assert_eq!(HostAndPort::split(text), HostAndPort { host, port }, "{text}");
        }
    }

    #[test]
    fn addresses_differ_from_names() {
        let address = |network: &str| HostKind::Address { network: network.into() };
        for (host, kind) in [
            ("192.0.2.77", address("192.0.2.0")),
            ("192.0.2.77.", address("192.0.2.0.")),
            ("[2001:db8:1:2::77]", address("[2001:db8:1::]")),
            ("2001:db8:1:2::77", address("2001:db8:1::")),
            ("[::ffff:192.0.2.77]", address("[::ffff:192.0.2.0]")),
            ("[192.0.2.77]", HostKind::OddAddress),
            ("[2001:db8::77", HostKind::OddAddress),
            ("[fe80::77%25eth0]", HostKind::OddAddress),
            ("192.0.589", HostKind::OddAddress),
            ("0300.0.2.0115", HostKind::OddAddress),
            ("0xC000024D", HostKind::OddAddress),
            ("3221226061", HostKind::OddAddress),
            ("a.example", HostKind::Name),
            ("a.example.", HostKind::Name),
            ("cafe", HostKind::Name),
            ("", HostKind::Name),
        ] {
            assert_eq!(HostKind::of(host), kind, "{host}");
        }
    }

    #[test]
    fn addresses_inside_of_names_are_found() {
        for (host, labels) in [
            ("192.0.2.77.nip.example", "####.."),
            ("77.2.0.192.in-addr.arpa", "####.."),
            ("ip-192-0-2-77.ec2.internal", "#.."),
            ("2001-db8--1-77.sslip.example", "#.."),
            ("v1.2.3.example", "...."),
            ("a-1-2-3.example", ".."),
            ("999.999.999.999.example", "....."),
            ("192-0.2-77.example", "##."),
            ("c000024d.nip.example", "#.."),
            ("7.7.0.0.0.0.0.0.b.8.d.0.1.ip6.arpa", "#############.."),
        ] {
            let found: String = address_labels(host).iter().map(|hidden| if *hidden { '#' } else { '.' }).collect();
            assert_eq!(found, labels, "{host}");
        }
    }
}
