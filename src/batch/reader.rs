//! Stored bytes to lines: the inflater and the splitter together.
//!
//! What always holds: lines come in the order of the object; `finish` succeeds only if every checksum was
//! right, so a caller that keeps what it gathered until then keeps nothing of a damaged object.

use std::ops::ControlFlow;

use super::{BatchError, Inflater, Line, LineSplitter, Totals};

/// Reads one object, pushed in pieces of any size.
#[derive(Debug, Default)]
pub struct BatchReader {
    inflater: Inflater,
    splitter: LineSplitter,
}

impl BatchReader {
    /// Takes the next stored bytes and hands on each line that ends in them; `sink` may end the reading.
    ///
    /// # Errors
    /// [`BatchError`] where the object is damaged or passes the budget.
    pub fn push(
        &mut self,
        stored: &[u8],
        mut sink: impl FnMut(Line<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, BatchError> {
        let Self { inflater, splitter } = self;
        inflater.push(stored, |inflated| splitter.push(inflated, &mut sink))
    }

    /// The end of the object: checks it and hands on a last line without a newline.
    ///
    /// # Errors
    /// [`BatchError`] where the object ends too early.
    pub fn finish(&mut self, sink: impl FnMut(Line<'_>) -> ControlFlow<()>) -> Result<Totals, BatchError> {
        let totals = self.inflater.finish()?;
        // Nothing follows that a sink could be spared.
        let _end = self.splitter.finish(sink);
        Ok(totals)
    }

    /// What was read so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.inflater.totals()
    }
}
