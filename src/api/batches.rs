//! `GET /v1/batches`, `POST /v1/batches`, `GET /v1/batches/{batch}`, `POST /v1/batches/{batch}/replay`: lists the known
//! batches, announces one that is in the bucket, shows one with its plans, payloads and rejected lines, and replays a
//! quarantined one or rejected lines.
//!
//! # Invariants
//! An announcement is the message that R2 would send: announcing a batch again changes nothing. A batch is replayed
//! only while the bucket holds this version of its object. The ledger reopens the batch before the message is sent,
//! since a message for a closed batch does nothing.

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use super::backfills::shown_filter;
use super::ledgers::{LedgerCounts, ask_ledger, batch_of_object, call_ledger, check_registered, newest_ledgers};
use super::list_document::ListDocument;
use super::operation_reason::parse_reason;
use super::views::{BatchResponse, PayloadResponse, PlanResponse, with_all_states};
use crate::access::Caller;
use crate::backend::{Bucket, ObjectHead, Queue};
use crate::bucket_keys::{DatasetClaim, KeyClass, classify};
use crate::config::Config;
use crate::http::media_type::JSON;
use crate::http::{HttpRequest, Problem, Reply, parse_only_member, problems};
use crate::index::{ObjectVersion, RejectedLine};
use crate::ledger::books::{BatchSummary, LedgerTotals, PayloadView};
use crate::ledger::calls::{BatchDetails, BatchList, GetBatch, ListBatches, PayloadSelection, ReplayBatch};
use crate::ledger::{BatchId, BatchState, DeliveryPlan, PlanOptions};
use crate::limits::{BATCHES_LISTED, BATCHES_PAGE, CONCURRENT_CALLS, HOURS_READ, KEY_BYTES, LISTED, PAYLOADS_PAGE};
use crate::r2_event::R2Event;
use crate::record::Dataset;
use crate::rpc::HeldAnswer;
use crate::services::Services;

/// The members after the batches.
#[derive(Serialize)]
struct BatchListTail {
    /// Whether the list reached `limit`, or some ledgers were not read.
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledgers: Option<LedgerCounts>,
}

/// Lists batches, newest hour first.
pub(crate) async fn list_batches<Y>(
    services: &impl Services,
    caller: &Caller,
    request: &HttpRequest<Y>,
) -> Result<Reply, Problem> {
    let state = parse_state(request)?;
    let limit = request.number_parameter("limit", LISTED, BATCHES_LISTED)?;
    let ledgers = newest_ledgers(services, HOURS_READ).await?;
    // One extra batch shows whether there are more.
    let datasets = caller.datasets().map(<[_]>::to_vec);
    let first = ListBatches { state, datasets, limit: BATCHES_PAGE.min(limit + 1), after: None };
    let mut answers = stream::iter(&ledgers.names)
        .map(async |name: &String| Ok::<_, Problem>((name, call_ledger(services, name, &first).await?)))
        .buffered(CONCURRENT_CALLS);
    let mut document = ListDocument::begin(services.memory(), &serde_json::json!({}), "batches")?;
    let (mut listed, mut scanned) = (0, 0);
    while let Some(answer) = answers.next().await {
        let (name, mut page) = answer?;
        scanned += 1;
        loop {
            let next = next_page(&page, &first);
            let (BatchList { batches }, _held) = page.into_parts();
            for batch in batches {
                if listed < limit {
                    document.push(&BatchResponse::from(batch))?;
                }
                listed += 1;
            }
            match next.filter(|_| listed <= limit) {
                Some(next) => page = call_ledger(services, name, &next).await?,
                None => break,
            }
        }
        if listed > limit {
            break;
        }
    }
    let has_totals = caller.visibility().has_totals();
    // An hour that was not read may have nothing that exists for the caller.
    let is_cut = if has_totals { scanned < ledgers.total } else { ledgers.total > ledgers.names.len() as u64 };
    let truncated = listed > limit || is_cut;
    let ledgers = has_totals.then_some(LedgerCounts { scanned, total: ledgers.total });
    Ok(Reply::new(200, JSON, document.end(&BatchListTail { truncated, ledgers })?))
}

