//! Numbers, sizes and ages as people read them.

use std::collections::BTreeMap;

use crate::page::ago::words_of_age;
use crate::page::code_words::plain_code;
use crate::page::numbers::{grouped, unix_ms};

/// Returns a number with separators: `1,234,567`.
pub(super) fn count(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = grouped(u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX));
    if number < 0 { format!("−{digits}") } else { digits }
}

/// Returns what counts by name say: `3 not json, 1 no ray`; empty where there are none.
pub(super) fn count_by_name(counts: &BTreeMap<String, u64>) -> String {
    let counts = counts.iter().filter(|(_, number)| **number > 0);
    itertools::join(counts.map(|(name, number)| format!("{} {}", count(*number), plain_code(name))), ", ")
}

/// Returns a size in bytes: `812 B`, `97.3 KB`, `1.5 GB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let unit = units.iter().find(|(least, _)| bytes >= *least);
    unit.map_or_else(|| format!("{bytes} B"), |(least, unit)| format!("{:.1} {unit}", bytes as f64 / *least as f64))
}

/// Returns how long ago an instant was: `3 min ago`; empty where it is no instant.
pub(super) fn since(time: &str, now_ms: i64) -> String {
    unix_ms(time).map_or_else(String::new, |at_ms| words_of_age(now_ms - at_ms))
}

/// Returns a duration: `40 s`, `12 min`, `3 h`.
pub(super) fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::{count, count_by_name, duration, size};

    #[test]
    fn numbers_have_separators() {
        for (number, text) in
            [(0_i64, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-12_345, "−12,345")]
        {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn sizes_and_durations_have_units() {
        assert_eq!([0, 999, 1_000, 97_321, 1_500_000_000].map(size), ["0 B", "999 B", "1.0 KB", "97.3 KB", "1.5 GB"]);
        assert_eq!([0, 119, 120, 7_200].map(duration), ["0 s", "119 s", "2 min", "2 h"]);
    }

    #[test]
    fn counts_of_nothing_are_left_out() {
        let counts = [("a".to_owned(), 0), ("no_ray".to_owned(), 1_200), ("c".to_owned(), 3)].into();
        assert_eq!(count_by_name(&counts), "3 c, 1,200 no ray");
    }
}
