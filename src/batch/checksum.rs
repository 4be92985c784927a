//! The checksum of gzip, CRC-32, over long texts: by folding, which needs no table.
//!
//! The usual implementations look up a table for each byte, or use an instruction that wasm does not have; in wasm
//! that took a sixth of the time of indexing. This one folds. The sum is the text's remainder by a polynomial P, so a
//! word of the text may be removed if words with the same remainder are added (which is XOR) elsewhere. There is such
//! a rule with three places, each a whole number of words after the word: [`DISTANCES`]. So three former words are added
//! to each word, including what was added to them. What the last of them would add to the words to come is left at the
//! end, and the library computes its sum. The code does this for a block of words at a time, in a loop that the
//! compiler vectorises.
//!
//! # Invariants
//!
//! The sum equals that of `flate2` for every text, in whatever pieces it comes. `flate2` alone sums a text shorter
//! than a block.

use flate2::Crc;

/// Bytes of a word: a vector of the machine.
const WORD: usize = 16;
/// Words that are processed at once: at most the shortest distance of [`DISTANCES`].
const BLOCK: usize = 128;
/// A word has the same remainder as three copies of itself, each this many words later, together: found by trying,
/// proven by a test. Among such rules with words of this size it reaches no further than most: 48 KB.
const DISTANCES: [usize; 3] = [140, 791, 3006];
/// Words that are kept: more than the longest way and a block, so that a block never reads where it is kept; and a whole
/// number of blocks.
const KEPT: usize = 4096;
/// 64-bit halves of a word; additions work on them.
const HALVES: usize = 2;

/// P without its highest power, the powers from high to low.
const POLYNOMIAL: u32 = 0xedb8_8320;
const ONE: u32 = 1 << 31;
/// The inverse of x to the power of the bits of the longest distance: it undoes that many zeros.
const UNDO: u32 = power(u32::MAX as u64 - (DISTANCES[2] * WORD * 8) as u64);

/// The CRC-32 of a text that arrives in pieces.
#[derive(Debug)]
pub(crate) struct Checksum {
    /// The last words with what was added to them, as a ring whose first block is repeated after its end; zeros before
    /// the text.
    kept: Box<[u64]>,
    /// The place in the ring of the next word, in halves.
    at: usize,
    /// Whether a block was taken.
    began: bool,
    /// The bytes that do not fill a block yet.
    rest: Vec<u8>,
}

impl Default for Checksum {
    fn default() -> Self {
        let kept = vec![0; (KEPT + BLOCK) * HALVES].into_boxed_slice();
        Self { kept, at: 0, began: false, rest: Vec::with_capacity(BLOCK * WORD) }
    }
}

impl Checksum {
    /// Takes the next piece of the text.
    pub(crate) fn update(&mut self, mut text: &[u8]) {
        if !self.rest.is_empty() {
            let missing = BLOCK * WORD - self.rest.len();
            let (now, later) = text.split_at(missing.min(text.len()));
            self.rest.extend_from_slice(now);
            text = later;
            if self.rest.len() < BLOCK * WORD {
                return;
            }
            let block = std::mem::take(&mut self.rest);
            self.blocks(&block);
            self.rest = block;
            self.rest.clear();
        }
        let rest = self.blocks(text);
        self.rest.extend_from_slice(rest);
    }

    /// Returns the sum of the text so far, and resets the state.
    pub(crate) fn finish(&mut self) -> u32 {
        let mut state = u32::MAX;
        if self.began {
            let last: Vec<u8> = (0..DISTANCES[2] * HALVES).flat_map(|half| self.to_come(half).to_le_bytes()).collect();
            // That is the text followed by as many zeros.
            state = times(raw(0, &last), UNDO);
            self.kept.fill(0);
        }
        let sum = !raw(state, &self.rest);
        (self.at, self.began) = (0, false);
        self.rest.clear();
        sum
    }