/// Returns the call for the next page of a ledger's list, unless this one is its last.
pub(super) fn next_page(page: &BatchList, call: &ListBatches) -> Option<ListBatches> {
    let last = page.batches.last().filter(|_| page.batches.len() as u64 >= call.limit)?;
    let after = (last.first_seen_ms, BatchId::from_handle(&last.id)?.source);
    Some(ListBatches { after: Some(after), ..call.clone() })
}

/// Parses the parameter `state`.
fn parse_state<Y>(request: &HttpRequest<Y>) -> Result<Option<BatchState>, Problem> {
    let Some(name) = request.parameter("state") else { return Ok(None) };
    let state = BatchState::from_name(&name);
    state.map(Some).ok_or_else(|| problems::bad_parameter("state", &BatchState::ALL.map(BatchState::name).join(", ")))
}

/// The batch that was announced, by its handle.
#[derive(Serialize)]
struct AnnouncementResponse {
    batch: String,
}

/// Announces an object of the log bucket on `parse-queue`, and answers 202 with its handle.
pub(crate) async fn announce_batch(
    config: &Config,
    services: &impl Services,
    caller: &Caller,
    body: &[u8],
) -> Result<Reply, Problem> {
    let Some(Value::String(key)) = parse_only_member(body, "key")? else {
        return Err(problems::key_missing());
    };
    if key.is_empty() {
        return Err(problems::key_missing());
    }
    if let KeyClass::Ignored(why) = classify(&key, &config.log_prefix) {
        return Err(problems::not_a_batch_key(why));
    }
    let is_own = match config.log_prefix.claim(&key) {
        DatasetClaim::Named(dataset) | DatasetClaim::Alias(dataset) => caller.may_dataset(dataset),
        DatasetClaim::Unnamed | DatasetClaim::Unknown => caller.visibility().has_totals(),
    };
    if !is_own {
        return Err(problems::other_dataset());
    }
    let head = find_object(services, &key).await?.ok_or_else(problems::no_such_object)?;
    let bucket_name = services.bucket_name();
    let event = R2Event::put_object(bucket_name, &key, head.size, &head.etag, services.now_ms());
    services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    let batch = batch_of_object(services, &ObjectVersion::new(&key, &head)).await?.handle();
    Ok(Reply { status: 202, ..Reply::json(services.memory(), &AnnouncementResponse { batch })? })
}

/// Returns the current object at `key`; a key that is too long for the bucket has none.
async fn find_object(services: &impl Services, key: &str) -> Result<Option<ObjectHead>, Problem> {
    if key.len() > KEY_BYTES {
        return Ok(None);
    }
    let found = services.bucket().get(key).await.map_err(|_| problems::unavailable())?;
    Ok(found.map(|(head, _)| head))
}

/// A batch with its history and plans: the members before its payloads.
#[derive(Serialize)]
struct BatchDetail {
    batch: BatchResponse,
    /// Who uploaded it to raydex.
    #[serde(skip_serializing_if = "Option::is_none")]
    uploader: Option<String>,
    accounts: LedgerTotals,
    shards: Vec<String>,
    rejected: RejectedResponse,
    plans: Vec<PlanResponse>,
}

/// The rejected lines: the positions of the first ones, and their number.
#[derive(Serialize)]
struct RejectedResponse {
    total: u64,
    truncated: bool,
    lines: Vec<RejectedLine>,
}

