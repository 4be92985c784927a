//! Which lines of a batch are told.
//!
//! What always holds: a line is told if it is a record of the window, in the sample, passes the filter and the caller
//! keeps it; each is judged once, and the place moves behind it.

use std::ops::ControlFlow;
use std::rc::Rc;

use super::cursor::Place;
use super::prune::Window;
use super::{Ask, LogLine, Told};
use crate::batch::Line;
use crate::index::ObjectVersion;
use crate::index::summary::stable_hash;
use crate::record::Scanner;

/// Why reading stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// What follows is not to be read.
    Behind,
    /// As many lines were told as may be.
    Limit,
}

/// Picks the lines of a batch.
pub(super) struct Taker<'r, K> {
    pub(super) ask: &'r Ask,
    pub(super) window: Window,
    pub(super) keep: &'r mut K,
    pub(super) scanner: &'r mut Scanner,
    pub(super) object: &'r Rc<ObjectVersion>,
    /// The place of the next line: lines before it were judged already.
    pub(super) place: &'r mut Place,
    pub(super) told: &'r mut Told,
    /// How many may be told.
    pub(super) left: u64,
    /// Where lines begin that are not to be read.
    pub(super) text_end: u64,
    pub(super) lines: Vec<LogLine>,
    /// Bytes of these lines.
    pub(super) bytes: usize,
    pub(super) stop: Option<Stop>,
}

impl<K: FnMut(&[u8]) -> bool> Taker<'_, K> {
    /// Judges the next line.
    pub(super) fn line(&mut self, line: Line<'_>) -> ControlFlow<()> {
        if line.offset() >= self.text_end {
            self.stop = Some(Stop::Behind);
            return ControlFlow::Break(());
        }
        let Line::Text { offset, bytes, .. } = line else { return ControlFlow::Continue(()) };
        if offset < self.place.offset {
            return ControlFlow::Continue(());
        }
        self.place.offset = offset + 1;
        if self.tells(offset, bytes) {
            self.told.records_told += 1;
            self.bytes += bytes.len();
            self.lines.push(LogLine {
                bytes: bytes.to_vec(),
                object: Rc::clone(self.object),
                offset,
                behind: *self.place,
            });
            if self.lines.len() as u64 >= self.left {
                self.stop = Some(Stop::Limit);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether the line is told.
    fn tells(&mut self, offset: u64, line: &[u8]) -> bool {
        let Ok(key) = self.scanner.key(line) else { return false };
        self.told.records_scanned += 1;
        let default = || self.object.default_ms().saturating_mul(1_000_000);
        self.window.has(key.unix_ns().unwrap_or_else(default))
            && self.ask.sample.is_none_or(|share| is_sampled(share, self.place.version, offset))
            && self.ask.filter.as_ref().is_none_or(|filter| !self.ask.filters || filter.accepts(line) == Ok(true))
            && (self.keep)(line)
    }
}

/// Whether the line at `offset` is in the sample: that depends on nothing else.
fn is_sampled(share: f64, version: u64, offset: u64) -> bool {
    let [mut bytes, place] = [version, offset].map(|number| number.to_le_bytes().to_vec());
    bytes.extend(place);
    // The highest 53 bits, which a float holds exactly.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are held exactly")]
    let drawn = (stable_hash(&bytes) >> 11) as f64 / (1_u64 << 53) as f64;
    drawn < share
}
