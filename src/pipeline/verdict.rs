//! The verdict on a message of `send-queue`; it is also the message's log line.
//!
//! # Invariants
//! A verdict contains no byte of a payload, no address and no words of the partner.

use serde::Serialize;

use super::retry_delay::retry_delay_s;
use crate::backend::BackendError;
use crate::config::{ConfigFault, LogLevel};
use crate::ledger::delivery::{Payload, WaitReason};
use crate::ledger::{AttemptOutcome, DeliveryId, DeliveryState};
use crate::limits::SEND_RETRY_S;

/// The reason for a message that names no payload; also the code of its dead letter.
pub(super) const NOT_A_PAYLOAD: &str = "not_a_payload";

/// The outcome of a message of `send-queue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// The partner has the payload.
    Delivered,
    /// The partner does not have it; the ledger schedules another attempt.
    NotStored,
    /// It is unknown whether the partner has the payload.
    Unknown,
    /// The partner rejects the payload.
    Refused,
    /// The partner's endpoint or key is wrong.
    Endpoint,
    /// Nothing was sent, and the claim was returned.
    Released,
    /// The payload was too large; two payloads replaced it.
    Split,
    /// The ledger schedules the attempt for later.
    Waits,
    /// The payload needs no attempt.
    Settled,
    /// The ledger has no such payload.
    NoSuchPayload,
    /// The message's body names no payload; it is now a dead letter.
    BadMessage,
    /// The batch of messages had no time left for it; its queue has it again.
    HandedOn,
    /// A backend failed; the message is retried.
    Failed,
}

impl SendOutcome {
    /// Returns the stable code for logs and counts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::NotStored => "not_stored",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Endpoint => "endpoint",
            Self::Released => "released",
            Self::Split => "split",
            Self::Waits => "waits",
            Self::Settled => "settled",
            Self::NoSuchPayload => "no_such_payload",
            Self::BadMessage => "bad_message",
            Self::HandedOn => "handed_on",
            Self::Failed => "failed",
        }
    }
}

impl Serialize for SendOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The disposition of a message, with its reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SendVerdict {
    /// The outcome of the message.
    pub verdict: SendOutcome,
    /// The stable code of the reason, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The reason as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The handle of the payload, if the message names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Number of its lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// The number of the attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// HTTP status of the partner's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Time that the partner took for its answer, in milliseconds, or that was waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_ms: Option<i64>,
    /// Whether the ledger accepted the outcome; `false` if another sender has claimed the payload since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<bool>,
    /// Seconds until the message is retried; `None` acks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_s: Option<u32>,
}

impl SendVerdict {
    fn new(verdict: SendOutcome, id: Option<&DeliveryId>) -> Self {
        Self {
            verdict,
            code: None,
            reason: None,
            payload: id.map(DeliveryId::handle),
            lines: None,
            attempt: None,
            status: None,
            post_ms: None,
            counted: None,
            retry_s: None,
        }
    }

    /// Creates the verdict on a body that names no payload, with the code of its dead letter.
    #[must_use]
    pub fn bad_message(code: &str) -> Self {
        Self { code: Some(code.into()), ..Self::new(SendOutcome::BadMessage, None) }
    }

    /// Creates the verdict on a message that could not be tried, and is retried after `delay_s` seconds.
    #[must_use]
    pub fn not_now(code: &str, reason: String, delay_s: u32) -> Self {
        Self {
            code: Some(code.into()),
            reason: Some(reason),
            retry_s: Some(delay_s),
            ..Self::new(SendOutcome::Failed, None)
        }
    }

