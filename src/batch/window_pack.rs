//! The packed form of windows: the bytes that the stream refers to, compressed together with those of the windows before.
//!
//! Windows of one object resemble each other, so those of several access points share a deflate stream: a *group*. A
//! window is read from the beginning of its group to its own end.
//!
//! ```text
//! group   0x07, then a deflate stream without an end, flushed to a whole byte after each window
//! window  runs: the number of bytes left out, the number of bytes kept (LEB128), and these; the last run keeps none
//! ```
//!
//! The former form of a window is a deflate stream of its own, with zeros for what is left out. It is read too: its
//! first byte is never 0x07, for deflate has no block of that type.
//!
//! # Invariants
//!
//! Packed windows are a function of the windows, in their order. Reading takes bounded memory, whatever the bytes are.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::deflate::{DeflateDecoder, InflateStep};
use super::leb128::{read_leb128, write_leb128};
use super::window::{USED, WINDOW};
use crate::limits::{GROUP_TEXT, GROUP_WINDOWS};

/// How windows are compressed. Measured on log lines, for each window of 9.5 KB: level 1 leaves 2.2 KB in 25 µs, 2 leaves
/// 1.9 in 60, 3 leaves 1.8 in 70, and 6 leaves 1.5 in 100. Of windows with zeros, each alone, level 1 left 3.4 KB in 51 µs.
const LEVEL: Compression = Compression::new(1);
/// The first byte of a group.
const GROUP: u8 = 0x07;
/// What a flush ends with, and so each window of a group: an empty stored block.
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];
/// Maximum size of a window before it is compressed, in bytes: a byte left out and a byte kept take three.
const TEXT_MAX: usize = WINDOW / 2 * 3 + 16;
const _: () = assert!(TEXT_MAX <= GROUP_TEXT);

/// A packed window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PackedWindow {
    /// Its bytes, which follow those of the windows before it in its group; empty if nothing refers to it.
    pub(super) bytes: Vec<u8>,
    /// Whether its group begins with it.
    pub(super) begins_group: bool,
}

/// Packs the windows of an object, one after another.
#[derive(Debug)]
pub(super) struct WindowPacker {
    compress: Compress,
    /// Number of windows in the current group; 0 if the next window begins one.
    windows: usize,
    /// Bytes of the current group before they are compressed.
    group_text: usize,
    /// The window before and after it is compressed.
    text: Vec<u8>,
    packed: Vec<u8>,
}

impl WindowPacker {
    /// A packer before the first window.
    pub(super) fn new() -> Self {
        let compress = Compress::new(LEVEL, false);
        Self { compress, windows: 0, group_text: 0, text: Vec::new(), packed: Vec::new() }
    }

    /// Packs the next window; `used` has [`USED`] for each of its bytes that is referred to, and 0 for the others.
    pub(super) fn pack(&mut self, window: &[u8], used: &[u8]) -> PackedWindow {
        if memchr::memchr(USED, used).is_none() {
            self.windows = 0;
            return PackedWindow::default();
        }
        self.text.clear();
        write_runs(&mut self.text, window, used);
        let is_full = self.windows == GROUP_WINDOWS || self.group_text + self.text.len() > GROUP_TEXT;
        let begins_group = is_full || self.windows == 0;
        if begins_group {
            self.compress.reset();
            (self.windows, self.group_text) = (0, 0);
        }
        self.windows += 1;
        self.group_text += self.text.len();
        self.compress(begins_group);
        PackedWindow { bytes: self.packed.clone(), begins_group }
    }

    /// Compresses the text of a window, and flushes it to a whole byte.
    fn compress(&mut self, begins_group: bool) {
        self.packed.clear();
        self.packed.extend(begins_group.then_some(GROUP));
        // Text that does not compress takes nine bits a byte.
        self.packed.reserve(self.text.len() + self.text.len() / 8 + 64);
        let before = self.compress.total_in();
        loop {
            let taken = usize::try_from(self.compress.total_in() - before).unwrap_or(usize::MAX);
            let rest = self.text.get(taken..).unwrap_or_default();
            let status = self.compress.compress_vec(rest, &mut self.packed, FlushCompress::Sync);
            // Space that is left over says that everything was flushed.
            if self.packed.len() < self.packed.capacity() || !matches!(status, Ok(Status::Ok)) {
                return;
            }
            self.packed.reserve(4096);
        }
    }
}

