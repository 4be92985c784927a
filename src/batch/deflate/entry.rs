//! An entry of a decoding table, in 32 bits: the symbol, and how many bits of the stream it takes.
//!
//! | kind | 31 | 28–30 | 24–27 | 16–23 | 15 | 14 | 13 | 8–12 | 0–5 |
//! |---|---|---|---|---|---|---|---|---|---|
//! | literals | 1 | 1 or 2 | bits of the first | the second | the first, in bits 8–15 | | | | bits of all |
//! | a number | its base, in bits 16–30 | | | | 0 | | | bits of the code | bits of code and extra bits |
//! | a link | index of the subtable, in bits 16–30 | | | | 1 | 1 | | bits of the second lookup | bits of the root |
//! | end of block | | | | | 1 | 0 | 1 | | bits |
//! | no symbol | | | | | 1 | 0 | 0 | | bits |
//!
//! # Invariants
//!
//! Bit 15 has no meaning in an entry of literals, so callers check [`TableEntry::is_literal`] first. The extra bits of
//! a number are above its code, as in the stream.

/// Set in an entry that holds literals.
const LITERAL: u32 = 1 << 31;
const ODD: u32 = 1 << 15;
const LINK: u32 = 1 << 14;
const END: u32 = 1 << 13;

/// The base of each length and how many extra bits it has: symbols 257 to 285.
const LENGTHS: [(u32, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// The symbols of literals, the end and lengths, without the bits of their codes. 286 and 287 are not symbols.
pub(super) static LITERALS: [TableEntry; 288] = literals();
/// The symbols of distances. 30 and 31 are not symbols.
pub(super) static DISTANCES: [TableEntry; 32] = distances();
/// The symbols of the lengths of codes.
pub(super) static CODE_LENGTHS: [TableEntry; 19] = code_lengths();

/// An entry of a decoding table: what a code means and how many bits it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableEntry(u32);

impl TableEntry {
    /// One bit that begins no code.
    pub(super) const NONE: Self = Self(ODD | 1);

    /// The symbol, with a code of `bits` bits.
    pub(super) const fn with_code(self, bits: u32) -> Self {
        let place = if self.is_literal() { 24 } else { 8 };
        // An odd entry needs no bits of its code: its bits 8 to 12 are free.
        Self(self.0 + (bits << place) + bits)
    }

    /// A link to the subtable at this index: its lookup takes `bits` bits after those of the root.
    pub(super) const fn link(place: usize, bits: u32, root: u32) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "tables have 2048 entries at most")]
        let place = place as u32;
        Self(ODD | LINK | place << 16 | bits << 8 | root)
    }

    /// The entry of this literal and another one after it.
    pub(super) const fn and(self, second: Self) -> Self {
        Self(
            LITERAL
                | 2 << 28
                | self.bits() << 24
                | (second.0 & 0xff00) << 8
                | self.0 & 0xff00
                | (self.bits() + second.bits()),
        )
    }

    /// Whether it holds one literal or two.
    #[inline]
    pub(super) const fn is_literal(self) -> bool {
        self.0 & LITERAL != 0
    }

    /// Whether an entry without literals has no number either: it is a link, the end, or no symbol.
    #[inline]
    pub(super) const fn is_odd(self) -> bool {
        self.0 & ODD != 0
    }

    /// Whether an entry without literals is a link.
    #[inline]
    pub(super) const fn is_link(self) -> bool {
        self.0 & (ODD | LINK) == ODD | LINK
    }

    /// Whether an odd entry is the end of the block.
    #[inline]
    pub(super) const fn is_end(self) -> bool {
        self.0 & END != 0
    }

    /// How many bits of the stream it takes.
    #[inline]
    pub(super) const fn bits(self) -> u32 {
        self.0 & 63
    }

    /// How many bits a number's code has; of a link, how many the lookup in the subtable takes.
    #[inline]
    pub(super) const fn code_bits(self) -> u32 {
        self.0 >> 8 & 15
    }

    /// The number without its extra bits; the index of a link's subtable; the symbol of a code length.
    #[inline]
    pub(super) const fn base(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// How many literals there are.
    #[inline]
    pub(super) const fn count(self) -> usize {
        (self.0 >> 28 & 3) as usize
    }

    /// The literals; a single one is followed by a zero.
    #[inline]
    pub(super) const fn literals(self) -> [u8; 2] {
        #[expect(clippy::cast_possible_truncation, reason = "the two bytes in the middle")]
        let both = (self.0 >> 8) as u16;
        both.to_le_bytes()
    }

    /// How many bits the first literal takes.
    pub(super) const fn first_bits(self) -> u32 {
        self.0 >> 24 & 15
    }
}

