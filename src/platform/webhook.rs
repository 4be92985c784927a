//! The client of the webhook over `fetch`.
//!
//! # Invariants
//! A POST ends within its time limit. The address, which lets everyone post who knows it, is in no error.

use worker::{AbortController, Fetch};

use super::post::{answer_within, post_request};
use crate::backend::WebhookClient;
use crate::limits::NOTICE_MS;

/// The webhook on the network.
#[derive(Debug)]
pub(super) struct FetchWebhook;

impl WebhookClient for FetchWebhook {
    async fn post_json(&self, url: &str, body: Vec<u8>) -> bool {
        let Ok(request) = post_request(url, [("Content-Type", "application/json")], &body) else { return false };
        let controller = AbortController::default();
        let signal = controller.signal();
        let request = Fetch::Request(request);
        let work = async { request.send_with_signal(&signal).await.ok().map(|response| response.status_code()) };
        let status = answer_within(NOTICE_MS, work).await;
        controller.abort();
        status.is_some_and(|status| (200..=299).contains(&status))
    }
}
