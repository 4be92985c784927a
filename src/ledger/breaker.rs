//! The breaker: when the partner as a whole does not answer well, deliveries wait instead of failing one by one.
//!
//! One for each ledger, since claims pass through it anyway. Closed, it lets everything through; opened, nothing
//! until its time is up; then one delivery at a time tries whether things are better.
//!
//! # Invariants
//! Another address of the partner starts with a closed breaker. The refusal of one payload never opens it: the payload is
//! at fault, the partner works.

use serde::{Deserialize, Serialize};

use super::delivery::AttemptOutcome;
use crate::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MIN_MS, LEASE_MS};

/// The breaker of one ledger, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// The address that it is of, as a fingerprint.
    pub endpoint: String,
    /// Failures since the last success.
    pub failures: u32,
    /// Nothing is let through before this instant.
    pub open_until_ms: i64,
    /// The code of the last failure.
    pub code: String,
}

impl Breaker {
    /// Whether failures have opened it: at most one delivery at a time may try.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.failures >= BREAKER_FAILURES
    }

    /// Lets a claim for this address through, or says until when it has to wait.
    ///
    /// # Errors
    /// The instant before which nothing is let through.
    pub fn admit(&mut self, endpoint: &str, now_ms: i64) -> Result<(), i64> {
        if self.endpoint != endpoint {
            *self = Self { endpoint: endpoint.to_owned(), ..Self::default() };
        }
        if !self.is_open() {
            return Ok(());
        }
        if self.open_until_ms > now_ms {
            return Err(self.open_until_ms);
        }
        // The one that tries: the next one waits until its lease is over.
        self.open_until_ms = now_ms + LEASE_MS;
        Ok(())
    }

    /// Learns how a delivery ended.
    pub fn learn(&mut self, outcome: &AttemptOutcome, now_ms: i64) {
        match outcome {
            AttemptOutcome::Delivered { .. } | AttemptOutcome::Refused { status: Some(_), .. } => {
                *self = Self { endpoint: std::mem::take(&mut self.endpoint), ..Self::default() };
            }
            // The partner was not asked: another delivery tries.
            AttemptOutcome::Released | AttemptOutcome::Refused { status: None, .. } => {
                self.open_until_ms = self.open_until_ms.min(now_ms);
            }
            AttemptOutcome::NotStored { code, .. } | AttemptOutcome::Unknown { code } => self.failed(code, 1, now_ms),
            AttemptOutcome::Endpoint { code, .. } => self.failed(code, BREAKER_FAILURES, now_ms),
        }
    }

    /// Counts a failure; `least` is what the count comes to at least.
    fn failed(&mut self, code: &str, least: u32, now_ms: i64) {
        self.failures = self.failures.saturating_add(1).max(least);
        code.clone_into(&mut self.code);
        if self.is_open() {
            let doublings = (self.failures - BREAKER_FAILURES).min(20);
            let pause = (BREAKER_MIN_MS << doublings).min(BREAKER_MAX_MS);
            self.open_until_ms = now_ms + pause;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Breaker;
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
