//! Inflated bytes to lines, whatever pieces the bytes come in.
//!
//! # Invariants
//!
//! A line is passed on once, without its newline (`\n` or `\r\n`), borrowed where one piece holds it whole. Blank lines
//! are not lines. A byte-order mark before a line is not passed on, although its offset is that of the line: files are
//! joined to one object, by members or by text, and each may begin with a mark; wherever reading begins, the line is the
//! same. A line over the limit is passed on as [`BatchLine::TooLong`], and only its beginning is held. The last line
//! needs no newline. A line belongs to the span that it begins in.

use std::ops::ControlFlow;

use super::spans::SpanCursor;
use crate::limits::{LINE_HELD, LINE_STEP, LONG_LINE_HEAD, MAX_LINE};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One line of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchLine<'a> {
    /// A line of text, without its line feed.
    Text {
        /// Where it begins, in inflated bytes from the start of the object.
        offset: u64,
        /// The number of the span that it begins in.
        span: u32,
        /// Its bytes, without the newline.
        bytes: &'a [u8],
    },
    /// A line longer than [`MAX_LINE`], which was skipped.
    TooLong {
        /// Offset of its first byte, in inflated bytes.
        offset: u64,
        /// The number of the span that it begins in.
        span: u32,
        /// Its first [`LONG_LINE_HEAD`] bytes.
        head: &'a [u8],
    },
}

impl BatchLine<'_> {
    /// Where the line begins, in inflated bytes from the start of the object.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Text { offset, .. } | Self::TooLong { offset, .. } => *offset,
        }
    }

    /// The number of the span that the line begins in.
    #[must_use]
    pub const fn span(&self) -> u32 {
        match self {
            Self::Text { span, .. } | Self::TooLong { span, .. } => *span,
        }
    }
}

/// A receiver of lines. A closure that takes each line is one.
pub trait LineSink {
    /// Takes a line; may end the reading.
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()>;

    /// Takes the line that begins `text`, if reading it shows where it ends, so that no search for its newline is
    /// needed. Returns the number of bytes taken, the newline included; `None` where it took nothing.
    fn next_line(&mut self, _start: LineStart, _text: &[u8]) -> Option<(usize, ControlFlow<()>)> {
        None
    }
}

impl<F: FnMut(BatchLine<'_>) -> ControlFlow<()>> LineSink for F {
    fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
        self(line)
    }
}

/// The position of a line: its offset in the text, and the span in which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineStart {
    /// In inflated bytes from the start of the object.
    pub offset: u64,
    /// The number of the span.
    pub span: u32,
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct LineSplitter {
    /// The line that has begun in former pieces.
    carry: Vec<u8>,
    /// Inflated bytes of former pieces.
    position: u64,
    /// Where the line that has begun begins.
    start: u64,
    /// The line that has begun is too long: its bytes are dropped.
    dropping: bool,
    /// Bytes to be dropped before the first line begins.
    skip: usize,
    spans: SpanCursor,
}

impl LineSplitter {
    /// A splitter of text that begins at `position`, `skip` bytes before the first line of the span.
    #[must_use]
    pub fn at(position: u64, skip: usize, span: u32) -> Self {
        let start = position.saturating_add(skip as u64);
        Self { position, start, skip, spans: SpanCursor::at(span), ..Self::default() }
    }

    /// The next span begins at this place, which was not pushed yet.
    pub fn begin_span(&mut self, offset: u64) {
        self.spans.begin(offset);
    }

