//! A frame: entries that were appended together, as one row.
//!
//! Its lines are those of a segment, `{"seq":…,"hash":"…","entry":"…"}` and a line feed for each entry.
//!
//! # Invariants
//! An entry is in one frame, and a frame in one table.

use super::entry::{ChainEntry, broken};
use super::segment::write_segment_line;
use crate::backend::BackendError;
use crate::limits::AUDIT_FRAME_BYTES;

/// The entries of a frame, while it is made.
#[derive(Debug, Default)]
pub(super) struct EntryFrame(Vec<u8>);

impl EntryFrame {
    /// Adds an entry.
    pub(super) fn push(&mut self, kept: &ChainEntry) {
        write_segment_line(&mut self.0, kept);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the next entry belongs to another frame.
    pub(super) const fn is_full(&self) -> bool {
        self.0.len() >= AUDIT_FRAME_BYTES
    }

    /// The lines as they are stored.
    pub(super) fn into_lines(self) -> Result<String, BackendError> {
        String::from_utf8(self.0).map_err(|_| broken())
    }
}

/// The entries of a stored frame.
pub(super) fn entries_of(lines: &str) -> impl Iterator<Item = Result<ChainEntry, BackendError>> {
    lines.lines().map(|line| serde_json::from_str(line).map_err(|_| broken()))
}
