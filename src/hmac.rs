//! HMAC-SHA256 (RFC 2104): seals cursors, makes fingerprints of tokens and digests of erased values.

use sha2::{Digest, Sha256};

/// Size of a block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// Returns the HMAC-SHA256 of the parts, one after the other.
#[must_use]
pub fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; BLOCK];
        block.iter_mut().zip(key).for_each(|(pad, key)| *pad ^= key);
        block
    };
    let mut inner = Sha256::new_with_prefix(pad(0x36));
    for part in parts {
        inner.update(part);
    }
    Sha256::new_with_prefix(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::hmac;

    #[test]
    fn hmac_is_that_of_the_rfc() {
        // RFC 4231, test cases 1 and 2, whose keys are shorter than a hash: zeros follow.
        let padded = |short: &[u8]| {
            let mut key = [0; 32];
            key[..short.len()].copy_from_slice(short);
            key
        };
        for (short, data, expected) in [
            (&[0x0b; 20][..], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                &b"Jefe"[..],
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            let (first, rest) = data.as_bytes().split_at(3);
            assert_eq!(hex::encode(hmac(&padded(short), &[first, rest])), expected);
        }
    }
}
