//! The times and durations of a request, as its record has them, in one unit.
//!
//! # Invariants
//! Nothing is rounded. A negative duration is a timer that was not set, and is no duration.

use crate::record::decimal::Decimal;
use crate::record::{FieldValue, Timestamp};

/// What a field with a time holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimingUnit {
    /// An instant in any of Logpush's formats.
    Instant,
    /// A duration in milliseconds.
    Milliseconds,
    /// A duration in microseconds.
    Microseconds,
    /// A duration in nanoseconds.
    Nanoseconds,
}

/// The fields of `http_requests` with a time, in the order in which a request passes through: the edge, the origin, a
/// Worker.
pub const TIMINGS: [(&str, TimingUnit); 13] = [
    ("EdgeStartTimestamp", TimingUnit::Instant),
    ("EdgeEndTimestamp", TimingUnit::Instant),
    ("ClientTCPRTTMs", TimingUnit::Milliseconds),
    ("EdgeTimeToFirstByteMs", TimingUnit::Milliseconds),
    ("OriginDNSResponseTimeMs", TimingUnit::Milliseconds),
    ("OriginTCPHandshakeDurationMs", TimingUnit::Milliseconds),
    ("OriginTLSHandshakeDurationMs", TimingUnit::Milliseconds),
    ("OriginRequestHeaderSendDurationMs", TimingUnit::Milliseconds),
    ("OriginResponseHeaderReceiveDurationMs", TimingUnit::Milliseconds),
    ("OriginResponseDurationMs", TimingUnit::Milliseconds),
    ("OriginResponseTime", TimingUnit::Nanoseconds),
    ("WorkerCPUTime", TimingUnit::Microseconds),
    ("WorkerWallTimeUs", TimingUnit::Microseconds),
];

impl TimingUnit {
    /// Returns the nanoseconds in a field's JSON: since 1970 for an instant. `None` if it has no time.
    #[must_use]
    pub fn nanoseconds(self, value: &str) -> Option<i64> {
        let value = FieldValue::from_json(value);
        let text = match &value {
            FieldValue::Text(text) => text.as_ref(),
            FieldValue::Number(digits) => *digits,
            FieldValue::Absent | FieldValue::Bool(_) | FieldValue::Nested(_) => return None,
        };
        let places = match self {
            Self::Instant => return Timestamp::parse_logged(text).map(Timestamp::unix_ns),
            Self::Milliseconds => 6,
            Self::Microseconds => 3,
            Self::Nanoseconds => 0,
        };
        Decimal::parse(text)?.whole(places).and_then(|ns| i64::try_from(ns).ok())
    }
}

/// Returns a number of nanoseconds as milliseconds, with as many decimals as it has.
#[must_use]
pub fn milliseconds(ns: i64) -> String {
    let (whole, rest) = (ns.unsigned_abs() / 1_000_000, ns.unsigned_abs() % 1_000_000);
    let text = format!("{whole}.{rest:06}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if ns < 0 { format!("-{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{TimingUnit, milliseconds};

    #[test]
    fn every_unit_is_read_as_nanoseconds() {
        for (unit, value, ns) in [
            (TimingUnit::Instant, r#""2026-03-28T08:42:25.000000001Z""#, Some(1_774_687_345_000_000_001)),
            (TimingUnit::Instant, "1774687345", Some(1_774_687_345_000_000_000)),
            (TimingUnit::Instant, "\"soon\"", None),
            (TimingUnit::Milliseconds, "149", Some(149_000_000)),
            (TimingUnit::Milliseconds, "\"149.5\"", Some(149_500_000)),
            (TimingUnit::Milliseconds, "1.5e3", Some(1_500_000_000)),
            (TimingUnit::Milliseconds, "0", Some(0)),
            (TimingUnit::Milliseconds, "-1", None),
            (TimingUnit::Milliseconds, "9223372036855", None),
            (TimingUnit::Microseconds, "7", Some(7_000)),
            (TimingUnit::Nanoseconds, "7.9", Some(7)),
            (TimingUnit::Nanoseconds, "null", None),
            (TimingUnit::Nanoseconds, "true", None),
            (TimingUnit::Nanoseconds, "[1]", None),
            (TimingUnit::Nanoseconds, r#""""#, None),
            (TimingUnit::Nanoseconds, r#""[masked]""#, None),
        ] {
            assert_eq!(unit.nanoseconds(value), ns, "{unit:?} {value}");
        }
    }

    #[test]
    fn milliseconds_have_the_decimals_that_they_need() {
        for (ns, text) in [
            (0, "0"),
            (149_000_000, "149"),
            (149_500_000, "149.5"),
            (1, "0.000001"),
            (-1, "-0.000001"),
            (-2_000_000, "-2"),
            (10_000_000_000, "10000"),
            (1_774_687_345_123_456_789, "1774687345123.456789"),
        ] {
            assert_eq!(milliseconds(ns), text);
        }
    }

    proptest! {
        #[test]
        fn milliseconds_are_read_back(ns in 0..i64::MAX) {
            prop_assert_eq!(TimingUnit::Milliseconds.nanoseconds(&milliseconds(ns)), Some(ns));
        }
    }
}
