//! Spans: the lines that begin between two access points, and the range of the bytes of each.
//!
//! # Invariants
//!
//! Every line of an object belongs to exactly one span. The range of a span holds each of its lines to the end,
//! including the one that runs past the next point.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::points::{AccessPoint, FirstLine, PointForm};

/// Determines the span that a line begins in, line by line.
#[derive(Debug, Default)]
pub(super) struct SpanCursor {
    /// The number of the current span.
    current: u32,
    next: std::collections::VecDeque<u64>,
}

impl SpanCursor {
    /// A cursor in the span of this number, which is the only one.
    pub(super) fn at(span: u32) -> Self {
        Self { current: span, ..Self::default() }
    }

    /// A further span begins here.
    pub(super) fn begin(&mut self, offset: u64) {
        self.next.push_back(offset);
    }

    /// The span of the next line, which begins here.
    pub(super) fn of(&mut self, offset: u64) -> u32 {
        while self.next.front().is_some_and(|start| *start <= offset) {
            self.next.pop_front();
            self.current = self.current.saturating_add(1);
        }
        self.current
    }
}

/// The range of a span's bytes, and how they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanExtent {
    /// The number of the span, from 0.
    pub number: u32,
    /// How to read from its beginning.
    pub form: PointForm,
    /// Where it begins in the stored object, in bits.
    pub bit: u64,
    /// How many stored bytes hold all of its lines, from the one that holds the `bit`.
    pub bytes: u64,
    /// Its offset in the text, in bytes.
    pub offset: u64,
    /// Bytes of its text that belong to a line that began before.
    pub head: u64,
    /// Bytes of text up to the next span; `None` for the last one.
    pub text: Option<u64>,
    /// The range of its packed window in the batch's windows, from the beginning of the window's group.
    pub window: Range<u64>,
}

impl SpanExtent {
    /// Offset of the span's first stored byte in the object.
    #[must_use]
    pub const fn first_byte(&self) -> u64 {
        self.bit / 8
    }

    /// Where the lines that belong to it end, in bytes of text; one may run past that.
    #[must_use]
    pub fn text_end(&self) -> u64 {
        self.text.map_or(u64::MAX, |text| self.offset.saturating_add(text))
    }
}

/// All spans of an object, and their windows one after another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectSpans {
    /// Where each span is stored, ordered by number.
    pub extents: Vec<SpanExtent>,
    /// The compressed windows of all access points, one after another.
    pub windows: Vec<u8>,
}

impl ObjectSpans {
    /// The spans between these points of an object of `stored` stored bytes and `text` bytes of text.
    pub(super) fn new(points: Vec<AccessPoint>, stored: u64, text: u64) -> Self {
        let after: Vec<(u64, Option<FirstLine>)> =
            points.iter().skip(1).map(|point| (point.offset, point.line)).collect();
        let mut spans = Self::default();
        let mut group = 0;
        for (number, point) in points.into_iter().enumerate() {
            let next = after.get(number);
            let end = next.and_then(|(_, line)| line.map(|line| line.stored)).unwrap_or(stored);
            if point.begins_group || point.window.is_empty() {
                group = spans.windows.len() as u64;
            }
            spans.windows.extend_from_slice(&point.window);
            spans.extents.push(SpanExtent {
                number: u32::try_from(number).unwrap_or(u32::MAX),
                form: point.form,
                bit: point.bit,
                bytes: end.min(stored).saturating_sub(point.bit / 8),
                offset: point.offset,
                head: point.line.map_or(text, |line| line.offset) - point.offset,
                text: next.map(|(offset, _)| offset - point.offset),
                window: group..spans.windows.len() as u64,
            });
        }
        spans
    }

    /// The extent of the span of this number.
    #[must_use]
    pub fn extent(&self, number: u32) -> Option<&SpanExtent> {
        self.extents.get(number as usize)
    }
}
