//! The client of HTTP collectors over `fetch`.
//!
//! # Invariants
//!
//! A POST ends within its time limit, whatever the collector does. No text of the platform is passed on: an address may have a
//! token in it.

use futures_util::StreamExt;
use worker::{AbortController, Fetch, Response};

use super::post::{answer_within, post_request};
use crate::edge::{CollectorAnswer, CollectorPost};
use crate::limits::COLLECTOR_ANSWER_BYTES;

/// Sends a request and waits for the answer; `None` if there is none.
pub(super) async fn post(post: CollectorPost) -> Option<CollectorAnswer> {
    let timeout_ms = post.timeout_ms;
    let headers = post.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = post_request(&post.url, headers, &post.body).ok()?;
    drop(post);
    let controller = AbortController::default();
    let signal = controller.signal();
    let work = async {
        let mut response = Fetch::Request(request).send_with_signal(&signal).await.ok()?;
        let retry_after = response.headers().get("Retry-After").ok().flatten();
        let body = read(&mut response).await?;
        Some(CollectorAnswer { status: response.status_code(), retry_after, body })
    };
    let answered = answer_within(timeout_ms, work).await;
    // Ends whatever is still in progress: the POST, or the rest of the answer.
    controller.abort();
    answered
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
