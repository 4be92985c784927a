//! Digests of erased values: HMAC-SHA256 under a key of the deployment, cut to 128 bits.
//!
//! # Invariants
//! Without the key, no value can be tried against a digest. No key is printed.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hmac::hmac;

/// Hexadecimal digits of a digest.
const DIGITS: usize = 32;

/// A secret of 256 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct ErasureKey([u8; 32]);

impl fmt::Debug for ErasureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasureKey")
    }
}

impl Serialize for ErasureKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.digits())
    }
}

impl<'de> Deserialize<'de> for ErasureKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        Self::from_digits(&digits).ok_or_else(|| D::Error::custom("a key has 64 hexadecimal digits"))
    }
}

impl ErasureKey {
    /// Draws a key from a source of unpredictable words.
    #[must_use]
    pub fn draw(mut word: impl FnMut() -> u32) -> Self {
        let mut key = [0; 32];
        for bytes in key.chunks_exact_mut(4) {
            bytes.copy_from_slice(&word().to_le_bytes());
        }
        Self(key)
    }

    /// Returns the hexadecimal digits of the key, as it is stored.
    #[must_use]
    pub fn digits(&self) -> String {
        hex::encode(self.0)
    }

    /// Parses the digits of a key.
    #[must_use]
    pub fn from_digits(digits: &str) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(digits, &mut key).ok()?;
        Some(Self(key))
    }

    /// Returns the digest of a value: the canonical text of a ray, of an address, or of a field's value.
    #[must_use]
    pub fn digest(&self, text: &str) -> ValueDigest {
        let whole = hmac(&self.0, &[text.as_bytes()]);
        ValueDigest(u128::from_be_bytes(whole.first_chunk().copied().unwrap_or_default()))
    }
}

/// The digest of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueDigest(u128);

/// The digests of an erasure's values, ascending. Its stored form is their hexadecimal digits, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DigestSet(Vec<ValueDigest>);

impl DigestSet {
    /// Returns whether the digest is among them.
    #[must_use]
    pub fn has(&self, digest: ValueDigest) -> bool {
        self.0.binary_search(&digest).is_ok()
    }

    /// Returns the digests.
    pub fn iter(&self) -> impl Iterator<Item = ValueDigest> + '_ {
        self.0.iter().copied()
    }

    /// Number of different values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<ValueDigest> for DigestSet {
    fn from_iter<I: IntoIterator<Item = ValueDigest>>(digests: I) -> Self {
        let mut digests: Vec<_> = digests.into_iter().collect();
        digests.sort_unstable();
        digests.dedup();
        Self(digests)
    }
}

impl Serialize for DigestSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|ValueDigest(bits)| hex::encode(bits.to_be_bytes())).collect();
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        read_digests(&digits).ok_or_else(|| D::Error::custom("digests have 32 hexadecimal digits each"))
    }
}

fn read_digests(digits: &str) -> Option<DigestSet> {
    let (digests, rest) = digits.as_bytes().as_chunks::<DIGITS>();
    let read = |digits: &[u8; DIGITS]| {
        let mut bytes = [0; DIGITS / 2];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(ValueDigest(u128::from_be_bytes(bytes)))
    };
    let read: Option<DigestSet> = digests.iter().map(read).collect();
    read.filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{DigestSet, ErasureKey};

    fn key(byte: u8) -> ErasureKey {
        ErasureKey::draw(|| u32::from_le_bytes([byte; 4]))
    }

    #[test]
    fn stored_digests_are_frozen_and_read_back() {
        let set: DigestSet = ["b", "a", "b"].iter().map(|text| key(7).digest(text)).collect();
        assert_eq!(set.len(), 2);
        let stored = serde_json::to_string(&set).unwrap();
        assert_eq!(stored, format!("\"{FROZEN}\""));
        let read = |digits: &str| serde_json::from_str::<DigestSet>(&format!("\"{digits}\""));
        assert_eq!(read(FROZEN).unwrap(), set);
        assert!(set.has(key(7).digest("a")) && !set.has(key(7).digest("c")) && !set.has(key(8).digest("a")));
        for cut in [FROZEN.trim_start_matches('1'), "x", &"g".repeat(32)] {
            assert!(read(cut).is_err(), "{cut}");
        }
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn key_is_read_back_and_never_printed() {
        let json = serde_json::to_string(&key(1)).unwrap();
        assert_eq!(serde_json::from_str::<ErasureKey>(&json).unwrap(), key(1));
        assert_eq!(format!("{:?}", key(1)), "ErasureKey");
        assert!(ErasureKey::from_digits("00").is_none());
    }

    const FROZEN: &str = "1c208ddb7c6fae88e33b8e40062cc4aa4e7004bebac287656f96a29d4b16be2d";
}
