//! One read of a batch: the complete object, or a range of its spans.
//!
//! # Invariants
//!
//! Stored bytes are inflated a few at a time, so that the sink collects little in one step. A line that spans pieces is
//! held in reserved memory, however long it is. A range of spans is read only from the version that was indexed, and from
//! a window whose hash matches.

use std::ops::ControlFlow;
use std::rc::Rc;

use futures_util::future::try_join;

use super::{ReadStats, SpanRange};
use crate::backend::{BackendError, BatchStore, Bucket, ByteStream, RangedRead, Turns, WholeBody};
use crate::batch::{BatchError, BatchLine, BatchReader};
use crate::bucket_keys::windows_key;
use crate::index::ObjectVersion;
use crate::limits::{INFLATE_PIECE, INFLATED_BYTE_NS, LINE_HELD, MAX_LINE, WORK_SLICE_NS};
use crate::memory::{MemoryBudget, OutOfMemory, Reservation};

/// Receives the lines of a read, in the order of the object.
pub trait SpanLineSink {
    /// Receives the next line; a break ends the read.
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()>;

    /// Returns whether the sink must be emptied before more bytes are inflated.
    fn is_full(&self) -> bool {
        false
    }

    /// Returns the number of stored bytes to inflate at a time, so that their lines take the sink milliseconds.
    fn piece_bytes(&self) -> usize {
        INFLATE_PIECE
    }
}

/// A read in progress; `Y` is the bucket's body.
#[derive(Debug)]
pub struct SpanReader<Y> {
    body: WholeBody<Y>,
    lines: BatchReader,
    version: Rc<ObjectVersion>,
    /// The latest piece of the body, and the number of its bytes that are inflated.
    piece: Vec<u8>,
    pushed: usize,
    /// Number of bytes of text before the read.
    text_start: u64,
    /// Offset in the text, in bytes, from which lines no longer belong to the read.
    text_end: u64,
    /// Whether the read includes the end of the object.
    reaches_end: bool,
    is_whole: bool,
    /// The memory of a line that spans pieces, beyond that of every reader.
    line_memory: Reservation,
}

/// The outcome of opening a read.
#[derive(Debug)]
pub enum ReadStart<Y> {
    /// The read has started.
    Reading(Box<SpanReader<Y>>),
    /// The bucket no longer has the object.
    ObjectGone,
    /// The object is another version now, or the window is damaged or gone: only the complete object can be read.
    SpanUnusable,
}

/// The progress of a read after one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadProgress {
    /// There may be more lines.
    More,
    /// All lines of the read were passed on.
    Complete,
    /// The sink ended the read.
    Stopped,
}

