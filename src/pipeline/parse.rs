//! Handles one message of `parse-queue`: an event about one object.
//!
//! # Invariants
//! A message that can never succeed is acked with its reason; one for which a backend failed is retried; neither
//! affects another message. A message that is not an event is acked once it is recorded as a dead letter.

use serde::Serialize;

use super::message::{MessageBody, ReceivedMessage, keep_dead_letter};
use super::process::{BatchFigures, BatchOutcome, BatchRequest, process_batch, remove_sidecars};
use super::retry_delay::retry_delay_s;
use crate::backend::{BackendError, Bucket, Queue};
use crate::bucket_keys::{DatasetClaim, IgnoreReason, KeyClass, classify};
use crate::config::{Config, LogLevel};
use crate::index::{forget_entries, remove_claims};
use crate::ledger::backfills::CountEndedObject;
use crate::ledger::calls::{DeletedObjectVersions, ForgetDeletedObject};
use crate::ledger::ids::REGISTRY;
use crate::ledger::plan::{DeliveryRequest, FORMAT};
use crate::ledger::unknown_folders::keep_unknown_folder;
use crate::ledger::{DeliveryWindow, PlanOptions, ledger_of};
use crate::limits::{CLAIMS_KEPT_MS, PARSE_RETRY_S};
use crate::r2_event::{EventBackfill, EventError, EventList, ObjectChange, R2Event, UnreadPart};
use crate::rpc;
use crate::services::Services;

/// The reason for a message, or a part of one, that is not an event; also the code of its dead letter.
const NOT_AN_EVENT: &str = "not_an_event";
/// The reason for an event of a bucket other than `BUCKET_NAME`.
const OTHER_BUCKET: &str = "other_bucket";

/// The outcome of a message of `parse-queue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseOutcome {
    /// The batch was processed completely.
    Sealed,
    /// The batch had been processed before.
    AlreadySealed,
    /// A newer version of the object is known.
    Superseded,
    /// The bucket no longer has the object.
    Gone,
    /// The rays of a removed object were dropped.
    Removed,
    /// The event requires no work.
    Ignored,
    /// The object is not a valid batch.
    Quarantined,
    /// The object had been quarantined before.
    AlreadyQuarantined,
    /// Each of the message's events is now a message of its own; a dead letter holds everything else.
    Split,
    /// The message's body is not an event; it is now a dead letter.
    BadMessage,
    /// A backend failed; the message is retried.
    Failed,
}

impl ParseOutcome {
    /// Returns the stable code for logs and counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::AlreadySealed => "already_sealed",
            Self::Superseded => "superseded",
            Self::Gone => "gone",
            Self::Removed => "removed",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::AlreadyQuarantined => "already_quarantined",
            Self::Split => "split",
            Self::BadMessage => "bad_message",
            Self::Failed => "failed",
        }
    }
}

impl Serialize for ParseOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The disposition of a message, with its reason. Its JSON is the message's log line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParseVerdict {
    /// The outcome of the message.
    pub verdict: ParseOutcome,
    /// The stable code of the reason, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The reason as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The object's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Seconds until the message is retried; `None` acks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_s: Option<u32>,
    /// Figures of the processed batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchFigures>,
}

impl ParseVerdict {
    fn new(verdict: ParseOutcome, key: Option<String>) -> Self {
        Self { verdict, code: None, reason: None, key, retry_s: None, batch: None }
    }

    fn because(self, code: &'static str, reason: Option<String>) -> Self {
        Self { code: Some(code), reason, ..self }
    }

    /// Creates the verdict on a message that could not be tried, and is retried after `delay_s` seconds.
    #[must_use]
    pub fn not_now(code: &'static str, reason: String, delay_s: u32) -> Self {
        Self { retry_s: Some(delay_s), ..Self::new(ParseOutcome::Failed, None).because(code, Some(reason)) }
    }

    /// Returns the severity of the log line.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        match self.verdict {
            ParseOutcome::Failed | ParseOutcome::BadMessage | ParseOutcome::Quarantined => LogLevel::Warn,
            ParseOutcome::Ignored if self.code == Some(OTHER_BUCKET) || self.reason.is_some() => LogLevel::Warn,
            _ => LogLevel::Info,
        }
    }

    /// Creates the verdict on a message that must be retried; `what` is a key or the message's own identifier.
    fn again(error: &BackendError, what: &str, attempt: u32) -> Self {
        let delay_s = retry_delay_s(&PARSE_RETRY_S, what, attempt);
        Self::not_now("backend_failed", error.to_string(), delay_s)
    }
}

