//! Disarms the lookups of CVE-2021-44228 (Log4Shell): every `${` of a record becomes `x{`.
//!
//! # Invariants
//! The output has no `${` in any string, including member names, however the record spells it. Nothing else changes.

use memchr::{memchr, memmem};

/// The escaped spelling of the dollar sign.
const ESCAPED_DOLLAR: &[u8] = b"\\u0024";

/// Disarms the JSON text that begins at `start`.
pub(super) fn disarm(out: &mut Vec<u8>, start: usize) {
    let text = out.get(start..).unwrap_or_default();
    if memchr(b'$', text).is_none() && memmem::find(text, ESCAPED_DOLLAR).is_none() {
        return;
    }
    let armed = out.split_off(start.min(out.len()));
    let mut rest = armed.as_slice();
    while let Some((piece, after)) = split_char(rest) {
        if is_dollar(piece) && split_char(after).is_some_and(|(next, _)| is_brace(next)) {
            out.push(b'x');
        } else {
            out.extend_from_slice(piece);
        }
        rest = after;
    }
}

/// Splits off the first byte of a JSON text, or the whole escape that begins there.
fn split_char(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match text {
        [] => return None,
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        _ => 1,
    };
    Some(text.split_at(length.min(text.len())))
}

fn is_dollar(piece: &[u8]) -> bool {
    piece == b"$" || piece == ESCAPED_DOLLAR
}

fn is_brace(piece: &[u8]) -> bool {
    piece == b"{" || piece.eq_ignore_ascii_case(b"\\u007b")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use serde_json::Value;

    use super::disarm;

    fn disarmed(text: &str) -> String {
        let mut out = format!("${{{text}").into_bytes();
        disarm(&mut out, 2);
        String::from_utf8(out).unwrap().strip_prefix("${").unwrap().to_owned()
    }

    #[test]
    fn lookups_are_disarmed_in_every_spelling() {
        for (text, expected) in [
            (r#"{"a":"${jndi:ldap://x/a}${${lower:j}ndi}"}"#, r#"{"a":"x{jndi:ldap://x/a}x{x{lower:j}ndi}"}"#),
            (r#"{"a":"\u0024{x","b":"$\u007bx","c":"\u0024\u007Bx"}"#, r#"{"a":"x{x","b":"x\u007bx","c":"x\u007Bx"}"#),
            (r#"{"${a":{"b":["$${"]}}"#, r#"{"x{a":{"b":["$x{"]}}"#),
        ] {
            assert_eq!(disarmed(text), expected);
        }
    }

    #[test]
    fn what_is_no_lookup_stays() {
        for text in
            [r#"{"a":"$","b":{"c":1}}"#, r#"{"a":"$1 {","b":"\\u0024{","c":"$\\u007b"}"#, r#"{"a":"$ {"}"#, "{}"]
        {
            assert_eq!(disarmed(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_string_holds_a_lookup_afterwards(pieces in "(\\$|\\{|x|\\\\\\\\|\\\\\"|\\\\u0024|\\\\u007[bB]|\\\\n){0,20}") {
            let text = format!("{{\"a\":\"{pieces}\"}}");
            let value = |text: &str| serde_json::from_str::<Value>(text).unwrap()["a"].as_str().unwrap().to_owned();
            let (before, after) = (value(&text), value(&disarmed(&text)));
            prop_assert!(!after.contains("${"), "{}", after);
            prop_assert_eq!(after, before.replace("${", "x{"));
        }
    }
}