const fn number((base, extra): (u32, u32)) -> TableEntry {
    TableEntry(base << 16 | extra)
}

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "the compiler runs this, and only it")]
const fn literals() -> [TableEntry; 288] {
    let mut entries = [TableEntry(ODD); 288];
    let mut byte = 0;
    while byte < 256 {
        entries[byte] = TableEntry(LITERAL | 1 << 28 | (byte as u32) << 8);
        byte += 1;
    }
    entries[256] = TableEntry(ODD | END);
    let mut length = 0;
    while length < LENGTHS.len() {
        entries[257 + length] = number(LENGTHS[length]);
        length += 1;
    }
    entries
}

/// After the first four, each pair of distances has one extra bit more than the pair before.
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "the compiler runs this, and only it")]
const fn distances() -> [TableEntry; 32] {
    let mut entries = [TableEntry(ODD); 32];
    let (mut symbol, mut base) = (0, 1);
    while symbol < 30 {
        let extra = if symbol < 4 { 0 } else { symbol as u32 / 2 - 1 };
        entries[symbol] = number((base, extra));
        base += 1 << extra;
        symbol += 1;
    }
    entries
}

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "the compiler runs this, and only it")]
const fn code_lengths() -> [TableEntry; 19] {
    let mut entries = [TableEntry(0); 19];
    let mut symbol = 0;
    while symbol < 19 {
        entries[symbol] = number((symbol as u32, 0));
        symbol += 1;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::{CODE_LENGTHS, DISTANCES, LITERALS, TableEntry};

    #[test]
    fn lengths_have_no_gap_and_258_is_alone() {
        let lengths: Vec<_> = LITERALS[257..285].iter().map(|entry| (entry.base(), entry.bits())).collect();
        for pair in lengths.windows(2) {
            assert_eq!(pair[0].0 + (1 << pair[0].1), pair[1].0);
        }
        assert_eq!((lengths[0], lengths[27]), ((3, 0), (227, 5)));
        assert_eq!((LITERALS[285].base(), LITERALS[285].bits()), (258, 0));
    }

    #[test]
    fn distances_end_with_that_of_a_window() {
        assert_eq!((DISTANCES[29].base(), DISTANCES[29].bits()), (24_577, 13));
        assert_eq!(DISTANCES[29].base() + (1 << 13) - 1, 1 << 15);
        assert!([30, 31].iter().all(|symbol| DISTANCES[*symbol].is_odd() && !DISTANCES[*symbol].is_link()));
    }

    #[test]
    fn entries_say_what_was_put_into_them() {
        let (a, b) = (LITERALS[0xff].with_code(3), LITERALS[0x80].with_code(8));
        assert_eq!((a.literals(), a.count(), a.bits(), a.first_bits()), ([0xff, 0], 1, 3, 3));
        let both = a.and(b);
        assert!(both.is_literal());
        assert_eq!((both.literals(), both.count(), both.bits(), both.first_bits()), ([0xff, 0x80], 2, 11, 3));
        let link = TableEntry::link(2047, 7, 10);
        assert!(link.is_odd() && link.is_link() && !link.is_literal());
        assert_eq!((link.base(), link.code_bits(), link.bits()), (2047, 7, 10));
        let number = DISTANCES[29].with_code(15);
        assert!(!number.is_odd() && !number.is_literal() && !number.is_link());
        assert_eq!((number.base(), number.code_bits(), number.bits()), (24_577, 15, 28));
        for none in [LITERALS[286].with_code(15), DISTANCES[30].with_code(15), TableEntry::NONE] {
            assert!(none.is_odd() && !none.is_link() && !none.is_end());
        }
        let end = LITERALS[256].with_code(15);
        assert!(end.is_odd() && end.is_end() && !end.is_link());
        assert_eq!(CODE_LENGTHS[18].with_code(7).base(), 18);
    }
}
