//! Steps over complete JSON values, including nested ones.
//!
//! # Invariants
//!
//! A skipped value is valid, and has no space between its parts. Objects and arrays may nest at most [`MAX_DEPTH`]
//! levels, and do not consume the program's stack.

use super::text::{number_end, string_end, word_end};
use crate::record::lanes::{ByteLanes, LANES, LaneMarks};

/// Maximum number of nested objects and arrays: one bit each.
const MAX_DEPTH: u32 = u64::BITS;

/// Returns the length of the value that begins these lanes, if it is a string or an integer that ends within them and
/// is otherwise ordinary. The search for the next name depends on the result, so the path from the lanes to it is as
/// short as possible, and all other checks run beside it.
#[inline(always)]
fn short_length(lanes: ByteLanes, marks: &LaneMarks) -> Option<usize> {
    let before = |ends: u32| ends.wrapping_sub(1) & !ends;
    let quotes = marks.quotes(lanes);
    if quotes & 1 == 1 {
        let others = quotes >> 1;
        let is_plain = others != 0 && (marks.odd(lanes) >> 1) & before(others) == 0;
        return is_plain.then(|| others.trailing_zeros() as usize + 2);
    }
    let commas = marks.commas(lanes);
    // Nothing but digits, at least one, and no leading zero.
    let is_whole = commas != 0 && commas & 1 == 0 && !marks.digits(lanes) & before(commas) == 0;
    let is_plain = is_whole && (commas & 2 != 0 || lanes.first() != b'0');
    is_plain.then(|| commas.trailing_zeros() as usize)
}

/// Returns the length of the value at the start of this text, using lanes as long as it is ordinary.
#[inline(always)]
pub(super) fn length(text: &[u8], marks: &LaneMarks) -> Option<usize> {
    let plain = ByteLanes::at(text, 0).and_then(|lanes| {
        short_length(lanes, marks).or_else(|| {
            let quotes = marks.quotes(lanes);
            if quotes & 1 == 1 {
                plain_text_length(text, lanes, quotes & (quotes - 1), marks)
            } else {
                plain_number_length(text, lanes, marks)
            }
        })
    });
    if plain.is_some() { plain } else { value_end(text, 0, marks) }
}

/// Returns the length of the string that begins with these lanes; `quotes` are those after the first one.
#[inline(always)]
fn plain_text_length(text: &[u8], mut lanes: ByteLanes, mut quotes: u32, marks: &LaneMarks) -> Option<usize> {
    let mut at = 0;
    loop {
        // All lanes, if there is no quote.
        let inside = quotes.wrapping_sub(1) & !quotes;
        if marks.odd(lanes) & inside != 0 {
            return None;
        }
        if quotes != 0 {
            return Some(at + quotes.trailing_zeros() as usize + 1);
        }
        at += LANES;
        lanes = ByteLanes::at(text, at)?;
        quotes = marks.quotes(lanes);
    }
}

/// Returns the length of the integer that begins with these lanes and ends at a comma.
#[inline(always)]
fn plain_number_length(text: &[u8], lanes: ByteLanes, marks: &LaneMarks) -> Option<usize> {
    let after = |digits: u32| (digits + 1) & !digits;
    let digits = marks.digits(lanes);
    let end = after(digits);
    // JSON does not allow a leading zero.
    if end > 2 && lanes.first() == b'0' {
        return None;
    }
    // There is at least one digit.
    if marks.commas(lanes) & end & !1 != 0 {
        return Some(end.trailing_zeros() as usize);
    }
    if end >> LANES == 0 {
        return None;
    }
    let more = ByteLanes::at(text, LANES)?;
    let end = after(marks.digits(more));
    (marks.commas(more) & end != 0).then_some(LANES + end.trailing_zeros() as usize)
}

/// Returns the end of the value at `at`.
#[inline(never)]
pub(super) fn value_end(line: &[u8], at: usize, marks: &LaneMarks) -> Option<usize> {
    match line.get(at)? {
        b'"' => string_end(line, at + 1, marks),
        b'-' | b'0'..=b'9' => number_end(line, at),
        b'{' | b'[' => nested_end(line, at, *marks),
        _ => constant_end(line, at),
    }
}

/// Returns the end of the word at `at`.
fn constant_end(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at)? {
        b't' => word_end(line, at, b"true"),
        b'f' => word_end(line, at, b"false"),
        b'n' => word_end(line, at, b"null"),
        _ => None,
    }
}

