//! Takes secrets out of free text, word by word.
//!
//! A word may say what the next one is: a name of a secret, a scheme of authentication, an option of a program. In quotes the
//! secret ends with them, in some headers with the line.

use super::address::{has_address, has_parted_address};
use super::lists::{AUTH_SCHEMES, LINE_NAMES};
use super::names::{
    NameStrength, has_joined_credential, is_copula, is_credential_flag, is_secret_after, is_secret_in_sentence,
    names_secret, word_strength,
};
use super::normal::unescaped;
use super::numbers::{has_card, has_long_number};
use super::tokens::find_pem;
use super::{MASKED, Role};

/// Fewest signs of a word that an ambiguous name before it makes a secret.
const NAMED_MIN: usize = 4;

/// Judges and writes the parts of a text that are not sentences.
pub(super) trait PartScrubber: Copy {
    /// Who sees the text.
    fn role(self) -> Role;
    /// Whether a part is masked as a whole.
    fn hides(self, part: &str) -> bool;
    /// Whether a part is an address that the role does not see.
    fn is_address(self, part: &str) -> bool;
    /// Writes a URL without its secrets.
    fn url(self, text: &str, out: &mut String);
    /// Writes parameters without their secrets.
    fn pairs(self, text: &str, out: &mut String);
}

/// Pieces of the text with the one separator after each.
pub(super) fn pieces(text: &str, is: fn(char) -> bool) -> impl Iterator<Item = (&str, &str)> {
    text.split_inclusive(is).map(move |piece| {
        let inside = piece.strip_suffix(is).unwrap_or(piece);
        (inside, piece.strip_prefix(inside).unwrap_or_default())
    })
}

/// Writes the text without its secrets.
pub(super) fn scrub_text(scrub: impl PartScrubber, text: &str, out: &mut String) {
    let is_viewer = scrub.role() == Role::Viewer;
    if is_viewer && (has_long_number(text) || has_written_address(text)) || has_card(text) || unescaped(text).is_none()
    {
        return out.push_str(MASKED);
    }
    // What follows the start of a key is the key.
    let (text, key) = match find_pem(text).and_then(|place| text.split_at_checked(place)) {
        Some((before, _)) => (before, MASKED),
        None => (text, ""),
    };
    let mut words = WordCursor::new(scrub);
    for (word, mark) in pieces(text, is_mark) {
        words.word(word, out);
        words.mark(mark, out);
    }
    words.finish(out);
    out.push_str(key);
}

fn is_mark(c: char) -> bool {
    let is_sign =
        matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | ',' | ';' | '\\');
    is_sign || c.is_whitespace() || c.is_control()
}

/// Whether an address is in the text whose dots are in brackets, apart or other signs, so that programs do not take it for
/// one.
fn has_written_address(text: &str) -> bool {
    if has_parted_address(text) || text.contains(", ") && has_parted_address(&text.replace(", ", ",")) {
        return true;
    }
    let dots = ["[.]", "(.)", "{.}", "[dot]", "(dot)", " . ", " dot "];
    if !dots.iter().any(|dot| text.contains(dot)) {
        return false;
    }
    has_address(&dots.iter().fold(text.to_owned(), |text, dot| text.replace(dot, ".")))
}

/// Where what is masked ends.
#[derive(Clone, Copy)]
enum SecretEnd {
    /// At the end of the line, or of the quotes that the line is in.
    Line,
    /// At the next quote of that kind; whether a backslash precedes it.
    Quote(char, bool),
}

/// A part of the text that is masked as a whole.
struct SecretPart {
    end: SecretEnd,
    /// Only blanks and marks so far.
    is_blank: bool,
    /// Whether the last mark was a backslash.
    is_escaped: bool,
}

/// The words of a text, each of which may say what the next one is.
struct WordCursor<S> {
    scrub: S,
    /// The next word is a secret.
    hide: bool,
    /// The last word names one, and whether a word such as `is` follows the name.
    name: Option<(NameStrength, bool)>,
    /// The last word ended in a value that was masked, and the next one may belong to it.
    open: bool,
    /// The last mark was a backslash.
    is_escaped: bool,
    part: Option<SecretPart>,
}

impl<S: PartScrubber> WordCursor<S> {
    const fn new(scrub: S) -> Self {
        Self { scrub, hide: false, name: None, open: false, is_escaped: false, part: None }
    }

    /// Takes the characters between two words.
    fn mark(&mut self, mark: &str, out: &mut String) {
        let sign = mark.chars().next().unwrap_or(' ');
        if let Some(part) = &mut self.part {
            let ends = match part.end {
                SecretEnd::Line => matches!(sign, '\n' | '\r' | '"' | '\'' | '`'),
                SecretEnd::Quote(quote, is_escaped) => sign == quote && part.is_escaped == is_escaped,
            };
            if !ends || mark.is_empty() {
                part.is_blank &= mark.is_empty() || sign == '\\';
                part.is_escaped = sign == '\\' && !mark.is_empty();
                return;
            }
            self.finish(out);
        } else if self.names_quoted() && matches!(sign, '"' | '\'' | '`') && !mark.is_empty() {
            (self.hide, self.name) = (false, None);
            let end = SecretEnd::Quote(sign, self.is_escaped);
            self.part = Some(SecretPart { end, is_blank: true, is_escaped: false });
        } else if matches!(sign, ';' | '|' | '{' | '}') {
            self.name = None;
        }
        self.is_escaped = sign == '\\';
        self.open &= matches!(sign, '(' | ')' | '[' | ']' | '{' | '}' | '|' | ',' | ';' | '\\');
        out.push_str(mark);
    }

