//! What a text says without its escapes: `%3D`, `\u003d`, `&#61;`, `\"`, however often they were escaped again.
//!
//! # Invariants
//! The plain text is shorter than the text; each place in it is one of the text. Both are walked once.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::limits::REDACTION_DEPTH;
use crate::mask::{backslash_escape, html_reference};

/// Returns a text decoded as often as it is percent-encoded, within a bound.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    let mut found = Cow::Borrowed(text);
    for _ in 0..REDACTION_DEPTH {
        if !found.contains('%') {
            break;
        }
        let next = percent_decode_str(&found).decode_utf8_lossy().into_owned();
        if next == *found {
            break;
        }
        found = Cow::Owned(next);
    }
    found
}

/// A text without its escapes.
pub(super) struct Unescaped {
    pub(super) plain: String,
    /// Places in the plain text and in the text, from which both go on alike.
    runs: Vec<(usize, usize)>,
}

impl Unescaped {
    /// Undoes the escapes of a text; `None` if it has none.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut found = Self { plain: String::new(), runs: Vec::new() };
        let (mut at, mut kept_until) = (0, 0);
        while let Some(place) = text.get(at..).and_then(|rest| rest.find(['\\', '%', '&'])) {
            let escape = text.get(at + place..).unwrap_or_default();
            let Escape { sign, length } = Escape::at(escape);
            let start = at + place;
            at = start + length.max(1);
            if let Some(sign) = sign {
                found.plain.push_str(text.get(kept_until..start).unwrap_or_default());
                found.plain.push(sign);
                kept_until = at;
                found.runs.push((found.plain.len(), at));
            }
        }
        if found.runs.is_empty() {
            return None;
        }
        found.plain.push_str(text.get(kept_until..).unwrap_or_default());
        Some(found)
    }

    /// Returns the place in the text of one in the plain text.
    pub(super) fn place(&self, plain: usize) -> usize {
        let after = self.runs.partition_point(|(place, _)| *place <= plain);
        let run = after.checked_sub(1).and_then(|last| self.runs.get(last));
        run.map_or(plain, |(place, source)| source + (plain - place))
    }
}

/// What an escape says, and its length; without a sign, the length of what is none.
struct Escape {
    sign: Option<char>,
    length: usize,
}

impl Escape {
    /// Reads the escape at the beginning of a text.
    fn at(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b'%') => Self::percent(text),
            Some(b'&') => Self::reference(text),
            _ => Self::backslash(text),
        }
    }

    fn percent(text: &str) -> Self {
        let value = |at: usize| {
            let digits = text.get(at..at + 2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            u8::from_str_radix(digits, 16).ok()
        };
        let mut at = 1;
        while value(at) == Some(b'%') && value(at + 2).is_some() {
            at += 2;
        }
        // Other letters are in no name, and no sign between a name and its value.
        let sign = value(at).filter(u8::is_ascii).map(char::from);
        Self { sign, length: if sign.is_some() { at + 2 } else { at } }
    }

    fn reference(text: &str) -> Self {
        let after = text.get(1..).unwrap_or_default();
        let inner = after.trim_start_matches("amp;");
        let before = text.len() - inner.len();
        match html_reference(inner) {
            Some((sign, length)) => Self { sign: Some(sign), length: before + length },
            None => Self { sign: (before > 1).then_some('&'), length: before },
        }
    }

    fn backslash(text: &str) -> Self {
        let after = text.trim_start_matches('\\');
        let before = text.len() - after.len();
        let short = match after.as_bytes().first() {
            Some(b'"') => Some('"'),
            Some(b'\'') => Some('\''),
            Some(b'n' | b'r') => Some('\n'),
            Some(b't') => Some('\t'),
            _ => None,
        };
        let found = short.map(|sign| (sign, 1)).or_else(|| backslash_escape(after));
        Self { sign: found.map(|(sign, _)| sign), length: before + found.map_or(0, |(_, length)| length) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::{Unescaped, decoded};

    #[test]
    fn escapes_are_undone_however_often_they_were_made() {
        for (text, plain) in [
            ("password%3Dx", "password=x"),
            ("password%25253dx", "password=x"),
            (r"password\u003dx", "password=x"),
            (r"password\\\\u003dx", "password=x"),
            ("password&#61;x", "password=x"),
            ("password&amp;amp;#x3d;x", "password=x"),
            (r#"{\\\"a\\\": 1}"#, r#"{"a": 1}"#),
            (r"a\nb", "a\nb"),
            ("a&amp;b=1", "a&b=1"),
        ] {
            assert_eq!(Unescaped::new(text).map(|found| found.plain).as_deref(), Some(plain), "{text}");
        }
        for text in ["", "100% of a&b", r"C:\users\xen", "%e9%", "&sect;"] {
            assert!(Unescaped::new(text).is_none(), "{text}");
        }
    }

    #[test]
    fn encodings_are_taken_off_within_a_bound() {
        assert_eq!(
            (decoded("p%61ss"), decoded("p%2561ss"), decoded("100%"), decoded("a")),
            ("pass".into(), "pass".into(), "100%".into(), "a".into())
        );
    }

    proptest! {
        #[test]
        fn places_in_plain_texts_are_those_of_texts(parts in proptest::collection::vec("a|é|%3D|%25|%|\\\\|\\\\u003d|&amp;|&#61;|&|\"|25|u", 0..12)) {
            let text = parts.concat();
            if let Some(found) = Unescaped::new(&text) {
                prop_assert!(found.plain.len() < text.len());
                prop_assert_eq!(found.place(0).min(1), usize::from(found.runs[0].0 == 0));
                prop_assert_eq!(found.place(found.plain.len()), text.len());
                let places: Vec<_> = found.plain.char_indices().map(|(at, _)| found.place(at)).collect();
                prop_assert!(places.is_sorted() && places.iter().all(|at| text.is_char_boundary(*at)));
            }
        }
    }
}
