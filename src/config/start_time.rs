//! The spellings of an instant in a setting: more of them than a request may use, since a person writes it once, by hand.
//!
//! # Invariants
//! A time without an offset is UTC, and a date is its first instant. A count of unclear unit is refused.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::limits::COUNTED_FROM_S;
use crate::record::Timestamp;

/// Formats of a time with an offset, beside RFC 3339.
const WITH_OFFSET: [&str; 4] =
    ["%Y-%m-%dT%H:%M%:z", "%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z"];
/// Formats of a time without an offset.
const WITHOUT_OFFSET: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];

/// Parses an instant into Unix milliseconds.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    parse_date(text).or_else(|| parse_count(text)).ok_or_else(|| {
        "must be a time such as 2026-03-28T16:42:25+08:00, 2026-03-28T08:42Z or 2026-03-28 (UTC), or Unix seconds, \
         milliseconds, microseconds or nanoseconds"
            .into()
    })
}

fn parse_date(text: &str) -> Option<i64> {
    // `Z` stands for an offset of zero; chrono's formats take digits alone.
    let numeric = text.strip_suffix(['Z', 'z']).map(|before| format!("{}+00:00", before.trim_end()));
    let text = numeric.as_deref().unwrap_or(text);
    let with_offset = || WITH_OFFSET.iter().find_map(|format| DateTime::parse_from_str(text, format).ok());
    if let Some(at) = DateTime::parse_from_rfc3339(text).ok().or_else(with_offset) {
        return Some(at.timestamp_millis());
    }
    let without = WITHOUT_OFFSET.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    without.or_else(date).map(|at| at.and_utc().timestamp_millis())
}

/// Parses a count; 0 is the beginning of all logs.
fn parse_count(text: &str) -> Option<i64> {
    let is_count = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if text == "0" {
        return Some(0);
    }
    let ns = Timestamp::parse(text).map(Timestamp::unix_ns).filter(|_| is_count)?;
    (ns >= COUNTED_FROM_S * 1_000_000_000).then(|| ns.div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn usual_spellings_are_read_exactly() {
        for text in [
            "2026-03-28T08:42:25Z",
            "2026-03-28T16:42:25+08:00",
            "2026-03-28T16:42:25.000+08:00",
            "2026-03-28T16:42:25+0800",
            "2026-03-28 08:42:25Z",
            "2026-03-28 16:42:25+08:00",
            "2026-03-28T08:42:25",
            "2026-03-28 08:42:25",
            "1774687345",
            "1774687345000",
            "1774687345000000",
            "1774687345000000000",
            "1774687345.0",
        ] {
            assert_eq!(parse(text), Ok(1_774_687_345_000), "{text}");
        }
        for text in [
            "2026-03-28T08:42Z",
            "2026-03-28T16:42+08:00",
            "2026-03-28T16:42+0800",
            "2026-03-28T08:42",
            "2026-03-28 08:42",
        ] {
            assert_eq!(parse(text), Ok(1_774_687_320_000), "{text}");
        }
        assert_eq!(parse("2026-03-28"), Ok(1_774_656_000_000));
        assert_eq!(parse("2026-03-28T16:42:25.5+08:00"), Ok(1_774_687_345_500));
        assert_eq!(parse("0"), Ok(0));
    }

    #[test]
    fn unclear_spellings_are_refused() {
        for text in [
            "",
            "soon",
            "28.03.2026",
            "03/28/2026",
            "20260328",
            "2026-3",
            "2026-02-30",
            "17746",
            "177468014512",
            "-1",
            "08:42",
            "2026-03-28T25:00Z",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
