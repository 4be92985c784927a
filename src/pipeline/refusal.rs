//! The partner's words with a refusal, cleaned for people to read.
//!
//! # Invariants
//! No control character and nothing that looks like a secret is left: not the signature, which a partner may repeat with the
//! address, nor a key. What is masked is masked before the text is cut.

use crate::audit::redact::redact_text;
use crate::limits::{REFUSAL_BYTES, REFUSAL_CHARS};
use crate::mask::{MASKED, is_invisible};
use crate::partner::PrivateKey;

/// The name of the parameter with the signature.
const SIGNATURE: &str = "auth_key";

/// Returns the first [`REFUSAL_CHARS`] characters of a refusal's body without secrets; `None` if it has none.
pub(super) fn clean_refusal<'a>(body: &[u8], keys: impl Iterator<Item = &'a PrivateKey>) -> Option<String> {
    let text = String::from_utf8_lossy(body.get(..REFUSAL_BYTES).unwrap_or(body));
    let visible = |letter: char| if letter.is_control() || is_invisible(letter) { ' ' } else { letter };
    let text: String = text.chars().map(visible).collect();
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if body.len() >= REFUSAL_BYTES {
        // Of a secret that was cut, the rest may look like none.
        words.pop();
    }
    let text = keys.fold(words.join(" "), |text, key| key.masked_in(&text));
    let cut: String = redact_text(&without_signatures(&text)).chars().take(REFUSAL_CHARS).collect();
    (!cut.is_empty()).then_some(cut)
}

/// Masks whatever follows the name of the signature's parameter, to the next character that ends a value.
fn without_signatures(text: &str) -> String {
    let is_end = |letter: char| letter.is_whitespace() || "&\"'<>,;)}]".contains(letter);
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = find_ignoring_case(rest, SIGNATURE) {
        let (before, found) = rest.split_at_checked(at + SIGNATURE.len()).unwrap_or((rest, ""));
        out.push_str(before);
        let start = found.find(|letter: char| letter.is_ascii_alphanumeric()).unwrap_or(found.len());
        let (between, value) = found.split_at_checked(start).unwrap_or((found, ""));
        // Some other word: the name stands alone.
        let is_value = !between.is_empty() && between.chars().all(|letter| " =:\"'%\\".contains(letter));
        let end = value.find(is_end).unwrap_or(value.len());
        if is_value && end > 0 {
            out.push_str(between);
            out.push_str(MASKED);
            rest = value.get(end..).unwrap_or_default();
        } else {
            rest = found;
        }
    }
    out.push_str(rest);
    out
}

/// Returns where `name`, in ASCII, occurs in the text, in upper or lower case.
fn find_ignoring_case(text: &str, name: &str) -> Option<usize> {
    text.as_bytes().windows(name.len()).position(|window| window.eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::clean_refusal;
    use crate::limits::{REFUSAL_BYTES, REFUSAL_CHARS};
    use crate::partner::{PrivateKey, auth_key};

    fn cleaned(body: &[u8]) -> Option<String> {
        let keys = ["the-private-key", "another-private-key"].map(|text| PrivateKey::new(text).unwrap());
        clean_refusal(body, keys.iter())
    }

    #[test]
    fn words_stay_and_control_characters_go() {
        for (body, shown) in [
            (&b"column 45 is no country"[..], Some("column 45 is no country")),
            (b"{\"error\":\"line 7: bad\"}\r\n", Some("{\"error\":\"line 7: bad\"}")),
            (b"a\x1b[31mb\x00c\td\n\n e", Some("a [31mb c d e")),
            ("\u{202e}evil\u{2066} \u{feff}x\u{200b}".as_bytes(), Some("evil x")),
            (b"\xff\xfe no UTF-8", Some("\u{fffd}\u{fffd} no UTF-8")),
            (b"", None),
            (b" \r\n\x07 ", None),
        ] {
            assert_eq!(cleaned(body).as_deref(), shown);
        }
    }

    #[test]
    fn refusal_never_shows_a_secret() {
        let signature = auth_key("/edge", 1_774_680_145, 7, &PrivateKey::new("the-private-key").unwrap());
        for body in [
            format!("bad signature: https://p.example/edge?auth_key={signature}"),
            format!("{{\"auth_key\":\"{signature}\",\"error\":1}}"),
            format!("auth_key%3D{signature} refused"),
            format!("AUTH_KEY = {signature}"),
            format!("the key {signature} is not known"),
            "your key is the-private-key".into(),
            "another-private-key/the-private-key".into(),
            "authorization: Bearer abcdefghijklmnop0123456789ABCDEF".into(),
            "password=abcdefghijklmnop0123456789".into(),
        ] {
            let shown = cleaned(body.as_bytes()).unwrap();
            let tail = signature.get(14..).unwrap();
            for secret in [signature.as_str(), tail, "the-private-key", "another-private", "abcdefghijklmnop"] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(shown.contains("[masked]"), "{shown}");
        }
    }

    #[test]
    fn refusal_is_cut_after_it_is_masked() {
        let long = "é ".repeat(REFUSAL_BYTES);
        assert_eq!(cleaned(long.as_bytes()).unwrap().chars().count(), REFUSAL_CHARS);
        for before in 0..60 {
            let body = format!("{}the-private-key {}", " ".repeat(REFUSAL_BYTES - before), "x ".repeat(40));
            let shown = cleaned(body.as_bytes()).unwrap_or_default();
            assert!(!shown.contains("the-pr"), "{before}: {shown}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics_or_leaves_a_control_character(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let shown = cleaned(&body).unwrap_or_default();
            prop_assert!(!shown.chars().any(char::is_control) && shown.chars().count() <= REFUSAL_CHARS);
        }
    }
}
