//! A record's timestamp, in whatever unit the job was set to write.
//!
//! Logpush writes Unix nanoseconds (the API's default), Unix seconds or RFC 3339 with or without decimals (the
//! dashboard's default), as a number or as a string; old jobs wrote milliseconds. What went through a double has an
//! exponent or a point. Magnitude and shape distinguish them.
//!
//! # Invariants
//!
//! Reading is in integers (19 digits of nanoseconds do not fit in a float), so a value keeps its full precision. Zero,
//! a negative or an impossible value is not a timestamp.
//!
//! A count is taken in the largest unit in which its length could be meant: each instant from 2001-09-09 on, and so
//! each that a ray's clock can show (2012 to 2034), has a length of its own in each unit. A longer count in a unit
//! (253402300799, the end of the year 9999 in seconds) is never taken for an early instant of the next unit, which a ray
//! would contradict by decades: it is no instant, and its record has that of its ray. Nor is a count of a log line from
//! which no unit makes an instant of the years 2010 to 2099: Cloudflare is no older, and a wrong unit is off by a
//! thousand times.

use chrono::DateTime;

use super::decimal::Decimal;
use super::digits::decimal;

const NS_PER_S: i64 = 1_000_000_000;
/// Most digits of a count that is taken as seconds; milliseconds have 13 since 2001.
const SECONDS_DIGITS: i64 = 12;
/// Most digits taken as milliseconds; microseconds have 16.
const MILLIS_DIGITS: i64 = 15;
/// Most digits taken as microseconds; nanoseconds have 19.
const MICROS_DIGITS: i64 = 18;
/// Most digits of nanoseconds: 19 reach the year 2262, where an `i64` ends.
const NANOS_DIGITS: usize = 19;

/// The instants that a count in a log line may mean, in nanoseconds: the years 2010 to 2099.
const LOGGED_NS: std::ops::Range<i64> = 1_262_304_000 * NS_PER_S..4_102_444_800 * NS_PER_S;

/// An instant after 1970, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that `text` spells: a number as JSON spells it, or RFC 3339.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let plain = plain_nanos(bytes).or_else(|| plain_date(bytes)).or_else(|| plain_count(bytes));
        let ns = if let Some(ns) = plain {
            ns
        } else if let Some(number) = Decimal::parse(text) {
            count_to_nanos(&number)?
        } else {
            DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt()?
        };
        (ns > 0).then_some(Self(ns))
    }

    /// The same in a log line: a count that would be an instant of another century is none.
    #[must_use]
    pub fn parse_logged(text: &str) -> Option<Self> {
        // Only a date has a colon.
        Self::parse(text).filter(|at| LOGGED_NS.contains(&at.0) || text.contains(':'))
    }

    /// The instant that 19 digits of nanoseconds spell, where it is these: what [`Self::parse_logged`] says of them.
    #[inline]
    pub(super) fn of_digits(text: &[u8]) -> Option<Self> {
        plain_nanos(text).filter(|ns| LOGGED_NS.contains(ns)).map(Self)
    }

    /// Whether a count of nanoseconds in a log line may mean an instant.
    #[must_use]
    pub fn is_logged(unix_ns: i64) -> bool {
        LOGGED_NS.contains(&unix_ns)
    }

    /// The instant as nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ns(self) -> i64 {
        self.0
    }

    /// The instant as milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_ms(self) -> i64 {
        self.0 / 1_000_000
    }

    /// The instant as seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_s(self) -> i64 {
        self.0 / NS_PER_S
    }
}

/// The usual form read at once: 19 digits of nanoseconds, the first of them no zero.
#[inline]
fn plain_nanos(text: &[u8]) -> Option<i64> {
    let digits: &[u8; NANOS_DIGITS] = text.try_into().ok()?;
    if digits[0] == b'0' {
        return None;
    }
    let (first, rest) = digits.split_first_chunk()?;
    let (second, last) = rest.split_first_chunk()?;
    let [first, second] = [decimal(*first)?, decimal(*second)?];
    let whole = last.iter().all(u8::is_ascii_digit).then(|| number(last))?;
    i64::try_from((first * 100_000_000 + second) * 1000 + whole).ok()
}

