//! The finders, beside the regular expressions that say the same.

use std::ops::Range;

use regex::Regex;

use super::{boundary, field_name, named_values, next_credentials, next_token};

/// White space in a class of an expression.
macro_rules! space {
    () => {
        r"\t-\r \u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}"
    };
}

/// A name with what separates it from its value.
const NAMED_VALUE: &str = concat!(
    r#"([^\x00-\x23\x26-\x2c/:-@\\^`\x7b-\x7f"#,
    space!(),
    r#"]+)\\*["'\]]{0,2}["#,
    space!(),
    "]*(?::=|=>|[:=])[",
    space!(),
    "]*"
);
const CREDENTIALS: &str = concat!(
    r"(?-u:\b)(?:(?i-u:bearer|negotiate)[",
    space!(),
    r#"]+(?:\\*["'])?[0-9A-Za-z_+/=.~-]{4,}|(?i-u:digest)["#,
    space!(),
    r#"]+(?:\\*["'])?[0-9A-Za-z_]+=.*|(?i-u:basic)["#,
    space!(),
    r#"]+(?:\\*["'])?(?:[0-9A-Za-z_+/]{16,}|[0-9A-Za-z_+/]{6,}=)=*)"#
);
const JSON_WEB_TOKEN: &str = concat!(
    r"(?:(?-u:\b)eyJ[0-9A-Za-z_-]{6,}\.[0-9A-Za-z_-]+|eyJ[0-9A-Za-z_-]{6,}\.eyJ[0-9A-Za-z_-]*)",
    r"(?:\.[0-9A-Za-z_-]*)?"
);
const FIELD_NAME: &str = concat!(
    "[;",
    space!(),
    r"](?i-u:name)\*?[",
    space!(),
    "]*=[",
    space!(),
    r#"]*(?:"((?:[^"\\]|\\.)*)"|([^;"#,
    space!(),
    "]+))"
);
const BOUNDARY: &str =
    concat!("(?i-u:boundary)[", space!(), "]*=[", space!(), r#"]*(?:"([^"]+)"|([^;"#, space!(), "]+))");

/// What texts are put together of.
const PIECES: [&str; 51] = [
    "bearer",
    "Bearer ",
    "BASIC",
    "basic ",
    "digest",
    "Digest ",
    "negotiate ",
    "eyJ",
    "eyJabcdef",
    ".",
    "=",
    "==",
    ":",
    ":=",
    "=>",
    " ",
    "\u{a0}",
    "\u{2003}",
    "é",
    "ключ",
    "-",
    "_",
    "[",
    "]",
    "\"",
    "'",
    "\\",
    "\\\"",
    "a",
    "abcdef",
    "0123456789abcdef",
    "%",
    "^",
    "`",
    "{",
    ";",
    "; name",
    "name*",
    "boundary",
    "\n",
    "\u{1c}",
    "\u{85}",
    "/",
    "+",
    "~",
    "\u{3000}",
    ",",
    "(",
    "@",
    "$",
    ".eyJ",
];

type NextFinder = fn(&str, usize) -> Option<Range<usize>>;
type ValueFinder = for<'t> fn(&'t str) -> Option<&'t str>;

fn all(text: &str, next: NextFinder) -> Vec<Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(|| {
        let found = next(text, at)?;
        at = found.end;
        Some(found)
    })
    .collect()
}

/// What the first group that took part has.
fn group<'t>(expression: &Regex, text: &'t str) -> Option<&'t str> {
    let found = expression.captures(text)?;
    Some(found.get(1).or(found.get(2))?.as_str())
}

#[test]
fn finders_find_what_the_expressions_say() {
    let [names, credentials, tokens, fields, boundaries] =
        [NAMED_VALUE, CREDENTIALS, JSON_WEB_TOKEN, FIELD_NAME, BOUNDARY].map(|text| Regex::new(text).unwrap());
    let (mut state, mut hits) = (88_172_645_463_325_252_u64, [0; 5]);
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..100_000 {
        let pieces = draw(12);
        let text: String = (0..pieces).map(|_| PIECES[draw(PIECES.len())]).collect();
        let expected: Vec<_> = names
            .captures_iter(&text)
            .map(|found| (found.get(1).unwrap().as_str().to_owned(), found.get(0).unwrap().end()))
            .collect();
        let found: Vec<_> = named_values(&text).map(|(name, at)| (name.to_owned(), at)).collect();
        assert_eq!(found, expected, "{text:?}");
        hits[0] += expected.len();
        for (place, expression, next) in [(1, &credentials, next_credentials as NextFinder), (2, &tokens, next_token)] {
            let expected: Vec<_> = expression.find_iter(&text).map(|found| found.range()).collect();
            assert_eq!(all(&text, next), expected, "{text:?}");
            hits[place] += expected.len();
        }
        for (place, expression, find) in [(3, &fields, field_name as ValueFinder), (4, &boundaries, boundary)] {
            let expected = group(expression, &text);
            assert_eq!(find(&text), expected, "{text:?}");
            hits[place] += usize::from(expected.is_some());
        }
    }
    assert!(hits.iter().all(|hits| *hits > 20), "{hits:?}");
}

#[test]
fn long_texts_are_walked_once() {
    // An hour, if each were looked at again from every place.
    for text in [
        "eyJ-".repeat(1 << 18),
        "xeyJ".repeat(1 << 18) + ".a",
        format!("a{}b", " ".repeat(1 << 20)),
        "a\\".repeat(1 << 19),
        "basic ".repeat(1 << 17),
    ] {
        assert_eq!((named_values(&text).count(), all(&text, next_token).len()), (0, 0));
        assert!(all(&text, next_credentials).len() < text.len());
    }
}
