//! A request as the API reads it, with its headers in a map.
//!
//! # Invariants
//! Path and query are percent-decoded here, once; of a parameter that is given twice the first value counts.

use std::borrow::Cow;

use ::http::HeaderMap;
use ::http::header::{AsHeaderName, CONTENT_LENGTH, HeaderName};
use percent_encoding::percent_decode_str;

use super::problem::Problem;
use super::problems;

/// The header in which Cloudflare Access sends its assertion.
pub(crate) const ACCESS_ASSERTION: HeaderName = HeaderName::from_static("cf-access-jwt-assertion");

/// A request of a client, before any header or parameter is interpreted.
#[derive(Debug)]
pub struct HttpRequest<B> {
    /// The method in upper case, such as `GET`.
    pub method: String,
    /// The path as it was sent, still percent-encoded.
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The headers that the client sent.
    pub headers: HeaderMap,
    /// The body: a stream at first, bytes once it was read.
    pub body: B,
}

impl<B> HttpRequest<B> {
    /// The body, and the same request with another one.
    pub(crate) fn replace_body<C>(self, body: C) -> (B, HttpRequest<C>) {
        let Self { method, path, query, headers, body: old } = self;
        (old, HttpRequest { method, path, query, headers, body })
    }

    /// The value of a header; a byte sequence that is not UTF-8 becomes U+FFFD.
    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<Cow<'_, str>> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// The length of the body in bytes, where the client announced one.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }

    /// The query parameter `name`, percent-decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Refuses a query with any other parameter.
    ///
    /// # Errors
    /// The [`Problem`] of the first parameter that is not in `known`.
    pub(crate) fn check_parameters(&self, known: &[&str]) -> Result<(), Problem> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        if pairs.all(|(key, _)| known.contains(&key.as_ref())) {
            Ok(())
        } else {
            Err(problems::unknown_parameter(known))
        }
    }

    /// The number from 1 to `most` in the query parameter `name`; `default` where it is not given.
    ///
    /// # Errors
    /// The [`Problem`] of a value outside 1 to `most`.
    pub fn number_parameter(&self, name: &'static str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(value) = self.parameter(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| problems::bad_parameter(name, &format!("a number from 1 to {most}")))
    }
}

/// A segment of a path, percent-decoded; a byte sequence that is not UTF-8 becomes U+FFFD.
pub(crate) fn percent_decoded(piece: &str) -> String {
    percent_decode_str(piece).decode_utf8_lossy().into_owned()
}
