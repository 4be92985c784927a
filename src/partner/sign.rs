//! The signature of a delivery: `{ts}-{rand}-{md5}`, with an MD5 over URI, time, number and private key.
//!
//! # Invariants
//!
//! The private key is used only in the hash. No number is drawn twice in one second, so two deliveries of an isolate
//! never have the same signature.

use std::collections::BTreeMap;
use std::fmt;

use md5::{Digest, Md5};
use sha2::Sha256;

use super::endpoint::PartnerEndpoint;
use crate::limits::{SIGNATURE_NUMBERS, SIGNATURE_S};
use crate::mask::MASKED;

/// The private key that the partner issued.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Box<str>);

/// The private key is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key is empty")]
pub struct EmptyKey;

impl PrivateKey {
    /// Creates a key from `text`.
    ///
    /// # Errors
    /// [`EmptyKey`] if `text` is empty: anyone could sign with such a key.
    pub fn new(text: &str) -> Result<Self, EmptyKey> {
        if text.is_empty() { Err(EmptyKey) } else { Ok(Self(text.into())) }
    }

    /// Returns a text with the key masked wherever it occurs.
    #[must_use]
    pub fn masked_in(&self, text: &str) -> String {
        text.replace(&*self.0, MASKED)
    }

    /// Returns a name for an address with its keys in stored rows: 16 hexadecimal digits that reveal neither.
    #[must_use]
    pub fn fingerprint<'a>(endpoint: &PartnerEndpoint, keys: impl Iterator<Item = &'a Self>) -> String {
        let mut hash = Sha256::new_with_prefix(endpoint.fingerprint());
        for key in keys {
            // A hash of each, so that no two lists of keys are written alike.
            hash.update(Sha256::digest(key.0.as_bytes()));
        }
        let mut digits = hex::encode(hash.finalize());
        digits.truncate(16);
        digits
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// Returns the value of `auth_key` for a request to `uri` at `now_s` (Unix seconds), with a number from
/// [`SignatureNonces::draw`].
#[must_use]
pub fn auth_key(uri: &str, now_s: i64, random: u32, key: &PrivateKey) -> String {
    let ts = now_s.saturating_add(SIGNATURE_S);
    let hash = Md5::digest(format!("{uri}-{ts}-{random}-{}", key.0));
    format!("{ts}-{random}-{}", hex::encode(hash))
}

/// The random numbers of signatures, unique within each second.
///
/// They are the front of a lazy shuffle: `moved` holds the positions of the array 0, 1, 2, … that no longer hold their
/// own number. A clock that goes backwards begins a new shuffle.
#[derive(Debug, Clone, Default)]
pub struct SignatureNonces {
    second: i64,
    drawn: u32,
    moved: BTreeMap<u32, u32>,
}

impl SignatureNonces {
    /// Draws the next number for the second `now_s`, from 0 to 99,999, uniformly among those that remain. `None` once
    /// all are drawn.
    pub fn draw(&mut self, now_s: i64, bits: &mut impl FnMut() -> u32) -> Option<u32> {
        if self.second != now_s {
            *self = Self { second: now_s, ..Self::default() };
        }
        let left = SIGNATURE_NUMBERS.checked_sub(self.drawn).filter(|left| *left > 0)?;
        let front = self.drawn;
        let place = front + below(left, bits);
        let number = self.at(place);
        self.moved.insert(place, self.at(front));
        self.moved.remove(&front);
        self.drawn += 1;
        Some(number)
    }

    /// Returns the number at a position of the shuffled array.
    fn at(&self, place: u32) -> u32 {
        self.moved.get(&place).copied().unwrap_or(place)
    }
}

/// Returns a uniform number below `bound` (which is not 0). Words from the last whole multiple of `bound` on are
/// rejected, since they would favour small remainders.
fn below(bound: u32, bits: &mut impl FnMut() -> u32) -> u32 {
    /// At most one of 42,949 words is rejected, so a long run of rejections means that the source is broken.
    const TRIES: u32 = 16;
    let excess = (u32::MAX % bound + 1) % bound;
    let mut word = bits();
    for _ in 0..TRIES {
        if word <= u32::MAX - excess {
            break;
        }
        word = bits();
    }
    word % bound
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::{EmptyKey, PrivateKey, SignatureNonces, auth_key, below};

    /// Returns a deterministic source of bits (`SplitMix64`).
    fn source(mut state: u64) -> impl FnMut() -> u32 {
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            u32::try_from(mixed >> 32).unwrap()
        }
    }

    #[test]
    fn a_signature_is_the_one_of_the_contract() {
        let key = PrivateKey::new("secret-key").unwrap();
        // printf %s /logs/edge-1774680445-42-secret-key | md5sum
        assert_eq!(auth_key("/logs/edge", 1_774_680_145, 42, &key), "1774680445-42-8c1db5ef8c5ad7675279f3bd5d4d745b");
    }

    /// Computes the MD5 of a text with another program.
    fn md5sum(text: &str) -> String {
        let mut program =
            Command::new("md5sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("md5sum of coreutils");
        program.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let said = program.wait_with_output().unwrap();
        String::from_utf8(said.stdout).unwrap().split(' ').next().unwrap().to_owned()
    }

    #[test]
    fn another_program_signs_alike() {
        let mut bits = source(3);
        for _ in 0..100 {
            let uri = format!("/{:x}/{:x}", bits(), bits());
            let (now_s, random) = (i64::from(bits()), bits() % 100_000);
            let key = format!("{:x}é{}", bits(), "k".repeat(bits() as usize % 200));
            let ts = now_s + 300;
            let expected = format!("{ts}-{random}-{}", md5sum(&format!("{uri}-{ts}-{random}-{key}")));
            assert_eq!(auth_key(&uri, now_s, random, &PrivateKey::new(&key).unwrap()), expected);
        }
    }

    #[test]
    fn private_key_is_not_empty_and_prints_nothing() {
        assert_eq!(PrivateKey::new(""), Err(EmptyKey));
        assert_eq!(format!("{:?}", PrivateKey::new("hunter2").unwrap()), "PrivateKey(…)");
    }

    #[test]
    fn a_second_has_every_number_once() {
        let (mut nonces, mut bits) = (SignatureNonces::default(), source(1));
        let drawn: Vec<u32> = std::iter::from_fn(|| nonces.draw(7, &mut bits)).collect();
        assert_eq!(drawn.len(), 100_000);
        assert_eq!(drawn.iter().copied().collect::<BTreeSet<_>>(), (0..100_000).collect());
        assert_ne!(drawn, (0..100_000).collect::<Vec<_>>());
        assert!(nonces.moved.is_empty(), "a finished shuffle holds no place");
        assert!(nonces.draw(8, &mut bits).is_some(), "the next second begins anew");
    }

    #[test]
    fn every_number_is_as_likely_as_any_other() {
        let (mut nonces, mut bits) = (SignatureNonces::default(), source(2));
        let mut tenths = [0_u32; 10];
        for second in 0..2_000 {
            for _ in 0..50 {
                tenths[nonces.draw(second, &mut bits).unwrap() as usize / 10_000] += 1;
            }
        }
        // Each tenth has an expected count of 10,000; the standard deviation is 95.
        assert!(tenths.iter().all(|count| (9_500..=10_500).contains(count)), "{tenths:?}");
    }

    #[test]
    fn bits_that_favour_small_numbers_are_discarded() {
        // 3 × 1,431,655,765 = 2^32 - 1: only the last word is rejected.
        let mut words = [u32::MAX, 5].into_iter();
        assert_eq!(below(3, &mut || words.next().unwrap()), 2);
        assert_eq!(below(3, &mut || u32::MAX - 1), 2);
        assert_eq!(below(1 << 31, &mut || u32::MAX), (1 << 31) - 1);
        assert_eq!(below(1, &mut || u32::MAX), 0);
    }

    #[test]
    fn broken_bit_source_neither_hangs_nor_repeats() {
        for word in [0, 1, u32::MAX] {
            let mut nonces = SignatureNonces::default();
            let drawn: BTreeSet<u32> = (0..1_000).map(|_| nonces.draw(1, &mut || word).unwrap()).collect();
            assert_eq!(drawn.len(), 1_000, "{word}");
        }
    }
}
