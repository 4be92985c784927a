//! The text that a stream makes, behind the text that it may refer to, in one buffer: no window is kept or copied.
//!
//! What always holds: nothing but the buffer is read or written, and nothing before the place where it began to write
//! is changed; what stands behind the text that was made is not the text's, and may be anything.

use super::Watch;
use super::entry::Entry;

/// How much room behind the text a turn of the fast loop needs: 6 literals, and a match of 258 bytes, which is copied in
/// steps of 64 behind the first 128.
pub(super) const MARGIN: usize = 6 + 128 + 3 * 64;

/// The buffer.
#[derive(Debug)]
pub(super) struct Output<'t> {
    text: &'t mut [u8],
    /// How much of it is text.
    written: usize,
}

/// A match that reaches further back than the text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooFar;

impl<'t> Output<'t> {
    /// A buffer of which so much is text.
    pub(super) const fn new(text: &'t mut [u8], written: usize) -> Self {
        Self { text, written }
    }

    /// The same buffer for a while.
    pub(super) const fn lend(&mut self) -> Output<'_> {
        Output { text: self.text, written: self.written }
    }

    /// How much of it is text.
    pub(super) const fn written(&self) -> usize {
        self.written
    }

    /// Takes note of text that was made while it was lent.
    pub(super) const fn made(&mut self, written: usize) {
        self.written = written;
    }

    /// Whether there is so much room.
    #[inline]
    pub(super) const fn has(&self, bytes: usize) -> bool {
        self.written + bytes <= self.text.len()
    }

    /// How much room there is.
    pub(super) const fn room(&self) -> usize {
        self.text.len().saturating_sub(self.written)
    }

    /// Adds these bytes, for which there is room.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if let Some(room) = self.text.get_mut(self.written..self.written + bytes.len()) {
            room.copy_from_slice(bytes);
            self.written += bytes.len();
        }
    }

    /// Adds the literals of an entry. There is room for two.
    #[inline]
    pub(super) fn literals(&mut self, entry: Entry) {
        if let Some(room) = self.text.get_mut(self.written..).and_then(<[u8]>::first_chunk_mut) {
            *room = entry.literals();
        }
        self.written += entry.count();
    }

    /// Where a match begins.
    #[inline]
    pub(super) const fn from(&self, distance: usize) -> Result<usize, TooFar> {
        match self.written.checked_sub(distance) {
            Some(from) => Ok(from),
            None => Err(TooFar),
        }
    }

    /// Adds a match of up to 258 bytes, for which there is [`MARGIN`].
    ///
    /// Most matches of log lines are of 16 to 100 bytes: 128 are copied in any case, so that no branch depends on the
    /// length of most.
    #[inline]
    pub(super) fn copy_fast(&mut self, distance: usize, length: usize, watch: &mut impl Watch) -> Result<(), TooFar> {
        let from = self.from(distance)?;
        watch.refers(from, length);
        if distance >= 32 {
            self.step::<32>(from, 0);
            self.step::<32>(from, 32);
            self.step::<32>(from, 64);
            self.step::<32>(from, 96);
            let mut done = 128;
            while done < length {
                self.step::<32>(from, done);
                self.step::<32>(from, done + 32);
                done += 64;
            }
        } else {
            self.copy_near(from, length);
        }
        self.written += length;
        Ok(())
    }

    /// Copies `SIZE` bytes at once, `done` bytes into a match: the source ends before the target begins.
    #[inline]
    fn step<const SIZE: usize>(&mut self, from: usize, done: usize) {
        let Some(source) = self.text.get(from + done..).and_then(<[u8]>::first_chunk::<SIZE>) else { return };
        let source = *source;
        if let Some(target) = self.text.get_mut(self.written + done..).and_then(<[u8]>::first_chunk_mut) {
            *target = source;
        }
    }

    /// Copies a match that may run into itself.
    fn copy_near(&mut self, from: usize, length: usize) {
        let distance = self.written - from;
        if distance >= 16 {
            (0..length).step_by(16).for_each(|done| self.step::<16>(from, done));
        } else if distance >= 8 {
            (0..length).step_by(8).for_each(|done| self.step::<8>(from, done));
        } else {
            self.repeat(from, length);
        }
    }

    /// Copies a match of any distance, and nothing behind it: as much as there is, then twice that, and so on.
    fn repeat(&mut self, from: usize, length: usize) {
        let mut to = self.written;
        let end = self.text.len().min(to + length);
        while to < end {
            let step = (to - from).min(end - to);
            if step == 0 {
                return;
            }
            self.text.copy_within(from..from + step, to);
            to += step;
        }
    }

    /// Adds a match, as far as there is room; says how much that was.
    pub(super) fn copy(&mut self, distance: usize, length: usize) -> Result<usize, TooFar> {
        let length = length.min(self.room());
        self.repeat(self.from(distance)?, length);
        self.written += length;
        Ok(length)
    }
}
