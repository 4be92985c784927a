//! The fingerprint of a bearer token: tells that two requests had the same token, and reveals nothing of it without the key.
//!
//! It is the first 16 bytes of HMAC-SHA256 with a secret of the deployment, so that a person who has a token and the key can
//! compute it: `printf %s TOKEN | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY | cut -c1-32` after the name.
//!
//! # Invariants
//! No key is printed.

use std::fmt;

use crate::access::bearer_token;
use crate::hmac::hmac;

/// Number of bytes of a fingerprint: two of 100 million tokens share one with a probability of 10⁻²³.
const FINGERPRINT_BYTES: usize = 16;

/// The secret that fingerprints are made with.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerprintKey([u8; 32]);

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey")
    }
}

impl FingerprintKey {
    /// Parses a key from 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(digits, &mut key).ok()?;
        Some(Self(key))
    }

    /// Returns the fingerprint of the token in the header `Authorization`; `None` if it has none.
    #[must_use]
    pub fn fingerprint(&self, authorization: &str) -> Option<String> {
        let token = bearer_token(authorization)?;
        hmac(&self.0, &[token.as_bytes()]).get(..FINGERPRINT_BYTES).map(hex::encode)
    }
}

#[cfg(test)]
mod tests {
    use super::FingerprintKey;

    #[test]
    fn fingerprint_is_the_documented_hmac() {
        let key = FingerprintKey::from_hex(&"0b".repeat(32)).unwrap();
        let made = key.fingerprint("Bearer a-token").unwrap();
        // printf %s a-token | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b0b…0b
        assert_eq!(made, "5a1e5672b2cb3a91851a420eafcf7327");
        assert_eq!(key.fingerprint("bearer  a-token"), Some(made.clone()));
        assert_ne!(FingerprintKey::from_hex(&"0c".repeat(32)).unwrap().fingerprint("Bearer a-token"), Some(made));
        assert_eq!(key.fingerprint("Basic YTpi"), None);
    }

    #[test]
    fn key_is_sixty_four_digits_and_unprinted() {
        for odd in ["", "0b", &"0b".repeat(33), &"xy".repeat(32)] {
            assert!(FingerprintKey::from_hex(odd).is_none(), "{odd}");
        }
        assert_eq!(format!("{:?}", FingerprintKey::from_hex(&"0b".repeat(32)).unwrap()), "FingerprintKey");
    }
}
