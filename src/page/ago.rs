//! How long ago an instant was, in words.

/// Returns the age in words: `12 s ago`, `3 min ago`, `in 2 h`.
#[must_use]
pub fn words_of_age(age_ms: i64) -> String {
    let seconds = age_ms.unsigned_abs() / 1_000;
    let (count, unit) = match seconds {
        0 => return "now".to_owned(),
        1..120 => (seconds, "s"),
        120..7_200 => (seconds / 60, "min"),
        7_200..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    if age_ms < 0 { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

#[cfg(test)]
mod tests {
    use super::words_of_age;

    #[test]
    fn ages_have_the_unit_that_fits() {
        for (ms, words) in [
            (0, "now"),
            (-999, "now"),
            (1_000, "1 s ago"),
            (119_999, "119 s ago"),
            (120_000, "2 min ago"),
            (7_200_000, "2 h ago"),
            (172_800_000, "2 days ago"),
            (-60_000, "in 60 s"),
            (i64::MIN, "in 106751991167 days"),
        ] {
            assert_eq!(words_of_age(ms), words);
        }
    }
}