    /// Whether quotes that begin here hold a secret: `token is "a b"`.
    fn names_quoted(&self) -> bool {
        self.hide || self.name == Some((NameStrength::Telling, true))
    }

    /// Writes what is masked up to here.
    fn finish(&mut self, out: &mut String) {
        let Some(part) = self.part.take() else { return };
        if !part.is_blank {
            out.push_str(MASKED);
        }
        if part.is_escaped {
            out.push('\\');
        }
    }

    fn word(&mut self, word: &str, out: &mut String) {
        if let Some(part) = &mut self.part {
            part.is_blank &= word.is_empty();
            part.is_escaped &= word.is_empty();
            return;
        }
        let (tail, word) = word.split_at_checked(self.tail(word)).unwrap_or((word, ""));
        if !tail.is_empty() && tail != "masked" {
            out.push_str(MASKED);
        } else {
            out.push_str(tail);
        }
        if !word.is_empty() && !self.line(word, out) {
            self.plain_word(word, out);
        }
    }

    /// Whether the word begins a line that is a secret; it is written then.
    fn line(&mut self, word: &str, out: &mut String) -> bool {
        let Some((name, value)) = word.split_once([':', '=']) else { return false };
        let is_line = !self.hide && LINE_NAMES.iter().any(|line| line.eq_ignore_ascii_case(name));
        if is_line {
            out.push_str(word.strip_suffix(value).unwrap_or(name));
            self.part = Some(SecretPart { end: SecretEnd::Line, is_blank: value.is_empty(), is_escaped: false });
            self.name = None;
        }
        is_line
    }

    fn plain_word(&mut self, word: &str, out: &mut String) {
        let bare = word.trim_end_matches([':', '=']);
        let (hide, before) = (self.hide, self.name);
        let is_between = bare.is_empty() || is_copula(bare);
        let is_scheme = is_scheme(bare);
        let own = if bare.contains(['/', '?', '=', ':']) { None } else { word_strength(bare) };
        let is_named = bare.len() < word.len() && (own.is_some() || bare.is_empty() && (before.is_some() || hide));
        self.hide = is_scheme || is_named || is_credential_flag(word);
        self.name = match before {
            Some((name, _)) if is_between => Some((name, true)),
            _ => own.map(|name| (name, false)),
        };
        let follows = hide && !is_scheme || before.is_some_and(|(name, is_said)| self.is_after(name, is_said, bare));
        if (follows && !is_between || has_joined_credential(word)) && word != "masked" {
            out.push_str(MASKED);
        } else {
            self.hide |= hide && is_between;
            self.shown(word, out);
            self.open = word.contains('=') && out.ends_with(MASKED);
        }
    }

    /// Whether a word after the name of a secret, with nothing between but perhaps a word that says so, is the secret.
    fn is_after(&self, name: NameStrength, is_said: bool, word: &str) -> bool {
        match name {
            NameStrength::Telling if is_said => is_secret_after(name, word),
            NameStrength::Telling => is_secret_in_sentence(self.scrub.role(), word),
            NameStrength::Ambiguous => {
                let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
                let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
                word.len() >= NAMED_MIN && is_mixed && !word.contains('/')
            }
        }
    }

    /// How much of a word belongs to the value that was masked before it.
    fn tail(&self, word: &str) -> usize {
        if self.open { word.find(['&', ' ']).unwrap_or(word.len()) } else { 0 }
    }

    /// A word that is not a secret in its position.
    fn shown(&mut self, word: &str, out: &mut String) {
        let scrub = self.scrub;
        if word.contains('?') || word.contains(':') && word.contains("://") {
            return scrub.url(word, out);
        }
        if word.contains(['=', '&']) && !word.starts_with('=') {
            self.hide |= word.split_once('=').is_some_and(|(name, value)| names_secret(name) && is_scheme(value));
            return scrub.pairs(word, out);
        }
        if let Some((name, value)) = word.split_once(':').filter(|(name, _)| names_secret(name)) {
            self.hide |= is_scheme(value);
            out.push_str(if scrub.hides(name) { MASKED } else { name });
            out.push(':');
            out.push_str(if value.is_empty() { "" } else { MASKED });
            return;
        }
        if scrub.is_address(word) {
            return out.push_str(MASKED);
        }
        let mut name = None;
        for (piece, slash) in pieces(word, |c| c == '/') {
            let is_address = scrub.role() == Role::Viewer && unescaped(piece).is_none_or(|piece| has_address(&piece));
            let is_secret = name.is_some_and(|name| is_secret_after(name, piece));
            if (is_address || is_secret) && piece != MASKED {
                out.push_str(MASKED);
            } else {
                named_pieces(scrub, piece, out);
            }
            out.push_str(slash);
            if name != Some(NameStrength::Telling) {
                name = word_strength(piece);
            }
        }
    }
}

fn is_scheme(word: &str) -> bool {
    AUTH_SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Writes the parts of a piece between colons and equals signs; one after the name of a secret is masked.
fn named_pieces(scrub: impl PartScrubber, piece: &str, out: &mut String) {
    let mut is_named = false;
    for (part, mark) in pieces(piece, |c| matches!(c, ':' | '=')) {
        let is_hidden = is_named && !part.is_empty() && part != MASKED || scrub.hides(part);
        out.push_str(if is_hidden { MASKED } else { part });
        out.push_str(mark);
        is_named = names_secret(part) || part.is_empty() && is_named;
    }
}
