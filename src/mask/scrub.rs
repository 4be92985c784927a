//! Takes secrets out of URLs, paths, query strings and free text, and leaves the rest as it is.
//!
//! A part is judged as what it says once all of its percent escapes are undone, and masked as a whole; so a secret
//! that is escaped twice, or that is in a URL inside of a parameter, is masked with the part that holds it. User
//! information in front of a host is removed. Nothing has to be complete: a URL may be cut anywhere.
//!
//! # Invariants
//!
//! Scrubbing twice equals scrubbing once. A text in which nothing is masked stays the same text. The stack does not
//! grow with the text.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::host::{HostAndPort, HostKind, address_labels};
use super::names::names_secret;
use super::words::{has_card, has_long_number, is_harmless, refused};
use super::{FieldClass, MASKED, Role};
use crate::limits::MASK_ESCAPES;

/// URLs inside of parameters of URLs that are looked into; a deeper one is masked whole.
const NESTED: usize = 3;
/// Times that a text is scrubbed until it stays as it is: ordinary ones are after the first, altered ones after the second.
const PASSES: usize = 5;

/// What `role` sees of a text of a class: a URL, a query string, a host, or free text.
///
/// A masked part may change how its neighbours read, so the text is scrubbed until nothing changes any more; a text
/// that does not converge is masked whole.
pub(super) fn scrubbed(role: Role, class: FieldClass, text: &str) -> String {
    let mut before = Cow::Borrowed(text);
    for _ in 0..PASSES {
        let after = once(role, class, &before);
        if after == *before {
            return after;
        }
        before = Cow::Owned(after);
    }
    MASKED.to_owned()
}

/// Whether a text is the address of a host, with or without a port or a path.
pub(super) fn is_address_host(text: &str) -> bool {
    let host = text.split_once('/').map_or(text, |(host, _)| host);
    HostKind::of(HostAndPort::split(host).host) != HostKind::Name
}

fn once(role: Role, class: FieldClass, text: &str) -> String {
    let (scrub, mut out) = (TextScrubber { role, nested: NESTED }, String::with_capacity(text.len()));
    match class {
        FieldClass::Url => scrub.url(text, &mut out),
        FieldClass::Host => scrub.host_and_path(text, &mut out),
        FieldClass::Query => {
            let rest = text.strip_prefix('?').unwrap_or(text);
            out.push_str(text.strip_suffix(rest).unwrap_or_default());
            scrub.pairs(rest, &mut out);
        }
        _ => scrub.text(text, &mut out),
    }
    out
}

/// The text without percent escapes, however often they were made; `None` where they have no end.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MASK_ESCAPES {
        let Cow::Owned(bytes) = Cow::from(percent_decode_str(&text)) else { return Some(text) };
        text = Cow::Owned(String::from_utf8_lossy(&bytes).into_owned());
    }
    matches!(Cow::from(percent_decode_str(&text)), Cow::Borrowed(_)).then_some(text)
}

/// Pieces of the text with the one separator after each.
fn pieces(text: &str, is: fn(char) -> bool) -> impl Iterator<Item = (&str, &str)> {
    text.split_inclusive(is).map(move |piece| {
        let inside = piece.strip_suffix(is).unwrap_or(piece);
        (inside, piece.strip_prefix(inside).unwrap_or_default())
    })
}

/// Scrubs for one role, inside `nested` URLs.
#[derive(Clone, Copy)]
struct TextScrubber {
    role: Role,
    nested: usize,
}

