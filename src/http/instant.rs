//! Instants in requests: RFC 3339, or a count of Unix seconds, milliseconds, microseconds or nanoseconds.
//!
//! # Invariants
//! An instant is read as intended, or refused. 0 is the beginning of 1970, which precedes all logs. Any other count is
//! refused if it gives a time before there were logs, since its unit would be a guess.

use chrono::DateTime;

use crate::limits::COUNTED_FROM_S;
use crate::record::Timestamp;

const NS_PER_S: i64 = 1_000_000_000;

/// The reason why a text is not an instant; each message follows the name of the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstantFault {
    /// It has no known form.
    #[error("must be RFC 3339, or Unix seconds, milliseconds, microseconds or nanoseconds")]
    Unreadable,
    /// It is before 1970.
    #[error("is before 1970")]
    BeforeEpoch,
    /// It does not fit into 64 bits of nanoseconds.
    #[error("is after 2262-04-11, where times in nanoseconds end")]
    TooLate,
    /// It is a count that gives a time before [`COUNTED_FROM_S`].
    #[error("is a count that comes to a time before 2010, when there were no logs, so that its unit is unclear")]
    Unclear,
}

/// Parses an instant into Unix nanoseconds; a space counts as a plus sign that the client did not encode.
///
/// # Errors
/// [`InstantFault`] has the reason.
pub(crate) fn parse_instant(text: &str) -> Result<i64, InstantFault> {
    let text = text.trim();
    let with_plus = text.rsplit_once(' ').map(|(before, after)| format!("{before}+{after}"));
    let text = with_plus.as_deref().unwrap_or(text);
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return match date.timestamp_nanos_opt() {
            _ if date.timestamp() < 0 => Err(InstantFault::BeforeEpoch),
            ns => ns.ok_or(InstantFault::TooLate),
        };
    }
    let (is_negative, count) = text.strip_prefix('-').map_or((false, text), |count| (true, count));
    let digits = count.replacen('.', "", 1);
    let is_count = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_count && digits.bytes().all(|digit| digit == b'0') {
        return Ok(0);
    }
    if is_count && is_negative {
        return Err(InstantFault::BeforeEpoch);
    }
    match Timestamp::parse(text).map(Timestamp::unix_ns) {
        Some(ns) if ns < COUNTED_FROM_S * NS_PER_S => Err(InstantFault::Unclear),
        Some(ns) => Ok(ns),
        None if is_count && has_two_units(count) => Err(InstantFault::Unclear),
        None if is_count => Err(InstantFault::TooLate),
        None => Err(InstantFault::Unreadable),
    }
}

/// Returns whether a count is too long for its unit, but too short for the next one, where it would precede all logs.
fn has_two_units(count: &str) -> bool {
    let whole = count.split('.').next().unwrap_or_default().trim_start_matches('0');
    matches!(whole.len(), 12 | 15 | 18)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::{InstantFault, parse_instant};

    #[test]
    fn instants_are_read_in_every_unit() {
        for text in [
            "1774680145",
            "1774680145000",
            "1774680145000000",
            "1774680145000000000",
            "1774680145.0",
            " 1774680145 ",
            "2026-03-28T06:42:25Z",
            "2026-03-28T14:42:25+08:00",
            "2026-03-28T14:42:25 08:00",
        ] {
            assert_eq!(parse_instant(text), Ok(1_774_680_145_000_000_000), "{text}");
        }
    }

    #[test]
    fn zero_is_the_beginning_in_every_spelling() {
        for text in ["0", "-0", "0.0", "000", "0.", "1970-01-01T00:00:00Z", "1970-01-01T08:00:00+08:00"] {
            assert_eq!(parse_instant(text), Ok(0), "{text}");
        }
        assert_eq!(parse_instant("1970-01-01T00:00:01Z"), Ok(1_000_000_000), "a date is never unclear");
    }

    #[test]
    fn each_fault_has_its_own_words() {
        for (texts, fault) in [
            (
                &["", "-", ".", "yesterday", "1.2.3", "2026-03-28", "NaN", "0x10", "--1", "1,5"][..],
                InstantFault::Unreadable,
            ),
            (
                &["-1", "-1774680145", "-0.5", "1969-12-31T23:59:59.9Z", "0001-01-01T00:00:00Z"],
                InstantFault::BeforeEpoch,
            ),
            (
                &[
                    "9999999999",
                    "99999999999",
                    "17746801450000",
                    "17746801450000000",
                    "9223372036854775808",
                    "17746801450000000000",
                    "99999999999999999999999999",
                    "2262-04-11T23:47:17Z",
                    "9999-12-31T23:59:59Z",
                ],
                InstantFault::TooLate,
            ),
            (
                &["1", "0.5", "1774", "177468014", "177468014512", "177468014512345", "177468014512345678"],
                InstantFault::Unclear,
            ),
        ] {
            for text in texts {
                assert_eq!(parse_instant(text), Err(fault), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn digits_are_read_as_meant_or_refused(digits in "[0-9]{1,25}") {
            if let Ok(ns) = parse_instant(&digits) {
                prop_assert!(ns == 0 || ns >= 1_262_304_000_000_000_000, "{}", ns);
                let significant = digits.trim_start_matches('0');
                prop_assert!(ns.to_string().starts_with(significant) || ns == 0, "{}", ns);
            }
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let spaced = parse_instant(&format!(" {text} "));
            prop_assert_eq!(parse_instant(&text), spaced);
        }
    }
}
