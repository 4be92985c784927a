//! What proves who a caller is: a bearer token, the same token in a cookie, or an assertion of Cloudflare Access. Under
//! `/client/v4` it may be the key of older clients of Cloudflare's API.
//!
//! # Invariants
//! A request with `Authorization` is judged by that header alone, then by the key, and one with a cookie by that alone: what a
//! program or a person chose goes before what a proxy adds.

use std::borrow::Cow;

use ::http::header::AUTHORIZATION;

use crate::http::{ACCESS_ASSERTION, CLOUDFLARE_KEY, HttpRequest, session_token};

/// What the paths of Cloudflare's API begin with.
const CLOUDFLARE_PATHS: &str = "/client/v4/";

/// What proves who a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerProof {
    /// A bearer token in a header.
    Token,
    /// A bearer token in the cookie of a browser.
    Cookie,
    /// An assertion of Cloudflare Access.
    Assertion,
    /// Nothing.
    Missing,
}

impl CallerProof {
    /// What a request has.
    pub(super) fn of_request<B>(request: &HttpRequest<B>) -> Self {
        if request.headers.contains_key(AUTHORIZATION) || cloudflare_key(request).is_some() {
            Self::Token
        } else if session_token(&request.headers).is_some() {
            Self::Cookie
        } else if request.headers.contains_key(ACCESS_ASSERTION) {
            Self::Assertion
        } else {
            Self::Missing
        }
    }

    /// Its name in the audit log.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Cookie => "cookie",
            Self::Assertion | Self::Missing => "access",
        }
    }

    /// Whether a browser adds it to requests by itself.
    pub(super) const fn is_of_browser(self) -> bool {
        matches!(self, Self::Cookie | Self::Assertion)
    }
}

/// The value of `Authorization`, or what it would be with the key of an older client or the token of the cookie.
pub(super) fn authorization_of<B>(request: &HttpRequest<B>) -> Option<Cow<'_, str>> {
    let of_client = || cloudflare_key(request).map(Cow::into_owned).or_else(|| session_token(&request.headers));
    let bearer = || of_client().map(|token| Cow::Owned(format!("Bearer {token}")));
    request.header(AUTHORIZATION).or_else(bearer)
}

/// The key of an older client, which is a token; on the paths of Cloudflare's API alone.
fn cloudflare_key<B>(request: &HttpRequest<B>) -> Option<Cow<'_, str>> {
    request.header(CLOUDFLARE_KEY).filter(|_| request.path.starts_with(CLOUDFLARE_PATHS))
}