impl TextScrubber {
    fn url(self, text: &str, out: &mut String) {
        let is_scheme = |scheme: &str| {
            let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            !scheme.is_empty() && scheme.len() <= 16 && scheme.bytes().all(sign)
        };
        let rest = match text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            Some((scheme, rest)) => {
                out.push_str(if refused(self.role, scheme) { MASKED } else { scheme });
                out.push_str("://");
                self.authority(rest, out)
            }
            None => text,
        };
        let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, behind)| (rest, Some(behind)));
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        self.path(path, out);
        for (mark, part) in [('?', query), ('#', fragment)] {
            if let Some(part) = part {
                out.push(mark);
                self.pairs(part, out);
            }
        }
    }

    /// Writes the host at the start of `rest`, without its user information; returns the text after it.
    fn authority<'t>(self, rest: &'t str, out: &mut String) -> &'t str {
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        // A password may hold an `@` of its own: the last one counts.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        self.host(host, out);
        behind
    }

    /// A host, with a path where one follows, as in the domain of an app.
    fn host_and_path(self, text: &str, out: &mut String) {
        let Some((host, path)) = text.split_once('/') else { return self.host(text, out) };
        self.host(host, out);
        out.push('/');
        self.url(path, out);
    }

    fn host(self, text: &str, out: &mut String) {
        let HostAndPort { host, port } = HostAndPort::split(text);
        match (HostKind::of(host), self.role) {
            _ if host.starts_with(MASKED) => self.labels(host, out),
            (HostKind::Address { network }, Role::Viewer) => out.push_str(&network),
            (HostKind::Address { .. }, _) => out.push_str(host),
            (HostKind::OddAddress, Role::Viewer) => out.push_str(MASKED),
            (HostKind::OddAddress, _) if host.starts_with('[') => out.push_str(MASKED),
            (HostKind::OddAddress | HostKind::Name, _) => self.labels(host, out),
        }
        if let Some(port) = port {
            let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
            out.push(':');
            out.push_str(if is_port { port } else { MASKED });
        }
    }

    /// The labels of a name, each by itself.
    fn labels(self, name: &str, out: &mut String) {
        let of_address = if self.role == Role::Viewer { address_labels(name) } else { Vec::new() };
        for (place, (label, dot)) in pieces(name, |c| c == '.').enumerate() {
            let sign = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '*');
            let is_hidden = of_address.get(place).copied().unwrap_or_default();
            let is_shown = label == MASKED || !is_hidden && label.chars().all(sign) && !refused(self.role, label);
            out.push_str(if is_shown { label } else { MASKED });
            out.push_str(dot);
        }
    }

    fn path(self, text: &str, out: &mut String) {
        for (segment, slash) in pieces(text, |c| c == '/') {
            for (part, semicolon) in pieces(segment, |c| c == ';') {
                if part.contains(['=', '&']) {
                    self.pairs(part, out);
                } else {
                    out.push_str(if self.hides(part) || self.is_address(part) { MASKED } else { part });
                }
                out.push_str(semicolon);
            }
            out.push_str(slash);
        }
    }

    /// Parameters, joined by `&` or `;`.
    fn pairs(self, text: &str, out: &mut String) {
        for (pair, mark) in pieces(text, |c| matches!(c, '&' | ';')) {
            match pair.split_once('=') {
                Some((name, value)) => self.pair(name, value, out),
                // A word alone may be anything; a viewer sees no values.
                None => out.push_str(if self.hides_value(pair) { MASKED } else { pair }),
            }
            out.push_str(mark);
        }
    }

    fn pair(self, name: &str, value: &str, out: &mut String) {
        let is_secret = unescaped(name).is_none_or(|name| names_secret(&name));
        out.push_str(if self.hides_name(name) { MASKED } else { name });
        out.push('=');
        let hides = self.hides_value(value) || is_secret && self.role != Role::Forensics && !value.is_empty();
        out.push_str(if hides { MASKED } else { value });
    }

    /// The names of parameters that a viewer sees are words.
    fn hides_name(self, name: &str) -> bool {
        let is_sign = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']');
        match self.role {
            Role::Viewer => name != MASKED && !(is_harmless(name) && name.bytes().all(is_sign)),
            Role::Support | Role::Forensics => self.hides(name),
        }
    }

    fn hides_value(self, value: &str) -> bool {
        match self.role {
            Role::Viewer => !value.is_empty() && value != MASKED,
            Role::Support | Role::Forensics => self.hides(value),
        }
    }

    /// Whether a part is masked: for what it says without escapes, or for what a URL or a text in it says.
    fn hides(self, part: &str) -> bool {
        if part == MASKED {
            return false;
        }
        let Some(says) = unescaped(part) else { return true };
        if refused(self.role, &says) {
            return true;
        }
        let is_escaped = matches!(says, Cow::Owned(_));
        let is_more = says.contains("://") || says.contains(['?', '=', '&', '#', '"', '{']);
        if !(is_more || is_escaped && says.contains([';', '/', ' '])) {
            return false;
        }
        let Some(nested) = self.nested.checked_sub(1) else { return true };
        let inner = Self { nested, ..self };
        let mut scrubbed = String::new();
        if says.contains([' ', '"', '{']) {
            inner.text(&says, &mut scrubbed);
        } else {
            inner.url(&says, &mut scrubbed);
        }
        scrubbed != *says
    }

    /// Whether a part is an address, which a viewer does not see whole.
    fn is_address(self, part: &str) -> bool {
        self.role == Role::Viewer && unescaped(part).is_none_or(|part| part.parse::<std::net::IpAddr>().is_ok())
    }

    fn text(self, text: &str, out: &mut String) {
        let is_long = self.role == Role::Viewer && has_long_number(text);
        if is_long || has_card(text) || unescaped(text).is_none() {
            out.push_str(MASKED);
            return;
        }
        let mut words = WordCursor { scrub: self, hide: false, names: false, open: false };
        let is_mark = |c: char| c.is_whitespace() || c.is_control() || "\"'`<>()[]{}|,;\\".contains(c);
        for (word, mark) in pieces(text, is_mark) {
            words.word(word, out);
            words.open &= matches!(mark, "(" | ")" | "[" | "]" | "{" | "}" | "|" | "," | ";" | "\\");
            out.push_str(mark);
        }
    }
}