/// Returns the end of the object or array at `at`.
fn nested_end(line: &[u8], mut at: usize, marks: LaneMarks) -> Option<usize> {
    // The lowest bit is the innermost level: 1 for an object.
    let (mut objects, mut depth) = (0_u64, 0);
    loop {
        // At the start of a value.
        at = match *line.get(at)? {
            open @ (b'{' | b'[') => {
                let close = open + 2;
                if line.get(at + 1) == Some(&close) {
                    at + 2
                } else {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return None;
                    }
                    objects = objects << 1 | u64::from(open == b'{');
                    at = if open == b'{' { name_end(line, at + 1, &marks)? } else { at + 1 };
                    continue;
                }
            }
            b'"' => string_end(line, at + 1, &marks)?,
            b'-' | b'0'..=b'9' => number_end(line, at)?,
            _ => constant_end(line, at)?,
        };
        // After the end of a value.
        loop {
            if depth == 0 {
                return Some(at);
            }
            let is_object = objects & 1 == 1;
            match *line.get(at)? {
                b',' => {
                    at = if is_object { name_end(line, at + 1, &marks)? } else { at + 1 };
                    break;
                }
                b'}' if is_object => {}
                b']' if !is_object => {}
                _ => return None,
            }
            at += 1;
            depth -= 1;
            objects >>= 1;
        }
    }
}

/// Returns the position of the value whose name begins at `at`.
#[inline(always)]
fn name_end(line: &[u8], at: usize, marks: &LaneMarks) -> Option<usize> {
    if line.get(at) != Some(&b'"') {
        return None;
    }
    let end = string_end(line, at + 1, marks)?;
    (line.get(end) == Some(&b':')).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};
    use serde_json::value::RawValue;

    use super::{LaneMarks, MAX_DEPTH, value_end};

    fn is_value(text: &str) -> bool {
        value_end(text.as_bytes(), 0, &LaneMarks::JSON) == Some(text.len()) && !text.is_empty()
    }

    #[test]
    fn values_of_all_kinds_end_where_they_do() {
        for text in [
            "true",
            "false",
            "null",
            "-1.5e3",
            r#""a\"b""#,
            "{}",
            "[]",
            "[[],{},[{}]]",
            r#"{"a":[1,"]",{"}":null}],"":{}}"#,
            r#"{"\ud800":1,"a":1,"a":2}"#,
        ] {
            assert!(is_value(text), "{text}");
            assert_eq!(value_end(format!("{text},x").as_bytes(), 0, &LaneMarks::JSON), Some(text.len()), "{text}");
            for cut in 0..text.len() {
                let is_number = text.starts_with('-');
                assert!(
                    is_number || value_end(&text.as_bytes()[..cut], 0, &LaneMarks::JSON).is_none(),
                    "{text} cut to {cut}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_value_ends_nowhere() {
        for text in [
            "",
            "tru",
            "nul",
            "[1,]",
            "[,1]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "{1:2}",
            "[1}",
            r#"{"a":1]"#,
            "[1 ]",
            "[ ]",
            r#"{"a" :1}"#,
            "[01]",
            "[\"\u{1}\"]",
            "[1;2]",
            "]",
            "}",
            ",",
        ] {
            assert_eq!(value_end(text.as_bytes(), 0, &LaneMarks::JSON), None, "{text}");
        }
    }

    #[test]
    fn depth_is_walked_to_its_bound_only() {
        let nested = |depth: usize, open: &str, close: &str| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let most = MAX_DEPTH as usize;
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":["#, "]}]")] {
            let each = open.matches(['[', '{']).count();
            assert!(is_value(&nested(most / each, open, close)), "{open}");
            assert!(!is_value(&nested(most / each + 1, open, close)), "{open}");
        }
        assert!(!is_value(&"[".repeat(100_000)));
    }

    proptest! {
        #[test]
        fn walked_values_are_valid_and_valid_ones_walked(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", "{}", "[]", ",", ":", r#""a":"#, r#""a""#, "1", "null", "true", "-0.5", "01", " ",
                ]),
                0..12,
            ),
        ) {
            let text = parts.concat();
            let is_valid = serde_json::from_str::<&RawValue>(&text).is_ok_and(|raw| raw.get() == text);
            prop_assert_eq!(is_value(&text), is_valid && !text.contains(' '), "{}", text);
        }
    }
}
