//! Handles one message of `parse-queue`: an event about one object.
//!
//! # Invariants
//! A message that can never succeed is acked with its reason; one for which a backend failed is retried; neither
//! affects another message. A message that is not an event is acked once it is recorded as a dead letter.

use serde::Serialize;

use super::erase::{ErasureOutcome, erase_object};
use super::first_start::delivered_from;
use super::message::{MessageBody, PREDECESSOR_PAYLOAD, ReceivedMessage, keep_dead_letter};
use super::process::{BatchFigures, BatchOutcome, BatchRequest, process_batch, remove_sidecars};
use super::retry_delay::retry_delay_s;
use crate::backend::{BackendError, Bucket, Queue};
use crate::bucket_keys::{DatasetClaim, IgnoreReason, KeyClass, classify};
use crate::config::{Config, ConfigFault, LogLevel};
use crate::index::{LineCounts, VersionAge, forget_entries, remove_claims};
use crate::ledger::backfills::{BackfillRequest, CountEndedObject, ListBackfills, RebuiltObject};
use crate::ledger::calls::{DeletedObjectVersions, ForgetDeletedObject, RebuildRequest};
use crate::ledger::ids::REGISTRY;
use crate::ledger::plan::{DeliveryRequest, FORMAT};
use crate::ledger::unknown_folders::keep_unknown_folder;
use crate::ledger::{DeliveryWindow, PlanBackfill, PlanOptions};
use crate::limits::{CLAIMS_KEPT_MS, ERASURE_RETRY_S, PARSE_RETRY_S};
use crate::r2_event::{EventBackfill, EventError, EventList, ObjectChange, R2Event, UnreadPart};
use crate::rpc;
use crate::services::Services;

/// The reason for a message, or a part of one, that is not an event; also the code of its dead letter.
const NOT_AN_EVENT: &str = "not_an_event";
/// The reason for an event of a bucket other than `BUCKET_NAME`.
const OTHER_BUCKET: &str = "other_bucket";

/// The reason for an object of a backfill that the registry does not have, which was to deliver it.
const NO_SUCH_BACKFILL: &str = "no_such_backfill";

/// The reason for indexing a batch without delivering it.
const BEFORE_START: &str = "before_start";

/// The warning of a batch whose rays have other times than their records, where it is the first of its dataset and hour.
const LAYOUT_DOUBTFUL: &str = "layout_doubtful";

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
    /// Erased lines were looked for in the object.
    Examined,
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
            Self::Examined => "examined",
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
    /// What is wrong beside it, which the log line warns of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<BatchWarning>,
    /// Figures of the processed batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchFigures>,
}

/// A warning about a batch that was processed all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchWarning {
    /// The stable code of the warning.
    pub code: &'static str,
    /// The warning as text.
    pub reason: String,
}

impl BatchWarning {
    /// Returns the warning of a batch whose rays have other times than their records.
    fn of_doubt(counts: &LineCounts) -> Self {
        let (ahead_ms, behind_ms) = counts.skew.map_or((0, 0), |skew| (skew.ahead_ms, skew.behind_ms));
        let reason = format!(
            "{} of {} rays have other times than their records, up to {} s ahead and {} s behind: the layout of Ray IDs has \
             changed, or a clock is wrong",
            counts.clock_skewed,
            counts.compared_rays(),
            ahead_ms / 1_000,
            behind_ms / 1_000
        );
        Self { code: LAYOUT_DOUBTFUL, reason }
    }
}

impl ParseVerdict {
    fn new(verdict: ParseOutcome, key: Option<String>) -> Self {
        Self { verdict, code: None, reason: None, key, retry_s: None, warning: None, batch: None }
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
            _ if self.warning.is_some() => LogLevel::Warn,
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
    let code = if message.predecessor_key().is_some() { PREDECESSOR_PAYLOAD } else { NOT_AN_EVENT };
    keep_dead_letter(services, &message.clone().into_dead_letter(code)).await?;
    let why = part.map_or(EventError::NotText, |part| part.why);
    Ok(ParseVerdict::new(ParseOutcome::BadMessage, None).because(code, Some(why.to_string())))
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
    let object = AnnouncedObject { services, config, key: &key, claim, backfill: event.backfill };
    let outcome = match change {
        ObjectChange::Written => object.process().await,
        ObjectChange::Removed => forget(services, &key).await,
        ObjectChange::Unknown => object.examine().await,
    };
    outcome.unwrap_or_else(|error| {
        let verdict = ParseVerdict::again(&error, &key, attempt);
        ParseVerdict { key: Some(key), ..verdict }
    })
}

/// An object that an event names.
struct AnnouncedObject<'a, S> {
    services: &'a S,
    config: &'a Config,
    key: &'a str,
    /// The dataset claim of its key.
    claim: DatasetClaim,
    /// The backfill that announced it.
    backfill: Option<EventBackfill>,
}

