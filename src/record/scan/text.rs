//! Steps over single pieces of JSON text: a string, a number, a word.
//!
//! # Invariants
//!
//! A step ends after a complete piece that `serde_json` also accepts, or fails. Nothing after the end of the line is
//! read.

use crate::record::lanes::{ByteLanes, LANES, LaneMarks};

/// Returns the end of the string whose opening quote is just before `at`: the position after its closing quote. The
/// string may contain escapes, including lone surrogates, which `serde_json` also skips.
#[inline(always)]
pub(super) fn string_end(line: &[u8], mut at: usize, marks: &LaneMarks) -> Option<usize> {
    loop {
        at = special_from(line, at, marks);
        match line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape_end(line, at + 1)?,
            _ => return None,
        }
    }
}

/// Like [`string_end`], for a string without escapes, as the names of members usually are.
#[inline]
pub(super) fn plain_string_end(line: &[u8], at: usize) -> Option<usize> {
    let at = special_from(line, at, &LaneMarks::JSON);
    (line.get(at) == Some(&b'"')).then_some(at + 1)
}

/// Returns the position of the first byte from `at` on that a string may not contain unescaped, or the line's end.
#[inline(always)]
fn special_from(line: &[u8], mut at: usize, marks: &LaneMarks) -> usize {
    while let Some(lanes) = ByteLanes::at(line, at) {
        let specials = marks.quotes(lanes) | marks.odd(lanes);
        if specials != 0 {
            return at + specials.trailing_zeros() as usize;
        }
        at += LANES;
    }
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ').unwrap_or(rest.len())
}

/// Returns the end of the escape whose backslash is just before `at`.
fn escape_end(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = line.get(at + 1..at + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
        }
        _ => None,
    }
}

/// Returns the end of the number at `at`.
#[inline(always)]
pub(super) fn number_end(line: &[u8], at: usize) -> Option<usize> {
    let whole = at + usize::from(line.get(at) == Some(&b'-'));
    let end = digits_end(line, whole);
    // JSON does not allow a zero before other digits.
    if end == whole || (end > whole + 1 && line.get(whole) == Some(&b'0')) {
        return None;
    }
    match line.get(end) {
        Some(b'.' | b'e' | b'E') => fraction_end(line, end),
        _ => Some(end),
    }
}

/// Returns the end of the number whose decimals or exponent begin at `at`.
fn fraction_end(line: &[u8], mut at: usize) -> Option<usize> {
    if line.get(at) == Some(&b'.') {
        at = some_digits_end(line, at + 1)?;
    }
    if let Some(b'e' | b'E') = line.get(at) {
        let sign = usize::from(matches!(line.get(at + 1), Some(b'+' | b'-')));
        at = some_digits_end(line, at + 1 + sign)?;
    }
    Some(at)
}

/// Returns the end of the digits at `at`, if there is at least one.
fn some_digits_end(line: &[u8], at: usize) -> Option<usize> {
    let end = digits_end(line, at);
    (end > at).then_some(end)
}

/// Returns the end of the digits at `at`, possibly none.
#[inline]
fn digits_end(line: &[u8], mut at: usize) -> usize {
    while let Some(lanes) = ByteLanes::at(line, at) {
        let digits = LaneMarks::JSON.digits(lanes).trailing_ones() as usize;
        at += digits;
        if digits < LANES {
            return at;
        }
    }
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// Returns the end of `word`, if it is at `at`.
pub(super) fn word_end(line: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    let end = at + word.len();
    (line.get(at..end)? == word).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use proptest::strategy::Strategy;
    use serde_json::value::RawValue;

    use super::{LaneMarks, number_end, plain_string_end, string_end};

    /// Generates bytes, most of them significant in JSON.
    fn bytes(length: usize) -> impl Strategy<Value = Vec<u8>> {
        let telling = prop::sample::select(b"\"\\\x1f !\x00\x80\xff/0189:.eE+-ubn\xc3\xa9".to_vec());
        prop::collection::vec(proptest::prop_oneof![telling, any::<u8>()], 0..length)
    }

    #[test]
    fn a_string_ends_at_its_own_quote() {
        for (line, end) in [
            (r#""","#, Some(2)),
            (r#""\"","#, Some(4)),
            (r#""\\""#, Some(4)),
            (r#""\ud800\udc0g""#, None),
            (r#""\ud800 éé long enough for a word""#, Some(36)),
            (r#""\x""#, None),
            (r#""\u00"#, None),
            (r#""no end"#, None),
            ("\"a\tb\"", None),
            ("\"\u{7f}\"", Some(3)),
        ] {
            assert_eq!(string_end(line.as_bytes(), 1, &LaneMarks::JSON), end, "{line}");
        }
        assert_eq!(plain_string_end(br#""\n""#, 1), None);
        assert_eq!(plain_string_end(br#""RayID":1"#, 1), Some(7));
    }

    #[test]
    fn a_number_has_the_grammar_of_json() {
        for (text, end) in [
            ("0", Some(1)),
            ("-0", Some(2)),
            ("01", None),
            ("-01", None),
            ("00", None),
            ("-", None),
            ("+1", None),
            (".5", None),
            ("1.", None),
            ("1.x", None),
            ("1.5", Some(3)),
            ("0.50,", Some(4)),
            ("1e5", Some(3)),
            ("1E+05", Some(5)),
            ("1e", None),
            ("1e-", None),
            ("1.e5", None),
            ("1e5.5", Some(3)),
            ("12345678,", Some(8)),
            ("1774680145123456789}", Some(19)),
            ("123456789012345678901234567890", Some(30)),
            ("12x", Some(2)),
        ] {
            assert_eq!(number_end(text.as_bytes(), 0), end, "{text}");
        }
    }

    proptest! {
        #[test]
        fn string_is_valid_for_the_slow_path_too(inside in bytes(40)) {
            let line = [b"\"", inside.as_slice(), b"\""].concat();
            let text = String::from_utf8_lossy(&line);
            let mut json = serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>();
            let whole = json.next().and_then(Result::ok).map(|raw| raw.get().len());
            prop_assert_eq!(string_end(text.as_bytes(), 1, &LaneMarks::JSON), whole);
            let plain = whole.filter(|end| !text.as_bytes()[..*end].contains(&b'\\'));
            prop_assert_eq!(plain_string_end(text.as_bytes(), 1), plain);
        }

        #[test]
        fn number_is_valid_for_the_slow_path_too(text in "-?[0-9]{0,20}[.eE+-]{0,2}[0-9]{0,3}[eE]?[+-]?[0-9]?") {
            let is_number = serde_json::from_str::<&RawValue>(&text).is_ok();
            prop_assert_eq!(number_end(text.as_bytes(), 0) == Some(text.len()) && !text.is_empty(), is_number);
        }
    }
}
