//! What an assertion of Cloudflare Access or a cookie proves comes from raydex's own origin.
//!
//! A browser adds them to whatever a page of any site sends. So a person's change needs an `Origin` or a
//! `Sec-Fetch-Site` that says where it comes from, and a body of a type that no form can send; but for the forms of the page itself, whose origin
//! alone counts. What a person reads is not read by a page of another site, which may link to it. A bearer token is added by
//! nothing but the program that has it, and so is a service token: what sends no `Origin` is no browser.
//!
//! # Invariants
//! Headers that contradict each other are refused.

use ::http::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};

use super::proof::CallerProof;
use super::routes::{Route, RouteSpec};
use crate::access::is_of_person;
use crate::http::{ACCESS_ASSERTION, HttpRequest, Problem, problems};

/// The header in which a browser says how a page's site relates to that of its request.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The header in which a browser says whether a person follows a link, or a page reads something.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The header in which a browser says what is read: the page itself, or a part of one.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The media type of a form of the page.
const FORM: &str = "application/x-www-form-urlencoded";

/// The media types that a form, or a script without a question to raydex, can send to another site.
const FORM_TYPES: [&str; 3] = [FORM, "multipart/form-data", "text/plain"];

/// Checks where a request comes from that an assertion or a cookie proves.
///
/// # Errors
/// The [`Problem`] of a change that another site may have caused, or of a part of a page of another site.
pub(super) fn check_origin<B>(spec: &RouteSpec, head: &HttpRequest<B>) -> Result<(), Problem> {
    if spec.method == "GET" {
        return check_reader(head);
    }
    if spec.route == Route::Mcp && is_of_other_site(head) {
        return Err(problems::cross_site());
    }
    if !needs_origin(spec, head) {
        return Ok(());
    }
    let (origin, site) = (head.header(ORIGIN), head.header(SEC_FETCH_SITE));
    // A page without a referrer sends its forms with the origin `null`. The site of such a form is the browser's word.
    let is_own_form = origin.as_deref() == Some("null") && is_form(spec) && site.as_deref() == Some("same-origin");
    let is_own = origin.as_deref().is_none_or(|origin| is_own_origin(origin, head.header(HOST).as_deref()));
    let is_same = site.as_deref().is_none_or(|site| matches!(site, "same-origin" | "none"));
    let says_nothing = origin.is_none() && site.is_none();
    let is_person = is_form(spec)
        || CallerProof::of_request(head) == CallerProof::Cookie
        || head.header(ACCESS_ASSERTION).is_some_and(|assertion| is_of_person(&assertion));
    let is_allowed = (is_own || is_own_form) && is_same && !(says_nothing && is_person);
    if is_allowed { Ok(()) } else { Err(problems::cross_site()) }
}

/// Whether a browser sends it for a page of another site. Whatever proves the caller: a page that got hold of an assistant's
/// server by a name of its own (DNS rebinding) is refused too.
fn is_of_other_site<B>(head: &HttpRequest<B>) -> bool {
    head.header(ORIGIN).is_some_and(|origin| !is_own_origin(&origin, head.header(HOST).as_deref()))
}

/// Checks that no part of a page of another site reads with what a browser adds: an image, a frame or a script.
fn check_reader<B>(head: &HttpRequest<B>) -> Result<(), Problem> {
    if !CallerProof::of_request(head).is_of_browser() {
        return Ok(());
    }
    let is_own = head.header(SEC_FETCH_SITE).is_none_or(|site| matches!(site.as_ref(), "same-origin" | "none"));
    let is_link = head.header(SEC_FETCH_MODE).as_deref() == Some("navigate")
        && head.header(SEC_FETCH_DEST).as_deref() == Some("document");
    if is_own || is_link { Ok(()) } else { Err(problems::cross_site_read()) }
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
        Some(name) if is_form(spec) => name.eq_ignore_ascii_case(FORM),
        // Logpush sends lines, plain or compressed, and exporters messages.
        Some(name) if spec.is_upload() => {
            !name.is_empty() && FORM_TYPES.iter().all(|form| !name.eq_ignore_ascii_case(form))
        }
        Some(name) => name.eq_ignore_ascii_case("application/json"),
    };
    if is_allowed { Ok(()) } else { Err(problems::cross_site()) }
}

/// Whether a request changes something, and what a browser adds proves who sends it.
fn needs_origin<B>(spec: &RouteSpec, head: &HttpRequest<B>) -> bool {
    spec.method != "GET" && CallerProof::of_request(head) != CallerProof::Token
}

/// Whether a form of the page sends the request.
const fn is_form(spec: &RouteSpec) -> bool {
    matches!(spec.route, Route::Page(route) if route.is_form())
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
