//! The calls to a ledger ([`crate::rpc`]): their names, bodies and answers, all JSON.
//! `tests/fixtures/v0.1/calls/ledger.txt` has each of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::books::{BatchSummary, LedgerTotals, PayloadView};
use super::delivery::{AttemptOutcome, DeliveryState, Payload, WaitReason};
use super::duplicates::PlanDuplicates;
use super::health::DeliveryHealth;
use super::ids::{DeliveryId, PackId};
use super::plan::{DeliveryPlan, DeliveryRequest, DeliveryWindow};
use super::source_id::SourceId;
use super::state::BatchState;
use crate::index::{LineCounts, ObjectVersion, RejectedLine, RejectedLines};
use crate::partner::OnUnknown;
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
    "v1/mark-registered": MarkRegistered => CallAck,
    "v1/claim": ClaimPayload => ClaimAnswer,
    "v1/commit": CommitAttempt => CommitAnswer,
    "v1/split": SplitPayload => SplitAnswer,
    "v1/decide": DecideDelivery => DecisionAnswer,
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

/// Asks what remains to be done with an object version before it is read, and pins its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginBatch {
    /// The identity of the object version.
    pub source: SourceId,
    /// The version of the object in the bucket.
    pub object: ObjectVersion,
    /// The dataset that it is read as.
    pub dataset: String,
    /// The datasets that its records may be of; empty where they do not say.
    pub possible_datasets: Vec<Dataset>,
    /// Whether its rays go into the index.
    pub index: bool,
    /// What to deliver to the partner; `None` for nothing.
    pub deliver: Option<DeliveryRequest>,
}

/// What remains to be done with a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BeginAnswer {
    /// There is work to do.
    Work(RemainingWork),
    /// Nothing: everything that was requested is done.
    Complete,
    /// Nothing: this version is quarantined.
    Quarantined {
        /// The code of the reason, such as `not_ndjson`.
        code: String,
    },
    /// Nothing: the ledger knows a newer version of the object.
    Superseded,
}

/// The work that remains on a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemainingWork {
    /// Whether its rays go into the index.
    pub index: bool,
    /// The plan by which its lines become payloads; `None` where nothing is to be delivered.
    pub plan: Option<DeliveryPlan>,
    /// Older versions of the object whose rays are in the index.
    pub replaced: Vec<ReplacedVersion>,
    /// Whether the registry knows this ledger.
    pub registered: bool,
    /// Whether another plan follows: this one was left unfinished. Send the call again after the seal.
    pub more: bool,
    /// The replay that this work is a step of, if any: entries that the index has are written anew.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<ReplayStep>,
}

/// A step of the replay of a sealed source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayStep {
    /// The number of the replay, as the ledger counts them.
    pub number: u32,
    /// Whether the replay ends with it.
    pub is_last: bool,
}

/// A version of an object whose traces must be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedVersion {
    /// The source, by which its windows and summaries are named.
    pub source: SourceId,
    /// When it was written, in Unix milliseconds.
    pub uploaded_ms: i64,
    /// The names of the shards that hold its rays.
    pub shards: Vec<String>,
}

/// Records the shards that the rays of a source are about to be written to, so that a later version can drop them there
/// even if this one is never sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordShards {
    /// The source, one version of one object.
    pub source: SourceId,
    /// The names of all shards that get an entry.
    pub shards: Vec<String>,
}

/// Asks whether a plan is sealed, for a batch that has lines in common with the plan's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPlan {
    /// The source of the plan.
    pub source: SourceId,
    /// The number of the plan.
    pub plan: u32,
    /// Whether to abandon the plan if it is still open, since its object is gone: it can never be sealed after that.
    pub abandon: bool,
}

/// How far a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStanding {
    /// Its payloads are fixed.
    Sealed,
    /// Its batch is being processed, or will be.
    Open,
    /// It delivers nothing: there is no such plan, or it was abandoned.
    Void,
}

