//! HTTP requests as the API reads them, with headers in a map.
//!
//! # Invariants
//! Path and query are percent-decoded here, once. A request whose parameters were not checked for repetition is not
//! answered: none of several values of a parameter takes precedence.

use std::borrow::Cow;

use ::http::HeaderMap;
use ::http::header::{AsHeaderName, CONTENT_LENGTH, HeaderName};
use percent_encoding::percent_decode_str;

use super::problem::Problem;
use super::problems;

/// The header in which Cloudflare Access sends its assertion.
pub(crate) const ACCESS_ASSERTION: HeaderName = HeaderName::from_static("cf-access-jwt-assertion");

/// The header in which older clients of Cloudflare's API send their key, with their address in `X-Auth-Email`.
pub(crate) const CLOUDFLARE_KEY: HeaderName = HeaderName::from_static("x-auth-key");

/// The header in which a caller says why it asks.
pub(crate) const REASON: HeaderName = HeaderName::from_static("raydex-reason");

/// The header in which the platform says from which address a request came. It replaces what the client sent.
pub(crate) const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// A request of a client, before any header or parameter is interpreted.
#[derive(Debug)]
pub struct HttpRequest<B> {
    /// The method in upper case, such as `GET`.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The headers of the request, by name.
    pub headers: HeaderMap,
    /// The body: a stream at first, bytes once read.
    pub body: B,
}

impl<B> HttpRequest<B> {
    /// Returns the body, and the request with another one in its place.
    pub(crate) fn replace_body<C>(self, body: C) -> (B, HttpRequest<C>) {
        let Self { method, path, query, headers, body: old } = self;
        (old, HttpRequest { method, path, query, headers, body })
    }

    /// The same request with this body.
    pub(crate) fn with_body<C>(self, body: C) -> HttpRequest<C> {
        let Self { method, path, query, headers, .. } = self;
        HttpRequest { method, path, query, headers, body }
    }

    /// The value of a header; a byte sequence that is not UTF-8 becomes U+FFFD.
    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<Cow<'_, str>> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// Returns the announced length of the body in bytes, if any.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.parse().ok()
    }

    /// Returns the query parameter `name`, percent-decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The query parameters in their order, percent-decoded.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned()
    }

    /// The names of the query parameters in their order, percent-decoded, one for each time that it is given.
    pub(crate) fn parameter_names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        form_urlencoded::parse(self.query.as_bytes()).map(|(name, _)| name)
    }

    /// Returns the first of these parameters that the query repeats.
    pub(crate) fn repeated_parameter(&self, known: &[&'static str]) -> Option<&'static str> {
        known.iter().copied().find(|name| self.parameter_names().filter(|given| given.as_ref() == *name).count() > 1)
    }

    /// Refuses a query with any other parameter, with one of these more than once, or with an `&` that separates nothing.
    ///
    /// # Errors
    /// The [`Problem`] of a parameter that is not in `known`, of one that is repeated, or of an empty one.
    pub(crate) fn check_parameters(&self, known: &[&'static str]) -> Result<(), Problem> {
        if !self.query.is_empty() && self.query.split('&').any(str::is_empty) {
            return Err(problems::empty_parameter());
        }
        if !self.parameter_names().all(|name| known.contains(&name.as_ref())) {
            return Err(problems::unknown_parameter(known));
        }
        self.repeated_parameter(known).map_or(Ok(()), |name| Err(problems::repeated_parameter(name)))
    }

    /// Returns the number from 1 to `most` in the query parameter `name`, or `default` if it is absent.
    ///
    /// # Errors
    /// The [`Problem`] of a value outside 1 to `most`.
    pub fn number_parameter(&self, name: &'static str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(value) = self.parameter(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| (1..=most).contains(number));
        let takes = || match most {
            u64::MAX => "a whole number of at least 1".to_owned(),
            most => format!("a number from 1 to {most}"),
        };
        number.ok_or_else(|| problems::bad_parameter(name, &takes()))
    }
}

/// Percent-decodes a segment of a path; a byte sequence that is not UTF-8 becomes U+FFFD.
pub(crate) fn percent_decoded(piece: &str) -> String {
    percent_decode_str(piece).decode_utf8_lossy().into_owned()
}
