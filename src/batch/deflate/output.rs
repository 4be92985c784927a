//! The text that a stream makes, after the text that it may refer to, in one buffer: no window is kept or copied.
//!
//! # Invariants
//!
//! Nothing but the buffer is read or written, and nothing before the place where writing began is changed. The bytes
//! after the text that was made do not belong to the text, and may be anything.

#[derive(Debug)]
pub(super) struct OutputBuffer<'t> {
    text: &'t mut [u8],
    /// How much of it is text.
    written: usize,
}

/// A match that reaches further back than the text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooFar;

impl<'t> OutputBuffer<'t> {
    /// A buffer whose first `written` bytes are text.
    pub(super) const fn new(text: &'t mut [u8], written: usize) -> Self {
        Self { text, written }
    }

    pub(super) const fn text(&mut self) -> &mut [u8] {
        self.text
    }

    /// How much of it is text.
    pub(super) const fn written(&self) -> usize {
        self.written
    }

    /// Takes note of text that was made while it was lent.
    pub(super) const fn made(&mut self, written: usize) {
        self.written = written;
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

    #[inline]
    pub(super) const fn from(&self, distance: usize) -> Result<usize, TooFar> {
        match self.written.checked_sub(distance) {
            Some(from) => Ok(from),
            None => Err(TooFar),
        }
    }

    /// Adds a match, as far as there is room; says how much that was.
    pub(super) fn copy(&mut self, distance: usize, length: usize) -> Result<usize, TooFar> {
        let length = length.min(self.room());
        repeat(self.text, (self.from(distance)?, self.written), length);
        self.written += length;
        Ok(length)
    }
}

/// Copies a match of any distance, from one place to another, with room for steps of 32 bytes.
#[inline(never)]
pub(super) fn copy(text: &mut [u8], (from, to): (usize, usize), length: usize) {
    match to - from {
        32.. => (0..length).step_by(32).for_each(|done| step::<32>(text, from + done, to + done)),
        16.. => (0..length).step_by(16).for_each(|done| step::<16>(text, from + done, to + done)),
        8.. => (0..length).step_by(8).for_each(|done| step::<8>(text, from + done, to + done)),
        _ => repeat(text, (from, to), length),
    }
}

/// Copies `SIZE` bytes at once: the source ends before the target begins.
#[inline]
fn step<const SIZE: usize>(text: &mut [u8], from: usize, to: usize) {
    let Some(source) = text.get(from..).and_then(<[u8]>::first_chunk::<SIZE>) else { return };
    let source = *source;
    if let Some(target) = text.get_mut(to..).and_then(<[u8]>::first_chunk_mut) {
        *target = source;
    }
}

/// Copies a match of any distance, and nothing after it: as much as there is, then twice that, and so on.
fn repeat(text: &mut [u8], (from, mut to): (usize, usize), length: usize) {
    let end = text.len().min(to + length);
    while to < end {
        let step = (to - from).min(end - to);
        if step == 0 {
            return;
        }
        text.copy_within(from..from + step, to);
        to += step;
    }
}
