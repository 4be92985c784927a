//! What of a batch is read: all of it, or the rows of spans that are not ruled out.
//!
//! What always holds: every span that may hold something is in exactly one read; reads ascend.

use std::collections::VecDeque;

use super::Ask;
use super::prune::{Window, span_may};
use crate::index::{SpanSummaries, SpanSummary};
use crate::limits::{QUERY_GAP, QUERY_RUNS};

/// What is read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    /// The object.
    Whole,
    /// Spans behind one another.
    Spans(Box<SpanRow>),
}

/// Spans behind one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpanRow {
    /// The first of them.
    pub(super) first: SpanSummary,
    /// The first stored byte that none of them needs.
    pub(super) end_byte: u64,
    /// Where lines begin that are of none of them.
    pub(super) text_end: u64,
}

impl SpanRow {
    fn of(span: &SpanSummary) -> Self {
        let end_byte = span.place.first_byte().saturating_add(span.place.bytes);
        Self { first: span.clone(), end_byte, text_end: span.place.text_end() }
    }

    fn bytes(&self) -> u64 {
        self.end_byte - self.first.place.first_byte()
    }

    /// Takes in a row that follows.
    fn extend(&mut self, next: &Self) {
        self.end_byte = self.end_byte.max(next.end_byte);
        self.text_end = self.text_end.max(next.text_end);
    }
}

/// What is to be done with a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// What is read.
    pub(super) reads: VecDeque<Read>,
    /// Spans that are ruled out.
    pub(super) skipped: u64,
}

/// The plan for a batch of `size` stored bytes, from this place of its text on.
pub(super) fn plan(ask: &Ask, window: Window, summaries: &SpanSummaries, size: u64, from: u64) -> Plan {
    let mut rows: Vec<SpanRow> = Vec::new();
    let mut skipped = 0;
    for span in summaries.spans.iter().filter(|span| span.place.text_end() > from) {
        if !span_may(ask, window, summaries, span) {
            skipped += 1;
            continue;
        }
        let row = SpanRow::of(span);
        match rows.last_mut() {
            // Inflating a little in between is cheaper than another read and its window.
            Some(last) if row.first.place.first_byte() <= last.end_byte.saturating_add(QUERY_GAP) => last.extend(&row),
            _ => rows.push(row),
        }
    }
    if rows.len() > QUERY_RUNS {
        rows = rows
            .into_iter()
            .reduce(|mut all, row| {
                all.extend(&row);
                all
            })
            .into_iter()
            .collect();
    }
    let bytes: u64 = rows.iter().map(SpanRow::bytes).sum();
    // The object as a whole is one read, and its checksum is verified.
    let is_most = from == 0 && bytes >= size - size / 4;
    let reads = if is_most && !rows.is_empty() {
        [Read::Whole].into()
    } else {
        rows.into_iter().map(|row| Read::Spans(Box::new(row))).collect()
    };
    Plan { reads, skipped }
}
