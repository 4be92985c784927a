//! Finds where a text says the value of a secret: after its name, in the member beside that, in quotes after words of SQL.
//!
//! # Invariants
//! A text is walked once, whatever is in it.

use super::escapes::decoded;
use super::lists::listed_values;
use super::pairs::{has_name, has_value};
use super::scan::named_values;
use super::values::unquoted;
use super::{REDACTED, RedactionRules, is_word};

/// Parts of names of passwords, which may be before a quote alone: `PASSWORD 'x'`. A parser's message has tokens in quotes.
const PASSWORDS: [&str; 4] = ["passw", "passphrase", "pwd", "secret"];
/// Words that may be between the name of a password and its quotes.
const BETWEEN: [&str; 8] = ["like", "in", "is", "was", "as", "by", "to", "ilike"];
/// Schemes of authentication, and such as clients write there.
const SCHEMES: [&str; 8] = ["basic", "bearer", "digest", "negotiate", "token", "apikey", "hawk", "key"];
/// Longest name that another member has, and one more.
const NAME_MAX: usize = 65;
/// Most signs between `IDENTIFIED` and the quotes of its password.
const IDENTIFIED_MAX: usize = 64;

/// Returns where the first value of a secret begins in a text of one line, if it is not redacted yet.
pub(super) fn first_secret(text: &str, redacts: impl Fn(&str, &str) -> bool) -> Option<usize> {
    let listed = listed_values(text, &redacts).next();
    [first_named(text, &redacts), listed, first_spoken(text)].into_iter().flatten().min()
}

/// Returns where the first value begins that something separates from its name.
pub(super) fn first_named(text: &str, redacts: impl Fn(&str, &str) -> bool) -> Option<usize> {
    let (mut is_named, mut value_before) = (false, None);
    for (name, value_at) in named_values(text) {
        let rest = text.get(value_at..)?;
        let bare = unquoted(rest);
        let is_left = !bare.is_empty() && !bare.starts_with(REDACTED) && !rest.starts_with("//");
        if is_left && (redacts(&decoded(name), rest) || is_named && has_value(name)) {
            return Some(value_at);
        }
        if has_value(name) {
            value_before = is_left.then_some(value_at);
        } else if has_name(name) && names_value(bare, &redacts) {
            let before = value_before.take().and_then(|at| Some((at, text.get(at..value_at)?)));
            match before.filter(|(_, between)| !between.contains(['<', '>', '{', '}'])) {
                Some((at, _)) => return Some(at),
                None => is_named = true,
            }
        }
    }
    None
}

/// Returns whether a text begins with the name of a secret, which is a value here.
pub(super) fn names_value(text: &str, redacts: impl Fn(&str, &str) -> bool) -> bool {
    let near = text.get(..text.floor_char_boundary(NAME_MAX)).unwrap_or_default();
    let name = near.split(|sign: char| sign.is_whitespace() || "\"'\\,;&}><".contains(sign)).next().unwrap_or_default();
    !name.is_empty() && is_word(name) && redacts(&decoded(name), "")
}

/// Returns where the first value begins that words alone separate from its name: `PASSWORD 'x'`, `IDENTIFIED BY 'x'`,
/// `Authorization Token x`.
fn first_spoken(text: &str) -> Option<usize> {
    if !text.contains(['\'', '"', '`']) && !has_word(text, "identified") && !has_word(text, "authorization") {
        return None;
    }
    let mut at = 0;
    while let Some(word) = next_word(text, at) {
        let start = at + word.0;
        let (name, end) = (word.1, start + word.1.len());
        let value = match name.len() {
            10 if name.eq_ignore_ascii_case("identified") => after_identified(text, end),
            13 | 19 if name.to_ascii_lowercase().ends_with("authorization") => after_scheme(text, end),
            _ => quoted_value(text, end).filter(|_| is_password(name)),
        };
        let is_left = |at: &usize| text.get(*at..).is_some_and(|rest| !rest.is_empty() && !is_redacted(rest));
        if let Some(value) = value.filter(is_left) {
            return Some(value);
        }
        at = end;
    }
    None
}

fn is_redacted(rest: &str) -> bool {
    rest.trim_start_matches(['\\', '"', '\'', '`']).starts_with(REDACTED)
}