/// Writes the bytes of a window that are used, with their places.
fn write_runs(text: &mut Vec<u8>, window: &[u8], used: &[u8]) {
    let (mut window, mut used) = (window, used);
    loop {
        let gap = memchr::memchr(USED, used).unwrap_or(used.len());
        let run = used.get(gap..).and_then(|used| memchr::memchr(0, used)).unwrap_or(used.len() - gap);
        write_leb128(text, gap as u64);
        write_leb128(text, run as u64);
        text.extend_from_slice(window.get(gap..gap + run).unwrap_or_default());
        if run == 0 {
            return;
        }
        window = window.get(gap + run..).unwrap_or_default();
        used = used.get(gap + run..).unwrap_or_default();
    }
}

/// The window that ends a group's packed bytes, or is packed alone; `None` if the bytes are not packed windows.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    match packed.split_first() {
        None => Some(Vec::new()),
        Some((&GROUP, stream)) => inflate_group(stream).and_then(|text| last_window(&text)),
        Some(_) => {
            let mut window = Vec::with_capacity(WINDOW);
            let status = Decompress::new(false).decompress_vec(packed, &mut window, FlushDecompress::Finish);
            matches!(status, Ok(Status::StreamEnd)).then_some(window)
        }
    }
}

/// The text of a group up to here; `None` if the bytes are not a group's, or do not end where a window does.
fn inflate_group(mut stream: &[u8]) -> Option<Vec<u8>> {
    stream.ends_with(&FLUSHED).then_some(())?;
    let (mut text, mut at) = (vec![0; GROUP_TEXT], 0);
    let mut inflater = DeflateDecoder::new();
    inflater.begin(0, 0);
    while !stream.is_empty() {
        let InflateStep { used, made, end, .. } = inflater.step(stream, &mut text, at, &mut ()).ok()?;
        if end || (used == 0 && made == 0) {
            return None;
        }
        at += made;
        stream = stream.get(used..)?;
    }
    text.truncate(at);
    Some(text)
}

