//! The reasons why the payloads of a ledger wait: its breaker, the partner's last refusal, and the oldest pending
//! payload.
//!
//! # Invariants
//! Of several ledgers the worst is shown: a breaker that holds payloads is never hidden by others that do not.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::books::{PayloadView, add_all};
use super::breaker::{Breaker, BreakerState, PartnerRefusal};

/// The reasons why the payloads of one or several ledgers wait.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeliveryHealth {
    /// The worst breaker; among equals, the one that opened first.
    pub breaker: BreakerStatus,
    /// Number of ledgers, by breaker state.
    pub breakers: BTreeMap<String, u64>,
    /// The partner's latest unsuccessful answer.
    pub last_refusal: Option<PartnerRefusal>,
    /// The payload that has been waiting or being sent longest.
    pub oldest_pending: Option<PendingPayload>,
}

/// A breaker as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BreakerStatus {
    /// The breaker's effect on deliveries.
    pub state: BreakerState,
    /// Unix milliseconds at which it opened; `None` while it is closed.
    pub since_ms: Option<i64>,
    /// Unix milliseconds before which nothing else is sent.
    pub until_ms: Option<i64>,
    /// The code of the failure that opened it, or of the latest failure since.
    pub reason: Option<String>,
}

/// A payload that is not yet delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPayload {
    /// Unix milliseconds at which its plan was sealed.
    pub since_ms: i64,
    /// The waiting payload.
    pub payload: PayloadView,
}

impl BreakerStatus {
    fn new(breaker: &Breaker, has_waiting: bool, now_ms: i64) -> Self {
        let state = breaker.state(has_waiting, now_ms);
        if state == BreakerState::Closed {
            return Self::default();
        }
        Self {
            state,
            since_ms: breaker.opened_ms,
            until_ms: (breaker.open_until_ms > now_ms).then_some(breaker.open_until_ms),
            reason: Some(breaker.code.clone()),
        }
    }
}

impl DeliveryHealth {
    /// Creates the health of one ledger from its breaker and its oldest pending payload.
    pub(super) fn new(breaker: &Breaker, oldest_pending: Option<PendingPayload>, now_ms: i64) -> Self {
        let status = BreakerStatus::new(breaker, oldest_pending.is_some(), now_ms);
        let breakers = BTreeMap::from([(status.state.name().to_owned(), 1)]);
        Self { breaker: status, breakers, last_refusal: breaker.last_refusal.clone(), oldest_pending }
    }

    /// Adds the health of another ledger.
    pub fn add(&mut self, other: Self) {
        let Self { breaker, breakers, last_refusal, oldest_pending } = other;
        let severity = |breaker: &BreakerStatus| (breaker.state, Reverse(breaker.since_ms));
        if severity(&breaker) > severity(&self.breaker) {
            self.breaker = breaker;
        }
        add_all(&mut self.breakers, breakers);
        let is_later = |new: &PartnerRefusal| self.last_refusal.as_ref().is_none_or(|old| new.at_ms > old.at_ms);
        if let Some(refusal) = last_refusal.filter(is_later) {
            self.last_refusal = Some(refusal);
        }
        let is_older =
            |new: &PendingPayload| self.oldest_pending.as_ref().is_none_or(|old| new.since_ms < old.since_ms);
        if let Some(pending) = oldest_pending.filter(is_older) {
            self.oldest_pending = Some(pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, BreakerState, DeliveryHealth, PartnerRefusal};
    use crate::ledger::AttemptOutcome;
    use crate::limits::BREAKER_MIN_MS;

    /// Returns the breaker of a ledger whose partner answered 403 at that instant.
    fn refused(at_ms: i64) -> Breaker {
        let mut breaker = Breaker::default();
        breaker.learn(&AttemptOutcome::Endpoint { status: 403, code: "auth".into(), park: false }, at_ms);
        breaker
    }

    #[test]
    fn worst_breaker_of_several_is_shown() {
        let mut sum = DeliveryHealth::default();
        for breaker in [Breaker::default(), refused(9), refused(4), refused(6), Breaker::default()] {
            sum.add(DeliveryHealth::new(&breaker, None, 10));
        }
        assert_eq!(sum.breaker.state, BreakerState::Open);
        assert_eq!((sum.breaker.since_ms, sum.breaker.until_ms), (Some(4), Some(4 + BREAKER_MIN_MS)));
        assert_eq!(sum.breaker.reason.as_deref(), Some("auth"));
        assert_eq!((sum.breakers["closed"], sum.breakers["open"]), (2, 3));
        assert_eq!(sum.last_refusal, Some(PartnerRefusal { status: Some(403), code: "auth".into(), at_ms: 9 }));
    }

    #[test]
    fn closed_breaker_has_no_times() {
        let health = DeliveryHealth::new(&refused(4), None, 4 + BREAKER_MIN_MS);
        assert_eq!(health.breaker, DeliveryHealth::default().breaker);
        assert!(health.last_refusal.is_some());
    }
}
