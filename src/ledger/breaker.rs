//! The circuit breaker: while the partner as a whole fails, deliveries wait instead of failing one by one.
//!
//! There is one for each address and key of the partner, in the object [`super::ids::PARTNER`], for all ledgers. A sender
//! asks it once for a batch of messages, and each claim carries the answer, so a claim costs no further call. A closed
//! breaker admits every delivery. An open one admits a probe whenever its pause is over, whether or not the probe before
//! has ended.
//!
//! # Invariants
//! Failures that were in flight together count once: a failure counts only if the standing that its attempt was claimed
//! under is later than the last failure that counted. While the breaker is open, that is true of probes alone. The refusal
//! of one payload never opens it: the payload is at fault, the partner works.

use serde::{Deserialize, Serialize};

use super::delivery::AttemptOutcome;
use crate::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MIN_MS};
use crate::partner::AnswerClass;

/// The effect of the breaker on deliveries; the worst comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Admits every delivery.
    #[default]
    Closed,
    /// Admits one delivery, to test whether the partner has recovered.
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

impl PartnerRefusal {
    /// Returns the refusal that an outcome represents; `None` for a success, or if the partner was not asked.
    #[must_use]
    pub fn from_outcome(outcome: &AttemptOutcome, at_ms: i64) -> Option<Self> {
        let (status, code) = match outcome {
            AttemptOutcome::NotStored { status, code, .. } => (*status, code),
            AttemptOutcome::Unknown { code } => (None, code),
            AttemptOutcome::Refused { status: Some(status), code } | AttemptOutcome::Endpoint { status, code } => {
                (Some(*status), code)
            }
            AttemptOutcome::Delivered { .. }
            | AttemptOutcome::Released { .. }
            | AttemptOutcome::Held
            | AttemptOutcome::Refused { status: None, .. } => return None,
        };
        Some(Self { status, code: code.clone(), at_ms })
    }
}

/// What the breaker says at an instant of its own clock: the answer to a sender, and what a claim tells its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartnerStanding {
    /// The effect on the one who asked: `probing` allows one attempt.
    pub state: BreakerState,
    /// Unix milliseconds at which it was true, later than any failure that counted before.
    pub as_of_ms: i64,
    /// Number of counted failures since the last success.
    pub failures: u32,
    /// Unix milliseconds at which it opened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since_ms: Option<i64>,
    /// Unix milliseconds of the next probe.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until_ms: Option<i64>,
    /// The code of the last failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The HTTP status of the last failure, if the partner answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
}

impl PartnerStanding {
    /// Whether the partner as a whole fails.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != BreakerState::Closed
    }
}

/// What an attempt tells of the partner as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum PartnerNews {
    /// It answered for itself: it has the payload, or refused this one.
    Works,
    /// It failed.
    Fails {
        /// HTTP status, if it answered.
        status: Option<u16>,
        /// Stable, machine-readable code of the reason.
        code: String,
        /// Whether its address or key is wrong: no other payload will fare better.
        at_once: bool,
    },
}

impl PartnerNews {
    /// Returns what an outcome tells; `None` if the partner was not asked.
    #[must_use]
    pub fn from_outcome(outcome: &AttemptOutcome) -> Option<Self> {
        let fails = |status, code: &String, at_once| Some(Self::Fails { status, code: code.clone(), at_once });
        match outcome {
            // It was too large, and could not be split yet.
            AttemptOutcome::NotStored { code, .. } if code == AnswerClass::TooLarge.code() => Some(Self::Works),
            AttemptOutcome::Delivered { .. } | AttemptOutcome::Refused { status: Some(_), .. } => Some(Self::Works),
            AttemptOutcome::Released { .. } | AttemptOutcome::Held | AttemptOutcome::Refused { status: None, .. } => {
                None
            }
            AttemptOutcome::NotStored { status, code, .. } => fails(*status, code, false),
            AttemptOutcome::Unknown { code } => fails(None, code, false),
            AttemptOutcome::Endpoint { status, code } => fails(Some(*status), code, true),
        }
    }
}

