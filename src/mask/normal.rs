//! Texts in the one form in which they are judged: letters of every width and style are the plain ones.
//!
//! # Invariants
//!
//! A text in ASCII is in that form, and costs one look at its bytes. The form of any other text is at most
//! [`NORMAL_GROWTH`] times as long, so that the memory of masking is a multiple of the line.

use std::borrow::Cow;
use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::percent_decode_str;

use super::escapes::without_escapes;
use crate::limits::{MASK_ESCAPES, NORMAL_GROWTH, NORMAL_SLACK};

/// The text in Unicode's form NFKC, without the characters that have no width, with [escapes] of other languages undone;
/// `None` if it is longer than [`NORMAL_GROWTH`] and [`NORMAL_SLACK`] allow (a text of ligatures that stand for sentences,
/// which no client sends), or escaped more often than [`MASK_ESCAPES`].
///
/// [escapes]: without_escapes
pub(super) fn normal(text: &str) -> Option<Cow<'_, str>> {
    let mut text = composed(text)?;
    for _ in 0..MASK_ESCAPES {
        let Some(plain) = without_escapes(&text) else { return Some(text) };
        text = Cow::Owned(composed(&plain)?.into_owned());
    }
    without_escapes(&text).is_none().then_some(text)
}

/// The text in Unicode's form NFKC, without the characters that have no width; `None` if it is too long.
fn composed(text: &str) -> Option<Cow<'_, str>> {
    if text.is_ascii() {
        return Some(Cow::Borrowed(text));
    }
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let seen = if text.contains(is_invisible) {
        Cow::Owned(text.chars().filter(|c| !is_invisible(*c)).collect())
    } else {
        Cow::Borrowed(text)
    };
    if nfkc.is_normalized(&seen) {
        return Some(seen);
    }
    let most = text.len() * NORMAL_GROWTH + NORMAL_SLACK;
    let mut composed = BoundedText { text: String::with_capacity(seen.len()), most };
    nfkc.normalize_to(&seen, &mut composed).ok()?;
    Some(Cow::Owned(composed.text))
}

/// A text of at most `most` bytes, without characters that have no width: some fillers have a form of their own that
/// has none either.
struct BoundedText {
    text: String,
    most: usize,
}

impl fmt::Write for BoundedText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        part.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        if is_invisible(c) {
            return Ok(());
        }
        if self.text.len() + c.len_utf8() > self.most {
            return Err(fmt::Error);
        }
        self.text.push(c);
        Ok(())
    }
}

/// The text without percent escapes, however often they were made; `None` where they have no end, or [`normal`] has none.
pub(super) fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MASK_ESCAPES {
        let Cow::Owned(bytes) = Cow::from(percent_decode_str(&text)) else { return Some(text) };
        text = Cow::Owned(normal(&String::from_utf8_lossy(&bytes))?.into_owned());
    }
    matches!(Cow::from(percent_decode_str(&text)), Cow::Borrowed(_)).then_some(text)
}

/// Returns whether a character has no width, so that only a program sees that it divides a word.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{normal, unescaped};
    use crate::limits::{NORMAL_GROWTH, NORMAL_SLACK};

    #[test]
    fn letters_of_every_form_are_the_plain_ones() {
        for (text, plain) in [
            ("token", "token"),
            ("ｔｏｋｅｎ＝１", "token=1"),
            ("𝐬𝐞𝐜𝐫𝐞𝐭", "secret"),
            ("１９２．0.2.77", "192.0.2.77"),
            ("pass\u{200b}wo\u{ad}rd", "password"),
            ("ﬁ\u{a0}²", "fi 2"),
            ("Jose\u{301}", "José"),
            ("東京", "東京"),
            ("a\u{ffa0}b", "ab"),
            ("a\u{180f}b\u{fff9}c", "abc"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(plain));
            assert!(matches!(normal(plain), Some(Cow::Borrowed(_))), "once is as good as twice");
        }
    }

    #[test]
    fn text_that_grows_beyond_its_bound_has_none() {
        let sentences = |count: usize| "\u{fdfa}".repeat(count);
        assert!(normal(&sentences(2)).is_some(), "a short one is judged");
        for text in [sentences(3), sentences(100_000), "㍿".repeat(1000), format!("{}{}", "é".repeat(50), sentences(9))]
        {
            assert_eq!(normal(&text), None, "{} bytes", text.len());
        }
        for c in (0x80..=0x10_ffff).filter_map(char::from_u32) {
            let text = String::from(c).repeat(50);
            let most = text.len() * NORMAL_GROWTH + NORMAL_SLACK;
            assert!(normal(&text).is_none_or(|normal| normal.len() <= most), "{c:?}");
        }
        assert_eq!(unescaped(&"%EF%B7%BA".repeat(50)), None);
    }
}
