//! Conditions on one header: `RequestHeaders.traceparent` names a member of the object with the headers, in any case.
//!
//! # Invariants
//! A header with several values, or in several spellings, has each of them. What is no object has no headers.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::FieldValue;
use crate::record::fields::MemberName;

/// The fields with headers.
const HEADER_FIELDS: [&str; 2] = ["RequestHeaders", "ResponseHeaders"];

/// Splits a key into the field with headers and the header that it names; `None` for the key of a field.
pub(super) fn split_header(key: &str) -> Option<(&str, &str)> {
    let (field, header) = key.split_once('.')?;
    (HEADER_FIELDS.contains(&field) && !header.is_empty()).then_some((field, header))
}

/// Returns whether a value of the header in a field satisfies a test.
pub(super) fn any_value(field: &FieldValue<'_>, header: &str, test: &dyn Fn(&FieldValue<'_>) -> bool) -> bool {
    let FieldValue::Nested(raw) = field else { return false };
    let found = serde_json::Deserializer::from_str(raw).deserialize_map(HeaderTest { header, test });
    found.unwrap_or(false)
}

/// Tests each value of a header.
struct HeaderTest<'t> {
    header: &'t str,
    test: &'t dyn Fn(&FieldValue<'_>) -> bool,
}

impl HeaderTest<'_> {
    fn holds(&self, raw: &str) -> bool {
        match FieldValue::from_json(raw) {
            FieldValue::Nested(list) if list.starts_with('[') => {
                let values = serde_json::from_str::<Vec<&RawValue>>(list).unwrap_or_default();
                values.iter().any(|value| (self.test)(&FieldValue::from_json(value.get())))
            }
            value => (self.test)(&value),
        }
    }
}

impl<'de> Visitor<'de> for HeaderTest<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut holds = false;
        while let Some(MemberName(name)) = map.next_key::<MemberName<'de>>()? {
            let raw = map.next_value::<&RawValue>()?.get();
            holds |= name.eq_ignore_ascii_case(self.header) && self.holds(raw);
        }
        Ok(holds)
    }
}

#[cfg(test)]
mod tests {
    use crate::filter::Filter;

    fn matches(condition: &str, headers: &str) -> bool {
        let filter = Filter::parse(&format!(r#"{{"where":{condition}}}"#)).unwrap();
        assert_eq!(filter.fields().collect::<Vec<_>>(), ["RequestHeaders"]);
        assert_eq!(filter.exact_operands("RequestHeaders"), None, "a part of the field says nothing of the whole");
        filter.accepts(format!(r#"{{"RequestHeaders":{headers}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn condition_reads_one_header() {
        let condition = |operator: &str, value: &str| {
            format!(r#"{{"key":"RequestHeaders.traceparent","operator":"{operator}","value":{value}}}"#)
        };
        for (operator, value, headers, expected) in [
            ("eq", r#""00-a""#, r#"{"traceparent":"00-a"}"#, true),
            ("eq", r#""00-a""#, r#"{"Traceparent":"00-a"}"#, true),
            ("eq", r#""00-a""#, r#"{"traceparent":["00-b","00-a"]}"#, true),
            ("eq", r#""00-a""#, r#"{"x":"00-a","traceparent":"00-b"}"#, false),
            ("contains", r#""-a""#, r#"{"x":1,"traceparent":"00-a"}"#, true),
            ("startsWith", r#""00""#, r#"{"traceparent":"00-a"}"#, true),
            ("in", r#"["00-a","00-b"]"#, r#"{"traceparent":"00-b"}"#, true),
            ("!eq", r#""00-a""#, r#"{"traceparent":"00-a"}"#, false),
            ("!eq", r#""00-a""#, r#"{"traceparent":"00-b"}"#, true),
            ("!eq", r#""00-a""#, "{}", true),
            ("eq", r#""00-a""#, "null", false),
            ("eq", r#""00-a""#, r#""00-a""#, false),
            ("geq", "7", r#"{"traceparent":8}"#, true),
        ] {
            assert_eq!(matches(&condition(operator, value), headers), expected, "{operator} {value} {headers}");
        }
    }

    #[test]
    fn other_names_with_a_point_are_fields() {
        let filter = Filter::parse(r#"{"where":{"key":"Event.RayID","operator":"eq","value":"x"}}"#).unwrap();
        assert_eq!(filter.fields().collect::<Vec<_>>(), ["Event.RayID"]);
        assert_eq!(filter.accepts(br#"{"Event.RayID":"x"}"#), Ok(true));
        let filter = Filter::parse(r#"{"where":{"key":"RequestHeaders.","operator":"eq","value":"x"}}"#).unwrap();
        assert_eq!(filter.fields().collect::<Vec<_>>(), ["RequestHeaders."]);
    }
}
