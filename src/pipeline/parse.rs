//! One message of `parse-queue`: which object it tells of, and what became of that.
//!
//! What always holds: a message that can never succeed is acked with its reason, one that failed for the world's
//! reasons is tried again, and neither touches another message; nothing here returns an error.

use serde::Serialize;

use super::later::later;
use super::process::{Done, Outcome, Work, forget_beside, process};
use crate::backend::{BackendError, Bucket};
use crate::bucket_keys::{KeyClass, classify};
use crate::config::{Config, LogLevel};
use crate::index::forget_entries;
use crate::ledger::backfills::CountEndedObject;
use crate::ledger::calls::{DeletedObjectVersions, ForgetDeletedObject};
use crate::ledger::ids::REGISTRY;
use crate::ledger::plan::{DeliveryRequest, FORMAT};
use crate::ledger::{DeliveryWindow, PlanOptions, ledger_of};
use crate::limits::PARSE_RETRY_S;
use crate::r2_event::{EventBackfill, ObjectChange, R2Event};
use crate::record::Dataset;
use crate::rpc;
use crate::services::Services;

/// The reason of an event that brings no object and takes none.
const NO_NEW_OBJECT: &str = "no_new_object";
/// The reason of an event of a bucket that is not `BUCKET_NAME`.
const OTHER_BUCKET: &str = "other_bucket";

/// What to do with a message, and why. As JSON it is the message's one line in the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParseVerdict {
    /// The verdict's stable code: `sealed`, `already_sealed`, `superseded`, `gone`, `removed`, `ignored`, `quarantined`,
    /// `already_quarantined`, `bad_message`, `failed`.
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
    /// What was read and made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Done>,
}

impl ParseVerdict {
    fn new(verdict: &'static str, key: Option<String>) -> Self {
        Self { verdict, code: None, reason: None, key, retry_s: None, batch: None }
    }

    fn because(self, code: &'static str, reason: Option<String>) -> Self {
        Self { code: Some(code), reason, ..self }
    }

    /// Nothing could be tried: the message has to come again after `delay_s` seconds.
    #[must_use]
    pub fn not_now(code: &'static str, reason: String, delay_s: u32) -> Self {
        Self { retry_s: Some(delay_s), ..Self::new("failed", None).because(code, Some(reason)) }
    }

    /// How grave its line in the log is.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        match self.verdict {
            "failed" | "bad_message" | "quarantined" => LogLevel::Warn,
            _ => LogLevel::Info,
        }
    }

    /// The message has to come again.
    fn again(error: &BackendError, key: String, attempt: u32) -> Self {
        let delay_s = later(&PARSE_RETRY_S, &key, attempt);
        Self { key: Some(key), ..Self::not_now("backend_failed", error.to_string(), delay_s) }
    }
}

/// Does what the message with this JSON body asks for. `attempt` counts from 1.
pub async fn parse_message(world: &impl Services, config: &Config, body: &str, attempt: u32) -> ParseVerdict {
    let event = match R2Event::parse(body) {
        Ok(event) => event,
        Err(why) => return ParseVerdict::new("bad_message", None).because("not_an_event", Some(why.to_string())),
    };
    let change = event.object_change();
    let key = event.object.key;
    if event.bucket != world.bucket_name() {
        return ParseVerdict::new("ignored", Some(key)).because(OTHER_BUCKET, None);
    }
    let dataset = match classify(&key, &config.log_prefix) {
        KeyClass::Ignored(why) => return ParseVerdict::new("ignored", Some(key)).because(why.code(), None),
        KeyClass::Batch(dataset) => dataset,
    };
    let outcome = match change {
        ObjectChange::Written => object(world, config, &key, dataset, event.backfill).await,
        ObjectChange::Removed => forget(world, &key).await,
        ObjectChange::Unknown => Ok(ParseVerdict::new("ignored", Some(key.clone())).because(NO_NEW_OBJECT, None)),
    };
    outcome.unwrap_or_else(|error| ParseVerdict::again(&error, key, attempt))
}

