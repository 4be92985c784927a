//! `GET /v1/batches`, `GET /v1/batches/{batch}`, `POST /v1/batches/{batch}/replay`: which batches were seen, what
//! became of one, and another chance for one that was quarantined.
//!
//! What always holds: a batch is replayed only while the bucket holds that very version; its message is sent after
//! the ledger has it open, so that the message finds work.

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::ledgers::{LedgersRead, ask, newest};
use super::reason::reason;
use super::views::{BatchShown, PayloadShown, PlanShown, whole};
use crate::backend::{Bucket, Queue};
use crate::http::{Problem, Reply, Request, problems};
use crate::index::ObjectVersion;
use crate::ledger::books::{BatchSummary, LedgerTotals};
use crate::ledger::calls::{BatchDetails, GetBatch, ListBatches, QuarantineBatch};
use crate::ledger::{BatchId, BatchState};
use crate::limits::{BATCHES_LISTED, CONCURRENT_CALLS, LEDGERS_READ, LISTED};
use crate::r2_event::R2Event;
use crate::services::Services;

/// The code of a batch that a person has read again.
const REPLAYED: &str = "replayed";

/// The list.
#[derive(Serialize)]
struct List {
    batches: Vec<BatchShown>,
    /// There may be more.
    truncated: bool,
    ledgers: LedgersRead,
}

/// Lists batches, those of the latest hour first.
pub(crate) async fn list<Y>(world: &impl Services, request: &Request<Y>) -> Result<Reply, Problem> {
    let state = state(request)?;
    let limit = request.number("limit", LISTED, BATCHES_LISTED)?;
    let ledgers = newest(world, LEDGERS_READ).await?;
    // One more than is shown tells whether there are more.
    let call = ListBatches { state, limit: limit + 1 };
    let mut answers = stream::iter(&ledgers.names)
        .map(async |name: &String| ask(world, name, &call).await)
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
    let batches = batches.into_iter().map(BatchShown::from).collect();
    Ok(Reply::json(&List { batches, truncated, ledgers: LedgersRead { scanned: read, total: ledgers.total } }))
}

/// The state asked for.
fn state<Y>(request: &Request<Y>) -> Result<Option<BatchState>, Problem> {
    let Some(name) = request.parameter("state") else { return Ok(None) };
    let state = BatchState::from_name(&name);
    state.map(Some).ok_or_else(|| problems::bad_parameter("state", &BatchState::ALL.map(BatchState::name).join(", ")))
}

/// One batch.
#[derive(Serialize)]
struct One {
    batch: BatchShown,
    books: LedgerTotals,
    shards: Vec<String>,
    plans: Vec<PlanShown>,
    payloads: Vec<PayloadShown>,
}

/// Shows one batch with all that became of it.
pub(crate) async fn one(world: &impl Services, argument: &str) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    let BatchDetails { batch, shards, totals, plans, payloads } =
        ask(world, &id.ledger, &GetBatch { source: id.source }).await?;
    let batch = batch.ok_or_else(problems::no_such_batch)?;
    Ok(Reply::json(&One {
        batch: batch.into(),
        books: whole(totals),
        shards,
        plans: plans.into_iter().map(PlanShown::from).collect(),
        payloads: payloads.into_iter().map(PayloadShown::from).collect(),
    }))
}

/// What a replay came to.
#[derive(Serialize)]
struct Replay {
    batch: String,
    before: BatchState,
    state: BatchState,
}

/// Has a batch read again that was quarantined. One that is open already gets a message once more.
pub(crate) async fn replay(world: &impl Services, body: &[u8], argument: &str) -> Result<Reply, Problem> {
    let id = BatchId::from_handle(argument).ok_or_else(problems::no_such_batch)?;
    let reason = reason(body)?;
    let known = ask(world, &id.ledger, &GetBatch { source: id.source.clone() }).await?;
    let BatchSummary { object, state: before, .. } = known.batch.ok_or_else(problems::no_such_batch)?;
    if before == BatchState::Sealed {
        return Err(problems::not_quarantined());
    }
    if !is_there(world, &object).await? {
        return Err(problems::object_gone());
    }
    let open = QuarantineBatch { source: id.source.clone(), code: REPLAYED.into(), reason, replay: true };
    ask(world, &id.ledger, &open).await?;
    let event = R2Event::put_object(world.bucket_name(), &object.key, object.size, &object.etag, world.now_ms());
    world.parse_queue().send(&[event]).await.map_err(|_| problems::unavailable())?;
    Ok(Reply::json(&Replay { batch: id.handle(), before, state: BatchState::Open }))
}

/// Whether the bucket holds this version of the object.
async fn is_there(world: &impl Services, object: &ObjectVersion) -> Result<bool, Problem> {
    let found = world.bucket().get(&object.key).await.map_err(|_| problems::unavailable())?;
    Ok(found.is_some_and(|(head, _)| head.etag == object.etag))
}
