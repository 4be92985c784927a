//! What requests to other services have in common: a POST of a whole body, and a limit to the time that an answer may take.

use std::future::Future;

use futures_util::future::{Either, select};
use worker::js_sys::Uint8Array;
use worker::{Headers, Method, Request, RequestInit, RequestRedirect};

use super::sleep;

/// Creates the POST of a body. A redirect is an answer and is not followed.
pub(super) fn post_request<'h>(
    url: &str,
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    body: &[u8],
) -> worker::Result<Request> {
    let own = Headers::new();
    for (name, value) in headers {
        own.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_redirect(RequestRedirect::Manual)
        .with_headers(own)
        .with_body(Some(Uint8Array::from(body).into()));
    Request::new_with_init(url, &init)
}

/// Waits for an answer, at most this many milliseconds; `None` if there is none by then.
pub(super) async fn answer_within<T>(ms: i64, work: impl Future<Output = Option<T>>) -> Option<T> {
    match select(Box::pin(work), Box::pin(sleep::sleep(ms))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => None,
    }
}
