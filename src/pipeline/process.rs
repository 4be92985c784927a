//! One object by the ledger's protocol: ask what there is to do, do it in one pass, seal it, send the messages.
//!
//! ```text
//! get → begin → read to the end, put packs of payloads → windows, summaries, occupancy map, entries → write the index → seal → send
//! ```
//!
//! It may be cut off anywhere and begun again, by anyone, at the same time: the plan is pinned, packs are named by
//! their content, the seal takes all or nothing. The seal comes before the first message, so that nothing of a
//! damaged object is ever sent.
//!
//! What always holds: what is processed is the object as it is now, whatever an event said of it; a damaged object
//! leaves nothing in the index and nothing for the partner.

use serde::Serialize;

use super::pass::{Passed, pass};
use super::transform::{Rules, Transformer};
use super::turn::{Heard, wait_for_turn};
use crate::backend::{BackendError, Bucket, Queue, WholeBody};
use crate::batch::{BatchError, Totals};
use crate::bucket_keys::{summaries_key, windows_key};
use crate::index::{Counts, ObjectVersion, forget_entries, put_entries};
use crate::ledger::calls::{
    BeginAnswer, BeginBatch, MarkRegistered, QuarantineBatch, RecordShards, ReplacedVersion, SealAnswer, SealBatch,
};
use crate::ledger::plan::DeliveryRequest;
use crate::ledger::{BatchId, DeliveryId, DeliveryPlan, occupancy, registry};
use crate::limits::PLANS_AT_ONCE;
use crate::memory::Held;
use crate::mistakes::{Mistake, made};
use crate::record::Dataset;
use crate::rpc;
use crate::services::Services;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The dataset that the object is taken for.
    pub dataset: Dataset,
    /// Whether it is to be indexed.
    pub index: bool,
    /// What of it is to go to the partner.
    pub deliver: Option<DeliveryRequest>,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every line of it is accounted for.
    Sealed(Done),
    /// All that was asked for had been done.
    AlreadySealed,
    /// A newer version of the object is known; this one is left alone.
    Superseded,
    /// It is no batch; the ledger holds the reason.
    Quarantined(BatchError),
    /// It had been quarantined.
    AlreadyQuarantined,
    /// There is no such object (any more).
    Gone,
}

/// What was done. As JSON it is a part of the message's line in the log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Done {
    /// What was read.
    #[serde(flatten)]
    pub totals: Totals,
    /// Shards written to.
    pub shards: usize,
    /// Bytes of packed rays.
    pub packed: u64,
    /// Bytes of the access points' windows.
    pub access_points: u64,
    /// Bytes of the spans' summaries.
    pub summaries: u64,
    /// Rows of the shards that the platform bills as written.
    pub rows_written: u64,
    /// Payloads made.
    pub payloads: usize,
    /// Lines in them.
    pub payload_lines: u64,
    /// What it holds, in lines.
    #[serde(flatten)]
    pub counts: Counts,
    /// A newer version took this one's place in the index meanwhile, which is the verdict.
    #[serde(skip)]
    pub superseded: bool,
}

/// Does what is asked for with the object at `key`.
///
/// # Errors
/// [`BackendError`] where the world failed; asking again goes on.
pub async fn process(world: &impl Services, key: &str, work: &Work) -> Result<Outcome, BackendError> {
    let turn = wait_for_turn(world).await?;
    // A plan that an earlier attempt left open comes first; then the rest of what is asked for.
    for _ in 0..PLANS_AT_ONCE {
        let (outcome, more) = once(world, &turn, key, work).await?;
        if !more {
            return Ok(outcome);
        }
    }
    Err(BackendError::new("processing an object", "its plans do not come to an end"))
}

/// One round; says whether another one is needed.
async fn once(world: &impl Services, turn: &Held, key: &str, work: &Work) -> Result<(Outcome, bool), BackendError> {
    let Some((head, body)) = world.bucket().get(key).await? else { return Ok((Outcome::Gone, false)) };
    let id = BatchId::for_object(world.bucket_name(), key, &head.etag);
    let object =
        ObjectVersion { key: key.into(), etag: head.etag.clone(), uploaded_ms: head.uploaded_ms, size: head.size };
    let begin = BeginBatch {
        source: id.source.clone(),
        object: object.clone(),
        dataset: work.dataset.name().into(),
        index: work.index,
        deliver: work.deliver.clone(),
    };
    let todo = match rpc::call(world.ledgers(), &id.ledger, &begin).await? {
        BeginAnswer::Complete => return Ok((Outcome::AlreadySealed, false)),
        BeginAnswer::Quarantined { .. } => return Ok((Outcome::AlreadyQuarantined, false)),
        BeginAnswer::Superseded => return Ok((Outcome::Superseded, false)),
        BeginAnswer::Work(todo) => todo,
    };
    if !todo.registered {
        registry::register(world.ledgers(), &id.ledger).await?;
        rpc::call(world.ledgers(), &id.ledger, &MarkRegistered {}).await?;
    }
    let transform = todo.plan.map(|plan| transformer(plan, &object, world.pack_bytes())).transpose()?;
    let body = Heard { turn, now_ms: || world.now_ms(), body: WholeBody::new(body, head.size) };
    let job =
        Job { world, id: &id, object: &object, replaced: &todo.replaced, dataset: work.dataset, index: todo.index };
    match pass(world.data_bucket(), body, &id.source, (work.dataset, object.default_ms()), transform).await? {
        Ok(passed) => Ok((Outcome::Sealed(job.seal(passed).await?), todo.more)),
        Err(why) => job.quarantine(why).await.map(|outcome| (outcome, false)),
    }
}

