//! Texts in the one form in which they are judged: letters of every width and style are the plain ones.
//!
//! # Invariants
//!
//! A text in ASCII is in that form, and costs one look at its bytes.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::percent_decode_str;

use crate::limits::MASK_ESCAPES;

/// The text in Unicode's form NFKC, without the characters that have no width.
pub(super) fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let composed = if text.contains(is_unseen) {
        let seen: String = text.chars().filter(|c| !is_unseen(*c)).collect();
        Cow::Owned(nfkc.normalize(&seen).into_owned())
    } else {
        nfkc.normalize(text)
    };
    // Some fillers have a form of their own that has no width either.
    if composed.contains(is_unseen) { Cow::Owned(composed.replace(is_unseen, "")) } else { composed }
}

/// The text without percent escapes, however often they were made; `None` where they have no end.
pub(super) fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MASK_ESCAPES {
        let Cow::Owned(bytes) = Cow::from(percent_decode_str(&text)) else { return Some(text) };
        text = Cow::Owned(normal(&String::from_utf8_lossy(&bytes)).into_owned());
    }
    matches!(Cow::from(percent_decode_str(&text)), Cow::Borrowed(_)).then_some(text)
}

/// Characters without a width, which divide a word for a program alone.
const fn is_unseen(c: char) -> bool {
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
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::normal;

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
        ] {
            assert_eq!(normal(text), plain);
            assert!(matches!(normal(plain), Cow::Borrowed(_)), "once is as good as twice");
        }
    }
}
