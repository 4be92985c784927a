//! Networks as the operands of address fields: `203.0.113.0/24`, `2001:db8::/32`.
//!
//! # Invariants
//!
//! An address is in a network or not by its bits, however it is spelled. An IPv4 address that is wrapped in an IPv6 one
//! counts as the IPv4 address, in networks and in records, so that no IPv6 network has an IPv4 address in it.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address before an IPv4 address that it wraps.
const WRAPPING_BITS: u32 = 96;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNetwork {
    /// Its first address: all bits after the prefix are 0.
    first: IpAddr,
    /// Length of its prefix in bits.
    length: u32,
}

/// The reason why an operand with a slash is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkFault {
    /// There is no address before the slash.
    #[error(
        "a network must be an address, a slash and the length of its prefix, such as 203.0.113.0/24 or 2001:db8::/32"
    )]
    Address,
    /// The length is not a number, or longer than an address.
    #[error("the prefix of a network must have a length of 0 to 32, or 0 to 128 for IPv6")]
    Length,
    /// The address has bits after the prefix.
    #[error(
        "the address of a network must be its first one: 203.0.113.0/24, not 203.0.113.7/24. Omit the prefix to match one \
         address"
    )]
    HostBits,
}

impl IpNetwork {
    /// Parses a network.
    ///
    /// # Errors
    /// [`NetworkFault`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NetworkFault> {
        let (address, length) = text.split_once('/').ok_or(NetworkFault::Address)?;
        let first: IpAddr = address.parse().map_err(|_| NetworkFault::Address)?;
        let length = parse_length(length).filter(|length| *length <= bits(first)).ok_or(NetworkFault::Length)?;
        let network = Self { first, length };
        if network.cut(first) != first {
            return Err(NetworkFault::HostBits);
        }
        Ok(network.unwrapped())
    }

    /// Returns its first address.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// Returns whether the address that `text` spells is in the network; `false` for a text that is no address.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address: IpAddr| self.cut(address.to_canonical()) == self.first)
    }

    /// Returns the first address of the network of this length that an address is in.
    fn cut(self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(ip) => {
                let kept = u32::MAX.checked_shl(u32::BITS.saturating_sub(self.length)).unwrap_or(0);
                IpAddr::V4((ip.to_bits() & kept).into())
            }
            IpAddr::V6(ip) => {
                let kept = u128::MAX.checked_shl(u128::BITS.saturating_sub(self.length)).unwrap_or(0);
                IpAddr::V6((ip.to_bits() & kept).into())
            }
        }
    }

    /// Returns the IPv4 network that an IPv6 one wraps: one whose prefix has all of the bits that wrap.
    fn unwrapped(self) -> Self {
        let first = self.first.to_canonical();
        match self.length.checked_sub(WRAPPING_BITS) {
            Some(length) if first.is_ipv4() && self.first.is_ipv6() => Self { first, length },
            _ => self,
        }
    }
}

/// Returns the number of bits of an address.
const fn bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => Ipv6Addr::BITS,
    }
}

