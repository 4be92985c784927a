//! Counts, instants and long texts as the page shows them.

use crate::page::ago::words_of_age;
pub(super) use crate::page::figures::{duration_text, size_text};
pub(super) use crate::page::numbers::grouped;
use crate::time;

/// Returns a number with its noun: `1 record`, `12 records`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

/// An instant as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InstantText {
    /// RFC 3339 in UTC, with milliseconds.
    pub(super) machine: String,
    /// The same with a blank and `UTC`.
    pub(super) text: String,
    /// How far it is from now.
    pub(super) relative: String,
}

impl InstantText {
    /// Writes an instant in Unix milliseconds.
    pub(super) fn new(unix_ms: i64, now_ms: i64) -> Self {
        let machine = time::rfc3339(unix_ms);
        let text = machine.replace('T', " ").replace('Z', " UTC");
        Self { machine, text, relative: words_of_age(now_ms.saturating_sub(unix_ms)) }
    }
}

/// A text that is shown as far as a line of a table has room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownText {
    /// Its beginning.
    pub(super) text: String,
    /// The number of its characters, if more follow: with its noun.
    pub(super) length: Option<String>,
}

impl ShownText {
    /// Cuts a text after its first characters.
    pub(super) fn new(text: &str, most: usize) -> Self {
        match text.char_indices().nth(most) {
            None => Self { text: text.to_owned(), length: None },
            Some((at, _)) => {
                let count = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
                Self { text: text.get(..at).unwrap_or_default().to_owned(), length: Some(counted(count, "character")) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InstantText, ShownText, counted};

    #[test]
    fn numbers_have_their_noun() {
        assert_eq!(
            [0, 1, 999, 1_000, 1_048_576].map(|count| counted(count, "row")),
            ["0 rows", "1 row", "999 rows", "1,000 rows", "1,048,576 rows"]
        );
    }

    #[test]
    fn instants_are_absolute_and_relative() {
        let InstantText { machine, text, relative } = InstantText::new(1_774_687_345_005, 1_774_687_405_005);
        assert_eq!(machine, "2026-03-28T08:42:25.005Z");
        assert_eq!((text.as_str(), relative.as_str()), ("2026-03-28 08:42:25.005 UTC", "60 s ago"));
        assert!(InstantText::new(i64::MIN, i64::MAX).relative.ends_with("days ago"));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(ShownText::new("äöü", 3), ShownText { text: "äöü".into(), length: None });
        assert_eq!(ShownText::new("äöü", 2), ShownText { text: "äö".into(), length: Some("3 characters".into()) });
    }
}
