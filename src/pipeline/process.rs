//! Processes one batch by the ledger's protocol: begin, scan, write the index, seal, announce.
//!
//! ```text
//! get → begin → scan, write packs → windows, summaries, occupancy map, entries → seal → announce
//! ```
//!
//! It may be interrupted at any point and restarted, by several Workers at once: the plan is pinned, packs are named by
//! their content, and a seal is atomic. The seal precedes the first message, so nothing of a damaged batch is ever
//! sent.
//!
//! # Invariants
//! The object is processed in its current version, whatever an event said about it. A damaged object leaves nothing in
//! the index and nothing for the partner.

use std::collections::BTreeSet;

pub use super::batch_figures::BatchFigures;
use super::begin::begin_batch;
use super::dataset_choice::{DatasetChoice, choose_dataset_of, possible_datasets};
use super::duplicates::{DuplicateFinder, LineClaims, claim_again};
use super::edge_label::edge_label;
use super::erasures_made::erased_for_delivery;
use super::head::peek_batch;
use super::known_lines::KnownLines;
use super::plan_rules::PlanRules;
use super::read_permit::{HeartbeatBody, acquire_read_permit};
use super::scan::{BatchContext, BatchScan, ScanError, scan_batch};
use super::small_object::ObjectBody;
use super::transform::PartnerTransformer;
use crate::backend::{BackendError, Bucket, ByteStream, Queue, WholeBody};
use crate::batch::BatchError;
use crate::bucket_keys::{
    DatasetClaim, IgnoreReason, LogPrefixes, PrefixRule, sidecar_keys, summaries_key, version_digest, windows_key,
};
use crate::index::claims::PlanName;
use crate::index::{LineCounts, ObjectVersion, forget_entries, put_entries};
use crate::ledger::calls::{
    BeginAnswer, BeginBatch, QuarantineBatch, RebuildRequest, RecordShards, RemainingWork, ReplacedVersion, ReplayStep,
    RevisedBatch, SealAnswer, SealBatch, SealedPlan,
};
use crate::ledger::completeness::times_beyond_ledger;
use crate::ledger::layout_doubts::{NoteSkew, note_skew};
use crate::ledger::occupancy::mark_occupied;
use crate::ledger::plan::DeliveryRequest;
use crate::ledger::{BatchId, DeliveryGroup, DeliveryPlan, registry};
use crate::limits::PLANS_AT_ONCE;
use crate::memory::ReadPermit;
use crate::record::{Dataset, KeyNames};
use crate::rpc;
use crate::services::Services;
use crate::summary::{PruningSummary, TimeBounds};

/// The work requested for a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRequest {
    /// The dataset claim of the object's key.
    pub claim: DatasetClaim,
    /// The setting for its prefix, if any.
    pub rule: Option<PrefixRule>,
    /// Whether to index the batch.
    pub index: bool,
    /// The delivery requested if the batch is of a dataset that it delivers; `None` for nothing.
    pub deliver: Option<DeliveryRequest>,
    /// How to index the batch although its ledger may say that it is indexed; `None` to do what is left.
    pub rebuild: Option<RebuildRequest>,
}

impl BatchRequest {
    /// Creates a request to index the object at `key`, whose key makes this dataset claim.
    #[must_use]
    pub fn new(key: &str, claim: DatasetClaim, prefixes: &LogPrefixes) -> Self {
        Self { claim, rule: prefixes.rule(key).cloned(), index: true, deliver: None, rebuild: None }
    }

    /// Returns the names of the members with ray and time in records of the dataset.
    pub(super) fn key_names(&self, dataset: Dataset) -> KeyNames {
        self.rule.as_ref().map_or_else(|| KeyNames::of(dataset), |rule| rule.key_names(dataset))
    }
}

/// The outcome of processing an object.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::large_enum_variant, reason = "there is one at a time, and it is mostly figures")
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchOutcome {
    /// Every line of it is accounted for.
    Sealed(BatchFigures),
    /// All requested work had been done before.
    AlreadySealed,
    /// A newer version of the object is known: this one is skipped.
    Superseded,
    /// It is not a valid batch; the ledger holds the reason.
    Quarantined(BatchError),
    /// The object had been quarantined before.
    AlreadyQuarantined,
    /// The object is not read, for this reason, and no ledger knows it.
    Ignored(IgnoreReason),
    /// The bucket no longer has the object.
    Gone,
}

