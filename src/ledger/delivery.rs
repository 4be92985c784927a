//! The life of one payload, as a machine without storage.
//!
//! ```text
//! prepared ──claim──> sending ──commit──> delivered | parked | prepared (try again later)
//!                        └──lease over──> prepared (resend) | parked (a person decides)
//! parked ──> prepared (released) | dropped          sending ──413──> split (its halves go on)
//! ```
//!
//! What always holds: one claimant at a time; a commit counts only for the claim whose token it carries, and once;
//! a late one still counts as long as nobody else has claimed; only an answer that never came can double a payload,
//! and then it is counted.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::SourceId;
use crate::limits::{LEASE_MS, MAX_ATTEMPTS, RELEASED_MS, RETRY_MAX_MS, RETRY_MIN_MS};
use crate::mistakes::{Mistake, made};
use crate::partner::OnUnknown;

/// Where a payload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for its next attempt.
    Prepared,
    /// Someone sends it.
    Sending,
    /// The partner has it.
    Delivered,
    /// A person has to decide.
    Parked,
    /// A person decided that it is not sent.
    Dropped,
    /// It was too large; its halves took its place.
    Split,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Prepared, Self::Sending, Self::Delivered, Self::Parked, Self::Dropped, Self::Split];

    /// The stored name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
            Self::Dropped => "dropped",
            Self::Split => "split",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A payload of a plan, as the seal tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Its number in the plan: [`super::ids::index_of`].
    pub index: String,
    /// The SHA-256 of its body, in hexadecimal digits.
    pub sha256: String,
    /// Its lines.
    pub lines: u64,
    /// Bytes of its body.
    pub bytes: u64,
    /// Where its first record begins in the source, in inflated bytes.
    pub first_at: u64,
    /// Where its last record begins.
    pub last_at: u64,
    /// Where its body lies among others; `None`: it lies alone, under a key of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<Place>,
}

/// Where a body lies: in which pack of its plan, and from which byte on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the pack's first payload.
    pub first: String,
    /// The SHA-256 of the hashes of the pack's bodies, one behind the other, in hexadecimal digits: each body is hashed
    /// by itself already, and once is enough.
    pub digest: String,
    /// Where the body begins in it.
    pub at: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The partner said that it has it.
    Delivered {
        /// Its status.
        status: u16,
    },
    /// The partner said, or it is plain, that it does not have it; later it may.
    NotStored {
        /// Its status, if it answered.
        status: Option<u16>,
        /// The reason.
        code: String,
        /// What the partner asked to wait.
        wait_ms: Option<u64>,
    },
    /// Nobody can say whether the partner has it.
    Unknown {
        /// The reason.
        code: String,
    },
    /// It will never be taken as it is.
    Refused {
        /// The partner's status, if it was asked.
        status: Option<u16>,
        /// The reason.
        code: String,
    },
    /// The partner's address or key is wrong: no payload's own fault.
    Endpoint {
        /// Its status.
        status: u16,
        /// The reason.
        code: String,
        /// Whether this payload needs a decision all the same.
        park: bool,
    },
    /// Nothing was sent after all.
    Released,
}

/// What the ledger keeps of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The source.
    pub source: SourceId,
    /// The plan.
    pub plan: u32,
    /// What it is.
    pub payload: Payload,
    /// Where it stands.
    pub state: State,
    /// No attempt before this instant.
    pub due_ms: i64,
    /// When the ledger itself does something about it, if nobody else did; `None` once it is settled.
    pub wake_ms: Option<i64>,
    /// The number of the last claim.
    pub token: u32,
    /// Who claimed it.
    pub claimant: String,
    /// The last claim has not been committed.
    pub uncommitted: bool,
    /// When that claim ends.
    pub lease_ms: i64,
    /// What to do where nobody can say whether the partner has it.
    pub on_unknown: OnUnknown,
    /// Attempts since it was sealed or released.
    pub attempts: u32,
    /// Attempts of which nobody can say whether the partner stored them.
    pub ambiguous: u32,
    /// The partner's last status.
    pub status: Option<u16>,
    /// The code of the last reason.
    pub code: Option<String>,
    /// When it came to rest.
    pub settled_ms: Option<i64>,
    /// Whether no body lies under its own key: it was removed, or lies in a pack.
    pub removed: bool,
}

/// Why a claim waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Someone else sends it.
    Busy,
    /// Its next attempt is later.
    NotDue,
    /// The breaker is open.
    BreakerOpen,
}

/// What a claim came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is the claimant's, under this token, until the lease ends.
    Yes(u32),
    /// Not before this instant.
    Wait(i64, Why),
    /// It is at rest.
    Settled(State),
}

impl Delivery {
    /// A payload that was just sealed. Whoever sealed it sends its message; if that is lost, the ledger does.
    #[must_use]
    pub const fn new(source: SourceId, plan: u32, payload: Payload, now_ms: i64, wake_ms: i64) -> Self {
        Self {
            source,
            plan,
            removed: payload.pack.is_some(),
            payload,
            state: State::Prepared,
            due_ms: now_ms,
            wake_ms: Some(wake_ms),
            token: 0,
            claimant: String::new(),
            uncommitted: false,
            lease_ms: 0,
            on_unknown: OnUnknown::Resend,
            attempts: 0,
            ambiguous: 0,
            status: None,
            code: None,
            settled_ms: None,
        }
    }

