//! What is done to every value alike, once its rule has written it: the last wall before the line.
//!
//! # Invariants
//!
//! A finished cell holds no control character, is not empty, is no longer than its column allows, and is UTF-8 where
//! the value was.

use super::UNAVAILABLE;

/// Bytes that are copied at once.
const BLOCK: usize = 32;

/// Appends `text`; the same as `extend_from_slice`, without a call for the short texts that most cells are.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        0 => {}
        1 => out.extend(text.first()),
        2..4 => put_ends::<2>(out, text),
        4..8 => put_ends::<4>(out, text),
        8..16 => put_ends::<8>(out, text),
        16..32 => put_ends::<16>(out, text),
        32..512 => put_blocks(out, text),
        _ => out.extend_from_slice(text),
    }
}

/// Appends a text of [`BLOCK`] bytes at least: block by block, and over their end its last one.
fn put_blocks(out: &mut Vec<u8>, text: &[u8]) {
    let (start, (blocks, _)) = (out.len(), text.as_chunks::<BLOCK>());
    out.reserve(text.len() + BLOCK);
    for block in blocks {
        out.extend_from_slice(block);
    }
    if let Some(last) = text.last_chunk::<BLOCK>() {
        out.truncate(start + text.len() - BLOCK);
        out.extend_from_slice(last);
    }
}

/// Appends a text of `N` to `2 * N` bytes: its first `N`, and over their end its last `N`.
#[inline]
fn put_ends<const N: usize>(out: &mut Vec<u8>, text: &[u8]) {
    if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) {
        let start = out.len();
        out.extend_from_slice(first);
        out.truncate(start + text.len() - N);
        out.extend_from_slice(last);
    }
}

/// What a control character becomes.
const BLANK: u8 = b' ';

/// Finishes a cell as [`finish`] does, whose value is known to hold no control character.
#[inline]
pub(super) fn finish_clean(out: &mut Vec<u8>, start: usize, max: Option<usize>) {
    if let Some(max) = max {
        cut(out, start, max);
    }
    if out.len() == start {
        out.push(UNAVAILABLE);
    }
}

/// Finishes the cell that begins at `start`: each of U+0000 to U+001F becomes one space, then the cell is cut
/// to `max` characters, then an empty one becomes `-`. Whether a character was replaced.
pub(super) fn finish(out: &mut Vec<u8>, start: usize, max: Option<usize>) -> bool {
    let sanitised = blank_controls(out, start);
    finish_clean(out, start, max);
    sanitised
}

/// Replaces the control characters after `start`. In UTF-8 such a byte is never a part of another character.
fn blank_controls(out: &mut [u8], start: usize) -> bool {
    let mut any = false;
    for byte in out.iter_mut().skip(start).filter(|byte| **byte < BLANK) {
        *byte = BLANK;
        any = true;
    }
    any
}

/// Drops what follows the first `max` characters.
fn cut(out: &mut Vec<u8>, start: usize, max: usize) {
    if out.len() - start <= max {
        return;
    }
    let starts = out.iter().enumerate().skip(start).filter(|(_, byte)| is_first_of_character(**byte));
    if let Some((end, _)) = starts.map(|(at, byte)| (at, *byte)).nth(max) {
        out.truncate(end);
    }
}

/// Whether `byte` begins a character of UTF-8 text: all but `0b10xx_xxxx` do.
const fn is_first_of_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{finish, finish_clean, put};

    /// `text` as a finished cell, after other text.
    fn cell(text: &str, max: Option<usize>) -> (String, bool) {
        let mut out = b"\n\x01".to_vec();
        out.extend_from_slice(text.as_bytes());
        let sanitised = finish(&mut out, 2, max);
        assert_eq!(&out[..2], b"\n\x01");
        (String::from_utf8(out[2..].to_vec()).unwrap(), sanitised)
    }

    #[test]
    fn each_control_character_becomes_one_space() {
        for control in '\0'..=' ' {
            assert_eq!(cell(&format!("a{control}{control}b"), None), ("a  b".into(), control < ' '), "{control:?}");
        }
    }

    #[test]
    fn delete_and_the_c1_controls_stay() {
        assert_eq!(cell("\u{7f}\u{80}\u{85}\u{9f}\u{2028}", None), ("\u{7f}\u{80}\u{85}\u{9f}\u{2028}".into(), false));
    }

    #[test]
    fn nothing_becomes_a_dash_and_blanks_stay_blanks() {
        assert_eq!(cell("", None), ("-".into(), false));
        assert_eq!(cell("-", None), ("-".into(), false));
        assert_eq!(cell(" ", None), (" ".into(), false));
        assert_eq!(cell("\t\r\n", None), ("   ".into(), true));
    }

    #[test]
    fn a_cut_counts_characters_and_never_splits_one() {
        assert_eq!(cell("añ語😀x", Some(4)).0, "añ語😀");
        assert_eq!(cell("añ語😀x", Some(3)).0, "añ語");
        assert_eq!(cell("añ語😀", Some(4)).0, "añ語😀");
        assert_eq!(cell("e\u{301}e\u{301}", Some(3)).0, "e\u{301}e");
    }

    #[test]
    fn control_characters_cut_off_are_counted() {
        assert_eq!(cell("ab\u{1}", Some(2)), ("ab".into(), true));
    }

    proptest! {
        #[test]
        fn a_text_is_put_as_it_is(before in "[a-c]{0,3}", text in ".{0,70}") {
            let mut out = before.clone().into_bytes();
            put(&mut out, text.as_bytes());
            prop_assert_eq!(String::from_utf8(out).unwrap(), before + &text);
        }

        #[test]
        fn a_clean_cell_is_finished_like_any(text in "[^\u{0}-\u{1f}]{0,40}", max in prop::option::of(1_usize..50)) {
            let mut out = text.clone().into_bytes();
            finish_clean(&mut out, 0, max);
            prop_assert_eq!((String::from_utf8(out).unwrap(), false), cell(&text, max));
        }

        #[test]
        fn cell_is_its_text_without_controls_cut(text in "(.|[\u{0}-\u{1f}]){0,40}", max in 1_usize..50) {
            let blanked: String = text.chars().map(|c| if c < ' ' { ' ' } else { c }).collect();
            let expected: String = blanked.chars().take(max).collect();
            let expected = if expected.is_empty() { "-".into() } else { expected };
            prop_assert_eq!(cell(&text, Some(max)), (expected, blanked != text));
        }
    }
}
