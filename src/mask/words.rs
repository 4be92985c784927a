//! Words and tokens: what of a text was made for people, and what was made by a machine to be secret.
//!
//! Two judgements, both by the form alone. A **token** is what looks random: digits among letters, capitals among small
//! ones, more often than a name has them; it is masked for everyone who may not see secrets. A text is **harmless** if
//! nothing but words, short numbers and names such as `iphone15` is in it; what is not is masked for a viewer.
//!
//! # Invariants
//!
//! A text with a token is not harmless.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{MASKED, Role};

/// Shortest run of letters and digits that may look random.
const TOKEN_MIN: usize = 16;
/// Longest number that is harmless: a date has 8 digits, a telephone number 9 and more.
const DIGITS_MAX: usize = 8;
/// Most digits of a harmless text: one less than a card's number has.
const ALL_DIGITS_MAX: usize = 12;
/// Longest word that is harmless.
const WORD_MAX: usize = 24;
/// Longest word with digits in it that is harmless.
const MIXED_MAX: usize = 16;
/// Beginnings that makers of tokens give to theirs.
const PREFIXES: [&str; 18] = [
    "eyJ",
    "sk_",
    "sk-",
    "pk_",
    "rk_",
    "rdx_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xox",
    "AKIA",
    "ASIA",
    "AIza",
    "whsec_",
    "ya29",
];
/// Shortest run that is a token because of its beginning.
const PREFIXED_MIN: usize = 10;

/// Whether `role` may not see the text, which has no escapes any more.
pub(super) fn refused(role: Role, text: &str) -> bool {
    match role {
        Role::Viewer => !is_harmless(text),
        Role::Support => is_token(text),
        Role::Forensics => false,
    }
}

/// Whether something in the text looks random, or is an e-mail address or the number of a card.
pub(super) fn is_token(text: &str) -> bool {
    has_address(text) || has_card(text) || runs(text).any(is_random)
}

/// The runs of letters, digits, `-` and `_` of a text.
fn runs(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'))
}