fn transformer(plan: DeliveryPlan, object: &ObjectVersion, pack_bytes: usize) -> Result<Transformer, BackendError> {
    let rules = Rules::new(plan).ok_or_else(|| {
        BackendError::new("reading a plan", "it was pinned in a form that this version does not know")
    })?;
    Ok(Transformer::new(rules, object.default_ms(), pack_bytes))
}

/// A pass that has come to its end.
struct Job<'a, W> {
    world: &'a W,
    id: &'a BatchId,
    object: &'a ObjectVersion,
    replaced: &'a [ReplacedVersion],
    dataset: Dataset,
    index: bool,
}

impl<W: Services> Job<'_, W> {
    /// Writes the index, seals, and sends the messages.
    async fn seal(&self, passed: Passed) -> Result<Done, BackendError> {
        let mut done = Done { totals: passed.totals, counts: passed.counts.clone(), ..Done::default() };
        if let Some(plan) = &passed.plan {
            done.payloads = plan.payloads.len();
            done.payload_lines = plan.payloads.iter().map(|payload| payload.lines).sum();
        }
        let mut indexed = None;
        if self.index {
            let shards: Vec<String> = passed.entries.iter().map(|entry| entry.shard.to_string()).collect();
            done.shards = shards.len();
            done.packed =
                passed.entries.iter().flat_map(|entry| &entry.parts).map(|part| part.bytes.len() as u64).sum();
            done.access_points = passed.windows.len() as u64;
            done.summaries = passed.summaries.spans.len() as u64;
            let digest = self.id.source.as_str();
            self.put_beside(windows_key(digest), passed.windows).await?;
            self.put_beside(summaries_key(digest), passed.summaries.spans).await?;
            let prefixes: Vec<u32> = passed.entries.iter().filter_map(|entry| entry.shard.prefix()).collect();
            if !made(Mistake::EntriesFirst) {
                self.mark_occupied(&prefixes).await?;
            }
            self.call(&RecordShards { source: self.id.source.clone(), shards: shards.clone() }).await?;
            let version = (self.dataset, self.object);
            let rows = put_entries(self.world.shards(), version, passed.entries, &passed.summaries.batch).await?;
            if made(Mistake::EntriesFirst) {
                self.mark_occupied(&prefixes).await?;
            }
            done.superseded = rows.is_none();
            done.rows_written = rows.unwrap_or_default();
            indexed = Some(rows.is_some());
            self.forget_replaced(&shards).await?;
        }
        let seal = SealBatch {
            source: self.id.source.clone(),
            counts: passed.counts,
            inflated: passed.totals.inflated,
            indexed,
            plan: passed.plan,
        };
        match self.call(&seal).await {
            Err(_) if made(Mistake::SwallowSeal) => {}
            sealed => {
                let SealAnswer { send, .. } = sealed?;
                self.announce(&send).await;
            }
        }
        Ok(done)
    }

    /// Keeps what lies beside the batch (the windows of its access points, the summaries of its spans), if there is
    /// any: before the index, which names it.
    async fn put_beside(&self, key: String, bytes: Vec<u8>) -> Result<(), BackendError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.world.data_bucket().put_new(&key, bytes).await.map(drop)
    }

    /// Marks the prefixes of the entries before there are any, so that no search skips one, wherever this is cut off.
    async fn mark_occupied(&self, prefixes: &[u32]) -> Result<(), BackendError> {
        occupancy::mark_occupied(self.world.ledgers(), self.dataset, prefixes).await
    }

    /// Sends the messages of payloads. One that does not go out is the ledger's, which sends it in a minute.
    async fn announce(&self, ids: &[DeliveryId]) {
        if !ids.is_empty() {
            let _sent = self.world.send_queue().send(ids).await;
        }
    }

    /// Keeps that the object is no batch.
    async fn quarantine(&self, why: BatchError) -> Result<Outcome, BackendError> {
        self.forget_replaced(&[]).await?;
        let source = self.id.source.clone();
        let ask = QuarantineBatch { source, code: why.code().into(), reason: why.to_string(), replay: false };
        let answer = self.call(&ask).await?;
        Ok(if answer.quarantined { Outcome::Quarantined(why) } else { Outcome::AlreadySealed })
    }

    /// Drops what older versions left in shards that this one does not write to.
    async fn forget_replaced(&self, kept: &[String]) -> Result<(), BackendError> {
        for old in self.replaced {
            let names = old.shards.iter().filter(|name| !kept.contains(name));
            forget_entries(self.world.shards(), &self.object.key, old.uploaded_ms, names).await?;
            forget_beside(self.world, old).await?;
        }
        Ok(())
    }

    async fn call<C: rpc::Call>(&self, ask: &C) -> Result<C::Answer, BackendError> {
        rpc::call(self.world.ledgers(), &self.id.ledger, ask).await
    }
}

/// Removes what lies beside a version that is no more: behind its entries, which name it.
pub(super) async fn forget_beside(world: &impl Services, old: &ReplacedVersion) -> Result<(), BackendError> {
    let digest = old.source.as_str();
    world.data_bucket().delete(&[windows_key(digest), summaries_key(digest)]).await
}
