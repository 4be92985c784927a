//! Takes secrets out of URLs, paths, query strings and free text, and leaves the rest as it is.
//!
//! A part is judged as what it says once all of its percent escapes are undone and its letters are the plain ones, and
//! masked as a whole; so a secret that is escaped twice, or that is in a URL inside of a parameter, is masked with the part
//! that holds it. What follows the name of a secret is masked, in a path too. User information in front of a host is
//! removed. Nothing has to be complete: a URL may be cut anywhere.
//!
//! # Invariants
//!
//! Scrubbing twice equals scrubbing once. A text in which nothing is masked stays the same text. The stack does not
//! grow with the text.

use std::borrow::Cow;

use super::address::has_parted_address;
use super::host::{HOST_LENGTH, HostAndPort, HostKind, address_labels};
use super::names::{NameStrength, is_credential_flag, is_secret_after, may_name, names_secret, word_strength};
use super::normal::{normal, unescaped};
use super::numbers::has_card_segments;
use super::texts::{PartScrubber, pieces, scrub_text};
use super::tokens::secret_key;
use super::words::{is_harmless, refused};
use super::{FieldClass, MASKED, Role};

/// URLs inside of parameters of URLs that are looked into; a deeper one is masked whole.
const NESTED: usize = 3;
/// Times that a text is scrubbed until it stays as it is: ordinary ones are after the first, altered ones after the second.
const PASSES: usize = 5;

/// Returns the view of `role` of a text of a class: a URL, a query string, a host, or free text.
///
/// A masked part may change how its neighbours read, so the text is scrubbed until nothing changes any more; a text
/// that does not converge, or has no form in which it is judged, is masked whole. A text in other forms of its letters stays, if nothing of it is masked.
pub(super) fn scrubbed(role: Role, class: FieldClass, text: &str) -> Cow<'_, str> {
    let mut before = Cow::Borrowed(text);
    for _ in 0..PASSES {
        let Some(judged) = normal(&before) else { break };
        // A slash is a sign of a key in base64, and would divide it.
        let keyless = without_keys(&judged);
        let after = once(role, class, &keyless);
        if after == *judged {
            return before;
        }
        before = Cow::Owned(after);
    }
    Cow::Borrowed(MASKED)
}

/// The text with each secret key of AWS masked.
fn without_keys(text: &str) -> Cow<'_, str> {
    let (mut rest, mut out) = (text, String::new());
    while let Some(key) = secret_key(rest) {
        out.push_str(rest.get(..key.start).unwrap_or_default());
        out.push_str(MASKED);
        rest = rest.get(key.end..).unwrap_or_default();
    }
    if out.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(out + rest) }
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
        _ => scrub_text(scrub, text, &mut out),
    }
    out
}

/// Whether a segment is the secret that one before it names.
fn is_secret_segment(name: NameStrength, segment: &str) -> bool {
    let says = unescaped(segment);
    segment != MASKED && says.is_none_or(|says| is_secret_after(name, &says))
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
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
        // A password may hold an `@` of its own: the last one counts. It may hold a slash too, where what is before that is
        // neither a host nor a port.
        let is_cut = || HostAndPort::split(authority).port.is_some_and(|port| !is_port(port) && port != MASKED);
        let (authority, behind) = match behind.rsplit_once('@') {
            Some((_, rest)) if !authority.contains('@') && is_cut() => {
                let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
                rest.split_at_checked(end).unwrap_or((rest, ""))
            }
            _ => (authority, behind),
        };
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
            _ if host.len() > HOST_LENGTH => out.push_str(MASKED),
            _ if host.starts_with(MASKED) => self.labels(host, out),
            (HostKind::Address { network }, Role::Viewer) => out.push_str(&network),
            (HostKind::Address { .. }, _) => out.push_str(host),
            (HostKind::OddAddress, Role::Viewer) => out.push_str(MASKED),
            (HostKind::OddAddress, _) if host.starts_with('[') => out.push_str(MASKED),
            (HostKind::OddAddress | HostKind::Name, _) => self.labels(host, out),
        }
        if let Some(port) = port {
            out.push(':');
            out.push_str(if is_port(port) { port } else { MASKED });
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
        let is_hidden = has_card_segments(text) || self.role == Role::Viewer && has_parted_address(text);
        if is_hidden { out.push_str(MASKED) } else { self.segments(text, out) }
    }

    fn segments(self, text: &str, out: &mut String) {
        let names = may_name(text) || text.contains('%');
        let mut name = None;
        for (segment, slash) in pieces(text, |c| c == '/') {
            if name.is_some_and(|name| is_secret_segment(name, segment)) {
                out.push_str(MASKED);
            } else {
                self.segment(segment, out);
            }
            out.push_str(slash);
            // All that follows a telling name may be the secret, what follows another one only if it does so at once.
            if names && !segment.is_empty() && name != Some(NameStrength::Telling) {
                name = unescaped(segment).and_then(|says| word_strength(&says));
            }
        }
    }

    fn segment(self, segment: &str, out: &mut String) {
        for (part, semicolon) in pieces(segment, |c| c == ';') {
            if part.contains(['=', '&']) {
                self.pairs(part, out);
            } else {
                out.push_str(if self.hides(part) || self.is_address(part) { MASKED } else { part });
            }
            out.push_str(semicolon);
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
        let is_secret = unescaped(name).is_none_or(|name| names_secret(&name) || is_credential_flag(&name));
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
            // In a form, a plus sign is a space.
            Role::Support | Role::Forensics => {
                self.hides(value) || value.contains('+') && self.hides(&value.replace('+', "%20"))
            }
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
        let is_mark = |byte| matches!(byte, b'?' | b'=' | b'&' | b'#' | b'"' | b'{');
        let is_more = says.bytes().any(is_mark) || says.contains(':') && says.contains("://");
        if !(is_more || is_escaped && says.contains([';', '/', ' '])) {
            return false;
        }
        let Some(nested) = self.nested.checked_sub(1) else { return true };
        let inner = Self { nested, ..self };
        let mut scrubbed = String::new();
        if says.contains([' ', '"', '{']) {
            scrub_text(inner, &says, &mut scrubbed);
        } else {
            inner.url(&says, &mut scrubbed);
        }
        scrubbed != *says
    }

    /// Whether a part is an address, which a viewer does not see whole.
    fn is_address(self, part: &str) -> bool {
        self.role == Role::Viewer && unescaped(part).is_none_or(|part| part.parse::<std::net::IpAddr>().is_ok())
    }
}

impl PartScrubber for TextScrubber {
    fn role(self) -> Role {
        self.role
    }

    fn hides(self, part: &str) -> bool {
        Self::hides(self, part)
    }

    fn is_address(self, part: &str) -> bool {
        Self::is_address(self, part)
    }

    fn url(self, text: &str, out: &mut String) {
        Self::url(self, text, out);
    }

    fn pairs(self, text: &str, out: &mut String) {
        Self::pairs(self, text, out);
    }
}
