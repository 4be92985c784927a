//! Decoding tables: Huffman codes, built from the lengths of their codes, which the next bits of a stream index.
//!
//! One lookup finds a code of up to `ROOT` bits; a link and a second lookup find a longer one. Deflate stores the first
//! bit of a code lowest, so two copies of a table of n bits are the table of n + 1 bits: [`DecodingTable::build`]
//! enters short codes first, and doubles the table whenever codes get longer.
//!
//! # Invariants
//!
//! Exactly the codes that zlib refuses are refused. Every lookup returns an entry of the code that was built last, and
//! none is out of bounds.

use super::entry::TableEntry;

/// Most bits of a code.
const LONGEST: usize = 15;
/// Most symbols of a code.
const SYMBOLS: usize = 288;

/// Bits of the first lookup of literals and lengths.
const LITERAL_ROOT: u32 = 10;

/// The literals, the end of a block, and lengths: a code takes 1334 entries at most (zlib's `enough.c`).
pub(super) type LiteralTable = DecodingTable<LITERAL_ROOT, 2048>;
/// Distances: 402 entries at most.
pub(super) type DistanceTable = DecodingTable<8, 512>;
/// The lengths of codes: 7 bits at most.
pub(super) type CodeLengths = DecodingTable<7, 128>;

/// The lengths do not form a code: there are too many codes, or too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoCode;

/// A decoding table. `SIZE` is a power of two, so that a mask keeps every index in bounds.
#[derive(Debug)]
pub(super) struct DecodingTable<const ROOT: u32, const SIZE: usize> {
    entries: [TableEntry; SIZE],
}

/// The number of codes of each length, and the greatest length.
struct CodeLengthCounts {
    of: [u16; LONGEST + 1],
    longest: u32,
    /// Whether codes are missing: there is only one, of one bit, or none at all.
    is_incomplete: bool,
}

impl CodeLengthCounts {
    fn new(lengths: &[u8], may_be_one: bool) -> Result<Self, NoCode> {
        let mut of = [0; LONGEST + 1];
        for &length in lengths {
            if let Some(count) = of.get_mut(usize::from(length)) {
                *count += 1;
            }
        }
        of[0] = 0;
        let (mut left, mut longest) = (1, 0);
        for (length, &count) in (0..).zip(&of).skip(1) {
            left = left * 2 - i32::from(count);
            if left < 0 {
                return Err(NoCode);
            }
            longest = if count > 0 { length } else { longest };
        }
        let is_fine = left == 0 || longest == 0 || longest == 1 && may_be_one;
        if is_fine { Ok(Self { of, longest, is_incomplete: left > 0 }) } else { Err(NoCode) }
    }

    fn of(&self, length: u32) -> u16 {
        self.of.get(length as usize).copied().unwrap_or_default()
    }

    /// The symbols in the order of their codes.
    fn sorted(&self, lengths: &[u8]) -> [u16; SYMBOLS] {
        let (mut next, mut sum) = ([0; LONGEST + 1], 0);
        for (next, count) in next.iter_mut().zip(self.of) {
            *next = sum;
            sum += count;
        }
        let mut sorted = [0; SYMBOLS];
        for (symbol, &length) in (0..).zip(lengths).filter(|(_, length)| **length > 0) {
            let Some(next) = next.get_mut(usize::from(length)) else { continue };
            if let Some(slot) = sorted.get_mut(usize::from(*next)) {
                *slot = symbol;
            }
            *next += 1;
        }
        sorted
    }

    /// The bits of the lookup in a subtable whose first codes have this length, of which `left` remain.
    fn subtable_bits(&self, length: u32, left: u16, root: u32) -> u32 {
        let (mut bits, mut codes) = (length - root, u32::from(left));
        while codes < 1 << bits && root + bits < self.longest {
            bits += 1;
            codes = codes * 2 + u32::from(self.of(root + bits));
        }
        bits
    }
}

/// The code after this one among those of `bits` bits; the first bit of a code is the highest here.
const fn next(code: u32, bits: u32) -> u32 {
    code.wrapping_add(1 << (u32::BITS - bits))
}

impl<const ROOT: u32, const SIZE: usize> DecodingTable<ROOT, SIZE> {
    const ROOT_SIZE: usize = 1 << ROOT;

    /// A table of no code.
    pub(super) const fn new() -> Self {
        Self { entries: [TableEntry::NONE; SIZE] }
    }

