//! Records whose long texts are cut, for what is made of a record beside showing it.
//!
//! # Invariants
//! JSON stays JSON, with the same members: texts alone are cut, between characters, wherever they are.

use std::borrow::Cow;

/// Cuts each text of a JSON after about this many bytes as it is spelled.
pub(super) fn shorten_texts(json: &str, most: usize) -> Cow<'_, str> {
    if json.len() <= most {
        return Cow::Borrowed(json);
    }
    let mut short = String::new();
    let mut rest = json;
    while let Some((plain, text)) = rest.split_once('"') {
        short.push_str(plain);
        short.push('"');
        let TextCut { kept, after } = TextCut::new(text, most);
        short.push_str(kept);
        rest = after;
        if let Some(next) = after.strip_prefix('"') {
            short.push('"');
            rest = next;
        }
    }
    short.push_str(rest);
    if short.len() == json.len() { Cow::Borrowed(json) } else { Cow::Owned(short) }
}

/// A text after its first quote: what is kept of it, and what comes from its last quote on.
struct TextCut<'a> {
    kept: &'a str,
    after: &'a str,
}

impl<'a> TextCut<'a> {
    fn new(text: &'a str, most: usize) -> Self {
        let (mut kept, mut at) = (0, 0);
        let mut is_open = false;
        while let Some((length, is_half)) = sign_at(text.get(at..).unwrap_or_default()) {
            at += length;
            // The first half of a pair is nothing without the second.
            is_open = is_half && !is_open;
            if at <= most && !is_open {
                kept = at;
            }
        }
        let (whole, after) = text.split_at_checked(at).unwrap_or((text, ""));
        Self { kept: whole.get(..kept).unwrap_or_default(), after }
    }
}

/// Returns the length of the first sign of a text, and whether it is half of a surrogate pair; `None` at the end of the text.
fn sign_at(text: &str) -> Option<(usize, bool)> {
    let first = text.chars().next().filter(|first| *first != '"')?;
    if first != '\\' {
        return Some((first.len_utf8(), false));
    }
    if !text.starts_with("\\u") {
        let escaped = text.chars().nth(1).map_or(0, char::len_utf8);
        return Some((1 + escaped, false));
    }
    let digits = text.get(2..6).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    Some((6.min(text.len()), digits.is_some_and(|unit| (0xd800..0xe000).contains(&unit))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use serde_json::{Value, json};

    use super::shorten_texts;

    #[test]
    fn long_texts_are_cut_between_signs() {
        let of = |json: &str| shorten_texts(json, 4).into_owned();
        assert_eq!(
            of(r#"{"a":"12345678","b":[1,"x\\\"y"],"c":123456789}"#),
            r#"{"a":"1234","b":[1,"x\\"],"c":123456789}"#
        );
        assert_eq!(of(r#"["ééé","\ud83d\ude00x","a\ud83d\ude00"]"#), r#"["éé","","a"]"#);
        assert_eq!(of("{}"), "{}");
        assert_eq!(shorten_texts(r#"["\ud83d\ude00xy"]"#, 12), r#"["\ud83d\ude00"]"#);
    }

    /// The same value with each text as far as it is kept.
    fn matches(long: &Value, short: &Value) -> bool {
        match (long, short) {
            (Value::String(long), Value::String(short)) => long.starts_with(short.as_str()),
            (Value::Array(long), Value::Array(short)) => {
                long.len() == short.len() && long.iter().zip(short).all(|(long, short)| matches(long, short))
            }
            (long, short) => long == short,
        }
    }

    proptest! {
        #[test]
        fn json_stays_json(texts: Vec<String>, number: i64, most in 0_usize..64) {
            let value = json!([texts, number, null, [texts]]);
            let json = value.to_string();
            let short: Value = serde_json::from_str(&shorten_texts(&json, most)).unwrap();
            prop_assert!(matches(&value, &short), "{short}");
        }

        #[test]
        fn any_text_is_cut_in_bounds(text in any::<String>(), most in 0_usize..64) {
            let short = shorten_texts(&text, most);
            prop_assert!(short.len() <= text.len());
            if text.len() <= most {
                prop_assert_eq!(&*short, text.as_str());
            }
        }
    }
}
