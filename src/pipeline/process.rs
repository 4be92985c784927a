//! Processes one batch by the ledger's protocol: begin, scan, write the index, seal, announce.
//!
//! ```text
//! get → begin → scan, write packs → windows, summaries, occupancy map, entries → seal → announce
//! ```
//!
//! It may be interrupted anywhere and started again, by several workers at the same time: the plan is pinned, packs are
//! named by their content, and a seal takes effect completely or not at all. The seal comes before the first message, so
//! nothing of a damaged batch is ever sent.
//!
//! # Invariants
//! The object is processed as it is now, whatever an event said of it. A damaged object leaves nothing in the index and
//! nothing for the partner.

use serde::Serialize;

use super::read_permit::{HeartbeatBody, acquire_read_permit};
use super::scan::{BatchContext, BatchScan, ScanError, scan_batch};
use super::transform::{PartnerTransformer, PlanRules};
use crate::backend::{BackendError, Bucket, Queue, WholeBody};
use crate::batch::{BatchError, ReadTotals};
use crate::bucket_keys::{summaries_key, windows_key};
use crate::index::{LineCounts, ObjectVersion, forget_entries, put_entries};
use crate::ledger::calls::{
    BeginAnswer, BeginBatch, MarkRegistered, QuarantineBatch, RecordShards, ReplacedVersion, SealBatch,
};
use crate::ledger::plan::DeliveryRequest;
use crate::ledger::{BatchId, DeliveryId, DeliveryPlan, occupancy, registry};
use crate::limits::PLANS_AT_ONCE;
use crate::memory::ReadPermit;
use crate::record::Dataset;
use crate::rpc;
use crate::services::Services;

/// What is to be done with a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRequest {
    /// The dataset that the object is read as.
    pub dataset: Dataset,
    /// Whether it is to be indexed.
    pub index: bool,
    /// What is delivered of it; `None` for nothing.
    pub deliver: Option<DeliveryRequest>,
}

/// How processing an object ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchOutcome {
    /// Every line of it is accounted for.
    Sealed(BatchFigures),
    /// Everything requested was done before.
    AlreadySealed,
    /// A newer version of the object is known, so this one is skipped.
    Superseded,
    /// It is not a valid batch; the ledger holds the reason.
    Quarantined(BatchError),
    /// It had been quarantined.
    AlreadyQuarantined,
    /// The bucket has no such object any more.
    Gone,
}

/// The figures of a sealed batch. As JSON they are a part of the message's log line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BatchFigures {
    /// Bytes and lines that were read.
    #[serde(flatten)]
    pub totals: ReadTotals,
    /// Number of shards written to.
    pub shards: usize,
    /// Bytes of the packed rays, over all shards.
    pub packed: u64,
    /// Bytes of the access points' windows.
    pub access_points: u64,
    /// Bytes of the spans' summaries.
    pub summaries: u64,
    /// Rows of the shards that the platform bills as written.
    pub rows_written: u64,
    /// Number of payloads made.
    pub payloads: usize,
    /// Lines in these payloads.
    pub payload_lines: u64,
    /// The batch's lines, by kind.
    #[serde(flatten)]
    pub counts: LineCounts,
    /// Whether a newer version took its place in the index meanwhile, which decides the verdict.
    #[serde(skip)]
    pub superseded: bool,
}

/// Does what is requested with the object at `key` of the log bucket.
///
/// # Errors
/// [`BackendError`] where a backend failed; processing it again continues the work.
pub async fn process_batch(
    services: &impl Services,
    key: &str,
    request: &BatchRequest,
) -> Result<BatchOutcome, BackendError> {
    let permit = acquire_read_permit(services).await?;
    // A plan that an earlier attempt left open comes first, then the rest of the request.
    for _ in 0..PLANS_AT_ONCE {
        let (outcome, has_more) = process_version(services, &permit, key, request).await?;
        if !has_more {
            return Ok(outcome);
        }
    }
    Err(BackendError::new("processing an object", "its plans do not come to an end"))
}

