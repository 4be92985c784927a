//! The window of an access point: the 32 KiB before it, of which only the bytes that the stream refers to are kept.
//!
//! Which those are is found without decoding deflate by hand: the stream behind the point is inflated twice, with two
//! windows whose bytes say where they stand. Byte `i` of the first holds the low half of `i`; the same byte of the
//! second holds that and the high half plus one, added up. Where both outputs are equal stands a literal; where they
//! differ, the difference is the high half plus one. Behind 32 KiB of output nothing can refer to the window any more.
//! The other bytes become zeros, which cost next to nothing when compressed: 2 KB are left of 4.4.
//!
//! What always holds: inflating behind the kept window gives the very bytes that the full one gives; a window is a
//! function of the stream alone, however its bytes come in.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::zlib::{Form, Zlib};

/// How far a deflate stream can refer back, in bytes.
pub(super) const WINDOW: usize = 32 * 1024;
/// How windows are compressed. Measured on log lines: 3.4 KB are left by level 1, 2.6 by 3, 2.4 by 6, which costs as much
/// as inflating the batch does.
const LEVEL: Compression = Compression::new(3);

/// Finds out which bytes of a window are referred to, while the stream behind it comes in.
#[derive(Debug)]
pub(super) struct Tracer {
    /// The inflaters behind the two marked windows.
    marked: [Zlib; 2],
    /// What they made, the same amount each.
    outputs: [Box<[u8]>; 2],
    made: usize,
    ended: bool,
    /// The window as it is.
    window: Vec<u8>,
    used: Box<[bool]>,
}

impl Tracer {
    /// A tracer without a window.
    pub(super) fn new() -> Self {
        let output = || vec![0; WINDOW].into_boxed_slice();
        Self {
            marked: [Zlib::new(Form::Raw), Zlib::new(Form::Raw)],
            outputs: [output(), output()],
            made: 0,
            ended: true,
            window: Vec::new(),
            used: vec![false; WINDOW].into_boxed_slice(),
        }
    }

    /// Begins at a place with this window; `bits` high bits of `byte` belong to what follows.
    pub(super) fn begin(&mut self, window: &[u8], bits: u8, byte: u8) {
        self.window.clear();
        self.window.extend_from_slice(window);
        self.used.fill(false);
        (self.made, self.ended) = (0, window.is_empty());
        let low: Vec<u8> = (0..window.len()).map(|place| place.to_le_bytes()[0]).collect();
        let sum: Vec<u8> = (0..window.len()).map(marks_sum).collect();
        for (zlib, marks) in self.marked.iter_mut().zip([low, sum]) {
            zlib.resume(&marks, bits, byte);
        }
    }

    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, input: &[u8]) {
        if self.ended {
            return;
        }
        let Self { marked: [first, second], outputs: [low, sum], .. } = self;
        let made = inflate_to(first, input, low, self.made);
        // The same bits make the same amount.
        let same = inflate_to(second, input, sum, self.made);
        let (Some((made, end)), Some(_)) = (made, same) else {
            // The stream is damaged, which the pass will see itself.
            self.ended = true;
            return;
        };
        for (low, sum) in low.iter().zip(sum.iter()).take(made).skip(self.made) {
            let above = usize::from(sum.wrapping_sub(*low));
            let place = above.checked_sub(1).map(|high| high << 8 | usize::from(*low));
            if let Some(used) = place.and_then(|place| self.used.get_mut(place)) {
                *used = true;
            }
        }
        self.made = made;
        self.ended = end || made == WINDOW;
    }

    /// Whether nothing more can refer to the window.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The window, packed: without what nothing referred to.
    pub(super) fn pack(&mut self) -> Vec<u8> {
        for (byte, used) in self.window.iter_mut().zip(&self.used) {
            *byte = if *used { *byte } else { 0 };
        }
        let unused = self.used.iter().take(self.window.len()).take_while(|used| !**used).count();
        self.window.get(unused..).filter(|window| !window.is_empty()).map(compress).unwrap_or_default()
    }
}

/// The low half of a place in a window, and the high half plus one, added up.
const fn marks_sum(place: usize) -> u8 {
    let [low, high, ..] = place.to_le_bytes();
    low.wrapping_add(high).wrapping_add(1)
}

/// Inflates all of `input`, as far as there is room behind `made`; says how far it came and whether the stream ended.
fn inflate_to(zlib: &mut Zlib, mut input: &[u8], output: &mut [u8], mut made: usize) -> Option<(usize, bool)> {
    loop {
        let step = zlib.step(input, output.get_mut(made..)?).ok()?;
        input = input.get(step.used..)?;
        made += step.made;
        if step.end || made == output.len() || step.used + step.made == 0 {
            return Some((made, step.end));
        }
    }
}

fn compress(window: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(window.len() / 8);
    let mut compress = Compress::new(LEVEL, false);
    loop {
        packed.reserve(4096);
        let used = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let status = compress.compress_vec(window.get(used..).unwrap_or_default(), &mut packed, FlushCompress::Finish);
        if !matches!(status, Ok(Status::Ok | Status::BufError)) {
            return packed;
        }
    }
}

/// The window that was packed so; `None` where these bytes are none.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    if packed.is_empty() {
        return Some(Vec::new());
    }
    let mut window = Vec::with_capacity(WINDOW);
    let status = Decompress::new(false).decompress_vec(packed, &mut window, FlushDecompress::Finish);
    matches!(status, Ok(Status::StreamEnd)).then_some(window)
}
