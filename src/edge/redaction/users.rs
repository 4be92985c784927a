//! Takes the user and the password out of addresses: `postgres://user:password@host/db`, `//user:password@host/db`.
//!
//! A password may have signs of an address in it that its writer did not escape. Where a user has one, or what follows the host is
//! no port, all up to the last `@` of the address is the user's.
//!
//! # Invariants
//! A text is walked once: what an address may be is looked at once for all of the addresses in it.

use std::borrow::Cow;
use std::ops::Range;

use super::REDACTED;

/// What precedes the host of an address, and what ends its scheme.
const HOST_START: &str = "//";
const SCHEME_END: char = ':';
/// Schemes whose path may have an `@`, since browsers and servers escape it in a password.
const WEB_SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];
/// Schemes of images, which have a tag and no port.
const IMAGE_SCHEMES: [&str; 4] = ["docker", "docker-pullable", "docker-image", "oci"];
/// How far an address goes on after quotes, whose password has some.
const QUOTED_MAX: usize = 256;
/// Longest name of a scheme.
const SCHEME_MAX: usize = 24;

/// Returns a text without the users in its addresses.
pub(super) fn without_users(text: &str) -> Cow<'_, str> {
    let (mut out, mut kept_until, mut from) = (String::new(), 0, 0);
    let mut extent = Extent { end: 0, last_at: None };
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(HOST_START)) {
        let start = from + found + HOST_START.len();
        let before = text.get(..from + found).unwrap_or_default();
        from = start;
        if !before.ends_with(SCHEME_END) && !may_precede(before) {
            continue;
        }
        if start >= extent.end {
            extent = Extent::of(text, start);
        }
        let Some(user) = user_at(text, start, before.strip_suffix(SCHEME_END), &extent) else { continue };
        out.push_str(text.get(kept_until..user.start).unwrap_or_default());
        if user.start > start {
            out.push_str(REDACTED);
        }
        kept_until = user.end;
        from = user.end;
    }
    if kept_until == 0 {
        return text.into();
    }
    out.push_str(text.get(kept_until..).unwrap_or_default());
    out.into()
}

/// How far an address may go on.
struct Extent {
    end: usize,
    last_at: Option<usize>,
}

impl Extent {
    fn of(text: &str, start: usize) -> Self {
        let rest = text.get(start..).unwrap_or_default();
        let is_end = |sign: char| sign.is_whitespace() || matches!(sign, '"' | '\'' | '`' | '<' | '>');
        let length = rest.find(is_end).unwrap_or(rest.len());
        let last_at = rest.get(..length).and_then(|address| address.rfind('@'));
        Self { end: start + length, last_at: last_at.map(|at| start + at) }
    }
}

/// Returns whether an address without a scheme may follow a text: it is a word of its own.
fn may_precede(before: &str) -> bool {
    before.chars().next_back().is_none_or(|sign| sign.is_whitespace() || "\"'`<>(=,[{|;".contains(sign))
}

/// Returns the user before the host that begins at `start`, with the `@`; or the password alone, where the rest of it is missing.
/// Without a scheme, what has no password is a comment or a path.
fn user_at(text: &str, start: usize, before: Option<&str>, extent: &Extent) -> Option<Range<usize>> {
    let rest = text.get(start..extent.end)?;
    let authority = rest.get(..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()))?;
    let last_at = extent.last_at.filter(|at| *at >= start);
    if let Some((user, _)) = authority.rsplit_once('@') {
        let has_password = user.contains(':');
        let end = if has_password { last_at? } else { start + user.len() };
        return (has_password || before.is_some()).then_some(start..end + 1);
    }
    let (name, port) = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'))?;
    let Some(scheme) = before.map(scheme_of) else {
        return last_at.filter(|_| !is_port(port)).map(|end| start..end + 1);
    };
    let is_of_host = is_port(port) && is_web(scheme) && (port.is_empty() || name.contains(['.', '[']));
    if is_of_host || IMAGE_SCHEMES.contains(&scheme) || name == "localhost" && is_port(port) {
        return None;
    }
    if let Some(end) = last_at.or_else(|| at_after_quotes(text, extent).filter(|_| port.is_empty() || !is_port(port))) {
        return Some(start..end + 1);
    }
    let is_cut = port.starts_with(|sign: char| sign.is_alphanumeric()) && !is_port(port);
    (is_cut && !port.eq_ignore_ascii_case("port")).then(|| start + name.len() + 1..extent.end)
}

/// Returns the scheme that a text ends in.
fn scheme_of(before: &str) -> &str {
    let head = before.get(before.ceil_char_boundary(before.len().saturating_sub(SCHEME_MAX))..).unwrap_or_default();
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '+' | '-' | '.');
    head.rsplit(|sign| !is_sign(sign)).next().unwrap_or_default()
}

fn is_web(scheme: &str) -> bool {
    let scheme = scheme.rsplit('+').next().unwrap_or(scheme);
    WEB_SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Returns whether a text is a port, perhaps with the signs of a sentence after it.
fn is_port(text: &str) -> bool {
    let digits = text.trim_end_matches(|sign: char| !sign.is_alphanumeric());
    digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the last `@` of an address whose password has quotes, up to the next blank.
fn at_after_quotes(text: &str, extent: &Extent) -> Option<usize> {
    let rest = text.get(extent.end..)?;
    let near = rest.get(..rest.floor_char_boundary(QUOTED_MAX))?;
    let word = near.get(..near.find(char::is_whitespace).unwrap_or(near.len()))?;
    Some(extent.end + word.rfind('@')?)
}

#[cfg(test)]
mod tests {
    use super::without_users;

    #[test]
    fn users_leave_addresses() {
        for (text, kept) in [
            ("postgres://u:p/a?b@host/db", "postgres://host/db"),
            ("postgres://u:p#a@b@host/db", "postgres://host/db"),
            ("postgres://u:p%40a%2Fb@host/db", "postgres://host/db"),
            ("amqp://u:12/3@host", "amqp://host"),
            ("redis://:pw@host:6379/0", "redis://host:6379/0"),
            ("https://ghost@a.example/@b", "https://a.example/@b"),
            ("x https://ann:pw@a.example/, https://bob:p/w@b.example/", "x https://a.example/, https://b.example/"),
            ("http://a;http://u:p@h/", "http://a;http://h/"),
            ("postgres://u:\"p\"w@host/db", "postgres://host/db"),
            ("postgres://u:hunter2", "postgres://u:[redacted]"),
            ("mongodb://u:p,w@a:1,b:2/db", "mongodb://a:1,b:2/db"),
            ("connect //u:p@host/db", "connect //host/db"),
            ("(//u:p/w@host) \"//:p@host\"", "(//host) \"//host\""),
        ] {
            assert_eq!(without_users(text), kept);
            assert_eq!(without_users(kept), kept, "once is as good as twice");
        }
    }

    #[test]
    fn addresses_without_users_stay() {
        for text in [
            "https://a.example:8443/@ann/x?mail=ann@b.example",
            "http://localhost:3000/@vite/client",
            "http://[::1]:80/@x",
            "http://web:8080/x",
            "listening on http://localhost:3000.",
            "http://host:port/x",
            "http://{host}:{port}/x",
            "docker-pullable://nginx:latest",
            "file:///C:/x@y",
            "://",
            "https://",
            "//@ts-ignore",
            "// see a:b@c",
            "//cdn.example/x@1.2.3",
            "//host:8080/@x",
            "a//b:c@d",
            "////",
        ] {
            assert_eq!(without_users(text), text);
        }
    }
}
