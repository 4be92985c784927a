//! The reads of a batch: all of it, or the ranges of spans that are not ruled out.
//!
//! # Invariants
//!
//! Every span that may hold a record of the answer is in exactly one read. Reads ascend.

use std::collections::VecDeque;

use super::RangeQuery;
use super::pruning::{PrefixWindow, span_may_match};
use crate::limits::{QUERY_GAP, QUERY_RUNS};
use crate::span_reader::SpanRange;
use crate::summary::SpanSummaries;

/// A single read of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PlannedRead {
    /// The complete object.
    Object,
    /// A range of consecutive spans.
    Spans(Box<SpanRange>),
}

/// The planned reads of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ReadPlan {
    /// The reads in ascending order.
    pub(super) reads: VecDeque<PlannedRead>,
    /// Number of spans that are ruled out.
    pub(super) spans_skipped: u64,
}

impl ReadPlan {
    /// Creates the plan that reads the complete object.
    pub(super) fn for_object() -> Self {
        Self { reads: [PlannedRead::Object].into(), spans_skipped: 0 }
    }

    /// Plans the reads of a batch of `size` stored bytes, from the offset `from` of its text on.
    pub(super) fn for_spans(
        query: &RangeQuery,
        window: PrefixWindow,
        summaries: &SpanSummaries,
        size: u64,
        from: u64,
    ) -> Self {
        let mut ranges: Vec<SpanRange> = Vec::new();
        let mut spans_skipped = 0;
        for span in summaries.spans.iter().filter(|span| span.extent.text_end() > from) {
            if !span_may_match(query, window, summaries, span) {
                spans_skipped += 1;
                continue;
            }
            let range = SpanRange::from_summary(span);
            match ranges.last_mut() {
                // Inflating a small gap is cheaper than another read with its window.
                Some(last) if range.stored_bytes().start <= last.stored_bytes().end.saturating_add(QUERY_GAP) => {
                    last.extend(&range);
                }
                _ => ranges.push(range),
            }
        }
        if ranges.len() > QUERY_RUNS {
            let joined = ranges.into_iter().reduce(|mut all, range| {
                all.extend(&range);
                all
            });
            ranges = joined.into_iter().collect();
        }
        let bytes: u64 = ranges.iter().map(SpanRange::stored_len).sum();
        // The complete object takes one read, and its checksum is verified.
        let is_most = from == 0 && bytes >= size - size / 4;
        if is_most && !ranges.is_empty() {
            return Self { spans_skipped, ..Self::for_object() };
        }
        Self { reads: ranges.into_iter().map(|range| PlannedRead::Spans(Box::new(range))).collect(), spans_skipped }
    }
}
