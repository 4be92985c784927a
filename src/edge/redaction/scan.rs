//! Finds names with their values, credentials and tokens in a text.
//!
//! # Invariants
//! Each is found in one walk over the text, whatever is in it: what was passed over once is not looked at again. A test compares
//! them with the regular expressions that they stand for.

use std::ops::Range;

/// The names in a text that something separates from their values.
pub(super) struct NamedValueFinder<'t> {
    text: &'t str,
    at: usize,
}

/// Returns each name with the place where its value begins.
pub(super) const fn named_values(text: &str) -> NamedValueFinder<'_> {
    NamedValueFinder { text, at: 0 }
}

impl<'t> Iterator for NamedValueFinder<'t> {
    type Item = (&'t str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..)?;
            let from = rest.get(rest.find(is_name_sign)?..)?;
            let name = head(from, is_name_sign);
            let after = from.get(name.len()..)?;
            self.at = self.text.len() - after.len();
            if let Some(value) = after_separator(after) {
                self.at = self.text.len() - value.len();
                return Some((name, self.at));
            }
        }
    }
}

/// Returns whether a sign may be in a name: a letter or a digit of any script, or one of `_.%[]$-`: databases compare by
/// `password[$ne]`.
fn is_name_sign(sign: char) -> bool {
    if sign.is_ascii() {
        sign.is_ascii_alphanumeric() || matches!(sign, '_' | '.' | '%' | '[' | ']' | '$' | '-')
    } else {
        !sign.is_whitespace()
    }
}

/// Returns what follows a name's quotes and its separator; `None` without any.
fn after_separator(after: &str) -> Option<&str> {
    let rest = after.trim_start_matches('\\');
    let quotes = rest.bytes().take(2).take_while(|byte| matches!(byte, b'"' | b'\'' | b']')).count();
    let rest = rest.get(quotes..)?.trim_start();
    [":=", "=>", ":", "="].iter().find_map(|sign| rest.strip_prefix(sign)).map(str::trim_start)
}

