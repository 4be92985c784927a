//! The client of HTTP collectors over `fetch`.
//!
//! # Invariants
//!
//! A POST ends within its time limit, whatever the collector does. No text of the platform is passed on: an address may have a
//! token in it.

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use worker::js_sys::Uint8Array;
use worker::{AbortController, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response};

use super::sleep;
use crate::edge::{CollectorAnswer, CollectorPost};
use crate::limits::COLLECTOR_ANSWER_BYTES;

/// Sends a request and waits for the answer; `None` if there is none.
pub(super) async fn post(post: CollectorPost) -> Option<CollectorAnswer> {
    let timeout_ms = post.timeout_ms;
    let request = request(&post).ok()?;
    drop(post);
    let controller = AbortController::default();
    let signal = controller.signal();
    let work = async {
        let mut response = Fetch::Request(request).send_with_signal(&signal).await.ok()?;
        let retry_after = response.headers().get("Retry-After").ok().flatten();
        let body = read(&mut response).await?;
        Some(CollectorAnswer { status: response.status_code(), retry_after, body })
    };
    let answered = match select(Box::pin(work), Box::pin(sleep::sleep(timeout_ms))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => None,
    };
    // Ends whatever is still in progress: the POST, or the rest of the answer.
    controller.abort();
    answered
}

fn request(post: &CollectorPost) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in &post.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_redirect(RequestRedirect::Manual)
        .with_headers(headers)
        .with_body(Some(Uint8Array::from(post.body.as_slice()).into()));
    Request::new_with_init(&post.url, &init)
}

/// Reads the answer's body, of a long one only the beginning; `None` if it breaks off, since what it says matters.
async fn read(response: &mut Response) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let Ok(mut body) = response.stream() else { return Some(kept) };
    while let Some(piece) = body.next().await {
        let piece = piece.ok()?;
        kept.extend(piece.into_iter().take(COLLECTOR_ANSWER_BYTES - kept.len()));
        if kept.len() >= COLLECTOR_ANSWER_BYTES {
            break;
        }
    }
    Some(kept)
}
