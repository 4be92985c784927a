//! The JSON of totals, batches, plans, payloads and the reasons why they wait, shared by several answers.
//!
//! Instants are RFC 3339 or null. Everything that an operation accepts is named by its handle.

use serde::Serialize;

use crate::config::ConfigFault;
use crate::index::{LineCounts, ObjectVersion};
use crate::ledger::books::{BatchSummary, LedgerTotals, PayloadView};
use crate::ledger::breaker::{BreakerState, PartnerRefusal, PartnerStanding};
use crate::ledger::delivery::Payload;
use crate::ledger::duplicates::{DuplicateLine, DuplicateSource, PlanDuplicates};
use crate::ledger::erased_lines::ERASED;
use crate::ledger::health::{DeliveryHealth, PendingPayload};
use crate::ledger::layout_doubts::LayoutDoubt;
use crate::ledger::waiting::WaitCause;
use crate::ledger::{BatchState, DeliveryId, DeliveryPlan, DeliveryState, DeliveryWindow, PlanBackfill, PlanOptions};
use crate::time::rfc3339;

/// Adds a zero for every state that the totals lack.
pub(crate) fn with_all_states(mut books: LedgerTotals) -> LedgerTotals {
    for state in BatchState::ALL {
        books.batches.entry(state.name().into()).or_default();
    }
    for state in DeliveryState::ALL {
        books.payloads.entry(state.name().into()).or_default();
    }
    books
}

#[derive(Serialize)]
pub(crate) struct BatchResponse {
    id: String,
    /// Number of times that it was rewritten without erased lines.
    #[serde(skip_serializing_if = "crate::rpc::is_default")]
    revision: u32,
    object: ObjectResponse,
    dataset: String,
    state: BatchState,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    indexed: bool,
    gone: bool,
    replaying: bool,
    first_seen_at: String,
    sealed_at: Option<String>,
    first_record_at: Option<String>,
    last_record_at: Option<String>,
    inflated_bytes: u64,
    counts: LineCounts,
    /// The share of its rays whose time differs by more than 5 s from their record's; null if none can be compared.
    skewed_share: Option<f64>,
    /// Maximum time by which such a ray is ahead of its record, in seconds.
    rays_ahead_s: i64,
    /// Maximum time by which such a ray is behind its record, in seconds.
    rays_behind_s: i64,
}

/// Returns the share of these rays that is skewed, to four decimals; `None` without rays.
pub(crate) fn share_of(skewed: u64, rays: u64) -> Option<f64> {
    let per_10_000 = u128::from(skewed).saturating_mul(10_000).checked_div(u128::from(rays))?;
    u32::try_from(per_10_000).ok().map(|share| f64::from(share) / 10_000.0)
}

/// A dataset whose rays have other times than their records at present.
#[derive(Serialize)]
pub(crate) struct LayoutDoubtResponse {
    dataset: &'static str,
    /// When the first batch of them was uploaded, and the last one.
    since: String,
    until: String,
    ahead_s: i64,
    behind_s: i64,
}

impl From<&LayoutDoubt> for LayoutDoubtResponse {
    fn from(doubt: &LayoutDoubt) -> Self {
        let LayoutDoubt { dataset, since_ms, uploaded_ms, skew } = doubt;
        Self {
            dataset: dataset.name(),
            since: rfc3339(*since_ms),
            until: rfc3339(*uploaded_ms),
            ahead_s: skew.ahead_ms / 1_000,
            behind_s: skew.behind_ms / 1_000,
        }
    }
}

/// The bucket, key and entity tag of an object version.
#[derive(Serialize)]
struct ObjectResponse {
    key: String,
    etag: String,
    size: u64,
    uploaded_at: String,
}

