//! Selects the lines of the rays among those that are read.
//!
//! The records stay within the limits of a lookup and within its memory.

use std::ops::ControlFlow;
use std::rc::Rc;

use super::FoundRecord;
use super::target::LookupTarget;
use crate::batch::BatchLine;
use crate::index::ObjectVersion;
use crate::limits::{FOUND_BYTES, LOOKUP_BYTES, LOOKUP_RECORDS};
use crate::memory::OutOfMemory;
use crate::span_reader::SpanLineSink;

/// Which lines a sink examines.
#[derive(Debug, Clone, Copy)]
pub(super) enum ScanMode {
    /// Every line, parsed as a record.
    Full,
    /// Lines until `lines` of them match. With `by_spelling`, only lines that spell a ray in a usual way are parsed;
    /// lines with escapes or mixed case require `false`.
    Expect { lines: usize, by_spelling: bool },
}

/// The records of the rays in one object.
#[derive(Debug)]
pub(super) struct LookupSink<'a> {
    target: &'a LookupTarget<'a>,
    mode: ScanMode,
    object: Rc<ObjectVersion>,
    /// Number of the rays' lines so far, hidden ones too.
    matched: usize,
    pub(super) records: Vec<FoundRecord>,
    bytes: usize,
    /// Whether there are more records than a lookup may return.
    pub(super) truncated: bool,
    /// A matching line did not fit in memory, which ended the read.
    out_of_memory: Option<OutOfMemory>,
}

impl<'a> LookupSink<'a> {
    pub(super) const fn new(target: &'a LookupTarget<'a>, mode: ScanMode, object: Rc<ObjectVersion>) -> Self {
        Self { target, mode, object, matched: 0, records: Vec::new(), bytes: 0, truncated: false, out_of_memory: None }
    }

    /// Returns whether all expected lines are found, or as many as a lookup may return.
    pub(super) const fn is_complete(&self) -> bool {
        match self.mode {
            ScanMode::Full => false,
            ScanMode::Expect { lines, .. } => self.truncated || self.matched == lines,
        }
    }

    /// Checks that every matching line fitted in memory.
    pub(super) fn check_memory(&self) -> Result<(), OutOfMemory> {
        self.out_of_memory.map_or(Ok(()), Err)
    }

    fn matches(&self, line: &[u8]) -> bool {
        let by_spelling = matches!(self.mode, ScanMode::Expect { by_spelling: true, .. });
        (!by_spelling || self.target.is_spelled_in(line)) && self.target.matches(line)
    }
}

impl LookupSink<'_> {
    /// Keeps a record, as far as the limits and the memory allow.
    fn keep(&mut self, offset: u64, bytes: &[u8]) -> ControlFlow<()> {
        self.bytes += bytes.len();
        let reserved = self.target.reserve_line(bytes.len() + FOUND_BYTES);
        self.out_of_memory = reserved.err();
        if reserved.is_err() {
            return ControlFlow::Break(());
        }
        if self.records.len() >= LOOKUP_RECORDS || self.bytes > LOOKUP_BYTES {
            self.truncated = true;
            return ControlFlow::Break(());
        }
        let (dataset, object) = (self.target.dataset(), Rc::clone(&self.object));
        let (line, zone) = (bytes.to_vec(), self.target.zone.map(str::to_owned));
        self.records.push(FoundRecord { dataset, object, offset, line, copies: Vec::new(), zone });
        ControlFlow::Continue(())
    }
}

impl SpanLineSink for LookupSink<'_> {
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        if self.is_complete() {
            return ControlFlow::Break(());
        }
        let BatchLine::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        if self.matches(bytes) {
            self.matched += 1;
            if self.target.is_visible(bytes) {
                self.keep(offset, bytes)?;
            }
        }
        if self.is_complete() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
