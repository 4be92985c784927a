//! Spans of a batch that are read together.
//!
//! The stored bytes of a range hold every line of its spans to the end.

use std::ops::Range;

use crate::batch::SpanExtent;
use crate::summary::{SpanSummary, WindowHash};

/// Spans that follow one another and are read as one range of the stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanRange {
    /// The first span, from whose access point the range is read.
    pub(super) first: SpanExtent,
    /// The hash that the window of the first span must have; `None` where only its extent is known.
    pub(super) window_hash: Option<WindowHash>,
    /// The first stored byte that no span of the range needs.
    end_byte: u64,
    /// Where lines start that belong to no span of the range, in bytes of text.
    pub(super) text_end: u64,
}

impl SpanRange {
    /// A single span, whose window is taken as it is found.
    #[must_use]
    pub fn from_extent(extent: &SpanExtent) -> Self {
        let end_byte = extent.first_byte().saturating_add(extent.bytes);
        Self { first: extent.clone(), window_hash: None, end_byte, text_end: extent.text_end() }
    }

    /// A single span, whose window is verified against the hash in its summary.
    #[must_use]
    pub fn from_summary(span: &SpanSummary) -> Self {
        Self { window_hash: Some(span.window_hash), ..Self::from_extent(&span.extent) }
    }

    /// Includes a range that follows, and the bytes between the two.
    pub fn extend(&mut self, next: &Self) {
        self.end_byte = self.end_byte.max(next.end_byte);
        self.text_end = self.text_end.max(next.text_end);
    }

    /// The stored bytes of the range. The end may be after the end of the object.
    #[must_use]
    pub const fn stored_bytes(&self) -> Range<u64> {
        self.first.first_byte()..self.end_byte
    }

    /// The number of stored bytes.
    #[must_use]
    pub const fn stored_len(&self) -> u64 {
        self.end_byte.saturating_sub(self.first.first_byte())
    }
}