/// Returns the signs at the beginning that are of a kind.
fn head(text: &str, is_sign: impl Fn(char) -> bool) -> &str {
    text.find(|sign| !is_sign(sign)).and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Returns what is left of a text if it begins with a word, in any case.
fn after_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

/// Returns what follows the credentials at the beginning of a text; `None` if there are none.
type CredentialsEnd = fn(&str) -> Option<&str>;

/// The schemes of `Authorization`, each with what finds the end of its credentials.
const SCHEMES: [(&str, CredentialsEnd); 4] =
    [("bearer", after_bearer), ("negotiate", after_bearer), ("digest", after_digest), ("basic", after_basic)];

/// Shortest token of a scheme that has one, and shortest pair of name and password with and without padding.
const BEARER_MIN: usize = 4;
const PADDED_MIN: usize = 6;
const UNPADDED_MIN: usize = 16;

/// Returns a value without the quote that it begins with.
fn without_quote(value: &str) -> &str {
    value.trim_start_matches('\\').strip_prefix(['"', '\'']).unwrap_or(value)
}

fn after_bearer(text: &str) -> Option<&str> {
    let is_sign = |c: char| is_word(c) || matches!(c, '+' | '/' | '=' | '.' | '~' | '-');
    let token = head(text, is_sign);
    text.get(token.len()..).filter(|_| token.len() >= BEARER_MIN)
}

fn after_digest(text: &str) -> Option<&str> {
    let name = head(text, is_word);
    let rest = text.get(name.len()..)?.strip_prefix('=').filter(|_| !name.is_empty())?;
    rest.get(head(rest, |c| c != '\n').len()..)
}

fn after_basic(text: &str) -> Option<&str> {
    let token = head(text, |c| is_word(c) || matches!(c, '+' | '/'));
    let rest = text.get(token.len()..)?;
    let is_padded = token.len() >= PADDED_MIN && rest.starts_with('=');
    (is_padded || token.len() >= UNPADDED_MIN).then(|| rest.trim_start_matches('='))
}

const fn is_word(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_'
}

/// Finds credentials after the name of their scheme, in the part of a text from here.
pub(super) fn next_credentials(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let is_word_at = |at: usize| bytes.get(at).is_some_and(|byte| is_word(char::from(*byte)));
    let begins = |at: &usize| bytes.get(*at).is_some_and(|byte| matches!(byte | 0x20, b'b' | b'd' | b'n'));
    let is_first = |at: &usize| begins(at) && at.checked_sub(1).is_none_or(|before| !is_word_at(before));
    (from..bytes.len()).filter(is_first).find_map(|at| {
        let rest = text.get(at..)?;
        let after = SCHEMES.iter().find_map(|(scheme, after)| {
            let blanks = after_word(rest, scheme)?;
            let value = Some(blanks.trim_start()).filter(|value| value.len() < blanks.len())?;
            after(without_quote(value))
        })?;
        Some(at..text.len() - after.len())
    })
}

/// What JSON Web Tokens begin with, and the least number of signs after that in their first part.
const TOKEN_START: &str = "eyJ";
const TOKEN_MIN: usize = 6;

/// Finds a JSON Web Token in the part of a text from here; within a word, one whose second part begins as its first one.
pub(super) fn next_token(text: &str, mut from: usize) -> Option<Range<usize>> {
    let part_end = |at: usize| at + text.get(at..).map_or(0, |rest| head(rest, |c| is_word(c) || c == '-').len());
    let dot = |at: usize| text.as_bytes().get(at) == Some(&b'.');
    let mut end = from;
    loop {
        let at = from + text.get(from..)?.find(TOKEN_START)?;
        if end <= at {
            end = part_end(at);
        }
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        let is_inside = before.is_some_and(|byte| is_word(char::from(*byte)));
        let claims = end + 1;
        let starts = |at: usize| text.get(at..).is_some_and(|rest| rest.starts_with(TOKEN_START));
        if !dot(end) || is_inside && !starts(claims) {
            // Nothing within this part is followed by another one either; within a word, what is not may begin behind a hyphen.
            from = if dot(end) { at + TOKEN_START.len() } else { end };
            continue;
        }
        let signature = part_end(claims);
        if end - at >= TOKEN_START.len() + TOKEN_MIN && signature > claims {
            return Some(at..if dot(signature) { part_end(signature + 1) } else { signature });
        }
        from = end;
    }
}

/// Finds the name of the field in the head of its part.
pub(super) fn field_name(head: &str) -> Option<&str> {
    let is_after = |at: &usize| head.get(..*at).is_some_and(|before| before.ends_with(is_parameter_end));
    places_of(head, "name").filter(is_after).find_map(|at| {
        let rest = head.get(at + "name".len()..)?;
        let value = after_equals(rest.strip_prefix('*').unwrap_or(rest))?;
        escaped(value).or_else(|| bare(value))
    })
}

/// Finds the boundary in a content type.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    places_of(content_type, "boundary").find_map(|at| {
        let value = after_equals(content_type.get(at + "boundary".len()..)?)?;
        let quoted = value.strip_prefix('"').and_then(|inner| inner.split_once('"')).map(|(inside, _)| inside);
        quoted.filter(|inside| !inside.is_empty()).or_else(|| bare(value))
    })
}

/// Returns where a word is in a text, in any case.
fn places_of(text: &str, word: &'static str) -> impl Iterator<Item = usize> {
    let is_at = move |at: &usize| text.get(*at..*at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    (0..text.len()).filter(is_at)
}

fn after_equals(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix('=').map(str::trim_start)
}

fn is_parameter_end(sign: char) -> bool {
    sign == ';' || sign.is_whitespace()
}

/// Returns what is between quotes, where a backslash takes the next sign as it is.
fn escaped(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?;
    let mut is_escaped = false;
    for (at, sign) in inside.char_indices() {
        match sign {
            '\n' if is_escaped => return None,
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return inside.get(..at),
            _ => {}
        }
    }
    None
}

/// Returns a value without quotes.
fn bare(text: &str) -> Option<&str> {
    Some(head(text, |sign| !is_parameter_end(sign))).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
