//! A compact set of texts: a Bloom filter with ten bits per text, which about one in a hundred others passes.
//!
//! # Invariants
//!
//! Every added text is found. Hash and format never change, since filters are stored.

use crate::limits::FILTER_TEXT_BITS;
use crate::record::mix;

/// Number of bits set per text: the optimum at ten bits per text.
const PROBES: u64 = 7;
/// Minimum size of a filter in bytes.
const LEAST: usize = 8;

/// A Bloom filter of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFilter(Box<[u8]>);

impl TextFilter {
    /// Creates the filter of texts with these hashes.
    pub(super) fn from_hashes(hashes: &[u64]) -> Self {
        let bytes = (hashes.len() * FILTER_TEXT_BITS).div_ceil(8).max(LEAST);
        let mut filter = Self(vec![0; bytes].into_boxed_slice());
        for &hash in hashes {
            for (byte, mask) in filter.probes(hash) {
                if let Some(byte) = filter.0.get_mut(byte) {
                    *byte |= mask;
                }
            }
        }
        filter
    }

    /// Parses a stored filter; `None` if the bytes are not valid.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= LEAST).then(|| Self(bytes.into()))
    }

    /// Returns its stored form.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether the text may be in the set.
    #[must_use]
    pub fn may_hold(&self, text: &str) -> bool {
        let mut probes = self.probes(hash(text.as_bytes()));
        probes.all(|(byte, mask)| self.0.get(byte).is_some_and(|byte| byte & mask != 0))
    }

    /// Returns the byte and the bit of each probe: the low 32 bits of the hash, to which the high 32 bits are added
    /// repeatedly.
    fn probes(&self, hash: u64) -> impl Iterator<Item = (usize, u8)> + use<> {
        let bits = self.0.len() as u64 * 8;
        let (start, step) = (hash & u64::from(u32::MAX), hash >> 32 | 1);
        (0..PROBES).map(move |probe| {
            let bit = (start + probe * step) % bits;
            (usize::try_from(bit / 8).unwrap_or_default(), 1 << (bit % 8))
        })
    }
}

/// Returns a 64-bit hash that depends on every bit: takes eight bytes at a time, the last eight once more, and finishes
/// like `SplitMix64`.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    /// Odd, and as irregular as the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    };
    // Texts that differ only in length start far apart.
    let start = (bytes.len() as u64).wrapping_mul(FACTOR);
    let Some(last) = bytes.last_chunk() else {
        let word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        return mix(step(start, word));
    };
    let words = bytes.as_chunks::<8>().0.iter().fold(start, |hash, word| step(hash, u64::from_le_bytes(*word)));
    mix(step(words, u64::from_le_bytes(*last)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{TextFilter, hash};

    #[test]
    fn the_hash_and_the_form_are_unchanged() {
        let hashes = ["", "192.0.2.1", "2001:db8::1", "a.example.com"].map(|text| hash(text.as_bytes()));
        let shown = hashes.map(|hash| format!("{hash:016x}"));
        assert_eq!(shown, ["0000000000000000", "c923da181407a9b8", "4df47d11bc7f4846", "3317e4d2173ff279"]);
        assert_eq!(hex::encode(TextFilter::from_hashes(&hashes).bytes()), "7f548299001d2403");
    }

    #[test]
    fn every_text_is_found_and_few_others_are() {
        for count in [0, 1, 2, 700, 10_000] {
            let text = |number: u32| format!("198.51.{}.{}", number / 256, number % 256);
            let hashes: Vec<u64> = (0..count).map(|number| hash(text(number).as_bytes())).collect();
            let filter = TextFilter::from_bytes(TextFilter::from_hashes(&hashes).bytes()).unwrap();
            assert!((0..count).all(|number| filter.may_hold(&text(number))));
            let others = (1_000_000..1_020_000).filter(|number| filter.may_hold(&text(*number))).count();
            assert!(others < 400, "{others} of 20,000 with {count} in it");
        }
        assert_eq!(TextFilter::from_bytes(&[255; 7]), None);
    }

    #[test]
    fn near_texts_have_hashes_far_apart() {
        let texts =
            (0..=255_u8).flat_map(|byte| [vec![byte], vec![byte, 0], vec![0; 8], vec![byte; 8], vec![byte; 17]]);
        let texts: BTreeSet<Vec<u8>> = texts.collect();
        let low: BTreeSet<u64> = texts.iter().map(|text| hash(text) & 0xffff_ffff).collect();
        assert_eq!(low.len(), texts.len());
    }
}
