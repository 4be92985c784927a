//! Numbers and ages of the page of operations.

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

/// Returns how long ago an instant was: `3 min ago`; empty where it is no instant.
pub(super) fn since(time: &str, now_ms: i64) -> String {
    unix_ms(time).map_or_else(String::new, |at_ms| words_of_age(now_ms - at_ms))
}

#[cfg(test)]
mod tests {
    use super::{count, count_by_name};

    #[test]
    fn numbers_have_separators() {
        for (number, text) in
            [(0_i64, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-12_345, "−12,345")]
        {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn counts_of_nothing_are_left_out() {
        let counts = [("a".to_owned(), 0), ("no_ray".to_owned(), 1_200), ("c".to_owned(), 3)].into();
        assert_eq!(count_by_name(&counts), "3 c, 1,200 no ray");
    }
}
