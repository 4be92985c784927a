//! Tokens that say by their beginning who made them, wherever they are in a text.
//!
//! # Invariants
//! What begins like a token and goes on as words do is none: `npm_config_registry`. Within a word a token is one where its form is
//! long and certain: `tokenghp_16C7e42F292c6912E77`. A text is walked once; of what follows a beginning a bounded part is looked at.

use std::ops::Range;

use super::lists::TOKEN_PREFIXES;
use super::tokens::{FIRST_SIGNS, is_change};

/// The beginning of what JSON in base64 is: a JSON Web Token has a form of its own.
const JSON_START: &str = "eyJ";
/// Fewest signs after the beginning, and most that are looked at.
const REST_MIN: usize = 10;
const REST_MAX: usize = 64;
/// Letters and digits without anything between them that are no word, and digits that are no number.
const PART_MIN: usize = 16;
const DIGITS_MIN: usize = 10;
/// Digits, and changes between kinds of signs, that words do not have.
const FEW_DIGITS: usize = 2;
const CHANGES_MIN: usize = 3;

/// Shortest beginning that counts within a word, where one such as `sk-` is the end of another word.
const INNER_PREFIX_MIN: usize = 4;
/// Fewest signs after it there.
const INNER_REST_MIN: usize = 20;
/// Beginnings of the identifiers of keys of AWS, and the capitals and digits after them.
const AWS_KEYS: [&[u8]; 4] = [b"AKIA", b"ASIA", b"ABIA", b"ACCA"];
const AWS_KEY_REST: usize = 16;

/// Finds a token in the part of a text from here.
#[must_use]
pub fn next_known_token(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    (from..bytes.len()).find_map(|at| {
        let sign = *bytes.get(at)?;
        let is_inside = || at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        if is_joint(sign) {
            inner_token(bytes, from, at + 1)
        } else if FIRST_SIGNS >> (sign & 127) & 1 == 0 || !sign.is_ascii_alphanumeric() {
            None
        } else {
            let rest = bytes.get(at..)?;
            let length = if is_inside() { aws_key_length(rest) } else { token_length(rest) };
            Some(at..at + length?)
        }
    })
}

const fn is_joint(sign: u8) -> bool {
    matches!(sign, b'_' | b'-')
}

/// Returns the length of the identifier of a key of AWS at the beginning of a text.
fn aws_key_length(text: &[u8]) -> Option<usize> {
    let (prefix, rest) = text.split_at_checked(INNER_PREFIX_MIN)?;
    if !AWS_KEYS.contains(&prefix) {
        return None;
    }
    let length = rest.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
    let is_whole = length == AWS_KEY_REST && rest.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    is_whole.then_some(prefix.len() + length)
}

/// Returns the token whose beginning is within a word of the part of a text from `from`, and ends here.
fn inner_token(text: &[u8], from: usize, end: usize) -> Option<Range<usize>> {
    let before = text.get(from..end)?;
    let [.., last, _] = before else { return None };
    let is_before = |prefix: &&&str| {
        let prefix = prefix.as_bytes();
        let may_be = prefix.iter().rev().nth(1) == Some(last) && prefix.last().is_some_and(|byte| is_joint(*byte));
        may_be && prefix.len() >= INNER_PREFIX_MIN && before.ends_with(prefix)
    };
    let prefix = TOKEN_PREFIXES.iter().find(is_before)?;
    let rest = text.get(end..)?;
    let length_in =
        |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || is_joint(**byte)).count();
    let near = rest.get(..REST_MAX).unwrap_or(rest);
    let head = near.get(..length_in(near))?;
    let digits = head.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_certain = head.len() >= INNER_REST_MIN && digits >= FEW_DIGITS && changes(head) >= CHANGES_MIN;
    is_certain.then(|| end - prefix.len()..end + length_in(rest))
}