/// An object is there: processes it, and tells the backfill that asked for it.
async fn object(
    world: &impl Services,
    config: &Config,
    key: &str,
    dataset: Dataset,
    backfill: Option<EventBackfill>,
) -> Result<ParseVerdict, BackendError> {
    let work = match backfill {
        Some(backfill) => backfill_work(config, dataset, &backfill),
        None => work_of(config, dataset),
    };
    let outcome = process(world, key, &work).await?;
    if let Some(EventBackfill { id, .. }) = backfill {
        rpc::call(world.ledgers(), REGISTRY, &CountEndedObject { id }).await?;
    }
    Ok(verdict_of(outcome, key))
}

/// What a backfill asks for.
fn backfill_work(config: &Config, dataset: Dataset, backfill: &EventBackfill) -> Work {
    let EventBackfill { start_ms, end_ms, index, deliver, .. } = *backfill;
    let delivers = deliver && config.delivery.is_some() && dataset == Dataset::HttpRequests;
    let wish = || DeliveryRequest { window: DeliveryWindow { start_ms, end_ms }, options: options_of(config) };
    Work { dataset, index, deliver: delivers.then(wish) }
}

/// What live traffic asks for: an index of everything, and for the partner what the settings say.
fn work_of(config: &Config, dataset: Dataset) -> Work {
    let start_ms = config.push_start_ms.unwrap_or(i64::MIN);
    let window = DeliveryWindow { start_ms, ..DeliveryWindow::EVER };
    let delivers = config.delivery.is_some() && dataset == Dataset::HttpRequests;
    let deliver = delivers.then(|| DeliveryRequest { window, options: options_of(config) });
    Work { dataset, index: true, deliver }
}

/// How lines become payloads, as the settings say now.
#[must_use]
pub fn options_of(config: &Config) -> PlanOptions {
    PlanOptions {
        format: FORMAT,
        lines: config.batch_size,
        subrequests: config.subrequests,
        filter: config.filter.as_ref().map(|filter| filter.text().to_owned()),
        tenant: config.partner.tenant.to_string(),
        unknown_country: config.partner.unknown_country.to_string(),
    }
}

/// An object was removed: so are its rays, unless there is one again.
async fn forget(world: &impl Services, key: &str) -> Result<ParseVerdict, BackendError> {
    if world.bucket().get(key).await?.is_some() {
        return Ok(ParseVerdict::new("ignored", Some(key.into())).because("still_there", None));
    }
    let ledger = ledger_of(key);
    let ask = |forgotten| ForgetDeletedObject { key: key.into(), forgotten };
    let DeletedObjectVersions { versions } = rpc::call(world.ledgers(), &ledger, &ask(false)).await?;
    for old in &versions {
        forget_entries(world.shards(), key, old.uploaded_ms, old.shards.iter()).await?;
        forget_beside(world, old).await?;
    }
    rpc::call(world.ledgers(), &ledger, &ask(true)).await?;
    Ok(ParseVerdict::new("removed", Some(key.into())))
}

/// The verdict on a message whose object came to this outcome.
fn verdict_of(outcome: Outcome, key: &str) -> ParseVerdict {
    let key = Some(key.to_owned());
    match outcome {
        Outcome::Sealed(done) => {
            let verdict = if done.superseded { "superseded" } else { "sealed" };
            ParseVerdict { batch: Some(done), ..ParseVerdict::new(verdict, key) }
        }
        Outcome::AlreadySealed => ParseVerdict::new("already_sealed", key),
        Outcome::Superseded => ParseVerdict::new("superseded", key),
        Outcome::Gone => ParseVerdict::new("gone", key),
        Outcome::Quarantined(why) => ParseVerdict::new("quarantined", key).because(why.code(), Some(why.to_string())),
        Outcome::AlreadyQuarantined => ParseVerdict::new("already_quarantined", key),
    }
}
