//! `POST /v1/erasures`, `GET /v1/erasures`, `GET /v1/erasures/{id}`: hides lines from every answer, for good, and lists what of
//! them the partner has.
//!
//! # Invariants
//! Once an erasure is answered with 201, no request is admitted that shows such a line. No value that was erased is stored, shown
//! or recorded: only how many there were. Repeating a request that failed is harmless.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::backfills::{ObjectCounts, check_range, instant_ms};
use super::ledgers::{ask_ledger, call_ledger};
use super::operation_reason::check_reason;
use crate::access::Caller;
use crate::config::Config;
use crate::erasure::{ErasureKey, ErasureKind, ErasureRange, ErasureRule, address_text, field_text};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::ledger::backfills::{BackfillRequest, BackfillState};
use crate::ledger::erased_lines::SentLines;
use crate::ledger::erasures::{
    ErasureList, ErasureStart, ListErasedPayloads, ListErasures, MakeErasureKey, StartErasure, StoredErasure,
};
use crate::ledger::ids::{DeliveryId, REGISTRY};
use crate::limits::{
    BACKFILL_RANGE_MS, ERASED_PAYLOADS_LISTED, ERASURE_RATE, ERASURE_VALUE_BYTES, ERASURE_VALUES, ERASURES_LISTED,
};
use crate::mask::{Disclosure, shown};
use crate::pipeline::note_erasures;
use crate::record::{Dataset, FieldValue, RayId, RayKey, ray_from_user};
use crate::services::Services;
use crate::time::rfc3339;

/// The fields that stand for addresses when a caller's role is asked.
const ADDRESS_FIELD: &str = "ClientIP";

/// The body of `POST /v1/erasures`. `start` and `end` are numbers or strings in a format of instants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErasureBody {
    by: String,
    field: Option<String>,
    /// As they are spelled: numbers are compared by all of their digits.
    values: Vec<Box<RawValue>>,
    dataset: Option<String>,
    start: Option<Value>,
    end: Option<Value>,
    #[serde(default = "rate")]
    lines_per_second: u64,
    reason: Option<Value>,
}

const fn rate() -> u64 {
    ERASURE_RATE
}

/// An erasure and what it has found.
#[derive(Serialize)]
struct ErasureResponse {
    id: u64,
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Number of different values.
    values: u64,
    dataset: Option<Dataset>,
    /// The range of the batches that are looked through.
    start: String,
    end: String,
    reason: Option<String>,
    created_by: String,
    created_at: String,
    updated_at: String,
    state: BackfillState,
    objects: ObjectCounts,
    /// Number of batches with erased lines.
    batches: u64,
    /// Number of erased lines in them.
    lines: u64,
    /// Number of lines that were taken out of payloads before these were sent.
    taken_out: u64,
    /// Number of payloads by which erased lines went to the partner, or may have.
    payloads: u64,
    /// Number of batches with erased lines that no ledger knew: nothing says what of them was sent.
    unknown_batches: u64,
}

#[derive(Serialize)]
struct ErasureListResponse {
    erasures: Vec<ErasureResponse>,
}

/// An erasure with the payloads by which its lines went to the partner.
#[derive(Serialize)]
struct ErasureDetails {
    #[serde(flatten)]
    erasure: ErasureResponse,
    sent: Vec<SentResponse>,
    /// Whether more payloads follow the last one.
    truncated: bool,
}

/// Erased lines that went to the partner in one payload, or may have.
#[derive(Serialize)]
struct SentResponse {
    payload: String,
    partner_batch_id: String,
    lines: u64,
    state: &'static str,
    in_doubt: bool,
    completed_at: Option<String>,
}

impl From<SentLines> for SentResponse {
    fn from(sent: SentLines) -> Self {
        let SentLines { payload, partner_batch_id, lines, state, in_doubt, completed_ms } = sent;
        let completed_at = completed_ms.map(rfc3339);
        Self { payload, partner_batch_id, lines, state: state.name(), in_doubt, completed_at }
    }
}