/// Answers with one batch, its plans and its payloads, or 404.
pub(crate) async fn get_batch(services: &impl Services, caller: &Caller, argument: &str) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    check_registered(services, &id.ledger, problems::no_such_batch).await?;
    let details = payload_page(services, &id, None, PAYLOADS_PAGE).await?;
    let (BatchDetails { batch, shards, totals, rejected, plans, duplicates, payloads, .. }, held) =
        details.into_parts();
    let batch = batch.filter(|batch| exists_for(caller, batch)).ok_or_else(problems::no_such_batch)?;
    let uploader = services.bucket().uploader(&batch.object.key, &batch.object.etag).await;
    let uploader = uploader.map_err(|_| problems::unavailable())?;
    let total = batch.counts.rejected_lines();
    let rejected = RejectedResponse { total, truncated: (rejected.len() as u64) < total, lines: rejected };
    let mut shown = Vec::new();
    for plan in plans {
        let delivers = has_payloads(services, &id, &payloads, plan.number).await?;
        let filter = shown_filter(caller, plan.options.backfill_filter);
        let plan = DeliveryPlan { options: PlanOptions { backfill_filter: filter, ..plan.options }, ..plan };
        shown.push(PlanResponse::new(plan, &duplicates, delivers));
    }
    let (batch, accounts) = (batch.into(), with_all_states(totals));
    let detail = BatchDetail { batch, uploader, accounts, shards, rejected, plans: shown };
    let mut document = ListDocument::begin(services.memory(), &detail, "payloads")?;
    let (mut page, mut held) = (payloads, Some(held));
    while !page.is_empty() {
        let last = page.last().filter(|_| page.len() as u64 == PAYLOADS_PAGE);
        let after = last.map(|last| (last.plan, last.payload.index.clone()));
        for payload in std::mem::take(&mut page) {
            document.push(&PayloadResponse::from(payload))?;
        }
        drop(held.take());
        if after.is_some() {
            let (details, next) = payload_page(services, &id, after, PAYLOADS_PAGE).await?.into_parts();
            (page, held) = (details.payloads, Some(next));
        }
    }
    Ok(Reply::new(200, JSON, document.end(&serde_json::json!({}))?))
}

/// Returns a batch with the next of its payloads.
pub(super) async fn payload_page(
    services: &impl Services,
    id: &BatchId,
    after: Option<(u32, String)>,
    limit: u64,
) -> Result<HeldAnswer<BatchDetails>, Problem> {
    let payloads = PayloadSelection::Page { after, limit };
    call_ledger(services, &id.ledger, &GetBatch { source: id.source.clone(), payloads }).await
}

/// Returns whether a plan has payloads, by the first page of all, or by one that begins with the plan's.
async fn has_payloads(
    services: &impl Services,
    id: &BatchId,
    first: &[PayloadView],
    plan: u32,
) -> Result<bool, Problem> {
    let is_in = |payloads: &[PayloadView]| payloads.iter().any(|payload| payload.plan == plan);
    if is_in(first) || (first.len() as u64) < PAYLOADS_PAGE {
        return Ok(is_in(first));
    }
    let next = payload_page(services, id, Some((plan, String::new())), 1).await?;
    Ok(is_in(&next.payloads))
}

/// Returns whether the batch exists for the caller: it is read as one of their datasets.
pub(super) fn exists_for(caller: &Caller, batch: &BatchSummary) -> bool {
    let is_own = || Dataset::from_name(&batch.dataset).is_some_and(|dataset| caller.may_dataset(dataset));
    caller.visibility().has_totals() || is_own()
}

/// The state of the batch before and after a replay.
#[derive(Serialize)]
struct ReplayResponse {
    batch: String,
    before: BatchState,
    state: BatchState,
}

/// Replays a batch: reopens a quarantined one, schedules the rejected lines of a sealed one, and sends its message to
/// `parse-queue`. A batch that is already open gets another message.
pub(crate) async fn replay_batch(
    services: &impl Services,
    caller: &Caller,
    body: &[u8],
    argument: &str,
) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    let reason = parse_reason(body)?;
    check_registered(services, &id.ledger, problems::no_such_batch).await?;
    let (known, _held) = payload_page(services, &id, None, 0).await?.into_parts();
    let known = known.batch.filter(|batch| exists_for(caller, batch));
    let BatchSummary { object, state: before, .. } = known.ok_or_else(problems::no_such_batch)?;
    if !has_version(services, &object).await? {
        return Err(problems::object_gone());
    }
    let replay = ReplayBatch { source: id.source.clone(), reason };
    let answer = ask_ledger(services, &id.ledger, &replay).await?;
    let state = answer.state.filter(|_| answer.due).ok_or_else(problems::nothing_to_replay)?;
    let event = R2Event::put_object(services.bucket_name(), &object.key, object.size, &object.etag, services.now_ms());
    services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    Ok(Reply::json(services.memory(), &ReplayResponse { batch: id.handle(), before, state })?)
}

/// Returns whether the bucket holds this version of the object.
async fn has_version(services: &impl Services, object: &ObjectVersion) -> Result<bool, Problem> {
    let found = find_object(services, &object.key).await?;
    Ok(found.is_some_and(|head| head.etag == object.etag))
}
