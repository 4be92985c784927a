//! The canonical text of a record: two lines have the same one exactly if they are equal JSON values.
//!
//! White space, the order of members, escapes and the spelling of numbers do not count. Of several members with one name
//! the last one counts, as in [`super::fields`].
//!
//! # Invariants
//!
//! Nothing is rounded: different numbers stay different, and so do different halves of a surrogate pair.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;

use super::decimal::canonical_number;
use super::surrogates;

/// Depth of nesting up to which a line is compared by value; each level is read once more. Logpush writes five.
const DEPTH_MAX: u32 = 32;

/// Returns the canonical text of a line; `None` if it is not JSON, or has more than 32 levels.
#[must_use]
pub fn canonical_text(line: &str) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let value = serde_json::from_str::<&RawValue>(line).ok()?;
    write_value(&mut out, value.get(), DEPTH_MAX)?;
    Some(out)
}

/// Appends the value with this valid JSON text.
fn write_value(out: &mut String, raw: &str, depth: u32) -> Option<()> {
    match raw.as_bytes().first()? {
        b'"' => out.push_str(&canonical_string(raw)?),
        b'-' | b'0'..=b'9' => out.push_str(&canonical_number(raw)),
        b'{' => {
            let members: BTreeMap<CanonicalName<'_>, &RawValue> = serde_json::from_str(raw).ok()?;
            write_list(out, ['{', '}'], members.iter(), |out, (name, value)| {
                out.push_str(&name.0);
                out.push(':');
                write_value(out, value.get(), depth.checked_sub(1)?)
            })?;
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            write_list(out, ['[', ']'], items.iter(), |out, item| write_value(out, item.get(), depth.checked_sub(1)?))?;
        }
        _ => out.push_str(raw),
    }
    Some(())
}

/// Appends the items between these brackets, with a comma after each.
fn write_list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T) -> Option<()>,
) -> Option<()> {
    out.push(open);
    for item in items {
        write(out, item)?;
        out.push(',');
    }
    out.push(close);
    Some(())
}

/// The name of a member in its canonical spelling, with quotes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct CanonicalName<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for CanonicalName<'a> {
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(name)?;
        canonical_string(raw.get()).map(Self).ok_or_else(|| D::Error::custom("not a name"))
    }
}

/// Returns the canonical spelling of a JSON string, with quotes: half a surrogate pair is the only escape of four digits
/// beyond the control characters.
fn canonical_string(raw: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    let (mut text, mut copied) = (String::from('"'), 0);
    for half in surrogates::halves(inside) {
        push_spelled(&mut text, inside.get(copied..half.start)?)?;
        text.push_str(&inside.get(half.clone())?.to_ascii_lowercase());
        copied = half.end;
    }
    push_spelled(&mut text, inside.get(copied..)?)?;
    text.push('"');
    Some(Cow::Owned(text))
}

/// Appends a part of a JSON string without half pairs, in the spelling of `serde_json`.
fn push_spelled(out: &mut String, part: &str) -> Option<()> {
    let text: String = serde_json::from_str(&format!("\"{part}\"")).ok()?;
    let spelled = serde_json::to_string(&text).ok()?;
    out.push_str(spelled.strip_prefix('"')?.strip_suffix('"')?);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};
    use serde_json::Value;

    use super::{DEPTH_MAX, canonical_text};

    #[test]
    fn equal_values_have_one_text() {
        let mut seen = BTreeSet::new();
        for group in [
            &[r#"{"a":1,"b":[2,{}]}"#, r#" { "b" : [ 2 , { } ] , "a" : 1 } "#, r#"{"\u0062":[2e0,{}],"a":1.0}"#][..],
            &[r#"{"a":"A/\"\n"}"#, r#"{"a":"\u0041\/\u0022\u000a"}"#, r#"{"a":"\u0041\/\"\u000A"}"#],
            &["[\"😀é\"]", r#"["\ud83d\ude00\u00e9"]"#, r#"["\uD83D\uDE00é"]"#],
            &[r#"["\ud83d"]"#, r#"["\uD83D"]"#],
            &[r#"["\ude00"]"#],
            &[r#"["\ude00\ud83d"]"#],
            &["[\"\u{fffd}\"]", r#"["\ufffd"]"#],
            &[r#"["\\ud83d"]"#],
            &[r#"{"\ud83d":1}"#],
            &[r#"{"a":1,"a":2}"#, r#"{"a":2}"#, r#"{"\u0061":7,"a":2}"#, r#"{"a":7,"a":2.0}"#],
            &[r#"{"a":2,"a":1}"#],
            &[r#"{"a":"2"}"#],
            &["[200]", "[200.0]", "[2e2]", "[0.2E+3]"],
            &["[200,null]"],
            &["[-0]", "[0]", "[0.0]"],
            &["[9007199254740993]", "[9007199254740993.0]"],
            &["[9007199254740992]"],
            &["[true]"],
            &["[]"],
            &["[[]]"],
            &["null", " null"],
        ] {
            let texts: BTreeSet<String> = group.iter().map(|line| canonical_text(line).unwrap()).collect();
            assert_eq!(texts.len(), 1, "{group:?}: {texts:?}");
            assert!(texts.is_disjoint(&seen), "{group:?} equals another group");
            seen.extend(texts);
        }
    }

    #[test]
    fn odd_lines_have_no_text() {
        let nested = |depth: u32| format!("{}{}", "[".repeat(depth as usize), "]".repeat(depth as usize));
        assert!(canonical_text(&nested(DEPTH_MAX)).is_some());
        for line in ["", "{", "{} x", "[01]", "\"\u{1}\"", &nested(DEPTH_MAX + 2), &nested(100_000)] {
            assert_eq!(canonical_text(line), None, "{line:.40}");
        }
    }

    /// A value, and a way to write it in another spelling.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = proptest::prop_oneof![
            (-3_i64..3).prop_map(Value::from),
            prop::sample::select(vec!["", "a", "\"\\", "é😀", "\u{1}", "/"]).prop_map(Value::from),
            prop::sample::select(vec![Value::Null, Value::Bool(true), Value::Bool(false)]),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            proptest::prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab\"é]{0,2}", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Another spelling of the value: members in reverse, strings escaped, numbers with decimals, blanks between.
    fn respelled(value: &Value) -> String {
        let text = |text: &str| {
            let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            format!("\"{}\"", units.concat())
        };
        match value {
            Value::Number(number) if number.as_i64() == Some(0) => "-0.0E7".into(),
            Value::Number(number) => format!("{number}0.00e-1"),
            Value::String(string) => text(string),
            Value::Array(items) => format!("[ {} ]", items.iter().map(respelled).collect::<Vec<_>>().join(" , ")),
            Value::Object(members) => {
                let members =
                    members.iter().rev().map(|(name, value)| format!("{} : {}", text(name), respelled(value)));
                format!("{{ {} }}", members.collect::<Vec<_>>().join(" , "))
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn texts_are_equal_exactly_for_equal_values(a in values(), b in values()) {
            let canonical = |line: &str| canonical_text(line).unwrap();
            prop_assert_eq!(canonical(&a.to_string()), canonical(&respelled(&a)));
            prop_assert_eq!(canonical(&a.to_string()) == canonical(&b.to_string()), a == b);
        }
    }
}
