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
use crate::index::ObjectVersion;
use crate::limits::QUERY_CHUNK;
use crate::record::LineScanner;
use crate::span_reader::SpanLineSink;
use crate::summary::stable_hash;

/// Makes the final selection of the records that a query returns, and of what the caller sees of them.
pub trait RecordSink {
    /// Observes a record of the range, whether it is returned or not; `zone` is as in [`Self::view`].
    fn on_record(&mut self, _zone: Option<&str>, _line: &[u8]) {}

    /// Returns the caller's view of the stored line, or `None` to omit the record. An omitted record does not count
    /// against the limit. `zone` is the zone of records of the batch that do not name it themselves.
    fn view<'l>(&mut self, zone: Option<&str>, line: &'l [u8]) -> Option<Cow<'l, [u8]>>;
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
}

impl<S: RecordSink> SpanLineSink for LineCollector<'_, S> {
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        let BatchLine::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        if offset < self.position.offset {
            return ControlFlow::Continue(());
        }
        self.position.offset = offset + 1;
        let Some(shown) = self.select(offset, bytes) else { return ControlFlow::Continue(()) };
        let bytes = shown.into_owned();
        self.bytes += bytes.len();
        self.lines.push(QueryLine { bytes, object: Rc::clone(&self.object), offset, next: *self.position });
        if self.lines.len() as u64 >= self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn is_full(&self) -> bool {
        self.bytes >= QUERY_CHUNK
    }
}

impl<S: RecordSink> LineCollector<'_, S> {
    /// Returns the view of the line, if it belongs to the answer.
    fn select<'l>(&mut self, offset: u64, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        let key = self.scanner.key(line).ok()?;
        self.scanned += 1;
        let default_ns = || self.object.default_ms().saturating_mul(1_000_000);
        if !self.window.contains(key.unix_ns().unwrap_or_else(default_ns)) {
            return None;
        }
        self.sink.on_record(self.zone, line);
        let matches = self.query.sample.is_none_or(|share| is_sampled(share, self.position.version, offset))
            && self.query.predicate.as_ref().is_none_or(|filter| filter.accepts(line) == Ok(true));
        if matches { self.sink.view(self.zone, line) } else { None }
    }
}

/// Returns whether the line at `offset` is in the sample, which depends on the arguments alone.
fn is_sampled(share: f64, version: u64, offset: u64) -> bool {
    let [mut bytes, position] = [version, offset].map(|number| number.to_le_bytes().to_vec());
    bytes.extend(position);
    // Only the highest 53 bits: a float holds them exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are held exactly")]
    let drawn = (stable_hash(&bytes) >> 11) as f64 / (1_u64 << 53) as f64;
    drawn < share
}
