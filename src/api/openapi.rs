//! `GET /openapi.json`: the description of the API in `OpenAPI` 3.1, which is `schemas/openapi.json`, byte for byte.
//!
//! The tests compare it with the table of routes and with every reply. The route needs no token, so the document
//! contains nothing about the deployment.

use crate::http::Reply;
use crate::http::media_type::JSON;
use crate::memory::ReservedBytes;

const DOCUMENT: &str = include_str!("../../schemas/openapi.json");

pub(crate) fn get_openapi() -> Reply {
    Reply::new(200, JSON, ReservedBytes::from_constant(DOCUMENT.as_bytes()))
}