impl From<StoredErasure> for ErasureResponse {
    fn from(stored: StoredErasure) -> Self {
        let StoredErasure { id, rule, values, by, job, found } = stored;
        let (by_what, field) = match rule.kind {
            ErasureKind::Ray => ("ray", None),
            ErasureKind::Address => ("address", None),
            ErasureKind::Field(name) => ("field", Some(name)),
        };
        let objects = ObjectCounts::of(&job);
        Self {
            id,
            by: by_what,
            field,
            values,
            dataset: rule.dataset,
            start: rfc3339(job.request.start_ms),
            end: rfc3339(job.request.end_ms),
            reason: job.request.reason,
            created_by: by,
            created_at: rfc3339(job.created_ms),
            updated_at: rfc3339(job.updated_ms),
            state: job.state,
            objects,
            batches: found.batches,
            lines: found.lines,
            taken_out: found.taken_out,
            payloads: found.payloads,
            unknown_batches: found.unknown_batches,
        }
    }
}

/// Values as one text each, and what they are.
struct ErasedValues {
    kind: ErasureKind,
    texts: Vec<String>,
    /// The range of batches that rays name by their bits; `None` if they do not, or the values are no rays.
    named: Option<ErasureRange>,
}

/// Erases lines, and answers 201 with the erasure.
pub(crate) async fn create_erasure(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    body: &[u8],
) -> Result<Reply, Problem> {
    let wanted: ErasureBody = serde_json::from_slice(body).map_err(|_| problems::not_an_erasure())?;
    let reason = check_reason(wanted.reason.clone())?;
    let values = read_values(&wanted)?;
    let dataset = read_dataset(wanted.dataset.as_deref())?;
    check_role(caller, dataset, &values.kind)?;
    let given = read_range(&wanted)?;
    // A ray whose bits name no time of the past says nothing of when its records were written.
    let named = values.named.filter(|named| named.end_ms <= services.now_ms());
    let range = given.or(named).ok_or_else(problems::erasure_range_missing)?;
    check_range((range.start_ms, range.end_ms), BACKFILL_RANGE_MS, services.now_ms())?;
    if wanted.lines_per_second == 0 {
        return Err(problems::not_an_erasure());
    }
    let candidate = ErasureKey::draw(|| services.random_bits());
    let key = ask_ledger(services, REGISTRY, &MakeErasureKey { candidate }).await?.key;
    let digests = values.texts.iter().map(|text| key.digest(text)).collect();
    let request = BackfillRequest {
        start_ms: range.start_ms,
        end_ms: range.end_ms,
        index: false,
        deliver: false,
        lines_per_second: wanted.lines_per_second,
        again: false,
        erasure: None,
        filter: None,
        reason: Some(reason),
        rebuild: false,
    };
    let start = StartErasure {
        rule: ErasureRule { kind: values.kind, dataset, range: given, ray_times: values.named, values: digests },
        by: caller.name.clone(),
        request,
        folders: config.log_prefix.folders().to_vec(),
    };
    let ErasureStart { id } = ask_ledger(services, REGISTRY, &start).await?;
    let id = id.ok_or_else(problems::too_many_erasures)?;
    note_erasures(services, id).await.map_err(|_| problems::unavailable())?;
    let reply = show_erasure(services, id, None).await?;
    Ok(Reply { status: 201, ..reply })
}

/// Reads the values, each as the canonical text of what it is.
fn read_values(body: &ErasureBody) -> Result<ErasedValues, Problem> {
    let ErasureBody { by, field, values, .. } = body;
    if values.is_empty() || values.len() > ERASURE_VALUES {
        return Err(problems::not_an_erasure());
    }
    let kind = match (by.as_str(), field) {
        ("ray", None) => ErasureKind::Ray,
        ("address", None) => ErasureKind::Address,
        ("field", Some(name)) if !name.is_empty() && name.len() <= ERASURE_VALUE_BYTES => {
            ErasureKind::Field(name.clone())
        }
        _ => return Err(problems::not_an_erasure()),
    };
    let mut rays = Vec::new();
    let mut texts = Vec::with_capacity(values.len());
    for (number, value) in (1..).zip(values) {
        let text = match &kind {
            ErasureKind::Ray => read_ray(value).map(|ray| {
                let text = ray.to_string();
                rays.push(ray);
                text
            }),
            ErasureKind::Address => read_address(value),
            ErasureKind::Field(_) => read_field_value(value),
        };
        texts.push(text.ok_or_else(|| problems::bad_erasure_value(number))?);
    }
    Ok(ErasedValues { kind, texts, named: range_of_rays(&rays) })
}

fn read_ray(value: &RawValue) -> Option<RayKey> {
    Some(ray_from_user(&read_text(value)?).ok()?.unpadded())
}

