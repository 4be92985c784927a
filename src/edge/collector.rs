//! An HTTP collector: what is posted to it, and what its answer means.
//!
//! Reading order: `form` writes the body in the form of a preset, `verdict` reads the answer.
//!
//! # Invariants
//! A post that is printed shows neither its address nor its headers.

mod form;
mod verdict;

use std::fmt;
use std::future::Future;

use super::batch::EdgeBatch;
use super::buffer::StoreResult;
use super::sink::CollectorSpec;

/// A request to a collector.
#[derive(Clone, PartialEq, Eq)]
pub struct CollectorPost {
    /// The address.
    pub url: String,
    /// Names and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The body, in gzip.
    pub body: Vec<u8>,
    /// Time limit, in milliseconds.
    pub timeout_ms: i64,
}

impl fmt::Debug for CollectorPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorPost").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// What a collector answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CollectorAnswer {
    /// The status.
    pub status: u16,
    /// The value of `Retry-After`.
    pub retry_after: Option<String>,
    /// The beginning of the body, at most [`crate::limits::COLLECTOR_ANSWER_BYTES`].
    pub body: Vec<u8>,
}

/// A client of collectors.
pub trait CollectorClient {
    /// Sends a request and waits for the answer, at most for its time limit. `None` if there is none, whatever the reason: the
    /// collector may have the records. Redirects are returned, not followed.
    fn post(&self, post: CollectorPost) -> impl Future<Output = Option<CollectorAnswer>>;
}

/// Brings a batch to a collector.
pub async fn post_batch(
    client: &impl CollectorClient,
    collector: &CollectorSpec,
    batch: &EdgeBatch,
    timeout_ms: i64,
    now_ms: i64,
) -> StoreResult {
    let lines = batch.label.lines;
    let Some(post) = form::post(collector, batch, timeout_ms) else { return StoreResult::Refused(lines) };
    let answer = client.post(post).await;
    verdict::verdict(collector.preset, answer.as_ref(), lines, now_ms)
}