/// Returns the length of the token at the beginning of a text.
fn token_length(text: &[u8]) -> Option<usize> {
    let starts = |prefix: &&&str| **prefix != JSON_START && text.starts_with(prefix.as_bytes());
    let prefix = TOKEN_PREFIXES.iter().filter(starts).map(|prefix| prefix.len()).max()?;
    let rest = text.get(prefix..)?;
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let head = rest.get(..REST_MAX).unwrap_or(rest);
    let head = head.get(..head.iter().position(|byte| !is_sign(byte)).unwrap_or(head.len()))?;
    if head.len() < REST_MIN || !looks_made(head) {
        return None;
    }
    let end = rest.iter().position(|byte| !is_sign(byte)).unwrap_or(rest.len());
    let dots = rest.get(..end)?.iter().rev().take_while(|byte| **byte == b'.').count();
    Some(prefix + end - dots)
}

/// Returns whether a machine made what follows a beginning.
fn looks_made(rest: &[u8]) -> bool {
    let longest = |is: fn(&u8) -> bool| rest.split(|byte| !is(byte)).map(<[u8]>::len).max().unwrap_or_default();
    let digits = rest.iter().filter(|byte| byte.is_ascii_digit()).count();
    longest(u8::is_ascii_alphanumeric) >= PART_MIN
        || longest(u8::is_ascii_digit) >= DIGITS_MIN
        || digits >= FEW_DIGITS && changes(rest) >= CHANGES_MIN
}

/// Returns how often the kind of signs changes.
fn changes(text: &[u8]) -> usize {
    text.iter().zip(text.iter().skip(1)).filter(|(a, b)| is_change(**a, **b)).count()
}

#[cfg(test)]
mod tests {
    use super::next_known_token;

    #[test]
    fn certain_tokens_are_found_within_words() {
        for token in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "github_pat_11AAAAAAA0abcdefGHIJ9_ABCDEF8HIJKLMNOP",
            "glpat-abcdEFGH1234ijklMN56",
            "AKIAIOSFODNN7EXAMPLE",
            "shpat_0123456789abcdef0123456789abcdef",
        ] {
            for (before, after) in [("token", ""), ("x9", " b"), ("é0", "\"")] {
                let text = format!("{before}{token}{after}");
                let found = next_known_token(&text, 0);
                assert_eq!(found, Some(before.len()..before.len() + token.len()), "{text}");
            }
        }
    }

    #[test]
    fn tokens_of_makers_are_found_anywhere() {
        for token in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "github_pat_11AAAAAAA0abcdefghijkl_ABCDEFGHIJKLMNOP",
            "glpat-abcdEFGH1234ijklMNOP",
            "xoxb-123456789012-1234567890123-AbCdEfGhIjKl",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "sk-ant-api03-AbCd1234EfGh5678",
            "AKIAIOSFODNN7EXAMPLE",
            "AIzaSyA1234567890abcdefghijklmnopqrstuv",
            "ya29.a0AfH6SMBx1y2z3",
            "npm_abcdefghijklmnopqrstuvwxyzabcdefghij",
            "pypi-AgEIcHlwaS5vcmcCJDU1",
            "SG.abcdEFGH1234ijkl.MNOPqrst5678uvwx",
            "dop_v1_0123456789abcdef0123456789abcdef",
            "shpat_0123456789abcdef0123456789abcdef",
        ] {
            for (before, after) in [("", ""), ("a=", "&b"), ("see \"", "\" now"), ("é_", ". Then"), ("/x/", "/y")] {
                let text = format!("{before}{token}{after}");
                let found = next_known_token(&text, 0);
                assert_eq!(found, Some(before.len()..before.len() + token.len()), "{text}");
            }
        }
        for text in [
            "npm_config_registry_url",
            "npm_lifecycle_event",
            "pk_customers_2024_index",
            "sk-learn-extension-pack",
            "hf_transfer_enabled",
            "desk-ghp_ and AKIA",
            "xghp_16C7e42F292c6912",
            "xghp_abcdefghijklmnopqrstuvwxyz01",
            "desksk-16C7e42F292c6912E7710c8",
            "tasksk_16C7e42F292c6912E7710c8",
            "xAKIAIOSFODNN7EXAMPLEX",
            "xAKIAIOSFODNN7EXAMPL",
            "eyJhbGciOiJIUzI1NiJ9",
        ] {
            assert_eq!(next_known_token(text, 0), None, "{text}");
        }
    }
}