/// Processes the version that the object has now, for one plan. Returns whether another plan is left.
async fn process_version(
    services: &impl Services,
    permit: &ReadPermit,
    key: &str,
    request: &BatchRequest,
) -> Result<(BatchOutcome, bool), BackendError> {
    let Some((head, body)) = services.bucket().get(key).await? else { return Ok((BatchOutcome::Gone, false)) };
    let id = BatchId::for_object(services.bucket_name(), key, &head.etag);
    let object =
        ObjectVersion { key: key.into(), etag: head.etag.clone(), uploaded_ms: head.uploaded_ms, size: head.size };
    let begin = BeginBatch {
        source: id.source.clone(),
        object: object.clone(),
        dataset: request.dataset.name().into(),
        index: request.index,
        deliver: request.deliver.clone(),
    };
    let work = match rpc::call(services.ledgers(), &id.ledger, &begin).await? {
        BeginAnswer::Complete => return Ok((BatchOutcome::AlreadySealed, false)),
        BeginAnswer::Quarantined { .. } => return Ok((BatchOutcome::AlreadyQuarantined, false)),
        BeginAnswer::Superseded => return Ok((BatchOutcome::Superseded, false)),
        BeginAnswer::Work(work) => work,
    };
    if !work.registered {
        registry::register(services.ledgers(), &id.ledger).await?;
        rpc::call(services.ledgers(), &id.ledger, &MarkRegistered {}).await?;
    }
    let transform = work.plan.map(|plan| transformer(plan, &object, services.pack_bytes())).transpose()?;
    let body = HeartbeatBody { permit, now_ms: || services.now_ms(), body: WholeBody::new(body, head.size) };
    let (dataset, replaced) = (request.dataset, work.replaced.as_slice());
    let writer = BatchWriter { services, id: &id, object: &object, replaced, dataset, index: work.index };
    let context = BatchContext { source: &id.source, dataset, default_ms: object.default_ms() };
    match scan_batch(services.data_bucket(), body, context, transform).await {
        Ok(scan) => Ok((BatchOutcome::Sealed(writer.commit(scan).await?), work.more)),
        Err(ScanError::Batch(why)) => Ok((writer.quarantine(why).await?, false)),
        Err(ScanError::Backend(error)) => Err(error),
    }
}

fn transformer(
    plan: DeliveryPlan,
    object: &ObjectVersion,
    pack_bytes: usize,
) -> Result<PartnerTransformer, BackendError> {
    let rules = PlanRules::new(plan).ok_or_else(|| {
        BackendError::new("reading a plan", "it was pinned in a form that this version does not know")
    })?;
    Ok(PartnerTransformer::new(rules, object.default_ms(), pack_bytes))
}

/// Writes what the scan of one version produced.
struct BatchWriter<'a, S> {
    services: &'a S,
    id: &'a BatchId,
    object: &'a ObjectVersion,
    /// Older versions of the object that are in the index.
    replaced: &'a [ReplacedVersion],
    dataset: Dataset,
    /// Whether the batch is indexed.
    index: bool,
}

