//! Instants in the partner's formats: local time of UTC+8, and Unix seconds.
//!
//! # Invariants
//!
//! Values are truncated to their unit, never rounded. The month's name is English.

use crate::record::Timestamp;

/// The partner's offset from UTC in seconds.
const AHEAD_S: i64 = 8 * 3600;
const DAY_S: u64 = 86_400;
/// The months, abbreviated as in access logs.
const MONTHS: [[u8; 3]; 12] =
    [*b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep", *b"Oct", *b"Nov", *b"Dec"];

/// Appends the partner's local time, such as `28/Mar/2026:16:42:25 +0800`.
pub(super) fn write_local(out: &mut Vec<u8>, at: Timestamp) {
    let seconds = (at.unix_s() + AHEAD_S).unsigned_abs();
    let (year, month, day) = date_of(seconds / DAY_S);
    let name = usize::try_from(month).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or_default();
    let mut text = *b"00/Jan/0000:00:00:00 +0800";
    text[..2].copy_from_slice(&two_digits(day));
    text[3..6].copy_from_slice(&name);
    text[7..9].copy_from_slice(&two_digits(year / 100));
    text[9..11].copy_from_slice(&two_digits(year));
    text[12..14].copy_from_slice(&two_digits(seconds % DAY_S / 3600));
    text[15..17].copy_from_slice(&two_digits(seconds / 60 % 60));
    text[18..20].copy_from_slice(&two_digits(seconds % 60));
    out.extend_from_slice(&text);
}

/// Returns the last two decimal digits of a number.
fn two_digits(value: u64) -> [u8; 2] {
    [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]
}

/// Returns the year, the month (from 0) and the day (from 1) of the date `days` after 1970-01-01.
///
/// Years begin in March, so that the leap day is the last one; 400 of them are 146,097 days.
const fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01 on
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March on, every five months have 153 days.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month_from_january = if is_next_year { month - 10 } else { month + 2 };
    (era * 400 + year_of_era + is_next_year as u64, month_from_january, day)
}

/// Appends Unix seconds with milliseconds, such as `1774680145.000`.
pub(super) fn write_unix(out: &mut Vec<u8>, at: Timestamp) {
    write_thousandths(out, at.unix_ms().unsigned_abs());
}

/// Appends a number of thousandths with three decimals: `0.149`.
pub(super) fn write_thousandths(out: &mut Vec<u8>, value: u64) {
    /// The maximum number of digits, plus the point.
    const LENGTH: usize = 21;
    // Most durations are below ten seconds.
    if value < 10_000 {
        let [ones, tenths, hundredths, thousandths] = [1_000, 100, 10, 1].map(|unit| b'0' + (value / unit % 10) as u8);
        return out.extend_from_slice(&[ones, b'.', tenths, hundredths, thousandths]);
    }
    let mut text = [b'0'; LENGTH];
    let (mut rest, mut start) = (value, LENGTH);
    for (place, byte) in text.iter_mut().enumerate().rev() {
        // Three digits follow the point, and at least one precedes it.
        if place == LENGTH - 4 {
            *byte = b'.';
            continue;
        }
        if rest == 0 && place < LENGTH - 5 {
            break;
        }
        *byte = b'0' + (rest % 10) as u8;
        rest /= 10;
        start = place;
    }
    super::cells::put(out, text.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{write_local, write_thousandths, write_unix};
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
    fn instant_prints_on_the_clock_of_utc_8() {
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
        fn a_local_time_agrees_with_chrono(s in 1_i64..9_223_372_036) {
            let zone = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
            let at = chrono::DateTime::from_timestamp(s, 0).unwrap().with_timezone(&zone);
            prop_assert_eq!(local(&s.to_string()), at.format("%d/%b/%Y:%H:%M:%S %z").to_string());
        }

        #[test]
        fn thousandths_agree_with_the_standard_library(value: u64, shift in 0..64) {
            let (mut out, value) = (Vec::new(), value >> shift);
            write_thousandths(&mut out, value);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{}.{:03}", value / 1000, value % 1000));
        }
    }
}
