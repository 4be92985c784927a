//! Values of log lines as the text of a page.
//!
//! # Invariants
//! No value ends the element or the attribute that it is in, and none changes the direction or the order of what is around
//! it: characters that a reader could not see are shown by their names.

use std::fmt::{self, Write};

use askama::filters::Escaper;

/// Writes values as text of HTML and SVG, in elements and in quoted attributes.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageText;

impl Escaper for PageText {
    fn write_escaped_str<W: Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        let mut rest = string;
        while let Some((at, found)) = rest.char_indices().find(|(_, found)| is_special(*found)) {
            let (plain, from) = rest.split_at(at);
            dest.write_str(plain)?;
            write_special(&mut dest, found)?;
            rest = from.get(found.len_utf8()..).unwrap_or_default();
        }
        dest.write_str(rest)
    }
}

/// Whether a character is not written as it is.
const fn is_special(c: char) -> bool {
    matches!(c, '&' | '<' | '>' | '"' | '\'') || is_invisible(c)
}

/// Whether a character has no shape of its own but changes what is seen: controls but tab and newline, marks and overrides of
/// direction, characters without width, tags.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{b}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Writes a character that is not written as it is.
fn write_special(dest: &mut impl Write, c: char) -> fmt::Result {
    match c {
        '&' => dest.write_str("&amp;"),
        '<' => dest.write_str("&lt;"),
        '>' => dest.write_str("&gt;"),
        '"' => dest.write_str("&quot;"),
        '\'' => dest.write_str("&#39;"),
        c => write!(dest, "⟨U+{:04X}⟩", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use askama::filters::Escaper;

    use super::PageText;

    fn text(value: &str) -> String {
        let mut text = String::new();
        PageText.write_escaped_str(&mut text, value).expect("a string takes everything");
        text
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(text("<b a='1' c=\"2\">&amp;"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;");
    }

    #[test]
    fn invisible_characters_are_named() {
        assert_eq!(text("a\u{202e}b\u{1b}[31m\0\r\u{85}"), "a⟨U+202E⟩b⟨U+001B⟩[31m⟨U+0000⟩⟨U+000D⟩⟨U+0085⟩");
        assert_eq!(text("\u{feff}\u{200b}\u{e0041}"), "⟨U+FEFF⟩⟨U+200B⟩⟨U+E0041⟩");
    }

    #[test]
    fn visible_text_stays() {
        assert_eq!(text("Grüße, 世界\n\tשלום 👋"), "Grüße, 世界\n\tשלום 👋");
    }
}
