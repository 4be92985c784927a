//! The ledger's calls ([`crate::rpc`]): names, bodies and answers, all in JSON. `tests/fixtures/v0.1/calls/ledger.txt`
//! has an example of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::attempts::{ClaimAnswer, ClaimPayload, ClaimPayloads, CommitAnswer, CommitAttempt, CommitAttempts};
pub use super::decisions::{DecideDelivery, DecisionAnswer, DeliveryDecision};
pub use super::health::{GetTotals, LedgerReport};

use super::books::{BatchSummary, ChangedLines, LedgerTotals, PayloadView};
use super::delivery::Payload;
use super::duplicates::PlanDuplicates;
use super::erased_lines::ErasedBody;
pub use super::ids::{DeliveryGroup, DeliveryId, PackId};
use super::plan::{DeliveryPlan, DeliveryRequest, DeliveryWindow};
use super::source_id::SourceId;
use super::state::BatchState;
use crate::edge::BatchLabel;
use crate::index::{LineCounts, ObjectVersion, RejectedLine, RejectedLines, VersionAge};
use crate::partner::EdgeRecords;
use crate::record::Dataset;
use crate::rpc::calls;

calls! {
    "v1/begin": BeginBatch => BeginAnswer,
    "v1/record-shards": RecordShards => CallAck,
    "v1/check-plan": CheckPlan => PlanStanding,
    "v1/seal": SealBatch => SealAnswer,
    "v1/quarantine": QuarantineBatch => QuarantineAnswer,
    "v1/replay": ReplayBatch => ReplayAnswer,
    "v1/forget-object": ForgetDeletedObject => DeletedObjectVersions,
    "v1/find-unfinished": FindUnfinished => UnfinishedSources,
    "v1/mark-registered": MarkRegistered => MarkedRegistered,
    "v1/split": SplitPayload => SplitAnswer,
    "v1/list-expired-packs": ListExpiredPacks => ExpiredPacks,
    "v1/mark-removed": MarkRemoved => CallAck,
    "v1/rearm-alarm": RearmAlarm => CallAck,
    "v1/totals": GetTotals => LedgerReport,
    "v1/batches": ListBatches => BatchList,
    "v1/batch": GetBatch => BatchDetails,
}

/// The empty answer of calls that only record something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallAck {}

/// A request for the work that remains on an object version before it is read; it also pins the version's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginBatch {
    /// The identity of the object version.
    pub source: SourceId,
    /// The version of the object in the bucket.
    pub object: ObjectVersion,
    /// The dataset that its lines are read as.
    pub dataset: String,
    /// The datasets that its records may belong to; empty if they do not say.
    pub possible_datasets: Vec<Dataset>,
    /// The times of the earliest and latest of its first records, in Unix milliseconds; `None` if they do not say.
    pub times: Option<(i64, i64)>,
    /// Whether to index its rays.
    pub index: bool,
    /// What to deliver to the partner; `None` for nothing.
    pub deliver: Option<DeliveryRequest>,
    /// How the index is rebuilt, whatever the ledger says of it; `None` for work that is done once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rebuild: Option<RebuildRequest>,
}

/// How the index of a source is rebuilt. Nothing is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildRequest {
    /// Unix milliseconds; an object that was written before, and that the ledger does not know, is held back from delivery for
    /// ever. `None` where live traffic delivers such objects anyway, or nothing is delivered.
    pub written_from_ms: Option<i64>,
}

/// The work that remains on a source.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::large_enum_variant, reason = "there is one at a time, and it is mostly work")
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BeginAnswer {
    /// Some work remains.
    Work(RemainingWork),
    /// All requested work is done.
    Complete,
    /// The version is quarantined: nothing is to be done.
    Quarantined {
        /// The code of the reason, such as `not_ndjson`.
        code: String,
    },
    /// The ledger knows a newer version of the object: nothing is to be done.
    Superseded,
}

/// The work that remains on a source.
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemainingWork {
    /// Whether to index its rays.
    pub index: bool,
    /// The plan by which its lines become payloads; `None` if nothing is to be delivered.
    pub plan: Option<DeliveryPlan>,
    /// Older versions of the object whose rays are in the index.
    pub replaced: Vec<ReplacedVersion>,
    /// Whether the index has the batch as it was before it was rewritten, or written again.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub revises: bool,
    /// Whether the object is only indexed, since it lay in the bucket before the first start.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub before_start: bool,
    /// Whether the registry knows this ledger.
    pub registered: bool,
    /// Whether another plan may follow this one: repeat the call after the seal.
    pub more: bool,
    /// The replay step that this work belongs to, if any: existing index entries are rewritten.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<ReplayStep>,
    /// The sealed plans whose claims of lines a rebuild makes again.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub claims: Vec<u32>,
}

