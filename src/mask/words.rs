//! Words: what of a text was made for people. A text is **harmless** if nothing but words, short numbers and names such as
//! `iphone15` is in it; what is not is masked for a viewer.
//!
//! # Invariants
//!
//! A text with a token or with an address is not harmless.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::address::has_address;
use super::names::tells_secret;
use super::normal::normal;
use super::numbers::ALL_DIGITS_MAX;
use super::tokens::{Makeup, TOKEN_MIN, UUID_LENGTH, is_change, is_token, is_uuid, pairs, runs};
use super::{MASKED, Role};

/// Longest number that is harmless: a date has 8 digits, a telephone number 9 and more.
const DIGITS_MAX: usize = 8;
/// Longest word that is harmless.
const WORD_MAX: usize = 24;
/// Longest word with digits in it that is harmless.
const MIXED_MAX: usize = 16;
/// Most words with digits in them that a harmless text has.
const MIXED_WORDS_MAX: usize = 3;

/// Whether `role` may not see the text, which is in its [normal] form and has no escapes any more.
pub(super) fn refused(role: Role, text: &str) -> bool {
    match role {
        Role::Viewer => !is_harmless(text) || tells_secret(role, text),
        Role::Support => is_token(text) || tells_secret(role, text),
        Role::Forensics => false,
    }
}

/// Kinds of signs in a text, one bit each.
mod kind {
    pub(super) const DIGIT: u8 = 1;
    pub(super) const CAPITAL: u8 = 2;
    pub(super) const HIGH: u8 = 4;
    pub(super) const PERCENT: u8 = 8;
    /// Signs that no harmless text has.
    pub(super) const REFUSED: u8 = 16;
}

/// Whether there is nothing in the text but words and short numbers.
pub(super) fn is_harmless(text: &str) -> bool {
    if text == MASKED {
        return true;
    }
    let (mut kinds, mut makeup) = (0, Makeup::default());
    for byte in text.bytes() {
        makeup.push(byte);
        kinds |= match byte {
            b'0'..=b'9' => kind::DIGIT,
            b'A'..=b'Z' => kind::CAPITAL,
            b'%' => kind::PERCENT,
            b'@' | 0..0x20 | 0x7f => kind::REFUSED,
            0x80.. => kind::HIGH,
            _ => 0,
        };
    }
    // What is harmless needs no escapes; who means one has undone it.
    let is_escaped = || matches!(Cow::from(percent_decode_str(text)), Cow::Owned(_));
    if kinds & kind::REFUSED != 0
        || makeup.digits > ALL_DIGITS_MAX
        || kinds & kind::PERCENT != 0 && is_escaped()
        || kinds & kind::HIGH != 0 && !has_letters_alone(text)
    {
        return false;
    }
    // Small letters alone are words, if they are not too long.
    let is_plain = kinds & (kind::DIGIT | kind::CAPITAL | kind::HIGH) == 0;
    let is_short = makeup.longest() < TOKEN_MIN;
    if makeup.may_hold_token() && makeup.has_token(text) || has_address(text) {
        return false;
    }
    let is_made = || !is_short && runs(text).any(is_uneven) || text.len() >= UUID_LENGTH && has_uuid(text);
    is_plain && is_short || !is_made() && has_words_alone(text)
}

/// Whether what is not ASCII is letters, in their plain form.
fn has_letters_alone(text: &str) -> bool {
    // What no text can hold was replaced, and says nothing.
    let is_known = |c: char| c.is_ascii() || c.is_alphabetic() || c == char::REPLACEMENT_CHARACTER;
    text.chars().all(is_known) && matches!(normal(text), Some(Cow::Borrowed(_)))
}

fn has_words_alone(text: &str) -> bool {
    let mut mixed = 0;
    text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()).all(|word| {
        mixed += usize::from(is_mixed(word));
        mixed <= MIXED_WORDS_MAX && is_word(word)
    })
}

fn is_mixed(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit()) && word.bytes().any(|byte| !byte.is_ascii_digit())
}

/// Whether letters and digits without anything between them are a word, a short number, or a name such as `x86`.
fn is_word(word: &str) -> bool {
    let bytes = word.as_bytes();
    let ascii = bytes.iter().filter(|byte| byte.is_ascii()).count();
    if is_mixed(word) {
        return is_mixed_word(bytes);
    }
    if bytes.iter().all(u8::is_ascii_digit) {
        return bytes.len() <= DIGITS_MAX;
    }
    // `AppleWebKit` has two capitals inside; a random word of 16 letters has four.
    let capitals = pairs(bytes).filter(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase()).count();
    let changes = pairs(bytes).filter(|(a, b)| a.is_ascii_lowercase() != b.is_ascii_lowercase()).count();
    let few = if ascii > MIXED_MAX { capitals <= 2 && changes <= 4 } else { capitals <= 1 + ascii / 8 };
    ascii <= WORD_MAX && few && (ascii < 12 || changes * 5 <= ascii * 2)
}

