//! Networks in filters on addresses: every operator, every spelling, and what is ruled out for many records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use raydex::filter::{Filter, FilterFault, NetworkFault, PossibleValues};
use raydex::record::{ADDRESS_FIELDS, FieldValue};

use super::accepts;
use super::generate::Random;

fn leaf(key: &str, operator: &str, value: &str) -> String {
    format!(r#"{{"where":{{"key":"{key}","operator":"{operator}","value":{value}}}}}"#)
}

#[test]
fn network_operators_hold_for_addresses_within() {
    let is = |operator: &str, value: &str, field: &str| {
        accepts(&leaf("ClientIP", operator, value), &format!(r#"{{"ClientIP":{field}}}"#))
    };
    for (operator, value, inside, outside) in [
        ("eq", r#""203.0.113.0/24""#, r#""203.0.113.9""#, r#""203.0.114.9""#),
        ("eq", r#""2001:db8::/32""#, r#""2001:0DB8:0:0::1""#, r#""2001:db9::1""#),
        ("in", r#""198.51.100.7, 203.0.113.0/24""#, r#""198.51.100.7""#, r#""198.51.100.8""#),
        ("in", r#"["198.51.100.7","203.0.113.0\/24"]"#, r#""203.0.113.0""#, r#""203.0.112.0""#),
        ("contains", r#""203.0.113.0/24""#, r#"["::1","::ffff:203.0.113.9"]"#, r#"["::1","203.0.114.9",7,null]"#),
        ("contains", r#""203.0.113.0/24""#, r#""203.0.113.9""#, r#""203.0.113.0/24""#),
    ] {
        assert!(is(operator, value, inside) && !is(operator, value, outside), "{operator} {value}");
        assert!(!is(&format!("!{operator}"), value, inside) && is(&format!("!{operator}"), value, outside));
    }
    for field in ["null", "7", "true", r#""""#, r#""x""#, r#"["203.0.113.9"]"#, r#"{"a":1}"#] {
        assert!(!is("eq", r#""203.0.113.0/24""#, field) && is("neq", r#""203.0.113.0/24""#, field), "{field}");
    }
    assert!(accepts(&leaf("ClientIP", "!in", r#""203.0.113.0/24""#), "{}"));
}

#[test]
fn slash_is_a_network_in_addresses_alone() {
    for field in ADDRESS_FIELDS {
        assert!(accepts(&leaf(field, "eq", r#""203.0.113.0/24""#), &format!(r#"{{"{field}":"203.0.113.9"}}"#)));
        assert!(Filter::parse(&leaf(field, "eq", r#""203.0.113.0/33""#)).is_err());
        // A part of an address stays a text.
        assert!(accepts(&leaf(field, "startsWith", r#""203/""#), &format!(r#"{{"{field}":"203/x"}}"#)));
    }
    let path = leaf("ClientRequestPath", "eq", r#""203.0.113.7/24""#);
    assert!(accepts(&path, r#"{"ClientRequestPath":"203.0.113.7/24"}"#));
    assert!(!accepts(&path, r#"{"ClientRequestPath":"203.0.113.7"}"#));
}

#[test]
fn wrong_network_is_an_error_with_place() {
    for (value, fault) in [
        ("203.0.113.7/24", NetworkFault::HostBits),
        ("203.0.113.0/33", NetworkFault::Length),
        ("hunter2/24", NetworkFault::Address),
    ] {
        for (operator, json) in [
            ("eq", format!("\"{value}\"")),
            ("!in", format!("\"192.0.2.1,{value}\"")),
            ("in", format!("[7,\"{value}\"]")),
            ("contains", format!("\"{value}\"")),
        ] {
            let first = r#"{"key":"RayID","operator":"eq","value":"x"}"#;
            let second = format!(r#"{{"key":"OriginIP","operator":"{operator}","value":{json}}}"#);
            let error = Filter::parse(&format!(r#"{{"where":{{"and":[{first},{second}]}}}}"#)).unwrap_err();
            assert_eq!((&*error.at, error.fault), ("where.and[1]", FilterFault::Network(fault)));
            let words = error.to_string();
            assert!(words.contains("203.0.113.0/24") || words.contains("0 to 32"), "{words}");
            assert!(!words.contains("hunter2") && !words.contains("OriginIP"), "{words}");
        }
    }
}

/// An address near others, in one of its spellings.
fn address(random: &mut Random) -> (IpAddr, String) {
    let last = u32::try_from(random.below(1 << 10)).unwrap();
    if random.below(2) == 0 {
        let ip = Ipv4Addr::from_bits(0xcb00_7000 | last);
        let wrapped = ip.to_ipv6_mapped();
        let spelled = match random.below(4) {
            0 => wrapped.to_string(),
            1 => format!("0:0:0:0:0:FFFF:{:x}:{:X}", wrapped.segments()[6], wrapped.segments()[7]),
            _ => ip.to_string(),
        };
        return (ip.into(), spelled);
    }
    let ip = Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(last) << (8 * random.below(12)));
    let spelled = match random.below(3) {
        0 => ip.to_string().to_uppercase(),
        1 => ip.segments().map(|part| format!("{part:04x}")).join(":"),
        _ => ip.to_string(),
    };
    (ip.into(), spelled)
}

/// The bits of an address as digits; those of the two kinds differ in number.
fn digits(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{:032b}", ip.to_bits()),
        IpAddr::V6(ip) => format!("{:0128b}", ip.to_bits()),
    }
}

/// A network that has an address of these, by its digits, and as text.
fn network(random: &mut Random) -> (String, usize, String) {
    let (ip, _) = address(random);
    let all = digits(ip);
    let length = match random.below(4) {
        0 => random.below(all.len() + 1),
        _ => all.len() - random.below(12),
    };
    let (start, rest) = all.split_at(length);
    let zeros = "0".repeat(rest.len());
    let text = match ip {
        IpAddr::V4(_) => {
            let first = Ipv4Addr::from_bits(u32::from_str_radix(&format!("{start}{zeros}"), 2).unwrap());
            if random.below(4) == 0 {
                format!("{}/{}", first.to_ipv6_mapped(), length + 96)
            } else {
                format!("{first}/{length}")
            }
        }
        IpAddr::V6(_) => {
            let first = Ipv6Addr::from_bits(u128::from_str_radix(&format!("{start}{zeros}"), 2).unwrap());
            format!("{first}/{length}")
        }
    };
    (start.to_owned(), all.len(), text)
}

#[test]
fn networks_agree_with_a_naive_evaluator() {
    let mut random = Random::new(20_261_129);
    let mut within = 0;
    for _ in 0..30_000 {
        let (start, bits, text) = network(&mut random);
        let (ip, spelled) = address(&mut random);
        let expected = digits(ip).len() == bits && digits(ip).starts_with(&start);
        let record = format!(r#"{{"EdgeServerIP":"{spelled}"}}"#);
        for (operator, is) in [("eq", expected), ("!eq", !expected), ("in", expected), ("!in", !expected)] {
            let filter = leaf("EdgeServerIP", operator, &format!("\"{text}\""));
            assert_eq!(accepts(&filter, &record), is, "{filter} {record}");
        }
        within += u32::from(expected);
    }
    assert!((3_000..27_000).contains(&within), "{within} of 30,000 are within: that shows little");
}

#[test]
fn networks_rule_out_no_address_within() {
    let mut random = Random::new(20_261_130);
    let (mut passing, mut ruled_out) = (0, 0);
    for _ in 0..30_000 {
        let filter = leaf(
            "ClientIP",
            ["eq", "!eq", "in", "!in", "contains"][random.below(5)],
            &format!("\"{}\"", network(&mut random).2),
        );
        let parsed = Filter::parse(&filter).unwrap();
        let texts: Vec<String> = (0..=random.below(5)).map(|_| address(&mut random).1).collect();
        let passes = texts.iter().any(|text| accepts(&filter, &format!(r#"{{"ClientIP":"{text}"}}"#)));
        let values = || texts.iter().map(|text| FieldValue::Text(text.into())).collect();
        let by_values = parsed.may_match(|_| PossibleValues::OneOf(values()));
        let by_texts =
            parsed.may_match(|_| PossibleValues::Texts(Box::new(|text: &str| texts.iter().any(|known| known == text))));
        assert!(by_texts || !passes, "{filter} {texts:?}");
        assert_eq!(by_values, passes, "a list of all values decides: {filter} {texts:?}");
        passing += u32::from(passes);
        ruled_out += u32::from(!by_values);
    }
    assert!(passing > 5_000 && ruled_out > 3_000, "{passing} pass, {ruled_out} are ruled out: that shows little");
}
