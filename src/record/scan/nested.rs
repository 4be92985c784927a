//! Single parts of objects and arrays that are known to be valid.
//!
//! # Invariants
//!
//! The result equals that of the slow path. If a part may be unusual (a space, an escape in a name, depth), the answer
//! is [`NotPlain`], and the slow path decides.

use super::text::plain_string_end;
use super::value::value_end;
use crate::record::lanes::LaneMarks;

/// The text needs the slow path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotPlain;

/// Returns the text of the last member of `object` whose name `is` accepts; `None` if `object` is not an object.
pub(crate) fn member(object: &[u8], is: impl Fn(&[u8]) -> bool) -> Result<Option<&[u8]>, NotPlain> {
    let (mut at, mut found) = (1, None);
    if object == b"{}" || object.first() != Some(&b'{') {
        return Ok(None);
    }
    loop {
        let close = opening(object, at).and_then(|at| plain_string_end(object, at)).ok_or(NotPlain)?;
        let (name, start) = (object.get(at + 1..close - 1).ok_or(NotPlain)?, close + 1);
        let colon = object.get(close) == Some(&b':');
        let end = value_end(object, start, &LaneMarks::JSON).filter(|_| colon).ok_or(NotPlain)?;
        if is(name) {
            found = object.get(start..end);
        }
        match object.get(end) {
            Some(b',') => at = end + 1,
            Some(b'}') => return Ok(found),
            _ => return Err(NotPlain),
        }
    }
}

/// Returns the text of the first element of `array`; `None` if `array` is not an array.
pub(crate) fn first_element(array: &[u8]) -> Result<Option<&[u8]>, NotPlain> {
    if array == b"[]" || array.first() != Some(&b'[') {
        return Ok(None);
    }
    let end = value_end(array, 1, &LaneMarks::JSON).ok_or(NotPlain)?;
    Ok(array.get(1..end))
}

/// Returns the position after the quote at `at`.
fn opening(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b'"')).then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::{NotPlain, first_element, member};

    #[test]
    fn the_last_member_of_a_name_is_found() {
        let x = |object: &'static str| member(object.as_bytes(), |name| name == b"x");
        assert_eq!(x(r#"{"x":1,"y":{"x":2},"z":"x","x":[3,"}"]}"#), Ok(Some(&b"[3,\"}\"]"[..])));
        for none in ["{}", "[]", r#"["x"]"#, r#""x""#, r#"{"y":{"x":1}}"#, r#"{"":1,"xx":2}"#] {
            assert_eq!(x(none), Ok(None), "{none}");
        }
        for odd in [r#"{ "x":1}"#, r#"{"x" :1}"#, r#"{"x":1 }"#, r#"{"\u0078":1}"#, "{ }", "{"] {
            assert_eq!(x(odd), Err(NotPlain), "{odd}");
        }
    }

    #[test]
    fn the_first_element_is_found() {
        assert_eq!(first_element(br#"["a","b"]"#), Ok(Some(&br#""a""#[..])));
        assert_eq!(first_element(b"[[1],2]"), Ok(Some(&b"[1]"[..])));
        assert_eq!(first_element(b"[]"), Ok(None));
        assert_eq!(first_element(b"{}"), Ok(None));
        assert_eq!(first_element(b"[ 1]"), Err(NotPlain));
    }
}
