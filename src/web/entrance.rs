//! The box, the way from a paste to its rays, and signing in and out.
//!
//! # Invariants
//! After signing in a browser is sent to a path of this host alone. A token is in no page and no address.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::html::small_page_reply;
use super::visit::Visit;
use crate::access::Caller;
use crate::http::{Reply, begin_session, end_session};
use crate::limits::{FORM_TOKEN_BYTES, RETURN_PATH_BYTES};
use crate::page::answer::AnswerTab;
use crate::page::{HomePage, SignInPage, find_rays};
use crate::record::{RayKey, ray_from_user};

/// Shows the box.
pub(crate) fn home(visit: &Visit, caller: &Caller) -> Reply {
    home_page(visit, caller, 200)
}

fn home_page(visit: &Visit, caller: &Caller, status: u16) -> Reply {
    let frame = visit.frame(Some(caller));
    small_page_reply(status, &HomePage { frame: &frame, is_empty: status != 200 })
}

/// Goes to the ray in the form, or to the page of several; the box again if there is none.
pub(crate) fn go_to_rays(visit: &Visit, caller: &Caller, form: &[u8]) -> Reply {
    let text = form_urlencoded::parse(form).find(|(name, _)| name == "text").map(|(_, text)| text).unwrap_or_default();
    let found = find_rays(&text);
    if let Some(path) = comparison_path(form, &found.rays) {
        return Reply::see_other(path);
    }
    let encoded = |ray: &dyn ToString| utf8_percent_encode(&ray.to_string(), NON_ALPHANUMERIC).to_string();
    match found.rays.as_slice() {
        [] => home_page(visit, caller, 422),
        [ray] => Reply::see_other(format!("/r/{}", encoded(ray))),
        rays => {
            let rays: Vec<String> = rays.iter().map(|ray| encoded(ray)).collect();
            let more = if found.has_more { "&more=true" } else { "" };
            Reply::see_other(format!("/rays?ids={}{more}", rays.join(",")))
        }
    }
}

/// The path of the comparison that a form asks for, of the ray in its member `compare` with the first other one of its text;
/// `None` for another form.
fn comparison_path(form: &[u8], found: &[RayKey]) -> Option<String> {
    let member = |known: &str| form_urlencoded::parse(form).find(|(name, _)| name == known).map(|(_, value)| value);
    let ray = ray_from_user(&member("compare")?).ok()?;
    let other = found.iter().find(|other| **other != ray).or(found.first()).map(RayKey::to_string).unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("tab", AnswerTab::Compare.name()).append_pair("with", &other);
    for name in ["dataset", "reason"] {
        if let Some(value) = member(name) {
            query.append_pair(name, &value);
        }
    }
    Some(format!("/r/{}?{}#parts", utf8_percent_encode(&ray.to_string(), NON_ALPHANUMERIC), query.finish()))
}

/// The form that a person signs in with, as sent.
#[derive(Debug)]
pub(crate) struct SignInForm {
    /// The token.
    pub(crate) token: String,
    /// The path to return to.
    to: String,
}

impl SignInForm {
    /// Reads the form. A token that is too long to be one is as an empty one.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let member = |known: &str| {
            form_urlencoded::parse(body)
                .find(|(name, _)| name == known)
                .map_or_else(String::new, |(_, value)| value.into_owned())
        };
        let token = member("token").trim().to_owned();
        let token = if token.len() > FORM_TOKEN_BYTES { String::new() } else { token };
        Self { token, to: local_path(&member("to")).to_owned() }
    }
}

/// Shows the form that signs in, to return to the path in the parameter `to`.
pub(crate) fn sign_in_form(visit: &Visit, to: Option<&str>) -> Reply {
    sign_in_page(visit, to.map_or("/", local_path), None, 200)
}

/// Shows the form again: the status and the words say why.
pub(crate) fn sign_in_page(visit: &Visit, to: &str, failure: Option<&str>, status: u16) -> Reply {
    let frame = visit.frame(None);
    let goes_on = status == 401 && visit.is_from_another_site;
    let reply = small_page_reply(status, &SignInPage { frame: &frame, to: local_path(to), failure, goes_on });
    if status == 401 { reply.with_header("www-authenticate", "Bearer") } else { reply }
}

impl SignInForm {
    /// Keeps the token in a cookie, and goes on.
    pub(crate) fn accept(&self, visit: &Visit) -> Reply {
        Reply::see_other(self.to.clone()).with_header("set-cookie", begin_session(&visit.headers, &self.token))
    }

    /// Shows the form again.
    pub(crate) fn refuse(&self, visit: &Visit, status: u16) -> Reply {
        let words = match status {
            403 => "This token is known, but may not be used here.",
            429 => "This token exceeded its request rate. Wait a minute, and try again.",
            503 => "The token cannot be checked right now. Try again in a moment.",
            _ => "This token is not valid. Check that you copied all of it, and that it has not expired.",
        };
        sign_in_page(visit, &self.to, Some(words), status)
    }
}

/// Removes the token from the browser.
pub(crate) fn sign_out(visit: &Visit) -> Reply {
    Reply::see_other("/sign-in").with_header("set-cookie", end_session(&visit.headers))
}

/// The path itself if a browser stays on this host with it; the box for any other text.
fn local_path(text: &str) -> &str {
    // What else a URL may have, a browser escapes (RFC 3986, 2.2 and 2.3).
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?#[]".contains(&byte));
    let is_local = text.starts_with('/') && !text.starts_with("//");
    let leads_on = !text.starts_with("/sign-");
    if is_plain && is_local && leads_on && text.len() <= RETURN_PATH_BYTES { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::{FORM_TOKEN_BYTES, RETURN_PATH_BYTES, SignInForm, local_path};

    #[test]
    fn only_paths_of_this_host_are_returned_to() {
        for path in ["/", "/r/764660d8ec5c2ab1?tab=json", "/rays?ids=a,b", "/a//b", "/r/x#y"] {
            assert_eq!(local_path(path), path);
        }
        let long = format!("/{}", "x".repeat(RETURN_PATH_BYTES));
        for path in [
            "",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/ /x",
            " /x",
            "/\u{0}",
            "/é",
            "/r/\u{202e}",
            "/r/\"><script>",
            "/sign-in",
            "/sign-out",
            long.as_str(),
        ] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }

    #[test]
    fn form_is_read_by_its_names() {
        let form = SignInForm::parse(b"to=%2Fr%2Fabc&token=+a%20b%3B%26+&x=1");
        assert_eq!((form.token.as_str(), form.to.as_str()), ("a b;&", "/r/abc"));
        let form = SignInForm::parse(b"token=&to=%2F%2Fevil.example");
        assert_eq!((form.token.as_str(), form.to.as_str()), ("", "/"));
        assert_eq!(SignInForm::parse(format!("token={}", "x".repeat(FORM_TOKEN_BYTES + 1)).as_bytes()).token, "");
        assert_eq!(SignInForm::parse(&[0xff, b'=', 0]).token, "");
    }
}