    /// The entry of the code that these bits begin with.
    #[inline]
    pub(super) fn look(&self, bits: u64) -> TableEntry {
        #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits count")]
        self.at(bits as usize & (Self::ROOT_SIZE - 1))
    }

    /// The entry of the code that these bits continue, after the root's bits, where the root has this link.
    #[inline]
    pub(super) fn follow(&self, link: TableEntry, bits: u64) -> TableEntry {
        #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits count")]
        let bits = bits as usize & ((1 << link.code_bits()) - 1);
        self.at(link.base() + bits)
    }

    #[inline]
    fn at(&self, place: usize) -> TableEntry {
        self.entries.get(place & (SIZE - 1)).copied().unwrap_or(TableEntry::NONE)
    }

    fn set(&mut self, place: usize, entry: TableEntry) {
        if let Some(slot) = self.entries.get_mut(place & (SIZE - 1)) {
            *slot = entry;
        }
    }

    /// Builds the table of the code whose symbols have codes of these lengths, 0 for no code. As zlib does, it refuses
    /// too few codes, but not the absence of all codes, and not a single code of one bit where there `may_be_one`.
    pub(super) fn build(&mut self, lengths: &[u8], symbols: &[TableEntry], may_be_one: bool) -> Result<(), NoCode> {
        let counts = CodeLengthCounts::new(lengths, may_be_one)?;
        let sorted = counts.sorted(lengths);
        let symbol = |symbol: &u16| symbols.get(usize::from(*symbol)).copied().unwrap_or(TableEntry::NONE);
        let mut symbols = sorted.iter().map(symbol);
        let (mut code, mut filled) = (0_u32, 1);
        self.set(0, TableEntry::NONE);
        for length in 1..=ROOT {
            self.double(filled);
            filled *= 2;
            if counts.is_incomplete && length == 1 {
                self.set(1, TableEntry::NONE);
            }
            for symbol in symbols.by_ref().take(counts.of(length).into()) {
                self.set(code.reverse_bits() as usize, symbol.with_code(length));
                code = next(code, length);
            }
        }
        self.build_subtables(&counts, code, symbols)
    }

    /// Enters the codes that are longer than the root. They always have room; the check keeps that certain.
    fn build_subtables(
        &mut self,
        counts: &CodeLengthCounts,
        mut code: u32,
        mut symbols: impl Iterator<Item = TableEntry>,
    ) -> Result<(), NoCode> {
        let (mut start, mut end, mut prefix) = (0, Self::ROOT_SIZE, None);
        for length in ROOT + 1..=counts.longest {
            for left in (1..=counts.of(length)).rev() {
                let place = code.reverse_bits() as usize;
                let root = place & (Self::ROOT_SIZE - 1);
                if prefix != Some(root) {
                    prefix = Some(root);
                    let bits = counts.subtable_bits(length, left, ROOT);
                    (start, end) = (end, end + (1 << bits));
                    if end > SIZE {
                        return Err(NoCode);
                    }
                    self.set(root, TableEntry::link(start, bits, ROOT));
                }
                let own = length - ROOT;
                let entry = symbols.next().unwrap_or(TableEntry::NONE).with_code(own);
                for place in (start + (place >> ROOT)..end).step_by(1 << own) {
                    self.set(place, entry);
                }
                code = next(code, length);
            }
        }
        Ok(())
    }

    /// Copies the first `filled` entries to the slots after them.
    fn double(&mut self, filled: usize) {
        if let Some((filled, after)) = self.entries.split_at_mut_checked(filled) {
            after.iter_mut().zip(filled).for_each(|(slot, entry)| *slot = *entry);
        }
    }
}

