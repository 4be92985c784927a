//! An HTTP reply, read to its end.

use http::Response;
use serde_json::Value;
use ureq::{Body, Error};

/// Most bytes that a test reads of one body.
const BODY_MAX: u64 = 256 << 20;

/// A reply of the Worker or of the control server.
pub(crate) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    headers: http::HeaderMap,
}

impl Reply {
    /// Reads a reply; a connection that breaks fails the test.
    pub(crate) fn of(response: Result<Response<Body>, Error>) -> Self {
        let response = response.expect("the request is answered");
        let (parts, body) = response.into_parts();
        let body = body.into_with_config().limit(BODY_MAX).read_to_vec().expect("the body comes whole");
        Self { status: parts.status.as_u16(), body, headers: parts.headers }
    }

    /// The header `name`, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Checks that this is the problem `code` with this status, in the form that every problem has.
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()));
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    }
}
