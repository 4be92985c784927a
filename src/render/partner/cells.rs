//! The final processing of every value after its rule has written it: the last safeguard of the line.
//!
//! # Invariants
//!
//! A finished cell contains no ASCII control character, is not empty, is no longer than its column allows, and is UTF-8
//! if the value was. In a line that [`blank_line_ends`] has finished, its line feed is the only character that any
//! reader may take for a line end: Unicode has more of these (U+0085, U+2028, U+2029), and many readers split at them.

use super::{PartnerLine, UNAVAILABLE};

/// Number of bytes copied at once.
const BLOCK: usize = 32;

/// Appends `text`, like `extend_from_slice`, but without a call for the short texts in most cells.
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

/// Appends a text of at least [`BLOCK`] bytes: block by block, the last block overlapping the one before.
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

/// Appends a text of `N` to `2 * N` bytes: its first `N`, overlapped by its last `N`.
#[inline]
fn put_ends<const N: usize>(out: &mut Vec<u8>, text: &[u8]) {
    if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) {
        let start = out.len();
        out.extend_from_slice(first);
        out.truncate(start + text.len() - N);
        out.extend_from_slice(last);
    }
}

/// The replacement of a control character.
const BLANK: u8 = b' ';

/// Finishes a cell like [`finish`], if its value is known to contain no ASCII control character; cutting may remove a
/// non-ASCII line end.
#[inline]
pub(super) fn finish_clean(out: &mut Vec<u8>, start: usize, max: Option<usize>, changed: &mut PartnerLine) {
    if let Some(max) = max {
        cut(out, start, max, changed);
    }
    if out.len() == start {
        out.push(UNAVAILABLE);
    }
}

/// Finishes the cell that begins at `start`: each of U+0000 to U+001F becomes one space, then the cell is cut to `max`
/// characters, then an empty one becomes `-`. Records what was changed.
pub(super) fn finish(out: &mut Vec<u8>, start: usize, max: Option<usize>, changed: &mut PartnerLine) {
    changed.sanitised |= blank_controls(out, start);
    finish_clean(out, start, max, changed);
}

/// Replaces each non-ASCII line end by one space, in the UTF-8 text that begins at `start`. Returns whether there was
/// one.
pub(super) fn blank_line_ends(out: &mut Vec<u8>, start: usize) -> bool {
    let Some(first) = line_ends(out.get(start..).unwrap_or_default()).next() else { return false };
    let tail = out.split_off(start + first);
    let mut copied = 0;
    for at in line_ends(&tail) {
        out.extend_from_slice(tail.get(copied..at).unwrap_or_default());
        out.push(BLANK);
        copied = at + if tail.get(at) == Some(&NEXT_LINE[0]) { NEXT_LINE.len() } else { SEPARATORS[0].len() };
    }
    out.extend_from_slice(tail.get(copied..).unwrap_or_default());
    true
}

/// Returns whether the text has a non-ASCII line end.
pub(super) fn has_line_end(text: &[u8]) -> bool {
    line_ends(text).next().is_some()
}

/// U+0085 in UTF-8.
const NEXT_LINE: [u8; 2] = [0xc2, 0x85];
/// U+2028 and U+2029.
const SEPARATORS: [[u8; 3]; 2] = [[0xe2, 0x80, 0xa8], [0xe2, 0x80, 0xa9]];

/// Returns the positions of the non-ASCII line ends. Their first bytes only occur at the start of a character.
fn line_ends(text: &[u8]) -> impl Iterator<Item = usize> {
    let is_end = |rest: &[u8]| rest.starts_with(&NEXT_LINE) || SEPARATORS.iter().any(|end| rest.starts_with(end));
    memchr::memchr2_iter(NEXT_LINE[0], SEPARATORS[0][0], text).filter(move |at| text.get(*at..).is_some_and(is_end))
}

/// Replaces the control characters after `start`. In UTF-8 such a byte is never part of another character.
fn blank_controls(out: &mut [u8], start: usize) -> bool {
    let mut any = false;
    for byte in out.iter_mut().skip(start).filter(|byte| **byte < BLANK) {
        *byte = BLANK;
        any = true;
    }
    any
}

/// Removes everything after the first `max` characters; if that includes a non-ASCII line end, the line is sanitised.
fn cut(out: &mut Vec<u8>, start: usize, max: usize, changed: &mut PartnerLine) {
    if out.len() - start <= max {
        return;
    }
    let starts = out.iter().enumerate().skip(start).filter(|(_, byte)| is_first_of_character(**byte));
    let Some((end, _)) = starts.map(|(at, byte)| (at, *byte)).nth(max) else { return };
    changed.cut = true;
    changed.sanitised |= has_line_end(out.get(end..).unwrap_or_default());
    out.truncate(end);
}

/// Returns whether `byte` begins a character of UTF-8 text: all but `0b10xx_xxxx` do.
const fn is_first_of_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{PartnerLine, blank_line_ends, finish, finish_clean, put};

    /// Returns `text` as a finished cell, preceded by other text.
    fn cell(text: &str, max: Option<usize>) -> (String, bool) {
        let mut out = b"\n\x01".to_vec();
        out.extend_from_slice(text.as_bytes());
        let mut changed = PartnerLine::default();
        finish(&mut out, 2, max, &mut changed);
        let sanitised = blank_line_ends(&mut out, 2) || changed.sanitised;
        assert_eq!(&out[..2], b"\n\x01");
        assert_eq!(changed.cut, max.is_some_and(|max| text.chars().count() > max), "{text:?}");
        (String::from_utf8(out[2..].to_vec()).unwrap(), sanitised)
    }

    #[test]
    fn each_control_character_becomes_one_space() {
        for control in '\0'..=' ' {
            assert_eq!(cell(&format!("a{control}{control}b"), None), ("a  b".into(), control < ' '), "{control:?}");
        }
    }

    #[test]
    fn what_ends_lines_elsewhere_becomes_one_space() {
        for end in ["\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}", "\u{1c}"] {
            assert_eq!(cell(&format!("{end}é{end}{end}語{end}"), None), (" é  語 ".into(), true), "{end:?}");
            assert_eq!(cell(&format!("ab{end}"), Some(2)), ("ab".into(), true), "{end:?}");
        }
    }

    #[test]
    fn delete_and_the_other_c1_controls_stay() {
        let others = "\u{7f}\u{80}\u{84}\u{86}\u{9f}\u{2027}\u{202a}\u{1028}\u{e2}\u{c2}";
        assert_eq!(cell(others, None), (others.into(), false));
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
        fn a_clean_cell_is_finished_like_any(text in "([^\u{0}-\u{1f}]|[\u{85}\u{2028}]){0,40}", max in prop::option::of(1_usize..50)) {
            let mut out = text.clone().into_bytes();
            let mut changed = PartnerLine::default();
            finish_clean(&mut out, 0, max, &mut changed);
            let sanitised = blank_line_ends(&mut out, 0) || changed.sanitised;
            prop_assert_eq!((String::from_utf8(out).unwrap(), sanitised), cell(&text, max));
        }

        #[test]
        fn cell_is_its_text_without_controls_cut(text in "(.|[\u{0}-\u{1f}\u{85}\u{2028}\u{2029}]){0,40}", max in 1_usize..50) {
            let is_blanked = |c: char| c < ' ' || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
            let blanked: String = text.chars().map(|c| if is_blanked(c) { ' ' } else { c }).collect();
            let expected: String = blanked.chars().take(max).collect();
            let expected = if expected.is_empty() { "-".into() } else { expected };
            prop_assert_eq!(cell(&text, Some(max)), (expected, blanked != text));
        }
    }
}
