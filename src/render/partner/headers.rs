//! Reads one header from a record's `ResponseHeaders`.
//!
//! Logpush writes a header's value as a text, or as an array of texts if the job preserves duplicates. Its name may
//! have any case.
//!
//! # Invariants
//!
//! Of a header under several names the last one counts, as with members; of an array, the first element. Anything but a
//! text, a number or a boolean counts as absent.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::FieldValue;
use crate::record::fields::MemberName;
use crate::record::scan::nested::{NotPlain, first_element, member};

/// Returns the value of the header `name` in an object of headers; [`FieldValue::Absent`] if the object does not have
/// it.
pub(crate) fn first_header<'a>(headers: &FieldValue<'a>, name: &str) -> FieldValue<'a> {
    let FieldValue::Nested(raw) = *headers else { return FieldValue::Absent };
    let found = match member(raw.as_bytes(), |found| found.eq_ignore_ascii_case(name.as_bytes())) {
        Ok(found) => found.and_then(value_of),
        Err(NotPlain) => plain_member(raw, name),
    };
    match found {
        Some(FieldValue::Nested(values)) => match first_element(values.as_bytes()) {
            Ok(first) => first.and_then(value_of).unwrap_or(FieldValue::Absent),
            Err(NotPlain) => plain_element(values),
        },
        found => found.unwrap_or(FieldValue::Absent),
    }
}

/// Parses the JSON text `raw`.
fn value_of(raw: &[u8]) -> Option<FieldValue<'_>> {
    std::str::from_utf8(raw).ok().map(FieldValue::from_json)
}

/// Like [`member`], for an object of any form.
fn plain_member<'a>(object: &'a str, name: &str) -> Option<FieldValue<'a>> {
    let found = serde_json::Deserializer::from_str(object).deserialize_map(HeaderFinder { name });
    found.ok().flatten().map(|raw| FieldValue::from_json(raw.get()))
}

/// Like [`first_element`], for an array of any form.
fn plain_element(array: &str) -> FieldValue<'_> {
    let first = serde_json::Deserializer::from_str(array).deserialize_seq(FirstElement);
    first.ok().flatten().map_or(FieldValue::Absent, |raw| FieldValue::from_json(raw.get()))
}

struct HeaderFinder<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for HeaderFinder<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<MemberName<'de>>()? {
            if name.0.eq_ignore_ascii_case(self.name) {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct FirstElement;

impl<'de> Visitor<'de> for FirstElement {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let first = seq.next_element()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::first_header;
    use crate::record::FieldValue;

    fn length(headers: &str) -> FieldValue<'_> {
        first_header(&FieldValue::from_json(headers), "content-length")
    }

    #[test]
    fn header_is_found_in_any_case_and_form() {
        for headers in [
            r#"{"content-length":"12"}"#,
            r#"{"x":{"content-length":"1"},"Content-Length":"12","y":[1]}"#,
            r#"{"CONTENT-LENGTH" : [ "12" , "13" ]}"#,
            r#"{"content\u002dlength":"12"}"#,
            r#"{"content-length":"1","Content-Length":"12"}"#,
        ] {
            assert_eq!(length(headers), FieldValue::Text("12".into()), "{headers}");
        }
        assert_eq!(length(r#"{"content-length":1.50e3}"#), FieldValue::Number("1.50e3"));
        assert_eq!(length(r#"{"content-length":[12,"x"]}"#), FieldValue::Number("12"));
    }

    #[test]
    fn what_is_no_value_is_absent() {
        for headers in [
            "{}",
            "null",
            "12",
            r#""content-length: 12""#,
            r#"["content-length","12"]"#,
            r#"{"content-length":null}"#,
            r#"{"content-length":[]}"#,
            r#"{"content-length":[null,"12"]}"#,
            r#"{"content-length":{"0":"12"}}"#,
            r#"{"content-length ":"12"}"#,
        ] {
            assert_eq!(length(headers), FieldValue::Absent, "{headers}");
        }
    }

    #[test]
    fn depth_without_end_does_not_overflow() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(
            length(&format!(r#"{{"a":{deep},"content-length":[{deep},{deep}]}}"#)),
            FieldValue::Nested(_)
        ));
    }
}