    /// Returns the severity of the log line.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        match self.verdict {
            SendOutcome::Delivered
            | SendOutcome::Split
            | SendOutcome::Waits
            | SendOutcome::Settled
            | SendOutcome::HandedOn
            | SendOutcome::Released => LogLevel::Info,
            _ => LogLevel::Warn,
        }
    }

    /// Creates the verdict after a failed call to the ledger.
    pub(super) fn again(id: &DeliveryId, error: &BackendError, attempt: u32) -> Self {
        let payload = id.handle();
        let delay_s = retry_delay_s(&SEND_RETRY_S, &payload, attempt);
        Self { payload: Some(payload), ..Self::not_now("backend_failed", error.to_string(), delay_s) }
    }

    /// Creates the verdict on a message whose dead letter the registry did not accept; `message` is its identifier.
    pub(super) fn refuse_again(message: &str, error: &BackendError, attempt: u32) -> Self {
        Self::not_now("backend_failed", error.to_string(), retry_delay_s(&SEND_RETRY_S, message, attempt))
    }

    /// Creates the verdict on a payload that the ledger sends later.
    pub(super) fn waits(id: &DeliveryId, why: WaitReason) -> Self {
        let code = match why {
            WaitReason::Busy => "busy",
            WaitReason::NotDue => "not_due",
            WaitReason::BreakerOpen => "breaker_open",
        };
        Self { code: Some(code.into()), ..Self::new(SendOutcome::Waits, Some(id)) }
    }

    /// Creates the verdict on a payload that is held while nothing is sent, because of these faults or because delivery is
    /// off.
    pub(super) fn held(id: &DeliveryId, faults: &[ConfigFault]) -> Self {
        let (code, reason) = match faults {
            [] => ("delivery_off", "no partner is configured".to_owned()),
            faults => ("delivery_stopped", ConfigFault::words(faults)),
        };
        Self { code: Some(code.into()), reason: Some(reason), ..Self::new(SendOutcome::Waits, Some(id)) }
    }

    /// Creates the verdict on a payload that needs no attempt.
    pub(super) fn settled(id: &DeliveryId, state: DeliveryState) -> Self {
        Self { code: Some(state.name().into()), ..Self::new(SendOutcome::Settled, Some(id)) }
    }

    /// Creates the verdict on a message that its queue has again.
    pub(super) fn handed_on(id: &DeliveryId) -> Self {
        Self::new(SendOutcome::HandedOn, Some(id))
    }

    /// Creates the verdict on a payload that the ledger does not have.
    pub(super) fn no_such(id: &DeliveryId) -> Self {
        Self::new(SendOutcome::NoSuchPayload, Some(id))
    }

    /// Creates the verdict on a payload that was split.
    pub(super) fn split(id: &DeliveryId, payload: &Payload, attempt: u32) -> Self {
        Self { lines: Some(payload.lines), attempt: Some(attempt), ..Self::new(SendOutcome::Split, Some(id)) }
    }

    /// Creates the verdict after an attempt.
    pub(super) fn ended(
        id: &DeliveryId,
        payload: &Payload,
        attempt: u32,
        (outcome, post_ms): (&AttemptOutcome, Option<i64>),
        counted: bool,
    ) -> Self {
        let (pace, stopped) = (String::from("pace"), String::from("stopped"));
        let (verdict, status, code) = match outcome {
            AttemptOutcome::Delivered { status } => (SendOutcome::Delivered, Some(*status), None),
            AttemptOutcome::NotStored { status, code, .. } => (SendOutcome::NotStored, *status, Some(code)),
            AttemptOutcome::Unknown { code } => (SendOutcome::Unknown, None, Some(code)),
            AttemptOutcome::Refused { status, code } => (SendOutcome::Refused, *status, Some(code)),
            AttemptOutcome::Endpoint { status, code } => (SendOutcome::Endpoint, Some(*status), Some(code)),
            AttemptOutcome::Released { place_ms: Some(_), .. } => (SendOutcome::Waits, None, Some(&pace)),
            AttemptOutcome::Released { place_ms: None, .. } => (SendOutcome::Released, None, None),
            AttemptOutcome::Held => (SendOutcome::Waits, None, Some(&stopped)),
        };
        Self {
            code: code.cloned(),
            status,
            post_ms,
            lines: Some(payload.lines),
            attempt: Some(attempt),
            counted: Some(counted),
            ..Self::new(verdict, Some(id))
        }
    }
}
