//! Durations, sizes and distances in time as people say them.

pub(super) use crate::page::numbers::grouped;
use crate::time;

const SECOND: i64 = 1_000_000_000;

/// Returns a duration in nanoseconds with its unit: `3.1 s`, `149 ms`, `1 min 12 s`.
pub(super) fn duration_text(ns: i64) -> String {
    let ns = ns.max(0);
    match ns {
        0..100 => "0 ms".to_owned(),
        100..1_000_000 => format!("{} µs", one_decimal(ns, 1_000)),
        1_000_000..SECOND => format!("{} ms", one_decimal(ns, 1_000_000)),
        _ if ns < 60 * SECOND => format!("{} s", one_decimal(ns, SECOND)),
        _ if ns < 3_600 * SECOND => format!("{} min {} s", ns / (60 * SECOND), ns / SECOND % 60),
        _ => format!("{} h {} min", ns / (3_600 * SECOND), ns / (60 * SECOND) % 60),
    }
}

/// Returns a size in bytes with its unit, in steps of a thousand: `1.3 MB`.
pub(super) fn bytes_text(bytes: u64) -> String {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", one_decimal(bytes, 1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", one_decimal(bytes, 1_000_000)),
        _ => format!("{} GB", one_decimal(bytes, 1_000_000_000)),
    }
}

/// Returns a part of a whole with one decimal below ten, and without above: what people can compare.
fn one_decimal(value: i64, unit: i64) -> String {
    let tenths = value / (unit / 10).max(1);
    if tenths >= 100 || tenths % 10 == 0 {
        (tenths / 10).to_string()
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// Returns how far an instant is from another one: `3 hours ago`, `in 5 minutes`.
pub(super) fn relative_text(now_ms: i64, then_ms: i64) -> String {
    const UNITS: [(i64, &str); 5] =
        [(31_557_600, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = now_ms.saturating_sub(then_ms) / 1_000;
    let far = seconds.saturating_abs();
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| far >= *unit) else { return "just now".to_owned() };
    let text = counted(u64::try_from(far / unit).unwrap_or(u64::MAX), name);
    if seconds > 0 { format!("{text} ago") } else { format!("in {text}") }
}

/// Returns a number with its noun: `1 record`, `12 records`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

/// An instant as the page shows it: `title` for machines, `text` for people.
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
        Self { machine, text, relative: relative_text(now_ms, unix_ms) }
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
    use super::{ShownText, bytes_text, counted, duration_text, relative_text};

    #[test]
    fn durations_have_the_unit_that_people_say() {
        for (ns, text) in [
            (-1, "0 ms"),
            (0, "0 ms"),
            (99, "0 ms"),
            (100, "0.1 µs"),
            (1_500, "1.5 µs"),
            (149_000_000, "149 ms"),
            (1_250_000, "1.2 ms"),
            (12_900_000, "12 ms"),
            (3_000_000_000, "3 s"),
            (3_149_999_999, "3.1 s"),
            (72_000_000_000, "1 min 12 s"),
            (7_380_000_000_000, "2 h 3 min"),
            (i64::MAX, "2562047 h 47 min"),
        ] {
            assert_eq!(duration_text(ns), text, "{ns}");
        }
    }

    #[test]
    fn sizes_have_steps_of_a_thousand() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 KB"),
            (1_049_111, "1 MB"),
            (1_290_000, "1.2 MB"),
            (u64::MAX, "9223372036 GB"),
        ] {
            assert_eq!(bytes_text(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn distances_have_their_largest_unit() {
        for (then, text) in [
            (1_000_000, "just now"),
            (999_000, "1 second ago"),
            (1_061_000, "in 1 minute"),
            (-8_000_000, "2 hours ago"),
            (i64::MIN, "292277024 years ago"),
        ] {
            let said = relative_text(1_000_000, then);
            assert!(said == text || then == i64::MIN && said.ends_with("years ago"), "{then} {said}");
        }
    }

    #[test]
    fn numbers_have_their_noun() {
        assert_eq!(
            [0, 1, 999, 1_000, 1_048_576].map(|count| counted(count, "row")),
            ["0 rows", "1 row", "999 rows", "1,000 rows", "1,048,576 rows"]
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(ShownText::new("äöü", 3), ShownText { text: "äöü".into(), length: None });
        assert_eq!(ShownText::new("äöü", 2), ShownText { text: "äö".into(), length: Some("3 characters".into()) });
    }
}