/// The usual date read at once: `2022-11-03T16:10:08Z`, with up to nine decimals or none.
fn plain_date(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_first_chunk::<19>()?;
    let decimals = match rest {
        [b'Z'] => &[],
        [b'.', decimals @ .., b'Z'] if (1..=9).contains(&decimals.len()) => decimals,
        _ => return None,
    };
    let form = date.map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    if &form != b"0000-00-00T00:00:00" || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let [year, month, day] = [&date[..4], &date[5..7], &date[8..10]].map(number);
    let [hour, minute, second] = [&date[11..13], &date[14..16], &date[17..]].map(number);
    // Other years, and the seconds that are put in between, are left to the reading of all dates.
    if !(1970..=2200).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_of(year, month, day)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    let fraction = number(decimals) * 10_u64.pow(9_u32.checked_sub(u32::try_from(decimals.len()).ok()?)?);
    i64::try_from(seconds).ok()?.checked_mul(NS_PER_S)?.checked_add(i64::try_from(fraction).ok()?)
}

/// The days from 1970-01-01 to a date of the years 1970 to 2200; `None` where that date does not exist.
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    const LENGTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let place = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = LENGTHS.get(place)? + u64::from(month == 2 && is_leap(year));
    if day == 0 || day > length {
        return None;
    }
    // Leap years up to the end of the last year.
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let months: u64 = LENGTHS.iter().take(place).sum::<u64>() + u64::from(month > 2 && is_leap(year));
    Some(years + months + day - 1)
}

/// The number that at most 19 digits spell.
#[inline]
fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit.wrapping_sub(b'0')))
}

/// A count of digits alone read at once, the first of them no zero.
fn plain_count(text: &[u8]) -> Option<i64> {
    let is_plain = (1..NANOS_DIGITS).contains(&text.len()) && text.first() != Some(&b'0');
    let is_plain = is_plain && text.iter().all(u8::is_ascii_digit);
    let places = is_plain.then(|| places_of(i64::try_from(text.len()).ok()?))??;
    i64::try_from(number(text)).ok()?.checked_mul(10_i64.pow(places))
}

/// The nanoseconds of a count of seconds, milliseconds, microseconds or nanoseconds; what is below one is cut off.
fn count_to_nanos(count: &Decimal<'_>) -> Option<i64> {
    let places = places_of(count.whole_digits())?;
    i64::try_from(count.whole(places.into())?).ok()
}