/// A step of the replay of a sealed source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayStep {
    /// The number of the replay, counted by the ledger.
    pub number: u32,
    /// Whether this is the last step of the replay.
    pub is_last: bool,
}

/// An object version whose traces must be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedVersion {
    /// Its entity tag, which names its windows and summaries.
    pub etag: String,
    /// Its age.
    pub age: VersionAge,
    /// The names of the shards that hold its rays.
    pub shards: Vec<String>,
}

/// A request to record the shards that are about to receive rays of a source, so that a later version can drop them
/// there even if this one is never sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordShards {
    /// The source, one version of one object.
    pub source: SourceId,
    /// The names of all shards that receive an entry.
    pub shards: Vec<String>,
    /// Whether those that were recorded before still have one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub adds: bool,
}

/// A request to check whether a plan is sealed, for a batch that shares lines with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPlan {
    /// The source of the plan.
    pub source: SourceId,
    /// The number of the plan.
    pub plan: u32,
    /// Whether to abandon the plan if it is still open, since its object was deleted: it can never be sealed after
    /// that.
    pub abandon: bool,
    /// The number of the backfill that the asking plan is a repetition for, if it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repetition: Option<i64>,
}

/// The standing of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStanding {
    /// Sealed: its payloads are final.
    Sealed,
    /// Its batch is being processed, or still has to be.
    Open,
    /// It delivers nothing that the asking plan leaves out: it does not exist, it was abandoned, it is a repetition and the
    /// asker is not, or it is of another backfill than a repetition that asks.
    Void,
}

/// A request to seal a source: every line of it is accounted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealBatch {
    /// The source, one version of one object.
    pub source: SourceId,
    /// Number of its lines, by kind.
    pub counts: LineCounts,
    /// The positions of its rejected lines.
    #[serde(skip_serializing_if = "RejectedLines::is_empty", default)]
    pub rejected: RejectedLines,
    /// Size of its inflated text in bytes.
    pub inflated: u64,
    /// The times of its earliest and latest record, in Unix milliseconds; `None` without records.
    pub times: Option<(i64, i64)>,
    /// Whether the index now has its rays; `None` if indexing was not requested.
    pub indexed: Option<bool>,
    /// The outcome of its plan, if it had one.
    pub plan: Option<SealedPlan>,
    /// What the isolate counted that wrote the batch, if it is one of the edge logger.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub edge: Option<BatchLabel>,
    /// The replay step that this seal ends, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<ReplayStep>,
    /// Number of times that the batch had been rewritten when it was read.
    #[serde(skip_serializing_if = "crate::rpc::is_default", default)]
    pub revision: u32,
    /// What the index has of the batch now, if it had another version of it before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revised: Option<RevisedBatch>,
}

/// A version of a batch that took the place of another one in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisedBatch {
    /// The object.
    pub object: ObjectVersion,
    /// The names of all shards that have an entry of it.
    pub shards: Vec<String>,
}

/// The outcome of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPlan {
    /// The number of the plan in the source.
    pub number: u32,
    /// Number of records whose time is in its windows.
    pub in_window: u64,
    /// Number of records in its windows that are not delivered, by reason.
    pub filtered: BTreeMap<String, u64>,
    /// Number of lines that differ from their records.
    pub changed: ChangedLines,
    /// Its payloads, in index order.
    pub payloads: Vec<Payload>,
    /// Maximum number of them that are sent together.
    #[serde(skip_serializing_if = "is_alone", default = "alone")]
    pub together: usize,
    /// Its lines that are already in another payload.
    pub duplicates: PlanDuplicates,
}

/// Number of payloads that are sent together where a seal does not say it.
const fn alone() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_alone(together: &usize) -> bool {
    *together == 1
}

/// A ledger's answer to [`SealBatch`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealAnswer {
    /// Whether the source, or its plan, was already sealed.
    pub already: bool,
    /// Payloads whose messages must be sent now.
    pub send: Vec<DeliveryGroup>,
}

/// A request to quarantine a source whose object is not a valid batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineBatch {
    /// The source, one version of one object.
    pub source: SourceId,
    /// The code of the reason, such as `not_ndjson`.
    pub code: String,
    /// The reason as text for a person.
    pub reason: String,
}

/// A ledger's answer to [`QuarantineBatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineAnswer {
    /// Whether the source is now quarantined; a sealed source stays sealed.
    pub quarantined: bool,
}

/// A request to read a source again: a quarantined one from the start, a sealed one for its rejected lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayBatch {
    /// The source, one version of one object.
    pub source: SourceId,
    /// The reason that the person gave.
    pub reason: String,
}

/// A ledger's answer to [`ReplayBatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayAnswer {
    /// The current state of the source; `None` if the ledger does not know it.
    pub state: Option<BatchState>,
    /// Whether the next [`BeginBatch`] finds work to do; `false` if every line of a sealed source is a record.
    pub due: bool,
}

