//! The circuit breaker: while the partner as a whole fails, deliveries wait instead of failing one by one.
//!
//! Each ledger has one, since every claim passes through the ledger anyway. A closed breaker admits every delivery. An
//! open one admits none until its pause is over, then one at a time, to test whether the partner has recovered.
//!
//! # Invariants
//! A new partner address starts with a closed breaker. The refusal of one payload never opens it: the payload is at
//! fault, the partner works.

use serde::{Deserialize, Serialize};

use super::delivery::AttemptOutcome;
use crate::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MIN_MS, LEASE_MS};

/// The effect of a breaker on deliveries; the worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Admits every delivery.
    #[default]
    Closed,
    /// Admits one delivery at a time, to test whether the partner has recovered.
    Probing,
    /// Admits no delivery.
    Open,
}

impl BreakerState {
    /// All states, in listing order.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Probing, Self::Open];

    /// Returns the state's name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Probing => "probing",
            Self::Open => "open",
        }
    }
}

/// An unsuccessful answer of the partner, or its absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerRefusal {
    /// HTTP status; `None` if the partner did not answer.
    pub status: Option<u16>,
    /// Stable, machine-readable code of the reason.
    pub code: String,
    /// Unix milliseconds at which the attempt was recorded.
    pub at_ms: i64,
}

/// The breaker of one ledger, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// A fingerprint of the partner's address.
    pub endpoint: String,
    /// Number of failures since the last success.
    pub failures: u32,
    /// Unix milliseconds before which no delivery is admitted.
    pub open_until_ms: i64,
    /// The code of the last failure.
    pub code: String,
    /// Unix milliseconds at which it opened; `None` while it is closed.
    pub opened_ms: Option<i64>,
    /// Whether a probe is in flight: `open_until_ms` is then the end of its lease.
    pub is_probing: bool,
    /// The partner's last refusal; it is kept when the breaker closes.
    pub last_refusal: Option<PartnerRefusal>,
}

impl Breaker {
    /// Returns whether failures have opened it, so that at most one delivery at a time is admitted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.failures >= BREAKER_FAILURES
    }

    /// Returns the state at this instant. An open breaker counts as closed once its pause is over and no payload waits.
    #[must_use]
    pub const fn state(&self, has_waiting: bool, now_ms: i64) -> BreakerState {
        match (self.is_open(), self.open_until_ms > now_ms) {
            (true, true) if !self.is_probing => BreakerState::Open,
            (true, true) => BreakerState::Probing,
            (true, false) if has_waiting => BreakerState::Probing,
            _ => BreakerState::Closed,
        }
    }

    /// Closes the breaker, and keeps the last refusal.
    pub fn close(&mut self) {
        let (endpoint, last_refusal) = (std::mem::take(&mut self.endpoint), self.last_refusal.take());
        *self = Self { endpoint, last_refusal, ..Self::default() };
    }

    /// Admits a claim for this address.
    ///
    /// # Errors
    /// If the claim must wait, the instant before which none is admitted, in Unix milliseconds.
    pub fn admit(&mut self, endpoint: &str, now_ms: i64) -> Result<(), i64> {
        if self.endpoint != endpoint {
            self.close();
            endpoint.clone_into(&mut self.endpoint);
        }
        if !self.is_open() {
            return Ok(());
        }
        if self.open_until_ms > now_ms {
            return Err(self.open_until_ms);
        }
        // This claim is the probe: others wait until its lease ends.
        self.open_until_ms = now_ms + LEASE_MS;
        self.is_probing = true;
        Ok(())
    }

    /// Updates the breaker with the outcome of an attempt.
    pub fn learn(&mut self, outcome: &AttemptOutcome, now_ms: i64) {
        if let Some(refusal) = refusal(outcome, now_ms) {
            self.last_refusal = Some(refusal);
        }
        match outcome {
            AttemptOutcome::Delivered { .. } | AttemptOutcome::Refused { status: Some(_), .. } => self.close(),
            // The partner was not asked: another delivery becomes the probe.
            AttemptOutcome::Released | AttemptOutcome::Refused { status: None, .. } => {
                self.open_until_ms = self.open_until_ms.min(now_ms);
                self.is_probing = false;
            }
            AttemptOutcome::NotStored { code, .. } | AttemptOutcome::Unknown { code } => self.failed(code, 1, now_ms),
            AttemptOutcome::Endpoint { code, .. } => self.failed(code, BREAKER_FAILURES, now_ms),
        }
    }

    /// Counts a failure; the count becomes at least `least`.
    fn failed(&mut self, code: &str, least: u32, now_ms: i64) {
        self.failures = self.failures.saturating_add(1).max(least);
        code.clone_into(&mut self.code);
        if self.is_open() {
            let doublings = (self.failures - BREAKER_FAILURES).min(20);
            let pause = (BREAKER_MIN_MS << doublings).min(BREAKER_MAX_MS);
            self.open_until_ms = now_ms + pause;
            self.is_probing = false;
            self.opened_ms = self.opened_ms.or(Some(now_ms));
        }
    }
}

/// Returns the refusal that an outcome represents; `None` for a success, or if the partner was not asked.
fn refusal(outcome: &AttemptOutcome, at_ms: i64) -> Option<PartnerRefusal> {
    let (status, code) = match outcome {
        AttemptOutcome::NotStored { status, code, .. } => (*status, code),
        AttemptOutcome::Unknown { code } => (None, code),
        AttemptOutcome::Refused { status: Some(status), code } | AttemptOutcome::Endpoint { status, code, .. } => {
            (Some(*status), code)
        }
        AttemptOutcome::Delivered { .. } | AttemptOutcome::Released | AttemptOutcome::Refused { status: None, .. } => {
            return None;
        }
    };
    Some(PartnerRefusal { status, code: code.clone(), at_ms })
}

