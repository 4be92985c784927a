//! `GET /v1/batches`, `GET /v1/batches/{batch}`, `POST /v1/batches/{batch}/replay`: the batches that were seen, one of
//! them with its plans and payloads, and the replay of a quarantined one.
//!
//! # Invariants
//! A batch is replayed only while the bucket holds this version of its object. The ledger reopens the batch before the
//! message is sent, since a message for a closed batch does nothing.

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::ledgers::{LedgerCounts, call_ledger, newest_ledgers};
use super::operation_reason::parse_reason;
use super::views::{BatchResponse, PayloadResponse, PlanResponse, with_all_states};
use crate::backend::{Bucket, Queue};
use crate::http::{HttpRequest, Problem, Reply, problems};
use crate::index::ObjectVersion;
use crate::ledger::books::{BatchSummary, LedgerTotals};
use crate::ledger::calls::{BatchDetails, GetBatch, ListBatches, QuarantineBatch};
use crate::ledger::{BatchId, BatchState};
use crate::limits::{BATCHES_LISTED, CONCURRENT_CALLS, LEDGERS_READ, LISTED};
use crate::r2_event::R2Event;
use crate::services::Services;

/// The reason code in the ledger of a batch that an operator replays.
const REPLAYED: &str = "replayed";

#[derive(Serialize)]
struct BatchListResponse {
    batches: Vec<BatchResponse>,
    /// The list reached `limit`, or not all ledgers were read.
    truncated: bool,
    ledgers: LedgerCounts,
}

/// Lists batches, those of the newest hour first.
pub(crate) async fn list_batches<Y>(services: &impl Services, request: &HttpRequest<Y>) -> Result<Reply, Problem> {
    let state = parse_state(request)?;
    let limit = request.number_parameter("limit", LISTED, BATCHES_LISTED)?;
    let ledgers = newest_ledgers(services, LEDGERS_READ).await?;
    // One more than is shown decides whether there are more.
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

/// A batch with its history, plans and payloads.
#[derive(Serialize)]
struct BatchDetail {
    batch: BatchResponse,
    accounts: LedgerTotals,
    shards: Vec<String>,
    plans: Vec<PlanResponse>,
    payloads: Vec<PayloadResponse>,
}

/// Answers with one batch, its plans and its payloads, or 404.
pub(crate) async fn get_batch(services: &impl Services, argument: &str) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    let BatchDetails { batch, shards, totals, plans, duplicates, payloads } =
        call_ledger(services, &id.ledger, &GetBatch { source: id.source }).await?;
    let batch = batch.ok_or_else(problems::no_such_batch)?;
    Ok(Reply::json(&BatchDetail {
        batch: batch.into(),
        accounts: with_all_states(totals),
        shards,
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

/// Reopens a quarantined batch and sends its message to `parse-queue`; a batch that is already open gets another
/// message.
pub(crate) async fn replay_batch(services: &impl Services, body: &[u8], argument: &str) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    let reason = parse_reason(body)?;
    let known = call_ledger(services, &id.ledger, &GetBatch { source: id.source.clone() }).await?;
    let BatchSummary { object, state: before, .. } = known.batch.ok_or_else(problems::no_such_batch)?;
    if before == BatchState::Sealed {
        return Err(problems::not_quarantined());
    }
    if !has_version(services, &object).await? {
        return Err(problems::object_gone());
    }
    let open = QuarantineBatch { source: id.source.clone(), code: REPLAYED.into(), reason, replay: true };
    call_ledger(services, &id.ledger, &open).await?;
    let event = R2Event::put_object(services.bucket_name(), &object.key, object.size, &object.etag, services.now_ms());
    services.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    Ok(Reply::json(&ReplayResponse { batch: id.handle(), before, state: BatchState::Open }))
}

/// Whether the bucket holds this version of the object.
async fn has_version(services: &impl Services, object: &ObjectVersion) -> Result<bool, Problem> {
    let found = services.bucket().get(&object.key).await.map_err(|_| problems::unavailable())?;
    Ok(found.is_some_and(|(head, _)| head.etag == object.etag))
}
