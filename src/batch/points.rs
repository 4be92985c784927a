//! Access points: the places of a stored object at which reading can begin, found while it is read once.
//!
//! A point is at the beginning of a deflate block. The writer of the file decides where blocks begin (every 60 to 420
//! KB of text, as a rule, and no bound is promised), so the actual positions are stored. In plain text a point may be
//! anywhere.
//!
//! # Invariants
//!
//! Points are at least [`SPAN_BYTES`] of text apart, and a function of the object's bytes alone. Their memory is
//! bounded: past [`WINDOWS_MAX`] no more are made, and the last span is a long one.

use serde::{Deserialize, Serialize};

use super::window::{BackrefTracer, TracedText, WINDOW};
use super::window_pack::{PackedWindow, WindowPacker};
use crate::limits::{SPAN_BYTES, SPAN_MARGIN, WINDOWS_MAX};

/// How the bytes after a point are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointForm {
    /// The beginning of the object, whatever that is.
    Start,
    /// The point is the beginning of a deflate block.
    Block,
    /// The object is not compressed.
    Plain,
}

/// A place at which reading can begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPoint {
    /// How to read from there.
    pub form: PointForm,
    /// Its offset in the stored object, in bits.
    pub bit: u64,
    /// Its offset in the text, in bytes.
    pub offset: u64,
    /// The packed window, which follows those before it in its group; empty where none is needed.
    pub window: Vec<u8>,
    /// Whether a group of windows begins with it.
    pub begins_group: bool,
    /// The first line that begins at the point or after it; `None` where no line does.
    pub line: Option<FirstLine>,
}

/// Where the first line after an access point begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstLine {
    /// Its offset in the text, in bytes.
    pub offset: u64,
    /// Number of stored bytes that hold all text before it.
    pub stored: u64,
}

impl AccessPoint {
    /// The beginning of an object.
    pub(super) const START: Self = Self::new(PointForm::Start, (0, 0), Some(FirstLine::START));

    /// A point at a bit of the object, and at an offset in its text, without a window.
    const fn new(form: PointForm, (bit, offset): (u64, u64), line: Option<FirstLine>) -> Self {
        Self { form, bit, offset, window: Vec::new(), begins_group: false, line }
    }
}

impl FirstLine {
    /// The beginning of an object.
    const START: Self = Self { offset: 0, stored: 0 };
}

/// A place where a block begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockBoundary<'a> {
    /// Stored bytes up to the last one that was begun.
    pub(super) stored: u64,
    /// Number of high bits of that last byte that belong to the block, fewer than 8.
    pub(super) bits: u8,
    pub(super) offset: u64,
    /// The text just before it, of the same gzip member, up to a window.
    pub(super) history: &'a [u8],
}

/// Finds the access points of one object.
#[derive(Debug)]
pub(super) struct PointFinder {
    points: Vec<AccessPoint>,
    tracer: BackrefTracer,
    packer: WindowPacker,
    /// The window of the last point is not packed yet.
    is_tracing: bool,
    span_bytes: u64,
    windows: usize,
    /// Where the current block begins.
    block: FirstLine,
    /// A line begins here, if one does.
    at_line_start: bool,
    /// The points from this one on wait for their first line.
    waiting: usize,
}

impl PointFinder {
    /// A finder of points that are at least so far apart.
    pub(super) fn new(span_bytes: u64) -> Self {
        let points = vec![AccessPoint::START];
        Self {
            points,
            tracer: BackrefTracer::new(),
            packer: WindowPacker::new(),
            is_tracing: false,
            span_bytes,
            windows: 0,
            block: FirstLine::START,
            at_line_start: true,
            waiting: 1,
        }
    }

    /// The points found so far, the beginning first.
    pub(super) fn points(&self) -> &[AccessPoint] {
        &self.points
    }

    /// All points, when the whole object was read.
    pub(super) fn finish(mut self) -> Vec<AccessPoint> {
        self.end_trace();
        self.points
    }

    pub(super) fn block(&mut self, at: &BlockBoundary<'_>) {
        self.block = FirstLine { offset: at.offset, stored: at.stored };
        if self.is_tracing || !self.is_due(at.offset) {
            return;
        }
        let bit = at.stored * 8 - u64::from(at.bits);
        self.add(PointForm::Block, bit, self.block);
        let history = at.history.get(at.history.len().saturating_sub(WINDOW)..).unwrap_or_default();
        self.tracer.begin(history);
        self.is_tracing = true;
    }

    /// The observer for the inflater, which continues at this place of its buffer; `None` where no window is traced.
    pub(super) fn trace(&mut self, at: usize) -> Option<TracedText<'_>> {
        self.is_tracing.then(|| self.tracer.trace(at))
    }

    /// The block made this text, which begins at `offset`.
    pub(super) fn inflated(&mut self, offset: u64, text: &[u8]) {
        let FirstLine { offset: from, stored } = self.block;
        self.text(offset, text, |line| stored + (line - from) * 2 + SPAN_MARGIN);
        if self.is_tracing {
            self.tracer.made(text.len());
            if self.tracer.has_ended() {
                self.end_trace();
            }
        }
    }

    /// Plain text continues with this, at `offset`.
    pub(super) fn plain(&mut self, mut offset: u64, mut text: &[u8]) {
        let last = |points: &[AccessPoint]| points.last().map_or(0, |point| point.offset);
        loop {
            let due = last(&self.points) + self.span_bytes;
            let before = usize::try_from(due.saturating_sub(offset)).unwrap_or(usize::MAX);
            // Only where text follows.
            let Some((head, tail)) = text.split_at_checked(before).filter(|(_, tail)| !tail.is_empty()) else { break };
            self.text(offset, head, |line| line);
            self.add(PointForm::Plain, due * 8, FirstLine { offset: due, stored: due });
            (offset, text) = (due, tail);
        }
        self.text(offset, text, |line| line);
    }

    /// The gzip member ends: nothing after it can refer to the text before.
    pub(super) fn end_member(&mut self) {
        self.end_trace();
    }

    fn add(&mut self, form: PointForm, bit: u64, at: FirstLine) {
        let line = self.at_line_start.then_some(at);
        self.points.push(AccessPoint::new(form, (bit, at.offset), line));
        if self.at_line_start {
            self.waiting = self.points.len();
        }
    }

    /// This text comes next, at `offset`; `stored` gives how many stored bytes hold all text before a place in it.
    fn text(&mut self, offset: u64, text: &[u8], stored: impl Fn(u64) -> u64) {
        let waiting = self.points.get_mut(self.waiting..).unwrap_or_default();
        if !waiting.is_empty()
            && let Some(newline) = memchr::memchr(b'\n', text)
        {
            let offset = offset + newline as u64 + 1;
            for point in waiting {
                point.line = Some(FirstLine { offset, stored: stored(offset) });
            }
            self.waiting = self.points.len();
        }
        self.at_line_start = text.last().map_or(self.at_line_start, |last| *last == b'\n');
    }

    fn is_due(&self, offset: u64) -> bool {
        let last = self.points.last().map_or(0, |point| point.offset);
        offset - last >= self.span_bytes && self.windows <= WINDOWS_MAX
    }

    fn end_trace(&mut self) {
        if self.is_tracing
            && let Some(point) = self.points.last_mut()
        {
            let (window, used) = self.tracer.marked();
            let PackedWindow { bytes, begins_group } = self.packer.pack(window, used);
            self.windows += bytes.len();
            (point.window, point.begins_group) = (bytes, begins_group);
        }
        self.is_tracing = false;
    }
}

impl Default for PointFinder {
    fn default() -> Self {
        Self::new(SPAN_BYTES)
    }
}