#[cfg(test)]
mod tests {
    use super::{Breaker, BreakerState, PartnerRefusal};
    use crate::ledger::AttemptOutcome;
    use crate::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MIN_MS, LEASE_MS};

    fn not_stored() -> AttemptOutcome {
        AttemptOutcome::NotStored { status: Some(500), code: "server_error".into(), wait_ms: None }
    }

    #[test]
    fn failures_in_a_row_open_success_closes() {
        let mut breaker = Breaker::default();
        for _ in 1..BREAKER_FAILURES {
            breaker.learn(&not_stored(), 0);
            assert_eq!(breaker.admit("", 0), Ok(()));
        }
        breaker.learn(&not_stored(), 0);
        assert_eq!(breaker.admit("", 0), Err(BREAKER_MIN_MS));
        assert_eq!(breaker.admit("", BREAKER_MIN_MS), Ok(()), "one tries");
        assert_eq!(breaker.admit("", BREAKER_MIN_MS), Err(BREAKER_MIN_MS + LEASE_MS), "the next one waits");
        breaker.learn(&AttemptOutcome::Delivered { status: 200 }, BREAKER_MIN_MS);
        assert_eq!(breaker.admit("", BREAKER_MIN_MS), Ok(()));
    }

    #[test]
    fn state_says_what_a_delivery_would_meet() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.state(true, 0), BreakerState::Closed);
        breaker.learn(&AttemptOutcome::Endpoint { status: 403, code: "auth".into(), park: false }, 7);
        assert_eq!((breaker.opened_ms, breaker.state(true, 7)), (Some(7), BreakerState::Open));
        let over_ms = 7 + BREAKER_MIN_MS;
        assert_eq!(breaker.state(true, over_ms), BreakerState::Probing, "one may try");
        assert_eq!(breaker.state(false, over_ms), BreakerState::Closed, "there is none to hold");
        assert_eq!(breaker.admit("", over_ms), Ok(()));
        assert_eq!(breaker.state(true, over_ms), BreakerState::Probing, "one tries");
        breaker.learn(&not_stored(), over_ms + 1);
        assert_eq!((breaker.opened_ms, breaker.state(true, over_ms + 1)), (Some(7), BreakerState::Open));
        breaker.learn(&AttemptOutcome::Delivered { status: 200 }, over_ms + 2);
        assert_eq!((breaker.opened_ms, breaker.state(true, over_ms + 2)), (None, BreakerState::Closed));
    }

    #[test]
    fn last_refusal_outlasts_success_and_change_of_address() {
        let mut breaker = Breaker::default();
        let refusal = |status, code: &str, at_ms| Some(PartnerRefusal { status, code: code.into(), at_ms });
        for (outcome, expected) in [
            (AttemptOutcome::Delivered { status: 200 }, None),
            (AttemptOutcome::Released, None),
            (AttemptOutcome::Refused { status: None, code: "payload_missing".into() }, None),
            (AttemptOutcome::Refused { status: Some(400), code: "permanent".into() }, Some((Some(400), "permanent"))),
            (not_stored(), Some((Some(500), "server_error"))),
            (AttemptOutcome::Unknown { code: "no_answer".into() }, Some((None, "no_answer"))),
            (AttemptOutcome::Endpoint { status: 403, code: "auth".into(), park: true }, Some((Some(403), "auth"))),
        ] {
            breaker.learn(&outcome, 5);
            let expected = expected.and_then(|(status, code)| refusal(status, code, 5));
            assert_eq!(breaker.last_refusal, expected, "{outcome:?}");
        }
        breaker.learn(&AttemptOutcome::Delivered { status: 200 }, 6);
        assert_eq!(breaker.last_refusal, refusal(Some(403), "auth", 5));
        assert_eq!(breaker.admit("another", 6), Ok(()));
        assert_eq!(breaker.last_refusal, refusal(Some(403), "auth", 5));
    }

    #[test]
    fn further_failures_double_the_pause_to_its_bound() {
        let mut breaker = Breaker::default();
        for _ in 0..BREAKER_FAILURES + 40 {
            breaker.learn(&not_stored(), 1000);
        }
        assert_eq!(breaker.open_until_ms, 1000 + BREAKER_MAX_MS);
    }

    #[test]
    fn address_faults_open_at_once_for_that_address() {
        let mut breaker = Breaker::default();
        breaker.learn(&AttemptOutcome::Endpoint { status: 401, code: "auth".into(), park: false }, 0);
        assert_eq!(breaker.admit("", 1), Err(BREAKER_MIN_MS));
        assert_eq!(breaker.admit("another", 1), Ok(()));
    }

    #[test]
    fn a_poisoned_payload_never_opens_it() {
        let mut breaker = Breaker::default();
        for _ in 0..1000 {
            breaker.learn(&AttemptOutcome::Refused { status: Some(400), code: "refused".into() }, 0);
            assert_eq!(breaker.admit("", 0), Ok(()));
        }
    }

    #[test]
    fn payload_never_posted_closes_nothing() {
        let mut breaker = Breaker::default();
        (0..BREAKER_FAILURES).for_each(|_| breaker.learn(&not_stored(), 0));
        assert_eq!(breaker.admit("", BREAKER_MIN_MS), Ok(()), "one tries");
        breaker.learn(&AttemptOutcome::Refused { status: None, code: "payload_missing".into() }, BREAKER_MIN_MS);
        assert!(breaker.is_open());
        assert_eq!(breaker.admit("", BREAKER_MIN_MS), Ok(()), "another one tries");
        assert_eq!(breaker.admit("", BREAKER_MIN_MS), Err(BREAKER_MIN_MS + LEASE_MS));
    }
}