/// Handles one message of the queue.
pub async fn parse_message(services: &impl Services, config: &Config, message: &ReceivedMessage) -> ParseVerdict {
    let list = match &message.body {
        MessageBody::Text(text) => EventList::parse(text),
        MessageBody::Bytes(_) => EventList::default(),
    };
    let outcome = match (list.events.as_slice(), list.unread.as_slice()) {
        ([event], []) => return take_event(services, config, event.clone(), message.attempts).await,
        ([], unread) => refuse(services, message, unread.first()).await,
        (events, unread) => split(services, message, events, unread).await,
    };
    outcome.unwrap_or_else(|error| ParseVerdict::again(&error, &message.id, message.attempts))
}

/// Handles a message that holds no event.
async fn refuse(
    services: &impl Services,
    message: &ReceivedMessage,
    part: Option<&UnreadPart>,
) -> Result<ParseVerdict, BackendError> {
    keep_dead_letter(services, &message.clone().into_dead_letter(NOT_AN_EVENT)).await?;
    let why = part.map_or(EventError::NotText, |part| part.why);
    Ok(ParseVerdict::new(ParseOutcome::BadMessage, None).because(NOT_AN_EVENT, Some(why.to_string())))
}

/// Splits a message of several events into one message each, with its own time, attempts and verdict. If a part is not
/// an event, the message also becomes a dead letter.
async fn split(
    services: &impl Services,
    message: &ReceivedMessage,
    events: &[R2Event],
    unread: &[UnreadPart],
) -> Result<ParseVerdict, BackendError> {
    if !unread.is_empty() {
        keep_dead_letter(services, &message.clone().into_dead_letter(NOT_AN_EVENT)).await?;
    }
    services.parse_queue().send(events).await?;
    let words = format!("{} events, and {} parts that are not events", events.len(), unread.len());
    Ok(ParseVerdict { reason: Some(words), ..ParseVerdict::new(ParseOutcome::Split, None) })
}

/// Handles a single event.
async fn take_event(services: &impl Services, config: &Config, event: R2Event, attempt: u32) -> ParseVerdict {
    let change = event.object_change();
    let key = event.object.key;
    if event.bucket != services.bucket_name() {
        let words = format!("BUCKET_NAME is {}", services.bucket_name());
        return ParseVerdict::new(ParseOutcome::Ignored, Some(key)).because(OTHER_BUCKET, Some(words));
    }
    let claim = match classify(&key, &config.log_prefix) {
        KeyClass::Ignored(why) => return ParseVerdict::new(ParseOutcome::Ignored, Some(key)).because(why.code(), None),
        KeyClass::Batch(claim) => claim,
    };
    let outcome = match change {
        ObjectChange::Written => object(services, config, &key, claim, event.backfill).await,
        ObjectChange::Removed => forget(services, &key).await,
        ObjectChange::Unknown => examine(services, config, &key, claim, event.backfill).await,
    };
    outcome.unwrap_or_else(|error| {
        let verdict = ParseVerdict::again(&error, &key, attempt);
        ParseVerdict { key: Some(key), ..verdict }
    })
}

/// Handles an event that does not say whether the object exists: checks the bucket.
async fn examine(
    services: &impl Services,
    config: &Config,
    key: &str,
    claim: DatasetClaim,
    backfill: Option<EventBackfill>,
) -> Result<ParseVerdict, BackendError> {
    match services.bucket().get(key).await? {
        Some(_) => object(services, config, key, claim, backfill).await,
        None => forget(services, key).await,
    }
}

/// Processes an existing object, and reports to the backfill that announced it.
async fn object(
    services: &impl Services,
    config: &Config,
    key: &str,
    claim: DatasetClaim,
    backfill: Option<EventBackfill>,
) -> Result<ParseVerdict, BackendError> {
    let work = match backfill {
        Some(backfill) => backfill_work(config, key, claim, &backfill),
        None => work_of(config, key, claim),
    };
    let outcome = process_batch(services, key, &work).await?;
    if let Some(EventBackfill { id, .. }) = backfill {
        rpc::call(services.ledgers(), REGISTRY, &CountEndedObject { id, key: key.into() }).await?;
    }
    match outcome {
        BatchOutcome::Ignored(IgnoreReason::UnknownDataset) => ignore_unknown(services, config, key).await,
        outcome => Ok(verdict_of(outcome, key)),
    }
}

