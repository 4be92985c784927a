//! What became of a message of `send-queue`, as its one line in the log.
//!
//! What always holds: it holds no byte of a payload, no address and no words of the partner's.

use serde::Serialize;

use super::later::later;
use crate::backend::BackendError;
use crate::config::LogLevel;
use crate::ledger::delivery::{Payload, WaitReason};
use crate::ledger::{AttemptOutcome, DeliveryId, DeliveryState};
use crate::limits::SEND_RETRY_S;

/// What to do with a message, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SendVerdict {
    /// The verdict's stable code: `delivered`, `not_stored`, `unknown`, `refused`, `endpoint`, `released`, `split`,
    /// `waits`, `settled`, `no_such_payload`, `bad_message`, `failed`.
    pub verdict: &'static str,
    /// The stable code of the reason, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The reason in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The payload's handle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Its lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Which attempt it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The partner's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether the ledger took the outcome; it does not where someone else has claimed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<bool>,
    /// Seconds until the message is to come again; `None` acks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_s: Option<u32>,
}

impl SendVerdict {
    fn new(verdict: &'static str, id: Option<&DeliveryId>) -> Self {
        Self {
            verdict,
            code: None,
            reason: None,
            payload: id.map(DeliveryId::handle),
            lines: None,
            attempt: None,
            status: None,
            counted: None,
            retry_s: None,
        }
    }

    /// The body names no payload.
    #[must_use]
    pub fn bad_message() -> Self {
        Self::new("bad_message", None)
    }

    /// Nothing could be tried: the message has to come again after `delay_s` seconds.
    #[must_use]
    pub fn not_now(code: &str, reason: String, delay_s: u32) -> Self {
        Self { code: Some(code.into()), reason: Some(reason), retry_s: Some(delay_s), ..Self::new("failed", None) }
    }

    /// How grave its line in the log is.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        match self.verdict {
            "delivered" | "split" | "waits" | "settled" | "released" => LogLevel::Info,
            _ => LogLevel::Warn,
        }
    }

    /// The ledger could not be asked or told.
    pub(super) fn again(id: &DeliveryId, error: &BackendError, attempt: u32) -> Self {
        let payload = id.handle();
        let delay_s = later(&SEND_RETRY_S, &payload, attempt);
        Self { payload: Some(payload), ..Self::not_now("backend_failed", error.to_string(), delay_s) }
    }

    /// The ledger sees to it later.
    pub(super) fn waits(id: &DeliveryId, why: WaitReason) -> Self {
        let code = match why {
            WaitReason::Busy => "busy",
            WaitReason::NotDue => "not_due",
            WaitReason::BreakerOpen => "breaker_open",
        };
        Self { code: Some(code.into()), ..Self::new("waits", Some(id)) }
    }

    /// There is nothing to do.
    pub(super) fn settled(id: &DeliveryId, state: DeliveryState) -> Self {
        Self { code: Some(state.name().into()), ..Self::new("settled", Some(id)) }
    }

    /// The ledger knows of no such payload.
    pub(super) fn no_such(id: &DeliveryId) -> Self {
        Self::new("no_such_payload", Some(id))
    }

    /// It is two now.
    pub(super) fn split(id: &DeliveryId, payload: &Payload, attempt: u32) -> Self {
        Self { lines: Some(payload.lines), attempt: Some(attempt), ..Self::new("split", Some(id)) }
    }

    /// An attempt came to its end.
    pub(super) fn ended(
        id: &DeliveryId,
        payload: &Payload,
        attempt: u32,
        outcome: &AttemptOutcome,
        counted: bool,
    ) -> Self {
        let (verdict, status, code) = match outcome {
            AttemptOutcome::Delivered { status } => ("delivered", Some(*status), None),
            AttemptOutcome::NotStored { status, code, .. } => ("not_stored", *status, Some(code)),
            AttemptOutcome::Unknown { code } => ("unknown", None, Some(code)),
            AttemptOutcome::Refused { status, code } => ("refused", *status, Some(code)),
            AttemptOutcome::Endpoint { status, code, .. } => ("endpoint", Some(*status), Some(code)),
            AttemptOutcome::Released => ("released", None, None),
        };
        Self {
            code: code.cloned(),
            status,
            lines: Some(payload.lines),
            attempt: Some(attempt),
            counted: Some(counted),
            ..Self::new(verdict, Some(id))
        }
    }
}