/// Whether there is nothing in the text but words and short numbers.
pub(super) fn is_harmless(text: &str) -> bool {
    if text == MASKED {
        return true;
    }
    let is_letter = |c: char| c.is_alphabetic() && !('\u{ff00}'..='\u{ffef}').contains(&c);
    // What no text can hold was replaced, and says nothing.
    let known = |c: char| is_letter(c) || (' '..='~').contains(&c) || c == char::REPLACEMENT_CHARACTER;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    // What is harmless needs no escapes; who means one has undone it.
    let escaped = matches!(Cow::from(percent_decode_str(text)), Cow::Owned(_));
    if digits > ALL_DIGITS_MAX
        || escaped
        || text.contains('@')
        || !text.chars().all(known)
        || is_token(text)
        || has_uuid(text)
        || runs(text).any(is_uneven)
    {
        return false;
    }
    let mut mixed = 0;
    text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()).all(|word| {
        mixed += usize::from(is_mixed(word));
        mixed <= 3 && is_word(word)
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
        let switches = pairs(bytes).filter(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit()).count();
        return bytes.len() <= MIXED_MAX && switches <= if bytes.len() <= DIGITS_MAX { 3 } else { 1 };
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

fn pairs(bytes: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    bytes.iter().copied().zip(bytes.iter().copied().skip(1))
}

/// Whether a long run changes its kind of signs more often than names do, whose words may begin with a capital.
fn is_uneven(run: &[u8]) -> bool {
    let parts = || run.split(|byte| !byte.is_ascii_alphanumeric());
    let begins = |part: &&[u8]| matches!(part, [b'A'..=b'Z', b'a'..=b'z', ..]);
    let changes = pairs(run).filter(|(a, b)| is_change(*a, *b)).count();
    let signs: usize = parts().map(<[u8]>::len).sum();
    signs >= TOKEN_MIN && changes.saturating_sub(parts().filter(begins).count()) * 4 >= signs
}

/// Whether a run of letters, digits, `-` and `_` looks random.
fn is_random(run: &[u8]) -> bool {
    let prefixed = PREFIXES.iter().any(|prefix| run.starts_with(prefix.as_bytes()));
    if prefixed && run.len() >= PREFIXED_MIN {
        return true;
    }
    if run.len() < TOKEN_MIN || is_uuid(run) {
        return false;
    }
    let signs = run.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let changes = pairs(run).filter(|(a, b)| is_change(*a, *b)).count();
    let parts = run.split(|byte| !byte.is_ascii_alphanumeric());
    // In random text of 64 signs two of three pairs change their kind, in a slug one of ten.
    signs >= TOKEN_MIN && changes * 3 >= signs || parts.into_iter().any(is_random_part)
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

/// Whether two signs are of different kinds: digit, capital, small letter; a `-` or `_` is of any kind.
fn is_change(a: u8, b: u8) -> bool {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        _ => 0,
    };
    kind(a) != 0 && kind(b) != 0 && kind(a) != kind(b)
}

/// Whether an e-mail address is in the text: something on both sides of an `@`.
fn has_address(text: &str) -> bool {
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-') || byte > 0x7f;
    let mut triples = text.as_bytes().windows(3);
    triples.any(|three| matches!(three, [before, b'@', behind] if is_local(*before) && is_local(*behind)))
}

/// Whether the number of a payment card is in the text, its digits together or in groups: 13 to 19 digits that do not
/// begin like a clock's (a card's first digit is 2 to 6), and whose check digit is right.
pub(super) fn has_card(text: &str) -> bool {
    has_number(text, is_card)
}

/// Whether a number is in the text, its digits together or in groups, that is longer than a viewer may see.
pub(super) fn has_long_number(text: &str) -> bool {
    has_number(text, |digits| digits.len() > ALL_DIGITS_MAX)
}

/// Whether the text has a number that `is` accepts. A space, `-`, `+` or `.` separates groups.
fn has_number(text: &str, is: fn(&[u8]) -> bool) -> bool {
    // The digits of the groups so far, and where each group begins in them.
    let (mut digits, mut starts) = (Vec::new(), Vec::new());
    let mut before = 0_u8;
    // The last byte ends the last number.
    for byte in text.bytes().chain([0]) {
        if byte.is_ascii_digit() {
            if !before.is_ascii_digit() {
                starts.push(digits.len());
            }
            digits.push(byte - b'0');
        } else {
            if before.is_ascii_digit() && starts.iter().rev().take(19).any(|start| digits.get(*start..).is_some_and(is))
            {
                return true;
            }
            if !before.is_ascii_digit() || !matches!(byte, b' ' | b'-' | b'+' | b'.') {
                digits.clear();
                starts.clear();
            }
        }
        before = byte;
    }
    false
}

fn is_card(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().map(|(place, digit)| luhn(place, u32::from(*digit))).sum();
    (13..=19).contains(&digits.len()) && matches!(digits.first(), Some(2..=6)) && sum.is_multiple_of(10)
}

/// What a digit adds to the sum of its number, by its place from the right.
const fn luhn(place: usize, digit: u32) -> u32 {
    match (place % 2, digit) {
        (0, digit) => digit,
        (_, 0..=4) => 2 * digit,
        (_, digit) => 2 * digit - 9,
    }
}

/// Whether a UUID is in the text.
fn has_uuid(text: &str) -> bool {
    text.as_bytes().windows(36).any(is_uuid)
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::{has_card, is_harmless, is_token};

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
    fn card_differs_from_a_clock_and_other_numbers() {
        for text in
            ["pay 4111 1111 1111 1111 now", "x5500000000000004", "v1-4111111111111111", "2026 4111-1111-1111-1111"]
        {
            assert!(has_card(text), "{text}");
        }
        for text in ["4111111111111112", "1774680145123", "1774680145123456789", "411111111111", "4111  1111 1111 1111"]
        {
            assert!(!has_card(text), "{text}");
        }
    }
}