/// The words of a text, each of which may say what the next one is.
struct WordCursor {
    scrub: TextScrubber,
    /// The next word is a secret.
    hide: bool,
    /// The last word names one.
    names: bool,
    /// The last word ended in a value that was masked, and the next one may belong to it.
    open: bool,
}

impl WordCursor {
    fn word(&mut self, word: &str, out: &mut String) {
        let (tail, word) = word.split_at_checked(self.tail(word)).unwrap_or((word, ""));
        if !tail.is_empty() && tail != "masked" {
            out.push_str(MASKED);
        } else {
            out.push_str(tail);
        }
        if word.is_empty() {
            return;
        }
        let bare = word.trim_end_matches([':', '=']);
        let (hide, named) = (self.hide, self.names);
        self.names = names_secret(bare) && !bare.contains(['/', '?', '=', ':']);
        let is_scheme = ["bearer", "basic", "digest"].iter().any(|scheme| bare.eq_ignore_ascii_case(scheme));
        self.hide = is_scheme || bare.len() < word.len() && (self.names || bare.is_empty() && (named || hide));
        if hide && !is_scheme && !bare.is_empty() && word != "masked" {
            out.push_str(MASKED);
        } else {
            self.shown(word, out);
            self.open = word.contains('=') && out.ends_with(MASKED);
        }
    }

    /// How much of a word belongs to the value that was masked before it.
    fn tail(&self, word: &str) -> usize {
        if self.open { word.find(['&', ' ']).unwrap_or(word.len()) } else { 0 }
    }

    /// A word that is not a secret in its position.
    fn shown(&self, word: &str, out: &mut String) {
        let scrub = self.scrub;
        if word.contains("://") || word.contains('?') {
            return scrub.url(word, out);
        }
        if word.contains(['=', '&']) && !word.starts_with('=') {
            return scrub.pairs(word, out);
        }
        if let Some((name, value)) = word.split_once(':').filter(|(name, _)| names_secret(name)) {
            out.push_str(if scrub.hides(name) { MASKED } else { name });
            out.push(':');
            out.push_str(if value.is_empty() { "" } else { MASKED });
            return;
        }
        if scrub.is_address(word) {
            return out.push_str(MASKED);
        }
        for (part, mark) in pieces(word, |c| matches!(c, '/' | ':' | '=')) {
            out.push_str(if scrub.hides(part) { MASKED } else { part });
            out.push_str(mark);
        }
    }
}
