//! Forms of the page of operations: each is the request of the API that it stands for.
//!
//! # Invariants
//! A form decides nothing that the API would not: it is checked, recorded and answered as that request.

use itertools::Itertools as _;

use super::html::page_reply;
use super::visit::Visit;
use crate::access::Caller;
use crate::http::{Problem, Reply, ReplyBody, problems};
use crate::memory::MemoryBudget;
use crate::page::ops::{DecidedPage, DecisionFilter};

/// What a form of the page of operations is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationTarget {
    /// A parked payload: `POST /ops/payloads/{payload}`.
    Payload,
    /// The payloads that a filter selects, whose number was shown before: `POST /ops/payloads`.
    Payloads,
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
            Self::Payload | Self::Payloads => &["release", "resend", "confirm", "drop"],
            Self::DeadLetter => &["redrive", "dismiss"],
            Self::Backfill => &["stop", "resume"],
            Self::Partner => &["try"],
        }
    }

    /// The part of the page that shows it.
    const fn part(self) -> &'static str {
        match self {
            Self::Payload | Self::Payloads => "/ops#parked",
            Self::DeadLetter => "/ops#dead-letters",
            Self::Backfill => "/ops#backfills",
            Self::Partner => "/ops#delivery",
        }
    }

    /// The body of the API's request for a decision, from the members of the form.
    fn api_body(self, member: impl Fn(&str) -> Option<String>) -> Option<String> {
        let text = |name: &str| member(name).unwrap_or_default().trim().to_owned();
        match self {
            Self::Payload | Self::DeadLetter => Some(serde_json::json!({ "reason": text("reason") }).to_string()),
            Self::Payloads => {
                let (expected, reason) = (text("expected"), text("reason"));
                Some(DecisionFilter::read(member)?.decide_request(&expected, &reason).to_string())
            }
            Self::Backfill | Self::Partner => Some(String::new()),
        }
    }

    /// The path of the API for a decision about the argument of the form's path.
    fn api_path(self, argument: &str, decision: &str) -> String {
        match self {
            Self::Payload => format!("/v1/payloads/{argument}/{decision}"),
            Self::Payloads => "/v1/payloads/decide".to_owned(),
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
    /// What the person decided.
    pub(crate) decision: &'static str,
}

impl OperationForm {
    /// Reads the form; `None` if it decides nothing that the page offers, or has a member twice.
    pub(crate) fn parse(target: OperationTarget, argument: &str, form: &[u8]) -> Option<Self> {
        let names = form_urlencoded::parse(form).map(|(name, _)| name).sorted();
        if names.tuple_windows().any(|(one, other)| one == other) {
            return None;
        }
        let member = |known: &str| {
            form_urlencoded::parse(form).find(|(name, _)| name == known).map(|(_, value)| value.into_owned())
        };
        let wanted = member("decision")?;
        let decision = target.decisions().iter().find(|known| **known == wanted)?;
        let is_argument = argument.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        let path = is_argument.then(|| target.api_path(argument, decision))?;
        let body = target.api_body(member)?;
        Some(Self { path, body: body.into_bytes(), decision })
    }
}

/// Returns to the part of the page that shows what was decided. Of several payloads, a page says what became of how many.
///
/// # Errors
/// The [`Problem`] of a page that does not fit into memory.
pub(crate) fn after_operation(
    memory: &MemoryBudget,
    (visit, caller): (&Visit, &Caller),
    (target, decision): (OperationTarget, &str),
    reply: Reply,
) -> Result<Reply, Problem> {
    let (OperationTarget::Payloads, ReplyBody::Whole(body)) = (target, reply.body) else {
        return Ok(Reply::see_other(target.part()));
    };
    let decided = serde_json::from_slice(&body.to_vec()).map_err(|_| problems::unavailable())?;
    let frame = visit.frame(Some(caller));
    Ok(page_reply(memory, 200, &DecidedPage::new(&frame, decision, &decided))?)
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
        let (path, body) =
            parse(OperationTarget::Payloads, "", "decision=release&state=parked&code=&expected=2-ab&reason=x").unwrap();
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let expected =
            serde_json::json!({ "decision": "release", "state": "parked", "expected": "2-ab", "reason": "x" });
        assert_eq!((path.as_str(), body), ("/v1/payloads/decide", expected));
    }

    #[test]
    fn other_decisions_are_no_form() {
        for (target, argument, form) in [
            (OperationTarget::Payload, "a", "decision=redrive"),
            (OperationTarget::Payload, "a/../b", "decision=drop"),
            (OperationTarget::Backfill, "7", "decision=resume%2F..%2Fstop"),
            (OperationTarget::Partner, "", ""),
            (OperationTarget::Partner, "", "decision=try&decision=try"),
            (OperationTarget::Payload, "a-1", "decision=resend&decision=drop&reason=x"),
            (OperationTarget::Payloads, "", "decision=redrive&expected=2-ab"),
        ] {
            assert_eq!(parse(target, argument, form), None, "{argument} {form}");
        }
    }
}
