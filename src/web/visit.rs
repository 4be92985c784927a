//! What pages need to know of the request for them.

use ::http::HeaderMap;
use ::http::header::{AUTHORIZATION, HOST, HeaderName};

use crate::access::Caller;
use crate::http::{ACCESS_ASSERTION, HttpRequest, is_local_authority, session_token};
use crate::limits::RETURN_PATH_BYTES;
use crate::page::{PageFrame, WayOut};

/// The header in which a browser says how a page's site relates to that of its request.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A person's request for a page.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The path and the query of the page, to return to; `/` where it is none that a browser can return to.
    pub(super) target: String,
    /// The headers of the request that name its host.
    pub(super) headers: HeaderMap,
    /// Whether the same request may be sent again by itself: one that a browser does not ask a person about first.
    pub(super) is_repeatable: bool,
    /// Whether the browser followed a link of another site, and so left out the cookie.
    pub(super) is_from_another_site: bool,
    way_out: WayOut,
}

impl Visit {
    /// Reads what a page needs.
    pub(crate) fn new<B>(request: &HttpRequest<B>) -> Self {
        let is_get = matches!(request.method.as_str(), "GET" | "HEAD");
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let has_token = request.headers.contains_key(AUTHORIZATION);
        let has_cookie = session_token(&request.headers).is_some();
        let way_out = match (has_token, has_cookie, request.headers.contains_key(ACCESS_ASSERTION)) {
            (false, true, _) => WayOut::Cookie,
            (false, false, true) => WayOut::Access,
            _ => WayOut::None,
        };
        let site = request.header(SEC_FETCH_SITE);
        Self {
            target: if is_get { format!("{}{query}", request.path) } else { "/".to_owned() },
            headers: request.headers.clone(),
            is_repeatable: is_get,
            is_from_another_site: is_get && !has_cookie && site.as_deref() == Some("cross-site"),
            way_out,
        }
    }

    /// The scheme and the host of the page; empty where the request names none.
    pub(super) fn origin(&self) -> String {
        let Some(host) = self.headers.get(HOST).and_then(|host| host.to_str().ok()) else { return String::new() };
        let scheme = if is_local_authority(host) { "http" } else { "https" };
        format!("{scheme}://{host}")
    }

    /// The parameters of the page, but for this one.
    pub(super) fn parameters_beside(&self, name: &str) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let query = if query.len() > RETURN_PATH_BYTES { "" } else { query };
        form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(known, _)| known != name).collect()
    }

    /// What is around a page for this caller.
    pub(super) fn frame(&self, caller: Option<&Caller>) -> PageFrame {
        let viewer = caller.map(|caller| (caller.name.clone(), caller.role.name()));
        PageFrame { way_out: self.way_out, viewer }
    }
}
