//! Addresses inside of longer texts: searched for on every boundary of a word, not compared.
//!
//! # Invariants
//!
//! An address that is cut already is none: it names a network. One pass over the bytes, without memory.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::ip;

/// Numbers of an address of version 4.
const OCTETS: usize = 4;
/// Groups of an address of version 6 that leaves none out.
const GROUPS: usize = 8;
/// Groups that an address has at least where its separator is a hyphen, since words have hyphens too.
const HYPHEN_GROUPS: usize = 4;

/// Whether there is an address in the text that is not cut to its network.
pub(super) fn has_address(text: &str) -> bool {
    let (mut digits, mut stops, mut colons, mut hyphens) = (0, 0, 0, 0);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' | b'_' => stops += 1,
            b'-' => hyphens += 1,
            b':' => colons += 1,
            _ => {}
        }
    }
    digits >= OCTETS && stops + hyphens >= OCTETS - 1 && find_v4(text, |found| found.is_client).is_some()
        || colons >= 2 && has_v6(text, ':', 1)
        || hyphens >= 2 && digits > 0 && text.contains("--") && has_v6(text, '-', HYPHEN_GROUPS)
}

/// Four numbers in a row that may be an address of version 4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OctetRun {
    /// Where the four are in the text.
    pub(super) place: Range<usize>,
    /// Whether the last one is not 0, so that it names more than a network.
    is_client: bool,
}

/// Whether four numbers in a row are an address whose dots someone wrote as commas or slashes: `/192/0/2/77`.
pub(super) fn has_parted_address(text: &str) -> bool {
    let count = |sign: u8| text.bytes().filter(|byte| *byte == sign).count();
    [b',', b'/'].into_iter().any(|sign| {
        count(sign) >= OCTETS - 1 && find_octets(text, |byte| byte == sign, |found| found.is_client).is_some()
    })
}

/// The first four numbers, with a dot, a hyphen or an underscore between, that `is` accepts.
pub(super) fn find_v4(text: &str, is: impl Fn(&OctetRun) -> bool) -> Option<OctetRun> {
    find_octets(text, |byte| matches!(byte, b'.' | b'-' | b'_'), is)
}

/// The first four numbers with one separator between that `is` accepts.
fn find_octets(text: &str, is_separator: impl Fn(u8) -> bool, is: impl Fn(&OctetRun) -> bool) -> Option<OctetRun> {
    // Where the last four octets begin, and how many octets there are in a row.
    let (mut starts, mut count) = ([0_usize; OCTETS], 0_usize);
    let mut date = DateGroups::default();
    let mut number = Digits::default();
    let mut before = 0_u8;
    for (place, byte) in text.bytes().chain([0]).enumerate() {
        if byte.is_ascii_digit() {
            if number.length == 0 {
                number.start = place;
                if before == 0 {
                    (count, date) = (0, DateGroups::default());
                }
            }
            number.push(byte);
            continue;
        }
        if number.length > 0 {
            let is_octet = number.length <= 3 && number.value <= 255;
            let is_dated = date.takes(&number);
            // A longer number may begin with the last octet, and end with the first one.
            let is_part = number.length > 3;
            if (is_octet || is_part && count >= OCTETS - 1) && !is_dated {
                starts.rotate_left(1);
                if let Some(last) = starts.last_mut() {
                    *last = number.start;
                }
                count += 1;
                let found = OctetRun { place: starts[0]..place, is_client: number.value != 0 };
                if count >= OCTETS && is(&found) {
                    return Some(found);
                }
            }
            if is_part && !is_dated {
                (starts[OCTETS - 1], count) = (number.start, 1);
            } else if !is_octet || is_dated {
                count = 0;
            }
            number = Digits::default();
            before = if is_separator(byte) { byte } else { 0 };
        } else {
            before = 0;
        }
    }
    None
}

/// A number as far as it is read.
#[derive(Default)]
struct Digits {
    start: usize,
    length: usize,
    value: u32,
}

impl Digits {
    fn push(&mut self, byte: u8) {
        self.length += 1;
        self.value = self.value.saturating_mul(10).saturating_add(u32::from(byte - b'0'));
    }
}

/// The numbers of a date, which are no part of an address: a year, a month and a day.
#[derive(Default)]
struct DateGroups {
    left: u8,
}

impl DateGroups {
    /// Whether the number is one of a date's.
    fn takes(&mut self, number: &Digits) -> bool {
        let most = match self.left {
            2 => 12,
            1 => 31,
            _ => 0,
        };
        if number.length == 4 && (1970..2100).contains(&number.value) {
            self.left = 2;
            return true;
        }
        let is_taken = number.length == 2 && (1..=most).contains(&number.value);
        self.left = if is_taken { self.left - 1 } else { 0 };
        is_taken
    }
}

/// Whether an address of version 6 is in the text, whose groups a separator divides; `least` is how many groups it has at
/// least.
fn has_v6(text: &str, separator: char, least: usize) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == separator;
    text.split(|c: char| !is_part(c)).any(|run| run.contains(separator) && is_v6_in(run, separator, least))
}

