//! Secrets as places of a text, and the text without them.

use std::borrow::Cow;
use std::ops::Range;

use super::REDACTED;

/// Finds a secret in the part of a text from a place.
pub(super) type NextSecret = fn(&str, usize) -> Option<Range<usize>>;

/// Returns the places of all secrets that a finder finds.
pub(super) fn all(text: &str, next: NextSecret) -> Vec<Range<usize>> {
    let mut from = 0;
    let found = std::iter::from_fn(|| next(text, from).inspect(|secret| from = secret.end));
    found.collect()
}

/// Returns a text without what is at these places.
pub(super) fn replaced<'t>(text: Cow<'t, str>, secrets: &[Range<usize>]) -> Cow<'t, str> {
    let (mut out, mut kept_until) = (String::new(), 0);
    for secret in secrets {
        out.push_str(text.get(kept_until..secret.start).unwrap_or_default());
        out.push_str(REDACTED);
        kept_until = secret.end;
    }
    if secrets.is_empty() {
        return text;
    }
    out.push_str(text.get(kept_until..).unwrap_or_default());
    out.into()
}

pub(super) fn without(text: Cow<'_, str>, next: NextSecret) -> Cow<'_, str> {
    let found = all(&text, next);
    replaced(text, &found)
}