impl<S: Services> BatchWriter<'_, S> {
    /// Writes the index, seals the batch, and announces its payloads.
    async fn commit(&self, mut scan: BatchScan) -> Result<BatchFigures, BackendError> {
        let mut report = BatchFigures { totals: scan.totals, counts: scan.counts.clone(), ..BatchFigures::default() };
        if let Some(plan) = &scan.plan {
            report.payloads = plan.payloads.len();
            report.payload_lines = plan.payloads.iter().map(|payload| payload.lines).sum();
        }
        let indexed = if self.index { Some(self.write_index(&mut scan, &mut report).await?) } else { None };
        let unsent = self.seal(scan, indexed).await?;
        self.announce(&unsent).await;
        Ok(report)
    }

    /// Writes the batch's rays, windows and summaries, and drops those of older versions. Returns whether the batch is
    /// in the index: it is not where a newer version was indexed meanwhile.
    async fn write_index(&self, scan: &mut BatchScan, report: &mut BatchFigures) -> Result<bool, BackendError> {
        let entries = std::mem::take(&mut scan.entries);
        let shards: Vec<String> = entries.iter().map(|entry| entry.shard.to_string()).collect();
        report.shards = shards.len();
        report.packed = entries.iter().flat_map(|entry| &entry.parts).map(|part| part.bytes.len() as u64).sum();
        report.access_points = scan.windows.len() as u64;
        report.summaries = scan.summaries.spans.len() as u64;
        let digest = self.id.source.as_str();
        self.put_sidecar(windows_key(digest), std::mem::take(&mut scan.windows)).await?;
        self.put_sidecar(summaries_key(digest), std::mem::take(&mut scan.summaries.spans)).await?;
        let prefixes: Vec<u32> = entries.iter().filter_map(|entry| entry.shard.prefix()).collect();
        self.mark_occupied(&prefixes).await?;
        self.call_ledger(&RecordShards { source: self.id.source.clone(), shards: shards.clone() }).await?;
        let rows =
            put_entries(self.services.shards(), (self.dataset, self.object), entries, &scan.summaries.batch).await?;
        report.superseded = rows.is_none();
        report.rows_written = rows.unwrap_or_default();
        self.forget_replaced(&shards).await?;
        Ok(rows.is_some())
    }

    /// Seals the batch in its ledger. Returns the payloads whose messages are to be sent.
    async fn seal(&self, scan: BatchScan, indexed: Option<bool>) -> Result<Vec<DeliveryId>, BackendError> {
        let seal = SealBatch {
            source: self.id.source.clone(),
            counts: scan.counts,
            inflated: scan.totals.inflated,
            indexed,
            plan: scan.plan,
        };
        Ok(self.call_ledger(&seal).await?.send)
    }

    /// Writes a sidecar object of the batch (windows or summaries) unless it is empty. It comes before the index, which
    /// refers to it.
    async fn put_sidecar(&self, key: String, bytes: Vec<u8>) -> Result<(), BackendError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.services.data_bucket().put_new(&key, bytes).await.map(drop)
    }

    /// Marks the prefixes of the entries as occupied. It comes before the entries, so that no search skips one, wherever
    /// this is interrupted.
    async fn mark_occupied(&self, prefixes: &[u32]) -> Result<(), BackendError> {
        occupancy::mark_occupied(self.services.ledgers(), self.dataset, prefixes).await
    }

    /// Sends the messages of payloads. The ledger sends a message that is lost here again after a minute.
    async fn announce(&self, ids: &[DeliveryId]) {
        if !ids.is_empty() {
            let _sent = self.services.send_queue().send(ids).await;
        }
    }

    /// Records in the ledger that the object is not a valid batch.
    async fn quarantine(&self, why: BatchError) -> Result<BatchOutcome, BackendError> {
        self.forget_replaced(&[]).await?;
        let source = self.id.source.clone();
        let ask = QuarantineBatch { source, code: why.code().into(), reason: why.to_string(), replay: false };
        let answer = self.call_ledger(&ask).await?;
        Ok(if answer.quarantined { BatchOutcome::Quarantined(why) } else { BatchOutcome::AlreadySealed })
    }

    /// Removes the entries and sidecars of older versions, except from shards that this version writes to.
    async fn forget_replaced(&self, kept: &[String]) -> Result<(), BackendError> {
        for old in self.replaced {
            let names = old.shards.iter().filter(|name| !kept.contains(name));
            forget_entries(self.services.shards(), &self.object.key, old.uploaded_ms, names).await?;
            remove_sidecars(self.services, old).await?;
        }
        Ok(())
    }

    async fn call_ledger<C: rpc::Call>(&self, call: &C) -> Result<C::Answer, BackendError> {
        rpc::call(self.services.ledgers(), &self.id.ledger, call).await
    }
}

/// Removes the sidecar objects of a version that is no longer indexed, after its entries, which refer to them.
pub(super) async fn remove_sidecars(world: &impl Services, old: &ReplacedVersion) -> Result<(), BackendError> {
    let digest = old.source.as_str();
    world.data_bucket().delete(&[windows_key(digest), summaries_key(digest)]).await
}
