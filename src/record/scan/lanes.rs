//! Sixteen bytes of a line looked at together, as the lanes of a vector.
//!
//! What always holds: a set of lanes is a number with a bit for each, that of the first byte lowest.

use wide::u8x16;

/// How many bytes are looked at together.
pub(super) const LANES: usize = 16;

/// Such bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lanes(u8x16);

impl Lanes {
    /// These bytes.
    #[inline(always)]
    pub(super) const fn of(bytes: [u8; LANES]) -> Self {
        Self(u8x16::new(bytes))
    }

    /// The bytes at `at`, if there are as many.
    #[inline(always)]
    pub(super) fn at(line: &[u8], at: usize) -> Option<Self> {
        line.get(at..)?.first_chunk().copied().map(Self::of)
    }

    /// The first byte.
    #[inline(always)]
    pub(super) const fn first(self) -> u8 {
        let [first, ..] = self.0.to_array();
        first
    }

    /// The lanes that are as those of the other.
    #[inline(always)]
    pub(super) fn same(self, other: Self) -> u32 {
        self.0.simd_eq(other.0).to_bitmask()
    }
}

/// What lanes are compared with.
///
/// It is kept in memory on purpose: a vector that is known when the code is compiled is made anew wherever it is used by
/// the engines that run the Worker, with three instructions each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    quote: u8x16,
    backslash: u8x16,
    control: u8x16,
    comma: u8x16,
    zero: u8x16,
    nine: u8x16,
}

impl Marks {
    /// The marks of JSON.
    pub(super) const JSON: Self = Self {
        quote: u8x16::splat(b'"'),
        backslash: u8x16::splat(b'\\'),
        control: u8x16::splat(b' ' - 1),
        comma: u8x16::splat(b','),
        zero: u8x16::splat(b'0'),
        nine: u8x16::splat(9),
    };

    /// The lanes that are a quote.
    #[inline(always)]
    pub(super) fn quotes(&self, lanes: Lanes) -> u32 {
        lanes.0.simd_eq(self.quote).to_bitmask()
    }

    /// The lanes that may not simply stand in a string, quotes aside.
    #[inline(always)]
    pub(super) fn odd(&self, lanes: Lanes) -> u32 {
        (lanes.0.simd_eq(self.backslash) | lanes.0.simd_le(self.control)).to_bitmask()
    }

    /// The lanes that are a comma.
    #[inline(always)]
    pub(super) fn commas(&self, lanes: Lanes) -> u32 {
        lanes.0.simd_eq(self.comma).to_bitmask()
    }

    /// The lanes that are a decimal digit.
    #[inline(always)]
    pub(super) fn digits(&self, lanes: Lanes) -> u32 {
        (lanes.0 - self.zero).simd_le(self.nine).to_bitmask()
    }
}
