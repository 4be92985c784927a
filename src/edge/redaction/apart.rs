//! Names and values that are in lines of their own: a list or an object in a text that breaks its lines, as YAML and printed JSON do.
//!
//! # Invariants
//! A value is redacted up to the end of its line. It has its name in the line before, or after it with nothing between that ends
//! their object. A text is walked once.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::lists::listed_values;
use super::named::names_value;
use super::pairs::{has_name, has_value};
use super::places::replaced;
use super::scan::named_values;
use super::values::unquoted;
use super::{REDACTED, RedactionRules};

/// What the name of a member with a value has.
const VALUE_WORDS: [&[u8]; 3] = [b"val", b"Val", b"VAL"];
/// Most other names between a name and its value.
const BETWEEN_MAX: usize = 3;

impl RedactionRules {
    /// Returns a text without the values whose names are in other lines.
    pub(super) fn lines_apart<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        if !text.contains('\n') {
            return text;
        }
        let redacts = |name: &str, rest: &str| self.surely_redacts(name, rest);
        let is_first =
            |at: &usize| text.get(..*at).is_some_and(|before| before.trim_end_matches([' ', '\t']).ends_with('\n'));
        let listed =
            listed_values(&text, redacts).filter(is_first).map(|at| value_of_line(&text, at)).collect::<Vec<_>>();
        let text = replaced(text, &listed);
        // Most texts have no such member, and a search for it is fast.
        if VALUE_WORDS.iter().all(|word| memmem::find(text.as_bytes(), word).is_none()) {
            return text;
        }
        let paired = paired_values(&text, redacts);
        replaced(text, &paired)
    }
}

/// Returns the values of pairs whose name and value are in different lines.
fn paired_values(text: &str, redacts: impl Fn(&str, &str) -> bool) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut name, mut value, mut since) = (None, None, 0);
    for (member, at) in named_values(text) {
        since += 1;
        if since > BETWEEN_MAX {
            (name, value) = (None, None);
        }
        let pair = if has_value(member) {
            let pair = name.take().map(|name| (name, at));
            value = Some(at).filter(|_| pair.is_none());
            pair
        } else if has_name(member) {
            let text = unquoted(text.get(at..).unwrap_or_default());
            name = Some(at).filter(|_| names_value(text, &redacts));
            name.zip(value.take())
        } else {
            continue;
        };
        since = 0;
        let secret = pair.and_then(|(name, value)| apart(text, name, value));
        found.extend(secret.filter(|secret| found.last().is_none_or(|last| last.end <= secret.start)));
    }
    found
}

/// Returns the value of a pair, if its name is in another line of the same object, and it is not redacted yet.
fn apart(text: &str, name: usize, value: usize) -> Option<Range<usize>> {
    let between = text.get(name.min(value)..name.max(value))?;
    let is_object = !between.contains(['<', '>', '{', '}'])
        && !between.lines().skip(1).any(|line| line.trim_start().starts_with("- "));
    let rest = unquoted(text.get(value..)?);
    let is_left = !rest.is_empty() && !rest.starts_with(REDACTED);
    (between.contains('\n') && is_object && is_left).then(|| value_of_line(text, value))
}

fn value_of_line(text: &str, at: usize) -> Range<usize> {
    let rest = text.get(at..).unwrap_or_default();
    at..at + rest.find('\n').unwrap_or(rest.len())
}