    /// Takes the next bytes and hands on each line that ends in them; `sink` may end the reading.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(BatchLine<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        self.push_to(bytes, &mut sink)
    }

    /// The same for a sink that may know where lines end.
    pub fn push_to(&mut self, bytes: &[u8], sink: &mut impl LineSink) -> ControlFlow<()> {
        let skipped = self.skip.min(bytes.len());
        let mut rest = bytes.get(skipped..).unwrap_or_default();
        self.skip -= skipped;
        self.position += skipped as u64;
        loop {
            if self.carry.is_empty() && !self.dropping {
                rest = self.whole_lines(rest, sink)?;
            }
            let Some(newline) = memchr::memchr(b'\n', rest) else { break };
            let (head, tail) = rest.split_at_checked(newline).unwrap_or((rest, &[]));
            let next = self.position + newline as u64 + 1;
            let flow = self.end_line(head, sink);
            rest = tail.get(1..).unwrap_or_default();
            (self.position, self.start) = (next, next);
            flow?;
        }
        self.position += rest.len() as u64;
        self.keep(rest);
        ControlFlow::Continue(())
    }

    /// Passes on the lines whose end the sink itself finds; returns the text after them.
    fn whole_lines<'t>(&mut self, mut text: &'t [u8], sink: &mut impl LineSink) -> ControlFlow<(), &'t [u8]> {
        loop {
            let start = LineStart { offset: self.start, span: self.spans.of(self.start) };
            let within = text.get(..=MAX_LINE).unwrap_or(text);
            let Some((length, flow)) = sink.next_line(start, within) else { return ControlFlow::Continue(text) };
            text = text.get(length..).unwrap_or_default();
            self.position += length as u64;
            self.start = self.position;
            flow?;
        }
    }

    /// The end of the bytes: hands on a last line without a newline.
    pub fn finish(&mut self, mut sink: impl FnMut(BatchLine<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let flow = self.end_line(&[], &mut sink);
        self.start = self.position;
        flow
    }

    /// The line that has begun ends with `last`.
    fn end_line(&mut self, last: &[u8], sink: &mut impl LineSink) -> ControlFlow<()> {
        let offset = self.start;
        let span = self.spans.of(offset);
        if self.dropping || self.carry.len() + last.len() > MAX_LINE {
            self.dropping = false;
            self.keep_head(last);
            let flow = sink.line(BatchLine::TooLong { offset, span, head: without_mark(&self.carry) });
            self.carry.clear();
            return flow;
        }
        if self.carry.is_empty() {
            return hand_on(offset, span, last, sink);
        }
        self.make_room(last.len());
        self.carry.extend_from_slice(last);
        let flow = hand_on(offset, span, &self.carry, sink);
        // A long line is rare; what it took is not held for those that follow.
        if self.carry.capacity() > LINE_HELD {
            self.carry = Vec::new();
        }
        self.carry.clear();
        flow
    }

    /// Keeps the beginning of a line, unless it is too long already.
    fn keep(&mut self, bytes: &[u8]) {
        if self.dropping || self.carry.len() + bytes.len() > MAX_LINE {
            self.dropping = true;
            self.keep_head(bytes);
        } else {
            self.make_room(bytes.len());
            self.carry.extend_from_slice(bytes);
        }
    }

    /// Makes room for more of a long line in steps: a buffer that doubles would take up to two lines, and leave as much
    /// behind.
    fn make_room(&mut self, more: usize) {
        let needed = self.carry.len() + more;
        if needed > LINE_HELD && needed > self.carry.capacity() {
            let step = needed.next_multiple_of(LINE_STEP).min(MAX_LINE.max(needed));
            self.carry.reserve_exact(step - self.carry.len());
        }
    }

    /// Keeps the first bytes of a line that is too long, and no more.
    fn keep_head(&mut self, bytes: &[u8]) {
        let room = LONG_LINE_HEAD.saturating_sub(self.carry.len());
        self.carry.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        self.carry.truncate(LONG_LINE_HEAD);
    }

    /// Returns the memory of the line that has begun, in bytes.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.carry.capacity()
    }

    /// Returns the bytes of the last line, which has no end yet.
    #[must_use]
    pub fn begun_line(&self) -> &[u8] {
        without_mark(&self.carry)
    }
}

/// Hands on a whole line, unless it is blank.
fn hand_on(offset: u64, span: u32, bytes: &[u8], sink: &mut impl LineSink) -> ControlFlow<()> {
    let bytes = without_mark(bytes.strip_suffix(b"\r").unwrap_or(bytes));
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return ControlFlow::Continue(());
    }
    sink.line(BatchLine::Text { offset, span, bytes })
}

