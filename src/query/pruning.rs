//! Pruning: which batches and spans are ruled out before they are read.
//!
//! Summaries describe the version that was indexed: a batch that was replaced since, but not yet indexed again, is
//! ruled out by its former content.
//!
//! # Invariants
//!
//! A batch or span that is ruled out holds no record of the window that matches the filter.

use super::{PruningFilter, RangeQuery};
use crate::record::RayId;
use crate::summary::{PruningSummary, SpanSummaries, SpanSummary};

/// The part of a query's time range that belongs to one prefix, in Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PrefixWindow {
    start_ns: i64,
    /// The first instant after the window.
    end_ns: i64,
}

impl PrefixWindow {
    /// Creates the window of a prefix. The first and the last prefix include the instants that no ray can have.
    pub(super) fn new(query: &RangeQuery, prefix: u32) -> Self {
        let start = if prefix == 0 { i64::MIN } else { RayId::prefix_start_ns(prefix) };
        let end = if prefix >= RayId::LAST_PREFIX { i64::MAX } else { RayId::prefix_start_ns(prefix + 1) };
        Self { start_ns: query.start_ns.max(start), end_ns: query.end_ns.min(end) }
    }

    /// Returns whether the instant is in the window.
    pub(super) const fn contains(self, ns: i64) -> bool {
        self.start_ns <= ns && ns < self.end_ns
    }
}

/// Returns whether the batch can hold a record of the answer.
pub(super) fn batch_may_match(query: &RangeQuery, window: PrefixWindow, summary: &PruningSummary) -> bool {
    let filter = query.pruning.as_ref();
    summary.times.meet(window.start_ns, window.end_ns)
        && filter.is_none_or(|filter| filter.may_match(|name| summary.possible(name)))
}

/// Returns whether the span can hold a record of the answer.
pub(super) fn span_may_match(
    query: &RangeQuery,
    window: PrefixWindow,
    summaries: &SpanSummaries,
    span: &SpanSummary,
) -> bool {
    let filter = query.pruning.as_ref();
    span.records > 0
        && span.times.meet(window.start_ns, window.end_ns)
        && filter.is_none_or(|filter| filter.may_match(|name| summaries.possible(span, name)))
}

/// Returns whether the summaries of a batch's spans can rule some of them out, and so are worth reading.
pub(super) fn can_skip_spans(query: &RangeQuery, window: PrefixWindow, summary: &PruningSummary) -> bool {
    let is_inside = window.contains(summary.times.first_ns) && window.contains(summary.times.last_ns);
    summary.spans > 1 && (!is_inside || query.pruning.as_ref().is_some_and(PruningFilter::can_rule_out))
}
