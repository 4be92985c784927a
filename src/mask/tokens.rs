//! Tokens: what a machine made to be secret, by its form alone.
//!
//! A token looks random (digits among letters, capitals among small letters, more often than a name has them), begins as its
//! maker begins its tokens, or is the key of a certificate or a cloud.

use std::ops::Range;

use super::lists::TOKEN_PREFIXES;
use super::numbers::has_card;

/// Shortest run of letters and digits that may look random.
pub(super) const TOKEN_MIN: usize = 16;
/// Shortest run that is a token because of its beginning.
const PREFIXED_MIN: usize = 10;
/// Shortest part of a token between hyphens that gives it away together with another one.
const MIXED_MIN: usize = 8;
/// How often such a part changes its kind of signs.
const MIXED_CHANGES: usize = 4;
/// Letters, digits, `+` and `/` of a secret key of AWS.
const KEY_LENGTH: usize = 40;
/// Shortest run in base64, with a `+` or with `=` at its end.
const BASE64_MIN: usize = 24;
/// Signs of a UUID.
pub(super) const UUID_LENGTH: usize = 36;
/// The beginning of a key in PEM.
const PEM: &str = "-----BEGIN";

/// Whether something in the text looks random, or is an e-mail address, the number of a card, or a key.
pub(super) fn is_token(text: &str) -> bool {
    let mut makeup = Makeup::default();
    text.bytes().for_each(|byte| makeup.push(byte));
    makeup.may_hold_token() && makeup.has_token(text)
}

/// The composition of a text, as far as it decides whether a token can be in it.
#[derive(Default)]
pub(super) struct Makeup {
    run: usize,
    /// Letters, digits, `-` and `_` without anything else between, at most.
    longest: usize,
    base64: usize,
    longest_base64: usize,
    pub(super) digits: usize,
    pub(super) has_at: bool,
}

impl Makeup {
    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        let is_alnum = byte.is_ascii_alphanumeric();
        self.digits += usize::from(byte.is_ascii_digit());
        self.has_at |= byte == b'@';
        self.run = if is_alnum || matches!(byte, b'-' | b'_') { self.run + 1 } else { 0 };
        self.longest = self.longest.max(self.run);
        self.base64 = if is_alnum || matches!(byte, b'+' | b'/') { self.base64 + 1 } else { 0 };
        self.longest_base64 = self.longest_base64.max(self.base64);
    }

    /// Whether the text is long enough in some part.
    pub(super) const fn may_hold_token(&self) -> bool {
        self.has_at || self.longest >= PREFIXED_MIN || self.longest_base64 >= BASE64_MIN || self.digits > 12
    }

    /// Longest run of letters, digits, `-` and `_`.
    pub(super) const fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn has_token(&self, text: &str) -> bool {
        self.has_at && has_mail_address(text)
            || has_card(text)
            || self.longest >= PREFIXED_MIN && runs(text).any(is_random)
            || self.longest >= PREFIXED_MIN && text.contains(PEM)
            || self.longest_base64 >= BASE64_MIN && has_base64(text)
            || self.longest_base64 >= KEY_LENGTH && secret_key(text).is_some()
    }
}

/// Whether the key of a certificate begins in the text; where, if so.
pub(super) fn find_pem(text: &str) -> Option<usize> {
    text.find(PEM)
}

/// The runs of letters, digits, `-` and `_` of a text.
pub(super) fn runs(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'))
}

/// Every two neighbours.
pub(super) fn pairs(bytes: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    bytes.iter().copied().zip(bytes.iter().copied().skip(1))
}

/// Whether a run of letters, digits, `-` and `_` looks random, or begins as tokens do on a boundary of a word.
fn is_random(run: &[u8]) -> bool {
    if run.len() < PREFIXED_MIN {
        return false;
    }
    if starts_token(run) {
        return true;
    }
    if run.len() < TOKEN_MIN || is_uuid(run) {
        return false;
    }
    let signs = run.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let changes = pairs(run).filter(|(a, b)| is_change(*a, *b)).count();
    let parts = || run.split(|byte| !byte.is_ascii_alphanumeric());
    // In random text of 64 signs two of three pairs change their kind, in a slug one of ten.
    signs >= TOKEN_MIN && changes * 3 >= signs
        || parts().any(is_random_part)
        || parts().filter(|part| is_mixed_part(part)).count() > 1
}

/// Whether a part has digits, capitals and small letters that change more often than in a name.
fn is_mixed_part(part: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| part.iter().any(is);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    part.len() >= MIXED_MIN && is_mixed && pairs(part).filter(|(a, b)| is_change(*a, *b)).count() >= MIXED_CHANGES
}

/// Whether a token begins at the run's start, or after a hyphen or an underscore in it.
fn starts_token(run: &[u8]) -> bool {
    let mut before = b'-';
    let last = run.len() - PREFIXED_MIN.min(run.len());
    run.iter().enumerate().take(last + 1).any(|(place, byte)| {
        let begins = !before.is_ascii_alphanumeric() && byte.is_ascii_alphanumeric() && FIRST_SIGNS >> byte & 1 != 0;
        before = *byte;
        begins
            && run
                .get(place..)
                .is_some_and(|rest| TOKEN_PREFIXES.iter().any(|prefix| rest.starts_with(prefix.as_bytes())))
    })
}

/// The first signs of the beginnings, one bit each.
pub(super) const FIRST_SIGNS: u128 = first_signs();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn first_signs() -> u128 {
    let (mut bits, mut place) = (0, 0);
    while place < TOKEN_PREFIXES.len() {
        bits |= 1 << TOKEN_PREFIXES[place].as_bytes()[0];
        place += 1;
    }
    bits
}

