//! The partner over `fetch`.
//!
//! # Invariants
//!
//! A POST ends within [`POST_MS`], whatever the partner does. A status that came is final, whatever becomes of its
//! body. The address, which carries the signature, is in no error: none of the platform's words are passed on.

use std::cell::Cell;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::select;
use worker::js_sys::Uint8Array;
use worker::{AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response};

use crate::backend::{PartnerClient, PartnerPost, PostAnswer, PostError};
use crate::limits::{POST_ANSWER_MAX, POST_MS};

/// The partner on the network.
#[derive(Debug)]
pub(super) struct FetchPartner;

impl PartnerClient for FetchPartner {
    async fn post(&self, post: &PartnerPost) -> Result<PostAnswer, PostError> {
        let request = request(post).map_err(|_| PostError::NotSent("the platform refused it".into()))?;
        let controller = AbortController::default();
        let signal = controller.signal();
        let answer = Cell::new(Err(PostError::Unknown("timed out".into())));
        let work = async {
            if let Ok(mut response) = Fetch::Request(request).send_with_signal(&signal).await {
                answer.set(Ok(answer_of(&response)));
                read(&mut response).await;
            } else {
                // The platform has the same words for a port that is closed and for a connection that broke in the
                // midst of a body, so it is not known what has left.
                answer.set(Err(PostError::Unknown("the connection failed".into())));
            }
        };
        let time_is_up = Delay::from(Duration::from_millis(POST_MS.unsigned_abs()));
        drop(select(Box::pin(work), Box::pin(time_is_up)).await);
        // Ends whatever is still under way: the POST, or the rest of the answer.
        controller.abort();
        answer.into_inner()
    }
}

/// The request of a POST.
fn request(post: &PartnerPost) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("Content-Type", "text/plain; charset=utf-8")?;
    // The body is gzip already, and the platform sends it as it is.
    headers.set("Content-Encoding", "gzip")?;
    headers.set("X-Batch-Id", &post.batch_id)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_redirect(RequestRedirect::Manual)
        .with_headers(headers)
        .with_body(Some(Uint8Array::from(post.body.as_slice()).into()));
    Request::new_with_init(&post.url, &init)
}

fn answer_of(response: &Response) -> PostAnswer {
    let retry_after = response.headers().get("Retry-After").ok().flatten();
    PostAnswer { status: response.status_code(), retry_after }
}

/// Reads the answer's body, so that the connection can serve again; a long one only begins to be read.
async fn read(response: &mut Response) {
    let Ok(mut body) = response.stream() else { return };
    let mut received = 0;
    while let Some(Ok(piece)) = body.next().await {
        received += piece.len();
        if received >= POST_ANSWER_MAX {
            return;
        }
    }
}
