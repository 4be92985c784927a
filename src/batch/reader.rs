//! Stored bytes to lines: the inflater and the splitter together, from the start of an object or over one span.
//!
//! # Invariants
//!
//! Lines come in the order of the object. `finish` succeeds only if every checksum is right, so a caller that holds
//! what it gathers until then keeps nothing of a damaged object.

use std::ops::ControlFlow;

use super::points::PointFinder;
use super::spans::{ObjectSpans, SpanExtent};
use super::{
    BatchError, BatchForm, BatchLine, Compression, Inflater, LineSink, LineSplitter, ReadTotals, window, window_pack,
};

/// Reads one object, or one span of it, pushed in pieces of any size.
#[derive(Debug, Default)]
pub struct BatchReader {
    source: TextSource,
    splitter: LineSplitter,
    /// Access points whose spans have begun, the object's beginning not counted.
    begun: usize,
}

/// Where the text comes from.
#[derive(Debug)]
enum TextSource {
    Inflater(Box<Inflater>),
    /// A span before its first byte, which may hold the end of a block too.
    Span {
        extent: SpanExtent,
        window: Vec<u8>,
    },
}

impl Default for TextSource {
    fn default() -> Self {
        Self::Inflater(Box::default())
    }
}

impl BatchReader {
    /// A reader that finds the spans of the object on its way.
    #[must_use]
    pub fn finding_spans() -> Self {
        Self::finding(PointFinder::default())
    }

    /// The same, with spans of at least `bytes` bytes of text, or of a window where that is more.
    #[must_use]
    pub fn finding_spans_of(bytes: u64) -> Self {
        Self::finding(PointFinder::new(bytes.max(window::WINDOW as u64)))
    }

    fn finding(points: PointFinder) -> Self {
        let source = TextSource::Inflater(Box::new(Inflater::finding_points(points)));
        Self { source, splitter: LineSplitter::default(), begun: 0 }
    }

    /// A reader of the stored bytes of one span with the packed window `packed`; `None` where that is not a window.
    #[must_use]
    pub fn of_span(extent: &SpanExtent, packed: &[u8]) -> Option<Self> {
        let window = window_pack::unpack(packed)?;
        let skip = usize::try_from(extent.head).ok()?;
        let splitter = LineSplitter::at(extent.offset, skip, extent.number);
        Some(Self { source: TextSource::Span { extent: extent.clone(), window }, splitter, begun: 0 })
    }

    /// Takes the next stored bytes and hands on each line that ends in them; `sink` may end the reading.
    ///
    /// # Errors
    /// [`BatchError`] where the object is damaged or passes the budget.
    pub fn push(
        &mut self,
        stored: &[u8],
        mut sink: impl FnMut(BatchLine<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, BatchError> {
        self.push_to(stored, &mut sink)
    }

    /// The same for a sink that may know where lines end.
    ///
    /// # Errors
    /// [`BatchError`] where the object is damaged or passes the budget.
    pub fn push_to(&mut self, stored: &[u8], sink: &mut impl LineSink) -> Result<ControlFlow<()>, BatchError> {
        let stored = self.start(stored);
        let Self { source: TextSource::Inflater(inflater), splitter, begun } = self else {
            return Ok(ControlFlow::Continue(()));
        };
        inflater.push(stored, |inflated, points| {
            for point in points.iter().skip(*begun + 1) {
                splitter.begin_span(point.offset);
                *begun += 1;
            }
            splitter.push_to(inflated, sink)
        })
    }

    /// The same error in words that fit the stored bytes: gzip in plain text is not inside of gzip.
    #[must_use]
    pub fn explain(&self, why: BatchError) -> BatchError {
        let is_plain = matches!(&self.source, TextSource::Inflater(inflater) if inflater.is_plain());
        match why {
            BatchError::Form(BatchForm::Compressed(Compression::Gzip)) if is_plain => {
                BatchError::Form(BatchForm::Compressed(Compression::LateGzip))
            }
            why => why,
        }
    }

    /// The end of the object: checks it and hands on a last line without a newline.
    ///
    /// # Errors
    /// [`BatchError`] where the object ends too early.
    pub fn finish(&mut self, sink: impl FnMut(BatchLine<'_>) -> ControlFlow<()>) -> Result<ReadTotals, BatchError> {
        let totals = match &self.source {
            TextSource::Inflater(inflater) => inflater.finish()?,
            TextSource::Span { .. } => return Err(BatchError::Empty),
        };
        // Nothing follows that a sink could be spared.
        let _end = self.splitter.finish(sink);
        Ok(totals)
    }

    /// Returns the totals of the bytes read so far.
    #[must_use]
    pub fn totals(&self) -> ReadTotals {
        match &self.source {
            TextSource::Inflater(inflater) => inflater.totals(),
            TextSource::Span { .. } => ReadTotals::default(),
        }
    }

    /// Returns the memory of the line that has begun, in bytes.
    #[must_use]
    pub const fn held_line_bytes(&self) -> usize {
        self.splitter.held_bytes()
    }

    /// Returns the bytes of the last line, which has no end yet.
    #[must_use]
    pub fn begun_line(&self) -> &[u8] {
        self.splitter.begun_line()
    }

    /// The spans of the object, when it was read to its end; none where none were looked for.
    #[must_use]
    pub fn into_spans(self) -> ObjectSpans {
        let TextSource::Inflater(inflater) = self.source else { return ObjectSpans::default() };
        let ReadTotals { stored, inflated, .. } = inflater.totals();
        ObjectSpans::new(inflater.into_points(), stored, inflated)
    }

    /// Begins the span with its first byte, if there is one to begin; hands back what is to be pushed.
    fn start<'a>(&mut self, stored: &'a [u8]) -> &'a [u8] {
        let TextSource::Span { extent, window } = &self.source else { return stored };
        let Some((&byte, rest)) = stored.split_first() else { return stored };
        let is_whole = extent.bit.is_multiple_of(8);
        self.source = TextSource::Inflater(Box::new(Inflater::at(extent.form, extent.bit, byte, window)));
        if is_whole { stored } else { rest }
    }
}