fn read_address(value: &RawValue) -> Option<String> {
    read_text(value)?.trim().parse::<IpAddr>().ok().map(address_text)
}

fn read_text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn read_field_value(value: &RawValue) -> Option<String> {
    let text = field_text(&FieldValue::from_json(value.get())).map(std::borrow::Cow::into_owned);
    text.filter(|text| text.len() <= ERASURE_VALUE_BYTES)
}

/// Returns the range of these rays by their bits; `None` unless each has a time.
fn range_of_rays(rays: &[RayKey]) -> Option<ErasureRange> {
    let times: Option<Vec<i64>> = rays.iter().map(|ray| ray.ray().map(RayId::unix_ms)).collect();
    let times = times?;
    let (first, last) = times.iter().min().zip(times.iter().max())?;
    Some(ErasureRange { start_ms: *first, end_ms: last.saturating_add(1) })
}

fn read_dataset(name: Option<&str>) -> Result<Option<Dataset>, Problem> {
    name.map(|name| Dataset::from_name(name).ok_or_else(problems::not_an_erasure)).transpose()
}

fn read_range(body: &ErasureBody) -> Result<Option<ErasureRange>, Problem> {
    match (&body.start, &body.end) {
        (Some(start), Some(end)) => {
            Ok(Some(ErasureRange { start_ms: instant_ms("start", start)?, end_ms: instant_ms("end", end)? }))
        }
        (None, None) => Ok(None),
        _ => Err(problems::erasure_range_missing()),
    }
}

/// Checks that the caller sees what the lines are erased by: the counts show which values there are.
fn check_role(caller: &Caller, dataset: Option<Dataset>, kind: &ErasureKind) -> Result<(), Problem> {
    let name = match kind {
        ErasureKind::Ray => return Ok(()),
        ErasureKind::Address => ADDRESS_FIELD,
        ErasureKind::Field(name) => name,
    };
    let datasets = Dataset::ALL.into_iter().filter(|known| dataset.is_none_or(|only| only == *known));
    let mut hidden = datasets.filter(|dataset| shown(caller.role, *dataset, name) != Disclosure::Verbatim);
    hidden.next().map_or(Ok(()), |_| Err(problems::field_masked(None)))
}

/// Lists at most [`ERASURES_LISTED`] erasures, newest first.
pub(crate) async fn list_erasures(services: &impl Services) -> Result<Reply, Problem> {
    let list = call_ledger(services, REGISTRY, &ListErasures { id: None, limit: ERASURES_LISTED }).await?;
    let (ErasureList { erasures }, _held) = list.into_parts();
    let answer = ErasureListResponse { erasures: erasures.into_iter().map(ErasureResponse::from).collect() };
    Ok(Reply::json(services.memory(), &answer)?)
}

/// Answers with one erasure and the payloads by which its lines went to the partner, or 404.
pub(crate) async fn get_erasure<Y>(
    services: &impl Services,
    request: &HttpRequest<Y>,
    argument: &str,
) -> Result<Reply, Problem> {
    let id = argument.parse::<u32>().map_err(|_| problems::no_such_erasure())?;
    let after = request.parameter("after");
    if after.as_ref().is_some_and(|after| DeliveryId::from_handle(after).is_none()) {
        return Err(problems::bad_parameter("after", "the handle of a payload"));
    }
    show_erasure(services, id.into(), after).await
}

async fn show_erasure(services: &impl Services, id: u64, after: Option<String>) -> Result<Reply, Problem> {
    let stored = ask_ledger(services, REGISTRY, &ListErasures { id: Some(id), limit: 1 }).await?.erasures.pop();
    let erasure = ErasureResponse::from(stored.ok_or_else(problems::no_such_erasure)?);
    // One extra row shows whether there are more.
    let list = ListErasedPayloads { id, after, limit: ERASED_PAYLOADS_LISTED + 1 };
    let (list, _held) = call_ledger(services, REGISTRY, &list).await?.into_parts();
    let truncated = list.sent.len() as u64 > ERASED_PAYLOADS_LISTED;
    let most = usize::try_from(ERASED_PAYLOADS_LISTED).unwrap_or(usize::MAX);
    let sent = list.sent.into_iter().take(most).map(SentResponse::from).collect();
    Ok(Reply::json(services.memory(), &ErasureDetails { erasure, sent, truncated })?)
}