/// The breaker of one address and key, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// Number of counted failures since the last success.
    pub failures: u32,
    /// Unix milliseconds of the last failure that counted, or at which it closed: what was claimed before tells nothing new.
    pub counted_ms: i64,
    /// The code of the last failure that counted.
    pub reason: Option<String>,
    /// The HTTP status of that failure, if the partner answered.
    pub status: Option<u16>,
    /// The pauses between probes; `None` while it is closed.
    pub open: Option<ProbeSchedule>,
}

/// When an open breaker admits probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSchedule {
    /// Unix milliseconds at which the breaker opened.
    pub since_ms: i64,
    /// Unix milliseconds of the next probe.
    pub next_ms: i64,
    /// The pause after a probe in milliseconds.
    pub pause_ms: i64,
    /// Whether a probe was admitted of which nothing was heard yet.
    pub is_probing: bool,
}

impl Breaker {
    /// Returns what it says at this instant, without admitting a probe.
    #[must_use]
    pub fn standing(&self, now_ms: i64) -> PartnerStanding {
        let state = match &self.open {
            None => BreakerState::Closed,
            Some(open) if open.is_probing => BreakerState::Probing,
            Some(_) => BreakerState::Open,
        };
        PartnerStanding {
            state,
            as_of_ms: now_ms.max(self.counted_ms + 1),
            failures: self.failures,
            since_ms: self.open.as_ref().map(|open| open.since_ms),
            until_ms: self.open.as_ref().map(|open| open.next_ms),
            reason: self.reason.clone().filter(|_| self.failures > 0),
            status: self.status.filter(|_| self.failures > 0),
        }
    }

    /// Answers a sender: a probe is admitted when its time has come, and the next one follows after a pause, whether or
    /// not this one ever ends.
    pub fn admit(&mut self, now_ms: i64) -> PartnerStanding {
        let mut state = BreakerState::Closed;
        if let Some(open) = &mut self.open {
            state = BreakerState::Open;
            if open.next_ms <= now_ms {
                open.next_ms = now_ms + open.pause_ms;
                open.is_probing = true;
                state = BreakerState::Probing;
            }
        }
        PartnerStanding { state, ..self.standing(now_ms) }
    }

    /// Updates it with the news of an attempt that was claimed under the standing of `as_of_ms`; returns whether that
    /// closed it.
    pub fn learn(&mut self, news: &PartnerNews, as_of_ms: i64, now_ms: i64) -> bool {
        match news {
            PartnerNews::Works => self.works(as_of_ms, now_ms),
            PartnerNews::Fails { status, code, at_once } => {
                if as_of_ms > self.counted_ms {
                    (self.reason, self.status) = (Some(code.clone()), *status);
                    self.count(*at_once, now_ms);
                }
                false
            }
        }
    }

    /// Makes the next probe due.
    pub fn try_now(&mut self, now_ms: i64) {
        if let Some(open) = &mut self.open {
            open.next_ms = open.next_ms.min(now_ms);
        }
    }

    fn works(&mut self, as_of_ms: i64, now_ms: i64) -> bool {
        match &self.open {
            // What was claimed before it opened says nothing of the time after.
            Some(open) if as_of_ms <= open.since_ms => false,
            None => {
                self.failures = 0;
                false
            }
            Some(_) => {
                *self = Self { counted_ms: now_ms.max(self.counted_ms + 1), ..Self::default() };
                true
            }
        }
    }