impl<S: Services> AnnouncedObject<'_, S> {
    /// Handles an event that does not say whether the object exists: checks the bucket.
    async fn examine(&self) -> Result<ParseVerdict, BackendError> {
        match self.services.bucket().get(self.key).await? {
            Some(_) => self.process().await,
            None => forget(self.services, self.key).await,
        }
    }

    /// Processes the object, which exists, and reports to the backfill that announced it.
    async fn process(&self) -> Result<ParseVerdict, BackendError> {
        let Self { services, config, key, claim, backfill } = *self;
        if let Some(EventBackfill { id, erasure: Some(_), .. }) = backfill {
            return self.examine_for(id).await;
        }
        if backfill.is_some_and(|backfill| backfill.deliver) && config.delivery.is_none() {
            return Ok(stopped(config, key));
        }
        let job = match &backfill {
            Some(backfill) if backfill.deliver => match job_of(services, backfill).await? {
                Some(job) => Some(job),
                None => return Ok(orphaned(backfill, key)),
            },
            _ => None,
        };
        if backfill.is_some_and(|backfill| backfill.filtered) {
            // Its plan would cover what live traffic has not come to yet, and leave lines out for good.
            let live = work_of(config, key, claim, delivered_from(services, config).await?);
            process_batch(services, key, &live).await?;
        }
        let request = match &backfill {
            Some(EventBackfill { rebuild: true, .. }) => {
                rebuild_work(config, key, claim, delivered_from(services, config).await?)
            }
            Some(backfill) => backfill_work(config, key, claim, (backfill, job.and_then(|job| job.filter))),
            None => work_of(config, key, claim, delivered_from(services, config).await?),
        };
        let outcome = process_batch(services, key, &request).await?;
        if let Some(EventBackfill { id, rebuild, .. }) = backfill {
            let quarantined = matches!(outcome, BatchOutcome::Quarantined(_) | BatchOutcome::AlreadyQuarantined);
            let ledger = services.ledger_of(key).await?;
            let rebuilt = if rebuild { rebuilt_object(&outcome) } else { None };
            let ended = CountEndedObject { id, key: key.into(), ledger: Some(ledger), quarantined, rebuilt };
            rpc::call(services.ledgers(), REGISTRY, &ended).await?;
        }
        match outcome {
            BatchOutcome::Ignored(IgnoreReason::UnknownDataset) => ignore_unknown(services, config, key).await,
            outcome => Ok(verdict_of(outcome, key)),
        }
    }
}

impl<S: Services> AnnouncedObject<'_, S> {
    /// Looks for erased lines, and reports to the backfill of the erasure that announced the object.
    async fn examine_for(&self, backfill: i64) -> Result<ParseVerdict, BackendError> {
        let Self { services, config, key, claim, .. } = *self;
        let request = BatchRequest::new(key, claim, &config.log_prefix);
        let quarantined = match erase_object(services, (key, &request), config.kept.erasures).await? {
            ErasureOutcome::Done { is_batch } => !is_batch,
            ErasureOutcome::Waits => return Ok(in_flight(key)),
        };
        let ledger = services.ledger_of(key).await?;
        let ended =
            CountEndedObject { id: backfill, key: key.into(), ledger: Some(ledger), quarantined, rebuilt: None };
        rpc::call(services.ledgers(), REGISTRY, &ended).await?;
        Ok(ParseVerdict::new(ParseOutcome::Examined, Some(key.into())))
    }
}

/// Postpones an object of an erasure that is being read, or of which a payload is being sent.
fn in_flight(key: &str) -> ParseVerdict {
    let words = "the batch is being read, or a payload of it is being sent".into();
    ParseVerdict { key: Some(key.into()), ..ParseVerdict::not_now("in_flight", words, ERASURE_RETRY_S) }
}

/// Postpones an object that a backfill is to deliver, while nothing is: read now, it would count as done without its lines.
fn stopped(config: &Config, key: &str) -> ParseVerdict {
    let [.., delay_s] = PARSE_RETRY_S;
    let (code, words) = if config.delivery_faults.is_empty() {
        ("delivery_off", "delivery is not configured".into())
    } else {
        ("delivery_stopped", ConfigFault::words(&config.delivery_faults))
    };
    ParseVerdict { key: Some(key.into()), ..ParseVerdict::not_now(code, words, delay_s) }
}

/// Ignores an object without a known dataset; the first one of its folder is logged as a warning.
async fn ignore_unknown(services: &impl Services, config: &Config, key: &str) -> Result<ParseVerdict, BackendError> {
    let folder = config.log_prefix.unknown_folder(key);
    let is_new = keep_unknown_folder(services.ledgers(), folder).await?;
    let words = || format!("{folder} is named as no known dataset, and its records are of none");
    let reason = is_new.then(words);
    Ok(ParseVerdict::new(ParseOutcome::Ignored, Some(key.into())).because(IgnoreReason::UnknownDataset.code(), reason))
}

