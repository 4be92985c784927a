//! The time range of a request: `start` inclusive, `end` exclusive.
//!
//! [`parse_instant`] defines the formats of an instant. A range is never empty, and begins in the past.

use crate::http::{HttpRequest, Problem, parse_instant, problems};

const NS_PER_MS: i64 = 1_000_000;

/// A half-open, non-empty range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    /// The start, inclusive, in Unix nanoseconds.
    pub(crate) start_ns: i64,
    /// The end, exclusive, in Unix nanoseconds.
    pub(crate) end_ns: i64,
}

impl TimeRange {
    /// Returns the start in Unix milliseconds, rounded down.
    pub(crate) const fn start_ms(&self) -> i64 {
        self.start_ns.div_euclid(NS_PER_MS)
    }

    /// Returns the end in Unix milliseconds, rounded up.
    pub(crate) const fn end_ms(&self) -> i64 {
        self.end_ns.div_euclid(NS_PER_MS) + (self.end_ns.rem_euclid(NS_PER_MS) > 0) as i64
    }
}

/// Parses the parameters `start` and `end`; `end` defaults to now.
///
/// # Errors
/// The [`Problem`] of a missing or invalid instant, of a range that begins after now, or of an empty one.
pub(crate) fn parse_range<B>(request: &HttpRequest<B>, now_ms: i64) -> Result<TimeRange, Problem> {
    let start_ns = instant_parameter(request, "start")?.ok_or_else(|| problems::missing_parameter("start", INSTANT))?;
    let now = now_ms.saturating_mul(NS_PER_MS);
    let end_ns = instant_parameter(request, "end")?.unwrap_or(now);
    if start_ns > now {
        return Err(problems::range_in_future());
    }
    if start_ns < end_ns { Ok(TimeRange { start_ns, end_ns }) } else { Err(problems::empty_range()) }
}

/// The formats of an instant, as listed in problems.
const INSTANT: &str = "a time: RFC 3339, or Unix seconds, milliseconds, microseconds or nanoseconds";

fn instant_parameter<B>(request: &HttpRequest<B>, name: &'static str) -> Result<Option<i64>, Problem> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    parse_instant(&text).map(Some).map_err(|fault| problems::bad_time(name, fault))
}
