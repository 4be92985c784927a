//! Tokens that say by their beginning who made them, wherever they are in a text.
//!
//! # Invariants
//! What begins like a token and goes on as words do is none: `npm_config_registry`. A text is walked once; of what follows a
//! beginning a bounded part is looked at.

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

/// Finds a token in the part of a text from here.
#[must_use]
pub fn next_known_token(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let sign = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let is_first = |at: &usize| sign(*at).is_ascii_alphanumeric() && FIRST_SIGNS >> sign(*at) & 1 != 0;
    let begins = |at: &usize| is_first(at) && at.checked_sub(1).is_none_or(|at| !sign(at).is_ascii_alphanumeric());
    (from..bytes.len()).filter(begins).find_map(|at| Some(at..at + token_length(bytes.get(at..)?)?))
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
    let changes = rest.iter().zip(rest.iter().skip(1)).filter(|(a, b)| is_change(**a, **b)).count();
    longest(u8::is_ascii_alphanumeric) >= PART_MIN
        || longest(u8::is_ascii_digit) >= DIGITS_MIN
        || digits >= FEW_DIGITS && changes >= CHANGES_MIN
}

#[cfg(test)]
mod tests {
    use super::next_known_token;

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
            "xghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "eyJhbGciOiJIUzI1NiJ9",
        ] {
            assert_eq!(next_known_token(text, 0), None, "{text}");
        }
    }
}