    /// Counts a failure: it opens a closed breaker if it is the last of several, and makes the pauses of an open one longer.
    fn count(&mut self, at_once: bool, now_ms: i64) {
        self.failures = self.failures.saturating_add(1);
        self.counted_ms = now_ms.max(self.counted_ms + 1);
        match &mut self.open {
            Some(open) => {
                open.pause_ms = (open.pause_ms * 2).min(BREAKER_MAX_MS);
                open.is_probing = false;
            }
            None if at_once || self.failures >= BREAKER_FAILURES => {
                self.open = Some(ProbeSchedule {
                    since_ms: self.counted_ms,
                    next_ms: now_ms + BREAKER_MIN_MS,
                    pause_ms: BREAKER_MIN_MS,
                    is_probing: false,
                });
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, BreakerState, PartnerNews, PartnerRefusal};
    use crate::ledger::AttemptOutcome;
    use crate::limits::{BREAKER_FAILURES, BREAKER_MAX_MS, BREAKER_MIN_MS};

    fn fails() -> PartnerNews {
        PartnerNews::Fails { status: Some(503), code: "busy".into(), at_once: false }
    }

    fn wrong_key() -> PartnerNews {
        PartnerNews::Fails { status: Some(401), code: "auth".into(), at_once: true }
    }

    /// A breaker that failures have opened at that instant, one after the other.
    fn opened(at_ms: i64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..BREAKER_FAILURES {
            let as_of_ms = breaker.admit(at_ms).as_of_ms;
            breaker.learn(&fails(), as_of_ms, at_ms);
        }
        breaker
    }

    #[test]
    fn failures_open_and_a_probe_closes() {
        let mut breaker = opened(0);
        assert_eq!(breaker.admit(BREAKER_MIN_MS - 1).state, BreakerState::Open);
        let probe = breaker.admit(BREAKER_MIN_MS);
        assert_eq!(probe.state, BreakerState::Probing);
        assert_eq!(breaker.standing(BREAKER_MIN_MS).state, BreakerState::Probing, "a probe is under way");
        assert_eq!(breaker.admit(BREAKER_MIN_MS).state, BreakerState::Open, "others wait");
        assert!(breaker.learn(&PartnerNews::Works, probe.as_of_ms, BREAKER_MIN_MS + 5));
        assert_eq!(breaker.admit(BREAKER_MIN_MS + 5).state, BreakerState::Closed);
        assert_eq!(breaker.standing(BREAKER_MIN_MS + 5).failures, 0);
    }

    #[test]
    fn failures_in_flight_together_count_once() {
        let mut breaker = Breaker::default();
        for round in 1..BREAKER_FAILURES {
            let as_of_ms = breaker.admit(i64::from(round) * 100).as_of_ms;
            for late in 0..30 {
                breaker.learn(&fails(), as_of_ms, i64::from(round) * 100 + late);
            }
            assert_eq!(breaker.failures, round);
        }
        assert!(breaker.open.is_none());
        // While it is open, what was claimed before lengthens nothing.
        let before = breaker.admit(1_000).as_of_ms;
        breaker.learn(&fails(), before, 1_001);
        let open = breaker.clone();
        assert!(open.open.is_some());
        (0..30).for_each(|late| assert!(!breaker.learn(&wrong_key(), before, 1_002 + late)));
        assert_eq!(breaker, open);
    }

    #[test]
    fn success_between_failures_begins_count_anew() {
        let mut breaker = Breaker::default();
        for now_ms in 0..100 {
            let as_of_ms = breaker.admit(now_ms * 10).as_of_ms;
            let news = if now_ms % i64::from(BREAKER_FAILURES) == 0 { PartnerNews::Works } else { fails() };
            assert!(!breaker.learn(&news, as_of_ms, now_ms * 10 + 1));
        }
        assert!(breaker.open.is_none());
    }

    #[test]
    fn success_claimed_before_opening_closes_nothing() {
        let mut breaker = Breaker::default();
        let early = breaker.admit(0).as_of_ms;
        breaker.learn(&wrong_key(), early, 10);
        assert!(!breaker.learn(&PartnerNews::Works, early, 20));
        assert!(breaker.open.is_some());
    }

    #[test]
    fn probe_follows_the_last_within_a_minute() {
        let (mut breaker, mut now_ms) = (opened(0), 0);
        for probes in 0..50 {
            let due_ms = breaker.standing(now_ms).until_ms.unwrap();
            assert!(due_ms - now_ms <= 60_000, "probe {probes} after {} ms", due_ms - now_ms);
            now_ms = due_ms;
            let probe = breaker.admit(now_ms);
            assert_eq!(probe.state, BreakerState::Probing);
            // Every other one is never heard of again.
            if probes % 2 == 0 {
                breaker.learn(&fails(), probe.as_of_ms, now_ms + 10);
            }
        }
        assert_eq!(breaker.open.unwrap().pause_ms, BREAKER_MAX_MS);
    }

    #[test]
    fn late_probe_closes_after_a_later_one_failed() {
        let mut breaker = opened(0);
        let slow = breaker.admit(BREAKER_MIN_MS);
        let quick = breaker.admit(2 * BREAKER_MIN_MS);
        assert_eq!(quick.state, BreakerState::Probing, "whether or not the one before has ended");
        breaker.learn(&fails(), quick.as_of_ms, 2 * BREAKER_MIN_MS + 1);
        assert!(breaker.learn(&PartnerNews::Works, slow.as_of_ms, 2 * BREAKER_MIN_MS + 2));
    }

    #[test]
    fn wrong_address_or_key_opens_at_once() {
        let mut breaker = Breaker::default();
        let as_of_ms = breaker.admit(7).as_of_ms;
        breaker.learn(&wrong_key(), as_of_ms, 7);
        let standing = breaker.admit(8);
        assert_eq!((standing.state, standing.since_ms), (BreakerState::Open, Some(7)));
        assert_eq!((standing.until_ms, standing.status), (Some(7 + BREAKER_MIN_MS), Some(401)));
        assert_eq!(standing.reason.as_deref(), Some("auth"));
    }

    #[test]
    fn person_makes_the_next_probe_due() {
        let mut breaker = opened(0);
        breaker.try_now(100);
        assert_eq!(breaker.admit(100).state, BreakerState::Probing);
        assert_eq!(breaker.admit(101).state, BreakerState::Open);
    }

    #[test]
    fn outcomes_tell_what_they_can() {
        let works = Some(PartnerNews::Works);
        let at_once = |outcome: &AttemptOutcome| match PartnerNews::from_outcome(outcome) {
            Some(PartnerNews::Fails { at_once, .. }) => Some(at_once),
            _ => None,
        };
        let not_stored = |code: &str| AttemptOutcome::NotStored { status: Some(1), code: code.into(), wait_ms: None };
        let refused = |status| AttemptOutcome::Refused { status, code: "permanent".into() };
        assert_eq!(PartnerNews::from_outcome(&AttemptOutcome::Delivered { status: 200 }), works);
        assert_eq!(PartnerNews::from_outcome(&refused(Some(400))), works);
        assert_eq!(PartnerNews::from_outcome(&not_stored("too_large")), works);
        assert_eq!(PartnerNews::from_outcome(&refused(None)), None);
        assert_eq!(PartnerNews::from_outcome(&AttemptOutcome::Released { pause_ms: None, place_ms: None }), None);
        assert_eq!(at_once(&not_stored("busy")), Some(false));
        assert_eq!(at_once(&AttemptOutcome::Unknown { code: "no_answer".into() }), Some(false));
        assert_eq!(at_once(&AttemptOutcome::Endpoint { status: 302, code: "redirect".into() }), Some(true));
    }

    #[test]
    fn refusals_have_the_status_that_came() {
        let refusal = |outcome: AttemptOutcome| {
            PartnerRefusal::from_outcome(&outcome, 5).map(|refusal| (refusal.status, refusal.code))
        };
        assert_eq!(refusal(AttemptOutcome::Delivered { status: 200 }), None);
        assert_eq!(refusal(AttemptOutcome::Released { pause_ms: None, place_ms: None }), None);
        let code = |code: &str| code.to_owned();
        for (outcome, status) in [
            (AttemptOutcome::Refused { status: Some(400), code: code("c") }, Some(400)),
            (AttemptOutcome::NotStored { status: Some(500), code: code("c"), wait_ms: None }, Some(500)),
            (AttemptOutcome::Unknown { code: code("c") }, None),
            (AttemptOutcome::Endpoint { status: 403, code: code("c") }, Some(403)),
        ] {
            assert_eq!(refusal(outcome), Some((status, code("c"))));
        }
    }
}
