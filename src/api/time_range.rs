//! The time range of a request: `start` inclusive, `end` exclusive.
//!
//! What always holds: an instant is RFC 3339 or Unix seconds, milliseconds or nanoseconds; a range has a length.

use crate::http::{HttpRequest, Problem, problems};
use crate::record::Timestamp;

/// Nanoseconds of a millisecond.
const NS_PER_MS: i64 = 1_000_000;

/// A time range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    /// Its first instant, in Unix nanoseconds.
    pub(crate) start_ns: i64,
    /// The first instant behind it.
    pub(crate) end_ns: i64,
}

impl TimeRange {
    /// Its first instant, in Unix milliseconds.
    pub(crate) const fn start_ms(&self) -> i64 {
        self.start_ns.div_euclid(NS_PER_MS)
    }

    /// The first millisecond that holds nothing of it.
    pub(crate) const fn end_ms(&self) -> i64 {
        self.end_ns.div_euclid(NS_PER_MS) + (self.end_ns.rem_euclid(NS_PER_MS) > 0) as i64
    }
}

/// The range that `start` and `end` of the query say; without an end, up to now.
///
/// # Errors
/// The [`Problem`] of an instant that is none, or of a range without a length.
pub(crate) fn parse_range<B>(request: &HttpRequest<B>, now_ms: i64) -> Result<TimeRange, Problem> {
    let start_ns = instant_parameter(request, "start")?.ok_or_else(|| problems::bad_parameter("start", INSTANT))?;
    let end_ns = instant_parameter(request, "end")?.unwrap_or(now_ms.saturating_mul(NS_PER_MS));
    if start_ns < end_ns { Ok(TimeRange { start_ns, end_ns }) } else { Err(problems::empty_range()) }
}

/// What an instant is spelled as.
const INSTANT: &str = "a time: RFC 3339, or Unix seconds, milliseconds or nanoseconds";

fn instant_parameter<B>(request: &HttpRequest<B>, name: &'static str) -> Result<Option<i64>, Problem> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    let instant = Timestamp::parse(text.trim()).map(Timestamp::unix_ns).or_else(|| parse_loose_instant(&text));
    instant.map(Some).ok_or_else(|| problems::bad_parameter(name, INSTANT))
}

/// The instant that a parameter spells whose plus was not encoded and came as a space, in Unix nanoseconds.
pub(crate) fn parse_loose_instant(text: &str) -> Option<i64> {
    Timestamp::parse(&text.trim().replace(' ', "+")).map(Timestamp::unix_ns)
}