/// A request to list the versions of a deleted object, or to record that their entries were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetDeletedObject {
    /// The key of the object in the bucket.
    pub key: String,
    /// Whether the index entries of all versions were dropped.
    pub forgotten: bool,
}

/// A ledger's answer to [`ForgetDeletedObject`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedObjectVersions {
    /// The versions that had rays in the index before this call.
    pub versions: Vec<ReplacedVersion>,
}

/// A request for those of these sources that are unfinished: neither sealed nor quarantined, or with lines left to
/// deliver or to reread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindUnfinished {
    /// The sources; all must be of batches of this ledger.
    pub sources: Vec<SourceId>,
    /// The entity tags of those that were rewritten: the index must have these versions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub rewritten: BTreeMap<SourceId, String>,
    /// The times that must be covered by a plan; `None` if nothing is delivered.
    pub deliver: Option<DeliveryWindow>,
    /// Whether batches of the edge logger need a plan, too.
    #[serde(skip_serializing_if = "EdgeRecords::is_default", default)]
    pub edge_records: EdgeRecords,
    /// Unix milliseconds; an object written before needs no plan. `None` if each needs one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub written_from_ms: Option<i64>,
}

/// A ledger's answer to [`FindUnfinished`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedSources {
    /// The unfinished sources, including unknown ones.
    pub sources: Vec<SourceId>,
}

/// A request to record that the registry knows this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRegistered {
    /// Unix milliseconds since which the registry knows it; `None` from a version that did not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since_ms: Option<i64>,
}

/// A ledger's answer to [`MarkRegistered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedRegistered {
    /// Whether the registry knew a ledger of this name before this one began: begin the batch again.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub lost: bool,
}

/// A request to replace a payload that is too large for the partner with two smaller ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitPayload {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// The token of the claim.
    pub token: u32,
    /// The two smaller payloads, with indexes as [`DeliveryId::split_indexes`] gives them.
    pub split_into: Vec<Payload>,
}

/// A ledger's answer to [`SplitPayload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitAnswer {
    /// The smaller payloads whose messages must be sent now.
    pub send: Vec<DeliveryId>,
}

/// A request for packs that can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListExpiredPacks {
    /// Unix milliseconds before which every payload of a listed pack became terminal.
    pub before_ms: i64,
}

/// A ledger's answer to [`ListExpiredPacks`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredPacks {
    /// The packs to remove, at most [`crate::limits::SWEEP_BODIES`].
    pub packs: Vec<PackId>,
}

/// A request to record that packs were removed from the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRemoved {
    /// The packs that the bucket no longer has.
    pub packs: Vec<PackId>,
}

/// A request to set the ledger's alarm again, in case the platform lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RearmAlarm {}

/// A request for batches, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBatches {
    /// The state of the batches to return; `None` for all.
    pub state: Option<BatchState>,
    /// The datasets that the batches to return are read as; `None` for all.
    #[serde(default)]
    pub datasets: Option<Vec<Dataset>>,
    /// Maximum number of batches in the answer.
    pub limit: u64,
    /// The last batch of the page before: when it was first seen, and its source.
    pub after: Option<(i64, SourceId)>,
}

/// A ledger's answer to [`ListBatches`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchList {
    /// The batches, most recently first seen first.
    pub batches: Vec<BatchSummary>,
}

/// A request for one batch with its plans and payloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBatch {
    /// The source, one version of one object.
    pub source: SourceId,
    /// Which of its payloads the answer has: there may be [`crate::limits::MAX_PAYLOADS`].
    pub payloads: PayloadSelection,
}

/// The payloads of a batch that an answer has, by plan and index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadSelection {
    /// All of them.
    All,
    /// Those that cover one of these offsets.
    At(Vec<u64>),
    /// The next ones.
    Page {
        /// The plan and the index of the last one before.
        after: Option<(u32, String)>,
        /// Maximum number of payloads; 0 for none.
        limit: u64,
    },
}

/// A ledger's answer to [`GetBatch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchDetails {
    /// The batch; `None` if the ledger does not know it.
    pub batch: Option<BatchSummary>,
    /// The names of the shards that hold its rays.
    pub shards: Vec<String>,
    /// The accounts of this batch alone.
    pub totals: LedgerTotals,
    /// Its rejected lines, at most [`crate::limits::REJECTED_LISTED`].
    pub rejected: Vec<RejectedLine>,
    /// Its plans in the order of their numbers.
    pub plans: Vec<DeliveryPlan>,
    /// The duplicates in each plan that has some.
    pub duplicates: Vec<PlanDuplicates>,
    /// Its payloads, by plan and index.
    pub payloads: Vec<PayloadView>,
    /// The erased lines of its payloads whose body is erased.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub erased: Vec<ErasedBody>,
}