/// Seals a source: every line of it is accounted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealBatch {
    /// The source, one version of one object.
    pub source: SourceId,
    /// Its lines, by what they are.
    pub counts: LineCounts,
    /// Where its rejected lines are.
    #[serde(skip_serializing_if = "RejectedLines::is_empty", default)]
    pub rejected: RejectedLines,
    /// Size of its text in bytes.
    pub inflated: u64,
    /// When its first and its last record were, in Unix milliseconds; `None` without records.
    pub times: Option<(i64, i64)>,
    /// Whether its rays are in the index now; `None` where indexing was not requested.
    pub indexed: Option<bool>,
    /// The outcome of the plan, if there was one.
    pub plan: Option<SealedPlan>,
    /// The step of a replay that this seal ends, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<ReplayStep>,
}

/// The outcome of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPlan {
    /// The number of the plan in the source.
    pub number: u32,
    /// Records whose time is in its windows.
    pub in_window: u64,
    /// Records in its windows that are not delivered, by reason.
    pub filtered: BTreeMap<String, u64>,
    /// Lines in which a control character was replaced by a space.
    pub sanitised: u64,
    /// Its payloads in the order of their indexes.
    pub payloads: Vec<Payload>,
    /// Its lines that are in another payload already.
    pub duplicates: PlanDuplicates,
}

/// What a ledger answers to [`SealBatch`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealAnswer {
    /// Whether the source, or its plan, was sealed already.
    pub already: bool,
    /// Payloads whose messages must be sent now.
    pub send: Vec<DeliveryId>,
}

/// Quarantines a source whose object is not a valid batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineBatch {
    /// The source, one version of one object.
    pub source: SourceId,
    /// The code of the reason, such as `not_ndjson`.
    pub code: String,
    /// The reason for a person.
    pub reason: String,
}

/// What a ledger answers to [`QuarantineBatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineAnswer {
    /// Whether it is quarantined now; a sealed source stays sealed.
    pub quarantined: bool,
}

/// Has a source read again: a quarantined one from the beginning, a sealed one for its rejected lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayBatch {
    /// The source, one version of one object.
    pub source: SourceId,
    /// The reason that the person gave.
    pub reason: String,
}

/// What a ledger answers to [`ReplayBatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayAnswer {
    /// The state of the source now; `None` where the ledger does not know it.
    pub state: Option<BatchState>,
    /// Whether the next [`BeginBatch`] finds work to do: not where every line of a sealed source is a record.
    pub due: bool,
}

/// Lists the versions of an object that was deleted, then records that their entries were dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetDeletedObject {
    /// The key of the object in the bucket.
    pub key: String,
    /// Whether the index entries of all versions were dropped.
    pub forgotten: bool,
}

/// What a ledger answers to [`ForgetDeletedObject`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedObjectVersions {
    /// The versions that had rays in the index before this call.
    pub versions: Vec<ReplacedVersion>,
}

/// Asks which of these sources are not finished: neither sealed nor quarantined, or with lines left to deliver or to read
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindUnfinished {
    /// The sources, all of batches of this ledger.
    pub sources: Vec<SourceId>,
    /// The times whose records a plan must cover; `None` where nothing is delivered.
    pub deliver: Option<DeliveryWindow>,
}

/// What a ledger answers to [`FindUnfinished`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedSources {
    /// The unknown and the open ones.
    pub sources: Vec<SourceId>,
}

/// Records that the registry knows this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRegistered {}

/// Claims a payload in order to send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimPayload {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// A name for the attempt: the same claimant gets the same answer again.
    pub claimant: String,
    /// A fingerprint of the partner's address.
    pub endpoint: String,
    /// What to do when the outcome is unknown.
    pub on_unknown: OnUnknown,
}

/// What a ledger answers to [`ClaimPayload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
pub enum ClaimAnswer {
    /// The payload belongs to the claimant until its lease ends.
    Granted {
        /// The token that a commit must carry.
        token: u32,
        /// The payload with the place of its body.
        payload: Payload,
        /// Which attempt this is, from 1.
        attempt: u32,
    },
    /// Not now: the ledger sends another message when it is time.
    Wait {
        /// The earliest instant, in Unix milliseconds.
        until_ms: i64,
        /// The reason of the wait.
        why: WaitReason,
    },
    /// The payload is in a terminal state.
    Terminal {
        /// The terminal state, or the one in which it waits for a person.
        state: DeliveryState,
    },
    /// The ledger has no such payload.
    Unknown,
}

