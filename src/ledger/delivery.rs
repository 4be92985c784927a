//! The state machine of one payload, independent of storage.
//!
//! ```text
//! prepared ──claim──> sending ──commit──> delivered | parked | prepared (try again later)
//!                        └──lease over──> prepared (resend) | parked (a person decides)
//! parked ──> prepared (released) | dropped | confirmed      sending ──413──> split (two payloads replace it)
//! ```
//!
//! # Invariants
//! A payload has at most one claimant at a time. A commit counts once, and only for the claim whose token it carries; a
//! late commit counts unless another attempt has claimed the payload since. Only an attempt with an unknown outcome can
//! deliver a payload twice, and every such attempt is counted.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source_id::SourceId;
use crate::limits::{
    HELD_AGAIN_MS, LEASE_MAX_MS, MAX_ATTEMPTS, RELEASED_MAX_MS, RELEASED_MIN_MS, RETRY_MAX_MS, RETRY_MIN_MS,
    UNANSWERED_MAX,
};
use crate::partner::{AnswerClass, OnUnknown};

/// The code of a payload that exceeds the partner's size limit.
pub(super) const TOO_LARGE: &str = AnswerClass::TooLarge.code();

/// The code of an attempt that the partner never answered: it may have the payload.
pub const NO_ANSWER: &str = "no_answer";

/// The code of an attempt whose body never left.
pub const NOT_SENT: &str = "not_sent";

/// The code of an attempt whose sender was never heard of again.
const LEASE_ENDED: &str = "lease_ended";

/// The codes of attempts that failed because of the partner as a whole, or of the way to it.
pub(super) const PARTNER_FAILURES: [&str; 9] = [
    AnswerClass::Redirect.code(),
    AnswerClass::Auth.code(),
    AnswerClass::WrongAddress.code(),
    AnswerClass::Busy.code(),
    AnswerClass::ServerError.code(),
    AnswerClass::Unknown.code(),
    NO_ANSWER,
    NOT_SENT,
    LEASE_ENDED,
];

/// The state of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits for its next attempt.
    Prepared,
    /// A claimant is sending it.
    Sending,
    /// The partner confirmed that it stored it.
    Delivered,
    /// It waits for a person's decision.
    Parked,
    /// A person decided against sending it.
    Dropped,
    /// A person said that the partner has it; the partner itself never did.
    Confirmed,
    /// Smaller payloads replaced it: two, since it was too large, or one without the lines that an erasure took out.
    Split,
}

impl DeliveryState {
    /// All states, in listing order.
    pub const ALL: [Self; 7] =
        [Self::Prepared, Self::Sending, Self::Delivered, Self::Parked, Self::Dropped, Self::Confirmed, Self::Split];

    /// Returns the state's name in SQL and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
            Self::Dropped => "dropped",
            Self::Confirmed => "confirmed",
            Self::Split => "split",
        }
    }

    /// Parses a state from its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A payload of a plan, as recorded by the seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Its index in the plan: [`super::ids::index_of`].
    pub index: String,
    /// The SHA-256 of its body, in hexadecimal digits.
    pub sha256: String,
    /// Number of lines in its body.
    pub lines: u64,
    /// Size of its compressed body in bytes.
    pub bytes: u64,
    /// Offset of its first record in the text of the batch, in bytes.
    pub first_offset: u64,
    /// Offset of its last record in the text of the batch, in bytes.
    pub last_offset: u64,
    /// The location of its body; `None` once its pack was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<BodyLocation>,
}

/// The location of a body: the pack of the plan that contains it, and its offset there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyLocation {
    /// The index of the pack's first payload.
    pub first: String,
    /// The SHA-256 of the concatenated hashes of the pack's bodies, in hexadecimal digits: each body is already hashed
    /// by itself, so none is hashed twice.
    pub digest: String,
    /// Offset of the body in the pack, in bytes.
    pub offset: u64,
    /// Whether an erasure overwrote it: it is never sent again.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub erased: bool,
}