/// Whether letters and digits are a name such as `iphone15`, `Win64` or `15E148`: where digits are between letters, or letters
/// between digits, the letters are of one case.
fn is_mixed_word(bytes: &[u8]) -> bool {
    let switches = pairs(bytes).filter(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit()).count();
    let has = |is: fn(&u8) -> bool| bytes.iter().any(is);
    let is_one_case = !(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase));
    let capitals = pairs(bytes).filter(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase()).count();
    match switches {
        1 => bytes.len() <= MIXED_MAX && capitals <= 1,
        2 | 3 => bytes.len() <= DIGITS_MAX && is_one_case,
        _ => false,
    }
}

/// Whether a long run changes its kind of signs more often than names do, whose words may begin with a capital.
fn is_uneven(run: &[u8]) -> bool {
    let parts = || run.split(|byte| !byte.is_ascii_alphanumeric());
    let begins = |part: &&[u8]| matches!(part, [b'A'..=b'Z' | b'a'..=b'z', ..]);
    let changes = pairs(run).filter(|(a, b)| is_change(*a, *b)).count();
    let signs: usize = parts().map(<[u8]>::len).sum();
    signs >= TOKEN_MIN && changes.saturating_sub(parts().filter(begins).count()) * 4 >= signs
}

/// Whether a UUID is in the text.
fn has_uuid(text: &str) -> bool {
    text.as_bytes().windows(UUID_LENGTH).any(is_uuid)
}

#[cfg(test)]
mod tests {
    use super::{is_harmless, is_token, refused};
    use crate::mask::Role;

    const HARMLESS: [&str; 20] = [
        "",
        "cut \u{fffd}",
        "post-title.html",
        "2026-11-28",
        "iphone15-pro-max-256gb-blue",
        "AppleWebKit",
        "XMLHttpRequest",
        "facebookexternalhit",
        "filterBasedFirewall",
        "15E148",
        "QP1A.190711.020",
        "ECDHE-ECDSA-CHACHA20-POLY1305-SHA256",
        "Content-Security-Policy-Report-Only",
        "AdsBot-Google-Mobile-Apps",
        "San José",
        "東京",
        "[masked]",
        "Search Engine Crawler",
        "test-ray-001",
        "application/x-www-form-urlencoded",
    ];
    const TOKENS: [&str; 13] = [
        "a1b2-c3d4-e5f6-a7b8",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "d41d8cd98f00b204e9800998ecf8427e",
        "app.3f2a9c1b7d6e4f5a.js",
        "Zk9vQmFyLUJhei1RdXV4X1F1dXV4",
        "q7w8e9r1t2y3u4i5o6p7",
        "4111111111111111",
        "4111-1111-1111-1111",
        "5500 0000 0000 0004",
        "ann@example.com",
        "x ann.lee+tag@mail.example y",
        "KdJfQwErTyUiOpAsDfGhJk",
    ];

    #[test]
    fn words_are_harmless_and_no_tokens() {
        for text in HARMLESS {
            assert!(is_harmless(text) && !is_token(text), "{text}");
        }
    }

    #[test]
    fn tokens_are_seen_and_are_not_harmless() {
        for text in TOKENS {
            assert!(is_token(text) && !is_harmless(text), "{text}");
        }
    }

    #[test]
    fn what_a_viewer_may_not_see_support_may() {
        for text in [
            "550e8400-e29b-41d4-a716-446655440000",
            "x/7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "123456789",
            "x-qFShqkus_Aedbm-53mWetMLnu-y",
            "x\u{200b}y",
            "ｓｋ",
            "@scope",
            "1774680145123",
        ] {
            assert!(!is_harmless(text) && !is_token(text), "{text}");
        }
    }

    #[test]
    fn a_name_with_its_value_is_refused() {
        for text in ["token:x1", "password/hunter2", "reset-1a2b3c", "npm_abcdefghijk"] {
            assert!([Role::Viewer, Role::Support].iter().all(|role| refused(*role, text)), "{text}");
        }
        for text in ["team:web", "reset-password", "token", "shop-api", "v1.2.3"] {
            assert!([Role::Viewer, Role::Support].iter().all(|role| !refused(*role, text)), "{text}");
        }
        assert!(refused(Role::Viewer, "ip:192.0.2.77") && !refused(Role::Support, "ip:192.0.2.77"));
    }
}
