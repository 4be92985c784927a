//! Writes valid deflate streams that no compressor would: any codes, any matches, any order of blocks.

use super::super::entry::{DISTANCES, LITERALS};

/// Numbers from a seed (xorshift).
#[derive(Debug, Clone)]
pub(super) struct XorShift(u64);

impl XorShift {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below this one.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 20).unwrap() % end.max(1)
    }

    /// True once in `times` calls.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// A token of a compressed block.
#[derive(Debug, Clone, Copy)]
pub(super) enum BlockToken {
    Literal(u8),
    /// Of a length and from a distance.
    Match(usize, usize),
}

/// The symbol of a number, its extra bits and how many those are.
fn symbol(number: usize, symbols: &[super::super::entry::TableEntry], from: usize) -> (usize, u32, u32) {
    let mut numbers = symbols.iter().enumerate().skip(from).filter(|(_, entry)| !entry.is_odd());
    let (place, entry) = numbers.rfind(|(_, entry)| entry.base() <= number).unwrap();
    (place, u32::try_from(number - entry.base()).unwrap(), entry.bits())
}

/// A code of each symbol, first bit highest, canonical.
fn codes(lengths: &[u8]) -> Vec<u32> {
    let (mut code, mut codes) = (0, vec![0; lengths.len()]);
    for length in 1..16 {
        code <<= 1;
        for (slot, _) in codes.iter_mut().zip(lengths).filter(|(_, own)| **own == length) {
            *slot = code;
            code += 1;
        }
    }
    codes
}

/// Lengths of codes for the `used` ones of `of` symbols, `longest` at most: a tree split at random, or nearly a list.
pub(super) fn lengths(random: &mut XorShift, used: &[usize], of: usize, longest: u8) -> Vec<u8> {
    let mut leaves = vec![0_u8];
    let is_deep = random.once_in(2);
    while leaves.len() < used.len() || leaves == [0] && !used.is_empty() {
        let splittable: Vec<usize> = (0..leaves.len()).filter(|leaf| leaves[*leaf] < longest).collect();
        let deepest = *splittable.iter().max_by_key(|leaf| leaves[**leaf]).unwrap();
        let any = splittable[random.below(splittable.len())];
        // A list leaves no room for many symbols, so only the first few go deep.
        let leaf = if is_deep && leaves.len() < 20 { deepest } else { any };
        leaves[leaf] += 1;
        leaves.push(leaves[leaf]);
    }
    let mut lengths = vec![0; of];
    for &symbol in used {
        let leaf = random.below(leaves.len());
        lengths[symbol] = leaves.swap_remove(leaf);
    }
    lengths
}

/// A stream as it is written.
#[derive(Debug, Default)]
pub(super) struct DeflateWriter {
    pub(super) bytes: Vec<u8>,
    bits: usize,
    pub(super) text: Vec<u8>,
    /// The bit at which each block begins, and how much text stands before it.
    pub(super) blocks: Vec<(usize, usize)>,
}