/// The outcome of an attempt to send a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The partner confirmed that it has the payload.
    Delivered {
        /// HTTP status of the answer.
        status: u16,
    },
    /// The partner certainly does not have it; a later attempt may succeed.
    NotStored {
        /// HTTP status, if the partner answered.
        status: Option<u16>,
        /// Stable, machine-readable code of the reason.
        code: String,
        /// The pause that the partner asked for, in milliseconds.
        wait_ms: Option<u64>,
    },
    /// The outcome is unknown: the partner may have it.
    Unknown {
        /// Stable, machine-readable code of the reason.
        code: String,
    },
    /// The partner will never accept it as it is.
    Refused {
        /// HTTP status, if the partner was asked.
        status: Option<u16>,
        /// Stable, machine-readable code of the reason.
        code: String,
    },
    /// The partner's address or key is wrong, which is not the payload's fault.
    Endpoint {
        /// HTTP status of the answer.
        status: u16,
        /// Stable, machine-readable code of the reason.
        code: String,
    },
    /// Nothing was sent; the claim is returned.
    Released {
        /// The pause that the sender wants, in milliseconds; `None` after a hiccup, whose pauses grow.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pause_ms: Option<i64>,
        /// The place in line that the pacer gave it, if it waits for its turn.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        place_ms: Option<i64>,
    },
    /// Nothing was sent, since its backfill is stopped; the claim is returned.
    Held,
}

/// What a sender knows of an attempt beside its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AttemptFacts {
    /// Time that the partner took for its answer, in milliseconds, or that was waited for it; `None` if nothing was posted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub took_ms: Option<i64>,
    /// Whether it was a probe: claimed while the partner's breaker was open.
    #[serde(default)]
    pub is_probe: bool,
    /// Whether the partner answered for another payload meanwhile, as far as the sender knows.
    #[serde(default)]
    pub others_answered: bool,
}

/// A payload with the state of its delivery: a row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The source whose lines it carries.
    pub source: SourceId,
    /// The number of the plan in the source.
    pub plan: u32,
    /// The payload as the seal recorded it.
    pub payload: Payload,
    /// The name of the group whose row it shares; `None` if it has a row of its own.
    pub group: Option<String>,
    /// The state after the last change.
    pub state: DeliveryState,
    /// Unix milliseconds before which no attempt is granted.
    pub next_attempt_ms: i64,
    /// Unix milliseconds at which the ledger's alarm must act on it; `None` in a terminal or parked state.
    pub wake_ms: Option<i64>,
    /// The number of the last claim.
    pub token: u32,
    /// The name given by the last claimant.
    pub claimant: String,
    /// Whether the last claim has no commit yet.
    pub uncommitted: bool,
    /// Unix milliseconds of the last claim.
    pub claimed_ms: i64,
    /// Unix milliseconds at which the last claim ends.
    pub lease_ms: i64,
    /// The policy for an unknown outcome of the last claim.
    pub on_unknown: OnUnknown,
    /// Attempts since it was sealed or released.
    pub attempts: u32,
    /// Attempts with an unknown outcome.
    pub unknown_outcomes: u32,
    /// Attempts that were never answered, while other payloads were.
    pub unanswered: u32,
    /// Attempts whose body never left.
    pub not_sent: u32,
    /// Claims returned in a row because of a hiccup.
    pub released: u32,
    /// Its place in line at the pacer, in Unix milliseconds by the pacer's clock; `None` if it has none.
    pub place_ms: Option<i64>,
    /// Whether it waits for its stopped backfill.
    pub is_held: bool,
    /// Time that the last POST took, in milliseconds.
    pub took_ms: Option<i64>,
    /// HTTP status of the partner's last answer.
    pub status: Option<u16>,
    /// Code of the last failure, or a person's reason for dropping or confirming it.
    pub code: Option<String>,
    /// The partner's words with its last refusal, cleaned.
    pub refusal: Option<String>,
    /// Unix milliseconds at which it became terminal or was parked.
    pub completed_ms: Option<i64>,
}

/// The reason why a claim must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// Another claimant is sending the payload.
    Busy,
    /// The next attempt is due later.
    NotDue,
    /// The breaker of the partner is open.
    BreakerOpen,
}

/// The verdict on a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimVerdict {
    /// The claim is granted, or was already, under this token.
    Granted(u32),
    /// The claim must wait until this instant in Unix milliseconds.
    Wait(i64, WaitReason),
    /// The payload is in a terminal state.
    Terminal(DeliveryState),
}

impl AttemptOutcome {
    /// Returns whether the claim was returned without a POST.
    #[must_use]
    pub const fn is_returned(&self) -> bool {
        matches!(self, Self::Released { .. } | Self::Held)
    }
}

impl Delivery {
    /// Creates a newly sealed payload. The sealing Worker sends its message; if that is lost, the ledger sends it at
    /// `wake_ms`.
    #[must_use]
    pub const fn new(source: SourceId, plan: u32, payload: Payload, now_ms: i64, wake_ms: i64) -> Self {
        Self {
            source,
            plan,
            payload,
            group: None,
            state: DeliveryState::Prepared,
            next_attempt_ms: now_ms,
            wake_ms: Some(wake_ms),
            token: 0,
            claimant: String::new(),
            uncommitted: false,
            claimed_ms: 0,
            lease_ms: 0,
            on_unknown: OnUnknown::Resend,
            attempts: 0,
            unknown_outcomes: 0,
            unanswered: 0,
            not_sent: 0,
            released: 0,
            place_ms: None,
            is_held: false,
            took_ms: None,
            status: None,
            code: None,
            refusal: None,
            completed_ms: None,
        }
    }