/// A line without the byte-order marks that it may begin with.
fn without_mark(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(BOM) {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{BatchLine, LineSink, LineSplitter, LineStart};
    use crate::limits::MAX_LINE;

    /// The lines of `pieces`, as (offset, text); too long ones as text `None`.
    fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        let mut splitter = LineSplitter::default();
        let mut sink = |line: BatchLine<'_>| {
            found.push(match line {
                BatchLine::Text { offset, bytes, .. } => (offset, Some(bytes.to_vec())),
                BatchLine::TooLong { offset, .. } => (offset, None),
            });
            ControlFlow::Continue(())
        };
        for piece in pieces {
            assert!(splitter.push(piece, &mut sink).is_continue());
        }
        assert!(splitter.finish(&mut sink).is_continue());
        found
    }

    /// A naive splitter: everything at once.
    fn naive(text: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut offset = 0;
        let mut found = Vec::new();
        for line in text.split(|&byte| byte == b'\n') {
            let start = offset;
            offset += line.len() as u64 + 1;
            let mut line = line.strip_suffix(b"\r").unwrap_or(line);
            while line.starts_with(b"\xef\xbb\xbf") {
                line = &line[3..];
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                found.push((start, Some(line.to_vec())));
            }
        }
        found
    }

    #[test]
    fn marks_blanks_and_newlines_leave_only_the_lines() {
        let text = b"\xef\xbb\xbf{\"a\":1}\r\n\r\n \n{\"b\":2}\n{\"c\":3}";
        let found = lines([text.as_slice()]);
        let texts: Vec<_> = found.iter().map(|(offset, text)| (*offset, text.as_deref().unwrap())).collect();
        assert_eq!(texts, [(0, b"{\"a\":1}".as_slice()), (16, b"{\"b\":2}"), (24, b"{\"c\":3}")]);
    }

    #[test]
    fn mark_before_any_line_is_dropped() {
        let text = "\u{feff}{\"a\":1}\n\u{feff}{\"b\":\"\u{feff}\"}\n\u{feff}\n\u{feff}\u{feff}{\"c\":3}".as_bytes();
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            let found = lines([head, tail]);
            let texts: Vec<_> = found.iter().map(|(offset, text)| (*offset, text.as_deref().unwrap())).collect();
            assert_eq!(texts, [(0, &b"{\"a\":1}"[..]), (11, "{\"b\":\"\u{feff}\"}".as_bytes()), (30, b"{\"c\":3}")]);
        }
    }

    #[test]
    fn overlong_line_is_named_and_the_next_read() {
        for pieces in [vec![MAX_LINE + 1], vec![MAX_LINE, 1], vec![1; 3], vec![MAX_LINE * 2, MAX_LINE * 3]] {
            let long = pieces.iter().sum::<usize>() > MAX_LINE;
            let mut text: Vec<Vec<u8>> = pieces.iter().map(|&length| vec![b'x'; length]).collect();
            text.push(b"\nnext".to_vec());
            let found = lines(text.iter().map(Vec::as_slice));
            assert_eq!(found.first().unwrap().1.is_none(), long);
            assert_eq!(found.last().unwrap().1.as_deref(), Some(b"next".as_slice()));
            assert_eq!(found.len(), 2);
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_read() {
        let text = [vec![b'x'; MAX_LINE], b"\n".to_vec()].concat();
        assert_eq!(lines([text.as_slice()]).first().unwrap().1.as_ref().map(Vec::len), Some(MAX_LINE));
    }

    #[test]
    fn sink_that_has_enough_is_not_asked_again() {
        let mut count = 0;
        let flow = LineSplitter::default().push(b"a\nb\nc\n", |_| {
            count += 1;
            if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(flow.is_break());
        assert_eq!(count, 2);
    }

    /// A sink that finds the end of lines that begin with `x`.
    struct Knowing {
        found: Vec<(u64, Option<Vec<u8>>)>,
        calls: usize,
    }

    impl LineSink for Knowing {
        fn line(&mut self, line: BatchLine<'_>) -> ControlFlow<()> {
            let BatchLine::Text { offset, bytes, .. } = line else { panic!("{line:?}") };
            self.found.push((offset, Some(bytes.to_vec())));
            ControlFlow::Continue(())
        }

        fn next_line(&mut self, start: LineStart, text: &[u8]) -> Option<(usize, ControlFlow<()>)> {
            let end = text.iter().position(|byte| *byte == b'\n').filter(|_| text.starts_with(b"x"))?;
            self.calls += 1;
            let line = text.get(..end)?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.found.push((start.offset, Some(line.to_vec())));
            Some((end + 1, ControlFlow::Continue(())))
        }
    }

    #[test]
    fn sink_is_asked_for_lines_beginning_mid_piece() {
        let mut sink = Knowing { found: Vec::new(), calls: 0 };
        let mut splitter = LineSplitter::default();
        for piece in ["xa\nxb\n", "y\nxc\nx", "d\nxe\n"] {
            assert!(splitter.push_to(piece.as_bytes(), &mut sink).is_continue());
        }
        assert_eq!((sink.calls, sink.found.len()), (4, 6), "not for `y`, nor for the one in two pieces");
    }

    proptest! {
        #[test]
        fn lines_are_the_same_where_sinks_end_them(
            text in prop::collection::vec(prop::sample::select(b"\n\n\r xx\xef\xbb\xbf".to_vec()), 0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            places.extend([0, text.len()]);
            places.sort_unstable();
            let mut sink = Knowing { found: Vec::new(), calls: 0 };
            let mut splitter = LineSplitter::default();
            for pair in places.windows(2) {
                prop_assert!(splitter.push_to(&text[pair[0]..pair[1]], &mut sink).is_continue());
            }
            prop_assert!(splitter.finish(|line| sink.line(line)).is_continue());
            prop_assert_eq!(sink.found, naive(&text));
        }

        #[test]
        fn lines_do_not_depend_on_cuts(
            text in prop::collection::vec(prop::sample::select(b"\n\r x\xef\xbb\xbf\"".to_vec()), 0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            places.extend([0, text.len()]);
            places.sort_unstable();
            let pieces = places.windows(2).map(|pair| &text[pair[0]..pair[1]]);
            prop_assert_eq!(lines(pieces), naive(&text));
        }
    }
}
