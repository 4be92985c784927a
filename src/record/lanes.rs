//! Sixteen bytes of a line looked at together, as the lanes of a vector.
//!
//! `wide` makes one form of the code simd128 in the Worker and SSE2 or NEON where the tests run.
//!
//! A set of lanes is a number with a bit for each, that of the first byte lowest.

#![expect(clippy::inline_always, reason = "measured in wasm: a call for each member is a tenth of indexing")]

use wide::u8x16;

/// How many bytes are looked at together.
pub(crate) const LANES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteLanes(u8x16);

impl ByteLanes {
    #[inline(always)]
    pub(crate) const fn of(bytes: [u8; LANES]) -> Self {
        Self(u8x16::new(bytes))
    }

    /// The bytes at `at`, if there are as many.
    #[inline(always)]
    pub(crate) fn at(line: &[u8], at: usize) -> Option<Self> {
        line.get(at..)?.first_chunk().copied().map(Self::of)
    }

    #[inline(always)]
    pub(crate) const fn first(self) -> u8 {
        let [first, ..] = self.0.to_array();
        first
    }

    /// The lanes that are as those of the other.
    #[inline(always)]
    pub(crate) fn same(self, other: Self) -> u32 {
        self.0.simd_eq(other.0).to_bitmask()
    }
}

/// The first bytes of a text, with zeros after its end: with its length, all that there is of a short one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextHead(ByteLanes);

/// For each length, the lanes that there are.
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

    /// The head of the text of this length that begins at `start` of a line.
    #[inline(always)]
    pub(crate) fn at(line: &[u8], start: usize, length: usize) -> Self {
        let Some(lanes) = ByteLanes::at(line, start) else { return Self::near_end(line, start, length) };
        let there = THERE.get(length.min(LANES)).copied().unwrap_or_default();
        Self(ByteLanes(lanes.0 & there))
    }

    /// The same where fewer than [`LANES`] bytes of the line are left.
    #[inline(never)]
    fn near_end(line: &[u8], start: usize, length: usize) -> Self {
        let mut bytes = [0; LANES];
        let text = line.iter().skip(start).take(length);
        bytes.iter_mut().zip(text).for_each(|(byte, from)| *byte = *from);
        Self(ByteLanes::of(bytes))
    }

    /// Whether it is the same.
    #[inline(always)]
    pub(crate) fn is(self, other: Self) -> bool {
        self.0.same(other.0) == u32::MAX >> LANES
    }

    /// Two words that depend on all of it.
    #[inline(always)]
    pub(crate) fn words(self) -> [u64; 2] {
        let bytes = self.0.0.to_array();
        let [low, high] = *bytes.as_chunks::<8>().0 else { return [0; 2] };
        [u64::from_le_bytes(low), u64::from_le_bytes(high)]
    }
}

/// What lanes are compared with.
///
/// It is kept in memory on purpose: a vector that is known when the code is compiled is made anew wherever it is used by
/// the engines that run the Worker, with three instructions each.
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

    /// The lanes that are a quote.
    #[inline(always)]
    pub(crate) fn quotes(&self, lanes: ByteLanes) -> u32 {
        lanes.0.simd_eq(self.quote).to_bitmask()
    }

    /// The lanes that a string may not contain unescaped, quotes aside.
    #[inline(always)]
    pub(crate) fn odd(&self, lanes: ByteLanes) -> u32 {
        (lanes.0.simd_eq(self.backslash) | lanes.0.simd_le(self.control)).to_bitmask()
    }

    /// The lanes that are a comma.
    #[inline(always)]
    pub(crate) fn commas(&self, lanes: ByteLanes) -> u32 {
        lanes.0.simd_eq(self.comma).to_bitmask()
    }

    /// The lanes that are a decimal digit.
    #[inline(always)]
    pub(crate) fn digits(&self, lanes: ByteLanes) -> u32 {
        (lanes.0 - self.zero).simd_le(self.nine).to_bitmask()
    }
}
