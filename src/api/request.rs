//! A request, as far as raydex looks at it.
//!
//! What always holds: path and query are percent-decoded here, once; a parameter given twice counts the first time.

use percent_encoding::percent_decode_str;

use super::{Problem, problems};

/// One HTTP request.
#[derive(Debug)]
pub struct Request<B> {
    /// The method, upper case.
    pub method: String,
    /// The path as it was sent, still percent-encoded.
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Cf-Access-Jwt-Assertion`.
    pub access_jwt: Option<String>,
    /// The header `Accept`.
    pub accept: Option<String>,
    /// The header `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The header `Content-Length`.
    pub content_length: Option<u64>,
    /// The body.
    pub body: B,
}

impl<B> Request<B> {
    /// The body, and the same request with another one.
    pub(super) fn replace<C>(self, body: C) -> (B, Request<C>) {
        let Self { method, path, query, authorization, access_jwt, accept, if_none_match, content_length, body: old } =
            self;
        let request =
            Request { method, path, query, authorization, access_jwt, accept, if_none_match, content_length, body };
        (old, request)
    }

    /// The query parameter `name`, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Refuses a query with a parameter that is none of these.
    ///
    /// # Errors
    /// The [`Problem`] of such a parameter.
    pub(super) fn takes_only(&self, known: &[&str]) -> Result<(), Problem> {
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
    /// The [`Problem`] of a value that is no such number.
    pub fn number(&self, name: &'static str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(value) = self.parameter(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| problems::bad_parameter(name, &format!("a number from 1 to {most}")))
    }

    /// Whether the caller prefers lines of JSON.
    #[must_use]
    pub fn accepts_ndjson(&self) -> bool {
        self.accept.as_deref().is_some_and(|accept| accept.contains("application/x-ndjson"))
    }
}

/// Whether the header `Accept-Encoding` takes gzip.
#[must_use]
pub fn accepts_gzip(accepted: &str) -> bool {
    let weight = |wanted: &str| {
        accepted.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            let names = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case(wanted));
            let weight = || parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            names.then(weight)
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight: f32| weight > 0.0)
}

/// A piece of a path, percent-decoded; what is no UTF-8 becomes U+FFFD.
pub(super) fn decoded(piece: &str) -> String {
    percent_decode_str(piece).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::accepts_gzip;

    #[test]
    fn gzip_is_taken_where_it_is_named_and_not_refused() {
        for (accepted, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("deflate, *", true),
            ("*;q=0.1", true),
            ("gzip;q=0, *", false),
            ("gzip;q=x", false),
            ("br, identity", false),
            ("x-gzip2", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(accepted), takes, "{accepted}");
        }
    }
}
