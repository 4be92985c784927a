//! The lines of an upload, judged by the zones of the one who uploads them: a caller brings only records that they could see.

use std::ops::ControlFlow;

use crate::access::Caller;
use crate::batch::{BatchError, BatchLine, BatchReader};
use crate::http::{Problem, problems};
use crate::limits::{REFUSED_LINES_SHOWN, UPLOAD_STEP};
use crate::record::Dataset;

/// Reads an upload as its indexing will read it, and counts the lines that its caller does not see.
pub(super) struct UploadGate<'a> {
    lines: JudgedLines<'a>,
    reader: BatchReader,
    damage: Option<BatchError>,
}

/// The judge of each line.
struct JudgedLines<'a> {
    caller: &'a Caller,
    dataset: Dataset,
    /// The zone of lines that do not name it themselves.
    zone: Option<&'a str>,
    lines: u64,
    refused: u64,
    /// Offsets of the first refused lines in the text.
    first: Vec<u64>,
}

impl<'a> UploadGate<'a> {
    /// Creates the gate for uploads of a dataset; `None` for a caller who sees every zone.
    pub(super) fn new(caller: &'a Caller, dataset: Dataset, zone: Option<&'a str>) -> Option<Self> {
        let lines = JudgedLines { caller, dataset, zone, lines: 0, refused: 0, first: Vec::new() };
        let is_needed = !caller.visibility().has_batches();
        is_needed.then(|| Self { lines, reader: BatchReader::default(), damage: None })
    }

    /// Takes the next bytes of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for step in bytes.chunks(UPLOAD_STEP) {
            if self.damage.is_some() {
                return;
            }
            let lines = &mut self.lines;
            self.damage = self.reader.push(step, |line| lines.take(&line)).err();
        }
    }

    /// Whether it is settled already that the upload is refused.
    pub(super) const fn is_closed(&self) -> bool {
        self.damage.is_some() || self.lines.refused > 0
    }

    /// Judges the whole body at its end.
    ///
    /// # Errors
    /// The [`Problem`] of a body that cannot be read to its end, or that has a line of another zone.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let lines = &mut self.lines;
        let end = match self.damage {
            Some(damage) => Err(damage),
            None => self.reader.finish(|line| lines.take(&line)).map(drop),
        };
        let JudgedLines { lines, refused, first, .. } = self.lines;
        if refused > 0 {
            return Err(problems::other_zone(lines, refused, &first));
        }
        end.map_err(|why| match why {
            BatchError::Form(_) => problems::not_a_batch(why),
            _ => problems::unreadable_body(),
        })
    }
}

impl JudgedLines<'_> {
    fn take(&mut self, line: &BatchLine<'_>) -> ControlFlow<()> {
        self.lines += 1;
        let is_own = match line {
            BatchLine::Text { bytes, .. } => {
                self.caller.sees_whole(self.dataset, self.zone, bytes)
                    && (self.dataset != Dataset::Traces || self.caller.is_named_sender(bytes))
            }
            // What is not read to its end may be anything.
            BatchLine::TooLong { .. } => false,
        };
        if !is_own {
            self.refused += 1;
            if self.first.len() < REFUSED_LINES_SHOWN {
                self.first.push(line.offset());
            }
        }
        ControlFlow::Continue(())
    }
}
