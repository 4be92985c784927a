//! The JSON of totals, batches, plans, payloads and the reasons why they wait, shared by several answers.
//!
//! Instants are RFC 3339 or null. Everything that an operation accepts is named by its handle.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::index::{LineCounts, ObjectVersion};
use crate::ledger::books::{BatchSummary, LedgerTotals, PayloadView};
use crate::ledger::breaker::{BreakerState, PartnerRefusal};
use crate::ledger::delivery::Payload;
use crate::ledger::duplicates::{DuplicateLine, DuplicateSource, PlanDuplicates};
use crate::ledger::health::{BreakerStatus, DeliveryHealth, PendingPayload};
use crate::ledger::waiting::WaitCause;
use crate::ledger::{BatchState, DeliveryId, DeliveryPlan, DeliveryState, DeliveryWindow, PlanOptions};
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
        let ObjectVersion { key, etag, size, uploaded_ms } = object;
        let object = ObjectResponse { key, etag, size, uploaded_at: rfc3339(uploaded_ms) };
        let (first_seen_at, sealed_at) = (rfc3339(first_seen_ms), sealed_ms.map(rfc3339));
        let (first_record_at, last_record_at) =
            (times.map(|times| rfc3339(times.0)), times.map(|times| rfc3339(times.1)));
        Self {
            id,
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
            counts,
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
    /// Creates the JSON of a plan, with the duplicates recorded by its seal.
    pub(crate) fn new(plan: DeliveryPlan, duplicates: &[PlanDuplicates], payloads: &[PayloadView]) -> Self {
        let DeliveryPlan { number, windows, options, repair } = plan;
        let instant = |at: i64, never: i64| (at != never).then(|| rfc3339(at));
        let windows = windows.iter().map(|window| WindowResponse {
            start: instant(window.start_ms, DeliveryWindow::EVER.start_ms),
            end: instant(window.end_ms, DeliveryWindow::EVER.end_ms),
        });
        let duplicates = duplicates.iter().find(|of_plan| of_plan.plan == number).cloned();
        let delivers = payloads.iter().any(|payload| payload.plan == number);
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
        Self { number, windows: windows.collect(), options, duplicate_of, duplicates, repair }
    }
}

#[derive(Serialize)]
pub(crate) struct PayloadResponse {
    id: String,
    partner_batch_id: String,
    plan: u32,
    #[serde(flatten)]
    payload: Payload,
    state: DeliveryState,
    attempts: u32,
    unknown_outcomes: u32,
    status: Option<u16>,
    code: Option<String>,
    /// The reason that an operator gave for dropping it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    last_attempt_at: Option<String>,
    next_attempt_at: Option<String>,
    waits_for: Option<WaitCause>,
    waits_until: Option<String>,
    completed_at: Option<String>,
    /// The handles of the two payloads that replace it after a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    split_into: Option<[String; 2]>,
}

impl From<PayloadView> for PayloadResponse {
    fn from(view: PayloadView) -> Self {
        let split_into = (view.state == DeliveryState::Split).then(|| split_handles(&view.id)).flatten();
        let (code, reason) = if view.state == DeliveryState::Dropped { (None, view.code) } else { (view.code, None) };
        let [last_attempt_at, next_attempt_at, waits_until, completed_at] =
            [view.last_attempt_ms, view.next_attempt_ms, view.wait.and_then(|wait| wait.until_ms), view.completed_ms]
                .map(|instant| instant.map(rfc3339));
        let PayloadView {
            id, partner_batch_id, plan, payload, state, attempts, unknown_outcomes, status, wait, ..
        } = view;
        Self {
            id,
            partner_batch_id,
            plan,
            payload,
            state,
            attempts,
            unknown_outcomes,
            status,
            code,
            reason,
            last_attempt_at,
            next_attempt_at,
            waits_for: wait.map(|wait| wait.waits_for),
            waits_until,
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
    breaker: BreakerResponse,
    breakers: BTreeMap<String, u64>,
    last_refusal: Option<RefusalResponse>,
    oldest_pending: Option<PendingResponse>,
}

#[derive(Serialize)]
struct BreakerResponse {
    state: BreakerState,
    since: Option<String>,
    until: Option<String>,
    reason: Option<String>,
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
        let DeliveryHealth { breaker, mut breakers, last_refusal, oldest_pending } = health;
        for state in BreakerState::ALL {
            breakers.entry(state.name().into()).or_default();
        }
        let BreakerStatus { state, since_ms, until_ms, reason } = breaker;
        let [since, until] = [since_ms, until_ms].map(|instant| instant.map(rfc3339));
        let refused = |PartnerRefusal { status, code, at_ms }| RefusalResponse { status, code, at: rfc3339(at_ms) };
        let pending = |PendingPayload { since_ms, payload }| PendingResponse {
            since: rfc3339(since_ms),
            payload: payload.into(),
        };
        Self {
            enabled,
            breaker: BreakerResponse { state, since, until, reason },
            breakers,
            last_refusal: last_refusal.map(refused),
            oldest_pending: oldest_pending.map(pending),
        }
    }
}

/// Returns the handles of the two payloads that a split creates.
fn split_handles(handle: &str) -> Option<[String; 2]> {
    let payload = DeliveryId::from_handle(handle)?;
    Some(payload.split_indexes().map(|index| DeliveryId { index, ..payload.clone() }.handle()))
}