impl From<BatchSummary> for BatchResponse {
    fn from(batch: BatchSummary) -> Self {
        let BatchSummary {
            id,
            object,
            dataset,
            possible_datasets: _,
            state,
            code,
            reason,
            indexed,
            gone,
            replaying,
            first_seen_ms,
            sealed_ms,
            counts,
            inflated,
            times,
        } = batch;
        let revision = object.age().revision;
        let ObjectVersion { key, etag, size, uploaded_ms, .. } = object;
        let object = ObjectResponse { key, etag, size, uploaded_at: rfc3339(uploaded_ms) };
        let (first_seen_at, sealed_at) = (rfc3339(first_seen_ms), sealed_ms.map(rfc3339));
        let (first_record_at, last_record_at) =
            (times.map(|times| rfc3339(times.0)), times.map(|times| rfc3339(times.1)));
        Self {
            id,
            revision,
            object,
            dataset,
            state,
            code,
            reason,
            indexed,
            gone,
            replaying,
            first_seen_at,
            sealed_at,
            first_record_at,
            last_record_at,
            inflated_bytes: inflated,
            skewed_share: share_of(counts.clock_skewed, counts.compared_rays()),
            rays_ahead_s: counts.skew.map_or(0, |skew| skew.ahead_ms / 1_000),
            rays_behind_s: counts.skew.map_or(0, |skew| skew.behind_ms / 1_000),
            counts: LineCounts { skew: None, stretches: Vec::new(), ..counts },
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PlanResponse {
    number: u32,
    windows: Vec<WindowResponse>,
    options: PlanOptions,
    /// The batch whose payloads have all lines that this plan would deliver.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<DuplicatesResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<RepairResponse>,
    /// The backfill that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<PlanBackfill>,
}

/// The lines of a plan that are already in other payloads.
#[derive(Serialize)]
struct DuplicatesResponse {
    lines: u64,
    sent: bool,
    of: Vec<DuplicateSource>,
    listed: Vec<DuplicateLine>,
}

/// The plan that a repair repairs, and the number of lines that it covers.
#[derive(Serialize)]
struct RepairResponse {
    plan: u32,
    lines: usize,
}

/// A window of time in RFC 3339; null at an open end.
#[derive(Serialize)]
struct WindowResponse {
    start: Option<String>,
    end: Option<String>,
}

impl PlanResponse {
    /// Creates the JSON of a plan, with the duplicates recorded by its seal; `delivers` says whether it has payloads.
    pub(crate) fn new(plan: DeliveryPlan, duplicates: &[PlanDuplicates], delivers: bool) -> Self {
        let DeliveryPlan { number, windows, options, repair, backfill } = plan;
        let instant = |at: i64, never: i64| (at != never).then(|| rfc3339(at));
        let windows = windows.iter().map(|window| WindowResponse {
            start: instant(window.start_ms, DeliveryWindow::EVER.start_ms),
            end: instant(window.end_ms, DeliveryWindow::EVER.end_ms),
        });
        let duplicates = duplicates.iter().find(|of_plan| of_plan.plan == number).cloned();
        let duplicate_of = duplicates.as_ref().filter(|_| !delivers).and_then(|found| match found.of.as_slice() {
            [one] => Some(one.batch.clone()),
            _ => None,
        });
        let duplicates = duplicates.map(|PlanDuplicates { lines, sent, of, listed, .. }| DuplicatesResponse {
            lines,
            sent,
            of,
            listed,
        });
        let repair = repair.map(|repair| RepairResponse { plan: repair.plan, lines: repair.lines.len() });
        Self { number, windows: windows.collect(), options, duplicate_of, duplicates, repair, backfill }
    }
}

#[derive(Serialize)]
pub(crate) struct PayloadResponse {
    #[serde(flatten)]
    identity: Option<PayloadIdentity>,
    plan: u32,
    state: DeliveryState,
    attempts: u32,
    unknown_outcomes: u32,
    status: Option<u16>,
    code: Option<String>,
    /// The reason that an operator gave for dropping or confirming it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    not_sent: u32,
    last_attempt_at: Option<String>,
    last_post_ms: Option<i64>,
    next_attempt_at: Option<String>,
    waits_for: Option<WaitCause>,
    waits_until: Option<String>,
    waits_reason: Option<String>,
    completed_at: Option<String>,
    /// The handles of the two payloads that replace it after a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    split_into: Option<[String; 2]>,
}

/// The handle of a payload, and what depends on all of its lines.
#[derive(Serialize)]
struct PayloadIdentity {
    id: String,
    partner_batch_id: String,
    #[serde(flatten)]
    payload: Payload,
}

impl PayloadResponse {
    /// What became of the payload, without anything that depends on its other lines; `None` for one that was split,
    /// since its halves follow.
    pub(crate) fn unpositioned(self) -> Option<Self> {
        let is_whole = self.state != DeliveryState::Split;
        is_whole.then_some(Self { identity: None, reason: None, ..self })
    }
}

impl From<PayloadView> for PayloadResponse {
    fn from(view: PayloadView) -> Self {
        let is_split = view.state == DeliveryState::Split && view.code.as_deref() != Some(ERASED);
        let split_into = is_split.then(|| split_handles(&view.id)).flatten();
        let is_decided = matches!(view.state, DeliveryState::Dropped | DeliveryState::Confirmed);
        let (code, reason) = if is_decided { (None, view.code) } else { (view.code, None) };
        let [last_attempt_at, next_attempt_at, waits_until, completed_at] = [
            view.last_attempt_ms,
            view.next_attempt_ms,
            view.wait.as_ref().and_then(|wait| wait.until_ms),
            view.completed_ms,
        ]
        .map(|instant| instant.map(rfc3339));
        let PayloadView {
            id,
            partner_batch_id,
            plan,
            payload,
            state,
            attempts,
            unknown_outcomes,
            not_sent,
            status,
            last_post_ms,
            wait,
            ..
        } = view;
        Self {
            identity: Some(PayloadIdentity { id, partner_batch_id, payload }),
            plan,
            state,
            attempts,
            unknown_outcomes,
            status,
            code,
            reason,
            not_sent,
            last_attempt_at,
            last_post_ms,
            next_attempt_at,
            waits_for: wait.as_ref().map(|wait| wait.waits_for),
            waits_until,
            waits_reason: wait.and_then(|wait| wait.reason),
            completed_at,
            split_into,
        }
    }
}

/// The reasons why payloads wait.
#[derive(Serialize)]
pub(crate) struct DeliveryHealthResponse {
    /// Whether delivery is configured.
    enabled: bool,
    /// The faults of settings that stop it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    breaker: BreakerResponse,
    held_ledgers: u64,
    paced_payloads: u64,
    stopped_payloads: u64,
    last_refusal: Option<RefusalResponse>,
    oldest_pending: Option<PendingResponse>,
}

/// The breaker of the partner.
#[derive(Serialize)]
pub(crate) struct BreakerResponse {
    state: BreakerState,
    since: Option<String>,
    until: Option<String>,
    reason: Option<String>,
    status: Option<u16>,
    failures: u32,
}

impl From<PartnerStanding> for BreakerResponse {
    fn from(standing: PartnerStanding) -> Self {
        let PartnerStanding { state, since_ms, until_ms, reason, status, failures, as_of_ms: _ } = standing;
        let [since, until] = [since_ms, until_ms].map(|instant| instant.map(rfc3339));
        Self { state, since, until, reason, status, failures }
    }
}

/// An unsuccessful answer of the partner; without a status if it did not answer.
#[derive(Serialize)]
struct RefusalResponse {
    status: Option<u16>,
    code: String,
    at: String,
}

/// The payload that has waited longest, and since when.
#[derive(Serialize)]
struct PendingResponse {
    since: String,
    payload: PayloadResponse,
}

impl DeliveryHealthResponse {
    /// Creates the JSON of this health; `enabled` says whether the deployment delivers.
    pub(crate) fn new(health: DeliveryHealth, enabled: bool) -> Self {
        let DeliveryHealth {
            breaker,
            held_ledgers,
            paced_payloads,
            stopped_payloads,
            last_refusal,
            oldest_pending,
            post_times: _,
        } = health;
        let refused = |PartnerRefusal { status, code, at_ms }| RefusalResponse { status, code, at: rfc3339(at_ms) };
        let pending = |PendingPayload { since_ms, payload }| PendingResponse {
            since: rfc3339(since_ms),
            payload: payload.into(),
        };
        Self {
            enabled,
            faults: Vec::new(),
            breaker: breaker.into(),
            held_ledgers,
            paced_payloads,
            stopped_payloads,
            last_refusal: last_refusal.map(refused),
            oldest_pending: oldest_pending.map(pending),
        }
    }

    /// Adds the faults of settings that stop delivery.
    pub(crate) fn with_faults(self, faults: &[ConfigFault]) -> Self {
        Self { faults: faults.iter().map(ToString::to_string).collect(), ..self }
    }
}

/// Returns the handles of the two payloads that a split creates.
fn split_handles(handle: &str) -> Option<[String; 2]> {
    let payload = DeliveryId::from_handle(handle)?;
    Some(payload.split_indexes().map(|index| DeliveryId { index, ..payload.clone() }.handle()))
}
