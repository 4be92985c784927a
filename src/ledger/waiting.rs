//! The reason why a payload waits, and until when.

use serde::{Deserialize, Serialize};

use super::breaker::PartnerStanding;
use super::delivery::{Delivery, DeliveryState, PARTNER_FAILURES};

/// The reason why a payload waits, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadWait {
    /// The cause of the wait.
    pub waits_for: WaitCause,
    /// Unix milliseconds of the earliest change; `None` if the wait does not depend on time.
    pub until_ms: Option<i64>,
    /// The code of the failure that it waits for the end of, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
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
    /// The breaker of the partner.
    Breaker,
    /// Its turn, at the rate of its backfill or of the deployment.
    Pace,
    /// Its backfill, which is stopped.
    Stopped,
    /// A person must decide.
    Decision,
}

impl PayloadWait {
    /// Returns why this payload waits under this standing of the partner; `None` in a terminal state.
    pub(super) fn new(delivery: &Delivery, known: &PartnerStanding, now_ms: i64) -> Option<Self> {
        if delivery.state == DeliveryState::Prepared && delivery.is_held {
            return Some(Self { waits_for: WaitCause::Stopped, until_ms: None, reason: None });
        }
        let next_ms = delivery.next_attempt_ms;
        let code = delivery.code.clone();
        // What failed because of the partner goes on with it, whatever its own pause.
        let is_paced = delivery.place_ms.is_some();
        let for_partner = !is_paced && code.as_deref().is_some_and(|code| PARTNER_FAILURES.contains(&code));
        if delivery.state == DeliveryState::Prepared && known.is_open() && (next_ms <= now_ms || for_partner) {
            let (until_ms, reason) = (known.until_ms, known.reason.clone());
            return Some(Self { waits_for: WaitCause::Breaker, until_ms, reason });
        }
        let (waits_for, until_ms) = match delivery.state {
            DeliveryState::Sending => (WaitCause::Attempt, Some(delivery.lease_ms)),
            DeliveryState::Parked => (WaitCause::Decision, None),
            DeliveryState::Prepared if is_paced => (WaitCause::Pace, Some(next_ms).filter(|at_ms| *at_ms > now_ms)),
            DeliveryState::Prepared if next_ms > now_ms => (WaitCause::Retry, Some(next_ms)),
            DeliveryState::Prepared => (WaitCause::Queue, None),
            DeliveryState::Delivered | DeliveryState::Dropped | DeliveryState::Confirmed | DeliveryState::Split => {
                return None;
            }
        };
        let reason = code.filter(|_| matches!(waits_for, WaitCause::Retry | WaitCause::Decision));
        Some(Self { waits_for, until_ms, reason })
    }
}