/// The reason why a read cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bucket failed; the same read may succeed later.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The stored bytes are damaged.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A line that spans pieces does not fit in memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl<Y: ByteStream> SpanReader<Y> {
    /// Opens a read of a complete object, in its current version, whose long lines are held in this memory. Never returns
    /// [`ReadStart::SpanUnusable`].
    ///
    /// # Errors
    /// [`BackendError`] if the bucket fails.
    pub async fn open_object<B: Bucket<Body = Y>>(
        bucket: &B,
        indexed: &Rc<ObjectVersion>,
        memory: &MemoryBudget,
        stats: &mut ReadStats,
    ) -> Result<ReadStart<Y>, BackendError> {
        stats.bucket_calls += 1;
        let Some((head, body)) = bucket.get(&indexed.key).await? else { return Ok(ReadStart::ObjectGone) };
        stats.objects_read += 1;
        let body = WholeBody::new(body, head.size);
        let version = if head.etag == indexed.etag {
            Rc::clone(indexed)
        } else {
            Rc::new(ObjectVersion::new(&indexed.key, &head))
        };
        Ok(ReadStart::Reading(Box::new(Self {
            body,
            lines: BatchReader::default(),
            version,
            piece: Vec::new(),
            pushed: 0,
            text_start: 0,
            text_end: u64::MAX,
            reaches_end: true,
            is_whole: true,
            line_memory: memory.reservation(),
        })))
    }

    /// Opens a read of a range of spans in the version that was indexed, whose long lines are held in this memory. The range
    /// of the batch and the window are requested concurrently.
    ///
    /// # Errors
    /// [`BackendError`] if the bucket fails.
    pub async fn open_spans<B: Bucket<Body = Y>>(
        store: BatchStore<'_, B>,
        indexed: &Rc<ObjectVersion>,
        spans: &SpanRange,
        memory: &MemoryBudget,
        stats: &mut ReadStats,
    ) -> Result<ReadStart<Y>, BackendError> {
        let stored = spans.stored_bytes();
        let (end, length) = (stored.end.min(indexed.size), stored.end.min(indexed.size).saturating_sub(stored.start));
        stats.bucket_calls += 1 + u64::from(!spans.first.window.is_empty());
        let batch = store.logs.get_range(&indexed.key, Some(&indexed.etag), stored.start..end);
        let (window, batch) = try_join(read_window(store, indexed, spans), batch).await?;
        let window_bytes = window.as_ref().map_or(0, Vec::len) as u64;
        stats.bytes_read += window_bytes;
        stats.objects_read += u64::from(window_bytes > 0) + u64::from(matches!(batch, RangedRead::Body(_)));
        let body = match batch {
            RangedRead::Gone => return Ok(ReadStart::ObjectGone),
            RangedRead::Changed => return Ok(ReadStart::SpanUnusable),
            RangedRead::Body(body) => WholeBody::new(body, length),
        };
        let window = window.filter(|packed| spans.window_hash.is_none_or(|hash| hash.matches(packed)));
        let Some(lines) = window.and_then(|packed| BatchReader::of_span(&spans.first, &packed)) else {
            return Ok(ReadStart::SpanUnusable);
        };
        Ok(ReadStart::Reading(Box::new(Self {
            body,
            lines,
            version: Rc::clone(indexed),
            piece: Vec::new(),
            pushed: 0,
            text_start: spans.first.offset,
            text_end: spans.text_end,
            reaches_end: stored.end >= indexed.size,
            is_whole: false,
            line_memory: memory.reservation(),
        })))
    }

    /// Returns the version that is read.
    #[must_use]
    pub const fn version(&self) -> &Rc<ObjectVersion> {
        &self.version
    }

    /// Returns whether the complete object is read.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns the offset in the text, in bytes, from which lines no longer belong to the read.
    #[must_use]
    pub const fn text_end(&self) -> u64 {
        self.text_end
    }

    /// Continues until the sink is full, a piece of the body is used up, or a slice of work is done; waits for at most one
    /// piece.
    ///
    /// # Errors
    /// [`ReadError`] if the body breaks off or is damaged.
    pub async fn advance(
        &mut self,
        sink: &mut impl SpanLineSink,
        stats: &mut ReadStats,
    ) -> Result<ReadProgress, ReadError> {
        if self.pushed >= self.piece.len() {
            let Some(piece) = self.body.next().await? else { return self.finish(sink) };
            stats.bytes_read += piece.len() as u64;
            (self.piece, self.pushed) = (piece, 0);
        }
        let begun = self.lines.totals().inflated;
        while self.pushed < self.piece.len() && !sink.is_full() && !self.has_worked(begun) {
            let end = self.piece.len().min(self.pushed + sink.piece_bytes());
            let piece = self.piece.get(self.pushed..end).unwrap_or_default();
            let before = self.lines.totals().inflated;
            // A line of any length may come of it, whose buffer moves as it grows.
            self.line_memory.budget().check_room(2 * MAX_LINE)?;
            let mut bounded = BoundedSink { sink: &mut *sink, text_end: self.text_end, is_stopped: false };
            let flow = self.lines.push(piece, |line| bounded.line(line));
            stats.bytes_inflated += self.lines.totals().inflated - before;
            self.pushed = end;
            if flow?.is_break() {
                return Ok(bounded.progress());
            }
            self.hold_line()?;
        }
        Ok(ReadProgress::More)
    }

    /// Reserves what the line that has begun takes beyond [`LINE_HELD`].
    fn hold_line(&self) -> Result<(), OutOfMemory> {
        let more = self.lines.held_line_bytes().saturating_sub(LINE_HELD);
        self.line_memory.shrink_to(more);
        self.line_memory.grow_to(more)
    }

    /// Whether a slice of work is done since that many bytes were inflated.
    fn has_worked(&self, begun: u64) -> bool {
        (self.lines.totals().inflated - begun) * INFLATED_BYTE_NS >= WORK_SLICE_NS
    }

    /// Reads until the sink ends the read or there are no more lines, and passes the turn after each slice of work. A full
    /// sink is not emptied in between.
    ///
    /// # Errors
    /// [`ReadError`] if the body breaks off or is damaged.
    pub async fn read_to_end(
        &mut self,
        sink: &mut impl SpanLineSink,
        stats: &mut ReadStats,
        turns: &impl Turns,
    ) -> Result<(), ReadError> {
        let mut passed_ns = stats.work_ns();
        while self.advance(sink, stats).await? == ReadProgress::More {
            if stats.work_ns() - passed_ns >= WORK_SLICE_NS {
                passed_ns = stats.work_ns();
                turns.pass().await;
            }
        }
        Ok(())
    }

    /// Handles the end of the body.
    fn finish(&mut self, sink: &mut impl SpanLineSink) -> Result<ReadProgress, ReadError> {
        if self.reaches_end {
            let mut bounded = BoundedSink { sink, text_end: self.text_end, is_stopped: false };
            self.lines.finish(|line| bounded.line(line))?;
            return Ok(bounded.progress());
        }
        let totals = self.lines.totals();
        if self.text_start.saturating_add(totals.inflated) < self.text_end {
            return Err(BatchError::Truncated { stored: totals.stored }.into());
        }
        Ok(ReadProgress::Complete)
    }
}

/// Passes on lines up to the end of the read.
struct BoundedSink<'s, S> {
    sink: &'s mut S,
    text_end: u64,
    /// Whether the sink has ended the read.
    is_stopped: bool,
}

impl<S: SpanLineSink> BoundedSink<'_, S> {
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        if line.offset() >= self.text_end {
            return ControlFlow::Break(());
        }
        let flow = self.sink.line(line);
        self.is_stopped = flow.is_break();
        flow
    }

    /// Returns the progress of a read after its last line.
    const fn progress(&self) -> ReadProgress {
        if self.is_stopped { ReadProgress::Stopped } else { ReadProgress::Complete }
    }
}

/// Returns the packed window of the first span; `None` if it is gone, or cut short: that may be where another window ends.
async fn read_window(
    store: BatchStore<'_, impl Bucket>,
    indexed: &ObjectVersion,
    spans: &SpanRange,
) -> Result<Option<Vec<u8>>, BackendError> {
    let range = spans.first.window.clone();
    if range.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let key = windows_key(&store.version_digest(&indexed.key, &indexed.etag));
    let length = range.end.saturating_sub(range.start);
    match store.data.get_range(&key, None, range).await? {
        RangedRead::Body(body) => Ok(Some(body.all().await?).filter(|packed| packed.len() as u64 == length)),
        RangedRead::Changed | RangedRead::Gone => Ok(None),
    }
}