/// Parses the length of a prefix: digits, without any before the first one that counts.
fn parse_length(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = digits.len() > 1 && digits.starts_with('0');
    digits.parse().ok().filter(|_| is_number && !is_padded)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{IpNetwork, NetworkFault};

    #[test]
    fn spelling_of_an_address_does_not_matter() {
        for (network, inside, outside) in [
            (
                "203.0.113.0/24",
                &["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.7", "::FFFF:cb00:7107"][..],
                &["203.0.112.255", "203.0.114.0", "::203.0.113.7"][..],
            ),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], &["::", "2001:db8::1"]),
            ("192.0.2.77/32", &["192.0.2.77", "::ffff:192.0.2.77"], &["192.0.2.76", "192.0.2.78"]),
            (
                "2001:db8::/32",
                &["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8:ffff::"],
                &["2001:db9::", "203.0.113.7"],
            ),
            ("2001:DB8:0::/48", &["2001:db8::1"], &["2001:db8:1::1"]),
            ("2001:db8::1/128", &["2001:0db8::0001"], &["2001:db8::2"]),
            ("::/0", &["::", "ffff::", "2001:db8::1"], &["0.0.0.0", "::ffff:192.0.2.1"]),
            ("::ffff:192.0.2.0/120", &["192.0.2.9", "::ffff:192.0.2.9"], &["192.0.3.0"]),
            ("::ffff:0:0/96", &["192.0.2.9"], &["::1"]),
        ] {
            let network = IpNetwork::parse(network).unwrap();
            for address in inside {
                assert!(network.has(address), "{network:?} {address}");
            }
            for address in outside.iter().chain(&["", "x", "203.0.113.7:443", "203.0.113.0/24", "fe80::1%eth0", " ::1"])
            {
                assert!(!network.has(address), "{network:?} {address}");
            }
        }
    }

    #[test]
    fn wrong_network_says_what_is_wrong() {
        for (text, fault) in [
            ("203.0.113.0", NetworkFault::Address),
            ("/24", NetworkFault::Address),
            ("203.0.113/24", NetworkFault::Address),
            (" 203.0.113.0/24", NetworkFault::Address),
            ("203.0.113.000/24", NetworkFault::Address),
            ("[2001:db8::]/32", NetworkFault::Address),
            ("fe80::%eth0/64", NetworkFault::Address),
            ("example.com/24", NetworkFault::Address),
            ("203.0.113.0/", NetworkFault::Length),
            ("203.0.113.0/33", NetworkFault::Length),
            ("203.0.113.0/024", NetworkFault::Length),
            ("203.0.113.0/+24", NetworkFault::Length),
            ("203.0.113.0/24 ", NetworkFault::Length),
            ("203.0.113.0/-1", NetworkFault::Length),
            ("203.0.113.0/24/24", NetworkFault::Length),
            ("203.0.113.0/255.255.255.0", NetworkFault::Length),
            ("203.0.113.0/99999999999999999999", NetworkFault::Length),
            ("2001:db8::/129", NetworkFault::Length),
            ("203.0.113.7/24", NetworkFault::HostBits),
            ("203.0.113.1/0", NetworkFault::HostBits),
            ("2001:db8::1/64", NetworkFault::HostBits),
            ("::ffff:192.0.2.7/120", NetworkFault::HostBits),
            ("::ffff:0:0/90", NetworkFault::HostBits),
        ] {
            assert_eq!(IpNetwork::parse(text), Err(fault), "{text}");
        }
    }

    /// The first bits of an address as digits.
    fn digits(bits: u128, of: u32, length: u32) -> String {
        format!("{bits:0>width$b}", width = of as usize).chars().take(length as usize).collect()
    }

    proptest! {
        #[test]
        fn networks_agree_with_digits(a: u32, b: u32, length in 0_u32..=32, near in 0_u32..=32, wrap: bool) {
            // Half of the pairs share their first bits.
            let b = if near == 32 { a } else { (a & !(u32::MAX >> near)) | (b & (u32::MAX >> near)) };
            let first = Ipv4Addr::from_bits(u32::try_from(u64::from(a) >> (32 - length) << (32 - length)).unwrap());
            let network = IpNetwork::parse(&format!("{first}/{length}")).unwrap();
            let address = Ipv4Addr::from_bits(b);
            let text = if wrap { address.to_ipv6_mapped().to_string() } else { address.to_string() };
            prop_assert_eq!(network.has(&text), digits(a.into(), 32, length) == digits(b.into(), 32, length));
        }

        #[test]
        fn long_networks_agree_with_digits(a: u128, b: u128, length in 0_u32..=128, near in 0_u32..128, case: bool) {
            let b = (a & !(u128::MAX >> near)) | (b & (u128::MAX >> near));
            let first = Ipv6Addr::from_bits(if length == 0 { 0 } else { a >> (128 - length) << (128 - length) });
            let network = IpNetwork::parse(&format!("{first}/{length}")).unwrap();
            let text = Ipv6Addr::from_bits(b).to_string();
            let text = if case { text.to_uppercase() } else { text };
            let is_wrapped = Ipv6Addr::from_bits(b).to_ipv4_mapped().is_some();
            prop_assert_eq!(network.has(&text), !is_wrapped && digits(a, 128, length) == digits(b, 128, length));
        }
    }
}