    /// Judges a claim apart from the breaker, which is consulted only if this grants it.
    #[must_use]
    pub fn may_be_claimed(&mut self, claimant: &str, now_ms: i64) -> ClaimVerdict {
        if self.state == DeliveryState::Sending && self.lease_ms <= now_ms {
            self.end_lease(now_ms);
        }
        match self.state {
            DeliveryState::Sending if self.claimant == claimant => ClaimVerdict::Granted(self.token),
            DeliveryState::Sending => ClaimVerdict::Wait(self.lease_ms, WaitReason::Busy),
            DeliveryState::Prepared if self.next_attempt_ms > now_ms => {
                ClaimVerdict::Wait(self.next_attempt_ms, WaitReason::NotDue)
            }
            DeliveryState::Prepared => ClaimVerdict::Granted(self.token),
            state => ClaimVerdict::Terminal(state),
        }
    }

    /// Grants the claim for `lease_ms` and returns its token; the same claimant gets the same token again.
    pub fn claim(&mut self, claimant: &str, on_unknown: OnUnknown, lease_ms: i64, now_ms: i64) -> u32 {
        if self.state == DeliveryState::Prepared {
            self.state = DeliveryState::Sending;
            self.token = self.token.saturating_add(1);
            claimant.clone_into(&mut self.claimant);
            self.uncommitted = true;
            self.on_unknown = on_unknown;
            self.attempts = self.attempts.saturating_add(1);
            self.is_held = false;
            self.claimed_ms = now_ms;
            self.lease_ms = now_ms + lease_ms.clamp(0, LEASE_MAX_MS);
            self.wake_ms = Some(self.lease_ms);
        }
        self.token
    }

    /// Records the outcome of the attempt under `token`; returns whether the commit counted.
    pub fn commit(&mut self, token: u32, outcome: &AttemptOutcome, facts: AttemptFacts, now_ms: i64) -> bool {
        let fenced = token == self.token && self.uncommitted;
        let is_over = matches!(
            self.state,
            DeliveryState::Delivered | DeliveryState::Dropped | DeliveryState::Confirmed | DeliveryState::Split
        );
        if !fenced || is_over {
            return false;
        }
        if self.state != DeliveryState::Sending && !matches!(outcome, AttemptOutcome::Unknown { .. }) {
            // The lease had ended, which counted as an unknown outcome; the outcome is now known.
            self.unknown_outcomes = self.unknown_outcomes.saturating_sub(1);
        }
        let was_counted = self.state != DeliveryState::Sending;
        self.uncommitted = false;
        self.took_ms = facts.took_ms.or(self.took_ms);
        if !outcome.is_returned() {
            self.released = 0;
            self.place_ms = None;
        }
        match outcome {
            AttemptOutcome::Delivered { status } => {
                self.status = Some(*status);
                self.rest(DeliveryState::Delivered, None, now_ms);
            }
            AttemptOutcome::NotStored { status, code, wait_ms } => {
                self.status = *status;
                self.not_sent = self.not_sent.saturating_add(u32::from(code == NOT_SENT));
                self.try_later(code, *wait_ms, facts.is_probe, now_ms);
            }
            AttemptOutcome::Unknown { .. } if was_counted => {}
            AttemptOutcome::Unknown { code } => self.doubt(code, facts, now_ms),
            AttemptOutcome::Refused { status, code } => {
                self.status = *status;
                self.rest(DeliveryState::Parked, Some(code), now_ms);
            }
            AttemptOutcome::Endpoint { status, code } => {
                self.status = Some(*status);
                self.try_later(code, None, facts.is_probe, now_ms);
            }
            AttemptOutcome::Released { pause_ms, place_ms } => {
                self.place_ms = place_ms.or(self.place_ms);
                self.give_back(*pause_ms, now_ms);
            }
            AttemptOutcome::Held => {
                self.is_held = true;
                self.place_ms = None;
                self.give_back(Some(HELD_AGAIN_MS), now_ms);
            }
        }
        true
    }