/// Ignores an object without a known dataset; the first one of its folder is logged as a warning.
async fn ignore_unknown(services: &impl Services, config: &Config, key: &str) -> Result<ParseVerdict, BackendError> {
    let folder = config.log_prefix.unknown_folder(key);
    let is_new = keep_unknown_folder(services.ledgers(), folder).await?;
    let words = || format!("{folder} is named as no known dataset, and its records are of none");
    let reason = is_new.then(words);
    Ok(ParseVerdict::new(ParseOutcome::Ignored, Some(key.into())).because(IgnoreReason::UnknownDataset.code(), reason))
}

/// Returns the work that a backfill requests.
fn backfill_work(config: &Config, key: &str, claim: DatasetClaim, backfill: &EventBackfill) -> BatchRequest {
    let EventBackfill { start_ms, end_ms, index, deliver, .. } = *backfill;
    let delivers = deliver && config.delivery.is_some();
    let wish = || DeliveryRequest { window: DeliveryWindow { start_ms, end_ms }, options: options_of(config) };
    BatchRequest { index, deliver: delivers.then(wish), ..BatchRequest::new(key, claim, &config.log_prefix) }
}

/// Returns the work for live traffic: everything is indexed, and delivered as the settings say.
fn work_of(config: &Config, key: &str, claim: DatasetClaim) -> BatchRequest {
    let deliver = live_window(config).map(|window| DeliveryRequest { window, options: options_of(config) });
    BatchRequest { deliver, ..BatchRequest::new(key, claim, &config.log_prefix) }
}

/// Returns the times whose records are delivered without a backfill; `None` if nothing is delivered.
pub(super) fn live_window(config: &Config) -> Option<DeliveryWindow> {
    let start_ms = config.push_start_ms.unwrap_or(i64::MIN);
    config.delivery.as_ref().map(|_| DeliveryWindow { start_ms, ..DeliveryWindow::EVER })
}

/// Returns the current settings for converting lines to payloads.
#[must_use]
pub fn options_of(config: &Config) -> PlanOptions {
    PlanOptions {
        format: FORMAT,
        lines: config.batch_size,
        subrequests: config.subrequests,
        filter: config.filter.as_ref().map(|filter| filter.text().to_owned()),
        tenant: config.partner.tenant.to_string(),
        unknown_country: config.partner.unknown_country.to_string(),
        duplicates: config.duplicates,
    }
}

/// Drops the rays of a removed object, unless it exists again.
async fn forget(services: &impl Services, key: &str) -> Result<ParseVerdict, BackendError> {
    if services.bucket().get(key).await?.is_some() {
        return Ok(ParseVerdict::new(ParseOutcome::Ignored, Some(key.into())).because("still_there", None));
    }
    let ledger = ledger_of(key);
    let call = |forgotten| ForgetDeletedObject { key: key.into(), forgotten };
    let DeletedObjectVersions { versions } = rpc::call(services.ledgers(), &ledger, &call(false)).await?;
    for old in &versions {
        forget_entries(services.shards(), key, old.uploaded_ms, old.shards.iter()).await?;
        if services.now_ms() - old.uploaded_ms > CLAIMS_KEPT_MS {
            remove_claims(services.shards(), key, old.shards.iter()).await?;
        }
        remove_sidecars(services, old).await?;
    }
    rpc::call(services.ledgers(), &ledger, &call(true)).await?;
    Ok(ParseVerdict::new(ParseOutcome::Removed, Some(key.into())))
}

/// Returns the verdict on a message whose object had this outcome.
fn verdict_of(outcome: BatchOutcome, key: &str) -> ParseVerdict {
    let key = Some(key.to_owned());
    match outcome {
        BatchOutcome::Sealed(report) => {
            let verdict = if report.superseded { ParseOutcome::Superseded } else { ParseOutcome::Sealed };
            ParseVerdict { batch: Some(report), ..ParseVerdict::new(verdict, key) }
        }
        BatchOutcome::AlreadySealed => ParseVerdict::new(ParseOutcome::AlreadySealed, key),
        BatchOutcome::Superseded => ParseVerdict::new(ParseOutcome::Superseded, key),
        BatchOutcome::Gone => ParseVerdict::new(ParseOutcome::Gone, key),
        BatchOutcome::Quarantined(why) => {
            ParseVerdict::new(ParseOutcome::Quarantined, key).because(why.code(), Some(why.to_string()))
        }
        BatchOutcome::AlreadyQuarantined => ParseVerdict::new(ParseOutcome::AlreadyQuarantined, key),
        BatchOutcome::Ignored(why) => ParseVerdict::new(ParseOutcome::Ignored, key).because(why.code(), None),
    }
}
