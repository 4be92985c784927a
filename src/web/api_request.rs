//! The requests that a page makes of the API's functions.

use crate::http::HttpRequest;

/// The request for an answer of the API with this query. It has no headers: what a browser accepts is a page.
pub(super) fn api_request(query: impl Into<String>) -> HttpRequest<Vec<u8>> {
    HttpRequest {
        method: "GET".to_owned(),
        path: String::new(),
        query: query.into(),
        headers: ::http::HeaderMap::new(),
        body: Vec::new(),
    }
}
