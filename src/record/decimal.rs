//! Numbers as spelled in JSON, read exactly: nanoseconds have 19 digits, a float only 15.
//!
//! # Invariants
//!
//! Nothing is rounded and nothing overflows, however long a number or its exponent is. Two spellings of one number are
//! equal (`20`, `20.0`, `2e1`; `0`, `-0`).

use std::cmp::Ordering;

/// A decimal number: 0.`digits` × 10^`point`, borrowed from its spelling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    /// From the first nonzero digit to the end, possibly with a point in between; empty for zero.
    digits: &'a str,
    /// The position of the point, counted from the first digit.
    point: i64,
}

impl<'a> Decimal<'a> {
    /// Parses a JSON number; `None` for any other text.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, decimals) = match mantissa.split_once('.') {
            Some((whole, decimals)) if is_digits(decimals) => (whole, decimals),
            Some(_) => return None,
            None => (mantissa, ""),
        };
        if !is_digits(whole) || whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let digits = mantissa.trim_start_matches(['0', '.']);
        let point = if whole == "0" {
            -length(decimals.len() - decimals.trim_start_matches('0').len())
        } else {
            length(whole.len())
        };
        Some(Self { negative, digits, point: point.saturating_add(exponent) })
    }

    /// Compares the number with `other`.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self.sign(), other.sign()) {
            (-1, -1) => other.compare_size(self),
            (1, 1) => self.compare_size(other),
            (ours, theirs) => ours.cmp(&theirs),
        }
    }

    /// Returns the number of digits before the point once the exponent is applied; negative if zeros follow the point.
    pub(crate) const fn whole_digits(&self) -> i64 {
        self.point
    }

    /// Returns the integer part after moving the point `places` digits to the right; `None` if it is negative or too
    /// large.
    pub(crate) fn whole(&self, places: i64) -> Option<u64> {
        let mut digits = self.digits.bytes().filter(u8::is_ascii_digit).map(|digit| u64::from(digit - b'0'));
        match self.sign() {
            0 => Some(0),
            1 => (0..self.point.saturating_add(places))
                .try_fold(0_u64, |sum, _| sum.checked_mul(10)?.checked_add(digits.next().unwrap_or(0))),
            _ => None,
        }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// Compares the absolute value with that of `other`; neither is zero.
    fn compare_size(&self, other: &Self) -> Ordering {
        self.point.cmp(&other.point).then_with(|| {
            let digits = |number: &Self| number.digits.trim_end_matches(['0', '.']).bytes().filter(u8::is_ascii_digit);
            digits(self).cmp(digits(other))
        })
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Parses an exponent, clamped to `i64`: no line has enough digits to offset a clamped one.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if !is_digits(digits) {
        return None;
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::Decimal;

    fn compare(a: &str, b: &str) -> Ordering {
        Decimal::parse(a).unwrap().compare(&Decimal::parse(b).unwrap())
    }

    #[test]
    fn numbers_keep_their_order_however_spelled() {
        let ascending: [&[&str]; 17] = [
            &["-1e99999999999999999999", "-1E+99999999999999999999"],
            &["-1774680145123456790"],
            &["-1774680145123456789", "-1774680145123456789.000"],
            &["-20.5", "-205e-1"],
            &["-20"],
            &["-0.05", "-5e-2"],
            &["-1e-99999999999999999999"],
            &["0", "-0", "0.000", "0e5", "-0.0E-7", "0e99999999999999999999"],
            &["1e-99999999999999999999"],
            &["0.05", "0.0500", "0.5e-1", "5e-2"],
            &["0.5", "5e-1", "0.50"],
            &["1", "1.0", "10e-1", "0.01e2", "0.001E+3"],
            &["20", "20.0", "2e1", "200e-1", "0.2e2"],
            &["20.000000000000000000000000000000000000001"],
            &["1774680145123456789", "1.774680145123456789e18"],
            &["1774680145123456790", "177468014512345679e1"],
            &["1e400", "10e399"],
        ];
        let ranked = || (0..).zip(ascending).flat_map(|(rank, same)| same.iter().map(move |text| (rank, *text)));
        for (rank, text) in ranked() {
            for (other_rank, other) in ranked() {
                assert_eq!(compare(text, other), i32::cmp(&rank, &other_rank), "{text} {other}");
            }
        }
    }

    #[test]
    fn non_json_numbers_are_no_numbers() {
        for text in
            ["", "-", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "1e1.5", "0x1", " 1", "1 ", "1,0", "--1", "NaN", "١"]
        {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn integer_part_is_cut_and_never_rounded() {
        for (text, places, whole) in [
            ("0", 0, Some(0)),
            ("-0.0e9", 3, Some(0)),
            ("20.0", 0, Some(20)),
            ("2E+2", 0, Some(200)),
            ("1.7953350607771236e+18", 0, Some(1_795_335_060_777_123_600)),
            ("1795335060.777", 9, Some(1_795_335_060_777_000_000)),
            ("0.0019999", 3, Some(1)),
            ("0.0019999", 2, Some(0)),
            ("1e-99999999999999999999", 9, Some(0)),
            ("18446744073709551615", 0, Some(u64::MAX)),
            ("18446744073709551616", 0, None),
            ("1e99999999999999999999", 0, None),
            ("-1", 0, None),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().whole(places), whole, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integer_part_is_that_of_integers(whole: u64, decimals in "[0-9]{0,30}", shift in 0_i64..19) {
            let spelled = format!("{whole}.{decimals}0e-{shift}");
            let number = Decimal::parse(&spelled).unwrap();
            prop_assert_eq!(number.whole(shift), Some(whole));
            prop_assert_eq!(number.whole(0), Some(whole / 10_u64.pow(u32::try_from(shift).unwrap())));
        }

        #[test]
        fn integers_compare_as_integers_do(a in any::<i64>(), b in any::<i64>(), zeros in 0_usize..5) {
            let (a, b) = (i128::from(a), i128::from(b));
            let scaled = format!("{a}.{}", "0".repeat(zeros + 1));
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
            prop_assert_eq!(compare(&scaled, &b.to_string()), a.cmp(&b));
            let (tens, more) = (10_i128.pow(u32::try_from(zeros).unwrap()), format!("{a}e{zeros}"));
            prop_assert_eq!(compare(&more, &b.to_string()), (a * tens).cmp(&b));
            prop_assert_eq!(compare(&format!("{b}e-{zeros}"), &a.to_string()), b.cmp(&(a * tens)));
        }

        #[test]
        fn no_text_panics(text in "-?[0-9.eE+-]{0,12}|.*") {
            if let Some(number) = Decimal::parse(&text) {
                prop_assert_eq!(number.compare(&number), Ordering::Equal);
            }
        }
    }
}
