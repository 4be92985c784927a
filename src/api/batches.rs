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

use super::ledgers::{LedgerCounts, call_ledger, newest_ledgers};
use super::operation_reason::parse_reason;
use super::views::{BatchResponse, PayloadResponse, PlanResponse, with_all_states};
use crate::backend::{Bucket, ObjectHead, Queue};
use crate::bucket_keys::{KeyClass, classify};
use crate::config::Config;
use crate::http::{HttpRequest, Problem, Reply, parse_only_member, problems};
use crate::index::{ObjectVersion, RejectedLine};
use crate::ledger::books::{BatchSummary, LedgerTotals};
use crate::ledger::calls::{BatchDetails, GetBatch, ListBatches, ReplayBatch};
use crate::ledger::{BatchId, BatchState};
use crate::limits::{BATCHES_LISTED, CONCURRENT_CALLS, KEY_BYTES, LEDGERS_READ, LISTED};
use crate::r2_event::R2Event;
use crate::services::Services;

#[derive(Serialize)]
struct BatchListResponse {
    batches: Vec<BatchResponse>,
    /// Whether the list reached `limit`, or some ledgers were not read.
    truncated: bool,
    ledgers: LedgerCounts,
}

/// Lists batches, newest hour first.
pub(crate) async fn list_batches<Y>(services: &impl Services, request: &HttpRequest<Y>) -> Result<Reply, Problem> {
    let state = parse_state(request)?;
    let limit = request.number_parameter("limit", LISTED, BATCHES_LISTED)?;
    let ledgers = newest_ledgers(services, LEDGERS_READ).await?;
    // One extra batch shows whether there are more.
    let call = ListBatches { state, limit: limit + 1 };
    let mut answers = stream::iter(&ledgers.names)
        .map(async |name: &String| call_ledger(services, name, &call).await)
        .buffered(CONCURRENT_CALLS);
    let (mut batches, mut read) = (Vec::new(), 0);
    while let Some(answer) = answers.next().await {
        batches.extend(answer?.batches);
        read += 1;
        if batches.len() as u64 > limit {
            break;
        }
    }
    let truncated = batches.len() as u64 > limit || read < ledgers.total;
    batches.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let batches = batches.into_iter().map(BatchResponse::from).collect();
    Ok(Reply::json(&BatchListResponse {
        batches,
        truncated,
        ledgers: LedgerCounts { scanned: read, total: ledgers.total },
    }))
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
pub(crate) async fn announce_batch(config: &Config, services: &impl Services, body: &[u8]) -> Result<Reply, Problem> {
    let Some(Value::String(key)) = parse_only_member(body, "key")? else {
        return Err(problems::key_missing());
    };
    if key.is_empty() {
        return Err(problems::key_missing());
    }
    if let KeyClass::Ignored(why) = classify(&key, &config.log_prefix) {
        return Err(problems::not_a_batch_key(why));
    }
    let head = find_object(services, &key).await?.ok_or_else(problems::no_such_object)?;
    let bucket_name = services.bucket_name();
    let event = R2Event::put_object(bucket_name, &key, head.size, &head.etag, services.now_ms());
    services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    let batch = BatchId::for_object(bucket_name, &key, &head.etag).handle();
    Ok(Reply { status: 202, ..Reply::json(&AnnouncementResponse { batch }) })
}

/// Returns the current object at `key`; a key that is too long for the bucket has none.
async fn find_object(services: &impl Services, key: &str) -> Result<Option<ObjectHead>, Problem> {
    if key.len() > KEY_BYTES {
        return Ok(None);
    }
    let found = services.bucket().get(key).await.map_err(|_| problems::unavailable())?;
    Ok(found.map(|(head, _)| head))
}

/// A batch with its history, plans and payloads.
#[derive(Serialize)]
struct BatchDetail {
    batch: BatchResponse,
    accounts: LedgerTotals,
    shards: Vec<String>,
    rejected: RejectedResponse,
    plans: Vec<PlanResponse>,
    payloads: Vec<PayloadResponse>,
}

/// The rejected lines: the positions of the first ones, and their number.
#[derive(Serialize)]
struct RejectedResponse {
    total: u64,
    truncated: bool,
    lines: Vec<RejectedLine>,
}

/// Answers with one batch, its plans and its payloads, or 404.
pub(crate) async fn get_batch(services: &impl Services, argument: &str) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    let BatchDetails { batch, shards, totals, rejected, plans, duplicates, payloads } =
        call_ledger(services, &id.ledger, &GetBatch { source: id.source }).await?;
    let batch = batch.ok_or_else(problems::no_such_batch)?;
    let total = batch.counts.rejected_lines();
    let rejected = RejectedResponse { total, truncated: (rejected.len() as u64) < total, lines: rejected };
    Ok(Reply::json(&BatchDetail {
        batch: batch.into(),
        accounts: with_all_states(totals),
        shards,
        rejected,
        plans: plans.into_iter().map(|plan| PlanResponse::new(plan, &duplicates, &payloads)).collect(),
        payloads: payloads.into_iter().map(PayloadResponse::from).collect(),
    }))
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
pub(crate) async fn replay_batch(services: &impl Services, body: &[u8], argument: &str) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    let reason = parse_reason(body)?;
    let known = call_ledger(services, &id.ledger, &GetBatch { source: id.source.clone() }).await?;
    let BatchSummary { object, state: before, .. } = known.batch.ok_or_else(problems::no_such_batch)?;
    if !has_version(services, &object).await? {
        return Err(problems::object_gone());
    }
    let replay = ReplayBatch { source: id.source.clone(), reason };
    let answer = call_ledger(services, &id.ledger, &replay).await?;
    let state = answer.state.filter(|_| answer.due).ok_or_else(problems::nothing_to_replay)?;
    let event = R2Event::put_object(services.bucket_name(), &object.key, object.size, &object.etag, services.now_ms());
    services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    Ok(Reply::json(&ReplayResponse { batch: id.handle(), before, state }))
}

/// Returns whether the bucket holds this version of the object.
async fn has_version(services: &impl Services, object: &ObjectVersion) -> Result<bool, Problem> {
    let found = find_object(services, &object.key).await?;
    Ok(found.is_some_and(|head| head.etag == object.etag))
}
