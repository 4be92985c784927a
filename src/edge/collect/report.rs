//! A report: a JSON object, read without loss, and its canonical text.
//!
//! # Invariants
//! Two reports have one canonical text exactly if they are equal JSON values: members by the code points of their names, no white
//! space, numbers in their shortest exact spelling, of several members with one name the last one. The text is JSON.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sha1::{Digest, Sha1};

use crate::limits::COLLECT_DEPTH;
use crate::record::decimal::canonical_number;

/// A JSON value whose numbers are as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReportValue {
    Null,
    Flag(bool),
    /// In its canonical spelling.
    Number(Box<str>),
    Text(String),
    List(Vec<ReportValue>),
    Object(BTreeMap<String, ReportValue>),
}

/// The SHA-1 of a report's canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReportDigest([u8; 20]);

impl ReportDigest {
    pub(super) fn new(canonical: &str) -> Self {
        Self(Sha1::digest(canonical.as_bytes()).into())
    }

    /// Returns its 40 hexadecimal digits.
    pub(super) fn hex(self) -> String {
        hex::encode(self.0)
    }
}

impl ReportValue {
    /// Parses a value; `None` if it is not JSON or nested deeper than [`COLLECT_DEPTH`].
    pub(super) fn parse(raw: &RawValue) -> Option<Self> {
        Self::parse_level(raw.get(), COLLECT_DEPTH)
    }

    fn parse_level(raw: &str, depth: u32) -> Option<Self> {
        Some(match raw.as_bytes().first()? {
            b'n' => Self::Null,
            b't' => Self::Flag(true),
            b'f' => Self::Flag(false),
            b'"' => Self::Text(serde_json::from_str(raw).ok()?),
            b'[' => {
                let (items, depth): (Vec<&RawValue>, _) = (serde_json::from_str(raw).ok()?, depth.checked_sub(1)?);
                Self::List(items.into_iter().map(|item| Self::parse_level(item.get(), depth)).collect::<Option<_>>()?)
            }
            b'{' => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
                let depth = depth.checked_sub(1)?;
                let parsed =
                    members.into_iter().map(|(name, value)| Some((name, Self::parse_level(value.get(), depth)?)));
                Self::Object(parsed.collect::<Option<_>>()?)
            }
            _ => Self::Number(canonical_number(raw).into()),
        })
    }

    /// Returns the canonical text.
    pub(super) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => write_text(out, text),
            Self::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    write_text(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Removes the member at a path of names, if it is there.
    pub(super) fn remove(&mut self, path: &[String]) {
        let (Self::Object(members), Some((name, rest))) = (self, path.split_first()) else { return };
        if rest.is_empty() {
            members.remove(name);
        } else if let Some(inner) = members.get_mut(name) {
            inner.remove(rest);
        }
    }

    /// Returns the report as a record for a filter: members of members are members by their path, such as `body.phase`.
    pub(super) fn flat_record(&self) -> String {
        let mut members = BTreeMap::new();
        self.flatten(String::new(), &mut members);
        let fields = members.iter().map(|(path, value)| {
            let mut field = String::new();
            write_text(&mut field, path);
            field.push(':');
            value.write(&mut field);
            field
        });
        format!("{{{}}}", itertools::join(fields, ","))
    }

    fn flatten<'v>(&'v self, path: String, members: &mut BTreeMap<String, &'v Self>) {
        let Self::Object(inner) = self else {
            members.insert(path, self);
            return;
        };
        for (name, value) in inner {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            value.flatten(path, members);
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    // Writing to a string does not fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
    use serde_json::Value;

    use super::super::tests::{parse, value, values};
    use super::ReportDigest;
    use crate::limits::COLLECT_DEPTH;

    #[test]
    fn equal_reports_have_one_text() {
        for (text, canonical) in [
            (r#" { "b" : [ 2 , { } ] , "a" : 1.0 } "#, r#"{"a":1,"b":[2,{}]}"#),
            (r#"{"a":1,"a":2e2}"#, r#"{"a":200}"#),
            (r#"{"a":-0.0,"b":0.1e1,"c":12345678901234567890123}"#, r#"{"a":0,"b":1,"c":12345678901234567890123}"#),
            (r#"{"a":"\u0041\/\n","é":null}"#, r#"{"a":"A/\n","é":null}"#),
            ("{\"\u{ffff}\":1,\"😀\":2,\"Z\":true}", "{\"Z\":true,\"\u{ffff}\":1,\"😀\":2}"),
        ] {
            assert_eq!(value(text).canonical(), canonical);
        }
        // printf '{"a":1}' | sha1sum
        assert_eq!(ReportDigest::new(r#"{"a":1}"#).hex(), "9f89c740ceb46d7418c924a78ac57941d5e96520");
    }

    #[test]
    fn deep_reports_are_none() {
        let nested = |depth: u32| format!("{}{}", "[".repeat(depth as usize), "]".repeat(depth as usize));
        assert!(parse(&nested(COLLECT_DEPTH)).is_some());
        assert!(parse(&nested(COLLECT_DEPTH + 1)).is_none() && parse(&nested(100_000)).is_none());
    }

    #[test]
    fn members_leave_by_their_path() {
        let mut report = value(r#"{"age":7,"body":{"age":8,"phase":"dns"},"list":[{"age":9}]}"#);
        for path in [&["age"][..], &["body", "age"], &["list", "age"], &["none", "age"], &[]] {
            report.remove(&path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        }
        assert_eq!(report.canonical(), r#"{"body":{"phase":"dns"},"list":[{"age":9}]}"#);
        assert_eq!(report.flat_record(), r#"{"body.phase":"dns","list":[{"age":9}]}"#);
    }

    /// A value in one of its spellings.
    fn spelled(value: &Value, seed: u64) -> String {
        let pad = if seed.is_multiple_of(2) { " " } else { "" };
        match value {
            Value::Number(number) if seed.is_multiple_of(3) => format!("{number}.0"),
            Value::Number(number) if seed % 3 == 1 && number.as_i64() != Some(0) => format!("{number}0e-1"),
            Value::String(text) if seed.is_multiple_of(2) => {
                let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
                format!("\"{}\"", units.concat())
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| spelled(item, seed / 2)).collect();
                format!("[{pad}{}]", items.join(","))
            }
            Value::Object(members) => {
                let mut members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| {
                        format!("{pad}{}:{pad}{}", spelled(&name.clone().into(), seed / 3), spelled(value, seed / 2))
                    })
                    .collect();
                let turns = usize::try_from(seed % 7).unwrap() % members.len().max(1);
                members.rotate_left(turns);
                format!("{{{}}}", members.join(","))
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn canonical_texts_are_those_of_sorted_maps(values in prop::collection::vec((values(), 0_u64..1_000), 1..12)) {
            let mut oracle: HashMap<String, u64> = HashMap::new();
            let mut merged: HashMap<String, u64> = HashMap::new();
            for (sorted, seed) in values {
                *oracle.entry(sorted.to_string()).or_default() += 1;
                let text = parse(&spelled(&sorted, seed)).unwrap().canonical();
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
                *merged.entry(text).or_default() += 1;
            }
            prop_assert_eq!(merged, oracle);
        }
    }
}
