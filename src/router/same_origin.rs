//! Changes that an assertion of Cloudflare Access proves come from raydex's own origin.
//!
//! A browser adds the assertion to whatever a page of any site sends. So a person's change needs an `Origin` or a
//! `Sec-Fetch-Site` that says where it comes from, and a body of a type that no form can send. A bearer token is added by
//! nothing but the program that has it, and so is a service token: what sends no `Origin` is no browser.
//!
//! # Invariants
//! A request that changes nothing passes. Headers that contradict each other are refused.

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN};

use super::routes::{Route, RouteSpec};
use crate::access::is_of_person;
use crate::http::{ACCESS_ASSERTION, HttpRequest, Problem, problems};

/// The header in which a browser says how a page's site relates to that of its request.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The media types that a form, or a script without a question to raydex, can send to another site.
const FORM_TYPES: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// Checks where a change comes from that an assertion proves.
///
/// # Errors
/// The [`Problem`] of a change that another site may have caused.
pub(super) fn check_origin<B>(spec: &RouteSpec, head: &HttpRequest<B>) -> Result<(), Problem> {
    if !needs_origin(spec, head) {
        return Ok(());
    }
    let (origin, site) = (head.header(ORIGIN), head.header(SEC_FETCH_SITE));
    let is_own = origin.as_deref().is_none_or(|origin| is_own_origin(origin, head.header(HOST).as_deref()));
    let is_same = site.as_deref().is_none_or(|site| matches!(site, "same-origin" | "none"));
    let says_nothing = origin.is_none() && site.is_none();
    let is_person = head.header(ACCESS_ASSERTION).is_some_and(|assertion| is_of_person(&assertion));
    if is_own && is_same && !(says_nothing && is_person) { Ok(()) } else { Err(problems::cross_site()) }
}

/// Checks the media type of a change that an assertion proves.
///
/// # Errors
/// The [`Problem`] of a body that a form of another site can send.
pub(super) fn check_media_type<B>(spec: &RouteSpec, head: &HttpRequest<B>, has_body: bool) -> Result<(), Problem> {
    if !needs_origin(spec, head) {
        return Ok(());
    }
    let media_type = head.header(CONTENT_TYPE);
    let media_type = media_type.as_deref().map(|text| text.split(';').next().unwrap_or_default().trim());
    let is_allowed = match media_type {
        None => !has_body,
        // Logpush sends lines, plain or compressed.
        Some(name) if spec.route == Route::IngestBatch => {
            !name.is_empty() && FORM_TYPES.iter().all(|form| !name.eq_ignore_ascii_case(form))
        }
        Some(name) => name.eq_ignore_ascii_case("application/json"),
    };
    if is_allowed { Ok(()) } else { Err(problems::cross_site()) }
}

/// Whether a request changes something, and an assertion proves who sends it.
fn needs_origin<B>(spec: &RouteSpec, head: &HttpRequest<B>) -> bool {
    spec.method != "GET" && !head.headers.contains_key(AUTHORIZATION)
}

/// Whether an origin is that of the host that the request is for; plain HTTP only on this machine.
fn is_own_origin(origin: &str, host: Option<&str>) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
    let is_local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let is_safe = scheme == "https" || scheme == "http" && is_local;
    is_safe && host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::is_own_origin;

    #[test]
    fn origin_is_own_by_scheme_and_authority() {
        for (origin, host, is_own) in [
            ("https://logs.example", "logs.example", true),
            ("https://logs.example", "LOGS.example", true),
            ("https://logs.example:8443", "logs.example:8443", true),
            ("http://127.0.0.1:8787", "127.0.0.1:8787", true),
            ("http://logs.example", "logs.example", false),
            ("https://logs.example:8443", "logs.example", false),
            ("https://x.logs.example", "logs.example", false),
            ("https://logs.example.evil.example", "logs.example", false),
            ("https://evil.example/logs.example", "logs.example", false),
            ("null", "null", false),
            ("", "", false),
            ("logs.example", "logs.example", false),
        ] {
            assert_eq!(is_own_origin(origin, Some(host)), is_own, "{origin} {host}");
            assert!(!is_own_origin(origin, None), "{origin}");
        }
    }
}
