//! The cookie that presents a token, for people with a browser.
//!
//! # Invariants
//! The cookie is one more way to present the same token: it holds nothing else. Scripts cannot read it, no request of another
//! site carries it, and no other host can set it. On this machine alone, where there is no TLS, it lacks the prefix that says so.

use ::http::HeaderMap;
use ::http::header::{COOKIE, HOST};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The name that browsers accept from the host itself alone, over TLS.
const HOST_NAME: &str = "__Host-raydex";
/// The name on this machine.
const LOCAL_NAME: &str = "raydex";

/// Returns the token in the cookie of a request; `None` without one, or with several.
pub(crate) fn session_token(headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(headers);
    let texts = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter_map(|(known, value)| (known == name).then_some(value));
    let value = values.next().filter(|value| !value.is_empty())?;
    if values.next().is_some() {
        return None;
    }
    percent_decode_str(value).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Returns the value of `Set-Cookie` that keeps the token until the browser is closed.
pub(crate) fn begin_session(headers: &HeaderMap, token: &str) -> String {
    let value = utf8_percent_encode(token, NON_ALPHANUMERIC);
    format!("{}={value}{}", cookie_name(headers), attributes(headers))
}

/// Returns the value of `Set-Cookie` that removes the token.
pub(crate) fn end_session(headers: &HeaderMap) -> String {
    format!("{}={}; Max-Age=0", cookie_name(headers), attributes(headers))
}

fn cookie_name(headers: &HeaderMap) -> &'static str {
    if is_local(headers) { LOCAL_NAME } else { HOST_NAME }
}

fn attributes(headers: &HeaderMap) -> &'static str {
    if is_local(headers) {
        "; Path=/; HttpOnly; SameSite=Strict"
    } else {
        "; Path=/; Secure; HttpOnly; SameSite=Strict"
    }
}

/// Whether a request is for this machine.
fn is_local(headers: &HeaderMap) -> bool {
    headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(is_local_authority)
}

/// Whether a host, with or without a port, is this machine.
pub(crate) fn is_local_authority(authority: &str) -> bool {
    let has_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = authority.rsplit_once(':').filter(|(_, port)| has_port(port)).map_or(authority, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{begin_session, end_session, session_token};

    fn headers(host: &str, cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        for cookie in cookies {
            headers.append("cookie", cookie.parse().unwrap());
        }
        headers
    }

    #[test]
    fn cookie_presents_the_token_it_was_given() {
        for host in ["logs.example", "localhost:8787", "127.0.0.1", "[::1]:80"] {
            for token in ["rdx_4f9a", "a b;c=d", "Grüße \"%41\"", "=", "\u{1}"] {
                let set = begin_session(&headers(host, &[]), token);
                let pair = set.split(';').next().unwrap();
                assert_eq!(session_token(&headers(host, &["a=b; x", pair])), Some(token.to_owned()), "{set}");
                let joined = format!("x=y;{pair} ; z=1");
                assert_eq!(session_token(&headers(host, &[&joined])), Some(token.to_owned()), "{set}");
            }
        }
    }

    #[test]
    fn attributes_keep_scripts_and_sites_away() {
        assert_eq!(
            begin_session(&headers("logs.example", &[]), "t"),
            "__Host-raydex=t; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
        assert_eq!(begin_session(&headers("127.0.0.1:1", &[]), "t"), "raydex=t; Path=/; HttpOnly; SameSite=Strict");
        let end = end_session(&headers("logs.example", &[]));
        assert_eq!(end, "__Host-raydex=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    }

    #[test]
    fn other_cookies_present_nothing() {
        for (host, cookie) in [
            ("logs.example", "raydex=t"),
            ("logs.example", "__Host-raydex="),
            ("logs.example", "__Host-raydex=a; __Host-raydex=b"),
            ("logs.example", "__host-raydex=t"),
            ("logs.example", "x__Host-raydex=t"),
            ("logs.example", "__Host-raydex=%ff"),
            ("localhost.evil.example", "raydex=t"),
            ("localhost:evil", "raydex=t"),
            ("127.0.0.1", "__Host-raydex=t"),
        ] {
            assert_eq!(session_token(&headers(host, &[cookie])), None, "{host} {cookie}");
        }
    }
}
