//! The text of a token: `rdx_`, 43 letters and digits that hold 256 random bits, and 6 that are a checksum.
//!
//! The prefix and the checksum let a scanner find tokens in files, and let an isolate refuse what nothing made without
//! asking the registry. `scripts/token` makes the same form. Tokens of the settings may have any form.
//!
//! # Invariants
//! A text is kept nowhere; its SHA-256 stands for it.

use sha2::{Digest, Sha256};

/// What a token begins with.
const PREFIX: &str = "rdx_";
/// The digits, in order of their value.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits that hold 256 bits: 62 to the power of 43 is 2 to the power of 256.03.
const RANDOM_DIGITS: usize = 43;
/// Digits that hold 32 bits.
const CHECK_DIGITS: usize = 6;

/// A token that was made a moment ago.
pub struct TokenSecret(String);

impl TokenSecret {
    /// Makes a token of eight random words.
    #[must_use]
    pub fn from_words(words: [u32; 8]) -> Self {
        let mut text = PREFIX.to_owned();
        push_digits(&mut text, &words, RANDOM_DIGITS);
        let check = checksum(&text);
        push_digits(&mut text, &[check], CHECK_DIGITS);
        Self(text)
    }

    /// The text, for the answer to the one who made it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The hash that is kept.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

/// The SHA-256 of a text that has the form of a token; `None` for any other text.
#[must_use]
pub fn hash_of_secret(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(PREFIX)?;
    if digits.len() != RANDOM_DIGITS + CHECK_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (body, check) = text.split_at_checked(text.len() - CHECK_DIGITS)?;
    let mut expected = String::new();
    push_digits(&mut expected, &[checksum(body)], CHECK_DIGITS);
    (check == expected).then(|| Sha256::digest(text).into())
}

/// The first four bytes of the SHA-256, as a number.
fn checksum(text: &str) -> u32 {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(text).into();
    u32::from_be_bytes([a, b, c, d])
}

/// Writes a number, whose words are in order of their weight, the heaviest first, with this number of digits.
fn push_digits(text: &mut String, words: &[u32], count: usize) {
    let mut words = words.to_vec();
    let mut digits = Vec::with_capacity(count);
    for _ in 0..count {
        let mut rest = 0_u64;
        for word in &mut words {
            let value = rest << 32 | u64::from(*word);
            *word = u32::try_from(value / 62).unwrap_or_default();
            rest = value % 62;
        }
        let digit = usize::try_from(rest).ok().and_then(|place| DIGITS.get(place));
        digits.push(char::from(digit.copied().unwrap_or(b'0')));
    }
    text.extend(digits.iter().rev());
}

#[cfg(test)]
mod tests {
    use super::{TokenSecret, hash_of_secret};

    #[test]
    fn changed_token_is_no_token() {
        for words in [[0; 8], [u32::MAX; 8], [1, 2, 3, 4, 5, 6, 7, 8]] {
            let secret = TokenSecret::from_words(words);
            let text = secret.text().to_owned();
            assert_eq!((text.len(), hash_of_secret(&text)), (53, Some(secret.sha256())), "{text}");
            for place in 0..text.len() {
                let mut changed = text.clone().into_bytes();
                changed[place] = if changed[place] == b'x' { b'y' } else { b'x' };
                assert_eq!(hash_of_secret(std::str::from_utf8(&changed).unwrap()), None, "{place}");
            }
            for other in [
                text.strip_suffix(|_: char| true).unwrap().to_owned(),
                format!("{text}0"),
                text.replace('r', "R"),
                format!(" {text}"),
            ] {
                assert_eq!(hash_of_secret(&other), None, "{other}");
            }
        }
        assert_eq!(hash_of_secret("rdx_4f9aK2mQ7wZx81LpVt0sBn"), None);
        assert_eq!(hash_of_secret(""), None);
    }

    #[test]
    fn form_of_a_token_never_changes() {
        let text = "rdx_00000000000000000000000000000000000000000001U6qEI";
        assert_eq!(TokenSecret::from_words([0; 8]).text(), text);
    }

    #[test]
    fn random_bits_are_all_kept() {
        let texts: std::collections::BTreeSet<String> = (0..256)
            .map(|bit: usize| {
                let mut words = [0; 8];
                words[bit / 32] = 1 << (bit % 32);
                TokenSecret::from_words(words).text().to_owned()
            })
            .collect();
        assert_eq!(texts.len(), 256);
    }
}
