//! What of a line can be erased by: the addresses in it, and the value of a member, each as one canonical text.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use serde_json::value::RawValue;

use crate::record::decimal::canonical_number;
use crate::record::{FieldValue, RecordMembers};

/// Longest spelling of an address with a port, in bytes: `[`, 39 digits and colons, or 45 with an IPv4 address at the end, `]:`
/// and five digits.
const SPELLED_MAX: usize = 53;

/// Returns the canonical text of an address: an IPv4 address that is wrapped in an IPv6 one is the IPv4 address.
#[must_use]
pub fn address_text(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// Returns the canonical text of a value of a field: numbers that are equal have the same one, and so has the string that
/// spells it. `None` for a list, an object and for nothing.
#[must_use]
pub fn field_text<'a>(value: &'a FieldValue<'_>) -> Option<Cow<'a, str>> {
    Some(match value {
        FieldValue::Text(text) => Cow::Borrowed(text),
        FieldValue::Number(digits) => canonical_number(digits),
        FieldValue::Bool(true) => Cow::Borrowed("true"),
        FieldValue::Bool(false) => Cow::Borrowed("false"),
        FieldValue::Nested(_) | FieldValue::Absent => return None,
    })
}

/// Returns whether `is_it` accepts the value of the record's member `name`, or an element of it if it is a list.
pub(super) fn holds_field(record: &str, name: &str, is_it: impl Fn(&str) -> bool) -> bool {
    let Ok(members) = RecordMembers::parse(record) else { return false };
    let Some(value) = members.get(name) else { return false };
    let is_value = |json: &str| field_text(&FieldValue::from_json(json)).is_some_and(|text| is_it(&text));
    let elements: Vec<&RawValue> =
        if value.starts_with('[') { serde_json::from_str(value).unwrap_or_default() } else { Vec::new() };
    is_value(value) || elements.iter().any(|element| is_value(element.get()))
}

/// Returns whether `is_it` accepts an address that a string of the record holds: alone, or between signs of which no address
/// consists, such as those of lists, of queries and of URLs, with or without a port.
pub(super) fn holds_address(record: &str, is_it: impl Fn(IpAddr) -> bool) -> bool {
    let mut rest = record;
    while let Some((text, after)) = next_string(rest) {
        let words = text.split(|sign: char| !is_of_address(sign));
        if words.filter_map(read_address).any(&is_it) {
            return true;
        }
        rest = after;
    }
    false
}

/// Returns the next string of a JSON text, without its escapes, and what follows it.
fn next_string(json: &str) -> Option<(Cow<'_, str>, &str)> {
    let (_, from) = json.split_once('"')?;
    let mut escaped = false;
    let end = from.bytes().position(|byte| match byte {
        b'\\' => {
            escaped = !escaped;
            false
        }
        b'"' if !escaped => true,
        _ => {
            escaped = false;
            false
        }
    })?;
    let (text, after) = from.split_at_checked(end)?;
    let after = after.strip_prefix('"')?;
    if !text.contains('\\') {
        return Some((Cow::Borrowed(text), after));
    }
    let spelled = json.get(json.len() - from.len() - 1..json.len() - after.len())?;
    Some((Cow::Owned(serde_json::from_str(spelled).unwrap_or_default()), after))
}

/// Returns whether a sign may be part of a word with an address: letters and the like beside one make another word of it.
fn is_of_address(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '.' | ':' | '[' | ']' | '%' | '-' | '_')
}