/// Returns whether a word may be in a text, in any case.
fn has_word(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// Returns the next word from a place, with how far it is.
fn next_word(text: &str, at: usize) -> Option<(usize, &str)> {
    let rest = text.get(at..)?;
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '-';
    let start = rest.find(is_sign)?;
    let word = rest.get(start..)?;
    Some((start, word.get(..word.find(|sign| !is_sign(sign)).unwrap_or(word.len()))?))
}

fn is_password(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    PASSWORDS.iter().any(|part| lower.contains(part))
}

/// Returns where the quotes begin after the name of a password, with a blank, a word or a comparison between.
fn quoted_value(text: &str, end: usize) -> Option<usize> {
    let rest = text.get(end..)?;
    let mut after = rest.trim_start();
    if after.len() == rest.len() {
        return None;
    }
    if let Some(compared) = ["<>", "!="].iter().find_map(|sign| after.strip_prefix(sign)) {
        after = compared.trim_start();
    } else if after.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && let Some((_, word)) = next_word(after, 0)
        && BETWEEN.iter().any(|between| word.eq_ignore_ascii_case(between))
    {
        after = after.get(word.len()..)?.trim_start();
    }
    let quoted = after.trim_start_matches('(').trim_start();
    let value_at = text.len() - quoted.len();
    quoted.starts_with(['\'', '"', '`']).then_some(value_at)
}

/// Returns where the value of `IDENTIFIED BY x` or `IDENTIFIED WITH plugin AS 'x'` begins.
fn after_identified(text: &str, end: usize) -> Option<usize> {
    let rest = text.get(end..)?;
    let near = rest.get(..rest.floor_char_boundary(IDENTIFIED_MAX))?;
    let (start, word) = next_word(near, 0)?;
    if word.eq_ignore_ascii_case("by") {
        let value = rest.get(start + word.len()..)?.trim_start();
        return Some(text.len() - value.len());
    }
    let quote = near.find(['\'', '"'])?;
    word.eq_ignore_ascii_case("with").then_some(end + quote)
}

/// Returns where the credentials begin after `Authorization` and a scheme.
fn after_scheme(text: &str, end: usize) -> Option<usize> {
    let rest = text.get(end..)?;
    let after = rest.trim_start();
    let (start, scheme) = next_word(after, 0)?;
    let value = after.get(start + scheme.len()..)?;
    let is_scheme =
        start == 0 && after.len() < rest.len() && SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let is_apart = value.starts_with(|sign: char| sign.is_whitespace() || sign == '=' || sign == ':');
    let value = value.trim_start_matches(|sign: char| sign.is_whitespace() || sign == '=' || sign == ':');
    (is_scheme && is_apart).then(|| text.len() - value.len())
}

impl RedactionRules {
    /// Returns where the first value begins in broken JSON whose name is that of a secret.
    pub(super) fn first_member(&self, text: &str) -> Option<usize> {
        first_named(text, |name, rest| self.redacts_head(name, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::{first_secret, first_spoken};

    #[test]
    fn values_beside_their_names_are_found() {
        for text in [
            "<input name=\"password\" value=\"canary\">",
            "<input value=\"canary\" name=\"password\">",
            "<meta name='password' content='canary'>",
            "name: password, value: canary",
            "password => canary",
        ] {
            let at = first_secret(text, |name, _| name == "password");
            let before = at.and_then(|at| text.get(..at));
            assert!(before.is_some_and(|before| !before.contains("canary")), "{text}");
        }
        for text in ["<a value=\"1\"><b name=\"password\">", "name=a value=b", "password=[redacted]", "password="] {
            assert_eq!(first_secret(text, |name, _| name == "password"), None, "{text}");
        }
    }

    #[test]
    fn values_after_words_are_found() {
        for text in [
            "CREATE USER a IDENTIFIED BY 'canary'",
            "alter user a identified by canary",
            "IDENTIFIED WITH mysql_native_password AS 'canary'",
            "ALTER ROLE a PASSWORD 'canary'",
            "WHERE password <> 'canary'",
            "WHERE password in ('canary')",
            "the password is \"canary\"",
            "Authorization Token canary",
        ] {
            let at = first_spoken(text);
            let parts = at.and_then(|at| text.split_at_checked(at));
            let is_split = |(before, after): (&str, &str)| after.contains("canary") && !before.contains("canary");
            assert!(parts.is_some_and(is_split), "{text}");
        }
        for text in [
            "Unexpected token '<', \"<!DOCTYPE \" is not valid JSON",
            "password policy 'strict'",
            "identified 3 problems",
            "Authorization failed 'x'",
            "it's a password",
        ] {
            assert_eq!(first_spoken(text), None, "{text}");
        }
    }
}
