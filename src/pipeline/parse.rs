//! One message of `parse-queue`: which object it tells of, and what became of that.
//!
//! What always holds: a message that can never succeed is acked with its reason, one that failed for the world's
//! reasons is tried again, and neither touches another message; nothing here returns an error.

use serde::Serialize;

use crate::backend::{BackendError, Bucket, Shards};
use crate::batch::{Ignored, KeyClass, R2Event, classify};
use crate::config::Config;
use crate::index::{Counts, Outcome, ingest};
use crate::limits::PARSE_RETRY_S;

/// What to do with a message, and why. As JSON it is the message's one line in the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParseVerdict {
    /// The verdict's stable code: `indexed`, `already_indexed`, `superseded`, `gone`, `ignored`, `set_aside`, `bad_message`,
    /// `failed`.
    pub verdict: &'static str,
    /// The stable code of the reason, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The reason in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The object's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Seconds until the message is to come again; `None` acks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_s: Option<u32>,
    /// What was indexed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexed: Option<Indexed>,
}

/// The figures of an indexed batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indexed {
    /// Stored bytes.
    pub stored: u64,
    /// Inflated bytes.
    pub inflated: u64,
    /// Shards written to.
    pub shards: usize,
    /// Bytes of packed rays.
    pub packed: u64,
    /// Rows that the platform bills as written.
    pub rows_written: u64,
    /// The lines.
    #[serde(flatten)]
    pub counts: Counts,
}

impl ParseVerdict {
    fn new(verdict: &'static str, key: Option<String>) -> Self {
        Self { verdict, code: None, reason: None, key, retry_s: None, indexed: None }
    }

    fn because(self, code: &'static str, reason: Option<String>) -> Self {
        Self { code: Some(code), reason, ..self }
    }

    /// Nothing could be tried: the message has to come again after `delay_s` seconds.
    #[must_use]
    pub fn not_now(code: &'static str, reason: String, delay_s: u32) -> Self {
        Self { retry_s: Some(delay_s), ..Self::new("failed", None).because(code, Some(reason)) }
    }

    /// The message has to come again.
    fn again(error: &BackendError, key: String, attempt: u32) -> Self {
        let delays = PARSE_RETRY_S.iter().copied();
        let delay = delays.clone().nth(attempt.saturating_sub(1) as usize).or(delays.last());
        let verdict = Self::new("failed", Some(key)).because("backend_failed", Some(error.to_string()));
        Self { retry_s: delay, ..verdict }
    }
}

/// Does what the message with this JSON body asks for. `attempt` counts from 1.
pub async fn parse_message(
    bucket: &impl Bucket,
    shards: &impl Shards,
    config: &Config,
    body: &str,
    attempt: u32,
    now_ms: i64,
) -> ParseVerdict {
    let event = match R2Event::parse(body) {
        Ok(event) => event,
        Err(why) => return ParseVerdict::new("bad_message", None).because("not_an_event", Some(why.to_string())),
    };
    let brings_object = event.brings_object();
    let key = event.object.key;
    let ignored = |why: Ignored| ParseVerdict::new("ignored", Some(key.clone())).because(why.code(), None);
    let dataset = match classify(&key, &config.log_prefix) {
        KeyClass::Ignored(why) => return ignored(why),
        KeyClass::Batch(_) if !brings_object => return ignored(Ignored::NoNewObject),
        KeyClass::Batch(dataset) => dataset,
    };
    match ingest(bucket, shards, &key, dataset, now_ms).await {
        Ok(outcome) => verdict_of(outcome, key),
        Err(error) => ParseVerdict::again(&error, key, attempt),
    }
}

/// The verdict on a message whose object came to this outcome.
fn verdict_of(outcome: Outcome, key: String) -> ParseVerdict {
    let key = Some(key);
    match outcome {
        Outcome::Indexed { totals, counts, shards, packed, rows_written } => {
            let (stored, inflated) = (totals.stored, totals.inflated);
            let indexed = Indexed { stored, inflated, shards, packed, rows_written, counts };
            ParseVerdict { indexed: Some(indexed), ..ParseVerdict::new("indexed", key) }
        }
        Outcome::AlreadyIndexed => ParseVerdict::new("already_indexed", key),
        Outcome::Superseded => ParseVerdict::new("superseded", key),
        Outcome::Gone => ParseVerdict::new("gone", key),
        Outcome::SetAside(why) => ParseVerdict::new("set_aside", key).because(why.code(), Some(why.to_string())),
    }
}
