//! Instants as the partner reads them: on the clock of UTC+8, and as Unix seconds.
//!
//! What always holds: everything is cut to its unit, never rounded; the month is English, whatever the
//! machine's language.

use chrono::{DateTime, Datelike, Timelike};

use crate::record::Timestamp;

/// How far the partner's clock is ahead of UTC, in seconds.
const AHEAD_S: i64 = 8 * 3600;
/// How that is written.
const ZONE: &[u8] = b" +0800";
/// The months, as access logs write them.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends `28/Mar/2026:16:42:25 +0800`.
pub(super) fn write_local(out: &mut Vec<u8>, at: Timestamp) {
    let local = DateTime::from_timestamp(at.unix_s() + AHEAD_S, 0).unwrap_or_default();
    let month = MONTHS.get(local.month0() as usize).copied().unwrap_or_default();
    write_digits(out, local.day().into(), 2);
    out.push(b'/');
    out.extend_from_slice(month.as_bytes());
    out.push(b'/');
    write_digits(out, local.year_ce().1.into(), 4);
    for part in [local.hour(), local.minute(), local.second()] {
        out.push(b':');
        write_digits(out, part.into(), 2);
    }
    out.extend_from_slice(ZONE);
}

/// Appends `1774680145.000`.
pub(super) fn write_unix(out: &mut Vec<u8>, at: Timestamp) {
    let ms = at.unix_ms().unsigned_abs();
    write_digits(out, ms / 1000, 1);
    out.push(b'.');
    write_digits(out, ms % 1000, 3);
}

/// Appends `value` in decimal, with zeros before it up to `width` digits.
pub(super) fn write_digits(out: &mut Vec<u8>, value: u64, width: usize) {
    let start = out.len();
    let mut rest = value;
    while rest > 0 || out.len() - start < width {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{write_digits, write_local, write_unix};
    use crate::record::Timestamp;

    fn local(text: &str) -> String {
        let mut out = Vec::new();
        write_local(&mut out, Timestamp::parse(text).unwrap());
        String::from_utf8(out).unwrap()
    }

    fn unix(text: &str) -> String {
        let mut out = Vec::new();
        write_unix(&mut out, Timestamp::parse(text).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_instant_prints_on_the_clock_of_utc_8() {
        assert_eq!(local("2026-03-28T08:42:25Z"), "28/Mar/2026:16:42:25 +0800");
        assert_eq!(local("2025-12-31T16:00:00Z"), "01/Jan/2026:00:00:00 +0800");
        assert_eq!(local("2024-02-28T23:59:59.999999999Z"), "29/Feb/2024:07:59:59 +0800");
        assert_eq!(local("1"), "01/Jan/1970:08:00:01 +0800");
        assert_eq!(local("9223372036854775807"), "12/Apr/2262:07:47:16 +0800");
    }

    #[test]
    fn unix_seconds_are_cut_to_three_decimals() {
        assert_eq!(unix("1774680145"), "1774680145.000");
        assert_eq!(unix("1774680145.9999"), "1774680145.999");
        assert_eq!(unix("1774680145123999999"), "1774680145.123");
        assert_eq!(unix("0.000000001"), "0.000");
    }

    proptest! {
        #[test]
        fn a_local_time_agrees_with_chrono(s in 1_i64..9_000_000_000) {
            let zone = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
            let at = chrono::DateTime::from_timestamp(s, 0).unwrap().with_timezone(&zone);
            prop_assert_eq!(local(&s.to_string()), at.format("%d/%b/%Y:%H:%M:%S %z").to_string());
        }

        #[test]
        fn digits_agree_with_the_standard_library(value: u64, width in 1_usize..25) {
            let mut out = Vec::new();
            write_digits(&mut out, value, width);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{value:0width$}"));
        }
    }
}
