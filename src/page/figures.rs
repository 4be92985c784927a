//! Durations and sizes as people say them, alike on every page. `web/figures.js` says durations in the same words: the cases in
//! `tests/fixtures/page/durations.json` hold for both.
//!
//! # Invariants
//! A figure is rounded half up, once, to the digits that are shown of it, and has the unit that fits it then.

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE_NS: u64 = 60 * SECOND_NS;

/// The units of short durations: nanoseconds, the number from which the next unit fits, the name.
const SHORT_UNITS: [(u64, u64, &str); 3] = [(1_000, 1_000, "µs"), (1_000_000, 1_000, "ms"), (SECOND_NS, 60, "s")];
/// The same for sizes, in bytes.
const SIZE_UNITS: [(u64, u64, &str); 4] =
    [(1_000, 1_000, "KB"), (1_000_000, 1_000, "MB"), (1_000_000_000, 1_000, "GB"), (1_000_000_000_000, u64::MAX, "TB")];

/// Returns a duration in nanoseconds with its unit: `3.1 s`, `149 ms`, `1 min 12 s`. One below 0 is none.
pub(super) fn duration_text(ns: i64) -> String {
    let ns = u64::try_from(ns).unwrap_or_default();
    if half_up(ns, 100) == 0 {
        return "0 ms".to_owned();
    }
    let seconds = half_up(ns, SECOND_NS);
    in_units(ns, &SHORT_UNITS).unwrap_or_else(|| {
        if seconds < 3_600 {
            return two_units((seconds / 60, "min"), (seconds % 60, "s"));
        }
        let minutes = half_up(ns, MINUTE_NS);
        two_units((minutes / 60, "h"), (minutes % 60, "min"))
    })
}

/// Returns a duration of whole seconds with its unit.
pub(super) fn seconds_text(seconds: i64) -> String {
    if seconds <= 0 { "0 s".to_owned() } else { duration_text(seconds.saturating_mul(1_000_000_000)) }
}

/// Returns a size in bytes with its unit, in steps of a thousand: `1.3 MB`.
pub(super) fn size_text(bytes: u64) -> String {
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    in_units(bytes, &SIZE_UNITS).unwrap_or_default()
}

/// Returns a number in the first unit that fits it: with one decimal below ten, and without from there on, as people compare.
fn in_units(value: u64, units: &[(u64, u64, &str)]) -> Option<String> {
    units.iter().find_map(|(unit, limit, name)| {
        let tenths = half_up(value, unit / 10);
        if tenths < 100 {
            let decimal = if tenths.is_multiple_of(10) { String::new() } else { format!(".{}", tenths % 10) };
            return Some(format!("{}{decimal} {name}", tenths / 10));
        }
        let whole = half_up(value, *unit);
        (whole < *limit).then(|| format!("{whole} {name}"))
    })
}

/// Returns how often an even unit fits into a value, rounded half up.
const fn half_up(value: u64, unit: u64) -> u64 {
    value / unit + (value % unit >= unit / 2) as u64
}

/// Returns a number of large units and one of small ones, which is left out if it is 0.
fn two_units((large, large_name): (u64, &str), (small, small_name): (u64, &str)) -> String {
    if small == 0 { format!("{large} {large_name}") } else { format!("{large} {large_name} {small} {small_name}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::{duration_text, seconds_text, size_text};

    /// The cases that `web/figures.js` is tested with too.
    const DURATIONS: &str = include_str!("../../tests/fixtures/page/durations.json");

    #[test]
    fn durations_have_the_unit_that_people_say() {
        let cases: Vec<(i64, String)> = serde_json::from_str(DURATIONS).unwrap();
        assert!(cases.len() > 25);
        for (ns, text) in cases {
            assert_eq!(duration_text(ns), text, "{ns}");
        }
        assert_eq!(duration_text(i64::MAX), "2562047 h 47 min");
        assert_eq!([0, 40, 119, 7_200, i64::MAX].map(seconds_text)[..4], ["0 s", "40 s", "1 min 59 s", "2 h"]);
    }

    #[test]
    fn sizes_have_steps_of_a_thousand() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 KB"),
            (1_049, "1 KB"),
            (1_050, "1.1 KB"),
            (9_949, "9.9 KB"),
            (9_950, "10 KB"),
            (97_321, "97 KB"),
            (999_499, "999 KB"),
            (999_500, "1 MB"),
            (1_290_000, "1.3 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(size_text(bytes), text, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn longer_durations_say_no_less(ns in 0_i64..10_000_000_000_000, more in 0_i64..10_000_000_000) {
            let read = |text: &str| {
                let words: Vec<&str> = text.split(' ').collect();
                words.chunks(2).map(|pair| {
                    let unit = match pair[1] { "µs" => 1e-6, "ms" => 1e-3, "s" => 1.0, "min" => 60.0, _ => 3_600.0 };
                    pair[0].parse::<f64>().unwrap() * unit
                }).sum::<f64>()
            };
            let (short, long) = (read(&duration_text(ns)), read(&duration_text(ns + more)));
            prop_assert!(short <= long + 1e-9, "{short} {long}");
        }
    }
}