/// Records how an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitAttempt {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// The token of the claim.
    pub token: u32,
    /// The outcome that the partner's answer means.
    pub outcome: AttemptOutcome,
}

/// What a ledger answers to [`CommitAttempt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitAnswer {
    /// Whether the commit was accepted: its token is the last one, and it is the first commit with it.
    pub counted: bool,
    /// The state of the payload now; `None` where the ledger has no such payload.
    pub state: Option<DeliveryState>,
}

/// Replaces a payload that is too large for the partner by two smaller ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitPayload {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// The token of the claim.
    pub token: u32,
    /// The two smaller payloads, with indexes as [`DeliveryId::split_indexes`] gives them.
    pub split_into: Vec<Payload>,
}

/// What a ledger answers to [`SplitPayload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitAnswer {
    /// The smaller payloads whose messages must be sent now.
    pub send: Vec<DeliveryId>,
}

/// Applies a person's decision to a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecideDelivery {
    /// The identity of the payload.
    pub id: DeliveryId,
    /// What the person wants to happen.
    pub decision: DeliveryDecision,
    /// The reason that the person gave.
    pub reason: String,
}

/// What a person can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryDecision {
    /// Send it now, whatever the breaker says; also a delivered one.
    Resend,
    /// Let a parked payload be sent when its turn comes.
    Release,
    /// Never send a parked payload.
    Drop,
}

/// What a ledger answers to [`DecideDelivery`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionAnswer {
    /// The state before; `None` where the ledger has no such payload.
    pub before: Option<DeliveryState>,
    /// The state after the decision.
    pub state: Option<DeliveryState>,
    /// The payload whose message must be sent now, if any.
    pub send: Vec<DeliveryId>,
}

/// Asks for packs that can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListExpiredPacks {
    /// Unix milliseconds: every payload of such a pack became terminal before.
    pub before_ms: i64,
}

/// What a ledger answers to [`ListExpiredPacks`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredPacks {
    /// The packs, at most [`crate::limits::SWEEP_BODIES`].
    pub packs: Vec<PackId>,
}

/// Records that packs were removed from the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRemoved {
    /// The packs that the bucket no longer has.
    pub packs: Vec<PackId>,
}

/// Sets the ledger's alarm again, in case the platform lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RearmAlarm {}

/// Asks for the accounts of the whole ledger, and for why its payloads wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTotals {}

/// What a ledger answers to [`GetTotals`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerReport {
    /// The accounts.
    pub totals: LedgerTotals,
    /// Why its payloads wait.
    pub delivery: DeliveryHealth,
}

/// Asks for batches, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBatches {
    /// Only batches in this state; `None` for all.
    pub state: Option<BatchState>,
    /// Maximum number of batches in the answer.
    pub limit: u64,
}

/// What a ledger answers to [`ListBatches`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchList {
    /// The batches, those first seen last at the front.
    pub batches: Vec<BatchSummary>,
}

/// Asks for one batch with its plans and payloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetBatch {
    /// The source, one version of one object.
    pub source: SourceId,
}

/// What a ledger answers to [`GetBatch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchDetails {
    /// The batch; `None` where the ledger does not know it.
    pub batch: Option<BatchSummary>,
    /// The names of the shards that hold its rays.
    pub shards: Vec<String>,
    /// The accounts of this batch alone.
    pub totals: LedgerTotals,
    /// Its rejected lines, at most [`crate::limits::REJECTED_LISTED`] of them.
    pub rejected: Vec<RejectedLine>,
    /// Its plans in the order of their numbers.
    pub plans: Vec<DeliveryPlan>,
    /// The duplicates in each plan that has any.
    pub duplicates: Vec<PlanDuplicates>,
    /// Its payloads, by plan and index.
    pub payloads: Vec<PayloadView>,
}
