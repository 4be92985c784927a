//! What of a batch can be ruled out.
//!
//! What is known of a batch is known of the version that was indexed: one that was replaced since, and not indexed again
//! yet, is ruled out by what it was.
//!
//! What always holds: a batch or span that is ruled out holds no record of the window that passes the filter.

use super::Ask;
use crate::index::{SpanSummaries, SpanSummary, Summary};
use crate::record::RayId;

/// The part of a range that lies in one prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start_ns: i64,
    /// The first instant behind it.
    end_ns: i64,
}

impl Window {
    /// The part of the range of `ask`. The first and the last prefix have the instants too that no ray has.
    pub(super) fn of(ask: &Ask, prefix: u32) -> Self {
        let start = if prefix == 0 { i64::MIN } else { RayId::prefix_start_ns(prefix) };
        let end = if prefix >= RayId::LAST_PREFIX { i64::MAX } else { RayId::prefix_start_ns(prefix + 1) };
        Self { start_ns: ask.start_ns.max(start), end_ns: ask.end_ns.min(end) }
    }

    /// Whether the instant lies in it.
    pub(super) const fn has(self, ns: i64) -> bool {
        self.start_ns <= ns && ns < self.end_ns
    }
}

/// Whether a batch may hold something.
pub(super) fn batch_may(ask: &Ask, window: Window, summary: &Summary) -> bool {
    summary.times.meet(window.start_ns, window.end_ns) && ask.may_match(|name| summary.possible(name))
}

/// Whether a span may hold something.
pub(super) fn span_may(ask: &Ask, window: Window, summaries: &SpanSummaries, span: &SpanSummary) -> bool {
    span.records > 0
        && span.times.meet(window.start_ns, window.end_ns)
        && ask.may_match(|name| summaries.possible(span, name))
}

/// Whether looking at the spans of a batch may spare reading some of them.
pub(super) fn is_worth_it(ask: &Ask, window: Window, summary: &Summary) -> bool {
    let is_all = window.has(summary.times.first_ns) && window.has(summary.times.last_ns);
    summary.spans > 1 && (!is_all || ask.can_rule_out())
}