/// Reads a word as an address, which may be in brackets or have a port.
fn read_address(word: &str) -> Option<IpAddr> {
    let is_likely = |first: &u8| first.is_ascii_hexdigit() || matches!(first, b':' | b'[');
    if word.len() > SPELLED_MAX || !word.as_bytes().first().is_some_and(is_likely) || !word.contains(['.', ':']) {
        return None;
    }
    let word = word.trim_end_matches('.');
    let inside = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(word);
    // The zone of a local address names an interface.
    let inside = inside.split_once('%').map_or(inside, |(address, _)| address);
    inside.parse().ok().or_else(|| word.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{address_text, holds_address, holds_field};

    fn has(record: &str, address: &str) -> bool {
        let address: IpAddr = address.parse().unwrap();
        holds_address(record, |found| address_text(found) == address_text(address))
    }

    #[test]
    fn address_is_found_in_every_spelling() {
        for text in [
            r#"{"ClientIP":"203.0.113.7"}"#,
            r#"{"a":{"b":["x","203.0.113.7"]}}"#,
            r#"{"h":"10.0.0.1, 203.0.113.7"}"#,
            r#"{"h":"203.0.113.7:8443"}"#,
            r#"{"h":"::ffff:203.0.113.7"}"#,
            r#"{"h":"[::ffff:cb00:7107]:1"}"#,
            r#"{"h":"\u0032\u0030\u0033.0.113.7"}"#,
            r#"{"q\"uote\\":"for=203.0.113.7;proto=https"}"#,
            r#"{"h":"for=\"203.0.113.7\""}"#,
            r#"{"h":"10.0.0.1,\t203.0.113.7"}"#,
            r#"{"h":"/x?ip=203.0.113.7&y=1"}"#,
            r#"{"h":"http://203.0.113.7/a"}"#,
            r#"{"h":"http://user@203.0.113.7:81/a"}"#,
            r#"{"h":"http://[::ffff:203.0.113.7]:81/a"}"#,
            r#"{"h":"from 203.0.113.7, again"}"#,
            r#"{"h":"(203.0.113.7)"}"#,
            r#"{"h":"It was 203.0.113.7."}"#,
        ] {
            assert!(has(text, "203.0.113.7"), "{text}");
        }
        for text in [
            r#"{"ClientIP":"203.0.113.70"}"#,
            r#"{"ClientIP":"1203.0.113.7"}"#,
            r#"{"ClientIP":"203.0.113.7.example"}"#,
            r#"{"h":"http://203.0.113.7-a.example/"}"#,
            r#"{"h":"x203.0.113.7"}"#,
            r#"{"n":203.0}"#,
            "{",
            "",
            r#"{"a":"203.0.113.7"#,
        ] {
            assert!(!has(text, "203.0.113.7"), "{text}");
        }
        assert!(has(r#"{"ClientIP":"2001:DB8:0::1"}"#, "2001:db8::1"));
        assert!(has(r#"{"ClientIP":"fe80::1%eth0"}"#, "fe80::1"));
    }

    #[test]
    fn field_is_compared_by_its_value() {
        let has = |record: &str, text: &str| holds_field(record, "A", |found| found == text);
        for (record, text) in [
            (r#"{"A":"x"}"#, "x"),
            (r#"{"A":"\u0078"}"#, "x"),
            (r#"{"\u0041":2e2}"#, "200"),
            (r#"{"A":"200"}"#, "200"),
            (r#"{"A":18446744073709551617}"#, "18446744073709551617"),
            (r#"{"A":0.12345678901234567891}"#, "0.12345678901234567891"),
            (r#"{"A":true}"#, "true"),
            (r#"{"A":["y","x"]}"#, "x"),
            (r#"{"A":"y","A":"x"}"#, "x"),
        ] {
            assert!(has(record, text), "{record} {text}");
        }
        for (record, text) in [
            (r#"{"A":"y"}"#, "x"),
            (r#"{"a":"x"}"#, "x"),
            (r#"{"A":"x","A":"y"}"#, "x"),
            (r#"{"B":{"A":"x"}}"#, "x"),
            (r#"{"A":null}"#, ""),
            (r#"{"A":{"x":1}}"#, "x"),
            ("x", "x"),
        ] {
            assert!(!has(record, text), "{record} {text}");
        }
    }
}
