//! Sixteen bytes of a line examined at once, as the lanes of a vector.
//!
//! `wide` compiles the same code to simd128 in the Worker and to SSE2 or NEON where the tests run.
//!
//! A set of lanes is a number with one bit per lane; the lowest bit is that of the first byte.

#![expect(clippy::inline_always, reason = "measured in wasm: a call for each member is a tenth of indexing")]

use wide::u8x16;

/// Number of bytes examined at once.
pub(crate) const LANES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteLanes(u8x16);

impl ByteLanes {
    #[inline(always)]
    pub(crate) const fn of(bytes: [u8; LANES]) -> Self {
        Self(u8x16::new(bytes))
    }

    /// Loads the bytes at `at`, if there are enough.
    #[inline(always)]
    pub(crate) fn at(line: &[u8], at: usize) -> Option<Self> {
        line.get(at..)?.first_chunk().copied().map(Self::of)
    }

    #[inline(always)]
    pub(crate) const fn first(self) -> u8 {
        let [first, ..] = self.0.to_array();
        first
    }

    /// Returns the lanes that equal those of the other.
    #[inline(always)]
    pub(crate) fn same(self, other: Self) -> u32 {
        self.0.simd_eq(other.0).to_bitmask()
    }
}

/// The first bytes of a text, padded with zeros: together with its length, it determines a short text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextHead(ByteLanes);

/// For each length, a mask of the lanes in use.
static THERE: [u8x16; LANES + 1] = there();

#[expect(clippy::indexing_slicing, reason = "the compiler runs this, and only it")]
const fn there() -> [u8x16; LANES + 1] {
    let (mut all, mut length) = ([u8x16::splat(0); LANES + 1], 1);
    while length <= LANES {
        let mut bytes = all[length - 1].to_array();
        bytes[length - 1] = u8::MAX;
        all[length] = u8x16::new(bytes);
        length += 1;
    }
    all
}

impl TextHead {
    /// The head of the empty text.
    pub(crate) const NONE: Self = Self(ByteLanes::of([0; LANES]));

    /// Loads the head of the text of this length at `start` in a line.
    #[inline(always)]
    pub(crate) fn at(line: &[u8], start: usize, length: usize) -> Self {
        let Some(lanes) = ByteLanes::at(line, start) else { return Self::near_end(line, start, length) };
        let there = THERE.get(length.min(LANES)).copied().unwrap_or_default();
        Self(ByteLanes(lanes.0 & there))
    }

    /// Like [`Self::at`], if fewer than [`LANES`] bytes of the line are left.
    #[inline(never)]
    fn near_end(line: &[u8], start: usize, length: usize) -> Self {
        let mut bytes = [0; LANES];
        let text = line.iter().skip(start).take(length);
        bytes.iter_mut().zip(text).for_each(|(byte, from)| *byte = *from);
        Self(ByteLanes::of(bytes))
    }

    /// Returns whether both heads are equal.
    #[inline(always)]
    pub(crate) fn is(self, other: Self) -> bool {
        self.0.same(other.0) == u32::MAX >> LANES
    }

    /// Returns two words that depend on all of its bytes.
    #[inline(always)]
    pub(crate) fn words(self) -> [u64; 2] {
        let bytes = self.0.0.to_array();
        let [low, high] = *bytes.as_chunks::<8>().0 else { return [0; 2] };
        [u64::from_le_bytes(low), u64::from_le_bytes(high)]
    }
}

/// The constants that lanes are compared with.
///
/// Kept in memory on purpose: the engines that run the Worker rebuild a vector constant wherever it is used, with three
/// instructions each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneMarks {
    quote: u8x16,
    backslash: u8x16,
    control: u8x16,
    comma: u8x16,
    zero: u8x16,
    nine: u8x16,
}

impl LaneMarks {
    /// The bytes that end or escape a JSON string, and those that may follow a number.
    pub(crate) const JSON: Self = Self {
        quote: u8x16::splat(b'"'),
        backslash: u8x16::splat(b'\\'),
        control: u8x16::splat(b' ' - 1),
        comma: u8x16::splat(b','),
        zero: u8x16::splat(b'0'),
        nine: u8x16::splat(9),
    };

    /// Returns the lanes that are a quote.
    #[inline(always)]
    pub(crate) fn quotes(&self, lanes: ByteLanes) -> u32 {
        lanes.0.simd_eq(self.quote).to_bitmask()
    }

    /// Returns the lanes that a string may not contain unescaped, except quotes.
    #[inline(always)]
    pub(crate) fn odd(&self, lanes: ByteLanes) -> u32 {
        (lanes.0.simd_eq(self.backslash) | lanes.0.simd_le(self.control)).to_bitmask()
    }

    /// Returns the lanes that are a comma.
    #[inline(always)]
    pub(crate) fn commas(&self, lanes: ByteLanes) -> u32 {
        lanes.0.simd_eq(self.comma).to_bitmask()
    }

    /// Returns the lanes that are a decimal digit.
    #[inline(always)]
    pub(crate) fn digits(&self, lanes: ByteLanes) -> u32 {
        (lanes.0 - self.zero).simd_le(self.nine).to_bitmask()
    }
}
