//! `GET /openapi.json`: the contract of these routes, as `OpenAPI` 3.1.
//!
//! What always holds: it is `schemas/openapi.json`, byte for byte, which the tests hold against the table of routes and
//! against every reply that they see; it needs no token, so it tells nothing of the deployment.

use crate::http::Reply;
use crate::http::media_type::JSON;

/// The document.
const DOCUMENT: &str = include_str!("../../schemas/openapi.json");

/// Answers with the document.
pub(crate) fn get_openapi() -> Reply {
    Reply::new(200, JSON, DOCUMENT.as_bytes().to_vec())
}