impl DeflateWriter {
    pub(super) fn bits(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.bits.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |=
                u8::from(value.checked_shr(bit).is_some_and(|value| value & 1 == 1)) << (self.bits % 8);
            self.bits += 1;
        }
    }

    /// Values, each with how many bits it has.
    pub(super) fn all(&mut self, values: &[(u32, u32)]) {
        for (value, bits) in values {
            self.bits(*value, *bits);
        }
    }

    fn code(&mut self, code: u32, length: u8) {
        for bit in (0..length).rev() {
            self.bits(code >> bit & 1, 1);
        }
    }

    pub(super) fn begin(&mut self, is_last: bool, kind: u32) {
        self.blocks.push((self.bits, self.text.len()));
        self.bits(is_last.into(), 1);
        self.bits(kind, 2);
    }

    /// A block that is not compressed.
    pub(super) fn stored(&mut self, is_last: bool, text: &[u8]) {
        self.begin(is_last, 0);
        self.bits = self.bytes.len() * 8;
        let length = u32::try_from(text.len()).unwrap();
        self.bits(length, 16);
        self.bits(!length, 16);
        for byte in text {
            self.bits((*byte).into(), 8);
        }
        self.text.extend(text);
    }

    /// A block with the codes that stand nowhere.
    pub(super) fn fixed(&mut self, is_last: bool, tokens: &[BlockToken]) {
        self.begin(is_last, 1);
        let literals: Vec<u8> = (0..288)
            .map(|symbol| {
                [8, 9, 7, 8][usize::from(symbol > 143) + usize::from(symbol > 255) + usize::from(symbol > 279)]
            })
            .collect();
        self.tokens(tokens, &literals, &[5; 32]);
    }

    /// A block with codes of these lengths.
    pub(super) fn dynamic(&mut self, is_last: bool, random: &mut XorShift, lengths: [&[u8]; 2], tokens: &[BlockToken]) {
        self.begin(is_last, 2);
        self.header(random, lengths);
        self.tokens(tokens, lengths[0], lengths[1]);
    }

    /// The lengths of codes, written with or without repeats.
    pub(super) fn header(&mut self, random: &mut XorShift, [literals, distances]: [&[u8]; 2]) {
        let all = [literals, distances].concat();
        let (mut runs, mut at) = (Vec::new(), 0);
        while at < all.len() {
            let same = all[at..].iter().take_while(|length| **length == all[at]).count();
            let run = match all[at] {
                0 if same >= 11 && !random.once_in(4) => (18, same.min(138), 11, 7),
                0 if same >= 3 && !random.once_in(4) => (17, same.min(10), 3, 3),
                length if at > 0 && length == all[at - 1] && same >= 3 && !random.once_in(4) => (16, same.min(6), 3, 2),
                length => (length.into(), 1, 1, 0),
            };
            at += run.1;
            runs.push(run);
        }
        let mut used: Vec<usize> = runs.iter().map(|run| run.0).collect();
        // A code of one symbol is none.
        used.extend([0, 18]);
        used.sort_unstable();
        used.dedup();
        self.runs(random, (literals.len(), distances.len()), &used, &runs);
    }

    fn runs(
        &mut self,
        random: &mut XorShift,
        counts: (usize, usize),
        used: &[usize],
        runs: &[(usize, usize, usize, u32)],
    ) {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let own = lengths(random, used, 19, 7);
        let count = 1 + ORDER.iter().rposition(|symbol| own[*symbol] > 0).unwrap().max(3);
        for (value, bits) in [(counts.0 - 257, 5), (counts.1 - 1, 5), (count - 4, 4)] {
            self.bits(u32::try_from(value).unwrap(), bits);
        }
        ORDER.iter().take(count).for_each(|symbol| self.bits(own[*symbol].into(), 3));
        let codes = codes(&own);
        for &(symbol, count, least, extra) in runs {
            self.code(codes[symbol], own[symbol]);
            self.bits(u32::try_from(count - least).unwrap(), extra);
        }
    }

    fn tokens(&mut self, tokens: &[BlockToken], literals: &[u8], distances: &[u8]) {
        let (literal_codes, distance_codes) = (codes(literals), codes(distances));
        let literal = |writer: &mut Self, symbol: usize| writer.code(literal_codes[symbol], literals[symbol]);
        for token in tokens {
            match *token {
                BlockToken::Literal(byte) => {
                    literal(self, byte.into());
                    self.text.push(byte);
                }
                BlockToken::Match(length, distance) => {
                    let (own, extra, bits) = symbol(length, &LITERALS, 257);
                    literal(self, own);
                    self.bits(extra, bits);
                    let (own, extra, bits) = symbol(distance, &DISTANCES, 0);
                    self.code(distance_codes[own], distances[own]);
                    self.bits(extra, bits);
                    for _ in 0..length {
                        let byte = self.text.len().checked_sub(distance).map_or(0, |from| self.text[from]);
                        self.text.push(byte);
                    }
                }
            }
        }
        literal(self, 256);
    }

    fn block(&mut self, random: &mut XorShift, is_last: bool, most: usize) {
        let tokens = tokens(random, self.text.len(), most);
        match random.below(6) {
            0 => {
                let length = random.below(most);
                let text: Vec<u8> = (0..length).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
                self.stored(is_last, if random.once_in(3) { &[] } else { &text });
            }
            1 => self.fixed(is_last, &tokens),
            _ => {
                let [literals, distances] = lengths_for(random, &tokens);
                self.dynamic(is_last, random, [&literals, &distances], &tokens);
            }
        }
    }
}

/// Lengths of codes with which these tokens can be written, and some more symbols.
fn lengths_for(random: &mut XorShift, tokens: &[BlockToken]) -> [Vec<u8>; 2] {
    let (mut literals, mut distances) = (vec![256], Vec::new());
    for token in tokens {
        match *token {
            BlockToken::Literal(byte) => literals.push(byte.into()),
            BlockToken::Match(length, distance) => {
                literals.push(symbol(length, &LITERALS, 257).0);
                distances.push(symbol(distance, &DISTANCES, 0).0);
            }
        }
    }
    let more = *[0, 3, 250].get(random.below(3)).unwrap();
    literals.extend((0..more).map(|_| random.below(286)));
    distances.extend((0..more / 8).map(|_| random.below(30)));
    for used in [&mut literals, &mut distances] {
        used.sort_unstable();
        used.dedup();
    }
    let (most, far) = (literals.last().unwrap() + 1, distances.last().map_or(1, |last| last + 1));
    let [most, far] = [most.max(257) + random.below(287 - most.max(257)), far + random.below(31 - far)];
    [lengths(random, &literals, most, 15), lengths(random, &distances, far, 15)]
}

/// Tokens that follow this much text: few or many different ones, near and far.
fn tokens(random: &mut XorShift, before: usize, most: usize) -> Vec<BlockToken> {
    let (mut written, palette, literals) = (before, 1 + random.below(256), 1 + random.below(8));
    let count = random.below(most);
    let token = |_| {
        if written == 0 || random.below(8) < literals {
            written += 1;
            return BlockToken::Literal(u8::try_from(random.below(palette)).unwrap());
        }
        let longest = [8, 60, 256][random.below(3)];
        let length = 3 + random.below(longest);
        let length = if random.once_in(20) { 258 } else { length };
        let reach = written.min([4, 40, 600, 32_768][random.below(4)]);
        let distance = if random.once_in(10) { written.min(32_768) } else { 1 + random.below(reach) };
        written += length;
        BlockToken::Match(length, distance)
    };
    (0..count).map(token).collect()
}

/// A stream of a few blocks.
pub(super) fn stream(seed: u64, blocks: usize, most: usize) -> DeflateWriter {
    let (mut random, mut writer) = (XorShift::new(seed), DeflateWriter::default());
    for block in (0..blocks).rev() {
        writer.block(&mut random, block == 0, most);
    }
    writer
}