/// Whether letters and digits without anything between them look random.
fn is_random_part(part: &[u8]) -> bool {
    if part.len() < TOKEN_MIN {
        return false;
    }
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = part.len() - digits;
    let changes = pairs(part).filter(|(a, b)| is_change(*a, *b)).count();
    let capitals = pairs(part).filter(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase()).count();
    let is_hex = digits >= 3 && letters >= 3 && part.iter().all(u8::is_ascii_hexdigit);
    let is_mixed = digits > 0 && letters > 0 && changes * 5 >= part.len();
    is_hex || is_mixed || digits == 0 && capitals * 6 > part.len() && changes * 5 > part.len() * 2
}

/// Whether two signs are of different kinds: digit, capital, small letter; another sign is of any kind.
pub(super) fn is_change(a: u8, b: u8) -> bool {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        _ => 0,
    };
    kind(a) != 0 && kind(b) != 0 && kind(a) != kind(b)
}

/// Whether random bytes in base64 are in the text, which a `+` in them or a `=` after them gives away.
fn has_base64(text: &str) -> bool {
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.as_bytes().split(|byte| !is_sign(byte)).any(|run| {
        let is_marked = run.len() >= BASE64_MIN && (run.contains(&b'+') || run.ends_with(b"="));
        is_marked && changes_often(run, 3)
    })
}

/// Whether one of `each` pairs of signs changes its kind, and both cases are there; of letters alone, one of three.
fn changes_often(run: &[u8], each: usize) -> bool {
    let has = |is: fn(&u8) -> bool| run.iter().any(is);
    let each = if has(u8::is_ascii_digit) { each } else { each.min(3) };
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    is_mixed && pairs(run).filter(|(a, b)| is_change(*a, *b)).count() * each >= run.len()
}

/// Where a secret key of AWS is in the text: 40 letters, digits, `+` and `/` that look random, with a boundary on both sides.
/// In a path a `/` is one. A longer run that looks random as a whole counts too.
pub(super) fn secret_key(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if bytes.len() < KEY_LENGTH {
        return None;
    }
    let mut next = 0;
    let runs = bytes.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/'));
    let mut keys = runs.filter_map(|run| {
        let start = next;
        next += run.len() + 1;
        let key = key_in(run)?;
        Some(start + key.start..start + key.end)
    });
    keys.next().map(|key| with_joined(bytes, &key))
}

/// Where a key is in a run of letters, digits, `+` and `/`.
fn key_in(run: &[u8]) -> Option<Range<usize>> {
    if run.len() > KEY_LENGTH && changes_often(run, 3) {
        return Some(0..run.len());
    }
    let is_edge = |place: usize, sign: Option<&u8>| place == 0 || sign.is_none_or(|sign| *sign == b'/');
    let mut keys = run.windows(KEY_LENGTH).enumerate().filter(|(start, key)| {
        is_edge(*start, start.checked_sub(1).and_then(|before| run.get(before)))
            && is_edge(1, run.get(start + KEY_LENGTH))
            && changes_often(key, 4)
    });
    let (start, _) = keys.next()?;
    // Where a word of the path and the start of a key have the length of one, the key ends later.
    let last = keys.next_back().map_or(start, |(last, _)| last);
    Some(start..last + KEY_LENGTH)
}

/// The place of a key with what is joined to it: of a longer token, which is masked as a whole, or of an escape.
fn with_joined(bytes: &[u8], key: &Range<usize>) -> Range<usize> {
    let is_joined = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'%');
    let count = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(is_joined).count();
    let before = count(&mut bytes.iter().take(key.start).rev());
    key.start - before..key.end + count(&mut bytes.iter().skip(key.end))
}

/// Whether an e-mail address is in the text: something on both sides of an `@`.
fn has_mail_address(text: &str) -> bool {
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-') || byte > 0x7f;
    let mut triples = text.as_bytes().windows(3);
    triples.any(|three| matches!(three, [before, b'@', after] if is_local(*before) && is_local(*after)))
}

/// Whether a text is a UUID.
pub(super) fn is_uuid(text: &[u8]) -> bool {
    text.len() == UUID_LENGTH
        && text.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::{is_token, secret_key};

    #[test]
    fn keys_of_clouds_and_certificates_are_tokens() {
        for text in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "x wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.",
            "AKIAIOSFODNN7EXAMPLE",
            "x-ghp_abcdefghijkl",
            "npm_abcdefghijklmnopqrstuvwxyzabcdefghij",
            "xoxb-abc-def-ghi",
            "-----BEGIN RSA PRIVATE KEY-----",
            "a+b/Kd9fJq2WpXzT7rVn3mBs5g==",
            "uVMgOpnyBNyTQGzIdLOcagZjqv/ZsOX/tzUMoqJI",
            "x-8v161kyNWEDCC_1AULKBcAum-y",
        ] {
            assert!(is_token(text), "{text}");
        }
        for text in [
            "assets/app/components/HeaderBar/Menu2/index",
            "desk_lamp-green",
            "iPhone15-Pro-Max-256GB-Blue-Titanium",
            "sk-SK",
            "application/x-www-form-urlencoded",
            "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v",
        ] {
            assert!(!is_token(text), "{text}");
        }
        assert_eq!(secret_key("/example/gLm2RUI6qkgm5RWhfNpGED/Vraee2H3s/rtoeXNH"), Some(0..49));
        assert_eq!(secret_key("a.b-wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY-y.c"), Some(2..46));
        assert_eq!(secret_key("/x/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY/y"), Some(3..43));
    }
}
