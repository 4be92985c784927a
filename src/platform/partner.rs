//! The client of the partner over `fetch`.
//!
//! # Invariants
//!
//! A POST ends within its time limit, whatever the partner does. A received status is final, whatever happens to its body.
//! The address, which carries the signature, is in no error: no text of the platform is passed on.

use std::cell::Cell;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use worker::{AbortController, Date, DateInit, Delay, Fetch, Method, Request, RequestInit, RequestRedirect, Response};

use super::log;
use super::post::post_request;
use crate::backend::{PartnerClient, PartnerPost, PostAnswer, PostError};
use crate::limits::{CONNECT_MS, POST_ANSWER_MAX, REFUSAL_BYTES};

/// The partner on the network.
#[derive(Debug)]
pub(super) struct FetchPartner {
    /// Unix milliseconds at which the last POST began, or at which the partner came to be.
    pub(super) last_post_ms: Cell<i64>,
}

impl FetchPartner {
    pub(super) fn new() -> Self {
        Self { last_post_ms: Cell::new(log::now_ms()) }
    }
}

impl PartnerClient for FetchPartner {
    async fn post(&self, post: &PartnerPost) -> Result<PostAnswer, PostError> {
        let request = request(post).map_err(|_| PostError::NotSent("the platform refused it".into()))?;
        self.last_post_ms.set(log::now_ms());
        let controller = AbortController::default();
        let signal = controller.signal();
        let answer = Cell::new(Err(PostError::Unknown("timed out".into())));
        let work = async {
            if let Ok(mut response) = Fetch::Request(request).send_with_signal(&signal).await {
                let known = answer_of(&response);
                answer.set(Ok(known.clone()));
                let body = read(&mut response).await;
                answer.set(Ok(PostAnswer { body, ..known }));
            } else {
                // The platform reports a closed port and a connection that broke in the middle of a body with the same
                // text, so it is unknown what was sent.
                answer.set(Err(PostError::Unknown("the connection failed".into())));
            }
        };
        let time_is_up = Delay::from(Duration::from_millis(post.timeout_ms.unsigned_abs()));
        drop(select(Box::pin(work), Box::pin(time_is_up)).await);
        // Ends whatever is still in progress: the POST, or the rest of the answer.
        controller.abort();
        answer.into_inner()
    }

    async fn can_connect(&self, url: &str) -> bool {
        ask_head(url).await.is_some()
    }

    async fn read_clock(&self, url: &str) -> Option<i64> {
        let date = ask_head(url).await?.headers().get("Date").ok().flatten()?;
        // What is no date is the beginning of time.
        let unix_ms = Date::new(DateInit::String(date)).as_millis();
        i64::try_from(unix_ms).ok().filter(|unix_ms| *unix_ms > 0)
    }
}

/// Sends a `HEAD`, and returns what answers within [`CONNECT_MS`].
async fn ask_head(url: &str) -> Option<Response> {
    let mut init = RequestInit::new();
    init.with_method(Method::Head).with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init).ok()?;
    let controller = AbortController::default();
    let signal = controller.signal();
    let request = Fetch::Request(request);
    let asked = request.send_with_signal(&signal);
    let time_is_up = Delay::from(Duration::from_millis(CONNECT_MS.unsigned_abs()));
    let answered = match select(Box::pin(asked), Box::pin(time_is_up)).await {
        Either::Left((answered, _)) => answered.ok(),
        Either::Right(_) => None,
    };
    controller.abort();
    answered
}

/// Creates the request of a POST.
fn request(post: &PartnerPost) -> worker::Result<Request> {
    let headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        // The body is already gzip, and the platform sends it unchanged.
        ("Content-Encoding", "gzip"),
        ("X-Batch-Id", &post.batch_id),
    ];
    post_request(&post.url, headers, &post.body)
}

fn answer_of(response: &Response) -> PostAnswer {
    let retry_after = response.headers().get("Retry-After").ok().flatten();
    PostAnswer { status: response.status_code(), retry_after, body: Vec::new() }
}

/// Reads the answer's body, so that the connection can be reused; of a long one only the beginning. Returns what is kept
/// of a refusal.
async fn read(response: &mut Response) -> Vec<u8> {
    let is_refusal = !(200..=299).contains(&response.status_code());
    let mut kept = Vec::new();
    let Ok(mut body) = response.stream() else { return kept };
    let mut received = 0;
    while let Some(Ok(piece)) = body.next().await {
        received += piece.len();
        let room = if is_refusal { REFUSAL_BYTES - kept.len() } else { 0 };
        kept.extend(piece.into_iter().take(room));
        if received >= POST_ANSWER_MAX {
            break;
        }
    }
    kept
}
