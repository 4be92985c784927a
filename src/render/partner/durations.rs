//! Durations: milliseconds in a record, seconds with three decimals for the partner.
//!
//! A number is read as spelled in JSON (`149`, `0.5`, `1.5e3`), and so is a text that spells one, since types drift.
//! Fractions of a millisecond are cut off, never rounded up. A negative number (an unset timer), one above 2^64 ms and
//! anything that is not a number are unavailable.
//!
//! Reading uses integers on the decimal digits, so nothing is rounded by a float.

use super::times::write_thousandths;
use crate::record::decimal::Decimal;

/// Appends `number` milliseconds as seconds, or nothing if it is not a duration.
pub(super) fn write_seconds(out: &mut Vec<u8>, number: &[u8]) {
    let spelled = || Decimal::parse(std::str::from_utf8(number).ok()?)?.whole(0);
    if let Some(ms) = few_digits(number).or_else(spelled) {
        write_thousandths(out, ms);
    }
}

/// Parses a typical number of milliseconds: up to eight digits and nothing else.
fn few_digits(number: &[u8]) -> Option<u64> {
    let is_usual = (1..=8).contains(&number.len()) && number.iter().all(u8::is_ascii_digit);
    is_usual.then(|| number.iter().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::write_seconds;

    fn seconds(number: &str) -> String {
        let mut out = Vec::new();
        write_seconds(&mut out, number.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn milliseconds_become_seconds_with_three_decimals() {
        for (ms, expected) in [
            ("0", "0.000"),
            ("-0", "0.000"),
            ("7", "0.007"),
            ("149", "0.149"),
            ("1000", "1.000"),
            ("61001", "61.001"),
            ("00149", "0.149"),
            ("9007199254740993", "9007199254740.993"),
            ("18446744073709551615", "18446744073709551.615"),
        ] {
            assert_eq!(seconds(ms), expected, "{ms}");
        }
    }

    #[test]
    fn what_is_below_a_millisecond_is_cut_off() {
        for (ms, expected) in [("0.999", "0.000"), ("149.9999", "0.149"), ("1e-3", "0.000"), ("1499e-1", "0.149")] {
            assert_eq!(seconds(ms), expected, "{ms}");
        }
    }

    #[test]
    fn an_exponent_moves_the_point() {
        for (ms, expected) in [
            ("1.50e3", "1.500"),
            ("1.5E+3", "1.500"),
            ("12.345e2", "1.234"),
            ("1e19", "10000000000000000.000"),
            ("0e99999999999999999999", "0.000"),
            ("1e-99999999999999999999", "0.000"),
            ("0.0000001e10", "1.000"),
        ] {
            assert_eq!(seconds(ms), expected, "{ms}");
        }
    }

    #[test]
    fn what_is_no_duration_is_nothing() {
        let none = [
            "",
            "-",
            "-1",
            "+1",
            "1.",
            ".5",
            "1e",
            "e1",
            "1e+",
            "1e1.5",
            "1.2.3",
            "0x10",
            " 1",
            "1 ",
            "NaN",
            "１",
            "18446744073709551616",
            "1e20",
            "1e400",
            "1e99999999999999999999",
            "149ms",
            "1_000",
        ];
        for text in none {
            assert_eq!(seconds(text), "", "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_milliseconds_are_exact(ms: u64) {
            prop_assert_eq!(seconds(&ms.to_string()), format!("{}.{:03}", ms / 1000, ms % 1000));
        }

        #[test]
        fn no_text_panics(text in "[0-9eE.+-]{0,24}") {
            let _seconds = seconds(&text);
        }
    }
}
