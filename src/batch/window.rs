//! The window of an access point: the 32 KiB before it, of which only the bytes that the stream refers to are kept.
//!
//! The inflater reports those bytes ([`BackrefObserver`]) while it inflates the text after the point; after 32 KiB of
//! it, nothing can refer to the window any more. The other bytes are left out ([`super::window_pack`]).
//!
//! # Invariants
//!
//! Inflating after a window without the other bytes gives the same bytes as after the full one. A window is a function of the stream
//! alone, however its bytes come in.

use super::deflate::BackrefObserver;

/// How far a deflate stream can refer back, in bytes.
pub(super) const WINDOW: usize = 32 * 1024;
/// The mark of a byte that the stream refers to; that of the others is 0.
pub(super) const USED: u8 = 1;

/// Determines which bytes of a window are referred to, while the stream after it is inflated.
#[derive(Debug)]
pub(super) struct BackrefTracer {
    /// Bytes of text made after the window.
    made: usize,
    /// The window as it is.
    window: Vec<u8>,
    /// [`USED`] for each byte that is referred to.
    used: Box<[u8]>,
}

/// The text that is inflated next, as a tracer sees it.
#[derive(Debug)]
pub(super) struct TracedText<'t> {
    /// Which bytes of the window are referred to.
    used: &'t mut [u8],
    /// The number that turns a position in the buffer into one in the window, by adding it; it wraps.
    shift: usize,
}

impl BackrefObserver for TracedText<'_> {
    #[inline]
    fn refers(&mut self, from: usize, length: usize) {
        let from = from.wrapping_add(self.shift);
        let to = self.used.len().min(from.saturating_add(length));
        if let Some(used) = self.used.get_mut(from..to) {
            used.fill(USED);
        }
    }
}

impl BackrefTracer {
    /// A tracer without a window.
    pub(super) fn new() -> Self {
        Self { made: 0, window: Vec::new(), used: vec![0; WINDOW].into_boxed_slice() }
    }

    /// Begins at a place with this window.
    pub(super) fn begin(&mut self, window: &[u8]) {
        self.window.clear();
        self.window.extend_from_slice(window);
        self.used.fill(0);
        self.made = 0;
    }

    /// The observer for the inflater, which continues at this place of its buffer.
    pub(super) fn trace(&mut self, at: usize) -> TracedText<'_> {
        let window = self.window.len();
        TracedText {
            used: self.used.get_mut(..window).unwrap_or_default(),
            shift: (window + self.made).wrapping_sub(at),
        }
    }

    /// Counts `text` bytes of text that were made.
    pub(super) const fn made(&mut self, text: usize) {
        self.made = self.made.saturating_add(text);
    }

    /// Whether nothing more can refer to the window.
    pub(super) const fn has_ended(&self) -> bool {
        self.window.is_empty() || self.made >= WINDOW
    }

    /// The window, and for each of its bytes whether it is [`USED`].
    pub(super) fn marked(&self) -> (&[u8], &[u8]) {
        (&self.window, self.used.get(..self.window.len()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::{BackrefTracer, USED, WINDOW};
    use crate::batch::deflate::DeflateDecoder;

    /// Approximate log lines, of `bytes` bytes in total, from a seed.
    fn lines(seed: u64, bytes: usize) -> Vec<u8> {
        let mut state = seed;
        let mut text = Vec::new();
        while text.len() < bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (ray, status) = (state >> 8, state >> 40 & 3);
            text.extend(format!("{{\"RayID\":\"{ray:014x}\",\"EdgeResponseStatus\":20{status}}}\n").into_bytes());
        }
        text.truncate(bytes);
        text
    }

    /// A block that begins at a whole byte after `before` bytes of text, with the text before it as a window.
    fn block(before: usize, after: usize) -> (Vec<u8>, Vec<u8>) {
        let text = lines(before as u64, before + after);
        let (mut compress, mut raw) =
            (Compress::new(Compression::new(6), false), Vec::with_capacity(text.len() + 4096));
        let (head, tail) = text.split_at(before);
        compress.compress_vec(head, &mut raw, FlushCompress::Sync).unwrap();
        let from = raw.len();
        compress.compress_vec(tail, &mut raw, FlushCompress::Finish).unwrap();
        (head[before.saturating_sub(WINDOW)..].to_vec(), raw.split_off(from))
    }

    /// The text that the block inflates to after a window, in pieces of `size` bytes into a buffer with `room` bytes
    /// of room.
    fn inflate(
        window: &[u8],
        stream: &[u8],
        (size, room): (usize, usize),
        mut tracer: Option<&mut BackrefTracer>,
    ) -> Vec<u8> {
        let (mut inflate, mut text) = (DeflateDecoder::new(), Vec::new());
        let mut buffer = [window, &vec![0; room]].concat();
        let mut at = window.len();
        inflate.begin(0, 0);
        for mut piece in stream.chunks(size) {
            loop {
                let step = match tracer.as_mut() {
                    Some(tracer) => inflate.step(piece, &mut buffer, at, &mut tracer.trace(at)),
                    None => inflate.step(piece, &mut buffer, at, &mut ()),
                };
                let step = step.unwrap();
                if let Some(tracer) = tracer.as_mut() {
                    tracer.made(step.made);
                }
                text.extend_from_slice(&buffer[at..at + step.made]);
                (at, piece) = (at + step.made, &piece[step.used..]);
                if at < buffer.len() && step.block.is_none() {
                    break;
                }
                let from = at.saturating_sub(WINDOW);
                buffer.copy_within(from..at, 0);
                at -= from;
            }
        }
        text
    }

    #[test]
    fn window_keeps_exactly_the_bytes_text_depends_on() {
        for (before, after) in [(9_000, 4_000), (40_000, 50_000), (32_768, 32_768), (300, 200), (100_000, 200_000)] {
            let (window, stream) = block(before, after);
            let mut tracer = BackrefTracer::new();
            tracer.begin(&window);
            let text = inflate(&window, &stream, (usize::MAX, 300_000), Some(&mut tracer));
            assert_eq!((tracer.has_ended(), text.len()), (after >= WINDOW, after));
            let (_, used) = tracer.marked();
            assert!(used.contains(&USED) && used.contains(&0));
            for place in (0..window.len()).step_by(1 + window.len() / 300) {
                let mut other = window.clone();
                other[place] ^= 0x55;
                let changed = inflate(&other, &stream, (usize::MAX, 300_000), None) != text;
                assert_eq!(changed, used[place] == USED, "byte {place} of {}", window.len());
            }
            let kept: Vec<u8> = window.iter().zip(used).map(|(byte, used)| byte * used).collect();
            assert!(inflate(&kept, &stream, (usize::MAX, 300_000), None) == text);
        }
    }

    #[test]
    fn window_does_not_depend_on_pieces_or_space() {
        let (window, stream) = block(50_000, 60_000);
        let marks = |pieces| {
            let mut tracer = BackrefTracer::new();
            tracer.begin(&window);
            inflate(&window, &stream, pieces, Some(&mut tracer));
            tracer.used
        };
        let whole = marks((usize::MAX, 300_000));
        for pieces in [(1, 300_000), (1, 1), (700, 400), (usize::MAX, 1_000)] {
            assert!(marks(pieces) == whole, "{pieces:?}");
        }
    }
}
