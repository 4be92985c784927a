//! Instants in their external formats: RFC 3339 for people, timestamps in the names of batches.
//!
//! # Invariants
//!
//! An instant is Unix milliseconds in an `i64`. An instant outside of the years 1 to 9999 prints as the nearest one
//! inside.

use chrono::{DateTime, SecondsFormat, Utc};

/// Formats `unix_ms` as RFC 3339 in UTC with milliseconds: `2022-11-03T16:10:08.140Z`.
#[must_use]
pub fn rfc3339(unix_ms: i64) -> String {
    utc(unix_ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Formats `unix_s` as RFC 3339 in UTC with whole seconds: `2022-11-03T16:10:08Z`.
#[must_use]
pub fn rfc3339_s(unix_s: i64) -> String {
    utc(unix_s.saturating_mul(1_000)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Formats `unix_ns` as RFC 3339 in UTC with nanoseconds: `2022-11-03T16:10:08.140000000Z`.
#[must_use]
pub fn rfc3339_ns(unix_ns: i64) -> String {
    DateTime::from_timestamp_nanos(unix_ns).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// Formats `unix_ms` as Logpush does in the names of batches: `20221103T161008Z`.
#[must_use]
pub fn stamp(unix_ms: i64) -> String {
    utc(unix_ms).format("%Y%m%dT%H%M%SZ").to_string()
}

/// Parses the timestamp in a batch's name; a second of 60 is the first of the next minute.
#[must_use]
pub fn from_stamp(stamp: &str) -> Option<i64> {
    let parsed = chrono::NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ").ok()?;
    Some(parsed.and_utc().timestamp_millis())
}

/// Length of a day in milliseconds.
pub const DAY_MS: i64 = 24 * 3_600_000;

/// The number of an instant's day in UTC, counted from 1970-01-01.
#[must_use]
pub const fn day_number(unix_ms: i64) -> i64 {
    unix_ms.div_euclid(DAY_MS)
}

/// The instant at which the day of this one ends, in UTC.
#[must_use]
pub const fn day_end_ms(unix_ms: i64) -> i64 {
    day_number(unix_ms).saturating_add(1).saturating_mul(DAY_MS)
}

/// Formats the UTC day of `unix_ms`, as in the folder of a batch: `20221103`.
#[must_use]
pub fn day(unix_ms: i64) -> String {
    utc(unix_ms).format("%Y%m%d").to_string()
}

/// Converts `unix_ms` to a date, clamped to the years 1 to 9999.
fn utc(unix_ms: i64) -> DateTime<Utc> {
    /// 0001-01-01T00:00:00Z.
    const FIRST: i64 = -62_135_596_800_000;
    /// 9999-12-31T23:59:59.999Z.
    const LAST: i64 = 253_402_300_799_999;
    DateTime::from_timestamp_millis(unix_ms.clamp(FIRST, LAST)).unwrap_or_default()
}

/// Whether an instant is in the last `ms` milliseconds; `false` for one that is still to come, as after a clock went back.
pub(crate) fn is_within(at_ms: Option<i64>, ms: i64, now_ms: i64) -> bool {
    at_ms.is_some_and(|at_ms| (0..ms).contains(&now_ms.saturating_sub(at_ms)))
}

#[cfg(test)]
mod tests {
    use super::{day, rfc3339, rfc3339_ns, rfc3339_s, stamp};

    #[test]
    fn an_instant_prints_in_all_spellings() {
        let at = 1_667_491_808_140;
        assert_eq!(rfc3339(at), "2022-11-03T16:10:08.140Z");
        assert_eq!(rfc3339_s(at / 1_000), "2022-11-03T16:10:08Z");
        assert_eq!(rfc3339_ns(at * 1_000_000 + 7), "2022-11-03T16:10:08.140000007Z");
        assert_eq!(stamp(at), "20221103T161008Z");
        assert_eq!(day(at), "20221103");
    }

    #[test]
    fn impossible_instant_prints_as_the_nearest_possible() {
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MIN), "0001-01-01T00:00:00.000Z");
    }
}