    /// Whether it has a body that can be sent, by what is known of it with its place.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        !self.removed || self.payload.pack.is_some()
    }

    /// Whether a claim would be granted; the breaker is asked only then.
    #[must_use]
    pub fn may_be_claimed(&mut self, claimant: &str, now_ms: i64) -> Claimed {
        if self.state == State::Sending && self.lease_ms <= now_ms {
            self.end_lease(now_ms);
        }
        match self.state {
            State::Sending if self.claimant == claimant || made(Mistake::CheckThenSend) => Claimed::Yes(self.token),
            State::Sending => Claimed::Wait(self.lease_ms, Why::Busy),
            State::Prepared if self.due_ms > now_ms => Claimed::Wait(self.due_ms, Why::NotDue),
            State::Prepared => Claimed::Yes(self.token),
            state => Claimed::Settled(state),
        }
    }

    /// Grants the claim; the same claimant gets what it has.
    pub fn claim(&mut self, claimant: &str, on_unknown: OnUnknown, now_ms: i64) -> u32 {
        if self.state == State::Prepared {
            self.state = State::Sending;
            self.token = self.token.saturating_add(1);
            claimant.clone_into(&mut self.claimant);
            self.uncommitted = true;
            self.on_unknown = on_unknown;
            self.attempts = self.attempts.saturating_add(1);
            self.lease_ms = now_ms + if made(Mistake::ShortLease) { LEASE_MS / 20 } else { LEASE_MS };
            self.wake_ms = Some(self.lease_ms);
        }
        self.token
    }

    /// Learns how the attempt under `token` ended; says whether that was news.
    pub fn commit(&mut self, token: u32, outcome: &Outcome, now_ms: i64) -> bool {
        let fenced = token == self.token && self.uncommitted || made(Mistake::NoFence);
        if !fenced || matches!(self.state, State::Delivered | State::Dropped | State::Split) && !made(Mistake::NoFence)
        {
            return false;
        }
        if self.state != State::Sending && !matches!(outcome, Outcome::Unknown { .. }) {
            // The lease was over, and now the doubt is.
            self.ambiguous = self.ambiguous.saturating_sub(1);
        }
        let was_counted = self.state != State::Sending;
        self.uncommitted = false;
        match outcome {
            Outcome::Delivered { status } => {
                self.status = Some(*status);
                self.rest(State::Delivered, None, now_ms);
            }
            Outcome::NotStored { status, code, wait_ms } => {
                self.status = *status;
                self.try_later(code, *wait_ms, now_ms);
            }
            Outcome::Unknown { .. } if was_counted => {}
            Outcome::Unknown { code } => self.doubt(code, now_ms),
            Outcome::Refused { status, code } => {
                self.status = *status;
                self.rest(State::Parked, Some(code), now_ms);
            }
            Outcome::Endpoint { status, code, park } => {
                self.status = Some(*status);
                if *park { self.rest(State::Parked, Some(code), now_ms) } else { self.try_later(code, None, now_ms) }
            }
            Outcome::Released => {
                self.attempts = self.attempts.saturating_sub(1);
                self.wait_until(now_ms + RELEASED_MS);
            }
        }
        true
    }

    /// The lease is over, and nobody has said how the attempt ended.
    pub fn end_lease(&mut self, now_ms: i64) {
        if self.state == State::Sending && self.lease_ms <= now_ms {
            self.doubt("lease_ended", now_ms);
        }
    }

    /// A person has the payload sent after all, from the beginning. A commit that is still under way counts.
    pub fn release(&mut self, now_ms: i64) {
        self.attempts = 0;
        self.wait_until(now_ms);
    }

    /// A person has decided against it.
    pub fn drop_for(&mut self, reason: &str, now_ms: i64) {
        self.uncommitted = false;
        self.rest(State::Dropped, Some(reason), now_ms);
    }

    /// Its halves have taken its place.
    pub fn split(&mut self, now_ms: i64) {
        self.uncommitted = false;
        self.rest(State::Split, Some("too_large"), now_ms);
    }

    /// Nobody can say whether the partner has it.
    fn doubt(&mut self, code: &str, now_ms: i64) {
        self.ambiguous = self.ambiguous.saturating_add(1);
        match self.on_unknown {
            OnUnknown::Park if !made(Mistake::ResendInDoubt) => self.rest(State::Parked, Some(code), now_ms),
            _ => self.try_later(code, None, now_ms),
        }
    }

    /// Another attempt, later each time; or a decision, once there were too many.
    fn try_later(&mut self, code: &str, wait_ms: Option<u64>, now_ms: i64) {
        if self.attempts >= MAX_ATTEMPTS {
            return self.rest(State::Parked, Some("too_many_attempts"), now_ms);
        }
        self.code = Some(code.to_owned());
        let asked = wait_ms.map_or(0, |wait| i64::try_from(wait).unwrap_or(RETRY_MAX_MS));
        self.wait_until(now_ms + self.backoff().max(asked));
    }

    fn wait_until(&mut self, at_ms: i64) {
        self.state = State::Prepared;
        self.due_ms = at_ms;
        self.wake_ms = Some(at_ms);
        self.settled_ms = None;
    }

    fn rest(&mut self, state: State, code: Option<&str>, now_ms: i64) {
        self.state = state;
        self.wake_ms = None;
        self.settled_ms = Some(now_ms);
        self.code = code.map(str::to_owned);
    }

    /// Doubles with each attempt, and spreads by a quarter either way, so that what failed together does not come
    /// again together.
    fn backoff(&self) -> i64 {
        let doublings = self.attempts.saturating_sub(1).min(20);
        let pause = (RETRY_MIN_MS << doublings).min(RETRY_MAX_MS);
        let salt = Sha256::digest(format!("{}/{}/{}", self.payload.sha256, self.payload.index, self.attempts));
        let [a, b, ..]: [u8; 32] = salt.into();
        let spread = i64::from(u16::from_le_bytes([a, b])) * pause / 2 / i64::from(u16::MAX);
        pause - pause / 4 + spread
    }
}