impl LiteralTable {
    /// Joins two literals in one entry wherever the bits of the root hold the codes of both.
    pub(super) fn pair(&mut self) {
        // Downwards: the code that follows has a lower index, and must not be a pair yet.
        for place in (0..Self::ROOT_SIZE).rev() {
            let first = self.at(place);
            if !first.is_literal() {
                continue;
            }
            let second = self.at(place >> first.bits());
            if second.is_literal() && first.bits() + second.bits() <= LITERAL_ROOT {
                self.set(place, first.and(second));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::super::entry::{LITERALS, TableEntry};
    use super::{DecodingTable, DistanceTable, LITERAL_ROOT, LiteralTable};

    /// The symbol that bits begin with and how many of them that takes, bit by bit.
    fn naive(lengths: &[u8], bits: u64) -> Option<(usize, u32)> {
        let (mut code, mut first) = (0, 0);
        for length in 1..16_u8 {
            code = code << 1 | usize::from(bits >> (length - 1) & 1 == 1);
            first <<= 1;
            let mut own = lengths.iter().enumerate().filter(|(_, of)| **of == length).map(|(symbol, _)| symbol);
            let count = own.clone().count();
            if code >= first && code - first < count {
                return own.nth(code - first).map(|symbol| (symbol, length.into()));
            }
            first += count;
        }
        None
    }

    /// Lengths that form a code, of at most `symbols` symbols: a leaf is split again and again, and all are dealt out.
    fn split(symbols: usize, choices: &[usize]) -> Vec<u8> {
        let mut leaves = vec![1_u8, 1];
        for choice in choices {
            let leaf = if choice % 3 == 0 { leaves.len() - 1 } else { choice % leaves.len() };
            if leaves[leaf] < 15 && leaves.len() < symbols {
                leaves[leaf] += 1;
                leaves.push(leaves[leaf]);
            }
        }
        leaves.resize(symbols, 0);
        for (place, choice) in choices.iter().enumerate() {
            leaves.swap(place % symbols, choice % symbols);
        }
        leaves
    }

    fn look<const ROOT: u32, const SIZE: usize>(table: &DecodingTable<ROOT, SIZE>, bits: u64) -> (TableEntry, u32) {
        let entry = table.look(bits);
        let is_link = !entry.is_literal() && entry.is_link();
        if is_link { (table.follow(entry, bits >> ROOT), ROOT) } else { (entry, 0) }
    }

    proptest! {
        #[test]
        fn table_lookups_equal_decoding_bit_by_bit(
            choices in vec(any::<usize>(), 0..600),
            bits in vec(any::<u64>(), 100),
        ) {
            let lengths = split(286, &choices);
            let (mut table, mut pairs) = (LiteralTable::new(), LiteralTable::new());
            prop_assert!(table.build(&lengths, &LITERALS, true).is_ok());
            prop_assert!(pairs.build(&lengths, &LITERALS, true).is_ok());
            pairs.pair();
            for bits in bits {
                let (symbol, length) = naive(&lengths, bits).unwrap();
                let (entry, before) = look(&table, bits);
                prop_assert_eq!(entry, LITERALS[symbol].with_code(length - before));
                let (pair, before) = look(&pairs, bits);
                if pair.count() < 2 {
                    prop_assert_eq!(pair, entry);
                    let next = look(&table, bits >> length).0;
                    let may_be_pair = entry.is_literal() && next.is_literal() && before == 0;
                    let both = length + naive(&lengths, bits >> length).unwrap().1;
                    prop_assert!(!may_be_pair || both > LITERAL_ROOT);
                } else {
                    let (second, own) = naive(&lengths, bits >> length).unwrap();
                    prop_assert_eq!(pair, entry.and(LITERALS[second].with_code(own)));
                }
            }
        }

        #[test]
        fn lengths_are_a_code_where_they_fill_it(lengths in vec(0_u8..16, 1..30), flip: u8) {
            let mut table = DistanceTable::new();
            let sum: u32 = lengths.iter().filter(|length| **length > 0).map(|length| 1 << (15 - length)).sum();
            let longest = lengths.iter().max().copied().unwrap_or_default();
            let is_code = sum == 1 << 15 || longest == 0 || longest == 1 && sum < 1 << 15 && flip % 2 == 0;
            prop_assert_eq!(table.build(&lengths, &LITERALS, flip % 2 == 0).is_ok(), is_code);
        }
    }

    #[test]
    fn rebuilt_table_forgets_the_last_code() {
        let mut table = DistanceTable::new();
        table.build(&split(30, &(0..200).collect::<Vec<_>>()), &LITERALS, true).unwrap();
        table.build(&[0, 1], &LITERALS, true).unwrap();
        for bits in 0..1 << 9 {
            let expected = if bits % 2 == 0 { LITERALS[1].with_code(1) } else { TableEntry::NONE };
            assert_eq!(look(&table, bits), (expected, 0));
        }
        table.build(&[0; 30], &LITERALS, true).unwrap();
        assert!((0..1 << 9).all(|bits| look(&table, bits) == (TableEntry::NONE, 0)));
    }
}
