//! Selects the lines of an answer.
//!
//! # Invariants
//!
//! A line is returned if it is a record of the window, is in the sample, matches the predicate, and the sink shows it.
//! Each line is judged once, and the position moves past it.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::RangeQuery;
use super::cursor::QueryPosition;
use super::pruning::PrefixWindow;
use crate::batch::BatchLine;
use crate::erasure::{ErasedLines, JudgedLine};
use crate::index::ObjectVersion;
use crate::limits::{
    INFLATE_PIECE, INFLATED_BYTE_NS, LINE_BYTES, MASKED_BYTE_NS, MASKED_PIECE, QUERY_CHUNK, WORK_SLICE_NS,
};
use crate::memory::{OutOfMemory, Reservation};
use crate::record::{LineScanner, RecordKey};
use crate::span_reader::SpanLineSink;
use crate::summary::stable_hash;

/// Makes the final selection of the records that a query returns, and of what the caller sees of them.
pub trait RecordSink {
    /// Returns whether the record exists for the caller; `zone` is as in [`Self::view`].
    fn is_visible(&self, _zone: Option<&str>, _line: &[u8]) -> bool {
        true
    }

    /// Observes a record of the range with its key and its instant in Unix nanoseconds, whether it is returned or not; `zone`
    /// is as in [`Self::view`], which follows for the same record if it is selected.
    fn on_record(&mut self, _key: &RecordKey, _ns: i64, _zone: Option<&str>, _line: &[u8]) {}

    /// Returns the caller's view of the stored line, or `None` to omit the record. An omitted record does not count
    /// against the limit. `zone` is the zone of records of the batch that do not name it themselves.
    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>>;

    /// Returns the memory of [`Self::view`], in bytes for each of the line.
    fn viewing_room(&self) -> usize {
        1
    }

    /// Returns whether it must be emptied before the next piece of a batch. A step then ends.
    fn is_full(&self) -> bool {
        false
    }

    /// Returns whether views may be masked, which takes fifty times as long as reading a line.
    fn may_mask(&self) -> bool {
        false
    }

    /// Returns the number of bytes that were masked for views so far.
    fn masked_bytes(&self) -> u64 {
        0
    }
}

/// The sinks of one query share its code through this: a copy of it for each of them would make the module larger.
impl<S: RecordSink + ?Sized> RecordSink for &mut S {
    fn is_visible(&self, zone: Option<&str>, line: &[u8]) -> bool {
        (**self).is_visible(zone, line)
    }

    fn on_record(&mut self, key: &RecordKey, ns: i64, zone: Option<&str>, line: &[u8]) {
        (**self).on_record(key, ns, zone, line);
    }

    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        (**self).view(zone, line)
    }

    fn viewing_room(&self) -> usize {
        (**self).viewing_room()
    }

    fn is_full(&self) -> bool {
        (**self).is_full()
    }

    fn may_mask(&self) -> bool {
        (**self).may_mask()
    }

    fn masked_bytes(&self) -> u64 {
        (**self).masked_bytes()
    }
}

/// A line of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLine {
    /// The line as shown by the sink, without its newline.
    pub bytes: Vec<u8>,
    /// The batch that holds the record.
    pub object: Rc<ObjectVersion>,
    /// Offset of the stored line in the object's text, in bytes.
    pub offset: u64,
    /// The position after the line.
    pub(super) next: QueryPosition,
}

/// Collects the lines of one step from one batch.
pub(super) struct LineCollector<'r, S> {
    pub(super) query: &'r RangeQuery,
    pub(super) window: PrefixWindow,
    pub(super) sink: &'r mut S,
    pub(super) scanner: &'r mut LineScanner,
    /// The zone of records that do not name it themselves.
    pub(super) zone: Option<&'r str>,
    /// The lines that are erased.
    pub(super) erased: Rc<ErasedLines>,
    pub(super) object: Rc<ObjectVersion>,
    /// The position of the next line to judge: earlier lines were judged already.
    pub(super) position: &'r mut QueryPosition,
    /// Maximum number of lines to collect.
    pub(super) limit: u64,
    pub(super) lines: Vec<QueryLine>,
    /// Total size of the collected lines in bytes.
    pub(super) bytes: usize,
    /// Number of lines parsed as records.
    pub(super) scanned: u64,
    /// The memory of the collected lines.
    pub(super) held: &'r Reservation,
    /// A line did not fit in memory, which ended the read before it.
    pub(super) out_of_memory: Option<OutOfMemory>,
    /// Number of bytes of all lines, and the sink's masked bytes before them.
    pub(super) passed: u64,
    pub(super) masked_before: u64,
}

