//! Takes out of a command line the values of options that take secrets: `--password x`, `-p x`, `-phunter2`.
//!
//! # Invariants
//! A value is the word after its option, or what is between quotes there; without the closing one, the rest of the line. Another
//! option is no value.

use std::borrow::Cow;

use super::REDACTED;
use crate::mask::has_joined_credential;

/// Signs around the words of a list that a program prints.
const AROUND: [char; 7] = ['"', '\'', '`', '(', ')', '[', ']'];

/// Returns a line without the values of the options that `takes_secret` names.
pub(super) fn without_options(line: Cow<'_, str>, takes_secret: impl Fn(&str, &str) -> bool) -> Cow<'_, str> {
    if !line.contains('-') {
        return line;
    }
    let (mut out, mut rest, mut is_changed) = (String::new(), &*line, false);
    while let Some((blanks, after)) = next_word(rest) {
        out.push_str(blanks);
        let word = after.split(char::is_whitespace).next().unwrap_or_default();
        rest = after.get(word.len()..).unwrap_or_default();
        let name = word.trim_matches(',').trim_matches(AROUND);
        if !name.starts_with('-') {
            out.push_str(word);
        } else if has_joined_credential(name) {
            out.push_str(REDACTED);
            is_changed = true;
        } else {
            out.push_str(word);
            let value = rest.trim_start();
            if has_value(rest, value) && takes_secret(name, value) {
                out.push_str(rest.get(..rest.len() - value.len()).unwrap_or_default());
                out.push_str(REDACTED);
                rest = value.get(value_length(value)..).unwrap_or_default();
                is_changed = true;
            }
        }
    }
    if is_changed { out.into() } else { line }
}

/// Splits the blanks before the next word from it and what follows.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let word = text.trim_start();
    if text.is_empty() { None } else { text.split_at_checked(text.len() - word.len()) }
}

/// Returns whether what follows an option is a value of it.
fn has_value(rest: &str, value: &str) -> bool {
    let bare = value.trim_start_matches(AROUND);
    value.len() < rest.len() && !value.is_empty() && !bare.starts_with('-') && !value.starts_with(REDACTED)
}

/// Returns the length of a value: up to the closing quote, or to the next blank.
fn value_length(value: &str) -> usize {
    let quote = value.chars().next().filter(|sign| matches!(sign, '"' | '\'' | '`'));
    let mut is_escaped = false;
    for (at, sign) in value.char_indices().skip(usize::from(quote.is_some())) {
        if is_escaped {
            is_escaped = false;
        } else if sign == '\\' {
            is_escaped = true;
        } else if quote == Some(sign) || quote.is_none() && sign.is_whitespace() {
            return at;
        }
    }
    value.len()
}