    /// Processes whole blocks, and returns the rest, which is shorter than a block.
    fn blocks<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let (blocks, rest) = text.as_chunks::<{ BLOCK * WORD }>();
        for block in blocks {
            self.block(block);
        }
        rest
    }

    fn block(&mut self, block: &[u8; BLOCK * WORD]) {
        // Former words are on one side of the block's place in the ring, each block of them as a whole.
        let Some((before, rest)) = self.kept.split_at_mut_checked(self.at) else { return };
        let Some((own, after)) = rest.split_first_chunk_mut::<{ BLOCK * HALVES }>() else { return };
        let [first, second, third] = DISTANCES.map(|distance| {
            let from = (self.at + (KEPT - distance) * HALVES) % (KEPT * HALVES);
            let words = if from < self.at { before.get(from..) } else { after.get(from - self.at - own.len()..) };
            words.and_then(<[u64]>::first_chunk).unwrap_or(&[0; BLOCK * HALVES])
        });
        let (halves, _) = block.as_chunks();
        for ((((own, half), first), second), third) in own.iter_mut().zip(halves).zip(first).zip(second).zip(third) {
            *own = u64::from_le_bytes(*half) ^ first ^ second ^ third;
        }
        if !self.began {
            // The sum begins with ones, which is as if the text's first bytes were others.
            own[0] ^= u64::from(u32::MAX);
            self.began = true;
        }
        // The first block of the ring is repeated after its end.
        if self.at == 0
            && let Some(mirror) = after.last_chunk_mut()
        {
            *mirror = *own;
        }
        self.at = (self.at + own.len()) % (KEPT * HALVES);
    }

    /// Returns the contribution of the words so far to the word after `half` halves of further ones.
    fn to_come(&self, half: usize) -> u64 {
        let from = DISTANCES.into_iter().filter(|distance| half < distance * HALVES);
        let kept = from.map(|distance| (self.at + half + (KEPT - distance) * HALVES) % (KEPT * HALVES));
        kept.filter_map(|place| self.kept.get(place)).fold(0, |sum, word| sum ^ word)
    }
}

/// The register after these bytes, where it was `state` before them.
fn raw(state: u32, bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    // The library's register begins with ones: what they came to is taken away, and what `state` comes to is added.
    let bits = bytes.len() as u64 * 8;
    !crc.sum() ^ times(u32::MAX ^ state, power(bits))
}

const fn power(mut exponent: u64) -> u32 {
    let (mut result, mut square) = (ONE, ONE >> 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        exponent >>= 1;
    }
    result
}

/// The product of two polynomials by P.
const fn times(mut one: u32, other: u32) -> u32 {
    let (mut product, mut power) = (0, ONE);
    while power > 0 {
        if other & power != 0 {
            product ^= one;
        }
        one = if one & 1 == 1 { one >> 1 ^ POLYNOMIAL } else { one >> 1 };
        power >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use flate2::Crc;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{BLOCK, Checksum, DISTANCES, KEPT, ONE, UNDO, WORD, power, times};

    /// The sum of a text by the library.
    fn plain(text: &[u8]) -> u32 {
        let mut crc = Crc::new();
        crc.update(text);
        crc.sum()
    }

    /// A text that repeats itself nowhere.
    fn text(length: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn word_is_worth_itself_at_the_later_places() {
        let bits = |words: usize| (words * WORD * 8) as u64;
        let [near, middle, far] = DISTANCES;
        // Over as many words as the longest way: the word itself, and where it is added.
        assert_eq!(power(bits(far)), power(bits(far - near)) ^ power(bits(far - middle)) ^ ONE);
        assert_eq!(times(UNDO, power(bits(far))), ONE);
        assert!(BLOCK <= near && far + BLOCK <= KEPT && KEPT.is_multiple_of(BLOCK));
    }

    #[test]
    fn sums_match_the_library_around_every_border() {
        let all = text(3 * KEPT * WORD + 5);
        let borders =
            [0, 1, BLOCK * WORD, 2 * BLOCK * WORD, DISTANCES[2] * WORD, KEPT * WORD, 2 * KEPT * WORD, all.len()];
        let mut checksum = Checksum::default();
        for length in borders.into_iter().flat_map(|border| border.saturating_sub(2)..border + 3) {
            let text = all.get(..length).unwrap_or(&all);
            checksum.update(text);
            assert_eq!(checksum.finish(), plain(text), "{length}");
        }
    }

    #[test]
    fn a_single_bit_anywhere_shows() {
        let mut all = text(2 * KEPT * WORD + 9);
        let right = plain(&all);
        for place in (0..all.len()).step_by(977) {
            all[place] ^= 1 << (place % 8);
            let mut checksum = Checksum::default();
            checksum.update(&all);
            assert_ne!(checksum.finish(), right, "{place}");
            all[place] ^= 1 << (place % 8);
        }
    }

    proptest! {
        #[test]
        fn sum_does_not_depend_on_cuts(
            length in 0_usize..200_000,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let text = text(length);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
            places.extend([0, length]);
            places.sort_unstable();
            let mut checksum = Checksum::default();
            for pair in places.windows(2) {
                checksum.update(&text[pair[0]..pair[1]]);
            }
            prop_assert_eq!(checksum.finish(), plain(&text));
        }
    }
}
