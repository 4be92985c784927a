//! What holds a payload, and until when.

use serde::{Deserialize, Serialize};

use super::breaker::Breaker;
use super::delivery::{Delivery, DeliveryState};

/// What holds a payload, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadWait {
    /// What it waits for.
    pub waits_for: WaitCause,
    /// Unix milliseconds of the earliest change; `None` where it depends on something else than time.
    pub until_ms: Option<i64>,
}

/// What a payload waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitCause {
    /// Its turn: its message is on `send-queue`.
    Queue,
    /// The end of an attempt.
    Attempt,
    /// The end of its own pause after a failed attempt.
    Retry,
    /// The breaker of its ledger.
    Breaker,
    /// The decision of a person.
    Decision,
}

impl PayloadWait {
    /// What this payload waits for under this breaker; `None` in a terminal state.
    pub(super) fn new(delivery: &Delivery, breaker: &Breaker, now_ms: i64) -> Option<Self> {
        let breaker_ms = if breaker.is_open() { breaker.open_until_ms } else { i64::MIN };
        let next_ms = delivery.next_attempt_ms;
        let (waits_for, until_ms) = match delivery.state {
            DeliveryState::Sending => (WaitCause::Attempt, Some(delivery.lease_ms)),
            DeliveryState::Parked => (WaitCause::Decision, None),
            DeliveryState::Prepared if breaker_ms > now_ms.max(next_ms) => (WaitCause::Breaker, Some(breaker_ms)),
            DeliveryState::Prepared if next_ms > now_ms => (WaitCause::Retry, Some(next_ms)),
            DeliveryState::Prepared => (WaitCause::Queue, None),
            DeliveryState::Delivered | DeliveryState::Dropped | DeliveryState::Split => return None,
        };
        Some(Self { waits_for, until_ms })
    }
}
