//! Forms of the page of operations: each is the request of the API that it stands for.
//!
//! # Invariants
//! A form decides nothing that the API would not: it is checked, recorded and answered as that request.

use crate::http::Reply;

/// What a form of the page of operations is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationTarget {
    /// A parked payload: `POST /ops/payloads/{payload}`.
    Payload,
    /// A dead letter: `POST /ops/dead-letters/{dead_letter}`.
    DeadLetter,
    /// A backfill: `POST /ops/backfills/{id}`.
    Backfill,
    /// The partner: `POST /ops/partner`.
    Partner,
}

impl OperationTarget {
    /// The decisions that a person can make.
    const fn decisions(self) -> &'static [&'static str] {
        match self {
            Self::Payload => &["release", "resend", "confirm", "drop"],
            Self::DeadLetter => &["redrive", "dismiss"],
            Self::Backfill => &["stop", "resume"],
            Self::Partner => &["try"],
        }
    }

    /// The part of the page that shows it.
    const fn part(self) -> &'static str {
        match self {
            Self::Payload => "/ops#parked",
            Self::DeadLetter => "/ops#dead-letters",
            Self::Backfill => "/ops#backfills",
            Self::Partner => "/ops#delivery",
        }
    }

    /// Whether a decision needs a reason.
    const fn needs_reason(self) -> bool {
        matches!(self, Self::Payload | Self::DeadLetter)
    }

    /// The path of the API for a decision about the argument of the form's path.
    fn api_path(self, argument: &str, decision: &str) -> String {
        match self {
            Self::Payload => format!("/v1/payloads/{argument}/{decision}"),
            Self::DeadLetter => format!("/v1/dead-letters/{argument}/{decision}"),
            Self::Backfill => format!("/v1/backfills/{argument}/{decision}"),
            Self::Partner => format!("/v1/partner/{decision}"),
        }
    }
}

/// A request of the API that a form stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperationForm {
    /// The path of the request.
    pub(crate) path: String,
    /// Its body in JSON, or nothing.
    pub(crate) body: Vec<u8>,
}

impl OperationForm {
    /// Reads the form; `None` if it decides nothing that the page offers.
    pub(crate) fn parse(target: OperationTarget, argument: &str, form: &[u8]) -> Option<Self> {
        let member = |known: &str| {
            form_urlencoded::parse(form).find(|(name, _)| name == known).map(|(_, value)| value.into_owned())
        };
        let wanted = member("decision")?;
        let decision = target.decisions().iter().find(|known| **known == wanted)?;
        let is_argument = argument.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        let path = is_argument.then(|| target.api_path(argument, decision))?;
        let reason = member("reason").unwrap_or_default();
        let body = if target.needs_reason() {
            serde_json::json!({ "reason": reason.trim() }).to_string()
        } else {
            String::new()
        };
        Some(Self { path, body: body.into_bytes() })
    }
}

/// Returns to the part of the page that shows what was decided.
pub(crate) fn after_operation(target: OperationTarget) -> Reply {
    Reply::see_other(target.part())
}

#[cfg(test)]
mod tests {
    use super::{OperationForm, OperationTarget};

    fn parse(target: OperationTarget, argument: &str, form: &str) -> Option<(String, String)> {
        let form = OperationForm::parse(target, argument, form.as_bytes())?;
        Some((form.path, String::from_utf8(form.body).unwrap()))
    }

    #[test]
    fn form_becomes_the_request_of_the_api() {
        let of = |path: &str, body: &str| Some((path.to_owned(), body.to_owned()));
        let payload = parse(OperationTarget::Payload, "20260328T08.ab.1.000001", "decision=drop&reason=+a+%22b%22");
        assert_eq!(payload, of("/v1/payloads/20260328T08.ab.1.000001/drop", r#"{"reason":"a \"b\""}"#));
        let letter = parse(OperationTarget::DeadLetter, "7", "reason=x&decision=redrive");
        assert_eq!(letter, of("/v1/dead-letters/7/redrive", r#"{"reason":"x"}"#));
        assert_eq!(parse(OperationTarget::Backfill, "7", "decision=stop"), of("/v1/backfills/7/stop", ""));
        assert_eq!(parse(OperationTarget::Partner, "", "decision=try"), of("/v1/partner/try", ""));
    }

    #[test]
    fn other_decisions_are_no_form() {
        for (target, argument, form) in [
            (OperationTarget::Payload, "a", "decision=redrive"),
            (OperationTarget::Payload, "a/../b", "decision=drop"),
            (OperationTarget::Backfill, "7", "decision=resume%2F..%2Fstop"),
            (OperationTarget::Partner, "", ""),
        ] {
            assert_eq!(parse(target, argument, form), None, "{argument} {form}");
        }
    }
}
