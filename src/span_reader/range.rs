//! Ranges of spans that are read together. The stored bytes of a range contain every line of its spans to the end.

use std::ops::Range;

use crate::batch::SpanExtent;
use crate::summary::{SpanSummary, WindowHash};

/// Consecutive spans that are read as one range of the stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanRange {
    /// The first span; the range is read from its access point.
    pub(super) first: SpanExtent,
    /// The hash to verify the first span's window against; `None` if only its extent is known.
    pub(super) window_hash: Option<WindowHash>,
    /// End of the stored bytes that the spans need, exclusive.
    end_byte: u64,
    /// Offset in the text, in bytes, from which lines no longer belong to the range.
    pub(super) text_end: u64,
}

impl SpanRange {
    /// Creates a range of a single span, whose window is not verified.
    #[must_use]
    pub fn from_extent(extent: &SpanExtent) -> Self {
        let end_byte = extent.first_byte().saturating_add(extent.bytes);
        Self { first: extent.clone(), window_hash: None, end_byte, text_end: extent.text_end() }
    }

    /// Creates a range of a single span, whose window is verified against the hash in its summary.
    #[must_use]
    pub fn from_summary(span: &SpanSummary) -> Self {
        Self { window_hash: Some(span.window_hash), ..Self::from_extent(&span.extent) }
    }

    /// Extends the range by a later one, and the bytes between the two.
    pub fn extend(&mut self, next: &Self) {
        self.end_byte = self.end_byte.max(next.end_byte);
        self.text_end = self.text_end.max(next.text_end);
    }

    /// Returns the stored bytes of the range. The end may lie beyond the end of the object.
    #[must_use]
    pub const fn stored_bytes(&self) -> Range<u64> {
        self.first.first_byte()..self.end_byte
    }

    /// Returns the number of stored bytes.
    #[must_use]
    pub const fn stored_len(&self) -> u64 {
        self.end_byte.saturating_sub(self.first.first_byte())
    }
}