/// The number of digits that a count is short of nanoseconds, by its digits before the point.
const fn places_of(digits: i64) -> Option<u32> {
    match digits {
        ..=SECONDS_DIGITS => Some(9),
        13..=MILLIS_DIGITS => Some(6),
        16..=MICROS_DIGITS => Some(3),
        19 => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::Timestamp;

    fn ns(text: &str) -> Option<i64> {
        Timestamp::parse(text).map(Timestamp::unix_ns)
    }

    #[test]
    fn every_unit_is_read_exactly() {
        let exact = Some(1_774_680_145_123_456_789);
        assert_eq!(ns("1774680145123456789"), exact);
        assert_eq!(ns("2026-03-28T06:42:25.123456789Z"), exact);
        assert_eq!(ns("2026-03-28T14:42:25.123456789+08:00"), exact);
        assert_eq!(ns("1774680145.123456789"), exact);
        assert_eq!(ns("1774680145"), Some(1_774_680_145_000_000_000));
        assert_eq!(ns("1774680145123"), Some(1_774_680_145_123_000_000));
        assert_eq!(ns("1774680145123456"), Some(1_774_680_145_123_456_000));
        assert_eq!(ns("1774680145123.5"), Some(1_774_680_145_123_500_000));
        assert_eq!(ns("2026-03-28T06:42:25Z"), Some(1_774_680_145_000_000_000));
        assert_eq!(ns("2026-03-28T06:42:25.123Z"), Some(1_774_680_145_123_000_000));
    }

    #[test]
    fn numbers_through_a_double_stay_in_their_second() {
        for text in [
            "1795335060777123584",
            "1.7953350607771236e+18",
            "1.79533506077712358e+18",
            "1795335060777123457.0",
            "1795335060.777",
            "1.795335060777e9",
            "1.795335060777e+12",
            "17953350607771236E2",
            "1795335060777123",
            "1795335060777.1234567890123456789",
        ] {
            assert_eq!(ns(text).map(|ns| ns / 1_000_000), Some(1_795_335_060_777), "{text}");
        }
        assert_eq!(ns("1.7e18"), Some(1_700_000_000_000_000_000));
        assert_eq!(ns("1.795335061e+09"), Some(1_795_335_061_000_000_000));
    }

    #[test]
    fn long_count_is_no_early_instant() {
        for text in ["253402300799", "253402300799.0", "2.53402300799e11", "253402300799999", "253402300799999999"] {
            assert_eq!(ns(text), None, "{text}");
        }
        // The first and the last second that an `i64` of nanoseconds and a length of its own hold in each unit.
        for (first, last) in [("1000000000", "9223372036"), ("1000000000000", "9223372036854")] {
            assert!(ns(first) == Some(1_000_000_000_000_000_000) && ns(last) > Some(9_223_372_035_999_999_999));
        }
    }

    #[test]
    fn count_of_another_century_is_no_logged_instant() {
        let logged = |text: &str| Timestamp::parse_logged(text).map(Timestamp::unix_s);
        for text in
            ["1", "1774687", "177468732", "946684800", "1262303999", "4102444800", "1e18", "1000000000000000000"]
        {
            assert_eq!(logged(text), None, "{text}");
            assert_eq!(Timestamp::of_digits(text.as_bytes()), None, "{text}");
        }
        for (text, second) in [
            ("1262304000", 1_262_304_000),
            ("4102444799999999999", 4_102_444_799),
            ("1970-01-01T00:00:10Z", 10),
            ("2100-01-01T00:00:00Z", 4_102_444_800),
        ] {
            assert_eq!(logged(text), Some(second), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_none() {
        let none = [
            "",
            "0",
            "0.0",
            "-1",
            "1e30",
            "-1e9",
            "1e-9e9",
            "1e99999999999999999999",
            "NaN",
            "null",
            "1.2.3",
            ".",
            "1e",
            "99999999999999999999",
            "9999999999999999999",
            "2026-03-28",
            "2026-13-28T06:42:25Z",
            "1970-01-01T00:00:00Z",
            "12:00",
            "−5",
        ];
        for text in none {
            assert_eq!(ns(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn seconds_milliseconds_and_nanoseconds_agree(s in 1_000_000_000_i64..4_000_000_000, ms in 0_i64..1000) {
            let expected = Some(s * 1_000_000_000 + ms * 1_000_000);
            prop_assert_eq!(ns(&format!("{s}{ms:03}")), expected);
            prop_assert_eq!(ns(&format!("{s}{ms:03}000000")), expected);
            prop_assert_eq!(ns(&format!("{s}.{ms:03}")), expected);
            prop_assert_eq!(ns(&crate::time::rfc3339(s * 1000 + ms)), expected);
        }

        #[test]
        fn a_date_is_the_one_that_chrono_reads(
            text in "(19[67][0-9]|20[0-9]{2}|2200|22[0-9]{2}|[0-9]{4})-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,11})?[Zz]?",
        ) {
            let expected = chrono::DateTime::parse_from_rfc3339(&text).ok().and_then(|date| date.timestamp_nanos_opt());
            prop_assert_eq!(ns(&text), expected.filter(|ns| *ns > 0), "{}", text);
        }

        #[test]
        fn every_day_is_the_one_that_chrono_reads(day in 0_i64..100_000, second in 0_i64..86_400, tenth in 0_i64..10) {
            let at = (day * 86_400 + second) * 1000 + tenth * 100;
            prop_assert_eq!(ns(&crate::time::rfc3339(at)), Some(at * 1_000_000).filter(|ns| *ns > 0));
        }

        #[test]
        fn every_spelling_of_a_count_is_one_instant(digits in "[1-9][0-9]{0,19}", shift in 0_usize..25) {
            let (plain, zeros) = (ns(&digits), "0".repeat(shift));
            prop_assert_eq!(ns(&format!("{digits}.{zeros}0")), plain);
            prop_assert_eq!(ns(&format!("{digits}{zeros}e-{shift}")), plain);
            let (first, rest) = digits.split_at(1);
            prop_assert_eq!(ns(&format!("{first}.{rest}0E+{}", rest.len())), plain);
        }

        #[test]
        fn nineteen_digits_are_nanoseconds_where_they_fit(digits in "[1-9][0-9]{18}") {
            prop_assert_eq!(ns(&digits), digits.parse::<i64>().ok());
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _instant = Timestamp::parse(&text);
        }
    }
}
