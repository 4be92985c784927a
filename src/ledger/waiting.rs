//! The reason why a payload waits, and until when.

use serde::{Deserialize, Serialize};

use super::breaker::Breaker;
use super::delivery::{Delivery, DeliveryState};

/// The reason why a payload waits, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadWait {
    /// The cause of the wait.
    pub waits_for: WaitCause,
    /// Unix milliseconds of the earliest change; `None` if the wait does not depend on time.
    pub until_ms: Option<i64>,
}

/// The cause of a payload's wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitCause {
    /// Its message is on `send-queue`.
    Queue,
    /// An attempt is in progress.
    Attempt,
    /// Its own pause after a failed attempt.
    Retry,
    /// The breaker of its ledger.
    Breaker,
    /// A person must decide.
    Decision,
}

impl PayloadWait {
    /// Returns why this payload waits under this breaker; `None` in a terminal state.
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
