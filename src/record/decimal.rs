//! Numbers as spelled in JSON, read exactly: nanoseconds have 19 digits, a float only 15.
//!
//! # Invariants
//!
//! Nothing is rounded and nothing overflows, however long a number or its exponent is. Two spellings of one number are
//! equal (`20`, `20.0`, `2e1`; `0`, `-0`).

use std::borrow::Cow;
use std::cmp::Ordering;

/// Number of digits up to which an integer is spelled without an exponent, even if it has fewer significant ones.
const PLAIN_DIGITS: usize = 21;
/// Number of zeros after the point from which on a number is spelled with an exponent.
const FEW_ZEROS: i64 = 6;
/// The bound of exponents that are rewritten. No line has enough digits to lead from here to a clamped exponent.
const EXPONENT_MAX: u64 = u64::MAX >> 2;

/// Returns the one spelling of a JSON number that all equal numbers share and no other number has: `200` for `2e2` and
/// `200.0`. Any other text, and a number whose exponent is beyond [`EXPONENT_MAX`], is returned as it is.
pub(crate) fn canonical_number(text: &str) -> Cow<'_, str> {
    if is_plain_integer(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    Decimal::parse(text).and_then(|number| number.canonical()).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Returns whether the text has only digits, and so few that a JSON number of them is canonical.
#[inline]
pub(crate) fn is_plain_integer(text: &[u8]) -> bool {
    (1..=PLAIN_DIGITS).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

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

    /// Returns the canonical spelling; `None` if the exponent is too large.
    fn canonical(&self) -> Option<String> {
        let digits: String = self.significant().map(char::from).collect();
        let (sign, point, count) = (if self.negative { "-" } else { "" }, self.point, length(digits.len()));
        if digits.is_empty() {
            return Some("0".into());
        }
        if point.unsigned_abs() > EXPONENT_MAX {
            return None;
        }
        if point <= -FEW_ZEROS || point > count.max(length(PLAIN_DIGITS)) {
            let (first, others) = digits.split_at_checked(1)?;
            let separator = if others.is_empty() { "" } else { "." };
            return Some(format!("{sign}{first}{separator}{others}e{}", point - 1));
        }
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        Some(match usize::try_from(point).ok().filter(|whole| *whole > 0) {
            None => format!("{sign}0.{}{digits}", zeros(-point)),
            Some(whole) => match digits.split_at_checked(whole) {
                Some((whole, decimals)) if !decimals.is_empty() => format!("{sign}{whole}.{decimals}"),
                _ => format!("{sign}{digits}{}", zeros(point - count)),
            },
        })
    }

    /// Returns the digits from the first to the last that is not zero.
    fn significant(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.digits.trim_end_matches(['0', '.']).bytes().filter(u8::is_ascii_digit)
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
        self.point.cmp(&other.point).then_with(|| self.significant().cmp(other.significant()))
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

    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

    use super::{Decimal, canonical_number};

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

    #[test]
    fn spellings_of_one_number_have_one_form() {
        for (canonical, spellings) in [
            ("200", &["200", "200.0", "2e2", "2E+2", "0.2e3", "20000e-2", "200.000e0"][..]),
            ("1.5", &["1.50", "1.5", "15e-1", "0.15E1"]),
            ("0", &["0", "-0", "0.0", "-0e7", "0e99999999999999999999"]),
            ("1000", &["1E3", "1000", "1000.0"]),
            ("-0.05", &["-0.050", "-5e-2"]),
            ("0.000001", &["1e-6", "0.0000010"]),
            ("1e-7", &["1e-7", "0.0000001", "10e-8"]),
            ("9007199254740993", &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"]),
            ("100000000000000000000", &["1e20", "100000000000000000000.00"]),
            ("1e21", &["1e21", "1000000000000000000000", "0.1e22"]),
            ("1234567890123456789012345", &["1234567890123456789012345", "1.234567890123456789012345e24"]),
            ("1234567890123456789012345.5", &["1234567890123456789012345.50"]),
            ("1.25e400", &["1.25e400", "125E398", "12.50e+399"]),
            ("1e99999999999999999999", &["1e99999999999999999999"]),
            ("no number", &["no number"]),
            ("", &[""]),
            ("007", &["007"]),
        ] {
            for spelling in spellings {
                assert_eq!(canonical_number(spelling), canonical, "{spelling}");
                assert_eq!(canonical_number(canonical), canonical, "{canonical}");
            }
        }
    }

    #[test]
    fn neighbours_beyond_a_double_stay_apart() {
        for [a, b] in [
            ["9007199254740992", "9007199254740993"],
            ["18446744073709551615", "18446744073709551616"],
            ["0.1", "0.1000000000000000055511151231257827"],
            ["1e400", "2e400"],
            ["1e-400", "0"],
            ["1e99999999999999999999", "1e99999999999999999998"],
        ] {
            assert_ne!(canonical_number(a), canonical_number(b));
        }
    }

    /// Few digits, so that numbers are often equal.
    fn spelled() -> impl Strategy<Value = String> {
        ("-?", "0|[12][01]{0,3}", "(\\.[0-2]0{0,3})?", "([eE][+-]?[0-3])?").prop_map(|parts| {
            let (sign, whole, decimals, exponent) = parts;
            format!("{sign}{whole}{decimals}{exponent}")
        })
    }

    /// The number times 10^10, by moving the point digit by digit.
    fn scaled(text: &str) -> i128 {
        let lower = text.to_lowercase();
        let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let places = 10 + exponent.parse::<i32>().unwrap() - i32::try_from(decimals.len()).unwrap();
        let digits: i128 = format!("{whole}{decimals}").parse().unwrap();
        digits * 10_i128.pow(u32::try_from(places).unwrap())
    }

    proptest! {
        #[test]
        fn canonical_spellings_are_equal_exactly_for_equal_numbers(a in spelled(), b in spelled()) {
            prop_assert_eq!(canonical_number(&a) == canonical_number(&b), scaled(&a) == scaled(&b), "{} {}", a, b);
            prop_assert_eq!(scaled(&canonical_number(&a)), scaled(&a));
        }

        #[test]
        fn canonical_spelling_is_the_same_number(
            text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,6})?",
        ) {
            let canonical = canonical_number(&text);
            prop_assert_eq!(compare(&canonical, &text), Ordering::Equal, "{} {}", text, canonical);
            prop_assert_eq!(canonical_number(&canonical), &*canonical);
        }

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
