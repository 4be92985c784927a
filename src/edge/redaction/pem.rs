//! Private keys in PEM, however the line that begins them is escaped.
//!
//! # Invariants
//! A key ends with the label of a private key, or with its text. A text is walked once, whatever is in it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::escapes::Unescaped;
use super::places::{all, replaced};

/// What begins and ends a block, between dashes, and what the label of one with a private key has.
const BEGIN: &str = "BEGIN";
const END: &str = "END";
const DASHES: &str = "--";
const PRIVATE: &str = "PRIVATE";
const KEY: &str = "KEY";
/// Longest label of a block, with its dashes: `ENCRYPTED PRIVATE KEY` has 21 signs, and three blanks, each of them escaped.
const LABEL_MAX: usize = 64;

/// Returns a text without private keys, those between escapes among them.
pub(super) fn without_private_keys(text: Cow<'_, str>) -> Cow<'_, str> {
    let found = all(&text, next_private_key);
    let text = replaced(text, &found);
    // A text of one line is looked at without its escapes as such; of the label, escapes leave a word.
    let may_have = text.contains('\n')
        && [BEGIN, PRIVATE].iter().any(|word| memmem::find(text.as_bytes(), word.as_bytes()).is_some());
    let Some(unescaped) = may_have.then(|| Unescaped::new(&text)).flatten() else { return text };
    let places = |found: Range<usize>| unescaped.place(found.start)..unescaped.place(found.end);
    let found: Vec<_> = all(&unescaped.plain, next_private_key).into_iter().map(places).collect();
    replaced(text, &found)
}

/// Finds a private key in the part of a text from here.
fn next_private_key(text: &str, from: usize) -> Option<Range<usize>> {
    let (begin, body) = next_label(text, from, BEGIN)?;
    let before = text.get(from..begin)?;
    let dashed = before.strip_suffix(' ').filter(|before| before.ends_with('-')).unwrap_or(before);
    let start = from + dashed.trim_end_matches('-').len();
    let start = if dashed.ends_with('-') { start } else { begin };
    Some(start..next_label(text, body, END).map_or(text.len(), |(_, end)| end))
}

/// Finds the label of a private key after a word: where the word begins, and where the dashes after the label end.
fn next_label(text: &str, from: usize, word: &str) -> Option<(usize, usize)> {
    text.get(from..)?.match_indices(word).find_map(|(place, _)| {
        let rest = text.get(from + place + word.len()..)?;
        let near = rest.get(..rest.floor_char_boundary(LABEL_MAX))?;
        let (label, _) = near.split_once(DASHES)?;
        let (_, after) = label.split_once(PRIVATE).filter(|_| !label.contains('\n'))?;
        let end = rest.get(label.len()..)?.trim_start_matches('-');
        after.contains(KEY).then(|| (from + place, text.len() - end.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::{next_private_key, without_private_keys};

    #[test]
    fn private_keys_end_with_their_block_or_text() {
        for (text, found) in [
            ("a -----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY----- b", Some(2..65)),
            ("-----BEGIN PRIVATE KEY-----\nx", Some(0..29)),
            ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", None),
            ("-----BEGIN -----BEGIN PRIVATE KEY-----", Some(11..38)),
            ("---- BEGIN SSH2 PRIVATE KEY ----\nx\n---- END SSH2 PRIVATE KEY ---- b", Some(0..65)),
            ("-----BEGIN PRIVATE KEY-----\n-----END X-----\nx\n-----END PRIVATE KEY-----", Some(0..71)),
            ("-----BEGIN PRIVATE KEY-----\nxEND\n-----END CERTIFICATE-----\nx", Some(0..60)),
            ("no BEGIN PRIVATE KEY here", None),
        ] {
            assert_eq!(next_private_key(text, 0), found, "{text}");
        }
    }

    #[test]
    fn keys_between_escapes_are_found() {
        for begin in [
            r"-----BEGIN\u0020RSA PRIVATE KEY-----",
            r"-----BEGIN\nRSA PRIVATE KEY-----",
            "-----BEGIN+RSA+PRIVATE+KEY-----",
            "-----BEGIN%20RSA%20PRIVATE%20KEY-----",
            r"-----\u0042EGIN PRIVATE KEY-----",
            r"\u002d\u002d\u002d\u002d\u002dBEGIN PRIVATE KEY\u002d\u002d\u002d\u002d\u002d",
        ] {
            let text = format!("a {begin}\ncanary\n-----END\\u0020PRIVATE KEY-----\nb");
            assert_eq!(without_private_keys(text.into()), "a [redacted]\nb");
        }
    }
}
