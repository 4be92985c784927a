//! The signs of a query in `TraceQL`, one after the other.
//!
//! # Invariants
//! A text is read once, from its beginning to its end. What is no sign is an error, never skipped.

use std::borrow::Cow;

/// A sign of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QueryToken<'q> {
    /// `{`, `}`, `(` or `)`.
    Bracket(char),
    /// An operator, such as `=` or `&&`.
    Operator(&'static str),
    /// A text between quotes.
    Text(Cow<'q, str>),
    /// A number, perhaps with a unit.
    Number(&'q str),
    /// The name of an attribute, or a word.
    Word(&'q str),
}

/// The operators, the longest first.
const OPERATORS: [&str; 27] = [
    "!>>", "!<<", "&>>", "&<<", "&&", "||", "!=", "!~", "=~", "<=", ">=", ">>", "<<", "!>", "!<", "&>", "&<", "=", "<",
    ">", "!", "~", "|", "+", "*", "/", ",",
];

/// Splits a query into its signs; `None` if a part of it is none.
pub(super) fn tokens_of(text: &str) -> Option<Vec<QueryToken<'_>>> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '{' | '}' | '(' | ')' => (QueryToken::Bracket(first), 1),
            '"' => quoted(rest)?,
            '`' => {
                let end = rest.get(1..)?.find('`')? + 1;
                (QueryToken::Text(rest.get(1..end)?.into()), end + 1)
            }
            '0'..='9' => (QueryToken::Number(head(rest, is_number_sign)), head(rest, is_number_sign).len()),
            '-' if rest.get(1..)?.starts_with(|sign: char| sign.is_ascii_digit()) => {
                let length = head(rest.get(1..)?, is_number_sign).len() + 1;
                (QueryToken::Number(rest.get(..length)?), length)
            }
            sign if is_word_sign(sign) => (QueryToken::Word(head(rest, is_word_sign)), head(rest, is_word_sign).len()),
            _ => {
                let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))?;
                (QueryToken::Operator(operator), operator.len())
            }
        };
        tokens.push(token);
        rest = rest.get(length..)?.trim_start();
    }
    Some(tokens)
}

/// Returns the signs at the beginning that are of a kind.
fn head(text: &str, is_sign: fn(char) -> bool) -> &str {
    text.find(|sign| !is_sign(sign)).and_then(|end| text.get(..end)).unwrap_or(text)
}

fn is_number_sign(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '.' | 'µ')
}

fn is_word_sign(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_' | '-' | ':')
}

/// Reads a text between double quotes, in which a backslash takes the next sign as it is.
fn quoted(text: &str) -> Option<(QueryToken<'_>, usize)> {
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, sign) in text.char_indices().skip(1) {
        match sign {
            '"' if !is_escaped => return Some((QueryToken::Text(value.into()), at + 1)),
            '\\' if !is_escaped => is_escaped = true,
            sign => {
                value.push(if is_escaped && sign == 'n' { '\n' } else { sign });
                is_escaped = false;
            }
        }
    }
    None
}
