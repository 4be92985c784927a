//! Half surrogate pairs: `\ud83d` alone is an escape that the grammar of JSON allows, but no text can represent.
//!
//! # Invariants
//!
//! Each half becomes the escape of U+FFFD, which has the same length, so that every position in the text stays the
//! same. Valid JSON stays valid, and invalid JSON does not become valid.

use std::ops::Range;

/// U+FFFD as an escape.
const REPLACEMENT: &str = "\\ufffd";
/// Size of an escape with four digits, in bytes.
const ESCAPE: usize = REPLACEMENT.len();

/// Returns the text with each half replaced; `None` if there are none.
pub(super) fn repaired(text: &str) -> Option<String> {
    if !may_have_half(text.as_bytes()) {
        return None;
    }
    let mut repaired = String::new();
    let mut copied = 0;
    for at in (HalfPairs { text: text.as_bytes(), at: 0 }) {
        repaired.push_str(text.get(copied..at)?);
        repaired.push_str(REPLACEMENT);
        copied = at + ESCAPE;
    }
    repaired.push_str(text.get(copied..)?);
    (copied > 0).then_some(repaired)
}

/// Replaces each half in the text, where it is.
pub fn repair_halves(text: &mut [u8]) {
    if !may_have_half(text) {
        return;
    }
    let mut at = 0;
    while let Some(half) = (HalfPairs { text, at }).next() {
        at = half + ESCAPE;
        if let Some(escape) = text.get_mut(half..at) {
            escape.copy_from_slice(REPLACEMENT.as_bytes());
        }
    }
}

/// Returns the positions of the halves in the text.
pub(super) fn halves(text: &str) -> impl Iterator<Item = Range<usize>> {
    HalfPairs { text: text.as_bytes(), at: 0 }.map(|at| at..at + ESCAPE)
}

/// Returns whether [`repaired`] changes the text.
pub(super) fn has_half(text: &[u8]) -> bool {
    may_have_half(text) && HalfPairs { text, at: 0 }.next().is_some()
}

/// Returns whether any backslash begins something like the escape of a surrogate: most texts have only other escapes.
fn may_have_half(text: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', text).any(|at| matches!(text.get(at + 1..at + 3), Some(b"ud" | b"uD")))
}

/// The positions of escapes that are half a pair.
struct HalfPairs<'t> {
    text: &'t [u8],
    at: usize,
}

impl Iterator for HalfPairs<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let at = self.at + memchr::memchr(b'\\', self.text.get(self.at..)?)?;
            let (length, is_half) = match (unit(self.text, at), unit(self.text, at + ESCAPE)) {
                (None, _) => (2, false),
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (2 * ESCAPE, false),
                (Some(unit), _) => (ESCAPE, matches!(unit, 0xd800..=0xdfff)),
            };
            self.at = at + length;
            if is_half {
                return Some(at);
            }
        }
    }
}

/// Returns the UTF-16 unit of the escape at `at`, if there is one with four digits.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
    digits.iter().try_fold(0, |unit, byte| Some(unit << 4 | digit(byte)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{has_half, repair_halves, repaired};

    #[test]
    fn each_half_is_replaced_and_whole_pairs_stay() {
        for (text, expected) in [
            (r"\ud83d", r"\ufffd"),
            (r"\ude00", r"\ufffd"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\ude00\ud83d", r"\ufffd\ufffd"),
            (r"\uD83Dx", r"\ufffdx"),
            (r"\ud83d\n\ude00", r"\ufffd\n\ufffd"),
            (r"\\\ud83d é", r"\\\ufffd é"),
            (r"a\ud83d\u0041", r"a\ufffd\u0041"),
        ] {
            assert_eq!(repaired(text).as_deref(), Some(expected), "{text}");
            assert!(has_half(text.as_bytes()), "{text}");
        }
        for text in ["", r"\ud83d\ude00", r"\uD83D\uDE00", r"\\ud83d", r"\u0041", r"\ud83", r"\ud83g", "ud83d", "\\"] {
            assert_eq!(repaired(text), None, "{text}");
            assert!(!has_half(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn strings_are_read_as_utf16_is_read_lossily(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "\\ud83d", "\\uDE00", "\\ud800", "\\udfff", "\\u0041", "\\n", "\\\\", "\\\"", "é", "u", "d83d", "\u{fffd}",
                ]),
                0..12,
            ),
        ) {
            let json = format!("\"{}\"", parts.concat());
            // The units of the string, reading piece by piece.
            let mut units: Vec<u16> = Vec::new();
            for part in &parts {
                match part.strip_prefix("\\u") {
                    Some(digits) => units.push(u16::from_str_radix(digits, 16).unwrap()),
                    None => units.extend(serde_json::from_str::<String>(&format!("\"{part}\"")).unwrap().encode_utf16()),
                }
            }
            let read = repaired(&json).unwrap_or_else(|| json.clone());
            prop_assert_eq!(read.len(), json.len());
            prop_assert_eq!(serde_json::from_str::<String>(&read).unwrap(), String::from_utf16_lossy(&units));
            let mut in_place = json.into_bytes();
            repair_halves(&mut in_place);
            prop_assert_eq!(in_place, read.into_bytes());
        }

        #[test]
        fn other_text_keeps_its_length_and_validity(text in "[\\\\ud8e0\"x]{0,24}") {
            let read = repaired(&text).unwrap_or_else(|| text.clone());
            prop_assert_eq!(read.len(), text.len());
            let is_json = |text: &str| serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
            prop_assert_eq!(is_json(&read), is_json(&text));
        }
    }
}
