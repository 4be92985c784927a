//! Characters that a text spells as JavaScript, JSON or HTML would: `\u003d`, `\x3d`, `\/`, `&#61;`, `&#x3d;`, `&equals;`.
//!
//! # Invariants
//!
//! Without escapes, a text is shorter. A text without `\` and `&` costs one look at its bytes.

/// Names of HTML for the signs that divide names, values and addresses.
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("apos", '\''),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("equals", '='),
    ("gt", '>'),
    ("hyphen", '-'),
    ("lowbar", '_'),
    ("lt", '<'),
    ("nbsp", ' '),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("semi", ';'),
    ("sol", '/'),
];

/// The longest name or number between `&` and `;`.
const REFERENCE_LENGTH: usize = 10;

/// The text with each escape replaced by its character; `None` if it has none.
pub(super) fn without_escapes(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| matches!(byte, b'\\' | b'&')) {
        return None;
    }
    let mut plain: Option<String> = None;
    let (mut rest, mut shown) = (text, text);
    while let Some(place) = rest.find(['\\', '&']) {
        let escape = rest.get(place..).unwrap_or_default();
        let Some((c, length)) = escaped_character(escape) else {
            rest = escape.get(1..).unwrap_or_default();
            continue;
        };
        let before = shown.len() - escape.len();
        let out = plain.get_or_insert_with(|| String::with_capacity(text.len()));
        out.push_str(shown.get(..before).unwrap_or_default());
        out.push(c);
        rest = escape.get(length..).unwrap_or_default();
        shown = rest;
    }
    plain.map(|plain| plain + shown)
}

/// The character at the start of a text that begins with `\` or `&`, and the length of its escape in bytes.
fn escaped_character(text: &str) -> Option<(char, usize)> {
    match text.strip_prefix('\\') {
        Some(rest) => backslash_escape(rest).map(|(c, length)| (c, length + 1)),
        None => html_reference(text.strip_prefix('&')?).map(|(c, length)| (c, length + 1)),
    }
}

/// The character of the escape that follows a `\\`, and its length in bytes.
pub(crate) fn backslash_escape(rest: &str) -> Option<(char, usize)> {
    let (kind, digits) = rest.split_at_checked(1)?;
    let digits = match kind {
        "/" => return Some(('/', 1)),
        "u" => digits.get(..4)?,
        "x" => digits.get(..2)?,
        _ => return None,
    };
    Some((of_digits(digits, 16)?, 1 + digits.len()))
}

/// The character of the reference that follows an `&`, and its length in bytes.
pub(crate) fn html_reference(rest: &str) -> Option<(char, usize)> {
    let window = rest.as_bytes().get(..REFERENCE_LENGTH).unwrap_or(rest.as_bytes());
    let name = rest.get(..window.iter().position(|byte| *byte == b';')?)?;
    let c = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => of_digits(digits, 16)?,
            None => of_digits(number, 10)?,
        },
        None => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((c, name.len() + 1))
}

/// The character with a number; half a surrogate pair is none.
fn of_digits(digits: &str, radix: u32) -> Option<char> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_number.then(|| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::without_escapes;

    #[test]
    fn escapes_of_other_languages_are_undone() {
        for (text, plain) in [
            (r"token\u003dx", "token=x"),
            (r"192\x2e0\x2E2", "192.0.2"),
            (r"https:\/\/a", "https://a"),
            ("a&#61;b&#x3D;c&equals;d", "a=b=c=d"),
            ("&amp;#61;", "&#61;"),
            ("é&quot;ü", "é\"ü"),
            (r"C:\users\xen", r"C:\users\xen"),
            ("a=1&b=2;&sect;&#;&#xg;&#99999999;", "a=1&b=2;&sect;&#;&#xg;&#99999999;"),
            (r"\ud800 \u00 \", r"\ud800 \u00 \"),
            ("", ""),
        ] {
            assert_eq!(without_escapes(text).as_deref().unwrap_or(text), plain, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_without_escapes_is_shorter(parts in proptest::collection::vec(r"[&\\]?[#ux/]?[0-9a-f]{0,4};?", 0..8), other in any::<String>()) {
            for text in [parts.concat(), other] {
                prop_assert!(without_escapes(&text).is_none_or(|plain| plain.len() < text.len()), "{}", text);
            }
        }
    }
}