/// Does the requested work on the object at `key` of the log bucket.
///
/// # Errors
/// [`BackendError`] if a backend failed; processing the object again continues the work.
pub async fn process_batch(
    services: &impl Services,
    key: &str,
    request: &BatchRequest,
) -> Result<BatchOutcome, BackendError> {
    let permit = acquire_read_permit(services).await?;
    // A plan that an earlier attempt left open comes first, then the rest of the request.
    let mut sealed = None;
    for _ in 0..PLANS_AT_ONCE {
        let (outcome, has_more) = process_version(services, &permit, key, request).await?;
        // It is known only now that no other plan follows.
        let outcome = match (outcome, sealed) {
            (BatchOutcome::AlreadySealed, Some(figures)) => BatchOutcome::Sealed(figures),
            (outcome, _) => outcome,
        };
        if !has_more {
            return Ok(outcome);
        }
        sealed = if let BatchOutcome::Sealed(figures) = outcome { Some(figures) } else { None };
    }
    Err(BackendError::new("processing an object", "it has more plans than are made at once"))
}

/// Processes the object's current version for one plan. Returns whether another plan is left.
async fn process_version(
    services: &impl Services,
    permit: &ReadPermit,
    key: &str,
    request: &BatchRequest,
) -> Result<(BatchOutcome, bool), BackendError> {
    let Some((head, body)) = services.bucket().get(key).await? else { return Ok((BatchOutcome::Gone, false)) };
    let body = ObjectBody::unless_test(body, head.size).await?;
    let Some(body) = body else { return Ok((BatchOutcome::Ignored(IgnoreReason::LogpushCheck), false)) };
    let (beginning, body) = peek_batch(body).await?;
    let choice = choose_dataset_of(&head, request.claim, &beginning.records);
    let (dataset, contradiction) = match choice {
        DatasetChoice::Unknown => return Ok((BatchOutcome::Ignored(IgnoreReason::UnknownDataset), false)),
        DatasetChoice::Read(dataset) => (dataset, None),
        DatasetChoice::Contradiction { named, found } => {
            // Of an object around records, the names say little of the dataset.
            let other = BatchError::OtherDataset { named, found };
            (named, Some(beginning.form.map_or(other, BatchError::Form)))
        }
    };
    let object = ObjectVersion::new(key, &head);
    let id = services.batch_id(key, object.batch_etag()).await?;
    let names = request.key_names(dataset);
    let times = beginning.times(&names);
    let begin = BeginBatch {
        source: id.source.clone(),
        object: object.clone(),
        dataset: dataset.name().into(),
        possible_datasets: possible_datasets(request.claim, choice, &beginning.records),
        times,
        index: request.index,
        deliver: request.deliver.clone().filter(|deliver| deliver.options.delivers(dataset)),
        rebuild: request.rebuild,
    };
    let work = match begin_batch(services, &id, begin).await? {
        BeginAnswer::Complete => return Ok((BatchOutcome::AlreadySealed, false)),
        BeginAnswer::Quarantined { .. } => return Ok((BatchOutcome::AlreadyQuarantined, false)),
        BeginAnswer::Superseded => return Ok((BatchOutcome::Superseded, false)),
        BeginAnswer::Work(work) => work,
    };
    let RemainingWork { index, plan, replaced, revises, before_start, more, replay, claims, .. } = work;
    let (plan, rebuilds) = (plan.as_ref(), request.rebuild.is_some());
    let (id, object) = (&id, &object);
    let writer =
        BatchWriter { services, permit, id, object, replaced, revises, names, index, replay, rebuilds, claims };
    if let Some(why) = contradiction {
        return Ok((writer.quarantine(why).await?, false));
    }
    match writer.scan(body, plan, None).await {
        Ok(scan) => {
            let figures = writer.commit(scan, plan).await?;
            Ok((BatchOutcome::Sealed(BatchFigures { before_start, ..figures }), more))
        }
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

/// What the index has of a batch.
struct IndexedBatch {
    /// Whether it has this version: not if a newer one was indexed in the meantime.
    is_current: bool,
    /// The shards that it was written to.
    shards: Vec<String>,
}

/// Scans one version and writes the results.
struct BatchWriter<'a, S> {
    services: &'a S,
    permit: &'a ReadPermit,
    id: &'a BatchId,
    object: &'a ObjectVersion,
    /// Older versions of the object in the index.
    replaced: Vec<ReplacedVersion>,
    /// Whether one of them is this batch before it was rewritten.
    revises: bool,
    /// The dataset that the batch is read as, with the names of its ray and time members.
    names: KeyNames,
    /// Whether to index the batch.
    index: bool,
    /// The current step of a replay, if any: existing index entries are rewritten.
    replay: Option<ReplayStep>,
    /// Whether the batch is indexed whatever was known of it: existing index entries are rewritten.
    rebuilds: bool,
    /// The sealed plans whose claims are made again.
    claims: Vec<u32>,
}

impl<S: Services> BatchWriter<'_, S> {
    /// Scans the batch; `known` are its lines that are in other payloads.
    async fn scan(
        &self,
        body: impl ByteStream,
        plan: Option<&DeliveryPlan>,
        known: Option<KnownLines>,
    ) -> Result<BatchScan, ScanError> {
        let Self { services, permit, object, names, .. } = self;
        let transform = match plan {
            Some(plan) => {
                let erased = erased_for_delivery(*services).await?;
                let transform = transformer(plan.clone(), object, services.pack_bytes())?;
                Some(transform.without_erased(names.dataset(), erased))
            }
            None => None,
        };
        let transform = transform.map(|transform| match known {
            Some(known) => transform.with_known_lines(known),
            None => transform,
        });
        let body = HeartbeatBody { permit, now_ms: || services.now_ms(), body: WholeBody::new(body, object.size) };
        let context = BatchContext {
            source: &self.id.source,
            names: names.clone(),
            default_ms: object.default_ms(),
            is_judged: object.origin.is_some(),
        };
        scan_batch(services.data_bucket(), body, context, transform).await
    }

    /// Writes the index, seals the batch, and announces its payloads.
    async fn commit(&self, mut scan: BatchScan, plan: Option<&DeliveryPlan>) -> Result<BatchFigures, BackendError> {
        // Copies the packed rays, which the index consumes; needed only for delivery.
        let is_claimed = plan.is_some() || !self.claims.is_empty();
        let claims = is_claimed.then(|| LineClaims::new(&scan.entries, &scan.digests));
        let mut report = BatchFigures { totals: scan.totals, counts: scan.counts.clone(), ..BatchFigures::default() };
        let indexed = if self.index { Some(self.write_index(&mut scan, &mut report).await?) } else { None };
        if let Some(claims) = claims.as_ref() {
            claim_again(self.services, &self.claims, self.object, claims).await?;
        }
        let superfluous = match plan.zip(claims) {
            Some((plan, claims)) => self.leave_out_duplicates(&mut scan, plan, &claims).await?,
            None => Vec::new(),
        };
        if let Some(plan) = &scan.plan {
            report.payloads = plan.payloads.len();
            report.payload_lines = plan.payloads.iter().map(|payload| payload.lines).sum();
            report.duplicates = plan.duplicates.lines;
        }
        report.is_layout_doubtful = self.note_skew(&scan.counts).await?;
        let answer = self.seal(scan, indexed).await?;
        if !answer.already && !superfluous.is_empty() {
            self.services.data_bucket().delete(&superfluous).await?;
        }
        if !self.rebuilds {
            self.announce(&answer.send).await;
        }
        Ok(report)
    }

    /// Scans the batch again if some of its lines are in other payloads, and excludes them from the plan. Returns the
    /// keys of packs that are no longer needed.
    async fn leave_out_duplicates(
        &self,
        scan: &mut BatchScan,
        plan: &DeliveryPlan,
        claims: &LineClaims,
    ) -> Result<Vec<String>, BackendError> {
        let Some(before) = scan.plan.as_ref().filter(|sealed| !sealed.payloads.is_empty()) else {
            return Ok(Vec::new());
        };
        let ObjectVersion { key, etag, .. } = self.object;
        let name = PlanName { key: key.clone(), etag: self.object.batch_etag().to_owned(), plan: plan.number };
        let (services, permit, batch) = (self.services, self.permit, self.id.handle());
        let (written_ms, repetition) = (self.object.written_ms(), plan.repetition());
        let finder = DuplicateFinder { services, permit, batch, plan: name, written_ms, repetition };
        let Some(known) = finder.find(claims).await? else { return Ok(Vec::new()) };
        let found = self.services.bucket().get(key).await?.filter(|(head, _)| head.etag == *etag);
        let changed = || BackendError::new("scanning a batch again", "its object has changed");
        let (_, body) = found.ok_or_else(changed)?;
        let again = self.scan(body, Some(plan), Some(known)).await.map_err(|error| match error {
            ScanError::Backend(error) => error,
            ScanError::Batch(why) => BackendError::new("scanning a batch again", why.to_string()),
        })?;
        let kept = again.plan.as_ref().map(|sealed| self.pack_keys(sealed)).unwrap_or_default();
        let superfluous = self.pack_keys(before).into_iter().filter(|key| !kept.contains(key)).collect();
        scan.plan = again.plan;
        Ok(superfluous)
    }

    /// Returns the keys of a plan's packs.
    fn pack_keys(&self, plan: &SealedPlan) -> BTreeSet<String> {
        let packs = plan.payloads.iter().filter_map(|payload| payload.pack.as_ref());
        packs.map(|pack| pack.key(&self.id.source, plan.number)).collect()
    }

    /// Writes the batch's rays, windows and summaries, and drops those of older versions.
    async fn write_index(&self, scan: &mut BatchScan, report: &mut BatchFigures) -> Result<IndexedBatch, BackendError> {
        let entries = std::mem::take(&mut scan.entries);
        let shards: Vec<String> = entries.iter().map(|entry| entry.shard.to_string()).collect();
        report.shards = shards.len();
        report.index_bytes = entries.iter().flat_map(|entry| &entry.parts).map(|part| part.bytes.len() as u64).sum();
        report.link_bytes = entries.iter().flat_map(|entry| &entry.links).map(|part| part.bytes.len() as u64).sum();
        report.window_bytes = scan.windows.len() as u64;
        report.summary_bytes = scan.summaries.spans.len() as u64;
        let digest = &version_digest(self.services.bucket_name(), &self.object.key, &self.object.etag);
        self.put_sidecar(windows_key(digest), std::mem::take(&mut scan.windows)).await?;
        self.put_sidecar(summaries_key(digest), std::mem::take(&mut scan.summaries.spans)).await?;
        let prefixes: Vec<u32> = entries.iter().filter_map(|entry| entry.shard.prefix()).collect();
        self.mark_occupied(&prefixes).await?;
        let record = RecordShards { source: self.id.source.clone(), shards: shards.clone(), adds: self.revises };
        self.call_ledger(&record).await?;
        let rewrites = self.replay.is_some() || self.rebuilds;
        let rows = put_entries(
            self.services.shards(),
            (self.names.dataset(), self.object),
            entries,
            &scan.summaries.batch,
            rewrites,
        )
        .await?;
        report.superseded = rows.is_none();
        report.rows_written = rows.unwrap_or_default();
        self.forget_replaced(&shards).await?;
        Ok(IndexedBatch { is_current: rows.is_some(), shards })
    }

    /// Notes in the registry that most rays have other times than their records, before the batch counts as read. Returns whether
    /// it is the first such batch of its dataset and hour.
    async fn note_skew(&self, counts: &LineCounts) -> Result<bool, BackendError> {
        let Some(skew) = counts.skew.filter(|_| self.index && counts.is_skewed()) else { return Ok(false) };
        let BatchId { ledger, source } = self.id.clone();
        let note =
            NoteSkew { dataset: self.names.dataset(), ledger, source, uploaded_ms: self.object.uploaded_ms, skew };
        note_skew(self.services.ledgers(), &note).await
    }

    /// Seals the batch in its ledger. The answer lists the payloads whose messages must be sent.
    async fn seal(&self, scan: BatchScan, indexed: Option<IndexedBatch>) -> Result<SealAnswer, BackendError> {
        let times = record_times(&scan);
        if let Some(beyond) = times_beyond_ledger(self.object, times) {
            registry::register(self.services.ledgers(), &self.id.ledger, Some(beyond)).await?;
        }
        let revised = indexed.as_ref().filter(|_| self.revises);
        let revised =
            revised.map(|indexed| RevisedBatch { object: self.object.clone(), shards: indexed.shards.clone() });
        let seal = SealBatch {
            source: self.id.source.clone(),
            counts: scan.counts,
            rejected: scan.rejected,
            inflated: scan.totals.inflated,
            times,
            indexed: indexed.as_ref().map(|indexed| indexed.is_current),
            plan: scan.plan.map(|plan| SealedPlan { together: self.services.group_payloads(), ..plan }),
            edge: edge_label(self.services.bucket(), self.names.dataset(), self.object).await?,
            replay: self.replay,
            revision: self.object.age().revision,
            revised,
        };
        self.call_ledger(&seal).await
    }

    /// Writes a sidecar object of the batch (windows or summaries) unless it is empty. This precedes the index, which
    /// refers to it. Its content is the same in every reading, except for the results of a replay.
    async fn put_sidecar(&self, key: String, bytes: Vec<u8>) -> Result<(), BackendError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.replay.is_some() || self.rebuilds {
            return self.services.data_bucket().put(&key, bytes).await.map(drop);
        }
        self.services.data_bucket().put_new(&key, bytes).await.map(drop)
    }

    /// Marks the prefixes of the entries as occupied. This precedes the entries, so that no search skips one, wherever
    /// processing is interrupted.
    async fn mark_occupied(&self, prefixes: &[u32]) -> Result<(), BackendError> {
        let Self { services, names, .. } = self;
        if self.rebuilds {
            // The registry may lack what the isolate remembers.
            return mark_occupied(services.ledgers(), names.dataset(), prefixes).await;
        }
        services.isolate().marks.mark(services.ledgers(), names.dataset(), prefixes).await
    }

    /// Sends the messages of payloads. If a message is lost here, the ledger sends it again after a minute.
    async fn announce(&self, groups: &[DeliveryGroup]) {
        if !groups.is_empty() {
            let _sent = self.services.send_queue().send(groups).await;
        }
    }

    /// Records in the ledger that the object is not a valid batch.
    async fn quarantine(&self, why: BatchError) -> Result<BatchOutcome, BackendError> {
        self.forget_replaced(&[]).await?;
        let source = self.id.source.clone();
        let call = QuarantineBatch { source, code: why.code().into(), reason: why.to_string() };
        let answer = self.call_ledger(&call).await?;
        Ok(if answer.quarantined { BatchOutcome::Quarantined(why) } else { BatchOutcome::AlreadySealed })
    }

    /// Removes the entries and sidecars of older versions, except from shards that this version writes to.
    async fn forget_replaced(&self, kept: &[String]) -> Result<(), BackendError> {
        for old in &self.replaced {
            let names = old.shards.iter().filter(|name| !kept.contains(name));
            forget_entries(self.services.shards(), &self.object.key, old.age, names).await?;
            remove_sidecars(self.services, &self.object.key, &old.etag).await?;
        }
        Ok(())
    }

    async fn call_ledger<C: rpc::Call>(&self, call: &C) -> Result<C::Answer, BackendError> {
        rpc::call(self.services.ledgers(), &self.id.ledger, call).await
    }
}

/// Returns the times of the earliest and latest record of the batch, in Unix milliseconds.
fn record_times(scan: &BatchScan) -> Option<(i64, i64)> {
    let TimeBounds { first_ns, last_ns } = PruningSummary::from_bytes(&scan.summaries.batch)?.times;
    let ms = |ns: i64| ns.div_euclid(1_000_000);
    (first_ns <= last_ns).then(|| (ms(first_ns), ms(last_ns)))
}

/// Removes the sidecar objects of a version that is no longer indexed, after the entries that refer to them.
pub(super) async fn remove_sidecars(services: &impl Services, key: &str, etag: &str) -> Result<(), BackendError> {
    let digest = version_digest(services.bucket_name(), key, etag);
    services.data_bucket().delete(&sidecar_keys(&digest)).await
}