/// The last of the windows whose runs these are, with zeros for what was left out.
fn last_window(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut window = Vec::with_capacity(WINDOW);
    loop {
        let mut next = || usize::try_from(read_leb128(&mut text)?).ok().filter(|number| *number <= WINDOW);
        let (gap, run) = (next()?, next()?);
        let (bytes, rest) = text.split_at_checked(run)?;
        if window.len() + gap + run > WINDOW {
            return None;
        }
        window.resize(window.len() + gap, 0);
        window.extend_from_slice(bytes);
        text = rest;
        if run == 0 {
            if text.is_empty() {
                return Some(window);
            }
            window.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{GROUP, PackedWindow, WindowPacker, unpack};
    use crate::batch::window::{USED, WINDOW};
    use crate::limits::GROUP_WINDOWS;

    /// Approximate log lines, and marks in runs; `seed` determines both.
    fn window(seed: u64, length: usize) -> (Vec<u8>, Vec<u8>) {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 40
        };
        let (mut text, mut used) = (Vec::new(), Vec::new());
        while text.len() < length {
            text.extend(
                format!("{{\"RayID\":\"{:06x}\",\"EdgeResponseStatus\":{}}}\n", next(), next() % 600).into_bytes(),
            );
        }
        while used.len() < length {
            let (mark, run) = if next() % 3 == 0 { (0, next() % 9) } else { (USED, next() % 40) };
            used.extend((0..run).map(|_| mark));
        }
        text.truncate(length);
        used.truncate(length);
        (text, used)
    }

    /// The bytes of each window from the beginning of its group.
    fn groups(packed: &[PackedWindow]) -> Vec<Vec<u8>> {
        let mut group = Vec::new();
        let grow = |window: &PackedWindow| {
            if window.begins_group || window.bytes.is_empty() {
                group.clear();
            }
            group.extend_from_slice(&window.bytes);
            group.clone()
        };
        packed.iter().map(grow).collect()
    }

    fn pack(windows: &[(Vec<u8>, Vec<u8>)]) -> Vec<PackedWindow> {
        let mut packer = WindowPacker::new();
        windows.iter().map(|(window, used)| packer.pack(window, used)).collect()
    }

    /// The window with zeros for the bytes that nothing refers to.
    fn zeroed((window, used): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
        window.iter().zip(used).map(|(byte, used)| byte * used).collect()
    }

    #[test]
    fn unreferenced_window_is_empty_and_ends_its_group() {
        let unused = (b"x".repeat(WINDOW), vec![0; WINDOW]);
        let packed = pack(&[window(1, 900), unused.clone(), window(2, 900), unused]);
        let sizes: Vec<_> = packed.iter().map(|window| (window.begins_group, window.bytes.is_empty())).collect();
        assert_eq!(sizes, [(true, false), (false, true), (true, false), (false, true)]);
        assert_eq!(unpack(&[]), Some(Vec::new()));
    }

    #[test]
    fn group_ends_after_its_windows_or_its_text() {
        let starts = |windows: &[(Vec<u8>, Vec<u8>)]| -> Vec<usize> {
            let packed = pack(windows);
            (0..packed.len()).filter(|at| packed[*at].begins_group).collect()
        };
        let small: Vec<_> = (0..9).map(|seed| window(seed, 500)).collect();
        assert_eq!(starts(&small), (0..9).step_by(GROUP_WINDOWS).collect::<Vec<_>>());
        // Two windows and their numbers are more than a group's text.
        let full = (window(1, WINDOW).0, vec![USED; WINDOW]);
        assert_eq!(starts(&vec![full; 3]), [0, 1, 2]);
    }

    #[test]
    fn window_shrinks_beside_others_like_it() {
        let windows: Vec<_> = (0..4).map(|seed| window(seed, WINDOW)).collect();
        let sizes: Vec<usize> = pack(&windows).iter().map(|window| window.bytes.len()).collect();
        assert!(sizes[1] < sizes[0], "{sizes:?}");
    }

    #[test]
    fn window_packed_alone_is_still_read() {
        let zeroed = zeroed(&window(3, 20_000));
        for level in 0..10 {
            let mut packed = Vec::with_capacity(40_000);
            let mut compress = Compress::new(Compression::new(level), false);
            compress.compress_vec(&zeroed, &mut packed, FlushCompress::Finish).unwrap();
            assert_ne!(packed[0], GROUP);
            assert_eq!(unpack(&packed).as_ref(), Some(&zeroed), "level {level}");
        }
    }

    #[test]
    fn group_that_is_cut_short_is_refused() {
        let packed = groups(&pack(&[window(1, 3_000), window(2, 3_000)]));
        let ends: Vec<usize> = packed.iter().map(Vec::len).collect();
        let last = packed.last().unwrap();
        for end in 1..last.len() {
            let is_refused = unpack(&last[..end]).is_none();
            assert_eq!(!is_refused, ends.contains(&end), "{end} of {ends:?}");
        }
    }

    proptest! {
        #[test]
        fn windows_come_back_from_their_group(
            windows in prop::collection::vec((any::<u64>(), 0_usize..=WINDOW), 1..8),
        ) {
            let windows: Vec<_> = windows.into_iter().map(|(seed, length)| window(seed, length)).collect();
            let packed = pack(&windows);
            prop_assert_eq!(&packed, &pack(&windows));
            for (group, window) in groups(&packed).iter().zip(&windows) {
                let expected = if window.1.contains(&USED) { zeroed(window) } else { Vec::new() };
                prop_assert_eq!(unpack(group), Some(expected));
            }
        }

        #[test]
        fn any_bytes_make_a_window_or_none(mut bytes in prop::collection::vec(any::<u8>(), 0..200), is_group in any::<bool>()) {
            if is_group && let Some(first) = bytes.first_mut() {
                *first = GROUP;
            }
            prop_assert!(unpack(&bytes).is_none_or(|window| window.len() <= WINDOW));
        }
    }
}