/// Returns what was asked of the backfill that announced an object; `None` if the registry does not have it.
async fn job_of(services: &impl Services, backfill: &EventBackfill) -> Result<Option<BackfillRequest>, BackendError> {
    let list = ListBackfills { id: Some(backfill.id), limit: 1 };
    let job = rpc::call(services.ledgers(), REGISTRY, &list).await?.jobs.pop();
    let EventBackfill { start_ms, end_ms, deliver, filtered, .. } = *backfill;
    let request = job.map(|(_, job)| job.request);
    // Numbers begin again where the registry was lost.
    Ok(request.filter(|request| {
        (request.start_ms, request.end_ms, request.deliver, request.filter.is_some())
            == (start_ms, end_ms, deliver, filtered)
    }))
}

/// Ignores an object that a backfill of a lost registry was to deliver: what it has delivered is not known any more.
fn orphaned(backfill: &EventBackfill, key: &str) -> ParseVerdict {
    let words = format!("backfill {} was to deliver it, and the registry does not have that one", backfill.id);
    ParseVerdict::new(ParseOutcome::Ignored, Some(key.into())).because(NO_SUCH_BACKFILL, Some(words))
}

/// Returns what an object of a rebuild came to; `None` if it is no valid batch.
fn rebuilt_object(outcome: &BatchOutcome) -> Option<RebuiltObject> {
    let skipped = |code: &str| Some(RebuiltObject::Skipped { code: code.to_owned() });
    match outcome {
        BatchOutcome::Sealed(report) if !report.superseded => {
            let LineCounts { lines, records, .. } = report.counts;
            Some(RebuiltObject::Indexed { lines, records })
        }
        BatchOutcome::Sealed(_) | BatchOutcome::Superseded => skipped(ParseOutcome::Superseded.name()),
        BatchOutcome::AlreadySealed => skipped(ParseOutcome::AlreadySealed.name()),
        BatchOutcome::Gone => skipped(ParseOutcome::Gone.name()),
        BatchOutcome::Ignored(why) => skipped(why.code()),
        BatchOutcome::Quarantined(_) | BatchOutcome::AlreadyQuarantined => None,
    }
}

/// Returns the work that a backfill with this filter requests.
fn backfill_work(
    config: &Config,
    key: &str,
    claim: DatasetClaim,
    (backfill, filter): (&EventBackfill, Option<String>),
) -> BatchRequest {
    let EventBackfill { id, start_ms, end_ms, index, deliver, lines_per_second, again, .. } = *backfill;
    let window = DeliveryWindow { start_ms, end_ms };
    let backfill = Some(PlanBackfill { id, lines_per_second, again });
    let options = PlanOptions { backfill_filter: filter, ..options_of(config) };
    let wish = || DeliveryRequest { backfill, ..DeliveryRequest::new(window, options) };
    BatchRequest { index, deliver: deliver.then(wish), ..BatchRequest::new(key, claim, &config.log_prefix) }
}

/// Returns the work of a rebuild: everything is indexed, and nothing delivered, nor what the ledger does not know and was written before
/// this instant.
fn rebuild_work(config: &Config, key: &str, claim: DatasetClaim, written_from_ms: Option<i64>) -> BatchRequest {
    let rebuild = Some(RebuildRequest { written_from_ms });
    BatchRequest { rebuild, ..BatchRequest::new(key, claim, &config.log_prefix) }
}

/// Returns the work for live traffic: everything is indexed, and delivered as the settings say, if it was written from
/// this instant on.
fn work_of(config: &Config, key: &str, claim: DatasetClaim, written_from_ms: Option<i64>) -> BatchRequest {
    let request = |window| DeliveryRequest { written_from_ms, ..DeliveryRequest::new(window, options_of(config)) };
    let deliver = live_window(config).map(request);
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
        edge_records: config.edge_records,
        filter: config.filter.as_ref().map(|filter| filter.text().to_owned()),
        backfill_filter: None,
        version: config.partner.version.to_string(),
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
    let ledger = services.ledger_of(key).await?;
    let call = |forgotten| ForgetDeletedObject { key: key.into(), forgotten };
    let DeletedObjectVersions { versions } = rpc::call(services.ledgers(), &ledger, &call(false)).await?;
    for old in &versions {
        let written_ms = old.age.uploaded_ms;
        forget_entries(services.shards(), key, VersionAge::until(written_ms), old.shards.iter()).await?;
        if services.now_ms() - written_ms > CLAIMS_KEPT_MS {
            remove_claims(services.shards(), key, old.shards.iter()).await?;
        }
        remove_sidecars(services, key, &old.etag).await?;
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
            let code = report.before_start.then_some(BEFORE_START);
            let reason = code.map(|_| {
                "it lay in the bucket before the first start, or before a loss, so it is only indexed".to_owned()
            });
            let warning = report.is_layout_doubtful.then(|| BatchWarning::of_doubt(&report.counts));
            ParseVerdict { batch: Some(report), code, reason, warning, ..ParseVerdict::new(verdict, key) }
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