impl<S: RecordSink> SpanLineSink for LineCollector<'_, S> {
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        let BatchLine::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        self.passed += bytes.len() as u64;
        if offset < self.position.offset {
            return ControlFlow::Continue(());
        }
        let shown = if self.is_selected(offset, bytes) { self.view(bytes) } else { Ok(None) };
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) => {
                self.out_of_memory = Some(error);
                return ControlFlow::Break(());
            }
        };
        self.position.offset = offset + 1;
        let Some(bytes) = shown else { return ControlFlow::Continue(()) };
        self.bytes += bytes.len();
        self.lines.push(QueryLine { bytes, object: Rc::clone(&self.object), offset, next: *self.position });
        if self.lines.len() as u64 >= self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn is_full(&self) -> bool {
        let masked = self.sink.masked_bytes() - self.masked_before;
        let work_ns = self.passed * INFLATED_BYTE_NS + masked * MASKED_BYTE_NS;
        self.bytes >= QUERY_CHUNK || work_ns >= WORK_SLICE_NS || self.sink.is_full()
    }

    fn piece_bytes(&self) -> usize {
        if self.sink.may_mask() { MASKED_PIECE } else { INFLATE_PIECE }
    }
}

impl<S: RecordSink> LineCollector<'_, S> {
    /// Returns whether the line belongs to the answer, if the sink shows it.
    fn is_selected(&mut self, offset: u64, line: &[u8]) -> bool {
        let Ok(key) = self.scanner.key(line) else { return false };
        let judged = JudgedLine { dataset: self.query.dataset, key: &key, default_ms: self.object.default_ms(), line };
        if self.erased.has(&judged) {
            return false;
        }
        self.scanned += 1;
        let default_ns = || self.object.default_ms().saturating_mul(1_000_000);
        let ns = key.unix_ns().unwrap_or_else(default_ns);
        if !self.window.contains(ns) {
            return false;
        }
        self.sink.on_record(&key, ns, self.zone, line);
        let by_position = self.query.sample.filter(|_| !self.query.hides_omitted);
        by_position.is_none_or(|share| is_sampled(share, &self.position_bytes(offset)))
            && self.query.predicate.as_ref().is_none_or(|filter| filter.accepts(line) == Ok(true))
            // What is not shown takes no memory either.
            && self.sink.is_visible(self.zone, line)
    }

    /// Returns what the sink shows of the line, with its memory reserved.
    fn view(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, OutOfMemory> {
        let held = self.held.bytes();
        self.held.reserve(self.sink.viewing_room() * line.len() + LINE_BYTES)?;
        let by_content = self.query.sample.filter(|_| self.query.hides_omitted);
        let is_drawn = |shown: &Cow<'_, [u8]>| by_content.is_none_or(|share| is_sampled(share, shown));
        let shown = self.sink.view(self.zone, line).filter(is_drawn).map(Cow::into_owned);
        self.held.shrink_to(held + shown.as_ref().map_or(0, |shown| shown.capacity() + LINE_BYTES));
        Ok(shown)
    }

    /// The position of a line, in bytes.
    fn position_bytes(&self, offset: u64) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (version, place) = bytes.split_at_mut(8);
        version.copy_from_slice(&self.position.version.to_le_bytes());
        place.copy_from_slice(&offset.to_le_bytes());
        bytes
    }
}

/// Returns whether the line with this identity is in the sample, which depends on the arguments alone.
fn is_sampled(share: f64, identity: &[u8]) -> bool {
    // Only the highest 53 bits: a float holds them exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are held exactly")]
    let drawn = (stable_hash(identity) >> 11) as f64 / (1_u64 << 53) as f64;
    drawn < share
}
