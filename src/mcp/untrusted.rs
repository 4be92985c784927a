//! Values of records as an assistant gets them. Visitors and origins wrote them, and some write for whatever reads logs.
//!
//! # Invariants
//! A value is at most [`MCP_VALUE_CHARS`] characters long. It has no character that a program reads and a person does not see:
//! such a one is spelled out, as `\u{202e}`.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::limits::{FIELD_NAME_BYTES, MCP_NESTED_BYTES, MCP_VALUE_CHARS};
use crate::mask::is_invisible;

/// Digits of a number that every reader of JSON has exactly. A longer one is shown as text.
const EXACT_DIGITS: usize = 15;

/// A value as JSON, and how long it was if it is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UntrustedValue {
    pub(super) json: String,
    /// Characters of the whole value.
    pub(super) cut_from: Option<usize>,
}

impl UntrustedValue {
    /// Reads a value of a record, which is JSON; `None` for one that says nothing.
    pub(super) fn read(json: &str) -> Option<Self> {
        let json = json.trim();
        match json.as_bytes().first()? {
            b'n' => None,
            b'"' => {
                let text: Cow<'_, str> = serde_json::from_str::<String>(json).map(Cow::Owned).ok()?;
                (!text.is_empty()).then(|| Self::of_text(&text))
            }
            b'{' | b'[' => Self::of_nested(json),
            b't' | b'f' => Some(Self { json: json.to_owned(), cut_from: None }),
            _ if json.bytes().filter(u8::is_ascii_digit).count() > EXACT_DIGITS => Some(Self::of_text(json)),
            _ => Some(Self { json: json.to_owned(), cut_from: None }),
        }
    }

    fn of_text(text: &str) -> Self {
        let shown = shown_text(text, MCP_VALUE_CHARS);
        let cut_from = shown.is_cut.then(|| text.chars().count());
        Self { json: Value::from(shown.text).to_string(), cut_from }
    }

    /// A list or an object: as such, if it is short, else the beginning of its text.
    fn of_nested(json: &str) -> Option<Self> {
        let inside = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
        if inside.trim().is_empty() {
            return None;
        }
        let short = Some(json).filter(|json| json.len() <= MCP_NESTED_BYTES);
        match short.and_then(|json| serde_json::from_str(json).ok()) {
            Some(value) => Some(Self { json: spelled_out(value).to_string(), cut_from: None }),
            None => Some(Self::of_text(json)),
        }
    }
}

/// The name of a member of a record, as JSON.
pub(super) fn untrusted_name(name: &str) -> String {
    Value::from(shown_text(name, FIELD_NAME_BYTES).text).to_string()
}

/// The beginning of a text in which nothing is invisible.
struct VisibleText {
    text: String,
    is_cut: bool,
}

/// A short text of ours, such as the key of an object, of which a part may be another's.
pub(super) fn visible(text: &str) -> String {
    shown_text(text, MCP_VALUE_CHARS).text
}

fn shown_text(text: &str, most: usize) -> VisibleText {
    let (mut shown, mut length) = (String::new(), 0);
    for c in text.chars() {
        let is_hidden = c.is_control() || is_invisible(c) || matches!(c, '\u{2028}' | '\u{2029}');
        length += if is_hidden { c.escape_unicode().len() } else { 1 };
        if length > most {
            return VisibleText { text: shown, is_cut: true };
        }
        if is_hidden {
            let _never_fails = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    VisibleText { text: shown, is_cut: false }
}

/// A short value in which nothing is invisible.
fn spelled_out(value: Value) -> Value {
    match value {
        Value::String(text) => visible(&text).into(),
        Value::Array(values) => values.into_iter().map(spelled_out).collect(),
        Value::Object(members) => {
            let shown = |(name, value): (String, Value)| (visible(&name), spelled_out(value));
            Value::Object(members.into_iter().map(shown).collect::<Map<String, Value>>())
        }
        Value::Number(number) if number.to_string().len() > EXACT_DIGITS + 2 => number.to_string().into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{UntrustedValue, untrusted_name};
    use crate::limits::MCP_VALUE_CHARS;

    fn shown(json: &str) -> Option<String> {
        UntrustedValue::read(json).map(|value| value.json)
    }

    #[test]
    fn empty_values_are_left_out() {
        for json in ["null", "\"\"", "[]", "{}", "[ ]", "{ \n}", ""] {
            assert_eq!(UntrustedValue::read(json), None, "{json}");
        }
        for json in ["0", "false", "\"0\"", "[0]", "-1.5"] {
            assert_eq!(shown(json).as_deref(), Some(json));
        }
    }

    #[test]
    fn invisible_characters_are_spelled_out() {
        for (json, text) in [
            ("\"a\u{202e}b\"", r#""a\\u{202e}b""#),
            (r#""a\u202eb""#, r#""a\\u{202e}b""#),
            (r#""a\nb\u0000""#, r#""a\\u{a}b\\u{0}""#),
            ("\"\u{e0041}\u{200b}\u{feff}\"", r#""\\u{e0041}\\u{200b}\\u{feff}""#),
            ("\"\u{2028}\u{85}\"", r#""\\u{2028}\\u{85}""#),
            (r#"["a\u202e",{"b\u202e":"\t"}]"#, r#"["a\\u{202e}",{"b\\u{202e}":"\\u{9}"}]"#),
            ("\"Zürich 東京 🙂\"", "\"Zürich 東京 🙂\""),
        ] {
            assert_eq!(shown(json).as_deref(), Some(text), "{json}");
        }
        assert_eq!(untrusted_name("a\u{202e}\"b"), r#""a\\u{202e}\"b""#);
    }

    #[test]
    fn long_values_are_cut_with_their_length() {
        for (letter, each) in [("x", 1), ("é", 1), ("\u{202e}", 8)] {
            let long = format!("\"{}\"", letter.repeat(5_000));
            let value = UntrustedValue::read(&long).unwrap();
            assert_eq!(value.cut_from, Some(5_000));
            let text: String = serde_json::from_str(&value.json).unwrap();
            assert_eq!(text.chars().count(), MCP_VALUE_CHARS / each * each, "{letter}");
        }
        let whole = UntrustedValue::read(&format!("\"{}\"", "x".repeat(MCP_VALUE_CHARS))).unwrap();
        assert_eq!(whole.cut_from, None);
    }

    #[test]
    fn long_lists_become_the_beginning_of_text() {
        let list = format!("[{}1]", "1,".repeat(2_000));
        let value = UntrustedValue::read(&list).unwrap();
        let text: String = serde_json::from_str(&value.json).unwrap();
        assert_eq!((value.cut_from, text.len()), (Some(list.len()), MCP_VALUE_CHARS));
        let deep = "[".repeat(290) + &"]".repeat(290);
        assert!(shown(&deep).is_some_and(|json| json.starts_with('"')), "too deep to be read as a list");
    }

    #[test]
    fn long_numbers_become_text() {
        assert_eq!(shown("1774680145000000000").as_deref(), Some("\"1774680145000000000\""));
        assert_eq!(shown("[1774680145000000000]").as_deref(), Some("[\"1774680145000000000\"]"));
        assert_eq!(shown("123456789012345").as_deref(), Some("123456789012345"));
    }
}