    /// Undoes a claim under which nothing was sent.
    fn give_back(&mut self, pause_ms: Option<i64>, now_ms: i64) {
        self.attempts = self.attempts.saturating_sub(1);
        let pause_ms = pause_ms.unwrap_or_else(|| {
            self.released = self.released.saturating_add(1);
            self.pause(RELEASED_MIN_MS, RELEASED_MAX_MS, self.released)
        });
        self.wait_until(now_ms + pause_ms.max(0));
    }

    /// Ends an expired lease: the outcome of the attempt is unknown.
    pub fn end_lease(&mut self, now_ms: i64) {
        if self.state == DeliveryState::Sending && self.lease_ms <= now_ms {
            self.place_ms = None;
            self.doubt(LEASE_ENDED, AttemptFacts::default(), now_ms);
        }
    }

    /// Makes the payload due now, with all its attempts restored, by a person's decision. A commit that is still in
    /// flight counts.
    pub fn release(&mut self, now_ms: i64) {
        self.attempts = 0;
        self.unanswered = 0;
        self.place_ms = None;
        self.is_held = false;
        self.wait_until(now_ms);
    }

    /// Drops the payload by a person's decision.
    pub fn drop_for(&mut self, reason: &str, now_ms: i64) {
        self.uncommitted = false;
        self.rest(DeliveryState::Dropped, Some(reason), now_ms);
    }

    /// Records a person's word that the partner has the payload.
    pub fn confirm_for(&mut self, reason: &str, now_ms: i64) {
        self.uncommitted = false;
        self.rest(DeliveryState::Confirmed, Some(reason), now_ms);
    }

    /// Marks the payload as replaced by two smaller ones.
    pub fn split(&mut self, now_ms: i64) {
        self.uncommitted = false;
        self.rest(DeliveryState::Split, Some(TOO_LARGE), now_ms);
    }

    /// Counts an unknown outcome, then resends or parks the payload. One that the partner leaves without an answer again
    /// and again, while it answers for others, is parked with [`NO_ANSWER`]: the fault is the payload's. In an outage
    /// nothing is answered, so none is parked.
    fn doubt(&mut self, code: &str, facts: AttemptFacts, now_ms: i64) {
        self.unknown_outcomes = self.unknown_outcomes.saturating_add(1);
        let is_alone = code == NO_ANSWER && facts.others_answered;
        self.unanswered = self.unanswered.saturating_add(u32::from(is_alone));
        match self.on_unknown {
            OnUnknown::Resend if self.unanswered < UNANSWERED_MAX => self.try_later(code, None, facts.is_probe, now_ms),
            OnUnknown::Resend | OnUnknown::Park => self.rest(DeliveryState::Parked, Some(code), now_ms),
        }
    }

    /// Schedules another attempt after an increasing pause, or parks the payload after the last one. A probe that failed
    /// is no attempt of the payload's own: it stays due, and the breaker holds it.
    fn try_later(&mut self, code: &str, wait_ms: Option<u64>, is_probe: bool, now_ms: i64) {
        self.code = Some(code.to_owned());
        if is_probe {
            self.attempts = self.attempts.saturating_sub(1);
            return self.wait_until(now_ms);
        }
        if self.attempts >= MAX_ATTEMPTS {
            return self.rest(DeliveryState::Parked, Some("too_many_attempts"), now_ms);
        }
        let asked = wait_ms.map_or(0, |wait| i64::try_from(wait).unwrap_or(RETRY_MAX_MS));
        self.wait_until(now_ms + self.pause(RETRY_MIN_MS, RETRY_MAX_MS, self.attempts).max(asked));
    }

    fn wait_until(&mut self, at_ms: i64) {
        self.state = DeliveryState::Prepared;
        self.next_attempt_ms = at_ms;
        self.wake_ms = Some(at_ms);
        self.completed_ms = None;
    }

    fn rest(&mut self, state: DeliveryState, code: Option<&str>, now_ms: i64) {
        self.state = state;
        self.wake_ms = None;
        self.completed_ms = Some(now_ms);
        self.code = code.map(str::to_owned);
    }

    /// Returns the `nth` pause in milliseconds, counted from 1. It doubles each time, and varies by a quarter either way so
    /// that payloads that failed together are not retried together.
    fn pause(&self, least: i64, most: i64, nth: u32) -> i64 {
        let doublings = nth.saturating_sub(1).min(20);
        let pause = (least << doublings).min(most);
        let salt = Sha256::digest(format!("{}/{}/{nth}", self.payload.sha256, self.payload.index));
        let [a, b, ..]: [u8; 32] = salt.into();
        let spread = i64::from(u16::from_le_bytes([a, b])) * pause / 2 / i64::from(u16::MAX);
        pause - pause / 4 + spread
    }
}