fn is_group(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether groups and separators without anything else between have an address in them.
fn is_v6_in(run: &str, separator: char, least: usize) -> bool {
    let bytes = run.as_bytes();
    let is_double = |pair: &[u8]| pair.iter().all(|byte| char::from(*byte) == separator);
    let shortened = bytes.windows(2).enumerate().filter(|(_, pair)| is_double(pair)).any(|(place, _)| {
        let (before, after) = (run.get(..place).unwrap_or_default(), run.get(place + 2..).unwrap_or_default());
        let left: Vec<&str> = before.rsplit(separator).take_while(|group| is_group(group)).take(GROUPS).collect();
        let right: Vec<&str> = after.split(separator).take_while(|group| is_group(group)).take(GROUPS).collect();
        // `Cache::add` is a name of a program's.
        let is_name = left.is_empty() && !before.is_empty() && !before.ends_with(separator);
        let groups = left.len() + right.len();
        let has_digit = || right.iter().any(|group| group.bytes().any(|byte| byte.is_ascii_digit()));
        let is_enough = groups >= least && (!is_name || right.len() >= 2 && has_digit());
        is_enough && !is_network(left.iter().rev(), right.iter())
    });
    let groups: Vec<&str> = run.split(separator).collect();
    shortened || groups.windows(GROUPS).any(is_whole)
}

/// Whether eight groups in a row are an address; the first and the last one may be longer than the address.
fn is_whole(groups: &[&str]) -> bool {
    let [first, inner @ .., last] = groups else { return false };
    let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
    let is_bounded = is_group(first) && is_group(last);
    inner.iter().all(|group| is_group(group))
        && is_digit(first.bytes().next_back())
        && is_digit(last.bytes().next())
        && !(is_bounded && is_network(groups.iter(), [].iter()))
}

/// Whether the groups before and after those that are left out are a network's.
fn is_network<'g>(left: impl Iterator<Item = &'g &'g str>, right: impl Iterator<Item = &'g &'g str>) -> bool {
    let join = |groups: Vec<&str>| groups.join(":");
    let (left, right) = (join(left.copied().collect()), join(right.copied().collect()));
    let is_whole = right.is_empty() && left.split(':').count() == GROUPS;
    let text = if is_whole { left } else { format!("{left}::{right}") };
    text.parse::<Ipv6Addr>().is_ok_and(|ip| ip::network(&text) == Some(ip.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{find_v4, has_address};

    #[test]
    fn addresses_are_found_wherever_they_are() {
        for text in [
            "192.0.2.77",
            "/192.0.2.77:443/x",
            "ip:192.0.2.77",
            "192.0.2.77/24",
            "v192.0.2.77b",
            "192-0-2-77",
            "192_0_2_77",
            "192.0.2.77192.0.2.77",
            "1.2.192.0.2.77",
            "192.000.002.077",
            "2001:db8::77",
            "ip:2001:db8::77",
            "[2001:db8::77]:443",
            "fe80::77%eth0",
            "2001:db8::77/64",
            "::ffff:192.0.2.77",
            "::ffff:c000:24d",
            "2001:db8:1:2:3:4:5:6",
            "x 2001:DB8:1:2:3:4:5:6:443",
            "2001:db8:1:2:3:4:5:62001:db8:1:2:3:4:5:6",
            "::1",
            "from 2001:db8::77.",
            "ip:::1",
            "2001-db8--1-77.sslip",
            "a::2001:db8:1:1",
        ] {
            assert!(has_address(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_addresses() {
        for text in [
            "",
            "192.0.2.0",
            "Chrome/146.0.0.0",
            "Chrome/146.0.7680.80",
            "10.15.7",
            "2001:db8:1::",
            "08:42:25",
            "std::string::add",
            "2026-11-28-08-42-25",
            "2026.11.28.1",
            "a--b",
            "iphone15-pro-max-256gb-blue",
            "550e8400-e29b-41d4-a716-446655440000",
            "999.999.999.999",
            "1.2.3",
            "::",
        ] {
            assert!(!has_address(text), "{text}");
        }
        let found = find_v4("a.192.0.2.0.b", |_| true).unwrap();
        assert_eq!(found.place, 2..11);
    }

    proptest! {
        #[test]
        fn no_address_is_missed(v4: [u8; 4], v6: [u16; 8], before in "[a-z/=:@ (,.]{0,4}", after in "[/:@ ),%]{0,4}", bytes in any::<String>()) {
            let (v4, v6) = (std::net::Ipv4Addr::from(v4), std::net::Ipv6Addr::from(v6));
            let (one, other) = (format!("{before}{v4}{after}"), format!("x={v6}{after}"));
            prop_assert!(v4.octets()[3] == 0 || has_address(&one), "{}", one);
            prop_assert!(v6.segments()[3..] == [0; 5] || has_address(&other), "{}", other);
            let _any = has_address(&bytes);
        }
    }
}
