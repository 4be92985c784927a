//! A reply: status, headers, body.
//!
//! What always holds: every reply forbids caching and sniffing; log lines are nobody's to keep but the caller's.

use std::borrow::Cow;

use serde::Serialize;

use crate::lookup::Cost;

/// The media type of one JSON document.
pub(super) const JSON: &str = "application/json";
/// The media type of a problem (RFC 9457).
pub(super) const PROBLEM: &str = "application/problem+json";
/// The media type of lines of JSON.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// The media type of the partner's lines.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// What an answer cost, in work and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// The work.
    #[serde(flatten)]
    pub cost: Cost,
    /// The time that the platform's clock shows, in milliseconds.
    pub elapsed_ms: i64,
}

/// One HTTP reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply with a body of this media type.
    #[must_use]
    pub fn new(status: u16, media_type: &'static str, body: Vec<u8>) -> Self {
        let headers = vec![
            ("content-type", Cow::Borrowed(media_type)),
            ("cache-control", Cow::Borrowed("no-store")),
            ("x-content-type-options", Cow::Borrowed("nosniff")),
        ];
        Self { status, headers, body }
    }

    /// A reply with this JSON, on one line.
    pub(super) fn json(answer: &impl Serialize) -> Self {
        let mut body = serde_json::to_vec(answer).unwrap_or_default();
        body.push(b'\n');
        Self::new(200, JSON, body)
    }

    /// The reply with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The reply with what it cost in a header: `raydex-cost: shards_asked=1, objects_read=1, …`.
    #[must_use]
    pub fn costing(self, spent: &Spent) -> Self {
        let Spent { cost, elapsed_ms } = spent;
        let Cost { shards_asked, objects_read, bytes_read, bytes_inflated, full_scans } = cost;
        self.with(
            "raydex-cost",
            format!(
                "shards_asked={shards_asked}, objects_read={objects_read}, bytes_read={bytes_read}, \
                 bytes_inflated={bytes_inflated}, full_scans={full_scans}, elapsed_ms={elapsed_ms}"
            ),
        )
    }
}
