//! Values within a text.

/// Most of a value that is looked at.
const VALUE_MAX: usize = 128;

/// Returns a text without the quotes that it begins with, and what escapes them.
pub(super) fn unquoted(text: &str) -> &str {
    text.trim_start_matches(['\\', '"', '\''])
}

/// Returns the value that a text begins with, without quotes.
pub(super) fn bare_value(text: &str) -> &str {
    let text = text.trim_start_matches(['\\', '"', '\'', ' ']);
    let text = text.get(..text.floor_char_boundary(VALUE_MAX)).unwrap_or_default();
    let is_end = |sign: char| sign.is_whitespace() || "\"'\\,;&})]<>|".contains(sign);
    text.split(is_end).next().unwrap_or_default()
}
